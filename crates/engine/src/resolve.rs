//! Accounts that cannot pay (sections 5 and 9): other markets' profits pay a loss, in cash and then in claims; an account
//! below zero is resolved in one instruction. The result does not depend on who calls first.

use core::ops::DerefMut;

use crate::Now;
use crate::account::AccountState;
use crate::error::{Error, Result};
use crate::market::MarketState;
use crate::units::{Quote, SignedQuote};

/// What a resolution did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Resolution {
    /// Collateral and profits paid to losing markets, in cash.
    pub paid: Quote,
    /// Claims assigned to losing markets.
    pub assigned: Quote,
    /// Losses that nobody's money paid, over all markets.
    pub deficit: Quote,
    /// What the markets' insurance paid of it.
    pub insurance: Quote,
    /// Deficit by position slot.
    pub deficits: [Quote; 8],
    /// Full equity before.
    pub equity_before: SignedQuote,
}

/// Pays `unpaid`, a loss booked in the market of `slot` that collateral could not pay, from the account's profits in
/// its other markets: their good-priced profitable positions are settled (cash at their `h`, the rest claims), cash
/// pays first, then claims are assigned at face. `markets` are those of the account's slots in use, in slot order, with
/// their slots. Returns what is still unpaid.
///
/// # Errors
/// [`Error::MathOverflow`], [`Error::WrongMarketCount`].
pub fn cover<M: DerefMut<Target = MarketState>>(
    account: &mut AccountState,
    slot: usize,
    unpaid: Quote,
    markets: &mut [(usize, M)],
    now: &Now,
) -> Result<Quote> {
    let _ = (account, slot, unpaid, markets, now);
    Err(Error::MathOverflow.into())
}

/// Resolves a flagged account whose equity, profits and claims in full, is below zero: profits settled, all positions
/// closed at price without premium, what collateral and claims are left split over its losing markets pro rata to their
/// losses, the rest is each market's deficit. Needs a publish time newer than the flag's and a good price in every market.
///
/// # Errors
/// [`Error::NotFlagged`], [`Error::FlagTooFresh`], [`Error::NotBankrupt`], the worst price's refusal, [`Error::WrongMarketCount`].
pub fn resolve<M: DerefMut<Target = MarketState>>(
    account: &mut AccountState,
    markets: &mut [(usize, M)],
    now: &Now,
) -> Result<Resolution> {
    let _ = (account, markets, now);
    Err(Error::MathOverflow.into())
}

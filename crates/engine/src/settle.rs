//! Settling a position without changing its size (section 5), collecting claims, and the exit from a silent market
//! with its holdback (section 4).

use crate::Now;
use crate::account::AccountState;
use crate::error::{Error, Result};
use crate::market::MarketState;
use crate::pool::Realised;
use crate::trade::Fill;
use crate::units::{Quote, SignedQuote};

/// What settling did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Settled {
    /// PnL moved, before funding.
    pub pnl: SignedQuote,
    /// Funding settled: positive was received.
    pub funding: SignedQuote,
    /// Where they went.
    pub realised: Realised,
    /// Collected on the slot's claim.
    pub collected: Quote,
    /// Holdback returned to the collateral.
    pub returned: Quote,
    /// Holdback taken by the pool.
    pub forfeited: Quote,
}

/// Moves the unrealised result of a slot to cash and re-bases its entry to the mark; collects its claim; resolves its
/// holdback. A loss beyond the collateral stays unrealised in the entry. Equity for maintenance does not fall. The
/// market has accrued just now.
///
/// # Errors
/// The price's refusal unless it is good; [`Error::CoverTooEarly`] where there is nothing to do; [`Error::MathOverflow`].
pub fn settle(market: &mut MarketState, account: &mut AccountState, slot: usize, now: &Now) -> Result<Settled> {
    let _ = (market, account, slot, now);
    Err(Error::MathOverflow.into())
}

/// Collects what the index has paid on a slot's claim; works at any price.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn collect(market: &mut MarketState, account: &mut AccountState, slot: usize) -> Result<Quote> {
    let _ = (market, account, slot);
    Err(Error::MathOverflow.into())
}

/// Collects what `debtor` has paid on a claim that `holder`'s pool holds on it, into `holder`'s pool.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn collect_between(debtor: &mut MarketState, holder: &mut MarketState) -> Result<Quote> {
    let _ = (debtor, holder);
    Err(Error::MathOverflow.into())
}

/// Closes a whole position in a silent market at the penalised price; profit is forfeited to the pool and
/// `min(collateral, stress move × notional)` stays in the slot until the next good price.
///
/// # Errors
/// [`Error::PriceNotSilent`], [`Error::LossNotCovered`].
pub fn silent_exit(market: &mut MarketState, account: &mut AccountState, slot: usize, now: &Now) -> Result<Fill> {
    let _ = (market, account, slot, now);
    Err(Error::MathOverflow.into())
}

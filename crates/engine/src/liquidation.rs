//! Liquidation (section 8): flag, pacing, size, fees. Everything is derived; a keeper chooses nothing.

use crate::Now;
use crate::account::AccountState;
use crate::error::{Error, Result};
use crate::layout::Key;
use crate::margin::Totals;
use crate::market::MarketState;
use crate::trade::Fill;
use crate::units::{Price, Quote, Ratio, SignedQuote};

/// A liquidation's receipt: enough to run the decision again (section 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Receipt {
    /// The fill.
    pub fill: Fill,
    /// Keeper's fee in all, the flagger's share included.
    pub keeper_fee: Quote,
    /// The flagger's share of it.
    pub flagger_fee: Quote,
    /// What the market's insurance added to it.
    pub from_insurance: Quote,
    /// Insurance fee.
    pub insurance_fee: Quote,
    /// Equity before, at the maintenance price.
    pub equity_before: SignedQuote,
    /// Maintenance before.
    pub maintenance_before: Quote,
    /// Notional closed.
    pub notional: Quote,
    /// Need in force.
    pub need: Quote,
    /// Closed since the flag, this included.
    pub closed: Quote,
    /// Price, before confidence and premium.
    pub price: Price,
    /// Confidence.
    pub conf: Price,
    /// Publish time.
    pub publish_time: i64,
    /// Whether pacing fell away.
    pub urgent: bool,
}

/// Notional to close: `shortage / (mmf + buffer − keeper fee − insurance fee − impact − credit)`, rounded up, at most
/// the account's notional. Source: Drift v2's margin-shortage formula, with impact and credit added.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn need(
    shortage: Quote,
    notional: Quote,
    maintenance: Ratio,
    buffer: Ratio,
    fees: Ratio,
    impact: Ratio,
    credit: Ratio,
) -> Result<Quote> {
    let _ = (shortage, notional, maintenance, buffer, fees, impact, credit);
    Err(Error::MathOverflow.into())
}

/// Flags an account (maintenance totals over all its positions; `market` is the one of the largest good position).
///
/// # Errors
/// [`Error::AccountHealthy`], [`Error::AlreadyFlagged`], the worst price's refusal where none is good.
pub fn flag(account: &mut AccountState, market: &MarketState, totals: &Totals, flagger: Key, now: &Now) -> Result<()> {
    let _ = (account, market, totals, flagger, now);
    Err(Error::MathOverflow.into())
}

/// Whether a flag is in force.
pub fn is_flagged(account: &AccountState, now: &Now) -> bool {
    let _ = (account, now);
    false
}

/// Clears the flag of an account at or above maintenance plus buffer.
///
/// # Errors
/// [`Error::NotFlagged`], [`Error::StillUnhealthy`].
pub fn unflag(account: &mut AccountState, totals: &Totals, now: &Now) -> Result<()> {
    let _ = (account, totals, now);
    Err(Error::MathOverflow.into())
}

/// Liquidates as much as pacing allows of the position in `slot`, which must be the largest good one, in a market that
/// accrued just now. `totals` are maintenance totals just before. Seen at or above maintenance, the flag's clock is
/// cleared and nothing else is done: `Ok(None)`. Fees leave the collateral; the caller credits the keeper and flagger.
/// An unpaid loss is in `fill.realised.unpaid` for [`crate::resolve::cover`].
///
/// # Errors
/// [`Error::NotFlagged`], [`Error::FlagTooFresh`], [`Error::PacingExhausted`], [`Error::CapacityExhausted`],
/// [`Error::NotLargestPosition`], [`Error::AccountBankrupt`], the price's refusal.
pub fn liquidate(
    market: &mut MarketState,
    account: &mut AccountState,
    slot: usize,
    totals: &Totals,
    now: &Now,
) -> Result<Option<Receipt>> {
    let _ = (market, account, slot, totals, now);
    Err(Error::MathOverflow.into())
}

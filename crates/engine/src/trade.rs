//! Fills (section 5): the premium curve, increase, reduce, fees, and the limits on an increase. The side's sums and the
//! position change together (P3), funding is settled first, every rounding is against the trader.

use crate::Now;
use crate::account::AccountState;
use crate::error::{Error, Result};
use crate::market::MarketState;
use crate::pool::Realised;
use crate::units::{Base, Price, Quote, SignedQuote};

/// What a fill did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Fill {
    /// Size filled.
    pub size: Base,
    /// Whether it bought.
    pub buy: bool,
    /// The mark it was filled at, before the premium.
    pub mark: Price,
    /// The average price, premium included, rounded against the trader.
    pub price: Price,
    /// Quote paid for it (buy) or brought by it (sell), premium included.
    pub cost: Quote,
    /// Premium paid (positive) or received.
    pub premium: SignedQuote,
    /// Trading fee taken.
    pub fee: Quote,
    /// Funding settled: positive was received, negative paid.
    pub funding: SignedQuote,
    /// Result of the closed part, before funding and fee.
    pub pnl: SignedQuote,
    /// Where result and funding went.
    pub realised: Realised,
}

/// How a reduction is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// With premium and trading fee.
    Trade,
    /// With premium, without trading fee (liquidations have their own).
    Liquidation,
    /// At the mark, without premium or fee (resolution, settlement).
    Plain,
    /// At the mark, without premium or fee, and a profit is forfeited to the pool (exit from a silent market).
    Silent,
}

/// The premium of moving the skew by `size`: positive is paid by the trader. Path independent:
/// `price × (s₁² − s₀²) / 2K`, rounded up.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn premium(market: &MarketState, size: Base, buy: bool, mark: Price) -> Result<SignedQuote> {
    let _ = (market, size, buy, mark);
    Err(Error::MathOverflow.into())
}

/// Opens or increases the position in a slot (free, or of this market and direction), in a market that accrued just now.
/// Takes the fee from collateral. The caller checks limits ([`check_increase`]) and initial margin after it.
///
/// # Errors
/// [`Error::InsufficientCollateral`] if the fee or the funding owed cannot be paid, [`Error::MathOverflow`].
pub fn increase(
    market: &mut MarketState,
    account: &mut AccountState,
    slot: usize,
    size: Base,
    long: bool,
    mark: Price,
) -> Result<Fill> {
    let _ = (market, account, slot, size, long, mark);
    Err(Error::MathOverflow.into())
}

/// Reduces or closes the position in a slot, in a market that accrued just now. A fee that the collateral cannot pay is
/// taken as far as it goes; an unpaid loss is returned in `realised.unpaid` for [`crate::resolve::cover`].
///
/// # Errors
/// [`Error::SizeNotReducing`], [`Error::MathOverflow`].
pub fn reduce(
    market: &mut MarketState,
    account: &mut AccountState,
    slot: usize,
    size: Base,
    mark: Price,
    charge: Charge,
) -> Result<Fill> {
    let _ = (market, account, slot, size, mark, charge);
    Err(Error::MathOverflow.into())
}

/// The limits on an increase (section 5), tested on the market after it: good price, no pause, no claims, no waiting
/// exit, stress and impact and cap of the side, position size and minimum notional.
///
/// # Errors
/// The limit's own error, with limit and value.
pub fn check_increase(market: &MarketState, account: &AccountState, slot: usize, now: &Now) -> Result<()> {
    let _ = (market, account, slot, now);
    Err(Error::MathOverflow.into())
}

/// The limit on a position that was reduced but not closed: still at least the minimum notional, unless it was below
/// that before.
///
/// # Errors
/// [`Error::SizeBelowMinimum`].
pub fn check_rest(market: &MarketState, account: &AccountState, slot: usize) -> Result<()> {
    let _ = (market, account, slot);
    Err(Error::MathOverflow.into())
}

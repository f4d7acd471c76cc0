//! The solvency envelope (P8, section 7) and what parameters must agree with. Judged at creation and at every change, on
//! the resulting set, with the lowest maintenance margin in force.

use crate::error::{Error, Result};
use crate::params::{ExchangeParams, MarketParams};
use crate::tier::Tier;
use crate::units::Ratio;

/// The terms of the envelope's sum, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Slots that a liquidation may take.
    pub slots: u64,
    /// Move per slot times those.
    pub price: Ratio,
    /// Confidence credit.
    pub credit: Ratio,
    /// One hour's funding cap.
    pub funding: Ratio,
    /// Liquidation fees and impact, at the moved price.
    pub fees: Ratio,
    /// The sum.
    pub sum: Ratio,
}

/// The envelope's terms for a set, at a maintenance margin.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn envelope(params: &MarketParams, tier: Tier, maintenance: Ratio) -> Result<Envelope> {
    let _ = (params, tier, maintenance);
    Err(Error::MathOverflow.into())
}

/// Whether a market's set may be stored: bounds, envelope at the smallest and the largest position with the lowest
/// maintenance margin in force, and every cross-check.
///
/// # Errors
/// [`Error::ParameterBounds`], [`Error::EnvelopeBroken`], [`Error::CrossCheckBroken`].
pub fn check_market(params: &MarketParams, tier: Tier, lowest_maintenance: Ratio, quote_decimals: u8) -> Result<()> {
    let _ = (params, tier, lowest_maintenance, quote_decimals);
    Err(Error::MathOverflow.into())
}

/// Whether an exchange's set may be stored.
///
/// # Errors
/// [`Error::ParameterBounds`], [`Error::CrossCheckBroken`].
pub fn check_exchange(params: &ExchangeParams) -> Result<()> {
    let _ = params;
    Err(Error::MathOverflow.into())
}

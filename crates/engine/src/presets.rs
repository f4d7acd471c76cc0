//! Parameter sets to start from, by tier: section 7's table and what goes with it.

use crate::constants::{HOUR, RATE_PER_RATIO, RATIO_SCALE};
use crate::params::{ExchangeParams, MarketParams};
use crate::tier::Tier;
use crate::units::{Base, Quote, Ratio};

/// One whole unit of a collateral with six decimals.
const UNIT: u64 = 1_000_000;
/// One basis point.
const BP: u64 = 100;
/// One basis point an hour as a rate.
const RATE_BP: u64 = BP * RATE_PER_RATIO;
/// What a ramp's length times the capacity per slot must reach: section 7's `25 − 2`.
const CAPACITY_SLOTS: u64 = 23;

/// What differs by tier; ratios in basis points, amounts in whole units.
struct Numbers {
    initial: u64,
    maintenance: u64,
    size: u64,
    insurance_fee: u64,
    impact: u64,
    stress: u64,
    taker: u64,
    mending: u64,
    max_position: u64,
    capacity: u64,
    /// Basis points an hour that the funding rate gains in an hour at full skew.
    velocity: u64,
}

const A: Numbers = Numbers {
    initial: 500,
    maintenance: 300,
    size: 500,
    insurance_fee: 50,
    impact: 20,
    stress: 1_000,
    taker: 5,
    mending: 2,
    max_position: 1_000_000,
    capacity: 1_000_000,
    velocity: 1,
};
const B: Numbers = Numbers {
    initial: 1_000,
    maintenance: 500,
    size: 1_000,
    insurance_fee: 100,
    impact: 50,
    stress: 2_000,
    taker: 7,
    mending: 3,
    max_position: 250_000,
    capacity: 250_000,
    velocity: 2,
};
const C: Numbers = Numbers {
    initial: 2_000,
    maintenance: 1_000,
    size: 2_000,
    insurance_fee: 150,
    impact: 100,
    stress: 4_000,
    taker: 10,
    mending: 4,
    max_position: 50_000,
    capacity: 50_000,
    velocity: 4,
};

const fn numbers(tier: Tier) -> &'static Numbers {
    match tier {
        Tier::A => &A,
        Tier::B => &B,
        Tier::C => &C,
    }
}

const fn bps(n: u64) -> Ratio {
    Ratio(n.saturating_mul(BP))
}

const fn units(n: u64) -> Quote {
    Quote(n.saturating_mul(UNIT))
}

/// A market's set at a tier, with caps and rates at zero as a new market has them (section 11, *From nothing*).
/// `skew_scale` is in base atoms; quote amounts assume `quote_decimals` of 6. Funding's skew scale is the largest skew
/// that the impact limit lets stand: funding then moves fastest where the pool carries most.
pub fn new_market(tier: Tier, skew_scale: u64) -> MarketParams {
    let n = numbers(tier);
    let impact = bps(n.impact);
    let largest_skew = u128::from(skew_scale).saturating_mul(u128::from(impact.0)).checked_div(u128::from(RATIO_SCALE));
    let funding_skew_scale = largest_skew.and_then(|s| u64::try_from(s).ok()).unwrap_or(u64::MAX).max(1_000);
    MarketParams {
        initial_margin: bps(n.initial),
        maintenance_margin: bps(n.maintenance),
        liquidation_buffer: bps(150),
        size_margin: bps(n.size),
        oi_margin_start: Ratio(800_000),
        oi_margin_full: Ratio(2_000_000),
        profit_credit: Ratio::ZERO,
        skew_scale: Base(skew_scale),
        funding_skew_scale: Base(funding_skew_scale),
        funding_velocity: 0,
        funding_cap: tier.rules().funding_cap,
        funding_dead_zone: bps(200),
        funding_half_life: HOUR.unsigned_abs().saturating_mul(8),
        holding_fee: Ratio::ZERO,
        open_interest_cap: Quote::ZERO,
        max_position: units(n.max_position),
        min_notional: units(50),
        taker_fee: bps(n.taker),
        mending_fee: bps(n.mending),
        fee_pool_share: Ratio(600_000),
        fee_insurance_share: Ratio(200_000),
        keeper_fee_min: bps(10),
        keeper_fee_max: bps(50),
        keeper_fee_floor: Quote(50_000),
        keeper_floor_hourly: units(10),
        insurance_fee_max: bps(n.insurance_fee),
        liquidation_impact: impact,
        liquidation_capacity: units(n.capacity),
        stress_move: bps(n.stress),
        lp_cooldown: HOUR.unsigned_abs().saturating_mul(24),
        lp_minimum: units(1_000),
        order_fee: Quote(20_000),
        insurance_day_cap: units(50_000),
        insurance_week_cap: Quote::ZERO,
        funding_threshold: Ratio(250_000),
        funding_floor: bps(1),
        funding_multiple: Ratio(2_000_000),
        // Twice the velocity: above what the hard cap decays by in an hour of the half-life.
        funding_change_limit: n.velocity.saturating_mul(2 * RATE_BP),
        settlement_floor: bps(n.stress / 10),
        ..MarketParams::default()
    }
}

/// A market's set once it is live: as [`new_market`], with funding and holding fee running, and liquidation capacity
/// for the open-interest cap given, and a share in the shared insurance.
pub fn tuned(tier: Tier, skew_scale: u64, open_interest_cap: Quote) -> MarketParams {
    let new = new_market(tier, skew_scale);
    let capacity = open_interest_cap.0.div_ceil(CAPACITY_SLOTS).max(new.liquidation_capacity.0);
    MarketParams {
        open_interest_cap,
        liquidation_capacity: Quote(capacity),
        funding_velocity: numbers(tier).velocity.saturating_mul(RATE_BP),
        holding_fee: bps(1),
        insurance_week_cap: units(100_000),
        ..new
    }
}

/// An exchange's set.
pub fn new_exchange() -> ExchangeParams {
    ExchangeParams {
        delay_tune: 172_800,
        delay_risk: 259_200,
        delay_deep: 604_800,
        grace: 259_200,
        outflow_hourly: bps(100),
        outflow_daily: bps(1_000),
        outflow_floor: units(10_000),
        ..ExchangeParams::default()
    }
}

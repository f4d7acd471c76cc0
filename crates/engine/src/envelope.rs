//! The solvency envelope (P8, section 7) and what parameters must agree with. Judged at creation and at every change, on
//! the resulting set, with the lowest maintenance margin in force.

use crate::constants::{
    DAY, ENVELOPE_CONFIRM_SLOTS, ENVELOPE_PRICE_SLOTS, ENVELOPE_SECOND_SLOTS, FLAG_WAIT_SLOTS, MAX_ORDERS, RAMP_SLOTS,
};
use crate::error::{Error, Fault, Result, ensure};
use crate::math::{div_u128, mul_div, some};
use crate::params::{EXCHANGE_ROWS, ExchangeParams, MARKET_ROWS, MarketParams};
use crate::tier::Tier;
use crate::units::{Ratio, Rounding};

/// The least that `min_notional` may be, in whole units of the collateral ($10).
const MIN_NOTIONAL_UNITS: u64 = 10;
/// Slots in which a liquidation may close everything: from the end of the flag's wait to the end of the ramp.
const CAPACITY_SLOTS: u64 = RAMP_SLOTS.saturating_sub(FLAG_WAIT_SLOTS);

// Whatever can lower what a provider has waits for lp_cooldown plus a day (section 11). Held by the hard bounds, so
// that it holds for every class, row and market, and needs no look at both accounts.
const _: () = {
    let [tune, risk, deep, ..] = EXCHANGE_ROWS else { panic!("the delays come first") };
    let mut cooldown = 0;
    let mut i = 0;
    while i < MARKET_ROWS.len() {
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        let row = &MARKET_ROWS[i];
        if matches!(row.name.as_bytes(), b"lp_cooldown") {
            cooldown = row.max;
        }
        i = i.saturating_add(1);
    }
    let least = cooldown.saturating_add(DAY.unsigned_abs());
    assert!(cooldown > 0 && tune.min >= least && risk.min >= least && deep.min >= least);
};

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
    /// One hour's holding fee at a full cap: it is charged along with funding, so an account may owe an hour of both.
    pub holding: Ratio,
    /// Liquidation fees and impact, at the moved price.
    pub fees: Ratio,
    /// The keeper's floor as a share of the smallest position, at the moved price. It comes on top of the fees: it may
    /// be paid on a first small piece, the rest is then closed at the full rate.
    pub floor: Ratio,
    /// The sum at the largest position, where the floor vanishes.
    pub sum: Ratio,
    /// The sum at the smallest position.
    pub sum_smallest: Ratio,
}

/// The envelope's terms for a set, at a maintenance margin. Each rounds up. `slots` is
/// `max(10 + 20 + 10, maintenance / 3 ÷ move per slot + 10)`: price age, confirmation and second publish time, or the
/// way down to 2/3 of maintenance, where pacing ends (section 7).
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn envelope(params: &MarketParams, tier: Tier, maintenance: Ratio) -> Result<Envelope> {
    const FIXED: u64 =
        ENVELOPE_PRICE_SLOTS.saturating_add(ENVELOPE_CONFIRM_SLOTS).saturating_add(ENVELOPE_SECOND_SLOTS);
    let rules = tier.rules();
    let a_third = some(rules.move_per_slot.0.checked_mul(3))?;
    let way = div_u128(u128::from(maintenance.0), a_third, Rounding::Up)?;
    let slots = FIXED.max(some(way.checked_add(ENVELOPE_PRICE_SLOTS))?);
    let price = Ratio(some(rules.move_per_slot.0.checked_mul(slots))?);
    // Of the notional at the moved price, which for a short is the greater one.
    let moved = |share: Ratio| share.plus(share.times(price, Rounding::Up)?);
    let fees = moved(params.liquidation_fees()?.plus(params.liquidation_impact)?)?;
    let floor = moved(Ratio::of(params.keeper_fee_floor.0, params.min_notional.0, Rounding::Up)?)?;
    let (credit, funding, holding) = (rules.conf_credit, params.funding_cap, params.holding_fee);
    let sum = price.plus(credit)?.plus(funding)?.plus(holding)?.plus(fees)?;
    Ok(Envelope { slots, price, credit, funding, holding, fees, floor, sum, sum_smallest: sum.plus(floor)? })
}

/// Whether a market's set may be stored: bounds, envelope at the smallest and the largest position with the lowest
/// maintenance margin in force, and every cross-check. The set's own maintenance margin is judged too: the number of
/// slots rises in steps, so that a higher margin can fail where a lower one passes.
///
/// # Errors
/// [`Error::ParameterBounds`], [`Error::EnvelopeBroken`], [`Error::CrossCheckBroken`].
pub fn check_market(params: &MarketParams, tier: Tier, lowest_maintenance: Ratio, quote_decimals: u8) -> Result<()> {
    params.check_bounds()?;
    cross_check(params, tier, quote_decimals)?;
    check_envelope(params, tier, params.maintenance_margin)?;
    if lowest_maintenance != params.maintenance_margin {
        check_envelope(params, tier, lowest_maintenance)?;
    }
    Ok(())
}

fn check_envelope(params: &MarketParams, tier: Tier, maintenance: Ratio) -> Result<()> {
    let terms = envelope(params, tier, maintenance)?;
    // It makes the divisor of a liquidation's size (section 8) positive too: fees, impact and credit are in the sum.
    ensure(terms.sum_smallest <= maintenance, Fault::new(Error::EnvelopeBroken, maintenance.0, terms.sum_smallest.0))
}

fn at_most(value: u64, limit: u64) -> Result<()> {
    ensure(value <= limit, Fault::new(Error::CrossCheckBroken, limit, value))
}

/// What the funding rate loses in an hour when it begins to decay at the hard cap: cap × ln 2 ÷ half-life, rounded up.
fn steepest_decay(params: &MarketParams) -> Result<u64> {
    /// ln 2 × 3600, times a million, rounded up: the cap in millionths to a rate times the half-life in seconds.
    const LN_2_HOUR: u64 = 2_495_329_851;
    mul_div(params.funding_cap.0, LN_2_HOUR, params.funding_half_life, Rounding::Up)
}

fn cross_check(params: &MarketParams, tier: Tier, quote_decimals: u8) -> Result<()> {
    let p = params;
    // A position just opened must not be liquidatable, nor one just liquidated be so again.
    at_most(p.maintenance_margin.plus(p.liquidation_buffer)?.0, p.initial_margin.0)?;
    at_most(p.initial_margin.plus(p.size_margin)?.0, Ratio::ONE.0)?;
    at_most(p.oi_margin_start.0, p.oi_margin_full.0.saturating_sub(1))?;
    at_most(p.funding_cap.0, tier.rules().funding_cap.0)?;
    // A skew that lets the rate decay must not let its cap double.
    at_most(p.funding_dead_zone.0, p.funding_threshold.0.saturating_sub(1))?;
    // The rate moves by velocity or decay, and fastest at full skew or at the hard cap: in bounds, it needs no look later.
    at_most(p.funding_velocity, p.funding_change_limit)?;
    at_most(steepest_decay(p)?, p.funding_change_limit)?;
    // The whole of a side must fit through the liquidation capacity while the ramp runs (section 7).
    at_most(p.open_interest_cap.0, some(p.liquidation_capacity.0.checked_mul(CAPACITY_SLOTS))?)?;
    at_most(p.keeper_fee_min.0, p.keeper_fee_max.0)?;
    at_most(p.keeper_fee_floor.0, p.min_notional.portion(p.keeper_fee_max, Rounding::Down)?.0)?;
    at_most(p.fee_pool_share.plus(p.fee_insurance_share)?.0, Ratio::ONE.0)?;
    at_most(p.mending_fee.0, p.taker_fee.0)?;
    at_most(p.min_notional.0, p.max_position.0)?;
    let unit = some(10_u64.checked_pow(u32::from(quote_decimals)))?;
    at_most(some(MIN_NOTIONAL_UNITS.checked_mul(unit))?, p.min_notional.0)?;
    // Fees put aside for as many orders as there may be must not eat what stands between initial and maintenance margin.
    let free = p.min_notional.portion(p.initial_margin.less(p.maintenance_margin)?, Rounding::Down)?;
    at_most(some(p.order_fee.0.checked_mul(MAX_ORDERS))?, free.0)?;
    // Else a pool that has just opened as much as it may could be settled.
    at_most(p.settlement_floor.0, p.stress_move.0 / 2)?;
    // A stress below what maintenance already covers would bind nobody.
    at_most(p.maintenance_margin.0, p.stress_move.0)
}

/// Whether an exchange's set may be stored.
///
/// # Errors
/// [`Error::ParameterBounds`], [`Error::CrossCheckBroken`].
pub fn check_exchange(params: &ExchangeParams) -> Result<()> {
    params.check_bounds()?;
    at_most(params.delay_tune, params.delay_risk)?;
    at_most(params.delay_risk, params.delay_deep)?;
    at_most(params.outflow_hourly.0, params.outflow_daily.0)
}

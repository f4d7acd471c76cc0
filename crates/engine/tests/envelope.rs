//! P8: the envelope's sums and every cross-check.

use ballast_engine::envelope::{check_exchange, check_market, envelope};
use ballast_engine::error::Error;
use ballast_engine::params::MarketParams;
use ballast_engine::presets::{new_exchange, new_market, tuned};
use ballast_engine::tier::Tier;
use ballast_engine::{Base, Quote, Ratio};

const K: u64 = 1_000_000_000_000;
const TIERS: [Tier; 3] = [Tier::A, Tier::B, Tier::C];

fn check(params: &MarketParams, tier: Tier) -> Result<(), Error> {
    check_market(params, tier, params.maintenance_margin, 6).map_err(|f| f.error)
}

/// Tenths of a basis point, to the nearest, as section 7's table has them.
fn tenths(ratio: Ratio) -> u64 {
    (ratio.0 + 5) / 10
}

#[test]
fn the_three_tiers_come_out_as_in_the_table() {
    let table = [
        (Tier::A, 1_320, 10, 125, 1_216, 2_761),
        (Tier::B, 2_200, 20, 208, 2_044, 4_652),
        (Tier::C, 4_400, 40, 417, 3_132, 8_349),
    ];
    for (tier, price, credit, funding, fees, sum) in table {
        let params = new_market(tier, K);
        let terms = envelope(&params, tier, params.maintenance_margin).unwrap();
        assert_eq!(terms.slots, 44);
        assert_eq!(tenths(terms.price), price);
        assert_eq!(tenths(terms.credit), credit * 10);
        assert_eq!(tenths(terms.funding), funding);
        assert_eq!(tenths(terms.fees), fees);
        assert_eq!(tenths(terms.sum), sum, "{tier:?}");
        assert!(terms.sum_smallest <= params.maintenance_margin);
    }
}

#[test]
fn tier_a_to_the_millionth() {
    let params = new_market(Tier::A, K);
    let terms = envelope(&params, Tier::A, params.maintenance_margin).unwrap();
    // 12,000 × 1.0132 = 12,158.4, rounded up; the floor of $0.05 on $50 is 1,000 × 1.0132.
    assert_eq!((terms.price.0, terms.credit.0, terms.funding.0, terms.fees.0), (13_200, 1_000, 1_250, 12_159));
    assert_eq!((terms.sum.0, terms.floor.0, terms.sum_smallest.0), (27_609, 1_014, 28_623));
}

#[test]
fn an_hour_of_holding_fee_counts() {
    let (new, live) = (new_market(Tier::A, K), tuned(Tier::A, K, Quote(1)));
    let sum = |params: &MarketParams| envelope(params, Tier::A, params.maintenance_margin).unwrap().sum.0;
    assert_eq!(sum(&live) - sum(&new), 100);
}

#[test]
fn the_divisor_of_a_liquidations_size_is_positive_in_every_set_that_passes() {
    for tier in TIERS {
        let mut params = tuned(tier, K, Quote(1));
        while check(&params, tier).is_ok() {
            let taken = params.liquidation_fees().unwrap().0 + params.liquidation_impact.0 + tier.rules().conf_credit.0;
            assert!(taken < params.maintenance_margin.0 + params.liquidation_buffer.0);
            params.insurance_fee_max.0 += 50;
        }
    }
}

#[test]
fn slots_never_fall_below_price_age_confirmation_and_second_price() {
    // A third of 0.5 % is six slots of three basis points: the way down is short, the fixed 40 count.
    assert_eq!(envelope(&new_market(Tier::A, K), Tier::A, Ratio(5_000)).unwrap().slots, 40);
    // 9 % / 3 ÷ 3 bps = 100 slots, and one atom more makes it 101.
    assert_eq!(envelope(&new_market(Tier::A, K), Tier::A, Ratio(90_000)).unwrap().slots, 110);
    assert_eq!(envelope(&new_market(Tier::A, K), Tier::A, Ratio(90_001)).unwrap().slots, 111);
}

#[test]
fn new_and_live_presets_may_be_stored() {
    for tier in TIERS {
        assert_eq!(check(&new_market(tier, K), tier), Ok(()));
        for cap in [0, 1_000_000_000_000, 23_000_000_000_001, 500_000_000_000_000] {
            let params = tuned(tier, K, Quote(cap));
            assert_eq!(check(&params, tier), Ok(()), "{tier:?} {cap}");
            assert_eq!(params.open_interest_cap, Quote(cap));
        }
        let new = new_market(tier, K);
        assert!(new.open_interest_cap.is_zero() && new.funding_velocity == 0);
    }
    check_exchange(&new_exchange()).unwrap();
}

#[test]
fn move_per_slot_is_no_parameter_attack_h14() {
    // With a move of zero a maintenance margin of 1.2 % would pass; no row can set it.
    let rows = ballast_engine::params::MARKET_ROWS;
    assert!(rows.iter().all(|r| !r.name.contains("slot") && r.name != "move"));
    let mut params = new_market(Tier::A, K);
    params.maintenance_margin = Ratio(12_000);
    assert_eq!(check(&params, Tier::A), Err(Error::EnvelopeBroken));
}

#[test]
fn the_lowest_margin_in_force_is_what_counts_attack_h14() {
    // 3 → 4 %, then fees that 4 % can carry: 327 bps. Positions still held to 3 % could not.
    let mut params = new_market(Tier::A, K);
    params.maintenance_margin = Ratio(40_000);
    params.initial_margin = Ratio(60_000);
    params.insurance_fee_max = Ratio(8_000);
    check_market(&params, Tier::A, Ratio(40_000), 6).unwrap();
    let fault = check_market(&params, Tier::A, Ratio(30_000), 6).unwrap_err();
    assert_eq!((fault.error, fault.limit), (Error::EnvelopeBroken, 30_000));
    assert!(fault.value > 30_000);
}

#[test]
fn a_higher_margin_that_needs_one_more_slot_is_judged_itself() {
    // The number of slots rises in steps of 9 bps of margin: just after one, the higher margin is the tighter case.
    let mut params = new_market(Tier::A, K);
    params.keeper_fee_floor = Quote::ZERO;
    params.maintenance_margin = Ratio(29_701);
    let below = envelope(&params, Tier::A, Ratio(29_700)).unwrap();
    let above = envelope(&params, Tier::A, Ratio(29_701)).unwrap();
    assert!(above.sum.0 - below.sum.0 > 1, "one more slot costs three basis points for one millionth of margin");
    // Fees that 2.97 % carries exactly and 2.9701 % does not.
    while envelope(&params, Tier::A, Ratio(29_700)).unwrap().sum < Ratio(29_700) {
        params.insurance_fee_max.0 += 1;
    }
    assert_eq!(envelope(&params, Tier::A, Ratio(29_700)).unwrap().sum, Ratio(29_700));
    let fault = check_market(&params, Tier::A, Ratio(29_700), 6).unwrap_err();
    assert_eq!((fault.error, fault.limit), (Error::EnvelopeBroken, 29_701));
}

#[test]
fn the_floor_counts_at_the_smallest_position() {
    let mut params = new_market(Tier::A, K);
    // $0.07 on $50 is 14 bps: 276.1 + 14.2 fits 300; $0.12 is 24 bps and does not.
    params.keeper_fee_floor = Quote(70_000);
    assert_eq!(check(&params, Tier::A), Ok(()));
    params.keeper_fee_floor = Quote(120_000);
    assert_eq!(check(&params, Tier::A), Err(Error::EnvelopeBroken));
    // On positions twice as large it does.
    params.min_notional = Quote(100_000_000);
    assert_eq!(check(&params, Tier::A), Ok(()));
}

#[test]
fn one_atom_of_fees_beyond_the_margin_is_refused() {
    for tier in TIERS {
        let mut params = new_market(tier, K);
        // Whatever room is left goes to the impact, an atom at a time: the check turns exactly where the sum does.
        let mut turned = 0;
        for impact in params.liquidation_impact.0.. {
            params.liquidation_impact = Ratio(impact);
            let fits =
                envelope(&params, tier, params.maintenance_margin).unwrap().sum_smallest <= params.maintenance_margin;
            assert_eq!(check(&params, tier), if fits { Ok(()) } else { Err(Error::EnvelopeBroken) });
            if !fits {
                turned += 1;
                break;
            }
        }
        assert_eq!(turned, 1);
    }
}

#[test]
fn every_cross_check_refuses_what_breaks_it_and_only_that() {
    type Change = fn(&mut MarketParams, u64);
    // What is set, the last value that passes, the first that does not.
    let cases: &[(&str, Change, u64, u64)] = &[
        ("mmf + buffer <= imf", |p, v| p.initial_margin = Ratio(v), 45_000, 44_999),
        ("buffer", |p, v| p.liquidation_buffer = Ratio(v), 20_000, 20_001),
        ("imf + size <= 1", |p, v| p.size_margin = Ratio(v), 950_000, 950_001),
        ("funding cap of the tier", |p, v| p.funding_cap = Ratio(v), 1_250, 1_251),
        ("dead zone < threshold", |p, v| p.funding_threshold = Ratio(v), 20_001, 20_000),
        ("velocity <= change limit", |p, v| p.funding_velocity = v, 200_000_000, 200_000_001),
        // 12.5 bps an hour lose 2 in the first hour at a half-life of 4 h 20 min.
        ("decay <= change limit", |p, v| p.funding_half_life = v, 15_596, 15_595),
        ("capacity x 23 >= cap", |p, v| p.open_interest_cap = Quote(v), 23_000_000_000_000, 23_000_000_000_001),
        (
            "capacity x 23 >= cap",
            |p, v| {
                p.open_interest_cap = Quote(46_000_000);
                p.liquidation_capacity = Quote(v);
            },
            2_000_000,
            1_999_999,
        ),
        ("keeper min <= max", |p, v| p.keeper_fee_min = Ratio(v), 5_000, 5_001),
        ("fee shares <= 1", |p, v| p.fee_pool_share = Ratio(v), 800_000, 800_001),
        ("mending <= taker", |p, v| p.mending_fee = Ratio(v), 500, 501),
        ("min <= max position", |p, v| p.max_position = Quote(v), 50_000_000, 49_999_999),
        (
            "min notional >= $10",
            |p, v| {
                p.keeper_fee_floor = Quote::ZERO;
                p.order_fee = Quote(0);
                p.min_notional = Quote(v);
            },
            10_000_000,
            9_999_999,
        ),
        // 16 orders against 2 % of the smallest position of $50.
        ("order fees within the initial margin's room", |p, v| p.order_fee = Quote(v), 62_500, 62_501),
        ("stress >= mmf", |p, v| p.stress_move = Ratio(v), 30_000, 29_999),
        (
            "oi margin in order",
            |p, v| {
                p.oi_margin_start = Ratio(1_000_000);
                p.oi_margin_full = Ratio(v);
            },
            1_000_001,
            1_000_000,
        ),
        (
            "floor <= rate at the smallest",
            |p, v| {
                // Fees so small that the envelope is not what refuses.
                p.keeper_fee_min = Ratio(100);
                p.keeper_fee_max = Ratio(1_000);
                p.insurance_fee_max = Ratio(0);
                p.keeper_fee_floor = Quote(v);
            },
            50_000,
            50_001,
        ),
    ];
    for (name, change, good, bad) in cases {
        let mut params = new_market(Tier::A, K);
        change(&mut params, *good);
        assert_eq!(check(&params, Tier::A), Ok(()), "{name}");
        change(&mut params, *bad);
        assert_eq!(check(&params, Tier::A), Err(Error::CrossCheckBroken), "{name}");
    }
}

#[test]
fn smallest_notional_follows_the_collaterals_decimals() {
    let mut params = new_market(Tier::A, K);
    params.min_notional = Quote(10_000_000_000);
    assert!(check_market(&params, Tier::A, params.maintenance_margin, 9).is_ok());
    params.min_notional = Quote(9_999_999_999);
    assert!(check_market(&params, Tier::A, params.maintenance_margin, 9).is_err());
    assert_eq!(check_market(&params, Tier::A, params.maintenance_margin, 20).unwrap_err().error, Error::MathOverflow);
}

#[test]
fn bounds_are_judged_too() {
    let mut params = new_market(Tier::A, K);
    params.skew_scale = Base(999);
    assert_eq!(check(&params, Tier::A), Err(Error::ParameterBounds));
    assert_eq!(check(&MarketParams::default(), Tier::A), Err(Error::ParameterBounds));
}

#[test]
fn delays_and_outflow_limits_of_an_exchange_stay_in_order() {
    let mut params = new_exchange();
    params.delay_tune = 259_200;
    check_exchange(&params).unwrap();
    params.delay_tune = 259_201;
    assert_eq!(check_exchange(&params).unwrap_err().error, Error::CrossCheckBroken);
    params = new_exchange();
    params.delay_risk = 604_801;
    assert_eq!(check_exchange(&params).unwrap_err().error, Error::CrossCheckBroken);
    params = new_exchange();
    params.outflow_daily = Ratio(25_000);
    params.outflow_hourly = Ratio(25_001);
    assert_eq!(check_exchange(&params).unwrap_err().error, Error::CrossCheckBroken);
    params = new_exchange();
    params.grace = 259_199;
    assert_eq!(check_exchange(&params).unwrap_err().error, Error::ParameterBounds);
}

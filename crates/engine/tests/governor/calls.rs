//! Nobody's calls: whoever accrues, and when, funding is the same.

use ballast_engine::constants::HOUR;
use ballast_engine::market::MarketState;
use ballast_engine::params::MarketParams;
use ballast_engine::presets;
use ballast_engine::tier::Tier;
use ballast_engine::units::Quote;
use ballast_engine::{FundingRate, Ratio};
use proptest::prelude::*;

use super::{CAP, with};
use crate::funding::{accrue, set_sides};
use crate::support::{NOW, later, units};

/// What a skew does from one second on.
type Leg = (u64, u64, i64);

/// Plays legs of (longs, shorts, seconds), with accruals at the seconds that `touches` names besides those of the changes.
/// Returns the market, what the sides came to owe, and how many accruals there were.
fn played(start: &MarketState, legs: &[Leg], touches: &[i64]) -> (MarketState, u64) {
    let (mut market, mut count, mut time) = (*start, 0, 0);
    for (long, short, seconds) in legs {
        set_sides(&mut market, units(*long), units(*short));
        let end = time + seconds;
        let mut stops: Vec<i64> = touches.iter().copied().filter(|at| *at > time && *at < end).collect();
        stops.sort_unstable();
        // Longer gaps are halts, in which no pattern could touch.
        let mut at = time;
        stops.push(end);
        for stop in stops {
            while at < stop {
                let next = stop.min(at + HOUR);
                let mut now = later(&NOW, at);
                let _ = accrue(&mut market, &mut now, next - at);
                (at, count) = (next, count + 1);
            }
        }
        time = end;
    }
    (market, count)
}

/// How far two outcomes of one history may lie apart: 3 units of 10⁻¹² per hour for each accrual, four times that where
/// the soft cap carries it on; the indices that much over the time and a half-life, and one unit for each accrual.
fn assert_same(a: &(MarketState, u64), b: &(MarketState, u64), seconds: i64) {
    let calls = a.1 + b.1;
    let rates = 12 * calls + 200;
    let close = |what: &str, one: i64, two: i64, most: u64| {
        assert!(one.abs_diff(two) <= most, "{what}: {one} and {two}, more than {most} apart after {calls} calls");
    };
    let (one, two) = (&a.0.funding, &b.0.funding);
    close("rate", one.rate.0, two.rate.0, rates);
    close("soft cap", one.soft_cap.0, two.soft_cap.0, rates);
    close("average", one.average.0, two.average.0, rates);
    assert_eq!((one.hour_seconds, one.hour_heavy), (two.hour_seconds, two.hour_heavy), "exactly");
    let decay = a.0.params.funding_half_life * 3 / 2;
    let time = seconds.unsigned_abs() + decay;
    // A price of $100 moves the index by 28 units for a unit of rate and a second.
    let most = i128::from(rates) * i128::from(time) * 28 + i128::from(calls);
    for (one, two) in [(a.0.long.index, b.0.long.index), (a.0.short.index, b.0.short.index)] {
        let apart = (one.get() - two.get()).abs();
        assert!(apart <= most, "index: {apart} apart, more than {most}");
    }
}

fn skews() -> impl Strategy<Value = Vec<Leg>> {
    let size = prop_oneof![Just(0u64), 0u64..5_000, 15_000u64..40_000, 0u64..150_000];
    prop::collection::vec((size.clone(), size, prop_oneof![1i64..120, 600i64..9_000, Just(HOUR)]), 1..16)
}

proptest! {
    #[test]
    fn funding_does_not_depend_on_who_calls_when(
        legs in skews(), touches in prop::collection::vec(1i64..100_000, 0..200), others in prop::collection::vec(1i64..100_000, 0..20),
        rate in -CAP..=CAP, soft in 0i64..=CAP, average in 0i64..=CAP, half_life in 600u64..100_000, velocity in 0u64..5_000_000_000,
        tier in 0u8..3,
    ) {
        let mut start = with(units(0), units(0));
        (start.params.funding_velocity, start.params.funding_half_life) = (velocity, half_life);
        (start.params.funding_cap, start.tier) = (Ratio(4_170), tier);
        (start.funding.rate, start.funding.soft_cap, start.funding.average) = (FundingRate(rate), FundingRate(soft), FundingRate(average));
        let seconds = legs.iter().map(|leg| leg.2).sum();
        assert_same(&played(&start, &legs, &touches), &played(&start, &legs, &others), seconds);
    }

    #[test]
    fn a_touch_each_second_is_no_different(legs in skews(), rate in -CAP..=CAP, half_life in 600u64..100_000) {
        let mut start = with(units(0), units(0));
        (start.funding.rate, start.params.funding_half_life) = (FundingRate(rate), half_life);
        let legs: Vec<Leg> = legs.into_iter().take(3).collect();
        let seconds = legs.iter().map(|leg| leg.2).sum();
        let all: Vec<i64> = (1..seconds).collect();
        assert_same(&played(&start, &legs, &all), &played(&start, &legs, &[]), seconds);
    }

    #[test]
    fn the_rate_stays_within_its_bound_and_the_bound_within_the_hard_cap(
        legs in skews(), touches in prop::collection::vec(1i64..100_000, 0..50), average in 0i64..=CAP, cap in 0u64..=4_170,
    ) {
        let mut market = with(units(0), units(0));
        (market.params.funding_cap, market.funding.average) = (Ratio(cap), FundingRate(average));
        for (place, leg) in legs.iter().enumerate() {
            let touches = if place % 2 == 0 { &touches[..] } else { &[] };
            let before = market.funding.average.0;
            market = played(&market, std::slice::from_ref(leg), touches).0;
            market.funding.updated_at = NOW.unix;
            let bound = market.funding_bound().unwrap().0;
            prop_assert!(market.funding.rate.0.abs() <= bound && bound <= CAP.min(i64::try_from(cap).unwrap() * 1_000_000));
            prop_assert!(market.funding.average.0 <= before.max(CAP));
            prop_assert!(market.funding.hour_heavy <= market.funding.hour_seconds && market.funding.hour_seconds < 3_600);
        }
    }

    #[test]
    fn the_rate_changes_no_faster_than_the_limit_but_for_one_cut_at_the_end_of_an_hour(
        legs in skews(), rate in -CAP..=CAP, tier in 0u8..3,
    ) {
        let preset = presets::tuned([Tier::A, Tier::B, Tier::C][usize::from(tier)], 1_000_000, Quote(1_000_000_000_000));
        let mut market = with(units(0), units(0));
        market.tier = tier;
        market.params = MarketParams { holding_fee: Ratio(0), funding_skew_scale: units(100_000), ..preset };
        (market.funding.rate, market.funding.soft_cap) = (FundingRate(rate), FundingRate(CAP));
        let mut now = NOW;
        for (long, short, seconds) in legs {
            set_sides(&mut market, units(long), units(short));
            let limit = market.params.funding_change_limit;
            let mut left = seconds;
            while left > 0 {
                let step = left.min(HOUR);
                let (before, ended) = (market.funding.rate.0, u64::from(market.funding.hour_seconds) + step as u64 >= 3_600);
                let after = accrue(&mut market, &mut now, step).rate.0;
                let glide = limit * step as u64 / 3_600 + 4;
                if after.abs() > before.abs() || !ended {
                    prop_assert!(after.abs_diff(before) <= glide, "{before} to {after} in {step} s");
                } else {
                    prop_assert!(after.abs_diff(before) <= glide + limit, "{before} to {after} in {step} s");
                }
                left -= step;
            }
        }
    }

    #[test]
    fn longs_and_shorts_are_treated_alike(legs in skews(), rate in -CAP..=CAP) {
        let mirror: Vec<Leg> = legs.iter().map(|(long, short, seconds)| (*short, *long, *seconds)).collect();
        let (mut start, mut other) = (with(units(0), units(0)), with(units(0), units(0)));
        (start.funding.rate, other.funding.rate) = (FundingRate(rate), FundingRate(-rate));
        let ((a, _), (b, _)) = (played(&start, &legs, &[]), played(&other, &mirror, &[]));
        prop_assert_eq!(a.funding.rate.0, -b.funding.rate.0);
        prop_assert_eq!((a.funding.soft_cap, a.funding.average), (b.funding.soft_cap, b.funding.average));
        prop_assert_eq!((a.long.index, a.short.index), (b.short.index, b.long.index));
    }
}

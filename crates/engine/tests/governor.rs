//! Section 6: the funding governor. Soft cap, 30-day average, change limit, and that nobody's calls move them.

mod calls;

use ballast_engine::constants::{DAY, HOUR};
use ballast_engine::market::MarketState;
use ballast_engine::params::MarketParams;
use ballast_engine::presets;
use ballast_engine::tier::Tier;
use ballast_engine::units::{Base, Price, Quote};
use ballast_engine::{FundingRate, Now, Ratio};

use crate::funding::{accrue, set_sides};
use crate::support::{NOW, market, units};

/// A basis point an hour.
const BP: i64 = 100_000_000;
const CAP: i64 = 1_250_000_000;
/// One hour, in the steps of `accrue`.
const AN_HOUR: i64 = HOUR;

/// A market with so much open interest, without holding fee; K' is 100,000 units, the threshold 25,000.
fn with(long: Base, short: Base) -> MarketState {
    let mut market = market();
    market.params.holding_fee = Ratio(0);
    set_sides(&mut market, long, short);
    market
}

/// The same where the rate is at the soft cap at once, so that what it does is the governor's doing.
fn fast(long: Base, short: Base) -> MarketState {
    let mut market = with(long, short);
    (market.params.funding_velocity, market.params.funding_change_limit) = (10_000_000_000, 10_000_000_000);
    market
}

/// The rate at the end of each of so many hours.
fn hours(market: &mut MarketState, now: &mut Now, count: usize) -> Vec<i64> {
    (0..count).map(|_| accrue(market, now, AN_HOUR).rate.0).collect()
}

/// The bound on the rate at the end of each of so many hours.
fn bounds(market: &mut MarketState, now: &mut Now, count: usize) -> Vec<i64> {
    (0..count)
        .map(|_| {
            let _ = accrue(market, now, AN_HOUR);
            market.funding_bound().unwrap().0
        })
        .collect()
}

// The soft cap

#[test]
fn it_doubles_every_hour_above_the_threshold_up_to_the_hard_cap() {
    // The reference's worked example: 1, 2, 4, 8, 12.5 bps an hour.
    for sides in [(units(100_000), units(0)), (units(0), units(100_000))] {
        let (mut market, mut now) = (fast(sides.0, sides.1), NOW);
        assert_eq!(market.funding_bound().unwrap(), FundingRate(BP));
        assert_eq!(bounds(&mut market, &mut now, 6), [2 * BP, 4 * BP, 8 * BP, CAP, CAP, CAP]);
        assert_eq!(market.funding.rate.0.abs(), CAP);
    }
    let (mut market, mut now) = (fast(units(100_000), units(0)), NOW);
    assert_eq!(hours(&mut market, &mut now, 6), [BP, 2 * BP, 4 * BP, 8 * BP, CAP, CAP], "as it was in each hour");
}

#[test]
fn it_halves_every_hour_at_or_below_the_threshold_and_stops_at_the_floor() {
    let (mut market, mut now) = (fast(units(100_000), units(0)), NOW);
    let _ = hours(&mut market, &mut now, 5);
    // Three hours at the threshold, not above it; the rate would rise all the time.
    set_sides(&mut market, units(25_000), units(0));
    assert_eq!(bounds(&mut market, &mut now, 5), [CAP / 2, CAP / 4, CAP / 8, BP, BP]);
    assert_eq!(market.funding.rate.0, BP, "cut with it");
    set_sides(&mut market, Base(units(25_000).0 + 1), units(0));
    assert_eq!(bounds(&mut market, &mut now, 1), [2 * BP]);
}

#[test]
fn a_small_skew_for_weeks_never_takes_the_rate_over_what_is_usual() {
    // 20 % of K' for 20 days: without a governor the rate would be at the hard cap in seven hours.
    let (mut market, mut now) = (with(units(20_000), units(0)), NOW);
    for hour in 0..20 * 24 {
        let rate = accrue(&mut market, &mut now, AN_HOUR).rate.0;
        assert!(rate <= BP.max(2 * market.funding.average.0), "hour {hour}");
    }
    assert_eq!(market.funding.rate.0, BP);
}

#[test]
fn what_is_usual_raises_the_floor() {
    // 3 bps on average: the soft cap starts from 6, doubles to 12 and meets the hard cap.
    let (mut market, mut now) = (fast(units(100_000), units(0)), NOW);
    market.funding.average = FundingRate(3 * BP);
    set_sides(&mut market, units(20_000), units(0));
    let first = bounds(&mut market, &mut now, 1)[0];
    assert!((593 * BP / 100..6 * BP).contains(&first), "{first}: an hour at less than 3 bps has lowered it a little");
    set_sides(&mut market, units(100_000), units(0));
    let second = bounds(&mut market, &mut now, 1)[0];
    assert!((2 * first - 1..=2 * first).contains(&second));
    assert_eq!(bounds(&mut market, &mut now, 1), [CAP]);
    // And below the threshold it comes down to twice the average, not to the floor.
    set_sides(&mut market, units(20_000), units(0));
    let last = *bounds(&mut market, &mut now, 3).last().unwrap();
    assert_eq!(last, 2 * market.funding.average.0);
}

#[test]
fn a_new_market_starts_at_the_floor_with_an_average_of_zero() {
    let params = presets::tuned(Tier::B, 1_000_000_000, Quote(1_000_000_000_000));
    let market = MarketState::new(1, 1, 6, 6, params, NOW.unix).unwrap();
    assert_eq!((market.funding.rate, market.funding.average, market.funding.soft_cap), Default::default());
    assert_eq!(market.funding_bound().unwrap(), FundingRate(BP));
}

#[test]
fn the_presets_keep_to_the_soft_caps_ramp_at_full_skew() {
    // At full skew the soft cap doubles ahead of the rate: it is slower skews that it holds.
    for (tier, byte, bp) in [(Tier::A, 0, 1), (Tier::B, 1, 2), (Tier::C, 2, 4)] {
        let params = presets::tuned(tier, 1_000_000_000_000, Quote(1_000_000_000_000));
        let mut market = market();
        (market.params, market.tier) = (MarketParams { holding_fee: Ratio(0), ..params }, byte);
        set_sides(&mut market, params.funding_skew_scale, units(0));
        let mut now = NOW;
        let cap = i64::try_from(params.funding_cap.0).unwrap() * 1_000_000;
        let rates = hours(&mut market, &mut now, 14);
        // A: 1, 2, 3, … 12, 12.5. B: 1 (the floor's hour), 2 … wherever 2 an hour leads; C the same with 4.
        let mut expected = 0;
        for (hour, rate) in rates.into_iter().enumerate() {
            let soft = (BP << hour).min(cap);
            expected = (expected + bp * BP).min(soft).min(cap);
            assert_eq!(rate, expected, "tier {tier:?}, hour {hour}");
        }
        assert_eq!(expected, cap);
    }
}

// The average

#[test]
fn the_average_is_of_the_size_and_has_a_window_of_thirty_days() {
    // 30 days at 1 bp an hour, half of them negative: 1 − 1/e of it.
    let (mut market, mut now) = (with(units(20_000), units(0)), NOW);
    (market.params.funding_velocity, market.params.funding_multiple) = (0, Ratio(1_000_000));
    for hour in 0..720 {
        market.funding.rate = FundingRate(if hour % 2 == 0 { BP } else { -BP });
        let _ = accrue(&mut market, &mut now, AN_HOUR);
    }
    let percent = market.funding.average.0 * 10_000 / BP;
    assert!((6_320..=6_325).contains(&percent), "{percent}");
    // And gone after long enough: rounding down, it gets to zero.
    (market.funding.rate, market.funding.average) = (FundingRate(0), FundingRate(719));
    let _ = hours(&mut market, &mut now, 719);
    assert_eq!(market.funding.average, FundingRate(0));
}

#[test]
fn the_average_takes_the_integral_within_the_hour_through_zero_and_cap() {
    // From −10 to the cap of +12.5 at 30 bps an hour: 20 minutes below zero, 25 above, 15 at the cap.
    let (mut market, mut now) = (with(units(100_000), units(0)), NOW);
    market.params.funding_velocity = 3_000_000_000;
    (market.params.funding_floor, market.funding.rate) = (Ratio(4_170), FundingRate(-10 * BP));
    let accrual = accrue(&mut market, &mut now, AN_HOUR);
    assert_eq!(accrual.rate, FundingRate(CAP));
    // (10/2 × 20 + 12.5/2 × 25 + 12.5 × 15) ÷ 60 bps = 7.395833 bps, over 720.
    let mean = 739_583_333;
    assert!((mean / 720 - 1..=mean / 720).contains(&market.funding.average.0), "{}", market.funding.average.0);
    // What was charged is the signed integral: 7.395833 less twice the part below zero (1.666667): 4.0625 bps of $10M.
    assert_eq!(accrual.longs_owe.0, 4_062_500_000);
}

// Gaming

#[test]
fn h5_a_skew_that_dips_below_the_threshold_for_a_second_each_hour_hinders_nothing() {
    // Two seconds' worth of doubling an hour is all it costs: after 4 hours the cap stands at 15.97 instead of 16.
    let (mut market, mut now) = (fast(units(100_000), units(0)), NOW);
    market.params.funding_cap = Ratio(4_170);
    market.tier = 2;
    for _ in 0..4 {
        let _ = accrue(&mut market, &mut now, 1_799);
        set_sides(&mut market, units(0), units(0));
        let _ = accrue(&mut market, &mut now, 1);
        set_sides(&mut market, units(100_000), units(0));
        let _ = accrue(&mut market, &mut now, 1_800);
    }
    let bound = market.funding_bound().unwrap().0;
    assert!((1_597 * BP / 100..16 * BP).contains(&bound), "{bound}");
}

#[test]
fn h5_a_skew_above_the_threshold_for_a_second_each_hour_raises_nothing() {
    let (mut market, mut now) = (fast(units(20_000), units(0)), NOW);
    for _ in 0..100 {
        let _ = accrue(&mut market, &mut now, 1_799);
        set_sides(&mut market, units(100_000), units(0));
        let _ = accrue(&mut market, &mut now, 1);
        set_sides(&mut market, units(20_000), units(0));
        let _ = accrue(&mut market, &mut now, 1_800);
        assert_eq!(market.funding_bound().unwrap(), FundingRate(BP));
    }
}

#[test]
fn h5_only_the_seconds_in_all_count_and_not_the_hours_they_lie_in() {
    // Half of the time above, half below, from 8 bps: however it is dealt out, the cap stands where it stood.
    let start = 8 * BP;
    for pattern in
        [vec![3_600, 3_600], vec![1_800, 1_800], vec![900, 900], vec![2_700, 1_800, 900, 1_800], vec![10, 10]]
    {
        let (mut market, mut now) = (fast(units(0), units(0)), NOW);
        (market.params.funding_cap, market.tier) = (Ratio(4_170), 2);
        market.funding.soft_cap = FundingRate(start);
        let round: i64 = pattern.iter().sum();
        for _ in 0..14_400 / round {
            for (place, seconds) in pattern.iter().enumerate() {
                set_sides(&mut market, units(if place % 2 == 0 { 100_000 } else { 0 }), units(0));
                let _ = accrue(&mut market, &mut now, *seconds);
            }
        }
        let bound = market.funding_bound().unwrap().0;
        assert!((start - 100..=start + 100).contains(&bound), "{pattern:?}: {bound}");
    }
}

#[test]
fn h5_a_flash_within_one_timestamp_counts_no_second() {
    let (mut market, mut now) = (with(units(20_000), units(0)), NOW);
    let _ = accrue(&mut market, &mut now, 600);
    let before = market.funding;
    set_sides(&mut market, units(900_000), units(0));
    let _ = market.accrue(false, &Now { slot: now.slot + 1, ..now }).unwrap();
    set_sides(&mut market, units(20_000), units(0));
    assert_eq!(market.funding, before);
}

#[test]
fn h5_nothing_is_wound_up_while_the_cap_binds() {
    // Three weeks at the hard cap. The day that the skew is gone the cap begins to fall, and it is at the usual in hours.
    let (mut market, mut now) = (fast(units(100_000), units(0)), NOW);
    let _ = hours(&mut market, &mut now, 3);
    let ramped = market.funding;
    let _ = hours(&mut market, &mut now, 21 * 24);
    set_sides(&mut market, units(0), units(0));
    market.funding.average = ramped.average;
    assert_eq!(bounds(&mut market, &mut now, 4), [CAP / 2, CAP / 4, CAP / 8, BP]);
}

// Time that is not charged

#[test]
fn nine_days_without_a_price_are_one_hour_for_the_governor_too() {
    let gone = |gap| {
        let (mut market, mut now) = (fast(units(100_000), units(0)), NOW);
        let _ = accrue(&mut market, &mut now, gap);
        market.funding.updated_at = NOW.unix;
        market.funding
    };
    assert_eq!(gone(9 * DAY), gone(HOUR));
    assert_eq!(gone(HOUR).soft_cap, FundingRate(2 * BP));
}

#[test]
fn h5_an_emptied_market_does_not_keep_its_rate_for_the_next_to_come() {
    // Emptied at the cap and left alone for ten days, or under an uncertain price: nobody is charged, the rate is gone.
    let (mut market, mut now) = (with(units(0), units(0)), NOW);
    (market.params.funding_floor, market.funding.rate) = (Ratio(4_170), FundingRate(CAP));
    let accrual = accrue(&mut market, &mut now, 10 * DAY);
    assert_eq!((accrual.seconds, accrual.rate), (HOUR, FundingRate(1)), "thirty half-lives");
    market.funding.rate = FundingRate(CAP);
    market.price.last.conf = Price(market.price.last.price.0 / 50);
    let half_life = i64::try_from(market.params.funding_half_life).unwrap();
    let after = Now { unix: now.unix + half_life, ..now };
    market.price.last.publish_time = after.unix;
    let accrual = market.accrue(true, &after).unwrap();
    assert_eq!((accrual.seconds, accrual.rate), (0, FundingRate(CAP / 2)));
    assert_eq!((market.long.index.get(), market.short.index.get()), (0, 0));
    // With a skew it stands: nobody was charged, and it goes on where it was.
    set_sides(&mut market, units(100_000), units(0));
    let later = Now { unix: after.unix + half_life, ..after };
    market.price.last.publish_time = later.unix;
    let governed = market.funding;
    assert_eq!(market.accrue(true, &later).unwrap().rate, FundingRate(CAP / 2));
    assert_eq!(ballast_engine::market::FundingState { updated_at: later.unix, ..governed }, market.funding);
}

#[test]
fn at_zero_open_interest_rate_and_caps_come_down_and_the_indices_stand() {
    let (mut market, mut now) = (fast(units(100_000), units(0)), NOW);
    let _ = hours(&mut market, &mut now, 8);
    let (long, short) = (market.long.index, market.short.index);
    set_sides(&mut market, units(0), units(0));
    let _ = hours(&mut market, &mut now, 8);
    assert_eq!(market.funding_bound().unwrap(), FundingRate(BP));
    assert!(market.funding.rate.0 < BP);
    let average = market.funding.average;
    let _ = hours(&mut market, &mut now, 100);
    assert!(market.funding.average < average && market.funding.rate.0 < BP / 1_000);
    assert_eq!((market.long.index, market.short.index), (long, short));
}

// Parameters change

#[test]
fn a_lowered_hard_cap_binds_the_next_second_and_a_raised_one_is_grown_into() {
    let (mut market, mut now) = (fast(units(100_000), units(0)), NOW);
    let _ = hours(&mut market, &mut now, 6);
    market.params.funding_cap = Ratio(300);
    assert_eq!(accrue(&mut market, &mut now, 1).rate, FundingRate(3 * BP));
    // The soft cap has not forgotten, until its hour ends.
    market.params.funding_cap = Ratio(1_250);
    assert_eq!(market.funding_bound().unwrap(), FundingRate(CAP));
    market.params.funding_cap = Ratio(300);
    let _ = accrue(&mut market, &mut now, AN_HOUR);
    market.params.funding_cap = Ratio(1_250);
    assert_eq!(market.funding_bound().unwrap(), FundingRate(3 * BP));
    assert_eq!(bounds(&mut market, &mut now, 3), [6 * BP, 12 * BP, CAP]);
}

#[test]
fn a_raised_floor_holds_at_once_and_a_lowered_one_is_come_down_to() {
    let (mut market, mut now) = (fast(units(20_000), units(0)), NOW);
    market.params.funding_floor = Ratio(800);
    assert_eq!(market.funding_bound().unwrap(), FundingRate(8 * BP));
    let _ = accrue(&mut market, &mut now, AN_HOUR);
    market.params.funding_floor = Ratio(100);
    (market.params.funding_velocity, market.params.funding_change_limit) = (BP as u64, 2 * BP as u64);
    assert_eq!(bounds(&mut market, &mut now, 6), [6 * BP, 4 * BP, 2 * BP, BP, BP, BP]);
}

#[test]
fn a_falling_cap_takes_no_more_off_the_rate_than_the_change_limit_at_once() {
    let (mut market, mut now) = (fast(units(100_000), units(0)), NOW);
    let _ = hours(&mut market, &mut now, 6);
    (market.params.funding_velocity, market.params.funding_change_limit) = (BP as u64, 2 * BP as u64);
    set_sides(&mut market, units(25_000), units(0));
    let expected = [1_050, 850, 650, 450, 250, 125, 100].map(|hundredths| hundredths * BP / 100);
    assert_eq!(hours(&mut market, &mut now, 7), expected, "2 an hour, by half below 4");
}

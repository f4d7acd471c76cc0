//! Section 6: funding and the holding fee.

use ballast_engine::constants::{DAY, HOUR, PRICE_SCALE};
use ballast_engine::funding::Accrual;
use ballast_engine::market::{MarketState, Side};
use ballast_engine::math::{div_scale, mul_div, mul_signed};
use ballast_engine::units::{FundingIndex, I128, index_to_quote};
use ballast_engine::{Base, FundingRate, Now, Price, Quote, Ratio, Rounding, SignedQuote};
use proptest::prelude::*;

use crate::support::{NOW, dollars, later, market, price, set_price_at, units};

/// Full skew moves the rate by 10 bps an hour within an hour; the caps are 12.5 bps. Exponent -12.
const VELOCITY: i64 = 1_000_000_000;
const CAP: i64 = 1_250_000_000;

/// A market with so much open interest, without holding fee; the governor's soft cap never binds.
fn with(long: Base, short: Base) -> MarketState {
    let mut market = market();
    market.params.holding_fee = Ratio(0);
    market.params.funding_floor = Ratio(4_170);
    set_sides(&mut market, long, short);
    market
}

pub(crate) fn set_sides(market: &mut MarketState, long: Base, short: Base) {
    for (side, size) in [(&mut market.long, long), (&mut market.short, short)] {
        side.open_interest = size;
        side.positions = u64::from(size.0 > 0);
    }
}

/// Accrues after so many more seconds, with a good price there.
pub(crate) fn accrue(market: &mut MarketState, now: &mut Now, seconds: i64) -> Accrual {
    *now = later(now, seconds);
    let updated = market.funding.updated_at;
    set_price_at(market, market.price.last.price, now);
    market.funding.updated_at = updated;
    market.accrue(false, now).unwrap()
}

#[test]
fn no_time_no_charge() {
    let mut market = with(units(100_000), units(0));
    market.funding.rate = FundingRate(CAP);
    market.params.holding_fee = Ratio(500);
    let before = market;
    for now in [NOW, Now { slot: NOW.slot + 3, ..NOW }, Now { unix: NOW.unix - 1, ..NOW }] {
        let accrual = market.accrue(true, &now).unwrap();
        assert_eq!(accrual, Accrual { rate: FundingRate(CAP), ..Accrual::default() });
        assert_eq!(market, before);
    }
}

#[test]
fn full_skew_moves_the_rate_by_its_velocity_and_the_mean_is_charged() {
    // 100,000 units ($10M) long, K' the same: in half an hour the rate goes from 0 to 5 bps, 2.5 bps an hour on average.
    let (mut market, mut now) = (with(units(100_000), units(0)), NOW);
    let accrual = accrue(&mut market, &mut now, 1_800);
    assert_eq!(accrual.rate, FundingRate(VELOCITY / 2));
    assert_eq!(accrual.longs_owe, dollars(1_250).signed().unwrap(), "$10M × 2.5 bps × ½ h");
    assert_eq!(accrual.shorts_owe, SignedQuote(0));
    assert_eq!(market.short.index.get(), 0, "the index of an empty side stands");
    // The cap of 12.5 is met after three quarters of an hour.
    let accrual = accrue(&mut market, &mut now, 3_600);
    assert_eq!(accrual.rate, FundingRate(CAP));
    let owed = Quote(9_687_500_000).signed().unwrap();
    assert_eq!(accrual.longs_owe, owed, "$10M × ((5 + 12.5)/2 × ¾ + 12.5 × ¼) bps");
}

#[test]
fn part_of_the_skew_moves_it_in_proportion_and_more_than_full_no_faster() {
    let moved = |long, short| {
        let (mut market, mut now) = (with(units(long), units(short)), NOW);
        accrue(&mut market, &mut now, 360).rate.0
    };
    assert_eq!(moved(100_000, 0), VELOCITY / 10);
    assert_eq!(moved(50_000, 25_000), VELOCITY / 40);
    assert_eq!(moved(25_000, 50_000), -VELOCITY / 40);
    assert_eq!(moved(900_000, 0), VELOCITY / 10);
    assert_eq!(moved(0, 900_000), -VELOCITY / 10);
}

#[test]
fn the_dead_zone_is_two_percent_of_the_skew_scale_either_way() {
    let moved = |long: Base, short: Base| {
        let (mut market, mut now) = (with(long, short), NOW);
        accrue(&mut market, &mut now, 3_600).rate.0
    };
    let edge = units(12_000);
    assert_eq!(moved(edge, units(10_000)), 0);
    assert_eq!(moved(units(10_000), edge), 0);
    assert!(moved(Base(edge.0 + 1), units(10_000)) > 0);
    assert!(moved(units(10_000), Base(edge.0 + 1)) < 0);
}

#[test]
fn the_rate_halves_per_half_life_in_the_dead_zone_and_at_zero_open_interest() {
    for (long, short) in [(units(50_000), units(50_000)), (units(0), units(0))] {
        for every in [1, 10, 600, 3_600] {
            let (mut market, mut now) = (with(long, short), NOW);
            market.funding.rate = FundingRate(-CAP);
            for _ in 0..28_800 / every {
                let before = market.funding.rate.0;
                let after = accrue(&mut market, &mut now, every).rate.0;
                assert!(before < after && after <= 0);
            }
            let percent = market.funding.rate.0 * 100_000 / -CAP;
            assert!((49_990..=50_000).contains(&percent), "{percent} at {every} s");
        }
    }
}

#[test]
fn several_half_lives_in_one_accrual_count_each() {
    let left = |half_life, seconds| {
        let (mut market, mut now) = (with(units(0), units(0)), NOW);
        market.params.funding_half_life = half_life;
        market.funding.rate = FundingRate(1_024_000_000);
        accrue(&mut market, &mut now, seconds).rate.0
    };
    assert_eq!(left(600, 600), 512_000_000);
    assert_eq!(left(600, 3_600), 16_000_000);
    assert_eq!(left(1_200, 3_600), 128_000_000);
    assert_eq!(left(0, 1), 0, "no half-life: at once");
    // Half a half-life: 2^-½ is 0.70710678.
    assert!((724_077_330..=724_077_345).contains(&left(1_200, 600)), "{}", left(1_200, 600));
}

#[test]
fn the_decay_reaches_zero() {
    let (mut market, mut now) = (with(units(0), units(0)), NOW);
    market.funding.rate = FundingRate(3);
    for _ in 0..3 {
        let _ = accrue(&mut market, &mut now, 1);
    }
    assert_eq!(market.funding.rate, FundingRate(0));
    assert_eq!((market.long.index.get(), market.short.index.get()), (0, 0), "with nobody there the indices stand");
}

#[test]
fn the_cap_is_the_lower_of_parameter_and_tier() {
    let capped = |parameter, tier| {
        let (mut market, mut now) = (with(units(100_000), units(0)), NOW);
        (market.params.funding_cap, market.tier) = (Ratio(parameter), tier);
        for _ in 0..10 {
            let _ = accrue(&mut market, &mut now, 3_600);
        }
        market.funding.rate.0
    };
    assert_eq!(capped(1_250, 0), 1_250_000_000);
    assert_eq!(capped(4_170, 0), 1_250_000_000, "tier A");
    assert_eq!(capped(4_170, 1), 2_080_000_000, "tier B");
    assert_eq!(capped(4_170, 2), 4_170_000_000, "tier C");
    assert_eq!(capped(100, 2), 100_000_000);
    assert_eq!(capped(0, 2), 0);
}

#[test]
fn a_lowered_cap_holds_for_the_very_next_charge() {
    let (mut market, mut now) = (with(units(100_000), units(0)), NOW);
    market.funding.rate = FundingRate(CAP);
    market.params.funding_cap = Ratio(100);
    let accrual = accrue(&mut market, &mut now, 3_600);
    assert_eq!(accrual.longs_owe, dollars(1_000).signed().unwrap(), "$10M × 1 bp");
}

#[test]
fn three_days_of_full_skew_wind_nothing_up() {
    let (mut market, mut now) = (with(units(100_000), units(0)), NOW);
    for _ in 0..72 {
        let _ = accrue(&mut market, &mut now, 3_600);
    }
    assert_eq!(market.funding.rate, FundingRate(CAP));
    // The skew turns: 1 ¼ hours at 10 bps an hour bring the rate to zero, not 72 hours.
    set_sides(&mut market, units(0), units(100_000));
    let _ = accrue(&mut market, &mut now, 3_600);
    assert_eq!(market.funding.rate, FundingRate(CAP - VELOCITY));
    let _ = accrue(&mut market, &mut now, 900);
    assert_eq!(market.funding.rate, FundingRate(0));
}

#[test]
fn a_halt_of_days_is_charged_an_hour_at_most() {
    let charge = |seconds| {
        let (mut market, mut now) = (with(units(100_000), units(0)), NOW);
        market.funding.rate = FundingRate(CAP);
        let accrual = accrue(&mut market, &mut now, seconds);
        assert_eq!(market.funding.updated_at, now.unix, "the rest is gone");
        assert_eq!(accrue(&mut market, &mut now, 0).seconds, 0);
        (accrual.seconds, accrual.longs_owe)
    };
    assert_eq!(charge(HOUR - 1).0, HOUR - 1);
    assert_eq!(charge(HOUR), (HOUR, dollars(12_500).signed().unwrap()), "$10M × 12.5 bps");
    assert_eq!(charge(HOUR + 1), charge(HOUR));
    assert_eq!(charge(9 * DAY), charge(HOUR));
}

#[test]
fn a_skew_flashed_within_one_timestamp_does_nothing() {
    let (mut market, mut now) = (with(units(50_000), units(50_000)), NOW);
    let _ = accrue(&mut market, &mut now, 10);
    let before = (market.funding, market.long.index, market.short.index);
    set_sides(&mut market, units(900_000), units(50_000));
    let flash = market.accrue(false, &Now { slot: now.slot + 1, ..now }).unwrap();
    assert_eq!(flash.seconds, 0);
    set_sides(&mut market, units(50_000), units(50_000));
    assert_eq!((market.funding, market.long.index, market.short.index), before);
    assert_eq!(accrue(&mut market, &mut now, 10).rate, FundingRate(0));
}

// Prices that are not valid

#[test]
fn nothing_accrues_on_a_price_that_is_not_valid() {
    type Spoil = fn(&mut MarketState);
    let spoil: [(&str, Spoil, bool); 4] = [
        ("uncertain", |m| m.price.last.conf = price(2), true),
        ("jumped", |m| m.price.last.price = price(90), true),
        ("stale", |m| m.price.slot -= 26, false),
        ("silent", |m| m.price.last.publish_time -= 3_700, false),
    ];
    for (what, spoil, skips) in spoil {
        for stored in [false, true] {
            let mut market = with(units(100_000), units(0));
            market.funding.rate = FundingRate(CAP);
            spoil(&mut market);
            let mut expected = market;
            let now = Now { unix: NOW.unix + 3, ..NOW };
            assert_eq!(market.accrue(stored, &now).unwrap().seconds, 0, "{what}");
            if skips && stored {
                expected.funding.updated_at = now.unix;
            }
            expected.clock = now.unix;
            assert_eq!(market, expected, "{what}: time is skipped only by a new price that is not valid");
        }
    }
}

#[test]
fn whoever_pays_funding_cannot_put_off_the_clock_by_posting_old_updates() {
    // A quiet market: every 20 s he stores an update that is 11 s old; a good price comes after 200 s.
    let (mut market, mut now) = (with(units(100_000), units(0)), NOW);
    market.funding.rate = FundingRate(CAP);
    for _ in 0..9 {
        now = later(&now, 20);
        let mut old = market.price.last;
        (old.prev_publish_time, old.publish_time) = (old.publish_time, now.unix - 11);
        let (band, rules) = (market.band().unwrap(), market.rules().unwrap());
        assert!(market.price.store(old, now.slot, band, rules, &now).unwrap());
        assert_eq!(market.accrue(true, &now).unwrap().seconds, 0);
    }
    assert_eq!(accrue(&mut market, &mut now, 20).seconds, 200);
}

#[test]
fn an_ageing_price_still_funds() {
    let mut market = with(units(100_000), units(0));
    let now = Now { unix: NOW.unix + 10, slot: NOW.slot + 25, ..NOW };
    assert_eq!(market.accrue(false, &now).unwrap().seconds, 10);
}

// The holding fee

#[test]
fn the_holding_fee_falls_with_the_square_of_the_share_of_the_cap_and_both_sides_pay_it() {
    // 5 bps an hour at the cap of $10M; half of it: a quarter of that.
    let (mut market, mut now) = (with(units(50_000), units(50_000)), NOW);
    market.params.holding_fee = Ratio(500);
    let accrual = accrue(&mut market, &mut now, 3_600);
    let quarter = dollars(625).signed().unwrap();
    assert_eq!((accrual.longs_owe, accrual.shorts_owe), (quarter, quarter), "$5M × 1.25 bps");
    assert_eq!(accrual.rate, FundingRate(0), "it is no part of the rate");
    set_sides(&mut market, units(100_000), units(1_000));
    (market.params.funding_velocity, market.funding.rate) = (0, FundingRate(0));
    let accrual = accrue(&mut market, &mut now, 3_600);
    assert_eq!(accrual.longs_owe, dollars(5_000).signed().unwrap(), "$10M × 5 bps");
    assert_eq!(accrual.shorts_owe, SignedQuote(5_000), "$100k × 5 bps ÷ 10,000");
}

#[test]
fn beyond_the_cap_or_with_a_zero_cap_the_whole_fee_is_due_and_no_more() {
    for cap in [0, 1, dollars(9_999_999).0] {
        let (mut market, mut now) = (with(units(100_000), units(0)), NOW);
        (market.params.holding_fee, market.params.open_interest_cap) = (Ratio(500), Quote(cap));
        market.params.funding_velocity = 0;
        let accrual = accrue(&mut market, &mut now, 3_600);
        assert_eq!((accrual.longs_owe, accrual.shorts_owe), (dollars(5_000).signed().unwrap(), SignedQuote(0)));
    }
}

// P2

proptest! {
    #[test]
    fn p2_matched_sides_pay_at_least_what_they_receive(
        steps in prop::collection::vec((1i64..9_000, any::<bool>()), 1..30),
        size in 1u64..200_000_000_000, atoms in 10_000u64..1_000_000_000_000_000, rate in -CAP..=CAP, fee in 0u64..=500,
    ) {
        let mut market = with(Base(size), Base(size));
        (market.funding.rate, market.params.holding_fee) = (FundingRate(rate), Ratio(fee));
        market.price.last.price = Price(atoms);
        let mut now = NOW;
        let mut owed = 0i128;
        for (seconds, flip) in steps {
            let accrual = accrue(&mut market, &mut now, seconds);
            prop_assert!(accrual.longs_owe.0 + accrual.shorts_owe.0 >= 0);
            owed += i128::from(accrual.longs_owe.0) + i128::from(accrual.shorts_owe.0);
            if flip {
                market.funding.rate.0 = -market.funding.rate.0;
            }
        }
        let total = market.long.funding_owed(Rounding::Up).unwrap().0 + market.short.funding_owed(Rounding::Up).unwrap().0;
        prop_assert!(total >= 0);
        prop_assert!(i128::from(total) <= owed, "rounding once owes no more than rounding every time");
        // Exactly: the indices together never fall.
        prop_assert!(market.long.index.get() + market.short.index.get() >= 0);
    }

    #[test]
    fn p2_the_payer_rounds_up_and_the_receiver_down(
        long in 1u64..200_000_000_000, short in 1u64..200_000_000_000, seconds in 1i64..3_600,
        atoms in 10_000u64..1_000_000_000_000_000, rate in -CAP..=CAP,
    ) {
        let mut market = with(Base(long), Base(short));
        market.funding.rate = FundingRate(rate);
        market.params.funding_velocity = 0;
        market.params.funding_dead_zone = Ratio(0);
        market.price.last.price = Price(atoms);
        prop_assume!(long != short);
        let mut now = NOW;
        let accrual = accrue(&mut market, &mut now, seconds);
        // size × price × rate × seconds ÷ hour, in quote, without any rounding but these two.
        let exact = |size: u64, rate: i64| {
            let n = i128::from(size) * i128::from(atoms) / 1_000_000 * i128::from(rate) * i128::from(seconds);
            n / (i128::from(PRICE_SCALE) * 1_000_000 * 3_600)
        };
        for (owes, exact) in [(accrual.longs_owe, exact(long, rate)), (accrual.shorts_owe, exact(short, -rate))] {
            let more = i128::from(owes.0) - exact;
            // One atom, and one of the index per base atom; the reference itself cuts off a little.
            prop_assert!((-1..=2).contains(&more), "{} against {}", owes.0, exact);
        }
        let q = |n: i64| i128::from(n) * i128::from(atoms) * i128::from(seconds);
        prop_assert!(market.long.index.get() * 3_600_000_000 >= q(rate));
        prop_assert!(market.short.index.get() * 3_600_000_000 >= q(-rate));
        prop_assert!((market.long.index.get() - 1) * 3_600_000_000 < q(rate));
        prop_assert!((market.short.index.get() - 1) * 3_600_000_000 < q(-rate));
    }

    #[test]
    fn the_rate_never_leaves_its_cap_and_never_gains_faster_than_its_velocity(
        steps in prop::collection::vec((0u64..200_000, 0u64..200_000, 1i64..20_000), 1..60), parameter in 0u64..=4_170,
    ) {
        let (mut market, mut now) = (with(units(0), units(0)), NOW);
        market.params.funding_cap = Ratio(parameter);
        for (long, short, seconds) in steps {
            set_sides(&mut market, units(long), units(short));
            let before = market.funding.rate.0;
            let after = accrue(&mut market, &mut now, seconds).rate.0;
            prop_assert!(after.unsigned_abs() <= parameter.min(1_250) * 1_000_000);
            if after.abs() > before.abs() {
                prop_assert!((after - before).abs() <= VELOCITY * seconds.min(3_600) / 3_600 + 1);
                prop_assert_eq!(after > 0, long > short);
            }
        }
    }
}

#[test]
fn p2_the_least_charge_there_is_costs_the_payer_one_and_brings_the_receiver_nothing() {
    // One unit of rate on the least price, decaying within one second: far below one unit of the index.
    let (mut market, mut now) = (with(units(1), units(1)), NOW);
    market.funding.rate = FundingRate(1);
    market.price.last.price = Price(1);
    let accrual = accrue(&mut market, &mut now, 1);
    assert_eq!(accrual.rate, FundingRate(0), "in the dead zone it decays");
    assert_eq!((market.long.index.get(), market.short.index.get()), (1, 0));
    assert_eq!((accrual.longs_owe, accrual.shorts_owe), (SignedQuote(1), SignedQuote(0)));
}

#[test]
fn a_side_owes_its_index_times_its_size_less_what_it_entered_at() {
    let side = Side {
        open_interest: Base(2_000_001),
        index: FundingIndex::new(3_000_000_000_000_000),
        funding_entry: I128::new(1),
        positions: 1,
        ..Side::default()
    };
    // 3 quote atoms per base atom.
    assert_eq!(side.funding_owed(Rounding::Down).unwrap(), SignedQuote(6_000_002));
    assert_eq!(side.funding_owed(Rounding::Up).unwrap(), SignedQuote(6_000_003));
    let empty = Side { open_interest: Base(0), ..side };
    assert_eq!(empty.funding_owed(Rounding::Up).unwrap(), SignedQuote(0));
}

#[test]
fn extreme_numbers_are_an_error_not_a_panic() {
    let mut market = with(Base(i64::MAX as u64), Base(1));
    market.price.last.price = Price(u64::MAX);
    market.price.ema5 = Price(u64::MAX);
    market.params.holding_fee = Ratio(u64::MAX);
    market.funding.rate = FundingRate(i64::MIN);
    assert!(market.accrue(false, &later(&NOW, 1)).is_err());
    market.params.funding_cap = Ratio(u64::MAX);
    market.params.funding_skew_scale = Base(u64::MAX);
    market.params.funding_velocity = u64::MAX;
    assert!(market.accrue(false, &later(&NOW, 2)).is_err());
}

#[test]
fn a_signed_product_is_the_native_one_or_out_of_range() {
    let words = [0, 1, 2, 3_600, u64::from(u32::MAX), 1 << 63, u64::MAX - 1, u64::MAX];
    let wide = words.into_iter().map(i128::from).chain([1 << 64, 1 << 100, i128::MAX / 2, i128::MAX, i128::MIN + 1]);
    for a in wide.flat_map(|a| [a, -a]) {
        for b in words {
            let native = a.checked_mul(i128::from(b)).filter(|product| *product != i128::MIN);
            assert_eq!(mul_signed(a, b).ok(), native, "{a} x {b}");
        }
    }
}

#[test]
fn a_division_by_a_scale_is_the_native_one() {
    let words =
        [0, 1, 511, 512, 513, 1_953_125 << 9, (1_953_125 << 9) + 1, u128::from(u64::MAX), u128::MAX - 1, u128::MAX];
    for n in words {
        let (down, scale) = (n / 1_000_000_000, 1_000_000_000);
        assert_eq!(div_scale::<9>(n, 1_953_125, Rounding::Down).unwrap(), down);
        assert_eq!(div_scale::<9>(n, 1_953_125, Rounding::Up).unwrap(), n.div_ceil(scale));
    }
    assert!(div_scale::<9>(1, 0, Rounding::Up).is_err());
}

proptest! {
    #[test]
    fn an_index_times_a_size_is_rounded_once(n in any::<i128>(), bits in 0u32..127) {
        let (n, scale) = (n >> bits, 1_000_000_000_000_000);
        let down = i64::try_from(n.div_euclid(scale));
        let up = i64::try_from(n.div_euclid(scale) + i128::from(n.rem_euclid(scale) != 0));
        prop_assert_eq!(index_to_quote(n, Rounding::Down).ok().map(|q| q.0), down.ok().filter(|q| *q != i64::MIN));
        prop_assert_eq!(index_to_quote(n, Rounding::Up).ok().map(|q| q.0), up.ok().filter(|q| *q != i64::MIN));
    }

    #[test]
    fn a_short_product_divides_as_a_long_one(a in any::<u64>(), b in any::<u64>(), cut in 0u32..64, other in 0u32..64, d in 1u64..) {
        let (a, b) = (a >> cut, b >> other);
        let native = u64::try_from(u128::from(a) * u128::from(b) / u128::from(d)).ok();
        prop_assert_eq!(mul_div(a, b, d, Rounding::Down).ok(), native);
        let native = u64::try_from((u128::from(a) * u128::from(b)).div_ceil(u128::from(d))).ok();
        prop_assert_eq!(mul_div(a, b, d, Rounding::Up).ok(), native);
    }
}

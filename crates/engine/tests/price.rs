//! Section 4: the state of a price, confirmation, averages, and what each purpose counts.

mod average;
mod confirm;

use ballast_engine::constants::{PRICE_MAX, PRICE_MIN};
use ballast_engine::market::{MarketState, Observation};
use ballast_engine::price::{RawUpdate, Status};
use ballast_engine::{Error, Now, Price};
use proptest::prelude::*;

use crate::support::{NOW, PRICE, later, market, price};

/// The clock so many slots after [`NOW`], at 400 ms a slot.
pub(crate) fn slots(count: u64) -> Now {
    Now { unix: NOW.unix + (count * 2 / 5) as i64, slot: NOW.slot + count, ..NOW }
}

/// Stores a price published and posted now, with 1 bp of confidence.
pub(crate) fn post(market: &mut MarketState, price: Price, now: &Now) -> Status {
    post_with(market, price, Price(price.0 / 10_000), now)
}

fn post_with(market: &mut MarketState, price: Price, conf: Price, now: &Now) -> Status {
    let (band, rules) = (market.band().unwrap(), market.rules().unwrap());
    let prev_publish_time = market.price.last.publish_time;
    let update = Observation { prev_publish_time, publish_time: now.unix, price, conf };
    assert!(market.price.store(update, now.slot, band, rules, now).unwrap(), "not newer");
    market.status(now).unwrap()
}

/// A price moved by so many basis points.
fn off(price: Price, bps: i64) -> Price {
    Price((price.0 as i128 * i128::from(10_000 + bps) / 10_000) as u64)
}

fn raw() -> RawUpdate {
    RawUpdate {
        price: 6_000_012_345_678,
        conf: 1_234_567_891,
        exponent: -8,
        publish_time: NOW.unix,
        prev_publish_time: NOW.unix - 1,
        posted_slot: NOW.slot,
    }
}

fn refusal(update: RawUpdate, base: u8, now: &Now) -> Error {
    update.scaled(base, 6, now).unwrap_err().error
}

// Reading an update

#[test]
fn an_update_is_scaled_price_down_and_confidence_up() {
    // BTC at $60,000.12345678 with satoshis as base atoms: 600.001234567 quote atoms each.
    let seen = raw().scaled(8, 6, &NOW).unwrap();
    assert_eq!(seen.price, Price(600_001_234_567), "the ninth digit is cut");
    assert_eq!(seen.conf, Price(123_456_790), "123,456,789.1 rounded up");
    // The other way: base decimals so few that digits are added.
    let seen = raw().scaled(3, 6, &NOW).unwrap();
    assert_eq!(seen.price, Price(60_000_123_456_780_000));
}

#[test]
fn a_malformed_update_is_refused() {
    type Spoil = fn(&mut RawUpdate);
    let cases: [(&str, Spoil); 9] = [
        ("zero", |u| u.price = 0),
        ("negative", |u| u.price = -1),
        ("exponent above", |u| u.exponent = 1),
        ("exponent below", |u| u.exponent = -19),
        ("ahead", |u| u.publish_time += 3),
        ("order of times", |u| u.prev_publish_time = u.publish_time + 1),
        ("before time", |u| (u.publish_time, u.prev_publish_time) = (0, 0)),
        ("from the future", |u| u.posted_slot += 1),
        ("far exponent", |u| u.exponent = i32::MIN),
    ];
    for (what, spoil) in cases {
        let mut update = raw();
        spoil(&mut update);
        assert_eq!(refusal(update, 8, &NOW), Error::PriceMalformed, "{what}");
    }
    let ahead = RawUpdate { publish_time: NOW.unix + 2, ..raw() };
    assert!(ahead.scaled(8, 6, &NOW).is_ok(), "two seconds ahead are tolerated");
}

#[test]
fn an_update_posted_at_or_before_the_restart_is_refused() {
    let restart = |slot| Now { restart_slot: slot, ..NOW };
    assert_eq!(refusal(raw(), 8, &restart(NOW.slot)), Error::PriceMalformed);
    assert!(raw().scaled(8, 6, &restart(NOW.slot - 1)).is_ok());
}

#[test]
fn a_scale_with_less_than_four_digits_or_out_of_range_is_refused() {
    let at = |price, exponent, base| RawUpdate { price, conf: 0, exponent, ..raw() }.scaled(base, 6, &NOW);
    // exponent 0, 6 quote and 15 base decimals: the mantissa itself.
    assert_eq!(at(PRICE_MIN as i64, 0, 15).unwrap().price, Price(PRICE_MIN));
    assert_eq!(at(PRICE_MIN as i64 - 1, 0, 15).unwrap_err().error, Error::PriceScaleTooCoarse);
    assert_eq!(at(PRICE_MAX as i64, 0, 15).unwrap().price, Price(PRICE_MAX));
    assert_eq!(at(PRICE_MAX as i64 + 1, 0, 15).unwrap_err().error, Error::PriceScaleTooCoarse);
    assert_eq!(at(1, -18, 255).unwrap_err().error, Error::PriceScaleTooCoarse);
    assert_eq!(at(i64::MAX, 0, 0).unwrap_err().error, Error::PriceScaleTooCoarse);
    assert_eq!(at(i64::MAX, -18, 18).unwrap_err().error, Error::PriceScaleTooCoarse);
}

#[test]
fn a_monstrous_confidence_is_uncertain_and_breaks_nothing() {
    let seen = RawUpdate { conf: u64::MAX, ..raw() }.scaled(6, 6, &NOW).unwrap();
    assert_eq!(seen.conf, Price(PRICE_MAX));
    let mut market = market();
    let now = later(&NOW, 1);
    assert_eq!(post_with(&mut market, PRICE, seen.conf, &now), Status::Uncertain);
    for long in [true, false] {
        assert!(market.initial_price(long).is_ok() && market.maintenance_price(long).is_ok());
    }
}

proptest! {
    #[test]
    fn scaling_is_exact_division_or_multiplication(price in 1..i64::MAX, conf: u64, exponent in -18..=0, base in 0u8..=20) {
        let shift: i32 = exponent + 15 - i32::from(base);
        let power = 10u128.pow(shift.unsigned_abs());
        if let Ok(seen) = (RawUpdate { price, conf, exponent, ..raw() }).scaled(base, 6, &NOW) {
            let (price, conf) = (price as u128, u128::from(conf));
            let (low, high) = if shift >= 0 {
                (price * power, conf.saturating_mul(power))
            } else {
                (price / power, conf.div_ceil(power))
            };
            prop_assert_eq!(u128::from(seen.price.0), low);
            prop_assert_eq!(u128::from(seen.conf.0), high.min(u128::from(PRICE_MAX)));
        }
    }
}

// The table of states, each row at its limit and one beside it

#[test]
fn table_by_slots() {
    let market = market();
    let at = |slots| market.status(&Now { slot: NOW.slot + slots, ..NOW }).unwrap();
    assert_eq!([at(9), at(10), at(11)], [Status::Good, Status::Good, Status::Ageing]);
    assert_eq!([at(24), at(25), at(26)], [Status::Ageing, Status::Ageing, Status::Stale]);
}

#[test]
fn table_by_seconds() {
    let market = market();
    let at = |seconds| market.status(&Now { unix: NOW.unix + seconds, ..NOW }).unwrap();
    assert_eq!([at(-2), at(3), at(4), at(5)], [Status::Good, Status::Good, Status::Good, Status::Ageing]);
    assert_eq!([at(9), at(10), at(11)], [Status::Ageing, Status::Ageing, Status::Stale]);
    assert_eq!([at(3_599), at(3_600), at(3_601)], [Status::Stale, Status::Stale, Status::Silent]);
    assert_eq!(at(i64::MAX - NOW.unix), Status::Silent);
}

#[test]
fn table_by_confidence_in_each_tier() {
    for (tier, limit) in [(0, 1), (1, 2), (2, 4)] {
        let mut market = market();
        market.tier = tier;
        let limit = price(limit).0;
        let mut at = |conf| {
            market.price.last.conf = Price(conf);
            market.status(&NOW).unwrap()
        };
        assert_eq!([at(limit - 1), at(limit), at(limit + 1)], [Status::Ageing, Status::Ageing, Status::Uncertain]);
        let half = limit / 2;
        assert_eq!([at(half - 1), at(half), at(half + 1)], [Status::Good, Status::Good, Status::Ageing]);
    }
}

#[test]
fn table_by_distance_from_the_average() {
    // 3 % maintenance: a band of 1.5 %.
    let mut market = market();
    let band = PRICE.0 / 1_000 * 15;
    let mut at = |price| {
        market.price.last.price = Price(price);
        market.status(&NOW).unwrap()
    };
    let above = PRICE.0 + band;
    let below = PRICE.0 - band;
    assert_eq!([at(above - 1), at(above), at(above + 1)], [Status::Good, Status::Good, Status::Jumped]);
    assert_eq!([at(below + 1), at(below), at(below - 1)], [Status::Good, Status::Good, Status::Jumped]);
}

#[test]
fn table_by_warm_up_and_restart() {
    let mut market = market();
    let mut young = |seconds| {
        market.price.ema_start = NOW.unix - seconds;
        market.status(&NOW).unwrap()
    };
    assert_eq!([young(299), young(300), young(301)], [Status::Jumped, Status::Good, Status::Good]);
    let restart = |slot| market.status(&Now { restart_slot: slot, ..NOW }).unwrap();
    assert_eq!(
        [restart(NOW.slot - 1), restart(NOW.slot), restart(NOW.slot + 1)],
        [Status::Good, Status::Stale, Status::Stale]
    );
}

#[test]
fn the_first_row_that_fits_wins() {
    let mut market = market();
    market.price.last.price = off(PRICE, 500);
    assert_eq!(market.status(&slots(11)).unwrap(), Status::Jumped, "before ageing");
    market.price.last.conf = price(2);
    assert_eq!(market.status(&slots(11)).unwrap(), Status::Uncertain, "before jumped");
    assert_eq!(market.status(&slots(26)).unwrap(), Status::Stale, "before uncertain");
    assert_eq!(market.status(&later(&NOW, 3_601)).unwrap(), Status::Silent, "before stale");
    let new = MarketState::new(0, 0, 6, 6, crate::support::params(), NOW.unix).unwrap();
    assert_eq!(new.status(&NOW).unwrap(), Status::Silent, "never there");
    market.tier = 3;
    assert_eq!(market.status(&NOW).unwrap_err().error, Error::TierInvalid);
}

// Storing

#[test]
fn an_update_that_is_not_newer_changes_nothing() {
    let mut market = market();
    post(&mut market, off(PRICE, 20), &later(&NOW, 2));
    let before = market.price;
    let (band, rules) = (market.band().unwrap(), market.rules().unwrap());
    for publish_time in [NOW.unix - 50, NOW.unix + 1, NOW.unix + 2] {
        let update = Observation { prev_publish_time: 0, publish_time, price: price(1), conf: Price(0) };
        assert!(!market.price.store(update, NOW.slot + 9, band, rules, &later(&NOW, 3)).unwrap());
    }
    assert_eq!(market.price, before);
}

#[test]
fn an_overflowing_update_is_an_error_not_a_panic() {
    let mut market = market();
    let (band, rules) = (market.band().unwrap(), market.rules().unwrap());
    let most = Observation {
        prev_publish_time: i64::MAX,
        publish_time: i64::MAX,
        price: Price(u64::MAX),
        conf: Price(u64::MAX),
    };
    assert_eq!(market.price.store(most, u64::MAX, band, rules, &NOW).unwrap_err().error, Error::MathOverflow);
}

#[test]
fn valid_is_the_last_price_stored_while_good_or_ageing() {
    let mut market = market();
    let valid = |market: &MarketState| (market.price.valid.price, market.price.valid_slot);
    let first = valid(&market);
    post_with(&mut market, off(PRICE, 10), price(2), &slots(5));
    assert_eq!(valid(&market), first, "uncertain");
    post(&mut market, off(PRICE, 300), &slots(10));
    assert_eq!(valid(&market), first, "jumped");
    let (band, rules) = (market.band().unwrap(), market.rules().unwrap());
    let old = Observation { publish_time: slots(15).unix, prev_publish_time: 0, price: PRICE, conf: Price(0) };
    market.price.store(old, slots(15).slot, band, rules, &slots(41)).unwrap();
    assert_eq!(valid(&market), first, "stale when stored");
    post_with(&mut market, off(PRICE, 20), Price(price(1).0 * 9 / 10), &slots(50));
    assert_eq!(valid(&market), (off(PRICE, 20), slots(50).slot), "ageing");
    post(&mut market, off(PRICE, 30), &slots(55));
    assert_eq!(valid(&market), (off(PRICE, 30), slots(55).slot), "good");
}

// What each purpose counts

#[test]
fn the_maintenance_price_gives_at_most_the_tiers_credit() {
    let mut market = market();
    for (conf, credit) in [(0, 0), (99_999_999, 99_999_999), (100_000_000, 100_000_000), (5_000_000_000, 100_000_000)] {
        market.price.last.conf = Price(conf);
        assert_eq!(market.maintenance_price(true).unwrap(), Price(PRICE.0 + credit), "10 bps of $100");
        assert_eq!(market.maintenance_price(false).unwrap(), Price(PRICE.0 - credit));
    }
}

#[test]
fn the_initial_price_is_the_worse_of_the_confidence_end_and_the_hour() {
    let mut market = market();
    market.price.last.conf = price(1);
    assert_eq!([market.initial_price(true).unwrap(), market.initial_price(false).unwrap()], [price(99), price(101)]);
    market.price.ema60 = price(90);
    assert_eq!([market.initial_price(true).unwrap(), market.initial_price(false).unwrap()], [price(90), price(101)]);
    market.price.ema60 = price(110);
    assert_eq!([market.initial_price(true).unwrap(), market.initial_price(false).unwrap()], [price(99), price(110)]);
}

#[test]
fn drift_grows_by_3_bps_a_slot_up_to_the_initial_margin() {
    let market = market();
    let bps = PRICE.0 / 10_000;
    assert_eq!(market.drift(&NOW).unwrap(), Price(0));
    assert_eq!(market.drift(&slots(1)).unwrap(), Price(3 * bps));
    assert_eq!(market.drift(&Now { unix: NOW.unix + 3, ..NOW }).unwrap(), Price(24 * bps), "3 s are 8 slots");
    assert_eq!(market.drift(&slots(166)).unwrap(), Price(498 * bps));
    assert_eq!(market.drift(&later(&NOW, 90_000)).unwrap(), Price(500 * bps));
}

#[test]
fn a_position_without_a_good_price_counts_at_its_valid_price_moved_its_way() {
    let mut market = market();
    post(&mut market, off(PRICE, -800), &slots(5));
    let bps = PRICE.0 / 10_000;
    assert_eq!(market.favourable_price(true, &slots(5)).unwrap(), Price(PRICE.0 + 15 * bps));
    assert_eq!(market.favourable_price(false, &slots(5)).unwrap(), Price(PRICE.0 - 15 * bps));
    assert_eq!(market.favourable_price(true, &later(&NOW, 9_999)).unwrap(), Price(PRICE.0 + 500 * bps), "at most imf");
    let new = MarketState::new(0, 0, 6, 6, crate::support::params(), NOW.unix).unwrap();
    assert_eq!(new.favourable_price(true, &NOW).unwrap_err().error, Error::PriceMissing);
}

#[test]
fn a_silent_exit_is_at_the_worst_of_three_prices_worsened_by_the_initial_margin() {
    let mut market = market();
    (market.price.ema5, market.price.ema60) = (price(98), price(104));
    assert_eq!(market.silent_exit_price(true).unwrap(), Price(price(98).0 * 95 / 100));
    assert_eq!(market.silent_exit_price(false).unwrap(), Price(price(104).0 * 105 / 100));
    let new = MarketState::new(0, 0, 6, 6, crate::support::params(), NOW.unix).unwrap();
    assert_eq!(new.silent_exit_price(true).unwrap_err().error, Error::PriceMissing);
}

//! The outflow limiter: profit leaks slowly, a deposit does not widen it, and it knows when something fits.

use ballast_engine::error::Error;
use ballast_engine::limiter::Outflow;
use ballast_engine::params::ExchangeParams;
use ballast_engine::presets::new_exchange;
use ballast_engine::{Now, Quote};
use proptest::prelude::*;

/// The start of an hour.
const START: i64 = 1_700_002_800;
const HOUR: i64 = 3_600;
const UNIT: u64 = 1_000_000;
const TEN_MILLION: Quote = Quote(10_000_000 * UNIT);

fn at(seconds: i64) -> Now {
    Now { unix: START + seconds, slot: 1, restart_slot: 0 }
}

/// A vault that has stood at a balance for two days.
fn seasoned(balance: Quote) -> Outflow {
    let mut outflow = Outflow::default();
    outflow.book(Quote(0), Quote(0), balance, &new_exchange(), &at(-48 * HOUR)).unwrap();
    outflow
}

#[test]
fn one_percent_an_hour_and_ten_a_day() {
    assert_eq!(START % HOUR, 0);
    let params = new_exchange();
    let mut outflow = seasoned(TEN_MILLION);
    assert_eq!(outflow.room(TEN_MILLION, &params, &at(0)).unwrap(), Quote(100_000 * UNIT));
    let fault =
        outflow.book(Quote(100_000 * UNIT + 1), Quote(100_000 * UNIT + 1), TEN_MILLION, &params, &at(0)).unwrap_err();
    assert_eq!(fault.error, Error::OutflowLimited);
    assert_eq!((fault.limit, fault.value), (100_000_000_000, 100_000_000_001));
    outflow.book(Quote(100_000 * UNIT), Quote(100_000 * UNIT), TEN_MILLION, &params, &at(0)).unwrap();
    assert_eq!(outflow.room(Quote(9_900_000 * UNIT), &params, &at(HOUR - 1)).unwrap(), Quote(0));
    // The next hour's limit is measured on what is left.
    assert_eq!(outflow.room(Quote(9_900_000 * UNIT), &params, &at(HOUR)).unwrap(), Quote(99_000 * UNIT));
}

#[test]
fn an_exploit_that_mints_profit_leaks_a_tenth_a_day() {
    let params = new_exchange();
    let mut outflow = seasoned(TEN_MILLION);
    let mut balance = TEN_MILLION;
    for minute in 0..24 * 60 {
        let now = at(minute * 60);
        let room = outflow.room(balance, &params, &now).unwrap();
        outflow.book(room, room, balance, &params, &now).unwrap();
        balance = balance.less(room).unwrap();
    }
    let gone = TEN_MILLION.less(balance).unwrap();
    assert!(gone <= Quote(1_000_000 * UNIT), "{gone:?}");
    assert!(gone >= Quote(900_000 * UNIT), "{gone:?}");
}

#[test]
fn a_deposit_does_not_widen_it_attack_h13() {
    // $90M into a $10M vault: minted profit leaves at 1 % of ten, not of a hundred, for the whole day after.
    let params = new_exchange();
    let mut outflow = seasoned(TEN_MILLION);
    let blown = Quote(100_000_000 * UNIT);
    for hour in 0..24 {
        let room = outflow.room(blown, &params, &at(hour * HOUR + 10)).unwrap();
        assert_eq!(room, Quote(100_000 * UNIT), "hour {hour}");
        // Nor does an outflow of nothing that shows the memory the greater balance.
        outflow.book(Quote(0), Quote(0), blown, &params, &at(hour * HOUR + 20)).unwrap();
    }
    // A day later the deposit has been at risk for a day.
    assert_eq!(outflow.room(blown, &params, &at(24 * HOUR)).unwrap(), Quote(1_000_000 * UNIT));
}

#[test]
fn on_the_first_day_the_floor_alone_leaves() {
    let params = new_exchange();
    let mut outflow = Outflow::default();
    // An attacker's deposit on a new exchange is no base.
    let floor = params.outflow_floor;
    assert_eq!(outflow.room(Quote(90_000_000 * UNIT), &params, &at(0)).unwrap(), floor);
    outflow.book(floor, floor, TEN_MILLION, &params, &at(0)).unwrap();
    let after = TEN_MILLION.less(floor).unwrap();
    for hour in 1..24 {
        assert_eq!(outflow.room(after, &params, &at(hour * HOUR)).unwrap(), floor, "hour {hour}");
    }
    assert_eq!(outflow.room(after, &params, &at(24 * HOUR)).unwrap(), Quote(99_900 * UNIT));
    // And ten floors a day.
    let mut outflow = Outflow::default();
    let mut left = TEN_MILLION;
    for hour in 0..24 {
        let room = outflow.room(left, &params, &at(hour * HOUR)).unwrap();
        assert_eq!(room, if hour < 10 { floor } else { Quote(0) }, "hour {hour}");
        outflow.book(room, room, left, &params, &at(hour * HOUR)).unwrap();
        left = left.less(room).unwrap();
    }
}

#[test]
fn what_is_not_limited_leaves_in_full_but_lowers_the_base() {
    let params = new_exchange();
    let mut outflow = seasoned(TEN_MILLION);
    outflow.book(Quote(9_000_000 * UNIT), Quote(0), TEN_MILLION, &params, &at(0)).unwrap();
    let left = Quote(1_000_000 * UNIT);
    assert_eq!(outflow.room(left, &params, &at(0)).unwrap(), Quote(10_000 * UNIT));
    // Somebody deposits it again: the base stays.
    assert_eq!(outflow.room(TEN_MILLION, &params, &at(HOUR)).unwrap(), Quote(10_000 * UNIT));
}

#[test]
fn the_lowest_balance_within_an_hour_counts_not_the_last() {
    let params = new_exchange();
    let mut outflow = seasoned(TEN_MILLION);
    outflow.book(Quote(9_000_000 * UNIT), Quote(0), TEN_MILLION, &params, &at(0)).unwrap();
    // Nine million come back within the hour, and one more withdrawal closes high.
    outflow.book(Quote(1), Quote(0), TEN_MILLION, &params, &at(60)).unwrap();
    for hour in 0..24 {
        let room = outflow.room(TEN_MILLION, &params, &at(hour * HOUR + 120)).unwrap();
        assert_eq!(room, Quote(10_000 * UNIT), "hour {hour}");
    }
    assert!(outflow.room(TEN_MILLION, &params, &at(24 * HOUR)).unwrap() > Quote(90_000 * UNIT));
}

#[test]
fn a_refusal_changes_nothing_and_says_when_it_fits() {
    let params = new_exchange();
    let mut outflow = seasoned(TEN_MILLION);
    let hourly = Quote(100_000 * UNIT);
    outflow.book(hourly, hourly, TEN_MILLION, &params, &at(100)).unwrap();
    let balance = Quote(9_900_000 * UNIT);
    let before = outflow;
    let next = Quote(99_000 * UNIT);
    assert_eq!(outflow.book(next, next, balance, &params, &at(200)).unwrap_err().error, Error::OutflowLimited);
    assert_eq!(outflow, before);
    let when = outflow.fits_at(next, balance, &params, &at(200)).unwrap().unwrap();
    assert_eq!(when, START + HOUR);
    let then = |unix| Now { unix, slot: 1, restart_slot: 0 };
    outflow.clone().book(next, next, balance, &params, &then(when - 1)).unwrap_err();
    outflow.book(next, next, balance, &params, &then(when)).unwrap();
    // What fits now, fits now; what is more than an hour's limit, never.
    assert_eq!(outflow.fits_at(Quote(0), balance, &params, &at(HOUR)).unwrap(), Some(START + HOUR));
    assert_eq!(outflow.fits_at(Quote(99_001 * UNIT), balance, &params, &at(HOUR)).unwrap(), None);
}

#[test]
fn extremes_overflow_into_an_error_not_a_panic() {
    let mut params = new_exchange();
    let mut outflow = Outflow::default();
    assert_eq!(outflow.book(Quote(2), Quote(0), Quote(1), &params, &at(0)).unwrap_err().error, Error::MathOverflow);
    assert_eq!(outflow.book(Quote(1), Quote(2), Quote(5), &params, &at(0)).unwrap_err().error, Error::MathOverflow);
    params.outflow_floor = Quote(u64::MAX);
    assert_eq!(outflow.room(Quote(u64::MAX), &params, &at(0)).unwrap_err().error, Error::MathOverflow);
    let far = Now { unix: i64::MAX, slot: 0, restart_slot: 0 };
    outflow.book(Quote(0), Quote(0), Quote(u64::MAX), &ExchangeParams::default(), &far).unwrap();
    // A clock that ran back changes nothing of the hours; one before 1970 is no clock.
    let back = Now { unix: 0, slot: 0, restart_slot: 0 };
    outflow.book(Quote(0), Quote(0), Quote(u64::MAX), &ExchangeParams::default(), &back).unwrap();
    assert_eq!(outflow.hour, i64::MAX / HOUR);
    let never = Now { unix: i64::MIN, slot: 0, restart_slot: 0 };
    let booked = outflow.book(Quote(0), Quote(0), Quote(u64::MAX), &ExchangeParams::default(), &never);
    assert_eq!(booked.unwrap_err().error, Error::MathOverflow);
}

proptest! {
    /// Against every outflow ever booked: limits of hour and day hold on the true lowest balance of the last day, and
    /// the time that a refusal names is the first at which it fits.
    #[test]
    fn limits_hold_in_every_sequence(
        steps in prop::collection::vec((0_u8..4, 0_u64..200_000, 0_i64..7_000), 1..150)
    ) {
        let params = new_exchange();
        let mut outflow = seasoned(TEN_MILLION);
        let mut balance = TEN_MILLION;
        // Balance after every step, and what left as profit.
        let mut history: Vec<(i64, Quote)> = vec![(-48 * HOUR, balance)];
        let mut profits: Vec<(i64, u64)> = Vec::new();
        let mut clock = 0;
        for (what, amount, wait) in steps {
            clock += wait;
            let now = at(clock);
            let amount = Quote(amount * UNIT).min(balance);
            match what {
                0 => balance = balance.plus(Quote(amount.0 * 20)).unwrap(),
                1 => {
                    outflow.book(amount, Quote(0), balance, &params, &now).unwrap();
                    balance = balance.less(amount).unwrap();
                }
                _ => {
                    let fits = outflow.fits_at(amount, balance, &params, &now).unwrap();
                    match outflow.book(amount, amount, balance, &params, &now) {
                        Ok(()) => {
                            prop_assert_eq!(fits, Some(now.unix));
                            balance = balance.less(amount).unwrap();
                            profits.push((clock, amount.0));
                        }
                        Err(fault) => {
                            prop_assert_eq!(fault.error, Error::OutflowLimited);
                            if let Some(unix) = fits {
                                let then = Now { unix, ..now };
                                prop_assert!(outflow.clone().book(amount, amount, balance, &params, &then).is_ok());
                                let early = Now { unix: unix - 1, ..now };
                                prop_assert!(outflow.clone().book(amount, amount, balance, &params, &early).is_err());
                            }
                        }
                    }
                }
            }
            history.push((clock, balance));
            // The lowest balance in the last 24 hours bounds the base; the floor is the least.
            let day = clock - 24 * HOUR;
            let opening = history.iter().rev().find(|(t, _)| *t <= day).map(|(_, b)| *b);
            let peak = history.iter().filter(|(t, _)| *t > day).map(|(_, b)| *b).chain(opening).max().unwrap();
            let floor = params.outflow_floor.0;
            let sum = |from: i64| profits.iter().filter(|(t, _)| *t > from).map(|(_, a)| a).sum::<u64>();
            let hour_start = (START + clock).div_euclid(HOUR) * HOUR - START;
            prop_assert!(sum(hour_start - 1) <= (peak.0 / 100).max(floor));
            prop_assert!(sum(day) <= (peak.0 / 10).max(10 * floor) + (peak.0 / 100).max(floor));
        }
    }
}

#[test]
fn depositing_and_withdrawing_in_one_go_uses_nothing_up() {
    // A full day's memory of a vault of $2M: the hour's limit is $20,000.
    let params = new_exchange();
    let now = Now { unix: START, slot: 1_000_000, restart_slot: 0 };
    let vault = Quote(2_000_000_000_000);
    let mut outflow = Outflow::default();
    for hour in 0..25 {
        let at = Now { unix: now.unix - (25 - hour) * 3_600, ..now };
        outflow.book(Quote(0), Quote(0), vault, &params, &at).unwrap();
    }
    let room = outflow.room(vault, &params, &now).unwrap();
    assert!(room > Quote(0));
    for _ in 0..50 {
        outflow.book_withdrawal(room, room, Quote(0), Quote(vault.0 + room.0), &params, &now).unwrap();
    }
    assert_eq!(
        outflow.room(vault, &params, &now).unwrap(),
        room,
        "what came in leaves, and nobody's profit waits for it"
    );
    let more = Quote(room.0 + 1);
    let fault = outflow.book_withdrawal(more, more, Quote(0), Quote(vault.0 + more.0), &params, &now).unwrap_err();
    assert_eq!(fault.error, Error::OutflowLimited);
    outflow.book_withdrawal(room, room, room, vault, &params, &now).unwrap();
    assert_eq!(outflow.room(vault, &params, &now).unwrap(), Quote(0), "profit does use it up");
}

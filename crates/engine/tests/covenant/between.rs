//! What looks in between, or beside prices that are not good, make of what was found, of the mark and of the day's start.

use ballast_engine::account::AccountState;
use ballast_engine::constants::{DAY, HOUR};
use ballast_engine::covenant::{CovenantState, Limits};
use ballast_engine::market::MarketState;
use ballast_engine::price::Status;
use ballast_engine::{Error, Now, Price};

use super::{NOON, bound, cash, hold, later, reprice, sharp, touch, trip};
use crate::price::post;
use crate::support::{dollars, market_at, price, set_price_at};

const MINUTE: i64 = 60;

fn terms(daily_loss: u64, drawdown: u64) -> Limits {
    let (daily_loss, drawdown) = (dollars(daily_loss), dollars(drawdown));
    Limits { daily_loss, drawdown, cool_down: HOUR, loosening_delay: DAY, auto_close: 1, ..Limits::default() }
}

/// One dollar in a market whose oracle has stopped, over two midnights and more.
#[test]
fn a_leg_beside_a_price_that_is_not_good_does_not_switch_the_days_limit_off() {
    let run = |leg: bool| {
        let (mut covenant, mut alice) = (bound(&terms(1_000, 0)), cash(50_000));
        let mut markets = [sharp(0, 100, &NOON), sharp(1, 100, &NOON)];
        hold(&mut alice, 0, &markets[0], 1_000_000_000);
        if leg {
            hold(&mut alice, 1, &markets[1], 10_000);
        }
        for minute in 0..3 {
            let now = later(&NOON, minute * MINUTE);
            for market in &mut markets {
                reprice(market, price(100), &now);
            }
            touch(&mut covenant, 1, &alice, &markets, &now);
        }
        let mut trips = Vec::new();
        // A keeper looks every ten minutes, and twice running, at good prices of the market that matters; market 1 is silent.
        for tick in 1..(4 * 24 * 6) {
            for twice in [0, 2] {
                let now = later(&NOON, tick * 10 * MINUTE + twice);
                // On the third day it falls by $0.20 each ten minutes, $200 a look on 1,000 units, to $80.
                let since = (tick - 400).clamp(0, 100);
                let at = Price(price(100).0 - price(1).0 / 5 * since as u64);
                reprice(&mut markets[0], at, &now);
                touch(&mut covenant, 1, &alice, &markets, &now);
                if let Ok(breach) = covenant.trip(&now) {
                    trips.push((tick, breach.day_loss));
                }
            }
        }
        let end = later(&NOON, (4 * 24 * 6 - 1) * 10 * MINUTE + 2);
        (trips, covenant.day_seen, covenant.headroom(&end).unwrap().day_loss, covenant.result().unwrap())
    };
    let (with, without) = (run(true), run(false));
    assert!(!without.0.is_empty(), "the limit works");
    // What is in doubt counts in its favour, some cents here: they may take one look more.
    assert!(
        with.0.first().is_some_and(|trip| trip.0 <= without.0[0].0 + 1),
        "{with:?}, without the dollar {without:?}"
    );
}

/// A look beside a price that is not good counts in the accounts' favour: it shows no recovery.
#[test]
fn a_jump_further_down_forgets_no_loss() {
    let mut market = market_at(0, price(100));
    set_price_at(&mut market, price(100), &NOON);
    let (mut covenant, mut alice) = (bound(&terms(1_190, 0)), cash(10_000));
    hold(&mut alice, 0, &market, 1_000_000_000);
    touch(&mut covenant, 1, &alice, &[market], &NOON);
    let first = later(&NOON, 2);
    assert_eq!(post(&mut market, permille(988), &first), Status::Good);
    touch(&mut covenant, 1, &alice, &[market], &first);
    assert!(covenant.is_found(&first), "loss 1,200");
    // Two seconds later the outside market stands at $97.
    let next = later(&NOON, 4);
    let status = post(&mut market, permille(970), &next);
    assert_ne!(status, Status::Good);
    touch(&mut covenant, 1, &alice, &[market], &next);
    assert!(covenant.is_found(&next), "the price before it counts for it, and shows the loss");
}

/// The same by mere age, for whoever touches 11 slots after each price, or just before it is old.
#[test]
fn a_price_that_grows_old_forgets_no_loss() {
    let (mut covenant, mut alice) = (bound(&terms(1_000, 0)), cash(10_000));
    let mut markets = [sharp(0, 100, &NOON)];
    hold(&mut alice, 0, &markets[0], 1_000_000_000);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    for touches in [vec![11_u64], vec![11, 24]] {
        for bps in 0..60 {
            let (mut covenant, mut tripped) = (covenant, false);
            for round in 1..10 {
                let now = later(&NOON, round * 10);
                reprice(&mut markets[0], Price(price(99).0 - price(1).0 / 100 * bps), &now);
                touch(&mut covenant, 1, &alice, &markets, &now);
                tripped |= covenant.trip(&now).is_ok();
                for slots in touches.iter().copied() {
                    let now = Now { slot: now.slot + slots, unix: now.unix + slots.cast_signed() * 2 / 5, ..now };
                    touch(&mut covenant, 1, &alice, &markets, &now);
                }
            }
            assert!(tripped, "{bps} bps of the notional beyond the limit, touched {touches:?} slots after each price");
        }
    }
}

/// A crash with a price every two seconds. Somebody touches at each price, or at good ones alone.
#[test]
fn in_a_crash_looks_beside_jumps_put_no_trip_off() {
    let run = |at_jumps: bool, per_mille_a_step: u64, steps: i64| {
        let mut market = market_at(0, price(100));
        set_price_at(&mut market, price(100), &NOON);
        let (mut covenant, mut alice) = (bound(&terms(1_000, 0)), cash(50_000));
        hold(&mut alice, 0, &market, 1_000_000_000);
        touch(&mut covenant, 1, &alice, &[market], &NOON);
        let (mut found, mut good) = (None, 0);
        for step in 1..steps {
            let now = later(&NOON, step * 2);
            let at = price(100).0 - price(100).0 / 10_000 * per_mille_a_step * step as u64;
            let status = post(&mut market, Price(at), &now);
            if status == Status::Good || at_jumps {
                touch(&mut covenant, 1, &alice, &[market], &now);
            }
            if status == Status::Good {
                good += 1;
                if covenant.is_found(&now) {
                    found = found.or(Some(step));
                }
            }
            if let Ok(breach) = covenant.trip(&now) {
                return (found, Some(step), good, breach.day_loss.0 / 1_000_000);
            }
        }
        (found, None, good, 0)
    };
    for speed in [5_u64, 10, 15, 20, 30, 40, 60] {
        let steps = 5_000 / speed.cast_signed();
        let (good, all) = (run(false, speed, steps), run(true, speed, steps));
        assert!(good.1.is_some(), "{speed} bps a step");
        assert!(all.1.unwrap() <= good.1.unwrap(), "{speed} bps a step: {all:?}, with good looks alone {good:?}");
    }
}

/// A single low print, shown by the owner right after the day's first honest look.
#[test]
fn one_low_print_after_the_days_first_look_does_not_lower_its_start() {
    let run = |owner: bool| {
        let mut market = market_at(0, price(100));
        set_price_at(&mut market, price(100), &NOON);
        let (mut covenant, mut alice) = (bound(&terms(1_000, 0)), cash(10_000));
        hold(&mut alice, 0, &market, 1_000_000_000);
        touch(&mut covenant, 1, &alice, &[market], &NOON);
        touch(&mut covenant, 1, &alice, &[market], &NOON);
        // By the morning it stands at $102: that is what the day begins with.
        let day = later(&NOON, 12 * HOUR + 10 * MINUTE);
        set_price_at(&mut market, price(102), &Now { unix: day.unix - 5, slot: day.slot - 12, ..day });
        assert_eq!(post(&mut market, price(102), &day), Status::Good);
        touch(&mut covenant, 1, &alice, &[market], &day);
        if owner {
            let low = later(&day, 2);
            assert_eq!(post(&mut market, Price(price(102).0 / 1_000 * 988), &low), Status::Good);
            touch(&mut covenant, 1, &alice, &[market], &low);
        }
        // The keeper's looks go on at $102.
        for tick in 1..5 {
            let now = later(&day, tick * 600);
            set_price_at(&mut market, price(102), &now);
            touch(&mut covenant, 1, &alice, &[market], &now);
        }
        (covenant.day_start.0, covenant.mark.0)
    };
    assert_eq!(run(true), run(false));
}

/// The owner shows the low of each ten minutes after the keeper's look.
#[test]
fn low_prints_between_looks_do_not_hold_the_mark_down() {
    let run = |owner: bool| {
        let mut market = market_at(0, price(100));
        set_price_at(&mut market, price(100), &NOON);
        let (mut covenant, mut alice) = (bound(&terms(0, 1_000)), cash(10_000));
        hold(&mut alice, 0, &market, 1_000_000_000);
        touch(&mut covenant, 1, &alice, &[market], &NOON);
        for tick in 1..30 {
            let now = later(&NOON, tick * 600);
            set_price_at(&mut market, price(102), &now);
            touch(&mut covenant, 1, &alice, &[market], &now);
            if owner {
                let low = later(&now, 2);
                assert_eq!(post(&mut market, Price(price(102).0 / 1_000 * 988), &low), Status::Good);
                touch(&mut covenant, 1, &alice, &[market], &low);
            }
        }
        covenant.mark.0
    };
    assert_eq!(run(true), run(false));
}

/// Or it would trip again, with nothing lost.
#[test]
fn a_trip_beside_an_old_price_counts_anew_from_what_is_there() {
    let (mut covenant, mut alice) = (bound(&terms(0, 1_000)), cash(50_000));
    let mut markets = [sharp(0, 100, &NOON), sharp(1, 100, &NOON)];
    hold(&mut alice, 0, &markets[0], -1_000_000_000);
    hold(&mut alice, 1, &markets[1], 1_000_000);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    reprice(&mut markets[0], price(107), &later(&NOON, 10));
    let old = later(&NOON, 10 + 20 * MINUTE);
    let mut first = None;
    for second in [0, 2] {
        let now = later(&old, second);
        reprice(&mut markets[1], price(100), &now);
        touch(&mut covenant, 1, &alice, &markets, &now);
        first = covenant.trip(&now).ok().or(first);
    }
    assert!(first.is_some_and(|breach| breach.drawdown), "at the old price, in the account's favour");
    // An hour later, at the very price of the first trip, now good.
    let again = trip(&mut covenant, 1, &alice, &mut markets, &later(&old, HOUR)).unwrap_err();
    assert_eq!(again.error, Error::CovenantNotBreached);
}

fn permille(of: u64) -> Price {
    Price(price(100).0 / 1_000 * of)
}

/// Ten thousand dollars' and a dollar's worth in two markets, at $100 each: who holds it, and what it is bound by.
fn two_legs() -> (CovenantState, AccountState, [MarketState; 2]) {
    let markets = [sharp(0, 100, &NOON), sharp(1, 100, &NOON)];
    let mut alice = cash(50_000);
    hold(&mut alice, 0, &markets[0], 1_000_000_000);
    hold(&mut alice, 1, &markets[1], 1_000_000);
    (bound(&terms(1_000, 0)), alice, markets)
}

/// Both prices are stored at $100, and the account is shown.
fn look_at_par(covenant: &mut CovenantState, alice: &AccountState, markets: &mut [MarketState; 2], now: &Now) {
    for market in &mut *markets {
        reprice(market, price(100), now);
    }
    touch(covenant, 1, alice, markets, now);
}

/// One high print of A just after midnight, looked at twice: the second time aged 11 s beside a newer price of B.
#[test]
fn one_print_that_grows_old_beside_anothers_newer_one_tells_no_day() {
    let (mut covenant, alice, mut markets) = two_legs();
    let night = later(&NOON, 12 * HOUR - 60);
    for s in [0, 20, 40] {
        let now = later(&night, s);
        look_at_par(&mut covenant, &alice, &mut markets, &now);
    }
    let high = later(&night, 62);
    set_price_at(&mut markets[0], price(100), &later(&night, 57));
    assert_eq!(post(&mut markets[0], permille(1_012), &high), Status::Good);
    reprice(&mut markets[1], price(100), &high);
    touch(&mut covenant, 1, &alice, &markets, &high);
    assert_eq!(covenant.day_start.0, 0);
    let aged = later(&high, 11);
    reprice(&mut markets[1], price(100), &aged);
    touch(&mut covenant, 1, &alice, &markets, &aged);
    assert_eq!(covenant.day_start.0, 0);
    let mut tripped = None;
    for s in [15, 17] {
        let now = later(&high, s);
        look_at_par(&mut covenant, &alice, &mut markets, &now);
        tripped = covenant.trip(&now).ok().or(tripped);
    }
    assert!(tripped.is_none(), "nothing was lost");
}

/// It may be the owner's own print; the keeper's honest looks come after.
#[test]
fn a_low_first_look_does_not_hold_the_days_start_down() {
    let run = |owner: bool| {
        let mut market = market_at(0, price(100));
        set_price_at(&mut market, price(100), &NOON);
        let (mut covenant, mut alice) = (bound(&terms(1_000, 0)), cash(10_000));
        hold(&mut alice, 0, &market, 1_000_000_000);
        touch(&mut covenant, 1, &alice, &[market], &NOON);
        let day = later(&NOON, 12 * HOUR + 600);
        if owner {
            let low = later(&NOON, 12 * HOUR + 480);
            set_price_at(&mut market, price(102), &later(&NOON, 12 * HOUR + 475));
            assert_eq!(post(&mut market, Price(price(102).0 / 1_000 * 988), &low), Status::Good);
            touch(&mut covenant, 1, &alice, &[market], &low);
        }
        for tick in 0..6 {
            let now = later(&day, tick * 60);
            set_price_at(&mut market, price(102), &now);
            touch(&mut covenant, 1, &alice, &[market], &now);
        }
        covenant.day_start.0
    };
    assert_eq!(run(true), run(false));
}

/// One low print of A before midnight, and dust in B whose newer prices would make two looks of it.
#[test]
fn one_print_looked_at_over_midnight_tells_no_day() {
    let run = |owner: bool| {
        let (mut covenant, alice, mut markets) = two_legs();
        let night = later(&NOON, 12 * HOUR - 60);
        for s in [0, 20, 40] {
            let now = later(&night, s);
            look_at_par(&mut covenant, &alice, &mut markets, &now);
        }
        if owner {
            for s in [50, 61, 63] {
                let now = later(&night, s);
                if s == 50 {
                    assert_eq!(post(&mut markets[0], permille(988), &now), Status::Good);
                }
                reprice(&mut markets[1], price(100), &now);
                touch(&mut covenant, 1, &alice, &markets, &now);
            }
        }
        for s in [70, 90, 110] {
            let now = later(&night, s);
            look_at_par(&mut covenant, &alice, &mut markets, &now);
        }
        covenant.day_start.0
    };
    assert_eq!(run(true), run(false));
}

/// Or one print after it would raise the mark, and it would trip again.
#[test]
fn after_a_drawdowns_trip_no_look_from_before_raises_the_mark() {
    let mut market = market_at(0, price(100));
    set_price_at(&mut market, price(100), &NOON);
    let (mut covenant, mut alice) = (bound(&terms(0, 1_000)), cash(50_000));
    hold(&mut alice, 0, &market, 1_000_000_000);
    let mut trips = Vec::new();
    let mut look = |s: i64, of: u64| {
        let now = later(&NOON, s);
        reprice(&mut market, permille(of), &now);
        touch(&mut covenant, 1, &alice, &[market], &now);
        if covenant.trip(&now).is_ok() {
            trips.push((s, of));
        }
        covenant.mark.0
    };
    look(0, 1_000);
    look(2, 1_000);
    look(100, 985);
    let tripped = look(102, 985);
    let one = look(200, 996);
    assert_eq!(one, tripped);
    look(210, 985);
    look(212, 985);
    assert_eq!(trips.len(), 1, "{trips:?}");
}

#[test]
fn an_account_that_is_not_known_waits_for_a_touch_where_there_is_room_or_where_an_old_view_may_hide_it() {
    let (mut covenant, alice, markets) = two_legs();
    for number in 1..8 {
        touch(&mut covenant, number, &alice, &markets, &NOON);
    }
    assert_eq!(covenant.why_unknown(2, &NOON), Ok(Error::CovenantNotEnrolled));
    assert_eq!(covenant.why_unknown(3, &NOON), Ok(Error::CovenantFull), "sixteen positions");
    touch(&mut covenant, 8, &alice, &markets, &NOON);
    assert_eq!(covenant.why_unknown(1, &NOON), Ok(Error::CovenantFull), "eight accounts");
    assert_eq!(covenant.why_unknown(1, &later(&NOON, 11)), Ok(Error::CovenantStale));
}

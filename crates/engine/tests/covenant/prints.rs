//! Who shows the accounts chooses the moment, and the price among valid updates: what single prints, old days, bad prices and a
//! stranger's touches can make of a covenant.

use ballast_engine::account::AccountState;
use ballast_engine::constants::{DAY, FLAG_VOID_SLOTS, HOUR};
use ballast_engine::covenant::{CovenantState, Limits};
use ballast_engine::market::MarketState;
use ballast_engine::price::Status;
use ballast_engine::trade::{Charge, increase, reduce};
use ballast_engine::{Error, Fault, Now, Price, Quote, Ratio, SignedQuote};

use super::{NOON, bound, cash, close, hold, key, later, measure, reprice, sharp, touch, trip};
use crate::price::post;
use crate::support::{dollars, market_at, price, set_price_at, units};

fn terms(daily_loss: u64, drawdown: u64) -> Limits {
    let (daily_loss, drawdown) = (dollars(daily_loss), dollars(drawdown));
    Limits { daily_loss, drawdown, cool_down: HOUR, loosening_delay: DAY, auto_close: 1, ..Limits::default() }
}

fn only_leverage(times: u64) -> Limits {
    Limits { max_leverage: Ratio(times * 1_000_000), cool_down: HOUR, loosening_delay: DAY, ..Limits::default() }
}

/// A long of $100,000 in a market at $100 under these limits, seen there.
fn long(limits: &Limits) -> (CovenantState, AccountState, MarketState) {
    let mut market = market_at(0, price(100));
    set_price_at(&mut market, price(100), &NOON);
    let (mut covenant, mut alice) = (bound(limits), cash(10_000));
    let _ = increase(&mut market, &mut alice, 0, units(1_000), true, price(100)).unwrap();
    touch(&mut covenant, 1, &alice, &[market], &NOON);
    (covenant, alice, market)
}

/// Stores a good price of so many tenths of a percent of $100, and shows the account.
fn print(covenant: &mut CovenantState, alice: &AccountState, market: &mut MarketState, permille: u64, now: &Now) {
    assert_eq!(post(market, Price(price(100).0 / 1_000 * permille), now), Status::Good);
    touch(covenant, 1, alice, &[*market], now);
}

#[track_caller]
fn too_fresh(fault: Fault, limit: u64, value: u64) {
    assert_eq!((fault.error, fault.limit, fault.value), (Error::CovenantTooFresh, limit as i64, value as i64));
}

#[test]
fn a_stranger_neither_raises_the_mark_nor_trips_by_single_prints() {
    let (mut covenant, alice, mut market) = long(&terms(0, 2_000));
    let mark = covenant.mark;
    // The outside market stands at $100 all the time; two single prints are off by 1.2 %, within half of the margin.
    print(&mut covenant, &alice, &mut market, 1_012, &later(&NOON, 1));
    assert_eq!(covenant.mark, mark, "one print raises no mark");
    let down = later(&NOON, 2);
    print(&mut covenant, &alice, &mut market, 988, &down);
    assert_eq!(covenant.trip(&down).unwrap_err().error, Error::CovenantNotBreached);
    // That one is remembered for twenty minutes. Two of one slot are one.
    set_price_at(&mut market, price(100), &later(&NOON, 1_290));
    print(&mut covenant, &alice, &mut market, 1_000, &later(&NOON, 1_300));
    let two = later(&NOON, 1_320);
    set_price_at(&mut market, price(100), &later(&NOON, 1_315));
    for unix in [two.unix, two.unix + 1] {
        print(&mut covenant, &alice, &mut market, 1_012, &Now { unix, ..two });
    }
    touch(&mut covenant, 1, &alice, &[market], &Now { slot: two.slot + 2, unix: two.unix + 1, ..two });
    assert_eq!(covenant.mark, mark);
    // What two of them show has been there.
    for second in 3..=4 {
        print(&mut covenant, &alice, &mut market, 1_010 + second, &later(&two, second as i64));
    }
    assert_eq!(covenant.mark.0 - mark.0, dollars(1_300).0 as i64);
}

#[test]
fn a_trip_takes_two_looks_two_slots_apart_at_newer_prices_and_none_above_the_limit_between() {
    let (mut covenant, alice, mut market) = long(&terms(1_000, 0));
    let first = later(&NOON, 2);
    print(&mut covenant, &alice, &mut market, 988, &first);
    assert_eq!(
        covenant.check_increase(&first).unwrap_err().error,
        Error::CovenantLoss,
        "refused from the first look on"
    );
    too_fresh(covenant.trip(&first).unwrap_err(), first.slot + 2, first.slot);
    // Any number of newer prices in one slot are one look.
    let same_slot = Now { unix: first.unix + 1, ..first };
    print(&mut covenant, &alice, &mut market, 987, &same_slot);
    too_fresh(covenant.trip(&same_slot).unwrap_err(), first.slot + 2, first.slot);
    let next_slot = Now { slot: first.slot + 1, unix: first.unix + 2, ..first };
    print(&mut covenant, &alice, &mut market, 987, &next_slot);
    too_fresh(covenant.trip(&next_slot).unwrap_err(), first.slot + 2, first.slot + 1);
    // The second of them is no second look once slots have passed.
    let on = Now { slot: first.slot + 2, ..same_slot };
    let mut one_slot = long(&terms(1_000, 0)).0;
    let mut stored = long(&terms(1_000, 0)).2;
    for (permille, now) in [(988, first), (987, Now { unix: first.unix + 1, ..first })] {
        print(&mut one_slot, &alice, &mut stored, permille, &now);
    }
    touch(&mut one_slot, 1, &alice, &[stored], &on);
    too_fresh(one_slot.trip(&on).unwrap_err(), on.unix as u64, on.unix as u64);
    // So is one price in any number of slots.
    let mut one_price = long(&terms(1_000, 0)).0;
    let mut stored = long(&terms(1_000, 0)).2;
    print(&mut one_price, &alice, &mut stored, 988, &first);
    let on = Now { slot: first.slot + 9, ..first };
    touch(&mut one_price, 1, &alice, &[stored], &on);
    too_fresh(one_price.trip(&on).unwrap_err(), first.unix as u64, first.unix as u64);
    // One look above the limit in between, and it begins anew.
    let (back, again) = (later(&NOON, 5), later(&NOON, 7));
    print(&mut covenant, &alice, &mut market, 995, &back);
    print(&mut covenant, &alice, &mut market, 988, &again);
    too_fresh(covenant.trip(&again).unwrap_err(), again.slot + 2, again.slot);
    // A loss that is there twice trips.
    let trips = Now { slot: again.slot + 2, unix: again.unix + 1, ..again };
    print(&mut covenant, &alice, &mut market, 988, &trips);
    assert!(covenant.trip(&trips).unwrap().daily);
}

#[test]
fn a_loss_found_long_ago_is_found_anew() {
    let (mut covenant, alice, mut market) = long(&terms(1_000, 0));
    let first = later(&NOON, 2);
    print(&mut covenant, &alice, &mut market, 988, &first);
    let mut void = covenant;
    let (last, over) = (first.slot + FLAG_VOID_SLOTS, first.slot + FLAG_VOID_SLOTS + 1);
    let at = |slot: u64| Now { slot, unix: first.unix + 60, ..first };
    print(&mut covenant, &alice, &mut market.clone(), 988, &at(last));
    assert!(covenant.trip(&at(last)).unwrap().daily);
    print(&mut void, &alice, &mut market, 988, &at(over));
    too_fresh(void.trip(&at(over)).unwrap_err(), over + 2, over);
    // What was found before a restart is void too.
    let restarted = Now { restart_slot: over, slot: over + 3, unix: first.unix + 62 };
    print(&mut void, &alice, &mut market, 988, &restarted);
    too_fresh(void.trip(&restarted).unwrap_err(), over + 5, over + 3);
}

#[test]
fn every_leg_must_have_a_newer_price() {
    let (mut covenant, mut alice) = (bound(&terms(1_000, 0)), cash(10_000));
    let mut markets = [sharp(0, 100, &NOON), sharp(1, 100, &NOON)];
    for (slot, market) in markets.iter().enumerate() {
        hold(&mut alice, slot, market, 100_000_000);
    }
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    let mut show = |covenant: &mut CovenantState, of: &[usize], now: &Now| {
        for market in of {
            reprice(&mut markets[*market], price(94), now);
        }
        touch(covenant, 1, &alice, &markets, now);
        covenant.trip(now)
    };
    let at = |seconds| later(&NOON, seconds);
    too_fresh(show(&mut covenant, &[0, 1], &at(2)).unwrap_err(), at(2).slot + 2, at(2).slot);
    // A newer price of one market beside the print of the other.
    too_fresh(show(&mut covenant, &[1], &at(3)).unwrap_err(), at(2).unix as u64, at(2).unix as u64);
    too_fresh(show(&mut covenant, &[1], &at(5)).unwrap_err(), at(2).unix as u64, at(2).unix as u64);
    assert!(show(&mut covenant, &[0], &at(6)).unwrap().daily, "both are newer than the first look");
}

#[test]
fn what_is_open_is_closed_at_a_later_price_than_the_trips() {
    let (mut covenant, alice, mut market) = long(&terms(1_000, 0));
    let (first, second) = (later(&NOON, 2), later(&NOON, 4));
    print(&mut covenant, &alice, &mut market, 988, &first);
    print(&mut covenant, &alice, &mut market, 987, &second);
    let published = market.price.last.publish_time;
    assert_eq!(covenant.check_close_at(published + 1, &second).unwrap_err().error, Error::CovenantNotTripped);
    let _ = covenant.trip(&second).unwrap();
    // Not in the trip's transaction, whatever price is stored in it; not at one that the trip rested on.
    too_fresh(covenant.check_close_at(published + 1, &second).unwrap_err(), second.slot + 2, second.slot);
    let one_on = Now { slot: second.slot + 1, ..second };
    too_fresh(covenant.check_close_at(published + 1, &one_on).unwrap_err(), second.slot + 2, second.slot + 1);
    let ready = Now { slot: second.slot + 2, ..second };
    too_fresh(covenant.check_close_at(published, &ready).unwrap_err(), published as u64, published as u64);
    covenant.check_close_at(published + 1, &ready).unwrap();
}

#[test]
fn a_loss_that_is_realised_rests_on_no_price() {
    let (mut covenant, mut alice, mut market) = long(&terms(1_000, 0));
    let first = later(&NOON, 2);
    let low = Price(price(1).0 / 10 * 988);
    assert_eq!(post(&mut market, low, &first), Status::Good);
    let _ = reduce(&mut market, &mut alice, 0, units(1_000), low, Charge::Trade).unwrap();
    touch(&mut covenant, 1, &alice, &[], &first);
    too_fresh(covenant.trip(&first).unwrap_err(), first.slot + 2, first.slot);
    let ready = Now { slot: first.slot + 2, ..first };
    assert!(covenant.trip(&ready).unwrap().daily, "without another look");
}

#[test]
fn a_stranger_enrols_no_account_at_a_print_that_suits_it() {
    let mut market = market_at(0, price(100));
    set_price_at(&mut market, price(100), &NOON);
    let (mut covenant, mut alice) = (bound(&terms(0, 2_000)), cash(10_000));
    let _ = increase(&mut market, &mut alice, 0, units(1_000), true, price(100)).unwrap();
    // Its positions are older than the covenant. It is shown at a single high, then it stands a little below where it stood.
    print(&mut covenant, &alice, &mut market, 1_012, &later(&NOON, 1));
    for second in 3..=4 {
        print(&mut covenant, &alice, &mut market, 988, &later(&NOON, second));
    }
    let at = later(&NOON, 4);
    assert_eq!(covenant.trip(&at).unwrap_err().error, Error::CovenantNotBreached);
    assert!(covenant.headroom(&at).unwrap().fallen < dollars(1_400));
    // Nor beside a price that is not good, where a position counts for more than it is.
    let (mut covenant, mut bob) = (bound(&terms(0, 500)), cash(10_000));
    let mut markets = [sharp(0, 100, &NOON)];
    hold(&mut bob, 0, &markets[0], -100_000_000);
    let old = later(&NOON, 120);
    touch(&mut covenant, 1, &bob, &markets, &old);
    let shown = trip(&mut covenant, 1, &bob, &mut markets, &later(&old, 1));
    assert_eq!(shown.unwrap_err().error, Error::CovenantNotBreached);
    assert_eq!((covenant.mark, covenant.result().unwrap()), (SignedQuote(0), SignedQuote(0)));
}

#[test]
fn one_print_does_not_tell_the_days_start() {
    let (mut covenant, alice, mut market) = long(&terms(1_000, 0));
    let next = later(&NOON, 13 * HOUR);
    set_price_at(&mut market, price(100), &later(&NOON, 13 * HOUR - 5));
    print(&mut covenant, &alice, &mut market, 1_008, &next);
    for second in [1, 2] {
        print(&mut covenant, &alice, &mut market, 997, &later(&next, second));
    }
    // $800 above and $300 below.
    assert_eq!(covenant.trip(&later(&next, 2)).unwrap_err().error, Error::CovenantNotBreached);
}

#[test]
fn the_loss_of_days_that_nobody_saw_is_no_days_loss() {
    let (mut covenant, mut alice) = (bound(&terms(500, 1_000)), cash(10_000));
    hold(&mut alice, 0, &sharp(0, 100, &NOON), 100_000_000);
    touch(&mut covenant, 1, &alice, &[sharp(0, 100, &NOON)], &NOON);
    // Six dollars in thirty days.
    let today = later(&NOON, 30 * DAY);
    let fault = trip(&mut covenant, 1, &alice, &mut [sharp(0, 94, &today)], &today).unwrap_err();
    assert_eq!((fault.error, fault.value), (Error::CovenantNotBreached, dollars(600).0 as i64), "the drawdown's loss");
    let now = later(&today, 60);
    let room = covenant.headroom(&now).unwrap();
    assert_eq!((room.day_loss, room.fallen), (Quote(0), dollars(600)));
    covenant.check_increase(&later(&today, 1)).unwrap();
    // From here on it is the day's.
    let breach = trip(&mut covenant, 1, &alice, &mut [sharp(0, 89, &now)], &now).unwrap();
    assert_eq!((breach.daily, breach.day_loss), (true, dollars(500)));
    assert!(breach.drawdown, "which counts across all days");
}

#[test]
fn of_yesterday_the_last_sum_seen_is_the_days_start_however_it_is_looked_at() {
    for (days, lost) in [(1, 600), (2, 0)] {
        let (mut covenant, mut alice) = (bound(&terms(700, 0)), cash(10_000));
        hold(&mut alice, 0, &sharp(0, 100, &NOON), 100_000_000);
        touch(&mut covenant, 1, &alice, &[sharp(0, 100, &NOON)], &NOON);
        let day = later(&NOON, days * DAY);
        touch(&mut covenant, 1, &alice, &[sharp(0, 94, &day)], &day);
        assert_eq!(covenant.headroom(&day).unwrap().day_loss, dollars(lost), "{days}");
    }
    // Without positions one look tells it.
    let (mut covenant, mut alice) = (bound(&terms(700, 0)), cash(10_000));
    let mut markets = [sharp(0, 100, &NOON)];
    hold(&mut alice, 0, &markets[0], 100_000_000);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    let day = later(&NOON, 5 * DAY);
    reprice(&mut markets[0], price(97), &day);
    close(&mut alice, 0, &markets[0]);
    touch(&mut covenant, 1, &alice, &markets, &day);
    assert_eq!(covenant.day_start, SignedQuote(-(dollars(300).0 as i64)));
}

#[test]
fn an_entry_touched_beside_a_price_that_is_not_good_lets_no_money_out() {
    let mut market = market_at(0, price(100));
    set_price_at(&mut market, price(100), &NOON);
    let (mut short, purse) = (cash(6_000), cash(4_000));
    hold(&mut short, 0, &market, -300_000_000);
    let mut covenant = bound(&only_leverage(3));
    touch(&mut covenant, 1, &short, &[market], &NOON);
    touch(&mut covenant, 2, &purse, &[market], &NOON);
    let out = |covenant: &CovenantState, amount: u64| {
        let (mut covenant, mut purse) = (*covenant, purse);
        purse.take_out(dollars(amount)).unwrap();
        covenant.touch(&key(2), &measure(&purse, &[market], &NOON), purse.flow, &NOON).unwrap();
        covenant.check_taken_out()
    };
    let at_limit = out(&covenant, 1).unwrap_err();
    assert_eq!(at_limit.error, Error::CovenantLeverage, "at its limit");
    // Two minutes without a price: touched by its owner, the short counts 5 % of its notional more than it is, lest it trip.
    let old = later(&NOON, 120);
    assert_eq!(market.status(&old).unwrap(), Status::Stale);
    let before = covenant;
    touch(&mut covenant, 1, &short, &[market], &old);
    assert!(covenant.equity().unwrap() > before.equity().unwrap());
    assert_eq!(out(&covenant, 1).unwrap_err(), at_limit, "to the atom what it was");
    // Nor does a stranger lock any in by it (P13).
    let mut roomy = bound(&only_leverage(4));
    touch(&mut roomy, 1, &short, &[market], &NOON);
    touch(&mut roomy, 2, &purse, &[market], &NOON);
    touch(&mut roomy, 1, &short, &[market], &old);
    out(&roomy, 2_500).unwrap();
    assert_eq!(out(&roomy, 2_501).unwrap_err().error, Error::CovenantLeverage);
}

#[test]
fn a_strangers_touch_takes_no_enrolled_accounts_place() {
    let markets = [sharp(0, 100, &NOON)];
    let mut covenant = bound(&only_leverage(3));
    let mut one = cash(1_000);
    hold(&mut one, 0, &markets[0], 100_000_000);
    touch(&mut covenant, 1, &one, &markets, &NOON);
    for number in 2..=8 {
        touch(&mut covenant, number, &cash(1_000 + u64::from(number)), &markets, &NOON);
    }
    covenant.check_increase(&NOON).unwrap();
    // A ninth, empty.
    let before = covenant;
    let fault = covenant.touch(&key(9), &measure(&cash(0), &markets, &NOON), SignedQuote(0), &NOON).unwrap_err();
    assert_eq!((fault.error, fault.limit), (Error::CovenantFull, 8));
    assert_eq!(covenant, before);
    // One with positions needs a place: that of the one with the least.
    let mut ninth = cash(10);
    hold(&mut ninth, 0, &markets[0], 1_000_000);
    touch(&mut covenant, 9, &ninth, &markets, &NOON);
    assert!(covenant.find(&key(2)).is_none() && covenant.find(&key(3)).is_some());
}

//! P12: a covenant never gets looser before the delay its owner chose, whatever its owner tries.

use ballast_engine::constants::{
    COOL_DOWN_MAX, COOL_DOWN_MIN, DAY, HOUR, LOOSENING_LIFE, LOOSENING_MAX, LOOSENING_MIN,
};
use ballast_engine::covenant::{CovenantState, Limits};
use ballast_engine::{Error, Quote, Ratio, SignedQuote};
use proptest::prelude::*;

use super::{NOON, bound, cash, close, hold, key, later, limits, measure, reprice, sharp, touch, trip};
use crate::support::{dollars, price};

fn none() -> Limits {
    Limits { cool_down: COOL_DOWN_MIN, loosening_delay: LOOSENING_MIN, ..Limits::default() }
}

/// Every way in which terms can be looser than [`limits`], one at a time.
fn looser() -> Vec<Limits> {
    let old = limits();
    let mut all = vec![];
    for more in [Ratio(old.max_leverage.0 + 1), Ratio(0), Ratio(u64::MAX)] {
        all.push(Limits { max_leverage: more, ..old });
    }
    for more in [|q: Quote| Quote(q.0 + 1), |_| Quote(0), |_| Quote(u64::MAX)] {
        all.push(Limits { max_notional: more(old.max_notional), ..old });
        all.push(Limits { daily_loss: more(old.daily_loss), ..old });
        all.push(Limits { drawdown: more(old.drawdown), ..old });
    }
    all.push(Limits { cool_down: old.cool_down - 1, ..old });
    all.push(Limits { loosening_delay: old.loosening_delay - 1, ..old });
    all.push(Limits { auto_close: 0, ..old });
    all
}

#[test]
fn p12_nothing_looser_passes_for_tighter() {
    for terms in looser() {
        let mut covenant = bound(&limits());
        let before = covenant;
        assert_eq!(covenant.tighten(&terms).unwrap_err().error, Error::CovenantLooser, "{terms:?}");
        // Not even beside something tighter.
        let mixed = Limits { drawdown: Quote(terms.drawdown.0.min(1_000)), ..terms };
        if mixed.drawdown.0 != 0 && mixed != terms && terms.drawdown == limits().drawdown {
            assert_eq!(covenant.tighten(&mixed).unwrap_err().error, Error::CovenantLooser, "{mixed:?}");
        }
        assert_eq!(covenant, before);
    }
}

#[test]
fn p12_every_loosening_waits_for_the_delay_in_force_when_it_was_asked_for() {
    let delay = limits().loosening_delay;
    for terms in looser() {
        let mut covenant = bound(&limits());
        assert_eq!(covenant.ask(&terms, &NOON).unwrap(), NOON.unix + delay);
        assert_eq!(covenant.limits, limits(), "asking changes nothing");
        let early = covenant.loosen(&later(&NOON, delay - 1)).unwrap_err();
        assert_eq!((early.error, early.limit), (Error::CovenantNotReady, NOON.unix + delay));
        covenant.loosen(&later(&NOON, delay)).unwrap();
        assert_eq!((covenant.limits, covenant.asked_at), (terms, 0));
        assert_eq!(covenant.loosen(&later(&NOON, delay)).unwrap_err().error, Error::CovenantNoRequest);
    }
}

#[test]
fn p12_a_shorter_delay_waits_for_the_longer_one_and_does_not_help_what_is_asked_for_meanwhile() {
    let mut covenant = bound(&limits());
    let short = Limits { loosening_delay: LOOSENING_MIN, ..limits() };
    covenant.ask(&short, &NOON).unwrap();
    // Asking again puts the new request in the place of the old one, with its own delay.
    let asked = later(&NOON, HOUR);
    assert_eq!(covenant.ask(&none(), &asked).unwrap(), asked.unix + limits().loosening_delay);
    assert_eq!(covenant.loosen(&later(&NOON, limits().loosening_delay)).unwrap_err().error, Error::CovenantNotReady);
}

#[test]
fn p12_a_request_does_not_undo_what_was_tightened_after_it() {
    let mut covenant = bound(&limits());
    covenant.ask(&none(), &NOON).unwrap();
    let tight = Limits { drawdown: dollars(100), ..limits() };
    covenant.tighten(&tight).unwrap();
    for seconds in [0, limits().loosening_delay, 30 * DAY] {
        assert_eq!(covenant.loosen(&later(&NOON, seconds)).unwrap_err().error, Error::CovenantNoRequest);
    }
    assert_eq!(covenant.limits, tight);
}

#[test]
fn p12_a_request_cannot_be_kept_for_a_weak_moment() {
    let mut covenant = bound(&limits());
    let at = covenant.ask(&none(), &NOON).unwrap();
    let dead = at - NOON.unix + LOOSENING_LIFE;
    assert_eq!(covenant.loosen(&later(&NOON, dead + 1)).unwrap_err().error, Error::CovenantNoRequest);
    let mut in_time = covenant;
    in_time.loosen(&later(&NOON, dead)).unwrap();
}

#[test]
fn p12_a_covenant_in_force_or_cooling_down_is_not_closed() {
    let mut covenant = bound(&limits());
    assert_eq!(covenant.check_close(&NOON).unwrap_err().error, Error::CovenantInForce);
    let at = covenant.ask(&none(), &NOON).unwrap();
    covenant.tripped_until = at + 5;
    covenant.loosen(&later(&NOON, at - NOON.unix)).unwrap();
    assert_eq!(covenant.check_close(&later(&NOON, at - NOON.unix)).unwrap_err().error, Error::CovenantTripped);
    covenant.check_close(&later(&NOON, at - NOON.unix + 5)).unwrap();
    assert_eq!(CovenantState::default().begin(&none(), &NOON).unwrap_err().error, Error::CovenantInvalid);
}

#[test]
fn times_out_of_their_bounds_are_refused_everywhere() {
    let old = limits();
    let wrong = [
        Limits { cool_down: COOL_DOWN_MIN - 1, ..old },
        Limits { cool_down: COOL_DOWN_MAX + 1, ..old },
        Limits { cool_down: i64::MIN, ..old },
        Limits { loosening_delay: LOOSENING_MIN - 1, ..old },
        Limits { loosening_delay: LOOSENING_MAX + 1, ..old },
        Limits { loosening_delay: i64::MAX, ..old },
        Limits { auto_close: 2, ..old },
        Limits { reserved: 1, ..old },
    ];
    for terms in wrong {
        assert_eq!(CovenantState::default().begin(&terms, &NOON).unwrap_err().error, Error::CovenantInvalid);
        assert_eq!(bound(&old).tighten(&terms).unwrap_err().error, Error::CovenantInvalid);
        assert_eq!(bound(&old).ask(&terms, &NOON).unwrap_err().error, Error::CovenantInvalid);
    }
}

#[test]
fn p12_a_cool_down_is_not_shortened_by_looser_terms() {
    let (mut covenant, mut alice) = (bound(&Limits { cool_down: 5 * DAY, ..limits() }), cash(10_000));
    let mut markets = [sharp(0, 100, &NOON)];
    hold(&mut alice, 0, &markets[0], 100_000_000);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    reprice(&mut markets[0], price(90), &NOON);
    let at = covenant.ask(&none(), &NOON).unwrap();
    let breach = trip(&mut covenant, 1, &alice, &mut markets, &NOON).unwrap();
    assert_eq!((breach.daily, breach.drawdown, breach.until), (true, true, NOON.unix + 1 + 5 * DAY));
    let now = later(&NOON, at - NOON.unix);
    covenant.loosen(&now).unwrap();
    assert_eq!(covenant.check_increase(&now).unwrap_err().error, Error::CovenantTripped);
}

#[test]
fn p12_closing_an_account_and_opening_it_again_forgets_no_loss() {
    let mut markets = [sharp(0, 100, &NOON)];
    let (mut covenant, mut alice) = (bound(&limits()), cash(10_000));
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    hold(&mut alice, 0, &markets[0], 100_000_000);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    // $450 down, and nobody has seen it: closed, withdrawn, the account closed too.
    reprice(&mut markets[0], crate::support::PRICE.moved(false, ballast_engine::Price(4_500_000_000)).unwrap(), &NOON);
    close(&mut alice, 0, &markets[0]);
    let left = alice.collateral;
    alice.take_out(left).unwrap();
    covenant.leave(&key(1), alice.flow, &NOON).unwrap();
    assert_eq!(covenant.find(&key(1)), None);
    // The same address again.
    let mut again = cash(9_000);
    touch(&mut covenant, 1, &again, &markets, &NOON);
    assert_eq!(covenant.headroom(&NOON).unwrap().day_loss, dollars(450));
    hold(&mut again, 0, &markets[0], 100_000_000);
    touch(&mut covenant, 1, &again, &markets, &NOON);
    assert_eq!(covenant.trip(&NOON).unwrap_err().error, Error::CovenantNotBreached);
    reprice(&mut markets[0], price(95), &NOON);
    let breach = trip(&mut covenant, 1, &again, &mut markets, &later(&NOON, 1)).unwrap();
    assert_eq!(breach.day_loss, dollars(500), "450 before, 50 since");
}

#[test]
fn p12_nine_accounts_do_not_push_a_loss_out_of_sight() {
    let mut markets = [sharp(0, 100, &NOON)];
    let (mut covenant, mut alice) = (bound(&limits()), cash(10_000));
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    hold(&mut alice, 0, &markets[0], 100_000_000);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    reprice(&mut markets[0], price(96), &NOON);
    close(&mut alice, 0, &markets[0]);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    for number in 2..=40 {
        let flat = cash(u64::from(number));
        let seen = measure(&flat, &markets, &NOON);
        let shown = covenant.touch(&key(number), &seen, flat.flow, &NOON);
        // By anyone's touch it takes no other's place; before an increase of its own it does, of the one with the least.
        assert_eq!(shown.err().map(|fault| fault.error), (number > 8).then_some(Error::CovenantFull));
        covenant.enrol(&key(number), &seen, flat.flow, &NOON).unwrap();
        assert_eq!(covenant.headroom(&NOON).unwrap().day_loss, dollars(400));
    }
    assert!(covenant.find(&key(1)).is_some() && covenant.find(&key(2)).is_none(), "its place was needed");
    // With positions they keep their places, and a ninth finds none.
    for number in 41..=48 {
        let mut other = cash(1_000);
        hold(&mut other, 0, &markets[0], 1_000_000);
        touch(&mut covenant, number, &other, &markets, &NOON);
    }
    assert_eq!(covenant.find(&key(1)), None, "its place was needed too");
    let refused = covenant.enrol(&key(49), &measure(&cash(1), &markets, &NOON), SignedQuote(1), &NOON).unwrap_err();
    assert_eq!(refused.error, Error::CovenantFull);
    assert_eq!(covenant.headroom(&NOON).unwrap().day_loss, dollars(400));
}

#[test]
fn p12_midnight_forgets_no_loss_that_was_kept_out_of_sight() {
    let evening = later(&NOON, 11 * HOUR);
    let next = later(&NOON, 13 * HOUR);
    let start = [sharp(0, 100, &NOON)];
    let build = || {
        let (mut covenant, mut alice) = (bound(&limits()), cash(10_000));
        hold(&mut alice, 0, &start[0], 100_000_000);
        touch(&mut covenant, 1, &alice, &start, &NOON);
        (covenant, alice)
    };
    // Lost before midnight, seen after it: it counts to the day in which it is seen.
    let (mut covenant, alice) = build();
    let breach = trip(&mut covenant, 1, &alice, &mut [sharp(0, 94, &next)], &next).unwrap();
    assert_eq!(breach.day_loss, dollars(600));
    // A low that was seen in the evening is not the new day's start where the day begins higher.
    let (mut covenant, alice) = build();
    touch(&mut covenant, 1, &alice, &[sharp(0, 96, &evening)], &evening);
    let begun = trip(&mut covenant, 1, &alice, &mut [sharp(0, 100, &next)], &next);
    assert_eq!(begun.unwrap_err().error, Error::CovenantNotBreached);
    let breach = trip(&mut covenant, 1, &alice, &mut [sharp(0, 95, &next)], &later(&next, 60)).unwrap();
    assert_eq!(breach.day_loss, dollars(500));
    // A loss that was seen yesterday is yesterday's.
    let (mut covenant, alice) = build();
    touch(&mut covenant, 1, &alice, &[sharp(0, 96, &evening)], &evening);
    let breach = trip(&mut covenant, 1, &alice, &mut [sharp(0, 92, &next)], &next).unwrap();
    assert_eq!(breach.day_loss, dollars(400));
    assert_eq!(breach.fallen, dollars(800), "the drawdown counts across days");
}

#[test]
fn p12_one_leg_of_a_hedge_seen_before_midnight_makes_no_low_start() {
    let evening = later(&NOON, 11 * HOUR + 3_000);
    let start = [sharp(0, 100, &NOON)];
    let (mut covenant, mut long, mut short) = (bound(&limits()), cash(10_000), cash(10_000));
    hold(&mut long, 0, &start[0], 100_000_000);
    hold(&mut short, 0, &start[0], -100_000_000);
    touch(&mut covenant, 1, &long, &start, &NOON);
    touch(&mut covenant, 2, &short, &start, &NOON);
    // The owner shows the losing leg alone: the day is not to begin $1,000 down.
    let moved = [sharp(0, 90, &evening)];
    touch(&mut covenant, 1, &long, &moved, &evening);
    assert_eq!(covenant.trip(&evening).unwrap_err().error, Error::CovenantStale, "one leg alone trips nobody either");
    let next = later(&NOON, 13 * HOUR);
    let moved = [sharp(0, 90, &next)];
    touch(&mut covenant, 1, &long, &moved, &next);
    touch(&mut covenant, 2, &short, &moved, &next);
    let headroom = covenant.headroom(&next).unwrap();
    assert_eq!((headroom.day_loss, headroom.fallen), (Quote(0), Quote(0)));
    assert_eq!(covenant.day_start, SignedQuote(0));
}

#[test]
fn a_keeper_that_picks_a_price_for_each_leg_of_a_hedge_trips_nobody_and_raises_no_mark() {
    let start = [sharp(0, 100, &NOON)];
    let (mut covenant, mut long, mut short) = (bound(&limits()), cash(10_000), cash(10_000));
    hold(&mut long, 0, &start[0], 100_000_000);
    hold(&mut short, 0, &start[0], -100_000_000);
    touch(&mut covenant, 1, &long, &start, &NOON);
    touch(&mut covenant, 2, &short, &start, &NOON);
    // Two valid updates, both newer than the stored one, in one slot and in one transaction: the long is seen at the low one,
    // the short at the high one. And the other way round, for a mark that nobody ever reached.
    for (first, second) in [(94, 106), (106, 94)] {
        let mut now = later(&NOON, 2);
        touch(&mut covenant, 1, &long, &[sharp(0, first, &now)], &now);
        now.unix += 1;
        touch(&mut covenant, 2, &short, &[sharp(0, second, &now)], &now);
        assert_eq!(covenant.trip(&now).unwrap_err().error, Error::CovenantStale);
        assert_eq!((covenant.mark, covenant.seen), (SignedQuote(0), SignedQuote(0)));
        // At one price both are seen as they are.
        touch(&mut covenant, 1, &long, &[sharp(0, second, &now)], &now);
        assert_eq!(covenant.trip(&now).unwrap_err().error, Error::CovenantNotBreached);
    }
}

#[test]
fn a_price_that_is_not_good_counts_in_the_accounts_favour_and_raises_no_mark() {
    let mut markets = [sharp(0, 100, &NOON)];
    let (mut covenant, mut alice) = (bound(&limits()), cash(10_000));
    hold(&mut alice, 0, &markets[0], 100_000_000);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    // A print of 10 % down that is not confirmed: the last valid price counts.
    markets[0].price.last.price = price(90);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    assert_eq!(covenant.trip(&NOON).unwrap_err().error, Error::CovenantNotBreached);
    assert_eq!(covenant.check_increase(&NOON).unwrap_err().error, Error::CovenantStale);
    // One of 10 % up leaves the mark where it is.
    markets[0].price.last.price = price(110);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    assert_eq!(covenant.mark, SignedQuote(0));
    // One that has stopped counts at the valid price, moved in the account's favour. Alone it shows nothing anew; beside one
    // that goes on it shields no loss.
    reprice(&mut markets[0], price(90), &NOON);
    let (first, second) = (later(&NOON, 12), later(&NOON, 20));
    for now in [&first, &second] {
        touch(&mut covenant, 1, &alice, &markets, now);
    }
    let fault = covenant.trip(&second).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::CovenantTooFresh, NOON.unix, 0));
    let mut two = [markets[0], sharp(1, 100, &NOON)];
    hold(&mut alice, 1, &two[1], 1_000_000);
    for now in [&first, &second] {
        reprice(&mut two[1], price(100), now);
        touch(&mut covenant, 1, &alice, &two, now);
    }
    assert!(covenant.trip(&second).unwrap().day_loss < dollars(1_000));
}

#[test]
fn an_increase_needs_every_other_account_seen_in_25_slots() {
    let markets = [sharp(0, 100, &NOON)];
    let (mut covenant, mut alice) = (bound(&limits()), cash(10_000));
    hold(&mut alice, 0, &markets[0], 10_000_000);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    let at = |slots: u64| ballast_engine::Now { slot: NOON.slot + slots, ..NOON };
    touch(&mut covenant, 2, &cash(1_000), &markets, &at(20));
    covenant.check_increase(&at(25)).unwrap();
    let fault = covenant.check_increase(&at(26)).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::CovenantStale, 25, 26));
    assert_eq!(covenant.trip(&at(26)).unwrap_err().error, Error::CovenantStale);
    // What was stored before a restart is void.
    let restarted = ballast_engine::Now { restart_slot: NOON.slot, ..at(1) };
    assert_eq!(covenant.check_increase(&restarted).unwrap_err().error, Error::CovenantStale);
}

#[test]
fn notional_and_leverage_are_the_owners_over_all_accounts() {
    let markets = [sharp(0, 100, &NOON), sharp(1, 100, &NOON)];
    let mut covenant = bound(&Limits { max_notional: dollars(12_000), ..limits() });
    let (mut one, mut two) = (cash(1_000), cash(3_000));
    hold(&mut one, 0, &markets[0], 60_000_000);
    touch(&mut covenant, 1, &one, &markets, &NOON);
    // Six times on one account's own equity.
    assert_eq!(covenant.check_increase(&NOON).unwrap_err().error, Error::CovenantLeverage);
    touch(&mut covenant, 2, &two, &markets, &NOON);
    covenant.check_increase(&NOON).unwrap();
    assert_eq!(covenant.headroom(&NOON).unwrap().notional_left, Some(dollars(6_000)));
    hold(&mut two, 0, &markets[1], -60_010_000);
    touch(&mut covenant, 2, &two, &markets, &NOON);
    let fault = covenant.check_increase(&NOON).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::CovenantNotional, 12_000_000_000, 12_001_000_000));
    hold(&mut two, 0, &markets[1], -60_000_000);
    touch(&mut covenant, 2, &two, &markets, &NOON);
    covenant.check_increase(&NOON).unwrap();
    // Taking money out is what raises leverage next; moving it to the owner's other account does not.
    covenant.moved(&key(1), SignedQuote(-1_000_000)).unwrap();
    assert_eq!(covenant.check_taken_out().unwrap_err().error, Error::CovenantLeverage);
    covenant.moved(&key(2), SignedQuote(1_000_000)).unwrap();
    covenant.check_taken_out().unwrap();
    covenant.moved(&key(9), SignedQuote(1_000_000)).unwrap();
}

#[test]
fn the_days_loss_trips_once_a_day_and_a_drawdown_counts_anew() {
    let (mut covenant, mut alice) = (bound(&limits()), cash(10_000));
    let mut markets = [sharp(0, 100, &NOON)];
    hold(&mut alice, 0, &markets[0], 100_000_000);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    let mut fall = |covenant: &mut CovenantState, to: u64, now: &ballast_engine::Now| {
        reprice(&mut markets[0], price(to), now);
        trip(covenant, 1, &alice, &mut markets, now)
    };
    let breach = fall(&mut covenant, 95, &NOON).unwrap();
    assert_eq!((breach.daily, breach.drawdown), (true, false));
    // Until midnight: longer than the cool-down of six hours.
    assert_eq!(breach.until, NOON.unix + 12 * HOUR);
    assert!(covenant.check_auto_close(&NOON).is_ok() && covenant.check_increase(&NOON).is_err());
    // Nobody prolongs it by calling again.
    let now = later(&NOON, 11 * HOUR);
    assert_eq!(fall(&mut covenant, 94, &now).unwrap_err().error, Error::CovenantNotBreached);
    let now = later(&now, 60);
    let breach = fall(&mut covenant, 92, &now).unwrap();
    assert_eq!((breach.daily, breach.drawdown, breach.fallen), (false, true, dollars(800)));
    assert_eq!(breach.until, now.unix + 1 + 6 * HOUR);
    assert_eq!(fall(&mut covenant, 91, &later(&now, 60)).unwrap_err().error, Error::CovenantNotBreached);
    let over = later(&now, 6 * HOUR + 1);
    let _ = fall(&mut covenant, 92, &over);
    covenant.check_increase(&later(&over, 1)).unwrap();
    assert!(covenant.check_auto_close(&over).is_err());
    assert_eq!(covenant.trips, 2);
}

#[test]
fn a_loss_at_its_limit_stops_increases_before_anybody_trips_it() {
    let (mut covenant, mut alice) = (bound(&limits()), cash(10_000));
    let mut markets = [sharp(0, 100, &NOON)];
    hold(&mut alice, 0, &markets[0], 100_000_000);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    reprice(&mut markets[0], price(95), &NOON);
    touch(&mut covenant, 1, &alice, &markets, &NOON);
    assert_eq!(covenant.check_increase(&NOON).unwrap_err().error, Error::CovenantLoss);
}

proptest! {
    /// Whatever is asked for and tightened in whatever order: what is in force is never looser than it was a delay ago.
    #[test]
    fn p12_no_sequence_of_requests_loosens_before_its_delay(
        steps in proptest::collection::vec((0..4_u8, 0..6_u64, 0..6_u64, 1..5_i64, 0..100_000_i64), 1..60),
    ) {
        let mut covenant = bound(&limits());
        let mut now = NOON;
        // (when, limits): what was in force from then on.
        let mut history = vec![(now.unix, covenant.limits)];
        for (what, leverage, loss, days, seconds) in steps {
            now = later(&now, seconds);
            let terms = Limits {
                max_leverage: Ratio(leverage * 1_000_000),
                daily_loss: dollars(loss * 100),
                loosening_delay: days * DAY,
                ..limits()
            };
            let before = covenant;
            match what {
                0 => { let _ = covenant.tighten(&terms); }
                1 => { let _ = covenant.ask(&terms, &now); }
                _ => { let _ = covenant.loosen(&now); }
            }
            if covenant.limits != before.limits {
                if covenant.limits.check_no_looser(&before.limits).is_err() {
                    // It was in force, unchanged, for the whole delay that was in force when it was asked for.
                    let (since, old) = *history.last().unwrap();
                    prop_assert!(now.unix - since >= old.loosening_delay);
                }
                history.push((now.unix, covenant.limits));
            }
        }
    }
}

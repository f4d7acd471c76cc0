//! P11: pauses end by themselves, within a budget, and nothing prolongs them for free.

use ballast_engine::error::Error;
use ballast_engine::guardian::Emergency;
use ballast_engine::market::Overlay;
use ballast_engine::{Now, Quote};
use proptest::prelude::*;

const START: i64 = 1_700_000_000;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn at(seconds: i64) -> Now {
    Now { unix: START + seconds, slot: 1, restart_slot: 0 }
}

#[test]
fn reduce_only_ends_after_72_hours_to_the_second() {
    let mut overlay = Overlay::default();
    assert!(!overlay.reduce_only(&at(0)));
    overlay.arm_reduce_only(72 * HOUR, &at(0)).unwrap();
    assert!(overlay.reduce_only(&at(72 * HOUR - 1)));
    assert!(!overlay.reduce_only(&at(72 * HOUR)));
    let fault = overlay.check_increase(&at(0)).unwrap_err();
    assert_eq!((fault.error, fault.value), (Error::Paused, START + 72 * HOUR));
    overlay.check_increase(&at(72 * HOUR)).unwrap();
}

#[test]
fn no_arm_is_empty_or_longer_than_72_hours() {
    let mut overlay = Overlay::default();
    for seconds in [0, -1, i64::MIN, 72 * HOUR + 1, i64::MAX] {
        assert_eq!(overlay.arm_reduce_only(seconds, &at(0)).unwrap_err().error, Error::PauseBitsInvalid);
        assert_eq!(overlay.arm_cap(Quote(1), seconds, &at(0)).unwrap_err().error, Error::PauseBitsInvalid);
    }
    assert_eq!(overlay, Overlay::default());
}

#[test]
fn the_budget_is_96_hours_and_comes_back_14_days_after_a_pause_ended() {
    let mut overlay = Overlay::default();
    overlay.arm_reduce_only(72 * HOUR, &at(0)).unwrap();
    let again = 72 * HOUR;
    let fault = overlay.arm_reduce_only(24 * HOUR + 1, &at(again)).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::PauseBudget, 24 * HOUR, 24 * HOUR + 1));
    overlay.arm_reduce_only(24 * HOUR, &at(again)).unwrap();
    assert_eq!(overlay.budget_left(&at(again + 24 * HOUR)).unwrap(), 0);
    // The first one ended at 72 h: its time is back 14 days later, and not a second before.
    let back = 72 * HOUR + 14 * DAY;
    assert_eq!(overlay.arm_reduce_only(1, &at(back - 1)).unwrap_err().error, Error::PauseBudget);
    overlay.arm_reduce_only(72 * HOUR, &at(back)).unwrap();
    assert_eq!(overlay.arm_reduce_only(72 * HOUR, &at(back + HOUR)).unwrap_err().error, Error::PauseBudget);
}

#[test]
fn arming_again_while_one_runs_is_charged_for_what_it_adds() {
    let mut overlay = Overlay::default();
    overlay.arm_reduce_only(10 * HOUR, &at(0)).unwrap();
    // Nothing added: refused, nothing charged.
    let fault = overlay.arm_reduce_only(5 * HOUR, &at(5 * HOUR)).unwrap_err();
    assert_eq!((fault.error, fault.limit), (Error::PauseNotArmed, START + 10 * HOUR));
    assert_eq!(overlay.budget_left(&at(5 * HOUR)).unwrap(), 86 * HOUR);
    // Five hours added.
    overlay.arm_reduce_only(10 * HOUR, &at(5 * HOUR)).unwrap();
    assert_eq!(overlay.budget_left(&at(5 * HOUR)).unwrap(), 81 * HOUR);
    assert!(overlay.reduce_only(&at(15 * HOUR - 1)) && !overlay.reduce_only(&at(15 * HOUR)));
}

#[test]
fn re_arming_every_minute_cannot_outlast_the_budget() {
    let mut overlay = Overlay::default();
    let mut paused = 0;
    for minute in 0..14 * 24 * 60 {
        let now = at(minute * 60);
        let left = overlay.budget_left(&now).unwrap();
        let _ = overlay.arm_reduce_only((72 * HOUR).min(left.max(1)), &now);
        paused += i64::from(overlay.reduce_only(&now));
    }
    assert!(paused <= 96 * 60, "{paused}");
    assert!(paused > 90 * 60, "it can use what it has: {paused}");
}

#[test]
fn a_lower_cap_is_an_overlay_that_expires() {
    let mut overlay = Overlay::default();
    let parameter = Quote(1_000);
    overlay.arm_cap(Quote(0), 12 * HOUR, &at(0)).unwrap();
    assert_eq!(overlay.effective_cap(parameter, &at(12 * HOUR - 1)), Quote(0));
    assert_eq!(overlay.effective_cap(parameter, &at(12 * HOUR)), parameter);
    // Never above the parameter.
    overlay.arm_cap(Quote(5_000), 12 * HOUR, &at(DAY)).unwrap();
    assert_eq!(overlay.effective_cap(parameter, &at(DAY)), parameter);
    // A cap and a reduce-only of the same hours both count.
    assert_eq!(overlay.budget_left(&at(DAY)).unwrap(), 72 * HOUR);
    overlay.arm_reduce_only(72 * HOUR, &at(DAY)).unwrap();
    assert_eq!(overlay.arm_cap(Quote(1), 13 * HOUR, &at(DAY)).unwrap_err().error, Error::PauseBudget);
    // Within its hours it may be set anew, at no cost.
    overlay.arm_cap(Quote(7), HOUR, &at(DAY)).unwrap();
    assert_eq!(overlay.effective_cap(parameter, &at(DAY + 12 * HOUR - 1)), Quote(7));
}

#[test]
fn lifting_ends_at_once_and_gives_nothing_back() {
    let mut overlay = Overlay::default();
    overlay.arm_reduce_only(72 * HOUR, &at(0)).unwrap();
    overlay.arm_cap(Quote(1), HOUR, &at(0)).unwrap();
    overlay.lift(&at(60));
    assert!(!overlay.reduce_only(&at(60)));
    assert_eq!(overlay.effective_cap(Quote(9), &at(60)), Quote(9));
    assert_eq!(overlay.budget_left(&at(60)).unwrap(), 23 * HOUR);
    overlay.lift(&at(100 * DAY));
    assert!(!overlay.reduce_only(&at(60)), "lifting later does not prolong");
}

#[test]
fn emergency_lasts_12_hours_once_in_14_days() {
    let mut emergency = Emergency::default();
    assert!(!emergency.active(&at(0)));
    for seconds in [0, -1, 12 * HOUR + 1] {
        assert_eq!(emergency.arm(seconds, &at(0)).unwrap_err().error, Error::PauseBitsInvalid);
    }
    emergency.arm(12 * HOUR, &at(0)).unwrap();
    assert!(emergency.active(&at(12 * HOUR - 1)));
    assert_eq!(emergency.check(&at(12 * HOUR - 1)).unwrap_err().error, Error::Paused);
    assert!(!emergency.active(&at(12 * HOUR)));
    for second in [HOUR, 12 * HOUR, 14 * DAY - 1] {
        let fault = emergency.arm(1, &at(second)).unwrap_err();
        assert_eq!((fault.error, fault.limit), (Error::PauseNotArmed, START + 14 * DAY));
    }
    emergency.lift(&at(HOUR));
    assert!(!emergency.active(&at(HOUR)));
    assert_eq!(emergency.arm(1, &at(2 * HOUR)).unwrap_err().error, Error::PauseNotArmed, "lifted is still used up");
    emergency.arm(12 * HOUR, &at(14 * DAY)).unwrap();
}

#[test]
fn emergency_counts_the_time_it_has_held_back() {
    let mut emergency = Emergency::default();
    assert_eq!(emergency.held_until(&at(0)).unwrap(), 0);
    emergency.arm(10 * HOUR, &at(0)).unwrap();
    assert_eq!(emergency.held_until(&at(0)).unwrap(), 0);
    assert_eq!(emergency.held_until(&at(HOUR)).unwrap(), HOUR);
    assert_eq!(emergency.held_until(&at(11 * HOUR)).unwrap(), 10 * HOUR);
    emergency.arm(2 * HOUR, &at(20 * DAY)).unwrap();
    assert_eq!(emergency.held_until(&at(20 * DAY + HOUR)).unwrap(), 11 * HOUR);
    emergency.lift(&at(20 * DAY + HOUR));
    assert_eq!(emergency.held_until(&at(30 * DAY)).unwrap(), 11 * HOUR);
}

proptest! {
    /// Whatever is armed whenever: no 14 days hold more than 96 hours of it, reduce-only and lower caps added up.
    #[test]
    fn no_window_of_14_days_holds_more_than_96_hours(
        arms in prop::collection::vec((any::<bool>(), 0_i64..100, 1_i64..73), 1..60)
    ) {
        let mut overlay = Overlay::default();
        let mut hours = vec![0_i64; 60 * 100 + 200];
        let (mut clock, mut armed) = (0, 0);
        for (cap, wait, long) in arms {
            for _ in 0..wait {
                let now = at(clock * HOUR);
                let capped = overlay.effective_cap(Quote(2), &now) == Quote(1);
                hours[clock as usize] = i64::from(overlay.reduce_only(&now)) + i64::from(capped);
                clock += 1;
            }
            let now = at(clock * HOUR);
            let done = if cap {
                overlay.arm_cap(Quote(1), long * HOUR, &now)
            } else {
                overlay.arm_reduce_only(long * HOUR, &now)
            };
            armed += i64::from(done.is_ok());
        }
        prop_assert!(armed > 0);
        for _ in 0..100 {
            let now = at(clock * HOUR);
            let capped = overlay.effective_cap(Quote(2), &now) == Quote(1);
            hours[clock as usize] = i64::from(overlay.reduce_only(&now)) + i64::from(capped);
            clock += 1;
        }
        for window in hours.windows(14 * 24) {
            prop_assert!(window.iter().sum::<i64>() <= 96);
        }
        prop_assert_eq!(hours[clock as usize - 1], 0, "and all ends");
    }
}

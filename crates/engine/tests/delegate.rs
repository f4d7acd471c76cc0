//! Delegates: what they may do, until when, and what their orders' fees may cost in a day.

use ballast_engine::constants::{DAY, DELEGATE_MAX};
use ballast_engine::delegate::{ALL, COLLATERAL, Delegate, ORDERS, TRADE};
use ballast_engine::layout::Key;
use ballast_engine::{Error, Now, Quote};

use crate::support::NOW;

const OWNER: Key = Key([1; 32]);
const DESK: Key = Key([2; 32]);

fn later(seconds: i64) -> Now {
    Now { unix: NOW.unix + seconds, ..NOW }
}

fn appointed(permissions: u64, budget: u64) -> Delegate {
    let mut delegate = Delegate::default();
    delegate.appoint(DESK, &OWNER, NOW.unix + DAY, permissions, Quote(budget), &NOW).unwrap();
    delegate
}

#[test]
fn it_may_do_what_it_was_given_and_nothing_else() {
    for given in 1..=ALL {
        let delegate = appointed(given, 0);
        for asked in [TRADE, ORDERS, COLLATERAL, TRADE | ORDERS, ALL] {
            assert_eq!(delegate.may(&DESK, asked, &NOW), given & asked == asked, "{given} {asked}");
            assert!(!delegate.may(&OWNER, asked, &NOW) && !delegate.may(&Key::default(), asked, &NOW));
        }
    }
    // Nobody's key is not a delegate's.
    assert!(!Delegate::default().may(&Key::default(), TRADE, &NOW));
    assert!(!Delegate::default().may(&Key::default(), 0, &NOW));
}

#[test]
fn its_right_ends_to_the_second() {
    let delegate = appointed(ALL, 0);
    assert!(delegate.may(&DESK, ALL, &later(DAY - 1)));
    assert!(!delegate.may(&DESK, TRADE, &later(DAY)));
}

#[test]
fn what_cannot_be_given_is_refused() {
    let mut delegate = Delegate::default();
    let mut try_it = |key, until, permissions| {
        delegate.appoint(key, &OWNER, until, permissions, Quote(1), &NOW).map_err(|fault| fault.error)
    };
    assert_eq!(try_it(DESK, NOW.unix + 1, 0), Err(Error::DelegateInvalid));
    assert_eq!(try_it(DESK, NOW.unix + 1, 8), Err(Error::DelegateInvalid));
    assert_eq!(try_it(DESK, NOW.unix + 1, u64::MAX), Err(Error::DelegateInvalid));
    assert_eq!(try_it(OWNER, NOW.unix + 1, TRADE), Err(Error::DelegateInvalid));
    assert_eq!(try_it(DESK, NOW.unix, TRADE), Err(Error::DelegateInvalid));
    assert_eq!(try_it(DESK, NOW.unix + DELEGATE_MAX + 1, TRADE), Err(Error::DelegateInvalid));
    assert_eq!(try_it(DESK, i64::MAX, TRADE), Err(Error::DelegateInvalid));
    assert_eq!(try_it(DESK, NOW.unix + DELEGATE_MAX, TRADE), Ok(()));
}

#[test]
fn a_days_fees_stay_within_the_budget_whoever_is_appointed_meanwhile() {
    let mut delegate = appointed(ALL, 100);
    delegate.spend(Quote(60), &NOW).unwrap();
    assert_eq!(delegate.spend(Quote(41), &NOW).unwrap_err().error, Error::DelegateBudget);
    delegate.spend(Quote(40), &NOW).unwrap();
    // Revoked and appointed again: the day's fees are still spent.
    delegate.appoint(Key::default(), &OWNER, 0, 0, Quote(0), &NOW).unwrap();
    assert!(!delegate.may(&DESK, TRADE, &NOW));
    delegate.appoint(DESK, &OWNER, NOW.unix + 9 * DAY, ALL, Quote(100), &NOW).unwrap();
    assert_eq!(delegate.spend(Quote(1), &NOW).unwrap_err().error, Error::DelegateBudget);
    // A new day, and a clock that runs back does not make another.
    delegate.spend(Quote(100), &later(DAY)).unwrap();
    assert_eq!(delegate.spend(Quote(1), &NOW).unwrap_err().error, Error::DelegateBudget);
    assert_eq!(delegate.spend(Quote(1), &later(DAY)).unwrap_err().error, Error::DelegateBudget);
    assert_eq!(delegate.spend(Quote(u64::MAX), &later(DAY)).unwrap_err().error, Error::MathOverflow);
    delegate.spend(Quote(0), &later(DAY)).unwrap();
}

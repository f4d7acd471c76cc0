//! The job `orders`: what fills is filled, what was met is recorded in time, what never fills is cleared away.

use anchor_lang::prelude::Pubkey;
use ballast_engine::constants::{ORDER_LIFE, RING};
use ballast_keeper::fees::Need;
use ballast_tests::{Ask, Expect, Setup, Terms, Trader, units};

use super::{keep, plan};

const EXIT: u8 = 3;

fn earned(setup: &Setup) -> u64 {
    setup.account(&setup.keeper).state.collateral.0
}

fn price(setup: &Setup) -> u64 {
    setup.market(0).state.price.last.price.0
}

fn waits(setup: &Setup, order: &Pubkey) -> bool {
    setup.world.svm.get_account(order).is_some_and(|account| account.lamports > 0)
}

fn long(setup: &mut Setup, name: &str, collateral: u64) -> Trader {
    let trader = setup.trader(name, units(collateral));
    setup.open(&trader, 0, units(20_000).cast_signed());
    trader
}

#[test]
fn a_market_order_is_filled_at_a_later_price_for_its_fee() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let order = setup.place(&alice, 0, setup.size_for(0, units(20_000).cast_signed())).unwrap();
    let fee = setup.order(&order).terms.fee.0;
    assert!(plan(&setup, "orders").is_empty(), "no price was published after it");
    setup.later();
    let planned = plan(&setup, "orders");
    assert_eq!((planned.len(), planned[0].subject, planned[0].reward), (1, order, fee));
    assert_eq!(keep(&mut setup, "orders"), 1);
    assert!(setup.position(&alice, 0) > 0 && !waits(&setup, &order));
    assert_eq!((earned(&setup), setup.account(&alice).state.orders), (fee, 0));
}

#[test]
fn a_bracket_lives_to_its_end_stop_first_and_leaves_no_order() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let (size, now) = (setup.size_for(0, units(20_000).cast_signed()), price(&setup));
    let bracket =
        Ask { size, kind: 1, limit: now / 100 * 99, stop: now / 100 * 97, target: now / 100 * 110, ..Ask::default() };
    let order = setup.place(&alice, 0, bracket).unwrap();
    setup.later();
    assert!(plan(&setup, "orders").is_empty(), "the price is not at its limit");
    setup.move_by(0, -200);
    setup.tick(2);
    assert_eq!(keep(&mut setup, "orders"), 1, "the entry");
    assert!(setup.position(&alice, 0) == size && waits(&setup, &order), "its exits wait under its number");
    setup.later();
    assert!(plan(&setup, "orders").is_empty(), "neither stop nor target");
    setup.move_by(0, -200);
    setup.tick(2);
    assert_eq!(keep(&mut setup, "orders"), 1, "the stop");
    assert_eq!((setup.position(&alice, 0), setup.account(&alice).state.orders), (0, 0));
    assert!(!waits(&setup, &order) && earned(&setup) > 0);
}

/// Half a ring of newer prices after a trail has moved, its stop is recorded: nobody pays, and nobody has to be asked to.
#[test]
fn a_trail_is_recorded_before_the_ring_forgets_it() {
    let mut setup = Setup::with(&Terms::still());
    let alice = long(&mut setup, "alice", 10_000);
    let trail = price(&setup) / 20;
    let exit = Ask { size: -setup.position(&alice, 0), reduce_only: true, kind: EXIT, trail, ..Ask::default() };
    let order = setup.place(&alice, 0, exit).unwrap();
    setup.later();
    setup.move_by(0, 200);
    let top = price(&setup);
    // Back again: the best price is one of many.
    setup.move_by(0, -150);
    assert!(plan(&setup, "orders").is_empty(), "the ring still has it");
    for _ in 0..RING / 2 {
        setup.tick(2);
    }
    let planned = plan(&setup, "orders");
    assert_eq!((planned.len(), planned[0].subject, planned[0].reward), (1, order, 0), "for nothing");
    assert_eq!(planned[0].need, Need::Record(alice.subaccount), "so many for a subaccount, from a part of the budget");
    assert_eq!(keep(&mut setup, "orders"), 1);
    assert_eq!(setup.order(&order).terms.stop.0, top - trail);
    // What is recorded stays, though no price of the ring says so any more.
    for _ in 0..RING {
        setup.tick(2);
    }
    assert_eq!(keep(&mut setup, "orders"), 0);
    setup.move_by(0, -400);
    setup.tick(2);
    assert_eq!(keep(&mut setup, "orders"), 1);
    assert_eq!(setup.position(&alice, 0), 0);
}

#[test]
fn what_can_never_fill_again_is_cleared_away_for_its_fee() {
    let mut setup = Setup::with(&Terms::still());
    let (alice, bob) = (setup.trader("alice", units(10_000)), long(&mut setup, "bob", 10_000));
    let size = setup.size_for(0, units(20_000).cast_signed());
    // One whose price came and went, one that has expired, one whose position is closed.
    let lapsed = setup.place(&alice, 0, size).unwrap();
    let far = price(&setup) / 2;
    let expires_at = setup.world.now().unix + 60;
    let expired = setup.place(&alice, 0, Ask { size, kind: 1, limit: far, expires_at, ..Ask::default() }).unwrap();
    let held = setup.position(&bob, 0);
    let orphan = Ask { size: -held, reduce_only: true, kind: EXIT, stop: far, ..Ask::default() };
    let orphan = setup.place(&bob, 0, orphan).unwrap();
    let fees: u64 = [&lapsed, &expired, &orphan].iter().map(|order| setup.order(order).terms.fee.0).sum();
    setup.close(&bob, 0);
    let before = earned(&setup);
    assert_eq!(plan(&setup, "orders").iter().filter(|action| action.subject == orphan).count(), 1);
    setup.tick(ORDER_LIFE + 1);
    setup.tick(61);
    let planned = plan(&setup, "orders");
    assert_eq!(planned.iter().map(|action| action.reward).sum::<u64>(), fees);
    assert_eq!(keep(&mut setup, "orders"), 3);
    assert!([&lapsed, &expired, &orphan].iter().all(|order| !waits(&setup, order)));
    assert_eq!(earned(&setup), before + fees);
    assert_eq!((setup.account(&alice).state.orders, setup.account(&bob).state.orders), (0, 0));
}

/// Its price is there and its account lacks the margin: it goes, with the reason. A reduction that is refused stays.
#[test]
fn what_an_account_cannot_fill_is_cleared_away_and_a_reduction_is_not() {
    let mut setup = Setup::with(&Terms::still());
    let (alice, bob) = (setup.trader("alice", units(1_000)), long(&mut setup, "bob", 10_000));
    let order = setup.place(&alice, 0, setup.size_for(0, units(200_000).cast_signed())).unwrap();
    let all_but_dust = 1 - setup.position(&bob, 0);
    let dust = setup.place(&bob, 0, Ask { size: all_but_dust, reduce_only: true, ..Ask::default() }).unwrap();
    setup.later();
    let planned = plan(&setup, "orders");
    assert_eq!((planned.len(), planned[0].subject), (1, order));
    assert_eq!(keep(&mut setup, "orders"), 1);
    assert!(!waits(&setup, &order) && waits(&setup, &dust));
    assert_eq!(setup.position(&alice, 0), 0);
}

/// A covenant must have seen the owner's other accounts: the keeper shows them in the same transaction.
#[test]
fn an_order_under_a_covenant_goes_with_the_owners_other_accounts_in_front() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.bound("alice", units(10_000));
    let aside = setup.trader_with("alice", 7, false, units(5_000));
    setup.open(&alice, 0, units(20_000).cast_signed());
    let order = setup.place(&aside, 0, setup.size_for(0, units(8_000).cast_signed())).unwrap();
    setup.tick(20);
    let bare = setup.execute_ix(&aside, 0, &order, false);
    setup.clone().world.send(&[bare], &[]).fails(ballast_engine::Error::CovenantStale);
    let planned = plan(&setup, "orders");
    assert_eq!((planned.len(), planned[0].instructions.len()), (1, 2), "the other account is shown first");
    assert_eq!(keep(&mut setup, "orders"), 1);
    assert!(setup.position(&aside, 0) > 0);
}

/// An account with positions from before its owner's covenant is shown to it by whoever fills its order.
#[test]
fn an_order_of_an_account_that_the_covenant_does_not_know_goes_with_that_one_in_front() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, 0, units(10_000).cast_signed());
    let held = setup.position(&alice, 0);
    setup.bind(&alice, ballast_tests::binding::TERMS).must();
    let order = setup.place(&alice, 0, setup.size_for(0, units(8_000).cast_signed())).unwrap();
    setup.later();
    let bare = setup.execute_ix(&alice, 0, &order, false);
    setup.clone().world.send(&[bare], &[]).fails(ballast_engine::Error::CovenantNotEnrolled);
    assert_eq!(keep(&mut setup, "orders"), 1);
    assert!(setup.position(&alice, 0) > held && !waits(&setup, &order));
}

/// What its owner's covenant forbids is cleared away like what its account cannot fill.
#[test]
fn an_order_that_a_covenant_forbids_is_cleared_away() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.bound("alice", units(10_000));
    let aside = setup.trader_with("alice", 7, false, units(5_000));
    setup.open(&alice, 0, units(40_000).cast_signed());
    // Within its own margin and leverage; not within that of both.
    let order = setup.place(&aside, 0, setup.size_for(0, units(38_000).cast_signed())).unwrap();
    setup.later();
    let planned = plan(&setup, "orders");
    assert_eq!((planned.len(), planned[0].subject), (1, order));
    assert_eq!(keep(&mut setup, "orders"), 1);
    assert!(setup.position(&aside, 0) == 0 && !waits(&setup, &order) && earned(&setup) > 0);
}

/// The keeper's own order pays no fee to itself: it comes back to the account.
#[test]
fn the_keepers_own_order_is_filled_without_a_fee() {
    let mut setup = Setup::with(&Terms::still());
    let keeper = setup.keeper.clone();
    setup.deposit(&keeper, units(10_000)).must();
    let order = setup.place(&keeper, 0, setup.size_for(0, units(20_000).cast_signed())).unwrap();
    setup.later();
    assert_eq!(plan(&setup, "orders")[0].reward, 0);
    assert_eq!(keep(&mut setup, "orders"), 1);
    assert!(setup.position(&keeper, 0) > 0 && !waits(&setup, &order));
}

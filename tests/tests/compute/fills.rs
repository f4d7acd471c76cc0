//! Orders, fills, immediate reductions, settling, the exit from a silent market.

use ballast_client::instructions as ix;
use ballast_tests::{Ask, Expect as _, Setup, Terms, Trader, units};

use super::Units;

pub(crate) fn run(all: &mut Units) {
    one_position(all);
    eight_positions(all);
    cancelled(all);
    silent(all);
}

/// An exchange of eight markets where funding runs, and a trader with a position in each, longs and shorts. The other
/// sides are there too.
pub(crate) fn eight(all: &mut Units, collateral: u64, notional: i64) -> (Setup, Trader) {
    let mut setup = Setup::with(&Terms { funding: true, ..Terms::cross(8) });
    let other = setup.trader("other side", units(500_000));
    let trader = setup.trader("wide", collateral);
    for market in 0..8 {
        setup.open(&other, market, -2 * notional);
        let size = setup.size_for(market, notional);
        let order = place(&mut setup, all, &trader, market, Ask::from(size));
        setup.later();
        let filled = setup.execute(&trader, market, &order);
        if market == 7 {
            all.add("execute_order_8", filled);
        } else {
            filled.must();
        }
    }
    (setup, trader)
}

fn place(setup: &mut Setup, all: &mut Units, trader: &Trader, market: usize, ask: Ask) -> anchor_lang::prelude::Pubkey {
    let (place, order) = setup.place_ix(trader, market, ask);
    all.add("place_order", setup.world.send(&[place], &[&trader.key]));
    order
}

/// Places an order and fills it so many seconds after the price that made it fillable.
fn trade(setup: &mut Setup, all: &mut Units, name: &str, trader: &Trader, market: usize, ask: Ask, late: i64) {
    let order = place(setup, all, trader, market, ask);
    setup.later();
    setup.world.advance(late);
    all.add(name, setup.execute(trader, market, &order));
}

fn one_position(all: &mut Units) {
    let mut setup = Setup::new();
    let other = setup.trader("other side", units(200_000));
    setup.open(&other, 0, -units(150_000).cast_signed());
    setup.open(&other, 1, -units(90_000).cast_signed());
    let alice = setup.trader("alice", units(100_000));
    let name = "execute_order_1";
    let size = |setup: &Setup, market, whole: i64| setup.size_for(market, whole * 1_000_000);

    for (market, late) in [(0, 0), (1, 0)] {
        let ask = Ask::from(size(&setup, market, 80_000));
        trade(&mut setup, all, name, &alice, market, ask, late);
        setup.move_by(market, 40);
        let ask = Ask { limit: u64::MAX, ..Ask::from(size(&setup, market, 20_000)) };
        trade(&mut setup, all, name, &alice, market, ask, 0);
        // Later than the price: funding accrues in the fill.
        let ask = Ask { reduce_only: true, ..Ask::from(size(&setup, market, -30_000)) };
        trade(&mut setup, all, name, &alice, market, ask, 2);
        all.add("settle", setup.settle(&alice, market));
        setup.world.advance(2);
        all.add("reduce", setup.reduce(&alice, market, size(&setup, market, 10_000).unsigned_abs(), false));
        setup.move_by(market, -120);
        // A flip.
        let ask = Ask::from(size(&setup, market, -120_000));
        trade(&mut setup, all, name, &alice, market, ask, 0);
        setup.move_by(market, 30);
        all.add("settle", setup.settle(&alice, market));
        let ask = Ask { reduce_only: true, ..Ask::from(-setup.position(&alice, market)) };
        trade(&mut setup, all, name, &alice, market, ask, 0);
        assert_eq!(setup.position(&alice, market), 0);
    }
    bracket(&mut setup, all, &alice);
    // An isolated account in the long tail.
    let carol = setup.isolated("carol", units(20_000));
    let ask = Ask::from(size(&setup, 2, -20_000));
    trade(&mut setup, all, name, &carol, 2, ask, 0);
    let whole = setup.position(&carol, 2).unsigned_abs();
    all.add("reduce", setup.reduce(&carol, 2, whole, false));
    setup.audit();
}

/// A bracket's entry, its trail, its exit by the target and by the stop.
fn bracket(setup: &mut Setup, all: &mut Units, alice: &Trader) {
    for (market, by) in [(0, 110), (1, -140)] {
        let price = setup.market(market).state.price.last.price.0;
        let (stop, target, trail) = (price - price / 100, price + price / 100, price / 90);
        let entry = Ask { limit: price + price / 50, kind: 1, ..Ask::from(setup.size_for(market, 20_000_000_000)) };
        let order = place(setup, all, alice, market, Ask { stop, target, trail, ..entry });
        setup.later();
        setup.tick(1);
        all.add("execute_order_1", setup.execute(alice, market, &order));
        setup.later();
        setup.move_by(market, 20);
        all.add("trigger_order", setup.trigger(alice, market, &order));
        setup.move_by(market, by);
        if by < 0 {
            all.add("trigger_order", setup.trigger(alice, market, &order));
        }
        setup.tick(1);
        all.add("execute_order_1", setup.execute(alice, market, &order));
        assert_eq!(setup.position(alice, market), 0);
        setup.move_by(market, -by);
    }
    // What its account cannot fill, for a keeper to cancel.
    let order = place(setup, all, alice, 0, Ask::from(setup.size_for(0, 9_000_000_000_000)));
    setup.later();
    all.add("cancel_order", setup.cancel_unfillable(alice, 0, &order));
}

fn eight_positions(all: &mut Units) {
    let (mut setup, trader) = eight(all, units(60_000), units(20_000).cast_signed());
    let name = "execute_order_8";
    let size = |setup: &Setup, market, whole: i64| setup.size_for(market, whole * 1_000_000);
    let ask = Ask::from(size(&setup, 3, 5_000));
    trade(&mut setup, all, name, &trader, 3, ask, 0);
    for market in [0, 7] {
        setup.move_by(market, 50);
        let ask = Ask::from(size(&setup, market, 4_000));
        trade(&mut setup, all, name, &trader, market, ask, 2);
        let ask = Ask::from(size(&setup, market, -50_000));
        trade(&mut setup, all, name, &trader, market, ask, 0);
    }
    let ask = Ask { reduce_only: true, ..Ask::from(size(&setup, 5, -7_000)) };
    trade(&mut setup, all, name, &trader, 5, ask, 0);
    all.add("reduce", setup.reduce(&trader, 4, size(&setup, 4, 5_000).unsigned_abs(), true));
    setup.audit();
}

fn cancelled(all: &mut Units) {
    let mut setup = Setup::new();
    let alice = setup.trader("alice", units(10_000));
    let ask = Ask::from(setup.size_for(0, 1_000_000_000));
    for seconds in [12, 40] {
        let order = place(&mut setup, all, &alice, 0, ask);
        setup.world.advance(seconds);
        all.add("cancel_order", setup.cancel(&alice, 0, &order));
    }
    // Dead: a keeper gets its fee.
    let order = place(&mut setup, all, &alice, 0, ask);
    setup.later();
    setup.world.advance(40);
    all.add("cancel_order", setup.cancel_dead(&alice, 0, &order));
    // Without anybody who is paid, the fee goes back.
    let order = place(&mut setup, all, &alice, 0, ask);
    setup.later();
    let (market, owner) = (setup.market_key(0), alice.address());
    let covenant = ix::pubkey(&setup.account(&alice).covenant);
    let execute = ix::execute_order(&market, &alice.subaccount, &order, &owner, None, &covenant, &[]);
    all.add("execute_order_1", setup.world.send(&[execute], &[]));
}

fn silent(all: &mut Units) {
    let mut setup = Setup::new();
    let [alice, bob] = ["alice", "bob"].map(|name| setup.trader(name, units(50_000)));
    setup.open(&alice, 0, units(40_000).cast_signed());
    setup.open(&bob, 0, -units(60_000).cast_signed());
    setup.world.advance(3_700);
    all.add("exit_silent", setup.exit_silent(&alice, 0));
    all.add("exit_silent", setup.exit_silent(&bob, 0));
    for _ in 0..3 {
        setup.tick(2);
    }
    // The holdback comes back.
    all.add("settle", setup.settle(&alice, 0));
    setup.audit();
}

//! P4, orders: they fill by the rules or not at all, once, for the fee that was put aside; no keeper picks their price.

use anchor_lang::prelude::Pubkey;
use ballast::BallastError;
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::constants::{ORDER_LIFE, RING};
use ballast_engine::order::Kind;
use ballast_tests::{Ask, Expect as _, Posted, Setup, Terms, Trader, event, units};

use super::bank::on_bank;
use super::{BTC, ETH, whole};

/// The stored price, moved by so many basis points.
fn level(setup: &Setup, market: usize, bps: i64) -> u64 {
    let price = setup.market(market).state.price.last.price.0;
    (price / 10_000).saturating_mul((10_000 + bps).unsigned_abs())
}

fn reward(setup: &Setup) -> u64 {
    setup.account(&setup.keeper).state.collateral.0
}

fn fee(setup: &Setup, market: usize) -> u64 {
    setup.market(market).state.params.order_fee.0
}

fn code(error: Error) -> u32 {
    BallastError::from(error).into()
}

/// Alice, and a bracket of hers: a market order for ten thousand units, a stop one percent below, a target one above.
fn bracket() -> (Setup, Trader, Pubkey) {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let (stop, target) = (level(&setup, BTC, -100), level(&setup, BTC, 100));
    let ask = Ask { stop, target, ..Ask::from(setup.size_for(BTC, whole(10_000))) };
    let order = setup.place(&alice, BTC, ask).expect("placed");
    setup.later();
    let sent = setup.execute(&alice, BTC, &order).must();
    let exits = event!(sent, BracketActivated);
    assert_eq!((exits.stop, exits.target, exits.size), (stop, target, -ask.size));
    setup.later();
    setup.audit();
    (setup, alice, order)
}

#[test]
fn p04_a_limit_order_waits_for_its_price_and_fills_within_its_limit() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    for buy in [true, false] {
        let sign = if buy { 1 } else { -1 };
        let limit = level(&setup, ETH, -100 * sign);
        let ask = Ask { limit, kind: 1, ..Ask::from(setup.size_for(ETH, whole(10_000) * sign)) };
        let order = setup.place(&alice, ETH, ask).expect("placed");
        setup.later();
        setup.execute(&alice, ETH, &order).fails(Error::OrderNotTriggered);
        // Near, but its worse end is not within the limit; then it is.
        setup.move_by(ETH, -99 * sign);
        setup.execute(&alice, ETH, &order).fails(Error::OrderNotTriggered);
        setup.move_by(ETH, -5 * sign);
        setup.tick(1);
        let filled = event!(setup.execute(&alice, ETH, &order).must(), Traded);
        assert!(if buy { filled.price <= limit } else { filled.price >= limit }, "{} {limit}", filled.price);
        assert!(!setup.world.exists(&order));
        setup.execute(&alice, ETH, &order).expect_err("it fills once");
        setup.close(&alice, ETH);
        setup.audit();
    }
}

#[test]
fn p04_a_bracket_is_one_order_whose_exits_end_together() {
    for (move_by, fired) in [(120, "target"), (-120, "stop")] {
        let (mut setup, alice, order) = bracket();
        let fee = fee(&setup, BTC);
        assert_eq!((reward(&setup), setup.account(&alice).state.orders), (fee, 1));
        assert_eq!(setup.order(&order).terms.kind, Kind::Exit as u8);
        setup.execute(&alice, BTC, &order).fails(Error::OrderNotTriggered);
        setup.move_by(BTC, move_by);
        setup.tick(1);
        let held = setup.position(&alice, BTC);
        let closed = event!(setup.execute(&alice, BTC, &order).must(), Traded);
        assert_eq!((closed.size, closed.position), (-held, 0), "{fired}");
        assert_eq!((reward(&setup), setup.account(&alice).state.orders), (2 * fee, 0));
        assert!(!setup.world.exists(&order), "stop and target are one account: nothing is left over");
        setup.audit();
    }
}

#[test]
fn p04_a_recorded_stop_outlives_the_prices_that_met_it() {
    let (mut setup, alice, order) = bracket();
    let stop = setup.order(&order).terms.stop;
    setup.trigger(&alice, BTC, &order).fails(Error::OrderNotTriggered);
    setup.move_by(BTC, -110);
    let met = event!(setup.trigger(&alice, BTC, &order).must(), OrderTriggered);
    assert_eq!(met.stop, stop.0);
    setup.trigger(&alice, BTC, &order).fails(Error::OrderNotTriggered);
    // The price is back for longer than the ring remembers; the owner did not get out, the stop still does.
    setup.move_by(BTC, 120);
    for _ in 0..RING {
        setup.tick(2);
    }
    let (before, price) = (reward(&setup), setup.market(BTC).state.price.last.price.0);
    let closed = event!(setup.execute(&alice, BTC, &order).must(), Traded);
    assert_eq!((closed.mark, closed.position), (price - price / 1_000, 0), "as an immediate reduction does");
    assert_eq!(reward(&setup), before + fee(&setup, BTC));
    setup.audit();
}

#[test]
fn p04_exits_die_with_their_position_and_never_touch_the_next_one() {
    let (mut setup, alice, order) = bracket();
    let held = setup.position(&alice, BTC);
    setup.reduce(&alice, BTC, held.unsigned_abs(), false).must();
    // Another position in the same slot, the same way.
    setup.open(&alice, BTC, whole(5_000));
    setup.move_by(BTC, -150);
    setup.tick(1);
    let before = setup.position(&alice, BTC);
    setup.execute(&alice, BTC, &order).fails(Error::PositionNotFound);
    setup.trigger(&alice, BTC, &order).fails(Error::PositionNotFound);
    // Anyone clears them away, for the fee; the event says why.
    let earned = reward(&setup);
    let gone = event!(setup.cancel_dead(&alice, BTC, &order).must(), OrderCancelled);
    assert_eq!((gone.reason, gone.fee_to_keeper), (code(Error::PositionNotFound), fee(&setup, BTC)));
    assert_eq!(reward(&setup), earned + fee(&setup, BTC));
    assert_eq!((setup.position(&alice, BTC), setup.account(&alice).state.orders), (before, 0));
    setup.audit();
}

#[test]
fn p04_a_partial_liquidation_shrinks_the_exits() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let target = level(&setup, BTC, 2_000);
    let ask = Ask { target, ..Ask::from(setup.size_for(BTC, whole(100_000))) };
    let order = setup.place(&alice, BTC, ask).expect("placed");
    setup.later();
    setup.execute(&alice, BTC, &order).must();
    setup.move_by(BTC, -790);
    setup.flag(&alice).must();
    setup.tick(2);
    setup.liquidate(&alice).must();
    let left = setup.position(&alice, BTC);
    assert!(left > 0 && left < ask.size);
    // The target is met at last: it closes what is left, no more.
    for _ in 0..12 {
        setup.move_by(BTC, 300);
    }
    setup.tick(1);
    let closed = event!(setup.execute(&alice, BTC, &order).must(), Traded);
    assert_eq!((closed.size, closed.position), (-left, 0));
    setup.audit();
}

#[test]
fn p04_what_an_account_cannot_fill_is_cancelled_with_the_reason_and_what_the_market_stops_is_kept() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let (fee, stop) = (fee(&setup, BTC), level(&setup, BTC, -100));
    let held = setup.account(&alice).state.collateral.0;
    let ask = Ask { stop, ..Ask::from(setup.size_for(BTC, whole(1_000_000))) };
    let order = setup.place(&alice, BTC, ask).expect("placed");
    setup.cancel_unfillable(&alice, BTC, &order).fails(Error::WrongOwner);
    setup.later();
    // A failed try earns nothing; the cancellation earns one fee, and the exits' goes back.
    setup.execute(&alice, BTC, &order).fails(Error::InitialMargin);
    assert_eq!(reward(&setup), 0);
    let gone = event!(setup.cancel_unfillable(&alice, BTC, &order).must(), OrderCancelled);
    assert_eq!((gone.reason, gone.fee_to_keeper), (code(Error::InitialMargin), fee));
    assert_eq!((reward(&setup), setup.account(&alice).state.collateral.0), (fee, held - fee));
    // One that only its limit stops is kept, and so is one that can be filled.
    let size = setup.size_for(BTC, whole(1_000));
    let dear = setup.place(&alice, BTC, Ask { limit: 1, ..Ask::from(size) }).expect("placed");
    let fine = setup.place(&alice, BTC, size).expect("placed");
    setup.later();
    setup.execute(&alice, BTC, &dear).fails(Error::SlippageExceeded);
    setup.cancel_unfillable(&alice, BTC, &dear).fails(Error::SlippageExceeded);
    setup.cancel_unfillable(&alice, BTC, &fine).fails(Error::WrongOwner);
    setup.execute(&alice, BTC, &fine).must();
    setup.audit();
}

/// Long in one market, short in the other; the long has lost more than the collateral, the short has won more than that.
#[test]
fn p04_a_trial_fill_changes_no_other_market_and_a_flip_whose_loss_is_not_covered_is_cleared_away() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(50_000));
    setup.open(&alice, BTC, whole(200_000));
    setup.open(&alice, ETH, whole(-200_000));
    for _ in 0..6 {
        setup.move_by(ETH, -500);
        setup.move_by(BTC, -500);
    }
    let order = setup.place(&alice, BTC, setup.size_for(BTC, whole(-500_000_000))).expect("placed");
    setup.later();
    let account = setup.account(&alice);
    let (keeper, market, rent_to) = (setup.keeper.clone(), setup.market_key(BTC), alice.address());
    let before = setup.market(ETH);
    // Its other market is passed to write, as it is in every transaction that also stores that market's price.
    let (by, legs, covenant) =
        (keeper.address(), ix::leg_metas(&account, Some(0), true), ix::pubkey(&account.covenant));
    let (account, reward) = (&alice.subaccount, Some(&keeper.subaccount));
    let cancel = ix::cancel_unfillable(&by, &market, account, &order, &rent_to, reward, Some(&covenant), &legs);
    let gone = event!(setup.world.send(&[cancel], &[&keeper.key]).must(), OrderCancelled);
    assert_eq!((gone.reason, gone.fee_to_keeper), (code(Error::LossNotCovered), fee(&setup, BTC)));
    assert!(*setup.market(ETH) == *before, "the trial has changed the other market");
    setup.audit();
}

/// A keeper that holds every update that was published, valid all of them, against one that does his work.
#[test]
fn p04_a_keeper_with_many_valid_updates_cannot_choose_an_orders_price() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(50_000));
    let size = setup.size_for(BTC, whole(10_000));
    let dollars = setup.posted[BTC].price;
    let at = |bps: i64| dollars + dollars / 10_000 * bps;
    let order = setup.place(&alice, BTC, size).expect("placed");
    // Published before the placement, or in the seconds in which a late clock might have shown it: none of them fills.
    for bps in [80, -80] {
        setup.world.advance(1);
        setup.post(BTC, at(bps));
        setup.execute(&alice, BTC, &order).fails(Error::OrderTooEarly);
    }
    setup.world.advance(1);
    let mut alone = setup.clone();
    alone.post(BTC, at(5));
    let honest = event!(alone.execute(&alice, BTC, &order).must(), Traded);
    // The other one is first in that second: he stores the update himself, tries older ones after it and before, which
    // change nothing, and fills. The price is the same.
    let mut raced = setup.clone();
    let older = raced.world.now().unix - 1;
    let publisher = raced.publisher.clone();
    let feed = raced.feed(BTC);
    let old = |bps: i64| {
        use solana_signer::Signer as _;
        ix::oracle::post(&publisher.pubkey(), &feed, at(bps), 1, -8, older)
    };
    raced.post(BTC, at(5));
    let stored = raced.market(BTC).state.price;
    for bps in [90, -90] {
        if raced.world.send(&[old(bps)], &[&publisher]).is_ok() {
            raced.update(BTC).must();
        }
    }
    assert_eq!(raced.market(BTC).state.price, stored, "nothing older can be put before it or in its place");
    let taken = event!(raced.execute(&alice, BTC, &order).must(), Traded);
    assert_eq!((taken.price, taken.mark), (honest.price, honest.mark));
    // Waiting for a better or a worse one for the trader makes it no better: the worse of both counts.
    for bps in [60, -60] {
        let mut later = setup.clone();
        later.post(BTC, at(5));
        later.world.advance(1);
        later.post(BTC, at(bps));
        let filled = event!(later.execute(&alice, BTC, &order).must(), Traded);
        assert_eq!(filled.mark > honest.mark, bps > 5, "{bps}");
        assert!(filled.mark >= honest.mark);
    }
}

#[test]
fn p04_a_trigger_is_a_fact_and_not_the_callers_choice() {
    // Met at one price, back above the stop for ten seconds, then below again: whenever it is recorded, it is the first.
    let (mut setup, alice, order) = bracket();
    let dollars = setup.posted[BTC].price;
    let at = |bps: i64| Posted::tight(dollars + dollars / 10_000 * bps);
    let mut met = 0;
    for (second, bps) in [-20, -110, -90, -95, -20, -120, -100].into_iter().enumerate() {
        setup.world.advance(1);
        setup.post_as(BTC, at(bps));
        if second == 1 {
            met = setup.world.now().unix;
        }
        if second == 0 {
            setup.trigger(&alice, BTC, &order).fails(Error::OrderNotTriggered);
            continue;
        }
        let mut recorded = setup.clone();
        let seen = event!(recorded.trigger(&alice, BTC, &order).must(), OrderTriggered);
        assert_eq!(seen.triggered_at, met);
        if second > 1 {
            // It fills by the next one, recorded or not, and the worse of that and the last.
            let marks = [&mut recorded, &mut setup.clone()]
                .map(|setup| event!(setup.execute(&alice, BTC, &order).must(), Traded).mark);
            assert_eq!(marks[0], marks[1]);
            assert!(marks[0] <= u64::try_from(at(-90).price / 10).expect("positive"));
        }
    }
    assert!(setup.world.now().unix < met + ORDER_LIFE);
}

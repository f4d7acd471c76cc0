//! P10: a raised maintenance margin does not touch positions opened before it until the grace period is over.

use ballast_engine::Error;
use ballast_tests::{Expect as _, Setup, Terms, units};

use super::bank::on_bank;
use super::{BTC, whole};

const GRACE: i64 = 72 * 3_600;

#[test]
fn p10_a_raise_of_maintenance_spares_open_positions_until_the_grace_ends() {
    let mut setup = on_bank(&Terms::still());
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| setup.trader(name, units(10_000)));
    setup.open(&alice, BTC, whole(100_000));
    setup.open(&bob, BTC, whole(100_000));
    let raise = setup.queue(BTC, "maintenance_margin", 35_000).expect("queued");
    setup.wait_for(raise);
    setup.tick(1);
    setup.execute_proposal(raise).must();
    let ends = setup.market(BTC).state.grace_until;
    assert_eq!(ends, setup.world.now().unix + GRACE);
    // One opens after it, one adds to what it had: both are held to the new margin at once.
    setup.open(&carol, BTC, whole(100_000));
    setup.open(&bob, BTC, whole(1_000));
    let stored = |trader| setup.account(trader).state.positions[0].margin_version;
    assert_eq!([stored(&alice), stored(&bob), stored(&carol)], [0, 1, 1]);

    // What the client shows of it.
    let view = |setup: &Setup, trader| {
        let (account, markets, now) = (setup.account(trader), setup.markets(), setup.world.now());
        ballast_client::view::AccountView::of(&account, &markets, &now).expect("a view").positions[0].clone()
    };
    let graced = view(&setup, &alice);
    assert_eq!((graced.maintenance_margin, graced.grace.map(|g| (g.until, g.then))), (30_000, Some((ends, 35_000))));
    assert_eq!((view(&setup, &bob).maintenance_margin, view(&setup, &bob).grace), (35_000, None));

    // Equity between 3 % and 3.5 % of notional.
    setup.move_by(BTC, -680);
    setup.flag(&alice).fails(Error::AccountHealthy);
    setup.flag(&bob).must();
    setup.flag(&carol).must();

    // To the second of its end.
    let left = ends - setup.world.now().unix;
    setup.tick(left - 1);
    setup.flag(&alice).fails(Error::AccountHealthy);
    setup.tick(1);
    setup.flag(&alice).must();
    setup.tick(2);
    setup.liquidate(&alice).must();
    setup.audit();
}

#[test]
fn p10_below_the_old_margin_there_is_no_grace() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, BTC, whole(100_000));
    let raise = setup.queue(BTC, "maintenance_margin", 35_000).expect("queued");
    setup.wait_for(raise);
    setup.tick(1);
    setup.execute_proposal(raise).must();
    setup.move_by(BTC, -740);
    setup.flag(&alice).must();
}

#[test]
fn p10_no_second_raise_executes_while_a_grace_runs() {
    let mut setup = on_bank(&Terms::still());
    // A grace a day longer than the delay, and room above the first raise.
    let longer = setup.queue_exchange("grace", 345_600).expect("queued");
    setup.change(BTC, "initial_margin", 60_000);
    setup.wait_for(longer);
    setup.execute_proposal(longer).must();
    setup.change(BTC, "maintenance_margin", 35_000);
    let second = setup.queue(BTC, "maintenance_margin", 40_000).expect("queued");
    setup.wait_for(second);
    setup.execute_proposal(second).fails(Error::ParameterCoolDown);
    let left = setup.market(BTC).state.grace_until - setup.world.now().unix;
    assert!(left > 0);
    setup.world.advance(left - 1);
    setup.execute_proposal(second).fails(Error::ParameterCoolDown);
    setup.world.advance(1);
    setup.execute_proposal(second).must();
    assert_eq!(setup.market(BTC).state.old_maintenance, 35_000);
}

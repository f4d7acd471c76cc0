//! P2: value moves by named debits and credits, rounding favours the pool, a round trip never profits.

use ballast_tests::{Ask, Expect as _, Terms, event, units};

use super::bank::on_bank;
use super::{BTC, ETH, TAIL, equity, whole};

#[test]
fn p02_a_round_trip_at_a_constant_price_never_profits() {
    let mut setup = on_bank(&Terms::still());
    // Somebody else's skew is there: one's own trips mend it, cross it and worsen it.
    let other = setup.trader("other side", units(100_000));
    setup.open(&other, BTC, whole(-200_000));
    let alice = setup.trader("alice", units(50_000));
    for notional in [100_000, -70_000, 300_000, 51, -51] {
        let before = setup.account(&alice).state.collateral.0;
        setup.open(&alice, BTC, whole(notional));
        setup.close(&alice, BTC);
        let after = setup.account(&alice).state.collateral.0;
        assert!(after < before, "{notional}: {before} to {after}");
        setup.audit();
    }
}

#[test]
fn p02_splitting_a_trade_gains_nothing() {
    let start = on_bank(&Terms::still());
    let left = |parts: i64| {
        let mut setup = start.clone();
        let alice = setup.trader("alice", units(50_000));
        let size = setup.size_for(BTC, whole(120_000)) / 4 * 4;
        for _ in 0..parts {
            setup.trade(&alice, BTC, size / parts).must();
        }
        for _ in 0..parts {
            setup.trade(&alice, BTC, Ask { size: -size / parts, reduce_only: true, ..Ask::default() }).must();
        }
        assert_eq!(setup.position(&alice, BTC), 0);
        setup.audit();
        // Order fees apart, which the keeper has.
        setup.account(&alice).state.collateral.0 + setup.account(&setup.keeper).state.collateral.0
    };
    let (whole, quarters) = (left(1), left(4));
    assert!(quarters <= whole, "{quarters} of {whole}");
    assert!(whole - quarters <= 16, "the premium depends on the skew alone: {quarters} of {whole}");
}

#[test]
fn p02_settling_creates_nothing_and_a_crowd_of_them_loses_only_dust() {
    let mut setup = on_bank(&Terms::still());
    let [alice, bob] = ["alice", "bob"].map(|name| setup.trader(name, units(30_000)));
    setup.open(&alice, BTC, whole(100_000));
    setup.open(&bob, BTC, whole(-100_000));
    setup.open(&alice, ETH, whole(33_333));
    for bps in [7, -13, 29, -23] {
        setup.move_by(BTC, bps);
        let sum = equity(&setup, &alice) + equity(&setup, &bob);
        for trader in [&alice, &bob] {
            let before = equity(&setup, trader);
            setup.settle(trader, BTC).must();
            assert!(equity(&setup, trader) <= before, "settling is no gain");
            setup.audit();
        }
        let after = equity(&setup, &alice) + equity(&setup, &bob);
        // A loss is settled at the maintenance test's price: nothing but rounding goes.
        assert!(sum - after <= 8, "{sum} to {after}");
    }
}

#[test]
fn p02_fees_and_premium_go_where_they_are_said_to_go() {
    let mut setup = on_bank(&Terms::still());
    let carol = setup.isolated("carol", units(10_000));
    let before = setup.audit();
    let (pool, insurance) = {
        let market = setup.market(TAIL);
        (market.state.pool.cash.0, market.state.pool.insurance.0)
    };
    let traded = event!(setup.open(&carol, TAIL, whole(20_000)), Traded);
    let market = setup.market(TAIL).state;
    let order_fee = market.params.order_fee.0;
    let shares = [
        market.pool.cash.0 - pool,
        market.pool.insurance.0 - insurance,
        u64::try_from(setup.audit().fees - before.fees).expect("fits"),
    ];
    assert_eq!(shares.iter().sum::<u64>(), traded.fee);
    assert_eq!(setup.account(&carol).state.collateral.0, units(10_000) - traded.fee - order_fee);
    assert_eq!(setup.account(&setup.keeper).state.collateral.0, order_fee);
}

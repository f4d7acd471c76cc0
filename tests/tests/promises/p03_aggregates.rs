//! P3: a market's aggregates equal the sum over its positions.

use ballast_tests::{Ask, Expect as _, Setup, Terms, Trader, units};

use super::bank::on_bank;
use super::{BTC, ETH, TAIL, whole};

/// The sums over the given traders' positions, by hand: per side open interest, entry, funding entry, count.
fn sums(setup: &Setup, traders: &[&Trader], market: usize) -> [(u64, u64, i128, u64); 2] {
    let mut sides = [(0, 0, 0, 0); 2];
    for trader in traders {
        let account = setup.account(trader);
        for (_, p) in account.state.slots().filter(|(_, p)| usize::from(p.market) == market && p.is_open()) {
            let side = &mut sides[usize::from(!p.size.is_long())];
            side.0 += p.base().0;
            side.1 += p.entry.0;
            side.2 += i128::from(p.base().0) * p.funding_entry.get();
            side.3 += 1;
        }
    }
    sides
}

#[track_caller]
fn check(setup: &Setup, traders: &[&Trader]) {
    // The audit finds every position by itself; this is the same by another way.
    setup.audit();
    for market in [BTC, ETH, TAIL] {
        let state = setup.market(market).state;
        let stored =
            [&state.long, &state.short].map(|s| (s.open_interest.0, s.entry.0, s.funding_entry.get(), s.positions));
        assert_eq!(stored, sums(setup, traders, market), "market {market}");
    }
}

#[test]
fn p03_aggregates_equal_the_sum_over_positions_after_every_kind_of_change() {
    let mut setup = on_bank(&Terms::standard());
    let alice = setup.trader("alice", units(20_000));
    let bob = setup.trader("bob", units(200_000));
    let carol = setup.isolated("carol", units(3_000));
    let all = [&alice, &bob, &carol];
    // Increase, increase again, reduce by order, at once, flip, close.
    setup.open(&bob, BTC, whole(-300_000));
    setup.open(&alice, BTC, whole(90_000));
    check(&setup, &all);
    setup.tick(3_600);
    setup.open(&alice, BTC, whole(30_000));
    setup.open(&alice, ETH, whole(25_000));
    setup.open(&carol, TAIL, whole(-9_000));
    check(&setup, &all);
    let size = setup.size_for(BTC, whole(-20_000));
    setup.trade(&alice, BTC, Ask { size, reduce_only: true, ..Ask::default() }).must();
    check(&setup, &all);
    setup.reduce(&alice, ETH, setup.size_for(ETH, whole(5_000)).unsigned_abs(), false).must();
    check(&setup, &all);
    setup.open(&alice, ETH, whole(-45_000));
    assert!(setup.position(&alice, ETH) < 0, "flipped");
    check(&setup, &all);
    setup.move_by(BTC, 90);
    setup.settle(&alice, BTC).must();
    setup.settle(&bob, BTC).must();
    check(&setup, &all);
    setup.close(&alice, ETH);
    check(&setup, &all);

    // A liquidation in stages, a resolution, an exit from a silent market.
    setup.move_by(BTC, -1_850);
    setup.flag(&alice).must();
    setup.tick(2);
    setup.liquidate(&alice).must();
    check(&setup, &all);
    setup.move_by(TAIL, 4_500);
    setup.flag(&carol).must();
    setup.tick(2);
    setup.resolve(&carol).must();
    check(&setup, &all);
    setup.world.advance(3_601);
    setup.exit_silent(&bob, BTC).must();
    check(&setup, &all);
}

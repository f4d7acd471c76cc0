//! P1: every token in the vault belongs to exactly one named class, after any sequence of instructions.

use ballast_client::instructions as ix;
use ballast_tests::{Expect as _, Setup, Terms, units};
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, ETH, TAIL, liquidate_until_healthy, whole};

#[test]
fn p01_the_vault_holds_exactly_the_named_classes_through_a_whole_life() {
    let mut setup = on_bank(&Terms::standard());
    let start = setup.audit();
    assert!(start.vault > 0 && start.difference == 0);

    // Money in, in every way there is.
    let [bull, bear] = ["bull", "bear"].map(|name| setup.trader(name, units(60_000)));
    let small = setup.isolated("small", units(2_000));
    let provider = setup.provider("late provider", ETH, units(50_000));
    let (rich, tokens) = setup.fund("rich", units(1_000));
    let (exchange, market) = (setup.exchange, setup.market_key(ETH));
    for top_up in [
        ix::top_up_market_insurance(&exchange, &market, &rich.pubkey(), &tokens, units(300)),
        ix::top_up_shared_insurance(&exchange, &rich.pubkey(), &tokens, units(200)),
    ] {
        setup.world.send(&[top_up], &[&rich]).must();
        setup.audit();
    }
    assert_eq!(setup.audit().shared_insurance, units(200).into());

    // Positions in all three markets, and time: funding and holding fees run.
    for (trader, market, notional) in [
        (&bull, BTC, 400_000),
        (&bear, BTC, -150_000),
        (&bull, ETH, 60_000),
        (&bear, ETH, -90_000),
        (&small, TAIL, 5_000),
    ] {
        setup.open(trader, market, whole(notional));
        setup.audit();
    }
    setup.place(&bear, ETH, setup.size_for(ETH, whole(1_000))).expect("placed");
    assert!(setup.audit().order_fees > 0);
    for _ in 0..3 {
        setup.tick(3_600);
        setup.audit();
    }

    // A fall: the bull is liquidated in stages, the small one goes below zero.
    setup.move_by(BTC, -1_100);
    setup.move_by(ETH, -1_400);
    setup.move_by(TAIL, -4_500);
    setup.settle(&bear, BTC).must();
    setup.audit();
    setup.flag(&bull).must();
    liquidate_until_healthy(&mut setup, &bull);
    setup.flag(&small).must();
    setup.tick(2);
    setup.resolve(&small).must();
    assert!(setup.market(TAIL).state.pool.insurance_paid.0 > 0);
    setup.audit();

    // And money out, in every way there is.
    for (trader, market) in [(&bull, BTC), (&bear, BTC), (&bull, ETH), (&bear, ETH)] {
        if setup.position(trader, market) != 0 {
            setup.close(trader, market);
            setup.audit();
        }
    }
    setup.withdraw(&bear, units(100)).must();
    let shares = setup.world.tokens(&provider.shares);
    setup.file_exit(&provider, shares).must();
    setup.tick(24 * 3_600);
    setup.tick(1);
    setup.execute_exit(&provider).must();
    for market in [BTC, ETH, TAIL] {
        setup.collect_fees(market).must();
        setup.audit();
    }
    let end = setup.audit();
    assert_eq!(
        u128::from(end.vault),
        end.trader_collateral
            + end.pool_cash
            + end.market_insurance
            + end.shared_insurance
            + end.fees
            + end.order_fees
            + end.lp_deposits
    );
}

#[test]
fn p01_a_donation_belongs_to_nobody_and_lets_nobody_take_it() {
    let mut setup: Setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(1_000));
    let (vault, exchange, mint) = (setup.vault, setup.exchange, setup.mint);
    let held = setup.world.tokens(&vault);
    setup.set_tokens(vault, &exchange, &mint, held + units(500));
    assert_eq!(setup.books().difference, i128::from(units(500)));
    setup.withdraw(&alice, units(1_001)).expect_err("more than its own");
    setup.withdraw(&alice, units(1_000)).must();
    assert_eq!(setup.books().difference, i128::from(units(500)), "the books did not take it in");
}

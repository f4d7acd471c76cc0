//! Pools that gain and lose: liquidity, claims, insurance, deleveraging, the end of a market.

use ballast_client::instructions as ix;
use ballast_engine::{Error, constants};
use ballast_tests::{Expect, Setup, Terms, event, units};
use solana_signer::Signer;

use super::{BTC, CLAIMS, DELEVERAGING, ETH, INSURANCE, LIQUIDITY, SETTLEMENT, assert_sent};

#[test]
fn liquidity_comes_and_goes() {
    let mut setup = Setup::with(&Terms::still());
    let provider = setup.provider("paula", BTC, units(100_000));
    setup.audit();
    let shares = setup.world.tokens(&provider.shares);
    assert_eq!(shares, units(100_000));
    setup.file_exit(&provider, shares / 2).must();
    setup.audit();
    setup.execute_exit(&provider).fails(Error::TicketNotRipe);
    let cooldown = setup.market(BTC).state.params.lp_cooldown;
    setup.world.advance(i64::try_from(cooldown).expect("a day"));
    setup.tick(1);
    let removed = event!(setup.execute_exit(&provider).must(), LiquidityRemoved);
    assert_eq!((removed.shares, removed.left, removed.amount), (shares / 2, 0, units(50_000)));
    setup.audit();

    // Left alone for an hour a ticket lapses.
    setup.file_exit(&provider, shares / 2).must();
    setup.world.advance(i64::try_from(cooldown).expect("a day") + constants::TICKET_LAPSE + 1);
    setup.tick(1);
    setup.execute_exit(&provider).fails(Error::TicketLapsed);
    setup.lapse_exit(&provider).must();
    assert_eq!(setup.world.tokens(&provider.shares), shares / 2);
    setup.audit();

    setup.file_deposit(&provider, units(10_000)).must();
    setup.audit();
    setup.lapse_deposit(&provider).fails(Error::TicketNotLapsed);
    setup.world.advance(constants::PLACEMENT_LAG + constants::TICKET_LAPSE + 1);
    setup.lapse_deposit(&provider).must();
    setup.audit();
    assert_eq!(setup.world.tokens(&provider.tokens), units(50_000));

    let top_up = ix::top_up_shared_insurance(&setup.exchange, &provider.key.pubkey(), &provider.tokens, units(500));
    setup.world.measure("top_up_shared_insurance", top_up, &[&provider.key]).must();
    assert_eq!(setup.audit().shared_insurance, units(500).into());
    assert_sent(&setup, LIQUIDITY);
}

#[test]
fn profits_that_the_pool_cannot_pay_become_claims() {
    let mut terms = Terms::cross(2);
    for market in &mut terms.markets {
        market.liquidity = units(20_000);
        market.insurance = 0;
    }
    let mut setup = Setup::with(&terms);
    let [alice, bob, carol] =
        ["alice", "bob", "carol"].map(|name| setup.trader(name, units(if name == "carol" { 100_000 } else { 40_000 })));
    // A side may be as large as ten times the pool.
    setup.open(&carol, BTC, -180_000_000_000);
    setup.open(&alice, BTC, 90_000_000_000);
    setup.open(&bob, BTC, 90_000_000_000);
    setup.open(&bob, ETH, -150_000_000_000);
    setup.audit();

    // Longs have gained more than the pool has in cash; what the short lost is no cash yet.
    setup.move_by(BTC, 1_500);
    let first = event!(setup.settle(&alice, BTC).must(), PositionSettled);
    setup.audit();
    let second = event!(setup.settle(&bob, BTC).must(), PositionSettled);
    setup.audit();
    assert!(first.claimed > 0 && first.claimed.abs_diff(second.claimed) < units(50), "{first:?} {second:?}");
    // New liquidity pays claims first: here half of them.
    setup.provider("paula", BTC, (first.claimed + second.claimed) / 2);
    setup.audit();
    let collected = event!(setup.collect_claim(&alice, BTC).must(), PositionSettled).collected;
    assert!(collected.abs_diff(first.claimed / 2) < 10, "{collected} of {}", first.claimed);
    setup.audit();

    // Bob loses in the other market more than he has: what is left of his claim goes to that pool.
    for _ in 0..4 {
        setup.move_by(ETH, 1_000);
    }
    setup.flag(&bob).must();
    setup.tick(2);
    let resolved = event!(setup.resolve(&bob).must(), Resolved);
    assert!(resolved.assigned > 0 && resolved.deficit > 0, "{resolved:?}");
    setup.audit();
    setup.collect_pool_claim(BTC, ETH).fails(Error::CoverTooEarly);
    // The short's loss becomes cash, and pays both claims.
    setup.settle(&carol, BTC).must();
    setup.audit();
    let paid = event!(setup.collect_pool_claim(BTC, ETH).must(), PoolClaimCollected).amount;
    assert_eq!(paid, resolved.assigned);
    setup.collect_claim(&alice, BTC).must();
    setup.audit();
    assert_sent(&setup, CLAIMS);
}

#[test]
fn shared_insurance_pays_a_deficit_by_its_batch_and_is_withdrawn_only_without_claims() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let (rich, tokens) = setup.fund("rich", units(50_000));
    let top_up = ix::top_up_shared_insurance(&setup.exchange, &rich.pubkey(), &tokens, units(10_000));
    setup.world.measure("top_up_shared_insurance", top_up, &[&rich]).must();
    setup.open(&alice, BTC, 100_000_000_000);
    // The bucket of 10,000 goes in part, then in whole.
    for _ in 0..3 {
        setup.move_by(BTC, -900);
    }
    setup.flag(&alice).must();
    setup.tick(2);
    let resolved = event!(setup.resolve(&alice).must(), Resolved);
    setup.audit();
    let claimed = resolved.deficit - resolved.insurance;
    assert!(claimed > units(3_000) && claimed < units(8_000), "{claimed}");
    let market = setup.market(BTC).state;
    assert_eq!((market.insurance.pending().expect("in range").0, market.pool.deficits.0), (claimed, claimed));
    // Nobody comes in to share in the payment, and none of the insurance leaves.
    let late = setup.provider_account("late", BTC, units(1_000));
    setup.file_deposit(&late, units(1_000)).must();
    setup.later();
    setup.execute_deposit(&late).fails(Error::InsurancePending);
    let out = setup.fee_destination;
    let all = setup.queue_insurance_withdrawal(None, units(6_000), out).expect("queued");
    let bucket = setup.queue_insurance_withdrawal(Some(1), units(4_000), out).expect("queued");

    setup.register_insurance(BTC).fails(Error::InsuranceTooEarly);
    setup.midnight(0, 0);
    let registered = event!(setup.register_insurance(BTC).must(), InsuranceClaimRegistered);
    assert_eq!(registered.amount, claimed);
    setup.audit();
    setup.pay_insurance(BTC).fails(Error::InsuranceTooEarly);
    setup.midnight(0, 0);
    // A quarter of the fund an hour.
    let paid = event!(setup.pay_insurance(BTC).must(), InsuranceClaimPaid);
    assert_eq!((paid.amount, paid.closed, paid.open), (units(2_500), 0, claimed - units(2_500)));
    setup.audit();
    setup.world.advance(10_800);
    let paid = event!(setup.pay_insurance(BTC).must(), InsuranceClaimPaid);
    assert_eq!((paid.amount, paid.closed, paid.fund), (claimed - units(2_500), 1, units(10_000) - claimed));
    setup.audit();
    let market = setup.market(BTC).state;
    assert_eq!((market.pool.deficits.0, market.insurance.paid.0), (0, claimed));

    setup.wait_for(all);
    setup.execute_proposal(bucket).must();
    setup.audit();
    assert_eq!(setup.world.tokens(&out), units(4_000));
    // Made for one withdrawal fewer than there were by now.
    setup.execute_proposal(all).fails(Error::VersionMoved);
    let left = setup.exchange().shared_insurance.0;
    let all = setup.queue_insurance_withdrawal(None, left, out).expect("queued");
    setup.wait_for(all);
    let withdrawn = event!(setup.execute_proposal(all).must(), InsuranceWithdrawn);
    assert_eq!((withdrawn.amount, withdrawn.fund), (left, 0));
    setup.audit();
    assert_sent(&setup, INSURANCE);
}

#[test]
fn claims_that_stay_unpaid_deleverage_the_winning_side_in_proportion() {
    let (mut setup, [alice, bob, carol]) = Setup::in_episode();
    setup.world.advance(constants::DELEVERAGE_AFTER - 2);
    setup.tick(1);
    setup.deleverage(BTC).fails(Error::DeleverageTooEarly);
    setup.tick(1);
    let sizes = [&alice, &bob, &carol].map(|t| setup.position(t, BTC));
    let done = event!(setup.deleverage(BTC).must(), Deleveraged);
    setup.audit();
    assert!(done.long && done.kept < done.before && done.positions == 2, "{done:?}");
    let market = setup.market(BTC).state;
    assert_eq!(market.long.open_interest.0, done.kept);
    // Margin tests, fills and everything else see the smaller position at once.
    let surplus = setup.surplus(&bob);
    event!(setup.pick_up(&bob, BTC).must(), PositionDeleveraged);
    setup.audit();
    assert_eq!(setup.surplus(&bob), surplus);
    setup.pick_up(&bob, BTC).fails(Error::CoverTooEarly);
    setup.pick_up(&carol, BTC).fails(Error::CoverTooEarly);
    // Alice's is picked up by the settling itself.
    let sent = setup.settle(&alice, BTC).must();
    event!(sent, PositionDeleveraged);
    setup.audit();
    for (trader, size) in [&alice, &bob].into_iter().zip(sizes) {
        let share = i128::from(size) * i128::from(done.kept) / i128::from(done.before);
        assert_eq!(i128::from(setup.position(trader, BTC)), share, "in proportion");
    }
    assert_eq!(setup.position(&carol, BTC), sizes[2], "the other side is not touched");
    // The loser's loss becomes cash, bob's frozen profit too, and everybody can leave.
    setup.settle(&carol, BTC).must();
    let settled = event!(setup.settle(&bob, BTC).must(), PositionSettled);
    assert!(settled.pnl > 0);
    setup.audit();
    for trader in [&alice, &bob, &carol] {
        setup.close(trader, BTC);
        setup.audit();
    }
    assert_sent(&setup, DELEVERAGING);
}

#[test]
fn a_settled_market_closes_for_everybody_and_all_get_out() {
    let (mut setup, [alice, bob, carol]) = Setup::below_floor();
    // A resting order and a filed deposit when it happens.
    let size = setup.size_for(BTC, -1_000_000_000);
    let order = setup.place(&bob, BTC, size).expect("placed");
    let begun = event!(setup.advance_settlement(BTC).must(), SettlementAdvanced);
    assert_eq!((begun.step, begun.equity < i64::try_from(begun.floor).expect("small")), (1, true));
    let late = setup.provider_account("late", BTC, units(1_000));
    setup.file_deposit(&late, units(1_000)).must();
    setup.world.advance(constants::SETTLEMENT_WAIT - 1);
    setup.tick(0);
    setup.advance_settlement(BTC).fails(Error::SettlementTooEarly);
    setup.tick(1);
    let fixed = event!(setup.advance_settlement(BTC).must(), SettlementAdvanced);
    assert_eq!(fixed.step, 3);
    setup.audit();
    // Its price stands, nothing is traded any more.
    setup.move_to(BTC, setup.posted[BTC].price * 2);
    assert_eq!(setup.market(BTC).state.price.last.price.0, fixed.price);
    setup.place(&bob, BTC, size).expect_err("settled");
    let whole = setup.position(&bob, BTC).unsigned_abs();
    setup.reduce(&bob, BTC, whole, false).fails(Error::MarketSettled);
    setup.cancel_dead(&bob, BTC, &order).must();
    setup.world.advance(constants::TICKET_LAPSE);
    setup.lapse_deposit(&late).must();
    setup.audit();
    // Anyone closes, in any order; with the loser's cash the claims are paid, then the provider.
    let provider = setup.providers[BTC].clone();
    let shares = setup.world.tokens(&provider.shares);
    setup.file_exit(&provider, shares).must();
    for trader in [&bob, &carol, &alice] {
        let held = event!(setup.execute_exit(&provider).must(), LiquidityHeldBack);
        assert_eq!(held.reason, ballast_client::errors::code(Error::MarketSettled));
        setup.close_settled(trader, BTC).must();
        setup.close_settled(trader, BTC).fails(if trader.subaccount == carol.subaccount {
            Error::PositionNotFound
        } else if trader.subaccount == alice.subaccount {
            continue;
        } else {
            Error::CoverTooEarly
        });
        setup.audit();
    }
    for trader in [&alice, &bob] {
        let _ = setup.collect_claim(trader, BTC);
        setup.audit();
    }
    let claims = setup.market(BTC).state.pool.claims;
    if claims.is_zero() {
        event!(setup.execute_exit(&provider).must(), LiquidityRemoved);
        setup.audit();
    }
    // What claims are still owed is written off after ten days, and every account can close.
    setup.world.advance(constants::SETTLEMENT_PATIENCE);
    for trader in [&alice, &bob] {
        if setup.account(trader).state.find(0).is_some() {
            setup.collect_claim(trader, BTC).must();
            setup.audit();
        }
        assert!(setup.account(trader).state.is_flat());
    }
    assert_sent(&setup, SETTLEMENT);
}

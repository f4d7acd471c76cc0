//! P14: every flag and state has a permissionless exit.

use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_client::{address, instructions as ix};
use ballast_engine::Error;
use ballast_engine::constants::{FLAG_VOID_SLOTS, SILENT_SECONDS};
use ballast_engine::price::Status;
use ballast_engine::units::Quote;
use ballast_tests::{Expect as _, MarketTerms, Terms, event, units, usd};
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, ETH, levered, whole};

#[test]
fn p14_a_flag_without_a_liquidation_is_void_and_can_be_set_anew() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -790);
    setup.flag(&alice).must();
    setup.world.advance_slots(FLAG_VOID_SLOTS);
    setup.tick(1);
    setup.liquidate(&alice).fails(Error::NotFlagged);
    // Its void flag holds nothing up: anybody clears it, or flags again.
    let mut cleared = setup.clone();
    cleared.unflag(&alice).must();
    cleared.unflag(&alice).fails(Error::NotFlagged);
    setup.flag(&alice).must();
    setup.tick(2);
    setup.liquidate(&alice).must();
    setup.audit();
}

#[test]
fn p14_anyone_unflags_an_account_that_is_healthy_again() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -790);
    setup.flag(&alice).must();
    setup.withdraw(&alice, 1).fails(Error::FlaggedAccount);
    setup.unflag(&alice).fails(Error::StillUnhealthy);
    setup.move_by(BTC, 600);
    setup.unflag(&alice).must();
    setup.withdraw(&alice, 1).must();
    setup.audit();
}

#[test]
fn p14_a_flag_from_before_a_restart_is_void() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -790);
    setup.flag(&alice).must();
    let slot = setup.world.now().slot;
    setup.world.advance(1);
    setup.world.set_restart_slot(slot + 1);
    setup.tick(1);
    setup.liquidate(&alice).fails(Error::NotFlagged);
    for _ in 0..3 {
        setup.tick(2);
    }
    setup.flag(&alice).must();
}

#[test]
fn p14_a_dead_order_is_cancelled_by_anyone_and_its_account_can_close() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(1_000));
    let order = setup.place(&alice, BTC, setup.size_for(BTC, whole(1_000))).expect("placed");
    setup.cancel(&alice, BTC, &order).fails(Error::OrderLocked);
    setup.later();
    setup.world.advance(40);
    setup.execute(&alice, BTC, &order).expect_err("lapsed");
    setup.cancel_dead(&alice, BTC, &order).must();
    assert!(!setup.world.exists(&order));
    assert_eq!(setup.account(&alice).state.orders, 0);
    let left = setup.account(&alice).state.collateral.0;
    setup.withdraw(&alice, left).must();
    setup.close_subaccount(&alice).must();
    assert!(!setup.world.exists(&alice.subaccount));
    setup.audit();
}

#[test]
fn p14_lapsed_liquidity_tickets_are_given_back_by_anyone() {
    let mut setup = on_bank(&Terms::still());
    let provider = setup.provider("late provider", BTC, units(10_000));
    let (owner, market) = (provider.key.pubkey(), setup.market_key(BTC));
    setup.provider_account("late provider", BTC, units(3_000));
    let (shares, tokens) = (setup.world.tokens(&provider.shares), setup.world.tokens(&provider.tokens));
    setup.file_deposit(&provider, units(3_000)).must();
    setup.file_exit(&provider, shares).must();
    setup.lapse_deposit(&provider).fails(Error::TicketNotLapsed);
    setup.lapse_exit(&provider).fails(Error::TicketNotLapsed);
    setup.audit();
    setup.tick(25 * 3_600 + 1);
    setup.execute_deposit(&provider).fails(Error::TicketLapsed);
    setup.execute_exit(&provider).fails(Error::TicketLapsed);
    setup.lapse_deposit(&provider).must();
    setup.lapse_exit(&provider).must();
    assert!(!setup.world.exists(&address::lp_deposit(&market, &owner)));
    assert!(!setup.world.exists(&address::lp_withdrawal(&market, &owner)));
    assert_eq!((setup.world.tokens(&provider.shares), setup.world.tokens(&provider.tokens)), (shares, tokens));
    setup.audit();
}

#[test]
fn p14_expired_proposals_free_their_places() {
    let mut setup = on_bank(&Terms::still());
    // As many as a market has places for, in two markets: all that the exchange has.
    let queue = |i: u64| (usize::from(i % 2 == 1), 400 + i);
    let ids: Vec<u64> = (0..32)
        .map(queue)
        .map(|(market, fee)| {
            setup.queue(market, "taker_fee", if market == BTC { fee } else { 300 + fee }).expect("queued")
        })
        .collect();
    let refused = setup.queue(BTC, "mending_fee", 300).expect_err("no place");
    assert_eq!(refused.error, Some(Error::ProposalLimit));
    setup.world.advance(9 * 86_400);
    for id in ids {
        setup.expire(id).must();
    }
    assert_eq!(setup.exchange().pending_proposals, 0);
    setup.queue(BTC, "mending_fee", 300).expect("queued");
}

#[test]
fn p14_pauses_end_by_the_clock_alone() {
    let (mut setup, alice) = levered();
    let both = ProtectMarketArgs { reduce_only_seconds: 3_600, cap: 0, cap_seconds: 3_600 };
    setup.protect(BTC, both).must();
    setup.emergency(3_600).must();
    setup.withdraw(&alice, units(1)).fails(Error::Paused);
    setup.tick(3_600);
    setup.withdraw(&alice, units(1)).must();
    setup.open(&alice, BTC, whole(1_000));
    setup.audit();
}

#[test]
fn p14_a_silent_market_lets_its_holders_out_and_gives_the_holdback_back() {
    let (mut setup, alice) = levered();
    setup.world.advance(3_590);
    setup.exit_silent(&alice, BTC).fails(Error::PriceNotSilent);
    setup.world.advance(20);
    assert_eq!(setup.status(BTC), Status::Silent);
    setup.exit_silent(&alice, BTC).must();
    let held = setup.account(&alice).state.positions[0].held.0;
    assert!(held > 0 && setup.position(&alice, BTC) == 0);
    setup.audit();
    for _ in 0..3 {
        setup.tick(2);
    }
    let settled = event!(setup.settle(&alice, BTC).must(), PositionSettled);
    assert_eq!(settled.returned + settled.forfeited, held);
    assert!(setup.account(&alice).state.is_flat());
    setup.audit();
}

#[test]
fn p14_a_claim_on_a_short_pool_is_collected_by_anyone_as_cash_comes_in() {
    // B2: the market is solvent, its cash is short; winners are paid as losers' cash is settled in.
    let thin = MarketTerms { liquidity: units(20_000), cap: units(1_000_000), price: usd(100), ..MarketTerms::DEEP };
    let mut setup = on_bank(&Terms { markets: vec![thin], funding: false });
    let winner = setup.trader("winner", units(40_000));
    let loser = setup.trader("loser", units(200_000));
    setup.open(&loser, BTC, whole(-180_000));
    setup.open(&winner, BTC, whole(180_000));
    setup.move_by(BTC, 3_000);
    setup.close(&winner, BTC);
    let claim = setup.account(&winner).state.positions[0].claim.amount.0;
    assert!(claim > units(30_000), "{claim}");
    setup.audit();
    setup.settle(&loser, BTC).must();
    let before = setup.account(&winner).state.collateral.0;
    setup.collect_claim(&winner, BTC).must();
    let paid = setup.account(&winner).state.collateral.0 - before;
    assert!(paid + 1 >= claim, "{paid} of {claim}");
    setup.audit();
}

#[test]
fn p14_an_account_below_zero_is_resolved_by_anyone() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -1_200);
    setup.flag(&alice).must();
    setup.tick(1);
    // Nobody but the payer of the transaction signs.
    let resolve = ix::resolve(&alice.subaccount, &ix::leg_metas(&setup.account(&alice), None, true));
    setup.world.send(&[resolve], &[]).must();
    setup.close_subaccount(&alice).must();
    setup.audit();
}

#[test]
fn p14_a_flip_goes_through_that_collects_the_last_of_a_claim_on_the_way() {
    let (mut setup, alice) = levered();
    // A claim on another market, all paid, waits in a slot of its own.
    let (mut account, mut other) = (setup.account(&alice), setup.market(ETH));
    let slot = account.state.find_or_free(1).expect("a slot");
    let paid = Quote(units(5_000));
    other.state.add_claim(&mut account.state.positions[slot].claim, paid).expect("a claim");
    other.state.receive(paid).expect("cash");
    account.state.positions[slot].market = 1;
    setup.world.write(&alice.subaccount, &*account);
    let market = setup.market_key(ETH);
    setup.world.write(&market, &*other);
    // The loss exceeds the collateral: the claim pays the rest, its slot is free, and the new position may take it.
    setup.move_by(BTC, -1_100);
    let size = -setup.position(&alice, BTC) - setup.size_for(BTC, whole(2_000));
    let order = setup.place(&alice, BTC, size).expect("placed");
    setup.later();
    let flip = setup.execute_ix(&alice, BTC, &order, true);
    setup.world.send(&[flip], &[]).must();
    let account = setup.account(&alice).state;
    assert_eq!((account.slots().count(), setup.position(&alice, BTC) < 0), (1, true));
    assert!(account.collateral.0 > units(3_000) && account.collateral.0 < units(5_000), "{}", account.collateral.0);
}

#[test]
fn p14_a_price_that_stays_uncertain_holds_a_resolution_up_for_an_hour_at_most() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, BTC, whole(90_000));
    setup.open(&alice, ETH, whole(-1_000));
    // Ether's oracle is unsure from now on, by more than its tier allows, however often it is posted.
    setup.posted[ETH].conf = u64::try_from(setup.posted[ETH].price).expect("positive") / 20;
    setup.move_by(BTC, -1_500);
    assert_eq!(setup.status(ETH), Status::Uncertain);
    setup.flag(&alice).must();
    setup.tick(2);
    setup.liquidate(&alice).fails(Error::AccountBankrupt);
    setup.resolve(&alice).fails(Error::PriceUncertain);
    setup.tick(SILENT_SECONDS);
    setup.flag(&alice).must();
    setup.tick(2);
    assert_eq!(setup.status(ETH), Status::Uncertain);
    setup.resolve(&alice).must();
    assert!(setup.account(&alice).state.is_flat());
    setup.audit();
}

//! The thin path through everything, each step with what it changed.

use ballast_client::view::{AccountView, MarketView};
use ballast_client::{address, quotes};
use ballast_engine::constants::FLAG_WAIT_SLOTS;
use ballast_engine::liquidity::LOCKED_SHARES;
use ballast_engine::price::Status;
use ballast_engine::{Error, presets};
use ballast_tests::{Expect, Sent, Setup, Terms, Trader, event, units, usd};
use solana_signer::Signer;

const BTC: usize = 0;

#[test]
fn an_exchange_with_markets_and_liquidity_stands() {
    let setup = Setup::new();
    let exchange = setup.exchange();
    assert_eq!(exchange.mint.0, setup.mint.to_bytes());
    assert_eq!(exchange.roles.governance.0, setup.governance.pubkey().to_bytes());
    assert_eq!(exchange.roles.guardian.0, setup.guardian.pubkey().to_bytes());
    assert_eq!((exchange.markets, exchange.pending_proposals), (3, 0));
    for (index, terms) in setup.terms.markets.iter().enumerate() {
        let market = setup.market(index);
        let tier = market.state.rules().map(|_| market.state.tier);
        assert_eq!(tier, Ok(terms.tier));
        assert_eq!(market.state.params.open_interest_cap.0, terms.cap, "raised by proposals");
        assert!(market.state.params.funding_velocity > 0 && market.state.params.holding_fee.0 > 0);
        assert_eq!(setup.status(index), Status::Good);
        assert_eq!(market.state.pool.cash.0, terms.liquidity);
        assert_eq!(market.state.pool.insurance.0, terms.insurance);
        // The first deposit is priced at one to one, and leaves a little to nobody.
        assert_eq!(market.state.pool.shares, terms.liquidity);
        assert_eq!(setup.world.tokens(&setup.providers[index].shares), terms.liquidity - LOCKED_SHARES);
        assert!(
            !setup.world.exists(&address::lp_deposit(&setup.market_key(index), &setup.providers[index].key.pubkey()))
        );
    }
    let audit = setup.audit();
    assert_eq!(u128::from(audit.vault), audit.pool_cash + audit.market_insurance);
    assert_eq!((audit.markets, audit.lp_deposits, audit.difference), (3, 0, 0));
}

#[test]
fn a_trade_moves_what_it_says_and_nothing_else() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    assert_eq!(setup.account(&alice).state.collateral.0, units(10_000));
    setup.audit();

    let before = setup.market(BTC).state;
    let size = setup.size_for(BTC, 100_000_000_000);
    let order = setup.place(&alice, BTC, size).expect("placed");
    let fee = before.params.order_fee.0;
    assert_eq!(setup.account(&alice).state.collateral.0, units(10_000) - fee, "put aside");
    assert_eq!(setup.audit().order_fees, fee.into());

    // At the price that was there when it was placed it cannot fill.
    setup.execute(&alice, BTC, &order).fails(Error::OrderTooEarly);
    setup.later();
    let traded = event!(setup.execute(&alice, BTC, &order).must(), Traded);
    assert!(!setup.world.exists(&order));
    setup.audit();

    // The mark is worse than the price by the confidence of one basis point, and the premium comes on top.
    let price = setup.market(BTC).state.price.last.price.0;
    assert_eq!(traded.mark, price + price / 10_000);
    assert!(traded.premium > 0 && traded.price > traded.mark);
    assert_eq!((traded.size, traded.position), (size, size));
    let account = setup.account(&alice).state;
    let position = account.positions[0];
    assert_eq!(position.size.0, size);
    assert_eq!(setup.account(&setup.keeper).state.collateral.0, fee, "the keeper's fee");
    assert_eq!(account.collateral.0, units(10_000) - fee - traded.fee);
    // Five basis points: 60 % to the pool, 20 % to insurance, 20 % to the protocol.
    let after = setup.market(BTC).state;
    assert_eq!(traded.fee, 50_005_000);
    assert_eq!(after.pool.cash.0 - before.pool.cash.0, 30_003_000);
    assert_eq!(after.pool.insurance.0 - before.pool.insurance.0, 10_001_000);
    assert_eq!(after.pool.protocol_fees.0, 10_001_000);
    assert_eq!(
        (after.long.open_interest.0, after.long.entry, after.long.positions),
        (size.unsigned_abs(), position.entry, 1)
    );
    assert_eq!(setup.market(1).state.pool, before_other(&setup), "another market's pool stands still");

    let view = AccountView::of(&setup.account(&alice), &setup.markets(), &setup.world.now()).expect("a view");
    assert_eq!(view.positions[0].entry, position.entry.0);
    let liquidation = view.positions[0].liquidation_price.expect("a price");
    assert!(liquidation > price * 92 / 100 && liquidation < price * 94 / 100, "{liquidation} of {price}");
    let market = MarketView::of(&setup.market(BTC), &setup.world.now()).expect("a view");
    assert_eq!((market.long.positions, market.skew), (1, size));

    // Back at the same price: a round trip loses.
    setup.close(&alice, BTC);
    setup.audit();
    let account = setup.account(&alice).state;
    assert!(account.is_flat());
    assert!(account.collateral.0 < units(10_000) - 2 * fee - traded.fee);
    let owned = account.collateral.0;
    // Principal of this hour counts as an outflow; the floor lets it go.
    setup.withdraw(&alice, owned).must();
    setup.close_subaccount(&alice).must();
    assert_eq!(setup.world.tokens(&alice.tokens), units(1_000_000) + owned);
    setup.audit();
}

fn before_other(setup: &Setup) -> ballast_engine::market::Pool {
    Setup::with(&setup.terms).market(1).state.pool
}

/// An account a little below maintenance, by a move to a dollar above the quoted price and then ten basis points down.
fn ailing(setup: &mut Setup) -> Trader {
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, BTC, 100_000_000_000);
    let view = AccountView::of(&setup.account(&alice), &setup.markets(), &setup.world.now()).expect("a view");
    let quoted = view.positions[0].liquidation_price.expect("a price");
    // From quote atoms per base atom, exponent -9, to dollars a bitcoin, exponent -8. The quote keeps the confidence as it
    // is, which falls with the price by less than a dollar.
    setup.move_to(BTC, i64::try_from(quoted).expect("fits") * 10 + usd(1));
    assert!(setup.surplus(&alice) >= 0);
    setup.flag(&alice).fails(Error::AccountHealthy);
    setup.move_by(BTC, -10);
    assert!(setup.surplus(&alice) < 0);
    alice
}

fn healthier(setup: &Setup, trader: &Trader, act: impl FnOnce(&mut Setup) -> Sent) -> (Setup, Sent) {
    let before = setup.surplus(trader);
    let mut setup = setup.clone();
    let sent = act(&mut setup);
    assert!(setup.surplus(trader) >= before, "never less healthy");
    (setup, sent)
}

#[test]
fn a_liquidation_is_flagged_paced_and_paid() {
    let mut setup = Setup::with(&Terms::still());
    let alice = ailing(&mut setup);
    setup.liquidate(&alice).fails(Error::NotFlagged);
    let flagged = event!(setup.flag(&alice).must(), Flagged);
    assert!(flagged.equity < i64::try_from(flagged.maintenance).expect("fits") && flagged.need > 0);
    setup.flag(&alice).fails(Error::AlreadyFlagged);
    setup.audit();

    // Without a newer price nobody is liquidated, however long one waits.
    setup.world.advance_slots(FLAG_WAIT_SLOTS);
    setup.liquidate(&alice).fails(Error::FlagTooFresh);
    setup.tick(2);
    let held = setup.position(&alice, BTC);
    let (keeper, insurance) =
        (setup.account(&setup.keeper).state.collateral.0, setup.market(BTC).state.pool.insurance.0);
    let (setup, sent) = healthier(&setup, &alice, |s| s.liquidate(&alice).must());
    let done = event!(sent, Liquidated);
    setup.audit();

    // Seven slots after the flag: 20 % + 80 % × 7 ÷ 25 of the need.
    let share = 200_000 + 800_000 * 7 / 25;
    assert!(done.closed <= flagged.need * share / 1_000_000 + 1_000_000, "{} of {}", done.closed, flagged.need);
    assert!(done.closed > flagged.need * 40 / 100);
    assert_eq!(done.need, flagged.need);
    assert!(!done.urgent && done.position > 0 && done.position < held, "a part only");
    assert_eq!(done.position, setup.position(&alice, BTC));
    assert_eq!(setup.account(&setup.keeper).state.collateral.0, keeper + done.keeper_fee, "flagger and keeper in one");
    assert!(done.keeper_fee > 0);
    assert_eq!(setup.market(BTC).state.pool.insurance.0, insurance + done.insurance_fee);

    // The rest goes in the same way until the account is healthy.
    let mut setup = setup;
    for _ in 0..20 {
        if setup.account(&alice).state.flag.slot == 0 {
            break;
        }
        setup.tick(2);
        setup.liquidate(&alice).must();
        setup.audit();
    }
    assert_eq!(setup.account(&alice).state.flag.slot, 0);
    assert!(setup.surplus(&alice) >= 0);
    assert!(setup.position(&alice, BTC) > 0 && setup.account(&alice).state.collateral.0 > 0, "something is left");
    setup.flag(&alice).fails(Error::AccountHealthy);
}

#[test]
fn the_largest_size_quoted_fills_and_an_atom_more_does_not() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let fee = setup.market(BTC).state.params.order_fee;
    // As it will be when the order fills: some seconds later, with the order's fee put aside.
    setup.later();
    let mut account = setup.account(&alice);
    account.state.collateral = account.state.collateral.less(fee).expect("enough");
    let quoted = quotes::max_increase(&account, &setup.markets(), 0, true, &setup.world.now()).expect("a quote");
    let quoted = i64::try_from(quoted.0).expect("fits");
    assert!(quoted > setup.size_for(BTC, 100_000_000_000), "ten times at least");
    let over = setup.clone().trade(&alice, BTC, quoted + 1);
    over.fails(Error::InitialMargin);
    setup.trade(&alice, BTC, quoted).must();
    setup.audit();
    let view = AccountView::of(&setup.account(&alice), &setup.markets(), &setup.world.now()).expect("a view");
    let json = serde_json::to_value(&view).expect("as JSON");
    assert_eq!(json["positions"][0]["size"], quoted);
    assert_eq!(json["owner"], alice.address().to_string());
}

#[test]
fn a_timelocked_change_waits_and_then_holds() {
    let mut setup = Setup::new();
    let old = setup.market(BTC).state.params.taker_fee.0;
    assert_eq!(old, presets::new_market(ballast_engine::tier::Tier::A, 1_000_000).taker_fee.0);
    setup.queue(BTC, "taker_fee", old + 201).expect_err("a step too large");
    let id = setup.queue(BTC, "taker_fee", old + 100).expect("queued");
    assert_eq!(setup.exchange().pending_proposals, 1);
    setup.audit();

    setup.execute_proposal(id).fails(Error::ProposalNotReady);
    setup.world.advance(48 * 3_600 - 1);
    setup.execute_proposal(id).fails(Error::ProposalNotReady);
    assert_eq!(setup.market(BTC).state.params.taker_fee.0, old);
    setup.world.advance(1);
    let ended = event!(setup.execute_proposal(id).must(), ProposalEnded);
    assert_eq!((ended.old_value, ended.new_value, ended.state), (old, old + 100, 1));
    assert_eq!(setup.market(BTC).state.params.taker_fee.0, old + 100);
    assert_eq!(setup.exchange().pending_proposals, 0);
    setup.execute_proposal(id).fails(Error::ProposalClosed);
    setup.audit();

    // A vetoed one never executes.
    let id = setup.queue(BTC, "taker_fee", old).expect("queued");
    setup.veto(id).must();
    setup.wait_for(id);
    setup.execute_proposal(id).fails(Error::ProposalClosed);
    setup.audit();
}

#[test]
fn the_audit_finds_what_does_not_add_up() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, BTC, 10_000_000_000);
    setup.place(&alice, BTC, 1_000_000).expect("placed");
    setup.audit();
    let named = |setup: &Setup| -> Vec<String> { setup.books().mismatches.into_iter().map(|m| m.what).collect() };

    let mut broken = setup.clone();
    let mut account = broken.account(&alice);
    account.state.collateral.0 += 1;
    broken.world.write(&alice.subaccount, &*account);
    assert_eq!(named(&broken), ["vault"]);

    let mut broken = setup.clone();
    let mut account = broken.account(&alice);
    account.state.positions[0].size.0 -= 1;
    broken.world.write(&alice.subaccount, &*account);
    assert_eq!(named(&broken), ["long.open_interest"]);

    let mut broken = setup.clone();
    let mut market = broken.market(BTC);
    market.state.pool.claims.0 += 1;
    market.state.pool.shares += 1;
    market.state.pool.pending_deposits.0 += 1;
    let key = broken.market_key(BTC);
    broken.world.write(&key, &*market);
    assert_eq!(named(&broken), ["claims", "pending_deposits", "shares"]);

    let mut broken = setup.clone();
    let mut account = broken.account(&alice);
    account.state.orders += 1;
    broken.world.write(&alice.subaccount, &*account);
    assert_eq!(named(&broken), ["orders"]);

    // A donation is nobody's: the audit says so.
    let mut broken = setup.clone();
    let (vault, exchange, mint) = (broken.vault, broken.exchange, broken.mint);
    let amount = broken.world.tokens(&vault) + 5;
    broken.set_tokens(vault, &exchange, &mint, amount);
    assert_eq!(named(&broken), ["vault"]);
    assert_eq!(broken.books().difference, 5);
}

#[test]
fn a_keeper_settles_the_worst_losses_first_until_the_claims_are_gone() {
    let (mut setup, [alice, bob, carol]) = Setup::in_episode();
    let now = setup.world.now();
    let markets = setup.markets().accrued(&now).expect("accrues");
    let accounts = [&alice, &bob, &carol].map(|trader| (trader.subaccount, setup.account(trader)));
    let pairs = accounts.iter().map(|(address, account)| (address, &**account));
    let duties = ballast_client::keeping::losses(&markets, pairs, true, &now).expect("in range");
    assert_eq!(duties.iter().map(|duty| duty.subaccount).collect::<Vec<_>>(), [carol.subaccount], "she alone has lost");
    let before = setup.market(BTC).state.pool;
    assert!(!before.claims.is_zero());
    setup.settle(&carol, BTC).must();
    let after = setup.market(BTC).state.pool;
    assert_eq!(after.cash.0 - before.cash.0, duties[0].brings.0, "as foreseen");
    setup.settle(&bob, BTC).must();
    setup.collect_claim(&alice, BTC).must();
    let market = setup.market(BTC).state;
    assert_eq!((market.pool.claims.0, market.episode.since), (0, 0));
    setup.audit();
}

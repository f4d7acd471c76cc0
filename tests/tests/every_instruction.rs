//! Every instruction of the program goes through at least once, built by the client, and the books add up after each.

use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_client::instructions as ix;
use ballast_engine::governance::{kind, state};
use ballast_engine::price::Status;
use ballast_engine::{Error, constants};
use ballast_tests::{Expect, Posted, Setup, Terms, event, units};
use solana_signer::Signer;

const BTC: usize = 0;
const ETH: usize = 1;
const TAIL: usize = 2;

/// Every instruction, by the names under which the harness records compute units.
const ALL: &[&str] = &[
    "accept_governance",
    "cancel_order",
    "close_subaccount",
    "collect_claim",
    "collect_fees",
    "collect_pool_claim",
    "create_market",
    "deposit",
    "dismiss_committee",
    "emergency_pause",
    "execute_exchange_proposal",
    "execute_lp_deposit",
    "execute_lp_withdrawal",
    "execute_market_proposal",
    "execute_order",
    "exit_silent",
    "expire_proposal",
    "flag",
    "initialize_exchange",
    "lapse_lp_deposit",
    "lapse_lp_withdrawal",
    "liquidate",
    "open_subaccount",
    "place_order",
    "protect_market",
    "queue_exchange_parameter",
    "queue_market_parameter",
    "queue_oracle_feed",
    "queue_role",
    "reduce",
    "request_lp_deposit",
    "request_lp_withdrawal",
    "resolve",
    "settle",
    "top_up_market_insurance",
    "top_up_shared_insurance",
    "transfer",
    "unflag",
    "update_market",
    "veto_proposal",
    "withdraw",
];

#[test]
fn traders_move_collateral_and_orders() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(20_000));
    let aside = setup.trader_with("alice", 7, false, 0);
    setup.transfer(&alice, &aside, units(5_000)).must();
    setup.audit();
    assert_eq!(setup.account(&aside).state.collateral.0, units(5_000));

    setup.open(&alice, BTC, 50_000_000_000);
    setup.open(&alice, ETH, -20_000_000_000);
    setup.audit();
    // Isolated only.
    setup.trade(&alice, TAIL, 1_000_000_000).fails(Error::CrossNotAllowed);
    let bob = setup.isolated("bob", units(2_000));
    setup.open(&bob, TAIL, -1_000_000_000);
    setup.audit();

    let order = setup.place(&alice, BTC, 10_000_000).expect("placed");
    setup.cancel(&alice, BTC, &order).fails(Error::OrderLocked);
    setup.tick(constants::ORDER_LOCK);
    let cancelled = event!(setup.cancel(&alice, BTC, &order).must(), OrderCancelled);
    assert_eq!((cancelled.reason, cancelled.fee_to_keeper), (0, 0));
    setup.audit();

    let held = setup.position(&alice, BTC).unsigned_abs();
    setup.reduce(&alice, BTC, held / 2, false).must();
    setup.audit();
    assert_eq!(setup.position(&alice, BTC).unsigned_abs(), held - held / 2);

    // A long up 2 % and a short up 2 %: one's profit, the other's loss, both become cash.
    setup.move_by(BTC, 200);
    setup.move_by(ETH, 200);
    setup.settle(&alice, BTC).must();
    setup.audit();
    let settled = event!(setup.settle(&alice, ETH).must(), PositionSettled);
    assert!(settled.pnl < 0);
    setup.settle(&alice, ETH).fails(Error::CoverTooEarly);
    setup.audit();
    setup.collect_claim(&alice, BTC).fails(Error::CoverTooEarly);
    setup.collect_pool_claim(BTC, ETH).fails(Error::CoverTooEarly);

    setup.withdraw(&alice, units(1_000)).must();
    setup.audit();
    setup.collect_fees(BTC).must();
    assert!(setup.world.tokens(&setup.fee_destination) > 0);
    setup.audit();
}

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
    setup.world.advance(constants::TICKET_LAPSE + 1);
    setup.lapse_deposit(&provider).must();
    setup.audit();
    assert_eq!(setup.world.tokens(&provider.tokens), units(60_000));

    let top_up = ix::top_up_shared_insurance(&setup.exchange, &provider.key.pubkey(), &provider.tokens, units(500));
    setup.world.measure("top_up_shared_insurance", top_up, &[&provider.key]).must();
    assert_eq!(setup.audit().shared_insurance, units(500).into());
    assert_every(&setup, &["lapse_lp_deposit", "lapse_lp_withdrawal", "execute_lp_withdrawal"]);
}

#[test]
fn governance_and_guardian_do_what_they_may() {
    let mut setup = Setup::with(&Terms::still());
    let payer = setup.world.payer.pubkey();
    let newcomer = setup.trader("newcomer", 0).key;

    let role = setup.queue_role(kind::GOVERNANCE, newcomer.pubkey()).expect("queued");
    let delay = setup.queue_exchange("outflow_floor", units(10_500)).expect("queued");
    let feed = setup.queue_oracle_feed(TAIL, [9; 32]).expect("queued");
    let cap = setup.queue(TAIL, "open_interest_cap", units(900_000)).expect("queued");
    let dead = setup.queue(ETH, "taker_fee", 800).expect("queued");
    let vetoed = setup.queue(ETH, "mending_fee", 400).expect("queued");
    assert_eq!(setup.exchange().pending_proposals, 6);
    setup.audit();
    setup.veto(vetoed).must();
    setup.audit();

    let reduce_only = ProtectMarketArgs { reduce_only_seconds: 3_600, cap: units(1), cap_seconds: 7_200 };
    setup.protect(BTC, reduce_only).must();
    let alice = setup.trader("alice", units(10_000));
    let size = setup.size_for(BTC, 1_000_000_000);
    setup.place(&alice, BTC, size).expect_err("reduce-only");
    setup.emergency(constants::EMERGENCY_LIFE).must();
    setup.withdraw(&alice, 1).fails(Error::Paused);
    setup.audit();

    for id in [cap, delay, role, feed] {
        setup.wait_for(id);
        setup.execute_proposal(id).fails(Error::ProposalNotReady);
        // The emergency pause stopped the clock of what is not a tightening.
        setup.world.advance(constants::EMERGENCY_LIFE);
        if setup.proposal(id).terms.state == state::PENDING {
            setup.execute_proposal(id).must();
        }
        setup.audit();
    }
    assert_eq!(setup.market(TAIL).state.params.open_interest_cap.0, units(900_000));
    assert_eq!(setup.exchange().params.outflow_floor.0, units(10_500));
    assert_eq!(setup.market(TAIL).feed_id.0, [9; 32]);

    let accept = ix::accept_governance(&newcomer.pubkey(), &setup.exchange);
    setup.world.measure("accept_governance", accept, &[&newcomer]).must();
    assert_eq!(setup.exchange().roles.governance.0, newcomer.pubkey().to_bytes());
    let dismiss = ix::dismiss_committee(&newcomer.pubkey(), &setup.exchange);
    setup.world.measure("dismiss_committee", dismiss, &[&newcomer]).must();
    assert_eq!(setup.exchange().roles.committee.0, [0; 32]);

    setup.world.advance(constants::PROPOSAL_LIFE + constants::EMERGENCY_LIFE);
    let expired = event!(setup.expire(dead).must(), ProposalEnded);
    assert_eq!((expired.state, expired.by), (state::EXPIRED, payer));
    setup.audit();
    assert_eq!(setup.exchange().pending_proposals, 0);
    assert_every(&setup, &["queue_exchange_parameter", "queue_role", "queue_oracle_feed", "protect_market"]);
}

#[test]
fn an_account_below_zero_is_resolved_and_one_that_recovers_is_unflagged() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let bob = setup.trader("bob", units(10_000));
    setup.open(&alice, BTC, 100_000_000_000);
    setup.open(&bob, BTC, 100_000_000_000);
    setup.move_by(BTC, -800);
    setup.flag(&alice).must();
    setup.resolve(&alice).fails(Error::NotBankrupt);
    setup.flag(&bob).must();
    setup.deposit(&bob, units(5_000)).must();
    setup.unflag(&bob).must();
    setup.audit();

    setup.move_by(BTC, -500);
    setup.liquidate(&alice).fails(Error::AccountBankrupt);
    let before = setup.market(BTC).state.pool;
    let resolved = event!(setup.resolve(&alice).must(), Resolved);
    setup.audit();
    assert!(resolved.equity_before < 0 && resolved.deficit > 0);
    assert_eq!(resolved.insurance, resolved.deficit, "the market's insurance pays before its providers");
    let account = setup.account(&alice).state;
    assert!(account.is_flat() && account.collateral.is_zero() && account.flag.slot == 0);
    let after = setup.market(BTC).state.pool;
    assert_eq!(before.insurance.0 - after.insurance.0, resolved.deficit);
    assert_eq!(after.cash.0 - before.cash.0, resolved.paid + resolved.insurance);
}

#[test]
fn a_silent_market_lets_everyone_out() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, BTC, 50_000_000_000);
    setup.exit_silent(&alice, BTC).fails(Error::PriceNotSilent);
    setup.world.advance(constants::SILENT_SECONDS + 1);
    assert_eq!(setup.status(BTC), Status::Silent);
    setup.exit_silent(&alice, BTC).must();
    setup.audit();
    let left = setup.account(&alice).state;
    assert!(left.positions[0].held.0 > 0 && !left.positions[0].is_open());
    setup.tick(1);
    let settled = event!(setup.settle(&alice, BTC).must(), PositionSettled);
    assert_eq!(
        (settled.returned, settled.forfeited),
        (left.positions[0].held.0 - settled.forfeited, settled.forfeited)
    );
    assert!(settled.returned > 0);
    setup.audit();
    assert!(setup.account(&alice).state.is_flat());
}

#[test]
fn profits_that_the_pool_cannot_pay_become_claims() {
    let mut terms = Terms::cross(2);
    for market in &mut terms.markets {
        market.liquidity = units(20_000);
        market.insurance = 0;
    }
    let mut setup = Setup::with(&terms);
    let (alice, bob) = (setup.trader("alice", units(40_000)), setup.trader("bob", units(40_000)));
    // Each side of 190k may be as large as ten times the pool. Both are long, the pool is short.
    setup.open(&alice, BTC, 95_000_000_000);
    setup.open(&bob, BTC, 95_000_000_000);
    setup.open(&bob, ETH, -95_000_000_000);
    setup.audit();
    setup.move_by(BTC, 1_500);
    setup.move_by(BTC, 1_500);
    let settled = event!(setup.settle(&alice, BTC).must(), PositionSettled);
    setup.audit();
    assert!(settled.claimed > 0, "{settled:?}");
    let settled = event!(setup.settle(&bob, BTC).must(), PositionSettled);
    assert!(settled.claimed > 0, "{settled:?}");
    setup.audit();
    // New money pays claims first.
    setup.provider("paula", BTC, units(15_000));
    setup.audit();
    let collected = event!(setup.collect_claim(&alice, BTC).must(), PositionSettled).collected;
    assert!(collected > 0);
    setup.audit();

    // Bob loses in the other market more than he has: what is left of his claim goes to that pool.
    setup.move_by(ETH, 2_000);
    setup.move_by(ETH, 2_500);
    setup.move_by(ETH, 2_500);
    let surplus = setup.surplus(&bob);
    assert!(surplus < 0, "{surplus}");
    setup.flag(&bob).must();
    setup.tick(2);
    let resolved = event!(setup.resolve(&bob).must(), Resolved);
    assert!(resolved.assigned > 0, "{resolved:?}");
    setup.audit();
    setup.provider("peter", BTC, units(5_000));
    setup.collect_pool_claim(BTC, ETH).must();
    setup.audit();
    assert_every(&setup, &["collect_claim", "collect_pool_claim", "resolve"]);
}

#[test]
fn a_price_posted_as_it_stands_is_refused_where_it_is_malformed() {
    let mut setup = Setup::with(&Terms::still());
    setup.world.advance(1);
    let price = setup.posted[BTC].price;
    setup.publish(BTC, Posted { price, conf: u64::try_from(price).expect("positive") }).must();
    setup.update(BTC).must();
    assert_eq!(setup.status(BTC), Status::Uncertain);
}

fn assert_every(setup: &Setup, names: &[&str]) {
    for name in names {
        assert!(ALL.contains(name));
        let recorded = |key: &String| key == name || key.starts_with(&format!("{name}, "));
        assert!(setup.world.units.keys().any(recorded), "{name} went through");
    }
}

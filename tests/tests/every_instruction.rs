//! Every instruction of the program goes through at least once, built by the client, and the books add up after each.

use ballast::instructions::guardian::ProtectMarketArgs;
use ballast::instructions::trader::SetCovenantArgs;
use ballast_client::instructions as ix;
use ballast_engine::governance::{kind, state};
use ballast_engine::price::Status;
use ballast_engine::{Error, constants};
use ballast_tests::binding::{NO_LIMITS, TERMS};
use ballast_tests::upgrading::{BUFFER_LAMPORTS, SMALL};
use ballast_tests::world::{fixed_key, program_bytes};
use ballast_tests::{Ask, Expect, Posted, Setup, Terms, event, units};
use solana_signer::Signer;

const BTC: usize = 0;
const ETH: usize = 1;
const TAIL: usize = 2;

/// What every [`Setup`] has sent.
const SETUP: &[&str] = &[
    "create_market",
    "execute_lp_deposit",
    "execute_market_proposal",
    "initialize_exchange",
    "open_subaccount",
    "queue_market_parameter",
    "request_lp_deposit",
    "top_up_market_insurance",
    "update_market",
];
const TRADERS: &[&str] = &[
    "cancel_order",
    "close_subaccount",
    "collect_fees",
    "deposit",
    "execute_order",
    "place_order",
    "reduce",
    "settle",
    "transfer",
    "trigger_order",
    "withdraw",
];
const LIQUIDITY: &[&str] = &[
    "execute_lp_withdrawal",
    "lapse_lp_deposit",
    "lapse_lp_withdrawal",
    "request_lp_withdrawal",
    "top_up_shared_insurance",
];
const GOVERNANCE: &[&str] = &[
    "accept_governance",
    "close_proposal",
    "dismiss_committee",
    "emergency_pause",
    "execute_exchange_proposal",
    "expire_proposal",
    "protect_market",
    "queue_exchange_batch",
    "queue_exchange_parameter",
    "queue_fee_destination",
    "queue_market_batch",
    "queue_oracle_feed",
    "queue_oracle_program",
    "queue_role",
    "queue_wind_down",
    "veto_proposal",
];
const UPGRADES: &[&str] = &[
    "close_upgrade",
    "execute_new_exchange",
    "execute_upgrade",
    "queue_new_exchange",
    "queue_upgrade",
    "take_upgrade_authority",
    "verify_upgrade",
];
const COVENANTS: &[&str] = &[
    "close_covenant",
    "close_tripped",
    "create_covenant",
    "execute_loosening",
    "loosen_covenant",
    "set_delegate",
    "tighten_covenant",
    "touch_covenant",
    "trip_covenant",
];
const SICK: &[&str] = &["flag", "liquidate", "resolve", "unflag"];
const SILENT: &[&str] = &["exit_silent"];
const CLAIMS: &[&str] = &["collect_claim", "collect_pool_claim"];
const DELEVERAGING: &[&str] = &["deleverage", "pick_up_deleveraging"];
const SETTLEMENT: &[&str] = &["advance_settlement", "close_settled"];
const INSURANCE: &[&str] =
    &["execute_insurance_withdrawal", "pay_insurance_claim", "queue_insurance_withdrawal", "register_insurance_claim"];

#[test]
fn every_setup_sends_what_it_takes() {
    let mut setup = Setup::new();
    setup.world.units.append(&mut setup.made);
    assert_sent(&setup, SETUP);
}

#[test]
fn every_instruction_of_the_program_is_listed() {
    let dispatch = include_str!("../../programs/ballast/src/lib.rs");
    let mut names: Vec<&str> =
        dispatch.split("pub fn ").skip(1).filter_map(|rest| rest.split(['<', '(']).next()).collect();
    names.sort_unstable();
    let lists = [
        SETUP,
        TRADERS,
        LIQUIDITY,
        GOVERNANCE,
        UPGRADES,
        SICK,
        SILENT,
        CLAIMS,
        INSURANCE,
        DELEVERAGING,
        SETTLEMENT,
        COVENANTS,
    ];
    let mut sent = lists.concat();
    sent.sort_unstable();
    assert_eq!(names, sent, "each is in one test's list, which that test holds itself to");
}

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
    setup.tick(constants::PLACEMENT_LAG + constants::ORDER_LOCK);
    let cancelled = event!(setup.cancel(&alice, BTC, &order).must(), OrderCancelled);
    assert_eq!((cancelled.reason, cancelled.fee_to_keeper), (0, 0));
    setup.audit();

    // A stop a hundredth below that trails: the next prices move it, then meet it; its owner is closed out.
    let price = setup.market(BTC).state.price.last.price.0;
    let size = -setup.position(&alice, BTC) / 10;
    let exit = Ask { size, reduce_only: true, kind: 3, trail: price / 100, ..Ask::default() };
    let order = setup.place(&alice, BTC, exit).expect("placed");
    setup.trigger(&alice, BTC, &order).fails(Error::OrderNotTriggered);
    setup.later();
    let moved = event!(setup.trigger(&alice, BTC, &order).must(), OrderTriggered);
    assert_eq!((moved.triggered_at, moved.stop), (0, price - price / 100));
    setup.move_by(BTC, -120);
    let met = event!(setup.trigger(&alice, BTC, &order).must(), OrderTriggered);
    assert!(met.triggered_at > 0 && met.stop == moved.stop);
    setup.tick(1);
    setup.execute(&alice, BTC, &order).must();
    setup.move_by(BTC, 121);
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
    setup.close(&alice, BTC);
    setup.close(&alice, ETH);
    let left = setup.account(&alice).state.collateral.0;
    setup.transfer(&alice, &aside, left).must();
    setup.close_subaccount(&alice).must();
    setup.audit();
    assert_sent(&setup, TRADERS);
}

#[test]
fn covenants_bind_trip_and_are_loosened() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.bound("alice", units(10_000));
    let delegate = setup.trader("desk", 0);
    setup.appoint_for(&alice, delegate.address(), 30, units(10));
    setup.open(&alice, BTC, 30_000_000_000);
    setup.audit();
    setup.tighten(&alice, SetCovenantArgs { max_leverage: 4_000_000, ..TERMS }).must();
    setup.move_by(BTC, -150);
    let seen = event!(setup.touch(&alice).must(), CovenantTouched);
    assert!(seen.good && seen.positions == 1 && seen.result < seen.mark);
    setup.trip(&alice).fails(Error::CovenantNotBreached);
    setup.move_by(BTC, -50);
    setup.touch(&alice).must();
    let tripped = event!(setup.trip(&alice).must(), CovenantTripped);
    assert!(tripped.daily && !tripped.drawdown && tripped.day_loss >= units(500));
    setup.audit();
    let earned = setup.account(&setup.keeper).state.collateral.0;
    let enforced = event!(setup.close_tripped(&alice, BTC).must(), CovenantEnforced);
    assert_eq!(setup.position(&alice, BTC), 0);
    assert_eq!(setup.account(&setup.keeper).state.collateral.0, earned + enforced.fee);
    setup.audit();
    setup.loosen(&alice, NO_LIMITS).must();
    setup.execute_loosening(&alice).fails(Error::CovenantNotReady);
    setup.world.advance(TERMS.loosening_delay);
    setup.execute_loosening(&alice).must();
    setup.close_covenant(&alice).must();
    setup.audit();
    setup.tick(1);
    setup.move_by(BTC, 0);
    setup.open(&alice, BTC, 30_000_000_000);
    assert_sent(&setup, COVENANTS);
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
    let batch = setup.queue_batch(ETH, &[("maintenance_margin", 55_000), ("initial_margin", 110_000)]).expect("queued");
    let limits = setup.queue_exchange_batch(&[("outflow_hourly", 12_000), ("outflow_daily", 110_000)]).expect("queued");
    let (treasury, mint) = (fixed_key("new fees").pubkey(), setup.mint);
    setup.set_tokens(treasury, &newcomer.pubkey(), &mint, 0);
    let fees = setup.queue_fee_destination(&treasury).expect("queued");
    let program = setup.queue_oracle_program(1, fixed_key("an oracle").pubkey()).expect("queued");
    let end = setup.queue_wind_down(BTC, true).expect("queued");
    assert_eq!(setup.exchange().pending_proposals, 11);
    assert_eq!(&setup.exchange().market_pending[..3], &[1, 3, 2]);
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

    // The emergency pause stops the clock of everything but a tightening, which a cut of this cap is not: it raises the
    // holding fee of what is open.
    for ids in [&[cap][..], &[delay, role, batch, limits, end], &[feed, fees, program]] {
        setup.wait_for(ids[0]);
        setup.world.advance(constants::EMERGENCY_LIFE - 1);
        for id in ids {
            setup.execute_proposal(*id).fails(Error::ProposalNotReady);
        }
        setup.world.advance(1);
        for id in ids {
            setup.execute_proposal(*id).must();
            setup.audit();
        }
    }
    assert_eq!(setup.market(TAIL).state.params.open_interest_cap.0, units(900_000));
    assert_eq!(setup.exchange().params.outflow_floor.0, units(10_500));
    assert_eq!(setup.market(TAIL).feed_id.0, [9; 32]);
    assert_eq!(setup.market(ETH).state.params.maintenance_margin.0, 55_000);
    assert_eq!(setup.exchange().params.outflow_daily.0, 110_000);
    assert_eq!(setup.exchange().fee_destination.0, treasury.to_bytes());
    assert!(setup.market(BTC).state.governed.closing_since > 0);

    let accept = ix::accept_governance(&newcomer.pubkey(), &setup.exchange);
    setup.world.measure("accept_governance", accept, &[&newcomer]).must();
    assert_eq!(setup.exchange().roles.governance.0, newcomer.pubkey().to_bytes());
    let dismiss = ix::dismiss_committee(&newcomer.pubkey(), &setup.exchange);
    setup.world.measure("dismiss_committee", dismiss, &[&newcomer]).must();
    assert_eq!(setup.exchange().roles.committee.0, [0; 32]);

    setup.world.advance(constants::PROPOSAL_LIFE + constants::EMERGENCY_LIFE);
    let expired = event!(setup.expire(dead).must(), ProposalEnded);
    assert_eq!((expired.state, expired.by), (state::EXPIRED, payer));
    let closed = event!(setup.close_proposal(dead).must(), ProposalRentReturned);
    assert_eq!((closed.id, closed.to), (dead, payer));
    setup.audit();
    assert_eq!(setup.exchange().pending_proposals, 0);
    assert_sent(&setup, GOVERNANCE);
}

#[test]
fn the_program_is_upgraded_and_what_was_vetoed_gives_its_buffer_back() {
    let mut setup = Setup::with(&Terms::still());
    setup.take_upgrade_authority().must();
    let code = program_bytes(SMALL);
    let (good, bad) = (setup.buffer("good", &code), setup.buffer("bad", &code));
    let id = setup.queue_upgrade(&good).expect("queued");
    let vetoed = setup.queue_upgrade(&bad).expect("queued");
    setup.audit();
    setup.veto(vetoed).must();
    let closed = event!(setup.close_upgrade(&bad).must(), UpgradeClosed);
    assert_eq!((closed.buffer, closed.lamports), (bad, BUFFER_LAMPORTS));
    setup.audit();
    let args = setup.new_exchange_args("second mint");
    let another = setup.queue_new_exchange(args).expect("queued");
    let hashed = event!(setup.verify_upgrade(&good).must(), UpgradeHashed);
    assert!(hashed.verified && hashed.hashed == code.len() as u64);
    setup.audit();
    setup.wait_for(another);
    let created = event!(setup.execute_new_exchange(another).must(), ExchangeCreated);
    assert_eq!((created.mint, created.governance), (args.mint, args.exchange.governance));
    setup.audit();
    let ended = event!(setup.execute_upgrade(&good).must(), ProposalEnded);
    assert_eq!((ended.id, ended.state), (id, state::EXECUTED));
    setup.audit();
    assert_sent(&setup, UPGRADES);
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

    // What was enough after the first fall is not after the second.
    setup.flag(&bob).must();
    setup.tick(2);
    setup.liquidate(&bob).must();
    setup.audit();
    assert_sent(&setup, SICK);
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
    assert_sent(&setup, SILENT);
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

#[test]
fn a_price_that_is_none_is_refused_and_an_uncertain_one_is_stored_as_such() {
    let mut setup = Setup::with(&Terms::still());
    let (publisher, feed, now) = (setup.publisher.clone(), setup.feed(BTC), setup.world.now().unix + 1);
    setup.world.advance(1);
    let update = ix::oracle::RawUpdate {
        message: price_feed::PriceFeedMessage {
            feed_id: setup.market(BTC).feed_id.0,
            price: -1,
            conf: 0,
            exponent: -8,
            publish_time: now,
            prev_publish_time: now - 1,
            ema_price: 1,
            ema_conf: 0,
        },
        verification_level: price_feed::VerificationLevel::Full,
        posted_slot: None,
    };
    setup.world.send(&[ix::oracle::post_raw(&publisher.pubkey(), &feed, update)], &[&publisher]).must();
    setup.update(BTC).fails(Error::PriceMalformed);
    assert_eq!(setup.status(BTC), Status::Good);

    setup.world.advance(1);
    let price = setup.posted[BTC].price;
    setup.post_as(BTC, Posted { price, conf: u64::try_from(price).expect("positive") / 50 });
    assert_eq!(setup.status(BTC), Status::Uncertain);
}

/// That the harness recorded each of these: it does so for what went through.
fn assert_sent(setup: &Setup, names: &[&str]) {
    for name in names {
        let recorded = |key: &String| key == name || key.starts_with(&format!("{name}, "));
        assert!(setup.world.units.keys().any(recorded), "{name} did not go through");
    }
}

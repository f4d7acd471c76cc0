//! Governance's and the guardian's instructions.

use std::sync::Arc;

use anchor_lang::prelude::Pubkey;
use anchor_spl::token::spl_token;
use ballast::instructions::governance::{
    BatchAsk, InitializeExchangeArgs, QueueBatchArgs, QueueFeeDestinationArgs, QueueInsuranceWithdrawalArgs,
    QueueOracleFeedArgs, QueueOracleProgramArgs, QueueParameterArgs, QueueRoleArgs, QueueWindDownArgs,
};
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_client::{address, instructions as ix};
use ballast_engine::constants::{DAY, HOUR, PROPOSAL_LIFE};
use ballast_engine::governance::kind;
use ballast_engine::layout::Key;
use ballast_tests::governing::market_parameter;
use ballast_tests::upgrading::SMALL;
use ballast_tests::world::{fixed_key, program_bytes};
use ballast_tests::{Expect, MarketTerms, Setup, Terms};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::super::case::{Case, sponsor};
use super::super::foreign;

const RATIONALE: [u8; 32] = [7; 32];

/// An exchange, its sponsor and its governance.
fn begin() -> (Setup, Arc<Keypair>, Arc<Keypair>) {
    let mut setup = Setup::with(&Terms::still());
    let sponsor = sponsor(&mut setup);
    let governance = Arc::clone(&setup.governance);
    (setup, sponsor, governance)
}

fn parameter(setup: &Setup, name: &str, step: u64) -> QueueParameterArgs {
    let id = market_parameter(name);
    let old = setup.market(0).state.params.get(id).expect("a row");
    setup.change_args(0, id, old + step)
}

pub(super) fn cases() -> Vec<Case> {
    [created(), queued(), fees(), decided(), roles(), upgrades()].concat()
}

fn created() -> Vec<Case> {
    let (mut setup, payer, governance) = begin();
    let args = setup.new_market_args(3, &MarketTerms::DEEP);
    let create = ix::create_market(&payer.pubkey(), &governance.pubkey(), &setup.exchange, args);
    let market = Case::new("create_market", setup.clone(), create, &[&payer, &governance]);

    let mint = fixed_key("second mint").pubkey();
    foreign::put_mint(&mut setup.world, mint, spl_token::ID);
    let treasury = fixed_key("second treasury").pubkey();
    setup.set_tokens(treasury, &fixed_key("treasury").pubkey(), &mint, 0);
    let args = InitializeExchangeArgs {
        governance: governance.pubkey(),
        committee: setup.committee.pubkey(),
        guardian: setup.guardian.pubkey(),
        oracle_programs: [price_feed::ID, Pubkey::default()],
    };
    let authority = Arc::new(setup.world.upgrade_authority.insecure_clone());
    let create = ix::initialize_exchange(&payer.pubkey(), &authority.pubkey(), &mint, &treasury, args);
    vec![market, Case::new("initialize_exchange", setup, create, &[&payer, &authority])]
}

fn queued() -> Vec<Case> {
    let (setup, payer, governance) = begin();
    let (exchange, id, last_slot) = (setup.exchange, setup.exchange().next_proposal, setup.last_slot());
    let (from, by) = (payer.pubkey(), governance.pubkey());
    let args = parameter(&setup, "taker_fee", 1);
    let market = ix::queue_market_parameter(&from, &by, &exchange, 0, id, args);
    let params = setup.exchange().params;
    let args = QueueParameterArgs {
        parameter: 2,
        new_value: params.delay_deep + 1,
        version: 0,
        last_slot,
        rationale: RATIONALE,
    };
    let of_exchange = ix::queue_exchange_parameter(&from, &by, &exchange, id, args);
    let new_key = fixed_key("new guardian").pubkey();
    let args = QueueRoleArgs { kind: kind::GUARDIAN, new_key, version: 0, last_slot, rationale: RATIONALE };
    let role = ix::queue_role(&from, &by, &exchange, id, args);
    let args = QueueOracleFeedArgs { new_feed: [9; 32], program: 0, version: 0, last_slot, rationale: RATIONALE };
    let feed = ix::queue_oracle_feed(&from, &by, &exchange, 0, id, args);
    let args = QueueInsuranceWithdrawalArgs {
        from: 0,
        amount: 5,
        destination: setup.fee_destination,
        version: 0,
        last_slot,
        rationale: RATIONALE,
    };
    let insurance = ix::queue_insurance_withdrawal(&from, &by, &exchange, id, args);
    let args = setup.batch_args(0, &[("taker_fee", 501), ("mending_fee", 201)]);
    let batch = ix::queue_market_batch(&from, &by, &exchange, 0, id, args);
    let more = |parameter, new_value| BatchAsk { parameter, version: 0, new_value };
    let changes = vec![more(2, params.delay_deep + 1), more(3, params.grace + 1)];
    let args = QueueBatchArgs { changes, last_slot, rationale: RATIONALE };
    let both = ix::queue_exchange_batch(&from, &by, &exchange, id, args);
    let args = QueueWindDownArgs { closing: true, version: 0, last_slot, rationale: RATIONALE };
    let end = ix::queue_wind_down(&from, &by, &exchange, 0, id, args);
    let program = fixed_key("another oracle").pubkey();
    let args = QueueOracleProgramArgs { place: 1, program, version: 0, last_slot, rationale: RATIONALE };
    let program = ix::queue_oracle_program(&from, &by, &exchange, id, args);
    [
        ("queue_insurance_withdrawal", insurance),
        ("queue_market_parameter", market),
        ("queue_exchange_parameter", of_exchange),
        ("queue_role", role),
        ("queue_oracle_feed", feed),
        ("queue_market_batch", batch),
        ("queue_exchange_batch", both),
        ("queue_wind_down", end),
        ("queue_oracle_program", program),
    ]
    .map(|(name, instruction)| Case::new(name, setup.clone(), instruction, &[&payer, &governance]))
    .to_vec()
}

fn fees() -> Vec<Case> {
    let (mut setup, payer, governance) = begin();
    let (exchange, id, last_slot) = (setup.exchange, setup.exchange().next_proposal, setup.last_slot());
    let (place, mint) = (fixed_key("new treasury").pubkey(), setup.mint);
    setup.set_tokens(place, &fixed_key("treasury").pubkey(), &mint, 0);
    let args = QueueFeeDestinationArgs { version: 0, last_slot, rationale: RATIONALE };
    let queue = ix::queue_fee_destination(&payer.pubkey(), &governance.pubkey(), &exchange, &place, id, args);
    vec![Case::new("queue_fee_destination", setup, queue, &[&payer, &governance])]
}

/// Somebody else than who pays for transactions here has paid a proposal's rent.
fn sponsored(setup: &mut Setup, id: u64) -> Pubkey {
    let (benefactor, at) = (fixed_key("benefactor").pubkey(), address::proposal(&setup.exchange, id));
    setup.world.give(benefactor, 1_000_000_000);
    let mut proposal = setup.proposal(id);
    proposal.payer = Key(benefactor.to_bytes());
    setup.world.write(&at, &*proposal);
    benefactor
}

fn decided() -> Vec<Case> {
    let (mut setup, anyone, _) = begin();
    let exchange = setup.exchange;
    let guardian = Arc::clone(&setup.guardian);
    let fee = setup.market(0).state.params.taker_fee.0;
    let market = setup.queue(0, "taker_fee", fee + 1).expect("queued");
    let delay = setup.exchange().params.delay_deep;
    let whole = setup.queue_exchange("delay_deep", delay + 1).expect("queued");
    let veto = ix::veto_proposal(&guardian.pubkey(), &exchange, None, market);
    let veto = Case::new("veto_proposal", setup.clone(), veto, &[&guardian]);
    // A change of an oracle, which its market is told the end of.
    let mut waiting = setup.clone();
    let feed = waiting.queue_oracle_feed(0, [9; 32]).expect("queued");
    let stop = ix::veto_proposal(&guardian.pubkey(), &exchange, Some(0), feed);
    let stop = Case::new("veto_proposal", waiting.clone(), stop, &[&guardian]).variant("of an oracle");
    waiting.world.advance(14 * DAY);
    let dead = ix::expire_proposal(&anyone.pubkey(), &exchange, Some(0), feed);
    let dead = Case::new("expire_proposal", waiting, dead, &[&anyone]).variant("of an oracle");
    let insurance = setup.queue_insurance_withdrawal(Some(0), 5, setup.fee_destination).expect("queued");
    setup.wait_for(market.max(whole));
    let by = anyone.pubkey();
    let mut later = setup.clone();
    later.wait_for(insurance);
    let withdraw = later.execute_withdrawal_ix(&by, insurance);
    let withdraw = Case::new("execute_insurance_withdrawal", later, withdraw, &[&anyone]);
    let execute = ix::execute_market_proposal(&by, &exchange, 0, market);
    let execute = Case::new("execute_market_proposal", setup.clone(), execute, &[&anyone]);
    let on_exchange = ix::execute_exchange_proposal(&by, &exchange, whole);
    let on_exchange = Case::new("execute_exchange_proposal", setup.clone(), on_exchange, &[&anyone]);
    let mut vetoed = setup.clone();
    vetoed.veto(whole).must();
    sponsored(&mut vetoed, whole);
    let close = vetoed.close_proposal_ix(whole);
    let close = Case::new("close_proposal", vetoed, close, &[]);
    setup.world.advance(PROPOSAL_LIFE + 1);
    let expire = Case::new("expire_proposal", setup, ix::expire_proposal(&by, &exchange, None, market), &[&anyone]);
    vec![veto, stop, dead, execute, on_exchange, close, expire, withdraw]
}

fn roles() -> Vec<Case> {
    let (setup, _, governance) = begin();
    let (exchange, guardian) = (setup.exchange, Arc::clone(&setup.guardian));
    let dismiss = ix::dismiss_committee(&governance.pubkey(), &exchange);
    let dismiss = Case::new("dismiss_committee", setup.clone(), dismiss, &[&governance]);
    let args = ProtectMarketArgs { reduce_only_seconds: HOUR, cap: 5, cap_seconds: HOUR };
    let protect = ix::protect_market(&guardian.pubkey(), &exchange, 0, args);
    let protect = Case::new("protect_market", setup.clone(), protect, &[&guardian]);
    let pause = ix::emergency_pause(&guardian.pubkey(), &exchange, HOUR);
    let pause = Case::new("emergency_pause", setup.clone(), pause, &[&guardian]);

    let mut setup = setup;
    let heir = Arc::new(fixed_key("heir"));
    let id = setup.queue_role(kind::GOVERNANCE, heir.pubkey()).expect("queued");
    setup.wait_for(id);
    setup.execute_proposal(id).must();
    let accept = ix::accept_governance(&heir.pubkey(), &exchange);
    vec![dismiss, protect, pause, Case::new("accept_governance", setup, accept, &[&heir])]
}

fn upgrades() -> Vec<Case> {
    let (mut setup, payer, governance) = begin();
    let exchange = setup.exchange;
    let authority = Arc::new(setup.world.upgrade_authority.insecure_clone());
    let take = ix::take_upgrade_authority(&authority.pubkey(), &exchange);
    let take = Case::new("take_upgrade_authority", setup.clone(), take, &[&authority]);

    setup.take_upgrade_authority().must();
    let buffer = setup.buffer("buffer", &program_bytes(SMALL));
    let (id, args, refund) = (setup.exchange().next_proposal, setup.upgrade_args(&buffer), setup.refund());
    let queue = ix::queue_upgrade(&payer.pubkey(), &governance.pubkey(), &exchange, id, &buffer, &refund, args);
    let queue = Case::new("queue_upgrade", setup.clone(), queue, &[&payer, &governance]);

    let args = setup.new_exchange_args("second mint");
    let another = ix::queue_new_exchange(&payer.pubkey(), &governance.pubkey(), &exchange, id, args);
    let another = Case::new("queue_new_exchange", setup.clone(), another, &[&payer, &governance]);
    let mut chartered = setup.clone();
    chartered.queue_new_exchange(args).expect("queued");
    chartered.wait_for(id);
    let create = ix::execute_new_exchange(&payer.pubkey(), &chartered.charter(id));
    let create = Case::new("execute_new_exchange", chartered.clone(), create, &[&payer]);
    chartered.veto(id).must();
    sponsored(&mut chartered, id);
    let forget = chartered.close_proposal_ix(id);
    let forget = Case::new("close_proposal", chartered, forget, &[]).variant("of another exchange");

    setup.queue_upgrade(&buffer).expect("queued");
    let upgrade = setup.upgrade(&buffer);
    let mut vetoed = setup.clone();
    vetoed.veto(id).must();
    let close = ix::close_upgrade(&upgrade, &sponsored(&mut vetoed, id));
    let close = Case::new("close_upgrade", vetoed, close, &[]);
    let verify = ix::verify_upgrade(&payer.pubkey(), &upgrade);
    let verify = Case::new("verify_upgrade", setup.clone(), verify, &[&payer]);
    setup.verify_upgrade(&buffer).must();
    setup.wait_for(id);
    let execute = ix::execute_upgrade(&payer.pubkey(), &upgrade);
    let execute = Case::new("execute_upgrade", setup, execute, &[&payer]);
    vec![take, queue, another, create, forget, close, verify, execute]
}

//! Proposals, roles, pauses.

use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::constants::{DAY, HOUR, MAX_PENDING_MARKET, PAUSE_LIFE, PROPOSAL_LIFE, PROPOSAL_SLOTS_AHEAD};
use ballast_engine::governance::kind;
use ballast_tests::governing::{Queued, market_parameter};
use ballast_tests::world::fixed_key;
use ballast_tests::{Expect, Outcome, Sent, Setup, units};
use solana_signer::Signer;

use super::How::Refused;
use super::{Row, long, patch, still};

/// A proposal's queueing as an outcome.
fn outcome(queued: Queued) -> Outcome {
    queued.map(|_| Sent { units: 0, logs: vec![], events: vec![] })
}

fn value(setup: &Setup, name: &str) -> u64 {
    setup.market(0).state.params.get(market_parameter(name)).expect("a row")
}

/// Queues a parameter of market 0 at a value that is so much more.
fn queue_more(setup: &mut Setup, name: &str, more: i64) -> Queued {
    let value = value(setup, name).checked_add_signed(more).expect("in range");
    setup.queue(0, name, value)
}

fn must(queued: Queued) -> u64 {
    queued.unwrap_or_else(|refused| panic!("{refused}"))
}

/// A ripe proposal to raise the taker fee of market 0 by one.
fn ripe() -> (Setup, u64) {
    let mut setup = still();
    let id = must(queue_more(&mut setup, "taker_fee", 1));
    setup.wait_for(id);
    (setup, id)
}

fn protect(setup: &mut Setup, reduce_only_seconds: i64) -> Outcome {
    setup.protect(0, ProtectMarketArgs { reduce_only_seconds, cap: 0, cap_seconds: 0 })
}

pub(super) fn rows() -> Vec<Row> {
    [roles(), parameters(), proposals(), pauses()].into_iter().flatten().collect()
}

fn roles() -> Vec<Row> {
    vec![
        (
            Error::NotGovernance,
            Refused(|| {
                let mut setup = still();
                let committee = setup.committee.clone();
                let dismiss = ix::dismiss_committee(&committee.pubkey(), &setup.exchange);
                setup.world.send(&[dismiss], &[&committee])
            }),
        ),
        (
            Error::NotGuardian,
            Refused(|| {
                let mut setup = still();
                let governance = setup.governance.clone();
                let pause = ix::emergency_pause(&governance.pubkey(), &setup.exchange, HOUR);
                setup.world.send(&[pause], &[&governance])
            }),
        ),
        // The committee tunes; maintenance margin is none of its business.
        (
            Error::NotProposer,
            Refused(|| {
                let mut setup = still();
                let id = market_parameter("maintenance_margin");
                let args = setup.change_args(0, id, value(&setup, "maintenance_margin") + 1);
                let committee = setup.committee.clone();
                outcome(setup.queue_as(&committee, 0, args))
            }),
        ),
        (
            Error::NotVetoer,
            Refused(|| {
                let (mut setup, id) = ripe();
                let governance = setup.governance.clone();
                let veto = ix::veto_proposal(&governance.pubkey(), &setup.exchange, None, id);
                setup.world.send(&[veto], &[&governance])
            }),
        ),
        (
            Error::RoleKeyInvalid,
            Refused(|| {
                let mut setup = still();
                let guardian = setup.guardian.pubkey();
                outcome(setup.queue_role(kind::COMMITTEE, guardian))
            }),
        ),
    ]
}

fn parameters() -> Vec<Row> {
    vec![
        (
            Error::ParameterUnknown,
            Refused(|| {
                let mut setup = still();
                let mut args = setup.change_args(0, 0, 1);
                args.parameter = 200;
                let governance = setup.governance.clone();
                outcome(setup.queue_as(&governance, 0, args))
            }),
        ),
        (Error::ParameterBounds, Refused(|| outcome(still().queue(0, "taker_fee", 5_001)))),
        (Error::ParameterStep, Refused(|| outcome(queue_more(&mut still(), "taker_fee", 201)))),
        (Error::ParameterUnchanged, Refused(|| outcome(queue_more(&mut still(), "taker_fee", 0)))),
        // A grace longer than the delay of the next raise.
        (
            Error::ParameterCoolDown,
            Refused(|| {
                let mut setup = still();
                let grace = setup.exchange().params.grace;
                let id = must(setup.queue_exchange("grace", grace + u64::try_from(DAY).expect("positive")));
                setup.wait_for(id);
                setup.execute_proposal(id).must();
                let margin = value(&setup, "maintenance_margin");
                setup.change(0, "maintenance_margin", margin + 500);
                let id = must(queue_more(&mut setup, "maintenance_margin", 500));
                setup.wait_for(id);
                setup.execute_proposal(id)
            }),
        ),
        (Error::EnvelopeBroken, Refused(|| outcome(queue_more(&mut still(), "maintenance_margin", -6_000)))),
        (Error::CrossCheckBroken, Refused(|| outcome(queue_more(&mut still(), "initial_margin", -10_000)))),
        (
            Error::SkewTooLarge,
            Refused(|| {
                let (mut setup, _) = long(900_000, 900_000);
                let more = i64::try_from(value(&setup, "skew_scale") / 20).expect("fits");
                let id = must(queue_more(&mut setup, "skew_scale", more));
                setup.wait_for(id);
                setup.tick(1);
                setup.execute_proposal(id)
            }),
        ),
        (
            Error::VersionMoved,
            Refused(|| {
                let mut setup = still();
                let id = market_parameter("taker_fee");
                let mut args = setup.change_args(0, id, value(&setup, "taker_fee") + 1);
                args.version += 1;
                let governance = setup.governance.clone();
                outcome(setup.queue_as(&governance, 0, args))
            }),
        ),
        // A state that only a fault could leave: each change moves the version, which is looked at first.
        (
            Error::OldValueMoved,
            Refused(|| {
                let (mut setup, id) = ripe();
                patch(&mut setup, 0, |m| m.state.params.taker_fee.0 += 7);
                setup.execute_proposal(id)
            }),
        ),
    ]
}

fn proposals() -> Vec<Row> {
    vec![
        (
            Error::ProposalTooOld,
            Refused(|| {
                let mut setup = still();
                let id = market_parameter("taker_fee");
                let mut args = setup.change_args(0, id, value(&setup, "taker_fee") + 1);
                args.last_slot = setup.world.now().slot + PROPOSAL_SLOTS_AHEAD + 1;
                let governance = setup.governance.clone();
                outcome(setup.queue_as(&governance, 0, args))
            }),
        ),
        (
            Error::ProposalNotReady,
            Refused(|| {
                let mut setup = still();
                let id = must(queue_more(&mut setup, "taker_fee", 1));
                setup.execute_proposal(id)
            }),
        ),
        (
            Error::ProposalExpired,
            Refused(|| {
                let (mut setup, id) = ripe();
                setup.world.advance(PROPOSAL_LIFE + 1);
                setup.execute_proposal(id)
            }),
        ),
        (
            Error::ProposalNotExpired,
            Refused(|| {
                let (mut setup, id) = ripe();
                setup.expire(id)
            }),
        ),
        (
            Error::ProposalClosed,
            Refused(|| {
                let (mut setup, id) = ripe();
                setup.veto(id).must();
                setup.execute_proposal(id)
            }),
        ),
        (
            Error::ProposalLimit,
            Refused(|| {
                let mut setup = still();
                for _ in 0..MAX_PENDING_MARKET {
                    must(queue_more(&mut setup, "taker_fee", 1));
                }
                outcome(queue_more(&mut setup, "taker_fee", 1))
            }),
        ),
        (Error::DurableNonce, Refused(durable_nonce)),
        (Error::BatchInvalid, Refused(|| outcome(still().queue_batch(0, &[("taker_fee", 600)])))),
    ]
}

/// A proposal in a transaction whose first instruction advances a nonce.
fn durable_nonce() -> Outcome {
    use anchor_lang::prelude::{AccountMeta, Pubkey, system_program};
    use anchor_lang::solana_program::instruction::Instruction;
    const BLOCKHASHES: Pubkey = Pubkey::from_str_const("SysvarRecentB1ockHashes11111111111111111111");
    const RENT: Pubkey = Pubkey::from_str_const("SysvarRent111111111111111111111111111111111");
    let mut setup = still();
    let (governance, nonce, payer) = (setup.governance.clone(), fixed_key("nonce"), setup.world.payer.pubkey());
    let authority = governance.pubkey();
    let system = |accounts, data| Instruction { program_id: system_program::ID, accounts, data };
    let writable = |key, signs| AccountMeta { pubkey: key, is_signer: signs, is_writable: true };
    let read = |key, signs| AccountMeta { pubkey: key, is_signer: signs, is_writable: false };
    // The system program's instructions by their numbers: create an account, make it a nonce, advance it.
    let mut create = 0_u32.to_le_bytes().to_vec();
    create.extend(10_000_000_u64.to_le_bytes());
    create.extend(80_u64.to_le_bytes());
    create.extend(system_program::ID.to_bytes());
    let create = system(vec![writable(payer, true), writable(nonce.pubkey(), true)], create);
    let initialize = [&6_u32.to_le_bytes()[..], authority.as_ref()].concat();
    let initialize =
        system(vec![writable(nonce.pubkey(), false), read(BLOCKHASHES, false), read(RENT, false)], initialize);
    setup.world.send(&[create, initialize], &[&nonce]).must();
    let advance = vec![writable(nonce.pubkey(), false), read(BLOCKHASHES, false), read(authority, true)];
    let advance = system(advance, 4_u32.to_le_bytes().to_vec());
    let id = market_parameter("taker_fee");
    let args = setup.change_args(0, id, value(&setup, "taker_fee") + 1);
    let number = setup.exchange().next_proposal;
    let queue = ix::queue_market_parameter(&payer, &authority, &setup.exchange, 0, number, args);
    setup.world.send(&[advance, queue], &[&governance])
}

fn pauses() -> Vec<Row> {
    vec![
        (
            Error::PauseNotArmed,
            Refused(|| {
                let mut setup = still();
                setup.emergency(HOUR).must();
                setup.world.advance(2 * HOUR);
                setup.emergency(HOUR)
            }),
        ),
        (
            Error::PauseBudget,
            Refused(|| {
                let mut setup = still();
                protect(&mut setup, PAUSE_LIFE).must();
                setup.world.advance(PAUSE_LIFE + 1);
                protect(&mut setup, PAUSE_LIFE)
            }),
        ),
        (Error::PauseBitsInvalid, Refused(|| still().emergency(0))),
        (
            Error::MarketReduceOnly,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(1_000));
                protect(&mut setup, HOUR).must();
                let size = setup.size_for(0, 1_000_000_000);
                setup.trade(&trader, 0, size)
            }),
        ),
    ]
}

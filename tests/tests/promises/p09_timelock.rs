//! P9: no change before its class's delay; delays shorten through the longest one only; what is old, or was made for
//! other parameters, is dead.

use anchor_lang::prelude::{AccountMeta, Pubkey, system_program};
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::governance::kind;
use ballast_tests::governing::market_parameter;
use ballast_tests::world::fixed_key;
use ballast_tests::{Expect as _, Setup, Terms, units};
use solana_instruction::Instruction;
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, ETH};

const HOUR: i64 = 3_600;

fn standard() -> Setup {
    on_bank(&Terms::standard())
}

/// What a market's parameter is now.
fn value(setup: &Setup, market: usize, name: &str) -> u64 {
    setup.market(market).state.params.get(market_parameter(name)).expect("a row")
}

#[test]
fn p09_each_class_waits_its_delay_to_the_second() {
    let mut setup = standard();
    let cap = value(&setup, BTC, "open_interest_cap");
    let queued = [
        // G1, G2, G3, and the guardian's replacement, longer than all.
        (48 * HOUR, setup.queue(BTC, "taker_fee", 600).expect("queued")),
        (72 * HOUR, setup.queue(BTC, "open_interest_cap", cap + units(100_000)).expect("queued")),
        (72 * HOUR, setup.queue_exchange("outflow_hourly", 12_500).expect("queued")),
        (168 * HOUR, setup.queue_oracle_feed(ETH, [9; 32]).expect("queued")),
        (192 * HOUR, setup.queue_role(kind::GUARDIAN, fixed_key("other guardian").pubkey()).expect("queued")),
    ];
    let start = setup.world.now().unix;
    for (delay, id) in queued {
        let mut setup = setup.clone();
        assert_eq!(setup.proposal(id).terms.eta, start + delay);
        let before = (setup.market(BTC).state.params, setup.exchange().params, setup.exchange().roles);
        let wait = |setup: &mut Setup, until: i64| {
            let now = setup.world.now().unix;
            setup.world.advance(until - now);
        };
        setup.execute_proposal(id).fails(Error::ProposalNotReady);
        wait(&mut setup, start + delay - 1);
        setup.execute_proposal(id).fails(Error::ProposalNotReady);
        assert_eq!(before, (setup.market(BTC).state.params, setup.exchange().params, setup.exchange().roles));
        wait(&mut setup, start + delay);
        setup.execute_proposal(id).must();
        setup.execute_proposal(id).fails(Error::ProposalClosed);
        setup.audit();
    }
}

#[test]
fn p09_a_delay_is_shortened_only_through_the_longest() {
    let mut setup = standard();
    // At the hard minimum nothing goes lower.
    let refused = setup.queue_exchange("delay_tune", 172_799).expect_err("below the minimum");
    assert_eq!(refused.error, Some(Error::ParameterBounds));
    let longer = setup.queue_exchange("delay_tune", 172_800 + 86_400).expect("queued");
    setup.wait_for(longer);
    setup.execute_proposal(longer).must();
    setup.world.advance(86_400);
    let shorter = setup.queue_exchange("delay_tune", 172_800).expect("queued");
    let terms = setup.proposal(shorter).terms;
    assert_eq!((terms.eta - terms.queued_at, terms.class), (604_800, 3));
    // In the meantime a tuning waits the longer delay.
    let tune = setup.queue(BTC, "taker_fee", 600).expect("queued");
    let terms = setup.proposal(tune).terms;
    assert_eq!(terms.eta - terms.queued_at, 259_200);
    setup.world.advance(604_800 - 1);
    setup.execute_proposal(shorter).fails(Error::ProposalNotReady);
    setup.world.advance(1);
    setup.execute_proposal(shorter).must();
    assert_eq!(setup.exchange().params.delay_tune, 172_800);
    // A shorter delay does not shorten what waits already.
    assert_eq!(setup.proposal(tune).terms.eta - setup.proposal(tune).terms.queued_at, 259_200);
}

#[test]
fn p09_a_proposal_expires_after_seven_days() {
    let mut setup = standard();
    let id = setup.queue(BTC, "taker_fee", 600).expect("queued");
    setup.wait_for(id);
    setup.expire(id).fails(Error::ProposalNotExpired);
    setup.world.advance(7 * 24 * HOUR - 1);
    setup.expire(id).fails(Error::ProposalNotExpired);
    let mut last_second = setup.clone();
    last_second.execute_proposal(id).must();
    setup.world.advance(1);
    setup.execute_proposal(id).fails(Error::ProposalExpired);
    setup.expire(id).must();
    setup.execute_proposal(id).fails(Error::ProposalClosed);
    assert_eq!(value(&setup, BTC, "taker_fee"), 500);
}

#[test]
fn p09_a_proposal_made_for_another_version_is_dead_and_others_are_not() {
    let mut setup = standard();
    let up = setup.queue(BTC, "taker_fee", 600).expect("queued");
    let down = setup.queue(BTC, "taker_fee", 400).expect("queued");
    let elsewhere = setup.queue(ETH, "taker_fee", 800).expect("queued");
    let another = setup.queue(BTC, "mending_fee", 300).expect("queued");
    setup.wait_for(another);
    setup.execute_proposal(up).must();
    // B7: versions are per parameter, so a small change does not kill slow ones elsewhere.
    setup.execute_proposal(down).fails(Error::VersionMoved);
    setup.execute_proposal(elsewhere).must();
    setup.execute_proposal(another).must();
    setup.world.advance(86_400);
    setup.execute_proposal(down).fails(Error::VersionMoved);
    // An approval for the old version cannot even be queued.
    let mut args = setup.change_args(BTC, market_parameter("taker_fee"), 500);
    args.version -= 1;
    let governance = setup.governance.clone();
    let refused = setup.queue_as(&governance, BTC, args).expect_err("old version");
    assert_eq!(refused.error, Some(Error::VersionMoved));
}

#[test]
fn p09_an_old_approval_and_one_for_ever_are_refused() {
    let mut setup = standard();
    let governance = setup.governance.clone();
    let slot = setup.world.now().slot;
    for (last_slot, accepted) in [(slot - 1, false), (slot + 216_001, false), (u64::MAX, false), (slot + 216_000, true)]
    {
        let mut args = setup.change_args(BTC, market_parameter("taker_fee"), 600);
        args.last_slot = last_slot;
        match setup.queue_as(&governance, BTC, args) {
            Ok(_) => assert!(accepted, "{last_slot}"),
            Err(refused) => {
                assert!(!accepted, "{refused}");
                assert_eq!(refused.error, Some(Error::ProposalTooOld));
            }
        }
    }
}

#[test]
fn p09_a_durable_nonce_cannot_carry_a_proposal() {
    let mut setup = standard();
    let (nonce, governance) = (fixed_key("nonce"), setup.governance.clone());
    let payer = setup.world.payer.pubkey();
    let sysvar = |id: &str| AccountMeta::new_readonly(id.parse().expect("an address"), false);
    let recent = sysvar("SysvarRecentB1ockHashes11111111111111111111");
    let rent = sysvar("SysvarRent111111111111111111111111111111111");
    // System instructions by their numbers: 0 creates an account, 6 makes it a nonce, 4 advances it.
    let data = |number: u32, rest: &[u8]| [&number.to_le_bytes()[..], rest].concat();
    let space = [&10_000_000_u64.to_le_bytes()[..], &80_u64.to_le_bytes(), system_program::ID.as_ref()].concat();
    let both = vec![AccountMeta::new(payer, true), AccountMeta::new(nonce.pubkey(), true)];
    let create = Instruction { program_id: system_program::ID, accounts: both, data: data(0, &space) };
    let init = vec![AccountMeta::new(nonce.pubkey(), false), recent.clone(), rent];
    let init = Instruction { program_id: system_program::ID, accounts: init, data: data(6, payer.as_ref()) };
    setup.world.send(&[create, init], &[&nonce]).must();

    let accounts = vec![AccountMeta::new(nonce.pubkey(), false), recent, AccountMeta::new_readonly(payer, true)];
    let advance = Instruction { program_id: system_program::ID, accounts, data: data(4, &[]) };
    let queue = |setup: &Setup| {
        let args = setup.change_args(BTC, market_parameter("taker_fee"), 600);
        let id = setup.exchange().next_proposal;
        ix::queue_market_parameter(&payer, &governance.pubkey(), &setup.exchange, 0, id, args)
    };
    let carried = [advance.clone(), queue(&setup)];
    setup.world.send(&carried, &[&governance]).fails(Error::DurableNonce);
    // Advanced by something else than the first instruction, it makes no durable transaction.
    let behind = [queue(&setup), advance];
    setup.world.send(&behind, &[&governance]).must();
}

#[test]
fn p09_a_veto_is_final_and_the_guardians_alone() {
    let mut setup = standard();
    let ids: Vec<u64> = (0..4).map(|i| setup.queue(BTC, "taker_fee", 510 + 10 * i).expect("queued")).collect();
    let exchange = setup.exchange;
    for key in [setup.governance.clone(), setup.committee.clone()] {
        let veto = ix::veto_proposal(&key.pubkey(), &exchange, None, ids[0]);
        setup.world.send(&[veto], &[&key]).fails(Error::NotVetoer);
    }
    // It costs nothing and spends no budget: all four in a row.
    for id in &ids {
        setup.veto(*id).must();
        setup.veto(*id).fails(Error::ProposalClosed);
    }
    setup.world.advance(8 * 24 * HOUR);
    for id in ids {
        setup.execute_proposal(id).fails(Error::ProposalClosed);
    }
    assert_eq!((value(&setup, BTC, "taker_fee"), setup.exchange().pending_proposals), (500, 0));
    // Its own replacement it cannot veto.
    let replacement = setup.queue_role(kind::GUARDIAN, fixed_key("other guardian").pubkey()).expect("queued");
    setup.veto(replacement).fails(Error::NotVetoer);
}

#[test]
fn p09_the_committee_tunes_and_nothing_else() {
    let mut setup = standard();
    let committee = setup.committee.clone();
    let change = |setup: &Setup, name, new| setup.change_args(BTC, market_parameter(name), new);
    for (name, new, allowed) in [
        ("taker_fee", 600, true),
        ("initial_margin", 51_000, true),
        ("maintenance_margin", 35_000, false),
        ("maintenance_margin", 29_900, false),
        ("liquidation_impact", 2_100, false),
        ("open_interest_cap", 10_100_000_000_000, false),
    ] {
        let args = change(&setup, name, new);
        match setup.queue_as(&committee, BTC, args) {
            Ok(id) => {
                assert!(allowed, "{name}");
                setup.veto(id).must();
            }
            Err(refused) => assert!(!allowed && refused.error == Some(Error::NotProposer), "{name}: {refused}"),
        }
    }
    let nobody = fixed_key("nobody in particular");
    setup.world.give(nobody.pubkey(), 1_000_000_000);
    for key in [&nobody, &*setup.guardian.clone()] {
        let args = change(&setup, "taker_fee", 600);
        let refused = setup.queue_as(key, BTC, args).expect_err("no role");
        assert_eq!(refused.error, Some(Error::NotProposer));
    }
    // Roles and the oracle are governance's.
    let (exchange, payer) = (setup.exchange, setup.world.payer.pubkey());
    let args = ballast::instructions::governance::QueueRoleArgs {
        kind: kind::GUARDIAN,
        new_key: nobody.pubkey(),
        version: setup.exchange().roles.version[2],
        last_slot: setup.last_slot(),
        rationale: [7; 32],
    };
    let id = setup.exchange().next_proposal;
    let queue = ix::queue_role(&payer, &committee.pubkey(), &exchange, id, args);
    setup.world.send(&[queue], &[&committee]).fails(Error::NotProposer);
}

#[test]
fn p09_an_emergency_pause_stops_the_clock_of_what_could_hurt() {
    let mut setup = standard();
    let cap = value(&setup, BTC, "open_interest_cap");
    let looser = setup.queue(BTC, "open_interest_cap", cap + units(100_000)).expect("queued");
    setup.world.advance(HOUR);
    setup.emergency(12 * HOUR).must();
    setup.wait_for(looser);
    setup.execute_proposal(looser).fails(Error::ProposalNotReady);
    setup.world.advance(12 * HOUR - 1);
    setup.execute_proposal(looser).fails(Error::ProposalNotReady);
    setup.world.advance(1);
    setup.execute_proposal(looser).must();
}

#[test]
fn p09_a_step_is_bounded_and_a_parameter_moves_once_a_day() {
    let mut setup = standard();
    let refused = setup.queue(BTC, "taker_fee", 701).expect_err("a step too large");
    assert_eq!(refused.error, Some(Error::ParameterStep));
    let refused = setup.queue(BTC, "taker_fee", 500).expect_err("the same");
    assert_eq!(refused.error, Some(Error::ParameterUnchanged));
    let first = setup.queue(BTC, "taker_fee", 600).expect("queued");
    setup.wait_for(first);
    setup.execute_proposal(first).must();
    let second = setup.queue(BTC, "taker_fee", 700).expect("queued");
    setup.wait_for(second);
    setup.execute_proposal(second).must();
    let proposals: Vec<Pubkey> = [first, second]
        .map(|id| ballast_client::address::proposal(&setup.exchange, id))
        .into_iter()
        .filter(|address| setup.world.exists(address))
        .collect();
    assert_eq!(proposals.len(), 2, "what was decided stays readable on chain");
}

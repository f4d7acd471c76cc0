//! Governance by an address of another program, as a multisig's or a DAO's vault is: it proposes and executes by CPI, and
//! what it approved long ago is dead.

use anchor_lang::prelude::{Pubkey, system_program};
use anchor_lang::{InstructionData, ToAccountMetas};
use ballast_client::{errors, instructions as ix};
use ballast_engine::Error;
use ballast_engine::governance::{kind, state};
use ballast_tests::governing::market_parameter;
use ballast_tests::upgrading::{SMALL, compute_limit};
use ballast_tests::world::{fixed_key, program_bytes};
use ballast_tests::{Expect as _, Outcome, Setup, Terms};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer as _;
use test_multisig::{APPROVAL, MULTISIG, VAULT, hash_of};

use super::BTC;
use super::bank::Bank;

/// A multisig and its address that signs.
struct Multisig {
    address: Pubkey,
    vault: Pubkey,
    member: Keypair,
    approvals: u64,
}

fn find(seeds: &[&[u8]]) -> Pubkey {
    Pubkey::find_program_address(seeds, &test_multisig::ID).0
}

fn call(accounts: &impl ToAccountMetas, data: &impl InstructionData) -> Instruction {
    Instruction { program_id: test_multisig::ID, accounts: accounts.to_account_metas(None), data: data.data() }
}

impl Multisig {
    /// A new one, on an exchange on a bank.
    fn begin(name: &str) -> (Setup, Self) {
        let mut setup = Setup::with(&Terms::still());
        setup.world.svm.add_program(test_multisig::ID, &program_bytes("test_multisig.so")).expect("it loads");
        setup.world.twin = Some(Box::new(Bank::of(&setup.world.svm)));
        let multisig = Self::create(&mut setup, name);
        (setup, multisig)
    }

    fn create(setup: &mut Setup, name: &str) -> Self {
        let member = fixed_key(name);
        setup.world.give(member.pubkey(), 1_000_000_000_000);
        let address = find(&[MULTISIG, member.pubkey().as_ref()]);
        let accounts = test_multisig::accounts::Create {
            creator: member.pubkey(),
            multisig: address,
            system_program: system_program::ID,
        };
        setup.world.send(&[call(&accounts, &test_multisig::instruction::Create {})], &[&member]).must();
        Self { address, vault: find(&[VAULT, address.as_ref()]), member, approvals: 0 }
    }

    /// The member approves an instruction; returns the approval.
    fn approve(&mut self, setup: &mut Setup, instruction: &Instruction) -> Pubkey {
        let id = self.approvals;
        self.approvals += 1;
        let approval = find(&[APPROVAL, self.address.as_ref(), &id.to_le_bytes()]);
        let accounts = test_multisig::accounts::Approve {
            member: self.member.pubkey(),
            multisig: self.address,
            approval,
            system_program: system_program::ID,
        };
        let approve = call(&accounts, &test_multisig::instruction::Approve { id, hash: hash_of(instruction) });
        setup.world.send(&[approve], &[&self.member]).must();
        approval
    }

    /// Anyone has the vault sign what was approved.
    fn execute(&self, setup: &mut Setup, approval: Pubkey, instruction: &Instruction) -> Outcome {
        let accounts = test_multisig::accounts::Execute { multisig: self.address, approval, vault: self.vault };
        let mut execute = call(&accounts, &test_multisig::instruction::Execute { data: instruction.data.clone() });
        execute.accounts.push(AccountMeta::new_readonly(instruction.program_id, false));
        let own = instruction.accounts.iter().cloned();
        // The vault signs inside.
        execute.accounts.extend(own.map(|m| AccountMeta { is_signer: m.is_signer && m.pubkey != self.vault, ..m }));
        setup.world.send(&[compute_limit(400_000), execute], &[])
    }

    fn signs(&mut self, setup: &mut Setup, instruction: &Instruction) -> Outcome {
        let approval = self.approve(setup, instruction);
        self.execute(setup, approval, instruction)
    }

    /// The vault becomes governance: offered by the one before, accepted by CPI.
    fn take_over(&mut self, setup: &mut Setup) {
        let offer = setup.queue_role(kind::GOVERNANCE, self.vault).expect("queued");
        setup.wait_for(offer);
        setup.execute_proposal(offer).must();
        let accept = ix::accept_governance(&self.vault, &setup.exchange);
        self.signs(setup, &accept).must();
        assert_eq!(setup.exchange().roles.governance.0, self.vault.to_bytes());
    }

    /// The vault queues a new taker fee as the next proposal.
    fn queue_fee(&self, setup: &Setup, new_value: u64) -> Instruction {
        let args = setup.change_args(BTC, market_parameter("taker_fee"), new_value);
        let next = setup.exchange().next_proposal;
        ix::queue_market_parameter(&setup.world.payer.pubkey(), &self.vault, &setup.exchange, 0, next, args)
    }
}

/// That Ballast refused, inside the multisig's call, for this reason.
#[track_caller]
fn refused_inside(outcome: Outcome, error: Error) {
    let refused = outcome.expect_err("refused");
    let said = refused.logs.iter().any(|line| line.contains(&format!("Error Code: {}.", error.name())));
    assert!(said && refused.code == Some(errors::code(error)), "{} expected, but: {refused}", error.name());
}

fn fee(setup: &Setup) -> u64 {
    setup.market(BTC).state.params.taker_fee.0
}

#[test]
fn governance_by_a_vault_proposes_and_executes_by_cpi() {
    let (mut setup, mut multisig) = Multisig::begin("member");
    multisig.take_over(&mut setup);
    let (id, new) = (setup.exchange().next_proposal, fee(&setup) + 50);
    let queue = multisig.queue_fee(&setup, new);
    multisig.signs(&mut setup, &queue).must();
    assert_eq!(setup.proposal(id).proposer.0, multisig.vault.to_bytes());
    // Whoever executes, the delay is the same.
    let execute = ix::execute_market_proposal(&multisig.vault, &setup.exchange, 0, id);
    refused_inside(multisig.signs(&mut setup, &execute), Error::ProposalNotReady);
    setup.wait_for(id);
    multisig.signs(&mut setup, &execute).must();
    assert_eq!((fee(&setup), setup.proposal(id).terms.state), (new, state::EXECUTED));
    setup.audit();
}

#[test]
fn governance_a_vaults_old_approval_is_dead_though_the_multisig_still_executes_it() {
    let (mut setup, mut multisig) = Multisig::begin("member");
    multisig.take_over(&mut setup);
    let new = fee(&setup) + 50;
    let queue = multisig.queue_fee(&setup, new);
    let (early, late, stale) = (
        multisig.approve(&mut setup, &queue),
        multisig.approve(&mut setup, &queue),
        multisig.approve(&mut setup, &queue),
    );

    // The trap: the member that approved is gone, and anyone may still have the vault sign.
    let accounts =
        test_multisig::accounts::ChangeMember { member: multisig.member.pubkey(), multisig: multisig.address };
    let change = test_multisig::instruction::ChangeMember { member: fixed_key("successor").pubkey() };
    setup.world.send(&[call(&accounts, &change)], &[&multisig.member]).must();

    // Within the last slot it is queued all the same; the delay and the guardian's veto are what is left.
    let mut soon = setup.clone();
    let id = soon.exchange().next_proposal;
    multisig.execute(&mut soon, early, &queue).must();
    soon.veto(id).must();
    soon.wait_for(id);
    soon.execute_proposal(id).fails(Error::ProposalClosed);

    // After it, it is dead.
    let mut later = setup.clone();
    later.world.advance_slots(1_001);
    refused_inside(multisig.execute(&mut later, late, &queue), Error::ProposalTooOld);

    // And at once if the number it was made for is taken, or the parameter has moved.
    multisig.execute(&mut setup, early, &queue).must();
    multisig.execute(&mut setup, stale, &queue).expect_err("another proposal has that number");
}

#[test]
fn governance_a_vaults_approval_dies_with_the_version_and_with_its_power() {
    let (mut setup, mut multisig) = Multisig::begin("member");
    multisig.take_over(&mut setup);
    let queued = setup.exchange().next_proposal;
    let queue = multisig.queue_fee(&setup, fee(&setup) + 50);
    multisig.signs(&mut setup, &queue).must();
    // Approved for the version before, and for the number after.
    setup.wait_for(queued);
    let next = multisig.queue_fee(&setup, fee(&setup) + 60);
    let approval = multisig.approve(&mut setup, &next);
    setup.execute_proposal(queued).must();
    refused_inside(multisig.execute(&mut setup, approval, &next), Error::VersionMoved);

    // Another vault takes over: what the first one approved finds it without power.
    let mut heir = Multisig::create(&mut setup, "heir");
    let version = setup.exchange().roles.version[0];
    let args = ballast::instructions::governance::QueueRoleArgs {
        kind: kind::GOVERNANCE,
        new_key: heir.vault,
        version,
        last_slot: setup.last_slot(),
        rationale: [7; 32],
    };
    let offer = setup.exchange().next_proposal;
    let queue = ix::queue_role(&setup.world.payer.pubkey(), &multisig.vault, &setup.exchange, offer, args);
    multisig.signs(&mut setup, &queue).must();
    setup.wait_for(offer);
    setup.execute_proposal(offer).must();
    let queue = multisig.queue_fee(&setup, fee(&setup) + 50);
    let approval = multisig.approve(&mut setup, &queue);
    let accept = ix::accept_governance(&heir.vault, &setup.exchange);
    heir.signs(&mut setup, &accept).must();
    refused_inside(multisig.execute(&mut setup, approval, &queue), Error::NotProposer);
}

#[test]
fn governance_a_vault_hands_the_upgrade_authority_over_and_upgrades_by_cpi() {
    let (mut setup, mut multisig) = Multisig::begin("member");
    multisig.take_over(&mut setup);
    setup.take_upgrade_authority().must();
    let buffer = setup.buffer("buffer", &program_bytes(SMALL));
    let (id, args, refund) = (setup.exchange().next_proposal, setup.upgrade_args(&buffer), setup.refund());
    let payer = setup.world.payer.pubkey();
    let queue = ix::queue_upgrade(&payer, &multisig.vault, &setup.exchange, id, &buffer, &refund, args);
    multisig.signs(&mut setup, &queue).must();
    let execute = ix::execute_upgrade(&multisig.vault, &setup.upgrade(&buffer));
    let approval = multisig.approve(&mut setup, &execute);
    refused_inside(multisig.execute(&mut setup, approval, &execute), Error::ProposalNotReady);
    // Anybody has it verified; the vault need not.
    setup.verify_upgrade(&buffer).must();
    setup.wait_for(id);
    // Three programs deep: the multisig, Ballast, the loader.
    setup.deploying(|setup| multisig.execute(setup, approval, &execute)).must();
    assert_eq!(setup.proposal(id).terms.state, state::EXECUTED);
}

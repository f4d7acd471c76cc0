//! The program is upgraded in the middle of everything, to itself.

use anchor_lang::prelude::Pubkey;
use ballast::instructions::governance::{QueueNewExchangeArgs, QueueUpgradeArgs};
use ballast::loader::{BUFFER_HEADER, PROGRAM_DATA_HEADER, buffer_authority_in};
use ballast::state::{Proposal, Upgrade};
use ballast_client::{address, instructions as ix};
use ballast_engine::governance::{self, Request};
use ballast_engine::layout::Key;
use ballast_engine::{Error, Result};
use ballast_tests::upgrading::compute_limit;
use ballast_tests::world::{fixed_key, program_bytes};
use rand::Rng as _;
use sha2::Digest as _;
use solana_instruction::Instruction;

use super::act::Act;
use super::judge::Reasons;
use super::world::{Sim, View};

/// What an instruction about an upgrade wants before it: compute units for the hash.
pub(crate) fn before(act: &Act) -> Option<Instruction> {
    matches!(act, Act::VerifyUpgrade { .. }).then(|| compute_limit(ix::VERIFY_COMPUTE_LIMIT))
}

impl Sim {
    /// A new buffer, mostly in the timelock's hands; its place in the list.
    fn new_buffer(&mut self) -> usize {
        let exchange = self.setup.exchange;
        let own = if self.percent(90) { address::timelock(&exchange) } else { self.address(0) };
        let name = format!("buffer {}", self.buffers.len());
        self.buffers.push(self.setup.write_buffer(&name, &program_bytes("ballast.so"), &own));
        self.buffers.len() - 1
    }

    pub(crate) fn upgrade_of(&self, buffer: usize) -> Box<Upgrade> {
        self.setup.world.read(&address::upgrade(&self.buffers[buffer]))
    }

    fn proposal_of(&self, buffer: usize) -> Box<Proposal> {
        self.setup.world.read(&ix::pubkey(&self.upgrade_of(buffer).proposal))
    }

    /// Queues an exchange for a mint that nobody has used; its proposal's number.
    fn charter_exchange(&mut self) -> Option<u64> {
        let args = self.setup.new_exchange_args(&format!("mint {}", self.buffers.len()));
        let version = if self.percent(95) { args.version } else { args.version + 1 };
        let (by, id) = (self.governor(), self.setup.exchange().next_proposal);
        let queued = self.step(Act::QueueNew { by, args: QueueNewExchangeArgs { version, ..args } });
        queued.then_some(id)
    }

    /// An upgrade from its buffer to its end, whichever that is.
    pub(crate) fn upgrade_program(&mut self) {
        let buffer = self.new_buffer();
        let by = self.governor();
        let slot = self.setup.world.now().slot;
        let good = self.setup.upgrade_args(&self.buffers[buffer]);
        let args = QueueUpgradeArgs {
            digest: if self.percent(90) { good.digest } else { [1; 32] },
            version: if self.percent(95) { good.version } else { good.version + 1 },
            last_slot: if self.percent(95) { slot + self.rng.random_range(0..200_000) } else { slot - 1 },
            rationale: [3; 32],
        };
        if !self.step(Act::QueueUpgrade { by, buffer, args }) {
            return;
        }
        let another = self.charter_exchange();
        self.step(Act::ExecuteUpgrade { buffer });
        self.step(Act::CloseUpgrade { buffer });
        // Mostly to its end and once more, sometimes not.
        for _ in 0..if self.percent(90) { 4 } else { self.rng.random_range(0..3) } {
            self.step(Act::VerifyUpgrade { buffer });
        }
        let (id, terms) = (self.proposal_of(buffer).id, self.proposal_of(buffer).terms);
        match self.rng.random_range(0..10) {
            0 => {
                let by = self.guardian();
                self.step(Act::Veto { by, id });
            }
            1 => self.setup.world.advance(terms.expires_at - self.setup.world.now().unix),
            _ => self.setup.world.advance(terms.eta - self.setup.world.now().unix),
        }
        if let Some(id) = another {
            self.step(Act::ExecuteNew { id });
        }
        self.step(Act::ExecuteUpgrade { buffer });
        self.step(Act::Expire { id });
        self.step(Act::CloseUpgrade { buffer });
        for _ in 0..3 {
            self.tick(2);
        }
    }
}

/// What the program finds in a buffer.
fn code_in(sim: &Sim, buffer: &Pubkey) -> Option<Vec<u8>> {
    let data = sim.setup.world.svm.get_account(buffer)?.data;
    let own = buffer_authority_in(&data) == Some(address::timelock(&sim.setup.exchange));
    data.get(BUFFER_HEADER..).filter(|_| own).map(<[u8]>::to_vec)
}

/// SHA-256 as the harness computes it.
fn sha256(pieces: &[&[u8]]) -> Key {
    Key(sha2::Sha256::digest(pieces.concat()).into())
}

fn room(sim: &Sim) -> u64 {
    let data = sim.setup.world.svm.get_account(&address::program_data()).expect("program data").data;
    (data.len() - PROGRAM_DATA_HEADER) as u64
}

/// Everything that stands in the way; false for other instructions.
pub(crate) fn judge(sim: &Sim, view: &View, act: &Act, why: &mut Reasons) -> bool {
    let (now, exchange) = (&view.now, &view.exchange);
    let (context, mut upgrades) = (exchange.governance(), exchange.upgrades_so_far().expect("few"));
    match *act {
        Act::QueueUpgrade { by, buffer, args } => {
            let code = code_in(sim, &sim.buffers[buffer]);
            why.need(code.is_some(), Error::BufferInvalid);
            let signer = Key(sim.address(by).to_bytes());
            let (version, last_slot, rationale) = (args.version, args.last_slot, Key(args.rationale));
            let request = Request { signer, version, last_slot, rationale };
            let queued = |code: &Vec<u8>| -> Result<()> {
                let length = code.len() as u64;
                governance::queue_upgrade(length, Key(args.digest), room(sim), upgrades, &context, &request, now)?;
                let proposer = exchange.roles.proposer(&signer)?;
                governance::check_pending(proposer, exchange.pending_proposals, None)
            };
            why.run(code.as_ref().map_or(Ok(()), queued));
        }
        Act::QueueNew { by, args } => {
            let signer = Key(sim.address(by).to_bytes());
            let (version, last_slot, rationale) = (args.version, args.last_slot, Key(args.rationale));
            let request = Request { signer, version, last_slot, rationale };
            let mint = Key(args.mint.to_bytes());
            why.run(governance::queue_new_exchange(mint, upgrades, &context, &request, now));
            let proposer = exchange.roles.proposer(&signer);
            why.run(
                proposer.and_then(|proposer| governance::check_pending(proposer, exchange.pending_proposals, None)),
            );
        }
        Act::ExecuteNew { id } => {
            let mut terms = sim.proposal(id).terms;
            why.run(governance::execute_new_exchange(&mut terms, upgrades, &context, now));
        }
        Act::ExecuteUpgrade { buffer } => {
            let code = code_in(sim, &sim.buffers[buffer]);
            why.need(code.is_some(), Error::BufferInvalid);
            let (mut terms, check) = (sim.proposal_of(buffer).terms, sim.upgrade_of(buffer).check);
            why.run(code.as_ref().map_or(Ok(()), |code| {
                let sizes = (code.len() as u64, room(sim));
                governance::execute_upgrade(&mut terms, &check, sizes, &mut upgrades, &context, now)
            }));
        }
        Act::VerifyUpgrade { buffer } => {
            let code = code_in(sim, &sim.buffers[buffer]);
            why.need(code.is_some(), Error::BufferInvalid);
            let (mut terms, mut check) = (sim.proposal_of(buffer).terms, sim.upgrade_of(buffer).check);
            why.run(code.map_or(Ok(()), |code| governance::verify_upgrade(&mut terms, &mut check, &code, sha256)));
        }
        Act::CloseUpgrade { buffer } => why.run(governance::check_ended(&sim.proposal_of(buffer).terms)),
        _ => return false,
    }
    true
}

/// The instruction; none for others.
pub(crate) fn build(sim: &Sim, act: &Act) -> Option<Instruction> {
    let (exchange, payer) = (&sim.setup.exchange, sim.payer());
    Some(match *act {
        Act::QueueUpgrade { by, buffer, args } => {
            let (next, refund) = (sim.setup.exchange().next_proposal, fixed_key("developer"));
            let refund = solana_signer::Signer::pubkey(&refund);
            ix::queue_upgrade(&payer, &sim.address(by), exchange, next, &sim.buffers[buffer], &refund, args)
        }
        Act::QueueNew { by, args } => {
            let next = sim.setup.exchange().next_proposal;
            ix::queue_new_exchange(&payer, &sim.address(by), exchange, next, args)
        }
        Act::ExecuteNew { id } => ix::execute_new_exchange(&payer, &sim.setup.charter(id)),
        Act::ExecuteUpgrade { buffer } => ix::execute_upgrade(&payer, &sim.upgrade_of(buffer)),
        Act::VerifyUpgrade { buffer } => ix::verify_upgrade(&payer, &sim.upgrade_of(buffer)),
        Act::CloseUpgrade { buffer } => {
            ix::close_upgrade(&sim.upgrade_of(buffer), &ix::pubkey(&sim.proposal_of(buffer).payer))
        }
        _ => return None,
    })
}

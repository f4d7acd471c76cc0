//! Upgrades of the program: buffers, and what the timelock does with them.

use anchor_lang::prelude::{AccountMeta, Pubkey};
use anchor_lang::solana_program::bpf_loader_upgradeable;
use ballast::instructions::governance::{InitializeExchangeArgs, QueueNewExchangeArgs, QueueUpgradeArgs};
use ballast::loader::BUFFER_HEADER;
use ballast::state::{Charter, Proposal, Upgrade};
use ballast_client::{address, instructions as ix};
use sha2::{Digest, Sha256};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::governing::Queued;
use crate::setup::Setup;
use crate::world::{Expect, Outcome, fixed_key, program_bytes};

/// A small program of one part, to be upgraded to where nothing has to run afterwards.
pub const SMALL: &str = "price_feed.so";

/// A word of the program's log that [`next_program`] writes otherwise, and how.
pub const LOGGED: (&str, &str) = ("Instruction: UpdateMarket", "Instruction: UpdateMark_2");

/// Lamports of every buffer.
pub const BUFFER_LAMPORTS: u64 = 20_000_000_000;

/// Another program that does all that this one does, and says so in its log: the file with one word changed.
///
/// # Panics
/// If the file has no such word.
pub fn next_program() -> Vec<u8> {
    let mut code = program_bytes("ballast.so");
    let (old, new) = (LOGGED.0.as_bytes(), LOGGED.1.as_bytes());
    let places: Vec<usize> = (0..code.len() - old.len()).filter(|at| code[*at..].starts_with(old)).collect();
    assert!(!places.is_empty() && old.len() == new.len(), "the program logs no {}", LOGGED.0);
    for at in places {
        code[at..at + new.len()].copy_from_slice(new);
    }
    code
}

/// What is committed to: the digest of a program's file, here by another implementation of SHA-256 and of the chain than the
/// program's.
pub fn digest_of(code: &[u8]) -> [u8; 32] {
    let chain = code
        .chunks(1 << 20)
        .fold([0; 32], |chain: [u8; 32], part| Sha256::new().chain_update(chain).chain_update(part).finalize().into());
    Sha256::new().chain_update(chain).chain_update((code.len() as u64).to_le_bytes()).finalize().into()
}

/// The bytes of a buffer.
pub fn buffer_bytes(code: &[u8], authority: &Pubkey) -> Vec<u8> {
    let mut data = vec![1, 0, 0, 0, 1];
    data.extend(authority.to_bytes());
    assert_eq!(data.len(), BUFFER_HEADER);
    data.extend(code);
    data
}

/// An instruction of the loader: its number and its accounts as (address, signs, writable).
pub fn loader_ix(number: u32, payload: &[u8], accounts: &[(Pubkey, bool, bool)]) -> Instruction {
    let accounts = accounts
        .iter()
        .map(|(pubkey, is_signer, is_writable)| AccountMeta {
            pubkey: *pubkey,
            is_signer: *is_signer,
            is_writable: *is_writable,
        })
        .collect();
    let data = [&number.to_le_bytes(), payload].concat();
    Instruction { program_id: bpf_loader_upgradeable::ID, accounts, data }
}

/// What asking for compute units takes itself.
const COMPUTE_LIMIT_UNITS: u64 = 150;

/// Asks for so many compute units.
pub fn compute_limit(units: u32) -> Instruction {
    let program = Pubkey::from_str_const("ComputeBudget111111111111111111111111111111");
    Instruction { program_id: program, accounts: vec![], data: [&[2], &units.to_le_bytes()[..]].concat() }
}

impl Setup {
    /// The exchange's timelock address.
    pub fn timelock(&self) -> Pubkey {
        address::timelock(&self.exchange)
    }

    /// The upgrade authority goes to the exchange's timelock address.
    pub fn take_upgrade_authority(&mut self) -> Outcome {
        let authority = self.world.upgrade_authority.insecure_clone();
        let take = ix::take_upgrade_authority(&authority.pubkey(), &self.exchange);
        self.world.measure("take_upgrade_authority", take, &[&authority])
    }

    /// Somebody's buffer with that code, as the loader leaves it when all is written.
    pub fn write_buffer(&mut self, name: &str, code: &[u8], authority: &Pubkey) -> Pubkey {
        let buffer = fixed_key(name).pubkey();
        let data = buffer_bytes(code, authority);
        let account =
            Account { lamports: BUFFER_LAMPORTS, data, owner: bpf_loader_upgradeable::ID, ..Account::default() };
        self.world.set_account(buffer, account);
        buffer
    }

    /// A buffer with that code that is in the timelock's hands; the loader put it there.
    pub fn buffer(&mut self, name: &str, code: &[u8]) -> Pubkey {
        let (developer, timelock) = (fixed_key("developer"), self.timelock());
        let buffer = self.write_buffer(name, code, &developer.pubkey());
        self.world.send(&[set_authority(&buffer, &developer, &timelock)], &[&developer]).must();
        buffer
    }

    /// What to queue a buffer with.
    pub fn upgrade_args(&self, buffer: &Pubkey) -> QueueUpgradeArgs {
        let data = self.world.svm.get_account(buffer).map(|a| a.data).unwrap_or_default();
        QueueUpgradeArgs {
            digest: digest_of(data.get(BUFFER_HEADER..).unwrap_or_default()),
            version: self.exchange().upgrades_so_far().expect("few upgrades"),
            last_slot: self.last_slot(),
            rationale: [7; 32],
        }
    }

    /// Somebody queues an upgrade; the buffer's lamports go to [`Setup::refund`] in the end.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_upgrade_as(&mut self, proposer: &Keypair, buffer: &Pubkey, args: QueueUpgradeArgs) -> Queued {
        let (id, payer, refund) = (self.exchange().next_proposal, self.world.payer.pubkey(), self.refund());
        let queue = ix::queue_upgrade(&payer, &proposer.pubkey(), &self.exchange, id, buffer, &refund, args);
        self.world.measure("queue_upgrade", queue, &[proposer])?;
        Ok(id)
    }

    /// Governance queues an upgrade to what is in a buffer.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_upgrade(&mut self, buffer: &Pubkey) -> Queued {
        self.queue_upgrade_as(&self.governance.clone(), buffer, self.upgrade_args(buffer))
    }

    /// Who gets the lamports of buffers.
    pub fn refund(&self) -> Pubkey {
        fixed_key("developer").pubkey()
    }

    /// The upgrade that a buffer is proposed for.
    pub fn upgrade(&self, buffer: &Pubkey) -> Box<Upgrade> {
        self.world.read(&address::upgrade(buffer))
    }

    /// Does something that deploys. The loader and a runtime's own count of slots must agree on the slot, so the clock
    /// shows a twin's while it is done. What was deployed is visible afterwards, as it is from the next slot on: a twin
    /// begins anew from LiteSVM's accounts.
    pub fn deploying<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let now = self.world.now();
        if let Some(twin) = &mut self.world.twin {
            let slot = twin.slot();
            self.world.set_clock(now.unix, slot);
        }
        let done = what(self);
        self.world.set_clock(now.unix, now.slot);
        self.world.advance_slots(1);
        let at = address::program_data();
        let mut data = self.world.svm.get_account(&at).expect("program data");
        // Deployed before the twin began.
        data.data[4..12].fill(0);
        self.world.svm.set_account(at, data).expect("set");
        self.world.twin = self.world.twin.take().map(|twin| twin.fork(&self.world.svm));
        done
    }

    /// Anyone has the next part of an upgrade's buffer hashed.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn verify_part(&mut self, buffer: &Pubkey) -> Outcome {
        let verify = ix::verify_upgrade(&self.world.payer.pubkey(), &self.upgrade(buffer));
        let sent = self.world.send(&[compute_limit(ix::VERIFY_COMPUTE_LIMIT), verify], &[])?;
        self.world.record("verify_upgrade", sent.units - COMPUTE_LIMIT_UNITS);
        Ok(sent)
    }

    /// Anyone has an upgrade's buffer hashed to its end; what came of the last part.
    ///
    /// # Errors
    /// Why a part was refused.
    pub fn verify_upgrade(&mut self, buffer: &Pubkey) -> Outcome {
        let length = self.world.svm.get_account(buffer).map_or(0, |a| a.data.len() - BUFFER_HEADER) as u64;
        loop {
            let sent = self.verify_part(buffer)?;
            if ix::upgrade_parts_left(&self.upgrade(buffer), length) == 0 {
                return Ok(sent);
            }
        }
    }

    /// Anyone executes an upgrade, within [`Setup::deploying`] where there is a twin.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn execute_upgrade(&mut self, buffer: &Pubkey) -> Outcome {
        let execute = ix::execute_upgrade(&self.world.payer.pubkey(), &self.upgrade(buffer));
        self.world.measure("execute_upgrade", execute, &[])
    }

    /// Anyone closes what is left of an upgrade, and its proposal.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn close_upgrade(&mut self, buffer: &Pubkey) -> Outcome {
        let upgrade = self.upgrade(buffer);
        let proposal: Box<Proposal> = self.world.read(&ix::pubkey(&upgrade.proposal));
        let close = ix::close_upgrade(&upgrade, &ix::pubkey(&proposal.payer));
        self.world.measure("close_upgrade", close, &[])
    }

    /// What the exchange of a new mint is to be; the mint and the account for its fees are made.
    pub fn new_exchange_args(&mut self, name: &str) -> QueueNewExchangeArgs {
        let (mint, fees) = (fixed_key(name).pubkey(), fixed_key(&format!("{name}'s fees")).pubkey());
        let account = self.world.svm.get_account(&self.mint).expect("the mint");
        self.world.set_account(mint, account);
        self.set_tokens(fees, &fixed_key("treasury").pubkey(), &mint, 0);
        QueueNewExchangeArgs {
            mint,
            fee_destination: fees,
            exchange: InitializeExchangeArgs {
                governance: fixed_key("next governance").pubkey(),
                committee: Pubkey::default(),
                guardian: fixed_key("next guardian").pubkey(),
                oracle_programs: [price_feed::ID, Pubkey::default()],
            },
            version: self.exchange().upgrades_so_far().expect("few upgrades"),
            last_slot: self.last_slot(),
            rationale: [7; 32],
        }
    }

    /// Governance of the root exchange queues another one.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_new_exchange(&mut self, args: QueueNewExchangeArgs) -> Queued {
        let (id, payer, governance) =
            (self.exchange().next_proposal, self.world.payer.pubkey(), self.governance.clone());
        let queue = ix::queue_new_exchange(&payer, &governance.pubkey(), &self.exchange, id, args);
        self.world.measure("queue_new_exchange", queue, &[&governance])?;
        Ok(id)
    }

    /// What a proposal for a new exchange says.
    pub fn charter(&self, id: u64) -> Box<Charter> {
        self.world.read(&address::charter(&address::proposal(&self.exchange, id)))
    }

    /// Anyone creates an exchange whose proposal is ripe.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn execute_new_exchange(&mut self, id: u64) -> Outcome {
        let execute = ix::execute_new_exchange(&self.world.payer.pubkey(), &self.charter(id));
        self.world.measure("execute_new_exchange", execute, &[])
    }
}

/// Gives a buffer to another authority, as the loader's command does.
pub fn set_authority(buffer: &Pubkey, from: &Keypair, to: &Pubkey) -> Instruction {
    const SET_AUTHORITY: u32 = 4;
    loader_ix(SET_AUTHORITY, &[], &[(*buffer, false, true), (from.pubkey(), true, false), (*to, false, false)])
}

//! Queues an upgrade of the program: a buffer that nobody can write any more, by the digest of what it must hold.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use ballast_engine::Error as EngineError;
use ballast_engine::governance;
use ballast_engine::layout;

use super::durable_nonce;
use super::proposals::{self, Place};
use crate::checks::{check_version, key_of};
use crate::emit::emit;
use crate::error::{BallastError, OnChain, ensure};
use crate::legs;
use crate::loader;
use crate::seeds;
use crate::state::{ACCOUNT_VERSION, Exchange, Proposal, Upgrade};

/// Arguments of `queue_upgrade`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueUpgradeArgs {
    /// Digest of the new program's file (a chain of SHA-256 over parts), which is what the buffer must hold.
    pub digest: [u8; 32],
    /// How often the exchange has upgraded the program: the version that this is made for.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

/// Accounts of `queue_upgrade`.
#[event_cpi]
#[derive(Accounts)]
pub struct QueueUpgrade<'info> {
    /// Pays the rents: a multisig proposes by the signature of an address that holds nothing.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Governance.
    pub proposer: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The proposal, with the exchange's next number.
    #[account(
        init, payer = payer, space = Proposal::SPACE,
        seeds = [seeds::PROPOSAL, exchange.key().as_ref(), exchange.load()?.next_proposal.to_le_bytes().as_ref()], bump,
    )]
    pub proposal: AccountLoader<'info, Proposal>,
    /// What the proposal is about: one at a time for a buffer.
    #[account(init, payer = payer, space = Upgrade::SPACE, seeds = [seeds::UPGRADE, buffer.key().as_ref()], bump)]
    pub upgrade: AccountLoader<'info, Upgrade>,
    /// CHECK: a buffer of the loader whose authority is the timelock address; its owner and bytes are checked.
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: gets the buffer's lamports in the end; any address that the proposer names.
    pub refund: UncheckedAccount<'info>,
    /// CHECK: the exchange's timelock address, by its seeds; holds nothing.
    #[account(seeds = [seeds::TIMELOCK, exchange.key().as_ref()], bump)]
    pub timelock: UncheckedAccount<'info>,
    /// CHECK: the program's own data account, by its address; names the upgrade authority.
    #[account(
        seeds = [crate::ID.as_ref()], bump, seeds::program = bpf_loader_upgradeable::ID,
        owner = bpf_loader_upgradeable::ID @ BallastError::NotTimelock,
    )]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the instructions sysvar, by its address.
    #[account(address = durable_nonce::INSTRUCTIONS)]
    pub instructions: UncheckedAccount<'info>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl<'info> QueueUpgrade<'info> {
    fn validate(&self) -> Result<()> {
        let Self {
            payer: _,    // signs
            proposer: _, // signs; the engine asks which role it has
            exchange,
            proposal: _, // created here
            upgrade: _,  // created here
            buffer,
            refund,
            timelock,
            program_data,
            instructions,
            system_program: _,  // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        check_version(exchange.load()?.version)?;
        // The loader would refuse it in the end, and the buffer could never be closed.
        ensure(refund.key != buffer.key && refund.key != program_data.key, EngineError::BufferInvalid)?;
        loader::check_timelock(program_data, timelock.key)
    }

    fn place(&self, bump: u8) -> Place<'_, 'info> {
        Place {
            proposal: &self.proposal,
            bump,
            exchange: self.exchange.key(),
            market: None,
            proposer: self.proposer.key(),
            payer: self.payer.key(),
        }
    }

    fn record(&self, bump: u8) -> Result<()> {
        let mut upgrade = self.upgrade.load_init()?;
        upgrade.version = ACCOUNT_VERSION;
        upgrade.bump = bump;
        upgrade.exchange = key_of(&self.exchange.key());
        upgrade.proposal = key_of(&self.proposal.key());
        upgrade.buffer = key_of(self.buffer.key);
        upgrade.refund = key_of(self.refund.key);
        Ok(())
    }
}

/// See the module.
pub fn handle(ctx: Context<QueueUpgrade>, args: QueueUpgradeArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let length = loader::length_in(&accounts.buffer, accounts.timelock.key)?;
    let room = loader::room(&accounts.program_data)?;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let upgrades = exchange.upgrades_so_far().on_chain()?;
        let context = exchange.governance();
        let committed = layout::Key(args.digest);
        let terms =
            governance::queue_upgrade(length, committed, room, upgrades, &context, &request, &now).on_chain()?;
        proposals::open(&mut exchange, &accounts.place(ctx.bumps.proposal), terms)?
    };
    accounts.record(ctx.bumps.upgrade)?;
    emit(&accounts.event_authority, &event)
}

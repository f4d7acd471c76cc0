//! Queues the exchange of another mint: once the program's upgrade authority is a timelock's, nobody can sign for one.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use ballast_engine::governance;

use super::durable_nonce;
use super::initialize_exchange::{InitializeExchangeArgs, check_oracle_programs, roles_of};
use super::proposals::{self, Place};
use crate::checks::{check_version, key_of};
use crate::emit::emit;
use crate::error::{BallastError, OnChain};
use crate::legs;
use crate::loader;
use crate::seeds;
use crate::state::{ACCOUNT_VERSION, Charter, Exchange, Proposal};

/// Arguments of `queue_new_exchange`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueNewExchangeArgs {
    /// Its collateral.
    pub mint: Pubkey,
    /// Where its collected protocol fees go.
    pub fee_destination: Pubkey,
    /// Its roles and oracle programs.
    pub exchange: InitializeExchangeArgs,
    /// How often the root exchange has upgraded the program: the version that this is made for.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

/// Accounts of `queue_new_exchange`.
#[event_cpi]
#[derive(Accounts)]
pub struct QueueNewExchange<'info> {
    /// Pays the rents: a multisig proposes by the signature of an address that holds nothing.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Governance.
    pub proposer: Signer<'info>,
    /// The root exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The proposal, with the exchange's next number.
    #[account(
        init, payer = payer, space = Proposal::SPACE,
        seeds = [seeds::PROPOSAL, exchange.key().as_ref(), exchange.load()?.next_proposal.to_le_bytes().as_ref()], bump,
    )]
    pub proposal: AccountLoader<'info, Proposal>,
    /// What the proposal is about.
    #[account(init, payer = payer, space = Charter::SPACE, seeds = [seeds::CHARTER, proposal.key().as_ref()], bump)]
    pub charter: AccountLoader<'info, Charter>,
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

impl<'info> QueueNewExchange<'info> {
    fn validate(&self, args: &QueueNewExchangeArgs) -> Result<()> {
        let Self {
            payer: _,    // signs
            proposer: _, // signs; the engine asks which role it has
            exchange,
            proposal: _, // created here
            charter: _,  // created here
            timelock,
            program_data,
            instructions,
            system_program: _,  // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        check_version(exchange.load()?.version)?;
        check_oracle_programs(&args.exchange.oracle_programs)?;
        roles_of(&args.exchange)?;
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

    fn record(&self, bump: u8, args: &QueueNewExchangeArgs) -> Result<()> {
        let mut charter = self.charter.load_init()?;
        charter.version = ACCOUNT_VERSION;
        charter.bump = bump;
        charter.root = key_of(&self.exchange.key());
        charter.proposal = key_of(&self.proposal.key());
        charter.mint = key_of(&args.mint);
        charter.fee_destination = key_of(&args.fee_destination);
        charter.governance = key_of(&args.exchange.governance);
        charter.committee = key_of(&args.exchange.committee);
        charter.guardian = key_of(&args.exchange.guardian);
        charter.oracle_programs = args.exchange.oracle_programs.map(|program| key_of(&program));
        Ok(())
    }
}

/// See the module.
pub fn handle(ctx: Context<QueueNewExchange>, args: QueueNewExchangeArgs) -> Result<()> {
    ctx.accounts.validate(&args)?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let upgrades = exchange.upgrades_so_far().on_chain()?;
        let (mint, context) = (key_of(&args.mint), exchange.governance());
        let terms = governance::queue_new_exchange(mint, upgrades, &context, &request, &now).on_chain()?;
        proposals::open(&mut exchange, &accounts.place(ctx.bumps.proposal), terms)?
    };
    accounts.record(ctx.bumps.charter, &args)?;
    emit(&accounts.event_authority, &event)
}

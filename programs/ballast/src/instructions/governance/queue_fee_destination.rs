//! Queues another token account for protocol fees.

use anchor_lang::prelude::*;
use anchor_spl::token::TokenAccount;
use ballast_engine::Error as EngineError;
use ballast_engine::governance;

use super::durable_nonce;
use super::proposals::{self, Place};
use crate::checks::{check_version, is, key_of};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::legs;
use crate::seeds;
use crate::state::{Exchange, Proposal};

/// Arguments of `queue_fee_destination`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFeeDestinationArgs {
    /// The version that this is made for: how often the destination was changed.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

/// Accounts of `queue_fee_destination`.
#[event_cpi]
#[derive(Accounts)]
pub struct QueueFeeDestination<'info> {
    /// Pays the proposal's rent: a multisig proposes by the signature of an address that holds nothing.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Governance.
    pub proposer: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// Where fees shall go: a token account of the collateral that somebody can move.
    pub new_destination: Box<Account<'info, TokenAccount>>,
    /// The proposal, with the exchange's next number.
    #[account(
        init, payer = payer, space = Proposal::SPACE,
        seeds = [seeds::PROPOSAL, exchange.key().as_ref(), exchange.load()?.next_proposal.to_le_bytes().as_ref()], bump,
    )]
    pub proposal: AccountLoader<'info, Proposal>,
    /// CHECK: the instructions sysvar, by its address.
    #[account(address = durable_nonce::INSTRUCTIONS)]
    pub instructions: UncheckedAccount<'info>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl QueueFeeDestination<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            payer: _,    // signs
            proposer: _, // signs; the engine asks which role it has
            exchange,
            new_destination,
            proposal: _, // created here
            instructions,
            system_program: _,  // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        let state = exchange.load()?;
        check_version(state.version)?;
        ensure(!is(&state.vault, &new_destination.key()), EngineError::WrongVault)?;
        ensure(is(&state.mint, &new_destination.mint), EngineError::WrongMint)?;
        // What the exchange itself owns beside the vault, nobody could ever move.
        ensure(new_destination.owner != exchange.key(), EngineError::WrongOwner)
    }
}

/// See the module.
pub fn handle(ctx: Context<QueueFeeDestination>, args: QueueFeeDestinationArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let terms = governance::queue_fee_destination(
            &exchange.fee_destination,
            exchange.fee_version,
            key_of(&accounts.new_destination.key()),
            &exchange.governance(),
            &request,
            &now,
        )
        .on_chain()?;
        let place = Place {
            proposal: &accounts.proposal,
            bump: ctx.bumps.proposal,
            exchange: accounts.exchange.key(),
            market: None,
            proposer: accounts.proposer.key(),
            payer: accounts.payer.key(),
        };
        proposals::open(&mut exchange, &place, terms)?
    };
    emit(&accounts.event_authority, &event)
}

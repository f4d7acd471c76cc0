//! Closes what is left of an upgrade whose proposal has ended: its buffer, if it was not executed, its account, and the
//! proposal. The proposal's rent goes to whoever paid it, all other lamports to the address that was named when it was queued.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use ballast_engine::Error as EngineError;
use ballast_engine::governance::check_ended;

use super::execute_upgrade::check_upgrade;
use super::proposals;
use crate::checks::{check_version, is};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::UpgradeClosed;
use crate::loader::{self, Timelock};
use crate::seeds;
use crate::state::{Exchange, Proposal, Upgrade};

/// Accounts of `close_upgrade`.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseUpgrade<'info> {
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The proposal.
    #[account(mut, close = rent_to)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// What it was about.
    #[account(mut, close = refund)]
    pub upgrade: AccountLoader<'info, Upgrade>,
    /// CHECK: the buffer that it names; gone if the proposal was executed.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: the address that it names for the lamports.
    #[account(mut)]
    pub refund: UncheckedAccount<'info>,
    /// CHECK: who paid the proposal's rent, as it says.
    #[account(mut)]
    pub rent_to: UncheckedAccount<'info>,
    /// CHECK: the exchange's timelock address, by its seeds; holds nothing.
    #[account(seeds = [seeds::TIMELOCK, exchange.key().as_ref()], bump)]
    pub timelock: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader, by its address.
    #[account(address = bpf_loader_upgradeable::ID)]
    pub loader: UncheckedAccount<'info>,
}

impl CloseUpgrade<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            exchange,
            proposal,
            upgrade,
            buffer,
            refund,
            rent_to,
            timelock: _,        // by its seeds
            loader: _,          // by its address
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_version(exchange.load()?.version)?;
        let of = proposal.load()?;
        proposals::check(&of, &exchange.key(), &Pubkey::default())?;
        check_upgrade(&*upgrade.load()?, &proposal.key(), buffer.key, refund.key)?;
        ensure(is(&of.payer, rent_to.key), EngineError::WrongOwner)?;
        check_ended(&of.terms).on_chain()
    }
}

/// See the module.
pub fn handle(ctx: Context<CloseUpgrade>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let exchange = accounts.exchange.key();
    let mut lamports = 0;
    // Somebody else's account, or none: what was executed took the buffer with it.
    if loader::is_buffer_of(&accounts.buffer, accounts.timelock.key)? {
        lamports = accounts.buffer.lamports();
        let timelock = Timelock { account: &accounts.timelock, exchange, bump: ctx.bumps.timelock };
        timelock.close_buffer(&accounts.buffer, &accounts.refund)?;
    }
    let event = UpgradeClosed {
        exchange,
        proposal: accounts.proposal.key(),
        buffer: accounts.buffer.key(),
        refund: accounts.refund.key(),
        lamports,
        sequence: accounts.exchange.load_mut()?.next_sequence().on_chain()?,
    };
    emit(&accounts.event_authority, &event)
}

//! Closes a proposal that has ended; its rent goes to whoever paid it. Its number never comes back. An upgrade's is closed with
//! its buffer, by `close_upgrade`.

use anchor_lang::AccountsClose;
use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::governance::{check_closable, kind};

use crate::checks::{check_version, is};
use crate::emit::emit;
use crate::error::{BallastError, OnChain, ensure};
use crate::events::ProposalRentReturned;
use crate::state::{Charter, Exchange, Proposal};

/// Accounts of `close_proposal`.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseProposal<'info> {
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The proposal.
    #[account(mut, close = rent_to)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// What a proposal for another exchange is about; for no other kind.
    #[account(mut)]
    pub charter: Option<AccountLoader<'info, Charter>>,
    /// CHECK: who paid its rent, as it says.
    #[account(mut)]
    pub rent_to: UncheckedAccount<'info>,
}

impl CloseProposal<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            exchange,
            proposal,
            charter,
            rent_to,
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_version(exchange.load()?.version)?;
        let of = proposal.load()?;
        check_version(of.version)?;
        ensure(is(&of.exchange, &exchange.key()), EngineError::WrongExchange)?;
        ensure(is(&of.payer, rent_to.key), EngineError::WrongOwner)?;
        ensure((of.terms.kind == kind::NEW_EXCHANGE) == charter.is_some(), EngineError::WrongExchange)?;
        if let Some(charter) = charter {
            let charter = charter.load()?;
            check_version(charter.version)?;
            ensure(is(&charter.proposal, &proposal.key()), EngineError::WrongExchange)?;
        }
        check_closable(&of.terms).on_chain()
    }
}

/// See the module.
pub fn handle(ctx: Context<CloseProposal>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let of_charter = accounts.charter.as_ref().map_or(0, |charter| charter.to_account_info().lamports());
    let lamports = accounts.proposal.to_account_info().lamports().checked_add(of_charter);
    let event = ProposalRentReturned {
        exchange: accounts.exchange.key(),
        proposal: accounts.proposal.key(),
        id: accounts.proposal.load()?.id,
        to: accounts.rent_to.key(),
        lamports: lamports.ok_or(BallastError::MathOverflow)?,
        sequence: accounts.exchange.load_mut()?.next_sequence().on_chain()?,
    };
    emit(&accounts.event_authority, &event)?;
    match &accounts.charter {
        Some(charter) => charter.close(accounts.rent_to.to_account_info()),
        None => Ok(()),
    }
}

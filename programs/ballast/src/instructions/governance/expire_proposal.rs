//! Ends a proposal whose time to execute is over, or whose proposer is no longer in power.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;

use super::proposals;
use crate::checks::{check_version, is};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::legs;
use crate::state::{Exchange, Market, Proposal};

/// Accounts of `expire_proposal`.
#[event_cpi]
#[derive(Accounts)]
pub struct ExpireProposal<'info> {
    /// Anyone; named in the event.
    pub caller: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market that the proposal is about; needed for a change of its oracle alone.
    #[account(mut)]
    pub market: Option<AccountLoader<'info, Market>>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
}

impl ExpireProposal<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            caller: _, // signs
            exchange,
            market,
            proposal,
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_version(exchange.load()?.version)?;
        let proposal = proposal.load()?;
        check_version(proposal.version)?;
        ensure(is(&proposal.exchange, &exchange.key()), EngineError::WrongExchange)?;
        proposals::check_ended_market(&proposal, market.as_ref(), &exchange.key())
    }
}

/// See the module.
pub fn handle(ctx: Context<ExpireProposal>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let mut proposal = accounts.proposal.load_mut()?;
        proposal.terms.expire(&exchange.roles, &exchange.emergency, &now).on_chain()?;
        proposals::release_market(proposal.id, accounts.market.as_ref())?;
        proposals::end(&mut exchange, accounts.proposal.key(), &proposal, accounts.caller.key())?
    };
    emit(&accounts.event_authority, &event)
}

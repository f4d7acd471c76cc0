//! Ends a proposal for good, by the vetoer that it names.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;

use super::{durable_nonce, proposals};
use crate::checks::{check_version, is, key_of};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::state::{Exchange, Market, Proposal};

/// Accounts of `veto_proposal`.
#[event_cpi]
#[derive(Accounts)]
pub struct VetoProposal<'info> {
    /// The vetoer named in the proposal: who was guardian when it was queued.
    pub vetoer: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market that the proposal is about; needed for a change of its oracle alone.
    #[account(mut)]
    pub market: Option<AccountLoader<'info, Market>>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// CHECK: the instructions sysvar, by its address.
    #[account(address = durable_nonce::INSTRUCTIONS)]
    pub instructions: UncheckedAccount<'info>,
}

impl VetoProposal<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            vetoer: _, // signs; the engine asks whether it may
            exchange,
            market,
            proposal,
            instructions,
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        check_version(exchange.load()?.version)?;
        let proposal = proposal.load()?;
        check_version(proposal.version)?;
        ensure(is(&proposal.exchange, &exchange.key()), EngineError::WrongExchange)?;
        proposals::check_ended_market(&proposal, market.as_ref(), &exchange.key())
    }
}

/// See the module.
pub fn handle(ctx: Context<VetoProposal>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let mut proposal = accounts.proposal.load_mut()?;
        proposal.terms.veto(&key_of(accounts.vetoer.key)).on_chain()?;
        proposals::release_market(proposal.id, accounts.market.as_ref())?;
        proposals::end(&mut exchange, accounts.proposal.key(), &proposal, accounts.vetoer.key())?
    };
    emit(&accounts.event_authority, &event)
}

//! Executes an exchange's proposal when its delay is over.

use anchor_lang::prelude::*;
use ballast_engine::governance::{self, kind};

use super::proposals;
use crate::checks::check_version;
use crate::emit::emit;
use crate::error::OnChain;
use crate::legs;
use crate::state::{Exchange, Proposal};

/// Accounts of `execute_exchange_proposal`.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteExchangeProposal<'info> {
    /// Anyone; named in the event.
    pub executor: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
}

impl ExecuteExchangeProposal<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            executor: _, // signs
            exchange,
            proposal,
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_version(exchange.load()?.version)?;
        proposals::check(&*proposal.load()?, &exchange.key(), &Pubkey::default())
    }
}

/// See the module.
pub fn handle(ctx: Context<ExecuteExchangeProposal>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let mut proposal = accounts.proposal.load_mut()?;
        let terms = &mut proposal.terms;
        {
            let Exchange { params, param_log, roles, emergency, .. } = &mut *exchange;
            if terms.kind == kind::EXCHANGE_PARAMETER {
                governance::execute_exchange_parameter(terms, params, param_log, roles, emergency, &now)
                    .map(|_| ())
                    .on_chain()?;
            } else {
                governance::execute_role(terms, roles, emergency, &now).map(|_| ()).on_chain()?;
            }
        }
        proposals::end(&mut exchange, accounts.proposal.key(), &proposal, accounts.executor.key())?
    };
    emit(&accounts.event_authority, &event)
}

//! Executes an exchange's proposal when its delay is over.

use anchor_lang::prelude::*;
use ballast_engine::Now;
use ballast_engine::governance::{self, Holds, kind};

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
    let (event, changes) = {
        let mut exchange = accounts.exchange.load_mut()?;
        let mut proposal = accounts.proposal.load_mut()?;
        execute(&mut exchange, &mut proposal, &now).on_chain()?;
        let batch = proposal.terms.kind == kind::EXCHANGE_BATCH;
        let address = accounts.proposal.key();
        let event = proposals::end(&mut exchange, address, &proposal, accounts.executor.key())?;
        (event, batch.then(|| proposals::executed_batch(&mut exchange, address, &proposal)).transpose()?)
    };
    emit(&accounts.event_authority, &event)?;
    match changes {
        Some(changes) => emit(&accounts.event_authority, &changes),
        None => Ok(()),
    }
}

fn execute(exchange: &mut Exchange, proposal: &mut Proposal, now: &Now) -> ballast_engine::Result<()> {
    let Proposal { terms, batch, .. } = proposal;
    let Exchange {
        params,
        param_log: log,
        roles,
        emergency,
        exit_holds,
        fee_destination,
        fee_version,
        oracle_programs,
        oracle_version,
        ..
    } = exchange;
    let holds = Holds { emergency, exits: exit_holds };
    match terms.kind {
        kind::EXCHANGE_PARAMETER => {
            governance::execute_exchange_parameter(terms, params, log, roles, &holds, now).map(|_| ())
        }
        kind::EXCHANGE_BATCH => governance::execute_exchange_batch(terms, batch, (params, log), roles, &holds, now),
        kind::FEE_DESTINATION => {
            governance::execute_fee_destination(terms, fee_destination, fee_version, roles, &holds, now).map(|_| ())
        }
        kind::ORACLE_PROGRAM => {
            governance::execute_oracle_program(terms, oracle_programs, oracle_version, roles, &holds, now).map(|_| ())
        }
        _ => governance::execute_role(terms, roles, emergency, now).map(|_| ()),
    }
}

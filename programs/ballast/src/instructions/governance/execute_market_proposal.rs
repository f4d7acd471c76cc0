//! Executes a market's proposal when its delay is over.

use anchor_lang::prelude::*;
use ballast_engine::Now;
use ballast_engine::governance::{self, Feeds, kind};

use super::proposals;
use crate::checks::{check_market, check_version};
use crate::emit::emit;
use crate::error::OnChain;
use crate::legs;
use crate::state::{Exchange, Market, Proposal};

/// Accounts of `execute_market_proposal`.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteMarketProposal<'info> {
    /// Anyone; named in the event.
    pub executor: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
}

impl ExecuteMarketProposal<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            executor: _, // signs
            exchange,
            market,
            proposal,
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_version(exchange.load()?.version)?;
        check_market(&*market.load()?, &exchange.key())?;
        proposals::check(&*proposal.load()?, &exchange.key(), &market.key())
    }
}

/// See the module.
pub fn handle(ctx: Context<ExecuteMarketProposal>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let (event, changes) = {
        let mut exchange = accounts.exchange.load_mut()?;
        let mut market = accounts.market.load_mut()?;
        let mut proposal = accounts.proposal.load_mut()?;
        execute(&exchange, &mut market, &mut proposal, &now).on_chain()?;
        market.state.invariant().on_chain()?;
        let batch = proposal.terms.kind == kind::MARKET_BATCH;
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

fn execute(exchange: &Exchange, market: &mut Market, proposal: &mut Proposal, now: &Now) -> ballast_engine::Result<()> {
    let (terms, context) = (&mut proposal.terms, exchange.governance());
    match terms.kind {
        kind::ORACLE_FEED => {
            let (feed, program) = (market.feed_id, market.oracle_program);
            let feeds = Feeds {
                feed: &feed,
                program: &program,
                version: market.feeds(exchange)?.version,
                programs: &exchange.oracle_programs,
                programs_version: exchange.oracle_version,
            };
            let new = governance::execute_oracle_feed(terms, &mut market.state, &feeds, &context, now)?;
            market.feed_id = new.feed;
            market.oracle_program = new.program;
            market.feed_version = new.version.into();
            Ok(())
        }
        kind::WIND_DOWN => governance::execute_wind_down(terms, &mut market.state, &context, now).map(|_| ()),
        kind::MARKET_BATCH => {
            governance::execute_market_batch(terms, &proposal.batch, &mut market.state, &context, now)
        }
        _ => governance::execute_market_parameter(terms, &mut market.state, &context, now).map(|_| ()),
    }
}

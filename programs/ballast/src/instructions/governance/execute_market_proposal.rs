//! Executes a market's proposal when its delay is over.

use anchor_lang::prelude::*;
use ballast_engine::governance::{self, kind};

use super::proposals;
use crate::checks::{check_market, check_version};
use crate::emit::emit;
use crate::error::{BallastError, OnChain};
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
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let mut market = accounts.market.load_mut()?;
        let mut proposal = accounts.proposal.load_mut()?;
        let terms = &mut proposal.terms;
        if terms.kind == kind::ORACLE_FEED {
            let mut version = u32::try_from(market.feed_version).map_err(|_| BallastError::MathOverflow)?;
            governance::execute_oracle_feed(terms, &mut market.feed_id, &mut version, &exchange.governance(), &now)
                .on_chain()?;
            market.feed_version = version.into();
            // The averages begin anew, so that the new feed's first prices are unconfirmed; the last valid price stays,
            // or accounts that hold other markets too could do nothing until the first one.
            market.state.price.ema_start = 0;
            market.state.price.jump_count = 0;
        } else {
            governance::execute_market_parameter(terms, &mut market.state, &exchange.governance(), &now).on_chain()?;
        }
        market.state.invariant().on_chain()?;
        proposals::end(&mut exchange, accounts.proposal.key(), &proposal, accounts.executor.key())?
    };
    emit(&accounts.event_authority, &event)
}

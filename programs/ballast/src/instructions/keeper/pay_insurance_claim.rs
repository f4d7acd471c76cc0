//! Pays a market what the shared insurance has released on its claims.

use anchor_lang::prelude::*;

use crate::checks::{check_market, check_version};
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::InsuranceClaimPaid;
use crate::legs;
use crate::state::{Exchange, Market};

/// Accounts of `pay_insurance_claim`.
#[event_cpi]
#[derive(Accounts)]
pub struct PayInsuranceClaim<'info> {
    /// The exchange, which keeps the batches.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
}

impl PayInsuranceClaim<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            exchange,
            market,
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_version(exchange.load()?.version)?;
        check_market(&*market.load()?, &exchange.key())
    }
}

/// See the module.
pub fn handle(ctx: Context<PayInsuranceClaim>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let exchange = &mut *accounts.exchange.load_mut()?;
    let state = &mut accounts.market.load_mut()?.state;
    let Exchange { insurance, shared_insurance, .. } = exchange;
    let paid = insurance.pay(shared_insurance, state, &now).on_chain()?;
    exchange.invariant().on_chain()?;
    state.invariant().on_chain()?;
    emit(
        &accounts.event_authority,
        &InsuranceClaimPaid {
            market: accounts.market.key(),
            amount: paid.amount.0,
            closed: paid.closed,
            open: paid.open.0,
            fund: exchange.shared_insurance.0,
            market_sequence: state.next_sequence().on_chain()?,
        },
    )
}

//! Registers a market's claims on the shared insurance with the batch of yesterday, whose sum makes its factor.

use anchor_lang::prelude::*;

use crate::checks::{check_market, check_version};
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::InsuranceClaimRegistered;
use crate::legs;
use crate::state::{Exchange, Market};

/// Accounts of `register_insurance_claim`.
#[event_cpi]
#[derive(Accounts)]
pub struct RegisterInsuranceClaim<'info> {
    /// The exchange, which keeps the batches.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
}

impl RegisterInsuranceClaim<'_> {
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
pub fn handle(ctx: Context<RegisterInsuranceClaim>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let exchange = &mut *accounts.exchange.load_mut()?;
    let state = &mut accounts.market.load_mut()?.state;
    let fund = exchange.shared_insurance;
    let (day, amount) = exchange.insurance.register(fund, state, &now).on_chain()?;
    exchange.invariant().on_chain()?;
    state.invariant().on_chain()?;
    emit(
        &accounts.event_authority,
        &InsuranceClaimRegistered {
            market: accounts.market.key(),
            day,
            amount: amount.0,
            market_sequence: state.next_sequence().on_chain()?,
        },
    )
}

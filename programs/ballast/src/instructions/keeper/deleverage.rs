//! Deleverages the winning side of a market whose claims stay unpaid, to the size that its pool can carry.

use anchor_lang::prelude::*;

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::Deleveraged;
use crate::fill;
use crate::legs::now;
use crate::state::Market;

/// Accounts of `deleverage`.
#[event_cpi]
#[derive(Accounts)]
pub struct Deleverage<'info> {
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
}

impl Deleverage<'_> {
    fn validate(&self) -> Result<()> {
        let Self { market, event_authority: _, program: _ } = self;
        check_version(market.load()?.version)
    }
}

/// See the module.
pub fn handle(ctx: Context<Deleverage>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let key = accounts.market.key();
    let market = &mut accounts.market.load_mut()?.state;
    if let Some(accrued) = fill::accrue(key, market, &now)? {
        emit(&accounts.event_authority, &accrued)?;
    }
    let done = market.deleverage(&now).on_chain()?;
    market.invariant().on_chain()?;
    emit(
        &accounts.event_authority,
        &Deleveraged {
            market: key,
            long: done.long,
            before: done.before.0,
            kept: done.kept.0,
            price: done.price.0,
            equity: done.equity.0,
            round: market.deleveraging.round,
            positions: market.deleveraging.positions,
            market_sequence: market.next_sequence().on_chain()?,
        },
    )
}

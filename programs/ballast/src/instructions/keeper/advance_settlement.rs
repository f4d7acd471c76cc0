//! Begins a market's settlement, calls it off or fixes its price, whichever is due.

use anchor_lang::prelude::*;
use ballast_engine::settlement::Step;

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::SettlementAdvanced;
use crate::fill;
use crate::legs::now;
use crate::state::Market;

/// Accounts of `advance_settlement`.
#[event_cpi]
#[derive(Accounts)]
pub struct AdvanceSettlement<'info> {
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
}

impl AdvanceSettlement<'_> {
    fn validate(&self) -> Result<()> {
        let Self { market, event_authority: _, program: _ } = self;
        check_version(market.load()?.version)
    }
}

/// See the module.
pub fn handle(ctx: Context<AdvanceSettlement>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let key = accounts.market.key();
    let market = &mut accounts.market.load_mut()?.state;
    if let Some(accrued) = fill::accrue(key, market, &now)? {
        emit(&accounts.event_authority, &accrued)?;
    }
    let step = market.advance_settlement(&now).on_chain()?;
    market.invariant().on_chain()?;
    let price = market.settlement_price();
    emit(
        &accounts.event_authority,
        &SettlementAdvanced {
            market: key,
            step: match step {
                Step::Begun => 1,
                Step::CalledOff => 2,
                Step::Fixed(_) => 3,
            },
            price: price.0,
            equity: market.equity(price).on_chain()?.0,
            floor: market.equity_floor(price).on_chain()?.0,
            market_sequence: market.next_sequence().on_chain()?,
        },
    )
}

//! Records that an exit's stop was met, or how far its trail has moved it, before the market's ring forgets the prices that
//! did it. It earns nothing: the fill does.

use anchor_lang::prelude::*;

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::{OnChain, refuse};
use crate::events::OrderTriggered;
use crate::legs::now;
use crate::state::{Market, Order, Subaccount};

/// Accounts of `trigger_order`.
#[event_cpi]
#[derive(Accounts)]
pub struct TriggerOrder<'info> {
    /// The order's market.
    pub market: AccountLoader<'info, Market>,
    /// The order's subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// The order.
    #[account(mut)]
    pub order: AccountLoader<'info, Order>,
}

impl TriggerOrder<'_> {
    fn validate(&self) -> Result<()> {
        let Self { market, subaccount, order, event_authority: _, program: _ } = self;
        let (market_key, key) = (market.key(), subaccount.key());
        let market = market.load()?;
        check_version(market.version)?;
        subaccount.load()?.check(&market.exchange)?;
        order.load()?.check_of(&key, &market_key)
    }
}

/// See the module.
pub fn handle(ctx: Context<TriggerOrder>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let event = {
        let market = &accounts.market.load()?.state;
        let account = &mut accounts.subaccount.load_mut()?.state;
        let terms = &mut accounts.order.load_mut()?.terms;
        if let Some(error) = terms.dead(market, account, &now) {
            return Err(refuse(error.into()));
        }
        terms.record(market, &now).on_chain()?;
        OrderTriggered {
            order: accounts.order.key(),
            subaccount: accounts.subaccount.key(),
            market: accounts.market.key(),
            triggered_at: terms.triggered_at,
            stop: terms.stop.0,
            account_sequence: account.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}

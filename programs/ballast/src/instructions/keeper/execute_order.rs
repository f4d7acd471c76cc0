//! Fills an order, at a price published after it was placed, for the fee that was put aside.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::{OnChain, refuse};
use crate::fill::{self, Ask, Trader, check_keeper, credit};
use crate::legs::now;
use crate::state::{Market, Order, Subaccount};

/// Accounts of `execute_order`. Remaining accounts: the markets of the account's other slots in use, in slot order: all of
/// them for an increase or a flip, and for a reduction at a loss: writable where their profits must pay it.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteOrder<'info> {
    /// The order's market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The order's subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// The order.
    #[account(mut, close = rent_to)]
    pub order: AccountLoader<'info, Order>,
    /// Whoever paid the order's rent.
    /// CHECK: `validate` compares its address.
    #[account(mut)]
    pub rent_to: UncheckedAccount<'info>,
    /// Gets the order's fee; without it the fee goes back to the order's subaccount.
    #[account(mut)]
    pub keeper: Option<AccountLoader<'info, Subaccount>>,
}

impl ExecuteOrder<'_> {
    fn validate(&self) -> Result<()> {
        let Self { market, subaccount, order, rent_to, keeper, event_authority: _, program: _ } = self;
        let (market_key, key) = (market.key(), subaccount.key());
        let market = market.load()?;
        check_version(market.version)?;
        subaccount.load()?.check(&market.exchange)?;
        order.load()?.check(&key, &market_key, rent_to.key)?;
        keeper.as_ref().map_or(Ok(()), |keeper| check_keeper(keeper, &market.exchange, &key))
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, ExecuteOrder<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let (market_key, key) = (accounts.market.key(), accounts.subaccount.key());
    let (accrued, picked, traded, fee) = {
        let market = &mut *accounts.market.load_mut()?;
        let subaccount = &mut *accounts.subaccount.load_mut()?;
        let terms = &mut accounts.order.load_mut()?.terms;
        if let Some(error) = terms.dead(&market.state, &now) {
            return Err(refuse(error.into()));
        }
        let accrued = fill::accrue(market_key, &mut market.state, &now)?;
        let picked = fill::pick_up(market_key, &mut market.state, key, &mut subaccount.state)?;
        let ask = Ask {
            size: terms.size,
            reduce_only: terms.reduce_only != 0,
            limit: terms.limit,
            mark: terms.mark(&market.state, &now).on_chain()?,
        };
        let (account, exchange) = (&mut subaccount.state, &subaccount.exchange);
        let mut trader = Trader::of(account, exchange, &market.state, ctx.remaining_accounts);
        let done = fill::fill(&mut market.state, &mut trader, &ask, &now)?;
        let account = &mut subaccount.state;
        account.orders = account.orders.checked_sub(1).ok_or(EngineError::InvariantBroken.into()).on_chain()?;
        market.state.invariant().on_chain()?;
        account.invariant().on_chain()?;
        let traded = done.event(market_key, &mut market.state, key, account, accounts.order.key())?;
        (accrued, picked, traded, core::mem::take(&mut terms.fee))
    };
    credit(accounts.keeper.as_ref().unwrap_or(&accounts.subaccount), fee)?;
    if let Some(accrued) = accrued {
        emit(&accounts.event_authority, &accrued)?;
    }
    if let Some(picked) = picked {
        emit(&accounts.event_authority, &picked)?;
    }
    emit(&accounts.event_authority, &traded)
}

//! Fills an order, at a price published after it was placed (and its condition met), for the fee that was put aside. A
//! bracket whose entry fills becomes its exits.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::order::After;
use ballast_engine::units::Quote;

use crate::checks::{check_version, key_of};
use crate::covenants::{self, Bound};
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::BracketActivated;
use crate::fill::{self, Trader, check_keeper, pay_order_fee};
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
    /// The order; closed unless it becomes a bracket's exits.
    #[account(mut)]
    pub order: AccountLoader<'info, Order>,
    /// Whoever paid the order's rent.
    /// CHECK: `validate` compares its address.
    #[account(mut)]
    pub rent_to: UncheckedAccount<'info>,
    /// Gets the order's fee; without it the fee goes back to the order's subaccount.
    #[account(mut)]
    pub keeper: Option<AccountLoader<'info, Subaccount>>,
    /// The covenant address of the subaccount's owner; empty where there is no covenant.
    /// CHECK: `covenants::of` compares its address.
    #[account(mut)]
    pub covenant: UncheckedAccount<'info>,
}

impl ExecuteOrder<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            market,
            subaccount,
            order,
            rent_to,
            keeper,
            covenant: _, // `covenants::of` compares its address
            event_authority: _,
            program: _,
        } = self;
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
    let (accrued, picked, traded, fee, after, exits) = {
        let market = &mut *accounts.market.load_mut()?;
        let subaccount = &mut *accounts.subaccount.load_mut()?;
        let terms = &mut accounts.order.load_mut()?.terms;
        let accrued = fill::accrue(market_key, &mut market.state, &now)?;
        let picked = fill::pick_up(market_key, &mut market.state, key, &mut subaccount.state)?;
        let ask = fill::ask(terms, &market.state, &subaccount.state, &now)?;
        let mut covenant = covenants::of(&accounts.covenant, subaccount)?;
        let (account, exchange) = (&mut subaccount.state, &subaccount.exchange);
        let mut trader = Trader::of(account, exchange, &market.state, ctx.remaining_accounts);
        trader.covenant = covenant.as_mut().map(|found| Bound { covenant: &mut found.state, subaccount: key_of(&key) });
        let done = fill::fill(&mut market.state, &mut trader, &ask, &now)?;
        // What was closed whole is seen at once.
        if let Some(bound) = &mut trader.covenant {
            let _ = bound.touch_flat(trader.account, &now)?;
        }
        let account = &mut subaccount.state;
        let fee = terms.fill_fee().on_chain()?;
        let after = terms.after_fill(&market.state, account, done.size, &now).on_chain()?;
        if after != After::Exits {
            account.orders = account.orders.checked_sub(1).ok_or(EngineError::InvariantBroken.into()).on_chain()?;
        }
        market.state.invariant().on_chain()?;
        account.invariant().on_chain()?;
        let order = accounts.order.key();
        let traded = fill::event(&done, market_key, &mut market.state, key, account, order)?;
        let exits = match after {
            After::Exits => Some(BracketActivated {
                order,
                subaccount: key,
                market: market_key,
                size: terms.size.0,
                stop: terms.stop.0,
                target: terms.target.0,
                trail: terms.trail.0,
                placed_at: terms.placed_at,
                account_sequence: account.next_sequence().on_chain()?,
            }),
            After::Done | After::Returned(_) => None,
        };
        (accrued, picked, traded, fee, after, exits)
    };
    let returned = if let After::Returned(returned) = after { returned } else { Quote::ZERO };
    pay_order_fee(None, &accounts.subaccount, returned)?;
    pay_order_fee(accounts.keeper.as_ref(), &accounts.subaccount, fee)?;
    if after != After::Exits {
        accounts.order.close(accounts.rent_to.to_account_info())?;
    }
    if let Some(accrued) = accrued {
        emit(&accounts.event_authority, &accrued)?;
    }
    if let Some(picked) = picked {
        emit(&accounts.event_authority, &picked)?;
    }
    emit(&accounts.event_authority, &traded)?;
    if let Some(exits) = exits {
        emit(&accounts.event_authority, &exits)?;
    }
    Ok(())
}

//! Closes a position of an owner whose covenant has tripped, where the owner wanted so: at the price of its own immediate
//! reduction, for the market's order fee; two slots after the trip at the earliest, and at a newer price.

use anchor_lang::prelude::*;
use ballast_engine::price::Status;
use ballast_engine::units::Quote;
use ballast_engine::{Error as EngineError, liquidation, order};

use crate::checks::{check_version, key_of};
use crate::covenants::{self, Bound};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::CovenantEnforced;
use crate::fill::{self, Trader, check_keeper, credit};
use crate::legs::now;
use crate::state::{Market, Subaccount};

/// Accounts of `close_tripped`. Remaining accounts: as for `reduce`.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseTripped<'info> {
    /// The position's market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// Gets the fee.
    #[account(mut)]
    pub keeper: AccountLoader<'info, Subaccount>,
    /// The covenant of the subaccount's owner.
    /// CHECK: `covenants::of` compares its address.
    #[account(mut)]
    pub covenant: UncheckedAccount<'info>,
}

impl CloseTripped<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            market,
            subaccount,
            keeper,
            covenant: _, // `covenants::of` compares its address
            event_authority: _,
            program: _,
        } = self;
        let market = market.load()?;
        check_version(market.version)?;
        subaccount.load()?.check(&market.exchange)?;
        check_keeper(keeper, &market.exchange, &subaccount.key())
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, CloseTripped<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let (market_key, key) = (accounts.market.key(), accounts.subaccount.key());
    let (accrued, picked, traded, enforced) = {
        let market = &mut *accounts.market.load_mut()?;
        let subaccount = &mut *accounts.subaccount.load_mut()?;
        let covenant = covenants::of(&accounts.covenant, subaccount)?;
        let mut covenant = covenant.ok_or(EngineError::CovenantNotTripped.into()).on_chain()?;
        // Neither in the trip's transaction nor at a price that the trip rested on: who trips does not choose the price.
        covenant.state.check_close_at(market.state.price.last.publish_time, &now).on_chain()?;
        // What nobody asked for at this moment needs a price that nobody doubts.
        let status = market.state.status(&now).on_chain()?;
        ensure(status == Status::Good, status.refusal())?;

        let accrued = fill::accrue(market_key, &mut market.state, &now)?;
        let picked = fill::pick_up(market_key, &mut market.state, key, &mut subaccount.state)?;
        let slot = subaccount.state.find(market.state.index).ok_or(EngineError::PositionNotFound.into()).on_chain()?;
        let position = subaccount.state.position(slot).on_chain()?;
        ensure(position.is_open(), EngineError::PositionNotFound)?;
        let (size, long) = (position.base(), position.size.is_long());
        let mark = order::reduce_mark(&market.state, !long, &now).on_chain()?;
        let (account, exchange) = (&mut subaccount.state, &subaccount.exchange);
        let mut trader = Trader::of(account, exchange, &market.state, ctx.remaining_accounts);
        let done = fill::reduce(&mut market.state, &mut trader, slot, size, mark, Default::default(), &now)?;
        let account = &mut subaccount.state;
        // A flagged account's collateral pays its liquidation.
        let most = if liquidation::is_flagged(account, &now) { Quote::ZERO } else { account.collateral };
        let fee = market.state.params.order_fee.min(most);
        account.collateral = account.collateral.less(fee).on_chain()?;
        let mut bound = Bound { covenant: &mut covenant.state, subaccount: key_of(&key) };
        let _ = bound.touch_flat(account, &now)?;
        market.state.invariant().on_chain()?;
        account.invariant().on_chain()?;
        let traded = fill::event(&done, market_key, &mut market.state, key, account, Pubkey::default())?;
        let enforced = CovenantEnforced {
            covenant: accounts.covenant.key(),
            subaccount: key,
            market: market_key,
            keeper: accounts.keeper.key(),
            fee: fee.0,
            account_sequence: account.next_sequence().on_chain()?,
        };
        (accrued, picked, traded, enforced)
    };
    credit(&accounts.keeper, Quote(enforced.fee))?;
    if let Some(accrued) = accrued {
        emit(&accounts.event_authority, &accrued)?;
    }
    if let Some(picked) = picked {
        emit(&accounts.event_authority, &picked)?;
    }
    emit(&accounts.event_authority, &traded)?;
    emit(&accounts.event_authority, &enforced)
}

//! Reduces or closes a position at once, at a price worsened for it.

use anchor_lang::prelude::*;
use ballast_engine::delegate::TRADE;
use ballast_engine::units::Price;
use ballast_engine::{Error as EngineError, Now, order};

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::fill::{self, Trader, base_of};
use crate::legs::now;
use crate::state::{Market, Subaccount};

/// Arguments of `reduce`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct ReduceArgs {
    /// Size in base atoms, at most the position's.
    pub size: u64,
    /// The worst average price accepted; 0 for none.
    pub limit: u64,
}

/// Accounts of `reduce`. Remaining accounts: none for an account without other positions, or in profit; else the markets of
/// the account's other slots in use, in slot order: writable where their profits must pay the loss, to read where this
/// position pays one or a part is reduced at a cost above the margin it frees.
#[event_cpi]
#[derive(Accounts)]
pub struct Reduce<'info> {
    /// The owner or a delegate who may trade.
    pub trader: Signer<'info>,
    /// The position's market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
}

impl Reduce<'_> {
    fn validate(&self, now: &Now) -> Result<()> {
        let Self {
            trader, // signs
            market,
            subaccount,
            event_authority: _,
            program: _,
        } = self;
        let (market, subaccount) = (market.load()?, subaccount.load()?);
        check_version(market.version)?;
        subaccount.check_trader(trader.key, TRADE, now)?;
        subaccount.check(&market.exchange)
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, Reduce<'info>>, args: ReduceArgs) -> Result<()> {
    let accounts = &*ctx.accounts;
    let now = now()?;
    accounts.validate(&now)?;
    ensure(args.size > 0, EngineError::AmountZero)?;
    let market = &mut *accounts.market.load_mut()?;
    let subaccount = &mut *accounts.subaccount.load_mut()?;
    let (market_key, key) = (accounts.market.key(), accounts.subaccount.key());

    let accrued = fill::accrue(market_key, &mut market.state, &now)?;
    let picked = fill::pick_up(market_key, &mut market.state, key, &mut subaccount.state)?;
    let index = market.state.index;
    let slot = subaccount.state.find(index).ok_or(EngineError::PositionNotFound.into()).on_chain()?;
    let position = subaccount.state.position(slot).on_chain()?;
    ensure(position.is_open(), EngineError::PositionNotFound)?;
    let mark = order::reduce_mark(&market.state, !position.size.is_long(), &now).on_chain()?;
    let size = base_of(args.size)?;
    let (account, exchange) = (&mut subaccount.state, &subaccount.exchange);
    let mut trader = Trader::of(account, exchange, &market.state, ctx.remaining_accounts);
    let done = fill::reduce(&mut market.state, &mut trader, slot, size, mark, Price(args.limit), &now)?;
    market.state.invariant().on_chain()?;
    subaccount.state.invariant().on_chain()?;

    if let Some(accrued) = accrued {
        emit(&accounts.event_authority, &accrued)?;
    }
    if let Some(picked) = picked {
        emit(&accounts.event_authority, &picked)?;
    }
    let traded = fill::event(&done, market_key, &mut market.state, key, &mut subaccount.state, Pubkey::default())?;
    emit(&accounts.event_authority, &traded)
}

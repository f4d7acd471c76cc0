//! Closes whatever a subaccount has in a settled market: by anyone, for whoever does not come back too.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::settlement;
use ballast_engine::units::Quote;

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::{DeficitBooked, PositionSettled};
use crate::fill::{self, Trader, pay_liquidated_loss};
use crate::legs;
use crate::state::{Market, Subaccount};

/// Accounts of `close_settled`. Remaining accounts: the markets of the account's other slots in use, in slot order, where
/// this one pays a loss; writable where their profits must pay it.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseSettled<'info> {
    /// The settled market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The subaccount with a position, a claim or a holdback there.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
}

impl CloseSettled<'_> {
    fn validate(&self) -> Result<()> {
        let Self { market, subaccount, event_authority: _, program: _ } = self;
        let market = market.load()?;
        check_version(market.version)?;
        subaccount.load()?.check(&market.exchange)
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, CloseSettled<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = legs::now()?;
    let (market_key, key) = (accounts.market.key(), accounts.subaccount.key());
    let market = &mut accounts.market.load_mut()?.state;
    let subaccount = &mut *accounts.subaccount.load_mut()?;
    let picked = fill::pick_up(market_key, market, key, &mut subaccount.state)?;
    let slot = subaccount.state.find(market.index).ok_or(EngineError::PositionNotFound.into()).on_chain()?;
    // Before anything moves: the claim may go, and with it the slot.
    let others = legs::Others::of(&subaccount.state, Some(market.index), ctx.remaining_accounts);
    let closed = settlement::close_settled(market, &mut subaccount.state, slot, &now).on_chain()?;
    let mut trader = Trader::with(&mut subaccount.state, &subaccount.exchange, others);
    // An account that cannot surely pay all its losing markets pays none of them here: it is resolved.
    if let Some(filled) = &closed.fill {
        fill::check_sure(market, trader.account, trader.exchange, trader.others, &filled.realised, &now)?;
    }
    let unpaid = closed.fill.map_or(Quote::ZERO, |fill| fill.realised.unpaid);
    let deficit = pay_liquidated_loss(market, &mut trader, slot, unpaid, &now)?;
    let account = &mut subaccount.state;
    market.invariant().on_chain()?;
    account.invariant().on_chain()?;

    if let Some(picked) = picked {
        emit(&accounts.event_authority, &picked)?;
    }
    if let Some(filled) = closed.fill {
        let traded = fill::event(&filled, market_key, market, key, account, Pubkey::default())?;
        emit(&accounts.event_authority, &traded)?;
    }
    if !deficit.is_zero() {
        let event = DeficitBooked {
            market: market_key,
            subaccount: key,
            deficit: deficit.0,
            insurance_left: market.pool.insurance.0,
            market_sequence: market.next_sequence().on_chain()?,
        };
        emit(&accounts.event_authority, &event)?;
    }
    emit(
        &accounts.event_authority,
        &PositionSettled {
            market: market_key,
            subaccount: key,
            pnl: closed.fill.map_or(0, |fill| fill.pnl.0),
            funding: closed.fill.map_or(0, |fill| fill.funding.0),
            claimed: closed.fill.map_or(0, |fill| fill.realised.claimed.0),
            collected: closed.collected.0,
            returned: closed.returned.0,
            forfeited: closed.forfeited.0,
            market_sequence: market.next_sequence().on_chain()?,
            account_sequence: account.next_sequence().on_chain()?,
        },
    )
}

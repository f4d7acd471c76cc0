//! Closes a position of a market whose oracle has been silent for an hour, at the penalised price.

use anchor_lang::prelude::*;
use ballast_engine::{Error as EngineError, settle};

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::OnChain;
use crate::fill::{self, check_solvent};
use crate::legs::{Others, now};
use crate::state::{Market, Subaccount};

/// Accounts of `exit_silent`. Remaining accounts: the markets of the account's other slots in use, in slot order, where it has other positions and
/// this one pays a loss: an account below zero is for `resolve` alone.
#[event_cpi]
#[derive(Accounts)]
pub struct ExitSilent<'info> {
    /// The owner.
    pub owner: Signer<'info>,
    /// The position's market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
}

impl ExitSilent<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            owner, // signs
            market,
            subaccount,
            event_authority: _,
            program: _,
        } = self;
        let (market, subaccount) = (market.load()?, subaccount.load()?);
        check_version(market.version)?;
        subaccount.check_owner(owner.key)?;
        subaccount.check(&market.exchange)
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, ExitSilent<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let market = &mut accounts.market.load_mut()?.state;
    let subaccount = &mut *accounts.subaccount.load_mut()?;
    let account = &mut subaccount.state;
    // No funding accrues on a silent price, so none is asked to.
    let slot = account.find(market.index).ok_or(EngineError::PositionNotFound.into()).on_chain()?;
    let (market_key, key) = (accounts.market.key(), accounts.subaccount.key());
    let picked = fill::pick_up(market_key, market, key, account)?;
    let filled = settle::silent_exit(market, account, slot, &now).on_chain()?;
    let others = Others::of(account, Some(market.index), ctx.remaining_accounts);
    check_solvent(market, account, &subaccount.exchange, others, filled.realised.pays(), &now)?;
    market.invariant().on_chain()?;
    account.invariant().on_chain()?;
    if let Some(picked) = picked {
        emit(&accounts.event_authority, &picked)?;
    }
    let traded = fill::event(&filled, market_key, market, key, account, Pubkey::default())?;
    emit(&accounts.event_authority, &traded)
}

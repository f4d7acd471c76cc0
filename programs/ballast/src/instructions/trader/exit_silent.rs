//! Closes a position of a market whose oracle has been silent for an hour, at the penalised price.

use anchor_lang::prelude::*;
use ballast_engine::{Error as EngineError, settle};

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::OnChain;
use crate::fill::Done;
use crate::legs::now;
use crate::state::{Market, Subaccount};

/// Accounts of `exit_silent`.
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
pub fn handle(ctx: Context<ExitSilent>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let market = &mut accounts.market.load_mut()?.state;
    let account = &mut accounts.subaccount.load_mut()?.state;
    // No funding accrues on a silent price, so none is asked to.
    let slot = account.find(market.index).ok_or(EngineError::PositionNotFound.into()).on_chain()?;
    let filled = settle::silent_exit(market, account, slot, &now).on_chain()?;
    market.invariant().on_chain()?;
    account.invariant().on_chain()?;
    let (market_key, key) = (accounts.market.key(), accounts.subaccount.key());
    let traded = Done::of(&filled).event(market_key, market, key, account, Pubkey::default())?;
    emit(&accounts.event_authority, &traded)
}

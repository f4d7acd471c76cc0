//! Resolves an account below zero in one instruction.

use core::cell::RefMut;

use anchor_lang::prelude::*;
use ballast_engine::market::MarketState;
use ballast_engine::resolve::{self, Resolution};

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::{DeficitBooked, Resolved};
use crate::fill;
use crate::legs;
use crate::state::{Market, Subaccount};

/// Accounts of `resolve`. Remaining accounts: the markets of all slots in use, in slot order, writable.
#[event_cpi]
#[derive(Accounts)]
pub struct Resolve<'info> {
    /// The flagged account.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
}

impl Resolve<'_> {
    fn validate(&self) -> Result<()> {
        let Self { subaccount, event_authority: _, program: _ } = self;
        check_version(subaccount.load()?.version)
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, Resolve<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = legs::now()?;
    let subaccount = &mut *accounts.subaccount.load_mut()?;
    let account = &mut subaccount.state;
    let infos = ctx.remaining_accounts;
    let key = accounts.subaccount.key();
    let mut markets = legs::change_all(account, &subaccount.exchange, None, infos)?;
    for ((_, market), info) in markets.iter_mut().zip(infos) {
        if let Some(accrued) = fill::accrue(*info.key, &mut market.state, &now)? {
            emit(&accounts.event_authority, &accrued)?;
        }
        if let Some(picked) = fill::pick_up(*info.key, &mut market.state, key, account)? {
            emit(&accounts.event_authority, &picked)?;
        }
    }
    let resolution = {
        let mut states: Vec<(usize, &mut MarketState)> =
            markets.iter_mut().map(|(slot, market)| (*slot, &mut market.state)).collect();
        resolve::resolve(account, &mut states, &now).on_chain()?
    };
    account.invariant().on_chain()?;
    report_deficits(&accounts.event_authority, key, &resolution, &mut markets, infos)?;
    emit(
        &accounts.event_authority,
        &Resolved {
            subaccount: key,
            equity_before: resolution.equity_before.0,
            paid: resolution.paid.0,
            assigned: resolution.assigned.0,
            deficit: resolution.deficit.0,
            insurance: resolution.insurance.0,
            account_sequence: account.next_sequence().on_chain()?,
        },
    )
}

fn report_deficits(
    authority: &AccountInfo<'_>,
    subaccount: Pubkey,
    resolution: &Resolution,
    markets: &mut [(usize, RefMut<'_, Market>)],
    infos: &[AccountInfo<'_>],
) -> Result<()> {
    for ((slot, market), info) in markets.iter_mut().zip(infos) {
        let state = &mut market.state;
        state.invariant().on_chain()?;
        let deficit = resolution.deficits.get(*slot).copied().unwrap_or_default();
        if deficit.is_zero() {
            continue;
        }
        let event = DeficitBooked {
            market: *info.key,
            subaccount,
            deficit: deficit.0,
            insurance_left: state.pool.insurance.0,
            market_sequence: state.next_sequence().on_chain()?,
        };
        emit(authority, &event)?;
    }
    Ok(())
}

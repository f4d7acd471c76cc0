//! Clears the flag of an account that is healthy again.

use anchor_lang::prelude::*;
use ballast_engine::liquidation;
use ballast_engine::margin::Purpose;

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::Unflagged;
use crate::legs;
use crate::state::Subaccount;

/// Accounts of `unflag`. Remaining accounts: the markets of all slots in use, in slot order.
#[event_cpi]
#[derive(Accounts)]
pub struct Unflag<'info> {
    /// The flagged account.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
}

impl Unflag<'_> {
    fn validate(&self) -> Result<()> {
        let Self { subaccount, event_authority: _, program: _ } = self;
        check_version(subaccount.load()?.version)
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, Unflag<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = legs::now()?;
    let subaccount = &mut *accounts.subaccount.load_mut()?;
    let account = &mut subaccount.state;
    let markets = legs::Others::of(account, None, ctx.remaining_accounts);
    let totals = legs::totals(account, &subaccount.exchange, None, markets, Purpose::Maintenance, &now)?;
    liquidation::unflag(account, &totals, &now).on_chain()?;
    emit(
        &accounts.event_authority,
        &Unflagged {
            subaccount: accounts.subaccount.key(),
            equity: totals.equity.0,
            maintenance: totals.requirement.0,
            account_sequence: account.next_sequence().on_chain()?,
        },
    )
}

//! Flags an account below maintenance, for a share of the liquidation's fee.

use anchor_lang::prelude::*;
use ballast_engine::liquidation;
use ballast_engine::margin::Purpose;

use crate::checks::{check_version, key_of};
use crate::emit::emit;
use crate::error::{OnChain, refuse};
use crate::events::Flagged;
use crate::fill::check_keeper;
use crate::legs;
use crate::state::Subaccount;

/// Accounts of `flag`. Remaining accounts: the markets of all slots in use, in slot order.
#[event_cpi]
#[derive(Accounts)]
pub struct Flag<'info> {
    /// The account to flag.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// The subaccount that is to share in the fee.
    pub flagger: AccountLoader<'info, Subaccount>,
}

impl Flag<'_> {
    fn validate(&self) -> Result<()> {
        let Self { subaccount, flagger, event_authority: _, program: _ } = self;
        let key = subaccount.key();
        let subaccount = subaccount.load()?;
        check_version(subaccount.version)?;
        check_keeper(flagger, &subaccount.exchange, &key)
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, Flag<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = legs::now()?;
    let subaccount = &mut *accounts.subaccount.load_mut()?;
    let account = &mut subaccount.state;
    let markets = ctx.remaining_accounts;
    let all = legs::Others::of(account, None, markets);
    let totals = legs::totals(account, &subaccount.exchange, None, all, Purpose::Maintenance, &now)?;
    let Some((largest, _)) = totals.largest else {
        return Err(refuse(totals.worst.refusal().into()));
    };
    let flagger = accounts.flagger.key();
    {
        let market = legs::of_slot(account, &subaccount.exchange, markets, largest)?;
        liquidation::flag(account, &market.state, &totals, key_of(&flagger), &now).on_chain()?;
    }
    emit(
        &accounts.event_authority,
        &Flagged {
            subaccount: accounts.subaccount.key(),
            flagger,
            equity: totals.equity.0,
            maintenance: totals.requirement.0,
            need: account.flag.need.0,
            publish_time: account.flag.publish_time,
            account_sequence: account.next_sequence().on_chain()?,
        },
    )
}

//! Refreshes what a covenant knows of one of its owner's subaccounts, and enrols it if there is a place.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;

use crate::checks::{check_version, is, key_of};
use crate::covenants::Bound;
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::CovenantTouched;
use crate::legs::{Others, now};
use crate::state::{Covenant, Subaccount};

/// Accounts of `touch_covenant`. Remaining accounts: the markets of all the subaccount's slots in use, in slot order.
#[event_cpi]
#[derive(Accounts)]
pub struct TouchCovenant<'info> {
    /// The covenant.
    #[account(mut)]
    pub covenant: AccountLoader<'info, Covenant>,
    /// One of its owner's subaccounts.
    pub subaccount: AccountLoader<'info, Subaccount>,
}

impl TouchCovenant<'_> {
    fn validate(&self) -> Result<()> {
        let Self { covenant, subaccount, event_authority: _, program: _ } = self;
        check_version(covenant.load()?.version)?;
        let subaccount = subaccount.load()?;
        check_version(subaccount.version)?;
        ensure(is(&subaccount.covenant, &covenant.key()), EngineError::WrongCovenant)
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, TouchCovenant<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let event = {
        let subaccount = &*accounts.subaccount.load()?;
        let covenant = &mut accounts.covenant.load_mut()?.state;
        let account = &subaccount.state;
        let mut bound = Bound { covenant, subaccount: key_of(&accounts.subaccount.key()) };
        let others = Others::of(account, None, ctx.remaining_accounts);
        let measure = bound.touch(account, &subaccount.exchange, None, others, &now)?;
        covenant.invariant().on_chain()?;
        CovenantTouched {
            covenant: accounts.covenant.key(),
            subaccount: accounts.subaccount.key(),
            equity: measure.equity.0,
            flow: account.flow.0,
            notional: measure.notional.0,
            positions: measure.positions,
            good: measure.good,
            result: covenant.result().on_chain()?.0,
            mark: covenant.mark.0,
            day_start: covenant.day_start.0,
            sequence: covenant.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}

//! Puts a covenant's asked-for terms in force when its delay is over.

use anchor_lang::prelude::*;

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::CovenantChanged;
use crate::legs::now;
use crate::state::Covenant;

/// Accounts of `execute_loosening`.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteLoosening<'info> {
    /// The covenant.
    #[account(mut)]
    pub covenant: AccountLoader<'info, Covenant>,
}

impl ExecuteLoosening<'_> {
    fn validate(&self) -> Result<()> {
        let Self { covenant, event_authority: _, program: _ } = self;
        check_version(covenant.load()?.version)
    }
}

/// See the module.
pub fn handle(ctx: Context<ExecuteLoosening>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let event = {
        let covenant = &mut *accounts.covenant.load_mut()?;
        covenant.state.loosen(&now).on_chain()?;
        let limits = covenant.state.limits;
        CovenantChanged::of(accounts.covenant.key(), covenant, 4, &limits, now.unix)?
    };
    emit(&accounts.event_authority, &event)
}

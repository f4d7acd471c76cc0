//! Closes a covenant that limits nothing any more.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;

use crate::checks::{check_version, is};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::CovenantChanged;
use crate::legs::now;
use crate::state::Covenant;

/// Accounts of `close_covenant`.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseCovenant<'info> {
    /// The owner, who gets the rent back.
    #[account(mut)]
    pub owner: Signer<'info>,
    /// The covenant.
    #[account(mut, close = owner)]
    pub covenant: AccountLoader<'info, Covenant>,
}

impl CloseCovenant<'_> {
    fn validate(&self) -> Result<()> {
        let Self { owner, covenant, event_authority: _, program: _ } = self;
        let covenant = covenant.load()?;
        check_version(covenant.version)?;
        ensure(is(&covenant.owner, owner.key), EngineError::WrongOwner)
    }
}

/// See the module.
pub fn handle(ctx: Context<CloseCovenant>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let event = {
        let covenant = &mut *accounts.covenant.load_mut()?;
        covenant.state.check_close(&now).on_chain()?;
        let limits = covenant.state.limits;
        CovenantChanged::of(accounts.covenant.key(), covenant, 5, &limits, now.unix)?
    };
    emit(&accounts.event_authority, &event)
}

//! Tightens a covenant, at once; or asks for looser terms, which take its delay.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::covenant::Limits;

use super::SetCovenantArgs;
use crate::checks::{check_version, is};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::CovenantChanged;
use crate::legs::now;
use crate::state::Covenant;

/// Accounts of `tighten_covenant` and `loosen_covenant`.
#[event_cpi]
#[derive(Accounts)]
pub struct ChangeCovenant<'info> {
    /// The owner. No delegate may.
    pub owner: Signer<'info>,
    /// The covenant.
    #[account(mut)]
    pub covenant: AccountLoader<'info, Covenant>,
}

impl ChangeCovenant<'_> {
    fn validate(&self) -> Result<()> {
        let Self { owner, covenant, event_authority: _, program: _ } = self;
        let covenant = covenant.load()?;
        check_version(covenant.version)?;
        ensure(is(&covenant.owner, owner.key), EngineError::WrongOwner)
    }
}

/// Tightens. It takes back what was asked for before.
pub fn handle_tighten(ctx: Context<ChangeCovenant>, args: SetCovenantArgs) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let limits = Limits::from(args);
    let event = {
        let covenant = &mut *accounts.covenant.load_mut()?;
        covenant.state.tighten(&limits).on_chain()?;
        CovenantChanged::of(accounts.covenant.key(), covenant, 2, &limits, now()?.unix)?
    };
    emit(&accounts.event_authority, &event)
}

/// Asks for other terms, looser ones too.
pub fn handle_loosen(ctx: Context<ChangeCovenant>, args: SetCovenantArgs) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let limits = Limits::from(args);
    let event = {
        let covenant = &mut *accounts.covenant.load_mut()?;
        let at = covenant.state.ask(&limits, &now()?).on_chain()?;
        CovenantChanged::of(accounts.covenant.key(), covenant, 3, &limits, at)?
    };
    emit(&accounts.event_authority, &event)
}

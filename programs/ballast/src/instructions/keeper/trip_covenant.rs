//! Trips a covenant whose loss is found at its limit again, after `touch_covenant` has found it there before at older prices:
//! its owner's accounts are in reduce-only for the cool-down.

use anchor_lang::prelude::*;

use crate::checks::{address_of, check_version};
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::CovenantTripped;
use crate::legs::now;
use crate::state::Covenant;

/// Accounts of `trip_covenant`. What the owner's accounts are worth is in the covenant: `touch_covenant` comes first.
#[event_cpi]
#[derive(Accounts)]
pub struct TripCovenant<'info> {
    /// The covenant.
    #[account(mut)]
    pub covenant: AccountLoader<'info, Covenant>,
}

impl TripCovenant<'_> {
    fn validate(&self) -> Result<()> {
        let Self { covenant, event_authority: _, program: _ } = self;
        check_version(covenant.load()?.version)
    }
}

/// See the module.
pub fn handle(ctx: Context<TripCovenant>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let event = {
        let covenant = &mut *accounts.covenant.load_mut()?;
        let breach = covenant.state.trip(&now()?).on_chain()?;
        covenant.state.invariant().on_chain()?;
        CovenantTripped {
            covenant: accounts.covenant.key(),
            owner: address_of(&covenant.owner),
            daily: breach.daily,
            drawdown: breach.drawdown,
            day_loss: breach.day_loss.0,
            fallen: breach.fallen.0,
            until: breach.until,
            sequence: covenant.state.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}

//! Closes an empty subaccount.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;

use crate::checks::key_of;
use crate::covenants;
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::SubaccountClosed;
use crate::legs::now;
use crate::state::Subaccount;

/// Accounts of `close_subaccount`.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseSubaccount<'info> {
    /// The owner, who gets the rent back.
    #[account(mut)]
    pub owner: Signer<'info>,
    /// The subaccount.
    #[account(mut, close = owner)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// The owner's covenant address; empty where there is no covenant.
    /// CHECK: `covenants::of` compares its address.
    #[account(mut)]
    pub covenant: UncheckedAccount<'info>,
}

impl CloseSubaccount<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            owner, // signs
            subaccount,
            covenant: _, // `covenants::of` compares its address
            event_authority: _,
            program: _,
        } = self;
        let subaccount = subaccount.load()?;
        subaccount.check_owner(owner.key)?;
        let state = &subaccount.state;
        ensure(state.is_flat() && state.collateral.is_zero() && state.orders == 0, EngineError::SubaccountInUse)
    }
}

/// See the module.
pub fn handle(ctx: Context<CloseSubaccount>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    {
        let subaccount = accounts.subaccount.load()?;
        if let Some(mut covenant) = covenants::of(&accounts.covenant, &subaccount)? {
            let key = key_of(&accounts.subaccount.key());
            covenant.state.leave(&key, subaccount.state.flow, &now()?).on_chain()?;
        }
    }
    let account_sequence = accounts.subaccount.load_mut()?.state.next_sequence().on_chain()?;
    emit(&accounts.event_authority, &SubaccountClosed { subaccount: accounts.subaccount.key(), account_sequence })
}

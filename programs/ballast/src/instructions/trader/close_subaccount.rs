//! Closes an empty subaccount.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;

use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::SubaccountClosed;
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
}

impl CloseSubaccount<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            owner, // signs
            subaccount,
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
    let account_sequence = accounts.subaccount.load_mut()?.state.next_sequence().on_chain()?;
    emit(&accounts.event_authority, &SubaccountClosed { subaccount: accounts.subaccount.key(), account_sequence })
}

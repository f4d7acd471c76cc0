//! Moves collateral between two subaccounts of one owner, under a withdrawal's margin checks. Nothing leaves the vault:
//! the limiter is not asked, and the principal goes along.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::units::Quote;

use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::Transferred;
use crate::legs::{now, take_out};
use crate::state::Subaccount;

/// Accounts of `transfer`. Remaining accounts: where the first one has an open position, the markets of all its slots in
/// use, in slot order.
#[event_cpi]
#[derive(Accounts)]
pub struct Transfer<'info> {
    /// The owner of both.
    pub owner: Signer<'info>,
    /// The subaccount that gives.
    #[account(mut)]
    pub from: AccountLoader<'info, Subaccount>,
    /// The subaccount that gets.
    #[account(mut)]
    pub to: AccountLoader<'info, Subaccount>,
}

impl Transfer<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            owner, // signs
            from,
            to,
            event_authority: _,
            program: _,
        } = self;
        require_keys_neq!(from.key(), to.key(), anchor_lang::error::ErrorCode::ConstraintDuplicateMutableAccount);
        let (from, to) = (from.load()?, to.load()?);
        from.check_owner(owner.key)?;
        to.check_owner(owner.key)?;
        ensure(from.exchange == to.exchange, EngineError::WrongExchange)
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, Transfer<'info>>, amount: u64) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let event = {
        let from = &mut *accounts.from.load_mut()?;
        let to = &mut *accounts.to.load_mut()?;
        take_out(&mut from.state, Quote(amount), &from.exchange, ctx.remaining_accounts, &now)?;
        to.state.collateral = to.state.collateral.plus(Quote(amount)).on_chain()?;
        from.state.principal.transfer(&mut to.state.principal, Quote(amount), &now).on_chain()?;
        Transferred {
            from: accounts.from.key(),
            to: accounts.to.key(),
            amount,
            from_sequence: from.state.next_sequence().on_chain()?,
            to_sequence: to.state.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}

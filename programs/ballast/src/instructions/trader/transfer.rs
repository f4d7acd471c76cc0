//! Moves collateral between two subaccounts of one owner, under a withdrawal's margin checks. Nothing leaves the vault:
//! the limiter is not asked, and the principal goes along.

use anchor_lang::prelude::*;
use ballast_engine::delegate::COLLATERAL;
use ballast_engine::units::Quote;
use ballast_engine::{Error as EngineError, Now};

use crate::checks::key_of;
use crate::covenants::{self, Bound};
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
    /// The owner of both, or a delegate of both for collateral.
    pub trader: Signer<'info>,
    /// The subaccount that gives.
    #[account(mut)]
    pub from: AccountLoader<'info, Subaccount>,
    /// The subaccount that gets.
    #[account(mut)]
    pub to: AccountLoader<'info, Subaccount>,
    /// The owner's covenant address; empty where there is no covenant.
    /// CHECK: `covenants::of` compares its address.
    #[account(mut)]
    pub covenant: UncheckedAccount<'info>,
}

impl Transfer<'_> {
    fn validate(&self, now: &Now) -> Result<()> {
        let Self {
            trader, // signs
            from,
            to,
            covenant: _, // `covenants::of` compares its address
            event_authority: _,
            program: _,
        } = self;
        require_keys_neq!(from.key(), to.key(), anchor_lang::error::ErrorCode::ConstraintDuplicateMutableAccount);
        let (from, to) = (from.load()?, to.load()?);
        from.check_trader(trader.key, COLLATERAL, now)?;
        to.check_trader(trader.key, COLLATERAL, now)?;
        // A delegate may have several principals.
        ensure(from.owner == to.owner, EngineError::WrongOwner)?;
        ensure(from.exchange == to.exchange, EngineError::WrongExchange)
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, Transfer<'info>>, amount: u64) -> Result<()> {
    let accounts = &*ctx.accounts;
    let now = now()?;
    accounts.validate(&now)?;
    let event = {
        let from = &mut *accounts.from.load_mut()?;
        let to = &mut *accounts.to.load_mut()?;
        let covenant = covenants::of(&accounts.covenant, from)?;
        take_out(&mut from.state, Quote(amount), &from.exchange, ctx.remaining_accounts, &now)?;
        to.state.put_in(Quote(amount)).on_chain()?;
        if let Some(mut covenant) = covenant {
            let covenant = &mut covenant.state;
            let mut bound = Bound { covenant, subaccount: key_of(&accounts.from.key()) };
            let left = bound.taken_out(&from.state, Quote(amount), &from.exchange, ctx.remaining_accounts, &now)?;
            let (to, got) = (key_of(&accounts.to.key()), Quote(amount).signed().on_chain()?);
            bound.covenant.moved(&to, got).on_chain()?;
            // Between two enrolled accounts the owner's leverage stays what it is.
            if left && bound.covenant.find(&to).is_none() {
                bound.covenant.check_taken_out().on_chain()?;
            }
        }
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

//! Takes collateral out of the vault, through the outflow limiter as far as it is not aged principal.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::units::Quote;
use ballast_engine::{Error as EngineError, Now};

use crate::checks::{balance, check_version, is, key_of, pay_out};
use crate::covenants::{self, Bound};
use crate::emit::emit;
use crate::error::{OnChain, ensure, refuse};
use crate::events::Withdrawn;
use crate::legs::{now, take_out};
use crate::state::{Exchange, Subaccount};
use crate::tokens;

/// Accounts of `withdraw`. Remaining accounts: where a position is open, the markets of all slots in use, in slot order.
#[event_cpi]
#[derive(Accounts)]
pub struct Withdraw<'info> {
    /// The owner.
    pub owner: Signer<'info>,
    /// The exchange, whose limiter is written.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// A token account of the owner.
    /// CHECK: `validate` reads its mint and owner.
    #[account(mut)]
    pub owner_tokens: UncheckedAccount<'info>,
    /// The exchange's vault.
    /// CHECK: `validate` compares its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
    /// The owner's covenant address; empty where there is no covenant.
    /// CHECK: `covenants::of` compares its address.
    #[account(mut)]
    pub covenant: UncheckedAccount<'info>,
}

impl Withdraw<'_> {
    fn validate(&self, now: &Now) -> Result<()> {
        let Self {
            owner, // signs
            exchange,
            subaccount,
            owner_tokens,
            vault,
            token_program: _, // by its address
            covenant: _,      // `covenants::of` compares its address
            event_authority: _,
            program: _,
        } = self;
        let key = key_of(&exchange.key());
        let exchange = exchange.load()?;
        check_version(exchange.version)?;
        let subaccount = subaccount.load()?;
        subaccount.check_owner(owner.key)?;
        subaccount.check(&key)?;
        ensure(is(&exchange.vault, vault.key), EngineError::WrongVault)?;
        tokens::check(owner_tokens, &exchange.mint, owner.key)?;
        exchange.emergency.check(now).on_chain()
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, Withdraw<'info>>, amount: u64) -> Result<()> {
    let accounts = &*ctx.accounts;
    let now = now()?;
    accounts.validate(&now)?;
    let event = {
        let key = key_of(&accounts.exchange.key());
        let subaccount = &mut *accounts.subaccount.load_mut()?;
        let covenant = covenants::of(&accounts.covenant, subaccount)?;
        let state = &mut subaccount.state;
        take_out(state, Quote(amount), &key, ctx.remaining_accounts, &now)?;
        if let Some(mut covenant) = covenant {
            let covenant = &mut covenant.state;
            let mut bound = Bound { covenant, subaccount: key_of(&accounts.subaccount.key()) };
            if bound.taken_out(state, Quote(amount), &key, ctx.remaining_accounts, &now)? {
                bound.covenant.check_taken_out().on_chain()?;
            }
        }
        let profit = state.principal.profit_of(Quote(amount), &now).on_chain()?;
        let limited = state.principal.withdraw(Quote(amount), &now).on_chain()?;
        let parts = [Quote(amount), limited, profit];
        book(&mut *accounts.exchange.load_mut()?, parts, balance(&accounts.vault)?, &now)?;
        Withdrawn {
            subaccount: accounts.subaccount.key(),
            amount,
            limited: limited.0,
            collateral: state.collateral.0,
            account_sequence: state.next_sequence().on_chain()?,
        }
    };
    pay_out(&accounts.token_program, &accounts.exchange, &accounts.vault, &accounts.owner_tokens, amount)?;
    emit(&accounts.event_authority, &event)
}

/// Books the outflow; a refusal logs when it would fit.
fn book(exchange: &mut Exchange, [amount, limited, profit]: [Quote; 3], balance: Quote, now: &Now) -> Result<()> {
    let (outflow, params) = (&mut exchange.outflow, &exchange.params);
    let Err(fault) = outflow.book_withdrawal(amount, limited, profit, balance, params, now) else { return Ok(()) };
    if fault.error == EngineError::OutflowLimited {
        match outflow.fits_at(limited, balance, params, now).on_chain()? {
            Some(time) => msg!("OutflowLimited: fits at {}", time),
            None => msg!("OutflowLimited: fits at no time at this balance"),
        }
    }
    Err(refuse(fault))
}

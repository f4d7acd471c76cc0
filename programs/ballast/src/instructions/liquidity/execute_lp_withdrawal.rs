//! Executes a ripe exit as far as the limits allow. What they hold back stays in the ticket, and increases wait for it.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::liquidity::{self, Exit};
use ballast_engine::units::Quote;
use ballast_engine::{Error as EngineError, Now};

use crate::checks::{balance, check_market, check_version, is, pay_out};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::{LiquidityHeldBack, LiquidityRemoved};
use crate::legs;
use crate::state::{Exchange, LpWithdrawal, Market};
use crate::tokens;

/// Accounts of `execute_lp_withdrawal`.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteLpWithdrawal<'info> {
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The ticket; closed when all of it is paid.
    #[account(mut)]
    pub ticket: AccountLoader<'info, LpWithdrawal>,
    /// CHECK: who filed the ticket, by its address; gets its rent. It need not sign, but for half of the ticket's hour,
    /// and always in a settled market, only a transaction that it signed may execute it.
    #[account(mut)]
    pub owner: UncheckedAccount<'info>,
    /// CHECK: the exchange's vault, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: where the money goes: the owner's associated account, or any of its own where it signs.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
}

/// What trying the ticket did, for the event.
enum Tried {
    Paid { shares: u64, amount: Quote, left: u64 },
    HeldBack(EngineError),
}

impl ExecuteLpWithdrawal<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            exchange,
            market,
            ticket,
            owner,
            vault,
            destination,
            token_program: _,   // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        let ticket = ticket.load()?;
        check_version(ticket.version)?;
        ensure(is(&ticket.market, &market.key()), EngineError::WrongMarket)?;
        ensure(is(&ticket.owner, owner.key), EngineError::WrongOwner)?;
        check_market(&*market.load()?, &exchange.key())?;
        let exchange = exchange.load()?;
        check_version(exchange.version)?;
        ensure(is(&exchange.vault, vault.key), EngineError::WrongVault)?;
        tokens::check_destination(destination, &exchange.mint, owner)
    }

    fn try_ticket(&self, now: &Now) -> Result<(Tried, u64)> {
        let mut ticket = self.ticket.load_mut()?;
        let mut exchange = self.exchange.load_mut()?;
        let mut market = self.market.load_mut()?;
        let state = &mut market.state;

        let signed = self.owner.is_signer;
        if state.is_settled() {
            liquidity::check_settled_exit(signed, now).on_chain()?;
        } else {
            liquidity::check_exit(ticket.ripe_at, ticket.window_start, signed, now).on_chain()?;
        }
        let held = state.governed.exit_holds;
        let exit = if exchange.emergency.active(now) {
            // A ripe ticket lives on, and increases wait for it as for any other that is held back.
            liquidity::hold_back(state, EngineError::Paused, now)
        } else {
            liquidity::execute_exit(state, ticket.shares, ticket.ripe_at, now)
        }
        .on_chain()?;
        if state.governed.exit_holds != held {
            exchange.exit_holds.hold(now).on_chain()?;
        }
        let tried = match exit {
            Exit::Paid { shares, amount } => {
                let left = ticket.shares.checked_sub(shares).ok_or(crate::BallastError::MathOverflow)?;
                ticket.shares = left;
                // What is left was tried now and did not fit.
                ticket.window_start = now.unix;
                exchange.book_unlimited(amount, balance(&self.vault)?, now).on_chain()?;
                Tried::Paid { shares, amount, left }
            }
            Exit::HeldBack(reason) => {
                // Tried once during an emergency pause, it does not lapse before that is over and an hour has passed.
                let paused = reason == EngineError::Paused;
                ticket.window_start = if paused { exchange.emergency.until } else { now.unix };
                Tried::HeldBack(reason)
            }
        };
        state.invariant().on_chain()?;
        Ok((tried, state.next_sequence().on_chain()?))
    }
}

/// See the module.
pub fn handle(ctx: Context<ExecuteLpWithdrawal>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let (tried, market_sequence) = accounts.try_ticket(&legs::now()?)?;
    let (market, owner) = (accounts.market.key(), accounts.owner.key());

    match tried {
        Tried::HeldBack(reason) => {
            let reason = crate::BallastError::from(reason).into();
            emit(&accounts.event_authority, &LiquidityHeldBack { market, owner, reason, market_sequence })?;
        }
        Tried::Paid { shares, amount, left } => {
            pay_out(&accounts.token_program, &accounts.exchange, &accounts.vault, &accounts.destination, amount.0)?;
            emit(
                &accounts.event_authority,
                &LiquidityRemoved { market, owner, amount: amount.0, shares, left, market_sequence },
            )?;
            if left == 0 {
                accounts.ticket.close(accounts.owner.to_account_info())?;
            }
        }
    }
    Ok(())
}

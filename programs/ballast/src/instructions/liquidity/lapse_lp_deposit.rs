//! Gives the money of a lapsed deposit back.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::Error as EngineError;
use ballast_engine::{liquidity, units::Quote};

use crate::checks::{balance, check_market, check_version, is, pay_out};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::LiquidityLapsed;
use crate::legs;
use crate::state::{Exchange, LpDeposit, Market};
use crate::tokens;

/// Accounts of `lapse_lp_deposit`.
#[event_cpi]
#[derive(Accounts)]
pub struct LapseLpDeposit<'info> {
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The ticket; closed.
    #[account(mut, close = owner)]
    pub ticket: AccountLoader<'info, LpDeposit>,
    /// CHECK: who filed the ticket, by its address; gets its rent.
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

impl LapseLpDeposit<'_> {
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
}

/// See the module.
pub fn handle(ctx: Context<LapseLpDeposit>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;

    let amount = {
        let ticket = accounts.ticket.load()?;
        liquidity::check_lapsed(ticket.filed_at, &now).on_chain()?;
        ticket.amount
    };
    let market_sequence = {
        let mut market = accounts.market.load_mut()?;
        let state = &mut market.state;
        state.pool.pending_deposits = state.pool.pending_deposits.less(amount).on_chain()?;
        state.invariant().on_chain()?;
        state.next_sequence().on_chain()?
    };
    accounts.exchange.load_mut()?.book_unlimited(amount, balance(&accounts.vault)?, &now).on_chain()?;
    pay_out(&accounts.token_program, &accounts.exchange, &accounts.vault, &accounts.destination, amount.0)?;
    let Quote(amount) = amount;
    emit(
        &accounts.event_authority,
        &LiquidityLapsed {
            market: accounts.market.key(),
            owner: accounts.owner.key(),
            deposit: true,
            amount,
            market_sequence,
        },
    )
}

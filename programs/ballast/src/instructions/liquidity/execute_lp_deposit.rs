//! Executes a filed deposit at the first price after it: the pool gets the money, its owner the shares.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::Error as EngineError;
use ballast_engine::liquidity;

use crate::checks::{check_version, is, mint_shares};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::LiquidityAdded;
use crate::legs;
use crate::state::{LpDeposit, Market};
use crate::tokens;

/// Accounts of `execute_lp_deposit`.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteLpDeposit<'info> {
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The ticket; closed.
    #[account(mut, close = owner)]
    pub ticket: AccountLoader<'info, LpDeposit>,
    /// CHECK: who filed the ticket, by its address; gets its rent.
    #[account(mut)]
    pub owner: UncheckedAccount<'info>,
    /// CHECK: the market's liquidity mint, by its address.
    #[account(mut)]
    pub lp_mint: UncheckedAccount<'info>,
    /// CHECK: where the shares go: the owner's associated account, or any of its own where it signs.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
}

impl ExecuteLpDeposit<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            market,
            ticket,
            owner,
            lp_mint,
            destination,
            token_program: _,   // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        let ticket = ticket.load()?;
        check_version(ticket.version)?;
        ensure(is(&ticket.market, &market.key()), EngineError::WrongMarket)?;
        ensure(is(&ticket.owner, owner.key), EngineError::WrongOwner)?;
        let market = market.load()?;
        check_version(market.version)?;
        ensure(is(&market.lp_mint, lp_mint.key), EngineError::WrongMint)?;
        tokens::check_destination(destination, &market.lp_mint, owner)
    }
}

/// See the module.
pub fn handle(ctx: Context<ExecuteLpDeposit>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;

    let (amount, filed_at) = {
        let ticket = accounts.ticket.load()?;
        (ticket.amount, ticket.filed_at)
    };
    let (shares, market_sequence) = {
        let mut market = accounts.market.load_mut()?;
        let shares = liquidity::execute_deposit(&mut market.state, amount, filed_at, &now).on_chain()?;
        market.state.invariant().on_chain()?;
        (shares, market.state.next_sequence().on_chain()?)
    };
    mint_shares(&accounts.token_program, &accounts.market, &accounts.lp_mint, &accounts.destination, shares)?;
    emit(
        &accounts.event_authority,
        &LiquidityAdded {
            market: accounts.market.key(),
            owner: accounts.owner.key(),
            amount: amount.0,
            shares,
            market_sequence,
        },
    )
}

//! Gives the shares of a lapsed exit back.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::Error as EngineError;
use ballast_engine::liquidity;

use crate::checks::{check_version, is, mint_shares};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::LiquidityLapsed;
use crate::legs;
use crate::state::{LpWithdrawal, Market};
use crate::tokens;

/// Accounts of `lapse_lp_withdrawal`.
#[event_cpi]
#[derive(Accounts)]
pub struct LapseLpWithdrawal<'info> {
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The ticket; closed.
    #[account(mut, close = owner)]
    pub ticket: AccountLoader<'info, LpWithdrawal>,
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

impl LapseLpWithdrawal<'_> {
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
pub fn handle(ctx: Context<LapseLpWithdrawal>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;

    let shares = {
        let ticket = accounts.ticket.load()?;
        liquidity::check_lapsed(ticket.window_start, &now).on_chain()?;
        ticket.shares
    };
    let market_sequence = accounts.market.load_mut()?.state.next_sequence().on_chain()?;
    mint_shares(&accounts.token_program, &accounts.market, &accounts.lp_mint, &accounts.destination, shares)?;
    emit(
        &accounts.event_authority,
        &LiquidityLapsed {
            market: accounts.market.key(),
            owner: accounts.owner.key(),
            deposit: false,
            amount: shares,
            market_sequence,
        },
    )
}

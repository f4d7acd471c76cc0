//! Files a liquidity exit. Its shares are burned at once, so that nobody can move them, and count in the pool as before
//! until it executes; a lapse mints them again.

use anchor_lang::prelude::*;
use anchor_spl::token::{self, Burn, Token};
use ballast_engine::Error as EngineError;

use crate::checks::{check_version, is, key_of};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::LiquidityRequested;
use crate::legs;
use crate::seeds;
use crate::state::{ACCOUNT_VERSION, LpWithdrawal, Market};
use crate::tokens;

/// Accounts of `request_lp_withdrawal`.
#[event_cpi]
#[derive(Accounts)]
pub struct RequestLpWithdrawal<'info> {
    /// Who leaves; pays the ticket's rent and gets it back.
    #[account(mut)]
    pub owner: Signer<'info>,
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The ticket: one per market and owner.
    #[account(
        init, payer = owner, space = LpWithdrawal::SPACE,
        seeds = [seeds::LP_WITHDRAWAL, market.key().as_ref(), owner.key().as_ref()], bump,
    )]
    pub ticket: AccountLoader<'info, LpWithdrawal>,
    /// CHECK: the market's liquidity mint, by its address.
    #[account(mut)]
    pub lp_mint: UncheckedAccount<'info>,
    /// CHECK: the owner's account that holds the shares, by its mint and owner.
    #[account(mut)]
    pub source: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl RequestLpWithdrawal<'_> {
    fn validate(&self, shares: u64) -> Result<()> {
        let Self {
            owner,
            market,
            ticket: _, // created here
            lp_mint,
            source,
            token_program: _,   // by type
            system_program: _,  // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        ensure(shares > 0, EngineError::AmountZero)?;
        let market = market.load()?;
        check_version(market.version)?;
        ensure(is(&market.lp_mint, lp_mint.key), EngineError::WrongMint)?;
        tokens::check(source, &market.lp_mint, owner.key)
    }
}

/// See the module.
pub fn handle(ctx: Context<RequestLpWithdrawal>, shares: u64) -> Result<()> {
    ctx.accounts.validate(shares)?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;

    let (market_sequence, ripe_at) = {
        let mut market = accounts.market.load_mut()?;
        let ripe_at = now.unix.checked_add_unsigned(market.state.params.lp_cooldown);
        let ripe_at = ripe_at.ok_or(crate::BallastError::MathOverflow)?;
        (market.state.next_sequence().on_chain()?, ripe_at)
    };
    {
        let mut ticket = accounts.ticket.load_init()?;
        ticket.version = ACCOUNT_VERSION;
        ticket.bump = ctx.bumps.ticket;
        ticket.market = key_of(&accounts.market.key());
        ticket.owner = key_of(accounts.owner.key);
        ticket.shares = shares;
        // Fixed here: a longer cool-down never applies to tickets already filed.
        ticket.ripe_at = ripe_at;
        ticket.window_start = ripe_at;
    }
    let burn = Burn {
        mint: accounts.lp_mint.to_account_info(),
        from: accounts.source.to_account_info(),
        authority: accounts.owner.to_account_info(),
    };
    token::burn(CpiContext::new(accounts.token_program.key(), burn), shares)?;
    emit(
        &accounts.event_authority,
        &LiquidityRequested {
            market: accounts.market.key(),
            owner: accounts.owner.key(),
            deposit: false,
            amount: shares,
            ripe_at,
            market_sequence,
        },
    )
}

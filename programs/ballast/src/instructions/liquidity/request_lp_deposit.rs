//! Files a liquidity deposit: the money goes into the vault, aside from the pool, until the first price after.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::Error as EngineError;
use ballast_engine::units::Quote;

use crate::checks::{check_market, check_version, is, key_of, pay_in};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::LiquidityRequested;
use crate::legs;
use crate::seeds;
use crate::state::{ACCOUNT_VERSION, Exchange, LpDeposit, Market};
use crate::tokens;

/// Accounts of `request_lp_deposit`.
#[event_cpi]
#[derive(Accounts)]
pub struct RequestLpDeposit<'info> {
    /// Who provides the liquidity; pays the ticket's rent and gets it back.
    #[account(mut)]
    pub owner: Signer<'info>,
    /// The exchange.
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market whose pool the money is for.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The ticket: one per market and owner.
    #[account(
        init, payer = owner, space = LpDeposit::SPACE,
        seeds = [seeds::LP_DEPOSIT, market.key().as_ref(), owner.key().as_ref()], bump,
    )]
    pub ticket: AccountLoader<'info, LpDeposit>,
    /// CHECK: where the money comes from, by its mint and owner.
    #[account(mut)]
    pub source: UncheckedAccount<'info>,
    /// CHECK: the exchange's vault, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl RequestLpDeposit<'_> {
    fn validate(&self, amount: u64) -> Result<()> {
        let Self {
            owner,
            exchange,
            market,
            ticket: _, // created here
            source,
            vault,
            token_program: _,   // by type
            system_program: _,  // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        ensure(amount > 0, EngineError::AmountZero)?;
        check_market(&*market.load()?, &exchange.key())?;
        let exchange = exchange.load()?;
        check_version(exchange.version)?;
        ensure(is(&exchange.vault, vault.key), EngineError::WrongVault)?;
        tokens::check(source, &exchange.mint, owner.key)
    }
}

/// See the module.
pub fn handle(ctx: Context<RequestLpDeposit>, amount: u64) -> Result<()> {
    ctx.accounts.validate(amount)?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;

    let (market_sequence, filed_at) = {
        let mut market = accounts.market.load_mut()?;
        let state = &mut market.state;
        state.check_not_settled().on_chain()?;
        state.pool.pending_deposits = state.pool.pending_deposits.plus(Quote(amount)).on_chain()?;
        state.invariant().on_chain()?;
        // A price that may be known already must not be the one that it executes at.
        (state.next_sequence().on_chain()?, state.price.placement(&now).on_chain()?)
    };
    {
        let mut ticket = accounts.ticket.load_init()?;
        ticket.version = ACCOUNT_VERSION;
        ticket.bump = ctx.bumps.ticket;
        ticket.market = key_of(&accounts.market.key());
        ticket.owner = key_of(accounts.owner.key);
        ticket.amount = Quote(amount);
        ticket.filed_at = filed_at;
    }
    pay_in(&accounts.token_program, &accounts.source, &accounts.vault, &accounts.owner, amount)?;
    emit(
        &accounts.event_authority,
        &LiquidityRequested {
            market: accounts.market.key(),
            owner: accounts.owner.key(),
            deposit: true,
            amount,
            ripe_at: filed_at,
            market_sequence,
        },
    )
}

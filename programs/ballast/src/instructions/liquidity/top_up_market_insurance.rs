//! Tops up a market's insurance bucket. Nobody can take it out again but deficits, and class G3.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::Error as EngineError;
use ballast_engine::units::Quote;

use crate::checks::{check_market, check_version, is, pay_in};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::InsuranceToppedUp;
use crate::legs;
use crate::state::{Exchange, Market};
use crate::tokens;

/// Accounts of `top_up_market_insurance`.
#[event_cpi]
#[derive(Accounts)]
pub struct TopUpMarketInsurance<'info> {
    /// Who pays.
    pub payer: Signer<'info>,
    /// The exchange.
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// CHECK: where the money comes from, by its mint and owner.
    #[account(mut)]
    pub source: UncheckedAccount<'info>,
    /// CHECK: the exchange's vault, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
}

impl TopUpMarketInsurance<'_> {
    fn validate(&self, amount: u64) -> Result<()> {
        let Self {
            payer,
            exchange,
            market,
            source,
            vault,
            token_program: _,   // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        ensure(amount > 0, EngineError::AmountZero)?;
        check_market(&*market.load()?, &exchange.key())?;
        let exchange = exchange.load()?;
        check_version(exchange.version)?;
        ensure(is(&exchange.vault, vault.key), EngineError::WrongVault)?;
        tokens::check(source, &exchange.mint, payer.key)
    }
}

/// See the module.
pub fn handle(ctx: Context<TopUpMarketInsurance>, amount: u64) -> Result<()> {
    ctx.accounts.validate(amount)?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;

    let (fund, market_sequence) = {
        let mut market = accounts.market.load_mut()?;
        let state = &mut market.state;
        state.touch(&now);
        state.insure(Quote(amount)).on_chain()?;
        state.invariant().on_chain()?;
        (state.pool.insurance.0, state.next_sequence().on_chain()?)
    };
    pay_in(&accounts.token_program, &accounts.source, &accounts.vault, &accounts.payer, amount)?;
    emit(
        &accounts.event_authority,
        &InsuranceToppedUp {
            exchange: accounts.exchange.key(),
            market: accounts.market.key(),
            from: accounts.payer.key(),
            amount,
            fund,
            market_sequence,
        },
    )
}

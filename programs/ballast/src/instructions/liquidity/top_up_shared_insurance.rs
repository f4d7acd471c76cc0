//! Tops up the shared insurance fund. Nobody can take it out again but deficits, and class G3.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::Error as EngineError;
use ballast_engine::units::Quote;

use crate::checks::{check_version, is, pay_in};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::InsuranceToppedUp;
use crate::legs;
use crate::state::Exchange;
use crate::tokens;

/// Accounts of `top_up_shared_insurance`.
#[event_cpi]
#[derive(Accounts)]
pub struct TopUpSharedInsurance<'info> {
    /// Who pays.
    pub payer: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// CHECK: where the money comes from, by its mint and owner.
    #[account(mut)]
    pub source: UncheckedAccount<'info>,
    /// CHECK: the exchange's vault, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
}

impl TopUpSharedInsurance<'_> {
    fn validate(&self, amount: u64) -> Result<()> {
        let Self {
            payer,
            exchange,
            source,
            vault,
            token_program: _,   // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        ensure(amount > 0, EngineError::AmountZero)?;
        let exchange = exchange.load()?;
        check_version(exchange.version)?;
        ensure(is(&exchange.vault, vault.key), EngineError::WrongVault)?;
        tokens::check(source, &exchange.mint, payer.key)
    }
}

/// See the module.
pub fn handle(ctx: Context<TopUpSharedInsurance>, amount: u64) -> Result<()> {
    ctx.accounts.validate(amount)?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;

    let (fund, sequence) = {
        let mut exchange = accounts.exchange.load_mut()?;
        // A batch whose window is over has its factor from the fund as it was.
        let fund = exchange.shared_insurance;
        exchange.insurance.roll(fund, &now).on_chain()?;
        exchange.shared_insurance = fund.plus(Quote(amount)).on_chain()?;
        exchange.invariant().on_chain()?;
        (exchange.shared_insurance.0, exchange.next_sequence().on_chain()?)
    };
    pay_in(&accounts.token_program, &accounts.source, &accounts.vault, &accounts.payer, amount)?;
    emit(
        &accounts.event_authority,
        &InsuranceToppedUp {
            exchange: accounts.exchange.key(),
            market: Pubkey::default(),
            from: accounts.payer.key(),
            amount,
            fund,
            // No market moves: the exchange's own sequence.
            market_sequence: sequence,
        },
    )
}

//! Sends a market's protocol fees to the exchange's fee destination.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::Error as EngineError;
use ballast_engine::units::Quote;

use crate::checks::{balance, check_market, check_version, is, pay_out};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::FeesCollected;
use crate::legs;
use crate::state::{Exchange, Market};

/// Accounts of `collect_fees`.
#[event_cpi]
#[derive(Accounts)]
pub struct CollectFees<'info> {
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// CHECK: the exchange's vault, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: the exchange's fee destination, by its address.
    #[account(mut)]
    pub fee_destination: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
}

impl CollectFees<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            exchange,
            market,
            vault,
            fee_destination,
            token_program: _,   // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_market(&*market.load()?, &exchange.key())?;
        let exchange = exchange.load()?;
        check_version(exchange.version)?;
        ensure(is(&exchange.vault, vault.key), EngineError::WrongVault)?;
        ensure(is(&exchange.fee_destination, fee_destination.key), EngineError::WrongOwner)
    }
}

/// See the module.
pub fn handle(ctx: Context<CollectFees>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;

    let (amount, market_sequence) = {
        let mut market = accounts.market.load_mut()?;
        let state = &mut market.state;
        let amount = core::mem::replace(&mut state.pool.protocol_fees, Quote::ZERO);
        ensure(!amount.is_zero(), EngineError::AmountZero)?;
        state.invariant().on_chain()?;
        (amount, state.next_sequence().on_chain()?)
    };
    accounts.exchange.load_mut()?.book_unlimited(amount, balance(&accounts.vault)?, &now).on_chain()?;
    pay_out(&accounts.token_program, &accounts.exchange, &accounts.vault, &accounts.fee_destination, amount.0)?;
    emit(&accounts.event_authority, &FeesCollected { market: accounts.market.key(), amount: amount.0, market_sequence })
}

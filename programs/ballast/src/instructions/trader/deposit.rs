//! Puts collateral in. It needs no market and no price, and no pause stops it.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::Error as EngineError;
use ballast_engine::units::Quote;

use crate::checks::{check_version, is, key_of, pay_in};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::Deposited;
use crate::legs::now;
use crate::state::{Exchange, Subaccount};
use crate::tokens;

/// Accounts of `deposit`.
#[event_cpi]
#[derive(Accounts)]
pub struct Deposit<'info> {
    /// The owner. Nobody else can deposit: principal is what owners put in by themselves.
    pub owner: Signer<'info>,
    /// The exchange.
    pub exchange: AccountLoader<'info, Exchange>,
    /// The subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// The owner's token account.
    /// CHECK: `validate` reads its mint and owner.
    #[account(mut)]
    pub owner_tokens: UncheckedAccount<'info>,
    /// The exchange's vault.
    /// CHECK: `validate` compares its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
}

impl Deposit<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            owner, // signs
            exchange,
            subaccount,
            owner_tokens,
            vault,
            token_program: _, // by its address
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
        tokens::check(owner_tokens, &exchange.mint, owner.key)
    }
}

/// See the module.
pub fn handle(ctx: Context<Deposit>, amount: u64) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    ensure(amount > 0, EngineError::AmountZero)?;
    let now = now()?;
    let (collateral, account_sequence) = {
        let state = &mut accounts.subaccount.load_mut()?.state;
        state.put_in(Quote(amount)).on_chain()?;
        state.principal.deposit(Quote(amount), &now).on_chain()?;
        (state.collateral.0, state.next_sequence().on_chain()?)
    };
    pay_in(&accounts.token_program, &accounts.owner_tokens, &accounts.vault, &accounts.owner, amount)?;
    emit(
        &accounts.event_authority,
        &Deposited { subaccount: accounts.subaccount.key(), amount, collateral, account_sequence },
    )
}

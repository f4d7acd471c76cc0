//! Executes a withdrawal of insurance when its delay is over, and only while no market has a claim open.

use anchor_lang::prelude::*;
use anchor_spl::token::Token;
use ballast_engine::governance::{self, Holds, SHARED_FUND};
use ballast_engine::units::Quote;
use ballast_engine::{Error as EngineError, Fault, Now, insurance};

use super::proposals;
use crate::checks::{balance, check_version, is, key_of, pay_out};
use crate::emit::emit;
use crate::error::{OnChain, ensure, refuse};
use crate::events::{InsuranceWithdrawn, ProposalEnded};
use crate::legs;
use crate::state::{Exchange, Proposal};
use crate::tokens;

/// Accounts of `execute_insurance_withdrawal`. Remaining accounts: all markets of the exchange by index, that which it is
/// from writable. More markets than fit a transaction keep their insurance where it is.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteInsuranceWithdrawal<'info> {
    /// Anyone; named in the event.
    pub executor: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// CHECK: the exchange's vault, by its address.
    #[account(mut)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: where the proposal sends it, by its address; its mint too.
    #[account(mut)]
    pub destination: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
}

impl<'info> ExecuteInsuranceWithdrawal<'info> {
    fn validate(&self) -> Result<()> {
        let Self {
            executor: _, // signs
            exchange,
            proposal,
            vault,
            destination,
            token_program: _,   // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        let key = exchange.key();
        let exchange = exchange.load()?;
        check_version(exchange.version)?;
        ensure(is(&exchange.vault, vault.key), EngineError::WrongVault)?;
        let proposal = proposal.load()?;
        proposals::check(&proposal, &key, &Pubkey::default())?;
        ensure(is(&proposal.terms.new_key, destination.key), EngineError::WrongOwner)?;
        tokens::check_mint(destination, &exchange.mint)
    }

    /// Takes the amount from its fund; what is left there.
    fn take(&self, markets: &'info [AccountInfo<'info>], now: &Now) -> Result<(Quote, Quote)> {
        let key = key_of(&self.exchange.key());
        let exchange = &mut *self.exchange.load_mut()?;
        let count = usize::from(exchange.markets);
        if markets.len() != count {
            return Err(refuse(Fault::new(EngineError::WrongMarketCount, count, markets.len())));
        }
        for (index, info) in (0_u16..).zip(markets) {
            insurance::check_none_pending(&legs::view(info, &key, index)?.state).on_chain()?;
        }
        let terms = &mut self.proposal.load_mut()?.terms;
        let from = terms.parameter;
        let Exchange { insurance, shared_insurance, roles, emergency, exit_holds, .. } = exchange;
        let holds = &Holds { emergency, exits: exit_holds };
        let (amount, left) = if from == SHARED_FUND {
            // No market has a claim, so what rounding left of old awards may go with the rest.
            insurance.free_rounding();
            let withdrawals = &mut insurance.withdrawals;
            let take = governance::execute_insurance_withdrawal;
            let amount = take(terms, shared_insurance, withdrawals, roles, holds, now).on_chain()?;
            (amount, *shared_insurance)
        } else {
            let info = markets.get(usize::from(from)).ok_or(crate::BallastError::WrongMarketCount)?;
            let bucket = &mut legs::change(info, &key, from)?.state.pool.insurance;
            let withdrawals = &mut insurance.withdrawals;
            let take = governance::execute_insurance_withdrawal;
            let amount = take(terms, bucket, withdrawals, roles, holds, now).on_chain()?;
            (amount, *bucket)
        };
        exchange.book_unlimited(amount, balance(&self.vault)?, now).on_chain()?;
        exchange.invariant().on_chain()?;
        Ok((amount, left))
    }

    fn end(&self, (amount, left): (Quote, Quote)) -> Result<(InsuranceWithdrawn, ProposalEnded)> {
        let exchange = &mut *self.exchange.load_mut()?;
        let proposal = self.proposal.load()?;
        let withdrawn = InsuranceWithdrawn {
            exchange: self.exchange.key(),
            from: proposal.terms.parameter,
            destination: self.destination.key(),
            amount: amount.0,
            fund: left.0,
            sequence: exchange.next_sequence().on_chain()?,
        };
        Ok((withdrawn, proposals::end(exchange, self.proposal.key(), &proposal, self.executor.key())?))
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, ExecuteInsuranceWithdrawal<'info>>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &*ctx.accounts;
    let taken = accounts.take(ctx.remaining_accounts, &legs::now()?)?;
    let (withdrawn, ended) = accounts.end(taken)?;
    pay_out(&accounts.token_program, &accounts.exchange, &accounts.vault, &accounts.destination, withdrawn.amount)?;
    emit(&accounts.event_authority, &withdrawn)?;
    emit(&accounts.event_authority, &ended)
}

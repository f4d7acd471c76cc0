//! Settles a position, its claim and its holdback; or collects its claim alone.

use anchor_lang::prelude::*;
use ballast_engine::settle::Settled;
use ballast_engine::{Error as EngineError, Now, settle};

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::PositionSettled;
use crate::fill;
use crate::legs::{Others, now};
use crate::state::{Market, Subaccount};

/// Accounts of `settle` and `collect_claim`. Remaining accounts of `settle`: the markets of the account's other slots in use,
/// where it has other positions and this one pays a loss: an account below zero is for `resolve` alone, and that is judged at
/// prices that nobody has left old.
#[event_cpi]
#[derive(Accounts)]
pub struct Settle<'info> {
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The subaccount with a position, a claim or a holdback there.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
}

impl<'info> Settle<'info> {
    fn validate(&self) -> Result<()> {
        let Self { market, subaccount, event_authority: _, program: _ } = self;
        let market = market.load()?;
        check_version(market.version)?;
        subaccount.load()?.check(&market.exchange)
    }

    /// Does the work on the account's slot and emits what it did.
    fn run(
        &self,
        others: &'info [AccountInfo<'info>],
        now: &Now,
        work: impl FnOnce(
            &mut ballast_engine::market::MarketState,
            &mut ballast_engine::account::AccountState,
            usize,
        ) -> Result<Settled>,
    ) -> Result<()> {
        let market = &mut self.market.load_mut()?.state;
        let subaccount = &mut *self.subaccount.load_mut()?;
        let account = &mut subaccount.state;
        let slot = account.find(market.index).ok_or(EngineError::PositionNotFound.into()).on_chain()?;
        let picked = fill::pick_up(self.market.key(), market, self.subaccount.key(), account)?;
        market.touch(now);
        let settled = work(market, account, slot)?;
        let others = Others::of(account, Some(market.index), others);
        fill::check_sure(market, account, &subaccount.exchange, others, &settled.realised, now)?;
        market.invariant().on_chain()?;
        account.invariant().on_chain()?;
        if let Some(picked) = picked {
            emit(&self.event_authority, &picked)?;
        }
        emit(
            &self.event_authority,
            &PositionSettled {
                market: self.market.key(),
                subaccount: self.subaccount.key(),
                pnl: settled.pnl.0,
                funding: settled.funding.0,
                claimed: settled.realised.claimed.0,
                collected: settled.collected.0,
                returned: settled.returned.0,
                forfeited: settled.forfeited.0,
                market_sequence: market.next_sequence().on_chain()?,
                account_sequence: account.next_sequence().on_chain()?,
            },
        )
    }
}

/// Settles: the unrealised result becomes cash, or a claim, as far as collateral and pool reach.
pub fn handle<'info>(ctx: Context<'info, Settle<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let mut accrued = None;
    accounts.run(ctx.remaining_accounts, &now, |market, account, slot| {
        accrued = fill::accrue(accounts.market.key(), market, &now)?;
        settle::settle(market, account, slot, &now).on_chain()
    })?;
    accrued.map_or(Ok(()), |accrued| emit(&accounts.event_authority, &accrued))
}

/// Collects what has been paid on the claim, at any price.
pub fn handle_collect(ctx: Context<Settle>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    accounts.run(&[], &now()?, |market, account, slot| {
        let owed = account.position(slot).on_chain()?.claim.amount;
        let collected = settle::collect(market, account, slot).on_chain()?;
        // Or what is still owed was written off.
        let left = account.position(slot).on_chain()?.claim.amount;
        ensure(!collected.is_zero() || left != owed, EngineError::CoverTooEarly)?;
        Ok(Settled { collected, ..Settled::default() })
    })
}

//! Collects what one market's pool has paid on a claim that another's holds on it.

use anchor_lang::prelude::*;
use ballast_engine::{Error as EngineError, settle};

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::PoolClaimCollected;
use crate::legs;
use crate::state::Market;

/// Accounts of `collect_pool_claim`.
#[event_cpi]
#[derive(Accounts)]
pub struct CollectPoolClaim<'info> {
    /// The market that owes.
    #[account(mut)]
    pub debtor: AccountLoader<'info, Market>,
    /// The market that holds the claim.
    #[account(mut)]
    pub holder: AccountLoader<'info, Market>,
}

impl CollectPoolClaim<'_> {
    fn validate(&self) -> Result<()> {
        let Self { debtor, holder, event_authority: _, program: _ } = self;
        ensure(debtor.key() != holder.key(), EngineError::DuplicateMarket)?;
        let (debtor, holder) = (debtor.load()?, holder.load()?);
        check_version(debtor.version)?;
        check_version(holder.version)?;
        ensure(debtor.exchange == holder.exchange, EngineError::WrongExchange)
    }
}

/// See the module.
pub fn handle(ctx: Context<CollectPoolClaim>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let debtor = &mut accounts.debtor.load_mut()?.state;
    let holder = &mut accounts.holder.load_mut()?.state;
    debtor.touch(&legs::now()?);
    let owed = holder.held;
    let amount = settle::collect_between(debtor, holder).on_chain()?;
    // Or what is still owed was written off.
    ensure(!amount.is_zero() || holder.held != owed, EngineError::CoverTooEarly)?;
    debtor.invariant().on_chain()?;
    holder.invariant().on_chain()?;
    emit(
        &accounts.event_authority,
        &PoolClaimCollected {
            debtor: accounts.debtor.key(),
            holder: accounts.holder.key(),
            amount: amount.0,
            market_sequence: debtor.next_sequence().on_chain()?,
        },
    )
}

//! Lets a position pick up its market's deleveraging: by anyone, at any price. Whatever else touches it does so too.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::{OnChain, refuse};
use crate::fill;
use crate::legs::now;
use crate::state::{Market, Subaccount};

/// Accounts of `pick_up_deleveraging`.
#[event_cpi]
#[derive(Accounts)]
pub struct PickUpDeleveraging<'info> {
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The subaccount with a position there.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
}

impl PickUpDeleveraging<'_> {
    fn validate(&self) -> Result<()> {
        let Self { market, subaccount, event_authority: _, program: _ } = self;
        let market = market.load()?;
        check_version(market.version)?;
        subaccount.load()?.check(&market.exchange)
    }
}

/// See the module.
pub fn handle(ctx: Context<PickUpDeleveraging>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let market = &mut accounts.market.load_mut()?.state;
    let account = &mut accounts.subaccount.load_mut()?.state;
    market.touch(&now()?);
    let picked = fill::pick_up(accounts.market.key(), market, accounts.subaccount.key(), account)?;
    let picked = picked.ok_or_else(|| refuse(EngineError::CoverTooEarly.into()))?;
    market.invariant().on_chain()?;
    account.invariant().on_chain()?;
    emit(&accounts.event_authority, &picked)
}

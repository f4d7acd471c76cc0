//! Cancels an order: its owner after its first ten seconds; anyone, for the fee, once it can never fill again.

use anchor_lang::prelude::*;
use ballast_engine::units::Quote;
use ballast_engine::{Error as EngineError, Now};

use crate::BallastError;
use crate::checks::{check_version, is};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::OrderCancelled;
use crate::fill::{check_keeper, credit};
use crate::legs::now;
use crate::state::order::opposite;
use crate::state::{Market, Order, Subaccount};

/// Accounts of `cancel_order`.
#[event_cpi]
#[derive(Accounts)]
pub struct CancelOrder<'info> {
    /// The owner, or anyone for a dead order.
    pub canceller: Signer<'info>,
    /// The order's market.
    pub market: AccountLoader<'info, Market>,
    /// The order's subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// The order.
    #[account(mut, close = rent_to)]
    pub order: AccountLoader<'info, Order>,
    /// Whoever paid the order's rent.
    /// CHECK: `validate` compares its address.
    #[account(mut)]
    pub rent_to: UncheckedAccount<'info>,
    /// Gets a dead order's fee; without it the fee goes back to the order's subaccount.
    #[account(mut)]
    pub keeper: Option<AccountLoader<'info, Subaccount>>,
}

impl CancelOrder<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            canceller: _, // signs; `judge` compares it
            market,
            subaccount,
            order,
            rent_to,
            keeper,
            event_authority: _,
            program: _,
        } = self;
        let (market_key, key) = (market.key(), subaccount.key());
        let market = market.load()?;
        check_version(market.version)?;
        subaccount.load()?.check(&market.exchange)?;
        order.load()?.check(&key, &market_key, rent_to.key)?;
        keeper.as_ref().map_or(Ok(()), |keeper| check_keeper(keeper, &market.exchange, &key))
    }

    /// Why the order is dead; `None` where its owner cancels one that is not.
    fn judge(&self, now: &Now) -> Result<Option<EngineError>> {
        let (market, subaccount, order) = (self.market.load()?, self.subaccount.load()?, self.order.load()?);
        let terms = &order.terms;
        let dead = terms.dead(&market.state, now).or_else(|| {
            let nothing = opposite(&subaccount.state, market.state.index, terms.size.0 > 0).is_none();
            (terms.reduce_only != 0 && nothing).then_some(EngineError::PositionNotFound)
        });
        if dead.is_none() {
            ensure(is(&subaccount.owner, self.canceller.key), EngineError::WrongOwner)?;
            terms.check_cancel(now).on_chain()?;
        }
        Ok(dead)
    }
}

/// See the module.
pub fn handle(ctx: Context<CancelOrder>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let dead = accounts.judge(&now()?)?;
    let fee = core::mem::take(&mut accounts.order.load_mut()?.terms.fee);
    let keeper = accounts.keeper.as_ref().filter(|_| dead.is_some());
    credit(keeper.unwrap_or(&accounts.subaccount), fee)?;
    let account_sequence = {
        let account = &mut accounts.subaccount.load_mut()?.state;
        account.orders = account.orders.checked_sub(1).ok_or(EngineError::InvariantBroken.into()).on_chain()?;
        account.next_sequence().on_chain()?
    };
    emit(
        &accounts.event_authority,
        &OrderCancelled {
            order: accounts.order.key(),
            subaccount: accounts.subaccount.key(),
            reason: dead.map_or(0, |error| BallastError::from(error).into()),
            fee_to_keeper: keeper.map_or(Quote::ZERO, |_| fee).0,
            account_sequence,
        },
    )
}

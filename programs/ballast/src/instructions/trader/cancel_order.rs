//! Cancels an order: its owner or a delegate after its first ten seconds; anyone, for the fee, once it can never fill again,
//! or once its price is there and the account lacks what it needs to fill it, or its owner's covenant forbids it. The event
//! says why.
//!
//! The fee goes to whoever clears it away, not back: else nobody would, and a dead order keeps its rent and one of the
//! account's places. An owner who cancels gets it back. What is put aside for a bracket's exits goes back in either case.

use anchor_lang::error::ERROR_CODE_OFFSET;
use anchor_lang::prelude::*;
use ballast_engine::delegate::ORDERS;
use ballast_engine::order::cancels;
use ballast_engine::units::Quote;
use ballast_engine::{Error as EngineError, Now};

use crate::BallastError;
use crate::checks::{check_version, key_of};
use crate::covenants::{self, Bound};
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::OrderCancelled;
use crate::fill::{self, Trader, check_keeper, pay_order_fee};
use crate::legs::now;
use crate::state::{Market, Order, Subaccount};

/// Accounts of `cancel_order`. Remaining accounts: none, or, for an order that the account cannot fill, the markets of its
/// other slots in use, in slot order, to read.
#[event_cpi]
#[derive(Accounts)]
pub struct CancelOrder<'info> {
    /// The owner or a delegate for orders; anyone for an order that is dead or that its account cannot fill.
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
    /// Gets the fee of an order that its owner does not cancel; without it the fee goes back to the order's subaccount.
    #[account(mut)]
    pub keeper: Option<AccountLoader<'info, Subaccount>>,
    /// The covenant address of the subaccount's owner, for an order that the covenant forbids; without it none is looked at.
    /// CHECK: `covenants::view` compares its address.
    pub covenant: Option<UncheckedAccount<'info>>,
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
            covenant,
            event_authority: _,
            program: _,
        } = self;
        let (market_key, key) = (market.key(), subaccount.key());
        let market = market.load()?;
        check_version(market.version)?;
        let subaccount = subaccount.load()?;
        subaccount.check(&market.exchange)?;
        covenant.as_ref().map_or(Ok(()), |info| covenants::view(info, &subaccount).map(drop))?;
        order.load()?.check(&key, &market_key, rent_to.key)?;
        keeper.as_ref().map_or(Ok(()), |keeper| check_keeper(keeper, &market.exchange, &key))
    }

    /// Why it is cancelled; `None` where its owner or a delegate takes back one that is not dead. A dead one has its reason
    /// whoever calls, and its fee goes to `keeper` where there is one.
    fn judge<'info>(&self, others: &'info [AccountInfo<'info>], now: &Now) -> Result<Option<EngineError>> {
        let (market, subaccount, order) = (self.market.load()?, self.subaccount.load()?, self.order.load()?);
        let terms = &order.terms;
        if let Some(dead) = terms.dead(&market.state, &subaccount.state, now) {
            return Ok(Some(dead));
        }
        if subaccount.check_trader(self.canceller.key, ORDERS, now).is_ok() {
            terms.check_cancel(&market.state, now).on_chain()?;
            return Ok(None);
        }
        let covenant = match &self.covenant {
            Some(info) => covenants::view(info, &subaccount)?,
            None => None,
        };
        let mut covenant = covenant.map(|found| Copied::of(&found.state));
        let bound = covenant.as_mut().and_then(Copied::get);
        let bound = bound.map(|covenant| Bound { covenant, subaccount: key_of(&self.subaccount.key()) });
        let refused = if terms.reduces() { None } else { unfillable(&order, &market, &subaccount, bound, others, now) };
        let refused = refused.ok_or(EngineError::WrongOwner.into()).on_chain()?;
        // What the market stops is kept, and says so.
        match reason_of(&refused).filter(|reason| cancels(*reason)) {
            None => Err(refused),
            reason => Ok(reason),
        }
    }
}

/// Why an order whose price is there cannot be filled: found by filling it, on copies that are thrown away. `None` where it can
/// be, or its price is not there. A flip whose closing loses more than the collateral counts as one that it cannot: other
/// markets, whose profits might pay, are not copied.
fn unfillable<'info>(
    order: &Order,
    market: &Market,
    subaccount: &Subaccount,
    covenant: Option<Bound<'_>>,
    others: &'info [AccountInfo<'info>],
    now: &Now,
) -> Option<Error> {
    let (mut market, mut account) = (Copied::of(&market.state), Copied::of(&subaccount.state));
    let (market, account) = (market.get()?, account.get()?);
    fill::accrue(Pubkey::default(), market, now).ok()?;
    fill::pick_up(Pubkey::default(), market, Pubkey::default(), account).ok()?;
    let ask = fill::ask(&order.terms, market, account, now).ok()?;
    let trader = Trader::of(account, &subaccount.exchange, market, others);
    let mut trader = Trader { covenant, trial: true, ..trader };
    // Without its other markets nothing is shown.
    if trader.others.missing() {
        return None;
    }
    fill::fill(market, &mut trader, &ask, now).err()
}

/// The engine's reason for a refusal.
fn reason_of(error: &Error) -> Option<EngineError> {
    let Error::AnchorError(error) = error else { return None };
    let place = error.error_code_number.checked_sub(ERROR_CODE_OFFSET)?;
    EngineError::ALL.get(usize::try_from(place).ok()?).copied()
}

/// A copy of an account's state on the heap: larger than a stack frame on chain.
struct Copied<T> {
    words: Vec<u64>,
    of: core::marker::PhantomData<T>,
}

impl<T: bytemuck::Pod> Copied<T> {
    fn of(state: &T) -> Self {
        let bytes = bytemuck::bytes_of(state);
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        if let Some(room) = bytemuck::cast_slice_mut(&mut words).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        Self { words, of: core::marker::PhantomData }
    }

    fn get(&mut self) -> Option<&mut T> {
        bytemuck::try_from_bytes_mut(bytemuck::cast_slice_mut(&mut self.words)).ok()
    }
}

/// See the module.
pub fn handle<'info>(ctx: Context<'info, CancelOrder<'info>>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let reason = accounts.judge(ctx.remaining_accounts, &now()?)?;
    let (fee, returned) = {
        let terms = &mut accounts.order.load_mut()?.terms;
        let earned = terms.fill_fee().on_chain()?;
        terms.fee = Quote::ZERO;
        (earned, core::mem::take(&mut terms.exit_fee))
    };
    let keeper = accounts.keeper.as_ref().filter(|_| reason.is_some());
    pay_order_fee(keeper, &accounts.subaccount, fee)?;
    pay_order_fee(None, &accounts.subaccount, returned)?;
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
            reason: reason.map_or(0, |error| BallastError::from(error).into()),
            fee_to_keeper: keeper.map_or(Quote::ZERO, |_| fee).0,
            account_sequence,
        },
    )
}

//! Settlement of a market (section 9, step 5): begun when pool equity is below its floor and called off if it recovers
//! within a day, by ten days of silence, or when the notice of a market that is wound down is over. Then every position closes at one price, by anyone's call; what is won becomes
//! a claim, whoever closes first; when all are closed, cash and then the bucket pay the claims at one common factor; the
//! providers get what is left.
//!
//! Losers need not close first: while a position is open no claim is paid, so the order of closings moves nothing.

use crate::Now;
use crate::account::AccountState;
use crate::constants::{SETTLEMENT_PATIENCE, SETTLEMENT_POOLS_PATIENCE, SETTLEMENT_SILENCE, SETTLEMENT_WAIT};
use crate::deleverage::pick_up;
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::liquidity::{Exit, LOCKED_SHARES};
use crate::market::{Claim, MarketState};
use crate::math::{mul_div, some};
use crate::pool::Values;
use crate::price::Status;
use crate::settle::{collect, release_holdback};
use crate::trade::{Charge, Fill, reduce};
use crate::units::{Price, Quote, Rounding};

layout! {
    /// A market's settlement.
    pub struct Settlement = 24 {
        /// When it was begun for want of equity, Unix seconds; 0 while it is not.
        pub begun_at: i64,
        /// When its price was fixed, Unix seconds; 0 before.
        pub fixed_at: i64,
        /// The price at which all positions close.
        pub price: Price,
    }
}

/// What a step of the settlement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Begun: reduce-only for a day.
    Begun,
    /// Called off: equity is back.
    CalledOff,
    /// The price is fixed: positions can be closed.
    Fixed(Price),
}

/// What closing a slot did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Closed {
    /// The closing of the position, if there was one.
    pub fill: Option<Fill>,
    /// Collected on the slot's claim.
    pub collected: Quote,
    /// Holdback returned to the collateral.
    pub returned: Quote,
    /// Holdback taken by the pool.
    pub forfeited: Quote,
}

impl MarketState {
    /// Whether the settlement's price is fixed: nothing is traded any more.
    #[inline]
    pub const fn is_settled(&self) -> bool {
        self.settlement.fixed_at != 0
    }

    /// Refuses what a settled market no longer does.
    ///
    /// # Errors
    /// [`Error::MarketSettled`].
    pub fn check_not_settled(&self) -> Result<()> {
        ensure(!self.is_settled(), Error::MarketSettled)
    }

    /// Whether no position is open.
    #[inline]
    pub const fn is_closed(&self) -> bool {
        self.long.positions == 0 && self.short.positions == 0
    }

    /// Whether anybody waits for this market to go on: a position, a claim, a silent exit, a provider. A market that is being
    /// prepared, or rests, may be silent as long as it likes.
    fn is_waited_for(&self) -> bool {
        let pool = &self.pool;
        !self.is_closed()
            || !pool.claims.is_zero()
            || !pool.claims_paid.is_zero()
            || self.exits_unjudged != 0
            || pool.shares > LOCKED_SHARES
    }

    /// Whether so long has passed since the price was fixed that nothing is waited for any more.
    pub(crate) fn patience_is_over(&self) -> bool {
        self.clock >= self.settlement.fixed_at.saturating_add(SETTLEMENT_PATIENCE)
    }

    /// Whether a settled market still waits for what other pools owe it, paid or not: what it brings is first its claim
    /// holders' and then its providers', whoever calls first. Twenty days after the fixing it waits no longer, so that neither
    /// a debtor that never pays nor two that wait for each other hold anybody for ever.
    pub(crate) fn waits_for_pools(&self) -> bool {
        self.held.iter().any(|claim| !claim.amount.is_zero())
            && self.clock < self.settlement.fixed_at.saturating_add(SETTLEMENT_POOLS_PATIENCE)
    }

    /// The equity below which a settlement may begin: `settlement_floor` of the larger side's value.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn equity_floor(&self, price: Price) -> Result<Quote> {
        Values::of(self, price)?.larger()?.portion(self.params.settlement_floor, Rounding::Up)
    }

    /// What the settlement of a market with a good price is judged by and fixed at: the five-minute average. Whoever calls
    /// first can wait for a print that suits him, but a print moves this by 5 ÷ 305 of its distance at most, and one that is
    /// off by more than half of the maintenance margin not at all.
    #[inline]
    pub const fn settlement_price(&self) -> Price {
        self.price.ema5
    }

    /// Begins a settlement, calls it off or fixes its price, whichever is due. The market has accrued just now.
    ///
    /// # Errors
    /// [`Error::MarketSettled`]; [`Error::SettlementNotDue`] with the floor and the equity; [`Error::SettlementTooEarly`]
    /// with when the price may be fixed; the price's refusal unless it is good or has been silent for ten days.
    pub fn advance_settlement(&mut self, now: &Now) -> Result<Step> {
        self.touch(now);
        self.check_not_settled()?;
        let (last, valid) = (self.price.last.publish_time, self.price.valid.price);
        let silent = last != 0 && now.unix >= last.saturating_add(SETTLEMENT_SILENCE) && !valid.is_zero();
        if silent && self.is_waited_for() {
            return Ok(self.fix(valid, now));
        }
        let status = self.status(now)?;
        ensure(status == Status::Good, status.refusal())?;
        let price = self.settlement_price();
        // Wound down, and its holders have had their notice.
        if self.notice_over(now) {
            return Ok(self.fix(price, now));
        }
        let (equity, floor) = (self.equity(price)?, self.equity_floor(price)?);
        let below = i128::from(equity.0) < i128::from(floor.0);
        if self.settlement.begun_at == 0 {
            ensure(below, Fault::new(Error::SettlementNotDue, floor.0, equity.0))?;
            self.settlement.begun_at = now.unix;
            return Ok(Step::Begun);
        }
        if !below {
            self.settlement.begun_at = 0;
            return Ok(Step::CalledOff);
        }
        let at = self.settlement.begun_at.saturating_add(SETTLEMENT_WAIT);
        ensure(now.unix >= at, Fault::new(Error::SettlementTooEarly, at, now.unix))?;
        Ok(self.fix(price, now))
    }

    /// From now on this is the market's price, good and without a confidence interval, for ever.
    fn fix(&mut self, price: Price, now: &Now) -> Step {
        self.settlement.fixed_at = now.unix;
        self.settlement.price = price;
        let set = &mut self.price;
        set.last.price = price;
        set.last.conf = Price::ZERO;
        (set.valid, set.ema5, set.ema60, set.jump_count) = (set.last, price, price, 0);
        Step::Fixed(price)
    }

    /// With no position open: all free cash pays claims, in a settled market the bucket too, where cash and what other pools
    /// owe it (as long as it waits for them) are not enough. So it does not matter which of the pools was collected from first.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(crate) fn sweep(&mut self) -> Result<()> {
        if !self.is_closed() {
            return Ok(());
        }
        if !self.is_settled() {
            return self.receive(Quote::ZERO);
        }
        let mut there = self.pool.free_cash()?;
        if self.waits_for_pools() {
            there = self.held.iter().try_fold(there, |sum, claim| sum.plus(claim.amount))?;
        }
        let lacking = self.pool.claims.saturating_sub(there);
        let paid = lacking.min(self.pool.insurance);
        self.pool.insurance = self.pool.insurance.less(paid)?;
        self.pool.insurance_paid = self.pool.insurance_paid.plus(paid)?;
        self.pool.cash = self.pool.cash.plus(paid)?;
        self.pool.pay_claims(self.pool.free_cash()?)?;
        self.sync_episode()
    }

    /// Ten days after the price was fixed, and when no other pool owes this one any more (or after 20), what a claim
    /// (collected just now, after a sweep: else the holder who closes last would get nothing of what was not paid out yet) is still
    /// owed is written off: no account waits for ever. The factor, hence what every other holder gets, stays as it is.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(crate) fn write_off(&mut self, claim: &mut Claim) -> Result<()> {
        let waits = !self.insurance.pending()?.is_zero() || self.waits_for_pools();
        if !self.is_settled() || !self.is_closed() || waits || !self.patience_is_over() {
            return Ok(());
        }
        // Of what rounding has left above the claims' sum, the rest comes off what was set aside and cannot be collected.
        let owed = core::mem::take(&mut claim.amount);
        let claims = owed.min(self.pool.claims);
        self.pool.claims = self.pool.claims.less(claims)?;
        self.pool.claims_paid = self.pool.claims_paid.less(owed.less(claims)?)?;
        Ok(())
    }

    /// A provider leaves a settled market: its part of what is left when all traders are paid. No cool-down, no limit.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(crate) fn exit_settled(&mut self, shares: u64) -> Result<Exit> {
        if !self.is_closed() {
            return Ok(Exit::HeldBack(Error::MarketSettled));
        }
        if !self.insurance.pending()?.is_zero() {
            return Ok(Exit::HeldBack(Error::InsurancePending));
        }
        self.sweep()?;
        if !self.pool.claims.is_zero() {
            return Ok(Exit::HeldBack(Error::PoolClaims));
        }
        if self.waits_for_pools() {
            return Ok(Exit::HeldBack(Error::PoolIsOwed));
        }
        let amount = Quote(mul_div(shares, self.pool.free_cash()?.0, self.pool.shares, Rounding::Down)?);
        if amount.is_zero() {
            return Ok(Exit::HeldBack(Error::PoolReserve));
        }
        self.pool.cash = self.pool.cash.less(amount)?;
        self.pool.shares = some(self.pool.shares.checked_sub(shares))?;
        Ok(Exit::Paid { shares, amount })
    }
}

/// Closes whatever a slot has in a settled market: its position at the settlement's price, its holdback, its claim as far
/// as it is paid. A profit becomes a claim; of a loss the collateral pays what it can, the rest is in
/// `fill.realised.unpaid` for [`crate::resolve::cover_liquidation`].
///
/// # Errors
/// [`Error::MarketNotSettled`], [`Error::CoverTooEarly`] where there is nothing to do, [`Error::PositionNotFound`],
/// [`Error::MathOverflow`].
pub fn close_settled(market: &mut MarketState, account: &mut AccountState, slot: usize, now: &Now) -> Result<Closed> {
    market.touch(now);
    ensure(market.is_settled(), Error::MarketNotSettled)?;
    let (returned, forfeited) = release_holdback(market, account, slot)?;
    let _ = pick_up(market, account, slot)?;
    let position = account.position(slot)?;
    // Claims are paid when somebody collects after the last closing: by then all cash is there.
    let (fill, collected) = if position.is_open() {
        let (size, price) = (position.base(), market.settlement.price);
        (Some(reduce(market, account, slot, size, price, Charge::Plain)?), Quote::ZERO)
    } else {
        (None, collect(market, account, slot)?)
    };
    let moved = !(returned.is_zero() && forfeited.is_zero() && collected.is_zero());
    ensure(moved || fill.is_some(), Error::CoverTooEarly)?;
    Ok(Closed { fill, collected, returned, forfeited })
}

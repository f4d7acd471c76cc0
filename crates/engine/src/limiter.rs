//! The outflow limiter (section 11): what may leave the vault as profit, by hour and by day, measured on the lowest
//! hourly balance of the last day, so that a deposit does not widen it.
//!
//! Hours are those of the clock and a day is the last 24 of them, the current one included: in any 60 minutes at most
//! two hours' limits can leave, in any 24 hours at most the day's limit and one hour's.
//!
//! The memory starts at zero: on an exchange's first day only the floor leaves as profit, because nothing tells a
//! grown vault from one that somebody has just blown up by a deposit. The day starts with the first booking; one of
//! nothing is enough, and anyone may ask for it.

use crate::Now;
use crate::constants::HOUR;
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::math::{period, place_of, some};
use crate::params::ExchangeParams;
use crate::units::{Quote, Rounding};

/// Hours in the memory.
const HOURS: i64 = 24;
/// The day's floor is this many times the hour's.
const DAY_FLOOR: u64 = 10;

layout! {
    /// The limiter's memory. Deposits do not write it: between two withdrawals the balance only rises, so the last
    /// closing balance bounds the hours between them from below.
    pub struct Outflow = 408 {
        /// Lowest balance by hour of the day (Unix time / 3600 mod 24).
        pub low: [Quote; 24],
        /// What left as profit in that hour.
        pub out: [Quote; 24],
        /// The hour last written, Unix time / 3600.
        pub hour: i64,
        /// The vault's balance after the last withdrawal.
        pub closing: Quote,
        /// For later versions.
        pub reserved: u64,
    }
}

fn hour_of(unix: i64) -> Result<i64> {
    period(unix, HOUR)
}

fn place(hour: i64) -> Result<usize> {
    place_of(hour, HOURS)
}

impl Outflow {
    /// Forward to an hour: hours without a withdrawal had at least the last closing balance. A clock that runs back
    /// changes nothing.
    fn roll(&mut self, hour: i64) -> Result<()> {
        let passed = hour.saturating_sub(self.hour).min(HOURS);
        for back in 0..passed {
            let place = place(hour.saturating_sub(back))?;
            *self.low.get_mut(place).ok_or(Error::MathOverflow)? = self.closing;
            *self.out.get_mut(place).ok_or(Error::MathOverflow)? = Quote::ZERO;
        }
        self.hour = self.hour.max(hour);
        Ok(())
    }

    /// What fits in the hour that the memory stands in.
    fn room_here(&self, balance: Quote, params: &ExchangeParams) -> Result<Quote> {
        let base = self.low.iter().fold(balance, |least, low| least.min(*low));
        let hour = base.portion(params.outflow_hourly, Rounding::Down)?.max(params.outflow_floor);
        let floor = Quote(some(params.outflow_floor.0.checked_mul(DAY_FLOOR))?);
        let day = base.portion(params.outflow_daily, Rounding::Down)?.max(floor);
        let mut out = Quote::ZERO;
        for gone in &self.out {
            out = out.plus(*gone)?;
        }
        let this_hour = self.out.get(place(self.hour)?).copied().ok_or(Error::MathOverflow)?;
        Ok(hour.saturating_sub(this_hour).min(day.saturating_sub(out)))
    }

    /// Books that `amount` leaves, of which `limited` is subject to the limiter, from a vault of `balance` (before).
    /// **Everything** that leaves the vault is booked, liquidity exits and collected fees with a `limited` of zero:
    /// else the closing balance would not bound the next hours from below.
    ///
    /// # Errors
    /// [`Error::OutflowLimited`] with what fits now; [`Error::MathOverflow`] if more than the balance leaves.
    pub fn book(
        &mut self,
        amount: Quote,
        limited: Quote,
        balance: Quote,
        params: &ExchangeParams,
        now: &Now,
    ) -> Result<()> {
        let closing = balance.less(amount)?;
        amount.less(limited)?;
        // Nothing is written before everything is checked: a refusal leaves the memory as it was.
        if !limited.is_zero() {
            let room = self.room(balance, params, now)?;
            ensure(limited <= room, Fault::new(Error::OutflowLimited, room.0, limited.0))?;
        }
        self.roll(hour_of(now.unix)?)?;
        let place = place(self.hour)?;
        let out = self.out.get_mut(place).ok_or(Error::MathOverflow)?;
        *out = out.plus(limited)?;
        let low = self.low.get_mut(place).ok_or(Error::MathOverflow)?;
        *low = (*low).min(closing);
        self.closing = closing;
        Ok(())
    }

    /// Books a trader's withdrawal: profit and fresh principal (`limited` together) must fit, but only profit uses the
    /// limit up. Else anyone could exhaust it for everybody by depositing and withdrawing in one transaction.
    ///
    /// # Errors
    /// [`Error::OutflowLimited`] with what fits now; those of [`Self::book`].
    pub fn book_withdrawal(
        &mut self,
        amount: Quote,
        limited: Quote,
        profit: Quote,
        balance: Quote,
        params: &ExchangeParams,
        now: &Now,
    ) -> Result<()> {
        if limited > profit {
            let room = self.room(balance, params, now)?;
            ensure(limited <= room, Fault::new(Error::OutflowLimited, room.0, limited.0))?;
        }
        self.book(amount, profit, balance, params, now)
    }

    /// What may leave as profit now.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn room(&self, balance: Quote, params: &ExchangeParams, now: &Now) -> Result<Quote> {
        self.room_at(hour_of(now.unix)?, balance, params)
    }

    fn room_at(&self, hour: i64, balance: Quote, params: &ExchangeParams) -> Result<Quote> {
        let mut rolled = *self;
        rolled.roll(hour)?;
        rolled.room_here(balance, params)
    }

    /// The earliest time at which `limited` fits if nothing else leaves; `None` if it never does at this balance, or
    /// not before a booking of nothing has told the memory of a balance that has grown since the last one.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn fits_at(&self, limited: Quote, balance: Quote, params: &ExchangeParams, now: &Now) -> Result<Option<i64>> {
        let hour = hour_of(now.unix)?.max(self.hour);
        // After a day at rest nothing is remembered any more: what does not fit then never does.
        for ahead in 0..=HOURS {
            let then = some(hour.checked_add(ahead))?;
            if limited <= self.room_at(then, balance, params)? {
                return Ok(Some(some(then.checked_mul(HOUR))?.max(now.unix)));
            }
        }
        Ok(None)
    }
}

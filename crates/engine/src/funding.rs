//! Funding and the holding fee (section 6): the two indices and what a side owes. How the rate moves is in `path`, what
//! bounds it in `governor`.

mod governor;
mod path;

use crate::Now;
use crate::constants::{FUNDING_DT_CAP, HOUR, RATE_PER_RATIO, RATIO_SCALE};
use crate::error::{Error, Result, ensure};
use crate::market::{MarketState, Side};
use crate::math::{div_scale, fit, mul_signed, some};
use crate::price::Status;
use crate::units::{FundingIndex, FundingRate, Price, Ratio, Rounding, SignedQuote, index_to_quote};
use path::over_seconds;

/// Seconds in an hour, for divisions.
const HOUR_SECONDS: u64 = HOUR.unsigned_abs();
/// A rate (−12, per hour) times a price (−9) times seconds, to an index (−15): over 3600 and a million.
const RATE_TO_INDEX: u64 = HOUR_SECONDS * RATE_PER_RATIO;
/// Twice that, in powers of two and the rest.
const TWICE_BITS: u32 = 11;
const TWICE_ODD: u64 = 3_515_625;
const _: () = assert!(TWICE_ODD << TWICE_BITS == 2 * RATE_TO_INDEX);

/// What an accrual did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Accrual {
    /// Seconds charged.
    pub seconds: i64,
    /// The rate after.
    pub rate: FundingRate,
    /// What the longs have come to owe, net of what they receive.
    pub longs_owe: SignedQuote,
    /// What the shorts have come to owe.
    pub shorts_owe: SignedQuote,
}

impl MarketState {
    /// Charges funding and the holding fee since the last accrual at the stored price, if that is good or ageing
    /// (else the time is skipped where `skip_invalid`, i.e. an update was stored that is not valid). `dt` is capped.
    ///
    /// The rate moves by `clamp(skew ÷ K′, ±1) × velocity × dt`, or decays in the dead zone, within the lower of hard and
    /// soft cap: what is stored is what applies, so it cannot wind up. Its exact mean over the time is charged, so that the
    /// charge depends on the skew and not on how often anybody calls; each accrual rounds the rate by less than three units.
    /// Time that is not charged moves neither the governor nor the rate, but that it decays in the dead zone. An update
    /// that is stale when it is stored skips nothing: else whoever pays could put off the clock by posting old ones.
    ///
    /// # Errors
    /// [`Error::MathOverflow`], [`Error::TierInvalid`].
    pub fn accrue(&mut self, skip_invalid: bool, now: &Now) -> Result<Accrual> {
        self.touch(now);
        if now.unix <= self.funding.updated_at || self.is_settled() {
            return Ok(Accrual { rate: self.funding.rate, ..Accrual::default() });
        }
        self.accrue_in(self.status(now)?, skip_invalid, now)
    }

    /// As [`accrue`](Self::accrue), with the price in a state that the caller has just established.
    ///
    /// # Errors
    /// [`Error::MathOverflow`], [`Error::TierInvalid`].
    pub fn accrue_in(&mut self, status: Status, skip_invalid: bool, now: &Now) -> Result<Accrual> {
        let nothing = Accrual { rate: self.funding.rate, ..Accrual::default() };
        let elapsed = now.unix.saturating_sub(self.funding.updated_at);
        if elapsed <= 0 {
            return Ok(nothing);
        }
        if !status.is_valid() {
            if skip_invalid && status > Status::Stale {
                self.idle(fit(elapsed)?)?;
                self.funding.updated_at = now.unix;
            }
            return Ok(Accrual { rate: self.funding.rate, ..nothing });
        }
        let seconds = elapsed.min(FUNDING_DT_CAP);
        let dt = fit(seconds)?;
        let twice = self.run(dt)?;
        if elapsed > seconds {
            self.idle(fit(elapsed.saturating_sub(seconds))?)?;
        }
        self.funding.updated_at = now.unix;
        let price = self.price.last.price;
        let longs = some(twice.checked_add(self.holding_twice(&self.long, price, dt)?))?;
        let shorts = some(self.holding_twice(&self.short, price, dt)?.checked_sub(twice))?;
        Ok(Accrual {
            seconds,
            rate: self.funding.rate,
            longs_owe: self.long.charge(longs, price)?,
            shorts_owe: self.short.charge(shorts, price)?,
        })
    }

    /// Twice a side's holding fee over so many seconds: fee × (open interest ÷ cap)², the share at most 1, rounded up.
    fn holding_twice(&self, side: &Side, price: Price, dt: u64) -> Result<i64> {
        let fee = self.params.holding_fee.0;
        if fee == 0 || side.open_interest.is_zero() {
            return Ok(0);
        }
        let cap = self.params.open_interest_cap.0;
        let value = side.open_interest.value(price, Rounding::Up)?.0;
        let share = if value >= cap { RATIO_SCALE } else { Ratio::of(value, cap, Rounding::Up)?.0 };
        // Millionths cubed over a million: a rate, exponent -12. The share is below 2²⁰, twice.
        ensure(fee < 1 << 24, Error::MathOverflow)?;
        let rate = fee.wrapping_mul(share).wrapping_mul(share).div_ceil(RATIO_SCALE);
        over_seconds(some(rate.checked_mul(2))?, dt)
    }
}

impl Side {
    /// Moves the index by half of `twice`, a rate over seconds, rounded up (who pays rounds up, who receives down), and
    /// returns what the side has come to owe by it, rounded up. A side without open interest stands still.
    fn charge(&mut self, twice: i64, price: Price) -> Result<SignedQuote> {
        if twice == 0 || self.open_interest.is_zero() {
            return Ok(SignedQuote::ZERO);
        }
        // By magnitude: what is paid rounds up, what is received down, which is up in either case.
        let rounding = if twice > 0 { Rounding::Up } else { Rounding::Down };
        // The product of two words cannot leave 128 bits.
        let double = u128::from(price.0).wrapping_mul(u128::from(twice.unsigned_abs()));
        let change: i128 = fit(div_scale::<TWICE_BITS>(double, TWICE_ODD, rounding)?)?;
        let change = if twice > 0 { change } else { some(change.checked_neg())? };
        self.index = FundingIndex::new(some(self.index.get().checked_add(change))?);
        index_to_quote(mul_signed(change, self.open_interest.0)?, Rounding::Up)
    }

    /// What this side's positions owe and have not settled; negative when they are owed.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn funding_owed(&self, rounding: Rounding) -> Result<SignedQuote> {
        if self.open_interest.is_zero() {
            return Ok(SignedQuote::ZERO);
        }
        let charged = mul_signed(self.index.get(), self.open_interest.0)?;
        index_to_quote(some(charged.checked_sub(self.funding_entry.get()))?, rounding)
    }
}

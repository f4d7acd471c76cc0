//! Funding and the holding fee (section 6): the rate, the two indices, what a side owes.

use crate::Now;
use crate::constants::{FUNDING_DT_CAP, HOUR, RATE_PER_RATIO, RATIO_SCALE};
use crate::error::Result;
use crate::market::{MarketState, Side};
use crate::math::{div_u128, div_wide, fit, mul_div, mul_signed, some};
use crate::price::Status;
use crate::units::{FundingIndex, FundingRate, Price, Ratio, Rounding, SignedQuote, index_to_quote};

/// Seconds in an hour, for divisions.
const HOUR_SECONDS: u64 = HOUR.unsigned_abs();
/// A rate (−12, per hour) times a price (−9) times seconds, to an index (−15): over 3600 and a million.
const RATE_TO_INDEX: u64 = HOUR_SECONDS * RATE_PER_RATIO;
const _: () = assert!(RATE_TO_INDEX < 1 << 32, "the divisor of the hot path stays short");
/// The natural logarithm of two, millionths.
const LN_2: u64 = 693_147;
/// What makes the decay's curve end at exactly a half: ln 2 − ½, millionths.
const LN_2_LESS_HALF: u64 = LN_2 - RATIO_SCALE / 2;

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
    /// The rate moves by `clamp(skew ÷ K′, ±1) × velocity × dt`, or decays in the dead zone, and is then clamped to the
    /// hard cap, so it cannot wind up. The mean of the rates before and after is charged. An update that is stale when it
    /// is stored skips nothing: else whoever pays could put off the clock by posting old ones.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow), [`Error::TierInvalid`](crate::Error::TierInvalid).
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
    /// [`Error::MathOverflow`](crate::Error::MathOverflow), [`Error::TierInvalid`](crate::Error::TierInvalid).
    pub fn accrue_in(&mut self, status: Status, skip_invalid: bool, now: &Now) -> Result<Accrual> {
        let nothing = Accrual { rate: self.funding.rate, ..Accrual::default() };
        let elapsed = now.unix.saturating_sub(self.funding.updated_at);
        if elapsed <= 0 {
            return Ok(nothing);
        }
        if !status.is_valid() {
            if skip_invalid && status > Status::Stale {
                self.funding.updated_at = now.unix;
            }
            return Ok(nothing);
        }
        let seconds = elapsed.min(FUNDING_DT_CAP);
        let dt = fit(seconds)?;
        let cap = self.params.funding_cap.min(self.rules()?.funding_cap);
        let cap: i64 = fit(some(cap.0.checked_mul(RATE_PER_RATIO))?)?;
        let least = some(cap.checked_neg())?;
        // The cap may have been lowered since.
        let before = self.funding.rate.0.clamp(least, cap);
        let after = self.next_rate(before, dt)?.clamp(least, cap);
        let twice = some(before.checked_add(after))?;
        self.funding.rate = FundingRate(after);
        self.funding.updated_at = now.unix;
        let price = self.price.last.price;
        let longs = some(twice.checked_add(self.holding_twice(&self.long, price)?))?;
        let shorts = some(self.holding_twice(&self.short, price)?.checked_sub(twice))?;
        Ok(Accrual {
            seconds,
            rate: self.funding.rate,
            longs_owe: self.long.charge(longs, price, dt)?,
            shorts_owe: self.short.charge(shorts, price, dt)?,
        })
    }

    /// The rate after so many seconds, before the cap; the change is rounded towards nothing.
    fn next_rate(&self, rate: i64, dt: u64) -> Result<i64> {
        let params = &self.params;
        let skew = self.skew()?;
        let size = skew.size().0;
        let scale = params.funding_skew_scale.0;
        let wide = |a: u64, b: u64| u128::from(a).wrapping_mul(u128::from(b));
        if wide(size, RATIO_SCALE) <= wide(scale, params.funding_dead_zone.0) {
            return decayed(rate, dt, params.funding_half_life);
        }
        let full = some(params.funding_velocity.checked_mul(dt))?;
        let change = if size >= scale {
            some(full.checked_div(HOUR_SECONDS))?
        } else {
            div_u128(wide(size, full), some(scale.checked_mul(HOUR_SECONDS))?, Rounding::Down)?
        };
        let change: i64 = fit(change)?;
        some(if skew.0 > 0 { rate.checked_add(change) } else { rate.checked_sub(change) })
    }

    /// Twice a side's holding fee as a rate: fee × (open interest ÷ cap)², the share at most 1, rounded up.
    fn holding_twice(&self, side: &Side, price: Price) -> Result<i64> {
        let fee = self.params.holding_fee.0;
        if fee == 0 || side.open_interest.is_zero() {
            return Ok(0);
        }
        let cap = self.params.open_interest_cap.0;
        let value = side.open_interest.value(price, Rounding::Up)?.0;
        let share = if value >= cap { RATIO_SCALE } else { Ratio::of(value, cap, Rounding::Up)?.0 };
        // Millionths cubed over a million: a rate, exponent -12.
        let rate: i64 = fit(mul_div(some(fee.checked_mul(share))?, share, RATIO_SCALE, Rounding::Up)?)?;
        some(rate.checked_mul(2))
    }
}

/// A rate after decaying for `dt` seconds: whole half-lives halve it; for the part `x` of one that remains the factor is
/// `1 − ln 2 × x + (ln 2 − ½) × x²`, which has the slope of 2⁻ˣ at 0 and its value at 1 and is never off by more than
/// 0.8 % of it. A straight line would make the half-life 39 % longer for a market that accrues every second. Rounded to
/// nothing, so that it gets there.
fn decayed(rate: i64, dt: u64, half_life: u64) -> Result<i64> {
    if rate == 0 || half_life == 0 {
        return Ok(0);
    }
    let (whole, rest) = (some(dt.checked_div(half_life))?, some(dt.checked_rem(half_life))?);
    let size = rate.unsigned_abs().checked_shr(fit(whole)?).unwrap_or(0);
    let slope = some(half_life.checked_mul(LN_2))?;
    let slope = some(slope.checked_sub(some(rest.checked_mul(LN_2_LESS_HALF))?))?;
    let square = some(half_life.checked_mul(half_life).and_then(|square| square.checked_mul(RATIO_SCALE)))?;
    let lost = mul_div(size, some(rest.checked_mul(slope))?, square, Rounding::Up)?;
    let left: i64 = fit(size.saturating_sub(lost))?;
    if rate > 0 { Ok(left) } else { some(left.checked_neg()) }
}

impl Side {
    /// Moves the index by half of `twice` a rate for so many seconds, rounded up (who pays rounds up, who receives down),
    /// and returns what the side has come to owe by it, rounded up. A side without open interest stands still.
    fn charge(&mut self, twice: i64, price: Price, dt: u64) -> Result<SignedQuote> {
        if twice == 0 || self.open_interest.is_zero() {
            return Ok(SignedQuote::ZERO);
        }
        // By magnitude: what is paid rounds up, what is received down, which is up in either case.
        let (pays, rounding) = if twice > 0 { (1, Rounding::Up) } else { (0, Rounding::Down) };
        // A rate stays below 2³³ and an accrual below an hour; the product of two words cannot leave 128 bits.
        let rate_seconds = some(twice.unsigned_abs().checked_mul(dt))?;
        let double = u128::from(price.0).wrapping_mul(u128::from(rate_seconds));
        // Halving first keeps the divisor short; two roundings the same way are one by the product.
        let single = some((double >> 1).checked_add(double & pays))?;
        let change: i128 = fit(div_wide(single, RATE_TO_INDEX, rounding)?)?;
        let change = if twice > 0 { change } else { some(change.checked_neg())? };
        self.index = FundingIndex::new(some(self.index.get().checked_add(change))?);
        index_to_quote(mul_signed(change, self.open_interest.0)?, Rounding::Up)
    }

    /// What this side's positions owe and have not settled; negative when they are owed.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow).
    pub fn funding_owed(&self, rounding: Rounding) -> Result<SignedQuote> {
        if self.open_interest.is_zero() {
            return Ok(SignedQuote::ZERO);
        }
        let charged = mul_signed(self.index.get(), self.open_interest.0)?;
        index_to_quote(some(charged.checked_sub(self.funding_entry.get()))?, rounding)
    }
}

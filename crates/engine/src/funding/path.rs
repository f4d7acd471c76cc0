//! How the rate moves while skew and cap stand still, and its exact integral. Time is whole seconds, for those are what
//! the chain's clock has; every function here gives the same over a stretch of seconds and over its parts, but for the
//! rounding of the rate at each end of a part.

use super::HOUR_SECONDS;
use crate::constants::RATIO_SCALE;
use crate::error::{Error, Result, ensure};
use crate::market::MarketState;
use crate::math::{fit, mul_div, some};
use crate::units::{Ratio, Rounding};

/// One, in the fixed point of [`half_power`].
pub(super) const ONE: u64 = 1 << 32;
/// 2⁻ˣ for x from 0 to 1 as `1 − x (a₁ − x (a₂ − x (a₃ − …)))`, exponent 2⁻³². The slope at 0 is ln 2 and the value at 1
/// a half, so that one step and many make the same curve; in between it is never off by more than 1.2 × 10⁻⁸ of itself.
const CURVE: [u64; 6] = [2_977_044_472, 1_031_763_841, 238_370_203, 41_222_698, 5_548_350, 492_837];
/// Twice 1 ÷ ln 2, exponent 2⁻³²: what a decay over one half-life loses, times this, is twice its integral in half-lives.
const TWICE_PER_LN_2: u64 = 12_392_656_037;

/// Where the skew pulls the rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pull {
    /// Whether the longs are more.
    pub up: bool,
    /// Whether it is in the dead zone: the rate decays.
    pub rests: bool,
    /// Whether it is above the governor's threshold.
    pub heavy: bool,
    /// Its share of K', millionths rounded up, all of it at most.
    share: u64,
}

/// A stretch of the rate's path. Integrals are in rate times seconds, doubled, since areas under straight lines are halves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// The rate at its end.
    pub after: i64,
    /// Twice the integral of the rate.
    pub twice: i64,
    /// Twice the integral of its size.
    pub size_twice: u64,
}

/// The product of two numbers of which the first is below 2³² and the second no larger than that, as rates and what they
/// are multiplied by are; a wider one is an error, which is cheaper than a multiplication that tells.
pub(super) fn short(rate: u64, by: u64) -> Result<u64> {
    ensure(rate < ONE && by <= ONE, Error::MathOverflow)?;
    Ok(rate.wrapping_mul(by))
}

/// A sum of rates over so many seconds, an hour at most, checked in the same way.
pub(super) fn over_seconds(size: u64, dt: u64) -> Result<i64> {
    ensure(size < 1 << 50 && dt < 1 << 13, Error::MathOverflow)?;
    fit(size.wrapping_mul(dt))
}

/// 2⁻ˣ rounded down but for `x` = 0, both with exponent 2⁻³²; `x` below one.
pub(super) fn half_power(x: u64) -> u64 {
    // All factors are below 2³², so that no product leaves 64 bits and no difference falls below zero.
    let tail = CURVE.iter().rev().fold(0, |tail, next| next.wrapping_sub(x.wrapping_mul(tail) >> 32));
    ONE.wrapping_sub((x.wrapping_mul(tail)).div_ceil(ONE))
}

/// A rate after decaying for `dt` seconds: whole half-lives halve it, the rest is [`half_power`]'s. Rounded to nothing,
/// so that it gets there.
pub(super) fn decayed(rate: i64, dt: u64, half_life: u64) -> Result<i64> {
    if rate == 0 || half_life == 0 {
        return Ok(0);
    }
    let (whole, rest) = (some(dt.checked_div(half_life))?, some(dt.checked_rem(half_life))?);
    let size = rate.unsigned_abs().checked_shr(u32::try_from(whole).unwrap_or(u32::MAX)).unwrap_or(0);
    let x = some(rest.checked_mul(ONE).and_then(|rest| rest.checked_div(half_life)))?;
    let left: i64 = fit(short(size, half_power(x))? >> 32)?;
    if rate > 0 { Ok(left) } else { some(left.checked_neg()) }
}

impl MarketState {
    /// Where the skew pulls.
    pub(super) fn pull(&self) -> Result<Pull> {
        let params = &self.params;
        let skew = self.skew()?;
        let (size, scale) = (skew.size().0, params.funding_skew_scale.0);
        // Rounded up, so that an atom beyond dead zone or threshold is beyond it.
        let share = if size >= scale { RATIO_SCALE } else { Ratio::of(size, scale, Rounding::Up)?.0 };
        Ok(Pull {
            up: skew.0 > 0,
            rests: share <= params.funding_dead_zone.0,
            heavy: share > params.funding_threshold.0,
            share,
        })
    }

    /// The path of a rate within ± `cap` over so many seconds, an hour at most.
    pub(super) fn stretch(&self, pull: &Pull, rate: i64, cap: i64, dt: u64) -> Result<Stretch> {
        if pull.rests && rate == 0 {
            Ok(Stretch { after: 0, twice: 0, size_twice: 0 })
        } else if pull.rests {
            fall(rate, dt, self.params.funding_half_life)
        } else {
            // What it gains: velocity × share × time, rounded down.
            let full: u64 = fit(over_seconds(self.params.funding_velocity, dt)?)?;
            let gain = mul_div(full, pull.share, HOUR_SECONDS * RATIO_SCALE, Rounding::Down)?;
            glide(pull.up, rate, gain, cap, dt)
        }
    }
}

/// A decay. The integral of `r × 2^(−t ÷ half-life)` is what it loses, times the half-life over ln 2.
fn fall(rate: i64, dt: u64, half_life: u64) -> Result<Stretch> {
    let after = decayed(rate, dt, half_life)?;
    let lost = rate.unsigned_abs().abs_diff(after.unsigned_abs());
    let area = u128::from(short(lost, half_life)?).wrapping_mul(u128::from(TWICE_PER_LN_2));
    let size_twice = fit(area >> 32)?;
    let twice: i64 = fit(size_twice)?;
    Ok(Stretch { after, twice: if rate > 0 { twice } else { some(twice.checked_neg())? }, size_twice })
}

/// A straight line that gains so much over the seconds and stays at the cap once there.
fn glide(up: bool, rate: i64, gain: u64, cap: i64, dt: u64) -> Result<Stretch> {
    // Seen from the side that it is pulled to, it rises.
    let rate = if up { rate } else { some(rate.checked_neg())? };
    let end = some(rate.checked_add(fit(gain)?))?;
    let sum = some(rate.checked_add(end))?;
    let line = over_seconds(sum.unsigned_abs(), dt)?;
    let mut twice = if sum >= 0 { line } else { some(line.checked_neg())? };
    // Twice the triangle that the line makes with a level so far from its end; never where it gains nothing.
    let corner =
        |height: u64| -> Result<i64> { fit(mul_div(fit(over_seconds(height, dt)?)?, height, gain, Rounding::Down)?) };
    if end > cap && rate < cap {
        // From where it meets the cap.
        twice = some(twice.checked_sub(corner(cap.abs_diff(end))?))?;
    } else if end > cap {
        twice = some(over_seconds(cap.unsigned_abs(), dt)?.checked_mul(2))?;
    }
    let after = end.min(cap);
    let size_twice = if rate >= 0 {
        twice
    } else if after <= 0 {
        some(twice.checked_neg())?
    } else {
        // It was below zero until it crossed it.
        let below = corner(rate.unsigned_abs())?;
        some(below.checked_mul(2).and_then(|below| twice.checked_add(below)))?
    };
    let size_twice = fit(size_twice.max(0))?;
    let (after, twice) = if up { (after, twice) } else { (some(after.checked_neg())?, some(twice.checked_neg())?) };
    Ok(Stretch { after, twice, size_twice })
}

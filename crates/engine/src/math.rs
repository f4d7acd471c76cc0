//! Checked integer maths. Each division names its rounding; a 128-bit division is the dearest thing on the hot path,
//! so the divisors used there are below 2³², for which the runtime has a short path.

use crate::error::{Error, Result};
use crate::units::Rounding;

/// `a × b ÷ d`.
///
/// # Errors
/// [`Error::MathOverflow`] if the result leaves `u64` or `d` is zero.
#[inline]
pub fn mul_div(a: u64, b: u64, d: u64, rounding: Rounding) -> Result<u64> {
    if let Some(short) = short_product(a, b) {
        return div_u128(u128::from(short), d, rounding);
    }
    // The product of two words cannot leave 128 bits.
    div_u128(u128::from(a).wrapping_mul(u128::from(b)), d, rounding)
}

/// The product of an amount below 2⁴⁴ and a number below 2²⁰, as shares and seconds are: a word holds it, and the machine
/// multiplies by itself. `None` for larger ones.
#[inline]
pub const fn short_product(a: u64, b: u64) -> Option<u64> {
    if a >> 44 == 0 && b >> 20 == 0 { Some(a.wrapping_mul(b)) } else { None }
}

/// `n ÷ d` to 64 bits.
///
/// # Errors
/// [`Error::MathOverflow`] if the result leaves `u64` or `d` is zero.
#[inline]
pub fn div_u128(n: u128, d: u64, rounding: Rounding) -> Result<u64> {
    u64::try_from(div_wide(n, d, rounding)?).map_err(|_| Error::MathOverflow.into())
}

/// `n ÷ d` to 128 bits.
///
/// # Errors
/// [`Error::MathOverflow`] if `d` is zero.
#[inline]
pub fn div_wide(n: u128, d: u64, rounding: Rounding) -> Result<u128> {
    // Most amounts fit 64 bits, where the machine divides by itself.
    if let Ok(n) = u64::try_from(n) {
        let q = n.checked_div(d).ok_or(Error::MathOverflow)?;
        let exact = n.checked_rem(d) == Some(0);
        return bump(u128::from(q), exact, rounding);
    }
    let q = n.checked_div(u128::from(d)).ok_or(Error::MathOverflow)?;
    // One division, not two: the remainder follows from the quotient, and their product cannot leave the dividend's range.
    let exact = rounding == Rounding::Down || q.wrapping_mul(u128::from(d)) == n;
    bump(q, exact, rounding)
}

/// `n ÷ (2^BITS × odd)`: what a scale has of twos is a shift, and what is left of the dividend then mostly fits 64 bits.
/// Two roundings the same way are one by the product.
///
/// # Errors
/// [`Error::MathOverflow`] if `odd` is zero.
#[inline]
pub fn div_scale<const BITS: u32>(n: u128, odd: u64, rounding: Rounding) -> Result<u128> {
    let whole = n >> BITS;
    let exact = rounding == Rounding::Down || whole << BITS == n;
    // Shifted to the right it has room for one more.
    div_wide(if exact { whole } else { whole.wrapping_add(1) }, odd, rounding)
}

#[inline]
fn bump(q: u128, exact: bool, rounding: Rounding) -> Result<u128> {
    match rounding {
        Rounding::Down => Ok(q),
        Rounding::Up if exact => Ok(q),
        Rounding::Up => q.checked_add(1).ok_or(Error::MathOverflow.into()),
    }
}

/// `a × b` of a signed number. Most of them are short, and then so is the multiplication.
///
/// # Errors
/// [`Error::MathOverflow`] if the result's magnitude leaves 127 bits.
#[inline]
pub fn mul_signed(a: i128, b: u64) -> Result<i128> {
    let (magnitude, b) = (a.unsigned_abs(), u128::from(b));
    let product = match u64::try_from(magnitude) {
        // The product of two words cannot leave 128 bits.
        Ok(short) => u128::from(short).wrapping_mul(b),
        Err(_) => some(magnitude.checked_mul(b))?,
    };
    let product: i128 = fit(product)?;
    if a >= 0 { Ok(product) } else { some(product.checked_neg()) }
}

/// A number that must fit, or [`Error::MathOverflow`].
///
/// # Errors
/// [`Error::MathOverflow`] if it does not fit.
#[inline]
pub fn fit<A, B: TryFrom<A>>(value: A) -> Result<B> {
    B::try_from(value).map_err(|_| Error::MathOverflow.into())
}

/// An `Option` from a checked operation, or [`Error::MathOverflow`].
///
/// # Errors
/// [`Error::MathOverflow`] on `None`.
#[inline]
pub fn some<T>(value: Option<T>) -> Result<T> {
    value.ok_or(Error::MathOverflow.into())
}

/// Which period of so many seconds a time lies in. Through unsigned numbers: the chain's machine has no signed division.
///
/// # Errors
/// [`Error::MathOverflow`] for a time before 1970 or a zero length.
#[inline]
pub fn period(unix: i64, seconds: i64) -> Result<i64> {
    fit(some(fit::<i64, u64>(unix)?.checked_div(fit(seconds)?))?)
}

/// The place of a period among `places` that are used in turn.
///
/// # Errors
/// [`Error::MathOverflow`] for a negative period or no places.
#[inline]
pub fn place_of(period: i64, places: i64) -> Result<usize> {
    fit(some(fit::<i64, u64>(period)?.checked_rem(fit(places)?))?)
}

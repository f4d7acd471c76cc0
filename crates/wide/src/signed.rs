//! Signed division, by magnitudes.

use crate::divide::udivmod;
use crate::halves::{high, join, low};

/// `n / d`, rounded towards zero. `i128::MIN / -1` wraps to `i128::MIN`; Rust checks for it before it divides.
///
/// # Panics
///
/// If `d` is zero, as in [`udivmod`].
#[must_use]
#[inline(always)]
pub fn div(n: i128, d: i128) -> i128 {
    let (quotient, _) = udivmod(magnitude(n), magnitude(d));
    with_sign(quotient, negative(n) != negative(d))
}

/// `n % d`, with the sign of `n`. `i128::MIN % -1` is zero; Rust checks for it before it divides.
///
/// # Panics
///
/// If `d` is zero, as in [`udivmod`].
#[must_use]
#[inline(always)]
pub fn rem(n: i128, d: i128) -> i128 {
    let (_, remainder) = udivmod(magnitude(n), magnitude(d));
    with_sign(remainder, negative(n))
}

/// Whether a value is below zero, by its upper half: the compiler would compare all of it.
#[inline(always)]
fn negative(value: i128) -> bool {
    (high(value as u128) as i64) < 0
}

/// The absolute value. `unsigned_abs` computes with a mask even where there is no sign to take off, and most values have
/// none.
#[inline(always)]
fn magnitude(value: i128) -> u128 {
    if negative(value) { negate(value as u128) } else { value as u128 }
}

/// `magnitude`, negated where asked, modulo 2^128.
#[inline(always)]
fn with_sign(magnitude: u128, negative: bool) -> i128 {
    if negative { negate(magnitude) as i128 } else { magnitude as i128 }
}

/// `-value` modulo 2^128.
#[inline(always)]
fn negate(value: u128) -> u128 {
    let (upper, lower) = (high(value), low(value));
    join(0u64.wrapping_sub(upper).wrapping_sub((lower != 0) as u64), 0u64.wrapping_sub(lower))
}

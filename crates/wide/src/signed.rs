//! Signed division, by magnitudes.

use crate::divide::udivmod;

/// `n / d`, rounded towards zero. `i128::MIN / -1` wraps to `i128::MIN`; Rust checks for it before it divides.
///
/// # Panics
///
/// If `d` is zero, as in [`udivmod`].
#[must_use]
#[inline(always)]
pub const fn div(n: i128, d: i128) -> i128 {
    let (quotient, _) = udivmod(n.unsigned_abs(), d.unsigned_abs());
    with_sign(quotient, (n < 0) != (d < 0))
}

/// `n % d`, with the sign of `n`. `i128::MIN % -1` is zero; Rust checks for it before it divides.
///
/// # Panics
///
/// If `d` is zero, as in [`udivmod`].
#[must_use]
#[inline(always)]
pub const fn rem(n: i128, d: i128) -> i128 {
    let (_, remainder) = udivmod(n.unsigned_abs(), d.unsigned_abs());
    with_sign(remainder, n < 0)
}

/// `magnitude`, negated where asked, modulo 2^128.
#[inline(always)]
const fn with_sign(magnitude: u128, negative: bool) -> i128 {
    if negative { magnitude.wrapping_neg() as i128 } else { magnitude as i128 }
}

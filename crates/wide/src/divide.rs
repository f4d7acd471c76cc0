//! Unsigned division, with the cheapest path that the size of the divisor allows.
//!
//! Every fixed-point step on chain pays for a division, and a bit-by-bit one costs thousands of compute units.

use crate::halves::{DIGIT, high, join, low};
use crate::multiply::mul_high;

/// Quotient and remainder of `n / d`.
///
/// # Panics
///
/// If `d` is zero. Rust checks for that before it calls the routines made from this one; what reaches it anyway stops
/// the program and never yields a number.
#[must_use]
#[inline(always)]
pub fn udivmod(n: u128, d: u128) -> (u128, u128) {
    let (n1, n0) = (high(n), low(n));
    let (d1, d0) = (high(d), low(d));
    if d1 != 0 {
        return by_two_words(n1, n0, d1, d0);
    }
    if n1 == 0 {
        return (join(0, n0 / d0), join(0, n0 % d0));
    }
    // The upper half of the quotient, by the hardware; most quotients have none.
    let (q1, r1) = if n1 < d0 { (0, n1) } else { (n1 / d0, n1 % d0) };
    let (q0, r) = if d0 >> 32 == 0 { by_one_digit(r1, n0, d0) } else { by_one_word(r1, n0, d0) };
    (join(q1, q0), join(0, r))
}

/// `(n1 * 2^64 + n0) / d` for `n1 < d < 2^32`: schoolbook division in two hardware steps.
#[inline(always)]
fn by_one_digit(n1: u64, n0: u64, d: u64) -> (u64, u64) {
    // `n1 < d`, so the dividends fit a word and the quotients fit a digit.
    let upper = (n1 << 32) | (n0 >> 32);
    let (q1, r1) = (upper / d, upper % d);
    let lower = (r1 << 32) | (n0 & DIGIT);
    ((q1 << 32) | (lower / d), lower % d)
}

/// `(n1 * 2^64 + n0) / d` for `n1 < d` and `2^32 <= d`: Knuth's algorithm D (The Art of Computer Programming, volume 2,
/// 4.3.1) with two 32-bit digits of quotient, as in Hacker's Delight, `divlu`.
#[inline(always)]
fn by_one_word(n1: u64, n0: u64, d: u64) -> (u64, u64) {
    let shift = leading_zeros_below_32(d);
    let d = d << shift;
    // In two shifts on the right: `shift` can be zero, and a shift by 64 is none at all.
    let upper = (n1 << shift) | ((n0 >> 1) >> (63 - shift));
    let lower = n0 << shift;
    let (q1, r1) = quotient_digit(upper, lower >> 32, d);
    let (q0, r0) = quotient_digit(r1, lower & DIGIT, d);
    ((q1 << 32) | q0, r0 >> shift)
}

/// One step of algorithm D: `(n * 2^32 + next) / d` for `n < d`, `next < 2^32` and the top bit of `d` set.
#[inline(always)]
fn quotient_digit(n: u64, next: u64, d: u64) -> (u64, u64) {
    let (d1, d0) = (d >> 32, d & DIGIT);
    let (mut q, mut r) = (n / d1, n % d1);
    // The estimate from the leading digit is at most two too large; a look at the next digit finds that out, and needs
    // no more looking once `r` has outgrown a digit.
    while q > DIGIT || q.wrapping_mul(d0) > ((r << 32) | next) {
        q = q.wrapping_sub(1);
        r = r.wrapping_add(d1);
        if r > DIGIT {
            break;
        }
    }
    // The true remainder fits a word, so what wraps on the way does not matter.
    (q, ((n << 32) | next).wrapping_sub(q.wrapping_mul(d)))
}

/// `n / d` for `d >= 2^64`, so that the quotient is a single word: estimated from the leading word of the divisor, as in
/// Hacker's Delight, `udivdi3`.
#[inline(always)]
fn by_two_words(n1: u64, n0: u64, d1: u64, d0: u64) -> (u128, u128) {
    if n1 < d1 || (n1 == d1 && n0 < d0) {
        return (0, join(n1, n0));
    }
    let shift = leading_zeros(d1);
    let leading = (d1 << shift) | ((d0 >> 1) >> (63 - shift));
    // Halving the dividend keeps it below the divisor's leading word, whose top bit is set.
    let (estimate, _) = by_one_word(n1 >> 1, (n1 << 63) | (n0 >> 1), leading);
    // The estimate is at most one too large; one less is at most one too small, which the remainder shows.
    let q = (estimate >> (63 - shift)).saturating_sub(1);
    let (p1, p0) = (mul_high(q, d0).wrapping_add(q.wrapping_mul(d1)), q.wrapping_mul(d0));
    let (r1, r0) = subtract(n1, n0, p1, p0);
    if r1 > d1 || (r1 == d1 && r0 >= d0) {
        let (r1, r0) = subtract(r1, r0, d1, d0);
        return (join(0, q.wrapping_add(1)), join(r1, r0));
    }
    (join(0, q), join(r1, r0))
}

/// `a - b` on pairs of words, modulo 2^128.
#[inline(always)]
fn subtract(a1: u64, a0: u64, b1: u64, b0: u64) -> (u64, u64) {
    (a1.wrapping_sub(b1).wrapping_sub((a0 < b0) as u64), a0.wrapping_sub(b0))
}

/// The number of leading zeros of a word that is not zero. The hardware cannot count them, and these few tests cost half
/// of what the compiler makes of `u64::leading_zeros`.
#[inline(always)]
fn leading_zeros(word: u64) -> u32 {
    if word >> 32 == 0 { 32 + leading_zeros_below_32(word << 32) } else { leading_zeros_below_32(word) }
}

/// [`leading_zeros`] of a word that has fewer than 32.
#[inline(always)]
fn leading_zeros_below_32(mut word: u64) -> u32 {
    let mut count = 0;
    if word >> 48 == 0 {
        count = 16;
        word <<= 16;
    }
    if word >> 56 == 0 {
        count += 8;
        word <<= 8;
    }
    if word >> 60 == 0 {
        count += 4;
        word <<= 4;
    }
    if word >> 62 == 0 {
        count += 2;
        word <<= 2;
    }
    if word >> 63 == 0 {
        count += 1;
    }
    count
}

//! Multiplication by 32-bit digits.

use crate::halves::{DIGIT, high, join, low};

/// The upper half of `a * b`; the lower half is `a.wrapping_mul(b)`.
#[inline(always)]
pub(crate) fn mul_high(a: u64, b: u64) -> u64 {
    let (a1, a0) = (opaque(a >> 32), a & DIGIT);
    let (b1, b0) = (b >> 32, b & DIGIT);
    // Neither sum can wrap: (2^32 - 1)^2 + 2 * (2^32 - 1) = 2^64 - 1.
    let middle = a1.wrapping_mul(b0).wrapping_add(a0.wrapping_mul(b0) >> 32);
    let cross = a0.wrapping_mul(b1).wrapping_add(middle & DIGIT);
    a1.wrapping_mul(b1).wrapping_add(middle >> 32).wrapping_add(cross >> 32)
}

/// `a * b` modulo 2^128, so of signed values too.
#[must_use]
#[inline(always)]
pub fn mul(a: u128, b: u128) -> u128 {
    let (a1, a0) = (high(a), low(a));
    let (b1, b0) = (high(b), low(b));
    let upper = mul_high(a0, b0).wrapping_add(a1.wrapping_mul(b0)).wrapping_add(a0.wrapping_mul(b1));
    join(upper, a0.wrapping_mul(b0))
}

/// `word`, of which the optimiser knows nothing any more. LLVM recognises a high product put together from digits and
/// replaces it by a 128-bit multiplication: `__multi3` would call itself for ever.
#[inline(always)]
fn opaque(word: u64) -> u64 {
    #[cfg(not(ballast_registry_toolchain))]
    return word;
    #[cfg(ballast_registry_toolchain)]
    {
        let mut word = word;
        // SAFETY: no instruction at all, so the word stays what it is, and nothing else is touched.
        unsafe { core::arch::asm!("/* {0} */", inout(reg) word, options(pure, nomem, nostack, preserves_flags)) };
        word
    }
}

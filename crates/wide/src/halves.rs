//! Taking 128-bit values apart and putting them together.

/// The lower 32 bits of a 64-bit word.
pub(crate) const DIGIT: u64 = 0xffff_ffff;

/// The upper 64 bits.
#[inline(always)]
pub(crate) fn high(value: u128) -> u64 {
    (value >> 64) as u64
}

/// The lower 64 bits.
#[inline(always)]
pub(crate) fn low(value: u128) -> u64 {
    value as u64
}

/// `high * 2^64 + low`.
#[inline(always)]
pub(crate) fn join(high: u64, low: u64) -> u128 {
    ((high as u128) << 64) | low as u128
}

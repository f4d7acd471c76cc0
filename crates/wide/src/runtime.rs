//! The routines that compiled code calls for 128-bit `*`, `/` and `%`.
//!
//! LLVM passes each argument in two registers and takes the result in two, while rustc's own calling conventions return
//! a 128-bit value through a pointer: with a plain `extern "C"` the caller reads garbage. `extern "unadjusted"` hands the
//! types to LLVM as they are, so both sides agree.
//!
//! Shifts need nothing here: LLVM expands 128-bit ones in place on this target.

/// `a * b`, signed or unsigned.
// SAFETY: the symbol is LLVM's name for this very operation, and the one other definition of it, in
// solana-compiler-builtins, is weak.
#[unsafe(no_mangle)]
pub extern "unadjusted" fn __multi3(a: u128, b: u128) -> u128 {
    crate::mul(a, b)
}

/// `n / d`, unsigned.
// SAFETY: as for `__multi3`.
#[unsafe(no_mangle)]
pub extern "unadjusted" fn __udivti3(n: u128, d: u128) -> u128 {
    crate::udivmod(n, d).0
}

/// `n % d`, unsigned.
// SAFETY: as for `__multi3`.
#[unsafe(no_mangle)]
pub extern "unadjusted" fn __umodti3(n: u128, d: u128) -> u128 {
    crate::udivmod(n, d).1
}

/// `n / d`, signed.
// SAFETY: the symbol is LLVM's name for this very operation; nothing else defines it.
#[unsafe(no_mangle)]
pub extern "unadjusted" fn __divti3(n: i128, d: i128) -> i128 {
    crate::div(n, d)
}

/// `n % d`, signed.
// SAFETY: as for `__divti3`.
#[unsafe(no_mangle)]
pub extern "unadjusted" fn __modti3(n: i128, d: i128) -> i128 {
    crate::rem(n, d)
}

//! 128-bit multiplication and division for SBPF programs built from package registries alone.
//!
//! SBPF has no 128-bit arithmetic, so the compiler calls routines named `__multi3`, `__udivti3` and so on. Solana's
//! own tools bring them. The registry toolchain of `scripts/build-program` does not, and sets the cfg
//! `ballast_registry_toolchain` to ask for the `runtime` module here. A program needs only a dependency on this crate
//! and `use ballast_wide as _;`: in every other build that adds nothing.
//!
//! The functions are ordinary ones, tested on the host against the native operators. They work on 64-bit halves
//! and must never use `*`, `/` or `%` on a 128-bit value: the compiler would call the routine that is being defined.

#![no_std]
#![cfg_attr(ballast_registry_toolchain, feature(abi_unadjusted, asm_experimental_arch))]
#![cfg_attr(ballast_registry_toolchain, allow(internal_features, reason = "there is no other way to say that ABI"))]

mod divide;
mod halves;
mod multiply;
#[cfg(ballast_registry_toolchain)]
pub mod runtime;
mod signed;

pub use divide::udivmod;
pub use multiply::mul;
pub use signed::{div, rem};

// Linked for the symbols it exports, not for its items.
#[cfg(ballast_registry_toolchain)]
use solana_compiler_builtins as _;

//! Instructions of this role.
#![allow(ambiguous_glob_reexports, reason = "each file has its own `handle`; callers name the file")]

pub mod emergency_pause;
pub mod protect_market;

pub use emergency_pause::*;
pub use protect_market::*;

//! An exchange with many traders on a local validator, prices for it, and keepers as processes.

#![allow(dead_code, reason = "each test needs a part of it")]

pub(crate) mod fake;
pub(crate) mod keepers;
pub(crate) mod path;
pub(crate) mod proxy;
pub(crate) mod stage;
pub(crate) mod stranger;

//! The keeper: watches every account of an exchange and does what anyone may do, for the rewards that the rules give.
//!
//! It reads the program's accounts once, then follows them over a websocket, and compares the whole from time to time
//! ([`book`], [`feed`]). On every price it judges every account with the engine ([`ballast_client::health`]); each [`jobs::Job`] says what
//! should be sent; [`dispatch`] simulates, prices, signs, sends and confirms. It needs no capital: the pool takes over what
//! is liquidated. docs/KEEPERS.md is for those who run one.

pub mod args;
pub mod book;
pub mod config;
pub mod dispatch;
pub mod feed;
pub mod fees;
pub mod jobs;
pub mod keeper;
pub mod ledger;
pub mod metrics;
pub mod nodes;
pub mod serve;
pub mod table;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nothing here is left half done by a panic elsewhere.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Proposals (section 11): what may be queued, when it may be executed, and what storing it does.

use crate::Now;
use crate::error::{Error, Result};
use crate::layout;
use crate::layout::Key;
use crate::market::MarketState;
use crate::params::{Class, ExchangeParams};

/// Kinds of proposals, as stored.
pub mod kind {
    /// A market's parameter.
    pub const MARKET_PARAMETER: u8 = 0;
    /// An exchange's parameter.
    pub const EXCHANGE_PARAMETER: u8 = 1;
    /// A new governance key, which must accept after the delay.
    pub const GOVERNANCE: u8 = 2;
    /// A new committee.
    pub const COMMITTEE: u8 = 3;
    /// A new guardian (dismissal and appointment in one, 8 days).
    pub const GUARDIAN: u8 = 4;
    /// A market's oracle feed.
    pub const ORACLE_FEED: u8 = 5;
}

/// States of a proposal, as stored.
pub mod state {
    /// Waiting.
    pub const PENDING: u8 = 0;
    /// Executed.
    pub const EXECUTED: u8 = 1;
    /// Vetoed.
    pub const VETOED: u8 = 2;
    /// Expired.
    pub const EXPIRED: u8 = 3;
}

/// Who proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposer {
    /// The governance key.
    Governance,
    /// The committee.
    Committee,
}

layout! {
    /// A proposal's contents and life.
    pub struct ProposalTerms = 168 {
        /// Old value of a parameter; 0 for other kinds.
        pub old_value: u64,
        /// New value of a parameter; 0 for other kinds.
        pub new_value: u64,
        /// New key or feed id for other kinds.
        pub new_key: Key,
        /// Version of the parameter (or role) that it was made for.
        pub version: u32,
        /// Parameter id.
        pub parameter: u16,
        /// Kind.
        pub kind: u8,
        /// State.
        pub state: u8,
        /// When it was queued, Unix seconds.
        pub queued_at: i64,
        /// When it may be executed, Unix seconds.
        pub eta: i64,
        /// When it is dead, Unix seconds.
        pub expires_at: i64,
        /// Who may veto it: the guardian when it was queued.
        pub vetoer: Key,
        /// Hash of its rationale.
        pub rationale: Key,
        /// Class: 1 G1, 2 G2, 3 G3, 4 the guardian's 8 days.
        pub class: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 7],
        /// For later versions.
        pub reserved: [u64; 2],
    }
}

/// The delay of a class.
pub fn delay(class: Class, exchange: &ExchangeParams) -> i64 {
    let _ = (class, exchange);
    0
}

/// Checks and fills in a proposal for a market's parameter: row, bounds, step, class, proposer's right, version, last
/// slot, cool-down; the envelope is judged too, so that what cannot execute is refused at once.
///
/// # Errors
/// Each check's own.
#[allow(clippy::too_many_arguments, reason = "each is a field of the instruction")]
pub fn queue_market_parameter(
    market: &MarketState,
    exchange: &ExchangeParams,
    proposer: Proposer,
    parameter: u16,
    new_value: u64,
    version: u32,
    last_slot: u64,
    now: &Now,
) -> Result<ProposalTerms> {
    let _ = (market, exchange, proposer, parameter, new_value, version, last_slot, now);
    Err(Error::MathOverflow.into())
}

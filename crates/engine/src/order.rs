//! Orders and the later-price rule (sections 5 and 10): an increase fills at a price that nobody could choose.

use crate::Now;
use crate::error::{Error, Result};
use crate::layout;
use crate::market::{MarketState, Observation, PriceState};
use crate::units::{Price, Quote, SignedBase};

layout! {
    /// An order's terms.
    pub struct OrderTerms = 128 {
        /// Signed size: positive buys, negative sells.
        pub size: SignedBase,
        /// The worst price accepted; 0 for none.
        pub limit: Price,
        /// When it was placed, Unix seconds: the later of the chain's clock and the market's last publish time.
        pub placed_at: i64,
        /// It may not fill after this, Unix seconds; 0 for never.
        pub expires_at: i64,
        /// Slot in which it was placed.
        pub placed_slot: u64,
        /// Fee put aside for whoever executes it.
        pub fee: Quote,
        /// Kind: 0 market. Others come later.
        pub kind: u8,
        /// 1 if it may only reduce.
        pub reduce_only: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 6],
        /// For later versions: trigger price, trigger time, parent, group, trail.
        pub reserved: [u64; 9],
    }
}

/// Where the ring has an order's observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing published after the placement is stored yet.
    NotYet,
    /// It may have left the ring.
    Lapsed,
    /// The first observation after the placement.
    Found(Observation),
}

impl PriceState {
    /// The first observation published after `placed_at`: the one with
    /// `prev_publish_time < placed_at + 1 ≤ publish_time` where it was posted, else the ring's first one after.
    pub fn first_after(&self, placed_at: i64) -> Lookup {
        let _ = placed_at;
        Lookup::NotYet
    }
}

impl OrderTerms {
    /// Whether it may be cancelled by its owner now: not in its first 10 seconds.
    ///
    /// # Errors
    /// [`Error::OrderLocked`].
    pub fn check_cancel(&self, now: &Now) -> Result<()> {
        let _ = now;
        Err(Error::MathOverflow.into())
    }

    /// Whether it can never fill again (expired, or its observation has left the ring), and why.
    pub fn dead(&self, market: &MarketState, now: &Now) -> Option<Error> {
        let _ = (market, now);
        None
    }

    /// The mark at which it fills: the worse for the owner of its observation and the current price (published no
    /// earlier), worsened by `max(conf, move per slot × age)`. The fill's premium comes on top.
    ///
    /// # Errors
    /// [`Error::OrderTooEarly`], [`Error::OrderLapsed`], [`Error::OrderExpired`].
    pub fn mark(&self, market: &MarketState, now: &Now) -> Result<Price> {
        let _ = (market, now);
        Err(Error::MathOverflow.into())
    }
}

/// The mark of an immediate reduction: worsened by `max(10 bps, conf, move per slot × age)`; `buy` closes a short.
/// An uncertain price counts at its worse end. A stale or silent one is refused.
///
/// # Errors
/// [`Error::PriceStale`], [`Error::PriceSilent`].
pub fn reduce_mark(market: &MarketState, buy: bool, now: &Now) -> Result<Price> {
    let _ = (market, buy, now);
    Err(Error::MathOverflow.into())
}

/// Whether a fill's average price is within the caller's limit (0: none).
///
/// # Errors
/// [`Error::SlippageExceeded`].
pub fn check_limit(price: Price, buy: bool, limit: Price) -> Result<()> {
    let _ = (price, buy, limit);
    Err(Error::MathOverflow.into())
}

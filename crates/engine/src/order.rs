//! Orders and the later-price rule (sections 5 and 10): an increase fills at a price that nobody could choose.

use crate::Now;
use crate::constants::{ORDER_LIFE, ORDER_LOCK, PLACEMENT_LAG, REDUCE_SPREAD};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::market::{MarketState, Observation, PriceState};
use crate::math::{fit, some};
use crate::price::Status;
use crate::units::{Price, Quote, Ratio, Rounding, SignedBase};

layout! {
    /// An order's terms.
    pub struct OrderTerms = 128 {
        /// Signed size: positive buys, negative sells.
        pub size: SignedBase,
        /// The worst price accepted; 0 for none.
        pub limit: Price,
        /// When it counts as placed, Unix seconds: see [`PriceState::placement`].
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
    /// When an order or a liquidity deposit that comes now counts as placed, Unix seconds: [`PLACEMENT_LAG`] after the
    /// later of the chain's clock and the last publish time. What is stored already, and what a lagging clock has not let
    /// in yet, lies before it.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn placement(&self, now: &Now) -> Result<i64> {
        some(now.unix.max(self.last.publish_time).checked_add(PLACEMENT_LAG))
    }

    /// The first observation published after `placed_at`: the one with
    /// `prev_publish_time < placed_at + 1 ≤ publish_time` where it was posted, else the ring's first one after.
    pub fn first_after(&self, placed_at: i64) -> Lookup {
        if self.ring_evicted > placed_at {
            return Lookup::Lapsed;
        }
        // From the newest back: an order's observation is rarely old. A corrupt place finds nothing.
        let place = fit(self.ring_next).unwrap_or(usize::MAX);
        let Some((newer, older)) = self.ring.split_at_checked(place) else { return Lookup::NotYet };
        let mut found = None;
        for observation in newer.iter().rev().chain(older.iter().rev()) {
            if observation.publish_time <= placed_at || observation.publish_time == 0 {
                break;
            }
            found = Some(observation);
        }
        found.map_or(Lookup::NotYet, |observation| Lookup::Found(*observation))
    }
}

impl OrderTerms {
    /// Whether it may be cancelled by its owner now: not in the first 10 seconds since it counts as placed.
    ///
    /// # Errors
    /// [`Error::OrderLocked`] with the time of its end and now.
    pub fn check_cancel(&self, now: &Now) -> Result<()> {
        let unlocks = self.placed_at.saturating_add(ORDER_LOCK);
        ensure(now.unix >= unlocks, Fault::new(Error::OrderLocked, unlocks, now.unix))
    }

    /// The observation it fills by.
    fn observation(&self, market: &MarketState, now: &Now) -> core::result::Result<Observation, Error> {
        if self.expires_at != 0 && now.unix > self.expires_at {
            return Err(Error::OrderExpired);
        }
        // What was placed before a restart is void (section 4).
        if self.placed_slot <= now.restart_slot {
            return Err(Error::OrderLapsed);
        }
        match market.price.first_after(self.placed_at) {
            // An order that its owner keeps unfillable until the outside market jumps is an option; so it lives briefly
            // once it can fill.
            Lookup::Found(seen) if now.unix > seen.publish_time.saturating_add(ORDER_LIFE) => Err(Error::OrderLapsed),
            // Placed in one transaction, filled in a later one.
            Lookup::Found(_) if now.slot <= self.placed_slot => Err(Error::OrderTooEarly),
            Lookup::Found(seen) => Ok(seen),
            Lookup::Lapsed => Err(Error::OrderLapsed),
            Lookup::NotYet => Err(Error::OrderTooEarly),
        }
    }

    /// Whether it can never fill again (expired, placed before the last restart, its observation has left the ring or was
    /// published more than [`ORDER_LIFE`] ago), and why.
    pub fn dead(&self, market: &MarketState, now: &Now) -> Option<Error> {
        if market.is_settled() {
            return Some(Error::MarketSettled);
        }
        self.observation(market, now).err().filter(|error| *error != Error::OrderTooEarly)
    }

    /// The mark at which it fills: the worse for the owner of its observation and the current price (published no
    /// earlier), worsened by `max(conf, move per slot × age)`, the larger confidence of the two. The fill's premium comes
    /// on top. Refuses a stale or silent price only: whether an increase's price is good is
    /// [`check_increase`](crate::trade::check_increase)'s to test.
    ///
    /// # Errors
    /// [`Error::OrderTooEarly`], [`Error::OrderLapsed`], [`Error::OrderExpired`], [`Error::PriceStale`],
    /// [`Error::PriceSilent`], [`Error::MathOverflow`].
    pub fn mark(&self, market: &MarketState, now: &Now) -> Result<Price> {
        let seen = self.observation(market, now)?;
        market.check_present(now)?;
        // Published no earlier: it was stored no earlier, and only newer updates are stored.
        let buy = self.size.is_long();
        let current = current(market, buy, now)?;
        let worse = if buy { seen.price.max(current) } else { seen.price.min(current) };
        worse.moved(buy, seen.conf.max(market.price.last.conf).max(market.drift(now)?))
    }
}

/// The current price for a fill. While a jump is unconfirmed it is the worse of that and EMA5: what liquidates nobody must
/// not be paid out either.
fn current(market: &MarketState, buy: bool, now: &Now) -> Result<Price> {
    let (last, average) = (market.price.last.price, market.price.ema5);
    if market.status(now)? != Status::Jumped {
        return Ok(last);
    }
    Ok(if buy { last.max(average) } else { last.min(average) })
}

/// The mark of an immediate reduction: worsened by `max(10 bps, conf, move per slot × age)`, rounded up; `buy` closes a
/// short. An uncertain price so counts at its worse end. A stale or silent one is refused.
///
/// # Errors
/// [`Error::PriceStale`], [`Error::PriceSilent`], [`Error::MathOverflow`].
pub fn reduce_mark(market: &MarketState, buy: bool, now: &Now) -> Result<Price> {
    market.check_not_settled()?;
    market.check_present(now)?;
    let (price, last) = (current(market, buy, now)?, &market.price.last);
    let share = market.drift_share(market.age_slots(now))?.max(Ratio(REDUCE_SPREAD));
    price.moved(buy, price.portion(share, Rounding::Up)?.max(last.conf))
}

/// Whether a fill's average price is within the caller's limit (0: none).
///
/// # Errors
/// [`Error::SlippageExceeded`] with the limit and the price.
pub fn check_limit(price: Price, buy: bool, limit: Price) -> Result<()> {
    let within = limit.is_zero() || if buy { price <= limit } else { price >= limit };
    ensure(within, Fault::new(Error::SlippageExceeded, limit.0, price.0))
}

//! What the ring of observations says of an order: whether its condition was met and which observation it fills by.
//!
//! Nothing here is anybody's to choose: the answer follows from what was stored and from the clock. A stop, once met, stays
//! so, and a trail has moved it for good: both would leave the ring, so anybody may record them. Recording writes down that
//! same answer: it does not matter who records, when, how often, or whether anybody does, while the observations are in the
//! ring. Every other condition counts for [`ORDER_LIFE`] seconds, less than the ring holds, and needs no record.

use super::{Kind, OrderTerms};
use crate::Now;
use crate::constants::{ORDER_LIFE, PLACEMENT_LAG};
use crate::error::{Error, Fault, Result};
use crate::market::{MarketState, Observation, PriceState};
use crate::math::{fit, some};
use crate::price::beyond;
use crate::tier::TierRules;
use crate::units::Price;

/// `fired` of an entry whose condition was met.
const ENTRY: u8 = 1;
/// `fired` of an exit whose stop was met.
const STOP: u8 = 2;
/// `fired` of an exit whose target was met.
const TARGET: u8 = 3;

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

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Observations up to this are done with, Unix seconds.
    pub since: i64,
    /// The stop, where a trail has moved it to.
    pub stop: Price,
    /// Publish time of the observation that met the condition; 0 if none has.
    pub triggered_at: i64,
    /// What was met: 0 nothing, 1 an entry's condition, 2 the stop, 3 the target.
    pub fired: u8,
}

/// What an order waits for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// For its condition.
    Untriggered,
    /// For an observation after that.
    Triggered,
    /// For whoever fills it by this observation.
    Ready(Observation),
    /// The same; its observation has left the ring or is too old. Only a stop still fills then.
    Late,
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
    /// How far the order has come, and what it waits for.
    ///
    /// Its condition is met by the first observation after `since` that meets it, unless its confidence is over the tier's
    /// limit; of any condition but an exit's stop only those count that are no older than [`ORDER_LIFE`]. It fills by the first
    /// observation after that, of an order with a limit the first whose worse end is within the limit.
    ///
    /// # Errors
    /// [`Error::OrderTermsInvalid`], [`Error::TierInvalid`], [`Error::MathOverflow`].
    pub fn follow(&self, market: &MarketState, now: &Now) -> Result<(Progress, Stage)> {
        let (price, kind) = (&market.price, Kind::from_byte(self.kind)?);
        let mut progress = Progress { since: self.since, stop: self.stop, triggered_at: self.triggered_at, fired: 0 };
        if kind == Kind::Market {
            let stage = match price.first_after(self.placed_at) {
                Lookup::Found(seen) if !self.is_late(&seen, now) => Stage::Ready(seen),
                Lookup::Found(_) | Lookup::Lapsed => Stage::Late,
                Lookup::NotYet => Stage::Triggered,
            };
            return Ok((progress, stage));
        }
        let mut start = self.since;
        if kind != Kind::Exit {
            start = start.max(now.unix.saturating_sub(ORDER_LIFE).saturating_sub(1));
        } else if self.triggered_at != 0 {
            progress.fired = STOP;
            start = self.triggered_at;
            if price.ring_evicted > start {
                return Ok((progress, Stage::Late));
            }
        }
        let rules = market.rules()?;
        let place = fit(price.ring_next).unwrap_or(usize::MAX);
        let (newer, older) = price.ring.split_at_checked(place).ok_or(Error::InvariantBroken)?;
        // From the oldest on; an empty place has a publish time of zero.
        for seen in older.iter().chain(newer).filter(|seen| seen.publish_time > start) {
            if progress.fired == 0 {
                self.meet(kind, &mut progress, seen, rules, now)?;
            } else if self.is_within(seen)? {
                let stage = if self.is_late(seen, now) { Stage::Late } else { Stage::Ready(*seen) };
                return Ok((progress, stage));
            }
        }
        Ok((progress, if progress.fired == 0 { Stage::Untriggered } else { Stage::Triggered }))
    }

    /// Whether an observation's worse end is within the order's limit.
    fn is_within(&self, seen: &Observation) -> Result<bool> {
        if self.limit.is_zero() {
            return Ok(true);
        }
        let (buys, worse) = (self.buys(), seen.price.moved(self.buys(), seen.conf)?);
        Ok(if buys { worse <= self.limit } else { worse >= self.limit })
    }

    /// Holds an observation against the order's condition; moves a trailed stop by it.
    #[inline]
    fn meet(
        &self,
        kind: Kind,
        progress: &mut Progress,
        seen: &Observation,
        rules: &TierRules,
        now: &Now,
    ) -> Result<()> {
        let (buys, price, stop) = (self.buys(), seen.price, progress.stop);
        let (at_most, at_least) = (|level: Price| price <= level, |level: Price| price >= level);
        let fired = match kind {
            Kind::Market => 0,
            Kind::Limit if (if buys { at_most(self.limit) } else { at_least(self.limit) }) => ENTRY,
            Kind::Stop if (if buys { at_least(self.trigger) } else { at_most(self.trigger) }) => ENTRY,
            Kind::Limit | Kind::Stop => 0,
            Kind::Exit if !stop.is_zero() && (if buys { at_least(stop) } else { at_most(stop) }) => STOP,
            Kind::Exit if self.target.is_zero() || self.is_late(seen, now) => 0,
            Kind::Exit if (if buys { at_most(self.target) } else { at_least(self.target) }) => TARGET,
            Kind::Exit => 0,
        };
        let trails = kind == Kind::Exit && !self.trail.is_zero();
        // A price that may be anything says nothing.
        if (fired == 0 && !trails) || beyond(price.plus(seen.conf)?, price, rules.conf_limit) {
            return Ok(());
        }
        if fired != 0 {
            (progress.fired, progress.triggered_at) = (fired, seen.publish_time);
            return Ok(());
        }
        let follows = price.moved(buys, self.trail)?;
        progress.stop = match stop.is_zero() {
            true => follows,
            false if buys => stop.min(follows),
            false => stop.max(follows),
        };
        // Seen again, it would be held against the stop that it has moved.
        progress.since = seen.publish_time;
        Ok(())
    }

    /// Records that an exit's stop was met, or how far a trail has moved it, so that it outlives the ring.
    ///
    /// # Errors
    /// [`Error::OrderNotTriggered`] where there is nothing to record, with the price that it waits for and the last one.
    pub fn record(&mut self, market: &MarketState, now: &Now) -> Result<Progress> {
        let (progress, _) = self.follow(market, now)?;
        let triggered_at = if progress.fired == STOP { progress.triggered_at } else { 0 };
        if (progress.stop, triggered_at) == (self.stop, self.triggered_at) {
            return Err(self.untriggered(&progress, market));
        }
        (self.since, self.stop, self.triggered_at) = (progress.since, progress.stop, triggered_at);
        Ok(progress)
    }

    /// The refusal of one whose condition is not met, with a price that it waits for and the last one.
    fn untriggered(&self, progress: &Progress, market: &MarketState) -> Fault {
        let level = match self.kind {
            1 => self.limit,
            2 => self.trigger,
            _ if progress.stop.is_zero() => self.target,
            _ => progress.stop,
        };
        Fault::new(Error::OrderNotTriggered, level.0, market.price.last.price.0)
    }

    /// The observation that it can be filled by now; `None` for a stop that fills without one.
    ///
    /// # Errors
    /// [`Error::OrderNotTriggered`] with the price it waits for and the last one, [`Error::OrderTooEarly`],
    /// [`Error::OrderLapsed`].
    pub(super) fn ready(&self, market: &MarketState, now: &Now) -> Result<Option<Observation>> {
        let (progress, stage) = self.follow(market, now)?;
        match stage {
            Stage::Untriggered => Err(self.untriggered(&progress, market)),
            // Placed in one transaction, filled in a later one.
            _ if now.slot <= self.placed_slot => Err(Error::OrderTooEarly.into()),
            Stage::Triggered => Err(Error::OrderTooEarly.into()),
            Stage::Ready(seen) => Ok(Some(seen)),
            // Of a market order; a stop stays met.
            Stage::Late if progress.fired != STOP => Err(Error::OrderLapsed.into()),
            Stage::Late => Ok(None),
        }
    }
}

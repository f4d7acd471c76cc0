//! Follows every order from its events: what it was, what it filled by, how far beyond its stop. What met a stop is read from
//! the market's own ring by the engine, as the chain reads it.

use std::collections::BTreeMap;

use anchor_lang::prelude::Pubkey;
use ballast::events::{OrderPlaced, OrderTriggered, Traded};
use ballast_client::errors;
use ballast_client::events::Event;
use ballast_engine::market::MarketState;
use ballast_engine::order::{Kind, OrderTerms};
use ballast_engine::units::{Price, Quote, SignedBase};
use ballast_engine::{Error, Now};
use serde::Serialize;

/// What an exit has seen: its stop.
const STOP: u8 = 2;
/// What an exit has seen: its target.
const TARGET: u8 = 3;

/// Fills by what was waited for.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Filled {
    /// Market orders.
    pub(crate) market: u64,
    /// Limit orders.
    pub(crate) limit: u64,
    /// Stop entries.
    pub(crate) stop_entry: u64,
    /// Stops.
    pub(crate) stop_loss: u64,
    /// Stops that followed the price.
    pub(crate) trailing_stop: u64,
    /// Targets.
    pub(crate) take_profit: u64,
}

/// What became of orders.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Orders {
    /// Placed.
    pub(crate) placed: u64,
    /// Of those, entries with their exits in the same order.
    pub(crate) brackets: u64,
    /// Entries whose fill made them their exits.
    pub(crate) activated: u64,
    /// Fills by kind.
    pub(crate) filled: Filled,
    /// Cancelled by their owners.
    pub(crate) cancelled_by_owner: u64,
    /// Cleared away by anyone, by reason.
    pub(crate) cleared: BTreeMap<&'static str, u64>,
    /// Stops that were met and trails that had moved, recorded before the ring forgot.
    pub(crate) recorded: u64,
    /// Still waiting at the end.
    pub(crate) open: u64,
    /// Filled more often than they may: must be none.
    pub(crate) filled_twice: u64,
    /// Fills or records that the engine does not see in the market's ring: must be none.
    pub(crate) unexplained: u64,
    /// Order fees that came to keepers with what they cleared away, smallest unit.
    pub(crate) clearing_fees: u64,
}

/// Distances in basis points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// Half of them are no larger.
    pub(crate) median: f64,
    /// 95 of 100 are no larger.
    pub(crate) p95: f64,
    /// The largest.
    pub(crate) worst: f64,
}

impl Spread {
    fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        let at = |share: usize| all.get((all.len() * share / 100).min(all.len().saturating_sub(1))).copied();
        let round = |value: Option<f64>| (value.unwrap_or_default() * 100.0).round() / 100.0;
        Self { median: round(at(50)), p95: round(at(95)), worst: round(at(100)) }
    }
}

/// How far beyond their price stops filled, premium included, in basis points of it; negative is better than that.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Slippage {
    /// Stops and trailing stops that filled.
    pub(crate) stops: usize,
    /// From the stop's own price.
    pub(crate) from_stop: Spread,
    /// From the published price that met it.
    pub(crate) from_trigger: Spread,
}

/// A fill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    /// `fired` of an exit; 1 of an entry.
    pub(super) fired: u8,
    /// The stop or the target that was met; 0 of an entry.
    pub(super) level: u64,
    /// Average price.
    pub(super) price: u64,
}

impl Fill {
    /// Whether a stop did it.
    pub(super) const fn is_stop(&self) -> bool {
        self.fired == STOP
    }
    /// Whether a target did it.
    pub(super) const fn is_target(&self) -> bool {
        self.fired == TARGET
    }
}

/// An order that was seen.
struct Seen {
    subaccount: Pubkey,
    terms: OrderTerms,
    entries: u32,
    exits: u32,
    gone: bool,
    fills: Vec<Fill>,
    /// Why it was cleared away.
    cleared: Option<&'static str>,
}

/// All orders that were seen.
#[derive(Default)]
pub(super) struct Book {
    seen: BTreeMap<Pubkey, Seen>,
    part: Orders,
    from_stop: Vec<f64>,
    from_trigger: Vec<f64>,
}

/// How far a price is beyond another against who buys or sells there, basis points.
fn beyond(buys: bool, from: u64, price: u64) -> f64 {
    let (from, price) = (from as f64, price as f64);
    (if buys { price - from } else { from - price }) / from * 10_000.0
}

impl Book {
    /// Takes note of what happened until now, at the market as it is now.
    pub(super) fn note(&mut self, events: &[Event], market: &MarketState, now: &Now) {
        for event in events {
            match event {
                Event::OrderPlaced(placed) => self.placed(placed),
                Event::OrderTriggered(triggered) => self.recorded(triggered, market, now),
                Event::Traded(traded) if traded.order != Pubkey::default() => self.filled(traded, market, now),
                Event::BracketActivated(active) => {
                    self.part.activated += 1;
                    if let Some(seen) = self.seen.get_mut(&active.order) {
                        seen.gone = false;
                        seen.terms = OrderTerms {
                            size: SignedBase(active.size),
                            kind: Kind::Exit as u8,
                            reduce_only: 1,
                            stop: Price(active.stop),
                            target: Price(active.target),
                            trail: Price(active.trail),
                            placed_at: active.placed_at,
                            since: active.placed_at,
                            ..OrderTerms::default()
                        };
                    }
                }
                Event::OrderCancelled(cancelled) => {
                    self.part.clearing_fees += cancelled.fee_to_keeper;
                    let reason = errors::from_code(cancelled.reason).map(Error::name);
                    match reason {
                        None => self.part.cancelled_by_owner += 1,
                        Some(reason) => *self.part.cleared.entry(reason).or_default() += 1,
                    }
                    self.end(&cancelled.order, reason);
                }
                _ => {}
            }
        }
    }

    fn end(&mut self, order: &Pubkey, reason: Option<&'static str>) {
        match self.seen.get_mut(order) {
            Some(seen) if !seen.gone => (seen.gone, seen.cleared) = (true, reason),
            _ => self.part.unexplained += 1,
        }
    }

    fn placed(&mut self, placed: &OrderPlaced) {
        let terms = OrderTerms {
            size: SignedBase(placed.size),
            limit: Price(placed.limit),
            placed_at: placed.placed_at,
            expires_at: placed.expires_at,
            fee: Quote(placed.fee),
            kind: placed.kind,
            reduce_only: placed.reduce_only.into(),
            trigger: Price(placed.trigger),
            since: placed.placed_at,
            stop: Price(placed.stop),
            target: Price(placed.target),
            trail: Price(placed.trail),
            ..OrderTerms::default()
        };
        self.part.placed += 1;
        self.part.brackets += u64::from(terms.is_bracket());
        let subaccount = placed.subaccount;
        let seen = Seen { subaccount, terms, entries: 0, exits: 0, gone: false, fills: Vec::new(), cleared: None };
        if self.seen.insert(placed.order, seen).is_some() {
            self.part.unexplained += 1;
        }
    }

    /// What was recorded is what the engine reads in the ring.
    fn recorded(&mut self, triggered: &OrderTriggered, market: &MarketState, now: &Now) {
        self.part.recorded += 1;
        let same = self.seen.get_mut(&triggered.order).is_some_and(|seen| {
            let read = seen.terms.record(market, now).is_ok();
            read && (seen.terms.stop.0, seen.terms.triggered_at) == (triggered.stop, triggered.triggered_at)
        });
        self.part.unexplained += u64::from(!same);
    }

    fn filled(&mut self, traded: &Traded, market: &MarketState, now: &Now) {
        let Some(seen) = self.seen.get_mut(&traded.order) else {
            self.part.unexplained += 1;
            return;
        };
        let (terms, part) = (&seen.terms, &mut self.part);
        part.filled_twice += u64::from(seen.gone);
        seen.gone = true;
        if terms.kind != Kind::Exit as u8 {
            seen.entries += 1;
            part.filled_twice += u64::from(seen.entries > 1);
            let count = match terms.kind {
                0 => &mut part.filled.market,
                1 => &mut part.filled.limit,
                _ => &mut part.filled.stop_entry,
            };
            *count += 1;
            seen.fills.push(Fill { fired: 1, level: 0, price: traded.price });
            return;
        }
        seen.exits += 1;
        part.filled_twice += u64::from(seen.exits > 1);
        let Ok((progress, _)) = terms.follow(market, now) else {
            part.unexplained += 1;
            return;
        };
        let level = match progress.fired {
            STOP => progress.stop.0,
            TARGET => terms.target.0,
            _ => {
                part.unexplained += 1;
                return;
            }
        };
        let (stops, buys) = (progress.fired == STOP, terms.buys());
        let count = match (stops, terms.trail.is_zero()) {
            (true, true) => &mut part.filled.stop_loss,
            (true, false) => &mut part.filled.trailing_stop,
            (false, _) => &mut part.filled.take_profit,
        };
        *count += 1;
        seen.fills.push(Fill { fired: progress.fired, level, price: traded.price });
        if !stops {
            return;
        }
        self.from_stop.push(beyond(buys, level, traded.price));
        let met = market.price.ring.iter().find(|print| print.publish_time == progress.triggered_at);
        self.from_trigger.extend(met.map(|print| beyond(buys, print.price.0, traded.price)));
    }

    /// An order's fills so far.
    pub(super) fn fills(&self, order: &Pubkey) -> &[Fill] {
        self.seen.get(order).map_or(&[], |seen| &seen.fills)
    }

    /// An order's stop, as far as stored prices have moved it.
    pub(super) fn stop(&self, order: &Pubkey, market: &MarketState, now: &Now) -> Option<u64> {
        let (progress, _) = self.seen.get(order)?.terms.follow(market, now).ok()?;
        Some(progress.stop.0)
    }

    /// A subaccount's orders that wait.
    pub(super) fn waiting(&self, subaccount: &Pubkey) -> Vec<Pubkey> {
        let own = self.seen.iter().filter(|(_, seen)| !seen.gone && seen.subaccount == *subaccount);
        own.map(|(key, _)| *key).collect()
    }

    /// Whether an order is done with.
    pub(super) fn is_gone(&self, order: &Pubkey) -> bool {
        self.seen.get(order).is_some_and(|seen| seen.gone)
    }

    /// Why an order was cleared away, if it was.
    pub(super) fn cleared(&self, order: &Pubkey) -> Option<&'static str> {
        self.seen.get(order)?.cleared
    }

    /// How far beyond their price the stops until now have filled.
    pub(super) fn slippage(&self) -> Slippage {
        Slippage {
            stops: self.from_stop.len(),
            from_stop: Spread::of(self.from_stop.clone()),
            from_trigger: Spread::of(self.from_trigger.clone()),
        }
    }

    /// All of it.
    pub(super) fn finish(mut self) -> Orders {
        self.part.open = self.seen.values().filter(|seen| !seen.gone).count() as u64;
        self.part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_the_sorted() {
        assert_eq!(Spread::of(Vec::new()), Spread::default());
        let all = (0..=100).rev().map(f64::from).collect();
        assert_eq!(Spread::of(all), Spread { median: 50.0, p95: 95.0, worst: 100.0 });
        assert_eq!((beyond(true, 100, 101), beyond(false, 100, 101)), (100.0, -100.0));
    }

    #[test]
    fn a_second_fill_and_a_fill_of_nothing_are_noticed() {
        let placed = OrderPlaced {
            order: Pubkey::new_from_array([1; 32]),
            subaccount: Pubkey::default(),
            market: Pubkey::default(),
            kind: 0,
            size: 5,
            reduce_only: false,
            limit: 0,
            trigger: 0,
            stop: 0,
            target: 0,
            trail: 0,
            placed_at: 1,
            expires_at: 0,
            fee: 0,
            account_sequence: 0,
        };
        let traded = |order| Traded {
            market: Pubkey::default(),
            subaccount: Pubkey::default(),
            order,
            size: 5,
            mark: 0,
            price: 7,
            premium: 0,
            fee: 0,
            pnl: 0,
            funding: 0,
            claimed: 0,
            position: 5,
            market_sequence: 0,
            account_sequence: 0,
        };
        let (market, now) = (MarketState::default(), Now { unix: 1, slot: 1, restart_slot: 0 });
        let mut book = Book::default();
        let (first, other) = (placed.order, Pubkey::new_from_array([2; 32]));
        book.note(&[Event::OrderPlaced(placed), Event::Traded(traded(first))], &market, &now);
        assert_eq!((book.part.filled.market, book.part.filled_twice, book.part.unexplained), (1, 0, 0));
        book.note(&[Event::Traded(traded(first)), Event::Traded(traded(other))], &market, &now);
        assert!(book.part.filled_twice > 0);
        assert_eq!(book.part.unexplained, 1);
        assert_eq!(book.fills(&first).len(), 2);
    }
}

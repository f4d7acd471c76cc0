//! What the scenario reports.

use std::collections::BTreeMap;

use ballast::state::Subaccount;
use ballast_client::events::Event;
use serde::Serialize;

use super::super::super::common::{Account, Common};
use super::super::super::scene::{Line, Person, UNIT};
use super::crowd::Pair;
use super::losses::{Bound, Trip};
use super::orders::{Orders, Slippage};
use super::text;

/// The scenario's report. Amounts are integers in the collateral's smallest unit.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What every run reports.
    #[serde(flatten)]
    pub(crate) common: Common,
    /// Orders, covenants, delegates.
    pub(crate) discipline: Part,
}

/// Its own part.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    /// The crowd's prices.
    pub(crate) prices: PricesPart,
    /// What became of all orders, the acts' among them.
    pub(crate) orders: Orders,
    /// How far beyond their price the crowd's stops filled.
    pub(crate) slippage: Slippage,
    /// Covenants together.
    pub(crate) covenants: CovenantsPart,
    /// The crowd, pair by pair.
    pub(crate) pairs: Vec<PairPart>,
    /// What had to be refused and was, by error.
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// What the keeper earned, by job.
    pub(crate) keeper_fees: BTreeMap<String, u64>,
    /// What happened in the acts.
    pub(crate) story: Vec<Line>,
}

/// Prices.
#[derive(Debug, Serialize)]
pub(crate) struct PricesPart {
    /// Where they come from.
    pub(crate) source: String,
    /// Minutes.
    pub(crate) minutes: usize,
    /// Posted.
    pub(crate) prints: u64,
    /// Lowest.
    pub(crate) low: f64,
    /// Highest.
    pub(crate) high: f64,
    /// The largest move from one posted price to the next, basis points.
    pub(crate) widest_bps: f64,
}

/// Covenants together. What was lost beyond a limit is of the crowd's first trips.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CovenantsPart {
    /// Trips, those of the acts among them.
    pub(crate) trips: u64,
    /// Positions closed by the keeper because their owners wanted so.
    pub(crate) closed: u64,
    /// Owners of the crowd that tripped.
    pub(crate) tripped: usize,
    /// The most that one lost beyond its limit, basis points of what was closed.
    pub(crate) worst_beyond_bps: f64,
    /// The most that prices took from the look before a trip to the close, likewise.
    pub(crate) worst_gap_bps: f64,
    /// Trips that are not as a covenant promises, in words: must be none.
    pub(crate) faults: Vec<String>,
    /// What those under a covenant made together, and what their free twins made.
    pub(crate) bound_result: i64,
    /// The same of their free twins.
    pub(crate) free_result: i64,
    /// The worst result of one, in percent of its money: under a covenant.
    pub(crate) bound_worst: f64,
    /// The same of the free.
    pub(crate) free_worst: f64,
}

/// One trader's end.
#[derive(Debug, Serialize)]
pub(crate) struct Side {
    /// What it made, or lost.
    pub(crate) result: i64,
    /// That in percent of its money.
    pub(crate) percent: f64,
    /// Fills of its orders and reductions.
    pub(crate) fills: u64,
    /// Liquidations.
    pub(crate) liquidations: u64,
}

/// A pair.
#[derive(Debug, Serialize)]
pub(crate) struct PairPart {
    /// Its number.
    pub(crate) pair: usize,
    /// How both trade.
    pub(crate) plan: &'static str,
    /// Each one's money.
    pub(crate) stake: u64,
    /// Leverage aimed at.
    pub(crate) leverage: u64,
    /// The bound one's limit of a day's loss.
    pub(crate) daily_loss: u64,
    /// Its drawdown limit; 0 for none.
    pub(crate) drawdown: u64,
    /// The largest part of a limit that it lost at any price, percent.
    pub(crate) worst_of_limit: f64,
    /// Its trip, if it tripped.
    pub(crate) trip: Option<Trip>,
    /// The one under the covenant.
    pub(crate) bound: Side,
    /// The other.
    pub(crate) free: Side,
}

impl Side {
    /// What became of one, from its account at the end.
    pub(super) fn of(pair: &Pair, person: &Person, end: &Subaccount, events: &[Event]) -> Self {
        let put_in = (pair.stake * UNIT) as i64;
        let result = end.state.collateral.0 as i64 - put_in;
        let own = |event: &&Event| match event {
            Event::Traded(traded) => traded.subaccount == person.subaccount,
            _ => false,
        };
        let liquidated = |event: &&Event| match event {
            Event::Liquidated(liquidated) => liquidated.subaccount == person.subaccount,
            _ => false,
        };
        Self {
            result,
            percent: (result as f64 / put_in as f64 * 10_000.0).round() / 100.0,
            fills: events.iter().filter(own).count() as u64,
            liquidations: events.iter().filter(liquidated).count() as u64,
        }
    }
}

/// A pair's line.
pub(super) fn pair_part(number: usize, pair: &Pair, watched: &Bound, bound: Side, free: Side) -> PairPart {
    PairPart {
        pair: number + 1,
        plan: pair.plan.name(),
        stake: pair.stake * UNIT,
        leverage: pair.leverage,
        daily_loss: pair.daily_loss * UNIT,
        drawdown: pair.drawdown * UNIT,
        worst_of_limit: watched.worst_share(),
        trip: watched.trip(),
        bound,
        free,
    }
}

impl Part {
    /// Adds it up.
    pub(super) fn of(
        prices: PricesPart,
        (orders, slippage): (Orders, Slippage),
        (trips, closed): (u64, u64),
        pairs: Vec<PairPart>,
        common: &Common,
        story: Vec<Line>,
    ) -> Self {
        let mut refused = BTreeMap::new();
        for refusal in common.refusals.iter().filter(|refusal| refusal.tested) {
            *refused.entry(refusal.reason).or_default() += refusal.count;
        }
        let earned = common.keeper.jobs.iter().filter(|line| line.rewards > 0);
        let keeper_fees = earned.map(|line| (line.job.clone(), line.rewards)).collect();
        let covenants = CovenantsPart::of(&pairs, trips, closed);
        Self { prices, orders, slippage, covenants, pairs, refused, keeper_fees, story }
    }
}

impl CovenantsPart {
    fn of(pairs: &[PairPart], trips: u64, closed: u64) -> Self {
        let mut all = Self { trips, closed, ..Self::default() };
        for pair in pairs {
            all.bound_result += pair.bound.result;
            all.free_result += pair.free.result;
            all.bound_worst = all.bound_worst.min(pair.bound.percent);
            all.free_worst = all.free_worst.min(pair.free.percent);
            let Some(trip) = pair.trip else { continue };
            all.tripped += 1;
            all.worst_beyond_bps = all.worst_beyond_bps.max(trip.beyond_bps());
            all.worst_gap_bps = all.worst_gap_bps.max(trip.gap_bps());
            all.faults.extend(trip.fault().map(|fault| format!("pair {} {fault}", pair.pair)));
        }
        all
    }
}

impl Account for Report {
    fn text(&self) -> String {
        text::write(self)
    }

    fn verdict(&self) -> Option<String> {
        let part = &self.discipline;
        let mut reasons = part.covenants.faults.clone();
        for (count, what) in [
            (part.orders.filled_twice, "orders filled more often than they may"),
            (part.orders.unexplained, "fills or records are not what the market's ring says"),
        ] {
            if count > 0 {
                reasons.push(format!("{count} {what}"));
            }
        }
        // The keeper's process has to have found all of this by itself.
        for job in ["orders", "covenants"] {
            if !self.common.keeper.jobs.iter().any(|line| line.job == job && line.done > 0) {
                reasons.push(format!("the keeper did nothing of \"{job}\""));
            }
        }
        self.common.verdict(reasons)
    }
}

//! The engine's own funding on a path of the skew.

use anyhow::Result;
use ballast_engine::Now;
use ballast_engine::market::{MarketState, Observation};
use ballast_engine::presets;
use ballast_engine::tier::Tier;
use ballast_engine::units::{Base, FundingIndex, FundingRate, Price, Quote, Ratio};

use super::path::{Minute, SkewPath, WHOLE};

/// Tier A on an asset with 8 decimals: K' is 120 whole ones.
const SKEW_SCALE: u64 = 6_000_000_000_000;
const CAP: Quote = Quote(4_000_000_000_000);
/// What each side holds beside the skew, base atoms.
const BALANCED: u64 = 1_000_000_000;
/// A dollar in the engine's price: 6 decimals of the collateral, 8 of the asset, exponent -9.
const DOLLAR: f64 = 10_000_000.0;
/// The position that the table speaks of: $10,000.
pub(super) const HELD: Quote = Quote(10_000_000_000);
/// The clock's start.
const START: Now = Now { unix: 1_793_491_200, slot: 1_000_000, restart_slot: 0 };

/// The state at the end of an hour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hour {
    /// The rate, exponent -12 per hour, as all here.
    pub(super) rate: i64,
    /// What bounds its size.
    pub(super) bound: i64,
    /// Its 30-day average.
    pub(super) average: i64,
    /// Longs less shorts, ten-thousandths of K'.
    pub(super) skew: i64,
}

/// A part of the path and what funding did in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    /// What it is called.
    pub(super) name: &'static str,
    /// Its first minute.
    pub(super) start: usize,
    /// Its length in minutes.
    pub(super) minutes: usize,
    /// The mean skew, ten-thousandths of K'.
    pub(super) skew: i64,
    /// The largest size of the rate.
    pub(super) highest: i64,
    /// The same without a governor.
    pub(super) highest_ungoverned: i64,
    /// The largest bound.
    pub(super) bound: i64,
    /// The average at the end.
    pub(super) average: i64,
    /// What a long of [`HELD`] paid in it; negative for what it received.
    pub(super) paid: i64,
    /// The same without a governor.
    pub(super) paid_ungoverned: i64,
}

/// What came of a path.
pub(super) struct Run {
    /// Hour by hour.
    pub(super) hours: Vec<Hour>,
    /// Part by part.
    pub(super) phases: Vec<Phase>,
    /// The hard cap.
    pub(super) hard: i64,
    /// The governor's threshold, ten-thousandths of K'.
    pub(super) threshold: i64,
}

/// One market on the path.
struct Track {
    state: MarketState,
    now: Now,
}

impl Track {
    fn new(floor: Option<Ratio>) -> Result<Self> {
        let mut params = presets::tuned(Tier::A, SKEW_SCALE, CAP);
        // Funding alone.
        params.holding_fee = Ratio(0);
        params.funding_floor = floor.unwrap_or(params.funding_floor);
        let state = MarketState::new(0, 0, 8, 6, params, START.unix).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        Ok(Self { state, now: START })
    }

    /// A minute passes with the sides as they were; then they are as they are to be.
    fn minute(&mut self, minute: &Minute) -> Result<()> {
        self.now.unix += 60;
        self.now.slot += 150;
        if minute.posted {
            let price = Price((minute.price * DOLLAR) as u64);
            let (unix, slot) = (self.now.unix, self.now.slot);
            let seen = Observation { prev_publish_time: unix - 1, publish_time: unix, price, conf: Price(0) };
            let prices = &mut self.state.price;
            (prices.last, prices.slot, prices.ema5, prices.ema_start) = (seen, slot, price, 1);
            let _ = self.state.accrue(true, &self.now).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        }
        let scale = i128::from(self.state.params.funding_skew_scale.0);
        let skew = (i128::from(minute.skew) * scale / i128::from(WHOLE)) as i64;
        let each = if minute.open { BALANCED } else { 0 };
        for (side, more) in [(&mut self.state.long, skew), (&mut self.state.short, -skew)] {
            side.open_interest = Base(each + more.max(0).unsigned_abs());
            side.positions = u64::from(side.open_interest.0 > 0);
        }
        Ok(())
    }

    /// What the longs have paid since an index, for a position of [`HELD`] at a price.
    fn paid(&self, since: FundingIndex, price: f64) -> Result<i64> {
        let size = Base((HELD.0 as f64 / (price * DOLLAR) * 1e9) as u64);
        Ok(self.state.long.index.owed(since, size).map_err(|fault| anyhow::anyhow!("{fault:?}"))?.0)
    }

    fn rate(&self) -> i64 {
        self.state.funding.rate.0
    }

    fn bound(&self) -> Result<i64> {
        self.state.funding_bound().map(|bound| bound.0).map_err(|fault| anyhow::anyhow!("{fault:?}"))
    }
}

/// Runs a path with the governor and without (its floor at the hard cap).
pub(super) fn run(path: &SkewPath) -> Result<Run> {
    let mut track = Track::new(None)?;
    let params = track.state.params;
    let mut free = Track::new(Some(params.funding_cap))?;
    let mut hours = Vec::new();
    let mut phases = Vec::new();
    for (place, phase) in path.phases.iter().enumerate() {
        let end = path.phases.get(place + 1).map_or(path.minutes.len(), |next| next.start);
        let minutes = path.minutes.get(phase.start..end).unwrap_or_default();
        let since = [&track, &free].map(|t| t.state.long.index);
        let price = minutes.first().map_or(1.0, |minute| minute.price);
        let mut part = Phase {
            name: phase.name,
            start: phase.start,
            minutes: minutes.len(),
            skew: minutes.iter().map(|m| m.skew).sum::<i64>() / (minutes.len().max(1) as i64),
            highest: 0,
            highest_ungoverned: 0,
            bound: 0,
            average: 0,
            paid: 0,
            paid_ungoverned: 0,
        };
        for (at, minute) in (phase.start..).zip(minutes) {
            track.minute(minute)?;
            free.minute(minute)?;
            part.highest = part.highest.max(track.rate().abs());
            part.highest_ungoverned = part.highest_ungoverned.max(free.rate().abs());
            part.bound = part.bound.max(track.bound()?);
            if (at + 1) % 60 == 0 {
                let average = track.state.funding.average.0;
                hours.push(Hour { rate: track.rate(), bound: track.bound()?, average, skew: minute.skew });
            }
        }
        part.average = track.state.funding.average.0;
        part.paid = track.paid(since[0], price)?;
        part.paid_ungoverned = free.paid(since[1], price)?;
        phases.push(part);
    }
    let FundingRate(hard) =
        Track::new(Some(params.funding_cap))?.state.funding_bound().map_err(|f| anyhow::anyhow!("{f:?}"))?;
    Ok(Run { hours, phases, hard, threshold: params.funding_threshold.0 as i64 / 100 })
}

//! The report: what the run was, what happened, what it cost, and whether the books add up.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use ballast_localnet::Kind;
use serde::Serialize;

use super::common::{Account, Common};
use super::governance::{Governance, Pause, Story};
use super::parts::{
    Events, Funding, HiccupPart, Liquidations, MarketPart, PricesPart, TraderPart, Units, ValidatorPart, markets,
    traders,
};
use super::stage::Stage;
use super::text;
use super::waterfall::Waterfall;
use crate::prices::Prices;
use crate::programs::ProgramInfo;

/// Everything. Amounts are integers in the collateral's smallest unit.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What every run reports.
    #[serde(flatten)]
    pub(crate) common: Common,
    /// What it ran on.
    pub(crate) validator: ValidatorPart,
    /// The prices.
    pub(crate) prices: PricesPart,
    /// Liquidations.
    pub(crate) liquidations: Liquidations,
    /// Funding and holding fees.
    pub(crate) funding: Funding,
    /// Governance.
    pub(crate) governance: Governance,
    /// Who paid what accounts below zero could not.
    pub(crate) waterfall: Waterfall,
    /// The guardian's pause.
    pub(crate) pause: Pause,
    /// The wrong print, if there was one.
    pub(crate) hiccup: Option<HiccupPart>,
    /// Markets with their pools.
    pub(crate) markets: Vec<MarketPart>,
    /// Traders.
    pub(crate) traders: Vec<TraderPart>,
    /// Paid to a provider that left after the cool-down.
    pub(crate) liquidity_exit: Option<u64>,
    /// Events seen, and how many the accounts' own counters say are missing.
    pub(crate) events: Events,
    /// Compute units by instruction.
    pub(crate) compute_units: BTreeMap<String, Units>,
    /// What this validator could not show, and why.
    pub(crate) left_out: Vec<String>,
}

impl Report {
    /// Reads the end state from chain and adds everything up.
    pub(crate) async fn write(
        stage: &mut Stage,
        story: &Story,
        prices: &Prices,
        program: ProgramInfo,
        begun: Instant,
    ) -> Result<Self> {
        stage.look().await?;
        let keeper = stage.close_keeper().await?;
        let stage = &*stage;
        let snapshot = stage.snapshot().await?;
        let common = Common::of("replay", &stage.venue, keeper, program, begun).await?;
        let tally = stage.venue.desk.tally();
        let units = tally.units.iter().filter_map(|(name, all)| Some((name.clone(), Units::of(all.clone())?)));
        let minutes = &prices.minutes;
        Ok(Self {
            common,
            validator: ValidatorPart {
                kind: match stage.venue.net.kind() {
                    Kind::Surfpool => "surfpool",
                    Kind::Agave => "agave",
                },
            },
            prices: PricesPart {
                source: prices.source.clone(),
                minutes: minutes.len(),
                posts: stage.venue.posts,
                low: minutes.iter().map(|m| m.low).fold(f64::MAX, f64::min),
                high: minutes.iter().map(|m| m.high).fold(0.0, f64::max),
            },
            liquidations: Liquidations::of(&tally.events),
            funding: Funding::of(&tally.events),
            governance: Governance { opening: stage.opening_proposals, ..story.governance },
            waterfall: Waterfall::of(&tally.events, &snapshot.markets),
            pause: story.pause,
            hiccup: story.hiccup.map(|h| HiccupPart {
                before: h.before,
                print: h.print,
                flags: h.flags,
                liquidations: h.liquidations,
            }),
            markets: markets(stage, &snapshot, &tally.events),
            traders: traders(stage, &snapshot, &tally.events),
            liquidity_exit: story.liquidity_exit,
            events: Events::of(stage, &snapshot, &tally.events),
            compute_units: units.collect(),
            left_out: story.left_out.clone(),
        })
    }
}

impl Account for Report {
    fn text(&self) -> String {
        text::write(self)
    }

    fn verdict(&self) -> Option<String> {
        let wrong = self.hiccup.as_ref().map_or(0, |hiccup| hiccup.flags + hiccup.liquidations);
        let reason = (wrong > 0).then(|| format!("a single wrong print touched {wrong} accounts"));
        self.common.verdict(reason.into_iter().collect())
    }
}

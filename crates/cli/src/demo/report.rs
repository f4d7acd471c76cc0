//! The report: what the run was, what happened, what it cost, and whether the books add up.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use ballast_client::audit::Audit;
use ballast_localnet::Kind;
use serde::Serialize;

use super::governance::{Governance, Pause, Story};
use super::keeper;
use super::parts::{
    Events, Funding, HiccupPart, Liquidations, MarketPart, PricesPart, TraderPart, Units, ValidatorPart, markets,
    traders,
};
use super::stage::Stage;
use super::waterfall::Waterfall;
use crate::audit;
use crate::desk::{Counts, Refusal};
use crate::prices::Prices;
use crate::programs::ProgramInfo;

/// Everything. Amounts are integers in the collateral's smallest unit.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What it ran on.
    pub(crate) validator: ValidatorPart,
    /// The program.
    pub(crate) program: ProgramInfo,
    /// The prices.
    pub(crate) prices: PricesPart,
    /// Transactions.
    pub(crate) transactions: Counts,
    /// Refusals that were expected.
    pub(crate) refusals: Vec<Refusal>,
    /// Failures that were not, word by word.
    pub(crate) failures: Vec<String>,
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
    /// The keeper's own report, and what it has earned.
    pub(crate) keeper: keeper::Report,
    /// Paid to a provider that left after the cool-down.
    pub(crate) liquidity_exit: Option<u64>,
    /// The books.
    pub(crate) audit: Audit,
    /// Events seen, and how many the accounts' own counters say are missing.
    pub(crate) events: Events,
    /// Compute units by instruction.
    pub(crate) compute_units: BTreeMap<String, Units>,
    /// What this validator could not show, and why.
    pub(crate) left_out: Vec<String>,
    /// Real time, seconds.
    pub(crate) seconds: f64,
    /// Decimals of the collateral.
    pub(crate) decimals: u8,
}

impl Report {
    /// Reads the end state from chain and adds everything up.
    pub(crate) async fn write(
        stage: &mut Stage,
        story: &Story,
        prices: &Prices,
        program: ProgramInfo,
        took: Duration,
    ) -> Result<Self> {
        stage.look().await?;
        let keeper = stage.close_keeper().await?;
        let stage = &*stage;
        let snapshot = stage.snapshot().await?;
        let exchange = stage.venue.desk.chain.exchange(Some(stage.venue.mint)).await?;
        let audit = audit::run(&stage.venue.desk.chain, &exchange).await?;
        let tally = stage.venue.desk.tally();
        let units = tally.units.iter().filter_map(|(name, all)| Some((name.clone(), Units::of(all.clone())?)));
        let minutes = &prices.minutes;
        Ok(Self {
            validator: ValidatorPart {
                kind: match stage.venue.net.kind() {
                    Kind::Surfpool => "surfpool",
                    Kind::Agave => "agave",
                },
            },
            program,
            prices: PricesPart {
                source: prices.source.clone(),
                minutes: minutes.len(),
                posts: stage.venue.posts,
                low: minutes.iter().map(|m| m.low).fold(f64::MAX, f64::min),
                high: minutes.iter().map(|m| m.high).fold(0.0, f64::max),
            },
            transactions: tally.counts,
            refusals: tally.refusals(),
            failures: tally.failures.clone(),
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
            keeper,
            liquidity_exit: story.liquidity_exit,
            audit,
            events: Events::of(stage, &snapshot, &tally.events),
            compute_units: units.collect(),
            left_out: story.left_out.clone(),
            seconds: took.as_secs_f64(),
            decimals: stage.venue.decimals,
        })
    }

    /// Why the run must not count as a success, if there is a reason.
    pub(crate) fn verdict(&self) -> Option<String> {
        let mut reasons = Vec::new();
        if self.transactions.failed_unexpectedly > 0 {
            reasons.push(format!("{} transactions failed unexpectedly", self.transactions.failed_unexpectedly));
        }
        if self.audit.difference != 0 || !self.audit.is_clean() {
            let count = self.audit.mismatches.len();
            reasons.push(format!("the books are off by {} ({count} mismatches)", self.audit.difference));
        }
        if let Some(hiccup) = self.hiccup.as_ref().filter(|h| h.flags + h.liquidations > 0) {
            reasons.push(format!("a single wrong print touched {} accounts", hiccup.flags + hiccup.liquidations));
        }
        reasons.extend(self.keeper.reasons());
        (!reasons.is_empty()).then(|| reasons.join("; ") + "; the report names them")
    }
}

//! Scenarios: a short play about one part of the protocol, instead of hours of trading.

pub(crate) mod discipline;
mod governance;

use anyhow::{Result, bail};
use ballast_localnet::Kind;
use clap::ValueEnum;
use indicatif::ProgressBar;
use serde::Serialize;

use super::common::{Account, Common};
use super::governance::Story;
use super::replay::{self, Pace};
use super::stage::Stage;
use super::waterfall::Waterfall;
use crate::prices;
use crate::programs::ProgramInfo;

/// Quiet minutes in which traders open positions.
const MINUTES: usize = 12;
/// Made-up minutes of which those are the first: calm, without the wrong print.
const OF_MINUTES: usize = 200;

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// A tuning, a vetoed raise, a margin raise with its grace running out, pauses that expire, an upgrade
    Governance,
    /// Deficits, insurance, claims, deleveraging, settlement: who pays the final bill
    Bankruptcy,
    /// Orders, stops, covenants, delegates: the same hands with and without limits
    Discipline,
}

/// What the governance scenario reports.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    part: governance::Part,
    /// Who paid what accounts below zero could not.
    waterfall: Waterfall,
}

impl Account for Report {
    fn text(&self) -> String {
        let common = &self.common;
        let part = self.part.text();
        let (brief, closing) = (common.brief(), common.closing(self.verdict()));
        format!("SCENARIO {}, {:.0} s of real time\n{part}\n{brief}\n{closing}", common.scenario, common.seconds)
    }

    fn verdict(&self) -> Option<String> {
        self.common.verdict(Vec::new())
    }
}

/// Plays the governance scenario and reports.
pub(crate) async fn run(
    kind: Kind,
    seed: u64,
    program: ProgramInfo,
    (json, bar): (bool, &ProgressBar),
    begun: std::time::Instant,
) -> Result<Report> {
    if kind != Kind::Surfpool {
        bail!("a scenario lets weeks pass: it needs surfpool, whose clock can be moved");
    }
    let mut prices = prices::built_in(OF_MINUTES, seed);
    prices.minutes.truncate(MINUTES);
    let mut stage = Stage::set_up(kind, &prices, seed, bar, super::GOVERNED).await?;
    replay::run(&mut stage, &mut Story::quiet(), &prices, &Pace::of(kind, !json), bar).await?;
    let part = governance::play(&mut stage, bar).await?;
    stage.look().await?;
    let keeper = stage.close_keeper().await?;
    let common = Common::of("governance", &stage.venue, keeper, program, begun).await?;
    let markets = stage.snapshot().await?.markets;
    let waterfall = Waterfall::of(&stage.venue.desk.tally().events, &markets);
    stage.venue.net.stop().await?;
    Ok(Report { common, part, waterfall })
}

//! Scenarios: a short play about one part of the protocol, instead of hours of trading.

mod governance;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use ballast_client::audit::Audit;
use ballast_localnet::Kind;
use clap::ValueEnum;
use indicatif::ProgressBar;
use serde::Serialize;

use super::governance::Story;
use super::replay::{self, Pace};
use super::stage::Stage;
use crate::audit;
use crate::desk::{Counts, Refusal};
use crate::output::{self, Unsound};
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
}

/// What every scenario reports.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    scenario: &'static str,
    program: ProgramInfo,
    transactions: Counts,
    refusals: Vec<Refusal>,
    failures: Vec<String>,
    #[serde(flatten)]
    part: governance::Part,
    audit: Audit,
    seconds: f64,
}

/// Plays a scenario and reports.
pub(crate) async fn run(
    scenario: Scenario,
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
    let (name, part) = match scenario {
        Scenario::Bankruptcy => bail!("the bankruptcy has a stage of its own"),
        Scenario::Governance => ("governance", governance::play(&mut stage, bar).await?),
    };
    let exchange = stage.venue.desk.chain.exchange(Some(stage.venue.mint)).await?;
    let audit = audit::run(&stage.venue.desk.chain, &exchange).await?;
    let report = {
        let tally = stage.venue.desk.tally();
        let (transactions, refusals, failures) = (tally.counts, tally.refusals(), tally.failures.clone());
        let seconds = Duration::as_secs_f64(&begun.elapsed());
        Report { scenario: name, program, transactions, refusals, failures, part, audit, seconds }
    };
    stage.venue.net.stop().await?;
    Ok(report)
}

/// Writes the report, and fails if the play did not go as it had to.
pub(crate) fn show(report: &Report, json: bool, file: Option<(std::fs::File, PathBuf)>) -> Result<()> {
    if let Some((mut file, path)) = file {
        use std::io::Write as _;
        let written = writeln!(file, "{}", serde_json::to_string_pretty(report)?);
        anyhow::Context::with_context(written, || format!("{} cannot be written", path.display()))?;
    }
    output::show(json, report, |report| {
        let mut text =
            format!("SCENARIO {}, {:.0} s of real time\n{}", report.scenario, report.seconds, report.part.text());
        let c = &report.transactions;
        text += &format!(
            "\n{} transactions: {} confirmed, {} refused as they had to be, {} failed\nbooks: {}",
            c.sent,
            c.confirmed,
            c.refused_as_expected,
            c.failed_unexpectedly,
            if report.audit.is_clean() { "every token accounted for" } else { "THEY DO NOT ADD UP" }
        );
        for failure in &report.failures {
            text += &format!("\n! {failure}");
        }
        text
    })?;
    if report.transactions.failed_unexpectedly > 0 || report.audit.difference != 0 || !report.audit.is_clean() {
        return Err(Unsound("the scenario did not go as it had to; the report says where".to_owned()).into());
    }
    Ok(())
}

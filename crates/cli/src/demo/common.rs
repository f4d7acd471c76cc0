//! What every run of the demo reports, whatever was played, and when it counts as a success.

use std::fs::File;
use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result};
use ballast_client::audit::Audit;
use serde::Serialize;

use super::keeper;
use crate::desk::{Counts, Refusal};
use crate::output::{self, Unsound};
use crate::programs::ProgramInfo;
use crate::venue::Venue;

/// The part of every report. Amounts are integers in the collateral's smallest unit.
#[derive(Debug, Serialize)]
pub(crate) struct Common {
    /// What was played.
    pub(crate) scenario: &'static str,
    /// The program.
    pub(crate) program: ProgramInfo,
    /// Transactions.
    pub(crate) transactions: Counts,
    /// Refusals that were expected.
    pub(crate) refusals: Vec<Refusal>,
    /// Failures that were not, word by word.
    pub(crate) failures: Vec<String>,
    /// The keeper's own report, and what it has earned.
    pub(crate) keeper: keeper::Report,
    /// The books.
    pub(crate) audit: Audit,
    /// Decimals of the collateral.
    pub(crate) decimals: u8,
    /// Real time, seconds.
    pub(crate) seconds: f64,
}

impl Common {
    /// Reads the end state from chain, once the keeper has ended.
    pub(crate) async fn of(
        scenario: &'static str,
        venue: &Venue,
        keeper: keeper::Report,
        program: ProgramInfo,
        begun: Instant,
    ) -> Result<Self> {
        let exchange = venue.desk.chain.exchange(Some(venue.mint)).await?;
        let audit = venue.desk.chain.audit(&exchange).await?;
        let tally = venue.desk.tally();
        Ok(Self {
            scenario,
            program,
            transactions: tally.counts,
            refusals: tally.refusals(),
            failures: tally.failures.clone(),
            keeper,
            audit,
            decimals: venue.decimals,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    /// Why the run must not count as a success, if there are reasons, beside those of what was played.
    pub(crate) fn verdict(&self, own: Vec<String>) -> Option<String> {
        let mut reasons = Vec::new();
        if self.transactions.failed_unexpectedly > 0 {
            reasons.push(format!("{} transactions failed unexpectedly", self.transactions.failed_unexpectedly));
        }
        if self.audit.difference != 0 || !self.audit.is_clean() {
            let count = self.audit.mismatches.len();
            reasons.push(format!("the books are off by {} ({count} mismatches)", self.audit.difference));
        }
        reasons.extend(self.keeper.reasons());
        reasons.extend(own);
        (!reasons.is_empty()).then(|| reasons.join("; ") + "; the report names them")
    }

    /// How it ended, for people.
    pub(crate) fn closing(&self, verdict: Option<String>) -> String {
        let mut text = String::new();
        for failure in &self.failures {
            text += &format!("UNEXPECTED  {failure}\n");
        }
        text + &match verdict {
            None => "The books add up, and everything went as expected.".to_owned(),
            Some(reason) => format!("NOT AS IT SHOULD BE: {reason}"),
        }
    }

    /// Transactions, the keeper and the books in a few lines, for a scenario's report.
    pub(crate) fn brief(&self) -> String {
        let (c, keeper) = (&self.transactions, &self.keeper);
        let done: u64 = keeper.jobs.iter().map(|line| line.done).sum();
        let jobs: Vec<_> =
            keeper.jobs.iter().filter(|line| line.done > 0).map(|l| format!("{} {}", l.job, l.done)).collect();
        format!(
            "{} transactions: {} confirmed, {} refused as expected, {} failed; {done} of them by the keeper's process: {}\n\
             vault {}, difference {}",
            c.sent,
            c.confirmed,
            c.refused_as_expected,
            c.failed_unexpectedly,
            jobs.join(", "),
            crate::amount::quote(self.audit.vault, self.decimals),
            self.audit.difference
        )
    }
}

/// A report of the demo.
pub(crate) trait Account: Serialize {
    /// For people.
    fn text(&self) -> String;
    /// Why it must not count as a success, if there is a reason.
    fn verdict(&self) -> Option<String>;
}

/// Writes a report to where it is wanted, and fails if the run must not count as a success.
pub(crate) fn hand_over<R: Account>(report: &R, json: bool, file: Option<File>) -> Result<()> {
    if let Some(mut file) = file {
        writeln!(file, "{}", serde_json::to_string_pretty(report)?).context("the report cannot be written")?;
    }
    output::show(json, report, R::text)?;
    match report.verdict() {
        Some(reason) => Err(Unsound(reason).into()),
        None => Ok(()),
    }
}

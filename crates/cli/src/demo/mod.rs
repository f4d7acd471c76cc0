//! The demonstration: a whole exchange lives through prices on a local validator, and every promise that can be seen
//! from outside is looked at.

mod act;
mod actors;
mod bankruptcy;
mod common;
mod governance;
mod keeper;
mod parts;
mod proposals;
mod replay;
mod report;
mod scenario;
mod scene;
mod stage;
mod text;
mod waterfall;

use std::fs::File;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use ballast_localnet::Kind;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, ValueEnum};

use crate::args::{Cli, Global};
use crate::prices::{self, Prices};
use crate::programs;
use common::hand_over;
use governance::Story;
use replay::Pace;
use report::Report;
use scenario::Scenario;
use stage::Stage;

/// Recorded minutes that are replayed unless asked otherwise.
const RECORDED: usize = 3_000;
/// Made-up minutes.
const MADE_UP: usize = 720;
/// Made-up minutes of the short form.
const SHORT: usize = 60;
/// Made-up minutes that Agave's validator, which keeps real time, is put through: as far as the crash and a little on,
/// of so many.
const REAL_TIME: (usize, usize) = (16, 30);
/// The same of the short form.
const REAL_TIME_SHORT: (usize, usize) = (11, 20);
/// Minutes that the scenario of orders and covenants goes through, and in its short form.
const DISCIPLINE: (usize, usize) = (60, 30);

/// Jobs that the keeper leaves to the play, which shows what is refused before proposals are executed.
const GOVERNED: &[&str] = &["execute", "proposals"];

/// Options of `ballast demo`.
#[derive(Args)]
pub(crate) struct Options {
    /// Minute prices to replay: a CSV file with the columns unix,open,high,low,close,volume [default: made-up ones with
    /// a crash and a 10 % hiccup]
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// How many minutes to replay [default: 3000 recorded ones, 720 made-up ones, 60 with --short; 16 and 11 on Agave's
    /// validator; 60 and 30 of --scenario discipline]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10..))]
    minutes: Option<u64>,
    /// How many recorded minutes to leave out first
    #[arg(long, value_name = "N", default_value_t = 0, requires = "prices")]
    skip: usize,
    /// Of the made-up prices and of what traders do
    #[arg(long, default_value_t = 1, env = "BALLAST_SEED")]
    seed: u64,
    /// Which validator to run
    #[arg(long, value_enum, default_value = "surfpool")]
    validator: Validator,
    /// Write the report as JSON to this file too
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Play a scenario instead; of these, discipline alone goes through prices
    #[arg(long, value_enum)]
    scenario: Option<Scenario>,
    /// Fewer minutes: a minute or two of real time
    #[arg(long)]
    short: bool,
}

/// Which validator to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Validator {
    /// Embedded; fast, and its clock can be moved
    Surfpool,
    /// Agave's solana-test-validator; real slots, real time
    Agave,
}

impl Validator {
    const fn kind(self) -> Kind {
        match self {
            Self::Surfpool => Kind::Surfpool,
            Self::Agave => Kind::Agave,
        }
    }
}

impl Options {
    /// Ends the command, as the parser would, where options do not go together.
    fn check(&self) {
        let own = matches!(self.scenario, Some(Scenario::Governance | Scenario::Bankruptcy));
        if own && (self.prices.is_some() || self.minutes.is_some() || self.short) {
            let message = "--prices, --minutes and --short go with the demo itself and with --scenario discipline";
            Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        if self.scenario.is_some() && self.validator != Validator::Surfpool {
            let message = "a scenario lets days pass: it needs surfpool, whose clock can be moved";
            Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
    }

    fn prices(&self) -> Result<Prices> {
        let minutes = |default: usize| self.minutes.map_or(default, |n| usize::try_from(n).unwrap_or(usize::MAX));
        if self.scenario == Some(Scenario::Discipline) {
            let default = minutes(if self.short { DISCIPLINE.1 } else { DISCIPLINE.0 });
            return match &self.prices {
                Some(path) => prices::read(path, self.skip, default),
                None => Ok(prices::built_in(default, self.seed)),
            };
        }
        if let Some(path) = &self.prices {
            return prices::read(path, self.skip, minutes(if self.short { SHORT } else { RECORDED }));
        }
        if self.validator == Validator::Agave && self.minutes.is_none() {
            let (kept, whole) = if self.short { REAL_TIME_SHORT } else { REAL_TIME };
            let mut prices = prices::built_in(whole, self.seed);
            prices.minutes.truncate(kept);
            return Ok(prices);
        }
        Ok(prices::built_in(minutes(if self.short { SHORT } else { MADE_UP }), self.seed))
    }
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let begun = Instant::now();
    let program = programs::info()?;
    // Rather now than after minutes of work.
    let create = |path: &PathBuf| {
        let hint = || format!("{} cannot be written; give --report another place", path.display());
        File::create(path).with_context(hint)
    };
    let file = options.report.as_ref().map(create).transpose()?;
    let kind = options.validator.kind();
    options.check();
    match options.scenario {
        Some(Scenario::Bankruptcy) => {
            let bar = replay::progress(0, global.json);
            let report = bankruptcy::run(program, begun, &bar).await?;
            bar.finish_and_clear();
            return hand_over(&report, global.json, file);
        }
        Some(Scenario::Governance) => {
            let bar = replay::progress(1, global.json);
            let report = scenario::run(kind, options.seed, program, (global.json, &bar), begun).await?;
            bar.finish_and_clear();
            return hand_over(&report, global.json, file);
        }
        Some(Scenario::Discipline) => {
            let played =
                scenario::discipline::Options { prices: options.prices()?, seed: options.seed, short: options.short };
            let bar = replay::progress(played.prices.minutes.len(), global.json);
            let report = scenario::discipline::run(&played, program, global.json, &bar, begun).await?;
            bar.finish_and_clear();
            return hand_over(&report, global.json, file);
        }
        None => {}
    }
    let prices = options.prices()?;
    let bar = replay::progress(prices.minutes.len(), global.json);
    let mut stage = Stage::set_up(kind, &prices, options.seed, &bar, GOVERNED).await?;
    let mut story = Story::new(kind, prices.minutes.len());
    let pace = Pace::of(kind, !global.json);
    replay::run(&mut stage, &mut story, &prices, &pace, &bar).await?;
    story.finish(&mut stage, &bar).await?;
    bar.finish_and_clear();
    let report = Report::write(&mut stage, &story, &prices, program, begun).await?;
    stage.venue.net.stop().await?;

    hand_over(&report, global.json, file)
}

//! `ballast docs`: documents made from the code.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ballast_engine::params::{Class, EXCHANGE_ROWS, ExchangeParams, MARKET_ROWS, MarketParams, Row, Unit};
use ballast_engine::presets;
use ballast_engine::tier::Tier;
use ballast_engine::units::Quote;
use clap::{Args, Subcommand};

use crate::funding::{self, Replay};
use crate::prices;

/// The presets are shown for a skew scale of this many base atoms and this open-interest cap, whole units.
const SKEW_SCALE: u64 = 6_000_000_000_000;
const CAP: u64 = 2_000_000;
/// One whole unit of a collateral with six decimals.
const UNIT: u64 = 1_000_000;

/// Options of `ballast docs`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every parameter with its bounds, steps and classes, as Markdown
    Parameters {
        /// Print nothing; fail unless this file has exactly that
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
    /// Sixty days of funding by the engine: a chart, and the numbers in the page that tells about it
    Funding {
        /// The chart
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The page whose table is to be written anew
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
        /// Write nothing; fail unless the files have exactly that
        #[arg(long)]
        check: bool,
        /// Another path of the skew
        #[arg(long, default_value_t = funding::SEED)]
        seed: u64,
        /// A CSV file of minutes (unix,open,high,low,close,volume) whose prices the crowd follows
        #[arg(long, value_name = "FILE")]
        prices: Option<PathBuf>,
    },
}

/// Runs it.
pub(crate) fn run(options: Options) -> Result<()> {
    match options.command {
        Command::Parameters { check } => {
            let text = parameters()?;
            let Some(path) = check else {
                print!("{text}");
                return Ok(());
            };
            compare(&path, &text, &format!("ballast docs parameters > {}", path.display()))
        }
        Command::Funding { out, page, check, seed, prices } => {
            let replay = match prices {
                Some(path) => Replay::recorded(&prices::read(&path, 0, usize::MAX)?)?,
                None => Replay::built_in(seed)?,
            };
            let mut files = vec![(out, replay.chart()?)];
            if let Some(path) = page {
                let text = funding::put(&read(&path)?, &replay.table()?)
                    .with_context(|| format!("{} cannot be written anew", path.display()))?;
                files.push((path, text));
            }
            for (path, text) in files {
                if check {
                    compare(&path, &text, "ballast docs funding")?;
                } else {
                    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
                }
            }
            Ok(())
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// That a file has exactly this text; `command` is what writes it.
fn compare(path: &Path, text: &str, command: &str) -> Result<()> {
    let found = read(path)?;
    if found != text {
        let differs = found.lines().zip(text.lines()).position(|(a, b)| a != b);
        let line = differs.unwrap_or_else(|| found.lines().count().min(text.lines().count())) + 1;
        bail!("{} is out of date from line {line} on; write it anew with `{command}`", path.display());
    }
    Ok(())
}

fn parameters() -> Result<String> {
    let mut text = String::from(
        "# Parameters\n\n\
         Made from the registry in `crates/engine/src/params.rs` by `ballast docs parameters`; CI fails when it is out of\n\
         date.\n\n\
         Governance may change a parameter within its hard bounds, by at most its largest step (an amount, or a share of\n\
         the old value, whichever is larger), at most once in 24 hours, after the delay of the change's class: G1 at\n\
         least 48 hours, G2 72 hours, G3 7 days. Raising and lowering may differ in class. Every change is also held\n\
         against the solvency envelope and against the other parameters (docs/DESIGN.md section 7), when it is queued\n\
         and when it is executed.\n\n\
         Stored numbers are integers: shares in millionths (10000 is 1 %), amounts in the collateral's smallest unit,\n\
         funding rates with exponent -12. `ballast govern` takes them so, 600, or with their unit: 0.06%, 12h,\n\
         1000u for whole units.\n\n",
    );
    table(&mut text, "Market", MARKET_ROWS)?;
    table(&mut text, "Exchange", EXCHANGE_ROWS)?;
    writeln!(text, "## Presets\n")?;
    writeln!(
        text,
        "What a live market starts from by tier, for a collateral with six decimals, a cap of {CAP} whole units and a \
         skew\nscale of {SKEW_SCALE} base atoms (both depend on the asset). A new market has cap, velocity and holding \
         fee at zero.\n"
    )?;
    presets(&mut text)?;
    Ok(text)
}

fn table(text: &mut String, title: &str, rows: &[Row]) -> Result<()> {
    writeln!(text, "## {title}\n")?;
    writeln!(text, "| id | name | unit | minimum | maximum | largest step | up | down | meaning |")?;
    writeln!(text, "| --: | --- | --- | --: | --: | --: | --- | --- | --- |")?;
    for (id, row) in rows.iter().enumerate() {
        writeln!(
            text,
            "| {id} | `{}` | {} | {} | {} | {} | {} | {} | {} |",
            row.name,
            row.unit.name(),
            row.unit.show(row.min),
            row.unit.show(row.max),
            step(row),
            class(row.up),
            class(row.down),
            row.doc,
        )?;
    }
    writeln!(text)?;
    Ok(())
}

fn step(row: &Row) -> String {
    let amount = (row.step > 0).then(|| row.unit.show(row.step).to_string());
    let share = (row.step_share > 0).then(|| format!("{} of it", Unit::Ratio.show(row.step_share)));
    match (amount, share) {
        (Some(amount), Some(share)) => format!("{amount} or {share}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "none".to_owned(),
    }
}

const fn class(class: Class) -> &'static str {
    match class {
        Class::G1 => "G1",
        Class::G2 => "G2",
        Class::G3 => "G3",
    }
}

fn presets(text: &mut String) -> Result<()> {
    let sets = [Tier::A, Tier::B, Tier::C].map(|tier| presets::tuned(tier, SKEW_SCALE, Quote(CAP * UNIT)));
    writeln!(text, "| name | tier A | tier B | tier C |")?;
    writeln!(text, "| --- | --: | --: | --: |")?;
    for (id, row) in (0..).zip(MARKET_ROWS) {
        let cell = |set: &MarketParams| -> Result<String> {
            let value = set.get(id).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
            Ok(row.unit.show(value).to_string())
        };
        writeln!(text, "| `{}` | {} | {} | {} |", row.name, cell(&sets[0])?, cell(&sets[1])?, cell(&sets[2])?)?;
    }
    writeln!(text, "\n| name | exchange |\n| --- | --: |")?;
    let exchange: ExchangeParams = presets::new_exchange();
    for (id, row) in (0..).zip(EXCHANGE_ROWS) {
        let value = exchange.get(id).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        writeln!(text, "| `{}` | {} |", row.name, row.unit.show(value))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_in_the_document() {
        let text = parameters().unwrap();
        for row in MARKET_ROWS.iter().chain(EXCHANGE_ROWS) {
            assert!(text.contains(&format!("| `{}` | {} |", row.name, row.unit.name())), "{}", row.name);
        }
    }
}

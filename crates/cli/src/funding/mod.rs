//! Funding over sixty days of a market, for docs/FUNDING.md: a path of the skew, the engine on it, a chart, a table.

mod chart;
mod page;
mod path;
mod run;

use std::path::Path;

use anyhow::Result;

use crate::prices::Prices;

/// Minutes of the replay: sixty days.
const MINUTES: usize = 60 * 24 * 60;
/// The path's seed where none is given.
pub(crate) const SEED: u64 = 7;

/// A replay, ready to be drawn and told.
pub(crate) struct Replay {
    run: run::Run,
    source: String,
}

impl Replay {
    /// On the built-in path of that seed.
    pub(crate) fn built_in(seed: u64) -> Result<Self> {
        Self::of(&path::built_in(seed), format!("the built-in path, seed {seed}"))
    }

    /// On recorded minutes: the crowd follows the price.
    pub(crate) fn recorded(prices: &Prices) -> Result<Self> {
        let name = Path::new(&prices.source).file_name().map(|name| name.to_string_lossy().into_owned());
        Self::of(&path::recorded(prices), format!("the prices of {}", name.unwrap_or_default()))
    }

    fn of(path: &path::SkewPath, source: String) -> Result<Self> {
        Ok(Self { run: run::run(path)?, source })
    }

    /// The chart as SVG.
    pub(crate) fn chart(&self) -> Result<String> {
        chart::draw(&self.run, &self.source)
    }

    /// The table of the run's numbers as Markdown.
    pub(crate) fn table(&self) -> Result<String> {
        page::table(&self.run, &self.source)
    }
}

pub(crate) use page::put;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_documents_and_another_one_others() {
        let [one, two, other] = [7, 7, 8].map(|seed| Replay::built_in(seed).unwrap());
        assert_eq!(one.chart().unwrap(), two.chart().unwrap());
        assert_eq!(one.table().unwrap(), two.table().unwrap());
        assert_ne!(one.chart().unwrap(), other.chart().unwrap());
    }

    #[test]
    fn what_the_page_says_of_the_rule_holds_in_the_run() {
        let replay = Replay::built_in(SEED).unwrap();
        let run = &replay.run;
        assert_eq!(run.hours.len(), MINUTES / 60);
        let mut doubled = 0;
        for pair in run.hours.windows(2) {
            assert!(pair[1].rate.abs() <= pair[1].bound && pair[1].bound <= run.hard);
            // Twice in an hour at most, but where twice the average carries it.
            assert!(pair[1].bound <= (2 * pair[0].bound).max(2 * pair[1].average + 2));
            doubled += u32::from(pair[1].bound == 2 * pair[0].bound);
        }
        assert!(doubled > 3, "the ramp is in the picture");
        assert!(run.hours.iter().any(|hour| hour.rate.abs() == run.hard), "and so is the hard cap");
        assert!(run.phases.iter().all(|phase| phase.highest <= phase.highest_ungoverned));
    }
}

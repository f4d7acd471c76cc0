//! The run's numbers, between two marks in the page that tells about it.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::run::{HELD, Run};

/// Where the numbers stand in the page.
const BEGIN: &str = "<!-- written by `ballast docs funding` -->\n";
const END: &str = "<!-- end -->\n";

/// The page with a table in place of the one that it has.
pub(crate) fn put(page: &str, table: &str) -> Result<String> {
    let missing = || format!("the page lacks the lines {:?} and {:?}", BEGIN.trim(), END.trim());
    let (before, rest) = page.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

fn bps(rate: i64) -> String {
    format!("{:.2}", rate as f64 / 1e8)
}

fn dollars(amount: i64) -> String {
    format!("{:.2}", amount as f64 / 1e6)
}

/// The table.
pub(super) fn table(run: &Run, source: &str) -> Result<String> {
    let mut text = String::new();
    let held = HELD.0 / 1_000_000;
    writeln!(
        text,
        "| | from day | what happens | mean skew, % of K′ | soft cap up to | highest rate | without governor | 30-day average after | a ${held} long paid, $ | without governor |"
    )?;
    writeln!(text, "| --: | --: | --- | --: | --: | --: | --: | --: | --: | --: |")?;
    for (number, p) in (1..).zip(&run.phases) {
        writeln!(
            text,
            "| {number} | {:.1} | {} | {:.0} | {} | {} | {} | {} | {} | {} |",
            p.start as f64 / 1_440.0,
            p.name,
            // Plus nothing: a zero without a sign.
            (p.skew as f64 / 100.0).round() + 0.0,
            bps(p.bound),
            bps(p.highest),
            bps(p.highest_ungoverned),
            bps(p.average),
            dollars(p.paid),
            dollars(p.paid_ungoverned),
        )?;
    }
    let sum = |paid: fn(&super::run::Phase) -> i64| dollars(run.phases.iter().map(paid).sum());
    writeln!(text, "| | | all | | | | | | {} | {} |", sum(|p| p.paid), sum(|p| p.paid_ungoverned))?;
    writeln!(text, "\nRates in basis points an hour, on {source}. A negative payment was received.\n")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_takes_the_place_of_the_old_one() {
        let page = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(put(&page, "new\n").unwrap(), format!("a\n{BEGIN}new\n{END}b\n"));
        assert!(put("nothing", "new\n").is_err());
    }
}

//! `--scenario bankruptcy`: one small market goes through all of docs/DESIGN.md section 9, and the report says who paid.

mod acts;

use std::time::Instant;

use anyhow::{Context, Result};
use ballast_client::Markets;
use ballast_engine::constants::HOUR;
use indicatif::ProgressBar;
use serde::Serialize;

use super::common::{Account, Common};
use super::scene::{Line, Scene, Setting, UNIT, money, told};
use super::waterfall::Waterfall;
use crate::migrate::{self, Step, Work};
use crate::programs::ProgramInfo;

/// When the chain's clock begins; days are counted from midnight.
const BEGIN: i64 = 1_700_000_000;
/// The market's first price.
const PRICE: f64 = 60_000.0;
/// Jobs that the keeper does not do at first.
const LAZY: &[&str] = &["settle", "claims"];

/// The scenario's report. Amounts are integers in the collateral's smallest unit.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What every run reports.
    #[serde(flatten)]
    pub(crate) common: Common,
    /// What happened.
    pub(crate) story: Vec<Line>,
    /// Who paid.
    pub(crate) waterfall: Waterfall,
}

impl Account for Report {
    fn verdict(&self) -> Option<String> {
        let mut reasons = Vec::new();
        // The keeper's process has to have found all of this by itself.
        for job in ["flag", "resolve", "insurance", "settle", "claims", "deleverage", "settlement"] {
            if !self.common.keeper.jobs.iter().any(|line| line.job == job && line.done > 0) {
                reasons.push(format!("the keeper did nothing of \"{job}\""));
            }
        }
        self.common.verdict(reasons)
    }

    fn text(&self) -> String {
        let mut text = String::from("Bankruptcy: who pays the final bill\n\n");
        text += &told(&self.story);
        let w = &self.waterfall;
        text += "\nWho paid\n";
        for (what, amount) in [
            ("deficits of accounts below zero", w.deficits),
            ("  the market's insurance", w.market_insurance),
            ("  shared insurance", w.shared_insurance),
            ("  providers", w.lp_loss),
            ("claims of traders at their peak", w.claims_peak),
            ("claims collected", w.claims_paid),
            ("open interest deleveraged", w.deleveraged),
        ] {
            text += &format!("{what:<34} {:>16}\n", money(amount));
        }
        text += &format!("{:<34} {:>16}\n", "markets settled", w.settled_markets);
        text += &format!("\n{}\n{}", self.common.brief(), self.common.closing(self.verdict()));
        text
    }
}

/// The exchange with one small market: 20,000 of liquidity, 500 of its own insurance; of 50,000 of shared insurance it may
/// claim 8,000 a week.
fn steps() -> Result<Vec<Step>> {
    let local = migrate::local()?;
    let pick = |index: usize| local.get(index).cloned().context("the local steps begin with exchange and market");
    let funding = migrate::FundingStep {
        shared_insurance: 50_000,
        market: vec![migrate::MarketFunding { index: 0, insurance: 500, liquidity: vec![20_000] }],
    };
    let raise = |name: &str, value| migrate::ParameterStep { market: 0, name: name.into(), value };
    let parameters = vec![raise("open_interest_cap", 1_000_000 * UNIT), raise("insurance_week_cap", 8_000 * UNIT)];
    Ok(vec![
        pick(0)?,
        pick(1)?,
        Step { name: "funding", purpose: "Liquidity and insurance".into(), work: Work::Funding(funding) },
        Step { name: "opening", purpose: "Open the market".into(), work: Work::Parameters(parameters) },
    ])
}

/// Runs it.
pub(crate) async fn run(program: ProgramInfo, begun: Instant, bar: &ProgressBar) -> Result<Report> {
    let people = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"].map(str::to_owned);
    // In the second act nobody settles for two days.
    let setting = Setting { steps: &steps()?, people: &people, begin: BEGIN, price: PRICE, without: LAZY };
    let mut scene = Scene::set_up(&setting, bar).await?;
    bar.set_message("deficits and insurance");
    scene.deficits().await?;
    bar.set_message("claims and deleveraging");
    scene.wait(HOUR).await?;
    scene.episode().await?;
    bar.set_message("settlement");
    scene.settlement().await?;
    let keeper = scene.close_keeper().await?;
    let common = Common::of("bankruptcy", &scene.venue, keeper, program, begun).await?;
    let markets: Markets = std::iter::once(scene.market().await?).collect();
    let waterfall = Waterfall::of(&scene.venue.desk.tally().events, &markets);
    scene.venue.net.stop().await?;
    Ok(Report { common, story: scene.story, waterfall })
}

//! `--scenario bankruptcy`: one small market goes through all of docs/DESIGN.md section 9, and the report says who paid.

mod acts;

use std::sync::Arc;
use std::time::Instant;

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail};
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::{Market, Subaccount};
use ballast_client::events::Event;
use ballast_client::{Markets, address, instructions};
use ballast_engine::Error;
use ballast_engine::constants::{DAY, HOUR, PLACEMENT_LAG};
use ballast_localnet::Kind;
use indicatif::ProgressBar;
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::common::{Account, Common};
use super::keeper::{self, Keeper};
use super::waterfall::Waterfall;
use crate::desk::{Expect, Outcome};
use crate::migrate::{self, Step, Work};
use crate::programs::ProgramInfo;
use crate::venue::{Start, Venue, done};
use crate::{keys, tokens};

/// When the chain's clock begins; days are counted from midnight.
const BEGIN: i64 = 1_700_000_000;
/// The market's first price.
const PRICE: f64 = 60_000.0;
/// Jobs that the keeper does not do at first.
const LAZY: &[&str] = &["settle", "claims"];
/// Prices within which orders are filled.
const FILLS: usize = 10;
/// One whole unit of the collateral.
const UNIT: u64 = 1_000_000;

/// What happened, in words.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// The step of section 9.
    pub(crate) step: &'static str,
    /// What was seen.
    pub(crate) text: String,
}

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
        for line in &self.story {
            text += &format!("{:<12} {}\n", line.step, line.text);
        }
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

fn money(amount: u64) -> String {
    format!("{}.{:02}", amount / UNIT, amount % UNIT / 10_000)
}

/// A trader with one subaccount.
struct Person {
    name: &'static str,
    key: Arc<Keypair>,
    subaccount: Pubkey,
}

struct Scene {
    venue: Venue,
    keeper: Keeper,
    /// Sends what anyone may, to see it refused.
    anyone: Keypair,
    price: f64,
    story: Vec<Line>,
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

impl Scene {
    async fn set_up(bar: &ProgressBar) -> Result<Self> {
        let steps = steps()?;
        let people = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
        let mut wallets: Vec<Pubkey> = people.iter().map(|name| keys::local(name).pubkey()).collect();
        wallets.extend(migrate::wallets(&steps));
        let unix = BEGIN - migrate::duration(&steps);
        let kind = Kind::Surfpool;
        let start = Start { kind, unix: Some(unix), port: None, accounts: Vec::new(), wallets, real_time: false };
        let mut venue = Venue::start(start).await?;
        let report = |step: &Step| bar.set_message(format!("{}: {}", step.name, step.purpose));
        let _ = migrate::run(&mut venue, &steps, &[PRICE], report).await?;
        venue.wait_until(BEGIN).await?;
        bar.set_message("the keeper starts");
        // In the second act nobody settles for two days.
        let keeper = Keeper::start(&venue, LAZY).await?;
        let anyone = keys::local(keys::ANYONE);
        let mut scene = Self { venue, keeper, anyone, price: PRICE, story: Vec::new() };
        scene.post(PRICE).await?;
        Ok(scene)
    }

    fn tell(&mut self, step: &'static str, text: String) {
        self.story.push(Line { step, text });
    }

    fn market_key(&self) -> Pubkey {
        address::market(&self.venue.exchange, 0)
    }

    /// Moves the price, and posts it until it is confirmed and the keeper has done what it calls for.
    async fn post(&mut self, price: f64) -> Result<()> {
        self.price = price;
        for _ in 0..4 {
            self.venue.wait(3).await?;
            self.publish().await?;
        }
        Ok(())
    }

    /// Posts the price again, a little later than anything that was placed counts.
    async fn refresh(&mut self) -> Result<()> {
        self.venue.wait(PLACEMENT_LAG + 1).await?;
        self.publish().await
    }

    async fn publish(&mut self) -> Result<()> {
        let published = self.venue.publish(&[self.price]).await?;
        self.keeper.rest(published).await
    }

    async fn wait(&mut self, seconds: i64) -> Result<()> {
        self.venue.wait(seconds).await?;
        self.post(self.price).await
    }

    /// Waits for the next midnight, UTC, and a minute more.
    async fn midnight(&mut self) -> Result<()> {
        let now = self.venue.net.clock().await?.unix;
        self.wait(DAY - now % DAY + 60).await
    }

    /// What the keeper has done since the last time.
    async fn seen(&mut self) -> Result<Vec<Event>> {
        let desk = self.venue.desk.clone();
        self.keeper.collect(&desk).await
    }

    /// Somebody sends something that must go through.
    async fn send(&self, what: &str, instruction: Instruction) -> Result<Vec<Event>> {
        match self.venue.desk.send(what, &[instruction], &self.anyone, &[], Expect::Done).await {
            Outcome::Done(events) => Ok(events),
            other => done(other, &self.venue).map(|()| Vec::new()),
        }
    }

    /// What must be refused, for that reason.
    async fn refused(&self, what: &str, instruction: Instruction, reason: Error) {
        let reasons = [reason];
        let _ = self.venue.desk.send(what, &[instruction], &self.anyone, &[], Expect::Refused(&reasons)).await;
    }

    async fn person(&self, name: &'static str, collateral: u64) -> Result<Person> {
        let venue = &self.venue;
        let key = Arc::new(keys::local(name));
        let owner = key.pubkey();
        let give = migrate::Money::give(&venue.mint, &owner, collateral * UNIT);
        let faucet = keys::local(keys::FAUCET);
        done(venue.desk.send("test collateral", &give, &faucet, &[], Expect::Done).await, venue)?;
        let subaccount = address::subaccount(&venue.exchange, &owner, 0);
        let source = tokens::associated(&owner, &venue.mint);
        let enter = [
            instructions::open_subaccount(&venue.exchange, &owner, 0, false),
            instructions::deposit(&venue.exchange, &owner, &subaccount, &source, collateral * UNIT),
        ];
        done(venue.desk.send("open and deposit", &enter, &key, &[], Expect::Done).await, venue)?;
        Ok(Person { name, key, subaccount })
    }

    async fn account(&self, person: &Person) -> Result<Box<Subaccount>> {
        self.venue.desk.chain.read(&person.subaccount).await
    }

    async fn market(&self) -> Result<Box<Market>> {
        self.venue.desk.chain.read(&self.market_key()).await
    }

    /// Opens or increases by a notional in whole units; negative sells.
    async fn open(&self, person: &Person, notional: f64) -> Result<()> {
        let size = (notional / self.price * 1e8).round() as i64;
        let (market, owner) = (self.market_key(), person.key.pubkey());
        let id = self.account(person).await?.state.next_order;
        let args = PlaceOrderArgs { size, ..PlaceOrderArgs::default() };
        let place = instructions::place_order(&owner, &market, &person.subaccount, id, args);
        done(self.venue.desk.send("place order", &[place], &person.key, &[], Expect::Done).await, &self.venue)
    }

    /// Lets the keeper fill what was placed, at later prices.
    async fn fill(&mut self, people: &[&Person]) -> Result<()> {
        for _ in 0..FILLS {
            self.refresh().await?;
            let mut waiting = false;
            for person in people {
                waiting |= self.account(person).await?.state.orders > 0;
            }
            if !waiting {
                return Ok(());
            }
        }
        bail!("the keeper does not fill what was placed")
    }

    /// Everybody closes at once, at the penalised price of an immediate reduction.
    async fn close(&mut self, people: &[&Person]) -> Result<()> {
        for person in people {
            self.post(self.price).await?;
            let account = self.account(person).await?;
            let Some(slot) = account.state.find(0) else { continue };
            let size = account.state.positions[slot].base().0;
            if size == 0 {
                continue;
            }
            let owner = person.key.pubkey();
            let reduce = instructions::reduce(&owner, &self.market_key(), &person.subaccount, size, 0, &[]);
            done(self.venue.desk.send("reduce", &[reduce], &person.key, &[], Expect::Done).await, &self.venue)?;
        }
        Ok(())
    }
}

/// Runs it.
pub(crate) async fn run(program: ProgramInfo, begun: Instant, bar: &ProgressBar) -> Result<Report> {
    let mut scene = Scene::set_up(bar).await?;
    bar.set_message("deficits and insurance");
    scene.deficits().await?;
    bar.set_message("claims and deleveraging");
    scene.wait(HOUR).await?;
    scene.episode().await?;
    bar.set_message("settlement");
    scene.settlement().await?;
    let _ = scene.seen().await?;
    let report = scene.keeper.stop().await?;
    let subaccount = scene.venue.desk.chain.read::<Subaccount>(&scene.keeper.subaccount).await?;
    let keeper = keeper::Report { collateral: subaccount.state.collateral.0, ..report };
    let common = Common::of("bankruptcy", &scene.venue, keeper, program, begun).await?;
    let markets: Markets = std::iter::once(scene.market().await?).collect();
    let waterfall = Waterfall::of(&scene.venue.desk.tally().events, &markets);
    scene.venue.net.stop().await?;
    Ok(Report { common, story: scene.story, waterfall })
}

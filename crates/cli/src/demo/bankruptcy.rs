//! `--scenario bankruptcy`: one small market goes through all of docs/DESIGN.md section 9, and the report says who paid.

use std::sync::Arc;
use std::time::Instant;

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, ensure};
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::{Market, Subaccount};
use ballast_client::audit::Audit;
use ballast_client::events::Event;
use ballast_client::{Markets, address, instructions, keeping};
use ballast_engine::constants::{DAY, DELEVERAGE_AFTER, HOUR, PLACEMENT_LAG, SETTLEMENT_PATIENCE, SETTLEMENT_WAIT};
use ballast_engine::{Error, Now};
use ballast_localnet::Kind;
use indicatif::ProgressBar;
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::waterfall::Waterfall;
use crate::desk::{Counts, Expect};
use crate::migrate::{self, Step, Work};
use crate::programs::ProgramInfo;
use crate::venue::{Start, Venue, done};
use crate::{audit, keys, tokens};

/// When the chain's clock begins; days are counted from midnight.
const BEGIN: i64 = 1_700_000_000;
/// The market's first price.
const PRICE: f64 = 60_000.0;
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
    /// Which scenario.
    pub(crate) scenario: &'static str,
    /// The program.
    pub(crate) program: ProgramInfo,
    /// What happened.
    pub(crate) story: Vec<Line>,
    /// Who paid.
    pub(crate) waterfall: Waterfall,
    /// Transactions.
    pub(crate) transactions: Counts,
    /// Failures that were not expected, word by word.
    pub(crate) failures: Vec<String>,
    /// The books.
    pub(crate) audit: Audit,
    /// Decimals of the collateral.
    pub(crate) decimals: u8,
    /// Real time, seconds.
    pub(crate) seconds: f64,
}

impl Report {
    /// Why the run must not count as a success, if there is a reason.
    pub(crate) fn verdict(&self) -> Option<String> {
        let mut reasons = Vec::new();
        if self.transactions.failed_unexpectedly > 0 {
            reasons.push(format!("{} transactions failed unexpectedly", self.transactions.failed_unexpectedly));
        }
        if self.audit.difference != 0 || !self.audit.is_clean() {
            reasons.push(format!("the books are off ({} mismatches)", self.audit.mismatches.len()));
        }
        (!reasons.is_empty()).then(|| reasons.join("; ") + "; the report names them")
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
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
        text += &format!(
            "\n{} transactions, {} unexpected failures; vault {}, difference {}\n",
            self.transactions.sent,
            self.transactions.failed_unexpectedly,
            money(self.audit.vault),
            self.audit.difference
        );
        text += if self.verdict().is_none() { "The books add up.\n" } else { "NOT AS IT SHOULD BE.\n" };
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
    keeper: Keypair,
    flagger: Pubkey,
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
        let keeper = keys::local(keys::KEEPER);
        let flagger = address::subaccount(&venue.exchange, &keeper.pubkey(), 0);
        let open = instructions::open_subaccount(&venue.exchange, &keeper.pubkey(), 0, false);
        done(venue.desk.send("open subaccount", &[open], &keeper, &[], Expect::Done).await, &venue)?;
        let mut scene = Self { venue, keeper, flagger, price: PRICE, story: Vec::new() };
        scene.post(PRICE).await?;
        Ok(scene)
    }

    fn tell(&mut self, step: &'static str, text: String) {
        self.story.push(Line { step, text });
    }

    fn market_key(&self) -> Pubkey {
        address::market(&self.venue.exchange, 0)
    }

    /// Moves the price, and posts it until it is confirmed.
    async fn post(&mut self, price: f64) -> Result<()> {
        self.price = price;
        for _ in 0..4 {
            self.venue.wait(3).await?;
            self.venue.tick(&[price]).await?;
        }
        Ok(())
    }

    /// Posts the price again, a little later than anything that was placed counts.
    async fn refresh(&mut self) -> Result<()> {
        self.venue.wait(PLACEMENT_LAG + 1).await?;
        self.venue.tick(&[self.price]).await
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

    /// The keeper sends something that must go through.
    async fn keep(&self, what: &str, instruction: Instruction) -> Result<Vec<Event>> {
        let outcome = self.venue.desk.send(what, &[instruction], &self.keeper, &[], Expect::Done).await;
        let events = match outcome {
            crate::desk::Outcome::Done(events) => events,
            other => {
                done(other, &self.venue)?;
                Vec::new()
            }
        };
        Ok(events)
    }

    /// What must be refused, for that reason.
    async fn refused(&self, what: &str, instruction: Instruction, reason: Error) {
        let reasons = [reason];
        let _ = self.venue.desk.send(what, &[instruction], &self.keeper, &[], Expect::Refused(&reasons)).await;
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

    async fn now(&self) -> Result<Now> {
        self.venue.desk.chain.now().await
    }

    /// Opens or increases by a notional in whole units; negative sells.
    async fn open(&self, person: &Person, notional: f64) -> Result<()> {
        let size = (notional / self.price * 1e8).round() as i64;
        let (market, owner) = (self.market_key(), person.key.pubkey());
        let id = self.account(person).await?.state.next_order;
        let args = PlaceOrderArgs { size, limit: 0, expires_at: 0, reduce_only: false };
        let place = instructions::place_order(&owner, &market, &person.subaccount, id, args);
        done(self.venue.desk.send("place order", &[place], &person.key, &[], Expect::Done).await, &self.venue)
    }

    /// Fills what was placed, at a later price.
    async fn fill(&mut self, people: &[&Person]) -> Result<()> {
        self.refresh().await?;
        let market = self.market_key();
        for person in people {
            let order = address::order(&person.subaccount, 0);
            let owner = person.key.pubkey();
            let fill =
                instructions::execute_order(&market, &person.subaccount, &order, &owner, Some(&self.flagger), &[]);
            self.keep("fill order", fill).await?;
            // The price must stay good.
            self.refresh().await?;
        }
        Ok(())
    }

    async fn resolve(&mut self, people: &[&Person]) -> Result<u64> {
        let mut deficits = 0;
        for person in people {
            let legs = instructions::leg_metas(&*self.account(person).await?, None, true);
            self.keep("flag", instructions::flag(&person.subaccount, &self.flagger, &legs)).await?;
        }
        self.post(self.price).await?;
        for person in people {
            let legs = instructions::leg_metas(&*self.account(person).await?, None, true);
            for event in self.keep("resolve", instructions::resolve(&person.subaccount, &legs)).await? {
                if let Event::Resolved(resolved) = event {
                    deficits += resolved.deficit;
                }
            }
        }
        Ok(deficits)
    }

    async fn settle(&self, person: &Person) -> Result<(i64, u64)> {
        let settle = instructions::settle(&self.market_key(), &person.subaccount);
        for event in self.keep("settle", settle).await? {
            if let Event::PositionSettled(settled) = event {
                return Ok((settled.pnl, settled.claimed));
            }
        }
        Ok((0, 0))
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

    async fn collect(&self, person: &Person) -> Result<u64> {
        let account = self.account(person).await?;
        if account.state.find(0).is_none() {
            return Ok(0);
        }
        let collect = instructions::collect_claim(&self.market_key(), &person.subaccount);
        let mut sum = 0;
        for event in self.keep("collect claim", collect).await? {
            if let Event::PositionSettled(settled) = event {
                sum += settled.collected;
            }
        }
        Ok(sum)
    }

    /// Deficits: the bucket, then shared insurance by its daily batch; providers bear the rest.
    async fn deficits(&mut self) -> Result<()> {
        let [alice, bob, carol] =
            [self.person("alice", 8_000).await?, self.person("bob", 5_000).await?, self.person("carol", 60_000).await?];
        self.open(&carol, -120_000.0).await?;
        self.open(&alice, 70_000.0).await?;
        self.open(&bob, 50_000.0).await?;
        self.fill(&[&carol, &alice, &bob]).await?;
        self.post(PRICE * 0.8).await?;
        let deficits = self.resolve(&[&alice, &bob]).await?;
        let market = self.market().await?;
        let claim = market.state.insurance.pending().map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        let bucket = market.state.pool.insurance_paid.0;
        self.tell(
            "1 bucket",
            format!(
                "BTC falls 20 % at once: alice and bob owe {} more than they had; the market's insurance pays {}",
                money(deficits),
                money(bucket)
            ),
        );
        let register = instructions::register_insurance_claim(&self.venue.exchange, &self.market_key());
        self.refused("register too early", register.clone(), Error::InsuranceTooEarly).await;
        self.midnight().await?;
        self.keep("register insurance claim", register).await?;
        self.midnight().await?;
        let pay = instructions::pay_insurance_claim(&self.venue.exchange, &self.market_key());
        let mut paid = 0;
        for event in self.keep("pay insurance claim", pay).await? {
            if let Event::InsuranceClaimPaid(payment) = event {
                paid += payment.amount;
            }
        }
        self.tell(
            "2 shared",
            format!(
                "of the day's claim of {}, shared insurance pays {} two midnights later",
                money(claim.0),
                money(paid)
            ),
        );
        let lost = self.market().await?.state.pool.deficits.0;
        self.tell("3 providers", format!("what is left falls on the providers: {}", money(lost)));
        // The winner goes with all she has won.
        self.close(&[&carol]).await
    }

    /// Claims: an episode, deleveraging, and a keeper who settles the worst losses until claims are gone.
    async fn episode(&mut self) -> Result<()> {
        let [dave, erin, frank] = [
            self.person("dave", 30_000).await?,
            self.person("erin", 30_000).await?,
            self.person("frank", 80_000).await?,
        ];
        self.open(&frank, -150_000.0).await?;
        self.open(&dave, 75_000.0).await?;
        self.open(&erin, 75_000.0).await?;
        self.fill(&[&frank, &dave, &erin]).await?;
        self.post(self.price * 1.45).await?;
        let (pnl, claimed) = self.settle(&dave).await?;
        self.tell(
            "4 claims",
            format!(
                "BTC rises 45 % and the loser's loss is no cash yet: of dave's {} the pool owes {} as a claim",
                money(pnl.unsigned_abs()),
                money(claimed)
            ),
        );
        let deleverage = instructions::deleverage(&self.market_key());
        self.refused("deleverage too early", deleverage.clone(), Error::DeleverageTooEarly).await;
        self.wait(DELEVERAGE_AFTER).await?;
        let mut text = String::new();
        for event in self.keep("deleverage", deleverage).await? {
            if let Event::Deleveraged(d) = event {
                text = format!(
                    "two days later nobody has settled him: the longs are reduced to {:.2} % of their size, all alike",
                    d.kept as f64 / d.before as f64 * 100.0
                );
            }
        }
        self.tell("4 episode", text);
        let pick_up = instructions::pick_up_deleveraging(&self.market_key(), &erin.subaccount);
        self.keep("pick up deleveraging", pick_up).await?;
        // A keeper looks for the worst losses, and settles until claims are gone.
        let people = [&dave, &erin, &frank];
        let mut accounts = Vec::new();
        for person in people {
            accounts.push(self.account(person).await?);
        }
        let markets: Markets = std::iter::once(self.market().await?).collect();
        let pairs = people.iter().zip(&accounts).map(|(person, account)| (&person.subaccount, &**account));
        let duties =
            keeping::losses(&markets, pairs, true, &self.now().await?).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        let worst = duties.first().context("somebody has lost")?;
        ensure!(worst.subaccount == frank.subaccount, "the worst loss is frank's");
        self.keep("settle", instructions::settle(&self.market_key(), &worst.subaccount)).await?;
        let collected = self.collect(&dave).await?;
        self.tell(
            "4 claims",
            format!("frank's loss is settled: the pool has the cash, and dave collects {}", money(collected)),
        );
        self.close(&people).await
    }

    /// Settlement: the pool is below its floor; one price, one factor, everybody out.
    async fn settlement(&mut self) -> Result<()> {
        let [grace, heidi] = [self.person("grace", 40_000).await?, self.person("heidi", 40_000).await?];
        self.open(&grace, 80_000.0).await?;
        self.open(&heidi, 30_000.0).await?;
        self.fill(&[&grace, &heidi]).await?;
        self.post(self.price * 1.35).await?;
        let advance = instructions::advance_settlement(&self.market_key());
        self.keep("begin settlement", advance.clone()).await?;
        self.refused("fix the price too early", advance.clone(), Error::SettlementTooEarly).await;
        self.wait(SETTLEMENT_WAIT).await?;
        self.keep("fix the settlement's price", advance).await?;
        let mut won = 0;
        for person in [&heidi, &grace] {
            let close = instructions::close_settled(&self.market_key(), &person.subaccount, &[]);
            for event in self.keep("close settled", close).await? {
                if let Event::PositionSettled(settled) = event {
                    won += settled.claimed;
                }
            }
        }
        let mut paid = 0;
        let mut shares = Vec::new();
        for person in [&grace, &heidi] {
            let owed = self.account(person).await?.state.positions[0].claim.amount.0;
            let got = self.collect(person).await?;
            paid += got;
            shares.push(format!("{} {:.2} %", person.name, got as f64 / owed as f64 * 100.0));
        }
        self.tell(
            "5 settlement",
            format!(
                "two longs alone win {} from a pool that has less; a day below its floor it is settled: claims get {}, {}",
                money(won),
                money(paid),
                shares.join(" and ")
            ),
        );
        self.venue.wait(SETTLEMENT_PATIENCE).await?;
        for person in [&grace, &heidi] {
            self.collect(person).await?;
            let account = self.account(person).await?;
            ensure!(account.state.is_flat(), "{} is out of the settled market", person.name);
        }
        self.tell("5 settlement", "ten days later what is still owed is written off, and every account is free".into());
        Ok(())
    }
}

/// Runs it.
pub(crate) async fn run(program: ProgramInfo, bar: &ProgressBar) -> Result<Report> {
    let begun = Instant::now();
    let mut scene = Scene::set_up(bar).await?;
    bar.set_message("deficits and insurance");
    scene.deficits().await?;
    bar.set_message("claims and deleveraging");
    scene.wait(HOUR).await?;
    scene.episode().await?;
    bar.set_message("settlement");
    scene.settlement().await?;
    let exchange = scene.venue.desk.chain.exchange(Some(scene.venue.mint)).await?;
    let audit = audit::run(&scene.venue.desk.chain, &exchange).await?;
    let markets: Markets = std::iter::once(scene.market().await?).collect();
    let report = {
        let tally = scene.venue.desk.tally();
        Report {
            scenario: "bankruptcy",
            program,
            story: scene.story.clone(),
            waterfall: Waterfall::of(&tally.events, &markets),
            transactions: tally.counts,
            failures: tally.failures.clone(),
            audit,
            decimals: scene.venue.decimals,
            seconds: begun.elapsed().as_secs_f64(),
        }
    };
    scene.venue.net.stop().await?;
    Ok(report)
}

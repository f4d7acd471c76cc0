//! A small exchange for a scenario: one market, a keeper's process, people with one subaccount each, and a story told step by
//! step.

use std::sync::Arc;

use anchor_lang::prelude::Pubkey;
use anyhow::{Result, bail};
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::{Market, Subaccount};
use ballast_client::events::Event;
use ballast_client::{address, instructions};
use ballast_engine::Error;
use ballast_engine::constants::{DAY, PLACEMENT_LAG};
use ballast_localnet::Kind;
use indicatif::ProgressBar;
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::keeper::{self, Keeper};
use crate::desk::{Expect, Outcome};
use crate::migrate::{self, Step};
use crate::venue::{Start, Venue, done};
use crate::{keys, tokens};

/// Prices within which orders are filled.
const FILLS: usize = 10;
/// One whole unit of the collateral.
pub(crate) const UNIT: u64 = 1_000_000;

/// What happened, in words.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// The step.
    pub(crate) step: &'static str,
    /// What was seen.
    pub(crate) text: String,
}

/// The lines of a story.
pub(crate) fn told(story: &[Line]) -> String {
    story.iter().map(|line| format!("{:<12} {}\n", line.step, line.text)).collect()
}

/// An amount in whole units, with two places.
pub(crate) fn money(amount: u64) -> String {
    format!("{}.{:02}", amount / UNIT, amount % UNIT / 10_000)
}

/// A trader with one subaccount.
pub(crate) struct Person {
    /// What it is called.
    pub(crate) name: String,
    /// The owner's key.
    pub(crate) key: Arc<Keypair>,
    /// The subaccount.
    pub(crate) subaccount: Pubkey,
}

/// The exchange with its keeper.
pub(crate) struct Scene {
    /// The exchange.
    pub(crate) venue: Venue,
    /// The keeper's process.
    pub(crate) keeper: Keeper,
    /// Sends what anyone may, to see it refused.
    pub(crate) anyone: Keypair,
    /// The price that was posted last.
    pub(crate) price: f64,
    /// The story so far.
    pub(crate) story: Vec<Line>,
}

/// What a scene is set up with.
pub(crate) struct Setting<'a> {
    /// The exchange's steps.
    pub(crate) steps: &'a [Step],
    /// Everybody who will have a wallet.
    pub(crate) people: &'a [String],
    /// When the chain's clock begins, the exchange set up.
    pub(crate) begin: i64,
    /// The market's first price.
    pub(crate) price: f64,
    /// Jobs that the keeper does not do.
    pub(crate) without: &'a [&'a str],
}

impl Scene {
    /// Starts the validator, the exchange and its keeper.
    pub(crate) async fn set_up(setting: &Setting<'_>, bar: &ProgressBar) -> Result<Self> {
        let Setting { steps, people, begin, price, without } = *setting;
        let mut wallets: Vec<Pubkey> = people.iter().map(|name| keys::local(name).pubkey()).collect();
        wallets.extend(migrate::wallets(steps));
        let unix = Some(begin - migrate::duration(steps));
        let start = Start { kind: Kind::Surfpool, unix, port: None, accounts: Vec::new(), wallets, real_time: false };
        let mut venue = Venue::start(start).await?;
        let report = |step: &Step| bar.set_message(format!("{}: {}", step.name, step.purpose));
        let _ = migrate::run(&mut venue, steps, &[price], report).await?;
        venue.wait_until(begin).await?;
        bar.set_message("the keeper starts");
        let keeper = Keeper::start(&venue, without).await?;
        let anyone = keys::local(keys::ANYONE);
        let mut scene = Self { venue, keeper, anyone, price, story: Vec::new() };
        scene.post(price).await?;
        Ok(scene)
    }

    /// Ends the keeper; its own report, with what its subaccount holds.
    pub(crate) async fn close_keeper(&mut self) -> Result<keeper::Report> {
        let _ = self.seen().await?;
        let report = self.keeper.stop().await?;
        // What it did while it was ending.
        let _ = self.seen().await?;
        let account = self.venue.desk.chain.read::<Subaccount>(&self.keeper.subaccount).await?;
        Ok(keeper::Report { collateral: account.state.collateral.0, ..report })
    }

    /// Tells a step.
    pub(crate) fn tell(&mut self, step: &'static str, text: String) {
        self.story.push(Line { step, text });
    }

    /// The market's address.
    pub(crate) fn market_key(&self) -> Pubkey {
        address::market(&self.venue.exchange, 0)
    }

    /// Moves the price, and posts it until it is confirmed and the keeper has done what it calls for.
    pub(crate) async fn post(&mut self, price: f64) -> Result<()> {
        self.price = price;
        for _ in 0..4 {
            self.venue.wait(3).await?;
            self.publish().await?;
        }
        Ok(())
    }

    /// Posts the price again, a little later than anything that was placed counts.
    pub(crate) async fn refresh(&mut self) -> Result<()> {
        self.venue.wait(PLACEMENT_LAG + 1).await?;
        self.publish().await
    }

    /// Posts the price once, and waits until the keeper has done what it calls for.
    pub(crate) async fn publish(&mut self) -> Result<()> {
        let published = self.venue.publish(&[self.price]).await?;
        self.keeper.rest(published).await
    }

    /// Lets time pass.
    pub(crate) async fn wait(&mut self, seconds: i64) -> Result<()> {
        self.venue.wait(seconds).await?;
        self.post(self.price).await
    }

    /// Waits for the next midnight, UTC, and a minute more.
    pub(crate) async fn midnight(&mut self) -> Result<()> {
        let now = self.venue.net.clock().await?.unix;
        self.wait(DAY - now % DAY + 60).await
    }

    /// What the keeper has done since the last time.
    pub(crate) async fn seen(&mut self) -> Result<Vec<Event>> {
        let desk = self.venue.desk.clone();
        self.keeper.collect(&desk).await
    }

    /// Somebody sends something that must go through.
    pub(crate) async fn send(&self, what: &str, instruction: Instruction) -> Result<Vec<Event>> {
        self.send_as(&self.anyone, what, &[instruction]).await
    }

    /// Who signs sends what must go through.
    pub(crate) async fn send_as(&self, who: &Keypair, what: &str, batch: &[Instruction]) -> Result<Vec<Event>> {
        match self.venue.desk.send(what, batch, who, &[], Expect::Done).await {
            Outcome::Done(events) => Ok(events),
            other => done(other, &self.venue).map(|()| Vec::new()),
        }
    }

    /// What must be refused, for that reason.
    pub(crate) async fn refused(&self, what: &str, instruction: Instruction, reason: Error) {
        self.refused_as(&self.anyone, what, instruction, reason).await;
    }

    /// What must be refused to who signs, for that reason.
    pub(crate) async fn refused_as(&self, who: &Keypair, what: &str, instruction: Instruction, reason: Error) {
        let reasons = [reason];
        let _ = self.venue.desk.send(what, &[instruction], who, &[], Expect::Refused(&reasons)).await;
    }

    /// Somebody comes with so many whole units of collateral.
    pub(crate) async fn person(&self, name: &str, collateral: u64) -> Result<Person> {
        let venue = &self.venue;
        let key = Arc::new(keys::local(name));
        let owner = key.pubkey();
        let give = migrate::Money::give(&venue.mint, &owner, collateral * UNIT);
        let _ = self.send_as(&keys::local(keys::FAUCET), "test collateral", &give).await?;
        let subaccount = address::subaccount(&venue.exchange, &owner, 0);
        let source = tokens::associated(&owner, &venue.mint);
        let enter = [
            instructions::open_subaccount(&venue.exchange, &owner, 0, false),
            instructions::deposit(&venue.exchange, &owner, &subaccount, &source, collateral * UNIT),
        ];
        let _ = self.send_as(&key, "open and deposit", &enter).await?;
        Ok(Person { name: name.to_owned(), key, subaccount })
    }

    /// A person's subaccount.
    pub(crate) async fn account(&self, person: &Person) -> Result<Box<Subaccount>> {
        self.venue.desk.chain.read(&person.subaccount).await
    }

    /// The market.
    pub(crate) async fn market(&self) -> Result<Box<Market>> {
        self.venue.desk.chain.read(&self.market_key()).await
    }

    /// Signed size of a notional in whole units at the price of now; negative sells.
    pub(crate) fn size(&self, notional: f64) -> i64 {
        (notional / self.price * 1e8).round() as i64
    }

    /// Places an order; what it is, to be sent by who signs.
    pub(crate) async fn order(&self, signer: &Keypair, person: &Person, args: PlaceOrderArgs) -> Result<Instruction> {
        let id = self.account(person).await?.state.next_order;
        Ok(instructions::place_order(&signer.pubkey(), &self.market_key(), &person.subaccount, id, args))
    }

    /// A person places an order.
    pub(crate) async fn place(&self, person: &Person, args: PlaceOrderArgs) -> Result<Vec<Event>> {
        let place = self.order(&person.key, person, args).await?;
        self.send_as(&person.key, "place order", &[place]).await
    }

    /// Opens or increases by a notional in whole units; negative sells.
    pub(crate) async fn open(&self, person: &Person, notional: f64) -> Result<()> {
        let args = PlaceOrderArgs { size: self.size(notional), ..PlaceOrderArgs::default() };
        self.place(person, args).await.map(|_| ())
    }

    /// Lets the keeper fill what was placed, at later prices.
    pub(crate) async fn fill(&mut self, people: &[&Person]) -> Result<()> {
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
    pub(crate) async fn close(&mut self, people: &[&Person]) -> Result<()> {
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
            let _ = self.send_as(&person.key, "reduce", &[reduce]).await?;
        }
        Ok(())
    }
}

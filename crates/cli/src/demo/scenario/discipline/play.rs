//! What the crowd and the acts are played with: prices, one after the other, and what happened at each.

use std::collections::BTreeMap;

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, anyhow, bail, ensure};
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::{Covenant, Market, Subaccount};
use ballast_client::covenants::CovenantView;
use ballast_client::events::Event;
use ballast_client::{Markets, address, decode, instructions};
use ballast_engine::{Error, Now};
use indicatif::ProgressBar;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::super::super::scene::{Person, Scene, Setting, UNIT};
use super::losses::Bound;
use super::orders::Book;
use crate::desk::{Expect, Outcome};
use crate::migrate::Money;
use crate::venue::done;
use crate::{keys, tokens};

/// Seconds between prices of an act.
pub(super) const BEAT: i64 = 3;
/// Prices within which an order fills or is cleared away.
const SETTLED: usize = 8;
/// What the price moves by between two of them at most, a share of it.
const STRIDE: f64 = 0.0025;

/// The scene, with what was seen of it.
pub(super) struct Play {
    pub(super) scene: Scene,
    /// All orders.
    pub(super) book: Book,
    /// Whose losses are measured.
    pub(super) bounds: Vec<Bound>,
    /// The market at the last price.
    pub(super) market: Box<Market>,
    /// The clock then.
    pub(super) now: Now,
    /// The largest move from one price to the next, basis points.
    pub(super) widest: f64,
    /// Whose accounts are watched, with how many events each had seen at the last price.
    people: Vec<(Pubkey, u64)>,
    /// Done by others than the keeper, not noted yet.
    done: Vec<Event>,
}

impl Play {
    pub(super) async fn set_up(setting: &Setting<'_>, bar: &ProgressBar) -> Result<Self> {
        let scene = Scene::set_up(setting, bar).await?;
        let market = scene.market().await?;
        let now = Now { unix: setting.begin, slot: 0, restart_slot: 0 };
        let (book, bounds, people, done) = (Book::default(), Vec::new(), Vec::new(), Vec::new());
        let mut play = Self { scene, book, bounds, market, now, widest: 0.0, people, done };
        play.note().await?;
        Ok(play)
    }

    /// A price as the chain keeps it.
    pub(super) fn stored(price: f64) -> u64 {
        // Whole units of six decimals for one of eight, nine more places.
        (price * 1e7).round() as u64
    }

    /// A stored price for people.
    pub(super) fn shown(price: u64) -> String {
        format!("{:.2}", price as f64 / 1e7)
    }

    /// Posts a price so many seconds later, and takes note of what was done at it.
    pub(super) async fn print(&mut self, seconds: i64, price: f64) -> Result<()> {
        self.widest = self.widest.max((price / self.scene.price - 1.0).abs() * 10_000.0);
        self.scene.price = price;
        self.scene.venue.wait(seconds).await?;
        self.scene.publish().await?;
        self.note().await
    }

    /// The same price a few times.
    pub(super) async fn still(&mut self, prints: usize) -> Result<()> {
        for _ in 0..prints {
            self.print(BEAT, self.scene.price).await?;
        }
        Ok(())
    }

    /// The same price until an order has filled or is gone: where the machine is slow the chain's clock runs on, and the first price
    /// may be of before it.
    pub(super) async fn settle(&mut self, order: &Pubkey) -> Result<()> {
        for _ in 0..SETTLED {
            self.still(1).await?;
            if self.book.is_gone(order) || !self.book.fills(order).is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// The same price until what is called for has been done, within as many prices.
    pub(super) async fn until(&mut self, what: &str, done: impl Fn(&Book) -> bool) -> Result<()> {
        for _ in 0..SETTLED {
            self.still(1).await?;
            if done(&self.book) {
                return Ok(());
            }
        }
        bail!("{what}: not within {SETTLED} prices")
    }

    /// The same price until a person has nothing open any more, or as many prices have not seen to that.
    pub(super) async fn until_flat(&mut self, person: &Person) -> Result<bool> {
        for _ in 0..SETTLED {
            self.still(1).await?;
            if self.scene.account(person).await?.state.is_flat() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Moves the price there in small steps.
    pub(super) async fn walk(&mut self, to: f64) -> Result<()> {
        let from = self.scene.price;
        let steps = ((to / from - 1.0).abs() / STRIDE).ceil().max(1.0) as u32;
        for step in 1..=steps {
            self.print(BEAT, from + (to - from) * f64::from(step) / f64::from(steps)).await?;
        }
        Ok(())
    }

    /// Lets much time pass, and the price be confirmed again.
    pub(super) async fn sleep(&mut self, seconds: i64) -> Result<()> {
        self.scene.venue.wait(seconds).await?;
        self.still(4).await
    }

    /// What somebody else than the keeper did.
    pub(super) fn did(&mut self, events: Vec<Event>) {
        self.done.extend(events);
    }

    /// Somebody comes with so many whole units of collateral, and is watched from then on.
    pub(super) async fn person(&mut self, name: &str, collateral: u64) -> Result<Person> {
        let person = self.scene.person(name, collateral).await?;
        self.people.push((person.subaccount, 0));
        Ok(person)
    }

    /// The moment of the last price, by which losses are measured: later it has aged, or a jump is confirmed that was none for
    /// the keeper yet.
    fn at(&self) -> Now {
        let price = &self.market.state.price;
        Now { unix: price.last.publish_time, slot: price.slot, restart_slot: 0 }
    }

    async fn note(&mut self) -> Result<()> {
        let clock = self.scene.venue.net.clock().await?;
        self.now = Now { unix: clock.unix, slot: clock.slot, restart_slot: 0 };
        let market = std::iter::once(self.scene.market_key());
        let covenants = self.bounds.iter().map(|bound| bound.covenant);
        let addresses: Vec<_> = market.chain(self.people.iter().map(|(key, _)| *key)).chain(covenants).collect();
        let found = self.scene.venue.desk.chain.accounts(&addresses).await?;
        let mut found = found.into_iter().map(|account| account.context("an account is missing"));
        self.market = decode::<Market>(&found.next().context("no market")??.data)?;
        let at = self.at();
        let mut accounts = BTreeMap::new();
        let mut news = !self.done.is_empty();
        for (key, sequence) in &mut self.people {
            let account = decode::<Subaccount>(&found.next().context("an account is missing")??.data)?;
            news |= account.state.sequence != *sequence;
            *sequence = account.state.sequence;
            accounts.insert(*key, account);
        }
        let mut covenants = Vec::new();
        for bound in &self.bounds {
            let covenant = decode::<Covenant>(&found.next().context("an account is missing")??.data)?;
            // A trip touches no account.
            news |= bound.awaits_trip(&covenant);
            covenants.push(covenant);
        }
        // A validator is slow to list what a busy key has sent: it is asked where an account has seen something.
        let mut events = std::mem::take(&mut self.done);
        if news {
            events.extend(self.scene.seen().await?);
        }
        let (market, now) = (&self.market.state, &self.now);
        self.book.note(&events, market, now);
        for (bound, covenant) in self.bounds.iter_mut().zip(&covenants) {
            let account = accounts.get(&bound.subaccount).context("an account is missing")?;
            let noted = bound.note(&events, account, covenant, market, &at);
            noted.map_err(|fault| anyhow!("losses cannot be measured: {fault:?}"))?;
        }
        Ok(())
    }

    /// Somebody does something at a new price; it must go through.
    pub(super) async fn act(&mut self, who: &Keypair, what: &str, instruction: Instruction) -> Result<Vec<Event>> {
        let (published, events) = self.at_price(who, what, instruction).await?;
        self.did(events.clone());
        self.scene.keeper.rest(published).await?;
        self.note().await?;
        Ok(events)
    }

    async fn at_price(&mut self, who: &Keypair, what: &str, instruction: Instruction) -> Result<(i64, Vec<Event>)> {
        let (venue, price) = (&mut self.scene.venue, self.scene.price);
        venue.wait(BEAT).await?;
        let (published, outcome) = venue.at_prices(&[price], what, instruction, who, Expect::Done).await?;
        match outcome {
            Outcome::Done(events) => Ok((published, events)),
            other => done(other, venue).map(|()| (published, Vec::new())),
        }
    }

    /// A person places an order; its address.
    pub(super) async fn place(&mut self, person: &Person, args: PlaceOrderArgs) -> Result<Pubkey> {
        self.place_as(&person.key, person, args).await
    }

    /// Who signs places an order for a person; its address.
    pub(super) async fn place_as(&mut self, who: &Keypair, person: &Person, args: PlaceOrderArgs) -> Result<Pubkey> {
        let place = self.scene.order(who, person, args).await?;
        let events = self.act(who, "place order", place).await?;
        let order = events.iter().find_map(|event| match event {
            Event::OrderPlaced(placed) => Some(placed.order),
            _ => None,
        });
        order.context("no order was placed")
    }

    /// A person opens at the market, by a notional in whole units, and the keeper fills it.
    pub(super) async fn open(&mut self, person: &Person, notional: f64) -> Result<Pubkey> {
        let args = PlaceOrderArgs { size: self.scene.size(notional), ..PlaceOrderArgs::default() };
        let order = self.place(person, args).await?;
        self.settle(&order).await?;
        ensure!(!self.book.fills(&order).is_empty(), "{}'s order is filled", person.name);
        Ok(order)
    }

    /// A person's market order whose fill must be refused, for that reason; the keeper clears it away for its fee.
    pub(super) async fn refused_fill(
        &mut self,
        person: &Person,
        subaccount: &Pubkey,
        notional: f64,
        reason: Error,
    ) -> Result<()> {
        if !self.people.iter().any(|(key, _)| key == subaccount) {
            self.people.push((*subaccount, 0));
        }
        let (key, price) = (person.key.clone(), self.scene.price);
        let (owner, market) = (key.pubkey(), self.scene.market_key());
        let account: Box<Subaccount> = self.scene.venue.desk.chain.read(subaccount).await?;
        let args = PlaceOrderArgs { size: self.scene.size(notional), ..PlaceOrderArgs::default() };
        let id = account.state.next_order;
        let _ = self.act(&key, "place order", instructions::place_order(&owner, &market, subaccount, id, args)).await?;
        // At the next price, before the keeper sees it: what is refused takes the price with it.
        let (order, anyone) = (address::order(subaccount, id), keys::local(keys::ANYONE));
        let covenant = address::covenant(&self.scene.venue.exchange, &owner);
        let fill = instructions::execute_order(&market, subaccount, &order, &owner, None, &covenant, &[]);
        let reasons = [reason];
        let (venue, expect) = (&mut self.scene.venue, Expect::Refused(&reasons));
        // The clock may have run on a little when the order was placed: its price is later than that.
        venue.wait(2 * BEAT).await?;
        let _ = venue.at_prices(&[price], "fill an increase", fill, &anyone, expect).await?;
        self.settle(&order).await?;
        ensure!(
            self.book.cleared(&order) == Some(reason.name()),
            "{}'s order is cleared away for {reason:?}",
            person.name
        );
        Ok(())
    }

    /// A person's covenant and accounts at the last price.
    pub(super) async fn covenant(&self, person: &Person, subaccounts: &[Pubkey]) -> Result<CovenantView> {
        let chain = &self.scene.venue.desk.chain;
        let covenant: Box<Covenant> =
            chain.read(&address::covenant(&self.scene.venue.exchange, &person.key.pubkey())).await?;
        let mut accounts = Vec::new();
        for key in subaccounts {
            accounts.push((key, chain.read::<Subaccount>(key).await?));
        }
        let markets: Markets = std::iter::once(self.market.clone()).collect();
        let accounts = accounts.iter().map(|(key, account)| (*key, &**account));
        CovenantView::of(&covenant, accounts, &markets, &self.at()).map_err(|fault| anyhow!("{fault:?}"))
    }

    /// More collateral from a person's wallet, whole units.
    pub(super) async fn pay_in(&mut self, person: &Person, amount: u64) -> Result<()> {
        let (venue, owner) = (&self.scene.venue, person.key.pubkey());
        let give = Money::give(&venue.mint, &owner, amount * UNIT);
        let source = tokens::associated(&owner, &venue.mint);
        let deposit = instructions::deposit(&venue.exchange, &owner, &person.subaccount, &source, amount * UNIT);
        let _ = self.scene.send_as(&keys::local(keys::FAUCET), "test collateral", &give).await?;
        let events = self.scene.send_as(&person.key, "deposit", &[deposit]).await?;
        self.did(events);
        Ok(())
    }

    /// Collateral back to it, whole units.
    pub(super) async fn pay_out(&mut self, person: &Person, amount: u64) -> Result<()> {
        let (venue, owner) = (&self.scene.venue, person.key.pubkey());
        let purse = tokens::associated(&owner, &venue.mint);
        let legs = instructions::leg_metas(&*self.scene.account(person).await?, None, false);
        let withdraw =
            instructions::withdraw(&venue.exchange, &owner, &person.subaccount, &purse, amount * UNIT, &legs);
        // Nothing is noted of that price: what a view says is still of the one before.
        let (_, events) = self.at_price(&person.key, "withdraw", withdraw).await?;
        self.did(events);
        Ok(())
    }
}

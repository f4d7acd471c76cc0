//! `--scenario discipline`: orders, covenants, delegates. A crowd trades by orders through a day's prices, in pairs who are dealt
//! the same hand, one of each pair under a covenant; then one act for every rule. Everything is filled, tripped, closed and
//! cleared away by the keeper's process.
//!
//! `crowd`: the pairs, and what each is dealt. `play`: posts prices, waits for the keeper, takes note. `acts`: an act for each
//! rule of orders and delegates; `bonds`: of covenants. `orders`: the book of all orders, by their events (the act
//! on them is in `acts`); `losses`: what each covenant's trip came to. `report`, `text`: what is told of it.

mod acts;
mod bonds;
mod crowd;
mod losses;
mod orders;
mod play;
mod report;
mod text;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use ballast::state::Subaccount;
use ballast_client::events::Event;
use ballast_client::{address, decode, instructions};
use ballast_engine::constants::ORDER_LOCK;
use indicatif::ProgressBar;
use rand::SeedableRng;
use rand::rngs::StdRng;
use solana_signer::Signer;

use super::super::common::Common;
use super::super::scene::{Person, Setting};
use crate::desk::{Expect, Job};
use crate::migrate::{self, Step, Work};
use crate::prices::{MINUTE, Minute, Prices};
use crate::programs::ProgramInfo;
use crowd::{Floor, Hand, Pair};
use losses::Bound;
use play::Play;
use report::{Part, PricesPart, Side, pair_part};

pub(crate) use report::Report;

/// Pairs of traders.
const PAIRS: usize = 12;
/// The same of the short form.
const FEW: usize = 6;
/// Chain time for everybody to arrive.
const ARRIVAL: i64 = 600;
/// A minute that moves by more than this is posted finely.
const LIVELY: f64 = 0.004;
/// Prices within which everybody gets out.
const LEAVING: usize = 8;
/// Prices in a quiet minute, and in a lively one: orders want the next price within half a minute.
const COARSE: usize = 3;
const FINE: usize = 10;

/// How the scenario is played.
pub(crate) struct Options {
    /// The day.
    pub(crate) prices: Prices,
    /// Of what traders do.
    pub(crate) seed: u64,
    /// Fewer traders.
    pub(crate) short: bool,
}

/// The local exchange, without its second market.
fn steps() -> Result<Vec<Step>> {
    let first = |step: Step| {
        let work = match step.work {
            Work::Market(market) if market.index != 0 => return None,
            Work::Funding(mut funding) => {
                funding.market.retain(|market| market.index == 0);
                Work::Funding(funding)
            }
            Work::Parameters(mut parameters) => {
                parameters.retain(|parameter| parameter.market == 0);
                Work::Parameters(parameters)
            }
            other => other,
        };
        Some(Step { work, ..step })
    };
    Ok(migrate::local()?.into_iter().filter_map(first).collect())
}

/// Two people of a pair: under a covenant, then free.
type Couple = [Person; 2];

impl Play {
    /// Everybody comes; one of each pair binds itself, and is watched from then on.
    async fn arrive(&mut self, pairs: &[Pair]) -> Result<Vec<Couple>> {
        let mut couples = Vec::new();
        for pair in pairs {
            let [bound, free] = &pair.names;
            let couple = [self.person(bound, pair.stake).await?, self.person(free, pair.stake).await?];
            let (exchange, owner) = (self.scene.venue.exchange, couple[0].key.pubkey());
            let limits = pair.covenant();
            let create = instructions::create_covenant(&exchange, &owner, limits);
            let events = self.scene.send_as(&couple[0].key, "bind oneself", &[create]).await?;
            self.did(events);
            let covenant = address::covenant(&exchange, &owner);
            let limits = (limits.daily_loss, limits.drawdown);
            self.bounds.push(Bound::new(owner, covenant, couple[0].subaccount, limits));
            couples.push(couple);
        }
        Ok(couples)
    }

    /// The accounts of all couples.
    async fn accounts(&self, couples: &[Couple]) -> Result<Vec<Box<Subaccount>>> {
        let addresses: Vec<_> = couples.iter().flatten().map(|person| person.subaccount).collect();
        let found = self.scene.venue.desk.chain.accounts(&addresses).await?;
        found.into_iter().map(|account| Ok(decode(&account.context("an account is missing")?.data)?)).collect()
    }

    async fn send_all(&mut self, jobs: Vec<Job>) {
        for outcome in self.scene.venue.desk.send_all(jobs).await {
            let events = outcome.events();
            self.did(events);
        }
    }

    /// A minute of prices, then what everybody does.
    async fn minute(&mut self, minute: &Minute, pairs: &[Pair], couples: &[Couple], random: &mut StdRng) -> Result<()> {
        let steps = if minute.range() > LIVELY { FINE } else { COARSE };
        for (step, price) in (1..).zip(minute.path(steps)) {
            self.scene.venue.wait_until(minute.unix + MINUTE * step as i64 / steps as i64).await?;
            self.print(0, price).await?;
        }
        let accounts = self.accounts(couples).await?;
        let (market, price) = (self.scene.market_key(), self.scene.price);
        let floor = Floor { market: &market, price, stored: Self::stored, now: self.now };
        let mut jobs = Vec::new();
        for (number, (pair, couple)) in pairs.iter().zip(couples).enumerate() {
            let hand = Hand::deal(random);
            for (side, person) in couple.iter().enumerate() {
                let tripped = side == 0 && self.bounds.get(number).is_some_and(Bound::is_tripped);
                let Some(account) = accounts.get(2 * number + side).filter(|_| !tripped) else { continue };
                jobs.extend(crowd::act(pair, hand, person, account, &floor));
            }
        }
        self.send_all(jobs).await;
        Ok(())
    }

    /// Everybody closes what is open and takes back the entries that wait; the exits die with their positions.
    async fn leave(&mut self, couples: &[Couple]) -> Result<()> {
        let market = self.scene.market_key();
        for _ in 0..LEAVING {
            self.print(ORDER_LOCK + 2, self.scene.price).await?;
            let accounts = self.accounts(couples).await?;
            let mut jobs = Vec::new();
            for (person, account) in couples.iter().flatten().zip(&accounts) {
                let owner = person.key.pubkey();
                let open = account.state.slots().find(|(_, position)| position.is_open());
                let (what, instructions) = match open {
                    Some((_, position)) => {
                        let size = position.base().0;
                        ("reduce", vec![instructions::reduce(&owner, &market, &person.subaccount, size, 0, &[])])
                    }
                    None => {
                        let waiting = self.book.waiting(&person.subaccount);
                        let cancel = |order| {
                            let own = &person.subaccount;
                            instructions::cancel_order(&owner, &market, own, order, &owner, None)
                        };
                        ("cancel order", waiting.iter().map(cancel).collect())
                    }
                };
                if !instructions.is_empty() {
                    // Its price may just have come, or grown old while others left; the next one is tried then.
                    let expect = Expect::Either(crowd::LEAVING);
                    jobs.push(Job { what, instructions, payer: person.key.clone(), expect });
                }
            }
            if jobs.is_empty() {
                return Ok(());
            }
            self.send_all(jobs).await;
        }
        bail!("the crowd does not get out")
    }
}

/// Plays it and reports.
pub(crate) async fn run(
    options: &Options,
    program: ProgramInfo,
    json: bool,
    bar: &ProgressBar,
    begun: Instant,
) -> Result<Report> {
    let minutes = &options.prices.minutes;
    let first = minutes.first().context("there are no prices")?;
    let mut random = StdRng::seed_from_u64(options.seed);
    let pairs = crowd::pairs(if options.short { FEW } else { PAIRS }, &mut random);
    let of_acts = acts::PEOPLE.iter().chain(&bonds::PEOPLE).map(|name| (*name).to_owned());
    let people: Vec<String> = pairs.iter().flat_map(|pair| pair.names.clone()).chain(of_acts).collect();
    let steps = steps()?;
    let begin = first.unix - ARRIVAL;
    let setting = Setting { steps: &steps, people: &people, begin, price: first.open, without: &[] };
    let mut play = Play::set_up(&setting, bar).await?;
    bar.set_message("everybody arrives");
    let couples = play.arrive(&pairs).await?;
    play.scene.venue.wait_until(first.unix).await?;
    play.still(4).await?;
    play.widest = 0.0;
    for (number, minute) in minutes.iter().enumerate() {
        play.minute(minute, &pairs, &couples, &mut random).await?;
        bar.set_position(number as u64 + 1);
        let trips = play.bounds.iter().filter(|bound| bound.is_tripped()).count();
        bar.set_message(format!("BTC {:.2}, {trips} covenants tripped", play.scene.price));
        // Where there is no terminal to draw on, a line for every tenth of the way.
        let tenth = |done: usize| done * 10 / minutes.len();
        if bar.is_hidden() && !json && tenth(number + 1) > tenth(number) {
            eprintln!("{}/{} minutes, {trips} covenants tripped", number + 1, minutes.len());
        }
    }
    play.leave(&couples).await?;
    let (prints, widest, slippage) = (play.scene.venue.posts, play.widest, play.book.slippage());
    let ends = play.accounts(&couples).await?;

    bar.set_message("orders");
    play.orders().await?;
    bar.set_message("covenants");
    let ivy = play.daily_loss().await?;
    play.drawdown().await?;
    bar.set_message("delegates");
    play.delegates().await?;
    bar.set_message("terms change");
    play.changes(&ivy).await?;

    let keeper = play.scene.close_keeper().await?;
    let common = Common::of("discipline", &play.scene.venue, keeper, program, begun).await?;
    let events = play.scene.venue.desk.tally().events.clone();
    let mut pair_parts = Vec::new();
    for (number, (pair, couple)) in pairs.iter().zip(&couples).enumerate() {
        let side = |side: usize| Side::of(pair, &couple[side], &ends[2 * number + side], &events);
        let bound = play.bounds.get(number).context("a bound trader")?;
        pair_parts.push(pair_part(number, pair, bound, side(0), side(1)));
    }
    let prices = PricesPart {
        source: options.prices.source.clone(),
        minutes: minutes.len(),
        prints,
        low: minutes.iter().map(|m| m.low).fold(f64::MAX, f64::min),
        high: minutes.iter().map(|m| m.high).fold(0.0, f64::max),
        widest_bps: (widest * 100.0).round() / 100.0,
    };
    let closed = events.iter().filter(|event| matches!(event, Event::CovenantEnforced(_))).count() as u64;
    let trips = events.iter().filter(|event| matches!(event, Event::CovenantTripped(_))).count() as u64;
    let orders = play.book.finish();
    let part = Part::of(prices, (orders, slippage), (trips, closed), pair_parts, &common, play.scene.story);
    play.scene.venue.net.stop().await?;
    Ok(Report { common, discipline: part })
}

//! The exchange with everybody on it, and what they see.

use std::sync::Arc;

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result};
use ballast::state::{Market, Subaccount};
use ballast_client::events::Event;
use ballast_client::{Markets, decode, instructions};
use ballast_engine::Now;
use ballast_localnet::Kind;
use indicatif::ProgressBar;
use rand::SeedableRng;
use rand::rngs::StdRng;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::actors::{PlacedOrder, TRADERS, Trader, traders};
use super::keeper::{self, Keeper};
use crate::desk::{Expect, Job};
use crate::prepared::{self, Wanted};
use crate::prices::Prices;
use crate::venue::{Start, Venue, done};
use crate::{keys, migrate, tokens};

/// What the second market's price starts at.
const SECOND_PRICE: f64 = 1_640.0;
/// How much more the second market moves than the first.
const SECOND_BETA: f64 = 1.2;
/// An order that the keeper has not filled for so long is cancelled by its owner, seconds.
const PATIENCE: i64 = 90;
/// Chain time for the traders to arrive.
const ARRIVAL: i64 = 600;

/// The exchange with everybody on it.
pub(crate) struct Stage {
    /// The exchange.
    pub(crate) venue: Venue,
    /// The traders.
    pub(crate) traders: Vec<Trader>,
    /// The keeper's process.
    pub(crate) keeper: Keeper,
    /// Sends what anyone may and the keeper is not asked to.
    pub(crate) anyone: Arc<Keypair>,
    /// What chance decides.
    pub(crate) random: StdRng,
    /// The pools' first deposits by market.
    pub(crate) liquidity: Vec<u64>,
    /// Proposals that opened the markets.
    pub(crate) opening_proposals: u64,
    /// Events that the markets had seen before this desk began to count.
    pub(crate) sequences: Vec<u64>,
    /// The prices posted last.
    pub(crate) last: [f64; 2],
    /// The first market's price at the start.
    reference: f64,
}

/// Everything at one moment.
pub(crate) struct Snapshot {
    /// The clock.
    pub(crate) now: Now,
    /// Markets, funding accrued until now.
    pub(crate) markets: Markets,
    /// Traders' accounts, in their order.
    pub(crate) accounts: Vec<Subaccount>,
}

impl Stage {
    /// Starts the validator and brings everybody in; the keeper runs without the jobs named.
    pub(crate) async fn set_up(
        kind: Kind,
        prices: &Prices,
        seed: u64,
        bar: &ProgressBar,
        without: &[&str],
    ) -> Result<Self> {
        let steps = migrate::local()?;
        let first = prices.minutes.first().context("there are no prices")?;
        let reference = first.open;
        let start_prices = both(reference, reference);
        let wallets: Vec<Pubkey> =
            (0..TRADERS).map(|number| keys::local(&format!("trader {number}")).pubkey()).collect();
        let (venue, setup) = match kind {
            Kind::Surfpool => {
                let unix = first.unix - migrate::duration(&steps) - ARRIVAL;
                let wallets = wallets.into_iter().chain(migrate::wallets(&steps)).collect();
                let start =
                    Start { kind, unix: Some(unix), port: None, accounts: Vec::new(), wallets, real_time: false };
                let mut venue = Venue::start(start).await?;
                let report = |step: &migrate::Step| bar.set_message(format!("{}: {}", step.name, step.purpose));
                let setup = migrate::run(&mut venue, &steps, &start_prices, report).await?;
                venue.wait_until(first.unix - ARRIVAL).await?;
                (venue, setup)
            }
            Kind::Agave => {
                let report = |step: &migrate::Step| {
                    bar.set_message(format!("on surfpool first: {}: {}", step.name, step.purpose));
                };
                let wanted = Wanted { kind, port: None, wallets };
                prepared::venue(&steps, &start_prices, wanted, report).await?
            }
        };
        bar.set_message("the keeper starts");
        let keeper = Keeper::start(&venue, without).await?;
        let mut random = StdRng::seed_from_u64(seed);
        let unit = 10_u64.pow(u32::from(venue.decimals));
        let traders = traders(&venue.exchange, unit, &mut random);
        let mut stage = Self {
            sequences: vec![0; venue.listings.len()],
            venue,
            traders,
            keeper,
            anyone: Arc::new(keys::local(keys::ANYONE)),
            random,
            liquidity: setup.liquidity,
            opening_proposals: setup.proposals,
            last: start_prices,
            reference,
        };
        if kind == Kind::Agave {
            let markets = stage.snapshot().await?.markets;
            stage.sequences = markets.iter().map(|(_, market)| market.state.sequence).collect();
        }
        bar.set_message("traders arrive");
        stage.arrive().await?;
        if kind == Kind::Surfpool {
            stage.venue.wait_until(first.unix).await?;
        }
        stage.post(reference).await?;
        Ok(stage)
    }

    /// Posts both markets' prices at a price of the first, and waits until the keeper has done what they call for.
    pub(crate) async fn post(&mut self, first: f64) -> Result<()> {
        self.last = both(first, self.reference);
        let published = self.venue.publish(&self.last).await?;
        self.keeper.rest(published).await
    }

    /// The last prices once more, as of now.
    pub(crate) async fn publish_again(&mut self) -> Result<()> {
        let published = self.venue.publish(&self.last).await?;
        self.keeper.rest(published).await
    }

    /// Posts one wrong price for the first market; the second one's is right.
    pub(crate) async fn post_wrong(&mut self, first: f64) -> Result<()> {
        let published = self.venue.publish(&[first, self.last[1]]).await?;
        self.keeper.rest(published).await
    }

    /// After a long silence: the last prices again, until they are confirmed and the keeper has looked at everybody.
    pub(crate) async fn rewarm(&mut self) -> Result<()> {
        for _ in 0..4 {
            self.venue.wait(3).await?;
            let published = self.venue.publish(&self.last).await?;
            self.keeper.rest(published).await?;
        }
        self.look().await
    }

    /// Ends the keeper; its own report, with what its subaccount holds.
    pub(crate) async fn close_keeper(&mut self) -> Result<keeper::Report> {
        let report = self.keeper.stop().await?;
        // What it did while it was ending.
        self.look().await?;
        let account = self.venue.desk.chain.read::<Subaccount>(&self.keeper.subaccount).await?;
        Ok(keeper::Report { collateral: account.state.collateral.0, ..report })
    }

    /// Counts what the keeper has done since the last time, and lets traders see it.
    pub(crate) async fn look(&mut self) -> Result<()> {
        let desk = self.venue.desk.clone();
        for event in self.keeper.collect(&desk).await? {
            let subaccount = match event {
                Event::Liquidated(liquidated) => liquidated.subaccount,
                Event::Resolved(resolved) => resolved.subaccount,
                _ => continue,
            };
            if let Some(trader) = self.traders.iter_mut().find(|trader| trader.subaccount == subaccount) {
                trader.liquidated = true;
            }
        }
        // An order whose account is gone was filled, or cleared away.
        let now = self.venue.net.clock().await?.unix;
        let waiting = self.traders.iter_mut().filter(|trader| trader.order.is_some());
        let (mut waiting, mut addresses): (Vec<&mut Trader>, Vec<Pubkey>) = (waiting.collect(), Vec::new());
        addresses.extend(waiting.iter().filter_map(|trader| trader.order).map(|order| order.address));
        let found = desk.chain.accounts(&addresses).await?;
        for (trader, account) in waiting.iter_mut().zip(found) {
            match (&account, &mut trader.order) {
                (Some(_), Some(order)) => order.unwanted |= now > order.placed_at + PATIENCE,
                _ => trader.order = None,
            }
        }
        Ok(())
    }

    /// Remembers an order that was just placed.
    pub(crate) fn note_order(&mut self, number: usize, market: u16, events: &[Event]) {
        for event in events {
            if let Event::OrderPlaced(placed) = event {
                self.traders[number].order =
                    Some(PlacedOrder { market, address: placed.order, placed_at: placed.placed_at, unwanted: false });
            }
        }
    }

    async fn arrive(&mut self) -> Result<()> {
        let venue = &self.venue;
        let (mint, exchange, faucet) = (venue.mint, venue.exchange, keys::local(keys::FAUCET));
        // One transaction per handful of wallets, then everybody at once.
        for group in self.traders.chunks(6) {
            let give = group.iter().flat_map(|t| migrate::Money::give(&mint, &t.key.pubkey(), t.stake * 3));
            let batch: Vec<_> = give.collect();
            done(venue.desk.send("test collateral", &batch, &faucet, &[], Expect::Done).await, venue)?;
        }
        let jobs = self.traders.iter().map(|trader| {
            let owner = trader.key.pubkey();
            let source = tokens::associated(&owner, &mint);
            let open = instructions::open_subaccount(&exchange, &owner, 0, trader.isolated);
            let deposit = instructions::deposit(&exchange, &owner, &trader.subaccount, &source, trader.stake);
            Job {
                what: "open and deposit",
                instructions: vec![open, deposit],
                payer: trader.key.clone(),
                expect: Expect::Done,
            }
        });
        for outcome in venue.desk.send_all(jobs.collect()).await {
            done(outcome, venue)?;
        }
        for trader in &mut self.traders {
            trader.deposited = trader.stake;
        }
        Ok(())
    }

    /// Everything as it is now.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        let clock = self.venue.net.clock().await?;
        let now = Now { unix: clock.unix, slot: clock.slot, restart_slot: 0 };
        let markets = self.venue.listings.iter().map(|listing| listing.market);
        let addresses: Vec<_> = markets.chain(self.traders.iter().map(|trader| trader.subaccount)).collect();
        let mut found = self.venue.desk.chain.accounts(&addresses).await?.into_iter();
        let mut markets = Vec::new();
        for _ in &self.venue.listings {
            let account = found.next().flatten().context("a market is missing")?;
            markets.push(decode::<Market>(&account.data)?);
        }
        let mut accounts = Vec::new();
        for account in found.flatten() {
            accounts.push(*decode::<Subaccount>(&account.data)?);
        }
        let markets: Markets = markets.into_iter().collect();
        let markets = markets.accrued(&now).map_err(|fault| anyhow::anyhow!("funding cannot be accrued: {fault:?}"))?;
        Ok(Snapshot { now, markets, accounts })
    }
}

/// The second market moves with the first, and more.
fn both(first: f64, reference: f64) -> [f64; 2] {
    [first, SECOND_PRICE * (first / reference).powf(SECOND_BETA)]
}

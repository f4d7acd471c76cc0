//! A local exchange that this process runs: the validator, the markets with their price feeds, the clock.

use std::time::Duration;

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail};
use ballast_client::{address, instructions};
use ballast_localnet::{Config, Kind, Localnet};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::amount::Scale;
use crate::chain::Chain;
use crate::desk::{Desk, Expect, Outcome};
use crate::{keys, programs};

/// Lamports of a local wallet.
pub(crate) const WALLET: u64 = 100_000 * 1_000_000_000;
/// Exponent of posted prices.
const EXPONENT: i32 = -8;
/// Between two looks at a clock that cannot be moved.
const LOOK: Duration = Duration::from_millis(100);
/// Confidence of posted prices, as a share of the price: 3 basis points, about what Pyth says of BTC.
const CONFIDENCE: f64 = 0.0003;

/// A market with its price feed.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// What it is called.
    pub(crate) symbol: String,
    /// Its index.
    pub(crate) index: u16,
    /// Its address.
    pub(crate) market: Pubkey,
    /// Its feed's id.
    pub(crate) feed_id: [u8; 32],
    /// The publisher's account of that feed.
    pub(crate) feed: Pubkey,
    /// Its decimals.
    pub(crate) scale: Scale,
}

/// The feed id of a symbol on a local cluster.
pub(crate) fn feed_id(symbol: &str) -> [u8; 32] {
    let mut id = [0; 32];
    for (place, byte) in id.iter_mut().zip(b"ballast local feed ".iter().copied().chain(symbol.bytes())) {
        *place = byte;
    }
    id
}

/// A local exchange.
pub(crate) struct Venue {
    /// The validator.
    pub(crate) net: Localnet,
    /// Sends and counts.
    pub(crate) desk: Desk,
    /// The collateral.
    pub(crate) mint: Pubkey,
    /// Its decimals.
    pub(crate) decimals: u8,
    /// The exchange.
    pub(crate) exchange: Pubkey,
    /// Its markets, by index.
    pub(crate) listings: Vec<Listing>,
    /// Prices posted.
    pub(crate) posts: u64,
    publisher: Keypair,
    published: i64,
    real_time: bool,
}

/// What to start a venue from.
pub(crate) struct Start {
    /// Which validator.
    pub(crate) kind: Kind,
    /// The on-chain time to start from, where the validator lets it be chosen.
    pub(crate) unix: Option<i64>,
    /// The port of the RPC; `None` for any free one.
    pub(crate) port: Option<u16>,
    /// Accounts to have from the first slot.
    pub(crate) accounts: Vec<(Pubkey, Account)>,
    /// Wallets to have, beside the local roles.
    pub(crate) wallets: Vec<Pubkey>,
    /// Whether the chain's clock is to keep up with the real one, block by block; else it runs ahead while transactions
    /// are under way, which makes a replay faster.
    pub(crate) real_time: bool,
}

impl Venue {
    /// Starts the validator with both programs on it. There is no exchange yet.
    pub(crate) async fn start(start: Start) -> Result<Self> {
        let roles = [
            keys::UPGRADE,
            keys::GOVERNANCE,
            keys::COMMITTEE,
            keys::GUARDIAN,
            keys::FAUCET,
            keys::PUBLISHER,
            keys::KEEPER,
            keys::ANYONE,
        ];
        let present: Vec<Pubkey> = start.accounts.iter().map(|(key, _)| *key).collect();
        let wallets = roles.iter().map(|name| keys::local(name).pubkey()).chain(start.wallets);
        let fund = wallets.filter(|key| !present.contains(key)).map(|key| (key, WALLET)).collect();
        let mut config = Config {
            kind: start.kind,
            programs: programs::files(&keys::local(keys::UPGRADE).pubkey()),
            accounts: start.accounts,
            fund,
            start_unix: start.unix,
            rpc_port: start.port,
            ..Config::default()
        };
        if start.real_time {
            config.busy_ms = config.slot_ms;
        }
        let net = Localnet::start(config).await?;
        let mint = keys::local(keys::MINT).pubkey();
        Ok(Self {
            desk: Desk::new(Chain::at(net.rpc_url())),
            net,
            mint,
            decimals: 0,
            exchange: address::exchange(&mint),
            listings: Vec::new(),
            posts: 0,
            publisher: keys::local(keys::PUBLISHER),
            published: 0,
            real_time: start.real_time,
        })
    }

    /// Takes over what is known of an exchange that was loaded from another chain.
    pub(crate) fn continue_from(&mut self, other: &Self) {
        self.listings = other.listings.clone();
        self.decimals = other.decimals;
        self.published = other.published;
    }

    /// The listing of a market.
    pub(crate) fn listing(&self, index: u16) -> Result<&Listing> {
        self.listings.get(usize::from(index)).with_context(|| format!("there is no market {index}"))
    }

    /// The address of the publisher's feed.
    pub(crate) fn feed(&self, id: &[u8; 32]) -> Pubkey {
        address::price_feed(&self.publisher.pubkey(), id)
    }

    /// Creates a feed.
    pub(crate) async fn create_feed(&self, id: [u8; 32]) -> Result<()> {
        let create = instructions::oracle::create_feed(&self.publisher.pubkey(), id);
        done(self.desk.send("create feed", &[create], &self.publisher, &[], Expect::Done).await, self)
    }

    /// Posts a price for each market and stores it there, all in one transaction; prices by market index, per whole
    /// unit. Waits where the last ones were published in this very second.
    pub(crate) async fn tick(&mut self, prices: &[f64]) -> Result<()> {
        self.post(prices, true).await.map(|_| ())
    }

    /// Posts them to the oracle alone, and leaves it to a keeper to store them; the publish time.
    pub(crate) async fn publish(&mut self, prices: &[f64]) -> Result<i64> {
        self.post(prices, false).await
    }

    async fn post(&mut self, prices: &[f64], stored: bool) -> Result<i64> {
        let now = self.next_second().await?;
        let batch = self.batch(prices, now, stored);
        self.published = now;
        self.posts += prices.len() as u64;
        done(self.desk.send("post prices", &batch, &self.publisher, &[], Expect::Done).await, self)?;
        Ok(now)
    }

    /// Posts and stores prices and does something at them, signed and paid for by `who`, in one transaction: nobody comes between, and
    /// no price has aged. The publish time, and what became of it.
    pub(crate) async fn at_prices(
        &mut self,
        prices: &[f64],
        what: &str,
        instruction: Instruction,
        who: &Keypair,
        expect: Expect<'_>,
    ) -> Result<(i64, Outcome)> {
        let now = self.next_second().await?;
        let mut batch = self.batch(prices, now, true);
        batch.push(instruction);
        let outcome = self.desk.send(what, &batch, who, &[&self.publisher], expect).await;
        if outcome.is_done() {
            self.published = now;
            self.posts += prices.len() as u64;
        }
        Ok((now, outcome))
    }

    /// The clock, once it is later than what was published last.
    async fn next_second(&self) -> Result<i64> {
        let mut now = self.net.clock().await?.unix;
        while now <= self.published {
            match self.real_time {
                true => tokio::time::sleep(LOOK).await,
                false => self.net.travel(1).await?,
            }
            now = self.net.clock().await?.unix;
        }
        Ok(now)
    }

    fn batch(&self, prices: &[f64], now: i64, stored: bool) -> Vec<Instruction> {
        let mut batch = Vec::new();
        for (listing, price) in self.listings.iter().zip(prices) {
            let mantissa = price * 10_f64.powi(-EXPONENT);
            let (price, conf) = (mantissa.round() as i64, (mantissa * CONFIDENCE).round() as u64);
            let publisher = self.publisher.pubkey();
            batch.push(instructions::oracle::post(&publisher, &listing.feed, price, conf, EXPONENT, now));
            if stored {
                batch.push(instructions::update_market(&listing.market, &listing.feed));
            }
        }
        batch
    }

    /// Lets seconds pass: moves the clock, or waits where it keeps real time.
    pub(crate) async fn wait(&self, seconds: i64) -> Result<()> {
        if !self.real_time {
            return self.net.travel(seconds).await;
        }
        tokio::time::sleep(Duration::from_secs(seconds.max(0).unsigned_abs())).await;
        Ok(())
    }

    /// Moves the clock to a time, unless it is later already.
    pub(crate) async fn wait_until(&self, unix: i64) -> Result<()> {
        let now = self.net.clock().await?.unix;
        if unix > now { self.wait(unix - now).await } else { Ok(()) }
    }
}

/// For what nothing can go on without: a failure ends it, with the reason.
pub(crate) fn done(outcome: Outcome, venue: &Venue) -> Result<()> {
    if outcome.is_done() {
        return Ok(());
    }
    match venue.desk.tally().failures.last() {
        Some(reason) => bail!("{reason}"),
        None => bail!("a transaction was refused that nothing can go on without: {outcome:?}"),
    }
}

//! The keeper itself: one task that owns the book, hears of everything, plans after every change, and hands actions to the
//! dispatcher.

mod follow;
mod plan;
mod queue;
mod start;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ballast_client::address;
use ballast_client::rpc::{AccountData, Fault};
use ballast_engine::Now;
use solana_keypair::Keypair;
use solana_message::AddressLookupTableAccount;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::book::Book;
use crate::config::Config;
use crate::dispatch::{Dispatcher, Done, Parts};
use crate::feed::{self, Feed, Listening};
use crate::fees::Purse;
use crate::jobs::{self, Job};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use crate::serve::Pulse;
use plan::Hold;
use queue::Queue;
use start::{Snapshot, finish_rows, key, open_subaccount, read_all};

/// Events that may wait before the socket is read no further.
const EVENTS: usize = 65_536;
/// After something was seen to be wrong, the whole is read again, but not more often than this.
const REREAD: Duration = Duration::from_secs(1);
/// Transactions under way at the end have so long to be confirmed.
const FAREWELL: Duration = Duration::from_secs(10);
/// Between two rounds of `--once`.
const ROUND: Duration = Duration::from_millis(400);

/// Accounts by address, `None` where there is none.
type Found = Vec<(Pubkey, Option<AccountData>)>;

/// What tasks of the keeper's tell it.
enum News {
    Snapshot(Box<Result<Snapshot, Fault>>),
    Clock(Result<Now, Fault>),
    Done(Box<Done>),
    /// Accounts read again, as of a slot, unless no node answered; whether it was because they were in doubt.
    Read {
        found: Option<(u64, Found)>,
        doubts: bool,
    },
}

/// A job and the account that it acts upon.
type Key = (&'static str, Pubkey);

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Transactions that went through (in a dry run: would have).
    pub done: u64,
    /// What somebody else did first, or what was too late.
    pub raced: u64,
    /// Refusals that were not foreseen.
    pub refused: u64,
    /// Transactions that never landed.
    pub lost: u64,
    /// What was not worth its fee.
    pub unprofitable: u64,
    /// Accounts below maintenance at the end.
    pub unhealthy: u64,
}

/// The keeper.
pub struct Keeper {
    config: Config,
    nodes: Arc<Nodes>,
    dispatcher: Arc<Dispatcher>,
    metrics: Arc<Metrics>,
    pulse: Arc<Pulse>,
    book: Book,
    jobs: Vec<Box<dyn Job>>,
    tables: Vec<AddressLookupTableAccount>,
    reward: Pubkey,
    payer: Pubkey,
    threads: usize,
    /// The clock as it was last read, and the newest slot heard of since.
    clock: Option<Now>,
    slot: u64,
    rollbacks: u64,
    reading: bool,
    read_at: Option<Instant>,
    /// Accounts heard of with a slot that they cannot have, and whether some are being read again.
    doubtful: HashSet<Pubkey>,
    looking: bool,
    /// Those of which the answer was older than what is known.
    unsettled: HashSet<Pubkey>,
    busy: HashSet<Pubkey>,
    holds: HashMap<Key, Hold>,
    /// Oracle accounts that were refused: how often, and until which slot they are not tried again.
    unfit: HashMap<Pubkey, (u32, u64)>,
    /// Those that everybody was judged by last.
    judged_by: Vec<Pubkey>,
    queue: Queue,
    unhealthy: u64,
    /// Whether a market's price waits for its confirmation.
    jumping: bool,
    /// Whether anything has changed since everybody was judged last.
    dirty: bool,
    feeds: watch::Sender<Vec<Feed>>,
    news: (mpsc::UnboundedSender<News>, mpsc::UnboundedReceiver<News>),
    summary: Summary,
}

impl Keeper {
    /// Connects, finds the exchange and the subaccount that earns (opens it if need be), and looks up what became of
    /// transactions that an earlier run left behind.
    ///
    /// # Errors
    /// If no node answers, or something is not there.
    pub async fn start(config: Config, payer: Keypair, dry: bool) -> Result<Self> {
        config.check()?;
        let metrics = Arc::new(Metrics::default());
        let nodes = Arc::new(Nodes::new(&config.chain.rpc, config.timing.lag_slots, metrics.clone()));
        let mint = config.chain.collateral.as_deref().map(|text| key(text, "chain.collateral")).transpose()?;
        let exchange = nodes.ask(|rpc| async move { rpc.exchange(mint).await }).await?;
        let reward = address::subaccount(&exchange.address, &payer.pubkey(), config.chain.subaccount);
        open_subaccount(&nodes, &config, &exchange, &payer, &reward, dry).await?;
        let mut tables = Vec::new();
        if let Some(text) = &config.chain.lookup_table {
            let table = key(text, "chain.lookup_table")?;
            tables.push(nodes.ask(|rpc| async move { rpc.table(&table).await }).await?);
        }
        for doubt in config.doubts(exchange.state.markets.into()) {
            tracing::warn!("{doubt}");
        }
        let ledger = Ledger::open(&config.ledger.path)?;
        finish_rows(&nodes, &ledger, &config).await?;
        let me = payer.pubkey();
        let mut book = Book::new(exchange.address);
        book.vouch(config.chain.oracles.iter().map(|text| key(text, "chain.oracles")).collect::<Result<_>>()?);
        let dispatcher = Arc::new(Dispatcher::new(Parts {
            nodes: nodes.clone(),
            payer,
            purse: Purse::new(config.fees, exchange.state.quote_decimals),
            percentile: config.fees.percentile,
            reward,
            tables: tables.clone(),
            ledger,
            metrics: metrics.clone(),
            in_flight: config.timing.in_flight,
            confirm: Duration::from_millis(config.timing.confirm_millis),
            dry,
        }));
        tracing::info!(exchange = %exchange.address, keeper = %me, %reward, dry, "ready to keep");
        Ok(Self {
            book,
            tables,
            jobs: jobs::all(&config.jobs),
            nodes,
            dispatcher,
            metrics,
            pulse: Arc::default(),
            reward,
            payer: me,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            clock: None,
            slot: 0,
            rollbacks: 0,
            reading: false,
            read_at: None,
            doubtful: HashSet::new(),
            looking: false,
            unsettled: HashSet::new(),
            busy: HashSet::new(),
            holds: HashMap::new(),
            unfit: HashMap::new(),
            judged_by: Vec::new(),
            queue: Queue::default(),
            unhealthy: 0,
            jumping: false,
            dirty: true,
            feeds: watch::Sender::new(Vec::new()),
            news: mpsc::unbounded_channel(),
            summary: Summary::default(),
            config,
        })
    }

    /// Its figures.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// What its health endpoint answers from.
    pub fn pulse(&self) -> Arc<Pulse> {
        self.pulse.clone()
    }

    /// Reads the exchange and does what there is to do, again and again, until nobody is below maintenance, no price waits
    /// for its confirmation and nothing is left to do, or the time is up.
    ///
    /// # Errors
    /// If the exchange cannot be read.
    pub async fn once(mut self, patience: Duration) -> Result<Summary> {
        let begun = Instant::now();
        loop {
            let snapshot = read_all(&self.nodes, self.book.exchange()).await?;
            self.take_snapshot(snapshot);
            let sent = self.plan().sent;
            while !self.busy.is_empty() {
                let Some(news) = self.news.1.recv().await else { break };
                self.hear(news);
            }
            let finished = sent == 0 && self.unhealthy == 0 && !self.jumping;
            if finished || begun.elapsed() >= patience || self.is_dry_round(sent) {
                break;
            }
            tokio::time::sleep(ROUND).await;
        }
        self.dispatcher.ledger().flush();
        self.summary.unhealthy = self.unhealthy;
        Ok(self.summary)
    }

    /// Nothing that is only simulated changes anything: one round shows it all.
    fn is_dry_round(&self, sent: usize) -> bool {
        sent > 0 && self.dispatcher.is_dry()
    }

    /// Keeps until told to stop; then waits for what is under way.
    ///
    /// # Errors
    /// If the exchange cannot be read at the start.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<Summary> {
        let timing = self.config.timing;
        let (events, mut heard) = mpsc::channel(EVENTS);
        // Feeds are known once the markets were read.
        let snapshot = self.first_snapshot().await?;
        self.take_snapshot(snapshot);
        tokio::spawn(feed::listen(Listening {
            urls: self.config.websockets(),
            silence: Duration::from_secs(timing.silence_seconds),
            feeds: self.feeds.subscribe(),
            events,
        }));
        let ticker = |period: Duration| {
            let mut ticker = tokio::time::interval(period);
            ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticker
        };
        let mut clock = ticker(Duration::from_millis(timing.clock_millis));
        let mut poll = ticker(Duration::from_secs(timing.poll_seconds));
        let mut reconcile = ticker(Duration::from_secs(timing.reconcile_seconds));
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                event = heard.recv() => {
                    let Some(event) = event else { bail!("the websocket's task has ended") };
                    self.happened(event);
                    // Whatever else waits belongs to the same picture.
                    while let Ok(event) = heard.try_recv() {
                        self.happened(event);
                    }
                }
                news = self.news.1.recv() => if let Some(news) = news {
                    self.hear(news);
                },
                _ = clock.tick() => {
                    self.read_clock();
                    self.look_at_oracles();
                }
                _ = poll.tick() => if !self.pulse.socket.load(Ordering::Relaxed) {
                    self.reread();
                },
                _ = reconcile.tick() => self.reread(),
            }
            while let Ok(news) = self.news.1.try_recv() {
                self.hear(news);
            }
            self.settle_doubts();
            if std::mem::take(&mut self.dirty) {
                self.plan();
            }
        }
        tracing::info!(under_way = self.busy.len(), "stopping");
        let begun = Instant::now();
        while !self.busy.is_empty() && begun.elapsed() < FAREWELL {
            if let Ok(Some(news)) = tokio::time::timeout(Duration::from_millis(200), self.news.1.recv()).await {
                self.hear(news);
            }
        }
        self.dispatcher.ledger().flush();
        self.summary.unhealthy = self.unhealthy;
        Ok(self.summary)
    }

    async fn first_snapshot(&self) -> Result<Snapshot> {
        let mut last = None;
        for _ in 0..30 {
            match read_all(&self.nodes, self.book.exchange()).await {
                Ok(snapshot) => return Ok(snapshot),
                Err(fault) if fault.is_passing() => {
                    tracing::warn!(%fault, "the exchange cannot be read yet");
                    last = Some(fault);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(last.map_or_else(|| anyhow::anyhow!("no node answers"), Into::into))
    }
}

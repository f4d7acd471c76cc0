//! The keeper itself: one task that owns the book, hears of everything, plans after every change, and hands actions to the
//! dispatcher.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ballast::state::Market;
use ballast_client::instructions::pubkey;
use ballast_client::rpc::{AccountData, ExchangeAccount, FEED_ID_OFFSET, Fault, Filter, Standing};
use ballast_client::{Account, Rpc, address, instructions};
use ballast_engine::Now;
use ballast_engine::liquidation::is_flagged;
use ballast_engine::price::Status;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::book::Book;
use crate::config::Config;
use crate::dispatch::{Dispatcher, Done, Outcome, Parts};
use crate::feed::{self, Event, Feed, Listening};
use crate::fees::Purse;
use crate::jobs::{self, Action, Job, View};
use crate::ledger::{Ledger, Row};
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use crate::serve::Pulse;
use ballast_client::health::{Marks, Scan, scan};

/// Events that may wait before the socket is read no further.
const EVENTS: usize = 65_536;
/// After something was seen to be wrong, the whole is read again, but not more often than this.
const REREAD: Duration = Duration::from_secs(1);
/// What was done is looked for in the book for so long; then the account is planned for again anyway.
const SEEN_WITHIN: Duration = Duration::from_secs(2);
/// The most slots between two tries of what was refused.
const LONGEST_HOLD: u64 = 32;
/// Transactions under way at the end have so long to be confirmed.
const FAREWELL: Duration = Duration::from_secs(10);
/// Between two rounds of `--once`.
const ROUND: Duration = Duration::from_millis(400);

/// The exchange as a whole answer of one slot.
struct Snapshot {
    slot: u64,
    accounts: Vec<(Pubkey, AccountData)>,
    oracles: Vec<(Pubkey, AccountData)>,
    now: Now,
    rollbacks: u64,
}

/// What tasks of the keeper's tell it.
enum News {
    Snapshot(Box<Result<Snapshot, Fault>>),
    Clock(Result<Now, Fault>),
    Done(Box<Done>),
    /// Accounts read again.
    Read(u64, Vec<(Pubkey, Option<AccountData>)>),
}

/// Why an action waits.
struct Hold {
    version: u64,
    tries: u32,
    until: u64,
    /// It was done in this slot: wait until the book shows it.
    landed: Option<(u64, Instant)>,
    /// Waits whatever happens to the account.
    firm: bool,
}

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
    reward: Pubkey,
    payer: Pubkey,
    threads: usize,
    /// The clock as it was last read, and the newest slot heard of since.
    clock: Option<Now>,
    slot: u64,
    rollbacks: u64,
    reading: bool,
    read_at: Option<Instant>,
    busy: HashSet<Pubkey>,
    holds: HashMap<Key, Hold>,
    /// Since when an action has been called for, by slot and by time.
    called: HashMap<Key, (u64, u64, Instant)>,
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
        let ledger = Ledger::open(&config.ledger.path)?;
        finish_rows(&nodes, &ledger, &config).await?;
        let me = payer.pubkey();
        let dispatcher = Arc::new(Dispatcher::new(Parts {
            nodes: nodes.clone(),
            payer,
            purse: Purse::new(config.fees, exchange.state.quote_decimals),
            percentile: config.fees.percentile,
            reward,
            tables,
            ledger,
            metrics: metrics.clone(),
            in_flight: config.timing.in_flight,
            dry,
        }));
        tracing::info!(exchange = %exchange.address, keeper = %me, %reward, dry, "ready to keep");
        Ok(Self {
            book: Book::new(exchange.address),
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
            busy: HashSet::new(),
            holds: HashMap::new(),
            called: HashMap::new(),
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
            let sent = self.plan();
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
                _ = clock.tick() => self.read_clock(),
                _ = poll.tick() => if !self.pulse.socket.load(Ordering::Relaxed) {
                    self.reread();
                },
                _ = reconcile.tick() => self.reread(),
            }
            while let Ok(news) = self.news.1.try_recv() {
                self.hear(news);
            }
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

    fn happened(&mut self, event: Event) {
        match event {
            Event::Up => {
                self.metrics.set("ballast_keeper_socket_up", &[], 1);
                self.pulse.socket.store(true, Ordering::Relaxed);
                // What happened before is not heard of.
                self.read_at = None;
                self.reread();
            }
            Event::Down => {
                self.metrics.set("ballast_keeper_socket_up", &[], 0);
                self.metrics.add("ballast_keeper_socket_lost_total", &[], 1);
                self.pulse.socket.store(false, Ordering::Relaxed);
            }
            Event::Slot(slot) => {
                if self.nodes.believe(slot) {
                    self.beat(slot);
                }
            }
            Event::Account { slot, key, data } => {
                if !self.nodes.believe(slot) {
                    return;
                }
                if slot + 2 < self.slot {
                    // A confirmed slot that goes back: a fork, or a node that lags.
                    self.reread();
                }
                self.take(key, slot, &data);
            }
        }
    }

    fn beat(&mut self, slot: u64) {
        if slot > self.slot {
            (self.slot, self.dirty) = (slot, true);
            self.pulse.beat();
            self.metrics.set("ballast_keeper_slot", &[], i64::try_from(slot).unwrap_or(i64::MAX));
        }
    }

    fn take(&mut self, key: Pubkey, slot: u64, data: &AccountData) {
        let changed = if data.owner == address::PROGRAM || data.lamports == 0 {
            self.book.apply(key, slot, data)
        } else {
            self.book.apply_oracle(key, data)
        };
        self.dirty |= changed.any;
        if changed.new_market {
            self.announce();
        }
    }

    /// Tells the websocket's task which feeds there are.
    fn announce(&self) {
        let feeds: Vec<Feed> = feeds(self.book.markets());
        self.feeds.send_if_modified(|known| {
            let changed = *known != feeds;
            known.clone_from(&feeds);
            changed
        });
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Snapshot(result) => {
                self.reading = false;
                match *result {
                    Ok(snapshot) => self.take_snapshot(snapshot),
                    Err(fault) => {
                        tracing::warn!(%fault, "the exchange was not read");
                        self.check_rollback();
                    }
                }
            }
            News::Clock(Ok(now)) => {
                self.beat(now.slot);
                self.clock = Some(now);
            }
            News::Clock(Err(fault)) => {
                tracing::debug!(%fault, "the clock was not read");
                self.check_rollback();
            }
            News::Done(done) => self.after(*done),
            News::Read(slot, accounts) => {
                if !self.nodes.believe(slot) {
                    return;
                }
                for (key, account) in accounts {
                    match account {
                        Some(data) => self.take(key, slot, &data),
                        None => self.dirty |= self.book.remove(&key, slot),
                    }
                }
            }
        }
    }

    /// If the chain went back, nothing that is known holds any more.
    fn check_rollback(&mut self) {
        if self.nodes.rollbacks() > self.rollbacks {
            self.rollbacks = self.nodes.rollbacks();
            self.book.clear();
            (self.clock, self.slot) = (None, 0);
            self.holds.clear();
            self.called.clear();
            self.pulse.ready.store(false, Ordering::Relaxed);
            self.read_at = None;
            self.reread();
        }
    }

    fn take_snapshot(&mut self, snapshot: Snapshot) {
        self.check_rollback();
        if snapshot.rollbacks < self.rollbacks {
            // It was read before the chain went back.
            self.reread();
            return;
        }
        let missed = self.book.reconcile(snapshot.slot, &snapshot.accounts);
        for (key, data) in &snapshot.oracles {
            self.book.apply_oracle(*key, data);
        }
        (self.clock, self.dirty) = (Some(snapshot.now), true);
        self.beat(snapshot.now.slot);
        self.announce();
        self.metrics.add("ballast_keeper_reconciliations_total", &[], 1);
        self.metrics.add("ballast_keeper_missed_updates_total", &[], missed as u64);
        self.pulse.ready.store(self.book.is_ready(), Ordering::Relaxed);
        self.pulse.beat();
        tracing::debug!(slot = snapshot.slot, accounts = self.book.accounts().len(), missed, "read everything");
    }

    /// Reads everything again, unless that is being done or was just done.
    fn reread(&mut self) {
        if self.reading || self.read_at.is_some_and(|at| at.elapsed() < REREAD) {
            return;
        }
        (self.reading, self.read_at) = (true, Some(Instant::now()));
        let (nodes, exchange, news) = (self.nodes.clone(), self.book.exchange(), self.news.0.clone());
        tokio::spawn(async move {
            let _ = news.send(News::Snapshot(Box::new(read_all(&nodes, exchange).await)));
        });
    }

    fn read_clock(&self) {
        let (nodes, news) = (self.nodes.clone(), self.news.0.clone());
        tokio::spawn(async move {
            let now = nodes.ask_at(|rpc| async move { rpc.now().await }).await;
            let _ = news.send(News::Clock(now.map(|at| at.value)));
        });
    }

    /// The clock now: as it was read, counted on by the slots since.
    fn now(&self) -> Option<Now> {
        let read = self.clock?;
        let passed = i64::try_from(self.slot.saturating_sub(read.slot)).unwrap_or(0);
        // 400 ms a slot.
        let unix = read.unix.saturating_add(passed.saturating_mul(2) / 5);
        Some(self.book.clock(Now { slot: read.slot.max(self.slot), unix, ..read }))
    }

    /// Judges everybody and sends what is called for; how many actions were sent.
    fn plan(&mut self) -> usize {
        let Some(now) = self.now().filter(|_| self.book.is_ready()) else { return 0 };
        let begun = Instant::now();
        let marks = match Marks::new(self.book.markets().map(|market| &market.state), self.book.oracles(), &now) {
            Ok(marks) => marks,
            Err(fault) => {
                tracing::warn!(?fault, "the markets cannot be judged by");
                return 0;
            }
        };
        let scan = scan(self.book.accounts(), &marks, &now, self.threads);
        self.metrics.set_time("ballast_keeper_scan_seconds", begun.elapsed());
        self.show(&marks, &scan, &now);
        let view = View {
            now,
            book: &self.book,
            marks: &marks,
            scan: &scan,
            reward: self.reward,
            payer: self.payer,
            timing: &self.config.timing,
        };
        let mut actions: Vec<Action> = self.jobs.iter_mut().flat_map(|job| job.plan(&view)).collect();
        actions.sort_by_key(|action| action.rank);
        self.forget(&actions, &now);
        let mut sent = 0;
        for action in actions {
            if self.busy.len() >= self.config.timing.in_flight {
                break;
            }
            sent += usize::from(self.send(action, &now));
        }
        self.metrics.set("ballast_keeper_in_flight", &[], i64::try_from(self.busy.len()).unwrap_or(i64::MAX));
        sent
    }

    fn show(&mut self, marks: &Marks, scan: &Scan, now: &Now) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let below = scan.sick.iter().filter(|sick| sick.below).count();
        self.unhealthy = below as u64;
        self.jumping = marks.iter().any(|mark| mark.status == Status::Jumped);
        self.metrics.set("ballast_keeper_accounts", &[], number(self.book.accounts().len()));
        self.metrics.set("ballast_keeper_accounts_near", &[], number(scan.near));
        self.metrics.set("ballast_keeper_accounts_unhealthy", &[], number(below));
        self.metrics.set("ballast_keeper_accounts_unknown", &[], number(scan.unknown));
        let left = i64::try_from(self.dispatcher.unpaid_left()).unwrap_or(i64::MAX);
        self.metrics.set("ballast_keeper_unpaid_lamports_left", &[], left);
        for mark in marks.iter() {
            let age = now.unix.saturating_sub(mark.state.price.last.publish_time);
            self.metrics.set("ballast_keeper_price_age_seconds", &[("market", &mark.state.index.to_string())], age);
        }
    }

    /// What is no longer called for starts anew when it is called for again.
    fn forget(&mut self, actions: &[Action], now: &Now) {
        let wanted: HashSet<Key> = actions.iter().map(|action| (action.job, action.subject)).collect();
        self.called.retain(|key, _| wanted.contains(key));
        self.holds.retain(|key, hold| wanted.contains(key) || hold.until + LONGEST_HOLD > now.slot);
        for action in actions {
            let called = self.called.entry((action.job, action.subject));
            let fresh = || (action.version, now.slot, Instant::now());
            let known = called.or_insert_with(fresh);
            if known.0 != action.version {
                *known = fresh();
            }
        }
    }

    /// Sends an action unless something holds it back.
    fn send(&mut self, action: Action, now: &Now) -> bool {
        let key = (action.job, action.subject);
        let Some((_, since_slot, since)) = self.called.get(&key).copied() else { return false };
        let standby = self.config.timing.standby_slots;
        if self.busy.contains(&action.subject) || now.slot < since_slot.saturating_add(standby) {
            return false;
        }
        if let Some(hold) = self.holds.get(&key) {
            if let Some((landed, at)) = hold.landed {
                // Until it is seen, the book shows what was before.
                let seen = self.book.seen(&action.subject).is_none_or(|seen| seen >= landed);
                if !seen && at.elapsed() < SEEN_WITHIN {
                    return false;
                }
            } else if now.slot < hold.until && (hold.firm || hold.version == action.version) {
                return false;
            }
        }
        self.busy.insert(action.subject);
        let (dispatcher, news) = (self.dispatcher.clone(), self.news.0.clone());
        tokio::spawn(async move {
            let done = dispatcher.perform(action, since).await;
            let _ = news.send(News::Done(Box::new(done)));
        });
        true
    }

    fn after(&mut self, done: Done) {
        let Done { action, outcome, slot, .. } = done;
        self.dirty = true;
        self.busy.remove(&action.subject);
        let key = (action.job, action.subject);
        let tries = self.holds.get(&key).map_or(0, |hold| hold.tries);
        let count = match &outcome {
            Outcome::Done | Outcome::Dry => &mut self.summary.done,
            Outcome::Raced(_) => &mut self.summary.raced,
            Outcome::Refused(_) => &mut self.summary.refused,
            Outcome::Lost(_) => &mut self.summary.lost,
            Outcome::Unprofitable => &mut self.summary.unprofitable,
        };
        *count += 1;
        let wait = 1_u64.checked_shl(tries).unwrap_or(LONGEST_HOLD).min(LONGEST_HOLD);
        let later = Hold {
            version: action.version,
            tries: tries.saturating_add(1),
            until: self.slot.saturating_add(wait),
            landed: None,
            firm: matches!(outcome, Outcome::Refused(_) | Outcome::Unprofitable | Outcome::Dry),
        };
        let hold = match outcome {
            Outcome::Done => Hold { tries: 0, landed: Some((slot, Instant::now())), ..later },
            _ => later,
        };
        self.holds.insert(key, hold);
        match outcome {
            // An order or a proposal that is done with is closed, of which no node tells.
            Outcome::Done | Outcome::Raced(_) | Outcome::Refused(_) | Outcome::Lost(_) => self.look(&action),
            Outcome::Unprofitable | Outcome::Dry => {}
        }
    }

    /// Reads again what an action writes.
    fn look(&self, action: &Action) {
        let metas = action.instructions.iter().flat_map(|instruction| &instruction.accounts);
        let mut keys: Vec<Pubkey> =
            metas.filter(|meta| meta.is_writable && !meta.is_signer).map(|meta| meta.pubkey).collect();
        keys.push(action.subject);
        keys.sort_unstable();
        keys.dedup();
        let (nodes, news) = (self.nodes.clone(), self.news.0.clone());
        tokio::spawn(async move {
            let wanted = &keys;
            if let Ok(found) = nodes.ask_at(|rpc| async move { rpc.accounts(wanted).await }).await {
                let accounts = keys.iter().copied().zip(found.value).collect();
                let _ = news.send(News::Read(found.slot, accounts));
            }
        });
    }

    /// Whether an account is flagged, for tests and tools.
    pub fn flagged(&self, key: &Pubkey) -> bool {
        let now = self.now();
        self.book.account(key).zip(now).is_some_and(|(entry, now)| is_flagged(&entry.account.state, &now))
    }
}

/// Reads an address.
fn key(text: &str, what: &str) -> Result<Pubkey> {
    text.parse().ok().with_context(|| format!("{what}: {text:?} is no address"))
}

/// The oracle programs and feeds of markets.
fn feeds<'a>(markets: impl Iterator<Item = &'a Market>) -> Vec<Feed> {
    let mut feeds: Vec<Feed> = markets.map(|m| (pubkey(&m.oracle_program), m.feed_id.0)).collect();
    feeds.sort_unstable();
    feeds.dedup();
    feeds
}

/// Every account of the program and of its markets' oracles.
async fn read_all(nodes: &Nodes, exchange: Pubkey) -> Result<Snapshot, Fault> {
    let rollbacks = nodes.rollbacks();
    let found = nodes.ask_at(|rpc| async move { rpc.owned(&address::PROGRAM, &[]).await }).await?;
    let markets: Vec<Box<Market>> = found
        .value
        .iter()
        .filter_map(|(_, data)| match Account::decode(&data.data) {
            Ok(Account::Market(market)) if market.exchange.0 == exchange.to_bytes() => Some(market),
            _ => None,
        })
        .collect();
    let mut oracles = Vec::new();
    for (program, feed) in feeds(markets.iter().map(|market| &**market)) {
        let filter = &[Filter { offset: FEED_ID_OFFSET, bytes: feed.to_vec() }];
        let answer = nodes.ask_at(|rpc| async move { rpc.owned(&program, filter).await }).await?;
        oracles.extend(answer.value);
    }
    let now = nodes.ask_at(|rpc| async move { rpc.now().await }).await?.value;
    Ok(Snapshot { slot: found.slot, accounts: found.value, oracles, now, rollbacks })
}

/// Opens the subaccount that earns, if it is not there.
async fn open_subaccount(
    nodes: &Nodes,
    config: &Config,
    exchange: &ExchangeAccount,
    payer: &Keypair,
    reward: &Pubkey,
    dry: bool,
) -> Result<()> {
    if nodes.ask(|rpc| async move { rpc.account(reward).await }).await?.is_some() {
        return Ok(());
    }
    let number = config.chain.subaccount;
    if dry {
        tracing::warn!(number, "the subaccount that would earn is not there; what names it will be refused");
        return Ok(());
    }
    if !config.chain.open_subaccount {
        bail!("subaccount {number} of {} is not there; open it, or set chain.open_subaccount", payer.pubkey());
    }
    let open = instructions::open_subaccount(&exchange.address, &payer.pubkey(), number, false);
    let rpc: &Rpc = nodes.current();
    let opened = rpc.send(&[open], payer, &[], &[]).await;
    opened.with_context(|| format!("subaccount {number} of {} cannot be opened", payer.pubkey()))?;
    tracing::info!(number, "opened the subaccount that earns");
    Ok(())
}

/// Asks the chain what became of transactions that were under way when the keeper last ended.
async fn finish_rows(nodes: &Nodes, ledger: &Ledger, config: &Config) -> Result<()> {
    for (signature, job, subject) in Ledger::unfinished(&config.ledger.path)? {
        let Ok(parsed) = signature.parse() else { continue };
        let parsed = &parsed;
        let found = nodes.ask(|rpc| async move { rpc.landed(parsed).await }).await.ok().flatten();
        let known = nodes.ask(|rpc| async move { rpc.standings(&[*parsed]).await }).await;
        let processed = known.is_ok_and(|known| known == [Standing::Processed]);
        let outcome = match &found {
            Some(landed) if landed.failed.is_none() => "done",
            Some(_) => "refused",
            None if processed => continue,
            None => "lost",
        };
        tracing::info!(signature, job, subject, outcome, "left behind by an earlier run");
        let landed = found.as_ref();
        ledger.write(Row {
            signature,
            job: "earlier",
            subject,
            outcome,
            reason: "found at the next start".to_owned(),
            slot: landed.map_or(0, |landed| landed.slot),
            units: landed.map_or(0, |landed| landed.units),
            fee: landed.map_or(0, |landed| landed.fee),
            ..Row::default()
        });
    }
    ledger.flush();
    Ok(())
}

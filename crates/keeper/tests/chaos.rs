//! A crash with two keepers while everything fails around them: sockets are cut, requests refused, nodes silent, a keeper
//! killed in the middle of its work, the validator stopped and started again at an earlier slot. All through the crash a
//! stranger posts the newest price of a market into an account of its own and fills it with another feed.
//!
//! What must hold: whenever somebody serves, no account stays below maintenance for more than [`SERVED`] slots; nobody is
//! paid twice, to the atom; the books add up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anchor_lang::prelude::Pubkey;
use ballast::state::Subaccount;
use ballast_client::Rpc;
use ballast_client::events::Event;
use ballast_client::quotes;
use ballast_client::rpc::{ExchangeAccount, Standing, oracle_message};
use ballast_engine::margin::Purpose;
use rusqlite::Connection;
use solana_account::Account;

use crate::support::keepers::Keeper;
use crate::support::path::crash;
use crate::support::proxy::{Mode, Proxy};
use crate::support::stage::{Dump, Stage, crowd, validator};
use crate::support::stranger::Stranger;

/// Traders.
const TRADERS: usize = 500;
/// An account below maintenance at a good price is healthy again, closed or resolved after at most so many slots of
/// service: 30 seconds, of which pacing alone takes ten.
const SERVED: u64 = 75;
/// Between two looks at everybody.
const LOOK: Duration = Duration::from_millis(400);

fn config(http: &[u16], socket: &[u16], standby: u64) -> String {
    let list = |scheme: &str, ports: &[u16]| {
        let urls: Vec<String> = ports.iter().map(|port| format!("\"{scheme}://127.0.0.1:{port}\"")).collect();
        urls.join(", ")
    };
    format!(
        "[chain]\nrpc = [{}]\nwebsocket = [{}]\nkeypair = \"key.json\"\n[ledger]\npath = \"keeper.sqlite\"\n\
         [serve]\nlisten = \"127.0.0.1:0\"\n[fees]\nunpaid_hourly = 10_000_000_000\n\
         [timing]\nreconcile_seconds = 10\nsilence_seconds = 3\nstandby_slots = {standby}\n",
        list("http", http),
        list("ws", socket)
    )
}

/// Since when each account has been below maintenance while it was served.
#[derive(Clone, Default)]
struct Watch {
    since: BTreeMap<Pubkey, u64>,
    longest: u64,
    at_once: usize,
    looks: u64,
}

impl Watch {
    /// Looks at everybody. Where nobody serves, the count starts anew afterwards.
    async fn look(&mut self, rpc: &Rpc, exchange: &ExchangeAccount, served: bool) {
        let markets = rpc.markets(exchange).await.unwrap();
        let now = rpc.now().await.unwrap().value;
        let markets = markets.accrued(&now).unwrap();
        let mut below = BTreeSet::new();
        for (key, account) in rpc.all::<Subaccount>(0, &[]).await.unwrap() {
            let Ok(totals) = quotes::totals(&account, &markets, Purpose::Maintenance, &now) else { continue };
            if totals.surplus().unwrap().0 < 0 && totals.largest.is_some() {
                below.insert(key);
            }
        }
        self.looks += 1;
        self.at_once = self.at_once.max(below.len());
        if !served {
            self.since.clear();
            return;
        }
        self.since.retain(|key, _| below.contains(key));
        for key in below {
            let since = *self.since.entry(key).or_insert(now.slot);
            self.longest = self.longest.max(now.slot.saturating_sub(since));
        }
    }
}

/// Looks at everybody all the time, in a task of its own; what it has seen when it is told to end.
struct Watching {
    served: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Watch>,
}

impl Watching {
    fn begin(rpc: Rpc, exchange: ExchangeAccount, served: bool) -> Self {
        let (served, ended) = (Arc::new(AtomicBool::new(served)), Arc::new(AtomicBool::new(false)));
        let (is_served, is_ended) = (served.clone(), ended.clone());
        let task = tokio::spawn(async move {
            let mut watch = Watch::default();
            while !is_ended.load(Ordering::Relaxed) {
                watch.look(&rpc, &exchange, is_served.load(Ordering::Relaxed)).await;
                tokio::time::sleep(LOOK).await;
            }
            watch
        });
        Self { served, ended, task }
    }

    async fn end(self) -> Watch {
        self.ended.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// Signatures in a ledger that went through, or of which it knows no more than that they were sent.
fn signatures(ledger: &Path) -> BTreeSet<String> {
    let file = Connection::open(ledger).unwrap();
    let mut query = file
        .prepare("SELECT signature FROM actions WHERE signature IS NOT NULL AND outcome IN ('done', 'sent')")
        .unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// What all liquidations paid, by the chain's own events; and how many flags, liquidations and resolutions there were.
pub(crate) async fn paid(stage: &Stage, ledgers: &[&Keeper]) -> (u64, [usize; 3]) {
    let all: BTreeSet<String> = ledgers.iter().flat_map(|keeper| signatures(&keeper.ledger())).collect();
    let (mut fees, mut counts) = (0, [0; 3]);
    let mut receipts = BTreeSet::new();
    for signature in all {
        let signature = signature.parse().unwrap();
        if stage.rpc.standings(&[signature]).await.unwrap() == [Standing::Unknown] {
            continue;
        }
        let Some(landed) = stage.rpc.landed(&signature).await.unwrap() else { continue };
        for event in landed.events {
            match event {
                Event::Flagged(_) => counts[0] += 1,
                Event::Liquidated(e) => {
                    counts[1] += 1;
                    fees += e.keeper_fee;
                    assert!(receipts.insert((e.market, e.market_sequence)), "one receipt twice");
                }
                Event::Resolved(_) => counts[2] += 1,
                _ => {}
            }
        }
    }
    (fees, counts)
}

/// Posts a feed's price as if it were a second newer, for a moment, again and again.
async fn disturb(stranger: Stranger, url: String, feed: Pubkey, feed_id: [u8; 32]) {
    let (sender, rpc) = (ballast_localnet::Sender::new(&url), Rpc::new(url));
    let account = stranger.open(&sender, feed_id).await;
    loop {
        if let Ok(Some(found)) = rpc.account(&feed).await
            && let Some((message, _)) = oracle_message(&found.data)
        {
            stranger.fill(&sender, &account, feed_id, message.price, message.publish_time + 1).await;
            tokio::time::sleep(Duration::from_millis(600)).await;
            stranger.fill(&sender, &account, [99; 32], 1, message.publish_time + 1).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn collateral(stage: &Stage, keeper: &Keeper) -> u64 {
    let account = stage.rpc.find::<Subaccount>(&stage.subaccount(&keeper.address())).await.unwrap();
    account.map_or(0, |account| account.state.collateral.0)
}

/// Runs a keeper's own report, which must add up to what it holds but for what a kill made it forget.
fn rewards(keeper: &Keeper) -> u64 {
    let output = tokio::task::block_in_place(|| keeper.call("report", &["--json"], "off"));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    report["rewards"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "five minutes, and it measures time: make chaos"]
async fn whatever_fails_nobody_stays_below_maintenance_and_nobody_is_paid_twice() {
    let seed = std::env::var("BALLAST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let traders = std::env::var("BALLAST_TRADERS").ok().and_then(|text| text.parse().ok()).unwrap_or(TRADERS);
    let (path, source) = crash(110, 0.08, seed);
    println!("{traders} traders, seed {seed}, prices: {source}");
    let folder = tempfile::tempdir().unwrap();
    let (setup, crowd) = tokio::task::block_in_place(|| crowd(traders, seed));
    let (mut first, mut second) = (Keeper::new(folder.path(), "first", ""), Keeper::new(folder.path(), "second", ""));
    let stranger = Stranger::new();
    let wallets = [first.address(), second.address(), stranger.address()];
    let mut stage = Stage::start(&setup, crowd, &wallets).await;
    let port = |stage: &Stage| stage.net.rpc_url().rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let rpc_port = port(&stage);
    let [http_a, ws_a] = [Proxy::to(rpc_port).await, Proxy::to(rpc_port + 1).await];
    let [http_b, ws_b] = [Proxy::to(rpc_port).await, Proxy::to(rpc_port + 1).await];
    // Each has two ways to the chain; the second keeper stands by.
    first.configure(&config(&[http_a.port, http_b.port], &[ws_a.port, ws_b.port], 0));
    second.configure(&config(&[http_b.port, http_a.port], &[ws_b.port, ws_a.port], 3));
    first.start();
    second.start();

    let disturbing = tokio::spawn(disturb(stranger, stage.net.rpc_url(), stage.feeds[0], setup.market(0).feed_id.0));
    let watching = Watching::begin(stage.rpc.clone(), stage.exchange.clone(), true);
    let served = |yes: bool| watching.served.store(yes, Ordering::Relaxed);
    let begun = Instant::now();
    let mut due = begun;
    for second_of in 0..170_usize {
        match second_of {
            30 | 50 => [&http_a, &ws_a, &http_b, &ws_b].iter().for_each(|proxy| proxy.cut()),
            // Too many requests, on the way that the first keeper prefers.
            38 => http_a.set(Mode::Limited),
            48 => http_a.set(Mode::Open),
            // A node that accepts and says nothing, sockets too.
            55 => [&http_b, &ws_b].iter().for_each(|proxy| proxy.set(Mode::Silent)),
            // Nobody reaches the chain.
            65 => {
                [&http_a, &ws_a, &http_b, &ws_b].iter().for_each(|proxy| proxy.set(Mode::Closed));
                served(false);
            }
            73 => {
                [&http_a, &ws_a, &http_b, &ws_b].iter().for_each(|proxy| proxy.set(Mode::Open));
            }
            // From here on it counts as served: the sockets are tried again at most every five seconds.
            78 => served(true),
            85 => first.kill(),
            100 => first.start(),
            _ => {}
        }
        // Calm at first, then the fall, then it stays down.
        let share = path.get(second_of.saturating_sub(20)).copied().unwrap_or(path[path.len() - 1]);
        stage.publish(share).await;
        due += Duration::from_secs(1);
        tokio::time::sleep(due.saturating_duration_since(Instant::now())).await;
    }
    let watch = watching.end().await;
    disturbing.abort();
    println!(
        "the crash took {:?}: {} looks, at most {} below maintenance at once, longest {} slots",
        begun.elapsed(),
        watch.looks,
        watch.at_once,
        watch.longest
    );
    assert!(watch.at_once > traders / 20, "the crash hurt nobody: {}", watch.at_once);
    assert!(watch.longest <= SERVED, "{} slots below maintenance while served", watch.longest);
    assert!(crate::once::below(&stage).await.is_empty(), "somebody is still below maintenance");

    // Nobody was paid twice: what both hold is what the receipts on chain say, to the atom.
    first.stop().await;
    second.stop().await;
    let (fees, [flags, liquidations, resolutions]) = paid(&stage, &[&first, &second]).await;
    let (a, b) = (collateral(&stage, &first).await, collateral(&stage, &second).await);
    println!("{flags} flags, {liquidations} liquidations, {resolutions} resolutions; fees {fees}: {a} and {b}");
    assert!(liquidations > traders / 20 && a > 0 && b > 0, "both worked");
    assert_eq!(a + b, fees);
    let known = rewards(&first) + rewards(&second);
    assert!(known <= fees, "the ledgers claim more than was paid");
    let audit = stage.audit().await;
    assert_eq!(audit.difference, 0);

    // The validator starts again, at an earlier slot, while both run.
    first.start();
    second.start();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let clock = stage.net.clock().await.unwrap();
    let mut accounts: Vec<(Pubkey, Account)> = Vec::new();
    let token = Pubkey::from_str_const("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
    for program in [ballast::ID, price_feed::ID, token] {
        for (key, data) in stage.rpc.owned(&program, &[]).await.unwrap().value {
            let account = Account { lamports: data.lamports, data: data.data, owner: data.owner, ..Account::default() };
            accounts.push((key, account));
        }
    }
    let mut funded = wallets.to_vec();
    funded.push(solana_signer::Signer::pubkey(&*stage.publisher));
    let started = validator(&Dump { accounts, unix: clock.unix + 2 }, &funded, 400).await;
    let old = std::mem::replace(&mut stage.net, started);
    old.stop().await.unwrap();
    let rpc_port = port(&stage);
    stage.rpc = ballast_client::Rpc::new(stage.net.rpc_url());
    stage.sender = ballast_localnet::Sender::new(&stage.net.rpc_url());
    http_a.point(rpc_port);
    http_b.point(rpc_port);
    ws_a.point(rpc_port + 1);
    ws_b.point(rpc_port + 1);
    let slot = stage.net.clock().await.unwrap().slot;
    assert!(slot + 100 < clock.slot, "{slot} is not earlier than {}", clock.slot);

    let watching = Watching::begin(stage.rpc.clone(), stage.exchange.clone(), false);
    let from = path[path.len() - 1];
    for second_of in 0..60_u32 {
        // Three percent more, from the tenth second on.
        let share = from - 0.0015 * f64::from(second_of.clamp(10, 30) - 10);
        stage.publish(share).await;
        watching.served.store(second_of >= 10, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let watch = watching.end().await;
    println!(
        "after the restart from slot {} at slot {slot}: at most {} below maintenance at once, longest {} slots",
        clock.slot, watch.at_once, watch.longest
    );
    assert!(watch.at_once > 0, "the second fall hurt nobody");
    assert!(watch.longest <= SERVED, "{} slots below maintenance while served", watch.longest);
    assert!(crate::once::below(&stage).await.is_empty(), "somebody is still below maintenance");
    let before = a + b;
    first.stop().await;
    second.stop().await;
    let after = collateral(&stage, &first).await + collateral(&stage, &second).await;
    let (all, _) = paid(&stage, &[&first, &second]).await;
    // The new chain knows none of the old one's transactions.
    assert_eq!(after, before + all);
    assert!(after > before);
    stage.audit().await;
}

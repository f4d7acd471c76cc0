//! A keeper at work for half an hour: its memory, and the time from a price's post to the confirmation of what it calls for.
//!
//! `make soak`. Prices go up and down by 5 % every five minutes, as fast as the solvency proof allows for at most; whoever
//! was closed comes back with new money and an order, which the keeper fills.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::Subaccount;
use ballast_client::address;
use ballast_client::events::Event;
use ballast_client::instructions as ix;
use ballast_keeper::serve::present_millis;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rusqlite::Connection;

use crate::support::keepers::Keeper;
use crate::support::stage::{Stage, crowd};

const TRADERS: usize = 200;
const SECONDS: u64 = 1_860;
/// Up and down again.
const PERIOD: f64 = 300.0;
const AMPLITUDE: f64 = 0.05;
/// Traders that come back at a time.
const BACK: usize = 4;

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn quantiles(mut values: Vec<u64>) -> String {
    values.sort_unstable();
    let at = |percent: usize| values.get(values.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0);
    format!("p50 {} ms, p95 {} ms, p99 {} ms of {}", at(50), at(95), at(99), values.len())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half an hour: make soak"]
async fn half_an_hour_of_work() {
    let seconds = std::env::var("BALLAST_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let folder = tempfile::tempdir().unwrap();
    let (setup, traders) = tokio::task::block_in_place(|| crowd(TRADERS, 3));
    let mut keeper = Keeper::new(folder.path(), "soak", "");
    let stage = Stage::start(&setup, traders, &[keeper.address()]).await;
    let port: u16 = stage.net.rpc_url().rsplit(':').next().unwrap().parse().unwrap();
    keeper.configure(&format!(
        "[chain]\nrpc = [\"http://127.0.0.1:{port}\"]\nkeypair = \"key.json\"\n[ledger]\npath = \"keeper.sqlite\"\n\
         [serve]\nlisten = \"127.0.0.1:0\"\n[fees]\nunpaid_hourly = 100_000_000_000\n[log]\nfilter = \"warn\"\n"
    ));
    keeper.start();
    let mut random = StdRng::seed_from_u64(3);
    let (mut posts, mut memory) = (BTreeMap::new(), Vec::new());
    let begun = Instant::now();
    let mut due = begun;
    let mut second = 0;
    while begun.elapsed() < Duration::from_secs(seconds) {
        let turn = (second as f64 / PERIOD).fract();
        let saw = if turn < 0.5 { turn * 4.0 - 1.0 } else { 3.0 - turn * 4.0 };
        let share = 1.0 + AMPLITUDE * saw * (second as f64 / 75.0).min(1.0) + random.random_range(-0.0003..0.0003);
        let at = present_millis();
        posts.entry(stage.publish(share).await).or_insert(at);
        if second % 10 == 5 {
            memory.push(resident_kib(keeper.pid()));
            come_back(&stage, &mut random).await;
        }
        second += 1;
        due += Duration::from_secs(1);
        tokio::time::sleep(due.saturating_duration_since(Instant::now())).await;
    }
    keeper.stop().await;
    stage.audit().await;

    let file = Connection::open(keeper.ledger()).unwrap();
    let mut query = file.prepare("SELECT signature, ended FROM actions WHERE outcome = 'done'").unwrap();
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.unsigned_abs()))).unwrap();
    let rows: Vec<(String, u64)> = rows.collect::<Result<_, _>>().unwrap();
    let mut latencies: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (signature, ended) in rows {
        let Ok(Some(landed)) = stage.rpc.landed(&signature.parse().unwrap()).await else { continue };
        for event in landed.events {
            let (kind, published) = match event {
                Event::Flagged(e) => ("flag", e.publish_time),
                Event::Liquidated(e) => ("liquidate", e.publish_time),
                _ => continue,
            };
            if let Some(posted) = posts.get(&published) {
                latencies.entry(kind).or_default().push(ended.saturating_sub(*posted));
            }
        }
    }
    println!("{seconds} s, {TRADERS} traders, {} prices", posts.len());
    let resident = |value: Option<&u64>| value.map_or(0, |kib| kib / 1_024);
    println!(
        "memory of the keeper (resident): {} MiB after the start, {} MiB at most, {} MiB at the end",
        resident(memory.get(1)),
        resident(memory.iter().max()),
        resident(memory.last())
    );
    for (kind, values) in &latencies {
        println!("price post to {kind} confirmed: {}", quantiles(values.clone()));
    }
    let output = keeper.call("report", &[], "off");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(latencies.get("liquidate").is_some_and(|all| all.len() > 20), "hardly anybody was liquidated");
    let (early, last) = (memory[memory.len() / 4], memory[memory.len() - 1]);
    assert!(last < early * 3 / 2, "its memory grows: {early} KiB, then {last} KiB");
}

/// Some of those who hold nothing put new money in and order a position.
async fn come_back(stage: &Stage, random: &mut StdRng) {
    let mut back = 0;
    let from = random.random_range(0..stage.traders.len());
    for number in (from..stage.traders.len()).chain(0..from) {
        let trader = &stage.traders[number];
        let Ok(account) = stage.rpc.read::<Subaccount>(&trader.subaccount).await else { continue };
        let state = &account.state;
        if !state.is_flat() || state.flag.slot != 0 || state.orders > 0 {
            continue;
        }
        let markets = stage.rpc.markets(&stage.exchange).await.unwrap();
        let price = markets.get(0).unwrap().state.price.last.price.0;
        let notional = random.random_range(1_000..10_000_u64) * 1_000_000;
        let size = i64::try_from(u128::from(notional) * 1_000_000_000 / u128::from(price)).unwrap();
        let size = if random.random_bool(0.5) { size } else { -size };
        let (owner, market) = (trader.address(), address::market(&stage.exchange.address, 0));
        // Eleven to fourteen times.
        let money = notional / random.random_range(11..15);
        let deposit = ix::deposit(&stage.exchange.address, &owner, &trader.subaccount, &trader.tokens, money);
        let args = PlaceOrderArgs { size, ..PlaceOrderArgs::default() };
        let place = ix::place_order(&owner, &market, &trader.subaccount, state.next_order, args);
        let _ = stage.sender.send(&[deposit, place], &trader.key, &[]).await;
        back += 1;
        if back == BACK {
            return;
        }
    }
}

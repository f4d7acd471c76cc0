//! How many trades a second the local validator takes, in one market and spread over eight, beside bare transfers.
//!
//! `make load`. A trade is an immediate reduction: a fill in one transaction, which writes its market and its subaccount. Blocks
//! are 400 ms apart, as on a cluster: every sender has several transactions under way, so that waiting is not the limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ballast_client::{address, instructions as ix};
use ballast_localnet::SendOptions;
use ballast_tests::{Expect, Setup, Terms, Trader, units};
use solana_instruction::AccountMeta;
use solana_instruction::Instruction;

use crate::support::stage::Stage;

const TRADERS: usize = 64;
const MARKETS: usize = 8;
/// Transactions that each has under way.
const DEPTH: usize = 6;
const MEASURED: Duration = Duration::from_secs(20);

/// The first traders are in market 0, the others each in one of the eight: with one position a trade needs no other market.
fn exchange() -> (Setup, Vec<Trader>) {
    let mut setup = Setup::with(&Terms::cross(MARKETS));
    let mut traders = Vec::new();
    for number in 0..2 * TRADERS {
        let trader = setup.trader(&format!("load {number}"), units(20_000));
        let market = if number < TRADERS { 0 } else { number % MARKETS };
        let side = if (number / MARKETS).is_multiple_of(2) { 1 } else { -1 };
        let size = setup.size_for(market, side * i64::try_from(units(10_000)).unwrap());
        setup.trade(&trader, market, size).must();
        traders.push(trader);
    }
    setup.tick(1);
    (setup, traders)
}

/// Lamports from a wallet to itself.
fn transfer(owner: &solana_pubkey::Pubkey) -> Instruction {
    let mut data = 2_u32.to_le_bytes().to_vec();
    data.extend_from_slice(&1_u64.to_le_bytes());
    let accounts = vec![AccountMeta::new(*owner, true), AccountMeta::new(*owner, false)];
    Instruction { program_id: solana_pubkey::Pubkey::default(), accounts, data }
}

/// Everybody sends as fast as confirmations come; how many a second went through, and how many were refused.
async fn rate(
    stage: &Arc<Stage>,
    from: usize,
    make: impl Fn(usize, &Trader) -> Instruction + Send + Sync + 'static,
) -> (u64, u64) {
    let make = Arc::new(make);
    let (done, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..TRADERS * DEPTH {
        let (stage, make, done, refused) = (stage.clone(), make.clone(), done.clone(), refused.clone());
        tasks.push(tokio::spawn(async move {
            let number = from + number % TRADERS;
            let trader = &stage.traders[number];
            let options = SendOptions { details: false, unit_limit: 100_000, ..SendOptions::default() };
            while begun.elapsed() < MEASURED {
                let batch = [make(number, trader)];
                match stage.sender.send_with(&batch, &trader.key, &[], &options).await {
                    Ok(_) => done.fetch_add(1, Ordering::Relaxed),
                    Err(error) => {
                        if refused.fetch_add(1, Ordering::Relaxed) == 0 {
                            println!("the first refusal: {error}");
                        }
                        0
                    }
                };
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let seconds = begun.elapsed().as_secs().max(1);
    (done.load(Ordering::Relaxed) / seconds, refused.load(Ordering::Relaxed))
}

/// User and system time of this process so far, seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // Ticks of 10 ms; the name in parentheses is cut off, and the two fields before it.
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) as f64 / 100.0
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute and a half: make load"]
async fn trades_a_second() {
    let (setup, traders) = tokio::task::block_in_place(exchange);
    let stage = Arc::new(Stage::start(&setup, traders, &[]).await);
    let posting = tokio::spawn({
        let stage = stage.clone();
        async move {
            loop {
                // Stored too: nobody else does it here, and a stale price lets nobody trade.
                stage.publish(1.0).await;
                let market = |index| address::market(&stage.exchange.address, index);
                let updates: Vec<Instruction> =
                    (0..).zip(&stage.feeds).map(|(index, feed)| ix::update_market(&market(index), feed)).collect();
                let _ = stage.sender.send(&updates, &stage.publisher, &[]).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(4)).await;
    let exchange = stage.exchange.address;
    let reduce = move |trader: &Trader, market: usize| {
        let index = u16::try_from(market).unwrap();
        // A thousandth of a unit of the asset: positions last.
        ix::reduce(&trader.address(), &address::market(&exchange, index), &trader.subaccount, 100_000, 0, &[])
    };
    let mut before = (cpu(), Instant::now());
    let mut say = |what: &str, (rate, refused): (u64, u64)| {
        let now = (cpu(), Instant::now());
        let cores = (now.0 - before.0) / now.1.duration_since(before.1).as_secs_f64();
        println!("{what}: {rate} a second, {refused} refused, {cores:.2} cores used by validator and senders together");
        before = now;
    };
    println!("{TRADERS} senders with {DEPTH} transactions under way each, {MEASURED:?} each:");
    let transfers = rate(&stage, 0, |_, trader| transfer(&trader.address())).await;
    say("transfers", transfers);
    let one = rate(&stage, 0, move |_, trader| reduce(trader, 0)).await;
    say("trades in one market", one);
    let eight = rate(&stage, TRADERS, move |number, trader| reduce(trader, number % MARKETS)).await;
    say("trades over eight markets", eight);
    assert!(one.0 > 0 && eight.0 > 0);
    posting.abort();
    stage.audit().await;
}

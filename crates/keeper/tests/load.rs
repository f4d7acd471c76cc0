//! How many trades a second the local validator takes, in one market and spread over eight, beside bare transfers.
//!
//! `make load`. A trade is an immediate reduction: a fill in one transaction, which writes its market and its subaccount.

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
const MEASURED: Duration = Duration::from_secs(20);

/// Every trader is long in market 0 and in one of the eight.
fn exchange() -> (Setup, Vec<Trader>) {
    let mut setup = Setup::with(&Terms::cross(MARKETS));
    let mut traders = Vec::new();
    for number in 0..TRADERS {
        let trader = setup.trader(&format!("load {number}"), units(20_000));
        traders.push(trader);
    }
    for (number, trader) in traders.clone().iter().enumerate() {
        let spread = number % MARKETS;
        for market in [0, spread] {
            let side = if (number / MARKETS).is_multiple_of(2) { 1 } else { -1 };
            let size = setup.size_for(market, side * i64::try_from(units(10_000)).unwrap());
            setup.trade(trader, market, size).must();
        }
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
async fn rate(stage: &Arc<Stage>, make: impl Fn(usize, &Trader) -> Instruction + Send + Sync + 'static) -> (u64, u64) {
    let make = Arc::new(make);
    let (done, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..stage.traders.len() {
        let (stage, make, done, refused) = (stage.clone(), make.clone(), done.clone(), refused.clone());
        tasks.push(tokio::spawn(async move {
            let trader = &stage.traders[number];
            let options = SendOptions { details: false, unit_limit: 100_000, ..SendOptions::default() };
            while begun.elapsed() < MEASURED {
                let batch = [make(number, trader)];
                match stage.sender.send_with(&batch, &trader.key, &[], &options).await {
                    Ok(_) => done.fetch_add(1, Ordering::Relaxed),
                    Err(_) => refused.fetch_add(1, Ordering::Relaxed),
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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute and a half: make load"]
async fn trades_a_second() {
    let (setup, traders) = tokio::task::block_in_place(exchange);
    let stage = Arc::new(Stage::start_with(&setup, traders, &[], 20).await);
    let posting = tokio::spawn({
        let stage = stage.clone();
        async move {
            loop {
                // Stored too: nobody else does it here, and a stale price lets nobody trade.
                stage.publish(1.0).await;
                for (index, feed) in (0..).zip(&stage.feeds) {
                    let update = ix::update_market(&address::market(&stage.exchange.address, index), feed);
                    let _ = stage.sender.send(&[update], &stage.publisher, &[]).await;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
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
    let transfers = rate(&stage, |_, trader| transfer(&trader.address())).await;
    let one = rate(&stage, move |_, trader| reduce(trader, 0)).await;
    let eight = rate(&stage, move |number, trader| reduce(trader, number % MARKETS)).await;
    println!(
        "{TRADERS} senders, {MEASURED:?} each: transfers {transfers:?}, one market {one:?}, eight markets {eight:?} \
              (per second, refused in all)"
    );
    assert!(one.0 > 0 && eight.0 > 0);
    posting.abort();
    stage.audit().await;
}

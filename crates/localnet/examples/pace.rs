//! Measures how fast a local validator confirms transactions and travels in time.
//!
//! `cargo run -p ballast-localnet --example pace -- [surfpool|agave] [transactions] [travels]`

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use ballast_localnet::{Config, Kind, Localnet, SendOptions, Sender};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use tokio::sync::Semaphore;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let kind = match args.next().as_deref() {
        Some("agave") => Kind::Agave,
        _ => Kind::Surfpool,
    };
    let count: usize = args.next().map_or(Ok(500), |text| text.parse()).context("transactions: a number")?;
    let travels: usize = args.next().map_or(Ok(1_000), |text| text.parse()).context("travels: a number")?;

    let payer = Arc::new(Keypair::new());
    let fund = vec![(payer.pubkey(), 1_000_000_000_000)];
    let begun = Instant::now();
    let net = Localnet::start(Config { kind, fund, ..Config::default() }).await?;
    println!("{kind:?} ready after {:?}", begun.elapsed());
    let sender = Sender::new(&net.rpc_url());

    for details in [true, false] {
        for flight in [1, 4, 16, 64] {
            let count = if flight == 1 && kind == Kind::Agave { 20 } else { count };
            let before = net.clock().await?;
            let begun = Instant::now();
            run(&sender, &payer, count, flight, details).await?;
            let (elapsed, after) = (begun.elapsed(), net.clock().await?);
            println!(
                "details {details:5}  in flight {flight:2}: {count} in {elapsed:.2?} = {:.0}/s; {} slots, {} s of chain time; {} MB",
                count as f64 / elapsed.as_secs_f64(),
                after.slot - before.slot,
                after.unix - before.unix,
                memory(),
            );
        }
    }
    if net.can_travel() && travels > 0 {
        let begun = Instant::now();
        for _ in 0..travels {
            net.travel(60).await?;
        }
        println!("{travels} travels of 60 s: {:?} each; {} MB", begun.elapsed() / travels as u32, memory());
        let begun = Instant::now();
        for _ in 0..travels {
            net.travel(60).await?;
            run(&sender, &payer, 4, 4, false).await?;
        }
        println!("the same with 4 transactions each: {:?} each; {} MB", begun.elapsed() / travels as u32, memory());
    }
    net.stop().await
}

async fn run(sender: &Sender, payer: &Arc<Keypair>, count: usize, flight: usize, details: bool) -> Result<()> {
    let permits = Arc::new(Semaphore::new(flight));
    let mut tasks = Vec::new();
    for _ in 0..count {
        let permit = permits.clone().acquire_owned().await?;
        let (sender, payer) = (sender.clone(), payer.clone());
        tasks.push(tokio::spawn(async move {
            let options = SendOptions { details, ..SendOptions::default() };
            let instruction = transfer(&payer.pubkey(), &Pubkey::new_unique(), 1_000_000);
            let sent = sender.send_with(&[instruction], &payer, &[], &options).await;
            drop(permit);
            sent
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<usize>().ok()).unwrap_or_default() / 1_024
}

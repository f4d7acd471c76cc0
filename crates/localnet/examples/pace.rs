//! Measures how fast a local validator confirms transactions and travels in time.
//!
//! `cargo run -p ballast-localnet --example pace -- [kind=agave] [transactions=500] [travels=1000] [accounts=0]
//! [bytes=10000] [slot_ms=400] [busy_ms=5]`. With `accounts`, each transaction also locks that many writable accounts
//! of `bytes` bytes, as an exchange's instructions do.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use ballast_localnet::{Config, Kind, Localnet, ProgramFile, SendOptions, Sender};
use solana_account::Account;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use tokio::sync::Semaphore;

struct Load {
    sender: Sender,
    payer: Keypair,
    instruction: Option<Instruction>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args: HashMap<_, _> = std::env::args()
        .skip(1)
        .filter_map(|arg| arg.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())))
        .collect();
    let number = |key: &str, default: u64| args.get(key).map_or(Ok(default), |text| text.parse().context("a number"));
    let kind = match args.get("kind").map(String::as_str) {
        Some("agave") => Kind::Agave,
        _ => Kind::Surfpool,
    };
    let (count, travels) = (number("transactions", 500)? as usize, number("travels", 1_000)?);

    let payer = Keypair::new();
    let mut config = Config {
        kind,
        fund: vec![(payer.pubkey(), 1_000_000_000_000)],
        slot_ms: number("slot_ms", 400)?,
        busy_ms: number("busy_ms", 5)?,
        ..Config::default()
    };
    let dir = tempfile::tempdir()?;
    let instruction = wide(&mut config, dir.path(), number("accounts", 0)?, number("bytes", 10_000)? as usize)?;
    let begun = Instant::now();
    let net = Localnet::start(config).await?;
    println!("{kind:?} ready after {:?}", begun.elapsed());
    let load = Arc::new(Load { sender: Sender::new(&net.rpc_url()), payer, instruction });

    for details in [true, false] {
        for flight in [1, 4, 16, 64] {
            let count = if flight == 1 && kind == Kind::Agave { 20 } else { count };
            let before = net.clock().await?;
            let begun = Instant::now();
            run(&load, count, flight, details).await?;
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
            run(&load, 4, 4, false).await?;
        }
        println!("the same with 4 transactions each: {:?} each; {} MB", begun.elapsed() / travels as u32, memory());
    }
    net.stop().await
}

/// An instruction to a program that does nothing, with accounts that are not small.
fn wide(config: &mut Config, dir: &Path, accounts: u64, bytes: usize) -> Result<Option<Instruction>> {
    if accounts == 0 {
        return Ok(None);
    }
    let path = dir.join("noop.so");
    std::fs::write(&path, surfpool_core::surfnet::noop_program::NOOP_PROGRAM_ELF)?;
    let id = Pubkey::new_unique();
    config.programs.push(ProgramFile { id, path, upgrade_authority: None });
    let mut metas = Vec::new();
    for _ in 0..accounts {
        let key = Pubkey::new_unique();
        config.accounts.push((key, Account::new(1_000_000_000, bytes, &id)));
        metas.push(AccountMeta::new(key, false));
    }
    Ok(Some(Instruction { program_id: id, accounts: metas, data: vec![0; 32] }))
}

async fn run(load: &Arc<Load>, count: usize, flight: usize, details: bool) -> Result<()> {
    let permits = Arc::new(Semaphore::new(flight));
    let mut tasks = Vec::new();
    for _ in 0..count {
        let permit = permits.clone().acquire_owned().await?;
        let load = load.clone();
        tasks.push(tokio::spawn(async move {
            let options = SendOptions { details, ..SendOptions::default() };
            let mut instructions = vec![transfer(&load.payer.pubkey(), &Pubkey::new_unique(), 1_000_000)];
            instructions.extend(load.instruction.clone());
            let sent = load.sender.send_with(&instructions, &load.payer, &[], &options).await;
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

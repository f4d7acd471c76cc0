//! Starts real validators: surfpool always, Agave's when `BALLAST_TEST_AGAVE=1` asks for it.

mod units;
mod upgrade;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use ballast_localnet::{Config, Kind, Localnet, ProgramFile, SendOptions, Sender};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_loader_v3_interface::get_program_data_address;
use solana_loader_v3_interface::state::UpgradeableLoaderState;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::error::SystemError;
use solana_system_interface::instruction::transfer;

const SOL: u64 = 1_000_000_000;

struct Setup {
    config: Config,
    payer: Keypair,
    program: Pubkey,
    authority: Pubkey,
    stored: (Pubkey, Account),
    _dir: tempfile::TempDir,
}

fn setup(kind: Kind) -> Result<Setup> {
    let dir = tempfile::tempdir()?;
    let path: PathBuf = dir.path().join("noop.so");
    std::fs::write(&path, surfpool_core::surfnet::noop_program::NOOP_PROGRAM_ELF)?;
    let (payer, program, authority) = (Keypair::new(), Pubkey::new_unique(), Pubkey::new_unique());
    let owner = Pubkey::new_unique();
    let account = Account { lamports: SOL, data: vec![1, 2, 3], owner, executable: false, rent_epoch: u64::MAX };
    let stored = (Pubkey::new_unique(), account);
    let config = Config {
        kind,
        programs: vec![ProgramFile { id: program, path, upgrade_authority: Some(authority) }],
        accounts: vec![stored.clone()],
        fund: vec![(payer.pubkey(), 100 * SOL)],
        ..Config::default()
    };
    Ok(Setup { config, payer, program, authority, stored, _dir: dir })
}

/// What must hold on either validator.
async fn common(net: &Localnet, setup: &Setup) -> Result<()> {
    let rpc = net.rpc_async();
    let program = rpc.get_account(&setup.program).await?;
    assert!(program.executable);
    let data_address = get_program_data_address(&setup.program);
    assert_eq!(
        bincode::deserialize::<UpgradeableLoaderState>(&program.data)?,
        UpgradeableLoaderState::Program { programdata_address: data_address }
    );
    let data = rpc.get_account(&data_address).await?;
    match bincode::deserialize(&data.data)? {
        UpgradeableLoaderState::ProgramData { upgrade_authority_address, .. } => {
            assert_eq!(upgrade_authority_address, Some(setup.authority));
        }
        other => panic!("{other:?}"),
    }
    let stored = rpc.get_account(&setup.stored.0).await?;
    assert_eq!((stored.data, stored.owner), (setup.stored.1.data.clone(), setup.stored.1.owner));

    let sender = Sender::new(&net.rpc_url());
    let (payer, to) = (&setup.payer, Keypair::new().pubkey());
    let sent = sender.send(&[transfer(&payer.pubkey(), &to, SOL)], payer, &[]).await?;
    assert_eq!(sent.details.units, 300, "a transfer and a unit limit take 150 each");
    assert_eq!(sent.details.fee, 5_000);
    assert_eq!(rpc.get_balance(&to).await?, SOL);

    // The program really runs, and equal transactions in a row are not taken for one.
    let noop = Instruction { program_id: setup.program, accounts: Vec::new(), data: Vec::new() };
    for _ in 0..3 {
        let sent = sender.send(std::slice::from_ref(&noop), payer, &[]).await?;
        assert!(sent.details.logs.iter().any(|line| line == &format!("Program {} success", setup.program)));
    }

    let too_much = [noop, transfer(&payer.pubkey(), &to, 1_000 * SOL)];
    let landed = sender.send(&too_much, payer, &[]).await.unwrap_err();
    assert_eq!(landed.code, Some(SystemError::ResultWithNegativeLamports as u32));
    assert_eq!(landed.instruction, Some(1));
    assert!(landed.signature.is_some());
    assert!(landed.logs.iter().any(|line| line.contains("insufficient lamports")), "{:?}", landed.logs);
    let options = SendOptions { preflight: true, ..SendOptions::default() };
    let simulated = sender.send_with(&too_much, payer, &[], &options).await.unwrap_err();
    assert_eq!((simulated.code, simulated.instruction), (landed.code, landed.instruction));
    assert!(simulated.signature.is_none());

    let url = net.rpc_url();
    let blocking = net.rpc();
    let slot = tokio::task::spawn_blocking(move || blocking.get_slot()).await??;
    assert!(slot > 0, "{url}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn surfpool_serves_programs_accounts_and_transactions() -> Result<()> {
    let setup = setup(Kind::Surfpool)?;
    let net = Localnet::start(setup.config.clone()).await?;
    common(&net, &setup).await?;
    let url = net.rpc_url();
    net.stop().await?;
    let port = url.rsplit(':').next().context("no port")?;
    std::net::TcpListener::bind(format!("127.0.0.1:{port}")).context("the port is free after stop")?;
    Ok(())
}

/// On a single-threaded runtime, where surfpool's own locks would panic.
#[tokio::test]
async fn travel_moves_slot_and_time_together_and_the_clock_runs_on() -> Result<()> {
    const START: i64 = 1_600_000_000;
    let setup = setup(Kind::Surfpool)?;
    let mut config = setup.config.clone();
    // Blocks only for transactions and travels, so that the figures are exact.
    (config.start_unix, config.slot_ms) = (Some(START), 3_600_000);
    let net = Localnet::start(config).await?;
    let sender = Sender::new(&net.rpc_url());
    let before = net.clock().await?;
    assert!((START..START + 3).contains(&before.unix), "{before:?}");

    net.travel(60).await?;
    let after = net.clock().await?;
    // 150 slots and the block that closes the time before.
    assert_eq!(after.slot, before.slot + 151);
    assert!((60..=61).contains(&(after.unix - before.unix)));

    net.set_time(START + 86_400).await?;
    assert_eq!(net.clock().await?.unix, START + 86_400);
    assert!(net.set_time(START).await.unwrap_err().to_string().contains("give a later time"));
    assert!(net.travel(-1).await.is_err());

    let to = Pubkey::new_unique();
    let slot = net.clock().await?.slot;
    for n in 1..=10 {
        let sent = sender.send(&[transfer(&setup.payer.pubkey(), &to, SOL)], &setup.payer, &[]).await?;
        assert!(sent.slot >= slot && sent.slot <= slot + n, "{} {slot}", sent.slot);
    }
    let last = net.clock().await?;
    assert!((3..=4).contains(&(last.unix - START - 86_400)), "ten blocks of 400 ms: {last:?}");

    // The sysvar account says what the node says.
    let account = net.rpc_async().get_account(&solana_sdk_ids::sysvar::clock::ID).await?;
    assert_eq!(account.data[32..40], last.unix.to_le_bytes());
    assert_eq!(account.data[..8], last.slot.to_le_bytes());
    net.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn several_run_at_once_and_a_dropped_one_ends() -> Result<()> {
    let first = Localnet::start(setup(Kind::Surfpool)?.config).await?;
    let second = Localnet::start(setup(Kind::Surfpool)?.config).await?;
    assert_ne!(first.rpc_url(), second.rpc_url());
    let rpc = first.rpc_async();
    drop(first);
    let mut ended = false;
    for _ in 0..100 {
        ended = rpc.get_health().await.is_err();
        if ended {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ended);
    second.rpc_async().get_health().await?;
    second.stop().await
}

/// Whether the tests on Agave's validator are to run.
fn agave_is_asked_for() -> bool {
    let asked = std::env::var_os("BALLAST_TEST_AGAVE").is_some_and(|value| value == "1");
    if !asked {
        eprintln!("skipped: no validator asked for; run scripts/agave-validator, then with BALLAST_TEST_AGAVE=1");
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn agave_serves_programs_accounts_and_transactions() -> Result<()> {
    if !agave_is_asked_for() {
        return Ok(());
    }
    let setup = setup(Kind::Agave)?;
    let net = Localnet::start(setup.config.clone()).await?;
    common(&net, &setup).await?;
    assert!(!net.can_travel());
    assert!(net.travel(1).await.unwrap_err().to_string().contains("Kind::Surfpool"));
    let earlier = net.clock().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(net.clock().await?.slot > earlier.slot);
    net.stop().await
}

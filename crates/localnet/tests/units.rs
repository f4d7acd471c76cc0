//! The validators charge what LiteSVM charges for the one fixed transaction; that a bank does too is in
//! `tests/tests/promises/runtimes.rs`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use ballast_localnet::{Config, Kind, Localnet, ProgramFile, Sender};
use ballast_tests::bank::{fixed_transaction, send_fixed};
use ballast_tests::world::{fixed_key, program_dir};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{SOL, agave_is_asked_for};

/// What the sender's own instruction, the limit, takes.
const LIMIT: u64 = 150;

/// What the fixed transaction takes on LiteSVM and on a validator that starts from the same accounts.
async fn units(kind: Kind) -> Result<(u64, u64, Vec<String>)> {
    let mut setup = ballast_tests::Setup::bare();
    let (owner, tokens) = setup.fund("fixed owner", ballast_tests::units(1_000));
    let mut accounts = Vec::new();
    for address in [setup.exchange, setup.vault, setup.mint, tokens] {
        accounts.push((address, setup.world.svm.get_account(&address).context("made by the harness")?));
    }
    let file = |name: &str| -> PathBuf { program_dir().join(name) };
    let authority = Some(setup.world.upgrade_authority.pubkey());
    let program = |id: Pubkey, name| ProgramFile { id, path: file(name), upgrade_authority: authority };
    let payer = fixed_key("payer");
    let config = Config {
        kind,
        programs: vec![
            program(ballast_client::address::PROGRAM, "ballast.so"),
            program(price_feed::ID, "price_feed.so"),
        ],
        accounts,
        fund: vec![(payer.pubkey(), 100 * SOL), (owner.pubkey(), 100 * SOL)],
        ..Config::default()
    };
    let net = Localnet::start(config).await?;
    let fixed = fixed_transaction(&setup.mint, &owner.pubkey(), &tokens);
    let sent = Sender::new(&net.rpc_url()).send(&fixed, &payer, &[&*owner]).await?;
    net.stop().await?;
    Ok((send_fixed(&mut setup).units, sent.details.units - LIMIT, sent.details.logs))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_validator_charges_the_fixed_transaction_alike() -> Result<()> {
    let (ours, theirs, logs) = units(Kind::Surfpool).await?;
    assert_eq!(ours, theirs, "{logs:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn agaves_own_validator_charges_the_fixed_transaction_alike() -> Result<()> {
    if !agave_is_asked_for() {
        return Ok(());
    }
    let (ours, theirs, logs) = units(Kind::Agave).await?;
    assert_eq!(ours, theirs, "{logs:#?}");
    Ok(())
}

//! `ballast faucet`: test collateral and SOL on a local validator.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use solana_keypair::{Keypair, write_keypair_file};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;

use crate::args::Global;
use crate::chain::Chain;
use crate::migrate::Money;
use crate::{amount, config, keys, output, tokens};

/// Lamports that come along.
const LAMPORTS: u64 = 10_000_000_000;

/// Options of `ballast faucet`.
#[derive(Args)]
pub(crate) struct Options {
    /// How much collateral, in whole units
    #[arg(default_value = "10000")]
    amount: String,
    /// Who gets it [default: the owner of --keypair]
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Pubkey>,
    /// Make a new key, write it to this file, and give to that
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    new_wallet: Option<PathBuf>,
}

#[derive(Serialize)]
struct Given {
    owner: String,
    collateral: u64,
    token_account: String,
    lamports: u64,
}

/// Mints by the local mint's key, which only a local cluster's mint knows.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    // What can fail without a wallet comes before one is written.
    let chain = Chain::open(global)?;
    let _ = chain.now().await?;
    let mint = keys::local(keys::MINT).pubkey();
    let exchange = chain
        .exchange(Some(mint))
        .await
        .context("only the local exchange's collateral can be made from nothing; start one with `ballast localnet`")?;
    let decimals = exchange.state.quote_decimals;
    let amount = amount::parse(&options.amount, decimals)?;
    let owner = match (&options.new_wallet, options.to) {
        (Some(path), _) => {
            if path.exists() {
                bail!("{} exists already; give another file", path.display());
            }
            let key = Keypair::new();
            write_keypair_file(&key, path)
                .map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", path.display()))?;
            key.pubkey()
        }
        (None, Some(owner)) => owner,
        (None, None) => config::keypair(global)?.pubkey(),
    };
    let faucet = keys::local(keys::FAUCET);
    let mut batch = vec![transfer(&faucet.pubkey(), &owner, LAMPORTS)];
    batch.extend(Money::give(&mint, &owner, amount));
    chain.send("faucet", &batch, &faucet, &[]).await?;
    let given = Given {
        owner: owner.to_string(),
        collateral: amount,
        token_account: tokens::associated(&owner, &mint).to_string(),
        lamports: LAMPORTS,
    };
    output::show(global.json, &given, |given| {
        format!(
            "{} has {} more test collateral (in {}) and 10 SOL",
            given.owner,
            amount::quote(given.collateral, decimals),
            given.token_account
        )
    })
}

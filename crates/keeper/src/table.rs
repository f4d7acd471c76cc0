//! `ballast-keeper table`: makes an address lookup table of an exchange, or adds to one what is new.

use anyhow::{Context, Result};
use ballast_client::rpc::tables;
use ballast_client::{Rpc, address, rpc::ExchangeAccount};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

/// The table's address, once every market and oracle account of the exchange is in it.
///
/// # Errors
/// If the chain does not let it be made.
pub async fn make(rpc: &Rpc, exchange: &ExchangeAccount, payer: &Keypair, table: Option<Pubkey>) -> Result<Pubkey> {
    let mut oracles = Vec::new();
    let markets = rpc.markets(exchange).await?;
    for (_, market) in markets.iter() {
        let found: Vec<Pubkey> = rpc.oracles(market).await?.iter().map(|oracle| oracle.address).collect();
        // A stranger's may be gone tomorrow.
        let sponsored = address::sponsored_oracle(&market.feed_id.0);
        oracles.extend(found.iter().find(|key| **key == sponsored).or(found.last()));
    }
    let wanted = tables::shared(&exchange.address, exchange.state.markets, &oracles);
    let me = payer.pubkey();
    let table = match table {
        Some(table) => table,
        None => {
            // A slot that certainly had a block: the one that the blockhash was read in may be skipped.
            let slot = rpc.now().await?.value.slot.saturating_sub(1);
            let (create, table) = tables::create(&me, &me, slot);
            rpc.send(&[create], payer, &[], &[]).await.context("the table cannot be made")?;
            table
        }
    };
    let present = rpc.table(&table).await.map(|table| table.addresses).unwrap_or_default();
    let missing: Vec<Pubkey> = wanted.into_iter().filter(|key| !present.contains(key)).collect();
    for batch in missing.chunks(tables::EXTENSION) {
        let extend = tables::extend(&table, &me, &me, batch);
        rpc.send(&[extend], payer, &[], &[]).await.context("the table cannot be extended")?;
    }
    Ok(table)
}

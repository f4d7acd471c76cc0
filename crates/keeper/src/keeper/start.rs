//! What a keeper does before it keeps: finds the exchange, opens the subaccount that earns, asks what became of what an
//! earlier run left behind; and how it reads the whole.

use anyhow::{Context, Result, bail};
use ballast::state::Market;
use ballast_client::instructions::pubkey;
use ballast_client::rpc::{AccountData, ExchangeAccount, FEED_ID_OFFSET, Fault, Filter, Standing};
use ballast_client::{Account, Rpc, address, instructions};
use ballast_engine::Now;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::config::Config;
use crate::feed::Feed;
use crate::ledger::{Ledger, Row};
use crate::nodes::Nodes;

/// The exchange as a whole answer of one slot.
pub(super) struct Snapshot {
    pub(super) slot: u64,
    pub(super) accounts: Vec<(Pubkey, AccountData)>,
    /// The oracles' accounts, and the oldest slot of these answers.
    pub(super) oracles: (u64, Vec<(Pubkey, AccountData)>),
    pub(super) now: Now,
    pub(super) rollbacks: u64,
}

/// Reads an address.
pub(super) fn key(text: &str, what: &str) -> Result<Pubkey> {
    text.parse().ok().with_context(|| format!("{what}: {text:?} is no address"))
}

/// The oracle programs and feeds of markets.
pub(super) fn feeds<'a>(markets: impl Iterator<Item = &'a Market>) -> Vec<Feed> {
    let mut feeds: Vec<Feed> = markets.map(|m| (pubkey(&m.oracle_program), m.feed_id.0)).collect();
    feeds.sort_unstable();
    feeds.dedup();
    feeds
}

/// Every account of the program and of its markets' oracles.
pub(super) async fn read_all(nodes: &Nodes, exchange: Pubkey) -> Result<Snapshot, Fault> {
    let rollbacks = nodes.rollbacks();
    let found = nodes.ask_at(|rpc| async move { rpc.owned(&address::PROGRAM, &[]).await }).await?;
    let markets: Vec<Box<Market>> = found
        .value
        .iter()
        .filter_map(|(_, data)| match Account::decode(&data.data) {
            Ok(Account::Market(market)) if market.exchange.0 == exchange.to_bytes() => Some(market),
            _ => None,
        })
        .collect();
    let mut oracles = (found.slot, Vec::new());
    for (program, feed) in feeds(markets.iter().map(|market| &**market)) {
        let filter = &[Filter { offset: FEED_ID_OFFSET, bytes: feed.to_vec() }];
        let answer = nodes.ask_at(|rpc| async move { rpc.owned(&program, filter).await }).await?;
        oracles.0 = oracles.0.min(answer.slot);
        oracles.1.extend(answer.value);
    }
    let now = nodes.ask_at(|rpc| async move { rpc.now().await }).await?.value;
    Ok(Snapshot { slot: found.slot, accounts: found.value, oracles, now, rollbacks })
}

/// Opens the subaccount that earns, if it is not there.
pub(super) async fn open_subaccount(
    nodes: &Nodes,
    config: &Config,
    exchange: &ExchangeAccount,
    payer: &Keypair,
    reward: &Pubkey,
    dry: bool,
) -> Result<()> {
    if nodes.ask(|rpc| async move { rpc.account(reward).await }).await?.is_some() {
        return Ok(());
    }
    let number = config.chain.subaccount;
    if dry {
        tracing::warn!(number, "the subaccount that would earn is not there; what names it will be refused");
        return Ok(());
    }
    if !config.chain.open_subaccount {
        bail!("subaccount {number} of {} is not there; open it, or set chain.open_subaccount", payer.pubkey());
    }
    let open = instructions::open_subaccount(&exchange.address, &payer.pubkey(), number, false);
    let rpc: &Rpc = nodes.current();
    let opened = rpc.send(&[open], payer, &[], &[]).await;
    opened.with_context(|| format!("subaccount {number} of {} cannot be opened", payer.pubkey()))?;
    tracing::info!(number, "opened the subaccount that earns");
    Ok(())
}

/// Asks the chain what became of transactions that were under way when the keeper last ended.
pub(super) async fn finish_rows(nodes: &Nodes, ledger: &Ledger, config: &Config) -> Result<()> {
    for (signature, job, subject) in Ledger::unfinished(&config.ledger.path)? {
        let Ok(parsed) = signature.parse() else { continue };
        let parsed = &parsed;
        let found = nodes.ask(|rpc| async move { rpc.landed(parsed).await }).await.ok().flatten();
        let known = nodes.ask(|rpc| async move { rpc.standings(&[*parsed]).await }).await;
        let processed = known.is_ok_and(|known| known == [Standing::Processed]);
        let outcome = match &found {
            Some(landed) if landed.failed.is_none() => "done",
            Some(_) => "refused",
            None if processed => continue,
            None => "lost",
        };
        tracing::info!(signature, job, subject, outcome, "left behind by an earlier run");
        let landed = found.as_ref();
        ledger.write(Row {
            signature,
            job: "earlier",
            subject,
            outcome,
            reason: "found at the next start".to_owned(),
            slot: landed.map_or(0, |landed| landed.slot),
            units: landed.map_or(0, |landed| landed.units),
            fee: landed.map_or(0, |landed| landed.fee),
            ..Row::default()
        });
    }
    ledger.flush();
    Ok(())
}

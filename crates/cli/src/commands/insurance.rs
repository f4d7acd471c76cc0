//! `ballast insurance`.

use anyhow::{Result, ensure};
use ballast::state::{Exchange, Market};
use ballast_client::{address, instructions};
use clap::Args;
use serde::Serialize;
use solana_signer::Signer;

use crate::amount::{self, quote};
use crate::args::Global;
use crate::chain::Chain;
use crate::{config, output, tokens};

/// Options of `ballast insurance`.
#[derive(Args)]
pub(crate) struct Options {
    /// How much, in whole units of the collateral: it is a gift, nobody can take it back
    amount: String,
    /// Index of the market whose insurance it is for; without it, the exchange's shared insurance
    #[arg(long, short, value_parser = super::market::index)]
    market: Option<u16>,
}

#[derive(Serialize)]
struct ToppedUp {
    market: Option<u16>,
    amount: u64,
    insurance: u64,
    signature: String,
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let (chain, payer) = (Chain::open(global)?, config::keypair(global)?);
    let exchange = chain.exchange(global.mint).await?;
    let decimals = exchange.state.quote_decimals;
    let amount = amount::parse(&options.amount, decimals)?;
    let key = payer.pubkey();
    let purse = tokens::associated(&key, &exchange.mint());
    let held = chain.account(&purse).await?.and_then(|account| tokens::amount(&account.data)).unwrap_or(0);
    ensure!(
        held >= amount,
        "your token account {purse} holds {}, not {}; give less (on a local validator `ballast faucet` makes test \
         collateral)",
        quote(held, decimals),
        quote(amount, decimals)
    );
    let top_up = match options.market {
        Some(index) => {
            ensure!(index < exchange.state.markets, super::market::missing(index, &exchange));
            let market = address::market(&exchange.address, index);
            instructions::top_up_market_insurance(&exchange.address, &market, &key, &purse, amount)
        }
        None => instructions::top_up_shared_insurance(&exchange.address, &key, &purse, amount),
    };
    let sent = chain.send("top up", &[top_up], &payer, &[]).await?;
    let insurance = match options.market {
        Some(index) => chain.read::<Market>(&address::market(&exchange.address, index)).await?.state.pool.insurance.0,
        None => chain.read::<Exchange>(&exchange.address).await?.shared_insurance.0,
    };
    let done = ToppedUp { market: options.market, amount, insurance, signature: sent.signature.to_string() };
    output::show(global.json, &done, |done| {
        let whose =
            done.market.map_or("the shared insurance".to_owned(), |index| format!("market {index}'s insurance"));
        format!("{} given; {whose} holds {}", quote(done.amount, decimals), quote(done.insurance, decimals))
    })
}

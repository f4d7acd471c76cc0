//! `ballast reduce`.

use anyhow::{Context, Result, ensure};
use ballast_client::events::Event;
use ballast_client::{address, instructions};
use ballast_engine::constants::REDUCE_SPREAD;
use ballast_engine::delegate::TRADE;
use clap::Args;
use serde::Serialize;
use solana_signer::Signer;

use super::funds::Whose;
use super::{delegate, market, refresh};
use crate::amount::{self, quote};
use crate::args::Global;
use crate::chain::{self, Chain};
use crate::{config, output};

/// Options of `ballast reduce`.
#[derive(Args)]
pub(crate) struct Options {
    /// How much of the position, in whole units of the asset, or `all`
    #[arg(default_value = "all", allow_negative_numbers = true)]
    size: String,
    /// Index of the market
    #[arg(long, short, value_parser = market::index)]
    market: u16,
    #[command(flatten)]
    whose: Whose,
    /// The worst average price accepted
    #[arg(long, value_name = "PRICE")]
    worst: Option<String>,
}

#[derive(Serialize)]
struct Reduced {
    market: u16,
    size: i64,
    mark: u64,
    price: u64,
    premium: i64,
    fee: u64,
    pnl: i64,
    funding: i64,
    position: i64,
    signature: String,
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let (chain, signer) = (Chain::open(global)?, config::keypair(global)?);
    let exchange = chain.exchange(global.mint).await?;
    let (_, scale) = market::of(&chain, &exchange, options.market).await?;
    let worst = options.worst.as_deref().map_or(Ok(0), |text| scale.parse_price(text))?;
    let (key, account) = options.whose.find(global, &chain, &exchange).await?;
    delegate::check(&account, &signer.pubkey(), TRADE, &chain.now().await?)?;
    let index = options.market;
    let held = account.state.find(index).map(|slot| account.state.position(slot)).transpose();
    let held = held.map_err(|fault| anyhow::anyhow!("{}", chain.fault(&fault)))?.map_or(0, |p| p.base().0);
    ensure!(held != 0, "no position in market {index}: there is nothing to reduce; see `ballast account show`");
    let size = match options.size.as_str() {
        "all" => held,
        text => amount::parse(text, scale.base)?.min(held),
    };
    let at = address::market(&exchange.address, index);
    let mut batch = refresh::of_account(&chain, &exchange, &account, Some(index)).await?;
    let legs = instructions::leg_metas(&account, Some(index), true);
    batch.push(instructions::reduce(&signer.pubkey(), &at, &key, size, worst, &legs));
    let sent = chain.send("reduce", &batch, &signer, &[]).await?;
    let traded = chain::events(&sent).find_map(|event| if let Event::Traded(t) = event { Some(t) } else { None });
    let t = traded.context("it is reduced, but the event cannot be read; see `ballast account show`")?;
    let done = Reduced {
        market: index,
        size: t.size,
        mark: t.mark,
        price: t.price,
        premium: t.premium,
        fee: t.fee,
        pnl: t.pnl,
        funding: t.funding,
        position: t.position,
        signature: sent.signature.to_string(),
    };
    output::show(global.json, &done, |done| {
        format!(
            "{} filled at {}; fee {}, premium {}; position now {}; result {}, funding {}\nits mark, {}, is at least {} worse than \
             the oracle's price, which is what going at once costs; `ballast trade … all --reduce-only` waits for the next price \
             instead",
            amount::size(done.size, scale.base),
            scale.show_price(done.price),
            quote(done.fee, scale.quote),
            quote(done.premium, scale.quote),
            amount::size(done.position, scale.base),
            quote(done.pnl, scale.quote),
            quote(done.funding, scale.quote),
            scale.show_price(done.mark),
            amount::percent(REDUCE_SPREAD),
        )
    })
}

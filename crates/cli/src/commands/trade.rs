//! `ballast trade`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::Order;
use ballast_engine::order::Kind;
use clap::{Args, ValueEnum};
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::funds::Whose;
use super::market;
use super::order::{Fill, Filled, Placing, filled_text};
use crate::amount;
use crate::args::Global;
use crate::chain::Chain;
use crate::{config, output};

/// Options of `ballast trade`.
#[derive(Args)]
pub(crate) struct Options {
    /// Which way
    #[arg(value_enum)]
    side: Side,
    /// How much, in whole units of the asset; with --reduce-only also `all`
    #[arg(allow_negative_numbers = true)]
    size: String,
    /// Index of the market
    #[arg(long, short, value_parser = market::index)]
    market: u16,
    #[command(flatten)]
    whose: Whose,
    /// The worst price accepted
    #[arg(long, value_name = "PRICE", alias = "worst")]
    limit: Option<String>,
    /// Only reduce a position, never open or turn one around
    #[arg(long)]
    reduce_only: bool,
    /// Place it even if a fill would be refused as things stand
    #[arg(long)]
    anyway: bool,
    /// Fill it too, as soon as a price is published after it; give up after so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30")]
    wait: Option<u64>,
}

/// Which way an order goes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Side {
    /// Go long, or close a short
    Buy,
    /// Go short, or close a long
    Sell,
}

impl Side {
    /// A size in whole units as an order carries it: positive buys.
    pub(super) fn size(self, text: &str, decimals: u8) -> Result<i64> {
        let size = i64::try_from(amount::parse(text, decimals)?).context("the size is too large")?;
        Ok(if self == Self::Buy { size } else { -size })
    }
}

#[derive(Serialize)]
struct Placed {
    order: String,
    number: u64,
    market: u16,
    size: i64,
    placed_at: i64,
    fee_put_aside: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill: Option<Filled>,
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let (chain, signer) = (Chain::open(global)?, config::keypair(global)?);
    let exchange = chain.exchange(global.mint).await?;
    let (markets, scale) = market::of(&chain, &exchange, options.market).await?;
    let limit = options.limit.as_deref().map_or(Ok(0), |text| scale.parse_price(text))?;
    let (key, account) = options.whose.find(global, &chain, &exchange).await?;
    let size = match options.size.as_str() {
        "all" => {
            ensure!(options.reduce_only, "`all` of a position is for --reduce-only");
            let held = account.state.opposite(options.market, options.side == Side::Buy).map(|(_, p)| p.base().0);
            let held = held.context("there is no position that this would reduce; see `ballast account show`")?;
            let size = i64::try_from(held).context("the size is too large")?;
            if options.side == Side::Buy { size } else { -size }
        }
        text => options.side.size(text, scale.base)?,
    };
    let args = PlaceOrderArgs { size, limit, reduce_only: options.reduce_only, ..PlaceOrderArgs::default() };
    let market = options.market;
    let placing =
        Placing { chain: &chain, exchange: &exchange, signer: &signer, markets: &markets, market, key, account };
    let placed = placing.send(args, options.anyway).await?;
    let number = placing.number();
    let mut done = Placed {
        order: placed.order.to_string(),
        number,
        market,
        size: placed.size,
        placed_at: placed.placed_at,
        fee_put_aside: placed.fee,
        fill: None,
    };
    if let Some(seconds) = options.wait {
        let job = Fill { chain: &chain, exchange: &exchange, signer: &signer, market, subaccount: key };
        let bar = output::waiting(global.json, "waiting for a price published after the order");
        let rent_to: Pubkey = solana_signer::Signer::pubkey(&signer);
        let filled =
            job.wait(&placed.order, Kind::Market, &rent_to, placed.placed_at, Duration::from_secs(seconds)).await;
        bar.finish_and_clear();
        done.fill = Some(match filled {
            Err(error) if chain.find::<Order>(&placed.order).await?.is_some() => {
                return Err(error.context(format!(
                    "order {number} is placed, but not filled (`ballast fill {number}` tries again while it lives, `ballast \
                     cancel {number}` takes it back)"
                )));
            }
            filled => filled.with_context(|| format!("order {number} was placed"))?,
        });
    }
    output::show(global.json, &done, |done| match &done.fill {
        Some(fill) => filled_text(fill, scale) + fill.by(),
        None => format!(
            "order {number} placed ({}): {} in market {}; it fills at the first price published three seconds from now or \
             later, by anyone's call (a keeper's, or `ballast fill {number}`), and lapses 30 s after that price",
            done.order,
            amount::size(done.size, scale.base),
            done.market
        ),
    })
}

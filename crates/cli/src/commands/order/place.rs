//! `ballast order place` and `size`.

use anyhow::{Context, Result, ensure};
use ballast::instructions::trader::PlaceOrderArgs;
use ballast_client::events::Event;
use ballast_client::{address, instructions, quotes};
use ballast_engine::order::Kind;
use ballast_engine::{Price, Quote};
use clap::Args;
use serde::Serialize;
use solana_signer::Signer;

use super::Side;
use crate::amount::{self, Scale, quote};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::commands::funds;
use crate::{config, output};

/// Options of `ballast order place`.
#[derive(Args)]
pub(super) struct Options {
    /// Which way
    #[arg(value_enum)]
    side: Side,
    /// How much, in whole units of the asset
    size: String,
    /// Index of the market
    #[arg(long, short)]
    market: u16,
    /// Number of the subaccount
    #[arg(long, value_name = "ID", default_value_t = 0)]
    account: u16,
    /// A limit order: fills at this price or better, once the price is there
    #[arg(long, value_name = "PRICE", conflicts_with_all = ["trigger", "exit", "worst"])]
    limit: Option<String>,
    /// A stop entry: opens once the price is this or beyond (a buy at or above, a sell at or below)
    #[arg(long, value_name = "PRICE", conflicts_with_all = ["exit", "reduce_only"])]
    trigger: Option<String>,
    /// Close a position at --stop, at --target, or at a stop that follows by --trail
    #[arg(long)]
    exit: bool,
    /// Stop; without --exit that of what the order opens
    #[arg(long, value_name = "PRICE")]
    stop: Option<String>,
    /// Target; without --exit that of what the order opens
    #[arg(long, value_name = "PRICE")]
    target: Option<String>,
    /// The stop follows the best price at this distance
    #[arg(long, value_name = "DISTANCE")]
    trail: Option<String>,
    /// The worst average price accepted
    #[arg(long, value_name = "PRICE")]
    worst: Option<String>,
    /// It may not fill after so many seconds
    #[arg(long, value_name = "SECONDS")]
    expires: Option<u32>,
    /// Only reduce a position, never open or turn one around
    #[arg(long)]
    reduce_only: bool,
}

/// Options of `ballast order size`.
#[derive(Args)]
pub(super) struct SizeOptions {
    /// Which way
    #[arg(value_enum)]
    side: Side,
    /// Index of the market
    #[arg(long, short)]
    market: u16,
    /// Number of the subaccount
    #[arg(long, value_name = "ID", default_value_t = 0)]
    account: u16,
    /// Where its stop is
    #[arg(long, value_name = "PRICE")]
    stop: String,
    /// What may be lost, in whole units of the collateral
    #[arg(long, value_name = "AMOUNT")]
    risk: String,
}

#[derive(Serialize)]
struct Placed {
    order: String,
    number: u64,
    market: u16,
    size: i64,
    placed_at: i64,
    fees_put_aside: u64,
}

#[derive(Serialize)]
struct Sized {
    size: u64,
    loss_at_stop: u64,
    risk: u64,
}

pub(super) async fn run(global: &Global, chain: &Chain, exchange: &ExchangeAccount, options: Options) -> Result<()> {
    let owner = config::keypair(global)?;
    let (scale, _) = scale(chain, exchange, options.market).await?;
    let price = |text: &Option<String>| text.as_deref().map_or(Ok(0), |text| scale.parse_price(text));
    let size = i64::try_from(amount::parse(&options.size, scale.base)?).context("the size is too large")?;
    let kind = match (&options.limit, &options.trigger, options.exit) {
        (Some(_), ..) => Kind::Limit,
        (_, Some(_), _) => Kind::Stop,
        (.., true) => Kind::Exit,
        (None, None, false) => Kind::Market,
    };
    let now = chain.now().await?;
    let args = PlaceOrderArgs {
        size: if options.side == Side::Buy { size } else { -size },
        limit: if kind == Kind::Limit { price(&options.limit)? } else { price(&options.worst)? },
        expires_at: options.expires.map_or(0, |seconds| now.unix + i64::from(seconds)),
        reduce_only: options.reduce_only || kind == Kind::Exit,
        kind: kind as u8,
        trigger: price(&options.trigger)?,
        stop: price(&options.stop)?,
        target: price(&options.target)?,
        trail: price(&options.trail)?,
    };
    args.terms().check().map_err(|_| {
        anyhow::anyhow!(
            "these terms do not go together: an exit needs --stop, --target or --trail; a long's stop is below its target, \
             a short's above; a reduction has no exits of its own"
        )
    })?;
    let (key, account) = funds::subaccount(chain, exchange, &owner.pubkey(), options.account).await?;
    let market = address::market(&exchange.address, options.market);
    let number = account.state.next_order;
    let place = instructions::place_order(&owner.pubkey(), &market, &key, number, args);
    let sent = chain.send("place order", &[place], &owner, &[]).await?;
    let events = sent.details.inner.iter().filter_map(|inner| Event::decode(&inner.data));
    let mut placed = events.filter_map(|e| if let Event::OrderPlaced(placed) = e { Some(placed) } else { None });
    let placed =
        placed.next_back().context("the order was placed, but its event cannot be read; see `ballast order list`")?;
    let done = Placed {
        order: placed.order.to_string(),
        number,
        market: options.market,
        size: placed.size,
        placed_at: placed.placed_at,
        fees_put_aside: placed.fee,
    };
    output::show(global.json, &done, |done| {
        let size = amount::size(done.size, scale.base);
        let fee = quote(done.fees_put_aside, exchange.state.quote_decimals);
        format!("order {number} placed: {size} in market {}; {fee} put aside for whoever fills it", done.market)
    })
}

pub(super) async fn size(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    options: SizeOptions,
) -> Result<()> {
    let owner = config::keypair(global)?;
    let (scale, markets) = scale(chain, exchange, options.market).await?;
    let stop = Price(scale.parse_price(&options.stop)?);
    let risk = Quote(amount::parse(&options.risk, scale.quote)?);
    let long = options.side == Side::Buy;
    let (_, account) = funds::subaccount(chain, exchange, &owner.pubkey(), options.account).await?;
    let now = chain.now().await?;
    let wrong = || {
        format!(
            "no size can be told; a {} stop lies {} the price",
            if long { "long's" } else { "short's" },
            if long { "below" } else { "above" }
        )
    };
    let size = quotes::size_for_risk(&account, &markets, options.market, long, stop, risk, &now)
        .map_err(|fault| anyhow::anyhow!("{}", fault.error.message()))
        .with_context(wrong)?;
    let market = &markets.get(options.market).context("no such market")?.state;
    let loss = match size.is_zero() {
        true => Quote::ZERO,
        false => ballast_engine::quotes::loss_at_stop(market, size, long, stop, &now)
            .map_err(|fault| anyhow::anyhow!("{}", fault.error.message()))?,
    };
    ensure!(
        !size.is_zero(),
        "no size: the least that can be opened loses more than that at its stop, or a limit forbids any"
    );
    let done = Sized { size: size.0, loss_at_stop: loss.0, risk: risk.0 };
    output::show(global.json, &done, |done| {
        let size = amount::size(i64::try_from(done.size).unwrap_or(i64::MAX), scale.base);
        let loss = quote(done.loss_at_stop, exchange.state.quote_decimals);
        format!(
            "{size} loses {loss} if its stop fills at {}, fees and premiums included; a gap beyond the stop loses more",
            options.stop
        )
    })
}

async fn scale(chain: &Chain, exchange: &ExchangeAccount, index: u16) -> Result<(Scale, ballast_client::Markets)> {
    let markets = chain.markets(exchange).await?;
    let count = exchange.state.markets;
    let market = markets
        .get(index)
        .with_context(|| format!("there is no market {index}; the exchange has {count}, numbered from 0"))?;
    let scale = Scale { base: market.state.base_decimals, quote: exchange.state.quote_decimals };
    Ok((scale, markets))
}

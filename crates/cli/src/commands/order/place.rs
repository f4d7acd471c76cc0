//! `ballast order place` and `size`.

use anyhow::{Context, Result, ensure};
use ballast::events::OrderPlaced;
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::Subaccount;
use ballast_client::events::Event;
use ballast_client::{Markets, address, instructions, quotes};
use ballast_engine::delegate::{ORDERS, TRADE};
use ballast_engine::order::Kind;
use ballast_engine::{Price, Quote};
use clap::Args;
use serde::Serialize;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::foresee::Foreseen;
use crate::amount::{self, quote};
use crate::args::Global;
use crate::chain::{self, Chain, ExchangeAccount};
use crate::commands::funds::Whose;
use crate::commands::trade::Side;
use crate::commands::{delegate, market, refresh};
use crate::{config, output};

/// Options of `ballast order place`.
#[derive(Args)]
pub(super) struct Options {
    /// Which way
    #[arg(value_enum)]
    side: Side,
    /// How much, in whole units of the asset
    #[arg(allow_negative_numbers = true)]
    size: String,
    /// Index of the market
    #[arg(long, short, value_parser = market::index)]
    market: u16,
    #[command(flatten)]
    whose: Whose,
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
    /// Place it even if a fill would be refused as things stand
    #[arg(long)]
    anyway: bool,
}

/// Options of `ballast order size`.
#[derive(Args)]
pub(super) struct SizeOptions {
    /// Which way
    #[arg(value_enum)]
    side: Side,
    /// Index of the market
    #[arg(long, short, value_parser = market::index)]
    market: u16,
    #[command(flatten)]
    whose: Whose,
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

/// An order about to be placed by whoever signs, the owner or its delegate, who pays its rent.
pub(crate) struct Placing<'a> {
    pub(crate) chain: &'a Chain,
    pub(crate) exchange: &'a ExchangeAccount,
    pub(crate) signer: &'a Keypair,
    pub(crate) markets: &'a Markets,
    pub(crate) market: u16,
    pub(crate) key: Pubkey,
    pub(crate) account: Box<Subaccount>,
}

impl Placing<'_> {
    /// The order's number.
    pub(crate) fn number(&self) -> u64 {
        self.account.state.next_order
    }

    /// Places it; not what a fill would be refused for, unless it is to be placed `anyway`.
    pub(crate) async fn send(&self, args: PlaceOrderArgs, anyway: bool) -> Result<OrderPlaced> {
        let Self { chain, exchange, markets, market, key, account, .. } = self;
        let wants = match (args.kind == Kind::Market as u8, args.terms().is_bracket()) {
            (true, false) => TRADE,
            (true, true) => TRADE | ORDERS,
            (false, _) => ORDERS,
        };
        delegate::check(account, &self.signer.pubkey(), wants, &chain.now().await?)?;
        if !anyway {
            let foreseen = Foreseen { chain, exchange, markets, market: *market, key, account };
            foreseen.check(&args).await?;
        }
        let at = address::market(&exchange.address, *market);
        let place = instructions::place_order(&self.signer.pubkey(), &at, key, self.number(), args);
        // Whoever holds anything opens more at a good price alone: nothing is put aside at another.
        let mut batch = match account.state.is_flat() {
            true => Vec::new(),
            false => refresh::newest_prices(chain, exchange, &[*market]).await?,
        };
        batch.push(place);
        let sent = chain.send("place order", &batch, self.signer, &[]).await?;
        let placed = chain::events(&sent).filter_map(|e| if let Event::OrderPlaced(e) = e { Some(e) } else { None });
        placed.last().context("the order was placed, but its event cannot be read; see `ballast order list`")
    }
}

pub(super) async fn run(global: &Global, chain: &Chain, exchange: &ExchangeAccount, options: Options) -> Result<()> {
    let signer = config::keypair(global)?;
    let (markets, scale) = market::of(chain, exchange, options.market).await?;
    let price = |text: &Option<String>| text.as_deref().map_or(Ok(0), |text| scale.parse_price(text));
    let kind = match (&options.limit, &options.trigger, options.exit) {
        (Some(_), ..) => Kind::Limit,
        (_, Some(_), _) => Kind::Stop,
        (.., true) => Kind::Exit,
        (None, None, false) => Kind::Market,
    };
    let now = chain.now().await?;
    let args = PlaceOrderArgs {
        size: options.side.size(&options.size, scale.base)?,
        limit: if kind == Kind::Limit { price(&options.limit)? } else { price(&options.worst)? },
        expires_at: options.expires.map_or(0, |seconds| now.unix + i64::from(seconds)),
        reduce_only: options.reduce_only || kind == Kind::Exit,
        kind: kind as u8,
        trigger: price(&options.trigger)?,
        stop: price(&options.stop)?,
        target: price(&options.target)?,
        trail: price(&options.trail)?,
    };
    ensure!(options.expires != Some(0), "--expires 0 is no time: give the seconds that it may wait, or leave it out");
    for (name, text) in [
        ("--limit", &options.limit),
        ("--trigger", &options.trigger),
        ("--stop", &options.stop),
        ("--target", &options.target),
        ("--trail", &options.trail),
        ("--worst", &options.worst),
    ] {
        ensure!(text.is_none() || price(text)? != 0, "{name} 0 is no price; leave it out for none");
    }
    args.terms().check().map_err(|_| {
        anyhow::anyhow!(
            "these terms do not go together: an exit needs --stop, --target or --trail; a long's stop is below its target, \
             a short's above; a reduction has no exits of its own"
        )
    })?;
    let (key, account) = options.whose.find(global, chain, exchange).await?;
    let placing = Placing { chain, exchange, signer: &signer, markets: &markets, market: options.market, key, account };
    let placed = placing.send(args, options.anyway).await?;
    let number = placing.number();
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
        let fee = quote(done.fees_put_aside, scale.quote);
        format!("order {number} placed: {size} in market {}; {fee} put aside for whoever fills it", done.market)
    })
}

pub(super) async fn size(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    options: SizeOptions,
) -> Result<()> {
    let (markets, scale) = market::of(chain, exchange, options.market).await?;
    let stop = Price(scale.parse_price(&options.stop)?);
    let risk = Quote(amount::parse(&options.risk, scale.quote)?);
    let long = options.side == Side::Buy;
    let (_, account) = options.whose.find(global, chain, exchange).await?;
    let now = chain.now().await?;
    let last = markets.get(options.market).context("it was there")?.state.price.last.price;
    ensure!(
        !stop.is_zero() && if long { stop < last } else { stop > last },
        "no size can be told: a {} stop lies {} the price, {}",
        if long { "long's" } else { "short's" },
        if long { "below" } else { "above" },
        scale.show_price(last.0)
    );
    ensure!(
        !account.state.collateral.is_zero(),
        "no size: the subaccount has no collateral; `ballast deposit` puts some in"
    );
    let fault = |fault: ballast_engine::Fault| anyhow::anyhow!("{}", chain.fault(&fault));
    let size = quotes::size_for_risk(&account, &markets, options.market, long, stop, risk, &now);
    let size = size.map_err(fault)?;
    ensure!(
        !size.is_zero(),
        "no size: the least that can be opened loses more than that at its stop, or a limit forbids any"
    );
    let market = &markets.get(options.market).context("it was there")?.state;
    let loss = ballast_engine::quotes::loss_at_stop(market, size, long, stop, &now).map_err(fault)?;
    let done = Sized { size: size.0, loss_at_stop: loss.0, risk: risk.0 };
    output::show(global.json, &done, |done| {
        let size = amount::size(i64::try_from(done.size).unwrap_or(i64::MAX), scale.base);
        let loss = quote(done.loss_at_stop, scale.quote);
        format!(
            "{size} loses {loss} if its stop fills at {}, fees and premiums included; a gap beyond the stop loses more\nfor an \
             entry now, at the price {}, by a market order; your covenant and orders that wait are not looked at",
            options.stop,
            scale.show_price(last.0)
        )
    })
}

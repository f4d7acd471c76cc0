//! `ballast market`.

use anyhow::{Context, Result};
use ballast::state::Market;
use ballast_client::Markets;
use ballast_client::view::MarketView;
use ballast_engine::params::MARKET_ROWS;
use clap::{Args, Subcommand};
use solana_pubkey::Pubkey;

use super::anyone::{self, OfMarket, OfPosition};
use crate::amount::{self, Scale, moment, quote, rate};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output::{self, table};

/// Options of `ballast market`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All markets in a table
    List,
    /// One market with its pool and parameters
    Show {
        /// Its index
        #[arg(value_parser = index)]
        market: u16,
    },
    /// Begin a market's settlement, call it off or fix its price, whichever is due; anyone may
    Settle {
        /// Its index
        #[arg(value_parser = index)]
        market: u16,
        /// Close what this subaccount has in the market, which is settled
        #[arg(long, value_name = "SUBACCOUNT")]
        close: Option<Pubkey>,
    },
    /// Deleverage the winning side of a market whose claims have stayed unpaid for long; anyone may
    Deleverage {
        /// Its index
        #[arg(value_parser = index)]
        market: u16,
    },
    /// Send a market's protocol fees to the exchange's fee destination; anyone may
    CollectFees {
        /// Its index
        #[arg(value_parser = index)]
        market: u16,
    },
}

/// A market's index as an argument.
pub(crate) fn index(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "a market is named by its number here: `ballast market list` shows them".to_owned())
}

/// A market's index with what it is called, where this version knows its feed.
pub(crate) fn name(index: u16, markets: &Markets) -> String {
    let symbol = markets.get(index).and_then(|market| symbol(&market.feed_id.0));
    symbol.map_or_else(|| index.to_string(), |symbol| format!("{index} {symbol}"))
}

/// That an exchange has no such market, in words.
pub(crate) fn missing(index: u16, exchange: &ExchangeAccount) -> String {
    format!("there is no market {index}; the exchange has {}, numbered from 0", exchange.state.markets)
}

/// All markets, and the decimals of the one that is spoken of from now on.
pub(crate) async fn of(chain: &Chain, exchange: &ExchangeAccount, index: u16) -> Result<(Markets, Scale)> {
    let markets = chain.markets(exchange).await?;
    let market = markets.get(index).with_context(|| missing(index, exchange))?;
    let scale = Scale { base: market.state.base_decimals, quote: exchange.state.quote_decimals };
    chain.speak_of(scale);
    Ok((markets, scale))
}

/// What a local feed's id says of its asset.
fn symbol(feed: &[u8; 32]) -> Option<String> {
    let rest = feed.strip_prefix(b"ballast local feed ")?;
    let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let word = rest.get(..end).filter(|word| !word.is_empty() && word.is_ascii())?;
    std::str::from_utf8(word).ok().map(str::to_owned)
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let chain = Chain::open(global)?;
    let exchange = chain.exchange(global.mint).await?;
    let (markets, now) = (chain.markets(&exchange).await?, chain.now().await?);
    let view = |market: &Market| {
        MarketView::of(market, &now).map_err(|fault| anyhow::anyhow!("the market cannot be read: {fault:?}"))
    };
    match options.command {
        Command::List => {
            let views = markets.iter().map(|(_, market)| view(market)).collect::<Result<Vec<_>>>()?;
            output::show(global.json, &views, |views| list(views, &markets, &exchange))
        }
        Command::Show { market } => {
            let view = view(markets.get(market).with_context(|| missing(market, &exchange))?)?;
            output::show(global.json, &view, |view| show(view, &markets, &exchange))
        }
        Command::Settle { market, close: None } => {
            anyone::market(global, &chain, &exchange, OfMarket::Settle, market).await
        }
        Command::Settle { market, close: Some(account) } => {
            anyone::position(global, &chain, &exchange, OfPosition::CloseSettled, market, Ok(account)).await
        }
        Command::Deleverage { market } => anyone::market(global, &chain, &exchange, OfMarket::Deleverage, market).await,
        Command::CollectFees { market } => {
            anyone::market(global, &chain, &exchange, OfMarket::CollectFees, market).await
        }
    }
}

/// A market's decimals.
pub(crate) fn scale(view: &MarketView, exchange: &ExchangeAccount) -> Scale {
    Scale { base: view.base_decimals, quote: exchange.state.quote_decimals }
}

fn tier(tier: u8) -> &'static str {
    ["A", "B", "C"].get(usize::from(tier)).copied().unwrap_or("?")
}

fn list(views: &[MarketView], markets: &Markets, exchange: &ExchangeAccount) -> String {
    let d = exchange.state.quote_decimals;
    let rows = views.iter().map(|v| {
        vec![
            name(v.index, markets),
            tier(v.tier).to_owned(),
            scale(v, exchange).show_price(v.price),
            v.price_status.clone(),
            quote(v.long.notional, d),
            quote(v.short.notional, d),
            quote(v.open_interest_cap, d),
            rate(v.funding_rate),
            quote(v.pool.equity, d),
            quote(v.pool.insurance, d),
        ]
    });
    let header = ["market", "tier", "price", "state", "longs", "shorts", "cap", "funding", "pool equity", "insurance"];
    table(&header, &[2, 4, 5, 6, 7, 8, 9], rows)
}

fn show(v: &MarketView, markets: &Markets, exchange: &ExchangeAccount) -> String {
    let (d, scale) = (exchange.state.quote_decimals, scale(v, exchange));
    let rows = [
        ("price", format!("{} ± {}", scale.show_price(v.price), scale.show_price(v.conf))),
        ("state", format!("{}, published at {}", v.price_status, moment(v.publish_time))),
        ("averages", format!("{} (5 min), {} (60 min)", scale.show_price(v.ema5), scale.show_price(v.ema60))),
        ("longs", side(&v.long, d, scale)),
        ("shorts", side(&v.short, d, scale)),
        ("skew", amount::size(v.skew, scale.base)),
        ("funding", format!("{} (longs pay where positive)", rate(v.funding_rate))),
        ("funding's bound", format!("{}; 30-day average {}", rate(v.funding_bound), rate(v.funding_average))),
        ("open-interest cap", quote(v.open_interest_cap, d)),
        ("pool equity", quote(v.pool.equity, d)),
        ("pool cash", quote(v.pool.cash, d)),
        ("claims", quote(v.pool.claims, d)),
        ("insurance", quote(v.pool.insurance, d)),
        ("fees to collect", quote(v.pool.protocol_fees, d)),
        ("deficits", quote(v.pool.deficits, d)),
    ];
    let rows = rows.map(|(what, value)| vec![what.to_owned(), value]);
    let title = format!("market {}, tier {}", name(v.index, markets), tier(v.tier));
    let parameters = MARKET_ROWS.iter().map(|row| {
        let value = v.parameters.get(row.name).copied().unwrap_or_default();
        vec![row.name.to_owned(), row.unit.show(value).to_string()]
    });
    format!("{}\n{}", table(&[&title, ""], &[], rows), table(&["parameter", "value"], &[1], parameters))
}

fn side(side: &ballast_client::view::SideView, decimals: u8, scale: Scale) -> String {
    let size = i64::try_from(side.open_interest).unwrap_or(i64::MAX);
    format!(
        "{} ({}) in {} positions, PnL {}",
        quote(side.notional, decimals),
        amount::size(size, scale.base),
        side.positions,
        quote(side.pnl, decimals)
    )
}

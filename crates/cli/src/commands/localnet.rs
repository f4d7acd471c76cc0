//! `ballast localnet`.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ballast_localnet::Kind;
use clap::Args;
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::args::Global;
use crate::migrate::{self, Step};
use crate::prepared::{self, Wanted};
use crate::prices;
use crate::venue::Venue;
use crate::{keys, output, programs};

/// Between two posts of prices.
const POST_EVERY: Duration = Duration::from_secs(1);
/// Seconds of real time in which a minute of the prices passes.
const SECONDS_PER_MINUTE: usize = 60;
/// A chain's clock that is further ahead than this was moved on purpose, in seconds.
const MOVED: i64 = 5;
/// Where the second market's price starts.
const SECOND_PRICE: f64 = 1_640.0;

/// Options of `ballast localnet`.
#[derive(Args)]
pub(crate) struct Options {
    /// Port of the JSON-RPC; the websocket is on the next one
    #[arg(long, default_value_t = 8899)]
    port: u16,
    /// Minute prices to publish, over and over: a CSV file as for `ballast demo` [default: made-up ones]
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Of the made-up prices
    #[arg(long, default_value_t = 1, env = "BALLAST_SEED")]
    seed: u64,
    /// Give test collateral and SOL to this wallet at the start, besides `ballast faucet`
    #[arg(long, value_name = "ADDRESS")]
    fund: Vec<Pubkey>,
}

#[derive(Serialize)]
struct Ready {
    url: String,
    websocket: String,
    program: String,
    exchange: String,
    collateral: String,
    vault: String,
    markets: Vec<MarketLine>,
    governance: String,
    committee: String,
    guardian: String,
}

#[derive(Serialize)]
struct MarketLine {
    index: u16,
    symbol: String,
    market: String,
    feed: String,
}

/// Starts it and keeps prices posted until Ctrl-C.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    programs::info()?;
    check_ports(options.port)?;
    let prices = match &options.prices {
        Some(path) => prices::read(path, 0, usize::MAX)?,
        None => prices::built_in(1_440, options.seed),
    };
    let steps = migrate::local()?;
    let first = prices.minutes.first().context("there are no prices")?.open;
    let both = |price: f64| [price, SECOND_PRICE * price / first];
    let report = |step: &Step| {
        if !global.json {
            println!("{}: {}", step.name, step.purpose);
        }
    };
    let wanted = Wanted { kind: Kind::Surfpool, port: Some(options.port), wallets: options.fund.clone() };
    let (mut venue, _) = prepared::venue(&steps, &both(first), wanted, report).await?;
    for owner in &options.fund {
        let faucet = keys::local(keys::FAUCET);
        let give = migrate::Money::give(&venue.mint, owner, 10_000 * 10_u64.pow(u32::from(venue.decimals)));
        venue.desk.chain.send("fund", &give, &faucet, &[]).await?;
    }
    venue.tick(&both(first)).await?;
    output::show(global.json, &ready(&venue), text)?;

    let mut path = Vec::new();
    for minute in &prices.minutes {
        path.extend(minute.path(SECONDS_PER_MINUTE));
    }
    let mut ahead = 0;
    let stop = super::stopped();
    tokio::pin!(stop);
    let mut timer = tokio::time::interval(POST_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for price in path.iter().cycle() {
        tokio::select! {
            result = &mut stop => {
                result?;
                break;
            }
            _ = timer.tick() => {
                ahead = keep_up(&venue, ahead).await?;
                if let Err(error) = venue.tick(&both(*price)).await {
                    eprintln!("a price was not posted: {error:#}");
                }
                // Nobody reads the count here; it would grow for as long as this runs.
                venue.desk.clear();
            }
        }
    }
    if !global.json {
        println!("stopping");
    }
    venue.net.stop().await
}

/// The RPC's port and the websocket's after it, before anything is started that would find them taken.
fn check_ports(port: u16) -> Result<()> {
    let next = port.checked_add(1).context("the websocket takes the next port; give a lower --port")?;
    for port in [port, next] {
        if let Err(error) = TcpListener::bind(("127.0.0.1", port)) {
            bail!(
                "port {port} cannot be used ({error}); give another pair with --port, the websocket takes the next one"
            );
        }
    }
    Ok(())
}

/// Brings the chain's clock, whose blocks come a little late each, up to the real one; returns by how much it is ahead of that.
/// Who has moved it with `ballast clock` finds it moved for good.
async fn keep_up(venue: &Venue, ahead: i64) -> Result<i64> {
    let drift = venue.net.clock().await?.unix - prepared::present()? - ahead;
    if drift < 0 {
        venue.net.travel(-drift).await?;
    }
    Ok(if drift > MOVED { ahead + drift } else { ahead })
}

fn ready(venue: &Venue) -> Ready {
    let role = |name| keys::local(name).pubkey().to_string();
    Ready {
        url: venue.net.rpc_url(),
        websocket: venue.net.ws_url(),
        program: ballast_client::address::PROGRAM.to_string(),
        exchange: venue.exchange.to_string(),
        collateral: venue.mint.to_string(),
        vault: ballast_client::address::vault(&venue.exchange).to_string(),
        markets: venue
            .listings
            .iter()
            .map(|listing| MarketLine {
                index: listing.index,
                symbol: listing.symbol.clone(),
                market: listing.market.to_string(),
                feed: listing.feed.to_string(),
            })
            .collect(),
        governance: role(keys::GOVERNANCE),
        committee: role(keys::COMMITTEE),
        guardian: role(keys::GUARDIAN),
    }
}

fn text(ready: &Ready) -> String {
    let mut text = format!(
        "\nBallast is ready. Prices are posted every second; Ctrl-C stops everything.\n\n\
         JSON-RPC    {}\n\
         websocket   {}\n\
         program     {}\n\
         exchange    {}\n\
         collateral  {}\n\
         vault       {}\n",
        ready.url, ready.websocket, ready.program, ready.exchange, ready.collateral, ready.vault
    );
    for market in &ready.markets {
        text +=
            &format!("market {}    {} ({}, price feed {})\n", market.index, market.market, market.symbol, market.feed);
    }
    let url = if ready.url.ends_with(":8899") { "localhost" } else { &ready.url };
    text += &format!(
        "\nRoles are held by public test keys: governance {}, committee {}, guardian {}\n\n\
         To trade, in another terminal:\n\
         \x20 export BALLAST_URL={url} BALLAST_KEYPAIR=wallet.json\n\
         \x20 ballast faucet 10000 --new-wallet wallet.json   # test collateral and SOL\n\
         \x20 ballast account open\n\
         \x20 ballast deposit 5000\n\
         \x20 ballast trade buy 0.5 --market 0 --wait\n\
         \x20 ballast account show\n\
         What takes days, a proposal's delay or a liquidity exit, need not be waited for: `ballast clock +3d`\n",
        ready.governance, ready.committee, ready.guardian
    );
    text
}

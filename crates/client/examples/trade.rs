//! The usual flow over RPC: open a subaccount, put collateral in, place an order, wait for a price published after it, fill
//! it, look at the liquidation price, close again.
//!
//! Against `ballast localnet`, with a wallet from `ballast faucet 10000 --new-wallet wallet.json`:
//!
//! ```text
//! cargo build --workspace --example trade && target/debug/examples/trade http://127.0.0.1:8899 wallet.json
//! ```

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::Subaccount;
use ballast_client::events::Event;
use ballast_client::rpc::ExchangeAccount;
use ballast_client::{Rpc, address, instructions, quotes};
use ballast_engine::Error;
use solana_instruction::Instruction;
use solana_keypair::{Keypair, read_keypair_file};
use solana_signer::Signer;

/// The market that is traded.
const MARKET: u16 = 0;
/// How long a later price is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, url, wallet] = args.as_slice() else { bail!("give the node's address and the wallet's file") };
    let owner = read_keypair_file(wallet).map_err(|error| anyhow::anyhow!("{wallet}: {error}"))?;
    run(url, &owner).await.map(drop)
}

/// Buys and sells again; the two average prices.
pub async fn run(url: &str, owner: &Keypair) -> Result<(u64, u64)> {
    let rpc = Rpc::new(url);
    let exchange = rpc.exchange(None).await?;
    let me = owner.pubkey();
    let key = address::subaccount(&exchange.address, &me, 0);
    let unit = 10_u64.pow(exchange.state.quote_decimals.into());

    let mut batch = Vec::new();
    if rpc.find::<Subaccount>(&key).await?.is_none() {
        batch.push(instructions::open_subaccount(&exchange.address, &me, 0, false));
    }
    let tokens = address::tokens(&me, &exchange.mint());
    batch.push(instructions::deposit(&exchange.address, &me, &key, &tokens, 1_000 * unit));
    rpc.send(&batch, owner, &[], &[]).await.context("the deposit")?;

    // A tenth of the largest size that the margin allows, by the engine's own word.
    let (markets, now) = (rpc.markets(&exchange).await?, rpc.now().await?.value);
    let account = rpc.read::<Subaccount>(&key).await?;
    let most = quotes::max_increase(&account, &markets, MARKET, true, &now).map_err(named)?;
    let size = i64::try_from(most.0 / 10).context("too large")?;
    if size == 0 {
        bail!(
            "no increase is possible now: the account holds a short, which must be closed first, or its margin is used up, or \
             the price is not good"
        );
    }
    let bought = trade(&rpc, &exchange, owner, size, false).await?;
    let (markets, now) = (rpc.markets(&exchange).await?, rpc.now().await?.value);
    let account = rpc.read::<Subaccount>(&key).await?;
    let price = quotes::liquidation_price(&account, &markets, MARKET, &now).map_err(named)?;
    let base = markets.get(MARKET).context("there is no such market")?.state.base_decimals;
    let whole = |price: u64| whole(price, base, exchange.state.quote_decimals);
    match price {
        Some(price) => println!("bought at {}; the account can be flagged below {}", whole(bought), whole(price.0)),
        None => println!("bought at {}; no price can put the account below maintenance", whole(bought)),
    }
    let sold = trade(&rpc, &exchange, owner, -size, true).await?;
    println!("sold at {}", whole(sold));
    Ok((bought, sold))
}

/// A price, which is kept in quote atoms per base atom with exponent -9, per whole unit of the asset.
fn whole(price: u64, base_decimals: u8, quote_decimals: u8) -> f64 {
    price as f64 * 10_f64.powi(i32::from(base_decimals) - i32::from(quote_decimals) - 9)
}

fn named(fault: ballast_engine::Fault) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", fault.error.name(), fault.error.message())
}

/// Places an order and fills it at a price published later; the average price. A keeper may be faster, which is as good.
async fn trade(rpc: &Rpc, exchange: &ExchangeAccount, owner: &Keypair, size: i64, reduce_only: bool) -> Result<u64> {
    let me = owner.pubkey();
    let key = address::subaccount(&exchange.address, &me, 0);
    let market = address::market(&exchange.address, MARKET);
    let number = rpc.read::<Subaccount>(&key).await?.state.next_order;
    let order = address::order(&key, number);
    let args = PlaceOrderArgs { size, reduce_only, ..PlaceOrderArgs::default() };
    rpc.send(&[instructions::place_order(&me, &market, &key, number, args)], owner, &[], &[]).await?;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let account = rpc.read::<Subaccount>(&key).await?;
        let legs = instructions::leg_metas(&account, Some(MARKET), false);
        let mut batch: Vec<Instruction> = update(rpc, exchange).await?.into_iter().collect();
        let covenant = instructions::pubkey(&account.covenant);
        batch.push(instructions::execute_order(&market, &key, &order, &me, None, &covenant, &legs));
        match rpc.send(&batch, owner, &[], &[]).await {
            Ok((_, landed)) => {
                let filled = landed.events.into_iter().find_map(|event| match event {
                    Event::Traded(traded) => Some(traded.price),
                    _ => None,
                });
                return filled.context("a fill without its event");
            }
            Err(fault) if matches!(fault.reason(), Some(Error::OrderTooEarly | Error::PriceStale)) => {}
            Err(_) if rpc.account(&order).await?.is_none() => {
                // A keeper filled it; what it paid is in that transaction's event. Here the market's price will do.
                let markets = rpc.markets(exchange).await?;
                return Ok(markets.get(MARKET).map_or(0, |market| market.state.price.last.price.0));
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    bail!("no price was published within {PATIENCE:?}")
}

/// Stores the oracle's price, if it is newer than the market's.
async fn update(rpc: &Rpc, exchange: &ExchangeAccount) -> Result<Option<Instruction>> {
    let markets = rpc.markets(exchange).await?;
    let market = markets.get(MARKET).context("there is no such market")?;
    let newest = rpc.oracles(market).await?.pop();
    let newer = newest.filter(|oracle| oracle.message.publish_time > market.state.price.last.publish_time);
    let key = address::market(&exchange.address, MARKET);
    Ok(newer.map(|oracle| instructions::update_market(&key, &oracle.address)))
}

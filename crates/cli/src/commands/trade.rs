//! `ballast trade`.

use std::time::{Duration, Instant};

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail};
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::{Market, Order, Subaccount};
use ballast_client::events::Event;
use ballast_client::{Markets, address, instructions, quotes};
use ballast_engine::order::OrderTerms;
use ballast_engine::units::SignedBase;
use ballast_engine::{Error, Now};
use clap::{Args, ValueEnum};
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::funds;
use crate::amount::{self, Scale, quote};
use crate::args::Global;
use crate::chain::{self, Chain, ExchangeAccount};
use crate::{config, oracle, output};

/// Between two looks at the oracle.
const LOOK: Duration = Duration::from_millis(400);
/// Refusals of a fill that pass with the next price.
const PASSING: &[Error] = &[Error::OrderTooEarly, Error::PriceStale, Error::PriceUnconfirmed];
/// Refusals of a fill that no price within an order's life is likely to change.
const LASTING: &[Error] = &[
    Error::SizeBelowMinimum,
    Error::PositionTooLarge,
    Error::OpenInterestCap,
    Error::OpenInterestStress,
    Error::OpenInterestImpact,
    Error::NoFreePosition,
    Error::PositionNotFound,
    Error::InsufficientCollateral,
    Error::InitialMargin,
    Error::WorsensShortfall,
    Error::LossNotCovered,
    Error::PoolEmpty,
    Error::FlaggedAccount,
    Error::MarketReduceOnly,
    Error::MarketSettled,
    Error::CrossNotAllowed,
    Error::IsolatedSinglePosition,
];

/// Options of `ballast trade`.
#[derive(Args)]
pub(crate) struct Options {
    /// Which way
    #[arg(value_enum)]
    side: Side,
    /// How much, in whole units of the asset
    size: String,
    /// Index of the market
    #[arg(long, short, value_parser = super::market::index)]
    market: u16,
    /// Number of the subaccount
    #[arg(long, value_name = "ID", default_value_t = 0)]
    account: u16,
    /// The worst price accepted
    #[arg(long, value_name = "PRICE")]
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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// Go long, or close a short
    Buy,
    /// Go short, or close a long
    Sell,
}

#[derive(Serialize)]
struct Placed {
    order: String,
    market: u16,
    size: i64,
    placed_at: i64,
    fee_put_aside: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill: Option<Filled>,
}

#[derive(Serialize)]
struct Filled {
    size: i64,
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
    let (chain, owner) = (Chain::open(global)?, config::keypair(global)?);
    let exchange = chain.exchange(global.mint).await?;
    let markets = chain.markets(&exchange).await?;
    let count = exchange.state.markets;
    let market = markets
        .get(options.market)
        .with_context(|| format!("there is no market {}; the exchange has {count}, numbered from 0", options.market))?;
    let scale = Scale { base: market.state.base_decimals, quote: exchange.state.quote_decimals };
    chain.speak_of(scale);
    let size = i64::try_from(amount::parse(&options.size, scale.base)?).context("the size is too large")?;
    let limit = options.limit.as_deref().map_or(Ok(0), |text| scale.parse_price(text))?;
    let (key, account) = funds::subaccount(&chain, &exchange, &owner.pubkey(), options.account).await?;

    let size = if options.side == Side::Buy { size } else { -size };
    if !options.anyway {
        let terms =
            OrderTerms { size: SignedBase(size), reduce_only: u8::from(options.reduce_only), ..OrderTerms::default() };
        foresee(&chain, &account, &markets, options.market, terms, &chain.now().await?)?;
    }
    let args = PlaceOrderArgs { size, limit, reduce_only: options.reduce_only, ..PlaceOrderArgs::default() };
    let market_key = address::market(&exchange.address, options.market);
    let place = instructions::place_order(&owner.pubkey(), &market_key, &key, account.state.next_order, args);
    let sent = chain.send("place order", &[place], &owner, &[]).await?;
    let events = sent.details.inner.iter().filter_map(|inner| Event::decode(&inner.data));
    let placed =
        events.filter_map(|e| if let Event::OrderPlaced(placed) = e { Some(placed) } else { None }).next_back();
    let placed = placed.context("the order was placed, but its event cannot be read; see `ballast account show`")?;
    let mut done = Placed {
        order: placed.order.to_string(),
        market: options.market,
        size: placed.size,
        placed_at: placed.placed_at,
        fee_put_aside: placed.fee,
        fill: None,
    };
    if let Some(seconds) = options.wait {
        let job = Fill { chain: &chain, exchange: &exchange, owner: &owner, market: options.market, subaccount: key };
        let bar = output::waiting(global.json, "waiting for a price published after the order");
        let filled = job.wait(&placed.order, placed.placed_at, Duration::from_secs(seconds)).await;
        bar.finish_and_clear();
        let number = account.state.next_order;
        done.fill = Some(filled.with_context(|| {
            format!(
                "order {number} is placed, but not filled (`ballast fill {number}` tries again while it lives, `ballast \
                 cancel {number}` takes it back)"
            )
        })?);
    }
    let number = account.state.next_order;
    output::show(global.json, &done, |done| match &done.fill {
        Some(fill) => text(fill, scale),
        None => format!(
            "order {number} placed ({}): {} in market {}; it fills at the first price published three seconds from now or \
             later, by anyone's call (a keeper's, or `ballast fill {number}`), and lapses 30 s after that price",
            done.order,
            amount::size(done.size, scale.base),
            done.market
        ),
    })
}

/// Refuses what a fill would be refused for as things stand. An answer of this moment: the order's own price comes later.
fn foresee(
    chain: &Chain,
    account: &Subaccount,
    markets: &Markets,
    market: u16,
    terms: OrderTerms,
    now: &Now,
) -> Result<()> {
    let Some(of_market) = markets.get(market) else { return Ok(()) };
    // As if it had been placed just before the last price.
    let placed_at = of_market.state.price.last.publish_time - 1;
    let (mut account, mut terms) = (*account, terms);
    let answer = terms.place(&of_market.state, &mut account.state, now).and_then(|()| {
        let terms = OrderTerms { placed_at, placed_slot: now.slot.saturating_sub(1), ..terms };
        quotes::order(&account, markets, market, &terms, now)
    });
    match answer {
        Err(fault) if LASTING.contains(&fault.error) => Err(anyhow::anyhow!(
            "nothing was sent, for the fill would be refused: {}; `--anyway` places it all the same",
            chain.fault(&fault)
        )),
        _ => Ok(()),
    }
}

/// Options of `ballast fill`.
#[derive(Args)]
pub(crate) struct FillOptions {
    /// Number of the order, as `ballast account show` lists it
    order: u64,
    /// Number of the subaccount
    #[arg(long, value_name = "ID", default_value_t = 0)]
    account: u16,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

/// Fills an order that waits.
pub(crate) async fn fill(global: &Global, options: FillOptions) -> Result<()> {
    let (chain, owner) = (Chain::open(global)?, config::keypair(global)?);
    let exchange = chain.exchange(global.mint).await?;
    let (subaccount, _) = funds::subaccount(&chain, &exchange, &owner.pubkey(), options.account).await?;
    let address = address::order(&subaccount, options.order);
    let hint = || format!("order {} is filled or cancelled already, or never was", options.order);
    let order = chain.find::<Order>(&address).await?.with_context(hint)?;
    let market = chain.read::<Market>(&Pubkey::new_from_array(order.market.0)).await?.state;
    let scale = Scale { base: market.base_decimals, quote: exchange.state.quote_decimals };
    chain.speak_of(scale);
    chain.check_payer(&owner).await?;
    let job = Fill { chain: &chain, exchange: &exchange, owner: &owner, market: market.index, subaccount };
    let bar = output::waiting(global.json, "waiting for a price published after the order");
    let filled = job.wait(&address, order.terms.placed_at, Duration::from_secs(options.wait)).await;
    bar.finish_and_clear();
    output::show(global.json, &filled?, |filled| text(filled, scale))
}

fn text(fill: &Filled, scale: Scale) -> String {
    let mut text = format!(
        "{} filled at {}; fee {}, premium {}; position now {}",
        amount::size(fill.size, scale.base),
        scale.show_price(fill.price),
        quote(fill.fee, scale.quote),
        quote(fill.premium, scale.quote),
        amount::size(fill.position, scale.base),
    );
    if fill.pnl != 0 || fill.funding != 0 {
        text += &format!("; result {}, funding {}", quote(fill.pnl, scale.quote), quote(fill.funding, scale.quote));
    }
    text
}

struct Fill<'a> {
    chain: &'a Chain,
    exchange: &'a ExchangeAccount,
    owner: &'a Keypair,
    market: u16,
    subaccount: Pubkey,
}

impl Fill<'_> {
    /// Waits for a price published after the placing, stores it and fills the order in one transaction.
    async fn wait(&self, order: &Pubkey, placed_at: i64, patience: Duration) -> Result<Filled> {
        let begun = Instant::now();
        let key = address::market(&self.exchange.address, self.market);
        let owner = self.owner.pubkey();
        let mut last = anyhow::anyhow!("no price was published after it");
        while begun.elapsed() < patience {
            tokio::time::sleep(LOOK).await;
            let market = self.chain.read::<Market>(&key).await?;
            let (_, message) = oracle::newest(self.chain, &market).await?;
            if message.publish_time.max(market.state.price.last.publish_time) <= placed_at {
                continue;
            }
            let account = self.chain.read::<Subaccount>(&self.subaccount).await?;
            let mut batch = refresh(self.chain, self.exchange, &account, Some(self.market)).await?;
            let legs = instructions::leg_metas(&account, Some(self.market), true);
            let covenant = instructions::pubkey(&account.covenant);
            batch.push(instructions::execute_order(&key, &self.subaccount, order, &owner, None, &covenant, &legs));
            match self.chain.sender.send(&batch, self.owner, &[]).await {
                Ok(sent) => {
                    let events = sent.details.inner.iter().filter_map(|inner| Event::decode(&inner.data));
                    for event in events {
                        if let Event::Traded(t) = event {
                            return Ok(Filled {
                                size: t.size,
                                price: t.price,
                                premium: t.premium,
                                fee: t.fee,
                                pnl: t.pnl,
                                funding: t.funding,
                                position: t.position,
                                signature: sent.signature.to_string(),
                            });
                        }
                    }
                    bail!("the order is filled, but its event cannot be read; see `ballast account show`");
                }
                Err(error) if chain::reason(&error).is_some_and(|reason| PASSING.contains(&reason)) => {
                    last = self.chain.refusal("fill", &error);
                }
                Err(_) if self.chain.account(order).await?.is_none() => {
                    bail!("somebody else filled it first; see `ballast account show`")
                }
                Err(error) => return Err(self.chain.refusal("the fill was refused", &error)),
            }
        }
        bail!("{patience:?} have passed: {last:#}")
    }
}

/// Instructions that store the oracle's newest prices in the markets of an account (and one more) where those are newer
/// than what is stored.
pub(crate) async fn refresh(
    chain: &Chain,
    exchange: &ExchangeAccount,
    account: &Subaccount,
    more: Option<u16>,
) -> Result<Vec<Instruction>> {
    let mut indices: Vec<u16> = account.state.slots().map(|(_, position)| position.market).chain(more).collect();
    indices.sort_unstable();
    indices.dedup();
    newest_prices(chain, exchange, &indices).await
}

/// The same for markets by index.
pub(crate) async fn newest_prices(
    chain: &Chain,
    exchange: &ExchangeAccount,
    indices: &[u16],
) -> Result<Vec<Instruction>> {
    let mut batch = Vec::new();
    for index in indices {
        let key = address::market(&exchange.address, *index);
        let market = chain.read::<Market>(&key).await?;
        let (oracle, message) = oracle::newest(chain, &market).await?;
        if message.publish_time > market.state.price.last.publish_time {
            batch.push(instructions::update_market(&key, &oracle));
        }
    }
    Ok(batch)
}

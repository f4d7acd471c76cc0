//! `ballast order trigger`, `execute` (or `ballast fill`) and `cancel` (or `ballast cancel`).

use std::time::Duration;

use anyhow::{Context, Result};
use ballast::state::{Market, Order, Subaccount};
use ballast_client::{address, instructions};
use ballast_engine::order::Kind;
use clap::Args;
use serde::Serialize;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::fill::{self, Fill, Filled};
use crate::amount::{self, Scale};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::commands::funds::Whose;
use crate::commands::refresh;
use crate::{config, output};

/// Which order.
#[derive(Args)]
pub(crate) struct Which {
    /// Number of the order, as `ballast order list` shows it
    order: u64,
    #[command(flatten)]
    whose: Whose,
}

/// Which order to fill.
#[derive(Args)]
pub(crate) struct FillOptions {
    #[command(flatten)]
    which: Which,
    /// Wait for a price that it may be filled by; give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

#[derive(Serialize)]
struct Done {
    order: String,
    signature: String,
}

#[derive(Serialize)]
struct Cancelled {
    order: String,
    fee_back: u64,
    signature: String,
}

/// An order to act upon, with everything that belongs to it.
struct Found {
    chain: Chain,
    exchange: ExchangeAccount,
    signer: Keypair,
    key: Pubkey,
    account: Box<Subaccount>,
    address: Pubkey,
    order: Box<Order>,
    market_key: Pubkey,
    market: u16,
    scale: Scale,
}

impl Which {
    async fn find(&self, global: &Global) -> Result<Found> {
        let (chain, signer) = (Chain::open(global)?, config::keypair(global)?);
        let exchange = chain.exchange(global.mint).await?;
        let (key, account) = self.whose.find(global, &chain, &exchange).await?;
        let address = address::order(&key, self.order);
        let hint = || format!("order {} is filled or cancelled already, or never was", self.order);
        let order = chain.find::<Order>(&address).await?.with_context(hint)?;
        let market_key = Pubkey::new_from_array(order.market.0);
        let market = chain.read::<Market>(&market_key).await?.state;
        let scale = Scale { base: market.base_decimals, quote: exchange.state.quote_decimals };
        chain.speak_of(scale);
        let market = market.index;
        Ok(Found { chain, exchange, signer, key, account, address, order, market_key, market, scale })
    }
}

impl Which {
    /// The fill of an order that was placed and is gone; none where it waits or never was.
    async fn filled(&self, global: &Global) -> Result<Option<(Filled, Scale)>> {
        let chain = Chain::open(global)?;
        let exchange = chain.exchange(global.mint).await?;
        let (key, account) = self.whose.find(global, &chain, &exchange).await?;
        let address = address::order(&key, self.order);
        if self.order >= account.state.next_order || chain.find::<Order>(&address).await?.is_some() {
            return Ok(None);
        }
        let (traded, signature) = fill::outcome(&chain, &address).await?;
        let market = chain.read::<Market>(&traded.market).await?.state;
        let scale = Scale { base: market.base_decimals, quote: exchange.state.quote_decimals };
        Ok(Some((Filled::of(&traded, true, &signature), scale)))
    }
}

impl Found {
    fn rent_to(&self) -> Pubkey {
        Pubkey::new_from_array(self.order.rent_to.0)
    }

    /// Whether whoever signs may cancel it for no reason: the owner, or its delegate.
    fn is_ours(&self) -> bool {
        let signer = self.signer.pubkey().to_bytes();
        self.account.owner.0 == signer || self.account.delegate.key.0 == signer
    }
}

/// Records that an order was met, or how far its trail has moved.
pub(super) async fn trigger(global: &Global, which: &Which) -> Result<()> {
    let found = which.find(global).await?;
    let (chain, market) = (&found.chain, found.market);
    let mut batch = refresh::newest_prices(chain, &found.exchange, &[market]).await?;
    batch.push(instructions::trigger_order(&found.market_key, &found.key, &found.address));
    let sent = chain.send("trigger", &batch, &found.signer, &[]).await?;
    let done = Done { order: found.address.to_string(), signature: sent.signature.to_string() };
    output::show(global.json, &done, |_| format!("order {} recorded", which.order))
}

fn kind_of(order: &Order) -> Result<Kind> {
    Kind::from_byte(order.terms.kind).map_err(|error| anyhow::anyhow!("{}", error.message()))
}

/// Fills an order that waits, or says how it was filled already.
pub(crate) async fn execute(global: &Global, options: &FillOptions) -> Result<()> {
    if let Some((filled, scale)) = options.which.filled(global).await? {
        return output::show(global.json, &filled, |filled| format!("filled already: {}", fill::text(filled, scale)));
    }
    let found = options.which.find(global).await?;
    let Found { chain, exchange, signer, .. } = &found;
    chain.check_payer(signer).await?;
    let job = Fill { chain, exchange, signer, market: found.market, subaccount: found.key };
    let bar = output::waiting(global.json, "waiting for a price that it may be filled by");
    let (patience, kind) = (Duration::from_secs(options.wait), kind_of(&found.order)?);
    let filled = job.wait(&found.address, kind, &found.rent_to(), found.order.terms.placed_at, patience).await;
    bar.finish_and_clear();
    output::show(global.json, &filled?, |filled| fill::text(filled, found.scale) + filled.by())
}

/// Cancels an order: one's own, or anybody's that can never fill again or that its account cannot fill.
pub(crate) async fn cancel(global: &Global, which: &Which) -> Result<()> {
    let found = which.find(global).await?;
    let (chain, market) = (&found.chain, found.market);
    // Another's that its account cannot fill: the program fills it for trial, on all its markets.
    let (mut batch, mut covenant, mut legs) = (Vec::new(), None, Vec::new());
    if !found.is_ours() {
        batch = fill::front(chain, &found.exchange, &found.account, market).await?;
        covenant = Some(instructions::pubkey(&found.account.covenant));
        legs = instructions::leg_metas(&found.account, Some(market), false);
    }
    let (by, rent_to) = (found.signer.pubkey(), found.rent_to());
    let (key, address) = (&found.key, &found.address);
    let (market, covenant) = (&found.market_key, covenant.as_ref());
    batch.push(instructions::cancel_unfillable(&by, market, key, address, &rent_to, None, covenant, &legs));
    let sent = chain.send("cancel", &batch, &found.signer, &[]).await?;
    let signature = sent.signature.to_string();
    let done = Cancelled { order: address.to_string(), fee_back: found.order.terms.fee.0, signature };
    output::show(global.json, &done, |done| {
        let back = amount::quote(done.fee_back, found.scale.quote);
        format!("order {} cancelled; {back} that were put aside for it are back", which.order)
    })
}

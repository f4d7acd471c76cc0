//! `ballast cancel`.

use anyhow::{Context, Result};
use ballast::state::Order;
use ballast_client::{address, instructions};
use clap::Args;
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::funds;
use crate::args::Global;
use crate::chain::Chain;
use crate::{config, output};

/// Options of `ballast cancel`.
#[derive(Args)]
pub(crate) struct Options {
    /// Number of the order, as `ballast account show` lists it
    order: u64,
    /// Number of the subaccount
    #[arg(long, value_name = "ID", default_value_t = 0)]
    account: u16,
}

#[derive(Serialize)]
struct Cancelled {
    order: String,
    fee_back: u64,
    signature: String,
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let (chain, owner) = (Chain::open(global)?, config::keypair(global)?);
    let exchange = chain.exchange(global.mint).await?;
    let (key, _) = funds::subaccount(&chain, &exchange, &owner.pubkey(), options.account).await?;
    let address = address::order(&key, options.order);
    let hint = || format!("order {} is filled or cancelled already, or never was", options.order);
    let order = chain.find::<Order>(&address).await?.with_context(hint)?;
    let market = Pubkey::new_from_array(order.market.0);
    let rent_to = Pubkey::new_from_array(order.rent_to.0);
    let cancel = instructions::cancel_order(&owner.pubkey(), &market, &key, &address, &rent_to, None);
    let sent = chain.send("cancel", &[cancel], &owner, &[]).await?;
    let done =
        Cancelled { order: address.to_string(), fee_back: order.terms.fee.0, signature: sent.signature.to_string() };
    output::show(global.json, &done, |_| {
        format!("order {} cancelled; what was put aside for it is back", options.order)
    })
}

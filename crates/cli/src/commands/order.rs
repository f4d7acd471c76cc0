//! `ballast order`.

mod act;
mod list;
mod place;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use solana_pubkey::Pubkey;

use crate::args::Global;
use crate::chain::Chain;

/// Options of `ballast order`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Place an order that waits for a price, or one that brings a stop and a target along
    Place(place::Options),
    /// The largest size that loses no more than this if its stop fills there
    Size(place::SizeOptions),
    /// A subaccount's orders, what each waits for, and why one is not filled
    List(Whose),
    /// Record that a stop was met, or how far a trail has moved it; anyone may
    Trigger(Which),
    /// Fill an order; anyone may
    Execute(Which),
    /// Cancel an order: your own, or anybody's that can never fill again or that its account cannot fill
    Cancel(Which),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// Go long, or close a short
    Buy,
    /// Go short, or close a long
    Sell,
}

/// Whose orders.
#[derive(Args)]
struct Whose {
    /// Whose subaccount [default: the owner of --keypair]
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Pubkey>,
    /// Number of the subaccount
    #[arg(long, value_name = "ID", default_value_t = 0)]
    account: u16,
}

/// Which order.
#[derive(Args)]
struct Which {
    /// Number of the order, as `ballast order list` shows it
    order: u64,
    #[command(flatten)]
    whose: Whose,
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let chain = Chain::open(global)?;
    let exchange = chain.exchange(global.mint).await?;
    match options.command {
        Command::Place(options) => place::run(global, &chain, &exchange, options).await,
        Command::Size(options) => place::size(global, &chain, &exchange, options).await,
        Command::List(whose) => list::run(global, &chain, &exchange, whose).await,
        Command::Trigger(which) => act::run(global, &chain, &exchange, which, act::What::Trigger).await,
        Command::Execute(which) => act::run(global, &chain, &exchange, which, act::What::Execute).await,
        Command::Cancel(which) => act::run(global, &chain, &exchange, which, act::What::Cancel).await,
    }
}

//! `ballast order`.

mod act;
mod fill;
mod foresee;
pub(crate) mod list;
mod place;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::args::Global;
use crate::chain::Chain;
use crate::commands::funds::Whose;

pub(crate) use act::{FillOptions, Which, cancel, execute};
pub(crate) use fill::{Fill, Filled, text as filled_text};
pub(crate) use place::Placing;

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
    /// The largest size that loses no more than this if it is opened now, at the market, and its stop fills there
    Size(place::SizeOptions),
    /// A subaccount's orders, what each waits for, and why one is not filled
    List(Whose),
    /// Record that a stop was met, or how far a trail has moved it; anyone may
    Trigger(Which),
    /// Fill an order; anyone may
    Execute(FillOptions),
    /// Cancel an order: your own, or anybody's that can never fill again or that its account cannot fill
    Cancel(Which),
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    match options.command {
        Command::Trigger(which) => act::trigger(global, &which).await,
        Command::Execute(options) => act::execute(global, &options).await,
        Command::Cancel(which) => act::cancel(global, &which).await,
        Command::Place(options) => {
            let chain = Chain::open(global)?;
            place::run(global, &chain, &chain.exchange(global.mint).await?, options).await
        }
        Command::Size(options) => {
            let chain = Chain::open(global)?;
            place::size(global, &chain, &chain.exchange(global.mint).await?, options).await
        }
        Command::List(whose) => {
            let chain = Chain::open(global)?;
            list::run(global, &chain, &chain.exchange(global.mint).await?, &whose).await
        }
    }
}

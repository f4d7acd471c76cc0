//! The commands, one file each.

pub(crate) mod account;
mod anyone;
pub(crate) mod audit;
pub(crate) mod clock;
pub(crate) mod covenant;
pub(crate) mod delegate;
pub(crate) mod docs;
pub(crate) mod faucet;
pub(crate) mod funds;
pub(crate) mod govern;
pub(crate) mod insurance;
pub(crate) mod liquidate;
pub(crate) mod liquidity;
pub(crate) mod localnet;
pub(crate) mod market;
pub(crate) mod order;
pub(crate) mod reduce;
mod refresh;
pub(crate) mod roles;
pub(crate) mod trade;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Cli, Command};
use crate::demo;

/// Runs the command that was asked for.
pub(crate) async fn run(cli: Cli) -> Result<()> {
    let global = &cli.global;
    match cli.command {
        Command::Localnet(options) => localnet::run(global, options).await,
        Command::Clock(options) => clock::run(global, options).await,
        Command::Faucet(options) => faucet::run(global, options).await,
        Command::Demo(options) => until_stopped(demo::run(global, options)).await,
        Command::Market(options) => market::run(global, options).await,
        Command::Account(options) => account::run(global, options).await,
        Command::Deposit(options) => funds::deposit(global, options).await,
        Command::Withdraw(options) => funds::withdraw(global, options).await,
        Command::Transfer(options) => funds::transfer(global, options).await,
        Command::Trade(options) => trade::run(global, options).await,
        Command::Reduce(options) => reduce::run(global, options).await,
        Command::Fill(options) => order::execute(global, &options).await,
        Command::Cancel(which) => order::cancel(global, &which).await,
        Command::Order(options) => order::run(global, options).await,
        Command::Covenant(options) => covenant::run(global, options).await,
        Command::Delegate(options) => delegate::run(global, options).await,
        Command::Liquidate(options) => liquidate::run(global, options).await,
        Command::Liquidity(options) => liquidity::run(global, options).await,
        Command::Insurance(options) => insurance::run(global, options).await,
        Command::Roles => roles::run(global).await,
        Command::Govern(options) => govern::run(global, options).await,
        Command::Audit => audit::run(global).await,
        Command::Docs(options) => docs::run(options),
    }
}

/// Runs until done or told to stop: what was started, a validator's process among it, ends with it either way.
async fn until_stopped(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::select! {
        result = work => result,
        result = stopped() => result.and_then(|()| bail!("stopped before the end; what it had started is ended too")),
    }
}

/// Waits for Ctrl-C, or for a supervisor's polite request to end.
pub(crate) async fn stopped() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("the system's signals cannot be listened to")?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt.context("Ctrl-C cannot be waited for"),
        _ = terminate.recv() => Ok(()),
    }
}

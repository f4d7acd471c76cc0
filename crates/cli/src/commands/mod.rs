//! The commands, one file each.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod docs;
pub(crate) mod faucet;
pub(crate) mod funds;
pub(crate) mod govern;
pub(crate) mod liquidate;
pub(crate) mod localnet;
pub(crate) mod market;
pub(crate) mod trade;

use anyhow::Result;

use crate::args::{Cli, Command};
use crate::demo;

/// Runs the command that was asked for.
pub(crate) async fn run(cli: Cli) -> Result<()> {
    let global = &cli.global;
    match cli.command {
        Command::Localnet(options) => localnet::run(global, options).await,
        Command::Faucet(options) => faucet::run(global, options).await,
        Command::Demo(options) => demo::run(global, options).await,
        Command::Market(options) => market::run(global, options).await,
        Command::Account(options) => account::run(global, options).await,
        Command::Deposit(options) => funds::deposit(global, options).await,
        Command::Withdraw(options) => funds::withdraw(global, options).await,
        Command::Trade(options) => trade::run(global, options).await,
        Command::Liquidate(options) => liquidate::run(global, options).await,
        Command::Govern(options) => govern::run(global, options).await,
        Command::Audit => audit::run(global).await,
        Command::Docs(options) => docs::run(options),
    }
}

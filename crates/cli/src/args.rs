//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use solana_pubkey::Pubkey;

use crate::commands;
use crate::demo;

/// Perpetual futures on Solana: run a local exchange, trade, liquidate, govern, prove the books.
#[derive(Parser)]
#[command(name = "ballast", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone)]
pub(crate) struct Global {
    /// JSON-RPC address, or `localhost` (`l`) for port 8899 here [default: the Solana config file's]
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Chain and output",
        env = "BALLAST_URL",
        value_name = "URL_OR_MONIKER"
    )]
    pub(crate) url: Option<String>,
    /// File with the key that signs and pays [default: the Solana config file's]
    #[arg(short, long, global = true, help_heading = "Chain and output", env = "BALLAST_KEYPAIR", value_name = "FILE")]
    pub(crate) keypair: Option<PathBuf>,
    /// The Solana config file [default: ~/.config/solana/cli/config.yml]
    #[arg(short = 'C', long, global = true, help_heading = "Chain and output", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Collateral of the exchange, where the chain has more than one
    #[arg(long, global = true, help_heading = "Chain and output", env = "BALLAST_MINT", value_name = "ADDRESS")]
    pub(crate) mint: Option<Pubkey>,
    /// Print JSON, amounts as integers in the smallest unit
    #[arg(long, global = true, help_heading = "Chain and output")]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start a local validator with the exchange on it, open to any wallet, until Ctrl-C
    Localnet(commands::localnet::Options),
    /// Move a local validator's clock forward, so that what waits for days matures
    Clock(commands::clock::Options),
    /// Mint test collateral and SOL to a wallet on a local validator
    Faucet(commands::faucet::Options),
    /// Run the whole exchange through recorded or made-up prices on a local validator, and report
    Demo(demo::Options),
    /// Markets: list them, show one, and what anyone may do for one
    Market(commands::market::Options),
    /// Subaccounts: open, show, close; settle or leave a position, collect a claim
    Account(commands::account::Options),
    /// Put collateral into a subaccount
    Deposit(commands::funds::Options),
    /// Take collateral out of a subaccount
    Withdraw(commands::funds::Options),
    /// Move collateral between two subaccounts of one owner
    Transfer(commands::funds::TransferOptions),
    /// Place an order; with --wait, fill it too
    Trade(commands::trade::Options),
    /// Reduce or close a position at once, at a worse price than an order's
    Reduce(commands::reduce::Options),
    /// Fill an order: short for `order execute`
    Fill(commands::order::FillOptions),
    /// Cancel an order: short for `order cancel`
    Cancel(commands::order::Which),
    /// Orders that wait for a price: place, list, trigger, execute; the size for a risk
    Order(commands::order::Options),
    /// Limits that you bind yourself to: set, show, loosen, execute, touch, trip, close
    Covenant(commands::covenant::Options),
    /// Another key that may act for a subaccount: set, revoke
    Delegate(commands::delegate::Options),
    /// Flag and liquidate an account, or every account that is below maintenance
    Liquidate(commands::liquidate::Options),
    /// Provide liquidity to a market's pool: deposit, exit, execute, status
    Liquidity(commands::liquidity::Options),
    /// Top up a market's insurance, or the shared one
    Insurance(commands::insurance::Options),
    /// Who holds which role, and what it may do
    Roles,
    /// Proposals of every kind: list, explain, queue, veto, execute; the program's upgrades
    Govern(commands::govern::Options),
    /// Read every account of the program from chain and prove that the books add up
    Audit,
    /// Documents made from the code
    Docs(commands::docs::Options),
}

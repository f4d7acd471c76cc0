//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Jobs};

/// Keeps a Ballast exchange: stores prices, flags and liquidates, settles, fills orders, for the rewards of the rules.
#[derive(Parser)]
#[command(name = "ballast-keeper", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Keep, until interrupted
    Run(Run),
    /// What was done and earned, from the ledger
    Report(ReportArgs),
    /// Make an address lookup table of the exchange, or add to one what is new
    Table(TableArgs),
    /// Check the configuration and say what is in force
    Check(Common),
}

/// What most commands take. A flag wins over the file.
#[derive(Args, Clone, Debug, Default)]
pub struct Common {
    /// Configuration file; every key has a default
    #[arg(short, long, value_name = "FILE", env = "BALLAST_KEEPER_CONFIG")]
    pub config: Option<PathBuf>,
    /// JSON-RPC node; several times for several
    #[arg(short, long, value_name = "URL")]
    pub url: Vec<String>,
    /// Websocket of each node [default: one port above]
    #[arg(long, value_name = "URL")]
    pub websocket: Vec<String>,
    /// File with the key that signs and pays
    #[arg(short, long, value_name = "FILE")]
    pub keypair: Option<PathBuf>,
    /// Collateral of the exchange, where the chain has more than one
    #[arg(long, value_name = "ADDRESS")]
    pub mint: Option<String>,
    /// The ledger, a SQLite file
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

/// Options of `run`.
#[derive(Args, Clone, Debug)]
pub struct Run {
    /// What most commands take.
    #[command(flatten)]
    pub common: Common,
    /// Only these jobs, by their keys in the configuration's [jobs]
    #[arg(long, value_name = "JOB", value_delimiter = ',')]
    pub jobs: Vec<String>,
    /// Read, do what there is to do until nobody is below maintenance, and end
    #[arg(long)]
    pub once: bool,
    /// With --once: give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub patience: u64,
    /// Simulate, send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Act only on what has stood for so many slots: for the second of two keepers
    #[arg(long, value_name = "SLOTS")]
    pub standby: Option<u64>,
    /// Metrics and health, on loopback only; port 0 for any free one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
    /// Log lines of JSON
    #[arg(long)]
    pub json_logs: bool,
}

/// Options of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// What most commands take.
    #[command(flatten)]
    pub common: Common,
    /// Only the last so many hours
    #[arg(long, value_name = "HOURS")]
    pub hours: Option<u64>,
    /// Decimals of the collateral
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub decimals: u32,
    /// Print JSON, amounts as integers in the smallest unit
    #[arg(long)]
    pub json: bool,
}

/// Options of `table`.
#[derive(Args, Clone, Debug)]
pub struct TableArgs {
    /// What most commands take.
    #[command(flatten)]
    pub common: Common,
    /// Add to this table in place of a new one
    #[arg(long, value_name = "ADDRESS")]
    pub table: Option<String>,
}

impl Common {
    /// The configuration: the file's, with the flags over it.
    ///
    /// # Errors
    /// As [`Config::read`] and [`Config::check`].
    pub fn load(&self) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        if !self.url.is_empty() {
            config.chain.rpc.clone_from(&self.url);
            config.chain.websocket.clear();
        }
        if !self.websocket.is_empty() {
            config.chain.websocket.clone_from(&self.websocket);
        }
        if let Some(path) = &self.keypair {
            config.chain.keypair.clone_from(path);
        }
        if let Some(mint) = &self.mint {
            config.chain.collateral = Some(mint.clone());
        }
        if let Some(path) = &self.ledger {
            config.ledger.path.clone_from(path);
        }
        config.check()?;
        Ok(config)
    }
}

impl Run {
    /// The same with the flags of `run`.
    ///
    /// # Errors
    /// As [`Common::load`].
    pub fn load(&self) -> Result<Config> {
        let mut config = self.common.load()?;
        if !self.jobs.is_empty() {
            config.jobs = Jobs::only(&self.jobs)?;
        }
        if let Some(slots) = self.standby {
            config.timing.standby_slots = slots;
        }
        if let Some(listen) = self.listen {
            config.serve.listen = listen;
        }
        config.log.json |= self.json_logs;
        config.check()?;
        Ok(config)
    }
}

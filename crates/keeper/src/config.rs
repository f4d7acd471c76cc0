//! The configuration: a TOML file, every key of which has a default, and flags over it.

mod budget;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
pub use budget::FeeConfig;
use serde::Deserialize;

/// Lamports of a SOL.
pub const SOL: u128 = 1_000_000_000;

/// Markets whose prices go into one transaction: as many as fit.
pub(crate) const TOGETHER: usize = 8;

/// Everything that can be set.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the chain is and who signs.
    pub chain: ChainConfig,
    /// What to do.
    pub jobs: Jobs,
    /// When.
    pub timing: Timing,
    /// What it may cost.
    pub fees: FeeConfig,
    /// What it serves.
    pub serve: Serve,
    /// Where it keeps its books.
    pub ledger: LedgerConfig,
    /// How it logs.
    pub log: LogConfig,
}

/// Where the chain is and who signs.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct ChainConfig {
    /// JSON-RPC nodes, the preferred one first.
    pub rpc: Vec<String>,
    /// Their websockets, in the same order; left out: the RPC's address with the port one higher.
    pub websocket: Vec<String>,
    /// Collateral of the exchange, where the chain has more than one.
    pub collateral: Option<String>,
    /// File with the key that signs and pays.
    pub keypair: PathBuf,
    /// Number of the key's subaccount that earns the rewards.
    pub subaccount: u16,
    /// Whether to open it if it is not there.
    pub open_subaccount: bool,
    /// Oracle accounts to prefer to others with as new a price, beside the sponsored ones.
    pub oracles: Vec<String>,
    /// An address lookup table to shorten transactions with; `ballast-keeper table` makes one.
    pub lookup_table: Option<String>,
}

/// The jobs, each with its switch: a new one is a line here, a file in `jobs` and a line in [`crate::jobs::all`].
macro_rules! jobs {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What to do.
        #[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
        #[serde(deny_unknown_fields, default)]
        pub struct Jobs {
            $($(#[$doc])* pub $name: bool,)*
        }

        impl Jobs {
            /// Their names.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];
            /// Every job.
            pub const ALL: Self = Self { $($name: true),* };
            /// None.
            pub const NONE: Self = Self { $($name: false),* };

            fn switch(&mut self, name: &str) -> Option<&mut bool> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}
jobs! {
    /// Store oracles' prices in markets, which accrues funding.
    prices,
    /// Flag accounts below maintenance, liquidate them stage by stage, resolve those below zero.
    liquidate,
    /// Clear the flags of accounts that are healthy again.
    unflag,
    /// Fill orders, and clear away those that can never fill again.
    orders,
    /// Show owners' accounts to their covenants, trip those whose loss has reached its limit, close what their owners want
    /// closed then, and put in force what was asked for.
    covenants,
    /// Settle the worst losing positions of a market while claims on its pool are open; give holdbacks back.
    settle,
    /// Collect what pools have paid on traders' claims.
    claims,
    /// Deleverage a market whose claims stay unpaid, and let its positions pick that up.
    deleverage,
    /// Begin, call off and fix the settlement of markets, and close what is left in settled ones.
    settlement,
    /// Register markets' claims on the shared insurance, and pay what is released on them.
    insurance,
    /// Execute providers' tickets, and give back those that have lapsed.
    liquidity,
    /// Execute proposals whose time has come.
    execute,
    /// End proposals that have expired.
    proposals,
}

impl Default for Jobs {
    fn default() -> Self {
        Self::ALL
    }
}

/// When.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// The whole book is compared with the chain every so many seconds.
    pub reconcile_seconds: u64,
    /// The same while there is no websocket.
    pub poll_seconds: u64,
    /// A socket that has been silent for so many seconds is dropped.
    pub silence_seconds: u64,
    /// The chain's clock is read every so many milliseconds; in between it is counted on by slots.
    pub clock_millis: u64,
    /// A market's price is renewed for its own sake once it is so many slots old.
    pub price_age_slots: u64,
    /// A standby acts only on what has stood for so many slots; 0 for the first in line.
    pub standby_slots: u64,
    /// A node so many slots behind the best is not believed.
    pub lag_slots: u64,
    /// Transactions under way at once.
    pub in_flight: usize,
    /// What became of transactions is asked every so many milliseconds.
    pub confirm_millis: u64,
}

/// What it serves.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// Metrics and health, on loopback only; port 0 for none.
    pub listen: SocketAddr,
}

/// Where it keeps its books.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerConfig {
    /// A SQLite file.
    pub path: PathBuf,
}

/// How it logs.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Lines of JSON in place of text.
    pub json: bool,
    /// What is logged, as `RUST_LOG` has it.
    pub filter: String,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            rpc: vec!["http://127.0.0.1:8899".to_owned()],
            websocket: Vec::new(),
            collateral: None,
            keypair: PathBuf::from("keeper.json"),
            subaccount: 0,
            open_subaccount: true,
            oracles: Vec::new(),
            lookup_table: None,
        }
    }
}

impl Jobs {
    /// Only those of a list.
    ///
    /// # Errors
    /// For a name that is none.
    pub fn only(names: &[String]) -> Result<Self> {
        let mut jobs = Self::NONE;
        for name in names {
            let Some(on) = jobs.switch(name) else {
                bail!("there is no job {name:?}; the jobs are {}", Self::NAMES.join(", "));
            };
            *on = true;
        }
        Ok(jobs)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            reconcile_seconds: 60,
            poll_seconds: 2,
            silence_seconds: 5,
            clock_millis: 1_000,
            price_age_slots: 4,
            standby_slots: 0,
            lag_slots: 20,
            in_flight: 32,
            confirm_millis: 80,
        }
    }
}

impl Default for Serve {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9_464)) }
    }
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self { path: PathBuf::from("keeper.sqlite") }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { json: false, filter: "info".to_owned() }
    }
}

impl Config {
    /// A file's configuration. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// For a file that cannot be read, or a key or value that makes no sense.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut config: Self = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for file in [&mut config.chain.keypair, &mut config.ledger.path] {
            if file.is_relative() {
                *file = folder.join(&*file);
            }
        }
        Ok(config)
    }

    /// That it makes sense.
    ///
    /// # Errors
    /// For what does not, saying what to change.
    pub fn check(&self) -> Result<()> {
        let Self { chain, timing, fees, serve, .. } = self;
        ensure!(!chain.rpc.is_empty(), "chain.rpc names no node");
        for url in &chain.rpc {
            ensure!(url.starts_with("http://") || url.starts_with("https://"), "chain.rpc: {url:?} is no http address");
        }
        for url in &chain.websocket {
            ensure!(url.starts_with("ws://") || url.starts_with("wss://"), "chain.websocket: {url:?} is no ws address");
        }
        ensure!(
            chain.websocket.is_empty() || chain.websocket.len() == chain.rpc.len(),
            "chain.websocket: give one for each of chain.rpc, or none"
        );
        for key in &chain.oracles {
            ensure!(key.parse::<solana_pubkey::Pubkey>().is_ok(), "chain.oracles: {key:?} is no address");
        }
        ensure!(serve.listen.ip().is_loopback(), "serve.listen: {} is not on loopback", serve.listen);
        ensure!(fees.reward_percent <= 100, "fees.reward_percent: a fee above the reward would be a loss");
        ensure!(fees.percentile <= 100, "fees.percentile is at most 100");
        ensure!(
            u16::from(fees.reserve_percent) + u16::from(fees.prices_percent) <= 100 && fees.records_percent <= 100,
            "fees: prices_percent and reserve_percent are parts of the same budget"
        );
        ensure!(fees.sol_price > 0, "fees.sol_price: give what a SOL is worth");
        let seconds = [timing.reconcile_seconds, timing.poll_seconds, timing.silence_seconds, timing.clock_millis];
        ensure!(seconds.iter().all(|s| *s > 0), "timing: the intervals are above zero");
        ensure!(timing.confirm_millis > 0, "timing.confirm_millis: above zero");
        ensure!(timing.in_flight > 0, "timing.in_flight: at least one transaction");
        Ok(())
    }

    /// What makes sense and is still likely a mistake, of an exchange with so many markets.
    pub fn doubts(&self, markets: u64) -> Vec<String> {
        let mut doubts = Vec::new();
        let (cost, has) = (self.fees.prices_cost(markets, &self.timing), self.fees.for_prices());
        if self.jobs.prices && cost > has {
            doubts.push(format!(
                "fees: prices of {markets} markets every {} slots cost {cost} lamports an hour, and prices_percent of \
                 unpaid_hourly is {has}: for the rest of each hour they are left to others",
                self.timing.price_age_slots
            ));
        }
        if self.chain.lookup_table.is_none() && self.jobs.covenants && markets >= TOGETHER as u64 {
            doubts.push(
                "chain.lookup_table: none; an owner's accounts in many markets are shown to a covenant in several \
                 transactions, which may miss one another's slot (`ballast-keeper table` makes one)"
                    .to_owned(),
            );
        }
        doubts
    }

    /// Each node's websocket.
    pub fn websockets(&self) -> Vec<String> {
        if !self.chain.websocket.is_empty() {
            return self.chain.websocket.clone();
        }
        self.chain.rpc.iter().map(|url| websocket_of(url)).collect()
    }
}

/// A validator's websocket: the port above its RPC's. A hosted one is at the same address.
fn websocket_of(url: &str) -> String {
    let socket = url.replacen("http", "ws", 1);
    let Some((front, port)) = socket.rsplit_once(':') else { return socket };
    match port.trim_end_matches('/').parse::<u16>() {
        Ok(port) => format!("{front}:{}", port.saturating_add(1)),
        Err(_) => socket,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default_and_a_misspelt_key_is_refused() {
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
        Config::default().check().unwrap();
        assert!(toml::from_str::<Config>("[fees]\nsol_prize = 3\n").is_err());
        let config: Config = toml::from_str("[jobs]\norders = false\n[fees]\nsol_price = 99\n").unwrap();
        assert!(!config.jobs.orders && config.jobs.liquidate);
        assert_eq!((config.fees.sol_price, config.fees.reward_percent), (99, 50));
    }

    #[test]
    fn the_sample_is_a_configuration() {
        let sample = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../keeper.sample.toml"));
        let config = Config::read(sample).unwrap();
        config.check().unwrap();
        assert_eq!((config.jobs, config.websockets()), (Jobs::ALL, vec!["ws://127.0.0.1:8900".to_owned()]));
        assert!(config.chain.keypair.ends_with("target/keeper/key.json"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |change: fn(&mut Config), word: &str| {
            let mut config = Config::default();
            change(&mut config);
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        refused(|c| c.chain.rpc.clear(), "no node");
        refused(|c| c.chain.rpc = vec!["localhost".into()], "http");
        refused(|c| c.chain.websocket = vec!["http://x".into()], "ws");
        refused(|c| c.chain.websocket = vec!["ws://x".into(); 2], "one for each");
        refused(|c| c.serve.listen = "0.0.0.0:9464".parse().unwrap(), "loopback");
        refused(|c| c.fees.reward_percent = 101, "loss");
        refused(|c| c.timing.clock_millis = 0, "above zero");
        refused(|c| c.fees.prices_percent = 80, "same budget");
        refused(|c| c.chain.oracles = vec!["no address".into()], "chain.oracles");
    }

    #[test]
    fn it_says_when_the_purse_does_not_cover_the_prices() {
        let mut config = Config::default();
        config.chain.lookup_table = Some(String::new());
        assert_eq!(config.fees.prices_cost(8, &config.timing), 2_250 * 5_000);
        assert_eq!(config.doubts(8), Vec::<String>::new(), "the default is for eight markets");
        assert!(config.doubts(9)[0].contains("9 markets every 4 slots cost 22500000 lamports"), "two transactions");
        config.fees.unpaid_hourly *= 2;
        assert!(config.doubts(9).is_empty());
        config.chain.lookup_table = None;
        assert!(config.doubts(9)[0].contains("lookup_table"));
        config.jobs = Jobs::only(&["liquidate".to_owned()]).unwrap();
        assert!(config.doubts(64).is_empty());
    }

    #[test]
    fn only_named_jobs_run() {
        let jobs = Jobs::only(&["unflag".into(), "prices".into()]).unwrap();
        assert!(jobs.unflag && jobs.prices && !jobs.liquidate && !jobs.orders);
        assert!(Jobs::only(&["liquidations".into()]).is_err());
        for name in Jobs::NAMES {
            assert_ne!(Jobs::only(&[(*name).into()]).unwrap(), Jobs::NONE, "{name}");
        }
        let all: Vec<String> = Jobs::NAMES.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(Jobs::only(&all).unwrap(), Jobs::ALL);
    }

    #[test]
    fn the_websocket_is_one_port_up() {
        assert_eq!(websocket_of("http://127.0.0.1:8899"), "ws://127.0.0.1:8900");
        assert_eq!(websocket_of("https://node.example/"), "wss://node.example/");
        assert_eq!(websocket_of("https://node.example"), "wss://node.example");
    }
}

//! Local validators with Ballast loaded, for tests, demonstrations and development.
//!
//! One [`Config`] starts either kind of chain, and everything after that is the same RPC:
//!
//! * [`Kind::Surfpool`] runs inside this process. It starts in well under a second, confirms a transaction within
//!   milliseconds, and its clock can be moved forward with [`Localnet::travel`] or [`Localnet::set_time`].
//! * [`Kind::Agave`] is Agave's own `solana-test-validator` as a child process: the real scheduler, real slots of
//!   400 ms, and no time travel.
//!
//! Both bind to loopback only. [`Sender`] submits transactions to either of them.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use ballast_localnet::{Config, Localnet, Sender};
//!
//! let net = Localnet::start(Config::default()).await?;
//! let sender = Sender::new(&net.rpc_url());
//! net.travel(3_600).await?;
//! net.stop().await?;
//! # drop(sender);
//! # Ok(())
//! # }
//! ```

mod agave;
mod outcome;
mod send;
mod surfpool;

use std::path::PathBuf;

use anyhow::{Result, bail};
use solana_account::Account;
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client::{nonblocking, rpc_client};

pub use outcome::{Details, Failure, Inner, SendError, Sent};
pub use send::{SendOptions, Sender, send};
pub use surfpool::ChainTime;

/// Which validator runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// surfpool, embedded in this process.
    Surfpool,
    /// Agave's `solana-test-validator`, as a child process.
    Agave,
}

/// A program to have on the chain from its first slot.
#[derive(Debug, Clone)]
pub struct ProgramFile {
    /// Where it lives.
    pub id: Pubkey,
    /// The ELF file.
    pub path: PathBuf,
    /// Who may upgrade it, as its ProgramData account says. `None` makes it immutable on Agave; surfpool cannot
    /// express that and writes the system program's id, which nobody can sign for either.
    pub upgrade_authority: Option<Pubkey>,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which validator.
    pub kind: Kind,
    /// Programs, all owned by the upgradeable loader with a ProgramData account.
    pub programs: Vec<ProgramFile>,
    /// Accounts to set as they are.
    pub accounts: Vec<(Pubkey, Account)>,
    /// Wallets to create, with their lamports.
    pub fund: Vec<(Pubkey, u64)>,
    /// surfpool only: wall-clock milliseconds between blocks while no transaction waits for one.
    pub slot_ms: u64,
    /// surfpool only: the same while transactions wait. A short one confirms single transactions sooner; a longer one
    /// puts more of them into a block, and a block costs some 2 ms of work and `chain_ms` of on-chain time.
    pub busy_ms: u64,
    /// surfpool only: milliseconds by which every block moves the on-chain clock. 400 keeps slots and seconds in the
    /// relation programs assume, whatever the pace of blocks.
    pub chain_ms: u64,
    /// surfpool only: the on-chain Unix time to start from; `None` for now. It may lie in the past, which is how
    /// recorded prices are replayed under their own dates.
    pub start_unix: Option<i64>,
    /// The port of the RPC; `None` picks a free one. The websocket is on the next port.
    pub rpc_port: Option<u16>,
    /// The `solana-test-validator` to run. Without it: the variable `BALLAST_AGAVE_VALIDATOR`, else what
    /// `scripts/agave-validator` prints.
    pub agave_binary: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: Kind::Surfpool,
            programs: Vec::new(),
            accounts: Vec::new(),
            fund: Vec::new(),
            slot_ms: 400,
            busy_ms: 5,
            chain_ms: 400,
            start_unix: None,
            rpc_port: None,
            agave_binary: None,
        }
    }
}

enum Node {
    Surfpool(surfpool::Surfpool),
    Agave(agave::Agave),
}

/// A running chain. Dropping it ends what it started.
pub struct Localnet {
    node: Node,
    rpc_port: u16,
}

impl Localnet {
    /// Starts the validator and returns when it is healthy and every program is executable.
    pub async fn start(config: Config) -> Result<Self> {
        if config.rpc_port == Some(u16::MAX) {
            bail!("rpc_port 65535 leaves no port for the websocket, which takes the next one; choose a lower port");
        }
        let (node, rpc_port) = match config.kind {
            Kind::Surfpool => {
                let (node, port) = surfpool::Surfpool::start(&config).await?;
                (Node::Surfpool(node), port)
            }
            Kind::Agave => {
                let (node, port) = agave::Agave::start(&config).await?;
                (Node::Agave(node), port)
            }
        };
        Ok(Self { node, rpc_port })
    }

    /// Which validator this is.
    pub fn kind(&self) -> Kind {
        match self.node {
            Node::Surfpool(_) => Kind::Surfpool,
            Node::Agave(_) => Kind::Agave,
        }
    }

    /// The JSON-RPC address.
    pub fn rpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc_port)
    }

    /// The websocket address.
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.rpc_port + 1)
    }

    /// A blocking client at confirmed commitment. It panics inside an async task: call it from
    /// `tokio::task::spawn_blocking`, or use [`Localnet::rpc_async`].
    pub fn rpc(&self) -> rpc_client::RpcClient {
        rpc_client::RpcClient::new_with_commitment(self.rpc_url(), CommitmentConfig::confirmed())
    }

    /// An async client at confirmed commitment.
    pub fn rpc_async(&self) -> nonblocking::rpc_client::RpcClient {
        nonblocking::rpc_client::RpcClient::new_with_commitment(self.rpc_url(), CommitmentConfig::confirmed())
    }

    /// Whether [`Localnet::travel`] works.
    pub fn can_travel(&self) -> bool {
        self.kind() == Kind::Surfpool
    }

    /// Moves the on-chain clock forward by `seconds`, with the slot moving by `seconds * 1000 / chain_ms`.
    ///
    /// What waits for a block is confirmed first, under the time before. The move is atomic, and the clock runs on
    /// from the new time. Blockhashes expire by blocks made, not by slots: the ones in use stay valid.
    pub async fn travel(&self, seconds: i64) -> Result<()> {
        let node = self.travelling_node()?;
        node.travel(seconds).await
    }

    /// Moves the on-chain clock to an absolute Unix time, forward only, with the slot moving in step.
    pub async fn set_time(&self, unix: i64) -> Result<()> {
        let node = self.travelling_node()?;
        node.set_time(unix).await
    }

    /// The on-chain slot and Unix time.
    pub async fn clock(&self) -> Result<ChainTime> {
        match &self.node {
            Node::Surfpool(node) => node.clock().await,
            Node::Agave(_) => agave::clock(&self.rpc_async()).await,
        }
    }

    /// Ends the validator and waits until its ports are free.
    pub async fn stop(self) -> Result<()> {
        match self.node {
            Node::Surfpool(node) => node.stop().await,
            Node::Agave(node) => node.stop().await,
        }
    }

    fn travelling_node(&self) -> Result<&surfpool::Surfpool> {
        match &self.node {
            Node::Surfpool(node) => Ok(node),
            Node::Agave(_) => bail!(
                "Agave's validator keeps its own time and cannot be moved while it runs; \
                 use Kind::Surfpool for anything that needs hours or days to pass"
            ),
        }
    }
}

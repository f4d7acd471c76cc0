//! The keeper: `ballast-keeper`, a process of its own that hears and sends over RPC, as it would anywhere. The demo posts
//! prices to the oracle and waits until the keeper has judged everybody by them and has nothing left to do; what it did is
//! read from the chain, by the address that pays for it.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail, ensure};
use ballast_client::address;
use ballast_client::events::Event;
use serde::{Deserialize, Serialize};
use solana_commitment_config::CommitmentConfig;
use solana_keypair::write_keypair_file;
use solana_rpc_client::rpc_client::GetConfirmedSignaturesForAddress2Config;
use solana_signature::Signature;
use solana_signer::Signer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::desk::Desk;
use crate::keys;
use crate::venue::Venue;

/// It has so long to come to rest after a price.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at whether it rests.
const LOOK: Duration = Duration::from_millis(5);
/// It has so long to end when asked.
const END: Duration = Duration::from_secs(15);
/// The most signatures that a node names at once.
const PAGE: usize = 1_000;

/// The process.
pub(crate) struct Keeper {
    /// The subaccount that earns.
    pub(crate) subaccount: Pubkey,
    payer: Pubkey,
    port: u16,
    child: Child,
    folder: TempDir,
    /// The newest of its transactions that was counted.
    last: Option<Signature>,
}

/// What its health endpoint says.
#[derive(Debug, Default, Deserialize)]
struct Health {
    #[serde(default)]
    ready: bool,
    #[serde(default)]
    idle: bool,
    #[serde(default)]
    price_time: i64,
}

/// What a job of it came to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Line {
    /// The job.
    pub(crate) job: String,
    /// Transactions that did what they were sent for.
    pub(crate) done: u64,
    /// What somebody else did first, or what was too late.
    pub(crate) raced: u64,
    /// Refused although the engine had allowed it.
    pub(crate) refused: u64,
    /// Never landed.
    pub(crate) lost: u64,
    /// Left because it would have cost more than it earns.
    pub(crate) unprofitable: u64,
    /// Fees, lamports.
    pub(crate) fees: u64,
    /// Rewards, smallest unit.
    pub(crate) rewards: u64,
    /// Median time from what called for it to its confirmation, milliseconds.
    pub(crate) median_millis: u64,
}

/// Its own report, from its ledger.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Report {
    /// By job.
    pub(crate) jobs: Vec<Line>,
    /// Fees, lamports.
    pub(crate) fees: u64,
    /// Rewards, smallest unit.
    pub(crate) rewards: u64,
    /// What its subaccount holds on chain: the same, if its books are right.
    #[serde(default)]
    pub(crate) collateral: u64,
}

impl Report {
    /// What must not be, if there is something.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let refused: u64 = self.jobs.iter().map(|line| line.refused).sum();
        if refused > 0 {
            reasons.push(format!("the keeper was refused {refused} times what its engine had allowed"));
        }
        if self.rewards != self.collateral {
            reasons.push(format!("the keeper books {} of rewards and has {}", self.rewards, self.collateral));
        }
        reasons
    }
}

/// Where the program is: `BALLAST_KEEPER`, else beside this one.
fn program() -> Result<PathBuf> {
    let path = match std::env::var_os("BALLAST_KEEPER") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe().context("this program's place is not known")?.with_file_name("ballast-keeper"),
    };
    ensure!(
        path.is_file(),
        "there is no {}; build it (cargo build -p ballast-keeper), or name one in BALLAST_KEEPER",
        path.display()
    );
    Ok(path)
}

/// A free port on loopback; somebody may take it before the keeper does, which then says so.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).context("no free port")?.local_addr()?.port())
}

/// Writes its configuration and starts the process.
fn spawn(folder: &TempDir, venue: &Venue, port: u16, without: &[&str]) -> Result<Child> {
    let off: String = without.iter().map(|job| format!("{job} = false\n")).collect();
    let (rpc, socket) = (venue.net.rpc_url(), venue.net.ws_url());
    // Its wallet is as full as a local wallet is; the chain's blocks are milliseconds apart.
    let config = format!(
        "[chain]\nrpc = [\"{rpc}\"]\nwebsocket = [\"{socket}\"]\ncollateral = \"{}\"\nkeypair = \"key.json\"\n\
         [jobs]\n{off}[timing]\nprice_age_slots = 0\nconfirm_millis = 10\n\
         [fees]\nunpaid_hourly = 1_000_000_000_000\n[serve]\nlisten = \"127.0.0.1:{port}\"\n\
         [ledger]\npath = \"keeper.sqlite\"\n[log]\nfilter = \"warn\"\n",
        venue.mint
    );
    std::fs::write(folder.path().join("keeper.toml"), config).context("the keeper's configuration")?;
    let log = File::options().create(true).append(true).open(folder.path().join("log")).context("the keeper's log")?;
    Command::new(program()?)
        .args(["run", "--config"])
        .arg(folder.path().join("keeper.toml"))
        .env_remove("RUST_LOG")
        .env_remove("BALLAST_KEEPER_CONFIG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .context("ballast-keeper does not start")
}

impl Keeper {
    /// Starts it on a venue, without the jobs named.
    pub(crate) async fn start(venue: &Venue, without: &[&str]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ballast-demo-").tempdir().context("no folder for the keeper")?;
        let key = keys::local(keys::KEEPER);
        let written = write_keypair_file(&key, folder.path().join("key.json"));
        ensure!(written.is_ok(), "the keeper's key cannot be written to {}", folder.path().display());
        let port = free_port()?;
        let payer = key.pubkey();
        let subaccount = address::subaccount(&venue.exchange, &payer, 0);
        let child = spawn(&folder, venue, port, without)?;
        let mut keeper = Self { subaccount, payer, port, child, folder, last: None };
        keeper.wait(|health| health.ready).await?;
        Ok(keeper)
    }

    /// Ends it and starts it again with all jobs, on the same ledger.
    pub(crate) async fn restart(&mut self, venue: &Venue) -> Result<()> {
        let _ = self.stop().await?;
        self.child = spawn(&self.folder, venue, self.port, &[])?;
        self.wait(|health| health.ready).await
    }

    /// Waits until it has judged everybody by prices no older than that, and nothing is left to do or under way.
    pub(crate) async fn rest(&mut self, published: i64) -> Result<()> {
        self.wait(|health| health.idle && health.price_time >= published).await
    }

    async fn wait(&mut self, enough: impl Fn(&Health) -> bool) -> Result<()> {
        let begun = Instant::now();
        loop {
            let health = self.health().await.unwrap_or_default();
            if enough(&health) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("the keeper")? {
                bail!("the keeper has ended ({status}):\n{}", self.log());
            }
            if begun.elapsed() > PATIENCE {
                bail!("the keeper did not come to rest within {PATIENCE:?} ({health:?}):\n{}", self.log());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn health(&self) -> Result<Health> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: keeper\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let body = answer.split_once("\r\n\r\n").context("no answer")?.1;
        Ok(serde_json::from_str(body)?)
    }

    /// The end of its log.
    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Counts what it has put on the chain since the last time; its events, in order.
    pub(crate) async fn collect(&mut self, desk: &Desk) -> Result<Vec<Event>> {
        let rpc = desk.chain.rpc();
        let mut found = Vec::new();
        loop {
            let config = GetConfirmedSignaturesForAddress2Config {
                before: found.last().copied(),
                until: self.last,
                limit: Some(PAGE),
                commitment: Some(CommitmentConfig::confirmed()),
            };
            let page = rpc.get_signatures_for_address_with_config(&self.payer, config).await;
            let page = page.context("the keeper's transactions cannot be listed")?;
            let count = page.len();
            for status in page {
                found.push(status.signature.parse::<Signature>().context("a signature")?);
            }
            if count < PAGE {
                break;
            }
        }
        let mut events = Vec::new();
        for signature in found.iter().rev() {
            events.extend(desk.count(signature).await?);
        }
        self.last = found.first().copied().or(self.last);
        Ok(events)
    }

    /// Asks it to end, waits until it has, and returns its own report: actions and earnings by job.
    pub(crate) async fn stop(&mut self) -> Result<Report> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        ensure!(asked.is_ok_and(|status| status.success()), "the keeper cannot be asked to end");
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().context("the keeper")? {
                break status;
            }
            ensure!(begun.elapsed() < END, "the keeper did not end within {END:?}:\n{}", self.log());
            tokio::time::sleep(LOOK * 5).await;
        };
        ensure!(status.success(), "the keeper ended with {status}:\n{}", self.log());
        let report = Command::new(program()?)
            .args(["report", "--json", "--config"])
            .arg(self.folder.path().join("keeper.toml"))
            .output()
            .context("the keeper's report")?;
        serde_json::from_slice(&report.stdout).context("the keeper's report is no JSON")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Whatever ends the demo ends it too.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

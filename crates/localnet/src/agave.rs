//! Agave's `solana-test-validator` as a child process.

use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use solana_account::Account;
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use tempfile::TempDir;

use crate::{ChainTime, Config};

const START: Duration = Duration::from_secs(90);
const STOP: Duration = Duration::from_secs(10);
/// RPC, websocket, faucet and gossip, then the range Agave chooses the rest from.
const FIXED_PORTS: u16 = 4;
const DYNAMIC_PORTS: u16 = 32;
const LOG_TAIL: usize = 25;

pub(crate) struct Agave {
    child: Child,
    // Removed with the node.
    _dir: TempDir,
}

impl Agave {
    pub(crate) async fn start(config: &Config) -> Result<(Self, u16)> {
        // The script may build one, for many minutes.
        let chosen = config.agave_binary.clone();
        let binary = tokio::task::spawn_blocking(|| binary(chosen)).await??;
        let dir = tempfile::Builder::new().prefix("ballast-agave-").tempdir().context("no temporary directory")?;
        let base = free_block()?;
        let rpc_port = config.rpc_port.unwrap_or(base);
        let log = dir.path().join("output.log");
        let child = command(&binary, config, dir.path(), base, rpc_port)?
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .spawn()
            .with_context(|| format!("{} did not start; check that it may be executed", binary.display()))?;
        let mut node = Self { child, _dir: dir };
        if let Err(error) = node.wait(config, rpc_port).await {
            let tail = [log, node._dir.path().join("ledger/validator.log")].map(|path| tail(&path)).join("\n");
            return Err(error.context(format!("Agave's validator did not start; the end of its logs:\n{tail}")));
        }
        Ok((node, rpc_port))
    }

    /// Healthy, and past the first slots: programs from genesis are executable from slot 1.
    async fn wait(&mut self, config: &Config, rpc_port: u16) -> Result<()> {
        let rpc = RpcClient::new_with_commitment(format!("http://127.0.0.1:{rpc_port}"), CommitmentConfig::confirmed());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}; see its log");
            }
            if rpc.get_health().await.is_ok() && rpc.get_slot().await.unwrap_or_default() >= 1 {
                break;
            }
            if begun.elapsed() > START {
                bail!("it was not healthy within {START:?}; see its log, and whether the machine is overloaded");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for program in &config.programs {
            if !rpc.get_account(&program.id).await.is_ok_and(|account| account.executable) {
                bail!("program {} is not executable; check {}", program.id, program.path.display());
            }
        }
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        self.child.kill().context("Agave's validator could not be ended; end it by hand")?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > STOP {
                bail!("Agave's validator (process {}) is still ending; wait for it", self.child.id());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Agave {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) async fn clock(rpc: &RpcClient) -> Result<ChainTime> {
    let account = rpc
        .get_account_with_commitment(&solana_sdk_ids::sysvar::clock::ID, CommitmentConfig::processed())
        .await?
        .value
        .context("no Clock sysvar; is this a Solana validator?")?;
    // slot, epoch_start_timestamp, epoch, leader_schedule_epoch, unix_timestamp
    let word = |at: usize| account.data.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    match (word(0), word(32)) {
        (Some(slot), Some(unix)) => Ok(ChainTime { slot: u64::from_le_bytes(slot), unix: i64::from_le_bytes(unix) }),
        _ => bail!("the Clock sysvar is {} bytes long, not 40; is this a Solana validator?", account.data.len()),
    }
}

fn command(binary: &Path, config: &Config, dir: &Path, base: u16, rpc_port: u16) -> Result<Command> {
    let (low, high) = (base + FIXED_PORTS, base + FIXED_PORTS + DYNAMIC_PORTS);
    let mut command = Command::new(binary);
    command.current_dir(dir).args(["--reset", "--quiet", "--bind-address", "127.0.0.1"]);
    command.arg("--ledger").arg(dir.join("ledger"));
    command.args(["--rpc-port", &rpc_port.to_string()]);
    command.args(["--faucet-port", &(base + 2).to_string()]);
    command.args(["--gossip-port", &(base + 3).to_string()]);
    command.args(["--dynamic-port-range", &format!("{low}-{high}")]);
    for program in &config.programs {
        // Its own message for a missing file does not say what to do.
        let path = std::fs::canonicalize(&program.path).with_context(|| {
            format!("no program file at {}; build the programs first (make build)", program.path.display())
        })?;
        let authority = program.upgrade_authority.map_or("none".to_owned(), |key| key.to_string());
        command.arg("--upgradeable-program").arg(program.id.to_string()).arg(path).arg(authority);
    }
    let accounts = dir.join("accounts");
    std::fs::create_dir(&accounts)?;
    for (key, account) in &config.accounts {
        write_account(&accounts, key, account)?;
    }
    for (key, lamports) in &config.fund {
        write_account(&accounts, key, &Account::new(*lamports, 0, &solana_sdk_ids::system_program::ID))?;
    }
    if !(config.accounts.is_empty() && config.fund.is_empty()) {
        command.arg("--account-dir").arg(accounts);
    }
    Ok(command)
}

/// In the form `solana account --output json` writes.
fn write_account(dir: &Path, key: &Pubkey, account: &Account) -> Result<()> {
    let json = serde_json::json!({
        "pubkey": key.to_string(),
        "account": {
            "lamports": account.lamports,
            "data": [BASE64_STANDARD.encode(&account.data), "base64"],
            "owner": account.owner.to_string(),
            "executable": account.executable,
            "rentEpoch": u64::MAX,
            "space": account.data.len(),
        }
    });
    let path = dir.join(format!("{key}.json"));
    std::fs::write(&path, json.to_string()).with_context(|| format!("{} cannot be written", path.display()))
}

fn binary(chosen: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = chosen.or_else(|| std::env::var_os("BALLAST_AGAVE_VALIDATOR").map(Into::into)) {
        if !path.is_file() {
            bail!("no validator at {}; scripts/agave-validator builds one and prints its path", path.display());
        }
        return Ok(path);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/agave-validator");
    let output = Command::new(&script)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} cannot be run; set BALLAST_AGAVE_VALIDATOR instead", script.display()))?;
    if !output.status.success() {
        bail!("scripts/agave-validator failed with {}; its output says what to do", output.status);
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let path = PathBuf::from(printed.lines().last().unwrap_or_default().trim());
    if !path.is_file() {
        bail!("scripts/agave-validator printed no validator's path; set BALLAST_AGAVE_VALIDATOR instead");
    }
    Ok(path)
}

/// The first of enough free ports in a row. The start differs between processes and calls, since a port looked at
/// here is taken only a moment later.
fn free_block() -> Result<u16> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut seed = u64::from(now.subsec_nanos()) ^ (u64::from(std::process::id()) << 20);
    for _ in 0..200 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Below the ports that Linux gives to outgoing connections.
        let base = 10_000 + (seed >> 33) as u16 % 20_000;
        let free =
            |port| TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok();
        if (base..base + FIXED_PORTS + DYNAMIC_PORTS).all(free) {
            return Ok(base);
        }
    }
    bail!("no {} free ports in a row between 10000 and 30000; close what holds them", FIXED_PORTS + DYNAMIC_PORTS)
}

fn tail(path: &Path) -> String {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
}

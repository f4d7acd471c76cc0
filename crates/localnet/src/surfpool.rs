//! surfpool inside this process.
//!
//! It is driven through `surfpool-core` rather than through its test SDK, because three things matter here that the
//! SDK decides by itself:
//!
//! * Blocks. surfpool's own clock thread queues a tick per slot without looking whether the last one was served, so
//!   short slots pile up without bound under load; and its Transaction mode makes some thirty follow-up blocks per
//!   transaction, each moving the clock. Here block production is Manual, and [`pace`] makes the blocks: one per
//!   `busy_ms` as long as transactions wait, and one per `slot_ms` otherwise.
//! * Time. surfpool's slot length serves both as the pace of blocks and as the step of the on-chain clock. Here the
//!   step is `chain_ms`, whatever the pace.
//! * Profiling. By default it executes every transaction once more per instruction to profile it, and keeps account
//!   snapshots of the last hundreds of transactions.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use crossbeam_channel::{Receiver, Sender};
use solana_account::Account;
use solana_clock::Clock;
use solana_epoch_schedule::EpochSchedule;
use solana_pubkey::Pubkey;
use surfpool_core::surfnet::locker::SurfnetSvmLocker;
use surfpool_core::surfnet::svm::{SurfnetSvm, SurfnetSvmConfig};
use surfpool_types::{BlockProductionMode, RpcConfig, SimnetCommand, SimnetConfig, SimnetEvent, SurfpoolConfig};
use tokio::runtime::{Builder, Runtime};

use crate::Config;

const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(10);
const TAKEN_PORT_TRIES: u32 = 5;

/// Where the chain's clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainTime {
    /// The slot being built.
    pub slot: u64,
    /// The Clock sysvar's Unix time.
    pub unix: i64,
}

pub(crate) struct Surfpool {
    locker: SurfnetSvmLocker,
    commands: Sender<SimnetCommand>,
    stopping: Arc<AtomicBool>,
    closed: Receiver<()>,
    // Its own runtime, so that callers may be on any runtime, a single-threaded one included: surfpool needs one
    // with several threads. An Option because it must be given up by value.
    runtime: Option<Runtime>,
}

impl Surfpool {
    pub(crate) async fn start(config: &Config) -> Result<(Self, u16)> {
        let mut tries = 0;
        loop {
            let port = match config.rpc_port {
                Some(port) => port,
                None => free_pair()?,
            };
            match Self::start_on(config, port).await {
                // Another process can take the port between the look and the bind.
                Err(error) if config.rpc_port.is_none() && tries < TAKEN_PORT_TRIES => {
                    tries += 1;
                    tracing::warn!(%error, port, "surfpool did not start; trying another port");
                }
                other => return other.map(|node| (node, port)),
            }
        }
    }

    async fn start_on(config: &Config, port: u16) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(4)
            .thread_name("surfpool")
            .enable_all()
            .build()
            .context("no runtime for surfpool; see the system's thread limit (ulimit -u)")?;
        let (mut svm, events, geyser) = SurfnetSvm::new(SurfnetSvmConfig {
            slot_time: config.chain_ms.max(1),
            instruction_profiling_enabled: false,
            max_profiles: 1,
            // Events are also read from logs: a truncated log would lose some.
            log_bytes_limit: None,
            ..SurfnetSvmConfig::default()
        })
        .map_err(|error| anyhow!("surfpool did not initialise: {error}; report it with its version, 1.6.1"))?;
        if let Some(unix) = config.start_unix {
            let millis = u64::try_from(unix).context("start_unix lies before 1970; give a later one")? * 1_000;
            svm.updated_at = millis;
            svm.genesis_updated_at = millis;
            write_clock(&mut svm);
        }
        let locker = SurfnetSvmLocker::new(svm);
        let (commands, commands_rx) = crossbeam_channel::unbounded();

        // Its future is neither Send nor quick to yield: a thread of its own.
        let (handle, shared) = (runtime.handle().clone(), (locker.clone(), commands.clone()));
        let node_config = surfpool_config(port);
        let (ended_tx, ended) = crossbeam_channel::bounded(1);
        std::thread::Builder::new()
            .name("surfpool-loop".into())
            .spawn(move || {
                let (locker, commands) = shared;
                let run = surfpool_core::runloops::start_local_surfnet_runloop(
                    locker,
                    node_config,
                    commands,
                    commands_rx,
                    geyser,
                );
                let result = handle.block_on(run).map_err(|error| error.to_string());
                if let Err(error) = &result {
                    tracing::error!(%error, "surfpool ended");
                }
                let _ = ended_tx.send(result);
            })
            .context("no thread for surfpool; see the system's thread limit (ulimit -u)")?;

        let (ready, closed) = drain(events)?;
        let mut node =
            Self { locker, commands, stopping: Arc::new(AtomicBool::new(false)), closed, runtime: Some(runtime) };
        let begun = Instant::now();
        while ready.try_recv().is_err() {
            if let Ok(result) = ended.try_recv() {
                let error = result.err().unwrap_or_else(|| "no reason given".into());
                bail!("surfpool did not start on port {port}: {error}; choose another rpc_port or free this one");
            }
            if begun.elapsed() > START {
                bail!("surfpool was not ready within {START:?}; see its log with RUST_LOG=ballast_localnet=debug");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        node.load(config).await?;
        node.spawn_pace(Duration::from_millis(config.slot_ms.max(1)), Duration::from_millis(config.busy_ms));
        Ok(node)
    }

    /// Accounts and programs, and a block so that clients at confirmed commitment see them.
    async fn load(&mut self, config: &Config) -> Result<()> {
        let mut accounts = config.accounts.clone();
        for (key, lamports) in &config.fund {
            accounts.push((*key, Account::new(*lamports, 0, &solana_sdk_ids::system_program::ID)));
        }
        self.set_accounts(accounts).await?;
        for program in &config.programs {
            let bytes = std::fs::read(&program.path).with_context(|| {
                format!("no program file at {}; build the programs first (make build)", program.path.display())
            })?;
            let (id, authority) = (program.id, program.upgrade_authority);
            self.inside(move |locker| async move {
                locker.write_program(id, authority, 0, &bytes, &None).await.map_err(|error| error.to_string())
            })
            .await?
            .map_err(|error| anyhow!("surfpool refused program {id}: {error}; check that the file is an SBPF ELF"))?;
        }
        self.block().await
    }

    pub(crate) async fn set_accounts(&self, accounts: Vec<(Pubkey, Account)>) -> Result<()> {
        self.inside(move |locker| async move {
            locker.with_svm_writer(move |svm| {
                for (key, account) in accounts {
                    svm.set_account(&key, account).map_err(|error| format!("account {key}: {error}"))?;
                }
                Ok::<(), String>(())
            })
        })
        .await?
        .map_err(|error| anyhow!("surfpool refused {error}; check its owner and lamports"))
    }

    pub(crate) async fn travel(&self, seconds: i64) -> Result<()> {
        let millis = u64::try_from(seconds)
            .ok()
            .and_then(|seconds| seconds.checked_mul(1_000))
            .with_context(|| format!("time cannot move by {seconds} s; give a number of seconds from 0 up"))?;
        self.advance(move |_| Ok(millis)).await
    }

    pub(crate) async fn set_time(&self, unix: i64) -> Result<()> {
        self.advance(move |now| {
            let target = u64::try_from(unix).ok().and_then(|unix| unix.checked_mul(1_000));
            target.and_then(|target| target.checked_sub(now)).ok_or_else(|| {
                format!("the clock is at {} and cannot go back to {unix}; give a later time", now / 1_000)
            })
        })
        .await
    }

    /// One write lock for all of it, so that no block falls between reading the clock and setting it.
    async fn advance(&self, by: impl FnOnce(u64) -> Result<u64, String> + Send + Sync + 'static) -> Result<()> {
        self.inside(move |locker| async move {
            let mut svm = locker.0.write().await;
            svm.confirm_current_block().map_err(|error| error.to_string())?;
            let millis = by(svm.updated_at)?;
            let slot = svm.latest_epoch_info.absolute_slot + millis / svm.slot_time;
            let schedule = svm.inner.get_sysvar::<EpochSchedule>();
            let (epoch, index) = schedule.get_epoch_and_slot_index(slot);
            svm.updated_at += millis;
            svm.latest_epoch_info.absolute_slot = slot;
            svm.latest_epoch_info.epoch = epoch;
            svm.latest_epoch_info.slot_index = index;
            svm.latest_epoch_info.slots_in_epoch = schedule.get_slots_in_epoch(epoch);
            write_clock(&mut svm);
            svm.state_revision += 1;
            Ok(())
        })
        .await?
        .map_err(|error: String| anyhow!(error))
    }

    pub(crate) async fn clock(&self) -> Result<ChainTime> {
        self.inside(|locker| async move {
            let svm = locker.0.read().await;
            ChainTime { slot: svm.latest_epoch_info.absolute_slot, unix: svm.updated_at as i64 / 1_000 }
        })
        .await
    }

    async fn block(&self) -> Result<()> {
        self.inside(
            |locker| async move { locker.confirm_current_block(&None).await.map_err(|error| error.to_string()) },
        )
        .await?
        .map_err(|error| anyhow!("surfpool made no block: {error}; restart it"))
    }

    fn spawn_pace(&self, idle: Duration, busy: Duration) {
        let (locker, stopping) = (self.locker.clone(), self.stopping.clone());
        self.handle().spawn(pace(locker, stopping, idle, busy));
    }

    /// Runs on surfpool's own runtime: its locks use calls that a single-threaded runtime refuses.
    async fn inside<T, F>(&self, work: impl FnOnce(SurfnetSvmLocker) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let task = work(self.locker.clone());
        self.handle().spawn(task).await.context("surfpool's runtime has ended; start a new Localnet")
    }

    fn handle(&self) -> &tokio::runtime::Handle {
        // Only Drop takes it.
        self.runtime.as_ref().expect("the runtime lives as long as the node").handle()
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.terminate();
        let begun = Instant::now();
        while self.closed.try_recv().is_err() {
            if begun.elapsed() > STOP {
                bail!("surfpool did not close its ports within {STOP:?}; end the process to free them");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    fn terminate(&self) {
        if !self.stopping.swap(true, Ordering::Relaxed) {
            let _ = self.commands.send(SimnetCommand::Terminate(None));
        }
    }
}

impl Drop for Surfpool {
    fn drop(&mut self) {
        self.terminate();
        if let Some(runtime) = self.runtime.take() {
            // A plain drop would block, which an async caller's runtime refuses with a panic.
            runtime.shutdown_background();
        }
    }
}

/// Makes the blocks. Each is finished before the next is thought of, so none pile up.
async fn pace(locker: SurfnetSvmLocker, stopping: Arc<AtomicBool>, idle: Duration, busy: Duration) {
    let mut last = Instant::now();
    while !stopping.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(1).min(idle)).await;
        let due = last.elapsed() >= busy;
        let waiting = due && !locker.0.read().await.transactions_queued_for_confirmation.is_empty();
        if waiting || last.elapsed() >= idle {
            if let Err(error) = locker.confirm_current_block(&None).await {
                tracing::error!(%error, "surfpool made no block");
            }
            last = Instant::now();
        }
    }
}

fn write_clock(svm: &mut SurfnetSvm) {
    svm.inner.set_sysvar(&Clock {
        slot: svm.latest_epoch_info.absolute_slot,
        epoch: svm.latest_epoch_info.epoch,
        unix_timestamp: svm.updated_at as i64 / 1_000,
        // surfpool leaves these two at zero in every block it makes.
        epoch_start_timestamp: 0,
        leader_schedule_epoch: 0,
    });
}

fn surfpool_config(port: u16) -> SurfpoolConfig {
    SurfpoolConfig {
        simnets: vec![SimnetConfig {
            offline_mode: true,
            remote_rpc_url: None,
            // Only the pace of its idle clock thread, which outlives the node: Manual mode ignores the ticks.
            slot_time: 1_000,
            block_production_mode: BlockProductionMode::Manual,
            instruction_profiling_enabled: false,
            ..SimnetConfig::default()
        }],
        rpc: RpcConfig { bind_host: "127.0.0.1".into(), bind_port: port, ws_port: port + 1, ..RpcConfig::default() },
        ..SurfpoolConfig::default()
    }
}

/// Reads surfpool's events until it has closed: its channel is bounded, and a full one stops the chain.
fn drain(events: Receiver<SimnetEvent>) -> Result<(Receiver<()>, Receiver<()>)> {
    let (ready_tx, ready) = crossbeam_channel::bounded(1);
    let (closed_tx, closed) = crossbeam_channel::bounded(1);
    std::thread::Builder::new()
        .name("surfpool-events".into())
        .spawn(move || {
            let mut servers = 2;
            for event in events {
                match event {
                    SimnetEvent::CoreStarted(_) => drop(ready_tx.try_send(())),
                    SimnetEvent::Shutdown => servers -= 1,
                    SimnetEvent::ErrorLog(_, text) => tracing::debug!(target: "surfpool", "{text}"),
                    SimnetEvent::WarnLog(_, text) => tracing::debug!(target: "surfpool", "{text}"),
                    SimnetEvent::Aborted(text) => tracing::error!(target: "surfpool", "{text}"),
                    _ => {}
                }
                if servers == 0 {
                    break;
                }
            }
            let _ = closed_tx.send(());
        })
        .context("no thread for surfpool's events; see the system's thread limit (ulimit -u)")?;
    Ok((ready, closed))
}

/// A free port whose successor is free as well.
fn free_pair() -> Result<u16> {
    for _ in 0..100 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port; close what holds them")?;
        let port = listener.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no two free ports in a row; give Config::rpc_port")
}

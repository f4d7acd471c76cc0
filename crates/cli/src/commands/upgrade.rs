//! `ballast govern upgrade`: the program through its own timelock.

use core::mem::offset_of;
use std::path::{Path, PathBuf};

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail, ensure};
use ballast::state::{Proposal, Upgrade};
use ballast_client::{address, instructions as ix, loader};
use ballast_engine::governance::state;
use clap::Subcommand;
use serde::Serialize;
use sha2::{Digest, Sha256};
use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::task::JoinSet;

use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output::{self, table};

/// A proposal must reach the chain within so many slots of being signed: some ten minutes.
const WITHIN_SLOTS: u64 = 1_500;
/// Writes under way at once.
const AT_ONCE: usize = 32;

/// What can be done.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Who may upgrade the program, and what is proposed, from chain alone
    Status,
    /// Hand the program's upgrade authority, which signs, to the exchange's timelock, for good
    HandOver {
        /// There is no way back; say that you know
        #[arg(long)]
        for_good: bool,
    },
    /// Write a program's file into a buffer and give the buffer to the timelock
    Write {
        /// The file
        file: PathBuf,
    },
    /// Make room for a longer program; anybody may who pays the rent
    Extend {
        /// By so many bytes, at least 10240
        bytes: u32,
    },
    /// Queue an upgrade to what is in a buffer
    Propose {
        /// The buffer
        buffer: Pubkey,
        /// The file that the buffer must hold
        #[arg(long)]
        file: PathBuf,
        /// Who gets the buffer's lamports in the end; by default whoever signs
        #[arg(long)]
        refund: Option<Pubkey>,
    },
    /// Upgrade the program when the delay is over
    Execute {
        /// The proposal's buffer
        buffer: Pubkey,
    },
    /// Close what is left of an upgrade whose proposal has ended
    Close {
        /// The proposal's buffer
        buffer: Pubkey,
    },
}

/// A proposed upgrade.
#[derive(Serialize)]
struct Line {
    proposal: u64,
    state: &'static str,
    buffer: String,
    hash: String,
    length: u64,
    ready_at: i64,
    dead_at: i64,
    vetoer: String,
    buffer_is_the_timelocks: bool,
}

#[derive(Serialize)]
struct Status {
    upgrade_authority: String,
    timelock: String,
    timelock_is_in_charge: bool,
    upgrades: u64,
    program_hash: String,
    room: usize,
    proposed: Vec<Line>,
}

#[derive(Serialize)]
struct Done {
    what: String,
    buffer: Option<String>,
    hash: Option<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash_of(code: &[u8]) -> [u8; 32] {
    Sha256::digest(code).into()
}

fn code_of(file: &Path) -> Result<Vec<u8>> {
    let code = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    ensure!(code.starts_with(b"\x7fELF"), "{} is no program's file", file.display());
    Ok(code)
}

/// Runs it.
pub(crate) async fn run(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    signer: impl FnOnce() -> Result<Keypair>,
    command: Command,
) -> Result<()> {
    let told = |what: &str, buffer: Option<Pubkey>, hash: Option<[u8; 32]>| {
        let (buffer, hash) = (buffer.map(|b| b.to_string()), hash.map(|h| hex(&h)));
        let done = Done { what: what.to_owned(), buffer, hash };
        output::show(global.json, &done, |done| {
            let parts = [Some(done.what.clone()), done.buffer.clone(), done.hash.clone()];
            parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
        })
    };
    match command {
        Command::Status => {
            let status = status(chain, exchange).await?;
            output::show(global.json, &status, text)
        }
        Command::HandOver { for_good } => {
            ensure!(for_good, "there is no way back: read docs/runbooks/deploy.md, then say --for-good");
            let signer = signer()?;
            let take = ix::take_upgrade_authority(&signer.pubkey(), &exchange.address);
            chain.send("hand over", &[take], &signer, &[]).await?;
            told("the timelock holds the upgrade authority", None, None)
        }
        Command::Write { file } => {
            let code = code_of(&file)?;
            let buffer = write(chain, &signer()?, &code, &address::timelock(&exchange.address)).await?;
            told("written, and the timelock's: buffer and hash", Some(buffer), Some(hash_of(&code)))
        }
        Command::Extend { bytes } => {
            let signer = signer()?;
            chain.send("extend", &[loader::extend(&signer.pubkey(), bytes)], &signer, &[]).await?;
            told(&format!("{bytes} bytes more"), None, None)
        }
        Command::Propose { buffer, file, refund } => {
            let (signer, hash) = (signer()?, hash_of(&code_of(&file)?));
            let args = ix::UpgradeArgs {
                hash,
                version: u32::try_from(exchange.state.upgrades)?,
                last_slot: chain.now().await?.slot + WITHIN_SLOTS,
                rationale: [0; 32],
            };
            let (key, id) = (signer.pubkey(), exchange.state.next_proposal);
            let refund = refund.unwrap_or(key);
            let queue = ix::queue_upgrade(&key, &key, &exchange.address, id, &buffer, &refund, args);
            chain.send("propose", &[queue], &signer, &[]).await?;
            let eta = chain.read::<Proposal>(&address::proposal(&exchange.address, id)).await?.terms.eta;
            let what = format!("proposal {id}; it may be executed from {eta} (Unix seconds) on");
            told(&what, Some(buffer), Some(hash))
        }
        Command::Execute { buffer } => {
            let (signer, upgrade) = (signer()?, find(chain, &buffer).await?);
            let execute = ix::execute_upgrade(&signer.pubkey(), &upgrade);
            chain.send("upgrade", &[execute], &signer, &[]).await?;
            told("upgraded; the new program runs from the next slot on", None, None)
        }
        Command::Close { buffer } => {
            let (signer, upgrade) = (signer()?, find(chain, &buffer).await?);
            chain.send("close", &[ix::close_upgrade(&upgrade)], &signer, &[]).await?;
            told("closed; its lamports went to", Some(ix::pubkey(&upgrade.refund)), None)
        }
    }
}

async fn find(chain: &Chain, buffer: &Pubkey) -> Result<Box<Upgrade>> {
    let found = chain.find::<Upgrade>(&address::upgrade(buffer)).await?;
    found.with_context(|| format!("no upgrade is proposed for {buffer}; see `ballast govern upgrade status`"))
}

/// Writes a buffer, compares what is there, and gives it away; its address.
pub(crate) async fn write(chain: &Chain, signer: &Keypair, code: &[u8], timelock: &Pubkey) -> Result<Pubkey> {
    let (key, buffer) = (signer.pubkey(), Keypair::new());
    let at = buffer.pubkey();
    let rent = chain.rpc().get_minimum_balance_for_rent_exemption(loader::buffer_space(code)).await?;
    chain.send("create the buffer", &loader::create_buffer(&key, &at, rent, code), signer, &[&buffer]).await?;
    let mut under_way = JoinSet::new();
    for write in loader::writes(&key, &at, code) {
        while under_way.len() >= AT_ONCE {
            under_way.join_next().await.context("a write")???;
        }
        let (chain, signer) = (chain.clone(), signer.insecure_clone());
        under_way.spawn(async move { chain.send("write", &[write], &signer, &[]).await.map(drop) });
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    let there = chain.account(&at).await?.map(|account| account.data).unwrap_or_default();
    if there.get(loader::BUFFER_HEADER..) != Some(code) {
        bail!("{at} does not hold the file; close it with Solana's own tools and try again");
    }
    chain.send("give the buffer away", &[loader::give_buffer(&key, &at, timelock)], signer, &[]).await?;
    Ok(at)
}

async fn status(chain: &Chain, exchange: &ExchangeAccount) -> Result<Status> {
    let timelock = address::timelock(&exchange.address);
    let data = chain.account(&address::program_data()).await?.context("the program has no data account")?.data;
    let authority = loader::upgrade_authority_in(&data);
    let code = data.get(loader::PROGRAM_DATA_HEADER..).unwrap_or_default();
    // A longer account than the file is filled with zeros, which are no part of the file.
    let end = code.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let now = chain.now().await?;
    let mut proposed = Vec::new();
    let at = offset_of!(Upgrade, exchange);
    for (_, upgrade) in chain.all::<Upgrade>(at, exchange.address.as_ref()).await? {
        let proposal = chain.read::<Proposal>(&ix::pubkey(&upgrade.proposal)).await?;
        let (terms, context) = (&proposal.terms, exchange.state.governance());
        let time = |at: ballast_engine::Result<i64>| at.map_err(|fault| anyhow::anyhow!("{fault:?}"));
        let buffer = chain.account(&ix::pubkey(&upgrade.buffer)).await?.map(|a| a.data).unwrap_or_default();
        proposed.push(Line {
            proposal: proposal.id,
            state: match terms.state {
                state::PENDING => "pending",
                state::EXECUTED => "executed",
                state::VETOED => "vetoed",
                _ => "expired",
            },
            buffer: ix::pubkey(&upgrade.buffer).to_string(),
            hash: hex(&terms.new_key.0),
            length: terms.new_value,
            ready_at: time(terms.ready_at(&context.holds(), &now))?,
            dead_at: time(terms.dead_at(context.emergency, &now))?,
            vetoer: Pubkey::new_from_array(terms.vetoer.0).to_string(),
            buffer_is_the_timelocks: loader::buffer_authority_in(&buffer) == Some(timelock),
        });
    }
    proposed.sort_by_key(|line| line.proposal);
    Ok(Status {
        upgrade_authority: authority.map_or_else(|| "none: the program is final".to_owned(), |key| key.to_string()),
        timelock: timelock.to_string(),
        timelock_is_in_charge: authority == Some(timelock),
        upgrades: exchange.state.upgrades,
        program_hash: hex(&hash_of(&code[..end])),
        room: code.len(),
        proposed,
    })
}

fn text(status: &Status) -> String {
    let charge = if status.timelock_is_in_charge {
        "the program changes by this exchange's proposals alone"
    } else {
        "NOT this exchange's timelock: the promises end at whoever holds it"
    };
    let head = format!(
        "upgrade authority {}\n  {charge}\ntimelock {}\nupgrades so far {}\nprogram sha256 {} (without trailing zeros), room {} bytes\n",
        status.upgrade_authority, status.timelock, status.upgrades, status.program_hash, status.room
    );
    if status.proposed.is_empty() {
        return head + "no upgrade is proposed";
    }
    let rows = status.proposed.iter().map(|l| {
        let held = if l.buffer_is_the_timelocks { "timelock" } else { "gone" };
        vec![
            l.proposal.to_string(),
            l.state.to_owned(),
            l.buffer.clone(),
            l.hash.clone(),
            l.length.to_string(),
            l.ready_at.to_string(),
            held.to_owned(),
        ]
    });
    head + &table(&["id", "state", "buffer", "sha256", "bytes", "from (Unix)", "held by"], &[0, 4], rows)
}

//! `ballast govern upgrade`: the program through its own timelock.

mod file;
mod status;

use std::path::PathBuf;

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail, ensure};
use ballast::state::{Proposal, Upgrade};
use ballast_client::{address, instructions as ix, loader};
use clap::Subcommand;
use indicatif::ProgressBar;
use serde::Serialize;
use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::task::JoinSet;

use super::How;
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output;

use file::{Hashes, code_of};
pub(super) use status::{Upgrading, explained, of_proposal};

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
    /// A file's digest, by which an upgrade is proposed, and its SHA-256
    Hash {
        /// The file
        file: PathBuf,
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
    /// Queue an upgrade to what is in a buffer, and have the buffer verified
    Propose {
        /// The buffer
        buffer: Pubkey,
        /// The file that the buffer must hold
        #[arg(long)]
        file: PathBuf,
        /// Who gets the buffer's lamports in the end; by default whoever signs
        #[arg(long)]
        refund: Option<Pubkey>,
        #[command(flatten)]
        how: Box<How>,
    },
    /// Have a proposed upgrade's buffer hashed to its end, part by part; anybody may
    Verify {
        /// The proposal's buffer
        buffer: Pubkey,
    },
    /// Upgrade the program when the delay is over; what is left to verify is verified first
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

#[derive(Serialize)]
struct Done {
    what: String,
    buffer: Option<String>,
    #[serde(flatten)]
    hashes: Option<Hashes>,
}

/// Runs it.
pub(crate) async fn run(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    signer: impl FnOnce() -> Result<Keypair>,
    command: Command,
) -> Result<()> {
    let told = |what: &str, buffer: Option<Pubkey>, hashes: Option<Hashes>| {
        let done = Done { what: what.to_owned(), buffer: buffer.map(|b| b.to_string()), hashes };
        output::show(global.json, &done, |done| {
            let parts = [Some(done.what.clone()), done.buffer.clone(), done.hashes.as_ref().map(Hashes::text)];
            parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
        })
    };
    match command {
        Command::Status => {
            let status = status::status(chain, exchange).await?;
            output::show(global.json, &status, status::text)
        }
        Command::HandOver { for_good } => {
            ensure!(for_good, "there is no way back: read docs/runbooks/deploy.md, then say --for-good");
            let signer = signer()?;
            let take = ix::take_upgrade_authority(&signer.pubkey(), &exchange.address);
            chain.send("hand over", &[take], &signer, &[]).await?;
            told("the timelock holds the upgrade authority", None, None)
        }
        Command::Hash { file } => output::show(global.json, &Hashes::of(&code_of(&file)?), Hashes::text),
        Command::Write { file } => {
            let code = code_of(&file)?;
            check_authority(chain, exchange).await?;
            let buffer = write(chain, &signer()?, &code, &address::timelock(&exchange.address)).await?;
            told("written, and the timelock's", Some(buffer), Some(Hashes::of(&code)))
        }
        Command::Extend { bytes } => {
            let signer = signer()?;
            chain.send("extend", &[loader::extend(&signer.pubkey(), bytes)], &signer, &[]).await?;
            told(&format!("{bytes} bytes more"), None, None)
        }
        Command::Propose { buffer, file, refund, how } => {
            let code = code_of(&file)?;
            ensure!(contents(chain, &buffer).await?.as_deref() == Some(&code), "{buffer} does not hold the file");
            let proposing = how.begin(chain, exchange, signer).await?;
            let args = ix::UpgradeArgs {
                digest: loader::digest(&code),
                version: u32::try_from(exchange.state.upgrades)?,
                last_slot: proposing.last_slot,
                rationale: proposing.rationale,
            };
            let by = proposing.proposer;
            let queue =
                ix::queue_upgrade(&by, &by, &exchange.address, proposing.id, &buffer, &refund.unwrap_or(by), args);
            let Some(queued) = proposing.submit(global, chain, exchange, &queue).await? else { return Ok(()) };
            verify(global.json, chain, &queued.signer, &buffer).await?;
            let what = format!("proposal {} {}; its buffer is verified", queued.id, queued.text());
            told(&what, Some(buffer), Some(Hashes::of(&code)))
        }
        Command::Verify { buffer } => {
            verify(global.json, chain, &signer()?, &buffer).await?;
            told("verified: the buffer holds what was announced", Some(buffer), None)
        }
        Command::Execute { buffer } => {
            let (signer, upgrade) = (signer()?, find(chain, &buffer).await?);
            verify(global.json, chain, &signer, &buffer).await?;
            let execute = ix::execute_upgrade(&signer.pubkey(), &upgrade);
            chain.send("upgrade", &[execute], &signer, &[]).await?;
            told("upgraded; the new program runs from the next slot on", None, None)
        }
        Command::Close { buffer } => {
            let (signer, upgrade) = (signer()?, find(chain, &buffer).await?);
            let proposal = chain.read::<Proposal>(&ix::pubkey(&upgrade.proposal)).await?;
            let close = ix::close_upgrade(&upgrade, &ix::pubkey(&proposal.payer));
            chain.send("close", &[close], &signer, &[]).await?;
            told("closed, and its proposal; its lamports went to", Some(ix::pubkey(&upgrade.refund)), None)
        }
    }
}

/// Has what is left of a buffer hashed by the program, a part a transaction.
pub(crate) async fn verify(json: bool, chain: &Chain, signer: &Keypair, buffer: &Pubkey) -> Result<()> {
    let mut upgrade = find(chain, buffer).await?;
    let length = chain.read::<Proposal>(&ix::pubkey(&upgrade.proposal)).await?.terms.new_value;
    let parts = ix::upgrade_parts_left(&upgrade, length);
    let bar = if json { ProgressBar::hidden() } else { ProgressBar::new(parts).with_message("verifying the buffer") };
    for _ in 0..parts {
        let part = ix::verify_upgrade(&signer.pubkey(), &upgrade);
        chain.send_on("verify a part of the buffer", &[part], signer, &[]).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    upgrade = find(chain, buffer).await?;
    ensure!(
        upgrade.check.verified == 1,
        "the buffer does not hold what was announced: its proposal is refused; `ballast govern upgrade close {buffer}` gives its lamports back"
    );
    Ok(())
}

/// That a buffer given to the timelock can be proposed: else its rent would be out of everybody's reach.
async fn check_authority(chain: &Chain, exchange: &ExchangeAccount) -> Result<()> {
    let data = chain.account(&address::program_data()).await?.context("the program has no data account")?.data;
    ensure!(
        loader::upgrade_authority_in(&data) == Some(address::timelock(&exchange.address)),
        "the timelock does not hold the program's upgrade authority, so nothing in its hands can be proposed, and a buffer's rent \
         would be lost: first `ballast govern upgrade hand-over` (docs/runbooks/deploy.md)"
    );
    Ok(())
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
        under_way.spawn(async move { chain.send_on("write", &[write], &signer, &[]).await.map(drop) });
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

/// What a buffer holds; none where there is no buffer.
async fn contents(chain: &Chain, buffer: &Pubkey) -> Result<Option<Vec<u8>>> {
    let data = chain.account(buffer).await?.map(|account| account.data).unwrap_or_default();
    Ok(loader::buffer_authority_in(&data).map(|_| data[loader::BUFFER_HEADER..].to_vec()))
}

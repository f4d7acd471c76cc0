//! `ballast govern upgrade`: the program through its own timelock.

use core::mem::offset_of;
use std::path::{Path, PathBuf};

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail, ensure};
use ballast::state::{Proposal, Upgrade};
use ballast_client::{address, instructions as ix, loader};
use ballast_engine::governance::{kind, state};
use clap::Subcommand;
use indicatif::ProgressBar;
use serde::Serialize;
use sha2::{Digest, Sha256};
use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::task::JoinSet;

use super::How;
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output::{self, hex, table};

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

/// A program's file or a buffer's contents, by its hashes.
#[derive(Serialize)]
pub(super) struct Hashes {
    /// What an upgrade is proposed by: the chain over parts.
    digest: String,
    /// That of a file, as `sha256sum` prints it.
    sha256: String,
    length: usize,
}

impl Hashes {
    fn of(code: &[u8]) -> Self {
        let sha256: [u8; 32] = Sha256::digest(code).into();
        Self { digest: hex(&loader::digest(code)), sha256: hex(&sha256), length: code.len() }
    }

    fn text(&self) -> String {
        format!("digest {}\nsha256 {}\n{} bytes", self.digest, self.sha256, self.length)
    }
}

/// A proposed upgrade: what was announced, and what is there.
#[derive(Serialize)]
pub(super) struct Upgrading {
    buffer: String,
    refund: String,
    /// What was announced.
    digest: String,
    length: u64,
    /// What the buffer holds, as read here; nothing once it is gone.
    there: Option<Hashes>,
    /// Whether that is what was announced.
    matches: bool,
    /// What the chain has hashed so far, and whether it found what was announced.
    hashed: u64,
    verified: bool,
    buffer_is_the_timelocks: bool,
}

/// One in the list.
#[derive(Serialize)]
struct Line {
    proposal: u64,
    state: &'static str,
    ready_at: i64,
    dead_at: i64,
    vetoer: String,
    #[serde(flatten)]
    upgrade: Upgrading,
}

#[derive(Serialize)]
struct Status {
    upgrade_authority: String,
    timelock: String,
    timelock_is_in_charge: bool,
    upgrades: u64,
    /// The file, without the zeros that fill its account.
    program: Hashes,
    room: usize,
    proposed: Vec<Line>,
}

#[derive(Serialize)]
struct Done {
    what: String,
    buffer: Option<String>,
    #[serde(flatten)]
    hashes: Option<Hashes>,
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
    let told = |what: &str, buffer: Option<Pubkey>, hashes: Option<Hashes>| {
        let done = Done { what: what.to_owned(), buffer: buffer.map(|b| b.to_string()), hashes };
        output::show(global.json, &done, |done| {
            let parts = [Some(done.what.clone()), done.buffer.clone(), done.hashes.as_ref().map(Hashes::text)];
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

/// Where a program's file ends in the account that holds it. The file is as long as its ELF header says: its last bytes may be
/// zeros like those that fill the account. Without such a header, after the last byte that is none.
fn end_of(code: &[u8]) -> usize {
    let field = |at: usize, bytes: usize| -> Option<usize> {
        let mut word = [0; 8];
        word.get_mut(..bytes)?.copy_from_slice(code.get(at..at.checked_add(bytes)?)?);
        usize::try_from(u64::from_le_bytes(word)).ok()
    };
    // ELF64. The table of sections: its offset at 40, the size and number of its rows at 58. That of segments: at 32 and 54;
    // in a row the segment's offset at 8, its length at 32.
    let sections = || field(40, 8)?.checked_add(field(58, 2)?.checked_mul(field(60, 2)?)?);
    let segment = |row: usize| {
        let at = field(32, 8)?.checked_add(row.checked_mul(field(54, 2)?)?)?;
        field(at.checked_add(8)?, 8)?.checked_add(field(at.checked_add(32)?, 8)?)
    };
    let segments = (0..field(56, 2).unwrap_or(0)).filter_map(segment);
    let told = segments.chain(sections()).max().unwrap_or(0);
    let filled = code.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if code.starts_with(b"\x7fELF") && told >= filled && told <= code.len() { told } else { filled }
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

/// What an upgrade's proposal announced, and what is there.
async fn upgrading(
    chain: &Chain,
    exchange: &ExchangeAccount,
    upgrade: &Upgrade,
    proposal: &Proposal,
) -> Result<Upgrading> {
    let buffer = ix::pubkey(&upgrade.buffer);
    let data = chain.account(&buffer).await?.map(|account| account.data).unwrap_or_default();
    let authority = loader::buffer_authority_in(&data);
    let there = authority.map(|_| Hashes::of(&data[loader::BUFFER_HEADER..]));
    let digest = hex(&proposal.terms.new_key.0);
    Ok(Upgrading {
        buffer: buffer.to_string(),
        refund: ix::pubkey(&upgrade.refund).to_string(),
        length: proposal.terms.new_value,
        matches: there.as_ref().is_some_and(|there| there.digest == digest),
        digest,
        there,
        hashed: upgrade.check.hashed,
        verified: upgrade.check.verified == 1,
        buffer_is_the_timelocks: authority == Some(address::timelock(&exchange.address)),
    })
}

/// The same for a proposal, if it is about an upgrade that is still there.
pub(super) async fn of_proposal(
    chain: &Chain,
    exchange: &ExchangeAccount,
    proposal: &Proposal,
) -> Result<Option<Upgrading>> {
    if proposal.terms.kind != kind::UPGRADE {
        return Ok(None);
    }
    let address = address::proposal(&exchange.address, proposal.id);
    let found = chain.all::<Upgrade>(offset_of!(Upgrade, proposal), address.as_ref()).await?;
    match found.first() {
        Some((_, upgrade)) => Ok(Some(upgrading(chain, exchange, upgrade, proposal).await?)),
        None => Ok(None),
    }
}

/// In words.
pub(super) fn explained(upgrade: &Upgrading) -> String {
    let mut lines = vec![format!("announced: digest {}, {} bytes", upgrade.digest, upgrade.length)];
    match &upgrade.there {
        None => lines.push(format!("buffer {}: gone", upgrade.buffer)),
        Some(there) => {
            let found = if upgrade.matches { "what was announced" } else { "NOT what was announced" };
            lines.push(format!("buffer {} holds {found}, as read just now:", upgrade.buffer));
            lines.push(format!("  digest {}", there.digest));
            lines.push(format!("  sha256 {}", there.sha256));
            lines.push("  compare with a build of your own: `sha256sum`, `ballast govern upgrade hash`".to_owned());
            if !upgrade.buffer_is_the_timelocks {
                lines.push("  it is NOT in the timelock's hands".to_owned());
            }
        }
    }
    lines.push(match upgrade.verified {
        true => "verified on chain".to_owned(),
        false => format!("hashed on chain: {} bytes; `ballast govern upgrade verify` goes on", upgrade.hashed),
    });
    lines.join("\n")
}

async fn status(chain: &Chain, exchange: &ExchangeAccount) -> Result<Status> {
    let timelock = address::timelock(&exchange.address);
    let data = chain.account(&address::program_data()).await?.context("the program has no data account")?.data;
    let authority = loader::upgrade_authority_in(&data);
    let code = data.get(loader::PROGRAM_DATA_HEADER..).unwrap_or_default();
    let now = chain.now().await?;
    let mut proposed = Vec::new();
    let at = offset_of!(Upgrade, exchange);
    for (_, upgrade) in chain.all::<Upgrade>(at, exchange.address.as_ref()).await? {
        let proposal = chain.read::<Proposal>(&ix::pubkey(&upgrade.proposal)).await?;
        let (terms, context) = (&proposal.terms, exchange.state.governance());
        let time = |at: ballast_engine::Result<i64>| at.map_err(|fault| anyhow::anyhow!("{fault:?}"));
        proposed.push(Line {
            proposal: proposal.id,
            state: match terms.state {
                state::PENDING => "pending",
                state::EXECUTED => "executed",
                state::VETOED => "vetoed",
                state::REFUSED => "refused",
                _ => "expired",
            },
            ready_at: time(terms.ready_at(&context.holds(), &now))?,
            dead_at: time(terms.dead_at(context.emergency, &now))?,
            vetoer: Pubkey::new_from_array(terms.vetoer.0).to_string(),
            upgrade: upgrading(chain, exchange, &upgrade, &proposal).await?,
        });
    }
    proposed.sort_by_key(|line| line.proposal);
    Ok(Status {
        upgrade_authority: authority.map_or_else(|| "none: the program is final".to_owned(), |key| key.to_string()),
        timelock: timelock.to_string(),
        timelock_is_in_charge: authority == Some(timelock),
        upgrades: exchange.state.upgrades,
        program: Hashes::of(&code[..end_of(code)]),
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
        "upgrade authority {}\n  {charge}\ntimelock {}\nupgrades so far {}\nthe program's file:\n{}\nroom {} bytes\n",
        status.upgrade_authority,
        status.timelock,
        status.upgrades,
        status.program.text(),
        status.room
    );
    if status.proposed.is_empty() {
        return head + "no upgrade is proposed";
    }
    let rows = status.proposed.iter().map(|l| {
        let upgrade = &l.upgrade;
        let there = match (&upgrade.there, upgrade.buffer_is_the_timelocks, upgrade.matches) {
            (None, ..) => "gone",
            (_, false, _) => "NOT the timelock's",
            (_, _, false) => "NOT what was announced",
            _ => "as announced",
        };
        let verified = match (upgrade.verified, upgrade.hashed) {
            (true, _) => "yes".to_owned(),
            (false, hashed) => format!("{hashed} bytes"),
        };
        vec![
            l.proposal.to_string(),
            l.state.to_owned(),
            upgrade.buffer.clone(),
            upgrade.digest.clone(),
            upgrade.length.to_string(),
            l.ready_at.to_string(),
            verified,
            there.to_owned(),
        ]
    });
    let header = ["id", "state", "buffer", "digest", "bytes", "from (Unix)", "verified", "buffer is"];
    head + &table(&header, &[0, 4], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_ends_in_zeros_is_told_from_the_zeros_behind_it() {
        // One segment from 64 on, of 40 bytes, the last four of them zero; no table of sections.
        let mut file = vec![0; 120];
        file[..4].copy_from_slice(b"\x7fELF");
        file[32] = 120 - 56; // its table, at the end of the header
        file[54] = 56;
        file[56] = 1;
        file[64 + 8] = 64;
        file[64 + 32] = 56;
        file[115] = 1;
        let room = [file.clone(), vec![0; 500]].concat();
        assert_eq!(end_of(&file), 120);
        assert_eq!(end_of(&room), 120);
        // Headers that make no sense do not cut anything off.
        let mut wrong = room.clone();
        wrong[64 + 32] = 10;
        assert_eq!(end_of(&wrong), 116);
        wrong[64 + 36] = 255;
        assert_eq!(end_of(&wrong), 116);
        assert_eq!(end_of(&[1, 0, 2, 0, 0]), 3);
        assert_eq!(end_of(&[]), 0);
    }
}

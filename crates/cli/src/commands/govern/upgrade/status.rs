//! `ballast govern upgrade status`: who may upgrade the program, what is proposed, and what is there, read from chain alone.

use core::mem::offset_of;

use anyhow::{Context, Result};
use ballast::state::{Proposal, Upgrade};
use ballast_client::{address, instructions as ix, loader};
use ballast_engine::governance::kind;
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::file::{Hashes, end_of};
use crate::chain::{Chain, ExchangeAccount};
use crate::commands::govern::list;
use crate::output::{hex, table};

/// A proposed upgrade: what was announced, and what is there.
#[derive(Serialize)]
pub(in crate::commands::govern) struct Upgrading {
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

/// Who may upgrade the program, and what is proposed.
#[derive(Serialize)]
pub(super) struct Status {
    upgrade_authority: String,
    timelock: String,
    timelock_is_in_charge: bool,
    upgrades: u64,
    /// The file, without the zeros that fill its account.
    program: Hashes,
    room: usize,
    proposed: Vec<Line>,
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
pub(in crate::commands::govern) async fn of_proposal(
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
pub(in crate::commands::govern) fn explained(upgrade: &Upgrading) -> String {
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

/// Read from chain alone.
pub(super) async fn status(chain: &Chain, exchange: &ExchangeAccount) -> Result<Status> {
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
        let dead_at = time(terms.dead_at(context.emergency, &now))?;
        proposed.push(Line {
            proposal: proposal.id,
            state: list::state_of(terms, list::is_powerless(terms, &exchange.state), dead_at, now.unix),
            ready_at: time(terms.ready_at(&context.holds(), &now))?,
            dead_at,
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

/// In words.
pub(super) fn text(status: &Status) -> String {
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

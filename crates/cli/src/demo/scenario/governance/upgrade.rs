//! The program upgrades itself behind the same timelock.

use anyhow::{Context, Result};
use ballast::state::Upgrade;
use ballast_client::{address, instructions as ix, loader};
use ballast_engine::Error;
use indicatif::ProgressBar;
use solana_signer::Signer;

use super::super::super::stage::Stage;
use super::{Part, eta, exchange};
use crate::amount::span;
use crate::commands::govern::upgrade::{verify, write};
use crate::desk::Expect;
use crate::{keys, programs};

/// A word of the program's log, and what the next version says instead: the same program but for that.
const SAID: (&str, &str) = ("Instruction: UpdateMarket", "Instruction: UpdateMark_2");

fn next_program() -> Result<Vec<u8>> {
    let mut code = programs::code()?;
    let (old, new) = (SAID.0.as_bytes(), SAID.1.as_bytes());
    let at = code.windows(old.len()).position(|window| window == old).context("the program does not say its name")?;
    code.get_mut(at..at + new.len()).context("in range")?.copy_from_slice(new);
    Ok(code)
}

/// Seven days after it was announced, and not a second earlier.
pub(super) async fn play(stage: &mut Stage, part: &mut Part, bar: &ProgressBar) -> Result<()> {
    let (venue, governance) = (&stage.venue, keys::local(keys::GOVERNANCE));
    let (key, timelock) = (governance.pubkey(), address::timelock(&venue.exchange));
    let authority = keys::local(keys::UPGRADE);
    let hand_over = ix::take_upgrade_authority(&authority.pubkey(), &venue.exchange);
    let _ = venue.desk.send("hand the upgrade authority over", &[hand_over], &authority, &[], Expect::Done).await;
    part.tell("the program's upgrade authority goes to the exchange's timelock, for good".to_owned());

    bar.set_message("the next program is written into a buffer");
    let code = next_program()?;
    let buffer = write(&venue.desk.chain, &governance, &code, &timelock).await?;
    let state = exchange(stage).await?;
    let args = ix::UpgradeArgs {
        digest: loader::digest(&code),
        version: state.upgrades_so_far().map_err(|fault| anyhow::anyhow!("{fault:?}"))?,
        last_slot: venue.net.clock().await?.slot + 1_000,
        rationale: [0; 32],
    };
    let id = state.next_proposal;
    let queue = ix::queue_upgrade(&key, &key, &venue.exchange, id, &buffer, &key, args);
    let outcome = venue.desk.send("queue an upgrade", &[queue], &governance, &[], Expect::Done).await;
    part.governance.queued += u64::from(outcome.is_done());
    let at = eta(stage, id).await?.terms;

    let keeper = stage.anyone.clone();
    let upgrade = *venue.desk.chain.read::<Upgrade>(&address::upgrade(&buffer)).await?;
    let execute = ix::execute_upgrade(&keeper.pubkey(), &upgrade);
    let early = Expect::Refused(&[Error::ProposalNotReady]);
    part.count(&venue.desk.send("upgrade too early", std::slice::from_ref(&execute), &keeper, &[], early).await);
    bar.set_message("a week passes: the program upgrades itself");
    venue.wait_until(at.eta + 1).await?;
    let blind = Expect::Refused(&[Error::UpgradeNotVerified]);
    part.count(&venue.desk.send("upgrade unverified", std::slice::from_ref(&execute), &keeper, &[], blind).await);
    verify(true, &venue.desk.chain, &keeper, &buffer).await?;
    let outcome = venue.desk.send("upgrade", &[execute], &keeper, &[], Expect::Done).await;
    part.governance.executed += u64::from(outcome.is_done());
    part.governance.upgrades += u64::from(outcome.is_done());
    venue.wait(2).await?;
    let data = venue.desk.chain.account(&address::program_data()).await?.context("no program data")?.data;
    let there = data.get(loader::PROGRAM_DATA_HEADER..).and_then(|rest| rest.get(..code.len()));
    if there != Some(&code[..]) || loader::upgrade_authority_in(&data) != Some(timelock) {
        let _ = venue.desk.tally().fail("the program is not the one that was announced".to_owned());
    }
    let close = ix::close_upgrade(&upgrade, &key);
    let _ = venue.desk.send("close the upgrade", &[close], &keeper, &[], Expect::Done).await;
    part.tell(format!(
        "an upgrade of {} bytes waits {}; then anybody has the program upgrade itself, and trading goes on",
        code.len(),
        span(venue.net.clock().await?.unix - at.queued_at)
    ));
    stage.rewarm().await
}

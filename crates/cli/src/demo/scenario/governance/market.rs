//! A market's oracle is replaced, and the market comes to its end: reduce-only both times, and nobody is kept in.

use anyhow::{Context, Result};
use ballast::instructions::governance::{QueueOracleFeedArgs, QueueWindDownArgs};
use ballast::state::Market;
use ballast_client::instructions;
use ballast_engine::Error;
use ballast_engine::constants::WARM_UP;
use indicatif::ProgressBar;
use solana_signer::Signer;

use super::super::super::actors::Action;
use super::super::super::stage::Stage;
use super::{Part, eta, exchange, increase};
use crate::amount::span;
use crate::desk::{Expect, Outcome};
use crate::keys;
use crate::venue::feed_id;

/// The market that both happen to.
const CHANGED: u16 = 1;

async fn changed(stage: &Stage) -> Result<Market> {
    Ok(*stage.venue.desk.chain.read::<Market>(&stage.venue.listing(CHANGED)?.market).await?)
}

/// An increase that must be refused; true if it was tried.
async fn refused(stage: &mut Stage, part: &mut Part, what: &'static str) -> Result<bool> {
    let tried = increase(stage, CHANGED, what, Expect::Refused(&[Error::MarketReduceOnly])).await?;
    tried.iter().for_each(|outcome| part.count(outcome));
    Ok(tried.is_some())
}

/// Somebody who holds a position there reduces it by half; true if it went through.
async fn reduce(stage: &mut Stage) -> Result<bool> {
    let snapshot = stage.snapshot().await?;
    for (number, account) in snapshot.accounts.iter().enumerate() {
        let held = account.state.slots().find(|(_, p)| p.market == CHANGED && p.is_open());
        let Some((_, position)) = held else { continue };
        let action = Action::Reduce { market: CHANGED, size: position.base().0.div_ceil(2) };
        let job = stage.job(number, account, action);
        if stage.venue.desk.send_all(vec![job]).await.iter().any(Outcome::is_done) {
            return Ok(true);
        }
    }
    Ok(false)
}

const fn done(is: bool, word: &'static str) -> &'static str {
    if is { word } else { "none tried" }
}

async fn execute(stage: &Stage, what: &str, id: u64, expect: Expect<'_>) -> Outcome {
    let anyone = &stage.anyone;
    let execute = instructions::execute_market_proposal(&anyone.pubkey(), &stage.venue.exchange, CHANGED, id);
    stage.venue.desk.send(what, &[execute], anyone, &[], expect).await
}

/// Waits for a proposal, shows that it cannot be executed a moment earlier, and has it executed.
async fn take_effect(stage: &mut Stage, part: &mut Part, id: u64, what: &'static str) -> Result<i64> {
    let terms = eta(stage, id).await?.terms;
    let early = Expect::Refused(&[Error::ProposalNotReady]);
    part.count(&execute(stage, what, id, early).await);
    stage.venue.wait_until(terms.eta + 1).await?;
    let outcome = execute(stage, what, id, Expect::Done).await;
    part.governance.executed += u64::from(outcome.is_done());
    Ok(stage.venue.net.clock().await?.unix - terms.queued_at)
}

/// Another feed for a market: seven days in which nobody opens a position under a price that is about to be replaced.
pub(super) async fn oracle(stage: &mut Stage, part: &mut Part, bar: &ProgressBar) -> Result<()> {
    bar.set_message("another oracle is announced");
    let governance = keys::local(keys::GOVERNANCE);
    let (key, new_feed) = (governance.pubkey(), feed_id("another feed"));
    stage.venue.create_feed(new_feed).await?;
    let id = exchange(stage).await?.next_proposal;
    let args = QueueOracleFeedArgs {
        new_feed,
        program: 0,
        version: u32::try_from(changed(stage).await?.feed_version)?,
        last_slot: stage.venue.net.clock().await?.slot + 1_000,
        rationale: [0; 32],
    };
    let queue = instructions::queue_oracle_feed(&key, &key, &stage.venue.exchange, CHANGED, id, args);
    let outcome = stage.venue.desk.send("queue another oracle", &[queue], &governance, &[], Expect::Done).await;
    part.governance.queued += u64::from(outcome.is_done());
    let tried = refused(stage, part, "increase under an oracle that goes").await?;
    stage.rewarm().await?;
    let reduced = reduce(stage).await?;
    bar.set_message("a week passes: another oracle takes over");
    let waited = take_effect(stage, part, id, "execute the change of the oracle").await?;
    let feed = stage.venue.feed(&new_feed);
    let listing = stage.venue.listings.get_mut(usize::from(CHANGED)).context("no second market")?;
    (listing.feed_id, listing.feed) = (new_feed, feed);
    // Its first prices are not confirmed yet.
    for _ in 0..2 {
        stage.rewarm().await?;
        stage.venue.wait(WARM_UP).await?;
    }
    stage.rewarm().await?;
    if changed(stage).await?.feed_id.0 != new_feed {
        let _ = stage.venue.desk.tally().fail("the market has its old oracle".to_owned());
    }
    let opened = increase(stage, CHANGED, "increase under the new oracle", Expect::Done).await?;
    part.tell(format!(
        "another oracle for the second market waits {}, in reduce-only from the announcement on: an increase {}, a reduction {}, an increase afterwards {}",
        span(waited),
        done(tried, "refused"),
        done(reduced, "done"),
        done(opened.is_some_and(|outcome| outcome.is_done()), "done")
    ));
    Ok(())
}

/// A market's end: reduce-only for good; everybody can leave as at any time.
pub(super) async fn wind_down(stage: &mut Stage, part: &mut Part, bar: &ProgressBar) -> Result<()> {
    bar.set_message("a market's end is announced");
    let governance = keys::local(keys::GOVERNANCE);
    let key = governance.pubkey();
    let id = exchange(stage).await?.next_proposal;
    let args = QueueWindDownArgs {
        closing: true,
        version: u32::try_from(changed(stage).await?.state.governed.closing_version)?,
        last_slot: stage.venue.net.clock().await?.slot + 1_000,
        rationale: [0; 32],
    };
    let queue = instructions::queue_wind_down(&key, &key, &stage.venue.exchange, CHANGED, id, args);
    let outcome = stage.venue.desk.send("queue a market's end", &[queue], &governance, &[], Expect::Done).await;
    part.governance.queued += u64::from(outcome.is_done());
    let waited = take_effect(stage, part, id, "execute the market's end").await?;
    stage.rewarm().await?;
    let tried = refused(stage, part, "increase in a market that ends").await?;
    let reduced = reduce(stage).await?;
    if changed(stage).await?.state.governed.closing_since == 0 {
        let _ = stage.venue.desk.tally().fail("the market does not end".to_owned());
    }
    part.tell(format!(
        "the second market's end takes effect after {}: an increase {}, a reduction {}; after 30 days of notice anybody may settle what is open",
        span(waited),
        done(tried, "refused"),
        done(reduced, "done")
    ));
    Ok(())
}

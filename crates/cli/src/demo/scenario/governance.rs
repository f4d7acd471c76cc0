//! Governance: a committee tunes, a guardian vetoes, a margin raise spares open positions until its grace is over, pauses
//! expire by themselves, and what may not be is refused.

mod market;
mod upgrade;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use ballast::instructions::governance::{BatchAsk, QueueBatchArgs};
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast::state::{Exchange, Market, Proposal, Subaccount};
use ballast_client::events::Event;
use ballast_client::view::GraceView;
use ballast_client::{address, instructions, quotes};
use ballast_engine::Error;
use ballast_engine::constants::{EMERGENCY_LIFE, PROPOSAL_LIFE};
use ballast_engine::margin::Purpose;
use ballast_engine::params::MarketParams;
use indicatif::ProgressBar;
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::super::actors::Action;
use super::super::governance::{NEW_FEE, TUNED};
use super::super::proposals::{execute, queue};
use super::super::stage::Stage;
use crate::amount::{moment, percent, span};
use crate::desk::{Expect, Outcome};
use crate::{keys, tokens};

/// The raised margins, and what stood before.
const OLD_MARGIN: u64 = 30_000;
const MARGIN: u64 = 36_000;
const INITIAL: u64 = 60_000;
/// How long the market's pause lasts, seconds.
const PAUSE: i64 = 900;
/// The price falls by this much at a time until somebody stands between the old margin and the new one.
const FALL: f64 = 0.001;
/// At most so often.
const FALLS: usize = 60;
/// Room above the old margin, as a share of notional in millionths, that funding cannot eat while the grace runs out.
const ROOM: i64 = 2_500;

/// What governance did, by kind and by reason.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Counts {
    /// Proposals queued, batches among them.
    pub(crate) queued: u64,
    /// Vetoed by the guardian.
    pub(crate) vetoed: u64,
    /// Ended after their time to execute was over.
    pub(crate) expired: u64,
    /// Executed, batches among them.
    pub(crate) executed: u64,
    /// Batches executed.
    pub(crate) batches: u64,
    /// Program upgrades executed.
    pub(crate) upgrades: u64,
    /// Refused, by reason.
    pub(crate) refused: BTreeMap<&'static str, u64>,
}

/// A raise of the maintenance margin and its grace.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Grace {
    /// Its end, Unix seconds.
    pub(crate) until: i64,
    /// Positions that kept the old margin when it began.
    pub(crate) kept: usize,
    /// Accounts between the two margins, with some room.
    pub(crate) between: usize,
    /// Of those, flagged before its end.
    pub(crate) flagged_before: usize,
    /// Of those, flagged after it.
    pub(crate) flagged_after: usize,
}

/// Pauses that expired by themselves.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Pauses {
    /// Increases refused while a market was in reduce-only.
    pub(crate) increases_refused: u64,
    /// Withdrawals refused during the emergency.
    pub(crate) withdrawals_refused: u64,
    /// Withdrawals made after it had expired.
    pub(crate) withdrawals_after: u64,
    /// By how much it moved the ETA of a proposal that was pending, seconds.
    pub(crate) clock_stopped: i64,
}

/// The scenario's part of the report.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Part {
    governance: Counts,
    grace: Grace,
    pauses: Pauses,
    /// What happened, in order.
    story: Vec<String>,
}

impl Part {
    pub(crate) fn text(&self) -> String {
        let g = &self.governance;
        let refused: Vec<_> = g.refused.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        format!(
            "{}\ngovernance: {} queued, {} vetoed, {} expired, {} executed ({} batches, {} upgrades)\nrefused: {}",
            self.story.join("\n"),
            g.queued,
            g.vetoed,
            g.expired,
            g.executed,
            g.batches,
            g.upgrades,
            refused.join(", ")
        )
    }

    fn tell(&mut self, line: String) {
        self.story.push(format!("- {line}"));
    }

    fn count(&mut self, outcome: &Outcome) {
        if let Outcome::Refused(reason) = outcome {
            *self.governance.refused.entry(reason.name()).or_default() += 1;
        }
    }
}

/// What was queued at the start.
struct Queued {
    tuning: u64,
    raise: u64,
    forgotten: u64,
    at: i64,
}

/// Plays it.
pub(crate) async fn play(stage: &mut Stage, bar: &ProgressBar) -> Result<Part> {
    let mut part = Part::default();
    bar.set_message("governance queues");
    let queued = queue_all(stage, &mut part).await?;
    pause_market(stage, &mut part).await?;
    emergency(stage, &mut part, &queued, bar).await?;
    tuning(stage, &mut part, &queued, bar).await?;
    raise(stage, &mut part, &queued, bar).await?;
    forgotten(stage, &mut part, &queued, bar).await?;
    market::oracle(stage, &mut part, bar).await?;
    market::wind_down(stage, &mut part, bar).await?;
    // Last, for it waits a week itself.
    upgrade::play(stage, &mut part, bar).await?;
    Ok(part)
}

async fn eta(stage: &Stage, id: u64) -> Result<Proposal> {
    Ok(*stage.venue.desk.chain.read::<Proposal>(&address::proposal(&stage.venue.exchange, id)).await?)
}

async fn exchange(stage: &Stage) -> Result<Exchange> {
    Ok(*stage.venue.desk.chain.read::<Exchange>(&stage.venue.exchange).await?)
}

async fn tuned(stage: &Stage) -> Result<Market> {
    Ok(*stage.venue.desk.chain.read::<Market>(&stage.venue.listing(TUNED)?.market).await?)
}

/// Queues several parameters of the tuned market at once.
async fn queue_batch(
    stage: &Stage,
    what: &str,
    proposer: &Keypair,
    changes: &[(&str, u64)],
    expect: Expect<'_>,
) -> Result<(u64, Outcome)> {
    let (venue, market) = (&stage.venue, tuned(stage).await?);
    let mut asked = Vec::new();
    for (name, new_value) in changes {
        let parameter = MarketParams::id(name).with_context(|| format!("no parameter {name}"))?;
        let version = market.state.param_version.get(usize::from(parameter)).copied().unwrap_or_default();
        asked.push(BatchAsk { parameter, version, new_value: *new_value });
    }
    asked.sort_by_key(|ask| ask.parameter);
    let id = exchange(stage).await?.next_proposal;
    let last_slot = venue.net.clock().await?.slot + 1_000;
    let args = QueueBatchArgs { changes: asked, last_slot, rationale: [0; 32] };
    let key = proposer.pubkey();
    let queue = instructions::queue_market_batch(&key, &key, &venue.exchange, TUNED, id, args);
    Ok((id, venue.desk.send(what, &[queue], proposer, &[], expect).await))
}

async fn queue_all(stage: &mut Stage, part: &mut Part) -> Result<Queued> {
    let (committee, governance) = (keys::local(keys::COMMITTEE), keys::local(keys::GOVERNANCE));
    for (what, key, name, value, reason) in [
        ("queue out of bounds", &committee, "taker_fee", 6_000, Error::ParameterBounds),
        ("queue over the step", &committee, "taker_fee", 900, Error::ParameterStep),
        ("queue against the envelope", &governance, "maintenance_margin", 27_000, Error::EnvelopeBroken),
        ("committee queues a risk change", &committee, "maintenance_margin", 31_000, Error::NotProposer),
        // Alone it stands too near to initial margin; in a batch with that it does not.
        ("queue a margin raise alone", &governance, "maintenance_margin", MARGIN, Error::CrossCheckBroken),
    ] {
        let outcome = queue(stage, what, key, name, value, Expect::Refused(&[reason])).await?.1;
        part.count(&outcome);
    }
    let (tuning, outcome) = queue(stage, "queue a tuning", &committee, "taker_fee", NEW_FEE, Expect::Done).await?;
    part.governance.queued += u64::from(outcome.is_done());
    let early = execute(stage, "execute too early", tuning, Expect::Refused(&[Error::ProposalNotReady])).await;
    part.count(&early);
    part.tell("the committee queues a taker fee of 6 basis points instead of 5: 48 hours".to_owned());

    let (vetoed, outcome) =
        queue(stage, "queue a raise to be vetoed", &governance, "insurance_fee_max", 5_500, Expect::Done).await?;
    part.governance.queued += u64::from(outcome.is_done());
    let guardian = keys::local(keys::GUARDIAN);
    let veto = instructions::veto_proposal(&guardian.pubkey(), &stage.venue.exchange, None, vetoed);
    let outcome = stage.venue.desk.send("veto", &[veto], &guardian, &[], Expect::Done).await;
    part.governance.vetoed += u64::from(outcome.is_done());
    let dead = execute(stage, "execute a vetoed raise", vetoed, Expect::Refused(&[Error::ProposalClosed])).await;
    part.count(&dead);
    part.tell("governance queues a higher liquidation fee; the guardian vetoes it, for good".to_owned());

    let changes = [("maintenance_margin", MARGIN), ("initial_margin", INITIAL)];
    let refused = Expect::Refused(&[Error::NotProposer]);
    part.count(&queue_batch(stage, "committee queues a risk batch", &committee, &changes, refused).await?.1);
    let (raise, outcome) = queue_batch(stage, "queue a batch", &governance, &changes, Expect::Done).await?;
    part.governance.queued += u64::from(outcome.is_done());
    part.tell(
        "governance queues maintenance and initial margin up together, 3.0 to 3.6 % and 5 to 6 %: 72 hours".into(),
    );

    let (forgotten, outcome) =
        queue(stage, "queue what nobody executes", &committee, "order_fee", 21_000, Expect::Done).await?;
    part.governance.queued += u64::from(outcome.is_done());
    let at = eta(stage, tuning).await?.terms.queued_at;
    Ok(Queued { tuning, raise, forgotten, at })
}

/// The guardian holds increases back for a quarter of an hour.
async fn pause_market(stage: &mut Stage, part: &mut Part) -> Result<()> {
    let guardian = keys::local(keys::GUARDIAN);
    let args = ProtectMarketArgs { reduce_only_seconds: PAUSE, cap: 0, cap_seconds: 0 };
    let arm = instructions::protect_market(&guardian.pubkey(), &stage.venue.exchange, TUNED, args);
    let _ = stage.venue.desk.send("pause a market", &[arm], &guardian, &[], Expect::Done).await;
    let tried =
        increase(stage, TUNED, "increase during the pause", Expect::Refused(&[Error::MarketReduceOnly])).await?;
    part.pauses.increases_refused += u64::from(matches!(tried, Some(Outcome::Refused(_))));
    tried.iter().for_each(|outcome| part.count(outcome));
    stage.venue.wait(PAUSE + 1).await?;
    stage.rewarm().await?;
    let after = increase(stage, TUNED, "increase after the pause", Expect::Done).await?;
    let done = after.is_some_and(|outcome| outcome.is_done());
    part.tell(format!(
        "the guardian's reduce-only expires by itself; an increase then: {}",
        if done { "done" } else { "none tried" }
    ));
    Ok(())
}

/// Places an order of one trader who is flat or trades the market, if there is one who can.
async fn increase(
    stage: &mut Stage,
    market: u16,
    what: &'static str,
    expect: Expect<'static>,
) -> Result<Option<Outcome>> {
    let snapshot = stage.snapshot().await?;
    for number in 0..stage.traders.len() {
        let (trader, account) = (&stage.traders[number], &snapshot.accounts[number]);
        if trader.order.is_some() || !trader.markets.contains(&market) || account.state.find(market).is_some() {
            continue;
        }
        // While increases are refused, the most that is allowed is nothing: then one whole unit is tried.
        let unit = 10_i64.pow(u32::from(stage.venue.listing(market)?.scale.base));
        let whole = Action::Order { market, size: unit, reduce_only: false };
        let action = match expect {
            Expect::Refused(_) => Some(whole),
            _ => trader.open(market, account, &snapshot.markets, &snapshot.now),
        };
        let Some(action) = action else { continue };
        let mut job = stage.job(number, account, action);
        (job.what, job.expect) = (what, expect);
        let outcome = stage.venue.desk.send_all(vec![job]).await.pop();
        if let Some(Outcome::Done(events)) = &outcome {
            stage.note_order(number, market, events);
            stage.rewarm().await?;
        }
        return Ok(outcome);
    }
    Ok(None)
}

/// A withdrawal of one unit by somebody who can.
async fn withdraw(stage: &Stage, what: &str, expect: Expect<'_>) -> Result<Outcome> {
    let unit = 10_u64.pow(u32::from(stage.venue.decimals));
    let snapshot = stage.snapshot().await?;
    let free = |account: &Subaccount| {
        let totals = quotes::totals(account, &snapshot.markets, Purpose::Withdrawal, &snapshot.now);
        totals.is_ok_and(|t| t.surplus().is_ok_and(|s| s.0 > 100 * unit as i64))
    };
    let number = snapshot.accounts.iter().position(free).context("nobody has free collateral")?;
    let (trader, account) = (&stage.traders[number], &snapshot.accounts[number]);
    let owner = trader.key.pubkey();
    let purse = tokens::associated(&owner, &stage.venue.mint);
    let legs = instructions::leg_metas(account, None, false);
    let take = instructions::withdraw(&stage.venue.exchange, &owner, &trader.subaccount, &purse, unit, &legs);
    Ok(stage.venue.desk.send(what, &[take], &trader.key, &[], expect).await)
}

/// Twelve hours in which nobody can withdraw, and the clocks of what could hurt stand still.
async fn emergency(stage: &mut Stage, part: &mut Part, queued: &Queued, bar: &ProgressBar) -> Result<()> {
    let guardian = keys::local(keys::GUARDIAN);
    let pause = instructions::emergency_pause(&guardian.pubkey(), &stage.venue.exchange, EMERGENCY_LIFE);
    let _ = stage.venue.desk.send("emergency pause", std::slice::from_ref(&pause), &guardian, &[], Expect::Done).await;
    let again = Expect::Refused(&[Error::PauseNotArmed]);
    part.count(&stage.venue.desk.send("a second one", &[pause], &guardian, &[], again).await);
    let refused = withdraw(stage, "withdraw during the emergency", Expect::Refused(&[Error::Paused])).await?;
    part.pauses.withdrawals_refused += u64::from(matches!(refused, Outcome::Refused(_)));
    part.count(&refused);
    bar.set_message("twelve hours pass: the emergency expires");
    let until = exchange(stage).await?.emergency.until;
    stage.venue.wait_until(until + 1).await?;
    stage.rewarm().await?;
    let after = withdraw(stage, "withdraw after the emergency", Expect::Done).await?;
    part.pauses.withdrawals_after += u64::from(after.is_done());
    let now = stage.snapshot().await?.now;
    let (proposal, state, market) = (eta(stage, queued.tuning).await?, exchange(stage).await?, tuned(stage).await?);
    let ready = proposal.terms.ready_at(&state.governance().holds_of(&market.state), &now);
    part.pauses.clock_stopped = ready.unwrap_or(proposal.terms.eta) - proposal.terms.eta;
    part.tell(format!(
        "the guardian's emergency holds withdrawals back for 12 hours and expires; the tuning now waits {} longer",
        span(part.pauses.clock_stopped)
    ));
    Ok(())
}

async fn tuning(stage: &mut Stage, part: &mut Part, queued: &Queued, bar: &ProgressBar) -> Result<()> {
    bar.set_message("two days pass: the tuning takes effect");
    let proposal = eta(stage, queued.tuning).await?;
    stage.venue.wait_until(proposal.terms.eta).await?;
    let early = Expect::Refused(&[Error::ProposalNotReady]);
    part.count(&execute(stage, "execute while its clock is behind", queued.tuning, early).await);
    stage.venue.wait_until(proposal.terms.eta + part.pauses.clock_stopped + 1).await?;
    let outcome = execute(stage, "execute the tuning", queued.tuning, Expect::Done).await;
    part.governance.executed += u64::from(outcome.is_done());
    let fee = tuned(stage).await?.state.params.taker_fee.0;
    if fee != NEW_FEE {
        let _ = stage.venue.desk.tally().fail(format!("the taker fee is {fee}, not {NEW_FEE}"));
    }
    part.tell(format!("after {} anybody executes the tuning", span(stage.venue.net.clock().await?.unix - queued.at)));
    Ok(())
}

/// Accounts of the tuned market that stand between the two margins, by their place.
async fn between(stage: &Stage) -> Result<Vec<usize>> {
    let snapshot = stage.snapshot().await?;
    let market = snapshot.markets.get(TUNED).context("no market")?;
    let mut found = Vec::new();
    for (number, account) in snapshot.accounts.iter().enumerate() {
        let held = account.state.slots().find(|(_, p)| p.market == TUNED && p.is_open());
        let Some((_, position)) = held else { continue };
        if GraceView::of(position, &market.state, &snapshot.now).is_none() {
            continue;
        }
        let Ok(totals) = quotes::totals(account, &snapshot.markets, Purpose::Maintenance, &snapshot.now) else {
            continue;
        };
        let surplus = totals.surplus().map_or(0, |s| s.0);
        let notional = position.base().value(market.state.price.last.price, ballast_engine::Rounding::Up);
        let notional = i64::try_from(notional.map_or(0, |n| n.0)).unwrap_or(i64::MAX);
        let share =
            |millionths: i64| i64::try_from(i128::from(notional) * i128::from(millionths) / 1_000_000).unwrap_or(0);
        let gap = i64::try_from(MARGIN - OLD_MARGIN).unwrap_or(0);
        if surplus > share(ROOM) && surplus < share(gap) {
            found.push(number);
        }
    }
    Ok(found)
}

fn flagged(events: &[Event], accounts: &[anchor_lang::prelude::Pubkey], from: usize) -> usize {
    let hit = |key| events.iter().skip(from).any(|e| matches!(e, Event::Flagged(flag) if flag.subaccount == key));
    accounts.iter().filter(|key| hit(**key)).count()
}

/// The margin raise: older positions keep their margin until the grace is over, to the minute.
async fn raise(stage: &mut Stage, part: &mut Part, queued: &Queued, bar: &ProgressBar) -> Result<()> {
    bar.set_message("a day passes: the margin raise takes effect");
    let proposal = eta(stage, queued.raise).await?;
    stage.venue.wait_until(proposal.terms.eta + part.pauses.clock_stopped + 1).await?;
    stage.rewarm().await?;
    let outcome = execute(stage, "execute the margin raise", queued.raise, Expect::Done).await;
    part.governance.executed += u64::from(outcome.is_done());
    part.governance.batches += u64::from(outcome.is_done());
    let snapshot = stage.snapshot().await?;
    let market = snapshot.markets.get(TUNED).context("no market")?;
    part.grace.until = market.state.grace_until;
    let graced = snapshot.accounts.iter().flat_map(|a| a.state.slots().map(|(_, p)| *p).collect::<Vec<_>>());
    let graced: Vec<_> =
        graced.filter(|p| p.market == TUNED).filter_map(|p| GraceView::of(&p, &market.state, &snapshot.now)).collect();
    part.grace.kept = graced.len();
    part.tell(format!(
        "the margin raise takes effect: {} open positions keep {} until {}, then {}",
        graced.len(),
        percent(OLD_MARGIN),
        moment(part.grace.until),
        percent(MARGIN)
    ));
    let governance = keys::local(keys::GOVERNANCE);
    let second = queue(stage, "queue a second raise", &governance, "maintenance_margin", 37_000, Expect::Done).await?;
    part.governance.queued += u64::from(second.1.is_done());

    // The price drifts until somebody stands between the margins.
    let mut price = stage.last[0];
    let mut caught = between(stage).await?;
    for _ in 0..FALLS {
        if !caught.is_empty() {
            break;
        }
        price *= 1.0 - FALL;
        stage.venue.wait(20).await?;
        stage.post(price).await?;
        caught = between(stage).await?;
    }
    part.grace.between = caught.len();
    let keys: Vec<_> = caught.iter().map(|number| stage.traders[*number].subaccount).collect();
    let seen = stage.venue.desk.tally().events.len();
    bar.set_message("three days pass: the grace runs out");
    stage.venue.wait_until(part.grace.until - 60).await?;
    stage.rewarm().await?;
    part.grace.flagged_before = flagged(&stage.venue.desk.tally().events, &keys, seen);
    let seen = stage.venue.desk.tally().events.len();
    stage.venue.wait_until(part.grace.until + 1).await?;
    stage.rewarm().await?;
    part.grace.flagged_after = flagged(&stage.venue.desk.tally().events, &keys, seen);
    part.tell(format!(
        "{} accounts stood between the margins: {} were flagged within the grace, {} after its end",
        part.grace.between, part.grace.flagged_before, part.grace.flagged_after
    ));
    if part.grace.flagged_before > 0 || (part.grace.between > 0 && part.grace.flagged_after == 0) {
        let _ = stage.venue.desk.tally().fail(format!("the grace did not hold: {:?}", part.grace));
    }
    Ok(())
}

/// What nobody executed is dead after its seven days.
async fn forgotten(stage: &mut Stage, part: &mut Part, queued: &Queued, bar: &ProgressBar) -> Result<()> {
    bar.set_message("a week passes: what nobody executed is dead");
    let proposal = eta(stage, queued.forgotten).await?;
    let keeper = stage.anyone.clone();
    let expire: Instruction =
        instructions::expire_proposal(&keeper.pubkey(), &stage.venue.exchange, None, queued.forgotten);
    let early = Expect::Refused(&[Error::ProposalNotExpired]);
    part.count(&stage.venue.desk.send("expire too early", std::slice::from_ref(&expire), &keeper, &[], early).await);
    let dead = proposal.terms.eta + PROPOSAL_LIFE + part.pauses.clock_stopped;
    stage.venue.wait_until(dead + 1).await?;
    let late = Expect::Refused(&[Error::ProposalExpired]);
    part.count(&execute(stage, "execute too late", queued.forgotten, late).await);
    let outcome = stage.venue.desk.send("expire", &[expire], &keeper, &[], Expect::Done).await;
    part.governance.expired += u64::from(outcome.is_done());
    stage.rewarm().await?;
    part.tell("what nobody executed is dead seven days after its ETA, and anybody clears it away".to_owned());
    Ok(())
}

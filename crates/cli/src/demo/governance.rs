//! What governance and the guardian do while the minutes go by: a change is queued, what may not be is refused, a pause
//! is armed and expires, and when the delay is over the change takes effect.

use anyhow::{Context, Result};
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast::state::{Market, Proposal};
use ballast_client::events::Event;
use ballast_client::{address, instructions};
use ballast_engine::Error;
use ballast_localnet::Kind;
use indicatif::ProgressBar;
use serde::Serialize;
use solana_signer::Signer;

use super::actors::{Action, Trader};
use super::proposals::{execute, pay_new_fee, queue};
use super::replay::Hiccup;
use super::stage::Stage;
use crate::desk::{Expect, Outcome};
use crate::migrate::provider;
use crate::{keys, tokens};

/// The market that governance tunes.
pub(super) const TUNED: u16 = 0;
/// The market that the guardian pauses.
const PAUSED: u16 = 1;
/// The taker fee that the committee asks for: 6 basis points instead of 5.
pub(super) const NEW_FEE: u64 = 600;
/// Beyond the hard maximum.
const FEE_OUT_OF_BOUNDS: u64 = 6_000;
/// More than the largest step.
const FEE_OVER_STEP: u64 = 900;
/// Within bounds and step, but less than what a liquidation may cost (section 7's sum).
const THIN_MARGIN: u64 = 27_000;
/// How long the guardian's pause lasts, seconds.
const PAUSE: i64 = 900;
/// The same in real time.
const SHORT_PAUSE: i64 = 20;
/// Share of its shares that a provider takes out, one in so many.
const EXIT_SHARE: u64 = 10;

/// What governance has done and what was refused to it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Governance {
    /// Proposals queued.
    pub(crate) queued: u64,
    /// Proposals executed.
    pub(crate) executed: u64,
    /// Proposals queued and executed before, to open the markets.
    pub(crate) opening: u64,
    /// Fills that paid the changed fee.
    pub(crate) new_fee_paid: u64,
    /// Proposals vetoed by the guardian.
    pub(crate) vetoed: u64,
    /// Executions refused because the delay was not over.
    pub(crate) early_refused: u64,
    /// Changes refused for their hard bounds.
    pub(crate) bounds_refused: u64,
    /// Changes refused for their size.
    pub(crate) step_refused: u64,
    /// Changes refused for the solvency envelope.
    pub(crate) envelope_refused: u64,
    /// Changes refused because the proposer may not make them.
    pub(crate) right_refused: u64,
    /// Executions of a vetoed proposal refused.
    pub(crate) vetoed_refused: u64,
}

/// The guardian's pause.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Pause {
    /// Pauses armed.
    pub(crate) armed: u64,
    /// Increases refused while it lasted.
    pub(crate) increases_refused: u64,
    /// Reductions accepted while it lasted.
    pub(crate) reductions_accepted: u64,
    /// Increases accepted after it had expired by itself.
    pub(crate) increases_after: u64,
}

/// The plot, by minute.
pub(crate) struct Story {
    queue_at: usize,
    pause_at: usize,
    exit_at: usize,
    real_time: bool,
    /// The exit that was filed, by when it is ripe.
    exit_ripe_at: Option<i64>,
    /// The good proposal with its ETA.
    proposal: Option<(u64, i64)>,
    paused_until: Option<i64>,
    /// Counts.
    pub(crate) governance: Governance,
    /// Counts.
    pub(crate) pause: Pause,
    /// The wrong print.
    pub(crate) hiccup: Option<Hiccup>,
    /// Paid out to a provider after the cool-down.
    pub(crate) liquidity_exit: Option<u64>,
    /// What was left out, and why.
    pub(crate) left_out: Vec<String>,
}

impl Story {
    /// The plot for so many minutes.
    pub(crate) fn new(kind: Kind, minutes: usize) -> Self {
        Self {
            exit_at: minutes / 10,
            queue_at: minutes / 5,
            pause_at: minutes / 4,
            real_time: kind == Kind::Agave,
            exit_ripe_at: None,
            proposal: None,
            paused_until: None,
            governance: Governance::default(),
            pause: Pause::default(),
            hiccup: None,
            liquidity_exit: None,
            left_out: Vec::new(),
        }
    }

    /// No plot at all: traders trade.
    pub(crate) fn quiet() -> Self {
        let never = usize::MAX;
        Self { exit_at: never, queue_at: never, pause_at: never, ..Self::new(Kind::Surfpool, 0) }
    }

    /// What happens after a minute.
    pub(crate) async fn at(&mut self, stage: &mut Stage, minute: usize) -> Result<()> {
        if minute == self.exit_at && !self.real_time {
            self.file_exit(stage).await?;
        }
        if minute == self.queue_at {
            self.queue(stage).await?;
        }
        if minute == self.pause_at {
            self.arm_pause(stage).await?;
        }
        let now = stage.venue.net.clock().await?.unix;
        if self.paused_until.is_some_and(|until| now >= until) {
            self.after_pause(stage).await?;
        }
        if self.exit_ripe_at.is_some_and(|ripe| now > ripe) {
            self.exit(stage).await?;
        }
        if self.proposal.is_some_and(|(_, eta)| now >= eta) {
            self.take_effect(stage).await?;
        }
        Ok(())
    }

    async fn queue(&mut self, stage: &mut Stage) -> Result<()> {
        let (committee, governance) = (keys::local(keys::COMMITTEE), keys::local(keys::GOVERNANCE));
        let count = |outcome: Outcome| u64::from(matches!(outcome, Outcome::Refused(_)));
        let refused = Expect::Refused;
        let bounds = refused(&[Error::ParameterBounds]);
        let outcome = queue(stage, "queue out of bounds", &committee, "taker_fee", FEE_OUT_OF_BOUNDS, bounds).await?;
        self.governance.bounds_refused += count(outcome.1);
        let step = refused(&[Error::ParameterStep]);
        let outcome = queue(stage, "queue over the step", &committee, "taker_fee", FEE_OVER_STEP, step).await?;
        self.governance.step_refused += count(outcome.1);
        let envelope = refused(&[Error::EnvelopeBroken]);
        let what = "queue against the envelope";
        let outcome = queue(stage, what, &governance, "maintenance_margin", THIN_MARGIN, envelope).await?;
        self.governance.envelope_refused += count(outcome.1);
        let right = refused(&[Error::NotProposer]);
        let what = "committee queues a risk change";
        let outcome = queue(stage, what, &committee, "maintenance_margin", 31_000, right).await?;
        self.governance.right_refused += count(outcome.1);

        // One that the guardian stops.
        let (id, outcome) =
            queue(stage, "queue a change to be vetoed", &committee, "order_fee", 30_000, Expect::Done).await?;
        if outcome.is_done() {
            self.governance.queued += 1;
            let guardian = keys::local(keys::GUARDIAN);
            let veto = instructions::veto_proposal(&guardian.pubkey(), &stage.venue.exchange, None, id);
            let outcome = stage.venue.desk.send("veto", &[veto], &guardian, &[], Expect::Done).await;
            self.governance.vetoed += u64::from(outcome.is_done());
            let closed = refused(&[Error::ProposalClosed]);
            self.governance.vetoed_refused += count(execute(stage, "execute a vetoed change", id, closed).await);
        }
        // The good one.
        let (id, outcome) = queue(stage, "queue a change", &committee, "taker_fee", NEW_FEE, Expect::Done).await?;
        if outcome.is_done() {
            self.governance.queued += 1;
            let address = address::proposal(&stage.venue.exchange, id);
            let proposal = stage.venue.desk.chain.read::<Proposal>(&address).await?;
            self.proposal = Some((id, proposal.terms.eta));
            let early = refused(&[Error::ProposalNotReady]);
            self.governance.early_refused += count(execute(stage, "execute too early", id, early).await);
        }
        Ok(())
    }

    async fn arm_pause(&mut self, stage: &mut Stage) -> Result<()> {
        let guardian = keys::local(keys::GUARDIAN);
        let seconds = if self.real_time { SHORT_PAUSE } else { PAUSE };
        let args = ProtectMarketArgs { reduce_only_seconds: seconds, cap: 0, cap_seconds: 0 };
        let arm = instructions::protect_market(&guardian.pubkey(), &stage.venue.exchange, PAUSED, args);
        let outcome = stage.venue.desk.send("pause a market", &[arm], &guardian, &[], Expect::Done).await;
        for event in outcome.events() {
            if let Event::MarketProtected(event) = event {
                self.pause.armed += 1;
                self.paused_until = Some(event.reduce_only_until);
            }
        }
        let snapshot = stage.snapshot().await?;
        let open = |trader: &&Trader| trader.markets.contains(&PAUSED) && trader.order.is_none();
        let numbered: Vec<_> = stage.traders.iter().enumerate().filter(|(_, t)| open(t)).map(|(n, _)| n).collect();
        let state = |number: usize| &snapshot.accounts[number].state;
        let position = |number: usize| state(number).slots().find(|(_, p)| p.market == PAUSED && p.is_open());
        if let Some(number) = numbered.iter().copied().find(|n| state(*n).is_flat()) {
            let unit = 10_i64.pow(u32::from(stage.venue.listing(PAUSED)?.scale.base));
            let action = Action::Order { market: PAUSED, size: unit, reduce_only: false };
            let mut job = stage.job(number, &snapshot.accounts[number], action);
            job.what = "increase during the pause";
            job.expect = Expect::Refused(&[Error::MarketReduceOnly]);
            let outcome = stage.venue.desk.send_all(vec![job]).await.pop();
            self.pause.increases_refused += u64::from(matches!(outcome, Some(Outcome::Refused(_))));
        }
        if let Some(number) = numbered.iter().copied().find(|n| position(*n).is_some()) {
            let size = position(number).map_or(0, |(_, p)| p.base().0);
            let action = Action::Reduce { market: PAUSED, size };
            // On a slow machine the price is old by now, which is no matter of the pause.
            for last in [false, false, true] {
                stage.publish_again().await?;
                let mut job = stage.job(number, &snapshot.accounts[number], action);
                job.what = "reduction during the pause";
                job.expect = if last { Expect::Done } else { Expect::Either(&[Error::PriceStale]) };
                let outcome = stage.venue.desk.send_all(vec![job]).await.pop();
                if outcome.is_some_and(|outcome| outcome.is_done()) {
                    self.pause.reductions_accepted += 1;
                    break;
                }
            }
        }
        Ok(())
    }

    /// The pause has expired by itself: nobody had to lift it.
    async fn after_pause(&mut self, stage: &mut Stage) -> Result<()> {
        let snapshot = stage.snapshot().await?;
        for number in 0..stage.traders.len() {
            let trader = &stage.traders[number];
            let account = &snapshot.accounts[number];
            if trader.order.is_some() || trader.liquidated || !trader.markets.contains(&PAUSED) {
                continue;
            }
            if account.state.find(PAUSED).is_some() {
                continue;
            }
            let Some(action) = trader.open(PAUSED, account, &snapshot.markets, &snapshot.now) else { continue };
            let mut job = stage.job(number, account, action);
            job.what = "increase after the pause";
            job.expect = Expect::Done;
            self.paused_until = None;
            let outcomes = stage.venue.desk.send_all(vec![job]).await;
            for outcome in outcomes {
                self.pause.increases_after += u64::from(outcome.is_done());
                stage.note_order(number, PAUSED, &outcome.events());
            }
            return Ok(());
        }
        Ok(())
    }

    /// What is left when the minutes are over: the pause's end, the provider's exit, the change.
    pub(crate) async fn finish(&mut self, stage: &mut Stage, bar: &ProgressBar) -> Result<()> {
        if let Some(until) = self.paused_until {
            stage.venue.wait_until(until + 1).await?;
            stage.rewarm().await?;
            self.after_pause(stage).await?;
        }
        stage.rewarm().await?;
        collect_fees(stage).await;
        if self.real_time {
            self.left_out.extend(
                [
                    "executing the queued change after its 48 hours: this validator's clock cannot be moved",
                    "a provider's exit after its 24 hours: the same",
                    "raising the caps of new markets by proposals, 72 hours each: the exchange was opened on surfpool \
                     and its accounts were loaded at the start",
                ]
                .map(str::to_owned),
            );
            return Ok(());
        }
        if let Some(ripe) = self.exit_ripe_at {
            bar.set_message("a day passes: a provider leaves");
            stage.venue.wait_until(ripe + 1).await?;
            stage.rewarm().await?;
            self.exit(stage).await?;
        }
        if let Some((_, eta)) = self.proposal {
            bar.set_message("two days pass: the change takes effect");
            stage.venue.wait_until(eta + 1).await?;
            self.take_effect(stage).await?;
        }
        Ok(())
    }

    /// A provider files an exit of some of its shares.
    async fn file_exit(&mut self, stage: &Stage) -> Result<()> {
        let owner = provider(TUNED, 0);
        let market = stage.venue.listing(TUNED)?.market;
        let shares = tokens::associated(&owner.pubkey(), &address::lp_mint(&market));
        let account = stage.venue.desk.chain.account(&shares).await?.context("the provider has no shares")?;
        let amount = tokens::amount(&account.data).context("the provider's share account is none")? / EXIT_SHARE;
        let file = instructions::request_lp_withdrawal(&market, &owner.pubkey(), &shares, amount);
        let outcome = stage.venue.desk.send("file exit", &[file], &owner, &[], Expect::Done).await;
        for event in outcome.events() {
            if let Event::LiquidityRequested(filed) = event {
                self.exit_ripe_at = Some(filed.ripe_at);
            }
        }
        Ok(())
    }

    /// It is ripe; tried again if the price of the moment is not good.
    async fn exit(&mut self, stage: &Stage) -> Result<()> {
        let owner = provider(TUNED, 0);
        let market = stage.venue.listing(TUNED)?.market;
        let purse = tokens::associated(&owner.pubkey(), &stage.venue.mint);
        let exit = instructions::execute_lp_withdrawal(&stage.venue.exchange, &market, &owner.pubkey(), &purse);
        let expect = Expect::Either(&[Error::PriceUnconfirmed, Error::PriceStale]);
        let outcome = stage.venue.desk.send("execute exit", &[exit], &owner, &[], expect).await;
        for event in outcome.events() {
            if let Event::LiquidityRemoved(removed) = event {
                self.liquidity_exit = Some(removed.amount);
                self.exit_ripe_at = None;
            }
        }
        Ok(())
    }

    async fn take_effect(&mut self, stage: &mut Stage) -> Result<()> {
        let Some((id, _)) = self.proposal.take() else { return Ok(()) };
        let outcome = execute(stage, "execute a change", id, Expect::Done).await;
        self.governance.executed += u64::from(outcome.is_done());
        stage.rewarm().await?;
        let market = stage.venue.listing(TUNED)?.market;
        let market = stage.venue.desk.chain.read::<Market>(&market).await?;
        if market.state.params.taker_fee.0 != NEW_FEE {
            let fee = market.state.params.taker_fee.0;
            stage.venue.desk.tally().fail(format!("the taker fee is {fee} after the change, not {NEW_FEE}"));
        }
        self.governance.new_fee_paid += u64::from(pay_new_fee(stage).await?);
        Ok(())
    }
}

/// Sends the protocol's share of the fees where it belongs, as anyone may.
async fn collect_fees(stage: &Stage) {
    let destination = tokens::associated(&keys::local(keys::GOVERNANCE).pubkey(), &stage.venue.mint);
    for listing in &stage.venue.listings {
        let collect = instructions::collect_fees(&stage.venue.exchange, &listing.market, &destination);
        let _ = stage.venue.desk.send("collect fees", &[collect], &stage.anyone, &[], Expect::Done).await;
    }
}

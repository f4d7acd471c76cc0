//! Sends transactions for a whole scenario and keeps count of them: what was confirmed, what was refused as it had to
//! be, what was not expected, what each instruction cost, what happened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anchor_lang::Discriminator;
use anyhow::Result;
use ballast_client::address;
use ballast_client::events::Event;
use ballast_engine::Error;
use ballast_localnet::{SendError, SendOptions, Sent};
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signature::Signature;
use tokio::sync::Semaphore;

use crate::chain::{self, Chain};

/// The most unexpected failures that are kept word by word.
const KEPT_FAILURES: usize = 20;
/// The most transactions that are under way at once.
const IN_FLIGHT: usize = 32;
/// Depth of a transaction's own instructions in the log.
const TOP: &str = "[1]";

/// What is to become of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect<'a> {
    /// It must go through.
    Done,
    /// It must be refused for one of these reasons: it is a test of the rule.
    Refused(&'a [Error]),
    /// It may go through; the protocol may also refuse it for one of these reasons, because the state of the chain
    /// has moved on since it was made.
    Either(&'a [Error]),
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Confirmed, with Ballast's events.
    Done(Vec<Event>),
    /// Refused, as expected.
    Refused(Error),
    /// Not as expected; counted and kept.
    Failed,
}

impl Outcome {
    /// Whether it was confirmed.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
    /// Its events; none if it was refused.
    pub(crate) fn events(self) -> Vec<Event> {
        match self {
            Self::Done(events) => events,
            Self::Refused(_) | Self::Failed => Vec::new(),
        }
    }
}

/// How many transactions, by what became of them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counts {
    /// All.
    pub(crate) sent: u64,
    /// Confirmed.
    pub(crate) confirmed: u64,
    /// Refused for a reason that was expected.
    pub(crate) refused_as_expected: u64,
    /// Anything else.
    pub(crate) failed_unexpectedly: u64,
}

/// A refusal that was expected, by what was tried and why.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Refusal {
    /// What was tried.
    pub(crate) what: String,
    /// The protocol's reason.
    pub(crate) reason: &'static str,
    /// Whether it had to be refused; else the chain's state had moved on.
    pub(crate) tested: bool,
    /// How often.
    pub(crate) count: u64,
}

/// What was counted.
#[derive(Default)]
pub(crate) struct Tally {
    /// Transactions.
    pub(crate) counts: Counts,
    /// Expected refusals.
    pub(crate) refusals: BTreeMap<(String, &'static str, bool), u64>,
    /// Unexpected failures, word by word.
    pub(crate) failures: Vec<String>,
    /// Compute units by instruction.
    pub(crate) units: BTreeMap<String, Vec<u64>>,
    /// Ballast's events, in the order in which they were seen.
    pub(crate) events: Vec<Event>,
}

impl Tally {
    /// Expected refusals as a list.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        self.refusals
            .iter()
            .map(|((what, reason, tested), count)| Refusal {
                what: what.clone(),
                reason,
                tested: *tested,
                count: *count,
            })
            .collect()
    }
}

/// A transaction to send along with others.
pub(crate) struct Job {
    /// Names it in the report.
    pub(crate) what: &'static str,
    /// Its instructions.
    pub(crate) instructions: Vec<Instruction>,
    /// Signs and pays.
    pub(crate) payer: Arc<Keypair>,
    /// What is to become of it.
    pub(crate) expect: Expect<'static>,
}

/// Sends and counts. Cheap to clone: the count is shared.
#[derive(Clone)]
pub(crate) struct Desk {
    /// Where it sends to.
    pub(crate) chain: Chain,
    tally: Arc<Mutex<Tally>>,
}

impl Desk {
    /// A desk with nothing counted.
    pub(crate) fn new(chain: Chain) -> Self {
        Self { chain, tally: Arc::default() }
    }

    /// The count so far.
    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        // Counting cannot leave it half done, so a panic elsewhere does not matter.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was counted.
    pub(crate) fn clear(&self) {
        *self.tally() = Tally::default();
    }

    /// Sends and waits until confirmed. `what` names it in the report.
    pub(crate) async fn send(
        &self,
        what: &str,
        instructions: &[Instruction],
        payer: &Keypair,
        signers: &[&Keypair],
        expect: Expect<'_>,
    ) -> Outcome {
        let options = SendOptions::default();
        let result = self.chain.sender.send_with(instructions, payer, signers, &options).await;
        let mut tally = self.tally();
        tally.counts.sent += 1;
        match result {
            Ok(sent) => tally.confirmed(what, instructions, &sent, expect),
            Err(error) => tally.refused(what, &error, expect),
        }
    }
}

impl Desk {
    /// Counts a transaction that somebody else put on the chain, whatever became of it there; its events.
    pub(crate) async fn count(&self, signature: &Signature) -> Result<Vec<Event>> {
        let (instructions, result) = self.chain.sender.look_up(signature).await?;
        let mut tally = self.tally();
        tally.counts.sent += 1;
        let what = instructions.iter().rfind(|i| i.program_id == address::PROGRAM).map_or("unknown", name_of);
        match result {
            Ok(sent) => Ok(tally.confirmed(what, &instructions, &sent, Expect::Done).events()),
            Err(error) => {
                // Refused on the chain after all: it was overtaken. What the sender makes of it is its own to say.
                let reason = chain::reason(&error).map_or("an account is closed", ballast_engine::Error::name);
                tally.counts.refused_as_expected += 1;
                *tally.refusals.entry((what.to_owned(), reason, false)).or_default() += 1;
                Ok(Vec::new())
            }
        }
    }

    /// Sends all of them at once and waits for all; outcomes in the order of the jobs.
    pub(crate) async fn send_all(&self, jobs: Vec<Job>) -> Vec<Outcome> {
        let permits = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut tasks = Vec::with_capacity(jobs.len());
        for job in jobs {
            let (desk, permits) = (self.clone(), permits.clone());
            tasks.push(tokio::spawn(async move {
                // Never closed.
                let _permit = permits.acquire_owned().await;
                desk.send(job.what, &job.instructions, &job.payer, &[], job.expect).await
            }));
        }
        let mut outcomes = Vec::with_capacity(tasks.len());
        for task in tasks {
            outcomes.push(match task.await {
                Ok(outcome) => outcome,
                Err(error) => self.tally().fail(format!("a task of this command ended: {error}")),
            });
        }
        outcomes
    }
}

impl Tally {
    fn confirmed(&mut self, what: &str, instructions: &[Instruction], sent: &Sent, expect: Expect<'_>) -> Outcome {
        self.record_units(instructions, &sent.details.logs);
        let events: Vec<_> = chain::events(sent).collect();
        self.events.extend(events.iter().cloned());
        if let Expect::Refused(reasons) = expect {
            return self.fail(format!("{what}: it went through, but had to be refused ({reasons:?})"));
        }
        self.counts.confirmed += 1;
        Outcome::Done(events)
    }

    fn refused(&mut self, what: &str, error: &SendError, expect: Expect<'_>) -> Outcome {
        let (reasons, tested) = match expect {
            Expect::Done => (&[] as &[Error], false),
            Expect::Refused(reasons) => (reasons, true),
            Expect::Either(reasons) => (reasons, false),
        };
        match chain::reason(error).filter(|reason| reasons.contains(reason)) {
            Some(reason) => {
                self.counts.refused_as_expected += 1;
                *self.refusals.entry((what.to_owned(), reason.name(), tested)).or_default() += 1;
                Outcome::Refused(reason)
            }
            None => self.fail(format!("{:#}", chain::refusal(what, error))),
        }
    }

    /// Counts a failure that was not expected.
    pub(crate) fn fail(&mut self, message: String) -> Outcome {
        tracing::warn!(message, "not expected");
        self.counts.failed_unexpectedly += 1;
        if self.failures.len() < KEPT_FAILURES {
            self.failures.push(message);
        }
        Outcome::Failed
    }

    /// Each of the transaction's own instructions has its line in the log.
    fn record_units(&mut self, instructions: &[Instruction], logs: &[String]) {
        let program = address::PROGRAM.to_string();
        let mut ours = instructions.iter().filter(|i| i.program_id == address::PROGRAM);
        let (invoked, consumed) = (format!("Program {program} invoke "), format!("Program {program} consumed "));
        let (mut depth, mut last) = (0_u32, None);
        for line in logs {
            if let Some(level) = line.strip_prefix(&invoked) {
                if level == TOP {
                    last = ours.next();
                    depth = 0;
                }
                depth += 1;
            } else if let Some(rest) = line.strip_prefix(&consumed) {
                // Its calls to itself, the events, come first and are inside of it.
                depth = depth.saturating_sub(1);
                let units = rest.split(' ').next().and_then(|number| number.parse().ok());
                if let (0, Some(instruction), Some(units)) = (depth, last, units) {
                    self.units.entry(name_of(instruction).to_owned()).or_default().push(units);
                }
            }
        }
    }
}

macro_rules! names {
    ($($name:literal $ty:ident),* $(,)?) => {
        /// The name of an instruction of Ballast's.
        fn name_of(instruction: &Instruction) -> &'static str {
            $( if instruction.data.starts_with(ballast::instruction::$ty::DISCRIMINATOR) { return $name; } )*
            "unknown"
        }
    };
}
names! {
    "initialize_exchange" InitializeExchange, "create_market" CreateMarket,
    "queue_market_parameter" QueueMarketParameter, "queue_exchange_parameter" QueueExchangeParameter,
    "queue_role" QueueRole, "queue_oracle_feed" QueueOracleFeed, "queue_market_batch" QueueMarketBatch,
    "queue_exchange_batch" QueueExchangeBatch, "queue_wind_down" QueueWindDown,
    "queue_fee_destination" QueueFeeDestination, "queue_oracle_program" QueueOracleProgram, "veto_proposal" VetoProposal,
    "execute_market_proposal" ExecuteMarketProposal, "execute_exchange_proposal" ExecuteExchangeProposal,
    "expire_proposal" ExpireProposal, "accept_governance" AcceptGovernance, "dismiss_committee" DismissCommittee,
    "protect_market" ProtectMarket, "emergency_pause" EmergencyPause, "open_subaccount" OpenSubaccount,
    "close_subaccount" CloseSubaccount, "deposit" Deposit, "withdraw" Withdraw, "transfer" Transfer,
    "place_order" PlaceOrder, "cancel_order" CancelOrder, "reduce" Reduce, "exit_silent" ExitSilent,
    "request_lp_deposit" RequestLpDeposit, "execute_lp_deposit" ExecuteLpDeposit, "lapse_lp_deposit" LapseLpDeposit,
    "request_lp_withdrawal" RequestLpWithdrawal, "execute_lp_withdrawal" ExecuteLpWithdrawal,
    "lapse_lp_withdrawal" LapseLpWithdrawal, "top_up_market_insurance" TopUpMarketInsurance,
    "top_up_shared_insurance" TopUpSharedInsurance, "collect_fees" CollectFees, "update_market" UpdateMarket,
    "execute_order" ExecuteOrder, "settle" Settle, "collect_claim" CollectClaim,
    "collect_pool_claim" CollectPoolClaim, "flag" Flag, "liquidate" Liquidate, "unflag" Unflag, "resolve" Resolve,
    "register_insurance_claim" RegisterInsuranceClaim, "pay_insurance_claim" PayInsuranceClaim,
    "deleverage" Deleverage, "pick_up_deleveraging" PickUpDeleveraging, "advance_settlement" AdvanceSettlement,
    "close_settled" CloseSettled, "trigger_order" TriggerOrder, "touch_covenant" TouchCovenant,
    "trip_covenant" TripCovenant, "close_tripped" CloseTripped, "execute_loosening" ExecuteLoosening,
    "set_delegate" SetDelegate, "create_covenant" CreateCovenant, "tighten_covenant" TightenCovenant,
    "loosen_covenant" LoosenCovenant, "close_covenant" CloseCovenant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_taken_from_the_instructions_own_line() {
        let id = address::PROGRAM;
        let data = ballast::instruction::UpdateMarket::DISCRIMINATOR.to_vec();
        let update = Instruction { program_id: id, accounts: vec![], data };
        let logs: Vec<String> = [
            "Program ComputeBudget111111111111111111111111111111 invoke [1]".to_owned(),
            format!("Program {id} invoke [1]"),
            format!("Program {id} invoke [2]"),
            format!("Program {id} consumed 100 of 9000 compute units"),
            format!("Program {id} success"),
            format!("Program {id} consumed 5500 of 9500 compute units"),
        ]
        .into();
        let mut tally = Tally::default();
        tally.record_units(&[update], &logs);
        assert_eq!(tally.units["update_market"], [5500]);
    }

    #[test]
    fn only_what_was_expected_counts_as_expected() {
        let sent = Sent { signature: Default::default(), slot: 1, details: Default::default() };
        let mut tally = Tally::default();
        assert!(tally.confirmed("a", &[], &sent, Expect::Done).is_done());
        let outcome = tally.confirmed("b", &[], &sent, Expect::Refused(&[Error::ProposalNotReady]));
        assert!(matches!(outcome, Outcome::Failed), "a rule that did not hold");
        assert!(tally.confirmed("c", &[], &sent, Expect::Either(&[Error::PriceStale])).is_done());
        let logs = vec![format!("Program {} failed: custom program error", address::PROGRAM)];
        let code = Some(ballast_client::errors::code(Error::PriceStale));
        let refused = |logs| SendError(Box::new(ballast_localnet::Failure { code, logs, ..Default::default() }));
        let ours = refused(logs);
        assert!(matches!(tally.refused("d", &ours, Expect::Done), Outcome::Failed));
        assert!(matches!(tally.refused("d", &ours, Expect::Either(&[Error::PriceSilent])), Outcome::Failed));
        let expected = Expect::Either(&[Error::PriceStale]);
        assert!(matches!(tally.refused("d", &ours, expected), Outcome::Refused(Error::PriceStale)));
        let others = refused(vec!["Program 11111111111111111111111111111111 failed".to_owned()]);
        assert!(matches!(tally.refused("e", &others, expected), Outcome::Failed), "another program's code");
        assert_eq!((tally.counts.confirmed, tally.counts.refused_as_expected), (2, 1));
        assert_eq!(tally.counts.failed_unexpectedly, 4);
    }
}

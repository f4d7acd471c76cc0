//! Sends actions: simulates, finds a price worth paying, signs, sends, repeats, confirms, keeps the books.
//!
//! A transaction is signed anew only when the one before cannot land any more: its blockhash has expired and nobody knows
//! it. So nothing is done twice, whatever a node answers.

mod landing;
mod outcome;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ballast_client::events::Event;
use ballast_client::rpc::{Blockhash, Fault, Fees, Simulated, sign, unit_limit, unit_price};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::AddressLookupTableAccount;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;
use tokio::sync::{Semaphore, mpsc};

use crate::fees::{Offer, Purse};
use crate::jobs::Action;
use crate::ledger::{Ledger, Row};
use crate::lock;
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use landing::{Ready, Watched};
pub use outcome::{Done, Outcome};
use outcome::{classify, ended};

/// A blockhash is used for so long.
const BLOCKHASH_AGE: Duration = Duration::from_secs(1);
/// Recent fees are believed for so long.
const FEES_AGE: Duration = Duration::from_secs(4);
/// How often one is tried: signed anew after an expiry, asked again after a fault of all nodes.
const TRIES: u32 = 3;
/// Before the next try.
const PAUSE: Duration = Duration::from_millis(200);
/// The most that a transaction may use.
const MAX_UNITS: u32 = 1_400_000;
/// Unit limits are raised by a running number below this, which keeps equal transactions apart.
const SALT: u32 = 1_000;
/// The least limit for each instruction. What is simulated may be less work than what lands: a price that somebody else has
/// just stored costs next to nothing in the simulation, and all of its units on a block in which that is not so yet.
const LEAST_UNITS: u64 = 15_000;

type FeeCache = HashMap<Vec<Pubkey>, (Instant, Fees)>;

/// Sends.
pub struct Dispatcher {
    nodes: Arc<Nodes>,
    payer: Keypair,
    purse: Purse,
    percentile: u8,
    reward: Pubkey,
    tables: Vec<AddressLookupTableAccount>,
    ledger: Ledger,
    metrics: Arc<Metrics>,
    permits: Semaphore,
    confirm: Duration,
    dry: bool,
    blockhash: tokio::sync::Mutex<Option<(Instant, Blockhash)>>,
    recent: Mutex<FeeCache>,
    salt: AtomicU32,
    watch: mpsc::UnboundedSender<Watched>,
}

/// What a dispatcher is made of.
pub struct Parts {
    /// The nodes.
    pub nodes: Arc<Nodes>,
    /// Signs and pays.
    pub payer: Keypair,
    /// What may be spent.
    pub purse: Purse,
    /// Which of the recent fees to offer.
    pub percentile: u8,
    /// The subaccount that earns.
    pub reward: Pubkey,
    /// Tables to shorten transactions with.
    pub tables: Vec<AddressLookupTableAccount>,
    /// The books.
    pub ledger: Ledger,
    /// The figures.
    pub metrics: Arc<Metrics>,
    /// Transactions at once.
    pub in_flight: usize,
    /// Between two looks at what became of transactions.
    pub confirm: Duration,
    /// Only simulate.
    pub dry: bool,
}

/// Where an attempt stands.
enum Attempt {
    Ended(Box<Done>),
    /// It did not land, and cannot any more.
    Again(String),
}

impl Dispatcher {
    /// Must be made on a tokio runtime.
    pub fn new(parts: Parts) -> Self {
        let (watch, watched) = mpsc::unbounded_channel();
        tokio::spawn(landing::poll(parts.nodes.clone(), parts.confirm, watched));
        let Parts { nodes, payer, purse, percentile, reward, tables, ledger, metrics, in_flight, confirm, dry } = parts;
        Self {
            nodes,
            payer,
            purse,
            percentile,
            reward,
            tables,
            ledger,
            metrics,
            permits: Semaphore::new(in_flight),
            confirm,
            dry,
            blockhash: tokio::sync::Mutex::default(),
            recent: Mutex::default(),
            salt: AtomicU32::new(0),
            watch,
        }
    }

    /// The books.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Who signs and pays.
    pub fn payer(&self) -> Pubkey {
        self.payer.pubkey()
    }

    /// Whether it only simulates.
    pub const fn is_dry(&self) -> bool {
        self.dry
    }

    /// What may be spent.
    pub fn purse(&self) -> &Purse {
        &self.purse
    }

    /// Sees an action through. `since` is when what calls for it was first known.
    pub async fn perform(&self, action: Action, since: Instant) -> Done {
        // Never closed.
        let _permit = self.permits.acquire().await;
        let mut last = String::new();
        let mut done = None;
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            match self.attempt(&action, since, attempt > 0).await {
                Attempt::Ended(ended) => {
                    done = Some(*ended);
                    break;
                }
                Attempt::Again(reason) => last = reason,
            }
        }
        let done = done.unwrap_or_else(|| {
            let done = ended(&action, Outcome::Lost(last));
            self.book(&done, String::new(), Offer { unit_price: 0, fee: 0 }, 0, since);
            done
        });
        self.report(&done, since);
        done
    }

    fn report(&self, done: &Done, since: Instant) {
        let (job, word) = (done.action.job, done.outcome.word());
        self.metrics.add("ballast_keeper_actions_total", &[("job", job), ("outcome", word)], 1);
        self.metrics.add("ballast_keeper_rewards_total", &[], done.reward);
        self.metrics.add("ballast_keeper_fees_lamports_total", &[], done.fee);
        let subject = done.action.subject;
        match &done.outcome {
            Outcome::Done => {
                self.metrics.observe("ballast_keeper_latency_seconds", &[("job", job)], since.elapsed());
                let millis = since.elapsed().as_millis();
                tracing::info!(job, %subject, slot = done.slot, reward = done.reward, fee = done.fee, millis, "done");
            }
            Outcome::Raced(reason) => tracing::debug!(job, %subject, reason, "somebody else, or too late"),
            Outcome::Oracle(oracle) => {
                tracing::debug!(job, %subject, %oracle, "an oracle's account is not one any more")
            }
            Outcome::Refused(reason) => tracing::warn!(job, %subject, reason, "refused"),
            Outcome::Lost(reason) => tracing::warn!(job, %subject, reason, "it did not land"),
            Outcome::Unprofitable => tracing::debug!(job, %subject, "not worth its fee"),
            Outcome::Dry => tracing::info!(job, %subject, reward = done.reward, "dry run: it would go through"),
        }
    }

    async fn attempt(&self, action: &Action, since: Instant, fresh: bool) -> Attempt {
        let nothing = Offer { unit_price: 0, fee: 0 };
        let end = |done: Done| {
            self.book(&done, String::new(), nothing, 0, since);
            Attempt::Ended(Box::new(done))
        };
        let blockhash = match self.blockhash(fresh).await {
            Ok(blockhash) => blockhash,
            Err(fault) => return Attempt::Again(fault.to_string()),
        };
        let simulated = match self.simulate(action, &blockhash).await {
            Ok(simulated) => simulated,
            Err(Fault::Refused(refusal)) => return end(ended(action, classify(action, &refusal))),
            Err(fault) if fault.is_passing() => return Attempt::Again(fault.to_string()),
            Err(fault) => return end(ended(action, Outcome::Refused(fault.to_string()))),
        };
        let reward = self.expected(action, &simulated.events);
        let salt = self.salt.fetch_add(1, Ordering::Relaxed) % SALT;
        let limit = unit_limit_for(simulated.units, action.instructions.len(), salt);
        let recent = self.recent_fees(action).await.percentile(self.percentile);
        let Some(offer) = self.purse.offer(action.need, reward, limit, recent) else {
            return end(ended(action, Outcome::Unprofitable));
        };
        if self.dry {
            return end(Done { reward, ..ended(action, Outcome::Dry) });
        }
        let transaction = match self.sign(action, limit, offer.unit_price, &blockhash) {
            Ok(transaction) => transaction,
            Err(fault) => return end(ended(action, Outcome::Refused(fault.to_string()))),
        };
        self.send(action, &Ready { transaction, blockhash, offer, limit, paid: reward > 0 }, since).await
    }

    async fn simulate(&self, action: &Action, blockhash: &Blockhash) -> Result<Simulated, Fault> {
        let trial = self.sign(action, MAX_UNITS, 1, blockhash)?;
        let trial = &trial;
        self.nodes.ask(|rpc| async move { rpc.simulate(trial).await }).await
    }

    fn sign(
        &self,
        action: &Action,
        limit: u32,
        price: u64,
        blockhash: &Blockhash,
    ) -> Result<VersionedTransaction, Fault> {
        let mut all: Vec<Instruction> = vec![unit_limit(limit), unit_price(price)];
        all.extend_from_slice(&action.instructions);
        sign(&all, &self.payer, &[], &self.tables, blockhash.hash)
    }

    async fn blockhash(&self, fresh: bool) -> Result<Blockhash, Fault> {
        let mut cached = self.blockhash.lock().await;
        match *cached {
            Some((at, blockhash)) if at.elapsed() < BLOCKHASH_AGE && !fresh => Ok(blockhash),
            _ => {
                let blockhash = self.nodes.ask(|rpc| async move { rpc.blockhash().await }).await?;
                *cached = Some((Instant::now(), blockhash));
                Ok(blockhash)
            }
        }
    }

    /// Recent fees over the accounts that a transaction writes; none where they cannot be had, which costs a place in the
    /// queue, not more.
    async fn recent_fees(&self, action: &Action) -> Fees {
        let metas = action.instructions.iter().flat_map(|instruction| &instruction.accounts);
        let mut written: Vec<Pubkey> = metas.filter(|meta| meta.is_writable).map(|meta| meta.pubkey).collect();
        // Those that nobody else writes say nothing, and there are many of them: markets are what is fought over.
        written.retain(|key| *key != action.subject || action.job == "prices");
        written.sort_unstable();
        written.dedup();
        written.retain(|key| *key != self.reward);
        if let Some((at, fees)) = lock(&self.recent).get(&written)
            && at.elapsed() < FEES_AGE
        {
            return fees.clone();
        }
        let keys = &written;
        let fees = self.nodes.ask(|rpc| async move { rpc.recent_fees(keys).await }).await.unwrap_or_default();
        let mut recent = lock(&self.recent);
        recent.retain(|_, (at, _)| at.elapsed() < FEES_AGE);
        recent.insert(written, (Instant::now(), fees.clone()));
        fees
    }

    /// What a fee is measured by: what the simulation says, and never more than the engine does. A node can say anything.
    fn expected(&self, action: &Action, events: &[Event]) -> u64 {
        match action.job {
            // It is paid later, by the liquidation.
            "flag" => action.reward,
            _ => self.earned(action, events).min(action.reward),
        }
    }

    /// What events say the keeper earned by an action.
    fn earned(&self, action: &Action, events: &[Event]) -> u64 {
        let of = |event: &Event| match event {
            Event::Liquidated(e) if e.keeper == self.reward => {
                e.keeper_fee.saturating_sub(if action.own_flag { 0 } else { e.flagger_fee })
            }
            Event::OrderCancelled(e) => e.fee_to_keeper,
            Event::CovenantEnforced(e) if e.keeper == self.reward => e.fee,
            // The event of a fill does not name the fee that was put aside.
            Event::Traded(_) if action.job == "orders" => action.reward,
            _ => 0,
        };
        events.iter().map(of).sum()
    }

    fn note_sent(&self, action: &Action, signature: &str, offer: Offer, limit: u32) {
        self.ledger.write(Row {
            signature: signature.to_owned(),
            job: action.job,
            subject: action.subject.to_string(),
            outcome: "sent",
            units: limit.into(),
            unit_price: offer.unit_price,
            fee: offer.fee,
            ..Row::default()
        });
    }

    fn book(&self, done: &Done, signature: String, offer: Offer, units: u64, since: Instant) {
        let reason = match &done.outcome {
            Outcome::Raced(reason) | Outcome::Refused(reason) | Outcome::Lost(reason) => reason.clone(),
            Outcome::Oracle(key) => format!("{key} is no oracle's account any more"),
            Outcome::Done | Outcome::Unprofitable | Outcome::Dry => String::new(),
        };
        self.ledger.write(Row {
            signature,
            job: done.action.job,
            subject: done.action.subject.to_string(),
            outcome: done.outcome.word(),
            reason,
            slot: done.slot,
            units,
            unit_price: offer.unit_price,
            fee: done.fee,
            // A dry run earns nothing.
            reward: if done.outcome == Outcome::Done { done.reward } else { 0 },
            millis: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
}

/// A limit from a simulation: a fifth more, and no less than [`LEAST_UNITS`] an instruction.
fn unit_limit_for(simulated: u64, instructions: usize, salt: u32) -> u32 {
    let least = LEAST_UNITS.saturating_mul(instructions as u64);
    let units = simulated.saturating_add(simulated / 5).max(least).saturating_add(salt.into());
    u32::try_from(units).unwrap_or(MAX_UNITS).min(MAX_UNITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_leaves_room_for_what_a_simulation_did_not_meet() {
        assert_eq!(unit_limit_for(300, 1, 7), 15_007, "a price that was stored already");
        assert_eq!(unit_limit_for(100_000, 2, 0), 120_000);
        assert_eq!(unit_limit_for(1_400_000, 1, 999), MAX_UNITS);
        assert_eq!(unit_limit_for(u64::MAX, usize::MAX, 999), MAX_UNITS);
    }
}

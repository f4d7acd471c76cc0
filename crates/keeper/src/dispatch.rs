//! Sends actions: simulates, finds a price worth paying, signs, sends, repeats, confirms, keeps the books.
//!
//! A transaction is signed anew only when the one before cannot land any more: its blockhash has expired and nobody knows
//! it. So nothing is done twice, whatever a node answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ballast_client::events::Event;
use ballast_client::rpc::{Blockhash, Fault, Fees, Landed, Refusal, Simulated, Standing, sign, unit_limit, unit_price};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::AddressLookupTableAccount;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::fees::{Offer, Purse};
use crate::jobs::Action;
use crate::ledger::{Ledger, Row};
use crate::lock;
use crate::metrics::Metrics;
use crate::nodes::Nodes;

/// A blockhash is used for so long.
const BLOCKHASH_AGE: Duration = Duration::from_secs(1);
/// Recent fees are believed for so long.
const FEES_AGE: Duration = Duration::from_secs(4);
/// Between two looks at what became of signatures.
const POLL: Duration = Duration::from_millis(80);
/// A transaction that was not seen for so long is handed over again, to every node.
const RESUBMIT: Duration = Duration::from_millis(1_500);
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
/// Anchor's codes for an account that is not there any more, or is nobody's.
const GONE: [u32; 4] = [3_001, 3_003, 3_007, 3_012];
/// How long the details of a confirmed transaction may be in coming.
const DETAILS: Duration = Duration::from_secs(3);

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went through.
    Done,
    /// Somebody else did it, or the moment had passed.
    Raced(String),
    /// The chain refused it for a reason that was not foreseen: a fault of the keeper's, or of its picture of the chain.
    Refused(String),
    /// It never landed: nodes did not answer, or it was not taken into a block in time.
    Lost(String),
    /// It would have cost more than it earns.
    Unprofitable,
    /// A dry run: it would have gone through.
    Dry,
}

impl Outcome {
    /// In a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Raced(_) => "raced",
            Self::Refused(_) => "refused",
            Self::Lost(_) => "lost",
            Self::Unprofitable => "unprofitable",
            Self::Dry => "dry",
        }
    }
}

/// An action with what became of it.
#[derive(Clone, Debug)]
pub struct Done {
    /// The action.
    pub action: Action,
    /// What became of it.
    pub outcome: Outcome,
    /// The slot it landed in, or 0.
    pub slot: u64,
    /// What it earned, in the collateral's smallest unit.
    pub reward: u64,
    /// What it cost, lamports.
    pub fee: u64,
    /// Ballast's events.
    pub events: Vec<Event>,
}

type Watched = (Signature, oneshot::Sender<(u64, bool)>);
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
        tokio::spawn(poll(parts.nodes.clone(), watched));
        let Parts { nodes, payer, purse, percentile, reward, tables, ledger, metrics, in_flight, dry } = parts;
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

    /// Left of the budget for what nobody pays for, lamports.
    pub fn unpaid_left(&self) -> u64 {
        self.purse.left()
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
        let reward = if action.reward == 0 { 0 } else { self.earned(action, &simulated.events).max(promised(action)) };
        let salt = self.salt.fetch_add(1, Ordering::Relaxed) % SALT;
        let limit = unit_limit_for(simulated.units, action.instructions.len(), salt);
        let recent = self.recent_fees(action).await.percentile(self.percentile);
        let Some(offer) = self.purse.offer(reward, limit, recent) else {
            return end(ended(action, Outcome::Unprofitable));
        };
        if self.dry {
            return end(Done { reward, ..ended(action, Outcome::Dry) });
        }
        let transaction = match self.sign(action, limit, offer.unit_price, &blockhash) {
            Ok(transaction) => transaction,
            Err(fault) => return end(ended(action, Outcome::Refused(fault.to_string()))),
        };
        self.send(action, &transaction, &blockhash, offer, limit, since).await
    }

    async fn send(
        &self,
        action: &Action,
        transaction: &VersionedTransaction,
        blockhash: &Blockhash,
        offer: Offer,
        limit: u32,
        since: Instant,
    ) -> Attempt {
        let signature = transaction.signatures[0];
        let text = signature.to_string();
        let book = |done: &Done, units: u64| self.book(done, text.clone(), offer, units, since);
        self.note_sent(action, &text, offer, limit);
        match self.nodes.ask(|rpc| async move { rpc.submit(transaction).await }).await {
            Ok(()) => {}
            // Refused at the door: it is in no block and never will be, for no other copy of it is under way.
            Err(Fault::Blockhash) => {
                book(&ended(action, Outcome::Lost("its blockhash was not known".to_owned())), 0);
                return Attempt::Again("the blockhash was not known".to_owned());
            }
            Err(fault) if !fault.is_passing() => {
                let outcome = match &fault {
                    Fault::Refused(refusal) => classify(action, refusal),
                    _ => Outcome::Refused(fault.to_string()),
                };
                let done = ended(action, outcome);
                book(&done, 0);
                return Attempt::Ended(Box::new(done));
            }
            // No answer: it may have arrived all the same. Only the very same one may be sent again.
            Err(fault) => tracing::debug!(%fault, "no answer to a submission"),
        }
        if action.reward == 0 {
            self.purse.spend(offer.fee);
        }
        let Some((slot, failed)) = self.confirmed(transaction, blockhash).await else {
            book(&ended(action, Outcome::Lost("not taken into a block in time".to_owned())), 0);
            return Attempt::Again("not taken into a block in time".to_owned());
        };
        let landed = self.details(&signature).await;
        let mut done = ended(action, Outcome::Done);
        (done.slot, done.fee) = (slot, landed.as_ref().map_or(offer.fee, |landed| landed.fee));
        if failed {
            let fault = landed.as_ref().and_then(|landed| landed.failed.clone());
            done.outcome = match fault {
                Some(Fault::Refused(refusal)) => classify(action, &refusal),
                _ => Outcome::Refused("it failed; its details cannot be read".to_owned()),
            };
        } else if let Some(landed) = &landed {
            done.reward = self.earned(action, &landed.events);
            done.events.clone_from(&landed.events);
        }
        book(&done, landed.map_or(0, |landed| landed.units));
        Attempt::Ended(Box::new(done))
    }

    /// Waits until a transaction is confirmed: its slot, and whether it failed. `None` when it cannot land any more.
    async fn confirmed(&self, transaction: &VersionedTransaction, blockhash: &Blockhash) -> Option<(u64, bool)> {
        let signature = transaction.signatures[0];
        let (sender, mut confirmed) = oneshot::channel();
        let _ = self.watch.send((signature, sender));
        let rollbacks = self.nodes.rollbacks();
        loop {
            match tokio::time::timeout(RESUBMIT, &mut confirmed).await {
                Ok(Ok(found)) => return Some(found),
                // The runtime ends.
                Ok(Err(_)) => return None,
                Err(_) => {}
            }
            for rpc in self.nodes.all() {
                // What it answers says nothing about earlier copies.
                let _ = rpc.submit(transaction).await;
            }
            let height = self.nodes.ask(|rpc| async move { rpc.block_height().await }).await;
            let Ok(height) = height else { continue };
            // A chain that went back or began anew may not know the blockhash any more, whatever its height.
            let over = height > blockhash.last_height || self.nodes.rollbacks() != rollbacks;
            if over {
                let known = self.nodes.ask(|rpc| async move { rpc.standings(&[signature]).await }).await;
                match known.ok().and_then(|mut known| known.pop()) {
                    Some(Standing::Confirmed { slot, error }) => return Some((slot, error.is_some())),
                    Some(Standing::Unknown) => return None,
                    Some(Standing::Processed) | None => {}
                }
            }
        }
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

    async fn details(&self, signature: &Signature) -> Option<Landed> {
        let begun = Instant::now();
        while begun.elapsed() < DETAILS {
            // Nodes confirm a transaction a moment before its details can be read.
            if let Ok(Some(landed)) = self.nodes.ask(|rpc| async move { rpc.landed(signature).await }).await {
                return Some(landed);
            }
            tokio::time::sleep(POLL).await;
        }
        None
    }

    /// What events say the keeper earned by an action.
    fn earned(&self, action: &Action, events: &[Event]) -> u64 {
        let of = |event: &Event| match event {
            Event::Liquidated(e) if e.keeper == self.reward => {
                e.keeper_fee.saturating_sub(if action.own_flag { 0 } else { e.flagger_fee })
            }
            Event::OrderCancelled(e) => e.fee_to_keeper,
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

/// A flag's reward is paid later, by the liquidation.
fn promised(action: &Action) -> u64 {
    if action.job == "flag" { action.reward } else { 0 }
}

fn ended(action: &Action, outcome: Outcome) -> Done {
    Done { action: action.clone(), outcome, slot: 0, reward: 0, fee: 0, events: Vec::new() }
}

/// Tells 'somebody else did it' from a fault.
fn classify(action: &Action, refusal: &Refusal) -> Outcome {
    match (refusal.reason, refusal.code) {
        (Some(reason), _) if action.race.contains(&reason) => Outcome::Raced(reason.name().to_owned()),
        (None, Some(code)) if action.may_vanish && GONE.contains(&code) => {
            Outcome::Raced("an account of it is closed".to_owned())
        }
        _ => Outcome::Refused(refusal.to_string()),
    }
}

/// Asks for all pending signatures at once. Ends with the dispatcher.
async fn poll(nodes: Arc<Nodes>, mut watched: mpsc::UnboundedReceiver<Watched>) {
    let mut pending: HashMap<Signature, oneshot::Sender<(u64, bool)>> = HashMap::new();
    loop {
        if pending.is_empty() {
            match watched.recv().await {
                Some((signature, reply)) => drop(pending.insert(signature, reply)),
                None => return,
            }
        }
        while let Ok((signature, reply)) = watched.try_recv() {
            pending.insert(signature, reply);
        }
        pending.retain(|_, reply| !reply.is_closed());
        let signatures: Vec<_> = pending.keys().copied().collect();
        let asked = &signatures;
        match nodes.ask(|rpc| async move { rpc.standings(asked).await }).await {
            Ok(standings) => {
                for (signature, standing) in signatures.iter().zip(standings) {
                    if let Standing::Confirmed { slot, error } = standing
                        && let Some(reply) = pending.remove(signature)
                    {
                        let _ = reply.send((slot, error.is_some()));
                    }
                }
            }
            Err(fault) => {
                tracing::debug!(%fault, "what became of transactions cannot be asked");
                tokio::time::sleep(PAUSE).await;
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballast_engine::Error;

    fn action(race: &'static [Error], may_vanish: bool) -> Action {
        Action {
            job: "liquidate",
            subject: Pubkey::default(),
            version: 0,
            instructions: Vec::new(),
            race,
            may_vanish,
            reward: 1,
            own_flag: false,
            rank: 0,
        }
    }

    #[test]
    fn the_limit_leaves_room_for_what_a_simulation_did_not_meet() {
        assert_eq!(unit_limit_for(300, 1, 7), 15_007, "a price that was stored already");
        assert_eq!(unit_limit_for(100_000, 2, 0), 120_000);
        assert_eq!(unit_limit_for(1_400_000, 1, 999), MAX_UNITS);
        assert_eq!(unit_limit_for(u64::MAX, usize::MAX, 999), MAX_UNITS);
    }

    #[test]
    fn somebody_else_is_told_from_a_fault() {
        let refusal = |reason, code| Refusal { reason, code, ..Refusal::default() };
        let of = |action: &Action, refusal: &Refusal| classify(action, refusal).word();
        let liquidate = action(&[Error::NotFlagged], true);
        assert_eq!(of(&liquidate, &refusal(Some(Error::NotFlagged), Some(6_039))), "raced");
        assert_eq!(of(&liquidate, &refusal(Some(Error::InvariantBroken), Some(6_001))), "refused");
        assert_eq!(of(&liquidate, &refusal(None, Some(3_012))), "raced", "the order was closed");
        assert_eq!(of(&liquidate, &refusal(None, Some(1))), "refused", "another program's code");
        assert_eq!(of(&action(&[], false), &refusal(None, Some(3_012))), "refused");
        assert_eq!(of(&liquidate, &refusal(None, None)), "refused");
    }
}

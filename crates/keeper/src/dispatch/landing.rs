//! Handing a transaction over and finding out what became of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ballast_client::rpc::{Blockhash, Fault, Landed, Standing};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use tokio::sync::{mpsc, oneshot};

use super::outcome::{classify, ended};
use super::{Attempt, Dispatcher, Done, Outcome, PAUSE};
use crate::fees::Offer;
use crate::jobs::Action;
use crate::nodes::Nodes;

/// A transaction that was not seen for so long is handed over again, to every node.
const RESUBMIT: Duration = Duration::from_millis(1_500);
/// How long the details of a confirmed transaction may be in coming.
const DETAILS: Duration = Duration::from_secs(3);

/// A signature to look for, and who wants to know its slot and whether it failed.
pub(super) type Watched = (Signature, oneshot::Sender<(u64, bool)>);

/// A transaction to be handed over.
pub(super) struct Ready {
    pub(super) transaction: VersionedTransaction,
    pub(super) blockhash: Blockhash,
    pub(super) offer: Offer,
    /// Its limit of units.
    pub(super) limit: u32,
    /// Whether it is to earn something.
    pub(super) paid: bool,
}

impl Dispatcher {
    pub(super) async fn send(&self, action: &Action, ready: &Ready, since: Instant) -> Attempt {
        let Ready { transaction, blockhash, offer, limit, paid } = ready;
        let (offer, limit, paid) = (*offer, *limit, *paid);
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
        if !paid {
            self.purse.spend(action.need, offer.fee);
        }
        let Some((slot, failed)) = self.confirmed(transaction, blockhash).await else {
            book(&ended(action, Outcome::Lost("not taken into a block in time".to_owned())), 0);
            return Attempt::Again("not taken into a block in time".to_owned());
        };
        // A price that went through has nothing to tell but its fee, which is known; and there are many of them.
        let landed = if action.job == "prices" && !failed { None } else { self.details(&signature).await };
        let mut done = ended(action, Outcome::Done);
        (done.slot, done.fee) = (slot, landed.as_ref().map_or(offer.fee, |landed| landed.fee));
        if failed {
            if paid {
                self.purse.fail(action.need, done.fee);
            }
            let fault = landed.as_ref().and_then(|landed| landed.failed.clone());
            done.outcome = match fault {
                Some(Fault::Refused(refusal)) => classify(action, &refusal),
                _ => Outcome::Refused("it failed; its details cannot be read".to_owned()),
            };
        } else if let Some(landed) = &landed {
            done.reward = self.earned(action, &landed.events);
            done.events.clone_from(&landed.events);
        }
        book(&done, landed.map_or(limit.into(), |landed| landed.units));
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

    async fn details(&self, signature: &Signature) -> Option<Landed> {
        let begun = Instant::now();
        while begun.elapsed() < DETAILS {
            // Nodes confirm a transaction a moment before its details can be read.
            if let Ok(Some(landed)) = self.nodes.ask(|rpc| async move { rpc.landed(signature).await }).await {
                return Some(landed);
            }
            tokio::time::sleep(self.confirm).await;
        }
        None
    }
}

/// Asks for all pending signatures at once. Ends with the dispatcher.
pub(super) async fn poll(nodes: Arc<Nodes>, pause: Duration, mut watched: mpsc::UnboundedReceiver<Watched>) {
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
        tokio::time::sleep(pause).await;
    }
}

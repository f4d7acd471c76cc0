//! Hearing of what happens on the chain, and keeping the book right.

use std::sync::atomic::Ordering;
use std::time::Instant;

use ballast_client::address;
use ballast_client::rpc::AccountData;
use ballast_engine::Now;
use solana_pubkey::Pubkey;

use super::start::{Snapshot, feeds, read_all};
use super::{Keeper, News, REREAD};
use crate::feed::{Event, Feed};
use crate::jobs::Action;

/// A confirmed account may be heard of so many slots after its slot. What seems to be older is not believed: the node that
/// sends it lags, the chain has gone back, or the slot is not the account's.
const HEARD_WITHIN: u64 = 8;
/// A stranger's oracle account is believed for so many slots after it was last heard of or read.
const BELIEVED: u64 = 2;
/// The most accounts that are read again at once; where more are in doubt, everything is.
const AGAIN: usize = 100;

impl Keeper {
    pub(super) fn happened(&mut self, event: Event) {
        match event {
            Event::Up => {
                self.metrics.set("ballast_keeper_socket_up", &[], 1);
                self.pulse.socket.store(true, Ordering::Relaxed);
                // What happened before is not heard of.
                self.read_at = None;
                self.reread();
            }
            Event::Down => {
                self.metrics.set("ballast_keeper_socket_up", &[], 0);
                self.metrics.add("ballast_keeper_socket_lost_total", &[], 1);
                self.pulse.socket.store(false, Ordering::Relaxed);
            }
            Event::Slot(slot) => {
                if self.nodes.believe(slot) {
                    self.beat(slot);
                }
            }
            Event::Account { slot, key, data } => {
                let believed = slot.saturating_add(HEARD_WITHIN) >= self.slot && self.nodes.believe(slot);
                if !believed || self.take(key, slot, &data) {
                    // It is news all the same: what it is as of now is asked for.
                    self.doubtful.insert(key);
                }
            }
        }
    }

    /// Reads again what was heard of with a slot that it cannot have; everything, where that is too much.
    pub(super) fn settle_doubts(&mut self) {
        if self.looking || self.doubtful.is_empty() {
            return;
        }
        self.metrics.add("ballast_keeper_doubtful_updates_total", &[], self.doubtful.len() as u64);
        if self.doubtful.len() > AGAIN {
            self.doubtful.clear();
            self.reread();
            return;
        }
        self.looking = true;
        let keys = self.doubtful.drain().collect();
        self.read_again(keys, true);
    }

    pub(super) fn beat(&mut self, slot: u64) {
        if slot > self.slot {
            (self.slot, self.dirty) = (slot, true);
            self.doubtful.extend(self.unsettled.drain());
            self.pulse.beat();
            self.metrics.set("ballast_keeper_slot", &[], i64::try_from(slot).unwrap_or(i64::MAX));
        }
    }

    /// Takes an account; whether it is to be read again.
    fn take(&mut self, key: Pubkey, slot: u64, data: &AccountData) -> bool {
        let changed = if data.owner == address::PROGRAM || data.lamports == 0 {
            self.book.apply(key, slot, data)
        } else {
            self.book.apply_oracle(key, slot, data)
        };
        self.dirty |= changed.any;
        if changed.new_market {
            self.announce();
        }
        changed.late
    }

    /// Tells the websocket's task which feeds there are.
    pub(super) fn announce(&self) {
        let feeds: Vec<Feed> = feeds(self.book.markets());
        self.feeds.send_if_modified(|known| {
            let changed = *known != feeds;
            known.clone_from(&feeds);
            changed
        });
    }

    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Snapshot(result) => {
                self.reading = false;
                match *result {
                    Ok(snapshot) => self.take_snapshot(snapshot),
                    Err(fault) => {
                        tracing::warn!(%fault, "the exchange was not read");
                        self.check_rollback();
                    }
                }
            }
            News::Clock(Ok(now)) => {
                self.beat(now.slot);
                self.clock = Some(now);
            }
            News::Clock(Err(fault)) => {
                tracing::debug!(%fault, "the clock was not read");
                self.check_rollback();
            }
            News::Done(done) => self.after(*done),
            News::Read { found, doubts } => {
                self.looking &= !doubts;
                let Some((slot, accounts)) = found.filter(|(slot, _)| self.nodes.believe(*slot)) else { return };
                for (key, account) in accounts {
                    match account {
                        Some(data) => {
                            // An answer from before what is known does not settle it: asked again at the next slot.
                            if self.take(key, slot, &data) && doubts {
                                self.unsettled.insert(key);
                            }
                        }
                        None => self.dirty |= self.book.remove(&key, slot),
                    }
                }
            }
        }
    }

    /// If the chain went back, nothing that is known holds any more.
    fn check_rollback(&mut self) {
        if self.nodes.rollbacks() > self.rollbacks {
            self.rollbacks = self.nodes.rollbacks();
            self.book.clear();
            (self.clock, self.slot) = (None, 0);
            self.holds.clear();
            self.unfit.clear();
            self.queue.clear();
            self.pulse.ready.store(false, Ordering::Relaxed);
            self.read_at = None;
            self.reread();
        }
    }

    pub(super) fn take_snapshot(&mut self, snapshot: Snapshot) {
        self.check_rollback();
        if snapshot.rollbacks < self.rollbacks {
            // It was read before the chain went back.
            self.reread();
            return;
        }
        let missed = self.book.reconcile(snapshot.slot, &snapshot.accounts);
        self.book.reconcile_oracles(snapshot.oracles.0, &snapshot.oracles.1);
        (self.clock, self.dirty) = (Some(snapshot.now), true);
        self.beat(snapshot.now.slot);
        self.announce();
        self.metrics.add("ballast_keeper_reconciliations_total", &[], 1);
        self.metrics.add("ballast_keeper_missed_updates_total", &[], missed as u64);
        self.pulse.ready.store(self.book.is_ready(), Ordering::Relaxed);
        self.pulse.beat();
        tracing::debug!(slot = snapshot.slot, accounts = self.book.accounts().len(), missed, "read everything");
    }

    /// Reads everything again, unless that is being done or was just done.
    pub(super) fn reread(&mut self) {
        if self.reading || self.read_at.is_some_and(|at| at.elapsed() < REREAD) {
            return;
        }
        (self.reading, self.read_at) = (true, Some(Instant::now()));
        let (nodes, exchange, news) = (self.nodes.clone(), self.book.exchange(), self.news.0.clone());
        tokio::spawn(async move {
            let _ = news.send(News::Snapshot(Box::new(read_all(&nodes, exchange).await)));
        });
    }

    pub(super) fn read_clock(&self) {
        let (nodes, news) = (self.nodes.clone(), self.news.0.clone());
        tokio::spawn(async move {
            let now = nodes.ask_at(|rpc| async move { rpc.now().await }).await;
            let _ = news.send(News::Clock(now.map(|at| at.value)));
        });
    }

    /// Reads strangers' oracle accounts again that everybody is judged by: a price that is not there any more could hide who
    /// is below maintenance, and then nothing is sent by whose refusal it would be found out.
    pub(super) fn look_at_oracles(&self) {
        let old = |key: &&Pubkey| self.book.may_be_gone(key, self.slot.saturating_sub(BELIEVED));
        let keys: Vec<Pubkey> = self.judged_by.iter().filter(old).copied().collect();
        if !keys.is_empty() {
            self.read_again(keys, false);
        }
    }

    /// The clock now: as it was read, counted on by the slots since.
    pub(super) fn now(&self) -> Option<Now> {
        let read = self.clock?;
        let passed = i64::try_from(self.slot.saturating_sub(read.slot)).unwrap_or(0);
        // 400 ms a slot.
        let unix = read.unix.saturating_add(passed.saturating_mul(2) / 5);
        Some(self.book.clock(Now { slot: read.slot.max(self.slot), unix, ..read }))
    }

    /// Reads again what an action writes.
    pub(super) fn look(&self, action: &Action) {
        let metas = action.instructions.iter().flat_map(|instruction| &instruction.accounts);
        let mut keys: Vec<Pubkey> =
            metas.filter(|meta| meta.is_writable && !meta.is_signer).map(|meta| meta.pubkey).collect();
        keys.push(action.subject);
        keys.sort_unstable();
        keys.dedup();
        self.read_again(keys, false);
    }

    pub(super) fn read_again(&self, keys: Vec<Pubkey>, doubts: bool) {
        let (nodes, news) = (self.nodes.clone(), self.news.0.clone());
        tokio::spawn(async move {
            let wanted = &keys;
            let found = nodes.ask_at(|rpc| async move { rpc.accounts(wanted).await }).await.ok();
            let found = found.map(|found| (found.slot, keys.iter().copied().zip(found.value).collect()));
            let _ = news.send(News::Read { found, doubts });
        });
    }
}

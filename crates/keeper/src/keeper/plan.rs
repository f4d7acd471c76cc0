//! Planning after every change, and what becomes of what was planned.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use ballast_client::health::{Marks, Scan, scan};
use ballast_engine::Now;
use ballast_engine::price::Status;
use solana_pubkey::Pubkey;

use super::{Keeper, Key, News};
use crate::dispatch::{Done, Outcome};
use crate::fees::Need;
use crate::jobs::{Action, View};

/// What was done is looked for in the book for so long; then the account is planned for again anyway.
const SEEN_WITHIN: Duration = Duration::from_secs(2);
/// The most slots between two tries of what was refused.
const LONGEST_HOLD: u64 = 32;

/// Why an action waits.
pub(super) struct Hold {
    version: u64,
    tries: u32,
    until: u64,
    /// It was done in this slot: wait until the book shows it.
    landed: Option<(u64, Instant)>,
    /// Waits whatever happens to the account.
    firm: bool,
}

/// What a plan came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Planned {
    /// Actions sent.
    pub(super) sent: usize,
    /// Those that will be sent once something else is done or seen.
    pub(super) waiting: usize,
}

/// What became of an action that was called for.
enum Sent {
    Yes,
    /// Something of its subject is under way or not seen yet.
    Waits,
    /// It was tried and refused.
    Held,
}

impl Keeper {
    /// Judges everybody and sends what is called for.
    pub(super) fn plan(&mut self) -> Planned {
        let mut planned = Planned::default();
        let Some(now) = self.now().filter(|_| self.book.is_ready()) else { return planned };
        let begun = Instant::now();
        let oracles = self.book.oracles_but(|key| self.unfit.get(key).is_some_and(|(_, until)| now.slot < *until));
        let marks = match Marks::new(self.book.markets().map(|market| &market.state), &oracles, &now) {
            Ok(marks) => marks,
            Err(fault) => {
                tracing::warn!(?fault, "the markets cannot be judged by");
                return planned;
            }
        };
        let scan = scan(self.book.accounts(), &marks, &now, self.threads);
        self.metrics.set_time("ballast_keeper_scan_seconds", begun.elapsed());
        self.show(&marks, &scan, &now);
        self.judged_by = marks.iter().filter_map(|mark| mark.fresh).collect();
        let in_vain = |(key, hold): (&Key, &Hold)| (hold.landed.is_none() && now.slot < hold.until).then_some(*key);
        let held = self.holds.iter().filter_map(in_vain).collect();
        let view = View {
            now,
            book: &self.book,
            marks: &marks,
            scan: &scan,
            reward: self.reward,
            payer: self.payer,
            timing: &self.config.timing,
            tables: &self.tables,
            held: &held,
        };
        let mut actions: Vec<Action> = self.jobs.iter_mut().flat_map(|job| job.plan(&view)).collect();
        self.queue.call(&mut actions, now.slot);
        self.forget(&actions, &now);
        let all = actions.len();
        for (number, action) in actions.into_iter().enumerate() {
            if self.busy.len() >= self.config.timing.in_flight {
                planned.waiting += all - number;
                break;
            }
            match self.send(action, &now) {
                Sent::Yes => planned.sent += 1,
                Sent::Waits => planned.waiting += 1,
                Sent::Held => {}
            }
        }
        self.metrics.set("ballast_keeper_in_flight", &[], i64::try_from(self.busy.len()).unwrap_or(i64::MAX));
        // A settled market's price stands still.
        let open = marks.iter().filter(|mark| !mark.state.is_settled());
        let oldest = open.map(|mark| mark.state.price.last.publish_time).min().unwrap_or(now.unix);
        let idle = planned.sent == 0 && planned.waiting == 0 && self.busy.is_empty();
        self.pulse.rest(idle, oldest);
        planned
    }

    fn show(&mut self, marks: &Marks, scan: &Scan, now: &Now) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let below = scan.sick.iter().filter(|sick| sick.below).count();
        self.unhealthy = below as u64;
        self.jumping = marks.iter().any(|mark| mark.status == Status::Jumped);
        self.metrics.set("ballast_keeper_accounts", &[], number(self.book.accounts().len()));
        self.metrics.set("ballast_keeper_accounts_near", &[], number(scan.near));
        self.metrics.set("ballast_keeper_accounts_unhealthy", &[], number(below));
        self.metrics.set("ballast_keeper_accounts_unknown", &[], number(scan.unknown));
        let lamports = |left: u64| i64::try_from(left).unwrap_or(i64::MAX);
        let purse = self.dispatcher.purse();
        for (need, name) in [(Need::Safety, "safety"), (Need::Upkeep, "upkeep"), (Need::Price, "prices")] {
            self.metrics.set("ballast_keeper_unpaid_lamports_left", &[("for", name)], lamports(purse.left(need)));
        }
        self.metrics.set("ballast_keeper_failed_lamports_left", &[], lamports(purse.failing_left(Need::Safety)));
        for mark in marks.iter() {
            let age = now.unix.saturating_sub(mark.state.price.last.publish_time);
            self.metrics.set("ballast_keeper_price_age_seconds", &[("market", &mark.state.index.to_string())], age);
        }
    }

    /// What is not called for any more is tried at once when it is again, once its time is over.
    fn forget(&mut self, actions: &[Action], now: &Now) {
        let wanted: HashSet<Key> = actions.iter().map(Action::key).collect();
        self.holds.retain(|key, hold| wanted.contains(key) || hold.until + LONGEST_HOLD > now.slot);
        self.unfit.retain(|_, (_, until)| *until + LONGEST_HOLD > now.slot);
    }

    /// Sends an action unless something holds it back.
    fn send(&mut self, action: Action, now: &Now) -> Sent {
        let key = action.key();
        let Some((since_slot, since)) = self.queue.since(&key) else { return Sent::Held };
        let standby = self.config.timing.standby_slots;
        if self.busy.contains(&action.subject) || now.slot < since_slot.saturating_add(standby) {
            return Sent::Waits;
        }
        if let Some(hold) = self.holds.get(&key) {
            if let Some((landed, at)) = hold.landed {
                // Until it is seen, the book shows what was before.
                let seen = self.book.seen(&action.subject).is_none_or(|seen| seen >= landed);
                if !seen && at.elapsed() < SEEN_WITHIN {
                    return Sent::Waits;
                }
            } else if now.slot < hold.until && (hold.firm || hold.version == action.version) {
                return Sent::Held;
            }
        }
        // Nothing is asked of a node for what there is no money for.
        if action.reward == 0 && !self.dispatcher.purse().affords(action.need) {
            return Sent::Held;
        }
        self.queue.tried(&key);
        self.busy.insert(action.subject);
        let (dispatcher, news) = (self.dispatcher.clone(), self.news.0.clone());
        tokio::spawn(async move {
            let done = dispatcher.perform(action, since).await;
            let _ = news.send(News::Done(Box::new(done)));
        });
        Sent::Yes
    }

    pub(super) fn after(&mut self, done: Done) {
        let Done { action, outcome, slot, .. } = done;
        self.dirty = true;
        self.busy.remove(&action.subject);
        let key = action.key();
        if let Outcome::Oracle(oracle) = outcome {
            self.summary.raced += 1;
            self.refuse_oracle(oracle, &action);
            return;
        }
        let tries = self.holds.get(&key).map_or(0, |hold| hold.tries);
        let count = match &outcome {
            Outcome::Done | Outcome::Dry => &mut self.summary.done,
            Outcome::Raced(_) | Outcome::Oracle(_) => &mut self.summary.raced,
            Outcome::Refused(_) => &mut self.summary.refused,
            Outcome::Lost(_) => &mut self.summary.lost,
            Outcome::Unprofitable => &mut self.summary.unprofitable,
        };
        *count += 1;
        let wait = 1_u64.checked_shl(tries).unwrap_or(LONGEST_HOLD).min(LONGEST_HOLD);
        let later = Hold {
            version: action.version,
            tries: tries.saturating_add(1),
            until: self.slot.saturating_add(wait),
            landed: None,
            firm: matches!(outcome, Outcome::Refused(_) | Outcome::Unprofitable | Outcome::Dry),
        };
        let hold = match outcome {
            Outcome::Done => Hold { tries: 0, landed: Some((slot, Instant::now())), ..later },
            _ => later,
        };
        self.holds.insert(key, hold);
        if outcome == Outcome::Done {
            for oracle in action.oracles() {
                self.unfit.remove(&oracle);
            }
        }
        match outcome {
            // The socket tells of markets.
            Outcome::Done if action.job == "prices" => {}
            // An order or a proposal that is done with is closed, of which no node tells.
            Outcome::Done | Outcome::Raced(_) | Outcome::Refused(_) | Outcome::Lost(_) => self.look(&action),
            Outcome::Oracle(_) | Outcome::Unprofitable | Outcome::Dry => {}
        }
    }

    /// An oracle's account was closed or filled with something else: it is read again, and not used for a while, so that
    /// the next newest is. Whoever was to be acted upon is not held back for it.
    fn refuse_oracle(&mut self, oracle: Pubkey, action: &Action) {
        let (tries, until) = self.unfit.entry(oracle).or_default();
        let wait = 1_u64.checked_shl(*tries).unwrap_or(LONGEST_HOLD).min(LONGEST_HOLD);
        (*tries, *until) = (tries.saturating_add(1), self.slot.saturating_add(wait));
        self.metrics.add("ballast_keeper_oracles_refused_total", &[], 1);
        self.read_again(action.oracles().collect(), false);
    }
}

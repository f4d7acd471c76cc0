//! What is called for: since when, and whose turn it is.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::Key;
use crate::jobs::Action;

/// An action that has been called for ever since.
struct Called {
    /// The slot in which it was first called for.
    slot: u64,
    /// When what it is about changed last, for the figures.
    version: u64,
    changed: Instant,
    /// The round in which it was first called for, or last tried: twice its number, and one more once it was tried.
    turn: u64,
}

/// Actions by job and subject. Nothing that a subject's owner does to it makes it be called for anew: who would be
/// liquidated changes his account every slot.
#[derive(Default)]
pub(super) struct Queue {
    called: HashMap<Key, Called>,
    turn: u64,
}

impl Queue {
    /// Takes note of what is called for in a slot, in order: by rank; within one by turns, so that what is tried in vain again
    /// and again keeps nobody waiting. What is not called for any more starts anew.
    pub(super) fn call(&mut self, actions: &mut [Action], slot: u64) {
        self.turn += 2;
        let wanted: HashSet<Key> = actions.iter().map(Action::key).collect();
        self.called.retain(|key, _| wanted.contains(key));
        for action in &*actions {
            let fresh = || Called { slot, version: action.version, changed: Instant::now(), turn: self.turn };
            let called = self.called.entry(action.key()).or_insert_with(fresh);
            if called.version != action.version {
                (called.version, called.changed) = (action.version, Instant::now());
            }
        }
        let turn = |action: &Action| self.called.get(&action.key()).map_or(0, |called| called.turn);
        actions.sort_by_key(|action| (action.rank, turn(action)));
    }

    /// Since which slot it has been called for, and when what it is about changed last.
    pub(super) fn since(&self, key: &Key) -> Option<(u64, Instant)> {
        self.called.get(key).map(|called| (called.slot, called.changed))
    }

    /// It is tried.
    pub(super) fn tried(&mut self, key: &Key) {
        if let Some(called) = self.called.get_mut(key) {
            called.turn = self.turn + 1;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.called.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fees::Need;
    use solana_pubkey::Pubkey;

    fn action(subject: u8, version: u64, rank: i64) -> Action {
        Action {
            job: "orders",
            subject: Pubkey::new_from_array([subject; 32]),
            version,
            instructions: Vec::new(),
            race: &[],
            may_vanish: true,
            reward: 0,
            own_flag: false,
            need: Need::Upkeep,
            rank,
        }
    }

    #[test]
    fn whoever_changes_his_account_every_slot_is_waited_for_no_longer() {
        let mut queue = Queue::default();
        for slot in 10..20 {
            let mut actions = [action(1, slot, 0)];
            queue.call(&mut actions, slot);
            assert_eq!(queue.since(&actions[0].key()).unwrap().0, 10, "slot {slot}");
        }
        queue.call(&mut [], 20);
        let mut actions = [action(1, 20, 0)];
        queue.call(&mut actions, 21);
        assert_eq!(queue.since(&actions[0].key()).unwrap().0, 21, "it was not called for in between");
    }

    #[test]
    fn what_is_tried_in_vain_again_and_again_keeps_nobody_waiting() {
        let mut queue = Queue::default();
        let mut tried = [0; 50];
        // Fifty of one rank, four places each round, always planned in the same order; and one that comes first.
        for slot in 0..50 {
            let mut actions: Vec<Action> = (0..50).map(|subject| action(subject, slot, 5)).collect();
            actions.push(action(99, 0, 1));
            queue.call(&mut actions, slot);
            assert_eq!(actions[0].subject, Pubkey::new_from_array([99; 32]), "rank goes before turn");
            for action in &actions[1..5] {
                queue.tried(&action.key());
                tried[usize::from(action.subject.to_bytes()[0])] += 1;
            }
        }
        // Two hundred tries of fifty, one round more or less.
        assert!(tried.iter().all(|times| (3..=5).contains(times)), "{tried:?}");
    }
}

//! The oracles' accounts. Anyone may hold a feed: post an update into an account of its own, and close it or fill it with
//! something else afterwards, of which no filtered subscription tells. So an account is believed no longer than its slot
//! is the newest known: what is read later replaces it, and what a whole answer lacks is gone.

use std::collections::BTreeMap;

use ballast_client::address;
use ballast_client::health::Oracles;
use ballast_client::instructions::pubkey;
use ballast_client::rpc::{AccountData, oracle_message};
use ballast_engine::price::RawUpdate;
use solana_pubkey::Pubkey;

use super::{Book, Changed};
use crate::feed::Feed;

/// The most accounts that are kept of a feed; of more, those with the oldest prices are forgotten.
const MOST: usize = 32;

/// An account that holds a feed.
#[derive(Clone, Copy, Debug)]
struct Heard {
    key: Pubkey,
    slot: u64,
    raw: RawUpdate,
    /// Its sponsors or the configuration vouch for it: first among equals, and never forgotten for want of room.
    known: bool,
}

/// Accounts by feed: those that are known first, then in the order in which they were heard of.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    feeds: BTreeMap<Feed, Vec<Heard>>,
    sponsored: BTreeMap<[u8; 32], Pubkey>,
    /// Accounts that the configuration names.
    pub(super) named: Vec<Pubkey>,
}

impl Feeds {
    /// Empty, with the same names.
    pub(super) fn anew(&mut self) -> Self {
        Self { named: std::mem::take(&mut self.named), ..Self::default() }
    }

    pub(super) fn raws(&self) -> impl Iterator<Item = &RawUpdate> {
        self.feeds.values().flatten().map(|heard| &heard.raw)
    }

    /// The slot that an account was heard of in.
    pub(super) fn seen(&self, key: &Pubkey) -> Option<u64> {
        self.feeds.values().flatten().find(|heard| heard.key == *key).map(|heard| heard.slot)
    }

    /// Forgets an account, unless it was heard of after this slot; whether it was there.
    pub(super) fn forget(&mut self, key: &Pubkey, slot: u64) -> bool {
        let before = self.feeds.values().map(Vec::len).sum::<usize>();
        self.feeds.values_mut().for_each(|all| all.retain(|heard| heard.key != *key || heard.slot > slot));
        self.feeds.values().map(Vec::len).sum::<usize>() != before
    }

    fn keep(&mut self, feed: Feed, key: Pubkey, slot: u64, raw: RawUpdate) -> Changed {
        let sponsored = *self.sponsored.entry(feed.1).or_insert_with(|| address::sponsored_oracle(&feed.1));
        let known = key == sponsored || self.named.contains(&key);
        // It holds one feed at a time.
        for (_, others) in self.feeds.iter_mut().filter(|(other, _)| **other != feed) {
            others.retain(|heard| heard.key != key);
        }
        let all = self.feeds.entry(feed).or_default();
        let mut changed = Changed::default();
        match all.iter_mut().find(|heard| heard.key == key) {
            Some(heard) => {
                changed.any = heard.raw != raw;
                (heard.slot, heard.raw) = (slot, raw);
            }
            None => {
                changed.any = true;
                all.push(Heard { key, slot, raw, known });
                all.sort_by_key(|heard| !heard.known);
            }
        }
        if all.len() > MOST {
            let strangers = all.iter().enumerate().filter(|(_, heard)| !heard.known);
            let oldest = strangers.min_by_key(|(_, heard)| heard.raw.publish_time).map(|(place, _)| place);
            oldest.map(|place| all.remove(place));
        }
        changed.price = changed.any;
        changed
    }
}

impl Book {
    /// Oracle accounts that the configuration vouches for, beside the sponsored ones.
    pub fn vouch(&mut self, oracles: Vec<Pubkey>) {
        self.oracles.named = oracles;
    }

    /// Whether nobody vouches for an oracle account, and it was not heard of since this slot.
    pub fn may_be_gone(&self, key: &Pubkey, slot: u64) -> bool {
        self.oracles.feeds.values().flatten().any(|heard| heard.key == *key && !heard.known && heard.slot <= slot)
    }

    /// Each market's oracle accounts but those that are held to be something else by now.
    pub fn oracles_but(&self, held: impl Fn(&Pubkey) -> bool) -> Oracles {
        let of = |feed: &Feed| {
            let all = self.oracles.feeds.get(feed).into_iter().flatten();
            all.filter(|heard| !held(&heard.key)).map(|heard| (heard.key, heard.raw)).collect()
        };
        self.markets()
            .map(|market| (market.state.index, of(&(pubkey(&market.oracle_program), market.feed_id.0))))
            .collect()
    }

    /// Each market's oracle accounts.
    pub fn oracles(&self) -> Oracles {
        self.oracles_but(|_| false)
    }

    /// Takes an oracle's account as it was in a slot, or takes note that it is none of a market's any more.
    pub fn apply_oracle(&mut self, key: Pubkey, slot: u64, data: &AccountData) -> Changed {
        let known = self.oracles.seen(&key);
        let found = self.wanted(data);
        if known.is_some_and(|known| known > slot) || self.gone.get(&key).is_some_and(|gone| *gone > slot) {
            return Changed { late: known.is_some() || found.is_some(), ..Changed::default() };
        }
        match found {
            Some((feed, raw)) => self.oracles.keep(feed, key, slot, raw),
            None => {
                let any = self.oracles.forget(&key, slot);
                if any {
                    self.gone.insert(key, slot);
                }
                Changed { any, price: any, ..Changed::default() }
            }
        }
    }

    /// The price in an account that a market would take it from.
    fn wanted(&self, data: &AccountData) -> Option<(Feed, RawUpdate)> {
        let (message, posted_slot) = oracle_message(&data.data)?;
        let feed = (data.owner, message.feed_id);
        let takes = |market: &ballast::state::Market| (pubkey(&market.oracle_program), market.feed_id.0) == feed;
        let raw = RawUpdate {
            price: message.price,
            conf: message.conf,
            exponent: message.exponent,
            publish_time: message.publish_time,
            prev_publish_time: message.prev_publish_time,
            posted_slot,
        };
        self.markets().any(takes).then_some((feed, raw))
    }

    /// Compares the oracles' accounts with a whole answer of one slot: what is missing there and was not heard of later is
    /// gone, and so is what no market takes its price from any more.
    pub fn reconcile_oracles(&mut self, slot: u64, found: &[(Pubkey, AccountData)]) {
        for (key, data) in found {
            self.apply_oracle(*key, slot, data);
        }
        let present: std::collections::HashSet<&Pubkey> = found.iter().map(|(key, _)| key).collect();
        let wanted: std::collections::HashSet<Feed> =
            self.markets().map(|market| (pubkey(&market.oracle_program), market.feed_id.0)).collect();
        self.oracles.feeds.retain(|feed, all| {
            all.retain(|heard| heard.slot > slot || present.contains(&heard.key));
            wanted.contains(feed)
        });
    }
}

//! What the keeper knows of the exchange: every account, with the slot it was true in.

mod oracles;

use std::collections::{BTreeMap, HashMap};

use ballast::state::{Covenant, Exchange, LpDeposit, LpWithdrawal, Market, Order, Proposal, Subaccount};
use ballast_client::Account;
use ballast_client::instructions::pubkey;
use ballast_client::rpc::AccountData;
use ballast_engine::Now;
use ballast_engine::constants::FUTURE_TOLERANCE;
use oracles::Feeds;
use solana_pubkey::Pubkey;

/// An account may be heard of so many slots before its slot is; further ahead, its slot is another chain's.
const HEARD_AHEAD: u64 = 50;

/// A value with the slot it was true in.
#[derive(Clone, Debug)]
pub struct Kept<T> {
    /// The slot.
    pub slot: u64,
    /// The value.
    pub value: T,
}

/// A subaccount with its address.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its address.
    pub key: Pubkey,
    /// The slot it was true in.
    pub slot: u64,
    /// Its contents.
    pub account: Subaccount,
}

impl AsRef<Subaccount> for Entry {
    fn as_ref(&self) -> &Subaccount {
        &self.account
    }
}

/// What a change of the book calls for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Something changed that jobs look at.
    pub any: bool,
    /// A market or an oracle's price changed: everybody is to be judged again.
    pub price: bool,
    /// A market was seen for the first time.
    pub new_market: bool,
    /// It was not taken, for it is older than what is known; but it says something else. Either it is late, or its slot is
    /// wrong, or what is known was on a fork that is gone: only reading the account again can tell.
    pub late: bool,
}

/// A liquidity ticket.
#[derive(Clone, Debug, PartialEq)]
pub enum Ticket {
    /// Money that waits to come in.
    Deposit(Box<LpDeposit>),
    /// Shares that wait to leave.
    Exit(Box<LpWithdrawal>),
}

/// Accounts of one exchange.
#[derive(Debug, Default)]
pub struct Book {
    exchange: Pubkey,
    own: Option<Kept<Box<Exchange>>>,
    markets: BTreeMap<u16, Kept<Box<Market>>>,
    indices: HashMap<Pubkey, u16>,
    accounts: Vec<Entry>,
    places: HashMap<Pubkey, usize>,
    orders: HashMap<Pubkey, Kept<Box<Order>>>,
    proposals: HashMap<Pubkey, Kept<Box<Proposal>>>,
    tickets: HashMap<Pubkey, Kept<Ticket>>,
    covenants: HashMap<Pubkey, Kept<Box<Covenant>>>,
    oracles: Feeds,
    /// Accounts that are gone, with the slot in which they were: a late answer must not bring them back.
    gone: HashMap<Pubkey, u64>,
}

/// Keeps a value unless a later one is known.
fn keep<T: PartialEq>(known: &mut HashMap<Pubkey, Kept<T>>, key: Pubkey, slot: u64, value: T) -> Changed {
    match known.get(&key) {
        Some(kept) if slot < kept.slot => Changed { late: kept.value != value, ..Changed::default() },
        _ => {
            known.insert(key, Kept { slot, value });
            Changed { any: true, ..Changed::default() }
        }
    }
}

/// Whether something of this slot and sequence is no older than what is known.
fn newer(heard: (u64, u64), known: Option<(u64, u64)>) -> bool {
    known.is_none_or(|known| heard >= known)
}

impl Book {
    /// An empty book of an exchange.
    pub fn new(exchange: Pubkey) -> Self {
        Self { exchange, ..Self::default() }
    }

    /// The exchange's address.
    pub fn exchange(&self) -> Pubkey {
        self.exchange
    }

    /// The exchange, once it was read.
    pub fn state(&self) -> Option<&Exchange> {
        self.own.as_ref().map(|kept| &*kept.value)
    }

    /// Its markets by index.
    pub fn markets(&self) -> impl Iterator<Item = &Market> {
        self.markets.values().map(|kept| &*kept.value)
    }

    /// The index of a market's address.
    pub fn index_of(&self, market: &Pubkey) -> Option<u16> {
        self.indices.get(market).copied()
    }

    /// A market.
    pub fn market(&self, index: u16) -> Option<&Market> {
        self.markets.get(&index).map(|kept| &*kept.value)
    }

    /// All subaccounts.
    pub fn accounts(&self) -> &[Entry] {
        &self.accounts
    }

    /// A subaccount.
    pub fn account(&self, key: &Pubkey) -> Option<&Entry> {
        self.places.get(key).and_then(|place| self.accounts.get(*place))
    }

    /// Orders by address.
    pub fn orders(&self) -> impl Iterator<Item = (&Pubkey, &Order)> {
        self.orders.iter().map(|(key, kept)| (key, &*kept.value))
    }

    /// Proposals by address.
    pub fn proposals(&self) -> impl Iterator<Item = (&Pubkey, &Proposal)> {
        self.proposals.iter().map(|(key, kept)| (key, &*kept.value))
    }

    /// Liquidity tickets by address.
    pub fn tickets(&self) -> impl Iterator<Item = (&Pubkey, &Ticket)> {
        self.tickets.iter().map(|(key, kept)| (key, &kept.value))
    }

    /// A covenant.
    pub fn covenant(&self, key: &Pubkey) -> Option<&Covenant> {
        self.covenants.get(key).map(|kept| &*kept.value)
    }

    /// Covenants by address.
    pub fn covenants(&self) -> impl Iterator<Item = (&Pubkey, &Covenant)> {
        self.covenants.iter().map(|(key, kept)| (key, &*kept.value))
    }

    /// The slot in which an account was last seen.
    pub fn seen(&self, key: &Pubkey) -> Option<u64> {
        self.account(key)
            .map(|entry| entry.slot)
            .or_else(|| self.orders.get(key).map(|kept| kept.slot))
            .or_else(|| self.proposals.get(key).map(|kept| kept.slot))
            .or_else(|| self.tickets.get(key).map(|kept| kept.slot))
            .or_else(|| self.covenants.get(key).map(|kept| kept.slot))
            .or_else(|| self.indices.get(key).and_then(|index| self.markets.get(index)).map(|kept| kept.slot))
            .or_else(|| self.own.as_ref().filter(|_| *key == self.exchange).map(|kept| kept.slot))
    }

    /// Forgets everything: the chain went back.
    pub fn clear(&mut self) {
        *self = Self { oracles: self.oracles.anew(), ..Self::new(self.exchange) };
    }

    /// Takes a program account as it was in a slot. An older one than what is known changes nothing; of two of one slot
    /// the one with more events is the later.
    pub fn apply(&mut self, key: Pubkey, slot: u64, data: &AccountData) -> Changed {
        let mut changed = Changed::default();
        if data.lamports == 0 || data.data.is_empty() {
            let known = self.seen(&key).is_some() || self.oracles.seen(&key).is_some();
            changed.any = self.remove(&key, slot);
            changed.late = known && !changed.any;
            return changed;
        }
        if self.gone.get(&key).is_some_and(|gone| *gone >= slot) {
            changed.late = true;
            return changed;
        }
        let ours = self.exchange.to_bytes();
        match Account::decode(&data.data) {
            Ok(Account::Exchange(exchange)) if key == self.exchange => {
                let known = self.own.as_ref().map(|kept| (kept.slot, kept.value.sequence));
                changed.any = newer((slot, exchange.sequence), known);
                changed.late = !changed.any && self.own.as_ref().is_some_and(|kept| kept.value != exchange);
                if changed.any {
                    self.own = Some(Kept { slot, value: exchange });
                }
            }
            Ok(Account::Market(market)) if market.exchange.0 == ours => {
                let (index, sequence) = (market.state.index, market.state.sequence);
                let known = self.markets.get(&index).map(|kept| (kept.slot, kept.value.state.sequence));
                changed.new_market = known.is_none();
                changed.any = newer((slot, sequence), known);
                changed.late = !changed.any && self.markets.get(&index).is_some_and(|kept| kept.value != market);
                if changed.any {
                    self.indices.insert(key, index);
                    self.markets.insert(index, Kept { slot, value: market });
                    changed.price = true;
                }
            }
            Ok(Account::Subaccount(account)) if account.exchange.0 == ours => {
                (changed.any, changed.late) = self.apply_account(key, slot, &account);
            }
            Ok(Account::Order(order)) => return keep(&mut self.orders, key, slot, order),
            Ok(Account::Proposal(proposal)) if proposal.exchange.0 == ours => {
                return keep(&mut self.proposals, key, slot, proposal);
            }
            Ok(Account::Covenant(covenant)) if covenant.exchange.0 == ours => {
                return keep(&mut self.covenants, key, slot, covenant);
            }
            Ok(Account::LpDeposit(ticket)) => return keep(&mut self.tickets, key, slot, Ticket::Deposit(ticket)),
            Ok(Account::LpWithdrawal(ticket)) => return keep(&mut self.tickets, key, slot, Ticket::Exit(ticket)),
            _ => {}
        }
        changed
    }

    fn apply_account(&mut self, key: Pubkey, slot: u64, account: &Subaccount) -> (bool, bool) {
        match self.places.get(&key).and_then(|place| self.accounts.get_mut(*place)) {
            Some(entry) => {
                let known = (entry.slot, entry.account.state.sequence);
                let taken = newer((slot, account.state.sequence), Some(known));
                let late = !taken && entry.account != *account;
                if taken {
                    entry.slot = slot;
                    entry.account = *account;
                }
                (taken, late)
            }
            None => {
                self.places.insert(key, self.accounts.len());
                self.accounts.push(Entry { key, slot, account: *account });
                (true, false)
            }
        }
    }

    /// Takes note that there is no account at an address any more.
    pub fn remove(&mut self, key: &Pubkey, slot: u64) -> bool {
        if self.seen(key).or_else(|| self.oracles.seen(key)).is_some_and(|seen| seen > slot) {
            return false;
        }
        self.gone.insert(*key, slot);
        let mut removed = self.orders.remove(key).is_some()
            | self.proposals.remove(key).is_some()
            | self.tickets.remove(key).is_some()
            | self.covenants.remove(key).is_some()
            | self.oracles.forget(key, slot);
        if let Some(place) = self.places.remove(key) {
            self.accounts.swap_remove(place);
            if let Some(moved) = self.accounts.get(place) {
                self.places.insert(moved.key, place);
            }
            removed = true;
        }
        removed
    }

    /// Compares the book with a whole answer of one slot, and mends it: what is missing there and not newer here is gone.
    /// Returns how many accounts differed although the book had them as of that slot or later: updates that were missed.
    pub fn reconcile(&mut self, slot: u64, found: &[(Pubkey, AccountData)]) -> usize {
        let mut missed = 0;
        let present: std::collections::HashSet<&Pubkey> = found.iter().map(|(key, _)| key).collect();
        let others = self.orders.keys().chain(self.proposals.keys());
        let others = others.chain(self.tickets.keys()).chain(self.covenants.keys());
        let known: Vec<Pubkey> = self.places.keys().chain(others).copied().collect();
        for key in known {
            if !present.contains(&key) && self.seen(&key).is_some_and(|seen| seen <= slot) && self.remove(&key, slot) {
                missed += 1;
            }
        }
        for (key, data) in found {
            let before = self.account(key).map(|entry| (entry.slot, entry.account));
            self.apply(*key, slot, data);
            if let (Some((_, before)), Some(after)) = (before, self.account(key))
                && before != after.account
            {
                missed += 1;
            }
        }
        self.gone.retain(|_, gone| *gone + 1_000 > slot);
        missed
    }

    /// Orders with their subaccounts; one whose subaccount is not known (of another exchange) is left out.
    pub fn order_terms(&self) -> impl Iterator<Item = (&Pubkey, &Order, &Entry)> {
        self.orders().filter_map(|(key, order)| {
            let entry = self.account(&pubkey(&order.subaccount))?;
            Some((key, order, entry))
        })
    }

    /// Whether everything that jobs need was read.
    pub fn is_ready(&self) -> bool {
        self.own.as_ref().is_some_and(|own| usize::from(own.value.markets) == self.markets.len())
    }

    /// A clock that is no older than what is known of the chain: the oracles' accounts say when they were posted.
    pub fn clock(&self, now: Now) -> Now {
        let known = || self.oracles.raws();
        let near = now.slot.saturating_add(HEARD_AHEAD);
        let posted = known().map(|raw| raw.posted_slot).filter(|slot| *slot <= near).max().unwrap_or(0);
        // What lies further ahead is no price for the chain either.
        let latest = now.unix.saturating_add(FUTURE_TOLERANCE);
        let published = known().map(|raw| raw.publish_time).filter(|time| *time <= latest).max().unwrap_or(0);
        Now { slot: now.slot.max(posted), unix: now.unix.max(published), ..now }
    }
}

#[cfg(test)]
mod tests;

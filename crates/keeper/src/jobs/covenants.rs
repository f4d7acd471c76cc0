//! Owners' covenants: refreshes what they know of the accounts, trips those whose loss has reached its limit, and closes what
//! their owners want closed then, for the fee. Puts in force what an owner has asked for when its delay is over.
//!
//! Refreshing goes in one transaction, if it fits: all of an owner's accounts are then seen at the same prices. A loss that is
//! found at its limit is found again two slots later, at newer prices; that transaction trips too. Where nobody has looked for a
//! while an account is shown all the same: a high that nobody sees raises no mark, and a day begins with the last sum that was
//! seen.

use std::collections::HashMap;

use ballast::state::Covenant;
use ballast_client::instructions::{self, leg_metas, pubkey};
use ballast_client::{address, covenants};
use ballast_engine::Error;
use ballast_engine::covenant::CovenantState;
use ballast_engine::layout::Key;
use ballast_engine::price::Status;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{Action, Job, View, rank};
use crate::book::Entry;
use crate::fees::Need;

/// An entry with positions is refreshed when it is so old, slots (ten minutes).
const STALE_SLOTS: u64 = 1_500;
/// Accounts that were shown in several transactions, in vain, are shown again after so many slots.
const AGAIN_SLOTS: u64 = 10;
/// Somebody was first, or the moment has passed.
const RACE: &[Error] = &[
    Error::CovenantNotBreached,
    Error::CovenantStale,
    Error::CovenantTooFresh,
    Error::CovenantNotTripped,
    Error::CovenantNoRequest,
    Error::CovenantNotReady,
    Error::CovenantFull,
    Error::PositionNotFound,
    Error::WrongMarket,
    Error::WrongMarketCount,
    Error::LossNotCovered,
    Error::PriceStale,
    Error::PriceUncertain,
    Error::PriceUnconfirmed,
    Error::PriceSilent,
];

/// See the module.
pub(super) struct Covenants;

impl Job for Covenants {
    fn name(&self) -> &'static str {
        "covenants"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        if view.book.covenants().next().is_none() {
            return Vec::new();
        }
        let mut accounts = owned(view);
        let mut actions = Vec::new();
        for (key, covenant) in view.book.covenants() {
            let mut own = accounts.remove(&key.to_bytes()).unwrap_or_default();
            own.sort_by_key(|entry| entry.key);
            actions.extend(execute(view, key, covenant));
            actions.extend(trip_or_touch(view, key, covenant, &own));
            if covenant.state.check_auto_close(&view.now).is_ok() {
                actions.extend(own.iter().filter_map(|entry| close(view, key, covenant, entry)));
            }
        }
        actions
    }
}

fn action(key: &Pubkey, covenant: &Covenant, instructions: Vec<Instruction>) -> Action {
    Action {
        job: "covenants",
        subject: *key,
        version: covenant.state.sequence,
        instructions,
        race: RACE,
        may_vanish: true,
        reward: 0,
        own_flag: false,
        need: Need::Upkeep,
        rank: rank::REST,
    }
}

/// What was asked for, when its delay is over.
fn execute(view: &View<'_>, key: &Pubkey, covenant: &Covenant) -> Option<Action> {
    let mut trial = covenant.state;
    trial.loosen(&view.now).ok()?;
    Some(action(key, covenant, vec![instructions::execute_loosening(key)]))
}

/// Shows all accounts with positions where that finds a loss at its limit or trips the covenant, or where one has not been seen
/// for long. Accounts for which it has no place (positions older than the covenant, or claims) are left out.
fn trip_or_touch(view: &View<'_>, key: &Pubkey, covenant: &Covenant, own: &[&Entry]) -> Vec<Action> {
    let urgent = |batch| Action { rank: rank::ORDER - 1, need: Need::Safety, ..action(key, covenant, batch) };
    // All were shown a moment ago, in several transactions perhaps.
    if covenants::would_trip(&covenant.state, &view.now).is_some() {
        return vec![urgent(vec![instructions::trip_covenant(key)])];
    }
    let Some((shown, touched)) = show(view, covenant, own) else { return Vec::new() };
    let trips = covenants::would_trip(&touched, &view.now).is_some();
    let at_limit = trips || covenants::finds(covenant, &touched);
    let age = |entry: &&&Entry| view.now.slot.saturating_sub(seen(covenant, entry));
    let old = |entry: &&Entry| holds(covenant, entry) && age(&entry) > STALE_SLOTS;
    if !at_limit && !shown.iter().any(old) {
        return Vec::new();
    }
    let mut batch = touches(view, key, &shown);
    if trips {
        batch.push(instructions::trip_covenant(key));
    }
    if view.fits(&batch) {
        return if at_limit { vec![urgent(batch)] } else { vec![action(key, covenant, batch)] };
    }
    // Several transactions, for one slot: what they show counts together only there. Next time the trip is all that is left.
    if shown.iter().all(|entry| age(&entry) < AGAIN_SLOTS) {
        return Vec::new();
    }
    in_parts(view, key, covenant, &shown, if at_limit { rank::ORDER - 1 } else { rank::REST })
}

/// Accounts shown in as many transactions as it takes, each about the first of its accounts.
pub(super) fn in_parts(view: &View<'_>, key: &Pubkey, covenant: &Covenant, shown: &[&Entry], rank: i64) -> Vec<Action> {
    let part =
        |part: &[&Entry]| Action { subject: part[0].key, rank, ..action(key, covenant, touches(view, key, part)) };
    let mut parts = Vec::new();
    let mut from = 0;
    for to in 1..=shown.len() {
        if to == shown.len() || !view.fits(&touches(view, key, &shown[from..=to])) {
            parts.push(part(&shown[from..to]));
            from = to;
        }
    }
    parts
}

/// The accounts of each covenant's owner.
pub(super) fn owned<'a>(view: &View<'a>) -> HashMap<[u8; 32], Vec<&'a Entry>> {
    let mut accounts: HashMap<[u8; 32], Vec<&Entry>> = HashMap::new();
    for entry in view.book.accounts() {
        accounts.entry(entry.account.covenant.0).or_default().push(entry);
    }
    accounts
}

/// An owner's accounts that are shown before another one of them increases: those that the covenant knows, and where it knows
/// the other one too, those for which it has a place. One that holds something and is not known is shown itself.
pub(super) fn beside<'a>(view: &View<'_>, covenant: &Covenant, own: &[&'a Entry], entry: &Entry) -> Vec<&'a Entry> {
    let enrolled = known(covenant, entry).is_some();
    let shown = |other: &&&Entry| match other.key == entry.key {
        true => !enrolled && !other.account.state.is_flat(),
        false => enrolled || known(covenant, other).is_some(),
    };
    let others: Vec<&Entry> = own.iter().filter(shown).copied().collect();
    show(view, covenant, &others).map_or_else(Vec::new, |(shown, _)| shown)
}

/// Whether the covenant has seen all of these a moment ago, at good prices.
pub(super) fn just_seen(view: &View<'_>, covenant: &Covenant, shown: &[&Entry]) -> bool {
    let just = |known: &ballast_engine::covenant::Entry| {
        known.good != 0 && view.now.slot.saturating_sub(known.slot) < AGAIN_SLOTS
    };
    shown.iter().all(|entry| known(covenant, entry).is_some_and(just))
}

/// The slot in which the covenant saw an account last.
fn seen(covenant: &Covenant, entry: &Entry) -> u64 {
    known(covenant, entry).map_or(0, |known| known.slot)
}

fn known<'a>(covenant: &'a Covenant, entry: &Entry) -> Option<&'a ballast_engine::covenant::Entry> {
    let place = covenant.state.find(&Key(entry.key.to_bytes()))?;
    covenant.state.entries.get(place)
}

/// Whether an account holds anything. One that was closed in the meantime still stands as open in the covenant.
fn holds(covenant: &Covenant, entry: &Entry) -> bool {
    !entry.account.state.is_flat() || known(covenant, entry).is_some_and(|known| known.positions != 0)
}

/// Those of an owner's accounts that are to be shown and have a place, and the covenant after it; `None` where one of them
/// cannot be measured.
fn show<'a>(view: &View<'_>, covenant: &Covenant, own: &[&'a Entry]) -> Option<(Vec<&'a Entry>, Box<CovenantState>)> {
    let mut wanted: Vec<&Entry> = own.iter().filter(|entry| holds(covenant, entry)).copied().collect();
    if wanted.is_empty() {
        // What was lost is realised: any account that the covenant knows shows the sums.
        wanted.extend(own.iter().find(|entry| known(covenant, entry).is_some()));
    }
    wanted.sort_by_key(|entry| known(covenant, entry).is_none());
    let find = |index| view.marks.get(index).map(|mark| &*mark.state);
    let (mut shown, mut state) = (Vec::new(), Box::new(covenant.state));
    for entry in wanted {
        let measure = covenants::measure(&entry.account, find, &view.now).ok()?;
        let mut trial = state.clone();
        match trial.touch(&Key(entry.key.to_bytes()), &measure, entry.account.state.flow, &view.now) {
            Ok(()) => {
                state = trial;
                shown.push(entry);
            }
            Err(fault) if fault.error == Error::CovenantFull => {}
            Err(_) => return None,
        }
    }
    Some((shown, state))
}

/// Instructions that show accounts to a covenant, the prices in front.
fn touches(view: &View<'_>, key: &Pubkey, shown: &[&Entry]) -> Vec<Instruction> {
    let markets = shown.iter().flat_map(|entry| entry.account.state.slots().map(|(_, position)| position.market));
    let mut batch = view.refresh(markets);
    let touch = |entry: &&Entry| instructions::touch_covenant(key, &entry.key, &leg_metas(&entry.account, None, false));
    batch.extend(shown.iter().map(touch));
    batch
}

/// Closes the first position with a good price that is newer than the trip's.
fn close(view: &View<'_>, key: &Pubkey, covenant: &Covenant, entry: &Entry) -> Option<Action> {
    // A fee cannot go to the account that pays it.
    let (_, position) = entry.account.state.slots().find(|(_, position)| {
        let ready = view.marks.get(position.market).is_some_and(|mark| {
            let published = mark.state.price.last.publish_time;
            mark.status == Status::Good && covenant.state.check_close_at(published, &view.now).is_ok()
        });
        position.is_open() && ready && entry.key != view.reward
    })?;
    let (index, state) = (position.market, &view.marks.get(position.market)?.state);
    let market = address::market(&view.book.exchange(), index);
    let legs = leg_metas(&entry.account, Some(index), true);
    let close = instructions::close_tripped(&market, &entry.key, &view.reward, key, &legs);
    debug_assert_eq!(pubkey(&entry.account.covenant), *key);
    Some(Action {
        reward: state.params.order_fee.0.min(entry.account.state.collateral.0),
        rank: rank::ORDER,
        ..view.on(entry, "covenants", close, RACE)
    })
}

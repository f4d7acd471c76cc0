//! Owners' covenants: refreshes what they know of the accounts, trips those whose loss has reached its limit, and closes what
//! their owners want closed then, for the fee. Puts in force what an owner has asked for when its delay is over.
//!
//! Refreshing and tripping go in one transaction: all of an owner's accounts are then seen at the same prices. Where nobody
//! has looked for a while an account is shown all the same: a high that nobody sees raises no mark, and a day begins with
//! the last sum that was seen.

use std::collections::HashMap;

use ballast::state::Covenant;
use ballast_client::instructions::{self, leg_metas, pubkey};
use ballast_client::{address, covenants};
use ballast_engine::Error;
use ballast_engine::layout::Key;
use ballast_engine::price::Status;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{Action, Job, View, rank};
use crate::book::Entry;

/// An entry with positions is refreshed when it is so old, slots (ten minutes).
const STALE_SLOTS: u64 = 1_500;
/// Somebody was first, or the moment has passed.
const RACE: &[Error] = &[
    Error::CovenantNotBreached,
    Error::CovenantStale,
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
        let mut accounts: HashMap<[u8; 32], Vec<&Entry>> = HashMap::new();
        if view.book.covenants().next().is_none() {
            return Vec::new();
        }
        for entry in view.book.accounts() {
            accounts.entry(entry.account.covenant.0).or_default().push(entry);
        }
        let mut actions = Vec::new();
        for (key, covenant) in view.book.covenants() {
            let mut own = accounts.remove(&key.to_bytes()).unwrap_or_default();
            own.sort_by_key(|entry| entry.key);
            actions.extend(execute(view, key, covenant));
            actions.extend(trip_or_touch(view, key, covenant, &own));
            if covenant.state.check_auto_close(&view.now).is_ok() {
                actions.extend(own.iter().filter_map(|entry| close(view, key, entry)));
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
        rank: rank::REST,
    }
}

/// What was asked for, when its delay is over.
fn execute(view: &View<'_>, key: &Pubkey, covenant: &Covenant) -> Option<Action> {
    let mut trial = covenant.state;
    trial.loosen(&view.now).ok()?;
    Some(action(key, covenant, vec![instructions::execute_loosening(key)]))
}

/// Shows all accounts with positions where that trips the covenant, or where one has not been seen for long.
fn trip_or_touch(view: &View<'_>, key: &Pubkey, covenant: &Covenant, own: &[&Entry]) -> Option<Action> {
    let state = &covenant.state;
    let shown: Vec<&&Entry> = own
        .iter()
        .filter(|entry| {
            // One that was closed in the meantime still stands as open there.
            let known = state.find(&Key(entry.key.to_bytes())).and_then(|place| state.entries.get(place));
            !entry.account.state.is_flat() || known.is_some_and(|known| known.positions != 0)
        })
        .collect();
    let find = |index| view.marks.get(index).map(|mark| &*mark.state);
    let accounts = shown.iter().map(|entry| (&entry.key, &entry.account));
    let touched = covenants::touched(covenant, accounts, find, &view.now).ok()?;
    let trips = covenants::would_trip(&touched, &view.now).is_some();
    let old = |entry: &&Entry| {
        let place = state.find(&Key(entry.key.to_bytes()));
        let seen = place.and_then(|place| state.entries.get(place)).map_or(0, |entry| entry.slot);
        view.now.slot.saturating_sub(seen) > STALE_SLOTS
    };
    if !trips && !shown.iter().any(|entry| old(entry)) {
        return None;
    }
    let markets = shown.iter().flat_map(|entry| entry.account.state.slots().map(|(_, position)| position.market));
    let mut batch = view.refresh(markets);
    batch.extend(
        shown
            .iter()
            .map(|entry| instructions::touch_covenant(key, &entry.key, &leg_metas(&entry.account, None, false))),
    );
    if trips {
        batch.push(instructions::trip_covenant(key));
    }
    let rank = if trips { rank::ORDER - 1 } else { rank::REST };
    Some(Action { rank, ..action(key, covenant, batch) })
}

/// Closes the first position with a good price.
fn close(view: &View<'_>, key: &Pubkey, entry: &Entry) -> Option<Action> {
    // A fee cannot go to the account that pays it.
    let (_, position) = entry.account.state.slots().find(|(_, position)| {
        let good = view.marks.get(position.market).is_some_and(|mark| mark.status == Status::Good);
        position.is_open() && good && entry.key != view.reward
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

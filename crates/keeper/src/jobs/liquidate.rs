//! Flags accounts below maintenance, liquidates them stage by stage, resolves those below zero. Worst first.

use std::collections::BTreeMap;

use ballast_client::address;
use ballast_client::instructions::{self, pubkey};
use ballast_engine::layout::Key;
use ballast_engine::liquidation::{self, Receipt, is_flagged};
use ballast_engine::market::MarketState;
use ballast_engine::{Error, Rounding, resolve};

use super::{Action, Job, View, rank};
use crate::book::Entry;
use ballast_client::health::Sick;

/// Somebody was first, or the price has moved.
const FLAGGING: &[Error] = &[
    Error::AccountHealthy,
    Error::AlreadyFlagged,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::PriceUncertain,
    Error::WrongMarketCount,
    Error::WrongMarket,
];
/// The same for a liquidation.
const LIQUIDATING: &[Error] = &[
    Error::NotFlagged,
    Error::FlagTooFresh,
    Error::PacingExhausted,
    Error::CapacityExhausted,
    Error::NotLargestPosition,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::PriceUncertain,
    Error::AccountBankrupt,
    Error::PositionNotFound,
    Error::WrongMarketCount,
    Error::WrongMarket,
];
/// The same for a resolution.
const RESOLVING: &[Error] = &[
    Error::NotBankrupt,
    Error::NotFlagged,
    Error::FlagTooFresh,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::PriceUncertain,
    Error::WrongMarketCount,
    Error::WrongMarket,
];

/// See the module.
pub(super) struct Liquidate;

/// The markets as they will be after what was planned before in this round: its capacity is used only once.
type Scratch = BTreeMap<u16, Box<MarketState>>;

impl Job for Liquidate {
    fn name(&self) -> &'static str {
        "liquidate"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let mut scratch: Scratch = view.marks.iter().map(|mark| (mark.state.index, mark.state.clone())).collect();
        let mut actions = Vec::new();
        for sick in &view.scan.sick {
            let Some(entry) = view.book.accounts().get(sick.place) else { continue };
            // An account cannot pay itself.
            if entry.key == view.reward {
                continue;
            }
            actions.extend(act(view, sick, entry, &mut scratch));
        }
        actions
    }
}

fn act(view: &View<'_>, sick: &Sick, entry: &Entry, scratch: &mut Scratch) -> Option<Action> {
    let (account, totals) = (&entry.account, &sick.totals);
    if !is_flagged(&account.state, &view.now) {
        return if sick.below { flag(view, sick, entry) } else { None };
    }
    if !totals.full_equity.loss().is_zero() {
        return resolution(view, entry);
    }
    if !sick.below {
        return None;
    }
    let (slot, _) = totals.largest?;
    let index = account.state.position(slot).ok()?.market;
    let receipt = trial(view, sick, entry, slot, scratch)?;
    let flagger = pubkey(&account.state.flag.flagger);
    let own_flag = flagger == view.reward;
    // A flagger that has closed its account, or is the one liquidated, loses its share.
    let named = !own_flag && flagger != entry.key && view.book.account(&flagger).is_some();
    let legs = instructions::leg_metas(account, Some(index), true);
    let market = address::market(&view.book.exchange(), index);
    let liquidate = instructions::liquidate(&market, &entry.key, &view.reward, named.then_some(&flagger), &legs);
    let share = if own_flag { 0 } else { receipt.flagger_fee.0 };
    Some(Action {
        reward: receipt.keeper_fee.0.saturating_sub(share),
        own_flag,
        rank: rank::LIQUIDATE + health(sick),
        ..view.on(entry, "liquidate", liquidate, LIQUIDATING)
    })
}

/// Equity per requirement, millionths: the worse, the lower.
fn health(sick: &Sick) -> i64 {
    let requirement = i128::from(sick.totals.requirement.0).max(1);
    let ratio = i128::from(sick.totals.equity.0) * 1_000_000 / requirement;
    i64::try_from(ratio).unwrap_or(0).clamp(-100_000_000, 100_000_000)
}

fn flag(view: &View<'_>, sick: &Sick, entry: &Entry) -> Option<Action> {
    let (slot, _) = sick.totals.largest?;
    let market = view.marks.get(entry.account.state.position(slot).ok()?.market)?;
    let mut trial = Box::new(entry.account.state);
    let flagger = Key(view.reward.to_bytes());
    liquidation::flag(&mut trial, &market.state, &sick.totals, flagger, &view.now).ok()?;
    let params = &market.state.params;
    // Its share of the least fee on what is to be closed, once it is liquidated; whoever flags usually does that too.
    let fee = trial.flag.need.portion(params.keeper_fee_min, Rounding::Down).ok()?.max(params.keeper_fee_floor);
    let flag = instructions::flag(&entry.key, &view.reward, &instructions::leg_metas(&entry.account, None, false));
    Some(Action {
        reward: fee.portion(ballast_engine::Ratio(ballast_engine::constants::FLAGGER_SHARE), Rounding::Down).ok()?.0,
        rank: rank::FLAG + health(sick),
        ..view.on(entry, "flag", flag, FLAGGING)
    })
}

/// Whether a liquidation would go through now, by the engine's own word on copies; what it takes is then taken.
fn trial(view: &View<'_>, sick: &Sick, entry: &Entry, slot: usize, scratch: &mut Scratch) -> Option<Receipt> {
    let index = entry.account.state.position(slot).ok()?.market;
    let mut market = scratch.get(&index)?.clone();
    let mut account = Box::new(entry.account.state);
    let receipt = liquidation::liquidate(&mut market, &mut account, slot, &sick.totals, &view.now).ok()??;
    scratch.insert(index, market);
    Some(receipt)
}

pub(super) fn resolution(view: &View<'_>, entry: &Entry) -> Option<Action> {
    let mut account = Box::new(entry.account.state);
    let mut states = Vec::new();
    for (slot, position) in entry.account.state.slots() {
        states.push((slot, view.marks.get(position.market)?.state.clone()));
    }
    let _ = resolve::resolve(&mut account, &mut states, &view.now).ok()?;
    let legs = instructions::leg_metas(&entry.account, None, true);
    let action = view.on(entry, "resolve", instructions::resolve(&entry.key, &legs), RESOLVING);
    Some(Action { rank: rank::LIQUIDATE - 1_000_000_000, ..action })
}

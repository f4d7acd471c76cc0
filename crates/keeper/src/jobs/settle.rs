//! While claims on a pool are open: settles the positions that have lost most, so that the pool gets the cash to pay them
//! with, and moves what one pool has paid on a claim that another pool holds. Gives back what was held back of whoever left a
//! silent market, once its price is good again.

use ballast_client::{address, instructions};
use ballast_engine::margin::{funding_owed, unrealised};
use ballast_engine::price::Status;
use ballast_engine::{Error, Rounding};

use super::{Action, Job, View, rank};
use crate::fees::Need;

/// Positions settled at a time in a market.
const AT_A_TIME: usize = 4;
/// Losses are settled from one part in so many of notional on: below that they are within the test's credit.
const FROM: u64 = 500;
/// The position was closed or settled in between, or the price is not good.
const RACE: &[Error] = &[
    Error::CoverTooEarly,
    Error::PositionNotFound,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::PriceUncertain,
    Error::AccountBankrupt,
    Error::WrongMarketCount,
    Error::WrongMarket,
];

/// See the module.
pub(super) struct Settle;

impl Job for Settle {
    fn name(&self) -> &'static str {
        "settle"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for mark in view.marks.iter().filter(|mark| !mark.state.pool.claims.is_zero()) {
            if mark.status == Status::Good {
                actions.extend(worst(view, mark.state.index));
            }
        }
        actions.extend(between_pools(view));
        actions.extend(holdbacks(view));
        actions
    }
}

/// What a silent exit left behind, where the price is good again.
fn holdbacks(view: &View<'_>) -> Vec<Action> {
    let mut actions = Vec::new();
    for entry in view.book.accounts() {
        let held = entry.account.state.slots().find(|(_, position)| {
            let good = |mark: &ballast_client::health::Mark| mark.status == Status::Good && !mark.state.is_settled();
            !position.held.is_zero() && view.marks.get(position.market).is_some_and(good)
        });
        let Some((_, position)) = held else { continue };
        let market = address::market(&view.book.exchange(), position.market);
        let legs = instructions::leg_metas(&entry.account, Some(position.market), false);
        actions.push(view.on(entry, "settle", instructions::settle_with(&market, &entry.key, &legs), RACE));
    }
    actions
}

fn worst(view: &View<'_>, index: u16) -> Vec<Action> {
    let Some(mark) = view.marks.get(index) else { return Vec::new() };
    let price = mark.state.price.last.price;
    let mut losers = Vec::new();
    for entry in view.book.accounts() {
        let state = &entry.account.state;
        let Some(position) = state.find(index).and_then(|slot| state.position(slot).ok()) else { continue };
        if !position.is_open() || state.collateral.is_zero() {
            continue;
        }
        let pnl = unrealised(position, price).map_or(0, |pnl| pnl.0);
        let owed = funding_owed(&mark.state, position).map_or(0, |owed| owed.0);
        let result = pnl.saturating_sub(owed);
        let notional = position.base().value(price, Rounding::Up).map_or(0, |value| value.0);
        if result >= 0 || result.unsigned_abs() < notional / FROM {
            continue;
        }
        // Of an account below zero only the resolution pays.
        if view.surely_pays(state) {
            losers.push((result, entry));
        }
    }
    losers.sort_by_key(|(result, entry)| (*result, entry.key));
    let market = address::market(&view.book.exchange(), index);
    let settle = |(_, entry): (i64, _)| {
        let entry: &crate::book::Entry = entry;
        let legs = instructions::leg_metas(&entry.account, Some(index), false);
        view.on(entry, "settle", instructions::settle_with(&market, &entry.key, &legs), RACE)
    };
    losers.into_iter().take(AT_A_TIME).map(settle).collect()
}

/// What one pool has paid on another's claim.
fn between_pools(view: &View<'_>) -> Vec<Action> {
    let exchange = view.book.exchange();
    let mut actions = Vec::new();
    for holder in view.book.markets() {
        for (debtor, claim) in (0_u16..).zip(&holder.state.held) {
            let Some(debtor) = view.book.market(debtor).filter(|_| !claim.amount.is_zero()) else { continue };
            let Ok((_, collectable)) = debtor.state.claim_value(claim) else { continue };
            // Not for less than a unit: the call costs something too.
            if collectable.0 < 10_u64.saturating_pow(holder.state.quote_decimals.into()) {
                continue;
            }
            let [from, to] = [debtor.state.index, holder.state.index].map(|index| address::market(&exchange, index));
            actions.push(Action {
                job: "settle",
                subject: to,
                version: collectable.0,
                instructions: vec![instructions::collect_pool_claim(&from, &to)],
                race: RACE,
                may_vanish: false,
                reward: 0,
                own_flag: false,
                need: Need::Safety,
                rank: rank::REST,
            });
        }
    }
    actions
}

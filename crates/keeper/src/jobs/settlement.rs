//! Settlement of markets: begins one whose pool is below its floor, calls it off when equity is back, fixes the price when
//! the rules' day, silence or notice is over; then closes what every account has left in the settled market. Claims are
//! collected by the job of that name once all are closed.

use ballast_client::{address, instructions};
use ballast_engine::{Error, settlement};

use super::{Action, Job, View};
use crate::book::Entry;

/// Accounts closed at a time.
const AT_A_TIME: usize = 256;
/// Somebody was first, or the price has moved.
const ADVANCING: &[Error] = &[
    Error::MarketSettled,
    Error::SettlementNotDue,
    Error::SettlementTooEarly,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::PriceUncertain,
    Error::PriceSilent,
];
/// Somebody was first; or the account is below zero, and left to the resolution; or another market's price is waited for.
const CLOSING: &[Error] = &[
    Error::CoverTooEarly,
    Error::PositionNotFound,
    Error::AccountBankrupt,
    Error::LossNotCovered,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::PriceUncertain,
    Error::WrongMarketCount,
    Error::WrongMarket,
];

/// See the module.
pub(super) struct Settlement;

impl Job for Settlement {
    fn name(&self) -> &'static str {
        "settlement"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let exchange = view.book.exchange();
        let mut actions = Vec::new();
        let mut settled = false;
        for mark in view.marks.iter() {
            let index = mark.state.index;
            settled |= mark.state.is_settled();
            if !mark.state.is_settled() && mark.state.clone().advance_settlement(&view.now).is_ok() {
                let advance = instructions::advance_settlement(&address::market(&exchange, index));
                actions.push(view.on_market(index, "settlement", advance, ADVANCING));
            }
        }
        if settled {
            actions.extend(view.book.accounts().iter().filter_map(|entry| close(view, entry)).take(AT_A_TIME));
        }
        actions
    }
}

/// Closes the first slot of an account in a settled market that can be closed.
fn close(view: &View<'_>, entry: &Entry) -> Option<Action> {
    let state = &entry.account.state;
    let (slot, position) = state.slots().find(|(_, position)| {
        let settled = view.marks.get(position.market).is_some_and(|mark| mark.state.is_settled());
        settled && (position.is_open() || !position.held.is_zero())
    })?;
    let (mut market, mut account) = (view.marks.get(position.market)?.state.clone(), Box::new(*state));
    let closed = settlement::close_settled(&mut market, &mut account, slot, &view.now).ok()?;
    // Where what is surely there does not pay all its losses, the resolution takes all of its losing markets at once, without
    // a flag if none can be had.
    let elsewhere = state.slots().any(|(other, p)| other != slot && p.is_open());
    if closed.fill.is_some_and(|fill| fill.realised.pays()) && elsewhere && !view.surely_pays(state) {
        return super::liquidate::resolution(view, entry);
    }
    let key = address::market(&view.book.exchange(), position.market);
    let legs = instructions::leg_metas(&entry.account, Some(position.market), true);
    Some(view.on(entry, "settlement", instructions::close_settled(&key, &entry.key, &legs), CLOSING))
}

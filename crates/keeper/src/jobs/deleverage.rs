//! Deleverages the winning side of a market whose claims have stayed unpaid for as long as the rules wait, and lets every
//! position pick up its part: the next deleveraging waits for the last of them.

use ballast_client::{address, instructions};
use ballast_engine::Error;

use super::{Action, Job, View};

/// Positions that pick it up at a time.
const AT_A_TIME: usize = 256;
/// Somebody was first, or the claims were paid meanwhile.
const RACE: &[Error] = &[
    Error::DeleverageTooEarly,
    Error::DeleverageUnfinished,
    Error::DeleverageNotNeeded,
    Error::PoolInsolvent,
    Error::MarketSettled,
    Error::PriceStale,
    Error::PriceUnconfirmed,
    Error::PriceUncertain,
];
/// The position has picked it up, or is gone.
const PICKED: &[Error] = &[Error::CoverTooEarly, Error::PositionNotFound];

/// See the module.
pub(super) struct Deleverage;

impl Job for Deleverage {
    fn name(&self) -> &'static str {
        "deleverage"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let exchange = view.book.exchange();
        let mut actions = Vec::new();
        for mark in view.marks.iter() {
            let index = mark.state.index;
            if mark.state.episode.since != 0 && mark.state.clone().deleverage(&view.now).is_ok() {
                let deleverage = instructions::deleverage(&address::market(&exchange, index));
                actions.push(view.on_market(index, "deleverage", deleverage, RACE));
            }
        }
        if view.marks.iter().any(|mark| mark.state.deleveraging.positions != 0) {
            actions.extend(pick_ups(view));
        }
        actions
    }
}

fn pick_ups(view: &View<'_>) -> Vec<Action> {
    let exchange = view.book.exchange();
    let positions = view.book.accounts().iter().flat_map(|entry| {
        let waiting = |index| view.book.market(index).map(|market| &market.state);
        let of = entry.account.state.slots().map(|(_, position)| *position);
        of.filter(move |p| waiting(p.market).is_some_and(|market| market.is_deleveraged(p)))
            .map(move |p| (entry, p.market))
    });
    let pick_up = |(entry, index): (&crate::book::Entry, u16)| {
        let instruction = instructions::pick_up_deleveraging(&address::market(&exchange, index), &entry.key);
        let action = view.on(entry, "deleverage", instruction.clone(), PICKED);
        // It works at any price.
        Action { instructions: vec![instruction], ..action }
    };
    positions.take(AT_A_TIME).map(pick_up).collect()
}

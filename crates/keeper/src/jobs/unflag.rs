//! Clears the flags of accounts that are healthy again: a flagged account can neither increase nor withdraw.

use ballast_client::instructions;
use ballast_engine::{Error, liquidation};

use super::{Action, Job, View};

/// Somebody was first, or the price has moved.
const RACE: &[Error] = &[
    Error::NotFlagged,
    Error::StillUnhealthy,
    Error::PriceStale,
    Error::PriceMissing,
    Error::WrongMarketCount,
    Error::WrongMarket,
];

/// See the module.
pub(super) struct Unflag;

impl Job for Unflag {
    fn name(&self) -> &'static str {
        "unflag"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for sick in &view.scan.sick {
            let Some(entry) = view.book.accounts().get(sick.place) else { continue };
            let mut trial = Box::new(entry.account.state);
            if sick.below || liquidation::unflag(&mut trial, &sick.totals, &view.now).is_err() {
                continue;
            }
            let legs = instructions::leg_metas(&entry.account, None, false);
            actions.push(view.on(entry, "unflag", instructions::unflag(&entry.key, &legs), RACE));
        }
        actions
    }
}

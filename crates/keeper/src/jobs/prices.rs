//! Stores the oracles' prices in the markets, which accrues funding: where the stored price grows old, is not good, or has
//! just jumped and waits for its confirmation. Other jobs store the prices they need in their own transactions.

use ballast_client::{address, instructions};
use ballast_engine::Error;
use ballast_engine::price::Status;

use super::{Action, Job, View, rank};

const RACE: &[Error] = &[];

/// See the module.
pub(super) struct Prices;

impl Job for Prices {
    fn name(&self) -> &'static str {
        "prices"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for mark in view.marks.iter() {
            let index = mark.state.index;
            let (Some(oracle), Some(stored)) = (mark.fresh, view.book.market(index)) else { continue };
            let stored = &stored.state;
            let good = stored.status(&view.now).is_ok_and(|status| status == Status::Good);
            let jumping = mark.status == Status::Jumped || mark.state.price.jump_count > 0;
            if good && !jumping && stored.age_slots(&view.now) < view.timing.price_age_slots {
                continue;
            }
            let market = address::market(&view.book.exchange(), index);
            actions.push(Action {
                job: "prices",
                subject: market,
                version: mark.state.price.last.publish_time.unsigned_abs(),
                instructions: vec![instructions::update_market(&market, &oracle)],
                race: RACE,
                may_vanish: false,
                reward: 0,
                own_flag: false,
                rank: rank::PRICE,
            });
        }
        actions
    }
}

//! Stores the oracles' prices in the markets, which accrues funding: where the stored price grows old, is not good, or has
//! just jumped and waits for its confirmation. Other jobs store the prices they need in their own transactions.
//!
//! Several markets go in one transaction, for one fee. Where that was refused, each goes alone until it is let go again: one
//! bad oracle must not hold the others up.

use ballast_client::{address, instructions};
use ballast_engine::Error;
use ballast_engine::price::Status;
use solana_pubkey::Pubkey;

use super::{Action, Job, View, rank};
use crate::config::TOGETHER;
use crate::fees::Need;

const RACE: &[Error] = &[];

/// See the module.
pub(super) struct Prices;

impl Job for Prices {
    fn name(&self) -> &'static str {
        "prices"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let mut due = Vec::new();
        for mark in view.marks.iter() {
            let index = mark.state.index;
            let (Some(oracle), Some(stored)) = (mark.fresh, view.book.market(index)) else { continue };
            let stored = &stored.state;
            let age = stored.age_slots(&view.now);
            // While prices jump each newer one is wanted: a standby waits for one that nobody stores.
            if age < view.timing.standby_slots {
                continue;
            }
            let good = stored.status(&view.now).is_ok_and(|status| status == Status::Good);
            let jumping = mark.status == Status::Jumped || mark.state.price.jump_count > 0;
            if good && !jumping && age < view.timing.price_age_slots {
                continue;
            }
            let market = address::market(&view.book.exchange(), index);
            let published = mark.state.price.last.publish_time.unsigned_abs();
            due.push((market, oracle, published));
        }
        let mut actions = Vec::new();
        for group in due.chunks(TOGETHER) {
            let together = store(group, group[0].0);
            match group.len() > 1 && view.held.contains(&(together.job, together.subject)) {
                true => actions.extend(group.iter().map(|one| store(core::slice::from_ref(one), one.1))),
                false => actions.push(together),
            }
        }
        actions
    }
}

/// Stores prices of markets from oracle accounts, published then; acts upon `subject`.
fn store(markets: &[(Pubkey, Pubkey, u64)], subject: Pubkey) -> Action {
    Action {
        job: "prices",
        subject,
        version: markets.iter().map(|(_, _, published)| *published).max().unwrap_or(0),
        instructions: markets.iter().map(|(market, oracle, _)| instructions::update_market(market, oracle)).collect(),
        race: RACE,
        may_vanish: false,
        reward: 0,
        own_flag: false,
        need: Need::Price,
        rank: rank::PRICE,
    }
}

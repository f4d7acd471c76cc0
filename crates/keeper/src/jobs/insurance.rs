//! Shared insurance: registers markets' claims on the day after they arose, and pays what is released on them. Who calls,
//! and when, changes nothing of who is paid how much; but somebody must.

use ballast_client::{address, instructions};
use ballast_engine::Error;

use super::{Action, Job, View, rank};
use crate::fees::Need;

/// Somebody was first.
const RACE: &[Error] = &[Error::CoverTooEarly, Error::InsuranceTooEarly, Error::InsuranceBatchBusy];

/// See the module.
pub(super) struct Insurance;

impl Job for Insurance {
    fn name(&self) -> &'static str {
        "insurance"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let Some(exchange) = view.book.state() else { return Vec::new() };
        let key = view.book.exchange();
        let mut actions = Vec::new();
        for market in view.book.markets() {
            let address = address::market(&key, market.state.index);
            let mut trial = Box::new(market.state);
            let (mut insurance, mut fund) = (exchange.insurance, exchange.shared_insurance);
            let instruction = if insurance.register(fund, &mut trial, &view.now).is_ok() {
                instructions::register_insurance_claim(&key, &address)
            } else if insurance.pay(&mut fund, &mut trial, &view.now).is_ok() {
                instructions::pay_insurance_claim(&key, &address)
            } else {
                continue;
            };
            actions.push(Action {
                job: "insurance",
                // Both write the exchange, and change what the other markets are due: one after the other.
                subject: key,
                version: exchange.sequence ^ market.state.sequence,
                instructions: vec![instruction],
                race: RACE,
                may_vanish: false,
                reward: 0,
                own_flag: false,
                need: Need::Upkeep,
                rank: rank::REST,
            });
        }
        actions
    }
}

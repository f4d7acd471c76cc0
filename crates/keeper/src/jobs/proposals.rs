//! Ends proposals whose time is over or whose proposer is no longer in power: they count against the limit of those that
//! may be pending. Pauses need nobody: they end by themselves.

use ballast_client::instructions;
use ballast_engine::Error;
use ballast_engine::governance::kind;

use super::{Action, Job, View, rank};
use crate::fees::Need;

/// Somebody was first.
const RACE: &[Error] = &[Error::ProposalClosed, Error::ProposalNotExpired];

/// See the module.
pub(super) struct Proposals;

impl Job for Proposals {
    fn name(&self) -> &'static str {
        "proposals"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let Some(exchange) = view.book.state() else { return Vec::new() };
        let mut actions = Vec::new();
        for (key, proposal) in view.book.proposals() {
            let mut trial = proposal.terms;
            if trial.expire(&exchange.roles, &exchange.emergency, &view.now).is_err() {
                continue;
            }
            // A change of the oracle holds its market in reduce-only until it has ended.
            let market = (proposal.terms.kind == kind::ORACLE_FEED).then_some(proposal.market_index);
            let expire = instructions::expire_proposal(&view.payer, &view.book.exchange(), market, proposal.id);
            actions.push(Action {
                job: "proposals",
                subject: *key,
                version: proposal.id,
                instructions: vec![expire],
                race: RACE,
                may_vanish: true,
                reward: 0,
                own_flag: false,
                need: Need::Upkeep,
                rank: rank::REST,
            });
        }
        actions
    }
}

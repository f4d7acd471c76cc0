//! Executes proposals whose time has come, which anyone may: what a timelock announced takes effect when it was said to, not
//! when somebody thinks of it. Upgrades of the program and new exchanges are left to people: they want more accounts and
//! money than a keeper should give.

use ballast::state::{Exchange, Proposal};
use ballast_client::instructions::{self, pubkey};
use ballast_engine::Error;
use ballast_engine::governance::{self, SHARED_FUND, kind};
use solana_instruction::Instruction;

use super::{Action, Job, View, rank};
use crate::fees::Need;

/// Somebody was first; or it may not be executed as things stand, which the chain judges in full.
const RACE: &[Error] = &[
    Error::ProposalClosed,
    Error::ProposalNotReady,
    Error::ProposalExpired,
    Error::VersionMoved,
    Error::OldValueMoved,
    Error::ParameterBounds,
    Error::ParameterStep,
    Error::ParameterCoolDown,
    Error::EnvelopeBroken,
    Error::CrossCheckBroken,
    Error::SkewTooLarge,
    Error::OpenInterestImpact,
    Error::RoleKeyInvalid,
    Error::InsurancePending,
    Error::InsufficientCollateral,
    Error::MarketSettled,
    Error::WrongMint,
];

/// See the module.
pub(super) struct Execute;

impl Job for Execute {
    fn name(&self) -> &'static str {
        "execute"
    }

    fn plan(&mut self, view: &View<'_>) -> Vec<Action> {
        let Some(exchange) = view.book.state() else { return Vec::new() };
        let mut actions = Vec::new();
        for (key, proposal) in view.book.proposals() {
            let Some(instruction) = ripe(view, exchange, proposal) else { continue };
            actions.push(Action {
                job: "execute",
                subject: *key,
                // What it was refused for may have passed by the next price.
                version: exchange.sequence,
                instructions: vec![instruction],
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

/// What executes a proposal, if the engine lets it be executed now.
fn ripe(view: &View<'_>, exchange: &Exchange, proposal: &Proposal) -> Option<Instruction> {
    let (address, context, now) = (view.book.exchange(), exchange.governance(), &view.now);
    let mut terms = proposal.terms;
    let of_market = proposal.market.0 != [0; 32];
    if of_market {
        let market = view.book.market(proposal.market_index)?;
        terms.check_executable(context.roles, &context.holds_of(&market.state), now).ok()?;
        let state = &mut Box::new(market.state);
        match terms.kind {
            kind::MARKET_PARAMETER => {
                let _ = governance::execute_market_parameter(&mut terms, state, &context, now).ok()?;
            }
            kind::MARKET_BATCH => {
                governance::execute_market_batch(&mut terms, &proposal.batch, state, &context, now).ok()?;
            }
            kind::WIND_DOWN => {
                let _ = governance::execute_wind_down(&mut terms, state, &context, now).ok()?;
            }
            _ => {}
        }
        return Some(instructions::execute_market_proposal(&view.payer, &address, proposal.market_index, proposal.id));
    }
    terms.check_executable(context.roles, &context.holds(), now).ok()?;
    match terms.kind {
        kind::UPGRADE | kind::NEW_EXCHANGE => None,
        kind::INSURANCE => {
            let from = (terms.parameter != SHARED_FUND).then_some(terms.parameter);
            let (destination, markets) = (pubkey(&terms.new_key), exchange.markets);
            let execute = instructions::execute_insurance_withdrawal;
            Some(execute(&view.payer, &address, proposal.id, from, &destination, markets))
        }
        _ => Some(instructions::execute_exchange_proposal(&view.payer, &address, proposal.id)),
    }
}

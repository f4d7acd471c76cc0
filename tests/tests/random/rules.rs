//! Oracle updates, governance and the guardian: why they may be refused.

use anchor_lang::prelude::{AccountInfo, Pubkey};
use ballast::instructions::governance::BatchAsk;
use ballast::oracle;
use ballast_engine::error::ensure;
use ballast_engine::governance::{self, Asked, Request, kind};
use ballast_engine::layout::Key;
use ballast_engine::units::Quote;
use ballast_engine::{Error, Result};

use super::act::Act;
use super::judge::Reasons;
use super::world::{Sim, View};

/// What a market may say to an oracle account.
pub(crate) fn update(sim: &Sim, view: &View, market: usize, feed: &Pubkey) -> Result<()> {
    let market = &view.markets[market];
    let mut account = sim.setup.world.svm.get_account(feed).expect("a feed");
    let owner = account.owner;
    let info = AccountInfo::new(feed, false, false, &mut account.lamports, &mut account.data, &owner, false);
    let raw = oracle::read(&info, &market.oracle_program, &market.feed_id).map_err(|_| Error::PriceMalformed)?;
    if raw.publish_time <= market.state.price.last.publish_time || market.state.is_settled() {
        return Ok(());
    }
    raw.scaled(market.state.base_decimals, market.state.quote_decimals, &view.now).map(|_| ())
}

fn key(sim: &Sim, by: usize) -> Key {
    Key(sim.address(by).to_bytes())
}

/// Everything that stands in the way.
pub(crate) fn judge(sim: &Sim, view: &View, act: &Act, why: &mut Reasons) {
    let (now, exchange) = (&view.now, &view.exchange);
    let context = exchange.governance();
    let request = |by: usize, version: u32, last_slot: u64, rationale: [u8; 32]| Request {
        signer: key(sim, by),
        version,
        last_slot,
        rationale: Key(rationale),
    };
    let room = |by: usize, market: Option<usize>| {
        let proposer = exchange.roles.proposer(&key(sim, by))?;
        let of_market = market.map(|m| u64::from(exchange.market_pending[m]));
        governance::check_pending(proposer, exchange.pending_proposals, of_market)
    };
    match *act {
        Act::QueueMarket { by, market, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            let (state, id) = (view.state(market), args.parameter);
            why.run(governance::queue_market_parameter(state, &context, &request, id, args.new_value, now));
            why.run(room(by, Some(market)));
        }
        Act::QueueExchange { by, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            let (log, id) = (&exchange.param_log, args.parameter);
            why.run(governance::queue_exchange_parameter(log, &context, &request, id, args.new_value, now));
            why.run(room(by, None));
        }
        Act::QueueRole { by, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            why.run(governance::queue_role(args.kind, Key(args.new_key.to_bytes()), &context, &request, now));
            why.run(governance::check_guardian_pending(args.kind, exchange.guardian_pending.into()));
            why.run(room(by, None));
        }
        Act::QueueFeed { by, market, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            let (index, market) = (market, &view.markets[market]);
            let (feeds, new) = (market.feeds(exchange).expect("few changes"), (Key(args.new_feed), args.program));
            why.run(governance::queue_oracle_feed(&market.state, &feeds, new, &context, &request, now));
            why.run(room(by, Some(index)));
        }
        Act::QueueBatch { by, market, changes, last_slot } => {
            let request = request(by, 0, last_slot, [3; 32]);
            let ask = |a: &BatchAsk| Asked { parameter: a.parameter, version: a.version, new_value: a.new_value };
            let asked = changes.each_ref().map(ask);
            match market {
                Some(m) => why.run(governance::queue_market_batch(view.state(m), &context, &request, &asked, now)),
                None => {
                    why.run(governance::queue_exchange_batch(&exchange.param_log, &context, &request, &asked, now));
                }
            }
            why.run(room(by, market));
        }
        Act::QueueEnd { by, market, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            why.run(governance::queue_wind_down(view.state(market), args.closing, &context, &request, now));
            why.run(room(by, Some(market)));
        }
        Act::QueueFees { by, place, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            let (old, version, new) = (&exchange.fee_destination, exchange.fee_version, Key(place.to_bytes()));
            why.need(new != exchange.vault, Error::WrongVault);
            why.run(governance::queue_fee_destination(old, version, new, &context, &request, now));
            why.run(room(by, None));
        }
        Act::QueueProgram { by, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            let (list, version) = (&exchange.oracle_programs, exchange.oracle_version);
            let change = (args.place, Key(args.program.to_bytes()));
            why.run(governance::queue_oracle_program(list, version, change, &context, &request, now));
            why.run(room(by, None));
        }
        Act::QueueInsurance { by, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            let version = u32::try_from(exchange.insurance.withdrawals).expect("few");
            let (to, queue) = (Key(args.destination.to_bytes()), governance::queue_insurance_withdrawal);
            why.run(queue(args.from, args.amount, to, version, &context, &request, now));
            why.run(room(by, None));
        }
        Act::Veto { by, id } => why.run(sim.proposal(id).terms.veto(&key(sim, by))),
        Act::Execute { id } => why.run(execute(sim, view, id)),
        Act::Expire { id } => {
            why.run(sim.proposal(id).terms.expire(&exchange.roles, &exchange.emergency, now));
        }
        Act::CloseProposal { id } => why.run(governance::check_closable(&sim.proposal(id).terms)),
        Act::Accept { by } => {
            let mut roles = exchange.roles;
            why.run(roles.accept_governance(&key(sim, by)));
        }
        Act::Dismiss { by } => {
            let mut roles = exchange.roles;
            why.run(roles.dismiss_committee(&key(sim, by)));
        }
        Act::Protect { by, market, args } => {
            why.run(exchange.roles.check_guardian(&key(sim, by)));
            why.need(args.reduce_only_seconds != 0 || args.cap_seconds != 0, Error::AmountZero);
            let mut overlay = view.state(market).overlay;
            why.run((|| {
                if args.reduce_only_seconds != 0 {
                    overlay.arm_reduce_only(args.reduce_only_seconds, now)?;
                }
                if args.cap_seconds != 0 {
                    overlay.arm_cap(Quote(args.cap), args.cap_seconds, now)?;
                }
                Ok(())
            })());
        }
        Act::Pause { by, seconds } => {
            why.run(exchange.roles.check_guardian(&key(sim, by)));
            let mut emergency = exchange.emergency;
            why.run(emergency.arm(seconds, now));
        }
        _ => unreachable!("judged elsewhere: {act:?}"),
    }
}

fn execute(sim: &Sim, view: &View, id: u64) -> Result<()> {
    let (now, exchange) = (&view.now, &view.exchange);
    let proposal = sim.proposal(id);
    let (mut terms, batch) = (proposal.terms, proposal.batch);
    let context = exchange.governance();
    let (roles, holds) = (&exchange.roles, context.holds());
    match (terms.kind, sim.proposal_market(id)) {
        (kind::INSURANCE, _) => {
            for market in &view.markets {
                ballast_engine::insurance::check_none_pending(&market.state)?;
            }
            let mut fund = match terms.parameter {
                governance::SHARED_FUND => exchange.shared_insurance,
                market => view.state(usize::from(market)).pool.insurance,
            };
            let mut count = exchange.insurance.withdrawals;
            governance::execute_insurance_withdrawal(&mut terms, &mut fund, &mut count, roles, &holds, now).map(|_| ())
        }
        (kind::ORACLE_FEED, Some(market)) => {
            let feeds = view.markets[market].feeds(exchange)?;
            let mut state = Box::new(*view.state(market));
            governance::execute_oracle_feed(&mut terms, &mut state, &feeds, &context, now).map(|_| ())
        }
        (kind::WIND_DOWN, Some(market)) => {
            let mut state = Box::new(*view.state(market));
            governance::execute_wind_down(&mut terms, &mut state, &context, now).map(|_| ())
        }
        (kind::MARKET_BATCH, Some(market)) => {
            let mut state = Box::new(*view.state(market));
            governance::execute_market_batch(&mut terms, &batch, &mut state, &context, now)
        }
        (_, Some(market)) => {
            let mut state = Box::new(*view.state(market));
            governance::execute_market_parameter(&mut terms, &mut state, &context, now).map(|_| ())
        }
        (kind::EXCHANGE_PARAMETER, None) => {
            let (mut params, mut log) = (exchange.params, exchange.param_log);
            governance::execute_exchange_parameter(&mut terms, &mut params, &mut log, roles, &holds, now).map(|_| ())
        }
        (kind::EXCHANGE_BATCH, None) => {
            let (mut params, mut log) = (exchange.params, exchange.param_log);
            governance::execute_exchange_batch(&mut terms, &batch, (&mut params, &mut log), roles, &holds, now)
        }
        (kind::FEE_DESTINATION, None) => {
            let (mut place, mut version) = (exchange.fee_destination, exchange.fee_version);
            governance::execute_fee_destination(&mut terms, &mut place, &mut version, roles, &holds, now).map(|_| ())
        }
        (kind::ORACLE_PROGRAM, None) => {
            let (mut list, mut version) = (exchange.oracle_programs, exchange.oracle_version);
            governance::execute_oracle_program(&mut terms, &mut list, &mut version, roles, &holds, now).map(|_| ())
        }
        (_, None) => {
            let mut roles = exchange.roles;
            ensure(terms.kind != kind::MARKET_PARAMETER, Error::ParameterUnknown)?;
            governance::execute_role(&mut terms, &mut roles, &exchange.emergency, now).map(|_| ())
        }
    }
}

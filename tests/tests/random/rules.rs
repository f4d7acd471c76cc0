//! Oracle updates, governance and the guardian: why they may be refused.

use anchor_lang::prelude::{AccountInfo, Pubkey};
use ballast::oracle;
use ballast_engine::error::ensure;
use ballast_engine::governance::{self, Request, kind};
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
    if raw.publish_time <= market.state.price.last.publish_time {
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
    let room = |by: usize| {
        let proposer = exchange.roles.proposer(&key(sim, by))?;
        governance::check_pending(proposer, exchange.pending_proposals)
    };
    match *act {
        Act::QueueMarket { by, market, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            let (state, id) = (view.state(market), args.parameter);
            why.run(governance::queue_market_parameter(state, &context, &request, id, args.new_value, now));
            why.run(room(by));
        }
        Act::QueueExchange { by, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            let (log, id) = (&exchange.param_log, args.parameter);
            why.run(governance::queue_exchange_parameter(log, &context, &request, id, args.new_value, now));
            why.run(room(by));
        }
        Act::QueueRole { by, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            why.run(governance::queue_role(args.kind, Key(args.new_key.to_bytes()), &context, &request, now));
            why.run(room(by));
        }
        Act::QueueFeed { by, market, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            let market = &view.markets[market];
            let version = u32::try_from(market.feed_version).expect("few changes");
            let (feed, new) = (&market.feed_id, Key(args.new_feed));
            why.run(governance::queue_oracle_feed(feed, version, new, &context, &request, now));
            why.run(room(by));
        }
        Act::QueueInsurance { by, args } => {
            let request = request(by, args.version, args.last_slot, args.rationale);
            let version = u32::try_from(exchange.insurance.withdrawals).expect("few");
            let (to, queue) = (Key(args.destination.to_bytes()), governance::queue_insurance_withdrawal);
            why.run(queue(args.from, args.amount, to, version, &context, &request, now));
            why.run(room(by));
        }
        Act::Veto { by, id } => why.run(sim.proposal(id).terms.veto(&key(sim, by))),
        Act::Execute { id } => why.run(execute(sim, view, id)),
        Act::Expire { id } => {
            why.run(sim.proposal(id).terms.expire(&exchange.roles, &exchange.emergency, now));
        }
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
    let mut terms = sim.proposal(id).terms;
    let context = exchange.governance();
    match (terms.kind, sim.proposal_market(id)) {
        (kind::INSURANCE, _) => {
            for market in &view.markets {
                ballast_engine::insurance::check_none_pending(&market.state)?;
            }
            let mut fund = match terms.parameter {
                governance::SHARED_FUND => exchange.shared_insurance,
                market => view.state(usize::from(market)).pool.insurance,
            };
            let (roles, emergency) = (&exchange.roles, &exchange.emergency);
            let mut count = exchange.insurance.withdrawals;
            governance::execute_insurance_withdrawal(&mut terms, &mut fund, &mut count, roles, emergency, now)
                .map(|_| ())
        }
        (kind::ORACLE_FEED, Some(market)) => {
            let mut feed = view.markets[market].feed_id;
            let mut version = u32::try_from(view.markets[market].feed_version).expect("few changes");
            governance::execute_oracle_feed(&mut terms, &mut feed, &mut version, &context, now).map(|_| ())
        }
        (_, Some(market)) => {
            let mut state = Box::new(*view.state(market));
            governance::execute_market_parameter(&mut terms, &mut state, &context, now).map(|_| ())
        }
        (kind::EXCHANGE_PARAMETER, None) => {
            let (mut params, mut log) = (exchange.params, exchange.param_log);
            let (roles, emergency) = (&exchange.roles, &exchange.emergency);
            governance::execute_exchange_parameter(&mut terms, &mut params, &mut log, roles, emergency, now).map(|_| ())
        }
        (_, None) => {
            let mut roles = exchange.roles;
            ensure(terms.kind != kind::MARKET_PARAMETER, Error::ParameterUnknown)?;
            governance::execute_role(&mut terms, &mut roles, &exchange.emergency, now).map(|_| ())
        }
    }
}

//! The engine's state in the model's terms, and the same operation on the model.

use ballast_engine::account::AccountState;
use ballast_engine::market::{Claim as EngineClaim, MarketState, Observation as Seen, Pool};
use ballast_engine::units::Price;
use ballast_model::liquidity::Out;
use ballast_model::number::{frac, q};
use ballast_model::price::Status;
use ballast_model::state::{Batch, Claim, Covered, Governor, Prices};
use ballast_model::{
    Account, Episode, Exchange, Flag, Market, No, Observation, Position, Q, R, Rules, Settlement, Side,
};

use crate::world::{KEEPER, MARKETS, Op, World};

const MILLION: i64 = 1_000_000;

pub(crate) fn price(p: Price) -> Q {
    frac(p.0, 1_000_000_000)
}

pub(crate) fn index(i: i128) -> Q {
    frac(i, 1_000_000_000_000_000_i64)
}

fn rules(market: &MarketState) -> Rules {
    let p = &market.params;
    let tier = market.rules().unwrap();
    let share = |millionths: u64| frac(millionths, MILLION);
    Rules {
        initial_margin: share(p.initial_margin.0),
        maintenance_margin: share(p.maintenance_margin.0),
        liquidation_buffer: share(p.liquidation_buffer.0),
        size_margin: share(p.size_margin.0),
        oi_margin_start: share(p.oi_margin_start.0),
        oi_margin_full: share(p.oi_margin_full.0),
        profit_credit: share(p.profit_credit.0),
        skew_scale: q(p.skew_scale.0),
        funding_skew_scale: q(p.funding_skew_scale.0),
        funding_velocity: frac(p.funding_velocity, 1_000_000_000_000_i64),
        funding_cap: share(p.funding_cap.0.min(tier.funding_cap.0)),
        funding_dead_zone: share(p.funding_dead_zone.0),
        funding_half_life: q(p.funding_half_life),
        funding_threshold: share(p.funding_threshold.0),
        funding_floor: share(p.funding_floor.0),
        funding_multiple: share(p.funding_multiple.0),
        funding_change_limit: frac(p.funding_change_limit, 1_000_000_000_000_i64),
        holding_fee: share(p.holding_fee.0),
        open_interest_cap: q(p.open_interest_cap.0),
        max_position: q(p.max_position.0),
        min_notional: q(p.min_notional.0),
        taker_fee: share(p.taker_fee.0),
        mending_fee: share(p.mending_fee.0),
        fee_pool_share: share(p.fee_pool_share.0),
        fee_insurance_share: share(p.fee_insurance_share.0),
        keeper_fee_min: share(p.keeper_fee_min.0),
        keeper_fee_max: share(p.keeper_fee_max.0),
        keeper_fee_floor: q(p.keeper_fee_floor.0),
        keeper_floor_hourly: q(p.keeper_floor_hourly.0),
        insurance_fee_max: share(p.insurance_fee_max.0),
        liquidation_impact: share(p.liquidation_impact.0),
        liquidation_capacity: q(p.liquidation_capacity.0),
        stress_move: share(p.stress_move.0),
        lp_minimum: q(p.lp_minimum.0),
        order_fee: q(p.order_fee.0),
        insurance_day_cap: q(p.insurance_day_cap.0),
        insurance_week_cap: q(p.insurance_week_cap.0),
        settlement_floor: share(p.settlement_floor.0),
        move_per_slot: share(tier.move_per_slot.0),
        conf_limit: share(tier.conf_limit.0),
        conf_credit: share(tier.conf_credit.0),
        ema_clamp: share(tier.ema_clamp.0),
        cross: tier.cross,
        unit: q(MILLION),
    }
}

fn seen(o: &Seen, slot: u64) -> Observation {
    Observation { time: o.publish_time, price: price(o.price), conf: price(o.conf), slot }
}

/// What is outstanding of a claim, exactly, and what was put aside on it: the index is the engine's own way.
fn claim(pool: &Pool, claim: &EngineClaim) -> Claim {
    let amount = q(claim.amount.0);
    if claim.amount.0 == 0 || claim.epoch != pool.claim_epoch {
        return Claim { due: q(0), paid: amount };
    }
    let due = &amount * frac(pool.claim_factor, claim.factor);
    Claim { paid: amount - &due, due }
}

fn market(world: &World, of: usize) -> Market {
    let m = &world.markets[of];
    let p = &m.price;
    let waiting = (0..p.jump_count as usize).map(|i| (price(p.jump_price[i]), p.jump_slot[i])).collect();
    let next = p.ring_next as usize;
    let ring = p.ring[next..].iter().chain(&p.ring[..next]).filter(|o| o.publish_time != 0);
    let e = &m.episode;
    Market {
        clock: m.clock,
        episode: Episode {
            number: e.number,
            since: e.since,
            positions: e.positions as usize,
            settled: e.settled as usize,
            complete_at: e.complete_at,
        },
        peak: q(e.peak.0),
        settlement: Settlement { begun_at: m.settlement.begun_at, fixed_at: m.settlement.fixed_at },
        rules: rules(m),
        prices: Prices {
            last: seen(&p.last, p.slot),
            valid: seen(&p.valid, p.valid_slot),
            ema5: price(p.ema5),
            ema60: price(p.ema60),
            sample: price(p.ema_sample),
            sampled: p.ema_time,
            start: p.ema_start,
            waiting,
            above: p.jump_above == 1,
            ring: ring.map(|o| seen(o, 0)).collect(),
            evicted: p.ring_evicted,
        },
        long: Side { index: index(m.long.index.get()) },
        short: Side { index: index(m.short.index.get()) },
        rate: frac(m.funding.rate.0, 1_000_000_000_000_i64),
        accrued_at: m.funding.updated_at,
        governor: Governor {
            soft_cap: frac(m.funding.soft_cap.0, 1_000_000_000_000_i64),
            average: frac(m.funding.average.0, 1_000_000_000_000_i64),
            area: frac(m.funding.hour_rate, 2_000_000_000_000_i64),
            seconds: i64::from(m.funding.hour_seconds),
            heavy: i64::from(m.funding.hour_heavy),
        },
        cash: q(m.pool.cash.0),
        set_aside: q(m.pool.claims_paid.0),
        insurance: q(m.pool.insurance.0),
        protocol: q(m.pool.protocol_fees.0),
        shares: q(m.pool.shares),
        pending: q(m.pool.pending_deposits.0),
        exits_waiting_until: m.pool.exits_waiting_until,
        deficits: q(m.pool.deficits.0),
        insurance_paid: q(m.pool.insurance_paid.0),
        covered: covered(m),
        held: (0..MARKETS).map(|debtor| claim(&world.markets[debtor].pool, &m.held[debtor])).collect(),
        margin_version: m.param_version[1].into(),
        old_maintenance: frac(m.old_maintenance, MILLION),
        grace_until: m.grace_until,
        old_initial: frac(m.old_initial, MILLION),
        credit_until: m.credit_until,
        unjudged: m.exits_unjudged != 0,
        resumed: price(m.resumed),
        throttle_slot: m.throttle.slot,
        throttle_used: q(m.throttle.used.0),
        floor_hour: m.throttle.floor_hour,
        floor_paid: q(m.throttle.floor_paid.0),
    }
}

fn covered(m: &MarketState) -> Covered {
    let claims = &m.insurance;
    let before = (1..8).map(|back| claims.day - back).filter(|day| *day > 0);
    let days = before.map(|day| (day, q(claims.week[day.rem_euclid(8) as usize].0))).collect();
    let registered = claims.registered.iter().filter(|claim| claim.amount.0 > 0);
    Covered {
        days,
        day: claims.day,
        beyond: q(claims.beyond.0),
        cap: q(claims.cap.0),
        due: q(claims.due.0),
        registered: registered.map(|claim| (claim.day, q(claim.amount.0), q(claim.paid.0))).collect(),
    }
}

fn batches(world: &World) -> Vec<Batch> {
    let used = world.shared.batches.iter().filter(|batch| batch.day > 0);
    let batch = |b: &ballast_engine::insurance::InsuranceBatch| Batch {
        day: b.day,
        claimed: q(b.claimed.0),
        fixed: (b.fixed != 0).then(|| (q(b.fund.0), q(b.awarded.0))),
        paid: q(b.paid.0),
        open: b.open as usize,
    };
    used.map(batch).collect()
}

/// A position that has yet to pick the last deleveraging up, as it stands exactly.
fn deleveraged(market: &MarketState, p: &ballast_engine::account::Position) -> Position {
    let last = &market.deleveraging;
    let (size, at) = (q(p.size.0), price(last.price));
    let kept = &size * frac(last.kept.0, last.of.0);
    let moved = if p.size.0 > 0 { &size * &at - q(p.entry.0) } else { q(p.entry.0) + &size * &at };
    let owed = size.abs() * (index(last.index.get()) - index(p.funding_entry.get()));
    Position {
        market: usize::from(p.market),
        entry: kept.abs() * at,
        size: kept,
        index_at: index(last.index.get()),
        margin_version: p.margin_version,
        claim: claim(&market.pool, &p.claim),
        held: q(p.held.0),
        held_size: q(p.held_size.0),
        held_price: price(p.held_price),
        frozen: moved - owed + q(p.frozen.0),
        counted: p.episode,
        waits: true,
    }
}

fn account(world: &World, of: &AccountState) -> Account {
    let slot = |p: &ballast_engine::account::Position| {
        if p.is_free() {
            return Position { market: usize::from(p.market), ..Position::empty() };
        }
        let market = &world.markets[usize::from(p.market)];
        if market.is_deleveraged(p) {
            return deleveraged(market, p);
        }
        Position {
            market: usize::from(p.market),
            frozen: q(p.frozen.0),
            counted: p.episode,
            waits: false,
            size: q(p.size.0),
            entry: q(p.entry.0),
            index_at: index(p.funding_entry.get()),
            margin_version: p.margin_version,
            claim: claim(&world.markets[usize::from(p.market)].pool, &p.claim),
            held: q(p.held.0),
            held_size: q(p.held_size.0),
            held_price: price(p.held_price),
        }
    };
    let f = &of.flag;
    let flag = (f.slot != 0).then(|| Flag {
        slot: f.slot,
        time: f.publish_time,
        need: q(f.need.0),
        closed: q(f.closed.0),
        last_slot: f.last_slot,
        full: f.full != 0,
        floor_paid: f.floor_paid != 0,
        flagger: f.flagger != ballast_engine::layout::Key::default(),
    });
    Account {
        collateral: q(of.collateral.0),
        slots: of.positions.iter().map(slot).collect(),
        flag,
        isolated: of.isolated != 0,
    }
}

/// The model of a world as it stands.
pub(crate) fn model_of(world: &World) -> Exchange {
    Exchange {
        unix: world.now.unix,
        slot: world.now.slot,
        restart: world.now.restart_slot,
        markets: (0..MARKETS).map(|of| market(world, of)).collect(),
        accounts: world.accounts.iter().map(|of| account(world, of)).collect(),
        fund: q(world.fund.0),
        batches: batches(world),
        dust: q(world.shared.dust.0),
        close_call: false.into(),
        drift: q(0),
    }
}

/// Sizes and amounts that an operation brought about and that are whole numbers: shares given or burned, size closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Did {
    pub(crate) shares: Option<Q>,
    pub(crate) amount: Option<Q>,
    pub(crate) size: Option<Q>,
}

/// The same operation on the model; what orders and tickets there are is taken from the world before it.
pub(crate) fn run(model: &mut Exchange, world: &World, op: &Op) -> R<Did> {
    let mut did = Did::default();
    match *op {
        Op::Wait { seconds, slots } => {
            model.unix += seconds;
            model.slot += slots;
        }
        Op::Tick { seconds } => {
            model.unix += seconds;
            model.slot += seconds as u64 * 5 / 2;
            let mut then = world.clone();
            (then.now.unix, then.now.slot) = (model.unix, model.slot);
            for market in 0..MARKETS {
                let at = world.oracle_price(market);
                publish(model, &then, market, at, at / 10_000, 0)?;
            }
        }
        Op::Publish { market, price, conf, lag } => publish(model, world, market, price, conf, lag)?,
        Op::Deposit { account, amount } => model.deposit(account, &q(amount)),
        Op::Withdraw { account, amount } => model.withdraw(account, &q(amount))?,
        Op::Place { account, market, reduce_only, .. } => {
            if model.is_settled(market) {
                return Err(No("MarketSettled"));
            }
            // Beside a price that is not good an account that holds anything places exits alone, and pays nothing for them.
            let flat = model.accounts[account].slots.iter().all(Position::is_free);
            let status = model.status(market);
            let bad = status != Status::Good && !flat;
            if bad && !reduce_only {
                return Err(No(status.refusal()));
            }
            let free = bad || model.is_flagged(account);
            let fee = if free { q(0) } else { model.markets[market].rules.order_fee.clone() };
            if !model.reaches(&model.accounts[account].collateral, &fee, 0) {
                return Err(No("InsufficientCollateral"));
            }
            model.accounts[account].collateral -= fee;
        }
        Op::Execute { order } => {
            let waiting = &world.orders[order];
            let terms = &waiting.terms;
            let size = q(terms.size.0);
            // One that only reduces goes with its position: like one that has lapsed, whoever comes first clears it away.
            let of = world.accounts[waiting.account].opposite(waiting.market as u16, terms.buys());
            let gone = terms.reduces() && of.is_none_or(|(_, position)| position.generation != terms.generation);
            match model.order_mark(waiting.market, terms.placed_at, terms.placed_slot, terms.size.0 > 0) {
                _ if gone => {}
                Err(No("OrderLapsed")) => {}
                Err(no) => return Err(no),
                Ok(mark) => {
                    model.accrue(waiting.market);
                    model.fill(waiting.account, waiting.market, &size, terms.reduce_only != 0, &mark)?;
                }
            }
            model.accounts[KEEPER].collateral += q(terms.fee.0);
        }
        Op::Cancel { order } => {
            let waiting = &world.orders[order];
            if model.unix < waiting.terms.placed_at + 10 {
                return Err(No("OrderLocked"));
            }
            model.accounts[waiting.account].collateral += q(waiting.terms.fee.0);
        }
        Op::Reduce { account, market, size } => model.reduce_now(account, market, &q(size))?,
        Op::Settle { account, market } => {
            model.settle_now(account, market)?;
        }
        Op::Collect { account, market } => model.collect_now(account, market)?,
        Op::CollectBetween { debtor, holder } => model.collect_between_now(debtor, holder)?,
        Op::Exit { account, market } => model.silent_exit(account, market)?,
        Op::Flag { account } => model.flag(account)?,
        Op::Unflag { account } => model.unflag(account)?,
        Op::Liquidate { account, market } => {
            did.size = model.liquidate(account, market, KEEPER)?.map(|done| done.size);
        }
        Op::Resolve { account } => model.resolve(account)?,
        Op::TopUp { market, amount } => {
            model.touch(market);
            model.insure(market, &q(amount));
        }
        Op::TopUpShared { amount } => model.top_up_shared(&q(amount)),
        Op::Register { market } => model.register(market)?,
        Op::PayClaim { market } => model.pay_insurance(market)?,
        Op::Deleverage { market } => did.size = Some(model.deleverage(market)?),
        Op::PickUp { account, market } => model.pick_up(account, market)?,
        Op::Advance { market } => model.advance_settlement(market)?,
        Op::CloseSettled { account, market } => model.close_settled(account, market)?,
        Op::File { market, amount, .. } => model.file(market, &q(amount))?,
        Op::Provide { ticket } => {
            let filed = world.filed[ticket];
            did.shares = Some(model.provide(filed.market, &q(filed.amount.0), filed.filed_at)?);
        }
        Op::Leave { market, provider, shares } => {
            if shares == 0 || shares > world.shares[market][provider] {
                return Err(No("SharesZero"));
            }
        }
        Op::Redeem { ticket } => {
            let leaving = world.leaving[ticket];
            let shares = q(leaving.shares);
            match model.redeem(leaving.market, &shares, leaving.ripe_at, leaving.window_start)? {
                Out::Paid(burned, amount) => (did.shares, did.amount) = (Some(burned), Some(amount)),
                Out::HeldBack => {}
            }
        }
        Op::Lapse { ticket, exit } => {
            let start = if exit { world.leaving[ticket].window_start } else { world.filed[ticket].filed_at };
            if model.unix <= start + 3_600 {
                return Err(No("TicketNotLapsed"));
            }
            if !exit {
                let filed = world.filed[ticket];
                model.markets[filed.market].pending -= q(filed.amount.0);
            }
        }
    }
    Ok(did)
}

fn publish(model: &mut Exchange, world: &World, market: usize, price: i64, conf: i64, lag: i64) -> R<()> {
    let raw = world.raw(market, price, conf, lag);
    if raw.publish_time <= model.markets[market].prices.last.time || model.is_settled(market) {
        return Ok(());
    }
    if raw.price <= 0 || raw.publish_time > model.unix + 2 {
        return Err(No("PriceMalformed"));
    }
    // 10^-8 of a unit for a unit: with six and six decimals quote atoms per base atom.
    let scaled = |mantissa: u64| frac(mantissa, 100_000_000);
    let price = scaled(raw.price.unsigned_abs());
    // Four significant digits at least: 10,000 of the stored scale's 10^-9.
    if price < frac(10_000, 1_000_000_000) {
        return Err(No("PriceScaleTooCoarse"));
    }
    model.publish(market, Observation { time: raw.publish_time, price, conf: scaled(raw.conf), slot: raw.posted_slot });
    Ok(())
}

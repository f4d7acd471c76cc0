//! Random histories: every step of the engine against the same step of the model.
//!
//! *From the same state*: before each step the model is given the engine's state, so that what differs after it are the
//! roundings of that one step ([`Bounds`]). *Freely*: the model goes its own way and is never told again what the engine
//! has, through as many steps as only add and subtract (whatever is shared pro rata, sized by a shortage or priced in shares
//! starts it anew); what differs is then bounded by the sum of the steps' bounds.
//!
//! `BALLAST_SEED` repeats a run, `BALLAST_HISTORIES` sets how many.

use std::collections::BTreeMap;

use ballast_engine::Base;
use ballast_engine::params::MarketParams;
use ballast_engine::tier::Tier;
use ballast_model::number::{q, zero};
use ballast_model::{Exchange, No, Q, R};

use crate::bounds::Bounds;
use crate::bridge::{Did, model_of, run};
use crate::fields::{Kind, fields, late_claims};
use crate::world::{ACCOUNTS, Dice, MARKETS, Op, World, params, runs, seed};

/// What was seen.
#[derive(Default)]
struct Tally {
    steps: BTreeMap<String, (u32, u32)>,
    /// By operation and kind: the largest difference, the bound there, and where.
    worst: BTreeMap<(String, Kind), (f64, f64, String)>,
    close: u32,
    disagreed: u32,
    longest: u32,
    compared: u32,
}

fn name(op: &Op) -> String {
    format!("{op:?}").split(' ').next().unwrap_or_default().to_owned()
}

/// What a trader would have if prices stood still.
fn wealth(state: &Exchange, account: usize) -> Q {
    let holder = &state.accounts[account];
    let slots = holder.slots.iter().filter(|p| !p.is_free());
    let there: Q = slots
        .map(|p| {
            let result =
                if p.is_open() { p.pnl(&state.markets[p.market].prices.last.price) - state.owed(p) } else { zero() };
            result + &p.claim.due + &p.claim.paid + &p.held
        })
        .sum();
    there + &holder.collateral
}

impl Tally {
    /// Holds every quantity to its bound; the trader's wealth to the pool's favour too.
    fn compare(
        &mut self,
        op: &Op,
        world: &World,
        model: &Exchange,
        bounds: &Bounds,
        late: &[Q; MARKETS],
        context: &str,
    ) {
        let engine = model_of(world);
        // All accounts' sums now and then, else one's.
        self.compared += 1;
        let only = (!self.compared.is_multiple_of(16)).then_some(self.compared as usize / 2 % ACCOUNTS);
        for field in fields(world, &engine, model, only, late) {
            let off = &field.engine - &field.model;
            if off.is_zero() {
                continue;
            }
            let (at_most, size) = (bounds.at_most(field.kind), off.abs());
            assert!(
                size <= at_most,
                "{context}: {op:?}: {}: engine {}, model {}, off by {} and not {}",
                field.name,
                field.engine.about(),
                field.model.about(),
                off.about(),
                at_most.about(),
            );
            let seen = self.worst.entry((name(op), field.kind)).or_default();
            if size.about() > seen.0 {
                *seen = (size.about(), at_most.about(), field.name);
            }
        }
        for account in 0..ACCOUNTS {
            let over = wealth(&engine, account) - wealth(model, account);
            assert!(over <= bounds.favour, "{context}: {op:?}: rounding gave account {account} {}", over.about());
        }
    }

    /// Whether engine and model both did it, or both refused; a disagreement must be too close to call.
    fn judge(
        &mut self,
        op: &Op,
        done: ballast_engine::Result<()>,
        ours: R<Did>,
        model: &Exchange,
        context: &str,
    ) -> Option<Did> {
        match (done, ours) {
            (Ok(()), Ok(did)) => return Some(did),
            (Err(fault), Err(No(reason))) => {
                let same = fault.error.name() == reason || model.close_call.get();
                assert!(same, "{context}: {op:?} was refused for {} and for {reason}", fault.error.name());
            }
            (done, ours) => {
                let done = done.map_err(|fault| fault.error.name());
                assert!(model.close_call.get(), "{context}: {op:?}: engine {done:?}, model {ours:?}");
                self.disagreed += 1;
            }
        }
        None
    }

    fn print(&self) {
        for (op, (done, tried)) in &self.steps {
            println!("{op}: {done} of {tried}");
        }
        for ((op, kind), (size, at_most, field)) in &self.worst {
            println!("{op:14} {kind:?}: {size:.3e} of {at_most:.3e} ({field})");
        }
        let Self { close, disagreed, longest, .. } = self;
        println!("too close to call: {close}, of which they disagreed: {disagreed}; longest free run: {longest} steps");
    }
}

/// Whether anything is shared pro rata now: claims, or profit beyond a pool's cash.
fn is_short(model: &Exchange) -> bool {
    (0..MARKETS).any(|market| {
        let price = model.markets[market].prices.last.price.clone();
        let over = model.is_settled(market) || model.waiting(market) > 0;
        over || !model.claims(market).is_zero() || model.gross(market, &price) + q(1_000) > model.free_cash(market)
    })
}

/// Parameters under which a small skew is a heavy one, for the governor.
fn heavy(tier: Tier) -> MarketParams {
    MarketParams { funding_skew_scale: Base(1_000_000_000), ..params(tier) }
}

fn history(dice: &mut Dice, tally: &mut Tally, freely: bool, context: &str) {
    let params = if dice.below(2) == 0 { params } else { heavy };
    let mut world = if dice.below(4) == 0 {
        World::with(params, [30_000 << dice.below(6); MARKETS], 1 << dice.below(14))
    } else {
        World::crowded_with(params, || dice.next() as u8)
    };
    let mut model = model_of(&world);
    let mut running: Option<(Bounds, u32)> = None;
    for _ in 0..80 {
        for op in dice.script(&world) {
            if !op.is_possible(&world) {
                continue;
            }
            if running.is_none() {
                model = model_of(&world);
            }
            let (before, was) = (world.clone(), model.clone());
            model.drift = running.as_ref().map_or_else(zero, |(bounds, _)| bounds.drift());
            model.begin();
            let ours = run(&mut model, &before, &op);
            let done = world.apply(&op);
            let through = done.is_ok();
            let did = tally.judge(&op, done, ours, &model, context);
            let count = tally.steps.entry(name(&op)).or_default();
            *count = (count.0 + u32::from(through), count.1 + 1);
            let close = model.close_call.get();
            tally.close += u32::from(close);
            let shared = is_short(&was) || is_short(&model);
            if did.is_none() {
                // A refusal changes nothing.
                model = if through { model_of(&world) } else { was };
                running = running.filter(|_| !through && !close);
                continue;
            }
            let step = Bounds::of(&op, &was, &model);
            let (mut bounds, steps) = running.take().unwrap_or_else(|| (step.clone(), 0));
            if steps > 0 {
                bounds.add(&step);
            }
            if !close {
                tally.compare(&op, &world, &model, &bounds, &late_claims(&before, &was), context);
            }
            tally.longest = tally.longest.max(steps + 1);
            let adds = !matches!(
                op,
                Op::PayClaim { .. }
                    | Op::Deleverage { .. }
                    | Op::Liquidate { .. }
                    | Op::Resolve { .. }
                    | Op::Flag { .. }
                    | Op::Provide { .. }
                    | Op::Redeem { .. }
            );
            if freely && adds && !shared && !close {
                settle_digits(&mut model);
                running = Some((bounds, steps + 1));
            }
        }
    }
}

/// Fractions grow with every step; what is cut off here is far below any bound.
fn settle_digits(model: &mut Exchange) {
    for market in &mut model.markets {
        for number in
            [&mut market.cash, &mut market.insurance, &mut market.protocol, &mut market.rate, &mut market.governor.area]
        {
            *number = number.grid();
        }
        for number in
            [&mut market.long.index, &mut market.short.index, &mut market.prices.ema5, &mut market.prices.ema60]
        {
            *number = number.grid();
        }
    }
    for account in &mut model.accounts {
        account.collateral = account.collateral.grid();
        for slot in &mut account.slots {
            for number in [&mut slot.entry, &mut slot.index_at, &mut slot.held] {
                *number = number.grid();
            }
        }
    }
}

fn compare(freely: bool, default: u64) {
    let mut dice = Dice::new(seed());
    let mut tally = Tally::default();
    for number in 0..runs("BALLAST_HISTORIES", default) {
        history(&mut dice, &mut tally, freely, &format!("history {number}"));
    }
    tally.print();
    let all: u32 = tally.steps.values().map(|(_, tried)| tried).sum();
    assert!(tally.disagreed * 50 <= all.max(1_000), "too many decisions were too close to call");
}

#[test]
fn every_step_differs_from_the_exact_rules_by_named_roundings_in_the_pools_favour() {
    compare(false, 50);
}

#[test]
fn left_to_itself_the_model_stays_within_the_sum_of_the_steps_bounds() {
    compare(true, 25);
}

//! P1 to P3 at the edges of what may be stored: sets whose parameters lie at their hard bounds, or as far towards them as
//! envelope and cross-checks let them, random trading, liquidating and funding on them, and more changes on the way, which
//! are queued in one state and executed in another. `BALLAST_SEED` repeats a run,
//! `BALLAST_EXTREMES` sets how many sets.

use std::collections::BTreeMap;

use ballast_engine::envelope::check_market;
use ballast_engine::error::{Error, Fault};
use ballast_engine::governance::{
    Context, ExitHolds, Request, Roles, execute_market_parameter, lowest_maintenance, queue_market_parameter,
};
use ballast_engine::guardian::Emergency;
use ballast_engine::layout::Key;
use ballast_engine::params::{ExchangeParams, MARKET_ROWS, MarketParams};
use ballast_engine::presets::new_exchange;
use ballast_engine::tier::Tier;

use crate::world::{Dice, KEEPER, MARKETS, Op, UNIT, World, params, runs, seed};

/// Whether the set may be stored.
fn accepted(params: &MarketParams, tier: Tier) -> bool {
    check_market(params, tier, params.maintenance_margin, 6).is_ok()
}

/// The value nearest to `end` for which the set is accepted, on the way there from the one that it has.
fn farthest(params: &MarketParams, tier: Tier, id: u16, end: u64) -> u64 {
    let with = |value: u64| {
        let mut next = *params;
        next.set(id, value).unwrap();
        accepted(&next, tier)
    };
    let mut good = params.get(id).unwrap();
    if with(end) {
        return end;
    }
    let mut bad = end;
    while good.abs_diff(bad) > 1 {
        let middle = good.midpoint(bad);
        if with(middle) { good = middle } else { bad = middle }
    }
    good
}

/// A set at its edges, from a tier's preset: in random order most parameters go as far as they can, up or down. The scales of
/// price and size stay with every second set, for where a market is too small to trade in there is nothing to see.
fn extreme(tier: Tier, dice: &mut Dice) -> MarketParams {
    let mut set = params(tier);
    let small =
        ["skew_scale", "open_interest_cap", "liquidation_capacity", "max_position", "min_notional", "stress_move"];
    let (keep, mut ids) = (dice.below(2) == 0, (0..).zip(MARKET_ROWS).map(|(id, _)| id).collect::<Vec<u16>>());
    for at in (1..ids.len()).rev() {
        ids.swap(at, usize::try_from(dice.below(at as u64 + 1)).unwrap());
    }
    for id in ids {
        let row = &MARKET_ROWS[usize::from(id)];
        if dice.below(5) == 0 || keep && small.contains(&row.name) {
            continue;
        }
        let end = if dice.below(2) == 0 { row.min } else { row.max };
        set.set(id, farthest(&set, tier, id, end)).unwrap();
    }
    assert!(accepted(&set, tier));
    set
}

/// Whether an order is larger than what the impact limit lets a whole side hold: the limit refuses it anyhow, but the premium,
/// which grows with the square of the size, is computed before and may leave its range first.
fn hopeless(world: &World, op: &Op) -> bool {
    let Op::Execute { order } = *op else { return false };
    let waiting = &world.orders[order];
    let params = &world.markets[waiting.market].params;
    let most = u128::from(params.skew_scale.0) * u128::from(params.liquidation_impact.0) / 1_000_000;
    u128::from(waiting.terms.size.0.unsigned_abs()) > most
}

/// Does an operation, if it can be tried at all, and checks the books. Refused it may be for many reasons, but never because
/// numbers leave their range or books do not add up.
fn step(world: &mut World, op: &Op, through: &mut BTreeMap<String, u32>) -> bool {
    if !op.is_possible(world) {
        return false;
    }
    let hopeless = hopeless(world, op);
    let done = world.apply(op);
    world.check();
    match done {
        Ok(()) => {
            *through.entry(format!("{op:?}").split_whitespace().next().unwrap_or_default().to_owned()).or_default() +=
                1;
            true
        }
        Err(Fault { error, limit, value }) => {
            let fault = matches!(error, Error::MathOverflow | Error::InvariantBroken) && !hopeless;
            let sets: Vec<_> = world.markets.iter().map(|market| market.params).collect();
            assert!(!fault, "{op:?}: {} ({limit}, {value}) under {sets:#?}", error.name());
            false
        }
    }
}

/// P2: who holds nothing opens and closes in one go at a standing price, and has gained nothing. In a copy of the world.
fn round_trip(world: &World, dice: &mut Dice) -> bool {
    let mut world = world.clone();
    let flat = |account: &usize| world.accounts[*account].positions.iter().all(|p| !p.is_open());
    let Some(account) = (0..KEEPER).filter(flat).nth(dice.below(2) as usize) else { return false };
    let market = if world.accounts[account].isolated == 0 { dice.below(2) as usize } else { 2 };
    let most = world.accounts[account].collateral.0 / 2 * 5;
    let size = world.size_for(market, 50 * UNIT + dice.below(most.max(1))).0 as i64;
    let size = if dice.below(2) == 0 { size } else { -size };
    let order = world.orders.len();
    let before = world.wealth(account);
    for op in [Op::Place { account, market, size, reduce_only: false }, Op::Tick { seconds: 3 }, Op::Execute { order }]
    {
        if world.apply(&op).is_err() {
            return false;
        }
    }
    let close = Op::Reduce { account, market, size: size.unsigned_abs() };
    if world.apply(&close).is_err() {
        return false;
    }
    world.check();
    let after = world.wealth(account);
    assert!(after <= before, "P2: a round trip of {size} in market {market} turned {before} into {after}");
    true
}

/// Who governs the worlds here.
struct Offices {
    params: ExchangeParams,
    roles: Roles,
    emergency: Emergency,
    exits: ExitHolds,
}

impl Offices {
    fn new() -> Self {
        let roles = Roles::new(Key([201; 32]), Key([202; 32]), Key([203; 32])).unwrap();
        Self { params: new_exchange(), roles, emergency: Emergency::default(), exits: ExitHolds::default() }
    }

    /// A step of one parameter, as large as it may be or less, queued in the state that there is and executed, after its delay and
    /// among open positions, in the state that there is then; whether it was. What is stored is a set that may be.
    fn step(&self, world: &mut World, dice: &mut Dice) -> bool {
        let context =
            Context { params: &self.params, roles: &self.roles, emergency: &self.emergency, exits: &self.exits };
        let market = dice.below(MARKETS as u64) as usize;
        let id = dice.below(MARKET_ROWS.len() as u64) as u16;
        let (row, state) = (&MARKET_ROWS[usize::from(id)], &world.markets[market]);
        let old = state.params.get(id).unwrap();
        let most = row.step.max((u128::from(old) * u128::from(row.step_share) / 1_000_000) as u64);
        let by = if dice.below(2) == 0 { most } else { dice.below(most) };
        let new = if dice.below(2) == 0 { old.saturating_add(by) } else { old.saturating_sub(by) };
        let request = Request {
            signer: self.roles.governance,
            version: state.param_version[usize::from(id)],
            last_slot: world.now.slot,
            rationale: Key::default(),
        };
        let value = new.clamp(row.min, row.max);
        let Ok(mut terms) = queue_market_parameter(state, &context, &request, id, value, &world.now) else {
            return false;
        };
        let seconds = terms.eta - world.now.unix;
        world.must(&Op::Wait { seconds, slots: seconds.unsigned_abs() * 5 / 2 });
        world.must(&Op::Tick { seconds: 1 });
        let state = &mut world.markets[market];
        let done = execute_market_parameter(&mut terms, state, &context, &world.now).is_ok();
        let lowest = lowest_maintenance(state, world.now.unix);
        check_market(&state.params, Tier::from_byte(state.tier).unwrap(), lowest, 6).unwrap();
        world.check();
        done
    }
}

#[test]
fn p1_p2_p3_hold_on_any_accepted_set_of_parameters() {
    let mut dice = Dice::new(seed());
    let (mut through, mut trips, mut traded, mut steps) = (BTreeMap::new(), 0, 0, 0);
    let offices = Offices::new();
    let count = runs("BALLAST_EXTREMES", 400);
    for _ in 0..count {
        let mut world = World::new();
        for market in 0..MARKETS {
            let state = &mut world.markets[market];
            state.params = extreme(Tier::from_byte(state.tier).unwrap(), &mut dice);
            state.invariant().unwrap();
        }
        let fills = through.get("Execute").copied().unwrap_or_default();
        for _ in 0..120 {
            for op in dice.script(&world) {
                step(&mut world, &op, &mut through);
            }
            if dice.below(4) == 0 && round_trip(&world, &mut dice) {
                trips += 1;
            }
            if dice.below(24) == 0 && offices.step(&mut world, &mut dice) {
                steps += 1;
            }
        }
        traded += u64::from(through.get("Execute").copied().unwrap_or_default() > fills);
    }
    println!("{count} sets, {traded} with trades, {trips} round trips, {steps} changes; {through:?}");
    assert!(traded * 4 >= count, "in too few sets anybody could trade: {traded} of {count}");
    assert!(trips > 0 && steps > 0);
    for name in ["Execute", "Reduce", "Settle", "Withdraw", "Flag", "Liquidate", "Resolve", "Provide", "Redeem"] {
        assert!(through.contains_key(name), "{name} never went through");
    }
}

#[test]
fn every_bound_that_can_be_reached_is_reached() {
    // The generator is worth nothing if it never gets to the edges: alone, each parameter goes to its bound or is stopped by
    // envelope or cross-check, and most get there.
    let mut reached = 0;
    for tier in [Tier::A, Tier::B, Tier::C] {
        for (id, row) in (0..).zip(MARKET_ROWS) {
            let set = params(tier);
            for end in [row.min, row.max] {
                let value = farthest(&set, tier, id, end);
                reached += usize::from(value == end);
                let mut next = set;
                next.set(id, value).unwrap();
                assert!(accepted(&next, tier), "{}", row.name);
            }
        }
    }
    assert!(reached > MARKET_ROWS.len() * 3, "{reached}");
}

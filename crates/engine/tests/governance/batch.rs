//! Several parameters move together, or not at all.

use ballast_engine::constants::BATCH;
use ballast_engine::error::{Error, Fault};
use ballast_engine::governance::{
    Asked, Batch, Context, Holds, ProposalTerms, execute_exchange_batch, execute_market_batch,
    execute_market_parameter, lowest_maintenance, queue_exchange_batch, queue_market_batch, state,
};
use ballast_engine::layout::Key;
use ballast_engine::params::{Class, ExchangeParams, MARKET_ROWS};
use ballast_engine::{Quote, Ratio};
use proptest::prelude::*;

use super::{COMMITTEE, DAY, GOVERNANCE, GUARDIAN, HOUR, World, error, id};

type Queued = (ProposalTerms, Batch);

impl World {
    fn asked(&self, changes: &[(&str, u64)]) -> Vec<Asked> {
        let ask = |&(name, new_value): &(&str, u64)| {
            let parameter = id(name);
            Asked { parameter, version: self.market.param_version[usize::from(parameter)], new_value }
        };
        let mut asked: Vec<_> = changes.iter().map(ask).collect();
        asked.sort_by_key(|a| a.parameter);
        asked
    }
    fn queue_batch(&self, signer: Key, changes: &[(&str, u64)]) -> Result<Queued, Fault> {
        let request = self.request(signer, 0);
        queue_market_batch(&self.market, &self.context(), &request, &self.asked(changes), &self.now)
    }
    fn execute_batch(&mut self, (terms, batch): &mut Queued) -> Result<(), Fault> {
        let context =
            Context { params: &self.params, roles: &self.roles, emergency: &self.emergency, exits: &self.exits };
        execute_market_batch(terms, batch, &mut self.market, &context, &self.now)
    }
}

/// Fees up and maintenance with them: neither order of single steps gets there at once, the batch does.
#[test]
fn what_must_agree_moves_together_and_the_envelope_is_judged_on_the_result() {
    let mut world = World::new(0);
    // Initial margin must stay above maintenance plus buffer.
    assert_eq!(error(world.queue(GOVERNANCE, "maintenance_margin", 36_000)), Error::CrossCheckBroken);
    let mut both =
        world.queue_batch(GOVERNANCE, &[("maintenance_margin", 36_000), ("initial_margin", 60_000)]).unwrap();
    assert_eq!((both.0.class, both.0.eta - world.now.unix), (2, 3 * DAY));
    world.wait(3 * DAY - 1);
    let before = world.market;
    assert_eq!(error(world.execute_batch(&mut both)), Error::ProposalNotReady);
    assert_eq!(world.market, before);
    world.wait(1);
    world.execute_batch(&mut both).unwrap();
    assert_eq!(
        (world.market.params.maintenance_margin, world.market.params.initial_margin),
        (Ratio(36_000), Ratio(60_000))
    );
    assert_eq!(both.0.state, state::EXECUTED);
    // The raise in it has its grace as any other.
    assert_eq!(lowest_maintenance(&world.market, world.now.unix), Ratio(30_000));
    for name in ["maintenance_margin", "initial_margin"] {
        assert_eq!(world.market.param_version[usize::from(id(name))], 1);
        assert_eq!(world.market.param_changed[usize::from(id(name))], world.now.unix);
    }
    assert_eq!(error(world.execute_batch(&mut both)), Error::ProposalClosed);
    world.check();
}

#[test]
fn fees_raised_along_with_the_margin_wait_for_the_grace_attack_h14() {
    // Positions under the old margin do not carry the new fees: at the ETA the grace would begin, so it is refused at once.
    let world = World::new(0);
    let changes = [("maintenance_margin", 36_000), ("initial_margin", 60_000), ("insurance_fee_max", 10_000)];
    assert_eq!(error(world.queue_batch(GOVERNANCE, &changes)), Error::ParameterStep);
    let changes = [("maintenance_margin", 36_000), ("initial_margin", 60_000), ("insurance_fee_max", 6_000)];
    let queued = world.queue_batch(GOVERNANCE, &changes);
    assert_eq!(queued.is_ok(), {
        let mut next = world.market.params;
        next.insurance_fee_max = Ratio(6_000);
        ballast_engine::envelope::check_market(&next, ballast_engine::tier::Tier::A, Ratio(30_000), 6).is_ok()
    });
    let changes = [("keeper_fee_max", 5_500), ("insurance_fee_max", 6_000), ("liquidation_impact", 2_500)];
    assert_eq!(error(world.queue_batch(GOVERNANCE, &changes)), Error::EnvelopeBroken);
    let mut with_margin = changes.to_vec();
    with_margin.extend([("maintenance_margin", 36_000), ("initial_margin", 60_000)]);
    assert_eq!(error(world.queue_batch(GOVERNANCE, &with_margin)), Error::EnvelopeBroken, "by the older margin");
}

#[test]
fn the_class_is_the_strictest_and_one_loosening_makes_it_none() {
    let world = World::new(0);
    let tune = world.queue_batch(COMMITTEE, &[("taker_fee", 600), ("mending_fee", 250)]).unwrap().0;
    assert_eq!((tune.class, tune.eta - world.now.unix, tune.tightening), (1, 48 * HOUR, 0));
    let tight = world.queue_batch(COMMITTEE, &[("keeper_floor_hourly", 5_000_000), ("max_position", 900_000_000_000)]);
    let tight = tight.unwrap().0;
    assert_eq!((tight.class, tight.tightening), (1, 1));
    let mixed = [("max_position", 900_000_000_000), ("taker_fee", 600)];
    assert_eq!(world.queue_batch(COMMITTEE, &mixed).unwrap().0.tightening, 0);
    // One risk change in it, and the committee may not.
    let risk = [("taker_fee", 600), ("insurance_fee_max", 4_500)];
    assert_eq!(error(world.queue_batch(COMMITTEE, &risk)), Error::NotProposer);
    let terms = world.queue_batch(GOVERNANCE, &risk).unwrap().0;
    assert_eq!((terms.class, terms.eta - world.now.unix), (2, 72 * HOUR));
    let mut terms = terms;
    terms.veto(&GUARDIAN).unwrap();
}

#[test]
fn each_change_is_bound_to_its_version_its_step_and_its_cool_down() {
    let mut world = World::new(0);
    let changes = [("taker_fee", 600), ("mending_fee", 250)];
    let mut first = world.queue_batch(COMMITTEE, &changes).unwrap();
    let mut second = world.queue_batch(COMMITTEE, &[("mending_fee", 150), ("order_fee", 25_000)]).unwrap();
    let mut alone = world.queue(COMMITTEE, "taker_fee", 450).unwrap();
    world.wait(2 * DAY);
    world.execute_batch(&mut first).unwrap();
    // One of the second's parameters has moved: the whole of it is dead, the other one untouched.
    let before = world.market;
    assert_eq!(error(world.execute_batch(&mut second)), Error::VersionMoved);
    let context = World::context(&world);
    let mut market = world.market;
    assert_eq!(error(execute_market_parameter(&mut alone, &mut market, &context, &world.now)), Error::VersionMoved);
    assert_eq!((market, world.market), (before, before));
    // Cool-down: queued at once afterwards with a delay of two days it is over; within a day of another change it is not.
    let mut third = world.queue_batch(COMMITTEE, &[("taker_fee", 700), ("mending_fee", 300)]).unwrap();
    world.wait(2 * DAY - HOUR);
    let mut single = world.queue(COMMITTEE, "order_fee", 24_000).unwrap();
    world.wait(2 * DAY);
    world.execute(&mut single).unwrap();
    world.execute_batch(&mut third).unwrap();
    let mut fourth = world.queue_batch(COMMITTEE, &[("taker_fee", 600), ("order_fee", 23_000)]).unwrap();
    world.market.param_changed[usize::from(id("order_fee"))] = fourth.0.eta - DAY + 1;
    world.wait(2 * DAY);
    assert_eq!(error(world.execute_batch(&mut fourth)), Error::ParameterCoolDown);
    world.wait(1);
    world.execute_batch(&mut fourth).unwrap();
    // Steps and bounds hold for each.
    assert_eq!(error(world.queue_batch(COMMITTEE, &[("taker_fee", 900), ("order_fee", 24_000)])), Error::ParameterStep);
    assert_eq!(
        error(world.queue_batch(COMMITTEE, &[("taker_fee", 6_000), ("order_fee", 24_000)])),
        Error::ParameterBounds
    );
    assert_eq!(
        error(world.queue_batch(COMMITTEE, &[("taker_fee", 600), ("order_fee", 24_000)])),
        Error::ParameterUnchanged
    );
}

#[test]
fn a_batch_has_two_to_eight_changes_and_no_parameter_twice() {
    let world = World::new(0);
    let ask = |parameter, new_value| Asked { parameter, version: 0, new_value };
    let queue = |asked: &[Asked]| {
        queue_market_batch(&world.market, &world.context(), &world.request(GOVERNANCE, 0), asked, &world.now)
    };
    let fee = id("taker_fee");
    for asked in [
        vec![],
        vec![ask(fee, 600)],
        vec![ask(fee, 600), ask(fee, 600)],
        vec![ask(fee + 1, 250), ask(fee, 600)],
        (0..=BATCH).map(|i| ask(u16::try_from(i).unwrap(), 1)).collect(),
    ] {
        assert_eq!(error(queue(&asked)), Error::BatchInvalid, "{asked:?}");
    }
    assert_eq!(error(queue(&[ask(fee, 600), ask(4_000, 1)])), Error::ParameterUnknown);
    let mut moved = [ask(fee, 600), ask(fee + 1, 250)];
    moved[1].version = 1;
    assert_eq!(error(queue(&moved)), Error::VersionMoved);
}

#[test]
fn the_delays_of_an_exchange_move_together_too() {
    let mut world = World::new(0);
    let ask = |name, new_value| Asked { parameter: ExchangeParams::id(name).unwrap(), version: 0, new_value };
    let queue = |world: &World, asked: &[Asked]| {
        let request = world.request(GOVERNANCE, 0);
        queue_exchange_batch(&world.log, &world.context(), &request, asked, &world.now)
    };
    let asked = [ask("outflow_hourly", 12_500), ask("outflow_daily", 120_000), ask("outflow_floor", 11_000_000_000)];
    let (mut terms, batch) = queue(&world, &asked).unwrap();
    assert_eq!((terms.class, terms.eta - world.now.unix, batch.count), (2, 3 * DAY, 3));
    world.wait(3 * DAY);
    let holds = Holds { emergency: &world.emergency, exits: &world.exits };
    let sets = (&mut world.params, &mut world.log);
    execute_exchange_batch(&mut terms, &batch, sets, &world.roles, &holds, &world.now).unwrap();
    assert_eq!((world.params.outflow_hourly, world.params.outflow_floor), (Ratio(12_500), Quote(11_000_000_000)));
    world.check();
    // One delay shorter among them, and all of it waits seven days.
    let up = [ask("delay_tune", 200_000), ask("delay_risk", 300_000)];
    let (mut terms, batch) = queue(&world, &up).unwrap();
    assert_eq!(terms.class, 2);
    world.wait(3 * DAY);
    let holds = Holds { emergency: &world.emergency, exits: &world.exits };
    let sets = (&mut world.params, &mut world.log);
    execute_exchange_batch(&mut terms, &batch, sets, &world.roles, &holds, &world.now).unwrap();
    let mut down = [ask("delay_tune", 180_000), ask("delay_deep", 700_000)];
    down[0].version = 1;
    assert_eq!(queue(&world, &down).unwrap().0.class, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    /// P8 for batches over random states: what is stored is within bounds and envelope at every moment, and nothing is
    /// stored by halves.
    #[test]
    fn no_sequence_of_batches_stores_a_set_that_breaks_bounds_or_envelope(
        tier in 0_u8..3,
        steps in prop::collection::vec(
            (prop::collection::vec((0_usize..MARKET_ROWS.len(), 0_u64..1_000_001, any::<bool>()), 2..9), 0_i64..5 * DAY, any::<u64>()), 1..60
        )
    ) {
        let mut world = World::new(tier);
        let mut pending: Vec<Queued> = Vec::new();
        for (changes, wait, interest) in steps {
            let mut named: Vec<(&str, u64)> = Vec::new();
            for (place, share, up) in changes {
                let row = &MARKET_ROWS[place];
                let old = world.market.params.get(u16::try_from(place).unwrap()).unwrap();
                let step = row.step.max(u64::try_from(u128::from(old) * u128::from(row.step_share) / 1_000_000).unwrap());
                let part = u64::try_from(u128::from(step) * u128::from(share) / 1_000_000).unwrap();
                let value = if up { old.saturating_add(part) } else { old.saturating_sub(part) };
                if named.iter().all(|(name, _)| *name != row.name) {
                    named.push((row.name, value));
                }
            }
            pending.extend(world.queue_batch(GOVERNANCE, &named).ok());
            let interest = ballast_engine::Base(interest % 2_000_000_000);
            world.market.long.open_interest = interest;
            world.market.short.open_interest = interest;
            world.wait(wait);
            world.check();
            for queued in &mut pending {
                let before = world.market;
                if world.execute_batch(queued).is_ok() {
                    let mut class = Class::G1;
                    for change in queued.1.changes() {
                        let row = &MARKET_ROWS[usize::from(change.parameter)];
                        prop_assert_eq!(before.params.get(change.parameter).unwrap(), change.old_value);
                        prop_assert_eq!(world.market.params.get(change.parameter).unwrap(), change.new_value);
                        prop_assert!(row.check_step(change.old_value, change.new_value).is_ok());
                        class = class.max(row.class(change.old_value, change.new_value).unwrap());
                    }
                    let least = if class == Class::G1 { 48 * HOUR } else { 72 * HOUR };
                    prop_assert!(world.now.unix - queued.0.queued_at >= least);
                } else {
                    prop_assert_eq!(&world.market, &before);
                }
                world.check();
            }
            pending.retain(|q| q.0.state == state::PENDING && world.now.unix < q.0.expires_at);
        }
        world.wait(60 * DAY);
        world.check();
    }
}

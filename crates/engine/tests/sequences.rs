//! Random sequences over a whole exchange on the engine alone: P1 and P3 after every operation, and no refusal but those
//! that are expected; keepers in two orders, the same deficits (P7); at the end everybody gets out (P14). `BALLAST_SEED` repeats a run, `BALLAST_SEQUENCES` sets how many.

use std::collections::BTreeMap;

use crate::world::leave::any_order_ends_alike;
use crate::world::orders::any_order_leaves_the_same_deficits;
use crate::world::{Dice, MARKETS, Op, World, check, params, runs, seed};

#[test]
fn books_hold_and_refusals_are_expected_ones_in_any_sequence() {
    let mut dice = Dice::new(seed());
    let mut through: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let (mut ended, mut deficits) = (0, 0);
    for _ in 0..runs("BALLAST_SEQUENCES", 1_000) {
        let mut world = if dice.below(2) == 0 {
            World::with(params, [30_000 << dice.below(6); MARKETS], 1 << dice.below(14))
        } else {
            World::crowded(|| dice.next() as u8)
        };
        for _ in 0..200 {
            for op in dice.script(&world).into_iter() {
                if !op.is_possible(&world) {
                    continue;
                }
                // Now and then, for it costs as much as a hundred steps.
                if matches!(op, Op::Resolve { .. }) && dice.below(4) == 0 && world.clone().apply(&op).is_ok() {
                    deficits += any_order_leaves_the_same_deficits(&world, |many| dice.below(many as u64) as usize);
                }
                let done = check::step(&mut world, &op);
                let name = format!("{op:?}").split_whitespace().next().unwrap_or_default().to_owned();
                let count = through.entry(name).or_default();
                count.0 += u32::from(done);
                count.1 += 1;
            }
        }
        // Every tenth, for it costs as much as all the rest.
        if dice.below(10) == 0 {
            ended += u32::from(any_order_ends_alike(&world, |many| dice.below(many as u64) as usize));
        }
        world.everybody_leaves();
    }
    println!("{ended} ended in two orders, {deficits} deficits were booked in two");
    assert!(ended > 0 && deficits > 0);
    for (name, (done, tried)) in through {
        println!("{name}: {done} of {tried}");
        // A pool's claim on another pool is too rare for a short run.
        assert!(done > 0 || name == "CollectBetween", "{name} never went through in {tried} tries");
    }
}

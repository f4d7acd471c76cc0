//! Bytes are what happens in an exchange full of leveraged positions until its oracle falls silent for good, and two orders
//! in which a deleveraging is picked up, positions are closed and accounts below zero are resolved. Both orders leave
//! everybody the same at face, to the atom (P7), and everybody gets out (P14).
#![no_main]

#[path = "../../crates/engine/tests/world/mod.rs"]
#[allow(clippy::all, unused)]
mod world;

use libfuzzer_sys::fuzz_target;
use world::leave::any_order_ends_alike;
use world::{Bytes, Op, World};

fuzz_target!(|data: &[u8]| {
    let (orders, data) = data.split_at(data.len().min(96));
    let (mut bytes, mut orders) = (Bytes::new(data), Bytes::new(orders));
    let mut world = World::crowded(|| bytes.byte());
    while !bytes.is_empty() {
        for op in Op::script(&mut bytes, &world) {
            if op.is_possible(&world) {
                let _ = world.apply(&op);
            }
        }
    }
    world.check();
    any_order_ends_alike(&world, |many| orders.below(many));
    world.everybody_leaves();
});

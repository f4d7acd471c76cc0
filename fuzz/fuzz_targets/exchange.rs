//! Bytes are operations of a whole exchange: orders, fills, settling, liquidations, liquidity. After each one the vault
//! holds the named classes (P1), the sums are those of the positions (P3), the books of claims and shares add up, no account
//! and no market is touched that has no part in it, and a refusal is one that the operation may give. At the end the oracle
//! falls silent and everybody gets out (P14).
#![no_main]

#[path = "../../crates/engine/tests/world/mod.rs"]
#[allow(clippy::all, unused)]
mod world;

use libfuzzer_sys::fuzz_target;
use world::{Bytes, MARKETS, Op, World, check, params};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes::new(data);
    let liquidity = 10_000 << (bytes.byte() % 7);
    let mut world = World::with(params, [liquidity; MARKETS], 1 << (bytes.byte() % 14));
    while !bytes.is_empty() {
        for op in Op::script(&mut bytes, &world) {
            if op.is_possible(&world) {
                check::step(&mut world, &op);
            }
        }
    }
    world.everybody_leaves();
});

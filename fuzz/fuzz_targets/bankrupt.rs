//! An exchange full of leveraged positions, then a fall: bytes are what keepers and traders do about it. Checked as in
//! `exchange`; besides, no account that is above maintenance is flagged (P5), a liquidation leaves nobody less healthy
//! (P6), and when keepers have done what they can, no solvent pool is left owing.
#![no_main]

#[path = "../../crates/engine/tests/world/mod.rs"]
#[allow(clippy::all, unused)]
mod world;

use ballast_engine::margin::Purpose;
use libfuzzer_sys::fuzz_target;
use world::{Bytes, Op, World, check};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes::new(data);
    let mut world = World::crowded(|| bytes.byte());
    while !bytes.is_empty() {
        for op in Op::script(&mut bytes, &world) {
            if !op.is_possible(&world) {
                continue;
            }
            let before = world.clone();
            if !check::step(&mut world, &op) {
                continue;
            }
            let surplus =
                |world: &World, account| world.totals(account, Purpose::Maintenance).unwrap().surplus().unwrap().0;
            match op {
                Op::Flag { account } => assert!(surplus(&before, account) < 0, "P5: a healthy account was flagged"),
                Op::Liquidate { account, market } => {
                    // Funding accrues first, as the instruction does it.
                    let mut accrued = before.clone();
                    let _ = accrued.markets[market].accrue(false, &before.now).unwrap();
                    let (was, is) = (surplus(&accrued, account), surplus(&world, account));
                    assert!(is >= was, "P6: a liquidation left an account less healthy: {was} to {is}");
                }
                _ => {}
            }
        }
    }
});

//! An exchange full of leveraged positions, then a fall: bytes are what keepers and traders do about it. Checked as in
//! `exchange`; besides, no account that is above maintenance is flagged (P5), a liquidation leaves nobody less healthy
//! (P6), a resolution leaves nothing behind, and no order of what keepers do at one moment moves an atom of a deficit from one
//! market to another (P7).
#![no_main]

#[path = "../../crates/engine/tests/world/mod.rs"]
#[allow(clippy::all, unused)]
mod world;

use ballast_engine::Base;
use ballast_engine::margin::Purpose;
use libfuzzer_sys::fuzz_target;
use world::orders::any_order_leaves_the_same_deficits;
use world::{Bytes, Dice, Op, World, check};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes::new(data);
    let mut world = World::crowded(|| bytes.byte());
    while !bytes.is_empty() {
        for op in Op::script(&mut bytes, &world) {
            if !op.is_possible(&world) {
                continue;
            }
            let before = world.clone();
            // Two orders by the bytes that are left, in a run of their own.
            if matches!(op, Op::Resolve { .. }) && before.clone().apply(&op).is_ok() {
                let mut dice = Dice::new(bytes.sum());
                let _ = any_order_leaves_the_same_deficits(&before, |many| dice.below(many as u64) as usize);
            }
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
                Op::Resolve { account } => {
                    let state = &world.accounts[account];
                    assert!(!state.slots().any(|(_, p)| p.is_open()) && state.flag.slot == 0, "not resolved whole");
                }
                Op::Deleverage { market } => {
                    let (state, price) = (&world.markets[market], world.markets[market].price.last.price);
                    let last = state.deleveraging;
                    let side = state.side(last.long == 1);
                    // Re-basing costs the pool an atom or two of equity, and each position keeps an atom of size at least.
                    let an_atom = u128::from(price.0) * u128::from(state.params.stress_move.0);
                    let slack = (4_000_000_000_000_000 / an_atom.max(1)) as u64 + side.positions + 2;
                    let less = Base(side.open_interest.0.saturating_sub(slack));
                    assert!(state.carries(last.long == 1, less, price).unwrap(), "past what the pool carries");
                    let more = Base(last.kept.0 + slack);
                    assert!(!state.carries(last.long == 1, more, price).unwrap(), "further than it had to");
                }
                _ => {}
            }
        }
    }
});

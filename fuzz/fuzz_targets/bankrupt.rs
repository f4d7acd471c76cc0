//! An exchange full of leveraged positions, then a fall: bytes are what keepers and traders do about it. Checked as in
//! `exchange`; besides, no account that is above maintenance is flagged (P5), a liquidation leaves nobody less healthy
//! (P6), a resolution leaves nothing behind, and who of two is resolved first moves no deficit (P7).
#![no_main]

#[path = "../../crates/engine/tests/world/mod.rs"]
#[allow(clippy::all, unused)]
mod world;

use ballast_engine::Base;
use ballast_engine::margin::Purpose;
use libfuzzer_sys::fuzz_target;
use world::{Bytes, KEEPER, Op, World, check};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes::new(data);
    let mut world = World::crowded(|| bytes.byte());
    while !bytes.is_empty() {
        for op in Op::script(&mut bytes, &world) {
            if !op.is_possible(&world) {
                continue;
            }
            let before = world.clone();
            if let Op::Resolve { account } = op {
                resolve_in_both_orders(&before, account);
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

/// P7: another account below zero is resolved before this one, or after it.
fn resolve_in_both_orders(world: &World, account: usize) {
    let Some(other) =
        (0..KEEPER).find(|other| *other != account && world.clone().apply(&Op::Resolve { account: *other }).is_ok())
    else {
        return;
    };
    let resolve = |order: [usize; 2]| {
        let mut world = world.clone();
        let done = order.map(|account| world.apply(&Op::Resolve { account }).is_ok());
        let deficits = world.markets.iter().map(|m| m.pool.deficits.0 + m.pool.insurance_paid.0).collect::<Vec<_>>();
        let left = [account, other].map(|account| world.accounts[account].collateral.0);
        (done.iter().filter(|done| **done).count(), deficits, left)
    };
    let (one, two) = (resolve([account, other]), resolve([other, account]));
    assert_eq!(one.0, two.0, "one of them can be resolved in one order only");
    // Of a claim that an account has on a pool that it owes, what is paid by then is shared by all its losing markets, and
    // the rest is set against that one's loss: with claims about, the order moves a little between markets, and never the sum.
    let sum = |end: &Vec<u64>| end.iter().sum::<u64>();
    assert!(sum(&one.1).abs_diff(sum(&two.1)) <= 16, "P7: {one:?} or {two:?}");
    if world.markets.iter().any(|market| !market.pool.claims.is_zero() || !market.pool.claims_paid.is_zero()) {
        return;
    }
    let apart = one.1.iter().zip(&two.1).chain(one.2.iter().zip(&two.2)).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(apart.unwrap_or(0) <= 16, "P7: {one:?} or {two:?}");
}

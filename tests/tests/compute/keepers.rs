//! Prices, flags, liquidations, resolutions.

use anchor_lang::prelude::Pubkey;
use ballast_client::instructions as ix;
use ballast_tests::prices::Posted;
use ballast_tests::{Expect as _, Outcome, Setup, Trader, units};

use super::Units;
use super::fills::eight;

pub(crate) fn run(all: &mut Units) {
    update(all);
    one_position(all);
    eight_positions(all);
}

fn update(all: &mut Units) {
    let mut setup = Setup::new();
    let [long, short] = ["long", "short"].map(|name| setup.trader(name, units(50_000)));
    setup.open(&long, 0, units(60_000).cast_signed());
    setup.open(&short, 0, -units(30_000).cast_signed());
    let start = setup.posted[0].price;
    // Quiet, then moves, then a jump with its confirmation; with open interest and without. A full ring first.
    for _ in 0..32 {
        setup.tick(1);
    }
    let mut step = |setup: &mut Setup, seconds: i64, bps: i64| {
        setup.world.advance(seconds);
        for market in [0, 2] {
            let base = if market == 0 { start } else { setup.terms.markets[2].price };
            setup.publish(market, Posted::tight(base + base / 10_000 * bps)).must();
            all.add("update_market", setup.update(market));
        }
    };
    for (seconds, bps) in
        [(1, 0), (1, 5), (2, -7), (4, 40), (10, -30), (400, 10), (3, 300), (3, 310), (3, 320), (1, 325), (7_200, 330)]
    {
        step(&mut setup, seconds, bps);
    }
    // The funding governor's hour ends: with the rate on its way through zero, with it on its way to the cap, with it at the
    // cap; then, in the same update, with a move that is confirmed.
    setup.tick(1);
    setup.open(&short, 0, -units(60_000).cast_signed());
    let hour = |setup: &Setup| i64::from(setup.market(0).state.funding.hour_seconds);
    for (seconds, bps) in [(3_600, 331), (3_600, 320), (7_200, 325), (1_000, 328)] {
        step(&mut setup, seconds, bps);
    }
    let left = 3_600 - hour(&setup);
    step(&mut setup, (left - 2).rem_euclid(3_600), 330);
    for bps in [700, 710, 720] {
        step(&mut setup, 3, bps);
    }
    assert_eq!(hour(&setup), 1, "the hour ended with the confirmation");
    setup.audit();
}

/// Puts every market's price elsewhere by so many basis points, confirmed, in one go.
fn move_all(setup: &mut Setup, bps: i64) {
    for posted in &mut setup.posted {
        *posted = Posted::tight(posted.price + posted.price / 10_000 * bps);
    }
    for _ in 0..3 {
        setup.tick(2);
    }
}

fn flag(setup: &mut Setup, all: &mut Units, trader: &Trader, positions: usize) {
    let flag =
        ix::flag(&trader.subaccount, &setup.keeper.subaccount, &ix::leg_metas(&setup.account(trader), None, false));
    all.add(&format!("flag_{positions}"), setup.world.send(&[flag], &[]));
}

/// Liquidates the largest position; with the flagger's account where `by` is another one.
fn liquidate(setup: &mut Setup, trader: &Trader, by: Option<&Pubkey>) -> Outcome {
    let market = setup.largest(trader);
    let own = u16::try_from(market).expect("few markets");
    let legs = ix::leg_metas(&setup.account(trader), Some(own), false);
    let flagger = setup.keeper.subaccount;
    let (keeper, flagger) = by.map_or((&flagger, None), |by| (by, Some(&flagger)));
    let liquidate = ix::liquidate(&setup.market_key(market), &trader.subaccount, keeper, flagger, &legs);
    setup.world.send(&[liquidate], &[])
}

fn one_position(all: &mut Units) {
    // By how much the price goes against a position that began at about 6 % of margin: paced, urgent, bankrupt.
    for (long, bps) in [(true, -400), (false, 440), (true, -500)] {
        let mut setup = Setup::new();
        let sign = if long { 1 } else { -1 };
        let [alice, other] = [("alice", 10_000), ("other side", 300_000)].map(|(n, c)| setup.trader(n, units(c)));
        setup.open(&other, 0, -sign * units(200_000).cast_signed());
        setup.open(&alice, 0, sign * units(150_000).cast_signed());
        move_all(&mut setup, bps);
        flag(&mut setup, all, &alice, 1);
        setup.tick(1);
        all.add("liquidate_1", liquidate(&mut setup, &alice, None));
        if setup.account(&alice).state.flag.slot == 0 {
            continue;
        }
        setup.tick(3);
        all.add("liquidate_1", liquidate(&mut setup, &alice, Some(&other.subaccount)));
        setup.audit();
        if setup.account(&alice).state.flag.slot != 0 {
            unflag(&mut setup, all, &alice, -bps);
        }
    }
    let mut setup = Setup::new();
    let [alice, other] = [("alice", 10_000), ("other side", 300_000)].map(|(n, c)| setup.trader(n, units(c)));
    setup.open(&other, 0, -units(200_000).cast_signed());
    setup.open(&alice, 0, units(150_000).cast_signed());
    move_all(&mut setup, -800);
    flag(&mut setup, all, &alice, 1);
    setup.tick(1);
    resolve(&mut setup, all, &alice);
}

/// Unflags an account that a move of all prices has made healthy again.
fn unflag(setup: &mut Setup, all: &mut Units, trader: &Trader, bps: i64) {
    move_all(setup, bps);
    let unflag = ix::unflag(&trader.subaccount, &ix::leg_metas(&setup.account(trader), None, false));
    all.add("unflag", setup.world.send(&[unflag], &[]));
}

fn resolve(setup: &mut Setup, all: &mut Units, trader: &Trader) {
    let resolve = ix::resolve(&trader.subaccount, &ix::leg_metas(&setup.account(trader), None, true));
    all.add("resolve", setup.world.send(&[resolve], &[]));
    setup.audit();
}

fn eight_positions(all: &mut Units) {
    let (start, trader) = eight(all, units(10_500), units(20_000).cast_signed());
    for bps in [-410, -450, -520] {
        let mut setup = start.clone();
        let other = setup.trader("by another", 0);
        move_all(&mut setup, bps);
        flag(&mut setup, all, &trader, 8);
        for by in [None, Some(&other.subaccount)] {
            setup.tick(1);
            all.add("liquidate_8", liquidate(&mut setup, &trader, by));
            setup.audit();
            if setup.account(&trader).state.flag.slot == 0 {
                break;
            }
        }
        if setup.account(&trader).state.flag.slot != 0 {
            unflag(&mut setup, all, &trader, -bps);
        }
    }
    let mut setup = start;
    move_all(&mut setup, -800);
    flag(&mut setup, all, &trader, 8);
    setup.tick(1);
    resolve(&mut setup, all, &trader);
}

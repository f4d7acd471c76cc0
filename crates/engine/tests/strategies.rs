//! Search for a gain: accounts that collude, with a keeper and a provider among them, try thousands of random strategies.
//! `BALLAST_SEED` repeats a run, `BALLAST_STRATEGIES` sets how many.

use ballast_engine::margin::Purpose;
use ballast_engine::params::MarketParams;
use ballast_engine::tier::Tier;
use ballast_engine::units::Ratio;

use crate::world::{ACCOUNTS, Dice, KEEPER, MARKETS, Op, World, check, params, runs, seed};

/// The colluding traders; the keeper and provider 1 are theirs too.
const OURS: [usize; 2] = [0, 1];

/// Without funding and holding fee: what those pay is a price, not a gain by skill.
fn still(tier: Tier) -> MarketParams {
    MarketParams { funding_velocity: 0, holding_fee: Ratio(0), ..params(tier) }
}

/// Their wealth in all, what their provider has taken out or would get for its shares included.
fn theirs(world: &World) -> i128 {
    let traders: i128 =
        OURS.iter().chain(&[KEEPER]).map(|account| world.wealth(*account) - world.put_in[*account]).sum();
    let filed: u64 = world.filed.iter().filter(|t| t.provider == 1).map(|t| t.amount.0).sum();
    let mut sum = traders - world.provided[1] + i128::from(filed);
    for (index, market) in world.markets.iter().enumerate() {
        let waiting: u64 =
            world.leaving.iter().filter(|t| t.market == index && t.provider == 1).map(|t| t.shares).sum();
        let shares = i128::from(world.shares[index][1] + waiting);
        let equity = i128::from(market.equity(market.price.last.price).unwrap().0.max(0));
        sum += shares * equity / i128::from(market.pool.shares.max(1));
    }
    sum
}

/// Whether it is theirs to do at a constant price, and no mere reward: what others hold stays as it is.
fn is_theirs(op: &Op) -> bool {
    match *op {
        Op::Tick { .. } | Op::Wait { .. } => true,
        Op::Settle { .. } | Op::Collect { .. } | Op::CollectBetween { .. } | Op::Flag { .. } | Op::Unflag { .. } => {
            true
        }
        Op::Provide { .. } | Op::Redeem { .. } | Op::Execute { .. } | Op::Cancel { .. } => true,
        Op::Deposit { account, .. } | Op::Withdraw { account, .. } => OURS.contains(&account) || account == KEEPER,
        Op::Place { account, .. } | Op::Reduce { account, .. } => OURS.contains(&account),
        Op::Liquidate { account, .. } | Op::Resolve { account } => OURS.contains(&account),
        Op::File { provider, .. } | Op::Leave { provider, .. } => provider == 1,
        Op::Publish { .. } | Op::Exit { .. } | Op::TopUp { .. } | Op::Lapse { .. } => false,
        Op::TopUpShared { .. } | Op::Register { .. } | Op::PayClaim { .. } => false,
        Op::Deleverage { .. } | Op::PickUp { .. } | Op::Advance { .. } | Op::CloseSettled { .. } => true,
    }
}

/// Closes all that an account has, if it goes.
fn close_all(world: &mut World, account: usize) {
    world.must(&Op::Tick { seconds: 1 });
    for market in 0..MARKETS {
        for order in
            (0..world.orders.len()).rev().filter(|order| world.orders[*order].account == account).collect::<Vec<_>>()
        {
            let _ = world.apply(&Op::Cancel { order });
        }
        let held = world.accounts[account].find(market as u16);
        let size = held.map_or(0, |slot| world.accounts[account].positions[slot].base().0);
        let _ = world.apply(&Op::Settle { account, market });
        let _ = world.apply(&Op::Reduce { account, market, size });
    }
}

#[test]
fn colluders_do_not_gain_at_a_constant_price() {
    let mut dice = Dice::new(seed());
    let (mut searched, mut traded, mut best) = (0_u32, 0_u32, i128::MIN);
    for _ in 0..runs("BALLAST_STRATEGIES", 400) {
        let mut world = World::crowded_with(still, || dice.next() as u8);
        // The market moves, then stands still for good.
        let (market, by) = (dice.below(2) as usize, dice.below(1_600) as i64 - 800);
        let at = world.oracle_price(market);
        for _ in 0..3 {
            let price = at + at / 10_000 * by;
            world.must(&Op::Wait { seconds: 1, slots: 3 });
            world.must(&Op::Publish { market, price, conf: price / 10_000, lag: 0 });
        }
        // The averages come to rest, or there would be a better price for who waits.
        for _ in 0..3 {
            world.must(&Op::Tick { seconds: 3_000 });
        }
        world.must(&Op::Tick { seconds: 11 });
        for account in OURS {
            close_all(&mut world, account);
        }
        if OURS.iter().any(|account| !world.accounts[*account].is_flat()) || !world.orders.is_empty() {
            continue;
        }
        searched += 1;
        let before = theirs(&world);
        for _ in 0..60 {
            for op in dice.script(&world) {
                let op = match op {
                    // What traders do, they do.
                    Op::Place { account, market, size, reduce_only } => {
                        Op::Place { account: OURS[account % 2], market, size, reduce_only }
                    }
                    Op::Reduce { account, market, size } => Op::Reduce { account: OURS[account % 2], market, size },
                    op => op,
                };
                if is_theirs(&op) && op.is_possible(&world) && check::step(&mut world, &op) {
                    traded += u32::from(matches!(op, Op::Execute { .. }));
                }
            }
        }
        world.must(&Op::Tick { seconds: 11 });
        for account in OURS {
            close_all(&mut world, account);
        }
        // What cannot be closed now stays a position at its worth; the curve's premium on it is still to be paid back.
        if OURS.iter().all(|account| !world.accounts[*account].slots().any(|(_, p)| p.is_open())) {
            let gained = theirs(&world) - before;
            best = best.max(gained);
            assert!(gained <= 0, "they gained {gained}");
        }
    }
    println!("{searched} searched, {traded} fills, best {best}");
    assert!(searched > 0 && traded > searched);
}

/// Section 7's envelope, searched: with a price every ten slots that moves no faster than the tier allows, and keepers that
/// come each time, no strategy brings an account below zero, and no pool or insurance pays for anybody.
#[test]
fn within_the_envelope_nobody_goes_below_zero() {
    let mut dice = Dice::new(seed());
    let (mut liquidated, mut lowest) = (0_u32, i64::MAX);
    for _ in 0..runs("BALLAST_STRATEGIES", 60) {
        let mut world = World::crowded(|| dice.next() as u8);
        let mut trend = [0_i64; MARKETS];
        for round in 0..200 {
            if round % 40 == 0 {
                // Mostly one way, with all that a tier allows.
                trend = core::array::from_fn(|_| dice.below(5) as i64 - 2);
            }
            world.must(&Op::Wait { seconds: 4, slots: 10 });
            for (market, trend) in trend.into_iter().enumerate() {
                let most = world.markets[market].rules().unwrap().move_per_slot.0 as i64 * 10;
                let by = (most * trend / 2 + dice.below(most as u64) as i64 - most / 2).clamp(-most, most);
                let at = world.oracle_price(market);
                let price = at + at / 1_000_000 * by;
                world.must(&Op::Publish { market, price, conf: price / 10_000, lag: 0 });
            }
            for account in 0..KEEPER {
                let _ = world.apply(&Op::Flag { account });
                for market in 0..MARKETS {
                    liquidated += u32::from(world.apply(&Op::Liquidate { account, market }).is_ok());
                }
                let sums = world.totals(account, Purpose::Maintenance).unwrap();
                if sums.notional.0 > 0 {
                    lowest = lowest.min(sums.full_equity.0);
                }
                assert!(sums.full_equity.0 >= 0, "account {account} is below zero: {sums:?}");
            }
            if dice.below(3) == 0 {
                for op in dice.script(&world) {
                    // They trade and withdraw to the limit; time and prices are ours.
                    let theirs = matches!(
                        op,
                        Op::Place { .. }
                            | Op::Execute { .. }
                            | Op::Withdraw { .. }
                            | Op::Reduce { .. }
                            | Op::Settle { .. }
                    );
                    if theirs && op.is_possible(&world) {
                        check::step(&mut world, &op);
                    }
                }
            }
            world.check();
        }
        for market in &world.markets {
            assert_eq!((market.pool.deficits.0, market.pool.insurance_paid.0), (0, 0), "somebody else paid");
        }
    }
    println!("{liquidated} liquidations, the lowest equity {lowest}");
    assert!(liquidated > 0);
}

/// Sections 5 and 9: who is settled first does not matter. The same calls in two orders leave everybody the same cash and
/// the same claims, but for the roundings of each call.
#[test]
fn the_order_of_settling_changes_nobodys_share() {
    let mut dice = Dice::new(seed());
    let (mut short, mut off) = (0_u32, 0_i128);
    for _ in 0..runs("BALLAST_STRATEGIES", 300) {
        let mut world = World::crowded_with(still, || dice.next() as u8);
        for market in 0..2 {
            let by = dice.below(8_000) as i64 - 4_000;
            let at = world.oracle_price(market);
            for _ in 0..3 {
                let price = at + at / 10_000 * by;
                world.must(&Op::Wait { seconds: 1, slots: 3 });
                world.must(&Op::Publish { market, price, conf: 0, lag: 0 });
            }
        }
        for market in 0..MARKETS {
            let price = world.oracle_price(market);
            world.must(&Op::Wait { seconds: 1, slots: 1 });
            world.must(&Op::Publish { market, price, conf: 0, lag: 0 });
        }
        let calls: Vec<Op> =
            (0..ACCOUNTS).flat_map(|account| (0..MARKETS).map(move |market| Op::Settle { account, market })).collect();
        let ends = [0, 1].map(|_| {
            let mut world = world.clone();
            // Until nothing is left to settle: cash goes from losers to winners, and on to where those lose.
            for _ in 0..40 {
                let mut order = calls.clone();
                for place in (1..order.len()).rev() {
                    order.swap(place, dice.below(place as u64 + 1) as usize);
                }
                let mut moved = false;
                for op in order {
                    moved |= check::step(&mut world, &op);
                }
                if !moved {
                    break;
                }
            }
            world
        });
        short += u32::from(ends[0].markets.iter().any(|market| market.pool.claims.0 > 0));
        for account in 0..ACCOUNTS {
            let figures =
                ends.each_ref().map(|end| (i128::from(end.accounts[account].collateral.0), end.wealth(account)));
            let apart = (figures[0].0 - figures[1].0).abs().max((figures[0].1 - figures[1].1).abs());
            off = off.max(apart);
            assert!(apart <= 100, "account {account}: cash and wealth {figures:?}");
        }
    }
    println!("{short} short of cash, at most {off} atoms apart");
    assert!(short > 0);
}

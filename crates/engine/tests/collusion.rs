//! Two accounts of one owner against the pool and each other: whatever they do, they take no more from pool and insurance
//! than they lose there. What luck with the price gives is left out by an outside hedge of their net position.

use ballast_engine::account::AccountState;
use ballast_engine::layout::Key;
use ballast_engine::liquidation::{flag, is_flagged, liquidate};
use ballast_engine::margin::{Purpose, Totals, leg, unrealised};
use ballast_engine::market::MarketState;
use ballast_engine::params::MarketParams;
use ballast_engine::resolve::{cover_liquidation, resolve};
use ballast_engine::settle::settle;
use ballast_engine::trade::{Charge, check_increase, increase, reduce};
use ballast_engine::{Base, Now, Price, Ratio, Rounding};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::{NOW, account, assert_sums, dollars, market, set_price_at, tokens};
use crate::world::{ACCOUNTS, Dice, MARKETS, Op, UNIT, World, params, runs, seed};

fn totals(market: &MarketState, account: &AccountState, purpose: Purpose, now: &Now) -> Totals {
    let mut totals = Totals::new(account.collateral).unwrap();
    for (slot, position) in account.slots() {
        totals.add(slot, &leg(market, position, purpose, now).unwrap()).unwrap();
    }
    totals
}

/// What a keeper does with an account at every price. Returns the premium that a resolution, which charges none, has left
/// the curve to pay back.
fn keep(market: &mut MarketState, account: &mut AccountState, now: &Now) -> u64 {
    let sums = totals(market, account, Purpose::Maintenance, now);
    if sums.surplus().unwrap().0 >= 0 {
        return 0;
    }
    if !is_flagged(account, now) {
        let _ = flag(account, market, &sums, Key::default(), now);
        return 0;
    }
    if sums.full_equity.0 < 0 {
        let price = market.price.last.price;
        let before = market.skew_premium(price).unwrap();
        let _ = resolve(account, &mut [(0, &mut *market)], now);
        return market.skew_premium(price).unwrap().saturating_sub(before).0;
    }
    let (mut next, mut copy) = (*market, *account);
    if let Ok(Some(receipt)) = liquidate(&mut next, &mut copy, 0, &sums, now) {
        let unpaid = receipt.fill.realised.unpaid;
        if cover_liquidation(&mut copy, 0, unpaid, &mut [(0, &mut next)], now).is_ok() {
            // The keeper's fee leaves the pair.
            (*market, *account) = (next, copy);
        }
    }
    0
}

/// Plays a pair's random strategy over a path whose steps are as large as `most` basis points. Returns what the pair has
/// more at the end than it put in, an outside hedge's result included, and the deficits that it left, with the premium that
/// resolutions did not charge.
fn play(seed: u64, most: i64) -> (i128, u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut market = market();
    market.pool.cash = dollars(random.random_range(200_000..2_000_000));
    market.pool.insurance = dollars(5_000);
    let stakes = [0, 1].map(|_| dollars(random.random_range(200..40_000)));
    let mut pair = stakes.map(account);
    let mut price = 100_000_000_000_i64;
    let mut now = NOW;
    let (mut hedge, mut keeper, mut owed_back) = (0_i128, 0_i128, 0);
    let mut luck = 0_i128;
    let trend = random.random_range(-most / 2..=most / 2);
    for _ in 0..120 {
        let net: i128 = pair.iter().map(|a| i128::from(a.positions[0].size.0)).sum();
        let moved = price / 10_000 * (trend + random.random_range(-most..=most)).clamp(-most, most);
        let next = (price + moved).max(20_000_000_000);
        let moved = next - core::mem::replace(&mut price, next);
        // The hedge earns what the net position loses, at prices of exponent -9.
        hedge -= net * i128::from(moved);
        now = Now { unix: now.unix + 2, slot: now.slot + 5, ..now };
        // What the curve will pay back grows with the price: luck too.
        let old = market.skew_premium(market.price.last.price).unwrap();
        luck += i128::from(market.skew_premium(Price(price as u64)).unwrap().0) - i128::from(old.0);
        let updated = market.funding.updated_at;
        set_price_at(&mut market, Price(price as u64), &now);
        market.funding.updated_at = updated;
        let _ = market.accrue(false, &now).unwrap();
        for account in &mut pair {
            let before = tokens(&[&market], &[*account]) as i128;
            owed_back += keep(&mut market, account, &now);
            keeper += before - tokens(&[&market], &[*account]) as i128;
        }
        let account = &mut pair[random.random_range(0..2)];
        let position = account.positions[0];
        match random.random_range(0..10) {
            0..4 if !is_flagged(account, &now) => {
                let long = if position.is_open() { position.size.is_long() } else { random.random() };
                let (mut next, mut copy) = (market, *account);
                let size = Base(random.random_range(1_000_000..4_000_000_000));
                let worse = Price(price as u64).portion(Ratio(300), Rounding::Up).unwrap();
                let mark = Price(price as u64).moved(long, worse).unwrap();
                let done = increase(&mut next, &mut copy, 0, size, long, mark).is_ok()
                    && check_increase(&next, &copy, 0, &now).is_ok()
                    && totals(&next, &copy, Purpose::Increase, &now).check_initial().is_ok();
                if done {
                    (market, *account) = (next, copy);
                }
            }
            4..7 if position.is_open() => {
                let size = Base(random.random_range(1..=position.base().0));
                let long = position.size.is_long();
                let worse = Price(price as u64).portion(Ratio(1_000), Rounding::Up).unwrap();
                let mark = Price(price as u64).moved(!long, worse).unwrap();
                let (mut next, mut copy) = (market, *account);
                let fill = reduce(&mut next, &mut copy, 0, size, mark, Charge::Trade).unwrap();
                if fill.realised.unpaid.is_zero() {
                    (market, *account) = (next, copy);
                }
            }
            7 | 8 => _ = settle(&mut market, account, 0, &now),
            _ => {}
        }
        assert_sums(&market, &pair);
    }
    // What they have, and could realise at most.
    let worth: i128 = pair
        .iter()
        .map(|a| {
            let position = &a.positions[0];
            let open = if position.is_open() { unrealised(position, Price(price as u64)).unwrap().0 } else { 0 };
            i128::from(a.collateral.0) + i128::from(position.claim.amount.0) + i128::from(open)
        })
        .sum();
    let put_in: i128 = stakes.iter().map(|stake| i128::from(stake.0)).sum();
    (
        worth + hedge / 1_000_000_000 - luck - put_in + keeper.min(0),
        market.pool.deficits.0 + market.pool.insurance_paid.0 + owed_back,
    )
}

#[test]
fn within_the_envelope_no_strategy_of_a_pair_takes_anything_from_pool_or_insurance() {
    let mut best = i128::MIN;
    let mut losses = 0;
    for seed in 0..4_000 {
        // Fifteen basis points in five slots: what the tier's move per slot allows.
        let (gain, deficits) = play(seed, 15);
        assert!(gain <= 200, "seed {seed}: the pair has gained {gain}");
        assert_eq!(deficits, 0, "seed {seed}");
        best = best.max(gain);
        losses += i64::from(gain < -1_000_000);
    }
    assert!(best <= 200 && losses > 1_000, "{best} {losses}");
}

#[test]
fn beyond_it_a_pair_takes_at_most_the_deficit_that_a_gap_leaves() {
    let mut broke = 0;
    for seed in 0..3_000 {
        let (gain, deficits) = play(seed, 400);
        assert!(gain <= i128::from(deficits) + 200, "seed {seed}: {gain} beyond deficits of {deficits}");
        broke += u64::from(deficits > 0);
    }
    assert!(broke > 100, "{broke}");
}

/// What everybody but the pair and its provider (number 1) has: the honest provider's part of the pools, insurance, fees,
/// keeper, the other traders. Claims between pools count at face: whoever holds one has lost as much.
fn others(world: &World) -> i128 {
    let mut sum = i128::from(world.fund.0);
    for (index, market) in world.markets.iter().enumerate() {
        let pool = &market.pool;
        let mut there = i128::from(market.equity(market.price.last.price).unwrap().0);
        for (debtor, claim) in market.held.iter().enumerate().filter(|(_, claim)| !claim.amount.is_zero()) {
            let (outstanding, collectable) = world.markets[debtor].claim_value(claim).unwrap();
            there += i128::from(outstanding.0) + i128::from(collectable.0);
        }
        sum += there - theirs_of(world, index, there) + i128::from(pool.insurance.0) + i128::from(pool.protocol_fees.0);
    }
    sum + (2..ACCOUNTS).map(|account| world.wealth(account) - world.put_in[account]).sum::<i128>()
}

/// Their provider's part of an amount in a pool.
fn theirs_of(world: &World, index: usize, amount: i128) -> i128 {
    let waiting: u64 = world.leaving.iter().filter(|t| t.market == index && t.provider == 1).map(|t| t.shares).sum();
    let shares = i128::from(world.shares[index][1] + waiting);
    shares * amount / i128::from(world.markets[index].pool.shares.max(1))
}

/// What a change of the stored prices has brought the others: the pools stand against the traders' net positions, and owe
/// the curve's premium at the price that is.
fn luck(before: &World, after: &World) -> i128 {
    let mut sum = 0;
    for (index, (was, is)) in before.markets.iter().zip(&after.markets).enumerate() {
        let (old, new) = (was.price.last.price, is.price.last.price);
        if old == new {
            continue;
        }
        let net = i128::from(was.skew().unwrap().0);
        let premium = i128::from(was.skew_premium(new).unwrap().0) - i128::from(was.skew_premium(old).unwrap().0);
        let pool = -net * (i128::from(new.0) - i128::from(old.0)) / 1_000_000_000 - premium;
        sum += pool - theirs_of(before, index, pool);
    }
    sum
}

/// Deficits that nobody's own money paid, whoever bore them or paid them since.
fn deficits(world: &World) -> i128 {
    let booked = |m: &MarketState| [m.pool.deficits, m.pool.insurance_paid, m.insurance.paid].map(|q| i128::from(q.0));
    world.markets.iter().flat_map(booked).sum()
}

/// Trades around the pair's own liquidity: in before a trade, out after it, or the other way round.
fn wash(dice: &mut Dice, world: &World) -> Vec<Op> {
    let (market, account) = (dice.below(2) as usize, dice.below(2) as usize);
    let collateral = world.accounts[account].collateral.0;
    let size = world.size_for(market, collateral / 16 * (dice.below(200) + 1)).0.clamp(1, 1 << 60) as i64;
    let size = if dice.below(2) == 0 { size } else { -size };
    let amount = UNIT * (100 << dice.below(10));
    let trade = |size| {
        let order = Op::Execute { order: world.orders.len() };
        vec![Op::Place { account, market, size, reduce_only: false }, Op::Tick { seconds: 3 }, order]
    };
    let come = vec![
        Op::File { market, provider: 1, amount },
        Op::Tick { seconds: 3 },
        Op::Provide { ticket: world.filed.len() },
    ];
    let shares = world.shares[market][1];
    let go = vec![
        Op::Leave { market, provider: 1, shares: shares / (1 + dice.below(3)) },
        Op::Wait { seconds: 86_401, slots: 216_000 },
        Op::Tick { seconds: 1 },
        Op::Tick { seconds: 1 },
        Op::Tick { seconds: 1 },
        Op::Redeem { ticket: world.leaving.len() },
    ];
    match dice.below(4) {
        0 => [come, trade(size)].concat(),
        1 => [trade(size), come, trade(-size)].concat(),
        2 => [go, trade(size)].concat(),
        _ => [trade(size), go, trade(-size)].concat(),
    }
}

/// The curve's premium at the stored prices, which closings at the mark (resolution, settlement) do not charge.
fn premiums(world: &World) -> i128 {
    world.markets.iter().map(|m| i128::from(m.skew_premium(m.price.last.price).unwrap().0)).sum()
}

/// What the pair does with an operation that comes by chance: as theirs, or not at all.
fn by_the_pair(op: Op, world: &World) -> Option<Op> {
    let pair = |account: usize| account % 2;
    let op = match op {
        Op::Place { account, market, size, reduce_only } => {
            Op::Place { account: pair(account), market: market % 2, size, reduce_only }
        }
        Op::Reduce { account, market, size } => Op::Reduce { account: pair(account), market, size },
        Op::Withdraw { account, amount } => Op::Withdraw { account: pair(account), amount },
        Op::Exit { account, market } => Op::Exit { account: pair(account), market },
        Op::File { market, amount, .. } => Op::File { market: market % 2, provider: 1, amount },
        Op::Leave { market, shares, .. } => {
            let market = market % 2;
            Op::Leave { market, provider: 1, shares: shares.min(world.shares[market][1]) }
        }
        // Prices and gifts come from elsewhere.
        Op::Publish { .. } | Op::Deposit { .. } | Op::TopUp { .. } | Op::TopUpShared { .. } => return None,
        op => op,
    };
    Some(op)
}

/// What came of a search.
#[derive(Default)]
struct Found {
    /// The best gain of a pair over what was nobody's to pay, in atoms.
    best: i128,
    fills: u32,
    provided: u32,
    redeemed: u32,
    broke: u32,
    settled: u32,
    deleveraged: u32,
}

/// A pair with two cross accounts, in two markets, and liquidity of its own in both; prices move by `most` millionths a step.
fn play_wide(dice: &mut Dice, steps: u32, leaps: bool, found: &mut Found, context: &str) {
    let still = |tier| MarketParams { funding_velocity: 0, holding_fee: Ratio(0), ..params(tier) };
    let mut world = World::with(still, [20_000 << dice.below(6); MARKETS], 1 << dice.below(14));
    for account in 0..2 {
        let all = world.accounts[account].collateral.0;
        let stake = UNIT * (500 << dice.below(8));
        let _ = world.apply(&Op::Withdraw { account, amount: all.saturating_sub(stake) });
    }
    let (start, mut allowed, mut by_luck) = (others(&world), 0, 0);
    let mut trend = [0_i64; 2];
    for step in 0..steps {
        if step % 20 == 0 {
            trend = core::array::from_fn(|_| dice.below(5) as i64 - 2);
        }
        let mut script = Vec::new();
        if dice.below(2) == 0 {
            // A price, and the keepers that come with it.
            let market = dice.below(2) as usize;
            let most = world.markets[market].rules().unwrap().move_per_slot.0 as i64 * 10;
            let most = if leaps && dice.below(4) == 0 { 120_000 } else { most };
            let by = (most * trend[market] / 2 + dice.below(most as u64) as i64 - most / 2).clamp(-most, most);
            let at = world.oracle_price(market).clamp(1_000_000, 10_i64.pow(12));
            let price = at + at / 1_000_000 * by;
            let post = Op::Publish { market, price, conf: price / 10_000, lag: 0 };
            script.extend([Op::Wait { seconds: 4, slots: 10 }, post]);
            if most == 120_000 {
                script.extend([Op::Wait { seconds: 1, slots: 3 }, post, Op::Wait { seconds: 1, slots: 3 }, post]);
            }
            script.push(Op::Tick { seconds: 1 });
            script.extend([0, 1].map(|account| Op::Flag { account }));
            script.push(Op::Tick { seconds: 2 });
            for account in [0, 1] {
                script.extend([0, 1].map(|market| Op::Liquidate { account, market }));
                script.push(Op::Resolve { account });
            }
        } else if dice.below(6) == 0 {
            script.extend(wash(dice, &world));
        } else {
            script.extend(dice.script(&world).into_iter().filter_map(|op| by_the_pair(op, &world)));
        }
        for op in script {
            if !op.is_possible(&world) {
                continue;
            }
            let prices = matches!(op, Op::Tick { .. } | Op::Publish { .. } | Op::Advance { .. });
            let at_the_mark = matches!(op, Op::Resolve { .. } | Op::CloseSettled { .. });
            let before = (prices || at_the_mark).then(|| world.clone());
            if world.apply(&op).is_err() {
                continue;
            }
            match (op, before) {
                (Op::Resolve { .. } | Op::CloseSettled { .. }, Some(before)) => {
                    allowed += premiums(&world) - premiums(&before);
                }
                (_, Some(before)) => by_luck += luck(&before, &world),
                (Op::Execute { .. }, _) => found.fills += 1,
                (Op::Provide { .. }, _) => found.provided += 1,
                (Op::Redeem { .. }, _) => found.redeemed += 1,
                (Op::Deleverage { .. }, _) => found.deleveraged += 1,
                _ => {}
            }
        }
        world.check();
        let lost = start + by_luck - others(&world);
        let most = allowed + deficits(&world);
        assert!(lost <= most + 2_000, "{context}, step {step}: the others have lost {lost}, {most} allowed");
        found.best = found.best.max(lost - most);
    }
    found.settled += world.markets.iter().filter(|m| m.is_settled()).count() as u32;
    found.broke += u32::from(deficits(&world) > 0);
}

#[test]
fn a_pair_with_cross_accounts_and_liquidity_of_its_own_takes_nothing_within_the_envelope() {
    let mut dice = Dice::new(seed());
    let mut found = Found { best: i128::MIN, ..Found::default() };
    let sequences = runs("BALLAST_STRATEGIES", 3_000);
    for number in 0..sequences {
        play_wide(&mut dice, 60, false, &mut found, &format!("sequence {number}"));
    }
    let Found { best, fills, provided, redeemed, broke, .. } = found;
    println!(
        "{sequences} sequences, {fills} fills, {provided} deposits, {redeemed} exits, {broke} deficits, best {best}"
    );
    assert!(u64::from(fills) > sequences && u64::from(provided.min(redeemed)) > sequences / 20 && broke == 0);
}

#[test]
fn beyond_it_such_a_pair_takes_at_most_the_deficits_and_the_premium_that_closings_at_the_mark_leave() {
    let mut dice = Dice::new(seed());
    let mut found = Found { best: i128::MIN, ..Found::default() };
    let sequences = runs("BALLAST_STRATEGIES", 3_000);
    for number in 0..sequences {
        play_wide(&mut dice, 60, true, &mut found, &format!("sequence {number}"));
    }
    let Found { best, fills, provided, redeemed, broke, settled, deleveraged } = found;
    println!("{sequences} sequences, {fills} fills, {provided} deposits, {redeemed} exits, best {best}");
    println!("{broke} with a deficit, {settled} settled markets, {deleveraged} deleveragings");
    assert!(u64::from(fills) > sequences && u64::from(broke) > sequences / 20);
}

//! Episodes of unpaid claims and deleveraging: when, to which size, and that nobody is singled out.

use ballast_engine::account::AccountState;
use ballast_engine::constants::HOUR;
use ballast_engine::deleverage::pick_up;
use ballast_engine::margin::{Purpose, leg, unrealised};
use ballast_engine::market::MarketState;
use ballast_engine::settle::settle;
use ballast_engine::trade::{Charge, increase, reduce};
use ballast_engine::units::FundingIndex;
use ballast_engine::{Base, Error, Now, Price, Quote, SignedQuote};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::support::{NOW, account, assert_sums, dollars, later, market, price, set_price_at, tokens, units};

/// Three longs (of 2,000, 1,000 and 100 units) and a short of 2,600 in a pool of $50,000, at $100; then $130.
fn squeezed() -> (MarketState, Vec<AccountState>) {
    let mut market = market();
    market.pool.cash = dollars(50_000);
    let sizes = [(2_000, true), (1_000, true), (100, true), (2_600, false)];
    let mut accounts = Vec::new();
    for (size, long) in sizes {
        let mut account = account(dollars(90_000));
        let _ = increase(&mut market, &mut account, 0, units(size), long, price(100)).unwrap();
        accounts.push(account);
    }
    set_price_at(&mut market, price(130), &NOW);
    assert_sums(&market, &accounts);
    (market, accounts)
}

/// The same when the first long has settled: part of its profit is a claim.
fn in_episode() -> (MarketState, Vec<AccountState>) {
    let (mut market, mut accounts) = squeezed();
    let settled = settle(&mut market, &mut accounts[0], 0, &NOW).unwrap();
    assert!(settled.realised.claimed > dollars(20_000) && market.claims_block());
    assert_eq!((market.episode.number, market.episode.since, market.episode.positions), (1, NOW.unix, 4));
    (market, accounts)
}

/// A good price of $130 later.
fn at(market: &mut MarketState, seconds: i64) -> Now {
    let now = later(&NOW, seconds);
    set_price_at(market, price(130), &now);
    now
}

#[test]
fn an_episode_opens_with_the_claims_and_ends_with_them() {
    let (mut market, mut accounts) = in_episode();
    let peak = market.pool.claims;
    // The short's loss becomes cash: claims and all profit can be paid.
    let _ = settle(&mut market, &mut accounts[3], 0, &NOW).unwrap();
    for account in &mut accounts {
        let _ = settle(&mut market, account, 0, &NOW);
    }
    assert!(!market.claims_block());
    assert_eq!((market.episode.since, market.episode.peak), (0, peak));
    assert_eq!(market.deleverage(&NOW).unwrap_err().error, Error::DeleverageTooEarly);
}

#[test]
fn deleveraging_waits_48_hours_or_24_after_all_were_settled_to_the_second() {
    let (market, accounts) = in_episode();
    for (second, open) in [(-1, false), (0, true), (1, true)] {
        let mut market = market;
        let now = at(&mut market, 48 * HOUR + second);
        let result = market.deleverage(&now);
        assert_eq!(result.is_ok(), open, "{second}");
        if let Err(early) = result {
            assert_eq!((early.error, early.limit), (Error::DeleverageTooEarly, NOW.unix + 48 * HOUR));
        }
    }
    // The others are settled or close in the episode; each counts once. (The first was settled as it opened it.)
    let (mut market, mut accounts) = (market, accounts);
    assert_eq!(market.episode.settled, 1);
    let now = at(&mut market, HOUR);
    let _ = reduce(&mut market, &mut accounts[2], 0, units(100), price(130), Charge::Plain).unwrap();
    let _ = settle(&mut market, &mut accounts[1], 0, &now).unwrap();
    assert_eq!(settle(&mut market, &mut accounts[1], 0, &now).unwrap_err().error, Error::CoverTooEarly);
    assert_eq!((market.episode.settled, market.episode.complete_at), (3, 0));
    // The short has next to nothing left to pay with.
    accounts[3].collateral = dollars(10);
    let _ = settle(&mut market, &mut accounts[3], 0, &now).unwrap();
    assert_eq!((market.episode.settled, market.episode.complete_at), (4, now.unix));
    for (second, open) in [(-1, false), (0, true), (1, true)] {
        let mut market = market;
        let now = at(&mut market, 25 * HOUR + second);
        let result = market.deleverage(&now);
        assert_eq!(result.is_ok(), open, "{second} {result:?}");
    }
}

#[test]
fn a_position_that_has_nothing_to_settle_is_counted_all_the_same() {
    let (mut market, mut accounts) = in_episode();
    let _ = settle(&mut market, &mut accounts[1], 0, &NOW).unwrap();
    market.episode.number += 1;
    let counted = settle(&mut market, &mut accounts[1], 0, &NOW).unwrap();
    assert!(counted.counted && counted.pnl.is_zero());
    assert_eq!(settle(&mut market, &mut accounts[1], 0, &NOW).unwrap_err().error, Error::CoverTooEarly);
}

#[test]
fn a_position_in_a_slot_that_was_another_markets_is_counted_too() {
    let (mut market, mut accounts) = squeezed();
    let _ = reduce(&mut market, &mut accounts[1], 0, units(1_000), price(130), Charge::Plain).unwrap();
    // That market's first episode had counted what was there.
    accounts[1].positions[0].episode = 1;
    let _ = increase(&mut market, &mut accounts[1], 0, units(1_000), true, price(100)).unwrap();
    let _ = settle(&mut market, &mut accounts[0], 0, &NOW).unwrap();
    assert_eq!((market.episode.number, market.episode.settled), (1, 1));
    assert!(settle(&mut market, &mut accounts[1], 0, &NOW).unwrap().counted);
}

#[test]
fn the_winning_side_keeps_exactly_what_the_pool_can_carry() {
    let (mut market, accounts) = in_episode();
    let now = at(&mut market, 48 * HOUR);
    let cash = tokens(&[&market], &accounts);
    let done = market.deleverage(&now).unwrap();
    assert!(done.long && done.before == units(3_100) && done.kept < units(3_100) && done.kept > units(500));
    assert_eq!(market.long.open_interest, done.kept, "the sums change at once");
    assert_sums(&market, &accounts);
    // 20 % of what is left is within equity, and an atom more of size would not be.
    let needed = done.kept.0 * 130 / 5;
    assert!(market.equity(price(130)).unwrap().0 >= needed as i64);
    let mut before = in_episode().0;
    let _ = at(&mut before, 48 * HOUR);
    assert!(before.carries(true, done.kept, price(130)).unwrap());
    assert!(!before.carries(true, Base(done.kept.0 + 1), price(130)).unwrap());
    // No money moves, and traders' results are what they were but for what rounding gives the pool.
    assert_eq!(tokens(&[&market], &accounts), cash);
    // The clock starts anew; and the next one waits for the pick-ups.
    assert_eq!((market.episode.number, market.episode.since), (2, now.unix));
    let again = at(&mut market, 96 * HOUR);
    assert_eq!(market.deleverage(&again).unwrap_err().error, Error::DeleverageUnfinished);
}

#[test]
fn a_side_that_the_pool_can_carry_is_left_alone_and_a_pool_that_can_carry_nothing_is_for_the_settlement() {
    let (mut market, _) = in_episode();
    let now = at(&mut market, 48 * HOUR);
    let mut light = market;
    light.params.stress_move.0 = 20_000;
    assert_eq!(light.deleverage(&now).unwrap_err().error, Error::DeleverageNotNeeded);
    let mut broke = market;
    broke.pool.cash = Quote(broke.pool.cash.0 / 2);
    broke.pool.claims = dollars(60_000);
    assert_eq!(broke.deleverage(&now).unwrap_err().error, Error::PoolInsolvent);
}

#[test]
fn everybody_on_the_side_is_reduced_in_proportion_and_the_other_side_not() {
    let (mut market, mut accounts) = in_episode();
    let now = at(&mut market, 48 * HOUR);
    let done = market.deleverage(&now).unwrap();
    for account in &mut accounts {
        let before = account.positions[0];
        let value = leg(&market, &before, Purpose::Maintenance, &now).unwrap();
        let picked = pick_up(&mut market, account, 0).unwrap();
        let after = account.positions[0];
        if before.size.0 < 0 {
            assert!(picked.is_none() && after == before);
            continue;
        }
        let expected = before.base().0 as u128 * done.kept.0 as u128 / done.before.0 as u128;
        assert_eq!(u128::from(after.base().0), expected);
        assert_eq!((after.generation, after.claim), (before.generation, before.claim));
        // A margin test counts it the same before and after it was picked up.
        assert_eq!(leg(&market, &after, Purpose::Maintenance, &now).unwrap(), value);
        assert!(pick_up(&mut market, account, 0).unwrap().is_none(), "once");
    }
    assert_sums(&market, &accounts);
    assert_eq!(market.deleveraging.positions, 0);
    assert!(market.long.open_interest <= done.kept && market.long.open_interest.0 + 3 > done.kept.0);
}

#[test]
fn a_hedged_trader_keeps_both_legs_through_an_episode_and_is_reduced_in_proportion() {
    let (mut market, mut accounts) = squeezed();
    // Long here, short elsewhere: through the episode the leg here stays whole.
    let mut hedge = account(dollars(50_000));
    let _ = increase(&mut market, &mut hedge, 0, units(400), true, price(130)).unwrap();
    accounts.push(hedge);
    let _ = settle(&mut market, &mut accounts[0], 0, &NOW).unwrap();
    let size = accounts[4].positions[0].size;
    for hours in 1..48 {
        let now = at(&mut market, hours * HOUR);
        let _ = settle(&mut market, &mut accounts[1], 0, &now);
        assert_eq!(accounts[4].positions[0].size, size);
        assert!(market.deleverage(&now).is_err());
    }
    let now = at(&mut market, 48 * HOUR);
    let done = market.deleverage(&now).unwrap();
    let _ = pick_up(&mut market, &mut accounts[4], 0).unwrap();
    let kept = accounts[4].positions[0].base().0;
    assert_eq!(u128::from(kept), u128::from(units(400).0) * u128::from(done.kept.0) / u128::from(done.before.0));
    // It entered at the deleveraging price: what it pays is at most an atom or two.
    assert!(accounts[4].positions[0].frozen.0 >= -2 - 400 * 130 * 100, "{:?}", accounts[4].positions[0].frozen);
    assert_sums(&market, &accounts);
}

/// What all accounts have: collateral, claims, and what they could still realise at the price.
fn wealth(market: &MarketState, accounts: &[AccountState]) -> i128 {
    accounts
        .iter()
        .map(|a| {
            let position = market.effective(&a.positions[0]).unwrap();
            let open = position.is_open();
            let pnl = ballast_engine::margin::unrealised(&position, market.price.last.price).unwrap().0;
            let owed = ballast_engine::margin::funding_owed(market, &position).unwrap().0;
            let claim = position.claim.amount.0;
            i128::from(a.collateral.0) + i128::from(claim) + if open { i128::from(pnl - owed) } else { 0 }
        })
        .sum()
}

#[test]
fn whoever_picks_up_first_and_however_the_sums_hold_and_the_pool_loses_nothing() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut market = market();
        market.pool.cash = dollars(60_000);
        let long_wins = random.random_bool(0.5);
        let mut accounts = Vec::new();
        for number in 0..8 {
            let mut account = account(dollars(200_000));
            let long = if number < 5 { long_wins } else { !long_wins };
            let mark = price(random.random_range(95..106));
            let size = Base(random.random_range(50_000_000..600_000_000));
            let _ = increase(&mut market, &mut account, 0, size, long, mark).unwrap();
            accounts.push(account);
            // Funding runs between the entries.
            for side in [true, false] {
                let index = &mut market.side_mut(side).index;
                *index = FundingIndex::new(index.get() + random.random_range(-3_000_000..8_000_000) * 1_000_000);
            }
        }
        let end = if long_wins { random.random_range(125..160) } else { random.random_range(50..80) };
        set_price_at(&mut market, price(end), &NOW);
        let _ = settle(&mut market, &mut accounts[0], 0, &NOW).unwrap();
        let now = later(&NOW, 48 * HOUR);
        set_price_at(&mut market, price(end), &now);
        let (before, held) = (wealth(&market, &accounts), tokens(&[&market], &accounts));
        let Ok(done) = market.deleverage(&now) else { continue };
        assert_sums(&market, &accounts);
        assert_eq!(done.long, long_wins);
        let after = wealth(&market, &accounts);
        assert!(after <= before && after > before - 100, "seed {seed}: {before} {after}");
        // The price moves on; people pick up, settle, reduce in any order.
        let next = (end as i64 + random.random_range(-3..4)) as u64;
        set_price_at(&mut market, price(next), &now);
        let mut order: Vec<usize> = (0..8).chain(0..8).collect();
        order.shuffle(&mut random);
        for number in order {
            let account = &mut accounts[number];
            match random.random_range(0..3) {
                0 => _ = pick_up(&mut market, account, 0).unwrap(),
                1 => _ = settle(&mut market, account, 0, &now),
                _ if account.positions[0].is_open() => {
                    let whole = market.effective(&account.positions[0]).unwrap().base();
                    let part = Base(random.random_range(1..=whole.0));
                    let fill = reduce(&mut market, account, 0, part, price(next), Charge::Plain).unwrap();
                    assert!(fill.realised.unpaid.is_zero());
                }
                _ => {}
            }
            assert_sums(&market, &accounts);
            assert_eq!(tokens(&[&market], &accounts), held, "seed {seed}");
        }
        // Everybody closes; nothing is left frozen.
        for account in &mut accounts {
            if account.positions[0].is_open() {
                let whole = market.effective(&account.positions[0]).unwrap().base();
                let _ = reduce(&mut market, account, 0, whole, price(next), Charge::Plain).unwrap();
            }
        }
        assert_sums(&market, &accounts);
        assert_eq!(market.frozen, [SignedQuote::ZERO; 2]);
        assert_eq!((market.deleveraging.positions, market.long.positions + market.short.positions), (0, 0));
        assert_eq!(tokens(&[&market], &accounts), held);
    }
}

/// What is frozen is profit that the pool has yet to pay, as long as it is frozen: who closes is paid at the same `h` as who is
/// settled.
#[test]
fn a_frozen_profit_is_paid_at_the_same_share_by_a_reduction_as_by_a_settling() {
    let (mut market, mut accounts) = in_episode();
    let now = at(&mut market, 48 * HOUR);
    let _ = market.deleverage(&now).unwrap();
    let _ = pick_up(&mut market, &mut accounts[1], 0).unwrap();
    let position = accounts[1].positions[0];
    let payable = market.payable().unwrap();
    assert!(position.frozen.0 > 0 && payable.cash < payable.gross);
    let (mut other, mut also) = (market, accounts.clone());
    let settled = settle(&mut market, &mut accounts[1], 0, &now).unwrap();
    let fill = reduce(&mut other, &mut also[1], 0, position.base(), price(130), Charge::Plain).unwrap();
    assert_eq!(fill.pnl, settled.pnl);
    assert_eq!((fill.realised.cash, fill.realised.claimed), (settled.realised.cash, settled.realised.claimed));
}

/// A loss that the credit of the maintenance test covers stays where it is when what was frozen is settled.
#[test]
fn settling_what_was_frozen_takes_no_more_than_the_maintenance_price_does() {
    let (mut market, mut accounts) = in_episode();
    let now = at(&mut market, 48 * HOUR);
    let _ = market.deleverage(&now).unwrap();
    let _ = pick_up(&mut market, &mut accounts[1], 0).unwrap();
    let position = accounts[1].positions[0];
    // The price has eaten up what was frozen, and half a basis point more; its confidence is one.
    let lost = u128::from(position.frozen.gain().0) * 1_000_000_000 / u128::from(position.base().0);
    let level = price(130).0 - lost as u64;
    set_price_at(&mut market, Price(level - level / 20_000), &now);
    let seen = |market: &MarketState, account: &AccountState| {
        let position = &account.positions[0];
        let value = leg(market, position, Purpose::Maintenance, &now).unwrap().full_equity.0;
        let mark = unrealised(position, market.price.last.price).unwrap().0;
        (account.collateral.0 as i64 + value, account.collateral.0 as i64 + mark)
    };
    let (was, held) = (seen(&market, &accounts[1]), accounts[1].collateral);
    assert!(was.0 > held.0 as i64 && was.1 < held.0 as i64, "between the two prices: {was:?} {held:?}");
    let settled = settle(&mut market, &mut accounts[1], 0, &now).unwrap();
    assert!(settled.realised.cash.is_zero() && accounts[1].positions[0].frozen.is_zero());
    assert_eq!(seen(&market, &accounts[1]), was);
    assert_sums(&market, &accounts);
}

#[test]
fn the_order_of_pick_ups_changes_nobodys_share() {
    let (mut start, accounts) = in_episode();
    let now = at(&mut start, 48 * HOUR);
    let _ = start.deleverage(&now).unwrap();
    let mut ends = Vec::new();
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0], [0, 2, 1], [2, 0, 1]] {
        let (mut market, mut accounts) = (start, accounts.clone());
        for number in order {
            let _ = pick_up(&mut market, &mut accounts[number], 0).unwrap();
        }
        ends.push((market, accounts));
    }
    assert!(ends.iter().all(|end| *end == ends[0]));
}

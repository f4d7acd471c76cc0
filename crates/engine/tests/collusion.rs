//! Two accounts of one owner against the pool and each other: whatever they do, they take no more from pool and insurance
//! than they lose there. What luck with the price gives is left out by an outside hedge of their net position.

use ballast_engine::account::AccountState;
use ballast_engine::layout::Key;
use ballast_engine::liquidation::{flag, is_flagged, liquidate};
use ballast_engine::margin::{Purpose, Totals, leg, unrealised};
use ballast_engine::market::MarketState;
use ballast_engine::resolve::{cover_liquidation, resolve};
use ballast_engine::settle::settle;
use ballast_engine::trade::{Charge, check_increase, increase, reduce};
use ballast_engine::{Base, Now, Price, Ratio, Rounding};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::{NOW, account, assert_sums, dollars, market, set_price_at, tokens};

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

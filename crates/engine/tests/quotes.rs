//! Quotes: what a client is told is what the chain does, to the atom.

use ballast_engine::account::AccountState;
use ballast_engine::error::{Error, Result};
use ballast_engine::layout::Key;
use ballast_engine::liquidation::flag;
use ballast_engine::margin::Purpose;
use ballast_engine::market::MarketState;
use ballast_engine::price::Status;
use ballast_engine::quotes::{liquidation_price, loss_at_stop, max_increase, size_for_risk};
use ballast_engine::trade::{Charge, check_increase, increase, reduce};
use ballast_engine::{Base, Price, Quote, Ratio};
use proptest::prelude::*;

use crate::margin::{open, totals};
use crate::support::{NOW, account, dollars, market, market_at, price, set_price, units};

/// Whether the account can be flagged with one market at this price, confirmed, its confidence as it is.
fn flaggable(account: &AccountState, markets: &[MarketState], which: usize, at: u64) -> bool {
    let mut moved = markets.to_vec();
    moved[which].price.last.price = Price(at);
    moved[which].price.ema5 = Price(at);
    assert_eq!(moved[which].status(&NOW).unwrap(), Status::Good);
    let got = totals(account, &moved.iter().collect::<Vec<_>>(), Purpose::Maintenance, &NOW);
    let market = got.largest.map_or(0, |(slot, _)| account.positions[slot].market);
    flag(&mut account.clone(), &moved[usize::from(market)], &got, Key::default(), &NOW).is_ok()
}

fn quoted(account: &AccountState, markets: &[MarketState], which: usize) -> Option<Price> {
    let slot = account.find(which as u16).unwrap();
    let list: Vec<(usize, &MarketState)> =
        account.slots().map(|(slot, p)| (slot, &markets[usize::from(p.market)])).collect();
    liquidation_price(account, &list, slot, &NOW).unwrap()
}

#[test]
fn a_liquidation_price_in_figures() {
    let mut m = market();
    m.params.skew_scale = Base(u64::MAX / 4);
    m.price.last.conf = Price::ZERO;
    let mut me = account(dollars(500));
    open(&mut m, &mut me, units(100), true);
    // 100 × P − 10,000 + 500 = 3 % × 100 × P: P = 9,500 / 97, rounded to whole atoms of value: the premium is one, the requirement rounded up.
    assert_eq!(quoted(&me, &[m], 0), Some(Price(97_938_144_350)));
    let mut me = account(dollars(500));
    let mut m2 = market();
    m2.params.skew_scale = Base(u64::MAX / 4);
    m2.price.last.conf = Price::ZERO;
    open(&mut m2, &mut me, units(100), false);
    // 10,000 − 100 × P + 500 = 3 % × 100 × P: P = 10,500 / 103.
    assert_eq!(quoted(&me, &[m2], 0), Some(Price(101_941_747_560)));
    // With collateral for all of it no price liquidates a long; a short always has one.
    me.collateral = dollars(50_000);
    assert!(quoted(&me, &[m2], 0).unwrap() > price(500));
    let mut safe = account(dollars(10_001));
    open(&mut m, &mut safe, units(100), true);
    assert_eq!(quoted(&safe, &[m], 0), None);
}

#[test]
fn an_account_below_maintenance_is_told_where_it_ends() {
    let mut m = market();
    let mut me = account(dollars(500));
    open(&mut m, &mut me, units(100), true);
    set_price(&mut m, price(97));
    let at = quoted(&me, &[m], 0).unwrap();
    assert!(at > price(97) && at < price(98));
    assert!(!flaggable(&me, &[m], 0, at.0) && flaggable(&me, &[m], 0, at.0 - 1));
    // What no price can mend.
    let mut lost = account(Quote::ZERO);
    let mut pair = [market(), market_at(1, price(100))];
    open(&mut pair[0], &mut lost, units(1_000), true);
    open(&mut pair[1], &mut lost, units(1), false);
    set_price(&mut pair[0], price(50));
    assert_eq!(quoted(&lost, &pair, 1), None);
}

#[test]
fn only_an_open_position_has_one() {
    let m = market();
    assert_eq!(
        liquidation_price(&account(dollars(1)), &[(0, &m)], 0, &NOW).unwrap_err().error,
        Error::PositionNotFound
    );
}

/// The fill that [`max_increase`] stands for, with all its tests.
fn attempt(account: &AccountState, markets: &[MarketState], which: usize, size: u64, long: bool) -> Result<()> {
    let (mut market, mut account) = (markets[which], *account);
    market.accrue(false, &NOW).map(drop)?;
    let slot = account.find_or_free(market.index)?;
    let mark = market.price.last.price.moved(long, market.price.last.conf)?;
    let _ = increase(&mut market, &mut account, slot, Base(size), long, mark)?;
    check_increase(&market, &account, slot, &NOW)?;
    let mut after = markets.to_vec();
    after[which] = market;
    totals(&account, &after.iter().collect::<Vec<_>>(), Purpose::Increase, &NOW).check_initial()
}

fn largest(account: &AccountState, markets: &[MarketState], which: usize, long: bool) -> u64 {
    let list: Vec<(usize, &MarketState)> =
        account.slots().map(|(slot, p)| (slot, &markets[usize::from(p.market)])).collect();
    max_increase(account, &list, &markets[which], long, &NOW).unwrap().0
}

#[test]
fn the_largest_size_is_zero_where_a_limit_forbids_any() {
    let fine = [market()];
    let me = account(dollars(1_000));
    assert!(largest(&me, &fine, 0, true) > units(180).0);
    let no = |change: &dyn Fn(&mut MarketState)| {
        let mut markets = fine;
        change(&mut markets[0]);
        largest(&me, &markets, 0, true)
    };
    assert_eq!(no(&|m| m.params.open_interest_cap = Quote::ZERO), 0);
    assert_eq!(no(&|m| m.pool.claims = dollars(20_000_000)), 0);
    assert_eq!(no(&|m| m.price.last.conf = price(2)), 0);
    assert_eq!(no(&|m| m.price = Default::default()), 0);
    assert_eq!(no(&|m| m.overlay.reduce_only_until = NOW.unix + 1), 0);
    // $1,000 at 5 % is $20,000: a least notional above it leaves nothing.
    assert_eq!(no(&|m| m.params.min_notional = dollars(25_000)), 0);
    let mut flagged = me;
    flagged.flag.slot = NOW.slot;
    assert_eq!(largest(&flagged, &fine, 0, true), 0);
    // A position of the other direction is reduced, not increased.
    let mut short = me;
    let mut markets = fine;
    open(&mut markets[0], &mut short, units(10), false);
    assert_eq!(largest(&short, &markets, 0, true), 0);
    assert!(largest(&short, &markets, 0, false) > 0);
}

#[test]
fn a_limit_of_the_market_binds_where_margin_does_not() {
    let rich = account(dollars(100_000_000));
    let mut markets = [market()];
    let notional = |size: u64| u128::from(size) * 100_000_000_000 / 1_000_000_000;
    assert_eq!(notional(largest(&rich, &markets, 0, true)), u128::from(dollars(2_000_000).0), "the largest position");
    markets[0].params.open_interest_cap = dollars(1_000_000);
    assert_eq!(notional(largest(&rich, &markets, 0, true)), u128::from(dollars(1_000_000).0), "the cap");
    markets[0].params.liquidation_impact = Ratio(100);
    assert_eq!(largest(&rich, &markets, 0, true), units(5_000).0, "impact times K");
}

proptest! {
    /// At the quoted price nobody can flag the account, one atom worse anybody can: with one position or several.
    #[test]
    fn a_liquidation_price_is_exact(
        size in 1_000_000_u64..10_000_000_000, long: bool, other in prop::option::of((1_000_000_u64..10_000_000_000, any::<bool>())),
        health in 100_000_u64..3_000_000, conf in 0_u64..18_000, now in 98_000_u64..102_000,
    ) {
        let mut markets = vec![market(), market_at(1, price(100))];
        let mut me = account(Quote::ZERO);
        if let Some((size, long)) = other {
            open(&mut markets[1], &mut me, Base(size), long);
        }
        open(&mut markets[0], &mut me, Base(size), long);
        set_price(&mut markets[0], Price(now * 1_000_000));
        markets[0].price.last.conf = Price(now * 1_000_000 / 10_000_000 * conf);
        let bare = totals(&me, &markets.iter().collect::<Vec<_>>(), Purpose::Maintenance, &NOW);
        let target = (u128::from(bare.requirement.0) * u128::from(health) / 1_000_000) as i64 - bare.equity.0;
        me.collateral = Quote(target.max(0) as u64);
        let Some(at) = quoted(&me, &markets, 0) else {
            // No price on the way to ruin (or back from it) changes anything.
            let current = now * 1_000_000;
            let fine = !flaggable(&me, &markets, 0, current);
            prop_assert!(long || !fine, "every short has one");
            for percent in [1, 10, 30, 55] {
                let by = current / 100 * percent;
                let there = if long == fine { current - by } else { current + by };
                prop_assert_eq!(!flaggable(&me, &markets, 0, there), fine);
            }
            return Ok(());
        };
        // A price below its confidence is no price: only where both are in proportion can it be tried.
        prop_assume!(at.0 > 40_000_000_000 && at.0 < 400_000_000_000);
        let moved = |by: i64| at.0.checked_add_signed(if long { by } else { -by }).unwrap();
        prop_assert!(!flaggable(&me, &markets, 0, at.0));
        prop_assert!(flaggable(&me, &markets, 0, moved(-1)));
    }

    /// The largest size passes every test of a fill, one atom more does not.
    #[test]
    fn a_largest_size_is_exact(
        collateral in 100_000_000_u64..200_000_000_000, long: bool, held in prop::option::of(1_000_000_u64..500_000_000),
        other in prop::option::of((1_000_000_u64..500_000_000, any::<bool>())), crowd in 0_u64..90_000_000_000, conf in 0_u64..50,
    ) {
        let mut markets = vec![market(), market_at(1, price(100))];
        let mut me = account(Quote::ZERO);
        let mut whale = account(Quote::ZERO);
        if crowd > 1_000_000 {
            open(&mut markets[0], &mut whale, Base(crowd), !long);
        }
        if let Some((size, long)) = other {
            open(&mut markets[1], &mut me, Base(size), long);
        }
        if let Some(size) = held {
            open(&mut markets[0], &mut me, Base(size), long);
        }
        me.collateral = Quote(collateral);
        markets[0].price.last.conf = Price(conf * 10_000_000);
        let size = largest(&me, &markets, 0, long);
        if size == 0 {
            // Then not even the least notional goes.
            let least = Base(500_000).0.saturating_sub(held.unwrap_or(0)).max(1);
            prop_assert!(attempt(&me, &markets, 0, least, long).is_err());
            return Ok(());
        }
        attempt(&me, &markets, 0, size, long).unwrap();
        prop_assert!(attempt(&me, &markets, 0, size + 1, long).is_err());
        prop_assert!(attempt(&me, &markets, 0, size + size / 100 + 1, long).is_err());
    }
}

// Sizing by risk

#[test]
fn a_size_for_a_risk_in_figures() {
    let mut m = market();
    m.params.skew_scale = Base(u64::MAX / 4);
    m.price.last.conf = Price::ZERO;
    let me = account(dollars(100_000));
    let size = size_for_risk(&me, &[], &m, true, price(95), dollars(1_000), &NOW).unwrap();
    // A unit loses $5 and pays 5 bps of $100 and 2 bps of $95, which mend the skew; both orders 20 cents: 999.80 / 5.069. The
    // premium's rounding takes an atom each.
    assert_eq!(size, Base(197_238_113));
    assert!(loss_at_stop(&m, size, true, price(95), &NOW).unwrap() <= dollars(1_000));
    assert!(loss_at_stop(&m, Base(size.0 + 2), true, price(95), &NOW).unwrap() > dollars(1_000));
    // So much risk that margin is what binds.
    let all = max_increase(&me, &[], &m, true, &NOW).unwrap();
    assert_eq!(size_for_risk(&me, &[], &m, true, price(95), dollars(90_000), &NOW).unwrap(), all);
    // So little that the least notional costs more.
    assert_eq!(size_for_risk(&me, &[], &m, true, price(95), dollars(2), &NOW).unwrap(), Base::ZERO);
    assert_eq!(size_for_risk(&me, &[], &m, true, price(95), Quote(1), &NOW).unwrap(), Base::ZERO);
    for (long, stop) in [(true, 100), (true, 101), (true, 0), (false, 100), (false, 99)] {
        let refused = size_for_risk(&me, &[], &m, long, price(stop), dollars(1_000), &NOW).unwrap_err();
        assert_eq!(refused.error, Error::OrderTermsInvalid);
    }
}

proptest! {
    #[test]
    fn what_a_stop_is_said_to_lose_is_what_it_loses(
        long in any::<bool>(), bps in 1u64..2_000, risk in 1u64..50_000, skew in 0u64..20_000, conf in 0u64..30_000_000,
    ) {
        let mut m = market();
        m.price.last.conf = Price(conf);
        let mut other = account(dollars(1_000_000));
        if skew > 0 {
            open(&mut m, &mut other, units(skew), skew % 2 == 0);
        }
        let mut me = account(dollars(200_000));
        let by = Price(price(100).0 / 10_000 * bps);
        let stop = if long { price(100).less(by) } else { price(100).plus(by) }.unwrap();
        let size = size_for_risk(&me, &[], &m, long, stop, dollars(risk), &NOW).unwrap();
        prop_assume!(!size.is_zero());
        let said = loss_at_stop(&m, size, long, stop, &NOW).unwrap();
        prop_assert!(said <= dollars(risk));
        let before = me.collateral;
        let mark = price(100).moved(long, Price(conf)).unwrap();
        let _ = increase(&mut m, &mut me, 0, size, long, mark).unwrap();
        m.price.last.price = stop;
        let _ = reduce(&mut m, &mut me, 0, size, stop.moved(!long, Price(conf)).unwrap(), Charge::Trade).unwrap();
        let lost = before.0 - me.collateral.0 + 2 * m.params.order_fee.0;
        prop_assert_eq!(said, Quote(lost));
    }
}

//! Sums, tokens and prices over random histories and fills.

use ballast_engine::account::AccountState;
use ballast_engine::market::MarketState;
use ballast_engine::settle::settle;
use ballast_engine::trade::{Charge, increase, premium, reduce};
use ballast_engine::units::{Base, FundingIndex, I128, Price, Quote, Ratio};
use proptest::prelude::*;

use super::skewed;
use crate::support::{NOW, PRICE, account, assert_sums, dollars, market, set_price, tokens};

/// Collateral, the claim at face and the position's value at a price: what the trader has.
fn wealth(market: &MarketState, account: &AccountState, at: Price) -> i128 {
    let mut sum = i128::from(account.collateral.0);
    for position in account.positions.iter().filter(|p| !p.is_free()) {
        sum += i128::from(position.claim.amount.0);
        let value = i128::from(position.base().0) * i128::from(at.0) / 1_000_000_000;
        let pnl = value - i128::from(position.entry.0);
        sum += if position.size.is_long() { pnl } else { -pnl };
        let index = market.side(position.size.is_long()).index;
        sum -= i128::from(index.owed(position.funding_entry, position.base()).unwrap().0);
    }
    sum
}

/// A step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// Account, size, side: increases, or flips where it holds the other side.
    Trade(usize, u64, bool),
    /// Account, share of the position in percent, charge.
    Reduce(usize, u64, u8),
    Settle(usize),
    /// Price in cents.
    Price(u64),
    /// Moves both funding indices, as an accrual does.
    Funding(i64, i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4usize, 1..3_000_000_000u64, any::<bool>()).prop_map(|(a, s, l)| Step::Trade(a, s, l)),
        3 => (0..4usize, 1..=100u64, 0..4u8).prop_map(|(a, s, c)| Step::Reduce(a, s, c)),
        3 => (0..4usize).prop_map(Step::Settle),
        2 => (8_000..12_500u64).prop_map(Step::Price),
        1 => (-1_000_000_000_000i64..1_000_000_000_000, -1_000_000_000_000i64..1_000_000_000_000)
            .prop_map(|(a, b)| Step::Funding(a, b)),
    ]
}

fn apply(market: &mut MarketState, accounts: &mut [AccountState; 4], step: &Step, mark: &mut Price) {
    // A refused step changes nothing, as a failed transaction does.
    let mut next = (*market, *accounts);
    let done = match *step {
        Step::Trade(who, size, long) => (|| {
            let (market, account) = (&mut next.0, &mut next.1[who]);
            let held = account.positions[0];
            if held.is_open() && held.size.is_long() != long {
                let closed = held.base().min(Base(size));
                let _ = reduce(market, account, 0, closed, *mark, Charge::Trade)?;
                if closed.0 == size {
                    return Ok(());
                }
                return increase(market, account, 0, Base(size - closed.0), long, *mark).map(|_| ());
            }
            increase(market, account, 0, Base(size), long, *mark).map(|_| ())
        })(),
        Step::Reduce(who, percent, charge) => {
            let size = Base((next.1[who].positions[0].base().0 * percent).div_ceil(100));
            let charge = [Charge::Trade, Charge::Liquidation, Charge::Plain, Charge::Silent][usize::from(charge)];
            reduce(&mut next.0, &mut next.1[who], 0, size, *mark, charge).map(|_| ())
        }
        Step::Settle(who) => settle(&mut next.0, &mut next.1[who], 0, &NOW).map(|_| ()),
        Step::Price(cents) => {
            *mark = Price(cents * 10_000_000);
            set_price(&mut next.0, *mark);
            Ok(())
        }
        Step::Funding(long, short) => {
            for (side, by) in [(&mut next.0.long, long), (&mut next.0.short, short)] {
                side.index = FundingIndex(I128::new(side.index.get() + i128::from(by)));
            }
            Ok(())
        }
    };
    if done.is_ok() {
        (*market, *accounts) = next;
    }
}

proptest! {
    /// P1, P3: whatever happens, sums are those of the positions, no token appears or vanishes, and claim holders are
    /// promised no more than was put aside. With little liquidity, so that claims come up.
    #[test]
    fn sums_and_tokens_hold_through_random_histories(
        steps in prop::collection::vec(step(), 1..60),
        liquidity in 0..500_000u64,
        collateral in prop::array::uniform4(0..100_000u64),
    ) {
        let mut market = market();
        market.pool.cash = dollars(liquidity);
        let mut accounts = collateral.map(|c| account(dollars(c)));
        let before = tokens(&[&market], &accounts);
        let mut mark = PRICE;
        for step in &steps {
            apply(&mut market, &mut accounts, step, &mut mark);
            prop_assert_eq!(tokens(&[&market], &accounts), before);
            assert_sums(&market, &accounts);
        }
    }

    /// The premium is the formula's, rounded once, up: against a wide reference.
    #[test]
    fn the_premium_is_rounded_once_and_up(
        skew in -90_000_000_000i64..90_000_000_000,
        size in 1..100_000_000_000u64,
        buy in any::<bool>(),
        mark in 1u64..1_000_000_000_000,
    ) {
        let market = skewed(skew);
        let after = i128::from(skew) + if buy { i128::from(size) } else { -i128::from(size) };
        let number = i128::from(mark) * (after * after - i128::from(skew) * i128::from(skew));
        let scale = 2 * i128::from(market.params.skew_scale.0) * 1_000_000_000;
        let expected = number.div_euclid(scale) + i128::from(number.rem_euclid(scale) != 0);
        prop_assert_eq!(i128::from(premium(&market, Base(size), buy, Price(mark)).unwrap().0), expected);
    }

    /// P2: opening in parts and closing in parts at a constant price, from any skew, never profits; nor does settling
    /// in between help.
    #[test]
    fn a_round_trip_at_a_constant_price_never_profits(
        skew in -90_000_000_000i64..90_000_000_000,
        parts in prop::collection::vec(1..5_000_000_000u64, 1..6),
        cuts in prop::collection::vec(1..5_000_000_000u64, 0..6),
        long in any::<bool>(),
        fees in any::<bool>(),
        settles in any::<bool>(),
        mark in 10_000u64..1_000_000_000_000,
    ) {
        let mut market = skewed(skew);
        let mark = Price(mark);
        if !fees {
            (market.params.taker_fee, market.params.mending_fee) = (Ratio(0), Ratio(0));
        }
        set_price(&mut market, mark);
        // Others' results are not the question here.
        market.pool.cash = Quote(1 << 60);
        let mut trader = account(dollars(100_000_000));
        for part in &parts {
            // Dust whose premium exceeds its value is refused to a short.
            prop_assume!(increase(&mut market, &mut trader, 0, Base(*part), long, mark).is_ok());
            if settles {
                let _ = settle(&mut market, &mut trader, 0, &NOW);
            }
        }
        for cut in &cuts {
            let left = trader.positions[0].base();
            if cut < &left.0 {
                let _ = reduce(&mut market, &mut trader, 0, Base(*cut), mark, Charge::Trade).unwrap();
            }
        }
        let left = trader.positions[0].base();
        let _ = reduce(&mut market, &mut trader, 0, left, mark, Charge::Trade).unwrap();
        prop_assert!(trader.is_flat());
        prop_assert!(trader.collateral <= dollars(100_000_000));
    }

    /// P2: a fill in parts is never better than the fill at once, and both are within an atom per part of each other
    /// but for the fee's rounding.
    #[test]
    fn splitting_a_fill_never_gains(
        skew in -90_000_000_000i64..90_000_000_000,
        parts in prop::collection::vec(1_000..5_000_000_000u64, 2..6),
        long in any::<bool>(),
        mark in 1_000_000u64..1_000_000_000_000,
    ) {
        let mark = Price(mark);
        let (mut once, mut split) = (skewed(skew), skewed(skew));
        set_price(&mut once, mark);
        set_price(&mut split, mark);
        let (mut a, mut b) = (account(dollars(100_000_000)), account(dollars(100_000_000)));
        let all = Base(parts.iter().sum());
        prop_assume!(increase(&mut once, &mut a, 0, all, long, mark).is_ok());
        for part in &parts {
            prop_assume!(increase(&mut split, &mut b, 0, Base(*part), long, mark).is_ok());
        }
        let (one, many) = (wealth(&once, &a, mark), wealth(&split, &b, mark));
        prop_assert!(many <= one);
        prop_assert!(one - many <= 4 * parts.len() as i128);
        // And out again.
        let before = (a.collateral, b.collateral);
        b = a;
        split = once;
        let _ = reduce(&mut once, &mut a, 0, all, mark, Charge::Trade).unwrap();
        for part in &parts {
            let _ = reduce(&mut split, &mut b, 0, Base(*part), mark, Charge::Trade).unwrap();
        }
        prop_assert!(b.collateral <= a.collateral, "{:?}", before);
    }

    /// The pool does not lose by a fill: equity at the mark falls by no more than the sums' own rounding.
    #[test]
    fn pool_equity_never_falls_by_a_fill_at_the_mark(
        skew in -90_000_000_000i64..90_000_000_000,
        size in 1_000..5_000_000_000u64,
        long in any::<bool>(),
    ) {
        let mut market = skewed(skew);
        let mut trader = account(dollars(10_000_000));
        let before = market.equity(PRICE).unwrap().0;
        let _ = increase(&mut market, &mut trader, 0, Base(size), long, PRICE).unwrap();
        let middle = market.equity(PRICE).unwrap().0;
        let _ = reduce(&mut market, &mut trader, 0, Base(size / 2), PRICE, Charge::Liquidation).unwrap();
        let after = market.equity(PRICE).unwrap().0;
        prop_assert!(middle >= before - 3 && after >= middle - 3, "{before} {middle} {after}");
    }
}

//! Fills: the curve, fees, sums, limits.

mod histories;

use ballast_engine::constants::RATIO_SCALE;
use ballast_engine::error::Error;
use ballast_engine::market::MarketState;
use ballast_engine::trade::{Charge, check_increase, check_mode, check_rest, increase, premium, reduce, worsens};
use ballast_engine::units::{Base, FundingIndex, Price, Quote, SignedQuote};

use crate::support::{NOW, PRICE, account, assert_sums, dollars, market, price, units};

/// A market whose skew is held by somebody else.
fn skewed(skew: i64) -> MarketState {
    let mut market = market();
    if skew != 0 {
        let size = Base(skew.unsigned_abs());
        let mut holder = account(dollars(1_000_000));
        let _ = increase(&mut market, &mut holder, 0, size, skew > 0, PRICE).unwrap();
    }
    market
}

#[test]
fn a_skew_of_ten_million_on_a_scale_of_a_hundred_owes_half_a_million() {
    // B5.1: K = $100M, skew $10M.
    let mut market = market();
    market.params.skew_scale = units(1_000_000);
    assert_eq!(premium(&market, units(100_000), true, PRICE).unwrap(), SignedQuote(500_000_000_000));
    let mut trader = account(dollars(2_000_000));
    let fill = increase(&mut market, &mut trader, 0, units(100_000), true, PRICE).unwrap();
    assert_eq!(fill.premium, SignedQuote(500_000_000_000));
    assert_eq!(fill.cost, dollars(10_500_000));
    assert_eq!(fill.price, price(105));
    assert_eq!(market.skew_premium(PRICE).unwrap(), dollars(500_000));
    // What mends it gets it back.
    assert_eq!(premium(&market, units(100_000), false, PRICE).unwrap(), SignedQuote(-500_000_000_000));
}

#[test]
fn each_side_of_the_curve_pays_or_is_paid_the_mirrored_premium() {
    for (skew, buy, pays) in [(1, true, true), (1, false, false), (-1, true, false), (-1, false, true)] {
        let market = skewed(skew * 1_000_000_000);
        let paid = premium(&market, units(10), buy, PRICE).unwrap();
        assert_eq!(paid.0 > 0, pays, "skew {skew}, buy {buy}");
        // 10 units over an average skew of 1000 ± 5 units: $1000 × (1005 or 995) / 50M.
        assert_eq!(paid.0, if pays { 20_100 } else { -19_900 });
    }
}

#[test]
fn the_premium_stays_in_range_at_the_largest_scale_and_price() {
    let mut market = market();
    market.params.skew_scale = Base(1_000_000_000_000_000);
    let size = Base(50_000_000_000_000);
    // 5e13 atoms at the price at which they are worth just under 2^63: the product of all four is beyond 128 bits.
    let mark = Price(184_000_000_000_000);
    assert_eq!(premium(&market, size, true, mark).unwrap(), SignedQuote(230_000_000_000_000_000));
    assert_eq!(premium(&market, size, true, Price(1 << 58)).unwrap_err().error, Error::MathOverflow);
    assert_eq!(premium(&market, Base(u64::MAX), true, PRICE).unwrap_err().error, Error::MathOverflow);
}

#[test]
fn an_atoms_premium_is_an_atom_and_what_it_gets_back_is_nothing() {
    // Its value is below a quote atom, so all of it lies in the rest of the notional.
    let market = skewed(90_000_000_000);
    assert_eq!(premium(&market, Base(1), true, Price(999_999_999)).unwrap(), SignedQuote(1));
    assert_eq!(premium(&market, Base(1), false, Price(999_999_999)).unwrap(), SignedQuote(0));
}

#[test]
fn fees_charge_what_worsens_the_skew_more_and_are_split() {
    let mut market = skewed(-10_000_000);
    let before = market.pool;
    let mut trader = account(dollars(10_000));
    // 10 units mend at 2 bps, 30 worsen at 5 bps: $0.20 + $1.50.
    let fill = increase(&mut market, &mut trader, 0, units(40), true, PRICE).unwrap();
    assert_eq!(fill.fee, Quote(1_700_000));
    assert_eq!(trader.collateral, Quote(9_998_300_000));
    assert_eq!(market.pool.cash.0 - before.cash.0, 1_020_000);
    assert_eq!(market.pool.insurance.0 - before.insurance.0, 340_000);
    assert_eq!(market.pool.protocol_fees.0 - before.protocol_fees.0, 340_000);
    let position = trader.positions[0];
    assert_eq!((position.size.0, position.margin_version, position.generation, position.market), (40_000_000, 0, 1, 0));
}

#[test]
fn a_fee_beyond_the_collateral_stops_an_increase_but_never_a_reduction() {
    let mut market = market();
    let mut trader = account(Quote(499_999));
    let fault = increase(&mut market, &mut trader, 0, units(10), true, PRICE).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::InsufficientCollateral, 499_999, 500_000));
    let (mut market, mut trader) = (self::market(), account(Quote(500_000)));
    let _ = increase(&mut market, &mut trader, 0, units(10), true, PRICE).unwrap();
    assert_eq!(trader.collateral, Quote::ZERO);
    let fill = reduce(&mut market, &mut trader, 0, units(10), PRICE, Charge::Trade).unwrap();
    assert_eq!((fill.fee, fill.realised.unpaid, trader.is_flat()), (Quote::ZERO, Quote::ZERO, true));
}

#[test]
fn funding_owed_is_paid_before_an_increase_or_refuses_it() {
    let mut market = market();
    let mut trader = account(dollars(100));
    let _ = increase(&mut market, &mut trader, 0, units(10), true, PRICE).unwrap();
    // $2 per unit owed.
    market.long.index = FundingIndex::new(2_000_000_000_000_000);
    let cash = market.pool.cash.0;
    let fill = increase(&mut market, &mut trader, 0, units(1), true, PRICE).unwrap();
    assert_eq!((fill.funding.0, fill.realised.cash.0), (-20_000_000, -20_000_000));
    assert_eq!(market.pool.cash.0 - cash, 20_000_000 + 30_000);
    assert_sums(&market, &[trader]);
    market.long.index = FundingIndex::new(12_000_000_000_000_000);
    let fault = increase(&mut market, &mut trader, 0, units(1), true, PRICE).unwrap_err();
    assert_eq!((fault.error, fault.value), (Error::InsufficientCollateral, 110_000_000));
}

#[test]
fn an_atom_of_dust_can_be_closed_from_any_skew() {
    for skew in [-99_000_000_000, -1, 0, 1, 99_000_000_000] {
        for long in [true, false] {
            let mut market = skewed(skew);
            // A tenth of a quote atom each; a short's cost may not be negative at the opening, so some more of it.
            let mut trader = account(dollars(1));
            let _ = increase(&mut market, &mut trader, 0, Base(1_000), long, Price(100_000_000)).unwrap();
            for _ in 0..1_000 {
                let _ = reduce(&mut market, &mut trader, 0, Base(1), Price(100_000_000), Charge::Trade).unwrap();
            }
            assert!(trader.is_flat());
            assert!(trader.collateral <= dollars(1));
        }
    }
}

#[test]
fn an_atom_of_dust_is_too_small_to_sell_not_out_of_range() {
    let mut market = skewed(-1_000_000_000);
    let mut trader = account(dollars(1));
    // Worth a fifth of a quote atom, at a premium of one.
    let fault = increase(&mut market, &mut trader, 0, Base(1), false, Price(192_000_000)).unwrap_err();
    assert_eq!((fault.error, fault.value), (Error::SizeBelowMinimum, 0));
}

#[test]
fn a_reduction_is_opposite_and_no_larger_than_the_position() {
    let mut market = market();
    let mut trader = account(dollars(1_000));
    let refused = |fault: ballast_engine::Fault| (fault.error, fault.limit, fault.value);
    assert_eq!(
        reduce(&mut market, &mut trader, 0, Base(1), PRICE, Charge::Trade).unwrap_err().error,
        Error::PositionNotFound
    );
    let _ = increase(&mut market, &mut trader, 0, Base(500), true, PRICE).unwrap();
    let fault = reduce(&mut market, &mut trader, 0, Base(501), PRICE, Charge::Trade).unwrap_err();
    assert_eq!(refused(fault), (Error::SizeNotReducing, 500, 501));
    assert_eq!(
        reduce(&mut market, &mut trader, 0, Base(0), PRICE, Charge::Trade).unwrap_err().error,
        Error::SizeNotReducing
    );
    assert_eq!(increase(&mut market, &mut trader, 0, Base(1), false, PRICE).unwrap_err().error, Error::SizeNotReducing);
    assert_eq!(increase(&mut market, &mut trader, 0, Base(0), true, PRICE).unwrap_err().error, Error::AmountZero);
    market.index = 3;
    assert_eq!(increase(&mut market, &mut trader, 0, Base(1), true, PRICE).unwrap_err().error, Error::WrongMarket);
    assert_eq!(
        reduce(&mut market, &mut trader, 0, Base(1), PRICE, Charge::Trade).unwrap_err().error,
        Error::WrongMarket
    );
}

#[test]
fn the_part_of_the_entry_that_leaves_is_rounded_against_the_trader() {
    for long in [true, false] {
        let mut market = market();
        let mut trader = account(dollars(1));
        let _ = increase(&mut market, &mut trader, 0, Base(3), long, PRICE).unwrap();
        trader.positions[0].entry = Quote(100);
        market.side_mut(long).entry = Quote(100);
        // A third of 100 at a mark worth 33⅓: 33 − 34 for a long, 33 − 34 for a short.
        let fill = reduce(&mut market, &mut trader, 0, Base(1), Price(33_333_333_333), Charge::Plain).unwrap();
        assert_eq!(fill.pnl.0, -1, "long {long}");
        assert_eq!(trader.positions[0].entry.0, if long { 66 } else { 67 });
        assert_sums(&market, &[trader]);
    }
}

#[test]
fn charges_differ_in_premium_fee_and_profit() {
    let close = |charge| {
        let mut market = skewed(1_000_000_000);
        let mut trader = account(dollars(1_000));
        let _ = increase(&mut market, &mut trader, 0, units(10), true, PRICE).unwrap();
        let before = trader.collateral.0;
        let fill = reduce(&mut market, &mut trader, 0, units(10), price(110), charge).unwrap();
        assert_eq!(trader.collateral.0 - before, fill.realised.cash.gain().0 - fill.fee.0);
        (fill.premium.0, fill.fee.0, fill.pnl.0, fill.realised.cash.0)
    };
    // $100 of profit less the premium of $0.0201 paid at the opening; $0.02211 come back at the higher price.
    assert_eq!(close(Charge::Trade), (-22_110, 220_000, 100_002_010, 100_002_010));
    assert_eq!(close(Charge::Liquidation), (-22_110, 0, 100_002_010, 100_002_010));
    assert_eq!(close(Charge::Plain), (0, 0, 99_979_900, 99_979_900));
    assert_eq!(close(Charge::Silent), (0, 0, 99_979_900, 0));
}

type Change = fn(&mut MarketState);

#[test]
fn every_limit_on_an_increase_binds_and_says_its_value() {
    let filled = |change: Change| {
        let mut market = market();
        let mut trader = account(dollars(100_000));
        let _ = increase(&mut market, &mut trader, 0, units(10_000), true, PRICE).unwrap();
        change(&mut market);
        check_increase(&market, &trader, 0, &NOW).map_err(|f| (f.error, f.limit, f.value))
    };
    let million = 1_000_000_000_000;
    assert_eq!(filled(|_| ()), Ok(()));
    assert_eq!(filled(|m| m.price.slot -= 11).unwrap_err().0, Error::PriceStale);
    assert_eq!(filled(|m| m.pool.shares = 0).unwrap_err().0, Error::PoolEmpty);
    assert_eq!(filled(|m| m.pool.claims = dollars(101_000)).unwrap_err().0, Error::PoolClaims);
    assert_eq!(filled(|m| m.pool.claims = dollars(90_000)), Ok(()));
    assert_eq!(
        filled(|m| m.pool.exits_waiting_until = NOW.unix + 5),
        Err((Error::ExitsWaiting, NOW.unix + 5, NOW.unix))
    );
    assert_eq!(
        filled(|m| m.params.min_notional = dollars(1_000_001)),
        Err((Error::SizeBelowMinimum, million + 1_000_000, million))
    );
    assert_eq!(
        filled(|m| m.params.max_position = dollars(999_999)),
        Err((Error::PositionTooLarge, million - 1_000_000, million))
    );
    assert_eq!(
        filled(|m| m.params.open_interest_cap = dollars(999_999)),
        Err((Error::OpenInterestCap, million - 1_000_000, million))
    );
    // 10,000 units are 20 bps of 5M units.
    assert_eq!(filled(|m| m.params.skew_scale = units(5_000_000)), Ok(()));
    let fault = filled(|m| m.params.skew_scale = Base(units(5_000_000).0 - 500)).unwrap_err();
    assert_eq!(fault, (Error::OpenInterestImpact, million - 100, million));
    // 20 % of $1M need $200k; the premium of $100, paid in the entry, is owed back and is not cash yet.
    assert_eq!(filled(|m| m.pool.cash = dollars(200_100)), Ok(()));
    let (error, limit, value) = filled(|m| m.pool.cash = dollars(199_000)).unwrap_err();
    assert_eq!((error, value), (Error::OpenInterestStress, million));
    assert!(limit < million && limit > million * 99 / 100);
}

#[test]
fn the_guardian_stops_increases_until_its_pause_expires() {
    let mut market = market();
    let mut trader = account(dollars(1_000));
    let _ = increase(&mut market, &mut trader, 0, units(10), true, PRICE).unwrap();
    market.overlay.reduce_only_until = NOW.unix + 10;
    let fault = check_increase(&market, &trader, 0, &NOW).unwrap_err();
    assert_eq!((fault.error, fault.limit), (Error::MarketReduceOnly, NOW.unix + 10));
    market.overlay.reduce_only_until = 0;
    (market.overlay.cap, market.overlay.cap_until) = (dollars(500), NOW.unix + 10);
    let fault = check_increase(&market, &trader, 0, &NOW).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::OpenInterestCap, 500_000_000, 1_000_000_000));
}

#[test]
fn a_balanced_book_is_held_to_each_side_alone() {
    // Skew zero, so a skew limit would let it pass; $2M a side need $400k should one side leave.
    let mut market = market();
    market.pool.cash = dollars(390_000);
    let (mut one, mut other) = (account(dollars(200_000)), account(dollars(200_000)));
    let _ = increase(&mut market, &mut one, 0, units(20_000), true, PRICE).unwrap();
    let _ = increase(&mut market, &mut other, 0, units(20_000), false, PRICE).unwrap();
    assert_eq!(market.skew().unwrap().0, 0);
    assert_eq!(check_increase(&market, &other, 0, &NOW).unwrap_err().error, Error::OpenInterestStress);
}

#[test]
fn the_rest_of_a_reduction_is_at_least_the_minimum() {
    let mut market = market();
    let mut trader = account(dollars(1_000));
    let _ = increase(&mut market, &mut trader, 0, units(1), true, PRICE).unwrap();
    let _ = reduce(&mut market, &mut trader, 0, Base(500_000), PRICE, Charge::Trade).unwrap();
    check_rest(&market, &trader, 0, units(1)).unwrap();
    let _ = reduce(&mut market, &mut trader, 0, Base(1), PRICE, Charge::Trade).unwrap();
    let fault = check_rest(&market, &trader, 0, Base(500_000)).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::SizeBelowMinimum, 50_000_000, 49_999_900));
    // What lay below it before may become smaller still.
    check_rest(&market, &trader, 0, Base(499_999)).unwrap();
    let _ = reduce(&mut market, &mut trader, 0, Base(499_999), PRICE, Charge::Trade).unwrap();
    check_rest(&market, &trader, 0, Base(500_000)).unwrap();
}

#[test]
fn a_reduction_worsens_an_account_where_it_costs_more_than_the_margin_it_sets_free() {
    let mut market = market();
    let mut trader = account(dollars(1_000));
    let _ = increase(&mut market, &mut trader, 0, units(2), true, PRICE).unwrap();
    let ratio = market.params.maintenance_margin;
    let at = |bps: u64| {
        let (mut market, mut trader) = (market, trader);
        let mark = Price(PRICE.0 / 10_000 * (10_000 - bps));
        let fill = reduce(&mut market, &mut trader, 0, units(1), mark, Charge::Trade).unwrap();
        worsens(&market, &fill, ratio).unwrap()
    };
    let margin = ratio.0 * 10_000 / RATIO_SCALE;
    assert!(!at(0) && !at(margin / 2) && at(margin + 1), "margin {margin} bps");
}

#[test]
fn two_fills_in_one_direction_are_one_at_the_average_price() {
    let mut market = market();
    let mut trader = account(dollars(1_000));
    let _ = increase(&mut market, &mut trader, 0, units(2), false, PRICE).unwrap();
    let closed = reduce(&mut market, &mut trader, 0, units(2), PRICE, Charge::Trade).unwrap();
    let opened = increase(&mut market, &mut trader, 0, Base(1_234_567), true, Price(PRICE.0 + 7)).unwrap();
    let both = closed.and(&opened).unwrap();
    assert_eq!(both.size.0, units(2).0 + 1_234_567);
    assert_eq!(both.cost.0, closed.cost.0 + opened.cost.0);
    assert_eq!((both.fee.0, both.pnl), (closed.fee.0 + opened.fee.0, closed.pnl));
    assert_eq!((both.buy, both.mark), (true, PRICE));
    // Rounded against the buyer: at that price it costs no less, at one below it less.
    let cost = |price: u64| u128::from(both.size.0) * u128::from(price);
    let paid = u128::from(both.cost.0) * 1_000_000_000;
    assert!(cost(both.price.0) >= paid && cost(both.price.0 - 1) < paid);
}

#[test]
fn the_long_tail_is_for_isolated_accounts() {
    let mut trader = account(dollars(1_000));
    trader.isolated = 0;
    let mut market = market();
    check_mode(&market, &trader).unwrap();
    market.index = 15;
    check_mode(&market, &trader).unwrap();
    market.index = 16;
    assert_eq!(check_mode(&market, &trader).unwrap_err().error, Error::CrossNotAllowed);
    trader.isolated = 1;
    check_mode(&market, &trader).unwrap();
}

//! Settling, collecting, and the exit from a silent market.

use ballast_engine::account::AccountState;
use ballast_engine::constants::DAY;
use ballast_engine::error::Error;
use ballast_engine::margin::{Purpose, leg};
use ballast_engine::market::{Claim, MarketState, Observation};
use ballast_engine::price::Status;
use ballast_engine::settle::{collect, collect_between, settle, silent_exit};
use ballast_engine::trade::{Charge, increase, reduce};
use ballast_engine::units::{Base, FundingIndex, Price, Quote, Ratio, SignedBase};
use proptest::prelude::*;

use crate::support::{
    NOW, PRICE, account, assert_sums, dollars, later, market, market_at, price, set_price, set_price_at, sharp_price,
    tokens, units,
};

/// No fees; a long or short of 10 units at $100.
fn opened(collateral: Quote, long: bool) -> (MarketState, AccountState) {
    let mut market = market();
    (market.params.taker_fee, market.params.mending_fee) = (Ratio(0), Ratio(0));
    market.params.skew_scale = Base(1_000_000_000_000_000);
    let mut trader = account(collateral);
    let _ = increase(&mut market, &mut trader, 0, units(10), long, PRICE).unwrap();
    // The premium's atom aside.
    trader.positions[0].entry = dollars(1_000);
    market.side_mut(long).entry = dollars(1_000);
    (market, trader)
}

#[test]
fn a_profit_moves_to_collateral_and_the_entry_to_the_mark() {
    for (long, at) in [(true, 110), (false, 90)] {
        let (mut market, mut trader) = opened(dollars(100), long);
        sharp_price(&mut market, price(at));
        let settled = settle(&mut market, &mut trader, 0, &NOW).unwrap();
        assert_eq!((settled.pnl.0, settled.realised.cash.0), (100_000_000, 100_000_000));
        assert_eq!((trader.collateral, trader.positions[0].entry), (dollars(200), dollars(at * 10)));
        assert_eq!(market.pool.cash, dollars(9_999_900));
        assert_sums(&market, &[trader]);
        // Nothing is left to settle.
        assert_eq!(settle(&mut market, &mut trader, 0, &NOW).unwrap_err().error, Error::CoverTooEarly);
    }
}

#[test]
fn a_loss_beyond_the_collateral_stays_in_the_entry_with_its_funding() {
    for (long, at) in [(true, 85), (false, 115)] {
        let (mut market, mut trader) = opened(dollars(100), long);
        sharp_price(&mut market, price(at));
        // $20 of funding, $150 of loss, $100 to pay them.
        market.side_mut(long).index = FundingIndex::new(2_000_000_000_000_000);
        let settled = settle(&mut market, &mut trader, 0, &NOW).unwrap();
        assert_eq!((settled.funding.0, settled.pnl.0), (-20_000_000, -80_000_000));
        assert_eq!((settled.realised.cash.0, settled.realised.unpaid), (-100_000_000, Quote::ZERO));
        let position = trader.positions[0];
        assert_eq!(trader.collateral, Quote::ZERO);
        assert_eq!(position.entry, dollars(if long { 920 } else { 1_080 }));
        assert_eq!(position.funding_entry, market.side(long).index);
        assert_eq!(market.pool.cash, dollars(10_000_100));
        assert_sums(&market, &[trader]);
        assert_eq!(settle(&mut market, &mut trader, 0, &NOW).unwrap_err().error, Error::CoverTooEarly);
        // $70 are what the close finds unpaid.
        let fill = reduce(&mut market, &mut trader, 0, units(10), price(at), Charge::Plain).unwrap();
        assert_eq!(fill.realised.unpaid, dollars(70));
    }
}

#[test]
fn a_loss_within_the_confidence_credit_is_left_alone() {
    // A keeper must not be able to turn the credit into profit that counts for less.
    let (mut market, mut trader) = opened(dollars(100), true);
    set_price(&mut market, Price(99_995_000_000));
    assert_eq!(settle(&mut market, &mut trader, 0, &NOW).unwrap_err().error, Error::CoverTooEarly);
    set_price(&mut market, price(95));
    let settled = settle(&mut market, &mut trader, 0, &NOW).unwrap();
    // $50 less 1 bp of $950.
    assert_eq!((settled.pnl.0, trader.positions[0].entry.0), (-49_905_000, 950_095_000));
}

#[test]
fn settling_needs_a_good_price() {
    let (mut market, mut trader) = opened(dollars(100), true);
    set_price(&mut market, price(110));
    for (seconds, error) in [(5, Error::PriceStale), (60, Error::PriceStale), (4_000, Error::PriceSilent)] {
        let fault = settle(&mut market, &mut trader, 0, &later(&NOW, seconds)).unwrap_err();
        assert_eq!(fault.error, error, "after {seconds} s");
    }
}

#[test]
fn a_slot_with_nothing_in_it_has_nothing_to_settle() {
    let (mut market, mut trader) = opened(dollars(100), true);
    assert_eq!(settle(&mut market, &mut trader, 1, &NOW).unwrap_err().error, Error::CoverTooEarly);
    assert_eq!(settle(&mut market, &mut trader, 8, &NOW).unwrap_err().error, Error::PositionNotFound);
    assert_eq!(collect(&mut market, &mut trader, 1).unwrap(), Quote::ZERO);
    let mut other = market_at(1, price(90));
    assert_eq!(settle(&mut other, &mut trader, 0, &NOW).unwrap_err().error, Error::WrongMarket);
}

#[test]
fn settling_pays_claims_from_cash_that_no_profit_needs() {
    let (mut market, mut trader) = opened(dollars(100), true);
    market.pool.cash = Quote::ZERO;
    set_price(&mut market, price(110));
    let settled = settle(&mut market, &mut trader, 0, &NOW).unwrap();
    assert_eq!((settled.realised.cash.0, settled.realised.claimed), (0, dollars(100)));
    // The pool comes into cash that waits for nobody; closed, the slot keeps its claim.
    let _ = reduce(&mut market, &mut trader, 0, units(10), price(110), Charge::Plain).unwrap();
    assert!(!trader.positions[0].is_free());
    let mut other = account(dollars(100));
    let _ = increase(&mut market, &mut other, 0, units(1), true, price(110)).unwrap();
    market.pool.cash = dollars(30);
    // With positions open somebody has to see a good price first.
    assert_eq!(collect(&mut market, &mut trader, 0).unwrap(), Quote::ZERO);
    let settled = settle(&mut market, &mut trader, 0, &NOW).unwrap();
    assert_eq!((settled.collected, trader.collateral), (dollars(30), dollars(130)));
    // Without open interest no price is needed.
    let _ = reduce(&mut market, &mut other, 0, units(1), price(110), Charge::Plain).unwrap();
    market.pool.cash = dollars(70);
    assert_eq!(collect(&mut market, &mut trader, 0).unwrap(), dollars(70));
    assert!(trader.is_flat());
}

#[test]
fn a_pool_collects_its_claim_on_another_pool() {
    let (mut debtor, mut holder) = (market_at(3, PRICE), market_at(5, PRICE));
    debtor.pool.cash = Quote::ZERO;
    let mut claim = Claim::default();
    debtor.add_claim(&mut claim, dollars(40)).unwrap();
    holder.held[3] = claim;
    let before = holder.pool.cash.0;
    assert_eq!(collect_between(&mut debtor, &mut holder).unwrap(), Quote::ZERO);
    debtor.receive(dollars(10)).unwrap();
    assert_eq!(collect_between(&mut debtor, &mut holder).unwrap(), dollars(10));
    assert_eq!(holder.pool.cash.0 - before, 10_000_000);
    assert_eq!(holder.held[3].amount, dollars(30));
    debtor.index = 16;
    assert_eq!(collect_between(&mut debtor, &mut holder).unwrap_err().error, Error::WrongMarket);
}

/// A silent market, last seen at $100, and its long.
fn silent(collateral: Quote, long: bool) -> (MarketState, AccountState, ballast_engine::Now) {
    let (market, trader) = opened(collateral, long);
    (market, trader, later(&NOW, 3_601))
}

#[test]
fn silence_is_no_put_on_the_providers() {
    // Stored $100, truth $70. The long leaves at $95 (5 % worse) with a loss of $50; 20 % of $950 stay behind.
    let (mut market, mut trader, now) = silent(dollars(400), true);
    let before = tokens(&[&market], &[trader]);
    let fill = silent_exit(&mut market, &mut trader, 0, &now).unwrap();
    assert_eq!((fill.mark, fill.pnl.0, fill.fee.0, fill.premium.0), (price(95), -50_000_000, 0, 0));
    let position = trader.positions[0];
    assert_eq!((trader.collateral, position.held, position.held_price), (dollars(160), dollars(190), price(95)));
    assert_eq!(position.held_size, SignedBase(10_000_000));
    assert!(!position.is_free());
    assert_sums(&market, &[trader]);
    assert_eq!(tokens(&[&market], &[trader]), before);
    // Still silent: it stays.
    assert_eq!(settle(&mut market, &mut trader, 0, &now).unwrap_err().error, Error::PriceSilent);
    // The next good price is $70: the fill lacked $250 against it, all of the holdback goes.
    let now = later(&now, 10);
    set_price_at(&mut market, price(70), &now);
    let settled = settle(&mut market, &mut trader, 0, &now).unwrap();
    assert_eq!((settled.forfeited, settled.returned), (dollars(190), Quote::ZERO));
    assert!(trader.is_flat());
    assert_eq!(tokens(&[&market], &[trader]), before);
}

#[test]
fn a_holdback_returns_what_the_fill_did_not_lack() {
    for (long, good, forfeited) in [(true, 90, 50), (true, 95, 0), (true, 120, 0), (false, 110, 50), (false, 80, 0)] {
        let (mut market, mut trader, now) = silent(dollars(400), long);
        let fill = silent_exit(&mut market, &mut trader, 0, &now).unwrap();
        assert_eq!(fill.mark, price(if long { 95 } else { 105 }));
        let held = trader.positions[0].held;
        set_price_at(&mut market, price(good), &now);
        let settled = settle(&mut market, &mut trader, 0, &now).unwrap();
        assert_eq!(settled.forfeited, dollars(forfeited), "long {long}, good {good}");
        assert_eq!(settled.returned.0, held.0 - settled.forfeited.0);
    }
}

#[test]
fn an_increase_resolves_the_holdback_first() {
    let (mut market, mut trader, now) = silent(dollars(400), true);
    let _ = silent_exit(&mut market, &mut trader, 0, &now).unwrap();
    set_price_at(&mut market, price(90), &now);
    let _ = increase(&mut market, &mut trader, 0, units(1), true, price(90)).unwrap();
    assert_eq!((trader.positions[0].held, trader.collateral), (Quote::ZERO, dollars(300)));
    assert_sums(&market, &[trader]);
}

/// Attack: a provider waits for a price at which more lacks, the owner for one at which nothing does.
#[test]
fn a_holdback_is_judged_by_the_first_good_price_whenever_anybody_calls() {
    let (mut market, mut trader, now) = silent(dollars(400), true);
    let _ = silent_exit(&mut market, &mut trader, 0, &now).unwrap();
    let held = trader.positions[0].held;
    assert!(held > dollars(150));
    // A first one that is uncertain says nothing; then $96, a dollar over the exit's, or $85; then it stays, falls or rises.
    let post = |market: &mut MarketState, at: u64, conf: u64, now: &ballast_engine::Now| {
        let update = Observation {
            prev_publish_time: now.unix - 1,
            publish_time: now.unix,
            price: Price(at * 10_000_000),
            conf: Price(conf * 10_000_000),
        };
        let averages = &mut market.price;
        (averages.ema5, averages.ema_sample, averages.ema_time) = (update.price, update.price, now.unix);
        market.take_update(update, now.slot, now).unwrap()
    };
    for (first, due) in [(9_600, 0), (8_500, 100)] {
        for (second, wait) in [(first, 0), (7_000, 21 * DAY), (12_000, 21 * DAY)] {
            let (mut market, mut trader) = (market, trader);
            assert_eq!(post(&mut market, 6_000, 600, &later(&now, 5)), Some(Status::Uncertain));
            assert_eq!(post(&mut market, first, 0, &later(&now, 10)), Some(Status::Good));
            let then = later(&now, 20 + wait);
            assert_eq!(post(&mut market, second, 0, &then), Some(Status::Good));
            let settled = settle(&mut market, &mut trader, 0, &then).unwrap();
            assert_eq!(settled.forfeited, dollars(due), "{first} {second}");
            assert_eq!(settled.returned.0 + settled.forfeited.0, held.0);
        }
    }
}

#[test]
fn a_silent_exit_forfeits_profit_and_refuses_an_uncovered_loss() {
    let (mut market, mut trader, now) = silent(dollars(400), true);
    trader.positions[0].entry = dollars(500);
    market.long.entry = dollars(500);
    let cash = market.pool.cash;
    let fill = silent_exit(&mut market, &mut trader, 0, &now).unwrap();
    assert_eq!((fill.pnl.0, fill.realised.cash.0, fill.realised.claimed), (450_000_000, 0, Quote::ZERO));
    assert_eq!((market.pool.cash, trader.collateral), (cash, dollars(210)));

    let (mut market, mut trader, now) = silent(dollars(49), true);
    let fault = silent_exit(&mut market, &mut trader, 0, &now).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::LossNotCovered, 49_000_000, 50_000_000));

    let (mut market, mut trader, _) = silent(dollars(49), true);
    assert_eq!(silent_exit(&mut market, &mut trader, 0, &NOW).unwrap_err().error, Error::PriceNotSilent);
    assert_eq!(
        silent_exit(&mut market, &mut trader, 1, &later(&NOW, 3_601)).unwrap_err().error,
        Error::PositionNotFound
    );
}

proptest! {
    /// Settling changes nobody's equity but for rounding against the account, and the maintenance test's not to worse.
    #[test]
    fn settling_keeps_the_accounts_equity(
        collateral in 0..2_000_000_000u64,
        size in 1_000_000..50_000_000u64,
        long in any::<bool>(),
        cents in 5_000..20_000u64,
        index in -3_000_000_000_000_000i64..3_000_000_000_000_000,
        liquidity in 0..4_000_000_000u64,
    ) {
        let mut market = market();
        let mut trader = account(dollars(100_000));
        let _ = increase(&mut market, &mut trader, 0, Base(size), long, PRICE).unwrap();
        trader.collateral = Quote(collateral);
        market.pool.cash = Quote(liquidity);
        market.side_mut(long).index = FundingIndex::new(i128::from(index));
        let mark = Price(cents * 10_000_000);
        set_price(&mut market, mark);
        let equity = |market: &MarketState, trader: &AccountState| {
            let leg = leg(market, &trader.positions[0], Purpose::Maintenance, &NOW).unwrap();
            let collateral = i64::try_from(trader.collateral.0).unwrap();
            (collateral + leg.equity.0, collateral + leg.full_equity.0)
        };
        let (tokens_before, before) = (tokens(&[&market], &[trader]), equity(&market, &trader));
        let pool = market.equity(mark).unwrap().0;
        if let Ok(settled) = settle(&mut market, &mut trader, 0, &NOW) {
            prop_assert_eq!(
                settled.pnl.0 + settled.funding.0,
                settled.realised.cash.0 + settled.realised.claimed.0 as i64
            );
        }
        let after = equity(&market, &trader);
        prop_assert!(after.0 >= before.0 - 1, "{before:?} {after:?}");
        prop_assert!(after.1.abs_diff(before.1) <= 1, "{before:?} {after:?}");
        prop_assert!(market.equity(mark).unwrap().0 >= pool - 1);
        prop_assert_eq!(tokens(&[&market], &[trader]), tokens_before);
        assert_sums(&market, &[trader]);
    }

    /// A position settled at every price ends where one that never was ends.
    #[test]
    fn settling_on_the_way_gains_nothing(
        path in prop::collection::vec(9_000..11_000u64, 1..8),
        long in any::<bool>(),
        size in 1_000..20_000_000u64,
    ) {
        let mut market = market();
        let mut trader = account(dollars(10_000));
        let _ = increase(&mut market, &mut trader, 0, Base(size), long, PRICE).unwrap();
        let (mut still_market, mut still) = (market, trader);
        for cents in &path {
            let mark = Price(cents * 10_000_000 + 7);
            set_price(&mut market, mark);
            set_price(&mut still_market, mark);
            let _ = settle(&mut market, &mut trader, 0, &NOW).unwrap_or_default();
        }
        let mark = market.price.last.price;
        let _ = reduce(&mut market, &mut trader, 0, Base(size), mark, Charge::Trade).unwrap();
        let _ = reduce(&mut still_market, &mut still, 0, Base(size), mark, Charge::Trade).unwrap();
        prop_assert_eq!(trader.collateral, still.collateral);
    }
}

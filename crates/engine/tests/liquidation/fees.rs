//! What a liquidation costs, and who gets it.

use ballast_engine::account::AccountState;
use ballast_engine::error::Error;
use ballast_engine::layout::Key;
use ballast_engine::liquidation::flag;
use ballast_engine::market::MarketState;
use ballast_engine::{Now, Quote, Ratio};

use super::{flag_it, long_at, maintenance, refresh, slots, strike, weaken};
use crate::margin::open;
use crate::support::{NOW, account, dollars, market, tokens, units};

#[test]
fn the_keepers_fee_rises_from_10_to_50_bps_and_the_flagger_gets_a_tenth() {
    for (elapsed, rate) in [(3, 1_480), (10, 2_600), (25, 5_000), (100, 5_000)] {
        let (mut market, mut me) = long_at(9_700, 950_000);
        flag_it(&mut me, &market, &NOW).unwrap();
        let now = slots(&NOW, elapsed);
        refresh(&mut market, &now);
        let insurance = market.pool.insurance;
        let got = strike(&mut market, &mut me, &now).unwrap().unwrap();
        assert_eq!(got.keeper_fee, Quote(got.notional.0 * rate / 1_000_000), "{elapsed}");
        assert_eq!(got.flagger_fee.0, got.keeper_fee.0 / 10);
        // Equity of 2.85 % less that, impact of 20 bps and credit of 10 bps is far above the most of 50 bps.
        assert_eq!(got.insurance_fee, Quote(got.notional.0 * 5_000 / 1_000_000));
        assert_eq!(market.pool.insurance.0 - insurance.0, got.insurance_fee.0);
        assert_eq!(got.from_insurance, Quote::ZERO);
    }
    // Without a flagger its tenth is the insurance's.
    let (mut market, mut me) = long_at(9_700, 950_000);
    let got = maintenance(&me, &[&market], &NOW);
    flag(&mut me, &market, &got, Key::default(), &NOW).unwrap();
    let now = slots(&NOW, 25);
    refresh(&mut market, &now);
    let before = tokens(&[&market], &[me]);
    let got = strike(&mut market, &mut me, &now).unwrap().unwrap();
    let whole = got.notional.0 * 5_000 / 1_000_000;
    assert_eq!((got.keeper_fee.0, got.flagger_fee.0), (whole - whole / 10, 0));
    assert_eq!(market.pool.insurance.0, got.insurance_fee.0 + whole / 10);
    assert_eq!(tokens(&[&market], &[me]) + u128::from(got.keeper_fee.0), before);
}

/// A small flagged account: $55 of notional at 90 % of maintenance.
fn small() -> (MarketState, AccountState, Now) {
    let mut market = market();
    let mut me = account(dollars(1));
    open(&mut market, &mut me, ballast_engine::Base(550_000), true);
    market.pool.insurance = Quote::ZERO;
    weaken(&mut me, &market, &NOW, 900_000);
    flag_it(&mut me, &market, &NOW).unwrap();
    let now = slots(&NOW, 3);
    refresh(&mut market, &now);
    (market, me, now)
}

#[test]
fn the_fees_floor_is_paid_once_per_flag_and_by_insurance_as_far_as_the_hours_cap_goes() {
    let (mut market, mut me, now) = small();
    market.params.keeper_fee_floor = dollars(2);
    market.pool.insurance = dollars(10);
    market.params.keeper_floor_hourly = Quote(600_000);
    let before = (maintenance(&me, &[&market], &now), tokens(&[&market], &[me]));
    let got = strike(&mut market, &mut me, &now).unwrap().unwrap();
    // Closed whole, for the minimum is $50: it frees $1.65, of which the account has $1.485 less the credit.
    assert_eq!(got.notional, dollars(55));
    let paid = got.keeper_fee.0 - got.from_insurance.0;
    assert!(paid > 1_450_000 && paid < 1_485_000, "{got:?}");
    assert_eq!(got.from_insurance, Quote(2_000_000 - paid), "what is missing of $2");
    assert_eq!(market.throttle.floor_paid, got.from_insurance);
    assert_eq!(tokens(&[&market], &[me]) + u128::from(got.keeper_fee.0), before.1);
    assert!(me.collateral.0 < 100, "nothing but the atoms of slack is left, and never less than nothing");

    // The hour's cap, then an empty bucket.
    let again = |market: &mut MarketState, now: &Now| {
        let (_, mut me, _) = small();
        market.long.open_interest = units(1).min(me.position(0).unwrap().base());
        market.long.entry = me.position(0).unwrap().entry;
        market.long.positions = 1;
        strike(market, &mut me, now).unwrap().unwrap().from_insurance
    };
    assert_eq!(again(&mut market, &now), Quote(600_000 - got.from_insurance.0));
    assert_eq!(again(&mut market, &now), Quote::ZERO);
    market.throttle.floor_hour -= 1;
    assert_eq!(again(&mut market, &now), got.from_insurance, "the next hour");
    market.throttle.floor_hour -= 1;
    market.pool.insurance = Quote(100);
    assert_eq!(again(&mut market, &now), Quote(100));
    assert_eq!(market.pool.insurance, Quote::ZERO);

    // Later calls under the same flag have no floor.
    let (mut market, mut me) = long_at(9_700, 700_000);
    market.params.keeper_fee_floor = dollars(60);
    flag_it(&mut me, &market, &NOW).unwrap();
    let now = slots(&NOW, 3);
    refresh(&mut market, &now);
    let got = strike(&mut market, &mut me, &now).unwrap().unwrap();
    assert_eq!(got.keeper_fee, dollars(60));
    let now = slots(&NOW, 5);
    refresh(&mut market, &now);
    let got = strike(&mut market, &mut me, &now).unwrap().unwrap();
    assert_eq!(got.keeper_fee, Quote(got.notional.0 * 1_800 / 1_000_000));
}

/// Attack B6c: fees, impact and credit that add up to more than the account has.
#[test]
fn b6c_fees_cannot_make_an_account_bankrupt() {
    // Equity 0.9 % of notional, keeper 50 bps, impact up to 50 bps, credit 10 bps, insurance fee up to 50 bps.
    let (mut market, mut me) = long_at(9_700, 300_000);
    market.params.liquidation_impact = Ratio(5_000);
    market.price.last.conf = market.price.last.price.portion(Ratio(1_000), ballast_engine::Rounding::Down).unwrap();
    let got = maintenance(&me, &[&market], &NOW);
    me.collateral.0 -= (got.equity.0 - 873_000_000) as u64;
    market.params.keeper_fee_min = Ratio(5_000);
    // Shorts so large that closing the long costs its full impact.
    let mut whale = account(dollars(0));
    open(&mut market, &mut whale, units(249_000), false);
    flag_it(&mut me, &market, &NOW).unwrap();
    let mut now = NOW;
    let (mut paid, mut closed) = (0, 0);
    for _ in 0..100 {
        now = slots(&now, 3);
        let conf = market.price.last.conf;
        refresh(&mut market, &now);
        market.price.last.conf = conf;
        match strike(&mut market, &mut me, &now) {
            Ok(Some(got)) => {
                assert_eq!(got.insurance_fee, Quote::ZERO, "0.9 - 0.5 - 0.5 - 0.1 is less than nothing");
                paid += got.keeper_fee.0;
                closed += got.notional.0;
            }
            Ok(None) => break,
            Err(fault) if fault.error == Error::NotFlagged => break,
            Err(fault) => panic!("{fault:?}"),
        }
        let left = maintenance(&me, &[&market], &now);
        assert!(left.full_equity.0 >= 0, "{left:?}");
    }
    assert!(closed > 20_000_000_000 && paid > 0 && paid <= closed / 200, "{closed} {paid}");
}

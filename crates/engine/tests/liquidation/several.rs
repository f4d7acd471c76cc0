//! Accounts with positions in several markets.

use ballast_engine::error::Error;
use ballast_engine::liquidation::{flag, is_flagged, liquidate};
use ballast_engine::market::MarketState;
use ballast_engine::price::Status;
use ballast_engine::resolve::cover_liquidation;
use ballast_engine::{Price, Quote};

use super::{FLAGGER, maintenance, refresh, slots};
use crate::margin::open;
use crate::support::{NOW, account, dollars, market_at, price, set_price, tokens, units};

#[test]
fn only_the_largest_good_position_is_taken() {
    let (mut a, mut b) = (market_at(0, price(100)), market_at(1, price(100)));
    let mut me = account(dollars(0));
    open(&mut a, &mut me, units(500), true);
    open(&mut b, &mut me, units(1_000), true);
    set_price(&mut a, price(97));
    set_price(&mut b, price(97));
    let got = maintenance(&me, &[&a, &b], &NOW);
    me.collateral.0 =
        me.collateral.0.checked_add_signed(got.requirement.0 as i64 - got.equity.0 - 500_000_000).unwrap();
    let got = maintenance(&me, &[&a, &b], &NOW);
    assert_eq!(flag(&mut me, &a, &got, FLAGGER, &NOW).unwrap_err().error, Error::NotLargestPosition);
    flag(&mut me, &b, &got, FLAGGER, &NOW).unwrap();
    let now = slots(&NOW, 5);
    refresh(&mut a, &now);
    refresh(&mut b, &now);
    let got = maintenance(&me, &[&a, &b], &now);
    let fault = liquidate(&mut a, &mut me, 0, &got, &now).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::NotLargestPosition, 1, 0));
    // B's price ages: A is the largest good one now.
    let then = slots(&now, 11);
    refresh(&mut a, &then);
    let got = maintenance(&me, &[&a, &b], &then);
    assert_eq!(b.status(&then).unwrap(), Status::Ageing);
    assert_eq!(liquidate(&mut b, &mut me, 1, &got, &then).unwrap_err().error, Error::NotLargestPosition);
    let _ = liquidate(&mut a, &mut me, 0, &got, &then).unwrap().unwrap();
}

/// Section 4: a position whose price is not good must not block a liquidation elsewhere, nor its market pay for it.
#[test]
fn an_uncertain_winner_neither_blocks_nor_costs_the_losing_market() {
    let mut markets = [market_at(0, price(100)), market_at(1, price(100))];
    let mut me = account(Quote::ZERO);
    open(&mut markets[0], &mut me, units(1_000), true);
    open(&mut markets[1], &mut me, units(1_100), false);
    // A -$12,000; B +$12,100 at its last valid price, and then uncertain; $4,500 of collateral.
    for market in &mut markets {
        set_price(market, price(88));
    }
    markets[0].params.keeper_fee_floor = Quote::ZERO;
    me.collateral = dollars(4_500);
    let mut now = NOW;
    let insurance = markets[0].pool.insurance;
    let mut flagged = false;
    let mut supply = tokens(&[&markets[0], &markets[1]], &[me]);
    for step in 0..40 {
        now = slots(&now, 5);
        refresh(&mut markets[0], &now);
        markets[1].price.last = markets[0].price.last;
        markets[1].price.last.conf = price(2);
        markets[1].price.slot = now.slot;
        markets[1].price.ema5 = price(88);
        assert_eq!(markets[1].status(&now).unwrap(), Status::Uncertain);
        // The loss on A deepens meanwhile.
        me.positions[0].entry.0 += 300_000_000;
        markets[0].long.entry.0 += 300_000_000;
        let got = maintenance(&me, &[&markets[0], &markets[1]], &now);
        if !flagged || !is_flagged(&me, &now) {
            flagged |= flag(&mut me, &markets[0], &got, FLAGGER, &now).is_ok();
            continue;
        }
        let before = markets[0].long.open_interest;
        let Some(receipt) = liquidate(&mut markets[0], &mut me, 0, &got, &now).unwrap() else { continue };
        let mut entries: Vec<(usize, &mut MarketState)> = markets.iter_mut().enumerate().collect();
        let done = cover_liquidation(&mut me, 0, receipt.fill.realised.unpaid, &mut entries, &now).unwrap();
        assert_eq!(done.deficit, Quote::ZERO);
        assert!(markets[0].long.open_interest < before, "{step}");
        supply -= u128::from(receipt.keeper_fee.0);
        assert_eq!(tokens(&[&markets[0], &markets[1]], &[me]), supply);
        let after = maintenance(&me, &[&markets[0], &markets[1]], &now);
        assert!(after.surplus().unwrap() >= got.surplus().unwrap());
        if me.collateral.is_zero() && receipt.fill.realised.unpaid > Quote::ZERO {
            assert!(me.positions[0].is_open());
            assert!(markets[0].pool.deficits.is_zero() && markets[0].pool.insurance >= insurance);
            return;
        }
    }
    panic!("the case did not come about");
}

/// Were it closed whole there would be nothing to carry the loss, and the liquidation refused.
#[test]
fn beside_an_uncertain_position_a_rest_stays_open() {
    for (conf, left) in [(price(2), 50_000_000), (Price::ZERO, 0)] {
        let mut markets = [market_at(0, price(100)), market_at(1, price(100))];
        let mut me = account(Quote::ZERO);
        open(&mut markets[0], &mut me, units(1_000), true);
        open(&mut markets[1], &mut me, units(900), false);
        for market in &mut markets {
            set_price(market, price(88));
        }
        // Full equity of about $750, at 95 % of B's profit about $200: a tenth of maintenance.
        me.collateral = dollars(2_000);
        markets[1].price.last.conf = conf;
        let got = maintenance(&me, &[&markets[0], &markets[1]], &NOW);
        flag(&mut me, &markets[0], &got, FLAGGER, &NOW).unwrap();
        let now = slots(&NOW, 5);
        refresh(&mut markets[0], &now);
        if conf.is_zero() {
            // P5: what B showed at the flag must not strike again beside a newer price of A.
            let got = maintenance(&me, &[&markets[0], &markets[1]], &now);
            let early = liquidate(&mut markets[0].clone(), &mut me.clone(), 0, &got, &now).unwrap_err();
            assert_eq!(early.error, Error::FlagTooFresh);
            refresh(&mut markets[1], &now);
        }
        let got = maintenance(&me, &[&markets[0], &markets[1]], &now);
        let receipt = liquidate(&mut markets[0], &mut me, 0, &got, &now).unwrap().unwrap();
        assert!(receipt.urgent && receipt.need > dollars(88_000));
        assert_eq!(me.positions[0].base().0, left);
        let mut entries: Vec<(usize, &mut MarketState)> = markets.iter_mut().enumerate().collect();
        let done = cover_liquidation(&mut me, 0, receipt.fill.realised.unpaid, &mut entries, &now).unwrap();
        assert_eq!(done.deficit, Quote::ZERO);
    }
}

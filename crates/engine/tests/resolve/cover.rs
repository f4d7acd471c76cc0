//! Losses that other markets' profits and claims pay, in an account that is not below zero.

use ballast_engine::account::{AccountState, Position};
use ballast_engine::error::Error;
use ballast_engine::market::MarketState;
use ballast_engine::price::Status;
use ballast_engine::resolve::{cover, cover_liquidation};
use ballast_engine::trade::{Charge, reduce};
use ballast_engine::{Price, Quote, SignedBase};

use super::{assert_claims, b1, entries, fall, see, supply};
use crate::margin::open;
use crate::support::{NOW, account, assert_sums, dollars, market_at, price, set_price, units};

/// Closes the position in A whole, as its owner or a liquidation may, and covers the loss.
fn close_a(me: &mut AccountState, markets: &mut [MarketState]) -> Quote {
    let slot = me.find(0).unwrap();
    let size = me.position(slot).unwrap().base();
    let mark = markets[0].price.last.price;
    let fill = reduce(&mut markets[0], me, slot, size, mark, Charge::Plain).unwrap();
    let (a, b) = markets.split_at_mut(1);
    let mut entries: Vec<(usize, &mut MarketState)> = vec![(slot, &mut a[0])];
    if let Some(other) = me.find(1) {
        entries.push((other, &mut b[0]));
        entries.sort_by_key(|(slot, _)| *slot);
    }
    cover(me, slot, fill.realised.unpaid, &mut entries, &NOW).unwrap()
}

/// Attack B1: the losing leg paid by insurance while the winning leg stays the owner's.
#[test]
fn b1_a_losing_leg_is_paid_by_the_winning_one_not_by_insurance() {
    let (mut markets, mut me) = b1();
    fall(&mut markets);
    let before = see(&me, &markets, &NOW);
    // $45,000 but for $200 of premium and what the maintenance price adds.
    assert!((before.full_equity.0 - 44_965_500_000).abs() < 1_000_000, "{before:?}");
    let books = supply(&markets, &[me]);
    let cash = markets[0].pool.cash;
    let rest = close_a(&mut me, &mut markets);
    assert_eq!(rest, Quote::ZERO);
    // A's pool has its $200,100 in cash: $100,000 of collateral and $100,100 of B's profit.
    assert_eq!(markets[0].pool.cash.0 - cash.0, 200_100_000_000);
    // What is left is what the account was worth, not the $145,000 of its winning leg.
    assert_eq!(me.collateral, Quote(44_800_000_000));
    assert_eq!(see(&me, &markets, &NOW).full_equity.0 / 100_000_000, 448);
    for market in &markets {
        assert_eq!((market.pool.insurance, market.pool.deficits), (dollars(50_000), Quote::ZERO));
    }
    assert_eq!(supply(&markets, &[me]), books);
    assert_claims(&markets, &[me]);
}

#[test]
fn b1_a_colluding_hedge_gains_nothing_either() {
    let (mut markets, mut me) = b1();
    // The same person's other account holds the opposite of both.
    let mut hedge = account(dollars(100_000));
    open(&mut markets[0], &mut hedge, units(10_000), false);
    open(&mut markets[1], &mut hedge, units(10_000), true);
    fall(&mut markets);
    let pools = markets.iter().map(|m| m.pool.cash.0).sum::<u64>();
    let insurance = [markets[0].pool.insurance, markets[1].pool.insurance];
    assert_eq!(close_a(&mut me, &mut markets), Quote::ZERO);
    let mut pair = [hedge, me];
    for (whose, index) in [(0, 0), (1, 1), (0, 1)] {
        let (account, market) = (&mut pair[whose], &mut markets[index]);
        let slot = account.find(market.index).unwrap();
        let (size, mark) = (account.position(slot).unwrap().base(), market.price.last.price);
        let fill = reduce(market, account, slot, size, mark, Charge::Plain).unwrap();
        assert_eq!(fill.realised.unpaid, Quote::ZERO);
    }
    // Between them they have what they brought, less the premiums: nobody else paid a thing.
    assert!(pair[0].collateral.0 + pair[1].collateral.0 <= dollars(200_000).0);
    assert!(markets.iter().map(|m| m.pool.cash.0).sum::<u64>() >= pools);
    assert_eq!([markets[0].pool.insurance, markets[1].pool.insurance], insurance);
    assert!(markets.iter().all(|m| m.pool.deficits.is_zero()));
}

#[test]
fn b1_with_a_short_pool_the_rest_is_paid_in_claims_at_face() {
    let (mut markets, mut me) = b1();
    fall(&mut markets);
    markets[1].pool.cash = dollars(50_000);
    let books = supply(&markets, &[me]);
    assert_eq!(close_a(&mut me, &mut markets), Quote::ZERO);
    // Of B's $144,900 of profit $50,000 was there: A has it, and $50,100 of claims; the account keeps $94,900 - $50,100.
    assert_eq!(markets[1].pool.cash, Quote::ZERO);
    assert_eq!(markets[0].held[1].amount, Quote(50_100_000_000));
    assert_eq!(me.collateral, Quote::ZERO);
    let claim = &me.position(me.find(1).unwrap()).unwrap().claim;
    assert_eq!(claim.amount, Quote(44_800_000_000));
    assert_eq!(markets[1].pool.claims, Quote(94_900_000_000));
    assert_eq!(see(&me, &markets, &NOW).full_equity.0 / 1_000_000_000, 44, "claims count at face where P&L is judged");
    assert_eq!(supply(&markets, &[me]), books);
    assert_claims(&markets, &[me]);
}

#[test]
fn cover_takes_cash_first_and_no_more_than_it_needs() {
    let mut markets = vec![market_at(0, price(100)), market_at(1, price(100)), market_at(2, price(100))];
    let mut me = account(Quote::ZERO);
    open(&mut markets[1], &mut me, units(10), true);
    open(&mut markets[2], &mut me, units(10), true);
    open(&mut markets[0], &mut me, units(10), true);
    let entry = me.positions[1].entry;
    for market in &mut markets[1..] {
        set_price(market, price(110));
    }
    let slot = me.find(0).unwrap();
    let books = supply(&markets, &[me]);
    let mut list = entries(&me, &mut markets);
    assert_eq!(cover(&mut me, slot, dollars(60), &mut list, &NOW).unwrap(), Quote::ZERO);
    assert!(me.positions[0].entry > entry && me.positions[1].entry == entry, "only the first was settled");
    let had = me.collateral;
    let mut list = entries(&me, &mut markets);
    // $100 less an atom of premium each was there; $60 is gone.
    let rest = cover(&mut me, slot, dollars(150), &mut list, &NOW).unwrap();
    assert_eq!((rest.0 / 1_000_000, me.collateral), (10, Quote::ZERO), "{had:?} and the second one's $100");
    assert_eq!(supply(&markets, &[me]), books);
}

#[test]
fn profit_whose_price_is_not_good_does_not_cover_and_nobody_else_pays_for_it() {
    let (mut markets, me) = b1();
    fall(&mut markets);
    markets[1].price.last.conf = price(2);
    assert_eq!(markets[1].status(&NOW).unwrap(), Status::Uncertain);
    let (mut trial, mut copy) = (markets.clone(), me);
    let rest = close_a(&mut copy, &mut trial);
    assert_eq!(rest, Quote(100_100_000_000), "what the collateral lacks is handed back, not booked");
    // A liquidation that closed it whole would be refused; of one that left a rest, the rest carries the loss.
    let mut list = entries(&copy, &mut trial);
    assert_eq!(list.len(), 1, "A's slot is free");
    list.insert(0, (0, &mut markets[0]));
    let fault = cover_liquidation(&mut copy, 0, rest, &mut list, &NOW).unwrap_err();
    assert_eq!((fault.error, fault.value), (Error::LossNotCovered, rest.0 as i64));
    let entry = me.positions[0].entry;
    let mut carried = markets.clone();
    let (mut bearer, before) = (me, see(&me, &carried, &NOW).full_equity.0);
    bearer.collateral = Quote::ZERO;
    let mut list = entries(&bearer, &mut carried);
    let done = cover_liquidation(&mut bearer, 0, dollars(7), &mut list, &NOW).unwrap();
    assert_eq!((done.deficit, bearer.positions[0].entry), (Quote::ZERO, entry.plus(dollars(7)).unwrap()));
    assert_eq!(see(&bearer, &carried, &NOW).full_equity.0, before - dollars(100_007).0 as i64);
    assert_sums(&carried[0], &[bearer]);
    // With all prices good a rest of the position still carries it: funding is charged for the whole of a position and its
    // result only for the part that was closed, so the rest may hold the profit that pays.
    markets[1].price.last.conf = Price::ZERO;
    let mut carried = markets.clone();
    let mut list = entries(&me, &mut carried);
    let mut poor = me;
    poor.collateral = Quote::ZERO;
    let done = cover_liquidation(&mut poor, 0, dollars(200_000), &mut list, &NOW).unwrap();
    assert_eq!((done.deficit, done.insurance), (Quote::ZERO, Quote::ZERO));
    assert_eq!((poor.positions[0].entry.0 - entry.0) / 1_000_000, 200_000 - 144_900);
    // Of a position that is closed whole it is the market's, for there is nothing more.
    let mut trial = markets.clone();
    let mut poor = me;
    trial[1].price.last.conf = price(2);
    let _ = close_a(&mut poor, &mut trial);
    trial[1].price.last.conf = Price::ZERO;
    let mut list = entries(&poor, &mut trial);
    list.insert(0, (0, &mut markets[0]));
    let done = cover_liquidation(&mut poor, 0, dollars(200_000), &mut list, &NOW).unwrap();
    assert_eq!(done.deficit.0 / 1_000_000, 200_000 - 144_900);
    assert_eq!(done.insurance, dollars(50_000));
}

#[test]
fn a_holdback_elsewhere_pays_a_liquidated_loss_before_the_market_does() {
    let (mut markets, mut me) = b1();
    let held = dollars(300);
    me.positions[1] =
        Position { market: 1, held, held_size: SignedBase(-1), held_price: price(100), ..me.positions[1] };
    let slot = &mut me.positions[1];
    slot.size = SignedBase(0);
    slot.entry = Quote::ZERO;
    markets[1].price.last.conf = price(2);
    me.collateral = Quote::ZERO;
    let insurance = markets[0].pool.insurance;
    let mut list = entries(&me, &mut markets);
    let _ = cover_liquidation(&mut me, 0, dollars(200), &mut list, &NOW).unwrap();
    assert_eq!((me.collateral, me.positions[1].held), (dollars(100), Quote::ZERO));
    assert_eq!(markets[0].pool.insurance, insurance);
}

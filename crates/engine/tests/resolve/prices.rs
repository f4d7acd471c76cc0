//! Which prices a resolution takes: a silent one, one that stays uncertain, one that is only wide.

use ballast_engine::error::Error;
use ballast_engine::layout::Key;
use ballast_engine::liquidation::flag;
use ballast_engine::market::MarketState;
use ballast_engine::price::Status;
use ballast_engine::{Now, Price, Quote};

use super::{b1, flag_and_refresh, resolve_it, see, supply};
use crate::support::{NOW, later, price, set_price, set_price_at};

#[test]
fn a_silent_market_closes_at_its_last_valid_price_and_pays_no_profit() {
    let (mut markets, mut me) = b1();
    set_price(&mut markets[0], price(60));
    let quiet = later(&NOW, 4_000);
    set_price_at(&mut markets[0], price(60), &quiet);
    let got = see(&me, &markets, &quiet);
    assert_eq!(got.worst, Status::Silent);
    flag(&mut me, &markets[0], &got, Key::default(), &quiet).unwrap();
    let now = later(&quiet, 2);
    set_price_at(&mut markets[0], price(60), &now);
    let done = resolve_it(&mut me, &mut markets, &now).unwrap();
    // B's last valid price is $100, where the position has lost its $100 of premium: only A and B are paid from what there is.
    assert_eq!(done.paid, Quote(100_000_000_000));
    assert!(me.is_flat());
}

/// Published and stored now, too wide to be valid.
fn uncertain(market: &mut MarketState, at: Price, now: &Now) {
    let (valid, slot) = (market.price.valid, market.price.valid_slot);
    set_price_at(market, at, now);
    market.price.last.conf = Price(at.0 / 50);
    (market.price.valid, market.price.valid_slot) = (valid, slot);
    assert_eq!(market.status(now).unwrap(), Status::Uncertain);
}

#[test]
fn a_price_that_stays_uncertain_keeps_an_account_below_zero_waiting_for_an_hour_at_most() {
    let (mut markets, mut me) = b1();
    let see_at = |markets: &mut [MarketState], seconds: i64| {
        let now = later(&NOW, seconds);
        set_price_at(&mut markets[0], price(60), &now);
        uncertain(&mut markets[1], price(90), &now);
        now
    };
    let flagged = see_at(&mut markets, 3_598);
    let got = see(&me, &markets, &flagged);
    flag(&mut me, &markets[0], &got, Key::default(), &flagged).unwrap();
    let hour = see_at(&mut markets, 3_600);
    assert_eq!(resolve_it(&mut me.clone(), &mut markets.clone(), &hour).unwrap_err().error, Error::PriceUncertain);
    let now = see_at(&mut markets, 3_602);
    let books = supply(&markets, &[me]);
    let done = resolve_it(&mut me, &mut markets, &now).unwrap();
    // Nobody is paid by a price that may be wrong: B's position ends at the last valid $100, not at a profit of $100,000.
    assert_eq!(done.paid, Quote(100_000_000_000));
    assert!(me.is_flat());
    assert_eq!(supply(&markets, &[me]), books);
}

#[test]
fn a_resolution_takes_a_price_that_is_only_wide_but_not_one_that_is_old_or_was_seen_before() {
    let (mut markets, mut me) = b1();
    set_price(&mut markets[0], price(70));
    set_price(&mut markets[1], price(95));
    let now = flag_and_refresh(&mut me, &mut markets);
    // Over half the limit of 1 %.
    let widen = |market: &mut MarketState| {
        market.price.last.conf = Price(price(95).0 / 140);
        assert_eq!(market.status(&now).unwrap(), Status::Ageing);
    };
    let mut seen = markets.clone();
    set_price(&mut seen[1], price(95));
    widen(&mut seen[1]);
    assert_eq!(resolve_it(&mut me.clone(), &mut seen, &now).unwrap_err().error, Error::FlagTooFresh);
    let mut old = markets.clone();
    let then = later(&now, 5);
    set_price_at(&mut old[0], price(70), &then);
    assert_eq!(old[1].status(&then).unwrap(), Status::Ageing);
    assert_eq!(resolve_it(&mut me.clone(), &mut old, &then).unwrap_err().error, Error::PriceStale);
    widen(&mut markets[1]);
    let done = resolve_it(&mut me, &mut markets, &now).unwrap();
    assert_eq!(done.paid, Quote(149_900_000_000), "its profit pays, as at a good price");
    assert_eq!(done.deficits[0], Quote(150_200_000_000));
}

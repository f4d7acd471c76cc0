//! The two averages.

use ballast_engine::market::{MarketState, Observation};
use ballast_engine::price::Status;
use ballast_engine::tier::Tier;
use ballast_engine::{Price, Ratio};

use super::{off, post, post_with, slots};
use crate::support::{NOW, PRICE, later, market, price};

#[test]
fn a_new_markets_averages_start_at_its_first_good_price_and_warm_up_for_five_minutes() {
    let mut market = MarketState::new(0, 0, 6, 6, crate::support::params(), NOW.unix).unwrap();
    let (band, rules) = (market.band().unwrap(), market.rules().unwrap());
    let old = Observation { prev_publish_time: 0, publish_time: NOW.unix - 5, price: price(50), conf: Price(0) };
    assert!(market.price.store(old, NOW.slot, band, rules, &NOW).unwrap());
    assert_eq!(
        (market.price.ema5, market.status(&NOW).unwrap()),
        (Price(0), Status::Jumped),
        "an old one does not count"
    );
    assert_eq!(post_with(&mut market, price(60), price(1), &NOW), Status::Uncertain);
    assert_eq!(market.price.ema5, Price(0), "nor an uncertain one");
    let start = later(&NOW, 1);
    assert_eq!(post(&mut market, PRICE, &start), Status::Jumped);
    assert_eq!((market.price.ema5, market.price.ema60, market.price.ema_start), (PRICE, PRICE, start.unix));
    assert_eq!(market.price.valid.publish_time, 0);
    assert_eq!(post(&mut market, PRICE, &later(&start, 299)), Status::Jumped);
    assert_eq!(post(&mut market, PRICE, &later(&start, 300)), Status::Good);
}

#[test]
fn a_window_means_the_same_however_often_prices_are_posted() {
    // One window after a step of 1 % an average has gone 63 % of it: 1 − 1/e.
    for every in [1, 2, 5, 20] {
        let mut market = market();
        let target = off(PRICE, 100);
        for i in 1..=300 / every {
            post(&mut market, target, &later(&NOW, i * every));
        }
        let gone = (market.price.ema5.0 - PRICE.0) * 100 / (target.0 - PRICE.0);
        assert!((57..=64).contains(&gone), "{gone} % at a post every {every} s");
        for i in 300 / every + 1..=3_600 / every {
            post(&mut market, target, &later(&NOW, i * every));
        }
        let gone = (market.price.ema60.0 - PRICE.0) * 100 / (target.0 - PRICE.0);
        assert!((61..=64).contains(&gone), "{gone} % at a post every {every} s");
    }
}

#[test]
fn one_print_after_a_quiet_spell_weighs_five_seconds_at_most() {
    let mut market = market();
    post(&mut market, off(PRICE, 150), &later(&NOW, 3_000));
    let step = off(PRICE, 150).0 - PRICE.0;
    assert_eq!(market.price.ema5.0, PRICE.0 + step * 5 / 305);
    assert_eq!(market.price.ema60.0, PRICE.0 + step * 5 / 3_605);
    // It is the price that stood since, so the next quiet spell counts for it.
    post(&mut market, off(PRICE, 150), &later(&NOW, 6_000));
    assert!(market.price.ema5.0 > PRICE.0 + step * 9 / 10);
}

#[test]
fn a_sample_is_clamped_to_the_average_before_it_counts() {
    // EMA60 at $100, the price confirmed at $50 long since: tier A takes it as $90.
    let mut market = market();
    (market.price.ema5, market.price.ema_sample) = (price(50), price(50));
    post(&mut market, price(50), &later(&NOW, 5));
    assert_eq!(market.price.ema60.0, PRICE.0 - price(10).0 * 5 / 3_605);
    for (tier, share) in [(Tier::A, 10), (Tier::B, 20), (Tier::C, 50)] {
        assert_eq!(tier.rules().ema_clamp, Ratio(share * 10_000));
    }
}

#[test]
fn an_uncertain_price_moves_no_average_and_confirms_nothing() {
    let mut market = market();
    let averages = |m: &MarketState| (m.price.ema5, m.price.ema60, m.price.ema_sample, m.price.ema_time);
    let before = averages(&market);
    for i in 1..=4 {
        assert_eq!(post_with(&mut market, off(PRICE, -500), price(1), &slots(5 * i)), Status::Uncertain);
    }
    assert_eq!(averages(&market), before);
    assert_eq!(market.price.jump_count, 0);
}

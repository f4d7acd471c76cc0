//! Sections 5 and 10: the later-price rule. Nobody can choose the price at which he trades. Market orders here; what waits
//! for a price in the modules.

use std::sync::LazyLock;

use ballast_engine::account::AccountState;
use ballast_engine::constants::{AGEING_SLOTS, FUTURE_TOLERANCE, ORDER_LIFE};
use ballast_engine::market::{MarketState, Observation};
use ballast_engine::order::{Lookup, OrderTerms, check_limit, reduce_mark};
use ballast_engine::price::Status;
use ballast_engine::{Error, Now, Price, SignedBase};
use proptest::prelude::*;

use crate::price::{post, slots};
use crate::support::{NOW, PRICE, later, market, price};

mod bracket;
mod fairness;
mod kinds;
mod life;

/// An account without positions: what a market order's mark does not depend on.
static FLAT: LazyLock<AccountState> = LazyLock::new(AccountState::default);

/// A market order placed at [`NOW`].
fn order(buy: bool) -> OrderTerms {
    OrderTerms {
        size: SignedBase(if buy { 1_000_000 } else { -1_000_000 }),
        placed_at: NOW.unix,
        placed_slot: NOW.slot,
        ..OrderTerms::default()
    }
}

fn store(market: &mut MarketState, observation: Observation, posted: &Now, now: &Now) -> bool {
    let (band, rules) = (market.band().unwrap(), market.rules().unwrap());
    market.price.store(observation, posted.slot, band, rules, now).unwrap()
}

fn seen(market: &MarketState, placed_at: i64) -> Option<i64> {
    match market.price.first_after(placed_at) {
        Lookup::Found(observation) => Some(observation.publish_time),
        Lookup::NotYet | Lookup::Lapsed => None,
    }
}

// The ring

#[test]
fn an_order_finds_the_first_observation_published_after_it() {
    let mut market = market();
    assert_eq!(market.price.first_after(NOW.unix), Lookup::NotYet, "one of the same second is not after it");
    assert_eq!(seen(&market, NOW.unix - 1), Some(NOW.unix));
    for i in 1..=5 {
        post(&mut market, PRICE, &later(&NOW, 2 * i));
    }
    assert_eq!(seen(&market, NOW.unix), Some(NOW.unix + 2));
    assert_eq!(seen(&market, NOW.unix + 1), Some(NOW.unix + 2));
    assert_eq!(seen(&market, NOW.unix + 2), Some(NOW.unix + 4));
    assert_eq!(market.price.first_after(NOW.unix + 10), Lookup::NotYet);
    assert_eq!(MarketState::default().price.first_after(0), Lookup::NotYet);
}

#[test]
fn the_ring_keeps_32_and_says_so_when_an_observation_may_have_left() {
    let mut market = market();
    // The one of NOW is in already: 31 more fill the ring.
    for i in 1..=31 {
        post(&mut market, PRICE, &later(&NOW, i));
        assert_eq!(seen(&market, NOW.unix - 1), Some(NOW.unix));
    }
    assert_eq!(market.price.ring_evicted, 0);
    post(&mut market, PRICE, &later(&NOW, 32));
    assert_eq!(market.price.ring_evicted, NOW.unix);
    assert_eq!(
        market.price.first_after(NOW.unix - 1),
        Lookup::Lapsed,
        "the first after may have been the one that left"
    );
    assert_eq!(seen(&market, NOW.unix), Some(NOW.unix + 1), "what left was not after this one");
    for i in 33..=100 {
        post(&mut market, PRICE, &later(&NOW, i));
        let gone = NOW.unix + i - 32;
        assert_eq!(market.price.first_after(gone - 1), Lookup::Lapsed);
        assert_eq!(seen(&market, gone), Some(gone + 1));
        assert_eq!(seen(&market, NOW.unix + i - 1), Some(NOW.unix + i));
    }
}

proptest! {
    #[test]
    fn the_lookup_agrees_with_a_list_of_all_observations(
        steps in prop::collection::vec(1i64..6, 1..120), back in 0i64..200,
    ) {
        let mut market = market();
        let mut all = vec![NOW.unix];
        let mut now = NOW;
        for step in steps {
            now = later(&now, step);
            post(&mut market, PRICE, &now);
            all.push(now.unix);
        }
        let placed_at = now.unix - back;
        let first = all.iter().position(|time| *time > placed_at);
        let found = market.price.first_after(placed_at);
        match first {
            None => prop_assert_eq!(found, Lookup::NotYet),
            Some(at) if at + 32 >= all.len() => prop_assert_eq!(seen(&market, placed_at), Some(all[at])),
            Some(_) => prop_assert_eq!(found, Lookup::Lapsed),
        }
    }
}

#[test]
fn the_unique_observation_holds_whatever_is_posted_after_it() {
    let mut market = market();
    let at = |prev: i64, time: i64, dollars| Observation {
        prev_publish_time: NOW.unix + prev,
        publish_time: NOW.unix + time,
        price: price(dollars),
        conf: Price(0),
    };
    assert!(store(&mut market, at(0, 1, 101), &later(&NOW, 1), &later(&NOW, 1)), "prev < T + 1 ≤ publish");
    for i in 2..=9 {
        assert!(store(&mut market, at(i - 1, i, 100), &later(&NOW, i), &later(&NOW, i)));
    }
    assert!(!store(&mut market, at(-1, 0, 90), &later(&NOW, 9), &later(&NOW, 9)), "nothing older can be put before it");
    assert!(!store(&mut market, at(0, 1, 90), &later(&NOW, 9), &later(&NOW, 9)), "nor in its place");
    let Lookup::Found(first) = market.price.first_after(NOW.unix) else { panic!("not found") };
    assert_eq!(first, at(0, 1, 101));
    assert!(order(true).mark(&market, &FLAT, &later(&NOW, 9)).unwrap() >= price(101));
}

#[test]
fn a_clock_that_lags_shows_nobody_the_price_that_he_will_trade_at() {
    let mut market = market();
    let placed_at = market.price.placement(&NOW).unwrap();
    // All that a clock so late would have let in already when the order came.
    for ahead in 1..=FUTURE_TOLERANCE {
        post(&mut market, PRICE, &later(&NOW, ahead));
        assert_eq!(market.price.first_after(placed_at), Lookup::NotYet, "{ahead}");
    }
    // What is stored is known, however far ahead of the clock it is.
    assert_eq!(market.price.placement(&NOW).unwrap(), placed_at + FUTURE_TOLERANCE);
    post(&mut market, PRICE, &later(&NOW, FUTURE_TOLERANCE + 1));
    assert_eq!(seen(&market, placed_at), Some(NOW.unix + FUTURE_TOLERANCE + 1));
}

// Life of an order

#[test]
fn an_order_cannot_be_cancelled_in_its_first_ten_seconds() {
    let locked = |seconds| order(true).check_cancel(&market(), &later(&NOW, seconds));
    let fault = locked(9).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::OrderLocked, NOW.unix + 10, NOW.unix + 9));
    assert!(locked(10).is_ok() && locked(11).is_ok());
}

#[test]
fn an_order_is_too_early_then_fills_then_lapses() {
    let mut market = market();
    let order = order(true);
    assert_eq!(order.mark(&market, &FLAT, &NOW).unwrap_err().error, Error::OrderTooEarly);
    assert_eq!(order.dead(&market, &FLAT, &NOW), None, "it can still fill");
    // Published one second after the placement, it can fill for 30 seconds more: kept unfillable for longer, it would be an
    // option on the next jump.
    for i in 1..=31 {
        let now = later(&NOW, i);
        post(&mut market, PRICE, &now);
        assert!(order.mark(&market, &FLAT, &now).is_ok(), "{i}");
        assert_eq!(order.dead(&market, &FLAT, &now), None);
    }
    let now = later(&NOW, 32);
    post(&mut market, PRICE, &now);
    assert_eq!(order.dead(&market, &FLAT, &now), Some(Error::OrderLapsed));
    assert_eq!(order.mark(&market, &FLAT, &now).unwrap_err().error, Error::OrderLapsed);
}

#[test]
fn an_order_never_fills_in_the_slot_it_was_placed_in() {
    let mut market = market();
    let now = Now { unix: NOW.unix + 1, ..NOW };
    post(&mut market, PRICE, &now);
    assert_eq!(order(true).mark(&market, &FLAT, &now).unwrap_err().error, Error::OrderTooEarly);
    assert_eq!(order(true).dead(&market, &FLAT, &now), None);
    assert!(order(true).mark(&market, &FLAT, &Now { slot: NOW.slot + 1, ..now }).is_ok());
}

#[test]
fn an_unconfirmed_jump_is_not_paid_out() {
    let mut market = market();
    let now = later(&NOW, 1);
    post(&mut market, price(108), &now);
    assert_eq!(market.status(&now).unwrap(), Status::Jumped);
    // A long that closes gets the average, less 10 bps; a short that closes pays the jump.
    assert!(reduce_mark(&market, false, &now).unwrap() < market.price.ema5);
    assert!(reduce_mark(&market, true, &now).unwrap() > price(108));
    assert!(order(false).mark(&market, &FLAT, &now).unwrap() < market.price.ema5);
}

#[test]
fn an_order_expires_after_its_last_second() {
    let mut market = market();
    post(&mut market, PRICE, &later(&NOW, 20));
    let order = OrderTerms { expires_at: NOW.unix + 20, ..order(true) };
    assert!(order.mark(&market, &FLAT, &later(&NOW, 20)).is_ok());
    assert_eq!(order.mark(&market, &FLAT, &later(&NOW, 21)).unwrap_err().error, Error::OrderExpired);
    assert_eq!(order.dead(&market, &FLAT, &later(&NOW, 21)), Some(Error::OrderExpired));
}

#[test]
fn an_order_from_before_a_restart_is_void() {
    let mut market = market();
    let now = later(&NOW, 4);
    post(&mut market, PRICE, &now);
    let restart = |restart_slot| order(true).dead(&market, &FLAT, &Now { restart_slot, ..now });
    assert_eq!(restart(NOW.slot - 1), None);
    assert_eq!(restart(NOW.slot), Some(Error::OrderLapsed));
}

// The mark

#[test]
fn the_mark_is_the_worse_of_two_prices_worsened() {
    let mut market = market();
    post(&mut market, price(101), &slots(3));
    post(&mut market, Price(price(100).0 + price(1).0 / 2), &slots(8));
    let bps = price(1).0 / 100;
    // Buy: the observation at 101 is the worse; its confidence of 1.01 bps of $100 is the larger one.
    assert_eq!(order(true).mark(&market, &FLAT, &slots(8)).unwrap(), Price(price(101).0 + price(101).0 / 10_000));
    // Sell: the current one at 100.50 is.
    assert_eq!(
        order(false).mark(&market, &FLAT, &slots(8)).unwrap(),
        Price(price(100).0 + 50 * bps - price(101).0 / 10_000)
    );
    // Three slots later the price may have moved 9 bps, more than its confidence.
    let drift = (price(100).0 + 50 * bps) / 10_000 * 9;
    assert_eq!(order(true).mark(&market, &FLAT, &slots(11)).unwrap(), Price(price(101).0 + drift));
    assert_eq!(order(false).mark(&market, &FLAT, &slots(11)).unwrap(), Price(price(100).0 + 50 * bps - drift));
}

#[test]
fn a_stale_or_silent_price_fills_nothing_and_the_states_between_do() {
    let mut market = market();
    let now = later(&NOW, 1);
    post(&mut market, PRICE, &now);
    let tries = |market: &MarketState, now: &Now| {
        let (order, reduce) = (order(true).mark(market, &FLAT, now), reduce_mark(market, true, now));
        assert_eq!(order.err(), reduce.err());
        order.err().map(|fault| (fault.error, fault.limit, fault.value))
    };
    let old = |slots| Now { slot: now.slot + slots, ..now };
    assert_eq!(tries(&market, &old(AGEING_SLOTS)), None);
    assert_eq!(tries(&market, &old(26)), Some((Error::PriceStale, 25, 26)));
    let silent = later(&now, 3_601);
    assert_eq!(
        order(true).mark(&market, &FLAT, &silent).unwrap_err().error,
        Error::OrderLapsed,
        "it lapses long before"
    );
    assert_eq!(reduce_mark(&market, true, &silent).unwrap_err().error, Error::PriceSilent);
    market.price.last.price = price(90);
    assert_eq!(market.status(&now).unwrap(), Status::Jumped);
    assert_eq!(tries(&market, &now), None);
    market.price.last.conf = price(2);
    assert_eq!(market.status(&now).unwrap(), Status::Uncertain);
    assert_eq!(tries(&market, &now), None);
    assert_eq!(order(false).mark(&market, &FLAT, &now).unwrap(), price(88), "at the worse end");
    assert_eq!(reduce_mark(&market, false, &now).unwrap(), price(88));
}

#[test]
fn an_immediate_reduction_pays_at_least_ten_bps() {
    let mut market = market();
    let bps = PRICE.0 / 10_000;
    let both = |market: &MarketState, now: &Now| [true, false].map(|buy| reduce_mark(market, buy, now).unwrap().0);
    let around = |distance| [PRICE.0 + distance, PRICE.0 - distance];
    assert_eq!(both(&market, &NOW), around(10 * bps));
    assert_eq!(both(&market, &slots(3)), around(10 * bps), "9 bps of drift are less");
    assert_eq!(both(&market, &slots(4)), around(12 * bps), "12 are more");
    market.price.last.conf = Price(40 * bps);
    assert_eq!(both(&market, &slots(4)), around(40 * bps), "the confidence is the most");
}

#[test]
fn a_sell_never_falls_below_one_atom() {
    let mut market = market();
    market.price.last.conf = price(500);
    assert_eq!(reduce_mark(&market, false, &NOW).unwrap(), Price(1));
}

#[test]
fn a_limit_holds_to_the_atom() {
    let fault = check_limit(Price(101), true, Price(100)).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::SlippageExceeded, 100, 101));
    assert!(check_limit(Price(100), true, Price(100)).is_ok());
    assert!(check_limit(Price(100), false, Price(100)).is_ok());
    assert_eq!(check_limit(Price(99), false, Price(100)).unwrap_err().error, Error::SlippageExceeded);
    assert!(check_limit(Price(u64::MAX), true, Price(0)).is_ok() && check_limit(Price(1), false, Price(0)).is_ok());
}

// Attacks

/// True prices, one a slot, that move at most a tier's move per slot; the oracle publishes the last one of each second.
#[derive(Clone, Debug)]
struct Path {
    prices: Vec<u64>,
}

impl Path {
    /// Steps in thousandths of the largest move.
    fn new(steps: &[i64]) -> Self {
        // 3 bps of the least price that the walk can reach, so that the sum of steps is within the drift.
        let least = PRICE.0 - PRICE.0 * 3 / 10_000 * steps.len() as u64;
        let most = (least * 3 / 10_000) as i64;
        let mut now = PRICE.0 as i64;
        let mut prices = vec![PRICE.0];
        for step in steps {
            now += most * step / 1_000;
            prices.push(now as u64);
        }
        Self { prices }
    }
    /// What the oracle published in a second: the price at its last slot.
    fn published(&self, second: i64) -> Observation {
        let of = |slot: &usize| slots(*slot as u64).unix == second;
        let last = (0..self.prices.len()).rev().find(of).unwrap();
        let price = Price(self.prices[last]);
        Observation { prev_publish_time: second - 1, publish_time: second, price, conf: Price(0) }
    }
}

/// What the buy, the sell, and both together gain, in price atoms; `None` where one did not fill.
type Gains = (Option<i64>, Option<i64>, Option<i64>);

/// Plays one choice of an attacker with two orders placed at [`NOW`]: which updates he posts, how many seconds late, and
/// when he fills each. A gain is against the true price of the slot in which it fills.
fn play(path: &Path, posts: &[Option<i64>], buy_at: u64, sell_at: u64) -> Gains {
    let mut market = market();
    let (mut bought, mut sold) = (None, None);
    for slot in 1..path.prices.len() as u64 - 3 {
        let now = slots(slot);
        let over = slots(slot + 1).unix > now.unix;
        if let Some(late) = posts[slot as usize % posts.len()]
            && (over || late > 0)
            && now.unix - late > NOW.unix
        {
            // Posting is free for him: price and time are the oracle's.
            store(&mut market, path.published(now.unix - late), &now, &now);
        }
        let truth = path.prices[slot as usize] as i64;
        if bought.is_none() && slot >= buy_at {
            bought = order(true).mark(&market, &FLAT, &now).ok().map(|mark| (mark.0 as i64, truth));
        }
        if sold.is_none() && slot >= sell_at {
            sold = order(false).mark(&market, &FLAT, &now).ok().map(|mark| (mark.0 as i64, truth));
        }
    }
    let pair = bought.zip(sold).map(|(buy, sell)| sell.0 - buy.0);
    (bought.map(|(mark, truth)| truth - mark), sold.map(|(mark, truth)| mark - truth), pair)
}

proptest! {
    #[test]
    fn keeping_the_better_of_a_buy_and_a_sell_gains_nothing(
        steps in prop::collection::vec(-1_000i64..=1_000, 60), posts in prop::collection::vec(prop::option::of(0i64..8), 7..60),
        buy_at in 1u64..50, sell_at in 1u64..50,
    ) {
        let path = Path::new(&steps);
        let (buy, sell, pair) = play(&path, &posts, buy_at, sell_at);
        // Whichever he keeps and hedges where the true price is, and whenever he fills it; the other lapses.
        prop_assert!(buy.unwrap_or(0) <= 0, "the buy gains {:?}", buy);
        prop_assert!(sell.unwrap_or(0) <= 0, "the sell gains {:?}", sell);
        // Nor do both together.
        prop_assert!(pair.unwrap_or(0) <= 0, "the pair gains {:?}", pair);
    }

    #[test]
    fn a_mark_is_never_better_than_either_price(
        prints in prop::collection::vec((-140i64..=140, 1i64..9, 0u64..3_000_000_000), 1..40), age in 0u64..=25,
    ) {
        let mut market = market();
        let mut now = NOW;
        for (bps, seconds, conf) in prints {
            now = later(&now, seconds);
            let moved = Price((PRICE.0 as i64 + PRICE.0 as i64 / 10_000 * bps) as u64);
            let observation = Observation {
                prev_publish_time: market.price.last.publish_time, publish_time: now.unix, price: moved, conf: Price(conf),
            };
            store(&mut market, observation, &now, &now);
            let at = Now { slot: now.slot + age, ..now };
            let Lookup::Found(first) = market.price.first_after(NOW.unix) else { continue };
            if at.unix > first.publish_time + ORDER_LIFE {
                prop_assert_eq!(order(true).mark(&market, &FLAT, &at).unwrap_err().error, Error::OrderLapsed);
                continue;
            }
            let last = market.price.last;
            let distance = first.conf.max(last.conf).max(market.drift(&at).unwrap());
            let buy = order(true).mark(&market, &FLAT, &at).unwrap();
            let sell = order(false).mark(&market, &FLAT, &at).unwrap();
            prop_assert!(buy >= first.price.plus(distance).unwrap() && buy >= last.price.plus(distance).unwrap());
            prop_assert!(sell <= first.price.less(distance).unwrap() && sell <= last.price.less(distance).unwrap());
            // And an immediate reduction is never better than the current price, worsened.
            prop_assert!(reduce_mark(&market, true, &at).unwrap() >= last.price.portion(ballast_engine::Ratio(1_001_000),
                ballast_engine::Rounding::Up).unwrap());
        }
    }
}

#[test]
fn once_anybody_has_posted_a_jump_neither_of_two_resting_orders_keeps_the_old_price() {
    // $1M long and short rest since T, the market jumps 50 bps at T + 10 s. The long pays the new price and more, the
    // short gets the old one and less; posting the price of T + 8 s again does nothing.
    let mut market = market();
    for seconds in [1, 8] {
        post(&mut market, PRICE, &later(&NOW, seconds));
    }
    let (jumped, now) = (Price(PRICE.0 + PRICE.0 / 200), later(&NOW, 10));
    post(&mut market, jumped, &now);
    let old = Observation { price: PRICE, publish_time: NOW.unix + 8, ..market.price.last };
    assert!(!store(&mut market, old, &now, &now));
    assert!(order(true).mark(&market, &FLAT, &now).unwrap() > jumped);
    assert!(order(false).mark(&market, &FLAT, &now).unwrap() < PRICE);
}

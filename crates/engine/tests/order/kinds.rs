//! Limit orders, stop entries, stops, targets, trails: what each waits for, and what it fills at.

use ballast_engine::account::AccountState;
use ballast_engine::constants::{MAX_ORDERS, ORDER_LIFE, ORDER_LOCK, PLACEMENT_LAG};
use ballast_engine::market::MarketState;
use ballast_engine::order::{Kind, OrderTerms, Progress, Stage, reduce_mark};
use ballast_engine::{Error, Now, Price, Quote, SignedBase};

use crate::price::post;
use crate::support::{NOW, PRICE, account, dollars, later, market, price, units};

/// Buys ten units at $98 or better.
pub(super) fn limit_buy() -> OrderTerms {
    OrderTerms { size: SignedBase(10_000_000), limit: price(98), kind: Kind::Limit as u8, ..placed() }
}

/// Buys ten units once the price is $102 or more.
pub(super) fn stop_buy() -> OrderTerms {
    OrderTerms { size: SignedBase(10_000_000), trigger: price(102), kind: Kind::Stop as u8, ..placed() }
}

/// Closes a long of ten units at $95 or less, or at $110 or more.
pub(super) fn exit_sell() -> OrderTerms {
    OrderTerms {
        size: SignedBase(-10_000_000),
        stop: price(95),
        target: price(110),
        kind: Kind::Exit as u8,
        reduce_only: 1,
        generation: 1,
        ..placed()
    }
}

fn placed() -> OrderTerms {
    OrderTerms { placed_at: NOW.unix, since: NOW.unix, placed_slot: NOW.slot, ..OrderTerms::default() }
}

/// The mirror image: what a buy waits for below $100 a sell waits for above it.
pub(super) fn mirrored(terms: OrderTerms) -> OrderTerms {
    let other = |level: Price| if level.is_zero() { level } else { Price(2 * PRICE.0 - level.0) };
    OrderTerms {
        size: SignedBase(-terms.size.0),
        limit: other(terms.limit),
        trigger: other(terms.trigger),
        stop: other(terms.stop),
        target: other(terms.target),
        ..terms
    }
}

/// An account with ten units long, or short, and that position numbered 1.
pub(super) fn holder(market: &mut MarketState, long: bool) -> AccountState {
    let mut holder = account(dollars(10_000));
    let _ = ballast_engine::trade::increase(market, &mut holder, 0, units(10), long, PRICE).unwrap();
    assert_eq!(holder.positions[0].generation, 1);
    holder
}

/// Posts prices in dollars, one a second from [`NOW`] on; the clock then.
pub(super) fn posts(market: &mut MarketState, dollars: &[u64]) -> Now {
    let mut now = NOW;
    for price_now in dollars {
        now = later(&NOW, market.price.last.publish_time - NOW.unix + 1);
        post(market, price(*price_now), &now);
    }
    now
}

/// When, in seconds from [`NOW`], its condition was met, and what was.
fn met(terms: &OrderTerms, market: &MarketState, now: &Now) -> Option<(i64, u8)> {
    let (Progress { triggered_at, fired, .. }, _) = terms.follow(market, now).unwrap();
    (fired != 0).then_some((triggered_at - NOW.unix, fired))
}

/// When the observation that it fills by was published.
fn fills_by(terms: &OrderTerms, market: &MarketState, now: &Now) -> Option<i64> {
    match terms.follow(market, now).unwrap().1 {
        Stage::Ready(seen) => Some(seen.publish_time - NOW.unix),
        Stage::Untriggered | Stage::Triggered | Stage::Late => None,
    }
}

#[test]
fn each_kind_waits_for_its_price_then_for_the_next() {
    // Terms, prices from one second on, when which condition is met, when the observation is published.
    type Case = (OrderTerms, &'static [u64], Option<(i64, u8)>, Option<i64>);
    let cases: [Case; 8] = [
        (limit_buy(), &[99, 99, 99], None, None),
        (limit_buy(), &[99, 98, 97], Some((2, 1)), Some(3)),
        (limit_buy(), &[99, 98, 99, 97], Some((2, 1)), Some(4)),
        (stop_buy(), &[101, 102, 101], Some((2, 1)), Some(3)),
        (stop_buy(), &[101, 101, 102], Some((3, 1)), None),
        (exit_sell(), &[96, 96, 109], None, None),
        (exit_sell(), &[96, 95, 97], Some((2, 2)), Some(3)),
        (exit_sell(), &[109, 111, 109], Some((2, 3)), Some(3)),
    ];
    for (terms, dollars, when, by) in cases {
        for mirror in [false, true] {
            let mut market = market();
            let terms = if mirror { mirrored(terms) } else { terms };
            let dollars: Vec<u64> = dollars.iter().map(|d| if mirror { 200 - d } else { *d }).collect();
            let now = posts(&mut market, &dollars);
            assert_eq!(
                (met(&terms, &market, &now), fills_by(&terms, &market, &now)),
                (when, by),
                "{terms:?} {dollars:?}"
            );
            let holder = holder(&mut market, !terms.buys());
            let mark = terms.mark(&market, &holder, &now);
            match (when, by) {
                (None, _) => assert_eq!(mark.unwrap_err().error, Error::OrderNotTriggered),
                (Some(_), None) => assert_eq!(mark.unwrap_err().error, Error::OrderTooEarly),
                (Some(_), Some(_)) => assert!(mark.is_ok()),
            }
        }
    }
}

#[test]
fn only_what_is_published_after_the_placement_counts() {
    let mut market = market();
    let terms = OrderTerms { since: NOW.unix + PLACEMENT_LAG, placed_at: NOW.unix + PLACEMENT_LAG, ..limit_buy() };
    let now = posts(&mut market, &[97, 97]);
    assert_eq!(met(&terms, &market, &now), None, "known, or knowable, when it was placed");
    let now = posts(&mut market, &[97]);
    assert_eq!(met(&terms, &market, &now), Some((3, 1)));
}

#[test]
fn an_uncertain_price_meets_nothing_and_moves_no_trail() {
    let mut market = market();
    let wide = |market: &mut MarketState, dollars: u64, seconds: i64| {
        post(market, price(dollars), &later(&NOW, seconds));
        let at = (market.price.ring_next as usize + 31) % 32;
        // Over tier A's limit of 1 %.
        market.price.ring[at].conf = price(2);
    };
    wide(&mut market, 94, 1);
    wide(&mut market, 120, 2);
    let now = later(&NOW, 2);
    assert_eq!(met(&exit_sell(), &market, &now), None);
    let trailing = OrderTerms { trail: price(3), stop: Price(0), target: Price(0), ..exit_sell() };
    assert_eq!(trailing.follow(&market, &now).unwrap().0.stop, Price(0));
    post(&mut market, price(120), &later(&NOW, 3));
    assert_eq!(trailing.follow(&market, &later(&NOW, 3)).unwrap().0.stop, price(117));
}

#[test]
fn a_trail_follows_the_best_price_and_never_goes_back() {
    for mirror in [false, true] {
        let trailing = OrderTerms { trail: price(3), target: Price(0), stop: price(96), ..exit_sell() };
        let mut terms = if mirror { mirrored(trailing) } else { trailing };
        terms.trail = price(3);
        let mut market = market();
        for (dollars, stop, fires) in
            [(98, 96, false), (101, 98, false), (99, 98, false), (105, 102, false), (103, 102, false), (102, 102, true)]
        {
            let (dollars, stop) = if mirror { (200 - dollars, 200 - stop) } else { (dollars, stop) };
            let now = posts(&mut market, &[dollars]);
            let (progress, _) = terms.follow(&market, &now).unwrap();
            assert_eq!((progress.stop, progress.fired == 2), (price(stop), fires), "{dollars}");
        }
        // Recorded on the way, it is the same, and what moved it does not meet it.
        let mut market = crate::support::market();
        for (dollars, stop) in [(98, 96), (105, 102), (103, 102)] {
            let (dollars, stop) = if mirror { (200 - dollars, 200 - stop) } else { (dollars, stop) };
            let now = posts(&mut market, &[dollars]);
            let moved = terms.record(&market, &now);
            assert_eq!(moved.is_ok(), dollars == if mirror { 95 } else { 105 }, "{dollars}: {moved:?}");
            assert_eq!((terms.stop, terms.triggered_at), (price(stop), 0));
        }
    }
}

#[test]
fn a_limit_order_fills_within_its_limit_by_the_first_price_whose_worse_end_is() {
    let mut market = market();
    // At $97.995 the worse end is over the limit, by a confidence of a basis point.
    post(&mut market, price(98), &later(&NOW, 1));
    post(&mut market, Price(price(98).0 - price(1).0 / 200), &later(&NOW, 2));
    let terms = limit_buy();
    assert_eq!(fills_by(&terms, &market, &later(&NOW, 2)), None);
    let now = later(&NOW, 3);
    post(&mut market, price(97), &now);
    assert_eq!(fills_by(&terms, &market, &now), Some(3));
    assert!(terms.mark(&market, &account(dollars(1)), &now).unwrap() <= price(98));
}

#[test]
fn any_condition_but_a_stop_counts_for_thirty_seconds() {
    for (terms, near, far) in [(limit_buy(), 97, 99), (stop_buy(), 103, 101), (exit_sell(), 111, 105)] {
        let mut market = market();
        let holder = holder(&mut market, !terms.buys());
        posts(&mut market, &[near, near, far]);
        let last = later(&NOW, 1 + ORDER_LIFE);
        assert_eq!((met(&terms, &market, &last).unwrap().0, fills_by(&terms, &market, &last)), (1, Some(2)));
        // Then the second one meets it, and what follows is not within the limit, or is what it fills by.
        let over = later(&last, 1);
        assert_eq!(met(&terms, &market, &over).unwrap().0, 2);
        assert_eq!(fills_by(&terms, &market, &over), (terms.limit.is_zero()).then_some(3));
        let over = later(&last, 2);
        assert_eq!((met(&terms, &market, &over), fills_by(&terms, &market, &over)), (None, None));
        assert_eq!(terms.dead(&market, &holder, &over), None, "it waits");
        let mut recorded = terms;
        let nothing = recorded.record(&market, &last).unwrap_err();
        assert_eq!((nothing.error, recorded), (Error::OrderNotTriggered, terms), "there is nothing to record");
    }
}

#[test]
fn a_stop_that_was_met_stays_so_and_fills_as_a_reduction_when_its_price_is_gone() {
    let mut market = market();
    let holder = holder(&mut market, true);
    let mut terms = exit_sell();
    let now = posts(&mut market, &[95]);
    terms.record(&market, &now).unwrap();
    assert_eq!(terms.triggered_at, NOW.unix + 1);
    assert_eq!(terms.record(&market, &now).unwrap_err().error, Error::OrderNotTriggered, "once");
    // The price is back, its observation gets too old, and leaves the ring.
    for seconds in 2..=60 {
        let now = later(&NOW, seconds);
        post(&mut market, price(100), &now);
        let mark = terms.mark(&market, &holder, &now).unwrap();
        if seconds <= 2 + ORDER_LIFE {
            assert!(mark > reduce_mark(&market, false, &now).unwrap(), "{seconds}");
        } else {
            assert_eq!(mark, reduce_mark(&market, false, &now).unwrap(), "{seconds}");
        }
        assert_eq!(terms.dead(&market, &holder, &now), None);
    }
    // Not recorded, it was forgotten with the ring: that is what recording is for.
    assert_eq!(exit_sell().follow(&market, &later(&NOW, 60)).unwrap().1, Stage::Untriggered);
}

#[test]
fn the_fill_is_the_worse_of_observation_and_current_price() {
    let mut market = market();
    let holder = holder(&mut market, true);
    let terms = OrderTerms { limit: Price(0), ..exit_sell() };
    let now = posts(&mut market, &[95, 94, 93, 96]);
    // By the observation at $94: at $96 now it fills no better.
    assert!(terms.mark(&market, &holder, &now).unwrap() < price(94));
    let now = posts(&mut market, &[90]);
    assert!(terms.mark(&market, &holder, &now).unwrap() < price(90));
}

#[test]
fn an_order_is_of_the_position_it_was_placed_for() {
    let mut market = market();
    let mut holder = holder(&mut market, true);
    let terms = exit_sell();
    let now = posts(&mut market, &[95, 95]);
    assert_eq!(terms.dead(&market, &holder, &now), None);
    let add = |market: &mut MarketState, holder: &mut AccountState| {
        let _ = ballast_engine::trade::increase(market, holder, 0, units(5), true, PRICE).unwrap();
    };
    let close = |market: &mut MarketState, holder: &mut AccountState, many| {
        let charge = ballast_engine::trade::Charge::Trade;
        let _ = ballast_engine::trade::reduce(market, holder, 0, units(many), PRICE, charge).unwrap();
    };
    add(&mut market, &mut holder);
    close(&mut market, &mut holder, 3);
    assert_eq!(terms.dead(&market, &holder, &now), None, "a position that grows or shrinks is the same one");
    close(&mut market, &mut holder, 12);
    assert_eq!(terms.dead(&market, &holder, &now), Some(Error::PositionNotFound));
    // Opened again, in the same slot and in another one: it is another position.
    add(&mut market, &mut holder);
    assert_eq!(terms.dead(&market, &holder, &now), Some(Error::PositionNotFound));
    assert_eq!(terms.mark(&market, &holder, &now).unwrap_err().error, Error::PositionNotFound);
    holder.positions.swap(0, 5);
    assert_eq!(terms.dead(&market, &holder, &now), Some(Error::PositionNotFound));
}

#[test]
fn numbers_of_positions_never_come_back() {
    let mut market = market();
    let mut trader = account(dollars(10_000));
    for opened in 1..=5 {
        let slot = opened % 3;
        let _ = ballast_engine::trade::increase(&mut market, &mut trader, slot, units(1), true, PRICE).unwrap();
        assert_eq!((trader.positions[slot].generation, trader.opened), (opened as u64, opened as u64));
        let charge = ballast_engine::trade::Charge::Trade;
        let _ = ballast_engine::trade::reduce(&mut market, &mut trader, slot, units(1), PRICE, charge).unwrap();
    }
}

#[test]
fn what_opens_does_not_outlive_a_restart_and_what_closes_does() {
    let mut market = market();
    let holder = holder(&mut market, true);
    let now = Now { restart_slot: NOW.slot, ..posts(&mut market, &[95, 95]) };
    assert_eq!(limit_buy().dead(&market, &holder, &now), Some(Error::OrderLapsed));
    assert_eq!(exit_sell().dead(&market, &holder, &now), None);
    market.price.slot = NOW.slot;
    assert_eq!(
        exit_sell().mark(&market, &holder, &now).unwrap_err().error,
        Error::PriceStale,
        "at a price from after it"
    );
}

// Placing

fn place(terms: OrderTerms, trader: &mut AccountState) -> Result<OrderTerms, Error> {
    let mut terms = terms;
    terms.place(&market(), trader, &NOW).map_err(|fault| fault.error).map(|()| terms)
}

#[test]
fn terms_that_do_not_go_together_are_refused() {
    let invalid =
        |terms: OrderTerms| assert_eq!(terms.check().unwrap_err().error, Error::OrderTermsInvalid, "{terms:?}");
    let (limit, stop, exit) = (limit_buy(), stop_buy(), exit_sell());
    let market = OrderTerms { size: SignedBase(1), ..OrderTerms::default() };
    for terms in [limit, stop, exit, market] {
        assert!(terms.check().is_ok());
        assert!(mirrored(OrderTerms { size: SignedBase(i64::MAX * terms.size.0.signum()), ..terms }).check().is_ok());
        assert_eq!(OrderTerms { size: SignedBase(0), ..terms }.check().unwrap_err().error, Error::AmountZero);
        assert_eq!(OrderTerms { size: SignedBase(i64::MIN), ..terms }.check().unwrap_err().error, Error::MathOverflow);
        invalid(OrderTerms { kind: 4, ..terms });
        for over in [Price((1 << 58) + 1), Price(u64::MAX)] {
            invalid(OrderTerms { trail: over, ..terms });
            invalid(OrderTerms { target: over, ..terms });
        }
    }
    invalid(OrderTerms { limit: Price(0), ..limit });
    invalid(OrderTerms { trigger: Price(0), ..stop });
    invalid(OrderTerms { reduce_only: 1, ..stop });
    for terms in [limit, exit, market] {
        invalid(OrderTerms { trigger: price(99), ..terms });
    }
    invalid(OrderTerms { reduce_only: 0, ..exit });
    invalid(OrderTerms { stop: Price(0), target: Price(0), ..exit });
    // Stop and target on the wrong sides, of exits and of a bracket.
    invalid(OrderTerms { stop: price(110), target: price(95), ..exit });
    invalid(OrderTerms { stop: price(110), target: price(110), ..exit });
    for entry in [limit, stop, market] {
        assert!(OrderTerms { stop: price(95), target: price(110), ..entry }.check().is_ok());
        invalid(OrderTerms { stop: price(110), target: price(95), ..entry });
        invalid(OrderTerms { stop: price(95), reduce_only: 1, ..entry });
    }
}

#[test]
fn placing_takes_the_fees_and_binds_a_reduction_to_its_position() {
    let fee = market().params.order_fee;
    let mut trader = account(dollars(100));
    let placed = place(limit_buy(), &mut trader).unwrap();
    assert_eq!((placed.fee, placed.exit_fee, placed.generation), (fee, Quote(0), 0));
    assert_eq!((placed.since, placed.placed_at), (NOW.unix + PLACEMENT_LAG, NOW.unix + PLACEMENT_LAG));
    assert_eq!((trader.collateral, trader.orders, trader.next_order), (dollars(100).less(fee).unwrap(), 1, 1));
    // A bracket's two fees, of which one is for the exits.
    let bracket = place(OrderTerms { stop: price(90), ..limit_buy() }, &mut trader).unwrap();
    assert_eq!((bracket.fee, bracket.exit_fee), (Quote(2 * fee.0), fee));
    assert_eq!(trader.collateral, Quote(dollars(100).0 - 3 * fee.0));

    assert_eq!(place(exit_sell(), &mut trader), Err(Error::PositionNotFound));
    let mut market = market();
    let mut holder = holder(&mut market, true);
    holder.positions[0].generation = 7;
    let exit = place(OrderTerms { generation: 99, triggered_at: 5, ..exit_sell() }, &mut holder).unwrap();
    assert_eq!((exit.generation, exit.triggered_at), (7, 0), "nothing is the owner's word");
    assert_eq!(place(mirrored(exit_sell()), &mut holder), Err(Error::PositionNotFound), "it would not reduce");
}

#[test]
fn placing_refuses_what_could_never_fill() {
    let mut trader = account(dollars(100));
    assert_eq!(place(OrderTerms { expires_at: NOW.unix, ..limit_buy() }, &mut trader), Err(Error::OrderExpired));
    trader.orders = MAX_ORDERS;
    assert_eq!(place(limit_buy(), &mut trader), Err(Error::OrderLimit));
    trader.orders = 0;
    trader.collateral = Quote(99_999);
    assert_eq!(place(limit_buy(), &mut trader), Err(Error::InsufficientCollateral));
    trader.collateral = Quote(199_999);
    assert_eq!(place(OrderTerms { trail: price(1), ..limit_buy() }, &mut trader), Err(Error::InsufficientCollateral));
    trader.flag.slot = NOW.slot;
    assert_eq!(place(limit_buy(), &mut trader), Err(Error::FlaggedAccount));
    let mut closing = market();
    closing.governed.closing_since = 1;
    let refused = limit_buy().place(&closing, &mut account(dollars(1)), &NOW).unwrap_err();
    assert_eq!(refused.error, Error::MarketReduceOnly);
}

/// While a price is bad nothing leaves an account with positions; so what may open would pay nobody for clearing it away.
#[test]
fn beside_a_bad_price_a_position_places_exits_for_nothing_and_no_entries() {
    let mut market = market();
    let mut holder = holder(&mut market, true);
    let fee = market.params.order_fee;
    let place = |mut terms: OrderTerms, holder: &mut AccountState, seconds| {
        terms.place(&market, holder, &later(&NOW, seconds)).map_err(|fault| fault.error).map(|()| terms.fee)
    };
    assert_eq!(place(limit_buy(), &mut holder, 4), Ok(fee));
    assert_eq!(place(limit_buy(), &mut holder, 5), Err(Error::PriceStale));
    assert_eq!(place(exit_sell(), &mut holder, 5), Ok(Quote(0)));
    assert_eq!(exit_sell().fees(&market), Ok(fee), "which a delegate's budget is charged with");
    assert_eq!(OrderTerms { stop: price(90), ..limit_buy() }.fees(&market), Ok(Quote(2 * fee.0)));
    // What is flat has nothing that a price could change.
    assert_eq!(place(limit_buy(), &mut account(dollars(100)), 5), Ok(fee));
}

#[test]
fn an_order_is_locked_for_ten_seconds_after_it_was_placed_and_after_it_was_met() {
    let mut market = market();
    let terms = limit_buy();
    let locked = |market: &MarketState, seconds| terms.check_cancel(market, &later(&NOW, seconds)).is_err();
    assert!(locked(&market, ORDER_LOCK - 1) && !locked(&market, ORDER_LOCK));
    posts(&mut market, &[100]);
    post(&mut market, price(97), &later(&NOW, 20));
    // Whoever knows the next price before it is stored could take this one or leave it.
    assert!(locked(&market, 20) && locked(&market, 20 + ORDER_LOCK - 1) && !locked(&market, 20 + ORDER_LOCK));
}

#[test]
fn an_exit_closes_the_whole_where_it_would_leave_dust() {
    let mut market = market();
    let exit = OrderTerms { size: SignedBase(-6_000_000), ..exit_sell() };
    assert_eq!(exit.size_of(&market, units(10)).unwrap(), units(6));
    // $50 is the least: half a unit.
    assert_eq!(exit.size_of(&market, units(6)).unwrap(), units(6));
    assert_eq!(exit.size_of(&market, ballast_engine::Base(6_500_000)).unwrap(), units(6));
    assert_eq!(exit.size_of(&market, ballast_engine::Base(6_499_999)).unwrap(), ballast_engine::Base(6_499_999));
    assert_eq!(exit.size_of(&market, units(4)).unwrap(), units(6), "the fill caps it");
    market.price.last.price = price(1);
    assert_eq!(exit.size_of(&market, units(50)).unwrap(), units(50));
    let entry = OrderTerms { kind: 0, reduce_only: 0, ..exit };
    assert_eq!(entry.size_of(&market, units(50)).unwrap(), units(6));
}

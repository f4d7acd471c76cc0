//! A bracket: one order that is its entry, then its exits.

use ballast_engine::account::AccountState;
use ballast_engine::constants::PLACEMENT_LAG;
use ballast_engine::market::MarketState;
use ballast_engine::order::{After, Kind, OrderTerms};
use ballast_engine::trade::{Charge, increase, reduce};
use ballast_engine::{Base, Error, Price, Quote, SignedBase};

use super::kinds::{exit_sell, holder, limit_buy, mirrored, posts};
use crate::support::{NOW, PRICE, account, dollars, later, market, price, units};

fn bracket() -> OrderTerms {
    let fees = (Quote(200_000), Quote(100_000));
    OrderTerms {
        stop: price(95),
        target: price(110),
        trail: price(4),
        fee: fees.0,
        exit_fee: fees.1,
        expires_at: NOW.unix + 60,
        generation: 0,
        ..limit_buy()
    }
}

/// The entry's fill as the program does it: opens, then asks what becomes of the order.
fn fill(market: &mut MarketState, trader: &mut AccountState, terms: &mut OrderTerms) -> After {
    let size = terms.size.size();
    let _ = increase(market, trader, 0, size, terms.buys(), PRICE).unwrap();
    terms.after_fill(market, trader, size, &later(&NOW, 5)).unwrap()
}

#[test]
fn the_entrys_fill_makes_it_its_exits() {
    for mirror in [false, true] {
        let mut market = market();
        let mut trader = account(dollars(10_000));
        let mut terms = if mirror { mirrored(bracket()) } else { bracket() };
        let before = terms;
        assert_eq!(terms.fill_fee().unwrap(), Quote(100_000));
        assert_eq!(fill(&mut market, &mut trader, &mut terms), After::Exits);
        let since = NOW.unix + 5 + PLACEMENT_LAG;
        let expected = OrderTerms {
            size: SignedBase(-before.size.0),
            placed_at: since,
            since,
            placed_slot: later(&NOW, 5).slot,
            fee: Quote(100_000),
            kind: Kind::Exit as u8,
            reduce_only: 1,
            stop: before.stop,
            target: before.target,
            trail: before.trail,
            generation: 1,
            ..OrderTerms::default()
        };
        assert_eq!(terms, expected);
        assert!(terms.check().is_ok() && !terms.is_bracket());
        assert_eq!(terms.fill_fee().unwrap(), Quote(100_000));
        // Its own fill ends it.
        assert_eq!(terms.after_fill(&market, &trader, units(10), &NOW).unwrap(), After::Done);
    }
}

#[test]
fn an_order_without_exits_is_done_when_it_fills() {
    let (market, trader) = (market(), account(dollars(1)));
    for mut terms in [limit_buy(), exit_sell(), OrderTerms { kind: 0, ..limit_buy() }] {
        let before = terms;
        assert_eq!(terms.after_fill(&market, &trader, units(10), &NOW).unwrap(), After::Done);
        assert_eq!(terms, before);
    }
}

#[test]
fn the_exits_protect_what_the_fill_added() {
    // Added to a position: its own size, bound to that position.
    let mut market = market();
    let mut trader = holder(&mut market, true);
    let mut terms = bracket();
    assert_eq!(fill(&mut market, &mut trader, &mut terms), After::Exits);
    assert_eq!((terms.size.0, terms.generation, trader.positions[0].size.0), (-10_000_000, 1, 20_000_000));

    // Turned one around: what is left of it beyond that.
    let mut market = crate::support::market();
    let mut trader = holder(&mut market, false);
    let mut terms = OrderTerms { size: SignedBase(14_000_000), ..bracket() };
    let _ = reduce(&mut market, &mut trader, 0, units(10), PRICE, Charge::Trade).unwrap();
    let _ = increase(&mut market, &mut trader, 0, units(4), true, PRICE).unwrap();
    assert_eq!(terms.after_fill(&market, &trader, units(14), &NOW).unwrap(), After::Exits);
    assert_eq!((terms.size.0, terms.generation), (-4_000_000, 2));
}

#[test]
fn an_entry_that_only_closes_something_leaves_nothing_to_protect() {
    for left in [0, 3] {
        let mut market = market();
        let mut trader = holder(&mut market, false);
        let _ = reduce(&mut market, &mut trader, 0, units(10 - left), PRICE, Charge::Trade).unwrap();
        let mut terms = bracket();
        let after = terms.after_fill(&market, &trader, units(10 - left), &NOW).unwrap();
        assert_eq!(after, After::Returned(Quote(100_000)));
        assert_eq!((terms.fee, terms.exit_fee), (Quote(0), Quote(0)));
    }
}

#[test]
fn a_smaller_position_shrinks_the_exits_and_a_closed_one_orphans_them() {
    let mut market = market();
    let mut trader = account(dollars(10_000));
    let mut terms = bracket();
    assert_eq!(fill(&mut market, &mut trader, &mut terms), After::Exits);
    let now = posts(&mut market, &[100, 100, 100, 100, 100, 100, 100, 94, 94]);
    assert!(terms.mark(&market, &trader, &now).is_ok());
    // A liquidation takes a part: the exit closes the rest, no more.
    let _ = reduce(&mut market, &mut trader, 0, units(4), PRICE, Charge::Liquidation).unwrap();
    assert!(terms.mark(&market, &trader, &now).is_ok());
    assert!(terms.size_of(&market, trader.positions[0].base()).unwrap() >= trader.positions[0].base());
    // It takes all: the exits are dead, for anyone to clear away.
    let _ = reduce(&mut market, &mut trader, 0, units(6), PRICE, Charge::Liquidation).unwrap();
    assert_eq!(terms.dead(&market, &trader, &now), Some(Error::PositionNotFound));
    assert_eq!(terms.mark(&market, &trader, &now).unwrap_err().error, Error::PositionNotFound);
    // And stay so whatever the account opens there next.
    let _ = increase(&mut market, &mut trader, 0, units(10), true, PRICE).unwrap();
    assert_eq!(terms.dead(&market, &trader, &now), Some(Error::PositionNotFound));
}

#[test]
fn whichever_exit_is_met_first_is_the_one_that_fills() {
    let mut market = market();
    let mut trader = account(dollars(10_000));
    let mut terms = OrderTerms { trail: Price(0), ..bracket() };
    assert_eq!(fill(&mut market, &mut trader, &mut terms), After::Exits);
    // Before it is placed nothing counts, then the target is met, then the stop.
    let now = posts(&mut market, &[94, 111, 94, 111, 94, 111, 94, 100, 111, 94]);
    let (progress, _) = terms.follow(&market, &now).unwrap();
    assert_eq!((progress.triggered_at, progress.fired), (NOW.unix + 9, 3));
    assert_eq!(terms.dead(&market, &trader, &later(&now, 1_000_000)), None, "it expires with the position only");
    assert_eq!(terms.size.size(), Base(10_000_000));
}

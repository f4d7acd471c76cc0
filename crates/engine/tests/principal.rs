//! Principal: its age belongs to the amount, and nothing makes more of it than was put in.

use ballast_engine::account::{AccountState, Principal};
use ballast_engine::liquidation::liquidate;
use ballast_engine::margin::{Purpose, Totals, leg};
use ballast_engine::market::MarketState;
use ballast_engine::settle::{settle, silent_exit};
use ballast_engine::trade::{Charge, increase, reduce};
use ballast_engine::{Now, Quote};
use proptest::prelude::*;

use crate::support::{NOW, PRICE, account, dollars, later, market, price, set_price, set_price_at, units};

/// The start of a window.
const START: i64 = 1_700_000_400;

fn at(seconds: i64) -> Now {
    Now { unix: START + seconds, slot: 1, restart_slot: 0 }
}

fn total(principal: &Principal, now: &Now) -> u64 {
    let (aged, fresh) = principal.parts(now).unwrap();
    aged.0 + fresh.0
}

#[test]
fn a_deposit_is_free_of_the_limiter_after_60_to_80_minutes() {
    assert_eq!(START % 1_200, 0);
    for (deposited, fresh_until) in [(0, 4_800), (1, 4_800), (1_199, 4_800), (1_200, 6_000)] {
        let mut principal = Principal::default();
        principal.deposit(Quote(100), &at(deposited)).unwrap();
        for (second, aged) in [(fresh_until - 1, 0), (fresh_until, 100), (fresh_until + 1, 100), (900_000, 100)] {
            assert_eq!(principal.parts(&at(second)).unwrap(), (Quote(aged), Quote(100 - aged)), "{deposited} {second}");
        }
        assert!(fresh_until - deposited >= 3_600, "never younger than an hour");
    }
}

#[test]
fn a_new_deposit_does_not_make_old_principal_young_attack_h13() {
    let mut principal = Principal::default();
    principal.deposit(Quote(1_000), &at(0)).unwrap();
    // One unit every minute for two hours.
    for minute in 1..=120 {
        principal.deposit(Quote(1), &at(minute * 60)).unwrap();
    }
    assert_eq!(principal.withdraw(Quote(1_000), &at(7_200)).unwrap(), Quote(0));
}

#[test]
fn aged_goes_first_then_fresh_newest_first_then_profit() {
    let mut principal = Principal::default();
    principal.deposit(Quote(100), &at(0)).unwrap();
    principal.deposit(Quote(50), &at(3_700)).unwrap();
    principal.deposit(Quote(30), &at(4_900)).unwrap();
    // 100 aged, 80 fresh; of 140 the limiter sees 40: all 30 of the newest, 10 of the older.
    assert_eq!(principal.withdraw(Quote(140), &at(5_000)).unwrap(), Quote(40));
    assert_eq!(principal.parts(&at(5_000)).unwrap(), (Quote(0), Quote(40)));
    // What is left is of the window of 3,700 and ages with it.
    assert_eq!(principal.parts(&at(8_400)).unwrap(), (Quote(40), Quote(0)));
    // Beyond all principal it is profit.
    assert_eq!(principal.withdraw(Quote(1_000), &at(8_400)).unwrap(), Quote(960));
    assert_eq!(total(&principal, &at(8_400)), 0);
}

/// Attack: lose it to an accomplice, and mint as much later in an account that still counts it as principal.
#[test]
fn lost_principal_lets_no_profit_past_the_limiter_attack_h13() {
    let mut market = market();
    let mut me = account(dollars(100_000));
    me.principal.deposit(dollars(100_000), &NOW).unwrap();
    let _ = increase(&mut market, &mut me, 0, units(1_000), true, PRICE).unwrap();
    set_price(&mut market, price(50));
    let fill = reduce(&mut market, &mut me, 0, units(1_000), price(50), Charge::Plain).unwrap();
    assert!(fill.pnl.0 < -50_000_000_000);
    let hours = later(&NOW, 7_200);
    assert_eq!(total(&me.principal, &hours), me.collateral.0, "what is left of it");
    // As much is minted: all of that is profit.
    let left = me.collateral;
    let _ = increase(&mut market, &mut me, 0, units(1_000), true, price(50)).unwrap();
    set_price(&mut market, price(100));
    let _ = reduce(&mut market, &mut me, 0, units(1_000), price(100), Charge::Plain).unwrap();
    let profit = me.principal.profit_of(me.collateral, &hours).unwrap();
    assert!(profit >= me.collateral.saturating_sub(left) && profit > dollars(49_000));
}

#[test]
fn every_way_to_lose_takes_principal_and_setting_aside_takes_none() {
    let start = || {
        let mut market = market();
        let mut me = account(dollars(40_000));
        me.principal.deposit(dollars(40_000), &NOW).unwrap();
        let _ = increase(&mut market, &mut me, 0, units(1_000), true, PRICE).unwrap();
        assert_eq!(total(&me.principal, &NOW), me.collateral.0, "the fee is gone");
        (market, me)
    };
    // A settling.
    let (mut market, mut me) = start();
    set_price(&mut market, price(80));
    let _ = settle(&mut market, &mut me, 0, &NOW).unwrap();
    assert!(me.collateral < dollars(21_000));
    assert_eq!(total(&me.principal, &NOW), me.collateral.0);
    // A liquidation's fees.
    set_price(&mut market, price(61));
    me.flag.slot = NOW.slot;
    (me.flag.publish_time, me.flag.need) = (NOW.unix - 1, dollars(60_000));
    let done = resolve_or_liquidate(&mut market, &mut me);
    assert!(done > Quote(0));
    assert_eq!(total(&me.principal, &NOW), me.collateral.0);
    // A silent exit's loss counts, its holdback does not, until it is forfeited.
    let (mut market, mut me) = start();
    let silent = later(&NOW, 7_200);
    let _ = silent_exit(&mut market, &mut me, 0, &silent).unwrap();
    let held = me.positions[0].held;
    assert!(held > dollars(15_000));
    assert_eq!(total(&me.principal, &NOW), me.collateral.0 + held.0);
    set_price_at(&mut market, price(90), &silent);
    let settled = settle(&mut market, &mut me, 0, &silent).unwrap();
    assert!(settled.forfeited > dollars(4_000));
    assert_eq!(total(&me.principal, &NOW), me.collateral.0);
    // A loss comes out of profit first.
    let (mut market, mut me) = start();
    me.collateral = dollars(70_000);
    let before = total(&me.principal, &NOW);
    set_price(&mut market, price(75));
    let _ = settle(&mut market, &mut me, 0, &NOW).unwrap();
    assert_eq!(total(&me.principal, &NOW), before);
}

/// Liquidates what may be liquidated; the fees.
fn resolve_or_liquidate(market: &mut MarketState, me: &mut AccountState) -> Quote {
    let mut totals = Totals::new(me.collateral).unwrap();
    totals.add(0, &leg(market, &me.positions[0], Purpose::Maintenance, &NOW).unwrap()).unwrap();
    let receipt = liquidate(market, me, 0, &totals, &Now { slot: NOW.slot + 20, ..NOW }).unwrap().unwrap();
    receipt.keeper_fee
}

#[test]
fn profit_sent_through_a_second_subaccount_stays_profit() {
    // Deposit 100, win 900. Whatever is carried over, 100 in all leaves free.
    let (mut winner, mut mule) = (Principal::default(), Principal::default());
    winner.deposit(Quote(100), &at(0)).unwrap();
    winner.transfer(&mut mule, Quote(600), &at(10_000)).unwrap();
    assert_eq!(mule.withdraw(Quote(600), &at(20_000)).unwrap(), Quote(500));
    assert_eq!(winner.withdraw(Quote(400), &at(20_000)).unwrap(), Quote(400));
}

#[test]
fn a_transfer_carries_age_and_cannot_make_money_older() {
    let (mut from, mut to) = (Principal::default(), Principal::default());
    from.deposit(Quote(100), &at(0)).unwrap();
    from.deposit(Quote(50), &at(4_700)).unwrap();
    // The receiver's clock is windows behind: its own deposit is of long ago.
    to.deposit(Quote(7), &at(-90_000)).unwrap();
    from.transfer(&mut to, Quote(120), &at(4_900)).unwrap();
    assert_eq!(to.parts(&at(4_900)).unwrap(), (Quote(107), Quote(20)));
    assert_eq!(from.parts(&at(4_900)).unwrap(), (Quote(0), Quote(30)));
    assert_eq!(to.parts(&at(3_600 + 4_800 - 1)).unwrap(), (Quote(107), Quote(20)));
    assert_eq!(to.parts(&at(3_600 + 4_800)).unwrap(), (Quote(127), Quote(0)));
}

#[test]
fn a_clock_that_runs_back_ages_nothing_and_breaks_nothing() {
    let mut principal = Principal::default();
    principal.deposit(Quote(100), &at(10_000)).unwrap();
    principal.deposit(Quote(5), &at(0)).unwrap();
    assert_eq!(principal.parts(&at(10_000)).unwrap(), (Quote(0), Quote(105)));
    assert_eq!(principal.parts(&at(-100_000)).unwrap(), (Quote(0), Quote(105)));
}

#[test]
fn a_transfer_on_a_clock_that_ran_back_does_not_make_money_older() {
    let (mut from, mut to) = (Principal::default(), Principal::default());
    from.deposit(Quote(100), &at(10_000)).unwrap();
    from.transfer(&mut to, Quote(100), &at(7_600)).unwrap();
    assert_eq!(to.parts(&at(14_399)).unwrap(), (Quote(0), Quote(100)));
    assert_eq!(to.parts(&at(14_400)).unwrap(), (Quote(100), Quote(0)));
}

proptest! {
    /// Against a list of deposits with their windows: the free part is never more than what is old enough.
    #[test]
    fn never_free_before_its_hour_and_never_more_than_was_put_in(
        steps in prop::collection::vec((0_u8..4, 0_usize..2, 0_u64..1_000, 0_i64..2_000), 1..80)
    ) {
        let mut subs = [Principal::default(); 2];
        let mut deposits: Vec<(i64, u64)> = Vec::new();
        let (mut clock, mut put_in, mut free) = (0, 0_u64, 0_u64);
        for (what, who, amount, wait) in steps {
            clock += wait;
            let now = at(clock);
            let before: u64 = subs.iter().map(|p| total(p, &now)).sum();
            let [a, b] = &mut subs;
            let (one, other) = if who == 0 { (a, b) } else { (b, a) };
            match what {
                0 | 1 => {
                    one.deposit(Quote(amount), &now).unwrap();
                    deposits.push((clock, amount));
                    put_in += amount;
                }
                2 => {
                    let limited = one.withdraw(Quote(amount), &now).unwrap();
                    free += amount - limited.0;
                }
                _ => {
                    one.transfer(other, Quote(amount), &now).unwrap();
                    let after: u64 = subs.iter().map(|p| total(p, &now)).sum();
                    prop_assert_eq!(before, after);
                }
            }
            let old_enough: u64 = deposits.iter().filter(|(t, _)| clock - t >= 3_600).map(|(_, a)| a).sum();
            prop_assert!(free <= old_enough);
            prop_assert!(subs.iter().map(|p| total(p, &now)).sum::<u64>() + free <= put_in);
        }
    }
}

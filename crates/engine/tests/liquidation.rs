//! Liquidation (section 8): who can be flagged, how much is taken when, and at what price to the account.

mod fair;
mod fees;
mod several;

use ballast_engine::account::AccountState;
use ballast_engine::constants::{FLAG_VOID_SLOTS, PRICE_SCALE};
use ballast_engine::error::{Error, Result};
use ballast_engine::layout::Key;
use ballast_engine::liquidation::{Receipt, flag, is_flagged, liquidate, need, sync_flag, unflag};
use ballast_engine::margin::{Purpose, Totals};
use ballast_engine::market::MarketState;
use ballast_engine::price::Status;
use ballast_engine::{Now, Price, Quote, Ratio};

use crate::margin::{open, totals};
use crate::support::{NOW, account, dollars, later, market, price, set_price, set_price_at, units};

const FLAGGER: Key = Key([7; 32]);

fn maintenance(account: &AccountState, markets: &[&MarketState], now: &Now) -> Totals {
    totals(account, markets, Purpose::Maintenance, now)
}

/// So many slots later, the clock with them.
fn slots(now: &Now, slots: u64) -> Now {
    Now { unix: now.unix + (slots * 2 / 5) as i64, slot: now.slot + slots, ..*now }
}

/// Long 1,000 at $100 in a market that stands at `cents`, with the collateral that makes equity this share of the
/// requirement, in millionths.
fn long_at(cents: u64, health: u64) -> (MarketState, AccountState) {
    let mut market = market();
    let mut me = account(dollars(0));
    open(&mut market, &mut me, units(1_000), true);
    market.pool.insurance = Quote::ZERO;
    set_price(&mut market, Price(cents * PRICE_SCALE / 100));
    let bare = maintenance(&me, &[&market], &NOW);
    let target = bare.requirement.0 * health / 1_000_000;
    me.collateral = Quote(u64::try_from(target as i64 - bare.equity.0).unwrap());
    (market, me)
}

/// Gives the account the collateral that makes its equity this share of the requirement, in millionths.
fn weaken(me: &mut AccountState, market: &MarketState, now: &Now, health: i64) {
    let got = maintenance(me, &[market], now);
    let target = got.requirement.0 as i64 * health / 1_000_000;
    me.collateral = Quote(u64::try_from(me.collateral.0 as i64 + target - got.equity.0).unwrap());
}

/// Flags by the largest good position.
fn flag_it(me: &mut AccountState, market: &MarketState, now: &Now) -> Result<()> {
    let got = maintenance(me, &[market], now);
    flag(me, market, &got, FLAGGER, now)
}

/// One call at a price that was just published.
fn strike(market: &mut MarketState, me: &mut AccountState, now: &Now) -> Result<Option<Receipt>> {
    let got = maintenance(me, &[market], now);
    liquidate(market, me, 0, &got, now)
}

/// A newer publish time at the same price.
fn refresh(market: &mut MarketState, now: &Now) {
    let at = market.price.last.price;
    set_price_at(market, at, now);
}

#[test]
fn the_sizing_example() {
    // Shortage 1859 at $92.78, mmf 3 %, buffer 2 %, fees 0.75 + 0.75 %, no impact, no credit: 572.5 units.
    let got =
        need(dollars(1_859), dollars(1_000_000), Ratio(30_000), Ratio(20_000), Ratio(15_000), Ratio::ZERO, Ratio::ZERO)
            .unwrap();
    assert_eq!(got, Quote(53_114_285_715));
    let tenths = got.0 * 10 / 92_780_000;
    assert_eq!(tenths, 5_724, "572.48 units, which is 572.5");
    assert_eq!((got.0 + 9_277_999 / 2) / 9_278_000, 5_725);
    // Impact and credit make it larger, the account's notional bounds it.
    let more = |impact, credit, notional| {
        need(
            dollars(1_859),
            dollars(notional),
            Ratio(30_000),
            Ratio(20_000),
            Ratio(15_000),
            Ratio(impact),
            Ratio(credit),
        )
    };
    assert_eq!(more(2_000, 1_000, 1_000_000).unwrap(), Quote(58_093_750_000));
    assert_eq!(more(2_000, 1_000, 1_000).unwrap(), dollars(1_000));
    // Parameters that the envelope forbids divide by nothing.
    assert_eq!(more(34_000, 1_000, 1_000).unwrap_err().error, Error::MathOverflow);
    assert_eq!(more(36_000, 1_000, 1_000).unwrap_err().error, Error::MathOverflow);
}

/// P5, to the atom.
#[test]
fn only_below_maintenance_can_be_flagged() {
    let (market, mut me) = long_at(9_700, 1_000_000);
    let fault = flag_it(&mut me, &market, &NOW).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::AccountHealthy, 2_910_000_000, 2_910_000_000));
    me.collateral.0 -= 1;
    flag_it(&mut me, &market, &NOW).unwrap();
    assert!(is_flagged(&me, &NOW));
    assert_eq!(me.flag.publish_time, NOW.unix);
    // Shortage: buffer and one atom; 4.5 % less fees of 1 %, impact of 20 bps and credit of 10 bps is 3.2 %.
    assert_eq!(me.flag.need, Quote((1_455_000_001_u64 * 1_000_000).div_ceil(32_000)));
    let fault = flag_it(&mut me, &market, &NOW).unwrap_err();
    assert_eq!(fault.error, Error::AlreadyFlagged);
}

/// P5: one print, an old price, a wide one: nobody is flagged by any of them.
#[test]
fn no_unconfirmed_stale_or_uncertain_price_flags() {
    let (fair, me) = long_at(10_000, 1_500_000);
    let crash = price(92);
    let mut dead = fair;
    set_price(&mut dead, crash);
    flag_it(&mut me.clone(), &dead, &NOW).unwrap();
    let mut cases = vec![];
    // A single print 8 % below the average.
    let mut hiccup = fair;
    hiccup.price.last.price = crash;
    cases.push((hiccup, NOW, Status::Jumped));
    let mut wide = fair;
    wide.price.last.price = crash;
    wide.price.last.conf = price(2);
    cases.push((wide, NOW, Status::Uncertain));
    // Old prices at which the account stands a little above maintenance.
    cases.push((fair, later(&NOW, 20), Status::Stale));
    cases.push((fair, later(&NOW, 4_000), Status::Silent));
    for (market, now, status) in cases {
        assert_eq!(market.status(&now).unwrap(), status);
        let fault = flag_it(&mut me.clone(), &market, &now).unwrap_err();
        assert_eq!(fault.error, Error::AccountHealthy, "{status:?}");
    }
    // Where even the favourable end is below maintenance, there must still be a good price to act on.
    let mut old = dead;
    old.price.valid = dead.price.last;
    let then = later(&NOW, 20);
    assert_eq!(flag_it(&mut me.clone(), &old, &then).unwrap_err().error, Error::PriceStale);
}

#[test]
fn a_liquidation_needs_two_slots_and_a_newer_publish_time() {
    let (mut market, mut me) = long_at(9_700, 990_000);
    assert_eq!(strike(&mut market, &mut me, &NOW).unwrap_err().error, Error::NotFlagged);
    flag_it(&mut me, &market, &NOW).unwrap();
    let fault = strike(&mut market, &mut me, &slots(&NOW, 3)).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::FlagTooFresh, NOW.unix, NOW.unix));
    // The next second's price in the next slot: newer, but too soon.
    let next = Now { unix: NOW.unix + 1, slot: NOW.slot + 1, ..NOW };
    refresh(&mut market, &next);
    let fault = strike(&mut market, &mut me, &next).unwrap_err();
    assert_eq!((fault.error, fault.limit), (Error::FlagTooFresh, NOW.slot as i64 + 2));
    let got = strike(&mut market, &mut me, &slots(&next, 1)).unwrap().unwrap();
    assert!(!got.urgent);
}

/// Attack H3: calling again and again in one slot.
#[test]
fn h3_repeated_calls_in_one_slot_take_no_more_than_the_ramp() {
    let (mut market, mut me) = long_at(9_700, 690_000);
    flag_it(&mut me, &market, &NOW).unwrap();
    let need = me.flag.need;
    for elapsed in [3, 10, 20] {
        let now = slots(&NOW, elapsed);
        refresh(&mut market, &now);
        let allowed = need.0 * (200_000 + 800_000 * elapsed / 25) / 1_000_000;
        let got = strike(&mut market, &mut me, &now).unwrap().unwrap();
        // To the size's next atom: a ten-thousandth of a cent.
        assert!(got.closed.0 >= allowed && got.closed.0 < allowed + 100, "{elapsed}: {got:?}");
        assert_eq!(me.flag.closed, got.closed);
        for _ in 0..10 {
            let fault = strike(&mut market, &mut me, &now).unwrap_err();
            assert_eq!((fault.error, fault.limit), (Error::PacingExhausted, allowed as i64));
        }
        // As if the price fell on meanwhile, so that the account stays below maintenance.
        weaken(&mut me, &market, &now, 690_000);
    }
}

#[test]
fn a_used_up_need_is_computed_anew_at_the_full_ramp() {
    let (mut market, mut me) = long_at(9_700, 990_000);
    flag_it(&mut me, &market, &NOW).unwrap();
    let first = me.flag.need;
    let now = slots(&NOW, 25);
    // The price has gone on falling: the first need is too small by now.
    set_price_at(&mut market, Price(9_605 * PRICE_SCALE / 100), &now);
    let got = strike(&mut market, &mut me, &now).unwrap().unwrap();
    assert!(got.closed >= first && !got.urgent);
    assert!(is_flagged(&me, &now), "still below maintenance");
    let got = strike(&mut market, &mut me, &now).unwrap().unwrap();
    assert_eq!(got.closed, got.notional, "counted from nothing again");
    assert!(got.notional.0 >= got.need.0, "at 100 %");
    assert!(!is_flagged(&me, &now), "and now it has enough");
    let left = maintenance(&me, &[&market], &now);
    assert_eq!(left.shortage().unwrap(), Quote::ZERO);
    // The aim is maintenance plus buffer: above it stands only what was allowed for impact and credit.
    let beyond = left.surplus().unwrap().0 as u64 - left.buffer.0;
    assert!(beyond <= got.notional.0 * 3_000 / 1_000_000 + 1_000, "{left:?}");
}

/// Attack H4: a flag from Monday's dip.
#[test]
fn h4_old_flags_are_void_and_recovered_accounts_start_anew() {
    let (mut market, mut me) = long_at(9_700, 990_000);
    flag_it(&mut me, &market, &NOW).unwrap();
    let thursday = later(&NOW, 3 * 86_400);
    refresh(&mut market, &thursday);
    assert!(!is_flagged(&me, &thursday));
    assert_eq!(strike(&mut market, &mut me, &thursday).unwrap_err().error, Error::NotFlagged);
    flag_it(&mut me, &market, &thursday).unwrap();
    assert_eq!(me.flag.slot, thursday.slot, "the clock starts anew");
    // To the slot; a liquidation under it keeps it alive.
    let mut old = me;
    assert!(is_flagged(&me, &slots(&thursday, FLAG_VOID_SLOTS)));
    assert!(!is_flagged(&me, &slots(&thursday, FLAG_VOID_SLOTS + 1)));
    old.flag.last_slot = thursday.slot + 10;
    assert!(is_flagged(&old, &slots(&thursday, FLAG_VOID_SLOTS + 10)));
    // What was flagged before a restart is void.
    assert!(!is_flagged(&me, &Now { restart_slot: thursday.slot, ..slots(&thursday, 1) }));

    // Back above maintenance, below the buffer: nobody may liquidate, and the first who tries clears the clock.
    set_price_at(&mut market, price(98), &slots(&thursday, 5));
    let now = slots(&thursday, 6);
    let before = (market, me.collateral);
    assert_eq!(
        unflag(&mut me.clone(), &maintenance(&me, &[&market], &now), &now).unwrap_err().error,
        Error::StillUnhealthy
    );
    assert_eq!(strike(&mut market, &mut me, &now).unwrap(), None);
    assert_eq!((market, me.collateral, me.flag.slot), (before.0, before.1, 0));
    assert_eq!(strike(&mut market, &mut me, &now).unwrap_err().error, Error::NotFlagged);
}

#[test]
fn a_flag_is_cleared_by_anyone_at_maintenance_plus_buffer_or_when_void() {
    let (market, mut me) = long_at(9_700, 990_000);
    let got = maintenance(&me, &[&market], &NOW);
    assert_eq!(unflag(&mut me, &got, &NOW).unwrap_err().error, Error::NotFlagged);
    flag_it(&mut me, &market, &NOW).unwrap();
    me.collateral = me.collateral.plus(got.shortage().unwrap()).unwrap();
    let mut short = me;
    short.collateral.0 -= 1;
    let worse = maintenance(&short, &[&market], &NOW);
    assert_eq!(unflag(&mut short, &worse, &NOW).unwrap_err().error, Error::StillUnhealthy);
    sync_flag(&mut short, &worse, &NOW).unwrap();
    assert!(is_flagged(&short, &NOW));
    let better = maintenance(&me, &[&market], &NOW);
    sync_flag(&mut me.clone(), &better, &NOW).unwrap();
    unflag(&mut me, &better, &NOW).unwrap();
    assert!(!is_flagged(&me, &NOW));
    // A void one goes whatever the equity.
    let void = slots(&NOW, FLAG_VOID_SLOTS + 1);
    let mut other = short;
    unflag(&mut other, &worse, &void).unwrap();
    sync_flag(&mut short, &worse, &void).unwrap();
    assert_eq!((other.flag.slot, short.flag.slot), (0, 0));
}

/// Attack H6: one transaction at the worst price of the last ten seconds.
#[test]
fn h6_below_two_thirds_pacing_falls_away_at_a_fresh_second_price_only() {
    let (mut market, mut me) = long_at(9_700, 660_000);
    flag_it(&mut me, &market, &NOW).unwrap();
    // Not by the flag's own price, however low.
    assert_eq!(strike(&mut market, &mut me, &NOW).unwrap_err().error, Error::FlagTooFresh);
    // A newer price that is three seconds old by now: paced like any other.
    let published = Now { unix: NOW.unix + 1, slot: NOW.slot + 1, ..NOW };
    refresh(&mut market, &published);
    let stale = Now { unix: NOW.unix + 4, slot: NOW.slot + 9, ..NOW };
    assert_eq!(market.status(&stale).unwrap(), Status::Good);
    let got = strike(&mut market.clone(), &mut me.clone(), &stale).unwrap().unwrap();
    assert!(!got.urgent);
    assert!(got.notional.0 < me.flag.need.0 / 2);
    let early = Now { unix: NOW.unix + 4, slot: NOW.slot + 1, ..NOW };
    assert_eq!(strike(&mut market.clone(), &mut me.clone(), &early).unwrap_err().error, Error::FlagTooFresh);
    // Two seconds old, one slot after the flag: all of the need at once.
    let fresh = Now { unix: NOW.unix + 3, slot: NOW.slot + 1, ..NOW };
    let got = strike(&mut market, &mut me, &fresh).unwrap().unwrap();
    assert!(got.urgent && got.notional >= got.need);
    assert!(got.notional.0 < 97_000_000_000, "in part all the same");
    assert!(!is_flagged(&me, &fresh));
}

#[test]
fn two_thirds_is_the_bound_and_dust_is_urgent_too() {
    let next = Now { unix: NOW.unix + 1, slot: NOW.slot + 1, ..NOW };
    let (mut market, mut me) = long_at(9_700, 666_667);
    flag_it(&mut me, &market, &NOW).unwrap();
    refresh(&mut market, &next);
    assert_eq!(strike(&mut market.clone(), &mut me.clone(), &next).unwrap_err().error, Error::FlagTooFresh);
    me.collateral.0 -= 1_000;
    assert!(strike(&mut market, &mut me, &next).unwrap().unwrap().urgent);

    let mut market = crate::support::market();
    let mut me = account(dollars(2));
    open(&mut market, &mut me, ballast_engine::Base(510_000), true);
    set_price(&mut market, Price(97_200_000_000));
    me.collateral = Quote(2_800_000);
    flag_it(&mut me, &market, &NOW).unwrap();
    refresh(&mut market, &next);
    let got = strike(&mut market, &mut me, &next).unwrap().unwrap();
    assert!(got.urgent, "$49.57 of notional");
    assert!(!me.position(0).unwrap().is_open(), "and less than the minimum is not left standing");
}

#[test]
fn a_slots_capacity_binds_paced_liquidations_only() {
    let (mut market, mut me) = long_at(9_700, 800_000);
    market.params.liquidation_capacity = dollars(10_000);
    let mut other = account(dollars(0));
    open(&mut market, &mut other, units(1_000), true);
    other.collateral = dollars(2_000);
    flag_it(&mut me, &market, &NOW).unwrap();
    flag_it(&mut other, &market, &NOW).unwrap();
    let now = slots(&NOW, 5);
    refresh(&mut market, &now);
    let got = strike(&mut market, &mut me, &now).unwrap().unwrap();
    assert!(got.notional >= dollars(10_000) && got.notional.0 < dollars(10_000).0 + 100);
    let fault = strike(&mut market, &mut other, &now).unwrap_err();
    assert_eq!((fault.error, fault.limit), (Error::CapacityExhausted, dollars(10_000).0 as i64));
    let next = slots(&now, 1);
    refresh(&mut market, &next);
    let _ = strike(&mut market.clone(), &mut other.clone(), &next).unwrap().unwrap();
    // Attack H16: one who is past two thirds does not wait for it, nor takes it from others.
    let used = market.throttle.used;
    other.collateral = dollars(1_900);
    let got = strike(&mut market, &mut other, &now).unwrap().unwrap();
    assert!(got.urgent && got.notional > dollars(10_000));
    assert_eq!(market.throttle.used, used);
}

#[test]
fn an_account_below_zero_is_resolved_not_liquidated() {
    let (mut market, mut me) = long_at(9_700, 500_000);
    flag_it(&mut me, &market, &NOW).unwrap();
    let now = slots(&NOW, 5);
    set_price_at(&mut market, price(94), &now);
    assert_eq!(strike(&mut market, &mut me, &now).unwrap_err().error, Error::AccountBankrupt);
}

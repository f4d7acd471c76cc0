//! Liquidation (section 8): who can be flagged, how much is taken when, and at what price to the account.

use ballast_engine::account::AccountState;
use ballast_engine::constants::{FLAG_VOID_SLOTS, PRICE_SCALE};
use ballast_engine::error::{Error, Result};
use ballast_engine::layout::Key;
use ballast_engine::liquidation::{Receipt, flag, is_flagged, liquidate, need, sync_flag, unflag};
use ballast_engine::margin::{Purpose, Totals};
use ballast_engine::market::MarketState;
use ballast_engine::price::Status;
use ballast_engine::resolve::cover_liquidation;
use ballast_engine::{FundingIndex, Now, Price, Quote, Ratio, SignedQuote};
use proptest::prelude::*;

use crate::margin::{open, totals};
use crate::resolve::assert_claims;
use crate::support::{
    NOW, account, assert_sums, dollars, later, market, market_at, price, set_price, set_price_at, tokens, units,
};

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

#[test]
fn an_account_below_zero_is_resolved_not_liquidated() {
    let (mut market, mut me) = long_at(9_700, 500_000);
    flag_it(&mut me, &market, &NOW).unwrap();
    let now = slots(&NOW, 5);
    set_price_at(&mut market, price(94), &now);
    assert_eq!(strike(&mut market, &mut me, &now).unwrap_err().error, Error::AccountBankrupt);
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// P5 and P6: a healthy account is left alone; another ends no less healthy than it was, pays no more than the stated
    /// fees and the premium within its bound, and no token is lost or made.
    #[test]
    fn a_liquidation_is_fair(
        sizes in prop::array::uniform2(1_000_000_u64..20_000_000_000), longs in prop::array::uniform2(any::<bool>()),
        others in prop::array::uniform4(0_u64..90_000_000_000), moves in prop::array::uniform2(-60_000_i64..60_000),
        conf in 0_u64..20_000, health in 10_000_i64..1_200_000, elapsed in 3_u64..120, index in -1_000_i64..1_000,
        floor in 0_u64..3_000_000, flagger: bool, poor in prop::option::of(0_u64..3_000_000), funds in 0_u64..5_000_000,
    ) {
        let mut markets = [market_at(0, price(100)), market_at(1, price(100))];
        let mut me = account(dollars(0));
        let mut crowd = vec![];
        for i in 0..2 {
            let market = &mut markets[i];
            market.params.keeper_fee_floor = Quote(floor);
            market.pool.insurance = Quote(funds);
            // In a poor pool the account is alone on its side: what others on it lose would change h by itself.
            for (long, size) in [(true, others[i * 2]), (false, others[i * 2 + 1])] {
                if size > 1_000_000 && (poor.is_none() || long != longs[i]) {
                    let mut other = account(dollars(0));
                    market.price.last.price = Price(99_000_000_000 + size);
                    open(market, &mut other, ballast_engine::Base(size), long);
                    crowd.push(other);
                }
            }
            market.price.last.price = price(100);
            open(market, &mut me, ballast_engine::Base(sizes[i]), longs[i]);
            market.side_mut(longs[i]).index = FundingIndex::new(i128::from(index) * 1_000_000_000_000);
            let at = 100_000_000_000 + moves[i] * 100_000;
            set_price(market, Price(at as u64));
            market.price.last.conf = Price((at as u64).saturating_mul(conf) / 4_000_000);
            if let Some(share) = poor {
                let gross = market.payable().unwrap().gross;
                market.pool.cash = Quote(gross.0 / 1_000_000 * share.min(1_000_000));
            }
        }
        let view = |markets: &[MarketState; 2], me: &AccountState, now: &Now| {
            maintenance(me, &[&markets[0], &markets[1]], now)
        };
        let bare = view(&markets, &me, &NOW);
        let cash = i128::from(bare.requirement.0) * i128::from(health) / 1_000_000 - i128::from(bare.equity.0);
        me.collateral = Quote(cash.max(0) as u64);
        let got = view(&markets, &me, &NOW);
        let slot = got.largest.unwrap().0;
        let key = if flagger { FLAGGER } else { Key::default() };
        let flagged = flag(&mut me, &markets[slot], &got, key, &NOW);
        if got.equity.0 >= got.requirement.0 as i64 {
            prop_assert_eq!(flagged.unwrap_err().error, Error::AccountHealthy);
            prop_assert!(!is_flagged(&me, &NOW));
            return Ok(());
        }
        flagged.unwrap();
        prop_assert!(me.flag.need <= got.notional);
        let mut now = slots(&NOW, elapsed);
        for _ in 0..30 {
            for market in &mut markets {
                let conf = market.price.last.conf;
                refresh(market, &now);
                market.price.last.conf = conf;
            }
            let before = view(&markets, &me, &now);
            let mut everybody = crowd.clone();
            everybody.push(me);
            let supply = tokens(&[&markets[0], &markets[1]], &everybody);
            let before_cash = me.collateral;
            let Some((slot, _)) = before.largest else { break };
            let market = &mut markets[slot];
            let receipt = match liquidate(market, &mut me, slot, &before, &now) {
                Ok(Some(receipt)) => receipt,
                Ok(None) => {
                    prop_assert!(before.equity.0 >= before.requirement.0 as i64);
                    break;
                }
                Err(fault) => {
                    let known = [Error::AccountBankrupt, Error::NotFlagged, Error::PacingExhausted];
                    prop_assert!(known.contains(&fault.error), "{:?}", fault);
                    prop_assert!(fault.error != Error::AccountBankrupt || before.full_equity.0 < 0);
                    break;
                }
            };
            prop_assert!(before.equity.0 < before.requirement.0 as i64);
            let cost = receipt.notional.0;
            // Of a fee without a flagger a tenth stays with insurance: what was paid is what the collateral lacks.
            let held = before_cash.0.checked_add_signed(receipt.fill.realised.cash.0).unwrap();
            let mine = held - me.collateral.0 - receipt.insurance_fee.0;
            let gross = mine + receipt.from_insurance.0;
            prop_assert_eq!(receipt.keeper_fee.0, if flagger { gross } else { gross - gross / 10 });
            let rate = 1_000 + 4_000 * (now.slot - NOW.slot).min(25) / 25;
            prop_assert!(mine <= (cost * rate / 1_000_000).max(floor));
            prop_assert!(receipt.insurance_fee.0 <= cost * 5_000 / 1_000_000);
            prop_assert!(receipt.fill.premium.0 <= (cost * 2_000 / 1_000_000) as i64 + 1, "{:?}", receipt);
            let unpaid = receipt.fill.realised.unpaid;
            let mut entries: Vec<(usize, &mut MarketState)> = markets.iter_mut().enumerate().collect();
            entries.retain(|(i, _)| *i == slot || !me.positions[*i].is_free());
            let done = cover_liquidation(&mut me, slot, unpaid, &mut entries, &now).unwrap();
            // A solvent account's loss is covered, but for the part of premium and credit that it cannot pay.
            let credit = (cost * 1_000 / 1_000_000) as i64 + 1;
            let credits = (before.notional.0 * 1_000 / 1_000_000) as i64 + 2;
            let lacking = (receipt.fill.premium.0 + credits - before.full_equity.0).max(0) + 8;
            prop_assert!(done.deficit.0 as i64 <= lacking, "{} {}", done.deficit.0, lacking);
            prop_assert!(done.deficit.is_zero() || receipt.keeper_fee <= receipt.from_insurance);

            let after = view(&markets, &me, &now);
            prop_assert!(after.surplus().unwrap() >= before.surplus().unwrap(), "{:?} {:?} {:?}", before, after, receipt);
            // Fees never bring it below zero; premium and credit may, and then it is resolved.
            prop_assert!(after.full_equity.0 >= -lacking);
            let taken = before.full_equity.0 - after.full_equity.0;
            let stated = mine as i64 + receipt.insurance_fee.0 as i64 + receipt.fill.premium.0 + credit;
            prop_assert!(taken <= stated + 8, "{} {}", taken, stated);
            everybody.pop();
            everybody.push(me);
            prop_assert_eq!(tokens(&[&markets[0], &markets[1]], &everybody) + u128::from(receipt.keeper_fee.0), supply);
            assert_claims(&markets, &everybody);
            if markets.iter().flat_map(|m| &m.held).all(|claim| claim.amount.is_zero()) {
                for market in &markets {
                    assert_sums(market, &everybody);
                }
            }
            now = slots(&now, 5);
        }
    }

    /// Pacing, over any sequence of calls: what is closed in paced calls never passes the ramp by more than what is
    /// closed for being a sliver.
    #[test]
    fn paced_calls_stay_under_the_ramp(health in 670_000_u64..990_000, steps in prop::collection::vec(0_u64..6, 1..30)) {
        let (mut market, mut me) = long_at(9_700, health);
        flag_it(&mut me, &market, &NOW).unwrap();
        let need = me.flag.need.0;
        let (mut now, mut closed) = (slots(&NOW, 3), 0);
        for step in steps {
            now = slots(&now, step);
            refresh(&mut market, &now);
            let elapsed = now.slot - NOW.slot;
            if let Ok(Some(got)) = strike(&mut market, &mut me, &now) {
                prop_assert!(!got.urgent);
                closed += got.notional.0;
                prop_assert!(closed <= need * (200_000 + 800_000 * elapsed.min(25) / 25) / 1_000_000 + 100);
            }
            if !is_flagged(&me, &now) {
                break;
            }
        }
        // Signed amounts keep the sums honest.
        prop_assert!(maintenance(&me, &[&market], &now).equity > SignedQuote::ZERO);
    }
}

//! Accounts with positions in other markets beside a settled one: who calls, when, and with which prices posted, moves no
//! loss from one market to another, and every account gets out.

use ballast_engine::account::AccountState;
use ballast_engine::closing::sure_value;
use ballast_engine::constants::{DAY, HOUR};
use ballast_engine::error::{Result, ensure};
use ballast_engine::layout::Key;
use ballast_engine::market::MarketState;
use ballast_engine::price::Status;
use ballast_engine::resolve::{cover_liquidation, resolve};
use ballast_engine::settlement::{Step, close_settled};
use ballast_engine::trade::{Charge, reduce};
use ballast_engine::{Error, Now, Price, Quote};

use crate::margin::open;
use crate::support::{NOW, account, dollars, later, market_at, price, set_price_at, tokens, units};

/// Settles a market at its price, now.
pub(super) fn fix(market: &mut MarketState, now: &Now) {
    market.governed.closing_since = 1;
    assert!(matches!(market.advance_settlement(now).unwrap(), Step::Fixed(_)));
}

/// The markets of an account's slots, and of one that has just become free; market 0 is the first, and so on.
fn entries<'a>(
    account: &AccountState,
    markets: &'a mut [MarketState],
    freed: usize,
) -> Vec<(usize, &'a mut MarketState)> {
    let mut all: Vec<Option<&mut MarketState>> = markets.iter_mut().map(Some).collect();
    let slots = account.positions.iter().enumerate().filter(|(slot, p)| *slot == freed || !p.is_free());
    slots.map(|(slot, p)| (slot, all[usize::from(p.market)].take().unwrap())).collect()
}

/// Closes the position in market 0 by anyone's call, as the program does: what the account surely has must pay every loss.
/// Returns the deficit.
fn close(account: &mut AccountState, markets: &mut [MarketState], now: &Now) -> Result<Quote> {
    let slot = account.find(0).unwrap();
    let realised = close_settled(&mut markets[0], account, slot, now)?.fill.unwrap().realised;
    if realised.pays() && account.slots().any(|(_, p)| p.is_open()) {
        let mut sum = account.collateral.signed()?;
        for (_, position) in account.slots() {
            sum = sum.plus(sure_value(&markets[usize::from(position.market)], position, true, now)?)?;
        }
        ensure(sum.less(realised.unpaid.signed()?)?.0 >= 0, Error::AccountBankrupt)?;
    }
    let mut list = entries(account, markets, slot);
    Ok(cover_liquidation(account, slot, realised.unpaid, &mut list, now)?.deficit)
}

fn refused(account: &AccountState, markets: &[MarketState], now: &Now) -> Error {
    close(&mut account.clone(), &mut markets.to_vec(), now).unwrap_err().error
}

fn resolved(account: &mut AccountState, markets: &mut [MarketState], now: &Now) -> Result<[Quote; 8]> {
    let mut list = entries(account, markets, usize::MAX);
    Ok(resolve(account, &mut list, now)?.deficits)
}

fn flagged(account: &mut AccountState, now: &Now) {
    (account.flag.slot, account.flag.publish_time, account.flag.flagger) = (now.slot, now.unix - 1, Key([1; 32]));
}

/// Positions of $1M in as many markets, opened at $100; then the prices are these. The first market is settled.
fn positions(collateral: u64, legs: &[(bool, u64)]) -> (AccountState, Vec<MarketState>) {
    let mut me = account(dollars(0));
    let mut markets = Vec::new();
    for (index, (long, now_at)) in (0..).zip(legs) {
        let mut market = market_at(index, price(100));
        open(&mut market, &mut me, units(10_000), *long);
        set_price_at(&mut market, price(*now_at), &NOW);
        market.price.last.conf = Price(0);
        markets.push(market);
    }
    me.collateral = dollars(collateral);
    fix(&mut markets[0], &NOW);
    (me, markets)
}

fn supply(account: &AccountState, markets: &[MarketState]) -> u128 {
    tokens(&markets.iter().collect::<Vec<_>>(), &[*account])
}

#[test]
fn who_closes_first_cannot_choose_which_market_an_account_below_zero_pays() {
    // -80k in the settled market, -90k in the other, $100k to pay them: pro rata, $33k and $37k are missing.
    let (me, markets) = positions(100_000, &[(true, 92), (true, 91)]);
    let books = supply(&me, &markets);
    assert_eq!(refused(&me, &markets, &NOW), Error::AccountBankrupt);
    // Whoever leaves the other price old waits for it.
    let old = later(&NOW, 5);
    assert_eq!(markets[1].status(&old).unwrap(), Status::Ageing);
    assert_eq!(refused(&me, &markets, &old), Error::PriceStale);
    let mut ends = Vec::new();
    for both in [false, true] {
        let (mut me, mut markets) = (me, markets.clone());
        if both {
            // Settled too it can be flagged by nobody, and needs no flag.
            fix(&mut markets[1], &NOW);
            assert_eq!(refused(&me, &markets, &NOW), Error::AccountBankrupt);
        } else {
            assert_eq!(resolved(&mut me.clone(), &mut markets.clone(), &NOW).unwrap_err().error, Error::NotFlagged);
            flagged(&mut me, &NOW);
        }
        let deficits = resolved(&mut me, &mut markets, &NOW).unwrap();
        assert!(me.is_flat() && deficits[0] > dollars(30_000) && deficits[1] > deficits[0], "{deficits:?}");
        assert_eq!(supply(&me, &markets), books);
        ends.push(deficits);
    }
    assert_eq!(ends[0], ends[1]);
}

/// -80k in the settled market, and a claim of $50k on one that was settled eleven days ago and has nothing: closed or resolved,
/// the claim is written off, though nobody has touched that market for as long.
#[test]
fn a_claim_that_came_too_late_pays_neither_a_closing_nor_a_resolution() {
    let now = later(&NOW, 11 * DAY);
    let (mut me, mut markets) = positions(0, &[(true, 92)]);
    markets[0].settlement.fixed_at = now.unix;
    let mut debtor = market_at(1, price(100));
    debtor.pool.cash = dollars(0);
    fix(&mut debtor, &NOW);
    me.positions[1].market = 1;
    debtor.add_claim(&mut me.positions[1].claim, dollars(50_000)).unwrap();
    markets.push(debtor);
    let closed = close(&mut me.clone(), &mut markets.clone(), &now).unwrap();
    let deficits = resolved(&mut me, &mut markets, &now).unwrap();
    assert!(closed > dollars(80_000) && deficits[0] == closed, "{closed:?} {deficits:?}");
    assert!(me.is_flat() && markets[1].pool.claims.is_zero());
}

#[test]
fn an_empty_purse_is_asked_whether_the_account_can_pay_too() {
    // Nothing in cash: -80k in the settled market, +90k and -90k in two others.
    let (mut me, mut markets) = positions(0, &[(true, 92), (false, 91), (true, 91)]);
    assert_eq!(refused(&me, &markets, &NOW), Error::AccountBankrupt);
    flagged(&mut me, &NOW);
    let deficits = resolved(&mut me, &mut markets, &NOW).unwrap();
    assert!(deficits[0] > dollars(35_000) && deficits[2] > deficits[0], "{deficits:?}");
}

#[test]
fn a_winning_leg_is_not_kept_while_a_settled_market_pays_the_losing_one() {
    // -200k in the settled market, +200k in the other, $60k.
    let (me, mut markets) = positions(60_000, &[(true, 80), (false, 80)]);
    // Silent, or ageing for five seconds ten days later: the profit is waited for.
    let silent = later(&NOW, 2 * HOUR);
    assert_eq!(refused(&me, &markets, &silent), Error::AccountBankrupt);
    assert_eq!(
        resolved(&mut me.clone(), &mut markets.clone(), &silent).unwrap_err().error,
        Error::NotBankrupt,
        "within ten days its profit still counts"
    );
    let posted = later(&NOW, 10 * DAY);
    set_price_at(&mut markets[1], price(80), &posted);
    assert_eq!(refused(&me, &markets, &later(&posted, 5)), Error::PriceStale);
    // At a good price it pays, whenever that is.
    let (mut paid, mut pools) = (me, markets.clone());
    assert_eq!(close(&mut paid, &mut pools, &posted).unwrap(), Quote::ZERO);
    assert!(paid.collateral < dollars(60_000));
    // Where none came in time, the settlement takes the other market's last valid price, and nobody keeps the profit.
    let (mut late, mut pools) = (me, markets);
    let over = later(&posted, 2 * HOUR);
    let deficits = resolved(&mut late, &mut pools, &over).unwrap();
    assert!(late.is_flat() && late.collateral.is_zero(), "{late:?}");
    assert!(deficits[0] > dollars(130_000) && deficits[1].is_zero(), "{deficits:?}");
}

/// Published and stored now, but not valid since an hour and more.
fn uncertain(market: &mut MarketState, now: &Now) {
    let (valid, slot) = (market.price.valid, market.price.valid_slot);
    set_price_at(market, price(80), now);
    market.price.last.conf = price(2);
    (market.price.valid, market.price.valid_slot) = (valid, slot);
    assert_eq!(market.status(now).unwrap(), Status::Uncertain);
}

#[test]
fn no_price_of_another_market_holds_an_account_in_a_settled_one_for_longer_than_ten_days() {
    // What collateral pays needs no price for longer than an hour …
    let (me, mut markets) = positions(250_000, &[(true, 80), (false, 80)]);
    for (second, done) in [(HOUR, false), (HOUR + 1, true)] {
        let now = later(&NOW, second);
        uncertain(&mut markets[1], &now);
        let closed = close(&mut me.clone(), &mut markets.clone(), &now);
        assert_eq!(closed.is_ok(), done, "{second}");
    }
    // … what only a profit at an uncertain price could pay waits for ten days, to the second, and then no longer.
    let (me, mut markets) = positions(60_000, &[(true, 80), (false, 80)]);
    for (second, over) in [(-1, false), (0, true), (1, true)] {
        let now = later(&NOW, 10 * DAY + second);
        uncertain(&mut markets[1], &now);
        let (mut me, mut markets) = (me, markets.clone());
        assert_eq!(refused(&me, &markets, &now), Error::AccountBankrupt);
        match resolved(&mut me, &mut markets, &now) {
            Ok(deficits) => assert!(over && me.is_flat() && deficits[0] > dollars(130_000)),
            Err(fault) => assert!(!over && fault.error == Error::NotBankrupt, "{second}: {fault:?}"),
        }
    }
}

#[test]
fn a_price_that_is_only_ever_wide_pays_after_ten_days() {
    let (me, mut markets) = positions(60_000, &[(true, 80), (false, 80)]);
    for (second, over) in [(-1, false), (0, true)] {
        let now = later(&NOW, 10 * DAY + second);
        set_price_at(&mut markets[1], price(80), &now);
        markets[1].price.last.conf = Price(price(80).0 / 140);
        assert_eq!(markets[1].status(&now).unwrap(), Status::Ageing);
        let (mut me, mut markets) = (me, markets.clone());
        let books = supply(&me, &markets);
        assert_eq!(refused(&me, &markets, &now), Error::AccountBankrupt);
        let done = resolved(&mut me, &mut markets, &now);
        assert_eq!(done.is_ok(), over, "{second}");
        assert_eq!(supply(&me, &markets), books);
        if over {
            assert!(done.unwrap().iter().all(|deficit| deficit.is_zero()));
            assert!(me.is_flat() && me.collateral > dollars(50_000), "what it brings beyond the loss is its owner's");
        }
    }
}

#[test]
fn where_every_other_price_is_good_an_account_is_flagged_first_however_late() {
    let (me, mut markets) = positions(100_000, &[(true, 92), (true, 91)]);
    let now = later(&NOW, 30 * DAY);
    set_price_at(&mut markets[1], price(91), &now);
    assert_eq!(resolved(&mut me.clone(), &mut markets, &now).unwrap_err().error, Error::NotFlagged);
}

#[test]
fn a_reduction_elsewhere_needs_no_settled_market_to_be_closed_first() {
    let (mut me, mut markets) = positions(250_000, &[(true, 92), (true, 91)]);
    let fill = reduce(&mut markets[1], &mut me, 1, units(10_000), price(91), Charge::Trade).unwrap();
    assert!(fill.realised.pays() && fill.realised.unpaid.is_zero());
    assert_eq!(close(&mut me, &mut markets, &later(&NOW, 40 * DAY)).unwrap(), Quote::ZERO);
}

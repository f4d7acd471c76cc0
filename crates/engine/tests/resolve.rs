//! Accounts that cannot pay (sections 5 and 9): who pays, by formula, whoever acts first. What other markets' profits cover,
//! which prices a resolution takes and how it splits what there is have a file each.

mod cover;
mod prices;
mod split;

use ballast_engine::account::AccountState;
use ballast_engine::error::{Error, Result};
use ballast_engine::layout::Key;
use ballast_engine::liquidation::flag;
use ballast_engine::margin::{Purpose, Totals};
use ballast_engine::market::MarketState;
use ballast_engine::resolve::{Resolution, resolve};
use ballast_engine::{Now, Price, Quote};

use crate::margin::{open, totals};
use crate::support::{NOW, account, dollars, later, market_at, price, set_price, set_price_at, tokens, units};

/// The markets of an account's slots, in slot order.
pub(crate) fn entries<'a>(account: &AccountState, markets: &'a mut [MarketState]) -> Vec<(usize, &'a mut MarketState)> {
    let mut all: Vec<Option<&mut MarketState>> = markets.iter_mut().map(Some).collect();
    let find = |all: &mut Vec<Option<&'a mut MarketState>>, index: u16| {
        all.iter_mut().find(|m| m.as_ref().is_some_and(|m| m.index == index)).and_then(Option::take).unwrap()
    };
    account.slots().map(|(slot, p)| (slot, find(&mut all, p.market))).collect()
}

/// Every claim on a pool is in its books, whether a trader or another pool holds it, and what can be collected has been
/// put aside.
pub(crate) fn assert_claims(markets: &[MarketState], accounts: &[AccountState]) {
    for market in markets {
        market.invariant().unwrap();
        let slots = accounts.iter().flat_map(|a| &a.positions).filter(|p| !p.is_free() && p.market == market.index);
        let pools = markets.iter().map(|m| &m.held[usize::from(market.index)]);
        let (mut face, mut outstanding, mut collectable) = (0, 0, 0);
        for claim in slots.map(|p| &p.claim).chain(pools) {
            let value = market.claim_value(claim).unwrap();
            face += claim.amount.0;
            outstanding += value.0.0;
            collectable += value.1.0;
        }
        assert_eq!(face, market.pool.claims.0 + market.pool.claims_paid.0, "claims on {}", market.index);
        assert!(collectable <= market.pool.claims_paid.0 && outstanding >= market.pool.claims.0);
    }
}

fn see(account: &AccountState, markets: &[MarketState], now: &Now) -> Totals {
    totals(account, &markets.iter().collect::<Vec<_>>(), Purpose::Maintenance, now)
}

fn supply(markets: &[MarketState], accounts: &[AccountState]) -> u128 {
    tokens(&markets.iter().collect::<Vec<_>>(), accounts)
}

/// Flags at [`NOW`] and publishes every price anew five slots later.
fn flag_and_refresh(account: &mut AccountState, markets: &mut [MarketState]) -> Now {
    let got = see(account, markets, &NOW);
    let largest = account.position(got.largest.unwrap().0).unwrap().market;
    flag(account, markets.iter().find(|m| m.index == largest).unwrap(), &got, Key([1; 32]), &NOW).unwrap();
    let now = later(&NOW, 2);
    for market in markets {
        let at = market.price.last.price;
        set_price_at(market, at, &now);
    }
    now
}

fn resolve_it(account: &mut AccountState, markets: &mut [MarketState], now: &Now) -> Result<Resolution> {
    let mut entries = entries(account, markets);
    resolve(account, &mut entries, now)
}

/// Attack B1's account: $100k, long $1M in A, short $1M in B; then A falls 20 % and B 14.5 %.
fn b1() -> (Vec<MarketState>, AccountState) {
    let mut markets = vec![market_at(0, price(100)), market_at(1, price(100))];
    let mut me = account(dollars(100_000));
    open(&mut markets[0], &mut me, units(10_000), true);
    open(&mut markets[1], &mut me, units(10_000), false);
    for market in &mut markets {
        market.pool.insurance = dollars(50_000);
    }
    (markets, me)
}

fn fall(markets: &mut [MarketState]) {
    set_price(&mut markets[0], price(80));
    set_price(&mut markets[1], Price(85_500_000_000));
}

#[test]
fn markets_are_checked_against_the_slots() {
    let (mut markets, mut me) = b1();
    set_price(&mut markets[0], price(70));
    let now = flag_and_refresh(&mut me, &mut markets);
    let (a, b) = markets.split_at_mut(1);
    let wrong = |list: &mut [(usize, &mut MarketState)]| resolve(&mut me.clone(), list, &now).unwrap_err().error;
    assert_eq!(wrong(&mut [(0, &mut a[0])]), Error::WrongMarketCount);
    assert_eq!(wrong(&mut [(1, &mut b[0]), (0, &mut a[0])]), Error::WrongMarketCount);
    assert_eq!(wrong(&mut [(0, &mut b[0]), (1, &mut a[0])]), Error::WrongMarket);
    let mut third = market_at(2, price(100));
    assert_eq!(wrong(&mut [(0, &mut a[0]), (1, &mut b[0]), (2, &mut third)]), Error::WrongMarketCount);
    assert_eq!(wrong(&mut []), Error::WrongMarketCount);
}

#[test]
fn an_unflagged_account_without_positions_is_not_flagged() {
    // Not one whose markets are all settled: it has none.
    let mut nobody = account(dollars(100));
    assert_eq!(resolve_it(&mut nobody, &mut [], &NOW).unwrap_err().error, Error::NotFlagged);
}

#[test]
fn a_resolution_needs_flag_second_publish_time_good_prices_and_an_equity_below_zero() {
    let (mut markets, mut me) = b1();
    set_price(&mut markets[0], price(70));
    assert_eq!(resolve_it(&mut me, &mut markets, &NOW).unwrap_err().error, Error::NotFlagged);
    let mut same = markets.clone();
    let now = flag_and_refresh(&mut me, &mut markets);
    assert_eq!(resolve_it(&mut me.clone(), &mut same, &NOW).unwrap_err().error, Error::FlagTooFresh);
    let mut recovered = markets.clone();
    set_price_at(&mut recovered[0], price(91), &now);
    let fault = resolve_it(&mut me.clone(), &mut recovered, &now).unwrap_err();
    assert_eq!(fault.error, Error::NotBankrupt);
    assert!(fault.value > 0);
    let mut wide = markets.clone();
    wide[1].price.last.conf = price(2);
    assert_eq!(resolve_it(&mut me.clone(), &mut wide, &now).unwrap_err().error, Error::PriceUncertain);
    let mut old = markets.clone();
    set_price_at(&mut old[0], price(70), &later(&now, 5));
    assert_eq!(resolve_it(&mut me.clone(), &mut old, &later(&now, 5)).unwrap_err().error, Error::PriceStale);
    let _ = resolve_it(&mut me, &mut markets, &now).unwrap();
}

#[test]
fn profits_settle_first_and_the_rest_is_the_markets_deficit_insurance_before_providers() {
    let (mut markets, mut me) = b1();
    set_price(&mut markets[0], price(70));
    set_price(&mut markets[1], price(95));
    let now = flag_and_refresh(&mut me, &mut markets);
    let books = supply(&markets, &[me]);
    let cash = (markets[0].pool.cash, markets[1].pool.cash);
    let done = resolve_it(&mut me, &mut markets, &now).unwrap();
    // Loss $300,100; collateral $100,000 and $49,900 of profit pay it in part.
    assert_eq!((done.paid, done.assigned), (Quote(149_900_000_000), Quote::ZERO));
    assert_eq!((done.deficit, done.insurance), (Quote(150_200_000_000), dollars(50_000)));
    assert_eq!(done.deficits[0], done.deficit);
    assert_eq!(markets[0].pool.cash.0 - cash.0.0, 199_900_000_000);
    assert_eq!(cash.1.0 - markets[1].pool.cash.0, 49_900_000_000, "B pays its own winner and nothing else");
    assert_eq!(markets[0].pool.deficits, Quote(100_200_000_000));
    assert_eq!((markets[0].pool.insurance, markets[1].pool.insurance), (Quote::ZERO, dollars(50_000)));
    assert!(me.is_flat() && me.collateral.is_zero() && me.flag.slot == 0);
    assert_eq!(supply(&markets, &[me]), books);
    assert_claims(&markets, &[me]);
    assert!(markets.iter().all(|m| m.long.positions + m.short.positions == 0));
}

//! Margin (section 7): what counts, at which price, in whose favour.

use ballast_engine::account::{AccountState, Position};
use ballast_engine::error::Error;
use ballast_engine::layout::Key;
use ballast_engine::liquidation::flag;
use ballast_engine::margin::{Purpose, Totals, initial_ratio, leg, maintenance_ratio};
use ballast_engine::market::{Claim, MarketState};
use ballast_engine::price::Status;
use ballast_engine::trade::increase;
use ballast_engine::{Base, FundingIndex, Now, Price, Quote, Ratio, SignedQuote};
use proptest::prelude::*;

use crate::support::{NOW, account, dollars, later, market, market_at, price, set_price, set_price_at, units};

/// Opens or increases a position at the stored price, whatever the limits say; returns its slot.
pub(crate) fn open(market: &mut MarketState, account: &mut AccountState, size: Base, long: bool) -> usize {
    let slot = account.find_or_free(market.index).unwrap();
    let (cash, mark) = (account.collateral, market.price.last.price);
    account.collateral = dollars(1_000_000_000);
    let fill = increase(market, account, slot, size, long, mark).unwrap();
    assert!(fill.realised.unpaid.is_zero());
    // The collateral is what the test says, after fees.
    account.collateral = cash;
    slot
}

/// An account's totals over the markets it uses.
pub(crate) fn totals(account: &AccountState, markets: &[&MarketState], purpose: Purpose, now: &Now) -> Totals {
    let mut totals = Totals::new(account.collateral).unwrap();
    for (slot, position) in account.slots() {
        let market = markets.iter().find(|m| m.index == position.market).unwrap();
        totals.add(slot, &leg(market, position, purpose, now).unwrap()).unwrap();
    }
    totals
}

fn maintenance(account: &AccountState, markets: &[&MarketState], now: &Now) -> Totals {
    totals(account, markets, Purpose::Maintenance, now)
}

fn quote(dollars: i64) -> SignedQuote {
    SignedQuote(dollars * 1_000_000)
}

/// A position by its figures alone, entered at `entry` dollars a unit.
fn position(size: i64, entry: u64) -> Position {
    let mut position = Position::default();
    position.size.0 = size * 1_000_000;
    position.entry = dollars(size.unsigned_abs() * entry);
    position
}

/// A market in whose sums a position is.
fn with(position: &Position, mut market: MarketState) -> MarketState {
    let side = market.side_mut(position.size.is_long());
    side.open_interest = position.base();
    side.entry = position.entry;
    side.positions = 1;
    market
}

#[test]
fn a_leg_in_figures() {
    // Long 100 at $100, price $99, confidence $0.0099 (1 bp, below the credit of 10 bps): PnL at $99.0099 is -$99.01.
    let p = position(100, 100);
    let mut m = with(&p, market());
    set_price(&mut m, price(99));
    let got = leg(&m, &p, Purpose::Maintenance, &NOW).unwrap();
    assert_eq!(got.equity, SignedQuote(-99_010_000));
    assert_eq!(got.full_equity, got.equity);
    assert_eq!((got.notional, got.requirement, got.buffer), (dollars(9_900), dollars(297), Quote(148_500_000)));
    assert_eq!((got.status, got.publish_time, got.market), (Status::Good, NOW.unix, 0));
    // Initial: PnL at $98.9901, the far end; 5 % and half a basis of size term: 9,900 / 2,000,000 of 5 %, rounded up.
    let got = leg(&m, &p, Purpose::Withdrawal, &NOW).unwrap();
    assert_eq!(got.equity, SignedQuote(-100_990_000));
    assert_eq!(got.requirement, Quote(9_900 * 50_248));
    assert_eq!(got.buffer, Quote::ZERO);
    // A wide confidence is credited up to 10 bps only.
    m.price.last.conf = Price(m.price.last.price.0 / 250);
    let got = leg(&m, &p, Purpose::Maintenance, &NOW).unwrap();
    assert_eq!(got.equity, SignedQuote(-100_000_000 + 9_900_000));
    // A short gets the other end of both.
    let p = position(-100, 98);
    let m2 = with(&p, m);
    assert_eq!(leg(&m2, &p, Purpose::Maintenance, &NOW).unwrap().equity, SignedQuote(-100_000_000 + 9_900_000));
    assert_eq!(leg(&m2, &p, Purpose::Withdrawal, &NOW).unwrap().equity, SignedQuote(-100_000_000 - 39_600_000));
}

#[test]
fn requirements_use_the_higher_of_price_and_hour_average_and_results_the_worse() {
    let p = position(100, 100);
    let mut m = with(&p, market());
    m.price.ema60 = price(104);
    let got = leg(&m, &p, Purpose::Withdrawal, &NOW).unwrap();
    assert_eq!(got.notional, dollars(10_400));
    assert_eq!(got.equity, SignedQuote(-1_000_000), "price less confidence is below the average");
    m.price.ema60 = price(97);
    let got = leg(&m, &p, Purpose::Withdrawal, &NOW).unwrap();
    assert_eq!((got.notional, got.equity), (dollars(10_000), quote(-300)));
    // The maintenance test knows nothing of averages.
    assert_eq!(leg(&m, &p, Purpose::Maintenance, &NOW).unwrap().equity, SignedQuote(950_000));
}

#[test]
fn profit_counts_at_its_credit_and_loss_in_full() {
    let p = position(100, 90);
    let m = with(&p, market());
    // $1,001 at $100.01, 95 % of it.
    let got = leg(&m, &p, Purpose::Maintenance, &NOW).unwrap();
    assert_eq!((got.equity, got.full_equity), (SignedQuote(950_950_000), quote(1_001)));
    // $999 at $99.99: half for an increase by parameter, none for a withdrawal.
    assert_eq!(leg(&m, &p, Purpose::Increase, &NOW).unwrap().equity, SignedQuote(499_500_000));
    assert_eq!(leg(&m, &p, Purpose::Withdrawal, &NOW).unwrap().equity, SignedQuote::ZERO);
    // A pool that can pay a quarter of all profit.
    let mut poor = m;
    poor.pool.cash = dollars(250);
    let got = leg(&poor, &p, Purpose::Maintenance, &NOW).unwrap();
    assert_eq!(got.equity, SignedQuote(250_000_000 * 95 / 100), "h × (1 − imf), and no more than there is");
    assert_eq!(leg(&poor, &p, Purpose::Increase, &NOW).unwrap().equity, SignedQuote(999_000_000 / 4 / 2));
    // What is set aside for claims pays no profit.
    poor.pool.cash = dollars(1_250);
    poor.pool.claims_paid = dollars(1_000);
    assert_eq!(leg(&poor, &p, Purpose::Maintenance, &NOW).unwrap().equity, got.equity);
}

#[test]
fn funding_to_pay_is_a_debt_in_full_and_funding_to_receive_an_asset_at_its_credit() {
    let p = position(100, 90);
    let mut m = with(&p, market());
    m.params.initial_margin = Ratio(200_000);
    m.long.index = FundingIndex::new(1_000_000_000_000_000); // one dollar a unit
    let got = leg(&m, &p, Purpose::Maintenance, &NOW).unwrap();
    // $1,001 of profit less $100: the profit pays $901 net, at h = 1.
    assert_eq!(got.equity, SignedQuote(1_001_000_000 * 8 / 10 - 100_000_000));
    assert_eq!(got.full_equity, quote(901));
    m.long.index = FundingIndex::new(-1_000_000_000_000_000);
    let got = leg(&m, &p, Purpose::Maintenance, &NOW).unwrap();
    assert_eq!((got.equity, got.full_equity), (SignedQuote(1_101_000_000 * 8 / 10), quote(1_101)));
    // A loss is not lessened by money the pool may not have.
    let p = position(100, 101);
    let mut m = with(&p, m);
    m.pool.cash = Quote::ZERO;
    assert_eq!(leg(&m, &p, Purpose::Maintenance, &NOW).unwrap().equity, quote(-99));
}

/// Attack H10: a poor pool's paper profit as margin for a position elsewhere.
#[test]
fn h10_a_poor_pools_paper_profit_is_hardly_margin() {
    // X: the account's $300k of paper profit against $10k of cash. A: long $10M with $500k, 5 % down.
    let mut x = market_at(1, price(100));
    let mut a = market_at(0, price(100));
    let mut me = account(dollars(500_000));
    x.price.last.price = price(70);
    open(&mut x, &mut me, units(10_000), true);
    set_price(&mut x, price(100));
    x.pool.cash = dollars(10_000);
    open(&mut a, &mut me, units(100_000), true);
    set_price(&mut a, price(95));
    let got = maintenance(&me, &[&x, &a], &NOW);
    // True equity is about $10k, on paper $300k less the premium, and maintenance is $285k + $30k.
    assert!(got.full_equity > quote(290_000), "{got:?}");
    assert!(got.equity < quote(20_000), "{got:?}");
    flag(&mut me, &a, &got, Key::default(), &NOW).unwrap();
}

/// Attack M1: a leg whose price is not good as a shield.
#[test]
fn m1_an_uncertain_leg_is_no_shield() {
    let (mut a, mut b) = (market_at(0, price(100)), market_at(1, price(100)));
    let mut me = account(dollars(60_000));
    open(&mut a, &mut me, units(10_000), true);
    open(&mut b, &mut me, units(10_000), true);
    // Both long $1M; B's confidence turns to 2 % in the slot in which A is 1.5 % down.
    set_price(&mut a, Price(98_500_000_000));
    b.price.last.conf = price(2);
    assert_eq!(b.status(&NOW).unwrap(), Status::Uncertain);
    let got = maintenance(&me, &[&a, &b], &NOW);
    assert_eq!(got.worst, Status::Uncertain);
    // 60,000 - 15,000 + confidence credit of 98.5, less $200 of premium: the uncertain leg adds nothing at no age.
    assert!(got.equity > quote(44_850) && got.equity < quote(45_200), "{got:?}");
    flag(&mut me, &a, &got, Key::default(), &NOW).unwrap();
    // After 5 slots at 3 bps each it is given 15 bps of $1M, not the whole initial margin of $50,000.
    let then = Now { slot: NOW.slot + 5, unix: NOW.unix + 2, ..NOW };
    let got = maintenance(&me, &[&a, &b], &then);
    let given = got.equity.0 - maintenance(&me, &[&a, &b], &NOW).equity.0;
    // From -$100 of premium to +$1,400, of which 95 % count.
    assert_eq!(given, 1_430_000_000);
}

/// Section 4: who leaves the profitable leg old must not get the account liquidated.
#[test]
fn a_stale_leg_is_no_lever() {
    let (mut a, mut b) = (market_at(0, price(100)), market_at(1, price(100)));
    let mut me = account(dollars(20_000));
    open(&mut a, &mut me, units(10_000), true);
    open(&mut b, &mut me, units(10_000), false);
    // A falls 4 %, B too; the hedge is fine, but only A's price is refreshed. B stood at -2 % 20 s ago.
    let then = later(&NOW, 20);
    set_price(&mut b, price(98));
    set_price_at(&mut a, price(96), &then);
    assert_eq!(b.status(&then).unwrap(), Status::Stale);
    let got = maintenance(&me, &[&a, &b], &then);
    // B counts at $98 less 50 slots × 3 bps: profit of $20,000 + $14,700, at 95 %.
    let b_leg = leg(&b, me.position(1).unwrap(), Purpose::Maintenance, &then).unwrap();
    assert!(b_leg.equity.0 > 32_800_000_000 && b_leg.equity.0 < 33_000_000_000, "{b_leg:?}");
    assert_eq!(got.largest.unwrap().0, 0, "the stale leg is not the one to be liquidated, though larger");
    assert!(b_leg.requirement > got.largest.unwrap().1);
    // Never more than the initial margin in its favour, however old.
    let late = later(&NOW, 3_000);
    let b_leg = leg(&b, me.position(1).unwrap(), Purpose::Maintenance, &late).unwrap();
    assert!(b_leg.full_equity.0 < 70_000_000_000, "{b_leg:?}");
}

/// P5: not through `h` either.
#[test]
fn an_unconfirmed_jump_elsewhere_takes_no_margin_away() {
    let mut b = market_at(1, price(100));
    let mut me = account(dollars(1_000));
    open(&mut b, &mut me, units(1_000), true);
    set_price(&mut b, price(110));
    // Cash for all of the profit at $110, and for a tenth at ten times the move.
    b.pool.cash = dollars(10_200);
    let before = maintenance(&me, &[&b], &NOW);
    b.price.last.price = price(200);
    assert_eq!(b.status(&NOW).unwrap(), Status::Jumped);
    let after = maintenance(&me, &[&b], &NOW);
    assert!(after.surplus().unwrap() >= before.surplus().unwrap().less(SignedQuote(200_000_000)).unwrap());
    // The other way it does not shield: the last valid price counts.
    b.price.last.price = price(50);
    assert_eq!(maintenance(&me, &[&b], &NOW).equity, after.equity);
}

#[test]
fn a_claim_or_holdback_alone_needs_no_price_and_counts_in_full_equity_only() {
    let mut m = market();
    m.pool.claims = dollars(70);
    m.price = Default::default();
    let mut p = Position { held: dollars(5), ..Position::default() };
    p.claim = Claim { amount: dollars(70), factor: m.pool.claim_factor, epoch: 0 };
    for purpose in [Purpose::Maintenance, Purpose::Increase, Purpose::Withdrawal] {
        let got = leg(&m, &p, purpose, &NOW).unwrap();
        assert_eq!((got.equity, got.full_equity, got.status), (SignedQuote::ZERO, quote(75), Status::Good));
        assert_eq!(got.requirement, Quote::ZERO);
    }
    let mut sum = Totals::new(dollars(1)).unwrap();
    sum.add(3, &leg(&m, &p, Purpose::Maintenance, &NOW).unwrap()).unwrap();
    assert_eq!((sum.largest, sum.equity, sum.full_equity), (None, quote(1), quote(76)));
    sum.check_initial().unwrap();
}

#[test]
fn the_open_interest_term_is_for_increases_only() {
    // Attack M2: whoever fills the open interest must not lock others' withdrawals.
    let mut m = market();
    m.params.size_margin = Ratio::ZERO;
    m.long.open_interest = units(80_000);
    assert_eq!(initial_ratio(&m, dollars(100_000), true).unwrap(), Ratio(50_000), "80 % of the cap: it begins");
    m.long.open_interest = units(90_000);
    // 10 % of the way from 80 % to 500 % is 1/42; of the 95 % left.
    assert_eq!(initial_ratio(&m, dollars(100_000), true).unwrap(), Ratio(50_000 + 22_620));
    assert_eq!(initial_ratio(&m, dollars(100_000), false).unwrap(), Ratio(50_000));
    m.short.open_interest = units(500_000);
    assert_eq!(initial_ratio(&m, dollars(100_000), true).unwrap(), Ratio::ONE);
    m.params.open_interest_cap = Quote::ZERO;
    assert_eq!(initial_ratio(&m, dollars(100_000), true).unwrap(), Ratio::ONE, "no cap, no credit");
    assert_eq!(initial_ratio(&m, dollars(100_000), false).unwrap(), Ratio(50_000));
}

#[test]
fn the_size_term_rises_to_its_full_at_the_largest_position() {
    let m = market();
    for (notional, ratio) in [(0, 50_000), (1, 50_001), (1_000_000, 75_000), (2_000_000, 100_000), (9_000_000, 100_000)]
    {
        assert_eq!(initial_ratio(&m, dollars(notional), false).unwrap(), Ratio(ratio), "{notional}");
    }
}

/// P10.
#[test]
fn a_raised_maintenance_margin_waits_for_the_grace_to_end() {
    let mut m = market();
    let p = Position { margin_version: 6, ..position(1, 100) };
    m.params.maintenance_margin = Ratio(40_000);
    m.param_version[1] = 7;
    m.old_maintenance = 30_000;
    m.grace_until = NOW.unix + 10;
    assert_eq!(maintenance_ratio(&m, &p, &NOW), Ratio(30_000));
    assert_eq!(maintenance_ratio(&m, &Position { margin_version: 7, ..p }, &NOW), Ratio(40_000));
    assert_eq!(maintenance_ratio(&m, &p, &later(&NOW, 10)), Ratio(40_000));
    // From two raises ago, or from before a cut: the grace holds it to the margin before this raise, which the envelope
    // counted, neither lower nor higher.
    assert_eq!(maintenance_ratio(&m, &Position { margin_version: 5, ..p }, &NOW), Ratio(30_000));
    assert_eq!(maintenance_ratio(&m, &Position { margin_version: 0, ..p }, &NOW), Ratio(30_000));
    // A cut helps everybody at once.
    m.params.maintenance_margin = Ratio(20_000);
    assert_eq!(maintenance_ratio(&m, &p, &NOW), Ratio(20_000));
}

#[test]
fn initial_margin_needs_equity_and_good_prices() {
    let mut m = market();
    let mut me = account(dollars(0));
    open(&mut m, &mut me, units(100), true);
    let required = totals(&me, &[&m], Purpose::Withdrawal, &NOW);
    me.collateral = Quote((required.requirement.0 as i64 - required.equity.0) as u64);
    totals(&me, &[&m], Purpose::Withdrawal, &NOW).check_initial().unwrap();
    me.collateral.0 -= 1;
    let fault = totals(&me, &[&m], Purpose::Withdrawal, &NOW).check_initial().unwrap_err();
    assert_eq!(fault.error, Error::InitialMargin);
    assert_eq!(fault.value, fault.limit - 1);
    me.collateral = dollars(1_000_000);
    let then = later(&NOW, 5);
    assert_eq!(m.status(&then).unwrap(), Status::Ageing);
    let fault = totals(&me, &[&m], Purpose::Withdrawal, &then).check_initial().unwrap_err();
    assert_eq!(fault.error, Error::PriceStale);
}

#[test]
fn the_largest_is_the_first_of_equals() {
    let (mut a, mut b) = (market_at(4, price(100)), market_at(2, price(100)));
    let mut me = account(dollars(1_000_000));
    open(&mut a, &mut me, units(10), true);
    open(&mut b, &mut me, units(10), false);
    assert_eq!(maintenance(&me, &[&a, &b], &NOW).largest, Some((0, dollars(30))));
}

proptest! {
    /// Every rounding is against the trader, and full equity is never below equity.
    #[test]
    fn equity_is_never_rounded_in_the_traders_favour(
        size in 1_u64..1_000_000_000_000, entry in 50_000_000_000_u64..150_000_000_000,
        mark in 50_000_000_000_u64..150_000_000_000, long: bool, index in -1_000_000_000_000_i64..1_000_000_000_000,
        cash in 0_u64..100_000_000_000_000,
    ) {
        let mut p = Position::default();
        p.size.0 = if long { size as i64 } else { -(size as i64) };
        p.entry = Quote((u128::from(size) * u128::from(entry) / 1_000_000_000) as u64);
        let mut m = with(&p, market());
        m.side_mut(long).index = FundingIndex::new(i128::from(index));
        m.pool.cash = Quote(cash);
        set_price(&mut m, Price(mark));
        let got = leg(&m, &p, Purpose::Maintenance, &NOW).unwrap();
        // In exact numbers, scaled by 1e15.
        let at = i128::from(m.maintenance_price(long).unwrap().0);
        let value = i128::from(size) * at * 1_000_000;
        let entry = i128::from(p.entry.0) * 1_000_000_000_000_000;
        let pnl = if long { value - entry } else { entry - value };
        let owed = i128::from(size) * i128::from(index);
        let exact = pnl - owed;
        let full = i128::from(got.full_equity.0) * 1_000_000_000_000_000;
        prop_assert!(full <= exact && exact - full < 2_000_000_000_000_000);
        prop_assert!(got.equity <= got.full_equity);
        prop_assert!(u128::from(got.notional.0) * 1_000_000_000 >= u128::from(size) * u128::from(mark));
        prop_assert!(u128::from(got.requirement.0) * 1_000_000 >= u128::from(got.notional.0) * 30_000);
        // Withdrawals never see more than the maintenance test does.
        let kept = leg(&m, &p, Purpose::Withdrawal, &NOW).unwrap();
        prop_assert!(kept.equity <= got.equity && kept.requirement >= got.requirement);
    }
}

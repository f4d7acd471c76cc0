//! The worked example of docs/WHO-PAYS.md: a market whose shorts have won $900,000 from two longs who could not pay all of
//! it, with a bucket of $60,000, a shared fund of $400,000 of which the market may claim $100,000 a day, and providers'
//! equity of $500,000.

use ballast_engine::account::{AccountState, Flag};
use ballast_engine::constants::DAY;
use ballast_engine::insurance::SharedInsurance;
use ballast_engine::market::MarketState;
use ballast_engine::resolve::resolve;
use ballast_engine::settle::{collect, settle};
use ballast_engine::settlement::{Step, close_settled};
use ballast_engine::trade::increase;
use ballast_engine::{Base, Now, Quote};

use crate::support::{NOW, account, assert_sums, dollars, later, market, price, set_price_at, units};

/// Who paid, in quote atoms.
#[derive(Debug, PartialEq)]
struct Bill {
    bucket: u64,
    shared: u64,
    providers: u64,
    traders: u64,
}

/// The market at $100 without fees and, in effect, without premium: two longs with so much collateral, and a short.
fn open(collateral: [u64; 2]) -> (MarketState, Vec<AccountState>) {
    let mut market = market();
    (market.params.taker_fee.0, market.params.mending_fee.0) = (0, 0);
    market.params.skew_scale = Base(1 << 61);
    market.params.settlement_floor.0 = 10_000;
    (market.params.insurance_day_cap, market.params.insurance_week_cap) = (dollars(100_000), dollars(200_000));
    market.pool.cash = dollars(500_000);
    market.pool.insurance = dollars(60_000);
    let mut accounts: Vec<AccountState> = [collateral[0], collateral[1], 1_000_000].map(|c| account(dollars(c))).into();
    for (account, (size, long)) in accounts.iter_mut().zip([(60_000, true), (40_000, true), (100_000, false)]) {
        let _ = increase(&mut market, account, 0, units(size), long, price(100)).unwrap();
    }
    (market, accounts)
}

/// The longs are resolved in an order at $91, and shared insurance pays two days later.
fn play(collateral: [u64; 2], order: [usize; 2]) -> (MarketState, Vec<AccountState>, Bill) {
    let (mut market, mut accounts) = open(collateral);
    set_price_at(&mut market, price(91), &NOW);
    for number in order {
        let account = &mut accounts[number];
        account.flag = Flag { slot: NOW.slot - 5, publish_time: NOW.unix - 2, ..Flag::default() };
        let _ = resolve(account, &mut [(0, &mut market)], &NOW).unwrap();
        assert!(account.is_flat() && account.collateral.is_zero());
    }
    assert_sums(&market, &accounts);
    let (mut shared, mut fund) = (SharedInsurance::default(), dollars(400_000));
    let midnight = NOW.unix / DAY * DAY + DAY;
    let at = |unix: i64| Now { unix, ..later(&NOW, unix - NOW.unix) };
    shared.register(fund, &mut market, &at(midnight)).unwrap();
    let _ = shared.pay(&mut fund, &mut market, &at(midnight + DAY)).unwrap();
    let bill = Bill {
        bucket: market.pool.insurance_paid.0,
        shared: dollars(400_000).0 - fund.0,
        providers: market.pool.deficits.0.min(dollars(500_000).0),
        traders: market.pool.deficits.0.saturating_sub(dollars(500_000).0),
    };
    (market, accounts, bill)
}

/// The same to within the cents that the curve leaves.
fn near(bill: &Bill, [bucket, shared, providers, traders]: [u64; 4]) {
    let pairs = [(bill.bucket, bucket), (bill.shared, shared), (bill.providers, providers), (bill.traders, traders)];
    for (found, expected) in pairs {
        assert!(found.abs_diff(dollars(expected).0) < 1_000_000, "{bill:?}, {expected} expected");
    }
}

#[test]
fn the_worked_example_of_200_and_400_thousand_of_deficits() {
    // Losses of 540,000 and 360,000; the collateral leaves deficits of 120,000 and 80,000.
    let (market, mut accounts, bill) = play([420_000, 280_000], [0, 1]);
    near(&bill, [60_000, 100_000, 40_000, 0]);
    let equity = market.equity(price(91)).unwrap().0;
    assert!(equity.abs_diff(dollars(460_000).0 as i64) < 1_000_000, "{equity}");
    // The winner is paid in full.
    let mut paid = market;
    let now = later(&NOW, 3 * DAY);
    set_price_at(&mut paid, price(91), &now);
    let settled = settle(&mut paid, &mut accounts[2], 0, &now).unwrap();
    assert!(settled.realised.claimed.is_zero() && settled.pnl.0 > dollars(899_900).0 as i64);

    // 240,000 and 160,000: the market's cap stands, the providers bear the rest.
    let (_, _, bill) = play([300_000, 200_000], [0, 1]);
    near(&bill, [60_000, 100_000, 240_000, 0]);
    assert_eq!(play([300_000, 200_000], [1, 0]).2, bill, "whoever is resolved first");
    assert_eq!(play([420_000, 280_000], [1, 0]).2, play([420_000, 280_000], [0, 1]).2);
}

#[test]
fn beyond_the_providers_the_market_is_settled_and_its_winners_share_the_rest() {
    // 420,000 and 280,000 of deficits: 40,000 more than bucket, shared insurance and providers have.
    let (mut market, mut accounts, bill) = play([120_000, 80_000], [1, 0]);
    near(&bill, [60_000, 100_000, 500_000, 40_000]);
    let mut now = later(&NOW, 3 * DAY);
    set_price_at(&mut market, price(91), &now);
    assert_eq!(market.advance_settlement(&now).unwrap(), Step::Begun);
    now = later(&now, DAY);
    set_price_at(&mut market, price(91), &now);
    assert_eq!(market.advance_settlement(&now).unwrap(), Step::Fixed(price(91)));
    let before = accounts[2].collateral;
    let _ = close_settled(&mut market, &mut accounts[2], 0, &now).unwrap();
    let paid = collect(&mut market, &mut accounts[2], 0).unwrap();
    assert!(paid.0.abs_diff(dollars(860_000).0) < 1_000_000, "900,000 won, 860,000 there: {paid:?}");
    assert_eq!(accounts[2].collateral, before.plus(paid).unwrap(), "principal is nobody else's");
    assert_eq!(market.pool.free_cash().unwrap(), Quote::ZERO);
}

//! The client's quotes against what the program's file does: the same numbers to the atom, the same account and pool
//! afterwards, the same refusals.

use ballast_client::health::{Marks, Oracles};
use ballast_client::rpc::oracle_message;
use ballast_client::{errors, quotes};
use ballast_engine::account::AccountState;
use ballast_engine::margin::Purpose;
use ballast_engine::units::{Base, Price};
use ballast_tests::{Ask, Expect, MarketTerms, Outcome, Setup, Terms, Trader, event, units, usd};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn seed() -> u64 {
    let seed = std::env::var("BALLAST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("BALLAST_SEED={seed}");
    seed
}

/// Counted by what happens around a fill, not by its rules.
fn bare(state: &AccountState) -> AccountState {
    AccountState { sequence: 0, orders: 0, ..*state }
}

fn compare(
    setup: &Setup,
    trader: &Trader,
    quoted: ballast_engine::Result<quotes::Filled>,
    outcome: Outcome,
    fee: u64,
) -> bool {
    match (quoted, outcome) {
        (Ok(quoted), Ok(sent)) => {
            let traded = event!(sent, Traded);
            let size = i64::try_from(quoted.size.0).unwrap() * if quoted.buy { 1 } else { -1 };
            assert_eq!(
                (size, quoted.mark.0, quoted.price.0, quoted.premium.0, quoted.fee.0),
                (traded.size, traded.mark, traded.price, traded.premium, traded.fee)
            );
            assert_eq!(
                (quoted.pnl.0, quoted.funding.0, quoted.claimed.0),
                (traded.pnl, traded.funding, traded.claimed)
            );
            let mut after = bare(&setup.account(trader).state);
            // Without a keeper the order's fee goes back to its owner.
            after.collateral.0 -= fee;
            assert_eq!(bare(&quoted.account), after);
            let market = setup.market(usize::from(quoted.market.index)).state;
            let expected = ballast_engine::market::MarketState { sequence: market.sequence, ..*quoted.market };
            assert!(expected == market, "the market differs");
            true
        }
        (Err(fault), Err(refused)) => {
            assert_eq!(refused.code, Some(errors::code(fault.error)), "{} quoted, but: {refused}", fault.error.name());
            false
        }
        (Ok(_), Err(refused)) => panic!("quoted as filled, but: {refused}"),
        (Err(fault), Ok(_)) => panic!("{} quoted, but it was filled", fault.error.name()),
    }
}

/// Judging many accounts at once gives what judging one gives.
fn judged_alike(setup: &Setup, traders: &[Trader]) {
    let (markets, now) = (setup.markets(), setup.world.now());
    let accrued = markets.accrued(&now).unwrap();
    let marks = Marks::new(markets.iter().map(|(_, market)| &market.state), &Oracles::new(), &now).unwrap();
    for trader in traders {
        let account = setup.account(trader);
        let one = quotes::totals(&account, &accrued, Purpose::Maintenance, &now);
        assert_eq!(marks.totals(&account.state, &now), one);
    }
}

/// A keeper judges by markets that have taken prices which are only posted: they are what `update_market` makes of them.
#[test]
fn a_price_taken_beforehand_is_the_one_that_the_program_stores() {
    let mut random = StdRng::seed_from_u64(seed());
    let mut setup = Setup::new();
    let trader = setup.trader("quoted", units(20_000));
    setup.open(&trader, 0, i64::try_from(units(50_000)).unwrap());
    for _ in 0..40 {
        setup.world.advance(random.random_range(1..20));
        let price = setup.posted[0].price / 1_000 * random.random_range(980..1_021);
        let conf = price.unsigned_abs() / random.random_range(40..10_000);
        setup.publish(0, ballast_tests::Posted { price, conf }).must();
        let feed = setup.feed(0);
        let (message, posted_slot) = oracle_message(&setup.world.svm.get_account(&feed).unwrap().data).unwrap();
        let raw = ballast_engine::price::RawUpdate {
            price: message.price,
            conf: message.conf,
            exponent: message.exponent,
            publish_time: message.publish_time,
            prev_publish_time: message.prev_publish_time,
            posted_slot,
        };
        let oracles = Oracles::from([(0, [(feed, raw)].into())]);
        let (markets, now) = (setup.markets(), setup.world.now());
        let marks = Marks::new(markets.iter().map(|(_, market)| &market.state), &oracles, &now).unwrap();
        let mark = marks.get(0).unwrap();
        assert_eq!(mark.fresh, Some(feed));
        setup.update(0).must();
        let stored = setup.market(0).state;
        // Marks have accrued too, as whatever acts on them does first: that notes the time, a stored price does not.
        let foreseen =
            ballast_engine::market::MarketState { sequence: stored.sequence, clock: stored.clock, ..*mark.state };
        assert!(foreseen == stored, "what was foreseen is not what was stored");
        assert_eq!(mark.status, stored.status(&now).unwrap());
    }
}

#[test]
fn quotes_of_orders_and_reductions_are_what_the_program_does() {
    let mut random = StdRng::seed_from_u64(seed());
    let terms = Terms {
        markets: vec![MarketTerms::DEEP, MarketTerms { price: usd(3_000), ..MarketTerms::DEEP }],
        funding: true,
    };
    let mut setup = Setup::with(&terms);
    let traders: Vec<Trader> = (0..4).map(|n| setup.trader(&format!("quoted {n}"), units(1_000 + 3_000 * n))).collect();
    let (mut filled, mut refused) = (0, 0);
    for _ in 0..160 {
        let trader = traders[random.random_range(0..traders.len())].clone();
        let market = random.random_range(0..2_usize);
        let index = u16::try_from(market).unwrap();
        let notional = i64::try_from(units(random.random_range(40..40_000))).unwrap();
        let size = setup.size_for(market, if random.random_bool(0.5) { notional } else { -notional });
        if random.random_bool(0.7) {
            let limit = if random.random_bool(0.2) { setup.market(market).state.price.last.price.0 } else { 0 };
            let ask = Ask { size, limit, reduce_only: random.random_bool(0.3), ..Ask::default() };
            let Ok(order) = setup.place(&trader, market, ask) else { continue };
            setup.tick(random.random_range(2..6));
            // Sometimes another price, unconfirmed as a large move is.
            if random.random_bool(0.4) {
                let price = setup.posted[market].price / 1_000 * random.random_range(985..1_016);
                setup.world.advance(1);
                setup.post(market, price);
            }
            let terms = setup.order(&order).terms;
            let now = setup.world.now();
            let quoted = quotes::order(&setup.account(&trader), &setup.markets(), index, &terms, &now);
            let legs = ballast_client::instructions::leg_metas(&setup.account(&trader), Some(index), true);
            let execute = ballast_client::instructions::execute_order(
                &setup.market_key(market),
                &trader.subaccount,
                &order,
                &trader.address(),
                None,
                &ballast_client::instructions::pubkey(&setup.account(&trader).covenant),
                &legs,
            );
            let outcome = setup.world.send(&[execute], &[]);
            if !compare(&setup, &trader, quoted, outcome, terms.fee.0) {
                refused += 1;
                setup.tick(11);
                setup.cancel(&trader, market, &order).must();
                continue;
            }
        } else {
            let (size, now) = (size.unsigned_abs(), setup.world.now());
            let quoted =
                quotes::reduction(&setup.account(&trader), &setup.markets(), index, Base(size), Price(0), &now);
            let outcome = setup.reduce(&trader, market, size, true);
            if !compare(&setup, &trader, quoted, outcome, 0) {
                refused += 1;
                continue;
            }
        }
        filled += 1;
        setup.audit();
        judged_alike(&setup, &traders);
    }
    println!("{filled} filled, {refused} refused");
    assert!(filled >= 40 && refused >= 15, "{filled} filled, {refused} refused: the cases have lost their edge");
}

#[test]
fn the_quoted_liquidation_and_its_price_are_the_programs() {
    let mut random = StdRng::seed_from_u64(seed());
    for round in 0..6 {
        let mut setup = Setup::with(&Terms::still());
        let trader = setup.trader("quoted", units(10_000));
        let long = random.random_bool(0.5);
        let notional = i64::try_from(units(random.random_range(90_000..150_000))).unwrap();
        setup.open(&trader, 0, if long { notional } else { -notional });
        let (account, markets, now) = (setup.account(&trader), setup.markets(), setup.world.now());
        let price = quotes::liquidation_price(&account, &markets, 0, &now).unwrap().expect("it has one").0;
        let totals = quotes::totals(&account, &markets, Purpose::Maintenance, &now).unwrap();
        assert!(totals.surplus().unwrap().0 > 0);
        // One step of the market's price is so many of the oracle's.
        let step = setup.posted[0].price / i64::try_from(setup.market(0).state.price.last.price.0).unwrap();
        let posted = i64::try_from(price).unwrap() * step;
        let conf = setup.posted[0].conf;
        let post = |setup: &mut Setup, price: i64| {
            setup.posted[0] = ballast_tests::Posted { price, conf };
            for _ in 0..3 {
                setup.tick(2);
            }
        };
        // At it the account is not below maintenance; one step on it is.
        post(&mut setup, posted);
        setup.flag(&trader).fails(ballast_engine::Error::AccountHealthy);
        post(&mut setup, if long { posted - step } else { posted + step });
        setup.flag(&trader).must();

        setup.tick(2);
        let (account, markets, now) = (setup.account(&trader), setup.markets(), setup.world.now());
        let quoted = quotes::liquidation(&account, &markets, &now).unwrap();
        let receipt = quoted.receipt.expect("below maintenance");
        let done = event!(setup.liquidate(&trader).must(), Liquidated);
        assert_eq!(quoted.market, 0, "{round}");
        assert_eq!(
            (receipt.notional.0, receipt.need.0, receipt.closed.0, receipt.keeper_fee.0, receipt.insurance_fee.0),
            (done.notional, done.need, done.closed, done.keeper_fee, done.insurance_fee)
        );
        assert_eq!(
            (receipt.fill.price.0, receipt.fill.premium.0, receipt.fill.pnl.0, receipt.urgent),
            (done.fill_price, done.premium, done.pnl, done.urgent)
        );
        setup.audit();
    }
}

#[test]
fn the_quoted_largest_increase_fills_and_one_more_does_not() {
    for (long, collateral) in [(true, 1_000), (false, 1_000), (true, 50), (false, 7_777)] {
        let mut setup = Setup::with(&Terms::still());
        let trader = setup.trader("quoted", units(collateral));
        // What an order sets aside is no margin.
        let aside = setup.market(0).state.params.order_fee.0;
        let mut account = setup.account(&trader);
        account.state.collateral.0 -= aside;
        let mut at = setup.clone();
        at.later();
        let most = quotes::max_increase(&account, &at.markets(), 0, long, &at.world.now()).unwrap().0;
        assert!(most > 0);
        let fill = |size: u64| {
            let mut setup = setup.clone();
            let size = i64::try_from(size).unwrap();
            let order = setup.place(&trader, 0, if long { size } else { -size }).unwrap();
            setup.later();
            setup.execute(&trader, 0, &order)
        };
        fill(most).must();
        assert!(fill(most + 1).is_err(), "{long} {collateral}: {most} is not the largest");
    }
}

/// A deleveraging that a position has yet to pick up is picked up by the fill, so by the quote too.
#[test]
fn what_a_deleveraging_has_left_of_a_position_is_what_a_quote_reduces() {
    let (mut setup, [alice, ..]) = Setup::after_an_episode();
    let held = setup.position(&alice, 0);
    let all = Ask { size: -held, reduce_only: true, ..Ask::default() };
    let part = Ask { size: -held / 4, reduce_only: true, ..Ask::default() };
    let orders = [all, part].map(|ask| setup.place(&alice, 0, ask).unwrap());
    setup.later();
    setup.deleverage(0).must();
    let market = setup.market(0).state;
    let slot = setup.account(&alice).state.find(0).unwrap();
    let left = market.effective(&setup.account(&alice).state.positions[slot]).unwrap();
    assert!(setup.position(&alice, 0) == held && left.size.0 < held, "not picked up yet, and smaller");
    for order in &orders {
        let mut setup = setup.clone();
        let (terms, now) = (setup.order(order).terms, setup.world.now());
        let quoted = quotes::order(&setup.account(&alice), &setup.markets(), 0, &terms, &now);
        let outcome = {
            let legs = ballast_client::instructions::leg_metas(&setup.account(&alice), Some(0), true);
            let execute = ballast_client::instructions::execute_order(
                &setup.market_key(0),
                &alice.subaccount,
                order,
                &alice.address(),
                None,
                &ballast_client::instructions::pubkey(&setup.account(&alice).covenant),
                &legs,
            );
            setup.world.send(&[execute], &[])
        };
        // The other order keeps its fee.
        assert!(compare(&setup, &alice, quoted, outcome, terms.fee.0));
    }
    for size in [left.base().0, left.base().0 + 1] {
        let mut setup = setup.clone();
        let now = setup.world.now();
        let quoted = quotes::reduction(&setup.account(&alice), &setup.markets(), 0, Base(size), Price(0), &now);
        let outcome = setup.reduce(&alice, 0, size, true);
        assert_eq!(compare(&setup, &alice, quoted, outcome, 0), size == left.base().0);
    }
}

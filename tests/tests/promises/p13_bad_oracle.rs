//! P13: a bad oracle on one market blocks neither deposits, nor reductions elsewhere, nor withdrawals by accounts that
//! hold nothing there.

use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::price::Status;
use ballast_tests::prices::Posted;
use ballast_tests::{Expect as _, Setup, Terms, Trader, units};

use super::bank::on_bank;
use super::{BTC, ETH, whole};

/// Alice holds both markets, Bob the second alone, Carol nothing.
fn three() -> (Setup, [Trader; 3]) {
    let mut setup = on_bank(&Terms::still());
    let traders = ["alice", "bob", "carol"].map(|name| setup.trader(name, units(20_000)));
    setup.open(&traders[0], BTC, whole(50_000));
    setup.open(&traders[0], ETH, whole(30_000));
    setup.open(&traders[1], ETH, whole(30_000));
    setup.tick(3_700);
    (setup, traders)
}

/// Time passes and the first market gets no price.
fn without_btc(setup: &mut Setup, seconds: i64) {
    setup.world.advance(seconds);
    setup.post(ETH, setup.posted[ETH].price);
}

fn others_are_free(setup: &mut Setup, [alice, bob, carol]: &[Trader; 3]) {
    let size = setup.size_for(ETH, whole(1_000)).unsigned_abs();
    for trader in [alice, bob, carol] {
        setup.deposit(trader, units(1)).must();
    }
    setup.reduce(alice, ETH, size, false).must();
    setup.reduce(bob, ETH, size, false).must();
    setup.withdraw(bob, units(5)).must();
    setup.withdraw(carol, units(5)).must();
    // Whoever holds something there waits.
    setup.withdraw(alice, units(5)).expect_err("a position without a good price");
    setup.audit();
}

#[test]
fn p13_a_stale_and_then_silent_market_holds_nobody_else_up() {
    let (mut setup, traders) = three();
    without_btc(&mut setup, 20);
    assert_eq!(setup.status(BTC), Status::Stale);
    others_are_free(&mut setup, &traders);
    without_btc(&mut setup, 4_000);
    assert_eq!(setup.status(BTC), Status::Silent);
    others_are_free(&mut setup, &traders);
    // And even there one can leave, at a price.
    setup.exit_silent(&traders[0], BTC).must();
    setup.audit();
}

#[test]
fn p13_an_uncertain_or_jumping_market_holds_nobody_else_up() {
    let (mut setup, traders) = three();
    let price = setup.posted[BTC].price;
    setup.world.advance(1);
    setup.post_as(BTC, Posted { price, conf: u64::try_from(price / 50).expect("positive") });
    setup.post(ETH, setup.posted[ETH].price);
    assert_eq!(setup.status(BTC), Status::Uncertain);
    others_are_free(&mut setup, &traders);
    setup.world.advance(1);
    setup.post(BTC, price / 100 * 90);
    setup.post(ETH, setup.posted[ETH].price);
    assert_eq!(setup.status(BTC), Status::Jumped);
    others_are_free(&mut setup, &traders);
}

#[test]
fn p13_a_malformed_oracle_account_changes_nothing_and_stops_nobody() {
    let (mut setup, traders) = three();
    // The feed's account has become garbage; another market's is passed instead of it.
    let feed = setup.feed(BTC);
    let before = setup.market(BTC).state.price;
    let wrong = ix::update_market(&setup.market_key(BTC), &setup.feed(ETH));
    setup.world.send(&[wrong], &[]).fails(Error::PriceMalformed);
    let mut account = setup.world.svm.get_account(&feed).expect("exists");
    account.data.fill(0xff);
    setup.world.set_account(feed, account);
    setup.update(BTC).fails(Error::PriceMalformed);
    assert_eq!(setup.market(BTC).state.price, before);
    without_btc(&mut setup, 20);
    others_are_free(&mut setup, &traders);
}

#[test]
fn p13_a_leg_without_a_good_price_is_no_shield() {
    let (mut setup, [alice, ..]) = three();
    // M1: its other leg falls by nearly all that the account has; the stale one cannot keep it from being liquidated.
    let price = setup.posted[ETH].price / 100 * 36;
    setup.world.advance(8);
    for _ in 0..3 {
        setup.world.advance(2);
        setup.post(ETH, price);
    }
    assert_eq!((setup.status(BTC), setup.status(ETH)), (Status::Stale, Status::Good));
    setup.flag(&alice).must();
    let before = setup.position(&alice, ETH);
    without_btc(&mut setup, 2);
    setup.liquidate(&alice).must();
    assert!(setup.position(&alice, ETH) < before);
    setup.audit();
}

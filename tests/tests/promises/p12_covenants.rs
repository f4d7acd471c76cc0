//! P12: a covenant never gets looser before the delay its owner chose. The owner attacks its own.

use ballast::instructions::trader::SetCovenantArgs;
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::constants::{DAY, HOUR};
use ballast_engine::price::Status;
use ballast_tests::binding::{NO_LIMITS, TERMS};
use ballast_tests::prices::{EXPONENT, Posted};
use ballast_tests::{Ask, Expect as _, Outcome, Setup, Terms, Trader, event, units};
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, ETH, whole};

fn bound() -> (Setup, Trader) {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.bound("alice", units(10_000));
    (setup, alice)
}

fn try_more(setup: &mut Setup, trader: &Trader, notional: i64) -> Outcome {
    let size = setup.size_for(BTC, whole(notional));
    setup.trade(trader, BTC, size)
}

/// What the covenant says was lost today.
fn day_loss(setup: &mut Setup, trader: &Trader) -> i64 {
    let seen = event!(setup.touch(trader).must(), CovenantTouched);
    seen.day_start - seen.result
}

#[test]
fn p12_terms_loosen_after_the_delay_to_the_second_and_not_by_any_detour() {
    let (mut setup, alice) = bound();
    let wider = SetCovenantArgs { drawdown: 0, ..TERMS };
    setup.tighten(&alice, wider).fails(Error::CovenantLooser);
    setup.tighten(&alice, SetCovenantArgs { loosening_delay: DAY, ..TERMS }).fails(Error::CovenantLooser);
    setup.bind(&alice, wider).expect_err("it is there already");
    setup.close_covenant(&alice).fails(Error::CovenantInForce);
    setup.execute_loosening(&alice).fails(Error::CovenantNoRequest);

    // A shorter delay waits for the longer one; asking for more meanwhile begins anew.
    setup.loosen(&alice, SetCovenantArgs { loosening_delay: DAY, ..TERMS }).must();
    setup.world.advance(TERMS.loosening_delay - 1);
    setup.execute_loosening(&alice).fails(Error::CovenantNotReady);
    setup.loosen(&alice, NO_LIMITS).must();
    setup.world.advance(1);
    setup.execute_loosening(&alice).fails(Error::CovenantNotReady);
    // What is tightened takes the request back.
    let tight = SetCovenantArgs { daily_loss: units(100), ..TERMS };
    setup.tighten(&alice, tight).must();
    setup.world.advance(TERMS.loosening_delay);
    setup.execute_loosening(&alice).fails(Error::CovenantNoRequest);

    setup.loosen(&alice, NO_LIMITS).must();
    setup.world.advance(TERMS.loosening_delay - 1);
    setup.execute_loosening(&alice).fails(Error::CovenantNotReady);
    setup.close_covenant(&alice).fails(Error::CovenantInForce);
    setup.world.advance(1);
    setup.execute_loosening(&alice).must();
    setup.close_covenant(&alice).must();
    setup.audit();
}

#[test]
fn p12_nobody_but_the_owner_changes_a_covenant() {
    let (mut setup, alice) = bound();
    let mallory = setup.trader("mallory", units(1_000));
    setup.appoint_for(&alice, mallory.address(), 30, units(100));
    let tight = SetCovenantArgs { daily_loss: 1, ..TERMS };
    let covenant = setup.covenant_key(&alice);
    for mut forged in [
        ix::tighten_covenant(&setup.exchange, &mallory.address(), tight),
        ix::loosen_covenant(&setup.exchange, &mallory.address(), NO_LIMITS),
        ix::close_covenant(&setup.exchange, &mallory.address()),
    ] {
        forged.accounts[1].pubkey = covenant;
        setup.world.send(&[forged], &[&mallory.key]).fails(Error::WrongOwner);
    }
    assert_eq!(setup.covenant(&alice).state.asked_at, 0);
}

#[test]
fn p12_the_limits_hold_over_all_of_an_owners_accounts() {
    let (mut setup, alice) = bound();
    setup.open(&alice, BTC, whole(40_000));
    // Another account, money moved there, and no way around the owner's leverage or notional.
    let aside = setup.trader_with("alice", 7, false, units(4_000));
    setup.transfer(&alice, &aside, units(1_000)).must();
    let order = setup.place(&aside, BTC, setup.size_for(BTC, whole(31_000))).expect("placed");
    setup.touch(&alice).must();
    setup.tick(12);
    setup.execute(&aside, BTC, &order).fails(Error::CovenantStale);
    setup.touch(&alice).must();
    setup.execute(&aside, BTC, &order).fails(Error::CovenantLeverage);
    setup.tick(20);
    setup.cancel(&aside, BTC, &order).must();
    let order = setup.place(&aside, BTC, setup.size_for(BTC, whole(28_000))).expect("placed");
    setup.later();
    setup.touch(&alice).must();
    setup.execute(&aside, BTC, &order).must();
    // 68,000 on 14,000: another 500 may leave, not 1,000, from either account.
    setup.touch(&alice).must();
    setup.withdraw(&alice, units(1_000)).fails(Error::CovenantLeverage);
    setup.withdraw(&aside, units(1_000)).fails(Error::CovenantLeverage);
    // An account that is not enrolled counts as outside; to an enrolled one it is no withdrawal.
    let outside = setup.trader_with("alice", 8, false, 0);
    setup.transfer(&alice, &outside, units(1_000)).fails(Error::CovenantLeverage);
    setup.transfer(&alice, &aside, units(1_000)).must();
    setup.withdraw(&alice, units(100)).must();
    setup.audit();
}

#[test]
fn p12_money_in_and_out_neither_trips_nor_hides_a_loss() {
    let (mut setup, alice) = bound();
    setup.open(&alice, BTC, whole(30_000));
    let begun = day_loss(&mut setup, &alice);
    setup.move_by(BTC, -100);
    let lost = day_loss(&mut setup, &alice);
    assert!((lost - begun - whole(300)).abs() < whole(5), "{lost}");
    // In, out and across: not an atom of the loss is gone, and none comes.
    setup.deposit(&alice, units(5_000)).must();
    assert_eq!(day_loss(&mut setup, &alice), lost);
    setup.withdraw(&alice, units(7_000)).must();
    assert_eq!(day_loss(&mut setup, &alice), lost);
    let aside = setup.trader_with("alice", 7, false, 0);
    setup.transfer(&alice, &aside, units(500)).must();
    assert_eq!(day_loss(&mut setup, &alice), lost);
    setup.trip(&alice).fails(Error::CovenantNotBreached);
    // A keeper's rewards are no profit that makes up for it: a friend may not pay the loss off.
    let friend = setup.trader("friend", units(1_000));
    for _ in 0..5 {
        let order = setup.place(&friend, BTC, setup.size_for(BTC, whole(100))).expect("placed");
        setup.later();
        let (market, covenant) = (setup.market_key(BTC), setup.covenant_key(&friend));
        let (rent_to, keeper) = (friend.address(), Some(&alice.subaccount));
        let fill = ix::execute_order(&market, &friend.subaccount, &order, &rent_to, keeper, &covenant, &[]);
        setup.world.send(&[fill], &[]).must();
    }
    assert_eq!(day_loss(&mut setup, &alice), lost);
    setup.move_by(BTC, -70);
    setup.touch(&alice).must();
    assert!(event!(setup.find_again(&alice).must(), CovenantTripped).daily);
    setup.audit();
}

#[test]
fn p12_closing_and_opening_an_account_again_forgets_no_loss() {
    let (mut setup, alice) = bound();
    setup.open(&alice, BTC, whole(30_000));
    setup.move_by(BTC, -140);
    // Nobody has seen the loss. The account is emptied, closed, and opened again at the same address.
    setup.reduce(&alice, BTC, setup.position(&alice, BTC).unsigned_abs(), false).must();
    let left = setup.account(&alice).state.collateral.0;
    setup.withdraw(&alice, left).must();
    setup.close_subaccount(&alice).must();
    let again = setup.trader("alice", units(10_000));
    assert_eq!(again.subaccount, alice.subaccount);
    let lost = day_loss(&mut setup, &again);
    assert!(lost > whole(420), "{lost}");
    setup.open(&again, BTC, whole(30_000));
    setup.move_by(BTC, -40);
    setup.touch(&again).must();
    assert!(event!(setup.find_again(&again).must(), CovenantTripped).day_loss >= units(500));
}

#[test]
fn p12_a_tripped_covenant_reduces_only_for_the_cool_down_in_every_account_whatever_is_asked_for() {
    let (mut setup, alice) = bound();
    let aside = setup.trader_with("alice", 7, false, units(5_000));
    setup.open(&alice, BTC, whole(30_000));
    setup.loosen(&alice, NO_LIMITS).must();
    setup.move_by(BTC, -200);
    setup.touch(&alice).must();
    let until = event!(setup.find_again(&alice).must(), CovenantTripped).until;
    let now = setup.world.now().unix;
    assert_eq!(until, (now + TERMS.cool_down).max((now / DAY + 1) * DAY));
    setup.touch(&alice).must();
    try_more(&mut setup, &alice, 1_000).fails(Error::CovenantTripped);
    let order = setup.place(&aside, ETH, setup.size_for(ETH, whole(1_000))).expect("placed");
    setup.later();
    setup.touch(&alice).must();
    setup.execute(&aside, ETH, &order).fails(Error::CovenantTripped);
    // A flip increases too. A reduction goes, and so does the money.
    let held = setup.position(&alice, BTC);
    setup.trade(&alice, BTC, -2 * held).fails(Error::CovenantTripped);
    setup.reduce(&alice, BTC, held.unsigned_abs() / 2, false).must();
    setup.withdraw(&aside, units(100)).must();
    setup.deposit(&aside, units(100)).must();
    // The rest anybody may close, for the fee, at an undoubted price alone.
    setup.world.advance(1);
    setup.post_as(BTC, Posted { conf: u64::MAX >> 20, ..setup.posted[BTC] });
    assert_eq!(setup.status(BTC), Status::Uncertain);
    setup.close_tripped(&alice, BTC).fails(Error::PriceUncertain);
    setup.posted[BTC] = Posted::tight(setup.posted[BTC].price);
    setup.tick(2);
    setup.close_tripped(&alice, BTC).must();
    setup.close_tripped(&alice, BTC).fails(Error::PositionNotFound);
    setup.audit();
    // Looser terms come when they were asked for; the cool-down stays.
    let left = until - setup.world.now().unix;
    setup.world.advance(left - 5);
    setup.tick(1);
    try_more(&mut setup, &aside, 100).fails(Error::CovenantTripped);
    setup.world.advance(HOUR);
    setup.tick(1);
    setup.move_by(BTC, 0);
    setup.touch(&alice).must();
    try_more(&mut setup, &aside, 1_000).must();
    setup.audit();
}

/// Kept, it would be an option: its owner makes room in the covenant once the outside market has moved.
#[test]
fn p12_an_order_that_the_covenant_forbids_does_not_rest_but_is_cleared_away_by_anyone() {
    let (mut setup, alice) = bound();
    let place = |setup: &mut Setup| {
        let size = setup.size_for(BTC, whole(60_000));
        let order = setup.place(&alice, BTC, size).expect("placed");
        setup.later();
        order
    };
    let code = |error: Error| u32::from(ballast::BallastError::from(error));
    // Above the leverage; the margin is there.
    let order = place(&mut setup);
    setup.execute(&alice, BTC, &order).fails(Error::CovenantLeverage);
    let gone = event!(setup.cancel_unfillable(&alice, BTC, &order).must(), OrderCancelled);
    assert_eq!(gone.reason, code(Error::CovenantLeverage));
    assert!(gone.fee_to_keeper > 0);
    // With an old view of another account it is kept: whoever wants it filled or cleared away shows that account first.
    let aside = setup.trader_with("alice", 7, false, units(4_000));
    setup.open(&alice, BTC, whole(40_000));
    let limit = setup.market(BTC).state.price.last.price.0 * 2;
    let ask = Ask { kind: 1, limit, ..Ask::from(setup.size_for(BTC, whole(31_000))) };
    let order = setup.place(&aside, BTC, ask).expect("placed");
    setup.later();
    setup.tick(12);
    setup.cancel_unfillable(&aside, BTC, &order).fails(Error::CovenantStale);
    setup.touch(&alice).must();
    let gone = event!(setup.cancel_unfillable(&aside, BTC, &order).must(), OrderCancelled);
    assert_eq!(gone.reason, code(Error::CovenantLeverage));
    // So is that of an account with positions from before, which anyone may enrol.
    let bob = setup.trader("bob", units(10_000));
    setup.open(&bob, BTC, whole(10_000));
    setup.bind(&bob, TERMS).must();
    let resting = setup.place(&bob, BTC, Ask { size: ask.size / 10, ..ask }).expect("placed");
    setup.later();
    setup.later();
    setup.cancel_unfillable(&bob, BTC, &resting).fails(Error::CovenantNotEnrolled);
    setup.touch(&bob).must();
    setup.execute(&bob, BTC, &resting).must();
    // Tripped, nothing that may open rests either.
    let order = setup.place(&aside, BTC, Ask { size: ask.size / 100, ..ask }).expect("placed");
    setup.move_by(BTC, -200);
    setup.touch(&alice).must();
    setup.find_again(&alice).must();
    setup.later();
    setup.later();
    let gone = event!(setup.cancel_unfillable(&aside, BTC, &order).must(), OrderCancelled);
    assert_eq!(gone.reason, code(Error::CovenantTripped));
    setup.audit();
}

#[test]
fn p12_no_bad_price_trips_and_none_shields() {
    let (mut setup, alice) = bound();
    setup.open(&alice, BTC, whole(45_000));
    setup.touch(&alice).must();
    // 3 % down in one print: not confirmed.
    let price = setup.posted[BTC].price;
    setup.world.advance(2);
    setup.post(BTC, price - price / 100 * 3);
    assert_eq!(setup.status(BTC), Status::Jumped);
    setup.touch(&alice).must();
    setup.trip(&alice).fails(Error::CovenantNotBreached);
    // Confirmed.
    setup.move_to(BTC, price - price / 100 * 3);
    setup.trip(&alice).fails(Error::CovenantNotBreached);
    setup.touch(&alice).must();
    setup.find_again(&alice).must();
}

#[test]
fn p12_no_single_print_trips_and_who_trips_does_not_choose_the_closing_price() {
    let (mut setup, alice) = bound();
    setup.open(&alice, BTC, whole(45_000));
    setup.touch(&alice).must();
    setup.tick(5);
    // Somebody holds two valid updates, both newer than the stored one, each with a loss at the limit: stored and shown in one
    // transaction they are one look.
    let (publisher, feed, now) = (setup.publisher.clone(), setup.feed(BTC), setup.world.now());
    let (market, covenant, stood) = (setup.market_key(BTC), setup.covenant_key(&alice), setup.posted[BTC].price);
    let low = stood - stood / 1_000 * 12;
    let legs = ix::leg_metas(&setup.account(&alice), None, false);
    let show = |low: i64, published: i64| {
        [
            ix::oracle::post(&publisher.pubkey(), &feed, low, 1, EXPONENT, published),
            ix::update_market(&market, &feed),
            ix::touch_covenant(&covenant, &alice.subaccount, &legs),
        ]
    };
    setup.world.advance(2);
    let mut batch = [show(low, now.unix + 1), show(low - 1, now.unix + 2)].concat();
    let mut tripping = batch.clone();
    tripping.push(ix::trip_covenant(&covenant));
    setup.world.send(&tripping, &[&publisher]).fails(Error::CovenantTooFresh);
    setup.world.send(&batch, &[&publisher]).must();
    let mut stays = setup.clone();
    stays.posted[BTC] = Posted::tight(low);
    try_more(&mut stays, &alice, 1_000).fails(Error::CovenantLoss);
    // Nor do slots make a second one of it.
    setup.world.advance(1);
    setup.touch(&alice).must();
    setup.trip(&alice).fails(Error::CovenantTooFresh);
    // The price is back, and somebody has seen it: the loss is to be found anew.
    let mut recovered = setup.clone();
    recovered.post(BTC, stood);
    recovered.touch(&alice).must();
    recovered.trip(&alice).fails(Error::CovenantNotBreached);
    recovered.world.advance(1);
    recovered.post(BTC, low);
    recovered.touch(&alice).must();
    recovered.trip(&alice).fails(Error::CovenantTooFresh);
    // It stays: a newer price trips. What is open cannot be closed with it, nor at its price, but at the next one.
    let now = setup.world.now().unix;
    batch = show(low, now).to_vec();
    batch.push(ix::trip_covenant(&covenant));
    let keeper = setup.keeper.subaccount;
    let close = ix::close_tripped(&market, &alice.subaccount, &keeper, &covenant, &[]);
    let closing = [&batch[..], &[close]].concat();
    setup.world.send(&closing, &[&publisher]).fails(Error::CovenantTooFresh);
    setup.world.send(&batch, &[&publisher]).must();
    setup.world.advance(1);
    setup.close_tripped(&alice, BTC).fails(Error::CovenantTooFresh);
    setup.post(BTC, low);
    setup.close_tripped(&alice, BTC).must();
    setup.audit();
}

#[test]
fn p12_an_owner_without_a_covenant_cannot_be_given_one_and_needs_to_pass_its_address() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let order = setup.place(&alice, BTC, setup.size_for(BTC, whole(1_000))).expect("placed");
    setup.later();
    // Lamports at the address make no covenant.
    let address = setup.covenant_key(&alice);
    setup.world.give(address, 1_000_000);
    let mut fill = setup.execute_ix(&alice, BTC, &order, false);
    let place = fill.accounts.iter().position(|meta| meta.pubkey == address).expect("passed");
    fill.accounts[place].pubkey = setup.exchange;
    setup.world.send(&[fill], &[]).fails(Error::WrongCovenant);
    setup.execute(&alice, BTC, &order).must();
    // And a covenant can still be made there.
    setup.bind(&alice, TERMS).must();
    setup.touch(&alice).must();
    setup.audit();
}

#[test]
fn a_second_wallet_escapes_it() {
    let (mut setup, alice) = bound();
    setup.open(&alice, BTC, whole(45_000));
    setup.move_by(BTC, -200);
    setup.touch(&alice).must();
    setup.find_again(&alice).must();
    let second = setup.trader("another wallet", units(10_000));
    setup.open(&second, BTC, whole(90_000));
}

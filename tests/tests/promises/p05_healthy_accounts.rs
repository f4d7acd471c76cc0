//! P5: a healthy account cannot be liquidated; no stale, uncertain, unconfirmed or single price liquidates anybody.

use ballast_client::view::AccountView;
use ballast_engine::Error;
use ballast_engine::price::Status;
use ballast_tests::prices::Posted;
use ballast_tests::{Expect as _, event, usd};

use super::{BTC, levered};

#[test]
fn p05_a_healthy_account_is_neither_flagged_nor_liquidated() {
    let (mut setup, alice) = levered();
    setup.flag(&alice).fails(Error::AccountHealthy);
    setup.liquidate(&alice).fails(Error::NotFlagged);
    // A dollar above the quoted liquidation price, and a little below it.
    let view = AccountView::of(&setup.account(&alice), &setup.markets(), &setup.world.now()).expect("a view");
    let quoted = i64::try_from(view.positions[0].liquidation_price.expect("a price")).expect("fits");
    setup.move_to(BTC, quoted * 10 + usd(1));
    setup.flag(&alice).fails(Error::AccountHealthy);
    setup.move_by(BTC, -10);
    setup.flag(&alice).must();
    // Seen at or above maintenance again, the flag is cleared and nothing is taken, though it was in force (H4).
    setup.move_by(BTC, 15);
    let before = setup.account(&alice).state;
    let sent = setup.liquidate(&alice).must();
    let _ = event!(sent, Unflagged);
    let after = setup.account(&alice).state;
    assert_eq!((after.collateral, after.positions), (before.collateral, before.positions));
    assert_eq!(after.flag.slot, 0);
    setup.tick(2);
    setup.liquidate(&alice).fails(Error::NotFlagged);
    setup.audit();
}

#[test]
fn p05_a_single_price_liquidates_nobody_however_deep_the_hole() {
    let (mut setup, alice) = levered();
    // Below two thirds of maintenance, where waiting and pacing fall away: the second publish time never does.
    setup.move_by(BTC, -850);
    assert!(super::equity(&setup, &alice) > 0);
    setup.flag(&alice).must();
    for slots in [0, 2, 3] {
        setup.world.advance_slots(slots);
        assert_eq!(setup.status(BTC), Status::Good);
        setup.liquidate(&alice).fails(Error::FlagTooFresh);
    }
    // The same update posted once more is no second price.
    setup.update(BTC).must();
    setup.liquidate(&alice).fails(Error::FlagTooFresh);
    setup.tick(1);
    setup.liquidate(&alice).must();
    setup.audit();
}

#[test]
fn p05_a_stale_or_ageing_price_liquidates_nobody() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -850);
    let mut late = setup.clone();
    late.world.advance_slots(11);
    assert_eq!(late.status(BTC), Status::Ageing);
    late.flag(&alice).fails(Error::PriceStale);
    late.world.advance_slots(15);
    assert_eq!(late.status(BTC), Status::Stale);
    late.flag(&alice).fails(Error::PriceStale);
    late.world.advance(3_600);
    assert_eq!(late.status(BTC), Status::Silent);
    late.flag(&alice).fails(Error::PriceSilent);
    // Flagged in good time, a price that has grown old since does not liquidate either.
    setup.flag(&alice).must();
    setup.tick(2);
    setup.world.advance_slots(26);
    let liquidate = setup.liquidate_ix(&alice, BTC, false);
    setup.world.send(&[liquidate], &[]).fails(Error::PriceStale);
}

#[test]
fn p05_an_uncertain_price_liquidates_nobody() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -850);
    let price = setup.posted[BTC].price;
    // Tier A's limit is 1 %.
    setup.world.advance(1);
    setup.post_as(BTC, Posted { price, conf: u64::try_from(price / 80).expect("positive") });
    assert_eq!(setup.status(BTC), Status::Uncertain);
    setup.flag(&alice).fails(Error::PriceUncertain);
    setup.tick(1);
    assert_eq!(setup.status(BTC), Status::Uncertain);
    setup.world.advance(1);
    setup.post(BTC, price);
    setup.flag(&alice).must();
}

#[test]
fn p05_a_ten_percent_hiccup_liquidates_nobody() {
    let (mut setup, alice) = levered();
    let (price, before) = (setup.posted[BTC].price, setup.account(&alice).state);
    // H7: after ten quiet minutes, two prints 8 % down, and it is over.
    setup.tick(600);
    for _ in 0..2 {
        setup.world.advance(2);
        setup.post(BTC, price / 100 * 92);
        assert_eq!(setup.status(BTC), Status::Jumped);
        setup.flag(&alice).fails(Error::PriceUnconfirmed);
    }
    setup.world.advance(2);
    setup.post(BTC, price);
    assert_eq!(setup.status(BTC), Status::Good);
    setup.flag(&alice).fails(Error::AccountHealthy);
    assert_eq!(setup.account(&alice).state, before);
    // Nor one that was close already: below maintenance at a good price, it is not liquidated at an unconfirmed one.
    setup.move_by(BTC, -800);
    setup.flag(&alice).must();
    setup.world.advance(2);
    setup.post(BTC, price / 100 * 84);
    assert_eq!(setup.status(BTC), Status::Jumped);
    let liquidate = setup.liquidate_ix(&alice, BTC, false);
    setup.world.send(&[liquidate], &[]).fails(Error::PriceUnconfirmed);
}

#[test]
fn p05_a_crash_is_confirmed_by_three_publish_times_over_five_slots() {
    let (mut setup, alice) = levered();
    let price = setup.posted[BTC].price / 100 * 92;
    let statuses: Vec<Status> = (0..3)
        .map(|_| {
            setup.world.advance(2);
            setup.post(BTC, price);
            setup.status(BTC)
        })
        .collect();
    assert_eq!(statuses, [Status::Jumped, Status::Jumped, Status::Good]);
    setup.flag(&alice).must();
    setup.tick(1);
    setup.liquidate(&alice).must();
    setup.audit();
}

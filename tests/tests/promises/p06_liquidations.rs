//! P6: a liquidation is partial and paced, never leaves the account less healthy, and takes no more than the stated fees
//! and impact.

use ballast_engine::Error;
use ballast_tests::{Expect as _, Sent, Setup, Trader, event, units};

use super::{BTC, equity, levered, liquidate_until_healthy};

/// One liquidation; checks what it took and returns what it closed.
#[track_caller]
fn checked(setup: &mut Setup, trader: &Trader) -> u64 {
    let (before, surplus) = (equity(setup, trader), setup.surplus(trader));
    let sent: Sent = setup.liquidate(trader).must();
    let done = event!(sent, Liquidated);
    let params = setup.market(BTC).state.params;
    let share = |ratio: u64| i64::try_from(u128::from(done.notional) * u128::from(ratio) / 1_000_000).expect("fits");
    let keeper = i64::try_from(done.keeper_fee - done.from_insurance).expect("fits");
    let insurance = i64::try_from(done.insurance_fee).expect("fits");
    let floor = i64::try_from(params.keeper_fee_floor.0).expect("fits");
    assert!(keeper <= share(params.keeper_fee_max.0).max(floor), "keeper's fee {keeper}");
    assert!(insurance <= share(params.insurance_fee_max.0), "insurance fee {insurance}");
    assert!(done.premium <= share(params.liquidation_impact.0) + 1, "impact {}", done.premium);
    // What the account lost is the fees, the premium, and the confidence credit of the closed part: the oracle's price
    // is paid, not the one it is tested at.
    let credit = share(100) + 4;
    let lost = before - equity(setup, trader);
    assert!(lost <= keeper + insurance + done.premium + credit, "{lost} of {keeper} {insurance} {}", done.premium);
    assert!(setup.surplus(trader) >= surplus, "less healthy: {surplus} to {}", setup.surplus(trader));
    setup.audit();
    done.notional
}

#[test]
fn p06_a_liquidation_is_partial_paced_and_takes_only_the_stated_fees() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -790);
    assert!(setup.surplus(&alice) < 0);
    setup.flag(&alice).must();
    let need = setup.account(&alice).state.flag.need.0;
    setup.world.advance_slots(1);
    setup.liquidate(&alice).fails(Error::FlagTooFresh);
    setup.tick(1);
    let mut closed = 0;
    let mut parts = 0;
    while setup.account(&alice).state.flag.slot != 0 {
        let elapsed = setup.world.now().slot - setup.account(&alice).state.flag.slot;
        let part = checked(&mut setup, &alice);
        closed += part;
        parts += 1;
        // `need × (20 % + 80 % × elapsed ÷ 25)`, rounded up to a whole atom of base.
        assert!(closed <= need * (500 + 80 * elapsed.min(25)) / 2_500 + 1_000, "{closed} at {elapsed} of {need}");
        setup.tick(2);
    }
    assert!(parts > 1, "in stages");
    assert!(setup.position(&alice, BTC) > 0, "something is left");
    assert!(setup.account(&alice).state.collateral.0 > 0 && setup.surplus(&alice) >= 0);
}

#[test]
fn p06_repeating_the_call_in_one_slot_takes_nothing_more() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -790);
    setup.flag(&alice).must();
    setup.tick(2);
    let call = setup.liquidate_ix(&alice, BTC, false);
    // H3: five calls in one transaction are refused as one, five transactions in one slot do what one does.
    setup.world.send(&vec![call.clone(); 5], &[]).fails(Error::PacingExhausted);
    checked(&mut setup, &alice);
    let after = setup.account(&alice).state;
    for _ in 0..5 {
        setup.world.send(std::slice::from_ref(&call), &[]).fails(Error::PacingExhausted);
    }
    assert_eq!(setup.account(&alice).state, after);
}

#[test]
fn p06_below_two_thirds_pacing_ends_but_not_the_limits_on_fees() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -880);
    let left = equity(&setup, &alice);
    assert!(left > 0 && left < i64::try_from(units(1_800)).expect("fits"));
    setup.flag(&alice).must();
    setup.tick(1);
    checked(&mut setup, &alice);
    liquidate_until_healthy(&mut setup, &alice);
    assert!(equity(&setup, &alice) >= 0, "no fee makes a bankruptcy");
    assert_eq!(setup.market(BTC).state.pool.deficits.0, 0);
}

#[test]
fn p06_adding_collateral_or_reducing_ends_a_liquidation_at_any_stage() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -790);
    setup.flag(&alice).must();
    setup.tick(2);
    checked(&mut setup, &alice);
    let mut deposited = setup.clone();
    deposited.deposit(&alice, units(5_000)).must();
    deposited.unflag(&alice).must();
    deposited.liquidate(&alice).fails(Error::NotFlagged);
    deposited.audit();
    let half = setup.position(&alice, BTC).unsigned_abs() / 2;
    setup.reduce(&alice, BTC, half, false).must();
    assert!(setup.surplus(&alice) >= 0);
    setup.tick(2);
    let before = setup.position(&alice, BTC);
    let _ = setup.liquidate(&alice);
    assert_eq!(setup.position(&alice, BTC), before);
    setup.audit();
}

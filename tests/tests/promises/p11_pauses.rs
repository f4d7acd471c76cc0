//! P11: no pause lasts for ever, none stops a reduction, and only the emergency class holds back free principal.

use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_tests::{Expect as _, Setup, Terms, event, units};
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, levered, whole};

const HOUR: i64 = 3_600;

const fn reduce_only(hours: i64) -> ProtectMarketArgs {
    ProtectMarketArgs { reduce_only_seconds: hours * HOUR, cap: 0, cap_seconds: 0 }
}

const fn cap(cap: u64, hours: i64) -> ProtectMarketArgs {
    ProtectMarketArgs { reduce_only_seconds: 0, cap, cap_seconds: hours * HOUR }
}

#[test]
fn p11_reduce_only_ends_by_itself_and_never_stops_a_reduction_or_a_withdrawal() {
    let (mut setup, alice) = levered();
    setup.protect(BTC, reduce_only(73)).fails(Error::PauseBitsInvalid);
    let size = setup.size_for(BTC, whole(1_000));
    let before = setup.place(&alice, BTC, size).expect("placed");
    setup.protect(BTC, reduce_only(72)).must();
    let ends = setup.world.now().unix + 72 * HOUR;
    // Neither an order placed before it nor a new one increases.
    setup.later();
    setup.execute(&alice, BTC, &before).fails(Error::MarketReduceOnly);
    setup.trade(&alice, BTC, size).fails(Error::MarketReduceOnly);
    // Out by order and at once, money in and out.
    let half = setup.position(&alice, BTC).unsigned_abs() / 2;
    setup.reduce(&alice, BTC, half, false).must();
    setup.trade(&alice, BTC, ballast_tests::Ask { size: -size, reduce_only: true, ..Default::default() }).must();
    setup.deposit(&alice, units(10)).must();
    setup.withdraw(&alice, units(20)).must();
    setup.audit();
    let left = ends - setup.world.now().unix;
    setup.tick(left - 1);
    setup.trade(&alice, BTC, size).fails(Error::MarketReduceOnly);
    setup.tick(1);
    setup.trade(&alice, BTC, size).must();
}

#[test]
fn p11_the_guardians_budget_is_96_hours_in_14_days() {
    let mut setup = on_bank(&Terms::still());
    setup.protect(BTC, reduce_only(72)).must();
    setup.world.advance(72 * HOUR);
    setup.protect(BTC, reduce_only(25)).fails(Error::PauseBudget);
    setup.protect(BTC, reduce_only(24)).must();
    setup.world.advance(24 * HOUR);
    // Nor under the other name, nor a second more.
    setup.protect(BTC, cap(0, 1)).fails(Error::PauseBudget);
    setup.protect(BTC, reduce_only(1)).fails(Error::PauseBudget);
    // Until the last second charged is 14 days old: from then on 96 hours again, so never more in any 14 days.
    setup.world.advance(9 * 24 * HOUR);
    setup.protect(BTC, reduce_only(72)).fails(Error::PauseBudget);
    setup.world.advance(5 * 24 * HOUR);
    setup.protect(BTC, reduce_only(72)).must();
    let guardian = setup.guardian.clone();
    let other = ix::protect_market(&setup.governance.pubkey(), &setup.exchange, 0, reduce_only(1));
    let governance = setup.governance.clone();
    setup.world.send(&[other], &[&governance]).fails(Error::NotGuardian);
    assert_ne!(guardian.pubkey(), governance.pubkey());
}

#[test]
fn p11_a_lowered_cap_is_an_overlay_that_expires() {
    let (mut setup, alice) = levered();
    let parameter = setup.market(BTC).state.params.open_interest_cap;
    let version = setup.market(BTC).state.param_version;
    setup.protect(BTC, cap(0, 10)).must();
    let size = setup.size_for(BTC, whole(1_000));
    setup.trade(&alice, BTC, size).fails(Error::OpenInterestCap);
    setup.reduce(&alice, BTC, size.unsigned_abs(), false).must();
    let market = setup.market(BTC).state;
    assert_eq!((market.params.open_interest_cap, market.param_version), (parameter, version), "untouched");
    setup.tick(10 * HOUR);
    setup.trade(&alice, BTC, size).must();
    setup.audit();
}

#[test]
fn p11_an_emergency_holds_withdrawals_back_twelve_hours_once_in_fourteen_days() {
    let (mut setup, alice) = levered();
    let provider = setup.provider("late provider", BTC, units(10_000));
    let shares = setup.world.tokens(&provider.shares);
    setup.file_exit(&provider, shares).must();
    setup.tick(24 * HOUR);
    setup.emergency(12 * HOUR + 1).fails(Error::PauseBitsInvalid);
    setup.emergency(12 * HOUR).must();
    let armed = setup.world.now().unix;
    setup.withdraw(&alice, units(100)).fails(Error::Paused);
    // Liquidity stays too, but its ticket does not lapse for it.
    let held = event!(setup.execute_exit(&provider).must(), LiquidityHeldBack);
    assert!(held.reason > 0);
    // Reducing, depositing, liquidating go on.
    setup.reduce(&alice, BTC, 1_000_000, false).must();
    setup.deposit(&alice, units(1)).must();
    setup.audit();
    for _ in 0..12 {
        setup.tick(HOUR - 60);
        setup.execute_exit(&provider).must();
    }
    let left = armed + 12 * HOUR - setup.world.now().unix;
    setup.tick(left - 1);
    setup.withdraw(&alice, units(100)).fails(Error::Paused);
    setup.tick(1);
    setup.withdraw(&alice, units(100)).must();
    let _ = event!(setup.execute_exit(&provider).must(), LiquidityRemoved);
    // Not again for 14 days.
    setup.emergency(1).fails(Error::PauseNotArmed);
    let left = armed + 14 * 24 * HOUR - setup.world.now().unix;
    setup.tick(left - 1);
    setup.emergency(1).fails(Error::PauseNotArmed);
    setup.tick(1);
    setup.emergency(1).must();
    setup.audit();
}

#[test]
fn p11_free_principal_leaves_during_every_pause_but_the_emergency() {
    let mut setup: Setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(900_000));
    setup.tick(2 * HOUR);
    for market in 0..3 {
        setup.protect(market, reduce_only(72)).must();
    }
    setup.withdraw(&alice, units(400_000)).must();
    setup.emergency(HOUR).must();
    setup.withdraw(&alice, units(400_000)).fails(Error::Paused);
    setup.tick(HOUR);
    setup.withdraw(&alice, units(500_000)).must();
    setup.audit();
}

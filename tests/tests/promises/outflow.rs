//! The outflow limiter (section 11): an exploit that mints profit leaks slowly, and nobody else is locked in.

use ballast_engine::Error;
use ballast_tests::{Expect as _, Setup, Terms, Trader, units};
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, whole};

const HOUR: i64 = 3_600;

/// A trader with 270,000 or so of realised profit, and an honest one with principal alone; on an exchange whose limiter
/// has known its vault for two days.
fn a_windfall() -> (Setup, Trader, Trader) {
    let mut setup = on_bank(&Terms::still());
    let lucky = setup.trader("lucky", units(60_000));
    let honest = setup.trader("honest", units(400_000));
    setup.open(&lucky, BTC, whole(600_000));
    // The memory begins with a withdrawal.
    setup.tick(HOUR);
    setup.withdraw(&honest, units(1)).must();
    setup.tick(48 * HOUR);
    setup.withdraw(&honest, units(1)).must();
    setup.move_by(BTC, 4_500);
    setup.close(&lucky, BTC);
    assert!(setup.account(&lucky).state.collateral.0 > units(300_000));
    setup.audit();
    (setup, lucky, honest)
}

/// What the account can take out now, by asking for less and less.
fn most(setup: &Setup, trader: &Trader) -> u64 {
    let (mut low, mut high) = (0, setup.account(trader).state.collateral.0);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(setup, trader, middle) { low = middle } else { high = middle - 1 }
    }
    low
}

fn fits(setup: &Setup, trader: &Trader, amount: u64) -> bool {
    let exchange = setup.exchange();
    let now = setup.world.now();
    let mut principal = setup.account(trader).state.principal;
    let limited = principal.withdraw(ballast_engine::units::Quote(amount), &now).expect("in range");
    let balance = ballast_engine::units::Quote(setup.world.tokens(&setup.vault));
    limited <= exchange.outflow.room(balance, &exchange.params, &now).expect("in range")
}

#[test]
fn outflow_minted_profit_leaks_by_the_hour_and_the_day() {
    let (mut setup, lucky, _) = a_windfall();
    let vault = setup.world.tokens(&setup.vault);
    // Its own principal, long aged, is free; beyond it one per cent of the vault an hour.
    let own = units(60_000);
    let first = most(&setup, &lucky);
    assert!(first > own && first <= own + vault / 100, "{first} of {vault}");
    setup.withdraw(&lucky, first + 1).fails(Error::OutflowLimited);
    setup.withdraw(&lucky, first).must();
    setup.withdraw(&lucky, 1).fails(Error::OutflowLimited);
    setup.audit();
    let mut left = vault - first;
    let mut hours = 0;
    while setup.account(&lucky).state.collateral.0 > 0 && hours < 6 {
        let now = setup.world.now().unix;
        setup.tick(HOUR - now % HOUR);
        let part = most(&setup, &lucky);
        assert!(part <= left / 100 + 1, "{part} of {left}");
        setup.withdraw(&lucky, part).must();
        left -= part;
        hours += 1;
        setup.audit();
    }
}

#[test]
fn outflow_a_deposit_does_not_widen_it_and_a_transfer_does_not_pass_it() {
    let (mut setup, lucky, _) = a_windfall();
    let first = most(&setup, &lucky);
    // H13: a vault blown up by ten times its size.
    let whale = setup.trader("whale", units(50_000_000));
    assert_eq!(most(&setup, &lucky), first, "measured on the lowest balance of the day");
    // What the whale put in just now is not free either, or it would be a loan for an hour's limit.
    setup.withdraw(&whale, units(10_000_000)).fails(Error::OutflowLimited);
    // Through another account of the same owner there is no other way.
    let second = setup.trader_with("lucky", 7, false, 0);
    let all = setup.account(&lucky).state.collateral.0;
    setup.transfer(&lucky, &second, all).must();
    assert!(most(&setup, &second) <= first);
    setup.withdraw(&second, first + 1).fails(Error::OutflowLimited);
    setup.audit();
}

#[test]
fn outflow_principal_of_an_hour_is_free_whatever_the_limiter_says() {
    let (mut setup, lucky, honest) = a_windfall();
    let first = most(&setup, &lucky);
    setup.withdraw(&lucky, first).must();
    // The limiter is used up; aged principal leaves all the same.
    setup.withdraw(&lucky, units(1)).fails(Error::OutflowLimited);
    let own = setup.account(&honest).state.collateral.0;
    // A new deposit does not make the old principal young.
    setup.deposit(&honest, units(500)).must();
    setup.withdraw(&honest, own).must();
    setup.withdraw(&honest, units(500)).fails(Error::OutflowLimited);
    setup.tick(80 * 60);
    setup.withdraw(&honest, units(500)).must();
    setup.audit();
    assert_ne!(lucky.key.pubkey(), honest.key.pubkey());
}

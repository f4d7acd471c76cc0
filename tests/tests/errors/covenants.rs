//! Covenants and delegates.

use ballast::instructions::trader::{SetCovenantArgs, SetDelegateArgs};
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::constants::HOUR;
use ballast_tests::binding::{NO_LIMITS, TERMS};
use ballast_tests::{Expect as _, Outcome, Setup, Trader, units};

use super::How::Refused;
use super::{Row, still};

/// Under [`TERMS`] with 10,000 units and a long in market 0 of 30,000.
fn bound() -> (Setup, Trader) {
    let mut setup = still();
    let trader = setup.bound("trader", units(10_000));
    setup.open(&trader, 0, units(30_000).cast_signed());
    (setup, trader)
}

/// The same, 600 down and seen so.
fn fallen() -> (Setup, Trader) {
    let (mut setup, trader) = bound();
    setup.move_by(0, -200);
    setup.touch(&trader).must();
    (setup, trader)
}

fn more(setup: &mut Setup, trader: &Trader, notional: u64) -> Outcome {
    let size = setup.size_for(0, units(notional).cast_signed());
    setup.trade(trader, 0, size)
}

pub(super) fn rows() -> Vec<Row> {
    [terms(), limits(), delegates()].into_iter().flatten().collect()
}

fn terms() -> Vec<Row> {
    vec![
        (
            Error::CovenantInvalid,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", 0);
                setup.bind(&trader, SetCovenantArgs { cool_down: HOUR - 1, ..TERMS })
            }),
        ),
        (
            Error::CovenantLooser,
            Refused(|| {
                let (mut setup, trader) = bound();
                setup.tighten(&trader, SetCovenantArgs { drawdown: TERMS.drawdown + 1, ..TERMS })
            }),
        ),
        (
            Error::CovenantNotReady,
            Refused(|| {
                let (mut setup, trader) = bound();
                setup.loosen(&trader, NO_LIMITS).must();
                setup.world.advance(TERMS.loosening_delay - 1);
                setup.execute_loosening(&trader)
            }),
        ),
        (
            Error::CovenantNoRequest,
            Refused(|| {
                let (mut setup, trader) = bound();
                setup.loosen(&trader, NO_LIMITS).must();
                setup.world.advance(TERMS.loosening_delay + 7 * 24 * HOUR + 1);
                setup.execute_loosening(&trader)
            }),
        ),
        (
            Error::CovenantInForce,
            Refused(|| {
                let (mut setup, trader) = bound();
                setup.close_covenant(&trader)
            }),
        ),
    ]
}

fn limits() -> Vec<Row> {
    vec![
        (
            Error::CovenantTripped,
            Refused(|| {
                let (mut setup, trader) = fallen();
                setup.find_again(&trader).must();
                more(&mut setup, &trader, 1_000)
            }),
        ),
        (
            Error::CovenantNotTripped,
            Refused(|| {
                let (mut setup, trader) = fallen();
                setup.close_tripped(&trader, 0)
            }),
        ),
        (
            Error::CovenantNotBreached,
            Refused(|| {
                let (mut setup, trader) = bound();
                setup.trip(&trader)
            }),
        ),
        (
            Error::CovenantTooFresh,
            Refused(|| {
                let (mut setup, trader) = fallen();
                setup.trip(&trader)
            }),
        ),
        (
            Error::CovenantStale,
            Refused(|| {
                let (mut setup, trader) = fallen();
                setup.world.advance(11);
                setup.trip(&trader)
            }),
        ),
        (
            Error::CovenantFull,
            Refused(|| {
                let (mut setup, trader) = bound();
                let mut seen = vec![trader.clone()];
                for id in 2..9 {
                    let other = setup.trader_with("trader", id, true, units(500));
                    // The others are to be seen in the last 25 slots.
                    for earlier in &seen {
                        setup.touch(earlier).must();
                    }
                    setup.open(&other, 0, units(100).cast_signed());
                    seen.push(other);
                }
                let ninth = setup.trader_with("trader", 9, true, units(500));
                for earlier in &seen {
                    setup.touch(earlier).must();
                }
                more(&mut setup, &ninth, 100)
            }),
        ),
        (
            Error::CovenantNotEnrolled,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(10_000));
                setup.open(&trader, 0, units(30_000).cast_signed());
                setup.bind(&trader, TERMS).must();
                more(&mut setup, &trader, 1_000)
            }),
        ),
        (
            Error::CovenantLeverage,
            Refused(|| {
                let (mut setup, trader) = bound();
                more(&mut setup, &trader, 21_000)
            }),
        ),
        (
            Error::CovenantNotional,
            Refused(|| {
                let mut setup = still();
                let trader = setup.bound("trader", units(50_000));
                more(&mut setup, &trader, 101_000)
            }),
        ),
        (
            Error::CovenantLoss,
            Refused(|| {
                let (mut setup, trader) = fallen();
                more(&mut setup, &trader, 1_000)
            }),
        ),
        (
            Error::WrongCovenant,
            Refused(|| {
                let (mut setup, trader) = bound();
                let other = setup.trader("other", units(10_000));
                let size = setup.size_for(0, units(1_000).cast_signed());
                let order = setup.place(&trader, 0, size).expect("placed");
                setup.later();
                let account = setup.account(&other);
                let (market, keeper) = (setup.market_key(0), setup.keeper.subaccount);
                let (owner, covenant) = (trader.address(), ix::pubkey(&account.covenant));
                let fill =
                    ix::execute_order(&market, &trader.subaccount, &order, &owner, Some(&keeper), &covenant, &[]);
                setup.world.send(&[fill], &[])
            }),
        ),
    ]
}

fn delegates() -> Vec<Row> {
    vec![
        (
            Error::DelegateInvalid,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(1_000));
                let until = setup.world.now().unix + 366 * 24 * HOUR;
                let delegate = setup.keeper.address();
                setup.appoint(&trader, SetDelegateArgs { delegate, until, permissions: 1, fee_budget: 0 })
            }),
        ),
        (
            Error::DelegateBudget,
            Refused(|| {
                let mut setup = still();
                let (trader, desk) = (setup.trader("trader", units(1_000)), setup.trader("desk", 0));
                setup.appoint_for(&trader, desk.address(), 1, 1);
                let forged = Trader { subaccount: trader.subaccount, ..desk };
                let place = setup.place_ix(&forged, 0, 1_000_000.into()).0;
                setup.world.send(&[place], &[&forged.key])
            }),
        ),
    ]
}

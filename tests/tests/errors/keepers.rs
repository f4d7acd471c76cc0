//! Flags, liquidations, resolutions, settlements.

use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::units::Quote;
use ballast_tests::{Expect, Outcome, Setup, Trader};

use super::How::Refused;
use super::{Row, long, patch};

/// A trader below maintenance, flagged; a second good price published since.
fn flagged() -> (Setup, Trader) {
    let (mut setup, trader) = below_maintenance();
    setup.flag(&trader).must();
    setup.tick(2);
    (setup, trader)
}

fn below_maintenance() -> (Setup, Trader) {
    let (mut setup, trader) = long(15_000, 200_000);
    setup.move_by(0, -540);
    (setup, trader)
}

/// Liquidates in market 0, whatever the client would say about it.
fn liquidate(setup: &mut Setup, trader: &Trader, market: usize) -> Outcome {
    let liquidate = setup.liquidate_ix(trader, market, false);
    setup.world.send(&[liquidate], &[])
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        (
            Error::AccountHealthy,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                setup.flag(&trader)
            }),
        ),
        (
            Error::AlreadyFlagged,
            Refused(|| {
                let (mut setup, trader) = flagged();
                setup.flag(&trader)
            }),
        ),
        (
            Error::NotFlagged,
            Refused(|| {
                let (mut setup, trader) = below_maintenance();
                liquidate(&mut setup, &trader, 0)
            }),
        ),
        (
            Error::FlagTooFresh,
            Refused(|| {
                let (mut setup, trader) = below_maintenance();
                setup.flag(&trader).must();
                liquidate(&mut setup, &trader, 0)
            }),
        ),
        (
            Error::StillUnhealthy,
            Refused(|| {
                let (mut setup, trader) = flagged();
                setup.unflag(&trader)
            }),
        ),
        (
            Error::PacingExhausted,
            Refused(|| {
                let (mut setup, trader) = flagged();
                liquidate(&mut setup, &trader, 0).must();
                liquidate(&mut setup, &trader, 0)
            }),
        ),
        (
            Error::CapacityExhausted,
            Refused(|| {
                let (mut setup, trader) = flagged();
                patch(&mut setup, 0, |m| m.state.params.liquidation_capacity = Quote(1_000_000));
                liquidate(&mut setup, &trader, 0).must();
                liquidate(&mut setup, &trader, 0)
            }),
        ),
        (
            Error::NotLargestPosition,
            Refused(|| {
                let (mut setup, trader) = long(15_000, 200_000);
                setup.open(&trader, 1, 2_000_000_000);
                setup.move_by(0, -500);
                setup.flag(&trader).must();
                setup.tick(2);
                liquidate(&mut setup, &trader, 1)
            }),
        ),
        (
            Error::AccountBankrupt,
            Refused(|| {
                let (mut setup, trader) = flagged();
                setup.move_by(0, -1_000);
                liquidate(&mut setup, &trader, 0)
            }),
        ),
        (
            Error::NotBankrupt,
            Refused(|| {
                let (mut setup, trader) = flagged();
                setup.resolve(&trader)
            }),
        ),
        (
            Error::FlaggedAccount,
            Refused(|| {
                let (mut setup, trader) = flagged();
                setup.withdraw(&trader, 1)
            }),
        ),
        (
            Error::CoverTooEarly,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                setup.settle(&trader, 0).must();
                setup.settle(&trader, 0)
            }),
        ),
        (
            Error::KeeperAccountInvalid,
            Refused(|| {
                let (mut setup, trader) = below_maintenance();
                let legs = ix::leg_metas(&setup.account(&trader), None, false);
                let flag = ix::flag(&trader.subaccount, &trader.subaccount, &legs);
                setup.world.send(&[flag], &[])
            }),
        ),
    ]
}

//! Amounts, limits, orders.

use anchor_lang::solana_program::instruction::Instruction;
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::constants::{MAX_ORDERS, ORDER_LIFE};
use ballast_engine::units::{Base, Quote, Ratio};
use ballast_tests::prices::Posted;
use ballast_tests::{Ask, Expect, Outcome, Setup, Trader, units};

use super::How::Refused;
use super::{Row, long, patch, still};

fn reduce_ix(setup: &Setup, trader: &Trader, size: u64, limit: u64) -> Instruction {
    ix::reduce(&trader.address(), &setup.market_key(0), &trader.subaccount, size, limit, &[])
}

/// Opens a long of so many units in market 0 after a change of the market.
fn open_after(notional: u64, change: fn(&mut ballast::state::Market)) -> Outcome {
    let mut setup = still();
    let trader = setup.trader("trader", units(1_000_000));
    patch(&mut setup, 0, change);
    let size = setup.size_for(0, i64::try_from(units(notional)).expect("fits"));
    setup.trade(&trader, 0, size)
}

pub(super) fn rows() -> Vec<Row> {
    [amounts(), limits(), losses(), orders()].into_iter().flatten().collect()
}

fn amounts() -> Vec<Row> {
    vec![
        (
            Error::MathOverflow,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", 1);
                setup.deposit(&trader, u64::MAX)
            }),
        ),
        // A state that only a fault could leave: more paid on claims than there is cash.
        (
            Error::InvariantBroken,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                patch(&mut setup, 0, |m| m.state.pool.claims_paid = Quote(m.state.pool.cash.0 + 1));
                let (market, tokens) = (setup.market_key(0), trader.tokens);
                let gift = ix::top_up_market_insurance(&setup.exchange, &market, &trader.address(), &tokens, 1);
                setup.world.send(&[gift], &[&trader.key])
            }),
        ),
        (
            Error::AmountZero,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", 1);
                setup.deposit(&trader, 0)
            }),
        ),
        (
            Error::SizeNotReducing,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                let size = setup.position(&trader, 0).unsigned_abs() + 1;
                setup.reduce(&trader, 0, size, false)
            }),
        ),
        (
            Error::PositionNotFound,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(1_000));
                setup.reduce(&trader, 0, 1, false)
            }),
        ),
        (
            Error::InsufficientCollateral,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(1_000));
                setup.withdraw(&trader, units(1_000) + 1)
            }),
        ),
        (
            Error::SubaccountInUse,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", 1);
                setup.close_subaccount(&trader)
            }),
        ),
        // Money younger than an hour is no principal yet.
        (
            Error::OutflowLimited,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(1_000_000));
                setup.withdraw(&trader, units(500_000))
            }),
        ),
    ]
}

fn limits() -> Vec<Row> {
    vec![
        (Error::SizeBelowMinimum, Refused(|| open_after(49, |_| {}))),
        (Error::PositionTooLarge, Refused(|| open_after(900, |m| m.state.params.max_position = Quote(units(899))))),
        (Error::OpenInterestCap, Refused(|| open_after(900, |m| m.state.params.open_interest_cap = Quote(units(899))))),
        (
            Error::OpenInterestStress,
            Refused(|| open_after(900_000, |m| m.state.params.stress_move = Ratio(10_000_000))),
        ),
        (
            Error::OpenInterestImpact,
            Refused(|| {
                open_after(900_000, |m| {
                    m.state.params.skew_scale = Base(m.state.params.skew_scale.0 / 100);
                })
            }),
        ),
        // Claims in all other slots, as eight markets could have left them.
        (
            Error::NoFreePosition,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(1_000));
                let mut account = setup.account(&trader);
                for (market, slot) in (1..).zip(&mut account.state.positions) {
                    slot.claim.amount = Quote(1);
                    slot.market = market;
                }
                setup.world.write(&trader.subaccount, &*account);
                let size = setup.size_for(0, 900_000_000);
                setup.trade(&trader, 0, size)
            }),
        ),
        (
            Error::InitialMargin,
            Refused(|| {
                let (mut setup, trader) = long(1_000, 10_000);
                setup.withdraw(&trader, units(900))
            }),
        ),
        (
            Error::CrossNotAllowed,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(1_000));
                let size = setup.size_for(2, 100_000_000);
                setup.trade(&trader, 2, size)
            }),
        ),
        (
            Error::IsolatedSinglePosition,
            Refused(|| {
                let mut setup = still();
                let trader = setup.isolated("trader", units(10_000));
                setup.open(&trader, 0, 1_000_000_000);
                let size = setup.size_for(1, 1_000_000_000);
                setup.trade(&trader, 1, size)
            }),
        ),
    ]
}

fn losses() -> Vec<Row> {
    vec![
        // A wide confidence makes the fill dearer than the margin that it sets free.
        (
            Error::WorsensShortfall,
            Refused(|| {
                let (mut setup, trader) = long(1_000, 15_000);
                setup.move_by(0, -500);
                let price = setup.posted[0].price;
                setup.world.advance(1);
                setup.post_as(0, Posted { price, conf: u64::try_from(price / 25).expect("positive") });
                let half = setup.position(&trader, 0).unsigned_abs() / 2;
                setup.reduce(&trader, 0, half, false)
            }),
        ),
        (
            Error::LossNotCovered,
            Refused(|| {
                let (mut setup, trader) = long(1_600, 10_000);
                setup.open(&trader, 1, -10_000_000_000);
                setup.move_by(1, -1_500);
                setup.move_by(0, -1_800);
                let size = setup.position(&trader, 0).unsigned_abs();
                let reduce = reduce_ix(&setup, &trader, size, 0);
                setup.world.send(&[reduce], &[&trader.key])
            }),
        ),
        (
            Error::SlippageExceeded,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                let size = setup.position(&trader, 0).unsigned_abs();
                let reduce = reduce_ix(&setup, &trader, size, u64::MAX);
                setup.world.send(&[reduce], &[&trader.key])
            }),
        ),
    ]
}

/// An order of a trader without a position, just placed.
fn placed() -> (Setup, Trader, anchor_lang::prelude::Pubkey) {
    let mut setup = still();
    let trader = setup.trader("trader", units(10_000));
    let size = setup.size_for(0, 1_000_000_000);
    let order = setup.place(&trader, 0, size).expect("placed");
    (setup, trader, order)
}

/// Places one more order, and nothing else.
fn place(setup: &mut Setup, trader: &Trader, ask: Ask) -> Outcome {
    let (place, _) = setup.place_ix(trader, 0, ask);
    setup.world.send(&[place], &[&trader.key])
}

fn orders() -> Vec<Row> {
    vec![
        (
            Error::OrderTooEarly,
            Refused(|| {
                let (mut setup, trader, order) = placed();
                setup.execute(&trader, 0, &order)
            }),
        ),
        (
            Error::OrderLapsed,
            Refused(|| {
                let (mut setup, trader, order) = placed();
                setup.later();
                setup.tick(ORDER_LIFE + 1);
                setup.execute(&trader, 0, &order)
            }),
        ),
        (
            Error::OrderExpired,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(10_000));
                let expires_at = setup.world.now().unix + 1;
                let ask = Ask { size: setup.size_for(0, 1_000_000_000), expires_at, ..Ask::default() };
                let order = setup.place(&trader, 0, ask).expect("placed");
                setup.tick(2);
                setup.execute(&trader, 0, &order)
            }),
        ),
        (
            Error::OrderNotTriggered,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(10_000));
                let limit = setup.market(0).state.price.last.price.0 / 2;
                let ask = Ask { limit, kind: 1, ..Ask::from(setup.size_for(0, 1_000_000_000)) };
                setup.trade(&trader, 0, ask)
            }),
        ),
        (
            Error::OrderTermsInvalid,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(10_000));
                let ask = Ask { kind: 1, ..Ask::from(setup.size_for(0, 1_000_000_000)) };
                place(&mut setup, &trader, ask)
            }),
        ),
        (
            Error::OrderLocked,
            Refused(|| {
                let (mut setup, trader, order) = placed();
                setup.cancel(&trader, 0, &order)
            }),
        ),
        (
            Error::OrderLimit,
            Refused(|| {
                let (mut setup, trader, _) = placed();
                let ask = Ask::from(setup.size_for(0, 1_000_000_000));
                for _ in 1..MAX_ORDERS {
                    place(&mut setup, &trader, ask).must();
                }
                place(&mut setup, &trader, ask)
            }),
        ),
    ]
}

//! Every instruction of the program goes through at least once, built by the client, and the books add up after each.

mod governing;
mod pools;

use ballast::instructions::trader::SetCovenantArgs;
use ballast_client::instructions as ix;
use ballast_engine::price::Status;
use ballast_engine::{Error, constants};
use ballast_tests::binding::{NO_LIMITS, TERMS};
use ballast_tests::{Ask, Expect, Posted, Setup, Terms, event, units};
use solana_signer::Signer;

const BTC: usize = 0;
const ETH: usize = 1;
const TAIL: usize = 2;

/// What every [`Setup`] has sent.
const SETUP: &[&str] = &[
    "create_market",
    "execute_lp_deposit",
    "execute_market_proposal",
    "initialize_exchange",
    "open_subaccount",
    "queue_market_parameter",
    "request_lp_deposit",
    "top_up_market_insurance",
    "update_market",
];
const TRADERS: &[&str] = &[
    "cancel_order",
    "close_subaccount",
    "collect_fees",
    "deposit",
    "execute_order",
    "place_order",
    "reduce",
    "settle",
    "transfer",
    "trigger_order",
    "withdraw",
];
const LIQUIDITY: &[&str] = &[
    "execute_lp_withdrawal",
    "lapse_lp_deposit",
    "lapse_lp_withdrawal",
    "request_lp_withdrawal",
    "top_up_shared_insurance",
];
const GOVERNANCE: &[&str] = &[
    "accept_governance",
    "close_proposal",
    "dismiss_committee",
    "emergency_pause",
    "execute_exchange_proposal",
    "expire_proposal",
    "protect_market",
    "queue_exchange_batch",
    "queue_exchange_parameter",
    "queue_fee_destination",
    "queue_market_batch",
    "queue_oracle_feed",
    "queue_oracle_program",
    "queue_role",
    "queue_wind_down",
    "veto_proposal",
];
const UPGRADES: &[&str] = &[
    "close_upgrade",
    "execute_new_exchange",
    "execute_upgrade",
    "queue_new_exchange",
    "queue_upgrade",
    "take_upgrade_authority",
    "verify_upgrade",
];
const COVENANTS: &[&str] = &[
    "close_covenant",
    "close_tripped",
    "create_covenant",
    "execute_loosening",
    "loosen_covenant",
    "set_delegate",
    "tighten_covenant",
    "touch_covenant",
    "trip_covenant",
];
const SICK: &[&str] = &["flag", "liquidate", "resolve", "unflag"];
const SILENT: &[&str] = &["exit_silent"];
const CLAIMS: &[&str] = &["collect_claim", "collect_pool_claim"];
const DELEVERAGING: &[&str] = &["deleverage", "pick_up_deleveraging"];
const SETTLEMENT: &[&str] = &["advance_settlement", "close_settled"];
const INSURANCE: &[&str] =
    &["execute_insurance_withdrawal", "pay_insurance_claim", "queue_insurance_withdrawal", "register_insurance_claim"];

#[test]
fn every_setup_sends_what_it_takes() {
    let mut setup = Setup::new();
    setup.world.units.append(&mut setup.made);
    assert_sent(&setup, SETUP);
}

#[test]
fn every_instruction_of_the_program_is_listed() {
    let dispatch = include_str!("../../programs/ballast/src/lib.rs");
    let mut names: Vec<&str> =
        dispatch.split("pub fn ").skip(1).filter_map(|rest| rest.split(['<', '(']).next()).collect();
    names.sort_unstable();
    let lists = [
        SETUP,
        TRADERS,
        LIQUIDITY,
        GOVERNANCE,
        UPGRADES,
        SICK,
        SILENT,
        CLAIMS,
        INSURANCE,
        DELEVERAGING,
        SETTLEMENT,
        COVENANTS,
    ];
    let mut sent = lists.concat();
    sent.sort_unstable();
    assert_eq!(names, sent, "each is in one test's list, which that test holds itself to");
}

#[test]
fn traders_move_collateral_and_orders() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(20_000));
    let aside = setup.trader_with("alice", 7, false, 0);
    setup.transfer(&alice, &aside, units(5_000)).must();
    setup.audit();
    assert_eq!(setup.account(&aside).state.collateral.0, units(5_000));

    setup.open(&alice, BTC, 50_000_000_000);
    setup.open(&alice, ETH, -20_000_000_000);
    setup.audit();
    // Isolated only.
    setup.trade(&alice, TAIL, 1_000_000_000).fails(Error::CrossNotAllowed);
    let bob = setup.isolated("bob", units(2_000));
    setup.open(&bob, TAIL, -1_000_000_000);
    setup.audit();

    let order = setup.place(&alice, BTC, 10_000_000).expect("placed");
    setup.cancel(&alice, BTC, &order).fails(Error::OrderLocked);
    setup.tick(constants::PLACEMENT_LAG + constants::ORDER_LOCK);
    let cancelled = event!(setup.cancel(&alice, BTC, &order).must(), OrderCancelled);
    assert_eq!((cancelled.reason, cancelled.fee_to_keeper), (0, 0));
    setup.audit();

    // A stop a hundredth below that trails: the next prices move it, then meet it; its owner is closed out.
    let price = setup.market(BTC).state.price.last.price.0;
    let size = -setup.position(&alice, BTC) / 10;
    let exit = Ask { size, reduce_only: true, kind: 3, trail: price / 100, ..Ask::default() };
    let order = setup.place(&alice, BTC, exit).expect("placed");
    setup.trigger(&alice, BTC, &order).fails(Error::OrderNotTriggered);
    setup.later();
    let moved = event!(setup.trigger(&alice, BTC, &order).must(), OrderTriggered);
    assert_eq!((moved.triggered_at, moved.stop), (0, price - price / 100));
    setup.move_by(BTC, -120);
    let met = event!(setup.trigger(&alice, BTC, &order).must(), OrderTriggered);
    assert!(met.triggered_at > 0 && met.stop == moved.stop);
    setup.tick(1);
    setup.execute(&alice, BTC, &order).must();
    setup.move_by(BTC, 121);
    setup.audit();

    let held = setup.position(&alice, BTC).unsigned_abs();
    setup.reduce(&alice, BTC, held / 2, false).must();
    setup.audit();
    assert_eq!(setup.position(&alice, BTC).unsigned_abs(), held - held / 2);

    // A long up 2 % and a short up 2 %: one's profit, the other's loss, both become cash.
    setup.move_by(BTC, 200);
    setup.move_by(ETH, 200);
    setup.settle(&alice, BTC).must();
    setup.audit();
    let settled = event!(setup.settle(&alice, ETH).must(), PositionSettled);
    assert!(settled.pnl < 0);
    setup.settle(&alice, ETH).fails(Error::CoverTooEarly);
    setup.audit();
    setup.collect_claim(&alice, BTC).fails(Error::CoverTooEarly);
    setup.collect_pool_claim(BTC, ETH).fails(Error::CoverTooEarly);

    setup.withdraw(&alice, units(1_000)).must();
    setup.audit();
    setup.collect_fees(BTC).must();
    assert!(setup.world.tokens(&setup.fee_destination) > 0);
    setup.audit();
    setup.close(&alice, BTC);
    setup.close(&alice, ETH);
    let left = setup.account(&alice).state.collateral.0;
    setup.transfer(&alice, &aside, left).must();
    setup.close_subaccount(&alice).must();
    setup.audit();
    assert_sent(&setup, TRADERS);
}

#[test]
fn covenants_bind_trip_and_are_loosened() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.bound("alice", units(10_000));
    let delegate = setup.trader("desk", 0);
    setup.appoint_for(&alice, delegate.address(), 30, units(10));
    setup.open(&alice, BTC, 30_000_000_000);
    setup.audit();
    setup.tighten(&alice, SetCovenantArgs { max_leverage: 4_000_000, ..TERMS }).must();
    setup.move_by(BTC, -150);
    let seen = event!(setup.touch(&alice).must(), CovenantTouched);
    assert!(seen.good && seen.positions == 1 && seen.result < seen.mark);
    setup.trip(&alice).fails(Error::CovenantNotBreached);
    setup.move_by(BTC, -50);
    setup.touch(&alice).must();
    let tripped = event!(setup.find_again(&alice).must(), CovenantTripped);
    assert!(tripped.daily && !tripped.drawdown && tripped.day_loss >= units(500));
    setup.audit();
    setup.tick(1);
    let earned = setup.account(&setup.keeper).state.collateral.0;
    let enforced = event!(setup.close_tripped(&alice, BTC).must(), CovenantEnforced);
    assert_eq!(setup.position(&alice, BTC), 0);
    assert_eq!(setup.account(&setup.keeper).state.collateral.0, earned + enforced.fee);
    setup.audit();
    setup.loosen(&alice, NO_LIMITS).must();
    setup.execute_loosening(&alice).fails(Error::CovenantNotReady);
    setup.world.advance(TERMS.loosening_delay);
    setup.execute_loosening(&alice).must();
    setup.close_covenant(&alice).must();
    setup.audit();
    setup.tick(1);
    setup.move_by(BTC, 0);
    setup.open(&alice, BTC, 30_000_000_000);
    assert_sent(&setup, COVENANTS);
}

#[test]
fn an_account_below_zero_is_resolved_and_one_that_recovers_is_unflagged() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let bob = setup.trader("bob", units(10_000));
    setup.open(&alice, BTC, 100_000_000_000);
    setup.open(&bob, BTC, 100_000_000_000);
    setup.move_by(BTC, -800);
    setup.flag(&alice).must();
    setup.resolve(&alice).fails(Error::NotBankrupt);
    setup.flag(&bob).must();
    setup.deposit(&bob, units(5_000)).must();
    setup.unflag(&bob).must();
    setup.audit();

    setup.move_by(BTC, -500);
    setup.liquidate(&alice).fails(Error::AccountBankrupt);
    let before = setup.market(BTC).state.pool;
    let resolved = event!(setup.resolve(&alice).must(), Resolved);
    setup.audit();
    assert!(resolved.equity_before < 0 && resolved.deficit > 0);
    assert_eq!(resolved.insurance, resolved.deficit, "the market's insurance pays before its providers");
    let account = setup.account(&alice).state;
    assert!(account.is_flat() && account.collateral.is_zero() && account.flag.slot == 0);
    let after = setup.market(BTC).state.pool;
    assert_eq!(before.insurance.0 - after.insurance.0, resolved.deficit);
    assert_eq!(after.cash.0 - before.cash.0, resolved.paid + resolved.insurance);

    // What was enough after the first fall is not after the second.
    setup.flag(&bob).must();
    setup.tick(2);
    setup.liquidate(&bob).must();
    setup.audit();
    assert_sent(&setup, SICK);
}

#[test]
fn a_silent_market_lets_everyone_out() {
    let mut setup = Setup::with(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, BTC, 50_000_000_000);
    setup.exit_silent(&alice, BTC).fails(Error::PriceNotSilent);
    setup.world.advance(constants::SILENT_SECONDS + 1);
    assert_eq!(setup.status(BTC), Status::Silent);
    setup.exit_silent(&alice, BTC).must();
    setup.audit();
    let left = setup.account(&alice).state;
    assert!(left.positions[0].held.0 > 0 && !left.positions[0].is_open());
    setup.tick(1);
    let settled = event!(setup.settle(&alice, BTC).must(), PositionSettled);
    assert_eq!(
        (settled.returned, settled.forfeited),
        (left.positions[0].held.0 - settled.forfeited, settled.forfeited)
    );
    assert!(settled.returned > 0);
    setup.audit();
    assert!(setup.account(&alice).state.is_flat());
    assert_sent(&setup, SILENT);
}

#[test]
fn a_price_that_is_none_is_refused_and_an_uncertain_one_is_stored_as_such() {
    let mut setup = Setup::with(&Terms::still());
    let (publisher, feed, now) = (setup.publisher.clone(), setup.feed(BTC), setup.world.now().unix + 1);
    setup.world.advance(1);
    let update = ix::oracle::RawUpdate {
        message: price_feed::PriceFeedMessage {
            feed_id: setup.market(BTC).feed_id.0,
            price: -1,
            conf: 0,
            exponent: -8,
            publish_time: now,
            prev_publish_time: now - 1,
            ema_price: 1,
            ema_conf: 0,
        },
        verification_level: price_feed::VerificationLevel::Full,
        posted_slot: None,
    };
    setup.world.send(&[ix::oracle::post_raw(&publisher.pubkey(), &feed, update)], &[&publisher]).must();
    setup.update(BTC).fails(Error::PriceMalformed);
    assert_eq!(setup.status(BTC), Status::Good);

    setup.world.advance(1);
    let price = setup.posted[BTC].price;
    setup.post_as(BTC, Posted { price, conf: u64::try_from(price).expect("positive") / 50 });
    assert_eq!(setup.status(BTC), Status::Uncertain);
}

/// That the harness recorded each of these: it does so for what went through.
fn assert_sent(setup: &Setup, names: &[&str]) {
    for name in names {
        let recorded = |key: &String| key == name || key.starts_with(&format!("{name}, "));
        assert!(setup.world.units.keys().any(recorded), "{name} did not go through");
    }
}

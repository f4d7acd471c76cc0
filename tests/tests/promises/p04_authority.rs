//! P4: only the owner withdraws; a delegate trades and does not; a keeper moves nothing but by the liquidation, order and funding rules.

use std::sync::Arc;

use ballast::instructions::trader::SetDelegateArgs;
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::constants::DAY;
use ballast_engine::price::Status;
use ballast_tests::{Ask, Expect as _, Terms, Trader, event, units};
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, levered, whole};

#[test]
fn p04_only_the_owner_withdraws_transfers_closes_trades_or_reduces() {
    let (mut setup, alice) = levered();
    let mallory = setup.trader("mallory", units(1_000));
    let before = setup.account(&alice).state;
    // Mallory signs as itself for Alice's subaccount, with a token account of its own.
    let forged = Trader { key: Arc::clone(&mallory.key), tokens: mallory.tokens, subaccount: alice.subaccount };
    setup.withdraw(&forged, 1).fails(Error::WrongOwner);
    setup.transfer(&forged, &mallory, 1).fails(Error::WrongOwner);
    setup.close_subaccount(&forged).fails(Error::WrongOwner);
    setup.deposit(&forged, 1).fails(Error::WrongOwner);
    setup.reduce(&forged, BTC, 1, false).fails(Error::WrongOwner);
    setup.place(&forged, BTC, 1_000_000).expect_err("another's account");
    // Alice is named, but does not sign.
    let legs = ix::leg_metas(&setup.account(&alice), None, false);
    let (exchange, subaccount) = (setup.exchange, alice.subaccount);
    let mut withdraw = ix::withdraw(&exchange, &alice.address(), &subaccount, &mallory.tokens, 1, &legs);
    setup.world.send(&[withdraw.clone()], &[&mallory.key]).expect_err("nobody signed for the owner");
    withdraw.accounts[0].is_signer = false;
    setup.world.send(&[withdraw], &[]).expect_err("not a signer");
    // Alice signs for an account that is not hers to be paid to: even so nothing leaves.
    let away = ix::withdraw(&exchange, &alice.address(), &subaccount, &mallory.tokens, 1, &legs);
    setup.world.send(&[away], &[&alice.key]).fails(Error::WrongOwner);
    assert_eq!(setup.account(&alice).state, before);
    setup.audit();
    setup.withdraw(&alice, 1).must();
}

#[test]
fn p04_no_role_of_governance_takes_a_traders_money() {
    let (mut setup, alice) = levered();
    let roles = [setup.governance.clone(), setup.committee.clone(), setup.guardian.clone(), setup.publisher.clone()];
    let authority = Arc::new(setup.world.upgrade_authority.insecure_clone());
    for key in roles.into_iter().chain([authority]) {
        let (_, tokens) = setup.fund("a role's purse", 0);
        setup.set_tokens(tokens, &key.pubkey(), &setup.mint.clone(), 0);
        let forged = Trader { key, tokens, subaccount: alice.subaccount };
        setup.withdraw(&forged, 1).fails(Error::WrongOwner);
    }
    // Protocol fees go to the one destination named at creation, whoever asks.
    let (_, purse) = setup.fund("thief", 0);
    let (exchange, market) = (setup.exchange, setup.market_key(BTC));
    setup.world.send(&[ix::collect_fees(&exchange, &market, &purse)], &[]).expect_err("another destination");
    setup.collect_fees(BTC).must();
    setup.audit();
}

#[test]
fn p04_a_keeper_earns_the_order_fee_for_a_fill_and_nothing_for_a_failed_try() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    let fee = setup.market(BTC).state.params.order_fee.0;
    let size = setup.size_for(BTC, whole(10_000));
    let order = setup.place(&alice, BTC, Ask { size, limit: 1, ..Ask::default() }).expect("placed");
    setup.execute(&alice, BTC, &order).fails(Error::OrderTooEarly);
    setup.later();
    setup.execute(&alice, BTC, &order).fails(Error::SlippageExceeded);
    setup.cancel_dead(&alice, BTC, &order).expect_err("it is not dead");
    assert_eq!(setup.account(&setup.keeper).state.collateral.0, 0);
    // Another order; the rest of the account is as before but for fill and fee.
    let filled = event!(setup.trade(&alice, BTC, size).must(), Traded);
    assert_eq!(setup.account(&setup.keeper).state.collateral.0, fee);
    assert_eq!(setup.account(&alice).state.collateral.0, units(10_000) - 2 * fee - filled.fee);
    // Once dead, the keeper has its fee, no more.
    setup.tick(40);
    setup.cancel_dead(&alice, BTC, &order).must();
    assert_eq!(setup.account(&setup.keeper).state.collateral.0, 2 * fee);
    setup.audit();
}

#[test]
fn p04_a_keeper_cannot_pay_itself_out_of_the_account_it_acts_upon() {
    let (mut setup, alice) = levered();
    setup.move_by(BTC, -800);
    let legs = ix::leg_metas(&setup.account(&alice), None, false);
    let flag = ix::flag(&alice.subaccount, &alice.subaccount, &legs);
    setup.world.send(&[flag], &[]).fails(Error::KeeperAccountInvalid);
    setup.flag(&alice).must();
    setup.tick(2);
    let own = ix::liquidate(&setup.market_key(BTC), &alice.subaccount, &alice.subaccount, None, &[]);
    setup.world.send(&[own], &[]).expect_err("its own account as the keeper's");
    // A stranger's account earns the flagger's share only if it flagged.
    let stranger = setup.trader("stranger", 0);
    let (market, keeper) = (setup.market_key(BTC), setup.keeper.subaccount);
    let liquidate = ix::liquidate(&market, &alice.subaccount, &keeper, Some(&stranger.subaccount), &[]);
    let before = setup.account(&setup.keeper).state.collateral.0;
    let done = event!(setup.world.send(&[liquidate], &[]).must(), Liquidated);
    assert_eq!(setup.account(&stranger).state.collateral.0, 0);
    assert_eq!(setup.account(&setup.keeper).state.collateral.0, before + done.keeper_fee);
    setup.audit();
}

#[test]
fn p04_a_delegate_trades_and_never_withdraws_or_changes_the_covenant() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.bound("alice", units(10_000));
    let (desk, aside) = (setup.trader("desk", 0), setup.trader_with("alice", 7, false, 0));
    let as_desk = Trader { subaccount: alice.subaccount, ..desk.clone() };
    let fee = setup.market(BTC).state.params.order_fee.0;
    let size = setup.size_for(BTC, whole(10_000));
    setup.place(&as_desk, BTC, size).expect_err("nobody's delegate yet");
    setup.appoint_for(&alice, desk.address(), 2, 3 * fee);

    // It places, anyone fills, it reduces; the rent it paid comes back to it.
    let order = setup.place(&as_desk, BTC, size).expect("placed");
    setup.later();
    let mut fill = setup.execute_ix(&alice, BTC, &order, false);
    let rent = fill.accounts.iter().position(|meta| meta.pubkey == alice.address()).expect("rent_to");
    fill.accounts[rent].pubkey = desk.address();
    setup.world.send(&[fill], &[]).must();
    setup.reduce(&as_desk, BTC, size.unsigned_abs() / 2, false).must();

    // It takes nothing out, whoever is to be paid; it closes, appoints and binds nothing.
    setup.withdraw(&as_desk, 1).fails(Error::WrongOwner);
    let to_owner = Trader { tokens: alice.tokens, ..as_desk.clone() };
    setup.withdraw(&to_owner, 1).fails(Error::WrongOwner);
    setup.transfer(&as_desk, &desk, 1).fails(Error::WrongOwner);
    setup.close_subaccount(&as_desk).fails(Error::WrongOwner);
    setup.exit_silent(&as_desk, BTC).fails(Error::WrongOwner);
    let until = setup.world.now().unix + 60;
    let longer = SetDelegateArgs { delegate: desk.address(), until, permissions: 7, fee_budget: u64::MAX };
    setup.appoint(&as_desk, longer).fails(Error::WrongOwner);
    // Between the owner's accounts only as a delegate of both.
    setup.transfer(&as_desk, &aside, units(1)).fails(Error::WrongOwner);
    setup.appoint_for(&aside, desk.address(), 2, 0);
    setup.transfer(&as_desk, &aside, units(1)).must();
    // Not to another owner whose delegate it is as well.
    let bob = setup.trader("bob", units(100));
    setup.appoint_for(&bob, desk.address(), 2, 0);
    setup.transfer(&as_desk, &bob, units(1)).fails(Error::WrongOwner);

    // The fees that it can spend have a budget; an accomplice gets no more.
    for _ in 0..2 {
        setup.place(&as_desk, BTC, size).expect("within the budget");
    }
    let spent = setup.place(&as_desk, BTC, size).expect_err("one too many");
    assert_eq!(spent.error, Some(Error::DelegateBudget));
    setup.place(&alice, BTC, size).expect("the owner's own has none");
    setup.world.advance(DAY);
    setup.tick(1);
    setup.place(&as_desk, BTC, size).expect("another day");
    // Beside an old price nothing is put aside: what may open is refused, and the places cost the delegate its budget all the same.
    setup.world.advance(6);
    assert_eq!(setup.status(BTC), Status::Ageing);
    setup.place(&alice, BTC, size).expect_err("nobody would be paid to clear it away");
    let exit = Ask { kind: 3, reduce_only: true, stop: 1, ..Ask::from(-size / 4) };
    let order = setup.place(&as_desk, BTC, exit).expect("the second of the day");
    assert!(setup.order(&order).terms.fee.is_zero());
    setup.place(&as_desk, BTC, exit).expect("the third");
    let spent = setup.place(&as_desk, BTC, exit).expect_err("one too many");
    assert_eq!(spent.error, Some(Error::DelegateBudget));
    // Its right ends to the second, and at its owner's word.
    setup.world.advance(DAY);
    setup.tick(1);
    setup.place(&as_desk, BTC, size).expect_err("over");
    setup.appoint_for(&alice, desk.address(), 2, 3 * fee);
    let nobody = SetDelegateArgs { delegate: Default::default(), until: 0, permissions: 0, fee_budget: 0 };
    setup.appoint(&alice, nobody).must();
    setup.reduce(&as_desk, BTC, 1, false).fails(Error::WrongOwner);
    setup.audit();
}

#[test]
fn p04_a_delegates_permissions_are_kept_apart() {
    let mut setup = on_bank(&Terms::still());
    let (alice, desk) = (setup.trader("alice", units(10_000)), setup.trader("desk", 0));
    let aside = setup.trader_with("alice", 7, false, 0);
    setup.open(&alice, BTC, whole(10_000));
    let (as_desk, until) = (Trader { subaccount: alice.subaccount, ..desk.clone() }, setup.world.now().unix + DAY);
    let give = |permissions| SetDelegateArgs { delegate: desk.address(), until, permissions, fee_budget: units(10) };
    let order = setup.place(&alice, BTC, 1_000_000).expect("placed");
    setup.tick(13);
    let cancel =
        ix::cancel_order(&desk.address(), &setup.market_key(BTC), &alice.subaccount, &order, &alice.address(), None);
    for permissions in 1..8_u8 {
        let mut setup = setup.clone();
        setup.appoint(&alice, give(permissions)).must();
        setup.appoint(&aside, give(permissions)).must();
        let done = [
            setup.reduce(&as_desk, BTC, 1_000, false),
            setup.world.send(std::slice::from_ref(&cancel), &[&desk.key]),
            setup.transfer(&as_desk, &aside, 1),
        ];
        for (bit, outcome) in done.into_iter().enumerate() {
            match outcome {
                Ok(_) => assert!(permissions >> bit & 1 == 1, "{permissions} {bit}"),
                Err(refused) => {
                    assert_eq!(refused.error, Some(Error::WrongOwner), "{refused}");
                    assert!(permissions >> bit & 1 == 0, "{permissions} {bit}");
                }
            }
        }
    }
}

//! P4: only the owner withdraws; a keeper moves nothing but by the liquidation, order and funding rules.

use std::sync::Arc;

use ballast_client::instructions as ix;
use ballast_engine::Error;
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

//! P11 and P14 for a change of the oracle: reduce-only from the queue to the execution, and no longer.

use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_tests::{Expect as _, Setup, Terms, units};
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, ETH, whole};

const DAY: i64 = 86_400;

/// Increases are refused, everything else goes on.
fn assert_reduce_only(setup: &mut Setup) {
    let visitor = format!("visitor {}", setup.world.now().slot);
    let alice = setup.trader(&visitor, units(100));
    let size = setup.size_for(BTC, whole(1_000));
    setup.trade(&alice, BTC, size).fails(Error::MarketReduceOnly);
}

#[test]
fn p11_a_change_of_the_oracle_holds_increases_back_and_nothing_else() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, BTC, whole(50_000));
    let size = setup.size_for(BTC, whole(1_000));
    let placed = setup.place(&alice, BTC, size).expect("placed before");
    let feed = setup.queue_oracle_feed(BTC, [9; 32]).expect("queued");
    setup.tick(3);
    setup.execute(&alice, BTC, &placed).fails(Error::MarketReduceOnly);
    assert_reduce_only(&mut setup);
    // Out, in and across; and the other market does not notice.
    let half = setup.position(&alice, BTC).unsigned_abs() / 2;
    setup.reduce(&alice, BTC, half, false).must();
    setup.trade(&alice, BTC, ballast_tests::Ask { size: -size, reduce_only: true, ..Default::default() }).must();
    setup.deposit(&alice, units(10)).must();
    setup.withdraw(&alice, units(20)).must();
    setup.open(&alice, ETH, whole(1_000));
    let paula = setup.providers[BTC].clone();
    setup.file_exit(&paula, units(1_000)).must();
    setup.world.advance(DAY);
    setup.tick(1);
    setup.execute_exit(&paula).must();
    setup.audit();
    // Executed, it is open again, once the new feed's prices are confirmed.
    setup.wait_for(feed);
    setup.execute_proposal(feed).must();
    assert_eq!(setup.market(BTC).state.governed.feed_change, 0);
    assert_eq!(setup.market(BTC).feed_id.0, [9; 32]);
}

#[test]
fn p11_a_change_of_the_oracle_cannot_hold_a_market_down() {
    let mut setup = on_bank(&Terms::still());
    let feed = setup.queue_oracle_feed(BTC, [9; 32]).expect("queued");
    let second = setup.queue_oracle_feed(BTC, [8; 32]).expect_err("one at a time");
    assert_eq!(second.error, Some(Error::ProposalLimit));
    // Who ends it must tell the market.
    let guardian = setup.guardian.clone();
    let silent = ix::veto_proposal(&guardian.pubkey(), &setup.exchange, None, feed);
    setup.world.send(&[silent], &[&guardian]).fails(Error::WrongMarket);
    let other = ix::veto_proposal(&guardian.pubkey(), &setup.exchange, Some(1), feed);
    setup.world.send(&[other], &[&guardian]).fails(Error::WrongMarket);
    // A veto opens the market at once.
    let alice = setup.trader("alice", units(1_000));
    setup.veto(feed).must();
    setup.open(&alice, BTC, whole(1_000));
    // The second try of the month; a third must wait.
    let again = setup.queue_oracle_feed(BTC, [9; 32]).expect("the second");
    assert_reduce_only(&mut setup);
    // Nobody does anything: it ends by itself when it is dead, to the second, and anyone may clear it away.
    let terms = setup.proposal(again).terms;
    assert_eq!(terms.expires_at - terms.queued_at, 12 * DAY);
    let left = terms.expires_at - setup.world.now().unix;
    setup.tick(left - 2);
    assert_reduce_only(&mut setup);
    let left = terms.expires_at - setup.world.now().unix;
    setup.tick(left);
    setup.open(&alice, BTC, whole(1_000));
    setup.execute_proposal(again).fails(Error::ProposalExpired);
    setup.expire(again).must();
    let third = setup.queue_oracle_feed(BTC, [9; 32]).expect_err("too many");
    assert_eq!(third.error, Some(Error::ParameterCoolDown));
    setup.audit();
}

#[test]
fn p11_the_program_that_owns_the_feed_changes_in_seven_days_and_only_among_the_exchanges() {
    let mut setup = on_bank(&Terms::still());
    let another = ballast_tests::world::fixed_key("another oracle").pubkey();
    let list = setup.queue_oracle_program(1, another).expect("queued");
    let empty = setup.queue_oracle_program(0, anchor_lang::prelude::Pubkey::default()).expect_err("the last one");
    assert_eq!(empty.error, Some(Error::OracleProgramInvalid));
    setup.world.advance(7 * DAY - 1);
    setup.execute_proposal(list).fails(Error::ProposalNotReady);
    setup.world.advance(1);
    setup.execute_proposal(list).must();
    assert_eq!(setup.exchange().oracle_programs[1].0, another.to_bytes());
    // Markets keep what they have; each changes by a proposal of its own.
    assert_eq!(setup.market(BTC).oracle_program.0, price_feed::ID.to_bytes());
}

#[test]
fn p11_the_fee_destination_changes_in_seven_days_and_only_to_an_account_of_the_collateral() {
    let mut setup = on_bank(&Terms::still());
    let (mint, exchange, vault) = (setup.mint, setup.exchange, setup.vault);
    let place = |setup: &mut Setup, name: &str, owner| {
        let key = ballast_tests::world::fixed_key(name).pubkey();
        setup.set_tokens(key, &owner, &mint, 0);
        key
    };
    let owned = place(&mut setup, "the exchange's own", exchange);
    assert_eq!(setup.queue_fee_destination(&owned).expect_err("nobody's").error, Some(Error::WrongOwner));
    assert_eq!(setup.queue_fee_destination(&vault).expect_err("the vault").error, Some(Error::WrongVault));
    let good = place(&mut setup, "new fees", ballast_tests::world::fixed_key("treasury").pubkey());
    let id = setup.queue_fee_destination(&good).expect("queued");
    setup.world.advance(7 * DAY - 1);
    setup.execute_proposal(id).fails(Error::ProposalNotReady);
    setup.world.advance(1);
    setup.execute_proposal(id).must();
    assert_eq!(setup.exchange().fee_destination.0, good.to_bytes());
}

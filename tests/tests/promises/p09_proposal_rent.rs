//! P9, afterwards: a proposal that has ended gives its rent back to whoever paid it, and its number never comes back.

use ballast::instructions::governance::QueueParameterArgs;
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::constants::PROPOSAL_LIFE;
use ballast_tests::governing::market_parameter;
use ballast_tests::world::fixed_key;
use ballast_tests::{Expect as _, Setup, Terms, event};
use solana_keypair::Keypair;
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, ETH, TAIL};

/// Governance queues a taker fee; somebody else pays the rent.
fn queue(setup: &mut Setup, sponsor: &Keypair, market: usize) -> u64 {
    let (id, governance, parameter) =
        (setup.exchange().next_proposal, setup.governance.clone(), market_parameter("taker_fee"));
    let state = setup.market(market).state;
    let args = QueueParameterArgs {
        parameter,
        new_value: state.params.taker_fee.0 - 50,
        version: state.param_version[usize::from(parameter)],
        last_slot: setup.last_slot(),
        rationale: [7; 32],
    };
    let index = u16::try_from(market).expect("few");
    let queue = ix::queue_market_parameter(&sponsor.pubkey(), &governance.pubkey(), &setup.exchange, index, id, args);
    setup.world.send(&[queue], &[sponsor, &governance]).must();
    id
}

#[test]
fn p09_an_ended_proposals_rent_goes_back_and_its_number_never_comes_back() {
    let mut setup = on_bank(&Terms::still());
    let sponsor = fixed_key("sponsor");
    setup.world.give(sponsor.pubkey(), 1_000_000_000);
    let balance = |setup: &Setup| setup.world.svm.get_account(&sponsor.pubkey()).map_or(0, |a| a.lamports);
    let before = balance(&setup);
    let [executed, vetoed, expired] = [BTC, ETH, TAIL].map(|market| queue(&mut setup, &sponsor, market));
    let rent = (before - balance(&setup)) / 3;
    assert!(rent > 0 && before - balance(&setup) == 3 * rent);

    // Not before it has ended, whatever its time.
    for id in [executed, vetoed, expired] {
        setup.close_proposal(id).fails(Error::ProposalPending);
    }
    setup.veto(vetoed).must();
    // To whoever paid it, nobody else: neither the caller nor the proposer.
    for other in [setup.world.payer.pubkey(), setup.governance.pubkey()] {
        let close = ix::close_proposal(&setup.exchange, vetoed, &other, false);
        setup.world.send(&[close], &[]).fails(Error::WrongOwner);
    }
    let closed = event!(setup.close_proposal(vetoed).must(), ProposalRentReturned);
    assert_eq!((closed.id, closed.to, closed.lamports), (vetoed, sponsor.pubkey(), rent));
    assert_eq!(balance(&setup), before - 2 * rent);

    setup.wait_for(executed);
    setup.close_proposal(executed).fails(Error::ProposalPending);
    setup.execute_proposal(executed).must();
    setup.close_proposal(executed).must();
    setup.world.advance(PROPOSAL_LIFE);
    setup.close_proposal(expired).fails(Error::ProposalPending);
    setup.expire(expired).must();
    setup.close_proposal(expired).must();
    assert_eq!(balance(&setup), before);
    assert_eq!(setup.exchange().pending_proposals, 0);

    // What is gone is gone, and the next one has a number of its own.
    let proposals = [executed, vetoed, expired].map(|id| ballast_client::address::proposal(&setup.exchange, id));
    assert!(proposals.iter().all(|address| !setup.world.exists(address)));
    let veto = ix::veto_proposal(&setup.guardian.pubkey(), &setup.exchange, None, vetoed);
    let guardian = setup.guardian.clone();
    setup.world.send(&[veto], &[&guardian]).expect_err("gone");
    assert_eq!(setup.exchange().next_proposal, expired + 1);
    assert_eq!(queue(&mut setup, &sponsor, ETH), expired + 1);
    setup.audit();
}

#[test]
fn p09_a_change_of_an_oracle_a_charter_and_an_upgrade_leave_nothing_behind() {
    let mut setup = on_bank(&Terms::still());
    setup.take_upgrade_authority().must();
    let payer = setup.world.payer.pubkey();
    let feed = setup.queue_oracle_feed(BTC, [9; 32]).expect("queued");
    setup.close_proposal(feed).fails(Error::ProposalPending);
    setup.veto(feed).must();
    setup.close_proposal(feed).must();
    // Its market waits for it no more, and another may come.
    let again = setup.queue_oracle_feed(BTC, [8; 32]).expect("queued");

    let args = setup.new_exchange_args("second mint");
    let chartered = setup.queue_new_exchange(args).expect("queued");
    let charter = ballast_client::address::charter(&ballast_client::address::proposal(&setup.exchange, chartered));
    setup.close_proposal(chartered).fails(Error::ProposalPending);
    setup.wait_for(chartered);
    setup.execute_new_exchange(chartered).must();
    // The charter is closed with it, never left behind, and no other proposal takes one along.
    let without = ix::close_proposal(&setup.exchange, chartered, &payer, false);
    setup.world.send(&[without], &[]).fails(Error::WrongExchange);
    let lamports = |setup: &Setup, at| setup.world.svm.get_account(&at).map_or(0, |a| a.lamports);
    let both =
        lamports(&setup, charter) + lamports(&setup, ballast_client::address::proposal(&setup.exchange, chartered));
    let closed = event!(setup.close_proposal(chartered).must(), ProposalRentReturned);
    assert_eq!((closed.lamports, closed.to), (both, payer));
    assert!(!setup.world.exists(&charter));
    setup.veto(again).must();
    setup.close_proposal(again).must();

    // An upgrade's proposal is closed with its buffer alone: what is left of it must not be out of reach.
    let buffer = setup.buffer("buffer", b"\x7fELF, or not");
    let upgrade = setup.queue_upgrade(&buffer).expect("queued");
    setup.veto(upgrade).must();
    setup.close_proposal(upgrade).fails(Error::ParameterUnknown);
    setup.close_upgrade(&buffer).must();
    assert!(!setup.world.exists(&ballast_client::address::proposal(&setup.exchange, upgrade)));
    assert!(!setup.world.exists(&buffer));
}

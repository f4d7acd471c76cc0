//! Hand-over of roles (section 11): two steps, no shared keys, and what a former holder queued is dead.

use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::governance::kind;
use ballast_tests::world::fixed_key;
use ballast_tests::{Expect as _, Terms};
use solana_signer::Signer as _;

use super::BTC;
use super::bank::on_bank;

#[test]
fn governance_passes_on_in_two_steps_and_takes_its_proposals_with_it() {
    let mut setup = on_bank(&Terms::standard());
    let (old, next, other) = (setup.governance.clone(), fixed_key("next governance"), fixed_key("impostor"));
    let exchange = setup.exchange;
    let accept = |key: &solana_keypair::Keypair| ix::accept_governance(&key.pubkey(), &exchange);
    // Nothing is offered yet.
    setup.world.send(&[accept(&next)], &[&next]).fails(Error::NotGovernance);
    let offer = setup.queue_role(kind::GOVERNANCE, next.pubkey()).expect("queued");
    let stale = setup.queue(BTC, "taker_fee", 600).expect("queued");
    setup.execute_proposal(offer).fails(Error::ProposalNotReady);
    setup.wait_for(offer);
    setup.world.send(&[accept(&next)], &[&next]).fails(Error::NotGovernance);
    setup.execute_proposal(offer).must();
    // Until it accepts, the old key governs.
    assert_eq!(setup.exchange().roles.governance.0, old.pubkey().to_bytes());
    setup.queue(BTC, "mending_fee", 300).expect("still governance");
    setup.world.send(&[accept(&other)], &[&other]).fails(Error::NotGovernance);
    // And may take the offer back.
    let mut regretted = setup.clone();
    regretted.world.send(&[accept(&old)], &[&old]).must();
    regretted.world.send(&[accept(&next)], &[&next]).fails(Error::NotGovernance);
    assert_eq!(regretted.exchange().roles.governance.0, old.pubkey().to_bytes());
    regretted.execute_proposal(stale).must();
    regretted.audit();
    setup.world.send(&[accept(&next)], &[&next]).must();
    assert_eq!(setup.exchange().roles.governance.0, next.pubkey().to_bytes());
    // The old key is nobody now, and what it queued is dead and can be cleared at once.
    let args = setup.change_args(BTC, 0, 51_000);
    let refused = setup.queue_as(&old, BTC, args).expect_err("no longer governance");
    assert_eq!(refused.error, Some(Error::NotProposer));
    setup.execute_proposal(stale).fails(Error::VersionMoved);
    setup.expire(stale).must();
    let args = setup.change_args(BTC, 0, 51_000);
    setup.queue_as(&next, BTC, args).expect("governance");
    setup.audit();
}

#[test]
fn governance_dismisses_the_committee_at_once_and_its_queue_with_it() {
    let mut setup = on_bank(&Terms::standard());
    let (governance, committee) = (setup.governance.clone(), setup.committee.clone());
    let args = setup.change_args(BTC, 0, 51_000);
    let queued = setup.queue_as(&committee, BTC, args).expect("queued");
    let dismiss = ix::dismiss_committee(&committee.pubkey(), &setup.exchange);
    setup.world.send(&[dismiss], &[&committee]).fails(Error::NotGovernance);
    let dismiss = ix::dismiss_committee(&governance.pubkey(), &setup.exchange);
    setup.world.send(&[dismiss], &[&governance]).must();
    setup.wait_for(queued);
    setup.execute_proposal(queued).fails(Error::VersionMoved);
    let args = setup.change_args(BTC, 0, 51_000);
    let refused = setup.queue_as(&committee, BTC, args).expect_err("dismissed");
    assert_eq!(refused.error, Some(Error::NotProposer));
}

#[test]
fn governance_a_stolen_key_cannot_remove_the_veto_first() {
    let mut setup = on_bank(&Terms::standard());
    // H8: the thief replaces the guardian and queues all the rest.
    let accomplice = fixed_key("accomplice");
    let replace = setup.queue_role(kind::GUARDIAN, accomplice.pubkey()).expect("queued");
    let feed = setup.queue_oracle_feed(BTC, [9; 32]).expect("queued");
    let limits = setup.queue_exchange("outflow_hourly", 12_500).expect("queued");
    // What is queued while the replacement waits keeps its vetoer; all of it would be ready before the new guardian.
    assert!(setup.proposal(feed).terms.eta < setup.proposal(replace).terms.eta);
    setup.veto(feed).must();
    setup.wait_for(replace);
    setup.execute_proposal(replace).must();
    assert_eq!(setup.exchange().roles.guardian.0, accomplice.pubkey().to_bytes());
    let veto = ix::veto_proposal(&accomplice.pubkey(), &setup.exchange, None, limits);
    setup.world.send(&[veto], &[&accomplice]).fails(Error::NotVetoer);
    setup.veto(limits).must();
}

#[test]
fn governance_no_key_holds_two_roles_and_no_seat_takes_the_default_key() {
    let mut setup = on_bank(&Terms::standard());
    let taken = [setup.governance.pubkey(), setup.committee.pubkey(), setup.guardian.pubkey()];
    for role in [kind::GOVERNANCE, kind::COMMITTEE, kind::GUARDIAN] {
        for key in taken.into_iter().chain([anchor_lang::prelude::Pubkey::default()]) {
            let refused = setup.queue_role(role, key).expect_err("taken");
            assert_eq!(refused.error, Some(Error::RoleKeyInvalid));
        }
    }
}

//! Who may do what: vetoes, the committee, the guardian, governance, and what ends with them.

use ballast_engine::error::Error;
use ballast_engine::governance::{
    Proposer, Roles, check_guardian_pending, check_pending, guardian_delay, kind, queue_exchange_parameter, queue_role,
    role,
};
use ballast_engine::layout::Key;

use super::{COMMITTEE, DAY, GOVERNANCE, GUARDIAN, THIEF, World, error};

#[test]
fn the_committee_may_tune_and_nothing_else() {
    let mut world = World::new(0);
    world.queue(COMMITTEE, "taker_fee", 600).unwrap();
    world.queue(COMMITTEE, "open_interest_cap", 900_000_000_000).unwrap();
    for (name, value) in
        [("open_interest_cap", 1_100_000_000_000), ("maintenance_margin", 31_000), ("keeper_fee_max", 4_500)]
    {
        assert_eq!(error(world.queue(COMMITTEE, name, value)), Error::NotProposer, "{name}");
    }
    for kind in [kind::GOVERNANCE, kind::COMMITTEE, kind::GUARDIAN] {
        assert_eq!(error(world.queue_role(COMMITTEE, kind, THIEF)), Error::NotProposer);
    }
    let request = world.request(COMMITTEE, 0);
    assert_eq!(error(world.queue_feed(COMMITTEE, Key([8; 32]))), Error::NotProposer);
    for parameter in 0..7 {
        let up = world.params.get(parameter).unwrap() + 1;
        let queued = queue_exchange_parameter(&world.log, &world.context(), &request, parameter, up, &world.now);
        assert!(matches!(queued, Err(f) if f.error == Error::NotProposer || f.error == Error::CrossCheckBroken));
    }
    // Dismissed at once, by governance alone, and what it has queued is dead.
    let mut pending = world.queue(COMMITTEE, "taker_fee", 600).unwrap();
    assert_eq!(error(world.roles.dismiss_committee(&COMMITTEE)), Error::NotGovernance);
    assert_eq!(world.roles.dismiss_committee(&GOVERNANCE).unwrap(), COMMITTEE);
    assert_eq!(error(world.queue(COMMITTEE, "taker_fee", 600)), Error::NotProposer);
    world.wait(2 * DAY);
    assert_eq!(error(world.execute(&mut pending)), Error::VersionMoved);
    assert_eq!(error(world.roles.dismiss_committee(&GOVERNANCE)), Error::RoleKeyInvalid);
    // Nobody can veto the guardian's replacement: one at a time, any number of the others.
    for (kind, pending, room) in [(kind::GUARDIAN, 0, true), (kind::GUARDIAN, 1, false), (kind::GOVERNANCE, 1, true)] {
        let checked = check_guardian_pending(kind, pending);
        assert_eq!(checked.err().map(|f| f.error), (!room).then_some(Error::ProposalLimit));
    }
    // The committee cannot fill the queue.
    for (proposer, most, of_market) in [(Proposer::Committee, 16, 8), (Proposer::Governance, 32, 16)] {
        assert!(check_pending(proposer, most - 1, None).is_ok());
        assert!(check_pending(proposer, most - 1, Some(of_market - 1)).is_ok());
        let fault = check_pending(proposer, most, None).unwrap_err();
        assert_eq!((fault.error, fault.limit), (Error::ProposalLimit, i64::try_from(most).unwrap()));
        let fault = check_pending(proposer, of_market, Some(of_market)).unwrap_err();
        assert_eq!((fault.error, fault.limit), (Error::ProposalLimit, i64::try_from(of_market).unwrap()));
    }
}

#[test]
fn a_veto_is_final_unlimited_and_the_vetoers_alone_attack_b7() {
    let mut world = World::new(0);
    let mut two = [
        world.queue(GOVERNANCE, "insurance_fee_max", 4_500).unwrap(),
        world.queue(GOVERNANCE, "insurance_fee_max", 5_500).unwrap(),
    ];
    for terms in &mut two {
        for stranger in [GOVERNANCE, COMMITTEE, THIEF, Key::default()] {
            assert_eq!(error(terms.veto(&stranger)), Error::NotVetoer);
        }
        terms.veto(&GUARDIAN).unwrap();
        assert_eq!(error(terms.veto(&GUARDIAN)), Error::ProposalClosed);
    }
    // It does not come back after 72 hours, nor ever.
    for _ in 0..20 {
        world.wait(DAY);
        for terms in &mut two {
            assert_eq!(error(world.execute(terms)), Error::ProposalClosed);
        }
    }
    assert_eq!(error(two[0].expire(&world.roles, &world.emergency, &world.now)), Error::ProposalClosed);
}

#[test]
fn a_thief_of_governance_cannot_take_the_veto_first_attack_h8() {
    let mut world = World::new(0);
    // Hour 0: the committee is dismissed, the guardian's replacement and the oracle swap are queued.
    world.roles.dismiss_committee(&GOVERNANCE).unwrap();
    let mut replacement = world.queue_role(GOVERNANCE, kind::GUARDIAN, THIEF).unwrap();
    let swap = |world: &World| world.queue_feed(GOVERNANCE, Key([8; 32])).unwrap();
    let mut at_once = swap(&world);
    assert_eq!(replacement.eta - world.now.unix, 8 * DAY);
    assert_eq!(at_once.eta - world.now.unix, 7 * DAY);
    // The guardian cannot veto its own replacement, but everything else.
    assert_eq!(error(replacement.veto(&GUARDIAN)), Error::NotVetoer);
    assert_eq!(error(replacement.veto(&Key::default())), Error::NotVetoer);
    at_once.veto(&GUARDIAN).unwrap();
    // Queued a second before the new guardian sits: the old one still has the veto, for all of its seven days.
    world.wait(8 * DAY - 1);
    assert_eq!(error(world.execute_role(&mut replacement)), Error::ProposalNotReady);
    let mut late = swap(&world);
    world.wait(1);
    world.execute_role(&mut replacement).unwrap();
    assert_eq!(world.roles.guardian, THIEF);
    world.wait(6 * DAY);
    assert_eq!(error(late.veto(&THIEF)), Error::NotVetoer);
    late.veto(&GUARDIAN).unwrap();
    // The first swap that nobody can veto is queued after eight days and executes seven days later.
    let mut unopposed = swap(&World { now: world.now, roles: world.roles, ..World::new(0) });
    world.wait(7 * DAY - 1);
    assert_eq!(error(world.execute_feed(&mut unopposed)), Error::ProposalNotReady);
    world.wait(1);
    let done = world.execute_feed(&mut unopposed).unwrap();
    assert_eq!((done.feed, done.version), (Key([8; 32]), 1));
}

#[test]
fn the_guardians_replacement_is_longer_than_anything_else() {
    let mut world = World::new(0);
    assert_eq!(guardian_delay(&world.params).unwrap(), 8 * DAY);
    world.params.delay_deep = 5_184_000;
    assert_eq!(guardian_delay(&world.params).unwrap(), 61 * DAY);
}

#[test]
fn governance_is_handed_over_in_two_steps() {
    let mut world = World::new(0);
    let heir = Key([10; 32]);
    let mut offer = world.queue_role(GOVERNANCE, kind::GOVERNANCE, heir).unwrap();
    let mut other = world.queue_role(GOVERNANCE, kind::GOVERNANCE, Key([11; 32])).unwrap();
    let mut pending = world.queue(GOVERNANCE, "open_interest_cap", 1_200_000_000_000).unwrap();
    assert_eq!(error(world.roles.accept_governance(&heir)), Error::NotGovernance);
    world.wait(3 * DAY - 1);
    assert_eq!(error(world.execute_role(&mut offer)), Error::ProposalNotReady);
    world.wait(1);
    world.execute_role(&mut offer).unwrap();
    assert_eq!((world.roles.governance, world.roles.pending_governance), (GOVERNANCE, heir));
    // An older offer cannot displace it.
    assert_eq!(error(world.execute_role(&mut other)), Error::VersionMoved);
    for stranger in [THIEF, COMMITTEE, Key::default(), Key([11; 32])] {
        assert_eq!(error(world.roles.accept_governance(&stranger)), Error::NotGovernance);
    }
    assert_eq!(world.roles.accept_governance(&heir).unwrap(), GOVERNANCE);
    assert_eq!((world.roles.governance, world.roles.pending_governance), (heir, Key::default()));
    assert_eq!(error(world.roles.accept_governance(&heir)), Error::NotGovernance);
    // What the former governance has queued is dead.
    assert_eq!(error(world.execute(&mut pending)), Error::VersionMoved);
    assert_eq!(error(world.queue(GOVERNANCE, "taker_fee", 600)), Error::NotProposer);
    world.queue(heir, "taker_fee", 600).unwrap();
}

#[test]
fn an_offer_of_governance_is_taken_back_at_once_and_nothing_else_dies_of_it() {
    let mut world = World::new(0);
    assert_eq!(error(world.roles.accept_governance(&GOVERNANCE)), Error::NotGovernance, "nothing is offered");
    let (wrong, right) = (Key([10; 32]), Key([11; 32]));
    let mut offer = world.queue_role(GOVERNANCE, kind::GOVERNANCE, wrong).unwrap();
    let mut pending = world.queue(GOVERNANCE, "taker_fee", 600).unwrap();
    world.wait(3 * DAY);
    world.execute_role(&mut offer).unwrap();
    assert_eq!(world.roles.accept_governance(&GOVERNANCE).unwrap(), GOVERNANCE);
    assert_eq!((world.roles.governance, world.roles.pending_governance), (GOVERNANCE, Key::default()));
    assert_eq!(error(world.roles.accept_governance(&wrong)), Error::NotGovernance);
    assert_eq!(error(world.execute_role(&mut offer)), Error::ProposalClosed);
    world.execute(&mut pending).unwrap();
    let mut offer = world.queue_role(GOVERNANCE, kind::GOVERNANCE, right).unwrap();
    world.wait(3 * DAY);
    world.execute_role(&mut offer).unwrap();
    assert_eq!(world.roles.accept_governance(&right).unwrap(), GOVERNANCE);
}

#[test]
fn no_key_is_default_or_in_two_roles() {
    let mut world = World::new(0);
    for (a, b, c) in [
        (Key::default(), COMMITTEE, GUARDIAN),
        (GOVERNANCE, COMMITTEE, Key::default()),
        (GOVERNANCE, GOVERNANCE, GUARDIAN),
        (GOVERNANCE, COMMITTEE, GOVERNANCE),
        (GOVERNANCE, GUARDIAN, GUARDIAN),
    ] {
        assert_eq!(error(Roles::new(a, b, c)), Error::RoleKeyInvalid);
    }
    Roles::new(GOVERNANCE, Key::default(), GUARDIAN).unwrap();
    for kind in [kind::GOVERNANCE, kind::COMMITTEE, kind::GUARDIAN] {
        for key in [Key::default(), GOVERNANCE, COMMITTEE, GUARDIAN] {
            assert_eq!(error(world.queue_role(GOVERNANCE, kind, key)), Error::RoleKeyInvalid);
        }
    }
    // Two proposals for one key: the second cannot seat it too.
    let mut committee = world.queue_role(GOVERNANCE, kind::COMMITTEE, THIEF).unwrap();
    let mut guardian = world.queue_role(GOVERNANCE, kind::GUARDIAN, THIEF).unwrap();
    let mut offer = world.queue_role(GOVERNANCE, kind::GOVERNANCE, THIEF).unwrap();
    world.wait(8 * DAY);
    world.execute_role(&mut offer).unwrap();
    assert_eq!(error(world.execute_role(&mut committee)), Error::RoleKeyInvalid);
    assert_eq!(error(world.execute_role(&mut guardian)), Error::RoleKeyInvalid);
    assert_eq!(world.roles.version[role::GUARDIAN], 0);
    assert_eq!(
        error(queue_role(kind::ORACLE_FEED, THIEF, &world.context(), &world.request(GOVERNANCE, 0), &world.now)),
        Error::ParameterUnknown
    );
}

#[test]
fn a_new_committee_ends_what_the_old_one_queued() {
    let mut world = World::new(0);
    let mut appointment = world.queue_role(GOVERNANCE, kind::COMMITTEE, THIEF).unwrap();
    assert_eq!(appointment.eta - world.now.unix, 3 * DAY);
    world.wait(3 * DAY);
    let mut pending = world.queue(COMMITTEE, "taker_fee", 600).unwrap();
    world.execute_role(&mut appointment).unwrap();
    assert_eq!(world.roles.committee, THIEF);
    world.wait(2 * DAY);
    assert_eq!(error(world.execute(&mut pending)), Error::VersionMoved);
    world.queue(THIEF, "taker_fee", 600).unwrap();
}

#[test]
fn a_dismissal_does_not_stop_the_next_committees_appointment() {
    let mut world = World::new(0);
    let mut appointment = world.queue_role(GOVERNANCE, kind::COMMITTEE, THIEF).unwrap();
    world.roles.dismiss_committee(&GOVERNANCE).unwrap();
    world.wait(3 * DAY);
    world.execute_role(&mut appointment).unwrap();
    assert_eq!(world.roles.committee, THIEF);
}

//! Upgrades of the program: G3's delay, the guardian's veto, the committed bytes and nothing else.

use ballast_engine::constants::{UPGRADE_LENGTH_MAX, UPGRADE_PART};
use ballast_engine::error::{Error, Fault};
use ballast_engine::governance::{
    Context, ExitHolds, ParameterLog, ProposalTerms, Request, Roles, UpgradeCheck, check_ended, class, digest,
    execute_exchange_parameter, execute_new_exchange, execute_role, execute_upgrade, kind, queue_new_exchange,
    queue_upgrade, state, verify_upgrade,
};
use ballast_engine::guardian::Emergency;
use ballast_engine::layout::Key;
use ballast_engine::params::ExchangeParams;
use ballast_engine::presets::new_exchange;
use ballast_engine::{Now, Result};
use proptest::prelude::*;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
const GOVERNANCE: Key = Key([1; 32]);
const COMMITTEE: Key = Key([2; 32]);
const GUARDIAN: Key = Key([3; 32]);
const NEXT: Key = Key([4; 32]);
const COMMITTED: Key = Key([9; 32]);
const LENGTH: u64 = 1_500_000;
const ROOM: u64 = 1_600_000;
/// A buffer that was hashed to its end and holds what was committed.
const VERIFIED: UpgradeCheck = UpgradeCheck { chain: COMMITTED, hashed: LENGTH, verified: 1, reserved_bytes: [0; 7] };
/// One that nobody has hashed yet.
const FRESH: UpgradeCheck = UpgradeCheck { chain: Key([0; 32]), hashed: 0, verified: 0, reserved_bytes: [0; 7] };

/// Something in place of SHA-256 that tells any two inputs here apart.
fn hash(pieces: &[&[u8]]) -> Key {
    let mut lanes = [0xcbf2_9ce4_8422_2325_u64, 1, 2, 3];
    for (at, byte) in pieces.concat().iter().enumerate() {
        let lane = &mut lanes[at % 4];
        *lane = (*lane ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
    }
    let mut key = [0; 32];
    for round in 0..4 {
        lanes[round] = lanes[round].wrapping_add(lanes[(round + 1) % 4]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        key[round * 8..round * 8 + 8].copy_from_slice(&lanes[round].to_le_bytes());
    }
    Key(key)
}

/// An exchange that holds the program's upgrade authority.
#[derive(Clone)]
struct World {
    params: ExchangeParams,
    roles: Roles,
    emergency: Emergency,
    exits: ExitHolds,
    upgrades: u32,
    now: Now,
}

impl World {
    fn new() -> Self {
        Self {
            params: new_exchange(),
            roles: Roles::new(GOVERNANCE, COMMITTEE, GUARDIAN).unwrap(),
            emergency: Emergency::default(),
            exits: ExitHolds::default(),
            upgrades: 3,
            now: Now { unix: 1_700_000_000, slot: 1_000_000, restart_slot: 0 },
        }
    }
    fn context(&self) -> Context<'_> {
        Context { params: &self.params, roles: &self.roles, emergency: &self.emergency, exits: &self.exits }
    }
    fn wait(&mut self, seconds: i64) {
        self.now.unix += seconds;
        self.now.slot += u64::try_from(seconds).unwrap() * 5 / 2;
    }
    fn request(&self, signer: Key) -> Request {
        Request { signer, version: self.upgrades, last_slot: self.now.slot + 100, rationale: Key([7; 32]) }
    }
    fn queue(&self, signer: Key) -> Result<ProposalTerms> {
        queue_upgrade(LENGTH, COMMITTED, ROOM, self.upgrades, &self.context(), &self.request(signer), &self.now)
    }
    fn queued(&self) -> ProposalTerms {
        self.queue(GOVERNANCE).unwrap()
    }
    fn execute_with(
        &mut self,
        terms: &mut ProposalTerms,
        check: &UpgradeCheck,
        (length, room): (u64, u64),
    ) -> Result<()> {
        let context =
            Context { params: &self.params, roles: &self.roles, emergency: &self.emergency, exits: &self.exits };
        execute_upgrade(terms, check, (length, room), &mut self.upgrades, &context, &self.now)
    }
    fn execute(&mut self, terms: &mut ProposalTerms) -> Result<()> {
        self.execute_with(terms, &VERIFIED, (LENGTH, ROOM))
    }
}

fn error<T: std::fmt::Debug>(result: core::result::Result<T, Fault>) -> Error {
    result.unwrap_err().error
}

#[test]
fn an_upgrade_waits_seven_days_to_the_second_and_dies_seven_days_later() {
    let begin = World::new();
    let terms = begin.queued();
    assert_eq!((terms.eta - begin.now.unix, terms.expires_at - terms.eta), (WEEK, WEEK));
    assert_eq!((terms.kind, terms.class, terms.tightening), (kind::UPGRADE, class::DEEP, 0));
    assert_eq!((terms.new_key, terms.new_value, terms.vetoer), (COMMITTED, LENGTH, GUARDIAN));
    for (after, expected) in [
        (0, Some(Error::ProposalNotReady)),
        (WEEK - 1, Some(Error::ProposalNotReady)),
        (WEEK, None),
        (WEEK + 1, None),
        (2 * WEEK - 1, None),
        (2 * WEEK, Some(Error::ProposalExpired)),
        (2 * WEEK + 1, Some(Error::ProposalExpired)),
    ] {
        let (mut world, mut terms) = (begin.clone(), terms);
        world.wait(after);
        match expected {
            None => {
                world.execute(&mut terms).unwrap();
                assert_eq!((terms.state, world.upgrades), (state::EXECUTED, 4));
            }
            Some(expected) => {
                assert_eq!(error(world.execute(&mut terms)), expected, "{after}");
                assert_eq!((terms.state, world.upgrades), (state::PENDING, 3));
            }
        }
        // It expires exactly when it can no longer be executed.
        let mut terms = begin.queued();
        let expired = terms.expire(&world.roles, &world.emergency, &world.now);
        assert_eq!(expired.is_ok(), after >= 2 * WEEK, "{after}");
    }
}

#[test]
fn only_governance_may_propose_one_and_not_by_an_old_approval() {
    let world = World::new();
    for nobody in [COMMITTEE, GUARDIAN, Key([66; 32]), Key::default()] {
        assert_eq!(error(world.queue(nobody)), Error::NotProposer);
    }
    let queue = |request: &Request| {
        error(queue_upgrade(LENGTH, COMMITTED, ROOM, world.upgrades, &world.context(), request, &world.now))
    };
    let request = world.request(GOVERNANCE);
    assert_eq!(queue(&Request { version: 2, ..request }), Error::VersionMoved);
    assert_eq!(queue(&Request { last_slot: world.now.slot - 1, ..request }), Error::ProposalTooOld);
    assert_eq!(queue(&Request { last_slot: world.now.slot + 216_001, ..request }), Error::ProposalTooOld);
}

/// Three parts, the last one shorter.
fn code() -> Vec<u8> {
    let length = usize::try_from(2 * UPGRADE_PART + 12_345).unwrap();
    (0..length).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
}

/// A pending proposal for a code.
fn proposed(world: &World, code: &[u8], committed: Key) -> ProposalTerms {
    let (length, request) = (u64::try_from(code.len()).unwrap(), world.request(GOVERNANCE));
    queue_upgrade(length, committed, length, world.upgrades, &world.context(), &request, &world.now).unwrap()
}

#[test]
fn nothing_but_a_buffer_with_the_committed_digest_is_executed_attack_h12() {
    let mut world = World::new();
    let code = code();
    let length = u64::try_from(code.len()).unwrap();
    let mut terms = proposed(&world, &code, digest(&code, hash));
    let mut check = FRESH;
    world.wait(WEEK);
    for hashed in [UPGRADE_PART, 2 * UPGRADE_PART, length] {
        // Not before the last part, and then it is verified for good.
        assert_eq!(error(world.execute_with(&mut terms, &check, (length, length))), Error::UpgradeNotVerified);
        verify_upgrade(&mut terms, &mut check, &code, hash).unwrap();
        assert_eq!((check.hashed, check.verified), (hashed, u8::from(hashed == length)));
    }
    assert_eq!((check.chain, terms.state), (terms.new_key, state::PENDING));
    let before = (terms, check);
    assert_eq!(error(verify_upgrade(&mut terms, &mut check, &code, hash)), Error::UpgradeVerified);
    assert_eq!(before, (terms, check));
    // Should the buffer be another one all the same.
    assert_eq!(error(world.execute_with(&mut terms, &check, (length + 1, length + 1))), Error::UpgradeHash);
    // Nor does the check of another digest count, whatever it says.
    assert_eq!(error(world.execute_with(&mut terms, &VERIFIED, (length, length))), Error::UpgradeNotVerified);
    world.execute_with(&mut terms, &check, (length, length)).unwrap();
    assert_eq!(error(verify_upgrade(&mut terms, &mut FRESH.clone(), &code, hash)), Error::ProposalClosed);
}

#[test]
fn a_buffer_with_anything_else_in_it_ends_its_proposal_with_the_last_part() {
    let world = World::new();
    let good = code();
    let committed = digest(&good, hash);
    let last = good.len() - 1;
    let part = usize::try_from(UPGRADE_PART).unwrap();
    for at in [0, part - 1, part, 2 * part - 1, 2 * part, last] {
        let mut other = good.clone();
        other[at] ^= 1;
        let (mut terms, mut check) = (proposed(&world, &other, committed), FRESH);
        for _ in 0..2 {
            verify_upgrade(&mut terms, &mut check, &other, hash).unwrap();
            assert_eq!((terms.state, check.verified), (state::PENDING, 0));
        }
        verify_upgrade(&mut terms, &mut check, &other, hash).unwrap();
        assert_eq!((terms.state, check.verified), (state::REFUSED, 0));
        // That is the end of it, and its buffer may be closed.
        check_ended(&terms).unwrap();
        assert_eq!(error(verify_upgrade(&mut terms, &mut check, &other, hash)), Error::ProposalClosed);
        assert_eq!(error(terms.veto(&GUARDIAN)), Error::ProposalClosed);
        assert_eq!(error(terms.expire(&world.roles, &world.emergency, &world.now)), Error::ProposalClosed);
        let mut world = world.clone();
        world.wait(WEEK);
        let length = terms.new_value;
        assert_eq!(error(world.execute_with(&mut terms, &check, (length, length))), Error::ProposalClosed);
    }
    // A buffer of another length than was queued is not hashed at all.
    let (mut terms, mut check) = (proposed(&world, &good, committed), FRESH);
    for other in [&good[..last], &[&good[..], &[0]].concat()] {
        assert_eq!(error(verify_upgrade(&mut terms, &mut check, other, hash)), Error::UpgradeHash);
    }
    assert_eq!((check, terms.state), (FRESH, state::PENDING));
    let mut role = ProposalTerms { kind: kind::GUARDIAN, ..terms };
    assert_eq!(error(verify_upgrade(&mut role, &mut check, &good, hash)), Error::ParameterUnknown);
}

#[test]
fn a_digest_tells_parts_order_and_length_apart() {
    let part = usize::try_from(UPGRADE_PART).unwrap();
    let good = code();
    let mut swapped = good.clone();
    swapped[..2 * part].rotate_left(part);
    // What ends on the border of a part, and one byte to each side of it; zeros, which pad a program's account.
    let codes = [
        good.clone(),
        swapped,
        good[..part].to_vec(),
        good[..part - 1].to_vec(),
        good[..part + 1].to_vec(),
        [&good[..part], &[0]].concat(),
        [&good[..], &[0]].concat(),
        [&[0; 32][..], &good[..part]].concat(),
        vec![],
        vec![0],
    ];
    for (i, one) in codes.iter().enumerate() {
        for other in &codes[..i] {
            assert_ne!(digest(one, hash), digest(other, hash), "{i}");
        }
    }
    // By hand.
    let chain = hash(&[&hash(&[&[0; 32], &good[..part]]).0, &good[part..2 * part]]);
    let chain = hash(&[&chain.0, &good[2 * part..]]);
    assert_eq!(digest(&good, hash), hash(&[&chain.0, &u64::try_from(good.len()).unwrap().to_le_bytes()]));
}

#[test]
fn what_cannot_become_the_program_is_refused_at_once_and_at_the_end() {
    let mut world = World::new();
    let room = UPGRADE_LENGTH_MAX + 1;
    let queue = |length: u64, room: u64| {
        let request = world.request(GOVERNANCE);
        queue_upgrade(length, COMMITTED, room, world.upgrades, &world.context(), &request, &world.now).map(|_| ())
    };
    for (length, room, expected) in [
        (0, room, Some(Error::UpgradeLength)),
        (1, room, None),
        (UPGRADE_LENGTH_MAX, room, None),
        (UPGRADE_LENGTH_MAX + 1, room, Some(Error::UpgradeLength)),
        (1_000, 1_000, None),
        (1_001, 1_000, Some(Error::ProgramDataTooSmall)),
    ] {
        assert_eq!(queue(length, room).err().map(|f| f.error), expected, "{length} in {room}");
    }
    let mut terms = world.queued();
    world.wait(WEEK);
    assert_eq!(error(world.execute_with(&mut terms, &VERIFIED, (LENGTH, LENGTH - 1))), Error::ProgramDataTooSmall);
    world.execute_with(&mut terms, &VERIFIED, (LENGTH, LENGTH)).unwrap();
}

#[test]
fn one_upgrade_kills_the_others_that_were_made_for_the_program_before_it() {
    let mut world = World::new();
    let (mut first, mut second) = (world.queued(), world.queued());
    world.wait(WEEK);
    world.execute(&mut first).unwrap();
    assert_eq!(error(world.execute(&mut first)), Error::ProposalClosed);
    assert_eq!(error(world.execute(&mut second)), Error::VersionMoved);
    assert_eq!(world.upgrades, 4);
}

#[test]
fn an_upgrade_is_vetoed_by_the_guardian_alone_and_dies_with_its_proposers_power() {
    let mut world = World::new();
    let mut terms = world.queued();
    for nobody in [GOVERNANCE, COMMITTEE, Key::default()] {
        assert_eq!(error(terms.veto(&nobody)), Error::NotVetoer);
    }
    assert_eq!(error(check_ended(&terms)), Error::ProposalPending);
    terms.veto(&GUARDIAN).unwrap();
    check_ended(&terms).unwrap();
    world.wait(WEEK);
    assert_eq!(error(world.execute(&mut terms)), Error::ProposalClosed);

    // What a former governance has left is dead, and can be cleared at once.
    let mut world = World::new();
    let mut terms = world.queued();
    world.roles.pending_governance = NEXT;
    world.roles.accept_governance(&NEXT).unwrap();
    world.wait(WEEK);
    assert_eq!(error(world.execute(&mut terms)), Error::VersionMoved);
    terms.expire(&world.roles, &world.emergency, &world.now).unwrap();
}

#[test]
fn an_emergency_stops_an_upgrades_clock() {
    let mut world = World::new();
    let mut terms = world.queued();
    world.wait(DAY);
    world.emergency.arm(12 * HOUR, &world.now).unwrap();
    world.wait(6 * DAY);
    assert_eq!(error(world.execute(&mut terms)), Error::ProposalNotReady);
    world.wait(12 * HOUR - 1);
    assert_eq!(error(world.execute(&mut terms)), Error::ProposalNotReady);
    world.wait(1);
    world.execute(&mut terms).unwrap();
}

#[test]
fn an_upgrade_executes_as_its_own_kind_only() {
    let mut world = World::new();
    let mut terms = world.queued();
    world.wait(WEEK);
    let (mut roles, mut params, mut log) = (world.roles, world.params, ParameterLog::default());
    let emergency = world.emergency;
    assert_eq!(error(execute_role(&mut terms, &mut roles, &emergency, &world.now)), Error::ParameterUnknown);
    let as_parameter =
        execute_exchange_parameter(&mut terms, &mut params, &mut log, &roles, &world.context().holds(), &world.now)
            .map(|_| ());
    assert_eq!(error(as_parameter), Error::ParameterUnknown);
    for other in [kind::EXCHANGE_PARAMETER, kind::GOVERNANCE, kind::GUARDIAN, kind::ORACLE_FEED] {
        let mut terms = ProposalTerms { kind: other, ..terms };
        assert_eq!(error(world.execute(&mut terms)), Error::ParameterUnknown);
    }
}

#[test]
fn a_further_exchange_waits_seven_days_for_the_program_it_was_made_for() {
    let begin = World::new();
    let mint = Key([5; 32]);
    let queue = |world: &World, signer: Key, version: u32| {
        let request = Request { version, ..world.request(signer) };
        queue_new_exchange(mint, world.upgrades, &world.context(), &request, &world.now)
    };
    for nobody in [COMMITTEE, GUARDIAN, Key::default()] {
        assert_eq!(error(queue(&begin, nobody, 3)), Error::NotProposer);
    }
    assert_eq!(error(queue(&begin, GOVERNANCE, 2)), Error::VersionMoved);
    let terms = queue(&begin, GOVERNANCE, 3).unwrap();
    assert_eq!((terms.eta - begin.now.unix, terms.new_key, terms.vetoer), (WEEK, mint, GUARDIAN));
    let execute = |after: i64, upgrades: u32, terms: &mut ProposalTerms| {
        let mut world = begin.clone();
        world.wait(after);
        execute_new_exchange(terms, upgrades, &world.context(), &world.now)
    };
    for (after, upgrades, expected) in [
        (WEEK - 1, 3, Some(Error::ProposalNotReady)),
        (WEEK, 3, None),
        (WEEK, 4, Some(Error::VersionMoved)),
        (2 * WEEK - 1, 3, None),
        (2 * WEEK, 3, Some(Error::ProposalExpired)),
    ] {
        let mut terms = terms;
        assert_eq!(execute(after, upgrades, &mut terms).err().map(|f| f.error), expected, "{after}");
    }
    let mut upgrade = begin.queued();
    assert_eq!(error(execute(WEEK, 3, &mut upgrade)), Error::ParameterUnknown);
    let mut world = begin.clone();
    world.wait(WEEK);
    assert_eq!(error(world.execute(&mut { terms })), Error::ParameterUnknown);
}

proptest! {
    /// Whatever happens in whatever order, an upgrade lands no earlier than seven days and all emergencies after it was
    /// queued, at most once, with the committed bytes, unvetoed, under the governance that queued it.
    #[test]
    fn no_sequence_lands_an_upgrade_early_twice_or_changed(
        steps in prop::collection::vec((0_u8..6, 0_i64..6 * DAY), 1..40),
    ) {
        let mut world = World::new();
        let mut pending: Vec<(ProposalTerms, Now, u32, u32)> = vec![];
        let mut landed = world.upgrades;
        for (what, time) in steps {
            match what {
                0 => {
                    let signer = world.roles.governance;
                    let terms = world.queue(signer).unwrap();
                    pending.push((terms, world.now, world.roles.epoch[0], world.upgrades));
                }
                1 => world.wait(time),
                2 => {
                    let _ = world.emergency.arm(time % (12 * HOUR) + 1, &world.now);
                }
                3 => {
                    if let Some((terms, ..)) = pending.first_mut() {
                        let _ = terms.veto(&GUARDIAN);
                    }
                }
                4 if time % 3 == 0 => {
                    world.roles.pending_governance = if world.roles.governance == NEXT { GOVERNANCE } else { NEXT };
                    let next = world.roles.pending_governance;
                    world.roles.accept_governance(&next).unwrap();
                }
                _ => {
                    let check = if time % 5 == 0 { UpgradeCheck { verified: 0, ..VERIFIED } } else { VERIFIED };
                    for (terms, queued, epoch, version) in &mut pending {
                        let before = *terms;
                        if world.execute_with(terms, &check, (LENGTH, ROOM)).is_ok() {
                            landed += 1;
                            prop_assert_eq!(before.state, state::PENDING);
                            prop_assert!(world.now.unix >= queued.unix + WEEK);
                            prop_assert!(world.now.unix < queued.unix + 2 * WEEK + 2 * DAY);
                            prop_assert_eq!((check, *epoch, *version), (VERIFIED, world.roles.epoch[0], landed - 1));
                        } else {
                            prop_assert_eq!(*terms, before);
                        }
                    }
                }
            }
            prop_assert_eq!(world.upgrades, landed);
        }
    }
}

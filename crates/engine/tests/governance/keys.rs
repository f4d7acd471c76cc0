//! Where fees go and who may own oracle accounts: seven days, bound to a version.

use ballast_engine::error::Error;
use ballast_engine::governance::{
    Holds, class, execute_fee_destination, execute_oracle_program, queue_fee_destination, queue_oracle_program,
};
use ballast_engine::layout::Key;

use super::{COMMITTEE, DAY, GOVERNANCE, World, error};

const OLD: Key = Key([80; 32]);
const NEW: Key = Key([81; 32]);

#[test]
fn the_fee_destination_changes_after_seven_days_and_once_per_version() {
    let mut world = World::new(0);
    let queue = |world: &World, signer, version, new| {
        let request = world.request(signer, version);
        queue_fee_destination(&OLD, 0, new, &world.context(), &request, &world.now)
    };
    assert_eq!(error(queue(&world, COMMITTEE, 0, NEW)), Error::NotProposer);
    assert_eq!(error(queue(&world, GOVERNANCE, 1, NEW)), Error::VersionMoved);
    assert_eq!(error(queue(&world, GOVERNANCE, 0, OLD)), Error::ParameterUnchanged);
    assert_eq!(error(queue(&world, GOVERNANCE, 0, Key::default())), Error::RoleKeyInvalid);
    let mut two = [NEW, Key([82; 32])].map(|key| queue(&world, GOVERNANCE, 0, key).unwrap());
    assert_eq!((two[0].class, two[0].eta - world.now.unix), (class::DEEP, 7 * DAY));
    let (mut destination, mut version) = (OLD, 0);
    world.wait(7 * DAY - 1);
    for expected in [Some(Error::ProposalNotReady), None, Some(Error::ProposalClosed)] {
        let holds = Holds { emergency: &world.emergency, exits: &world.exits };
        let done =
            execute_fee_destination(&mut two[0], &mut destination, &mut version, &world.roles, &holds, &world.now);
        assert_eq!(done.err().map(|f| f.error), expected);
        world.wait(i64::from(expected == Some(Error::ProposalNotReady)));
    }
    assert_eq!((destination, version), (NEW, 1));
    let holds = Holds { emergency: &world.emergency, exits: &world.exits };
    let late = execute_fee_destination(&mut two[1], &mut destination, &mut version, &world.roles, &holds, &world.now);
    assert_eq!(error(late), Error::VersionMoved);
}

#[test]
fn the_list_of_oracle_programs_is_never_empty_and_names_none_twice() {
    let world = World::new(0);
    let queue = |programs: [Key; 2], change| {
        let request = world.request(GOVERNANCE, 3);
        queue_oracle_program(&programs, 3, change, &world.context(), &request, &world.now)
    };
    let one = [OLD, Key::default()];
    assert_eq!(error(queue(one, (0, Key::default()))), Error::OracleProgramInvalid);
    assert_eq!(error(queue(one, (1, OLD))), Error::OracleProgramInvalid);
    assert_eq!(error(queue(one, (2, NEW))), Error::ParameterUnknown);
    assert_eq!(error(queue(one, (1, Key::default()))), Error::ParameterUnchanged);
    queue(one, (0, NEW)).unwrap();
    queue([OLD, NEW], (0, Key::default())).unwrap();
    let mut terms = queue(one, (1, NEW)).unwrap();
    // Judged again on the list of the day.
    let now = ballast_engine::Now { unix: terms.eta, ..world.now };
    let holds = Holds { emergency: &world.emergency, exits: &world.exits };
    let (mut version, mut moved) = (3, [NEW, Key::default()]);
    let done = execute_oracle_program(&mut terms, &mut moved, &mut version, &world.roles, &holds, &now);
    assert_eq!(error(done), Error::OracleProgramInvalid);
    let mut programs = one;
    let done = execute_oracle_program(&mut terms, &mut programs, &mut version, &world.roles, &holds, &now).unwrap();
    assert_eq!((programs, version, done.old, done.new), ([OLD, NEW], 4, Key::default(), NEW));
}

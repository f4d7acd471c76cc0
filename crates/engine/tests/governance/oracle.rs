//! A change of the oracle: reduce-only while it waits, and no way to hold a market down with it.

use ballast_engine::constants::{FEED_LIFE, FEED_WINDOW};
use ballast_engine::error::Error;
use ballast_engine::governance::{ProposalTerms, queue_oracle_feed};
use ballast_engine::layout::Key;

use super::{DAY, GOVERNANCE, GUARDIAN, HOUR, World, error};

const NEW: Key = Key([8; 32]);

/// Queues as the program does: the market is told.
fn begin(world: &mut World, number: u64) -> ProposalTerms {
    let terms = world.queue_feed(GOVERNANCE, NEW).unwrap();
    world.market.governed.begin_feed_change(number, &terms).unwrap();
    terms
}

#[test]
fn the_market_is_reduce_only_from_the_queue_to_the_execution() {
    let mut world = World::new(0);
    world.market.check_open(&world.now).unwrap();
    let mut change = begin(&mut world, 4);
    for wait in [0, DAY, 5 * DAY, DAY - 1] {
        world.wait(wait);
        let fault = world.market.check_open(&world.now).unwrap_err();
        assert_eq!((fault.error, fault.limit), (Error::MarketReduceOnly, change.expires_at));
        assert_eq!(error(world.execute_feed(&mut change)), Error::ProposalNotReady);
    }
    world.wait(1);
    world.market.price.ema_start = 5;
    world.market.price.jump_count = 2;
    let done = world.execute_feed(&mut change).unwrap();
    assert_eq!((done.feed, done.program, done.version), (NEW, Key([70; 32]), 1));
    world.market.check_open(&world.now).unwrap();
    assert_eq!((world.market.price.ema_start, world.market.price.jump_count), (0, 0), "unconfirmed again");
}

#[test]
fn it_ends_by_itself_to_the_second_and_then_executes_no_more() {
    let mut world = World::new(0);
    let mut change = begin(&mut world, 0);
    // Not even an emergency pause prolongs it.
    world.wait(6 * DAY);
    world.emergency.arm(12 * HOUR, &world.now).unwrap();
    world.wait(DAY + FEED_LIFE - 1);
    assert!(world.market.reduce_only(&world.now));
    assert_eq!(error(change.expire(&world.roles, &world.emergency, &world.now)), Error::ProposalNotExpired);
    let mut last = World { market: world.market, emergency: world.emergency, now: world.now, ..World::new(0) };
    let mut copy = change;
    last.execute_feed(&mut copy).unwrap();
    world.wait(1);
    assert!(!world.market.reduce_only(&world.now));
    assert_eq!(error(world.execute_feed(&mut change)), Error::ProposalExpired);
    change.expire(&world.roles, &world.emergency, &world.now).unwrap();
}

#[test]
fn a_veto_ends_it_at_once_and_nobody_elses_end_does() {
    let mut world = World::new(0);
    let mut change = begin(&mut world, 7);
    world.market.governed.end_feed_change(6);
    assert!(world.market.reduce_only(&world.now));
    change.veto(&GUARDIAN).unwrap();
    world.market.governed.end_feed_change(7);
    world.market.check_open(&world.now).unwrap();
}

/// A thief of governance queues one after the other: at most two in 30 days, each gone with its veto.
#[test]
fn it_cannot_be_used_to_hold_a_market_down() {
    let mut world = World::new(0);
    let start = world.now.unix;
    let mut days_down = 0;
    for number in 0.. {
        match world.queue_feed(GOVERNANCE, NEW) {
            Ok(terms) => {
                world.market.governed.begin_feed_change(number, &terms).unwrap();
                // While one is pending there is no second.
                assert_eq!(error(world.queue_feed(GOVERNANCE, Key([9; 32]))), Error::ProposalLimit);
            }
            Err(fault) => assert!(matches!(fault.error, Error::ProposalLimit | Error::ParameterCoolDown)),
        }
        days_down += i64::from(world.market.reduce_only(&world.now));
        world.wait(DAY);
        if world.now.unix - start >= 3 * FEED_WINDOW {
            break;
        }
    }
    // Unvetoed, 12 days each, twice in 30.
    assert!((3 * 20..=3 * 24).contains(&days_down), "{days_down}");
    // With a guardian who vetoes within the hour it is two hours in 30 days.
    let mut world = World::new(0);
    let mut tried = 0;
    for hour in 0..24 * 30 {
        if let Ok(mut terms) = world.queue_feed(GOVERNANCE, NEW) {
            world.market.governed.begin_feed_change(hour, &terms).unwrap();
            terms.veto(&GUARDIAN).unwrap();
            world.market.governed.end_feed_change(hour);
            tried += 1;
        }
        world.wait(HOUR);
    }
    assert_eq!(tried, 2);
}

#[test]
fn the_program_that_owns_the_feed_is_one_of_the_exchanges_as_it_was_when_queued() {
    let mut world = World::new(0);
    world.programs[1] = Key([71; 32]);
    let queue = |world: &World, feed, place| {
        let request = world.request(GOVERNANCE, world.feed.version);
        queue_oracle_feed(&world.market, &world.feeds(), (feed, place), &world.context(), &request, &world.now)
    };
    assert_eq!(error(queue(&world, Key([7; 32]), 0)), Error::ParameterUnchanged);
    assert_eq!(error(queue(&world, Key::default(), 0)), Error::RoleKeyInvalid);
    assert_eq!(error(queue(&world, NEW, 2)), Error::OracleProgramInvalid);
    let none = World { programs: [Key([70; 32]), Key::default()], ..World::new(0) };
    assert_eq!(error(queue(&none, NEW, 1)), Error::OracleProgramInvalid);
    // The same feed by another program is a change.
    let mut change = queue(&world, Key([7; 32]), 1).unwrap();
    world.wait(7 * DAY);
    // Had the list been changed in the meantime, the place would mean something else.
    world.programs_version += 1;
    assert_eq!(error(world.execute_feed(&mut change)), Error::VersionMoved);
    world.programs_version -= 1;
    let done = world.execute_feed(&mut change).unwrap();
    assert_eq!((done.feed, done.program), (Key([7; 32]), Key([71; 32])));
}

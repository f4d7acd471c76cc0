//! What keeps somebody from leaving stops the clocks of what could hurt.

use ballast_engine::Now;
use ballast_engine::constants::EXIT_HOLD_MAX;
use ballast_engine::error::Error;
use ballast_engine::governance::{ExitHolds, Holds, kind};
use ballast_engine::guardian::Emergency;
use ballast_engine::liquidity::{Exit, execute_exit};
use proptest::prelude::*;

use super::{DAY, GOVERNANCE, HOUR, THIEF, World, error};
use crate::support;

#[test]
fn an_exit_that_claims_or_limits_hold_back_stops_its_markets_clocks() {
    for (claims, why) in [(support::dollars(1_000_000), Error::PoolClaims), (support::dollars(0), Error::PoolReserve)] {
        let mut world = World::new(0);
        let mut looser = world.queue(GOVERNANCE, "open_interest_cap", 1_200_000_000_000).unwrap();
        let mut tighter = world.queue(GOVERNANCE, "max_position", 900_000_000_000).unwrap();
        let params = world.market.params;
        world.market = support::market();
        world.market.params = params;
        world.wait(DAY);
        support::set_price_at(&mut world.market, support::PRICE, &world.now);
        world.market.pool.claims = claims;
        world.market.long.open_interest = support::units(if claims.0 == 0 { 1_000_000 } else { 0 });
        let exit = execute_exit(&mut world.market, 1_000_000, world.now.unix - 10, &world.now);
        assert_eq!(exit.unwrap(), Exit::HeldBack(why));
        world.market.long.open_interest = support::units(0);
        // Held from the first try on, for an hour.
        world.wait(2 * DAY);
        assert_eq!(error(world.execute(&mut looser)), Error::ProposalNotReady);
        world.wait(HOUR - 1);
        assert_eq!(error(world.execute(&mut looser)), Error::ProposalNotReady);
        let mut same = World { market: world.market, now: world.now, ..World::new(0) };
        same.execute(&mut tighter).unwrap();
        world.wait(1);
        world.execute(&mut looser).unwrap();
    }
}

#[test]
fn exits_held_back_stop_a_clock_for_four_days_at_most_and_never_a_roles() {
    let mut world = World::new(0);
    let mut cap = world.queue(GOVERNANCE, "open_interest_cap", 1_200_000_000_000).unwrap();
    let mut guardian = world.queue_role(GOVERNANCE, kind::GUARDIAN, THIEF).unwrap();
    // A provider whose exit never fits tries every hour.
    for _ in 0..7 * 24 - 1 {
        world.market.governed.exit_holds.hold(&world.now).unwrap();
        world.exits.hold(&world.now).unwrap();
        world.wait(HOUR);
        assert_eq!(error(world.execute(&mut cap)), Error::ProposalNotReady);
    }
    world.wait(HOUR - 1);
    assert_eq!(error(world.execute(&mut cap)), Error::ProposalNotReady);
    world.wait(1);
    let holds = world.holds();
    assert_eq!(cap.ready_at(&holds, &world.now).unwrap(), cap.eta + EXIT_HOLD_MAX);
    // It still has days to live.
    assert!(cap.dead_at(&world.emergency, &world.now).unwrap() - cap.ready_at(&holds, &world.now).unwrap() >= 3 * DAY);
    world.execute(&mut cap).unwrap();
    world.wait(DAY);
    world.execute_role(&mut guardian).unwrap();
}

#[test]
fn another_markets_exits_stop_nobody_elses_clock() {
    let mut world = World::new(0);
    let mut fee = world.queue(GOVERNANCE, "insurance_fee_max", 4_500).unwrap();
    // The exchange's own tracker counts every market's.
    world.exits.hold(&world.now).unwrap();
    world.wait(3 * DAY);
    world.execute(&mut fee).unwrap();
}

proptest! {
    /// Hours that overlap count once, and what lies ahead does not count yet.
    #[test]
    fn time_held_is_the_union_of_the_hours(tries in prop::collection::vec(0_i64..3 * HOUR, 1..40), look in 0_i64..5 * HOUR) {
        let mut holds = ExitHolds::default();
        let mut unix = 1_700_000_000;
        let mut begun: Vec<i64> = Vec::new();
        for wait in tries {
            unix += wait;
            holds.hold(&Now { unix, slot: 0, restart_slot: 0 }).unwrap();
            begun.push(unix);
            let held = |now: i64| (1_700_000_000..now).filter(|s| begun.iter().any(|b| (*b..*b + HOUR).contains(s))).count();
            if begun.len().is_multiple_of(8) {
                let now = unix + look;
                let counted = holds.held_until(&Now { unix: now, slot: 0, restart_slot: 0 }).unwrap();
                prop_assert_eq!(usize::try_from(counted).unwrap(), held(now));
            }
        }
    }
}

#[test]
fn a_proposal_queued_while_exits_are_held_counts_from_then() {
    let mut world = World::new(0);
    world.market.governed.exit_holds.hold(&world.now).unwrap();
    world.wait(HOUR / 2);
    let terms = world.queue(GOVERNANCE, "insurance_fee_max", 4_500).unwrap();
    world.wait(3 * DAY);
    let (emergency, exits) = (Emergency::default(), world.market.governed.exit_holds);
    let holds = Holds { emergency: &emergency, exits: &exits };
    assert_eq!(terms.ready_at(&holds, &world.now).unwrap(), terms.eta + HOUR / 2);
}

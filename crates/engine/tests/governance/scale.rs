//! What open interest and skew hold a change to.

use ballast_engine::Base;
use ballast_engine::error::Error;

use super::{DAY, GOVERNANCE, World};

#[test]
fn the_skew_scale_changes_near_balance_only() {
    // The limit at 20 bps of 10^12 is 2 × 10^9, a hundredth of it 2 × 10^7; at a K lower by a tenth 1.8 × 10^7.
    for (value, near) in [(1_100_000_000_000, 20_000_000), (900_000_000_000, 18_000_000)] {
        for (long, short) in [(1_000_000_000, 1_000_000_000 - near), (1_000_000_000 - near, 1_000_000_000)] {
            let mut world = World::new(0);
            let mut terms = world.queue(GOVERNANCE, "skew_scale", value).unwrap();
            world.wait(3 * DAY);
            world.market.long.open_interest = Base(long);
            world.market.short.open_interest = Base(short);
            let larger = if long > short { &mut world.market.long } else { &mut world.market.short };
            larger.open_interest = Base(larger.open_interest.0 + 1);
            let fault = world.execute(&mut terms).unwrap_err();
            assert_eq!((fault.error, fault.limit, fault.value), (Error::SkewTooLarge, near as i64, near as i64 + 1));
            let larger = if long > short { &mut world.market.long } else { &mut world.market.short };
            larger.open_interest = Base(larger.open_interest.0 - 1);
            world.execute(&mut terms).unwrap();
        }
    }
}

#[test]
fn open_interest_keeps_skew_scale_and_impact_from_falling_under_it() {
    // Balanced at the limit of 2 × 10^9: were K or the impact cut, one side leaving would cost more than the impact.
    for (name, value, needed) in
        [("skew_scale", 900_000_000_000, 1_800_000_000), ("liquidation_impact", 1_500, 1_500_000_000)]
    {
        let mut world = World::new(0);
        let mut terms = world.queue(GOVERNANCE, name, value).unwrap();
        world.wait(3 * DAY);
        for side in [&mut world.market.long, &mut world.market.short] {
            side.open_interest = Base(needed + 1);
        }
        let fault = world.execute(&mut terms).unwrap_err();
        assert_eq!(
            (fault.error, fault.limit, fault.value),
            (Error::OpenInterestImpact, needed as i64, needed as i64 + 1)
        );
        for side in [&mut world.market.long, &mut world.market.short] {
            side.open_interest = Base(needed);
        }
        world.execute(&mut terms).unwrap();
    }
}

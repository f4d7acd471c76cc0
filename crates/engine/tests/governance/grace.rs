//! P10: what a change of margins does to positions that are open.

use ballast_engine::account::Position;
use ballast_engine::error::Error;
use ballast_engine::governance::{ProposalTerms, lowest_maintenance};
use ballast_engine::margin::{Purpose, leg, maintenance_ratio};
use ballast_engine::trade::increase;
use ballast_engine::{Now, Price, Ratio};

use super::{DAY, GOVERNANCE, World, error};
use crate::support;

/// 4 %, lowered to 3 %, raised to 4 % again: who opened at the first 4 % has been held to 3 % since, and is not liquidated by
/// the raise at once.
#[test]
fn a_raise_back_to_an_earlier_margin_is_graced_like_any_other() {
    let mut world = World::new(0);
    world.market.params.initial_margin = Ratio(60_000);
    world.market.params.maintenance_margin = Ratio(33_000);
    let opened = world.market.param_version[1];
    let position = Position { margin_version: opened.into(), ..Position::default() };
    world.change("maintenance_margin", 30_000).unwrap();
    assert_eq!(maintenance_ratio(&world.market, &position, &world.now), Ratio(30_000));
    world.change("maintenance_margin", 33_000).unwrap();
    let end = world.market.grace_until;
    let newer = Position { margin_version: world.market.param_version[1].into(), ..position };
    for (unix, older, new) in [(end - 1, 30_000, 33_000), (end, 33_000, 33_000), (end + 1, 33_000, 33_000)] {
        let now = Now { unix, ..world.now };
        assert_eq!(maintenance_ratio(&world.market, &position, &now), Ratio(older));
        assert_eq!(maintenance_ratio(&world.market, &newer, &now), Ratio(new));
    }
}

/// A tuning of the initial margin must not lower what profit counts for in the maintenance test before the grace is over.
#[test]
fn a_raise_of_initial_margin_lowers_the_maintenance_credit_after_a_grace_only() {
    let mut world = World::new(0);
    world.change("initial_margin", 60_000).unwrap();
    let first = world.now.unix + 3 * DAY;
    assert_eq!((world.market.old_initial, world.market.credit_until), (50_000, first));
    // A raise in the grace: what stood before the first counts on. A cut counts at once.
    world.params.grace = 2_592_000;
    world.change("initial_margin", 70_000).unwrap();
    world.change("initial_margin", 80_000).unwrap();
    let end = world.now.unix + 30 * DAY;
    assert_eq!((world.market.old_initial, world.market.credit_until), (50_000, end));
    let mut market = support::market();
    (market.old_initial, market.credit_until) = (60_000, end);
    let mut trader = support::account(support::dollars(1_000));
    let _ = increase(&mut market, &mut trader, 0, support::units(10), true, support::PRICE).unwrap();
    market.params.initial_margin = Ratio(80_000);
    let mut credit = |unix, margin| {
        let now = Now { unix, ..world.now };
        support::set_price_at(&mut market, support::price(110), &now);
        market.price.last.conf = Price(0);
        market.params.initial_margin = Ratio(margin);
        let leg = leg(&market, &trader.positions[0], Purpose::Maintenance, &now).unwrap();
        (i128::from(leg.equity.0) * 1_000_000 + i128::from(leg.full_equity.0) - 1) / i128::from(leg.full_equity.0)
    };
    assert_eq!([credit(end - 1, 80_000), credit(end, 80_000), credit(end + 1, 80_000)], [940_000, 920_000, 920_000]);
    assert_eq!(credit(end - 1, 50_000), 950_000);
}

#[test]
fn a_raise_of_maintenance_starts_a_grace_and_no_second_one_executes_in_it() {
    let mut world = World::new(0);
    world.change("initial_margin", 60_000).unwrap();
    world.change("maintenance_margin", 33_000).unwrap();
    let end = world.now.unix + 3 * DAY;
    assert_eq!((world.market.old_maintenance, world.market.grace_until), (30_000, end));
    assert_eq!(lowest_maintenance(&world.market, end - 1), Ratio(30_000));
    assert_eq!(lowest_maintenance(&world.market, end), Ratio(33_000));
    // The same delay later the grace is just over; with a forged ETA it is not.
    let second = world.queue(GOVERNANCE, "maintenance_margin", 36_000).unwrap();
    for (unix, expected) in [(end - 1, Some(Error::ParameterCoolDown)), (end, None), (end + 1, None)] {
        let mut then = World { market: world.market, now: Now { unix, ..world.now }, ..World::new(0) };
        let mut forged = ProposalTerms { eta: 0, ..second };
        assert_eq!(then.execute(&mut forged).err().map(|f| f.error), expected);
        if expected.is_none() {
            assert_eq!((then.market.old_maintenance, then.market.grace_until), (33_000, unix + 3 * DAY));
        }
    }
}

#[test]
fn a_cut_in_a_grace_keeps_the_lowest_in_force() {
    let mut world = World::new(0);
    world.params.grace = 2_592_000;
    world.change("initial_margin", 60_000).unwrap();
    world.change("maintenance_margin", 36_000).unwrap();
    let grace = world.market.grace_until;
    // Half way back: the older positions stay at 3 %, the grace goes on.
    world.change("maintenance_margin", 33_000).unwrap();
    assert_eq!((world.market.old_maintenance, world.market.grace_until), (30_000, grace));
    assert_eq!(lowest_maintenance(&world.market, world.now.unix), Ratio(30_000));
    // All the way: nothing is graced any more.
    world.change("maintenance_margin", 29_800).unwrap();
    assert_eq!((world.market.old_maintenance, world.market.grace_until), (0, 0));
    assert_eq!(lowest_maintenance(&world.market, world.now.unix), Ratio(29_800));
    world.check();
}

#[test]
fn fees_raised_in_a_grace_are_judged_by_the_older_margin_attack_h14() {
    let mut world = World::new(0);
    world.params.grace = 2_592_000;
    world.change("initial_margin", 60_000).unwrap();
    world.change("maintenance_margin", 36_000).unwrap();
    world.change("insurance_fee_max", 6_000).unwrap();
    // 3.6 % would carry more; positions still held to 3 % would not.
    let fault = world.queue(GOVERNANCE, "insurance_fee_max", 7_000).unwrap_err();
    assert_eq!((fault.error, fault.limit), (Error::EnvelopeBroken, 30_000));
    // Queued to execute after the grace it passes, and a forged ETA does not bring it into the grace.
    world.wait(world.market.grace_until - world.now.unix - 3 * DAY);
    let mut terms = world.queue(GOVERNANCE, "insurance_fee_max", 7_000).unwrap();
    let mut forged = ProposalTerms { eta: 0, ..terms };
    world.wait(3 * DAY - 1);
    assert_eq!(error(world.execute(&mut forged)), Error::EnvelopeBroken);
    world.wait(1);
    world.execute(&mut terms).unwrap();
    world.check();
}

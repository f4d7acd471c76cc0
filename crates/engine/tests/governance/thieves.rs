//! P8: every key in the wrong hands, and any sequence of proposals.

use ballast_engine::Base;
use ballast_engine::error::Error;
use ballast_engine::governance::{ProposalTerms, state};
use ballast_engine::params::MARKET_ROWS;
use proptest::prelude::*;

use super::{COMMITTEE, DAY, GOVERNANCE, HOUR, World, error, id};

/// What the whole script of a thief with every key reaches, by day: nothing that is not a tuning within its step.
#[test]
fn a_thief_with_governance_and_committee_moves_one_step_per_parameter_in_48_hours() {
    let mut world = World::new(0);
    let before = world.market.params;
    let mut all = Vec::new();
    for row in MARKET_ROWS {
        let old = before.get(id(row.name)).unwrap();
        let step = row.step.max(old / 1_000_000 * row.step_share);
        for value in [old.saturating_add(step), old.saturating_sub(step), row.min, row.max] {
            for signer in [GOVERNANCE, COMMITTEE] {
                all.extend(world.queue(signer, row.name, value));
            }
        }
    }
    assert!(all.len() > 40);
    for hours in [24, 47] {
        world.wait(hours * HOUR - (world.now.unix - 1_700_000_000));
        for terms in &mut all {
            assert_eq!(error(world.execute(terms)), Error::ProposalNotReady);
        }
        assert_eq!(world.market.params, before);
    }
    world.wait(HOUR);
    let done = all.iter_mut().filter_map(|terms| world.execute(terms).ok()).count();
    assert!(done > 5);
    world.check();
    for row in MARKET_ROWS {
        let (old, new) = (before.get(id(row.name)).unwrap(), world.market.params.get(id(row.name)).unwrap());
        if old != new {
            row.check_step(old, new).unwrap();
            assert_eq!(row.class(old, new).unwrap(), ballast_engine::params::Class::G1, "{}", row.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// P8: random proposals over random states; what is stored is always within bounds and envelope, at every moment,
    /// and each change was of its version, its step and its delay.
    #[test]
    fn no_sequence_of_proposals_stores_a_set_that_breaks_bounds_or_envelope(
        tier in 0_u8..3,
        grace in 259_200_u64..2_592_000,
        steps in prop::collection::vec(
            (0_usize..MARKET_ROWS.len(), 0_u8..6, 0_u64..1_000_001, any::<u64>(), 0_i64..5 * DAY, any::<bool>()), 1..120
        )
    ) {
        let mut world = World::new(tier);
        world.params.grace = grace;
        let mut pending: Vec<ProposalTerms> = Vec::new();
        let (mut queued, mut executed) = (0, 0);
        for (place, how, share, any_value, wait, balanced) in steps {
            let row = &MARKET_ROWS[place];
            let parameter = u16::try_from(place).unwrap();
            let old = world.market.params.get(parameter).unwrap();
            let step = row.step.max(u64::try_from(u128::from(old) * u128::from(row.step_share) / 1_000_000).unwrap());
            let part = u64::try_from(u128::from(step) * u128::from(share) / 1_000_000).unwrap();
            let value = match how {
                0 => old.saturating_add(step),
                1 => old.saturating_sub(step),
                2 | 3 => old.saturating_add(part),
                4 => old.saturating_sub(part),
                _ => any_value,
            };
            let signer = if balanced { GOVERNANCE } else { COMMITTEE };
            if let Ok(terms) = world.queue(signer, row.name, value) {
                queued += 1;
                pending.push(terms);
            }
            let interest = Base(any_value % 2_000_000_000);
            world.market.long.open_interest = interest;
            world.market.short.open_interest = if balanced { interest } else { Base(0) };
            world.wait(wait);
            world.check();
            for terms in &mut pending {
                let before = world.market;
                match world.execute(terms) {
                    Ok(change) => {
                        executed += 1;
                        let row = &MARKET_ROWS[usize::from(change.parameter)];
                        prop_assert!(world.now.unix - terms.queued_at >= 48 * HOUR);
                        prop_assert!(row.check_step(change.old, change.new).is_ok());
                        prop_assert_eq!(before.params.get(change.parameter).unwrap(), change.old);
                        prop_assert_eq!(world.market.params.get(change.parameter).unwrap(), change.new);
                        let changed = before.param_changed[usize::from(change.parameter)];
                        prop_assert!(world.now.unix - changed >= DAY);
                    }
                    Err(_) => prop_assert_eq!(&world.market, &before),
                }
                world.check();
            }
            pending.retain(|terms| terms.state == state::PENDING && world.now.unix < terms.expires_at);
        }
        // When all is over no clock makes it unsafe either.
        world.wait(60 * DAY);
        world.check();
        prop_assert!(executed <= queued);
    }
}

#[test]
fn the_random_test_above_is_not_empty() {
    // The same generator's most common case, once by hand: every row can be moved by some proposal.
    for (place, row) in MARKET_ROWS.iter().enumerate() {
        let mut moved = false;
        for up in [true, false] {
            for part in [1, 2, 4, 16, 1_000] {
                let mut world = World::new(0);
                let old = world.market.params.get(u16::try_from(place).unwrap()).unwrap();
                let step = row.step.max(old / 1_000_000 * row.step_share) / part;
                let value = if up { old.saturating_add(step) } else { old.saturating_sub(step) };
                moved |= world.change(row.name, value).is_ok();
                world.check();
            }
        }
        assert!(moved, "{}", row.name);
    }
}

//! P8: no set of parameters that breaks the solvency envelope can be stored, at creation or by any later change.

use ballast_client::{address, instructions as ix};
use ballast_engine::{Error, envelope, tier::Tier};
use ballast_tests::governing::market_parameter;
use ballast_tests::{Expect as _, MarketTerms, Setup, Terms};
use solana_signer::Signer as _;

use super::BTC;
use super::bank::on_bank;

fn create_with(setup: &mut Setup, changes: &[(&str, u64)]) -> ballast_tests::Outcome {
    let mut args = setup.new_market_args(0, &MarketTerms::DEEP);
    for (name, value) in changes {
        args.params[usize::from(market_parameter(name))] = *value;
    }
    let (payer, governance) = (setup.world.payer.pubkey(), setup.governance.clone());
    let create = ix::create_market(&payer, &governance.pubkey(), &setup.exchange, args);
    setup.world.send(&[create], &[&governance])
}

#[test]
fn p08_a_market_outside_the_envelope_cannot_be_created() {
    let mut setup = on_bank(&Terms { markets: vec![], funding: false });
    // Each of these alone would let a liquidation come too late, or cost more than is there.
    for (changes, error) in [
        (&[("maintenance_margin", 12_000)][..], Error::EnvelopeBroken),
        (&[("maintenance_margin", 27_000)], Error::EnvelopeBroken),
        (&[("keeper_fee_max", 9_000)], Error::EnvelopeBroken),
        (&[("insurance_fee_max", 20_000)], Error::EnvelopeBroken),
        (&[("liquidation_impact", 5_000)], Error::EnvelopeBroken),
        (&[("keeper_fee_floor", 250_000)], Error::EnvelopeBroken),
        // P8 and B6: the other cross-checks.
        (&[("initial_margin", 40_000)], Error::CrossCheckBroken),
        (&[("funding_cap", 4_000)], Error::CrossCheckBroken),
        (&[("open_interest_cap", 24_000_000_000_000)], Error::CrossCheckBroken),
        (&[("maintenance_margin", 1_000)], Error::ParameterBounds),
    ] {
        let refused = create_with(&mut setup, changes).expect_err("outside the envelope");
        assert_eq!(refused.error, Some(error), "{changes:?}: {refused}");
        assert!(!setup.world.exists(&address::market(&setup.exchange, 0)));
    }
    create_with(&mut setup, &[]).must();
    setup.audit();
}

#[test]
fn p08_a_proposal_outside_the_envelope_is_refused_when_queued() {
    let mut setup = on_bank(&Terms::standard());
    for (name, value, error) in [
        ("maintenance_margin", 27_000, Error::EnvelopeBroken),
        ("insurance_fee_max", 6_000 + 500, Error::ParameterStep),
        ("initial_margin", 44_000, Error::CrossCheckBroken),
        ("maintenance_margin", 36_000, Error::CrossCheckBroken),
        ("maintenance_margin", 4_000, Error::ParameterBounds),
    ] {
        let refused = setup.queue(BTC, name, value).expect_err("refused");
        assert_eq!(refused.error, Some(error), "{name}: {refused}");
    }
    assert_eq!(setup.exchange().pending_proposals, 0);
}

#[test]
fn p08_two_changes_that_only_together_break_the_envelope_do_not_both_execute() {
    let mut setup = on_bank(&Terms::standard());
    let fee = setup.queue(BTC, "insurance_fee_max", 6_000).expect("fits alone");
    let keeper = setup.queue(BTC, "keeper_fee_max", 6_000).expect("fits alone");
    setup.wait_for(keeper);
    let mut other_way = setup.clone();
    setup.execute_proposal(fee).must();
    setup.execute_proposal(keeper).fails(Error::EnvelopeBroken);
    other_way.execute_proposal(keeper).must();
    other_way.execute_proposal(fee).fails(Error::EnvelopeBroken);
    for setup in [&setup, &other_way] {
        let params = setup.market(BTC).state.params;
        let terms = envelope::envelope(&params, Tier::A, params.maintenance_margin).expect("in range");
        assert!(terms.sum_smallest <= params.maintenance_margin);
        setup.audit();
    }
}

#[test]
fn p08_during_a_grace_the_envelope_is_proved_with_the_lowest_margin_in_force() {
    let mut setup = on_bank(&Terms::standard());
    setup.change(BTC, "insurance_fee_max", 6_000);
    // H14: raise maintenance, then use the room for fees while older positions are still held to the old margin. The
    // keeper's floor waits 48 hours, the grace lasts 72.
    setup.change(BTC, "maintenance_margin", 35_000);
    let params = setup.market(BTC).state.params;
    assert_eq!(params.maintenance_margin.0, 35_000);
    let left = setup.market(BTC).state.grace_until - setup.world.now().unix;
    assert!(left > 71 * 3_600);
    let refused = setup.queue(BTC, "keeper_fee_floor", 80_000).expect_err("too much at the old margin");
    assert_eq!(refused.error, Some(Error::EnvelopeBroken), "{refused}");
    // Queued so that it executes after the grace, it fits, and stands at the new margin only.
    setup.world.advance(left - 48 * 3_600);
    let floor = setup.queue(BTC, "keeper_fee_floor", 80_000).expect("fits the new margin");
    setup.wait_for(floor);
    setup.execute_proposal(floor).must();
    let params = setup.market(BTC).state.params;
    let terms = envelope::envelope(&params, Tier::A, params.maintenance_margin).expect("in range");
    assert!(terms.sum_smallest.0 > 30_000 && terms.sum_smallest <= params.maintenance_margin);
    // And back below what the fees now need the margin does not go.
    let refused = setup.queue(BTC, "maintenance_margin", 30_000).expect_err("too low now");
    assert_eq!(refused.error, Some(Error::EnvelopeBroken));
}

//! A market's end: announced, reduce-only, and nobody trapped.

use ballast_engine::constants::WIND_DOWN_NOTICE;
use ballast_engine::error::{Error, Fault};
use ballast_engine::governance::{Context, ProposalTerms, execute_wind_down, queue_wind_down};
use ballast_engine::layout::Key;

use super::{COMMITTEE, DAY, GOVERNANCE, World, error};

impl World {
    fn queue_closing(&self, signer: Key, closing: bool) -> Result<ProposalTerms, Fault> {
        let version = u32::try_from(self.market.governed.closing_version).unwrap();
        queue_wind_down(&self.market, closing, &self.context(), &self.request(signer, version), &self.now)
    }
    fn execute_closing(&mut self, terms: &mut ProposalTerms) -> Result<u32, Fault> {
        let context =
            Context { params: &self.params, roles: &self.roles, emergency: &self.emergency, exits: &self.exits };
        execute_wind_down(terms, &mut self.market, &context, &self.now)
    }
}

#[test]
fn a_market_is_wound_down_after_the_risk_delay_and_can_be_opened_again() {
    let mut world = World::new(0);
    assert_eq!(error(world.queue_closing(COMMITTEE, true)), Error::NotProposer);
    assert_eq!(error(world.queue_closing(GOVERNANCE, false)), Error::ParameterUnchanged);
    let mut twice = [0, 1].map(|_| world.queue_closing(GOVERNANCE, true).unwrap());
    world.wait(3 * DAY - 1);
    assert_eq!(error(world.execute_closing(&mut twice[0])), Error::ProposalNotReady);
    world.market.check_open(&world.now).unwrap();
    world.wait(1);
    assert_eq!(world.execute_closing(&mut twice[0]).unwrap(), 1);
    assert_eq!(error(world.execute_closing(&mut twice[1])), Error::VersionMoved);
    let fault = world.market.check_open(&world.now).unwrap_err();
    assert_eq!((fault.error, fault.limit), (Error::MarketReduceOnly, 0));
    assert_eq!(error(world.queue_closing(GOVERNANCE, true)), Error::ParameterUnchanged);
    // What is still open may be settled by anyone once the notice is over, to the second.
    assert!(!world.market.notice_over(&world.now));
    world.wait(WIND_DOWN_NOTICE - 1);
    assert!(!world.market.notice_over(&world.now));
    world.wait(1);
    assert!(world.market.notice_over(&world.now));
    let mut reopen = world.queue_closing(GOVERNANCE, false).unwrap();
    world.wait(3 * DAY);
    world.execute_closing(&mut reopen).unwrap();
    world.market.check_open(&world.now).unwrap();
    assert!(!world.market.notice_over(&world.now));
}

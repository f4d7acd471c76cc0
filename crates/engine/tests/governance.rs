//! P8, P9, P10: proposals, from queue to execution, against thieves of every role.

mod batch;
mod grace;
mod holds;
mod keys;
mod oracle;
mod roles;
mod scale;
mod thieves;
mod wind_down;

use ballast_engine::envelope::{check_exchange, check_market};
use ballast_engine::error::{Error, Fault};
use ballast_engine::governance::{
    Change, Context, ExitHolds, Feeds, Holds, NewFeed, ParameterLog, ProposalTerms, Request, Roles,
    execute_exchange_parameter, execute_market_parameter, execute_oracle_feed, execute_role, kind, lowest_maintenance,
    queue_exchange_parameter, queue_market_parameter, queue_oracle_feed, queue_role, state,
};
use ballast_engine::guardian::Emergency;
use ballast_engine::layout::Key;
use ballast_engine::market::MarketState;
use ballast_engine::params::{ExchangeParams, MarketParams};
use ballast_engine::presets::{new_exchange, tuned};
use ballast_engine::tier::Tier;
use ballast_engine::{Now, Quote, Ratio};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
const K: u64 = 1_000_000_000_000;
const GOVERNANCE: Key = Key([1; 32]);
const COMMITTEE: Key = Key([2; 32]);
const GUARDIAN: Key = Key([3; 32]);
const THIEF: Key = Key([66; 32]);

/// An exchange with one market and a clock.
struct World {
    params: ExchangeParams,
    log: ParameterLog,
    roles: Roles,
    emergency: Emergency,
    exits: ExitHolds,
    market: MarketState,
    /// The market's feed, the program that owns it, their version.
    feed: NewFeed,
    programs: [Key; 2],
    programs_version: u32,
    now: Now,
}

fn id(name: &str) -> u16 {
    MarketParams::id(name).unwrap()
}

impl World {
    fn new(tier: u8) -> Self {
        let now = Now { unix: 1_700_000_000, slot: 1_000_000, restart_slot: 0 };
        let params = tuned(Tier::from_byte(tier).unwrap(), K, Quote(1_000_000_000_000));
        Self {
            params: new_exchange(),
            log: ParameterLog::default(),
            roles: Roles::new(GOVERNANCE, COMMITTEE, GUARDIAN).unwrap(),
            emergency: Emergency::default(),
            exits: ExitHolds::default(),
            feed: NewFeed { feed: Key([7; 32]), program: Key([70; 32]), version: 0 },
            programs: [Key([70; 32]), Key::default()],
            programs_version: 0,
            market: MarketState::new(0, tier, 9, 6, params, now.unix).unwrap(),
            now,
        }
    }
    fn context(&self) -> Context<'_> {
        Context { params: &self.params, roles: &self.roles, emergency: &self.emergency, exits: &self.exits }
    }
    fn holds(&self) -> Holds<'_> {
        self.context().holds_of(&self.market)
    }
    fn feeds(&self) -> Feeds<'_> {
        Feeds {
            feed: &self.feed.feed,
            program: &self.feed.program,
            version: self.feed.version,
            programs: &self.programs,
            programs_version: self.programs_version,
        }
    }
    fn queue_feed(&self, signer: Key, new: Key) -> Result<ProposalTerms, Fault> {
        let request = self.request(signer, self.feed.version);
        queue_oracle_feed(&self.market, &self.feeds(), (new, 0), &self.context(), &request, &self.now)
    }
    fn execute_feed(&mut self, terms: &mut ProposalTerms) -> Result<NewFeed, Fault> {
        let (feed, programs) = (self.feed, self.programs);
        let feeds = Feeds {
            feed: &feed.feed,
            program: &feed.program,
            version: feed.version,
            programs: &programs,
            programs_version: self.programs_version,
        };
        let context =
            Context { params: &self.params, roles: &self.roles, emergency: &self.emergency, exits: &self.exits };
        self.feed = execute_oracle_feed(terms, &mut self.market, &feeds, &context, &self.now)?;
        Ok(self.feed)
    }
    fn request(&self, signer: Key, version: u32) -> Request {
        Request { signer, version, last_slot: self.now.slot + 100, rationale: Key([9; 32]) }
    }
    fn wait(&mut self, seconds: i64) {
        self.now.unix += seconds;
        self.now.slot += u64::try_from(seconds).unwrap() * 5 / 2;
    }
    fn queue(&self, signer: Key, name: &str, value: u64) -> Result<ProposalTerms, Fault> {
        let request = self.request(signer, self.market.param_version[usize::from(id(name))]);
        queue_market_parameter(&self.market, &self.context(), &request, id(name), value, &self.now)
    }
    fn execute(&mut self, terms: &mut ProposalTerms) -> Result<Change, Fault> {
        let context =
            Context { params: &self.params, roles: &self.roles, emergency: &self.emergency, exits: &self.exits };
        execute_market_parameter(terms, &mut self.market, &context, &self.now)
    }
    fn queue_role(&self, signer: Key, kind: u8, key: Key) -> Result<ProposalTerms, Fault> {
        let place = usize::from(kind - kind::GOVERNANCE);
        let request = self.request(signer, self.roles.version[place]);
        queue_role(kind, key, &self.context(), &request, &self.now)
    }
    fn execute_role(&mut self, terms: &mut ProposalTerms) -> Result<(), Fault> {
        execute_role(terms, &mut self.roles, &self.emergency, &self.now).map(|_| ())
    }
    /// Queues, waits and executes.
    fn change(&mut self, name: &str, value: u64) -> Result<Change, Fault> {
        let mut terms = self.queue(GOVERNANCE, name, value)?;
        self.wait(terms.eta - self.now.unix);
        self.execute(&mut terms)
    }
    /// P8 on what is stored.
    fn check(&self) {
        let lowest = lowest_maintenance(&self.market, self.now.unix);
        check_market(&self.market.params, Tier::from_byte(self.market.tier).unwrap(), lowest, 6).unwrap();
        check_exchange(&self.params).unwrap();
    }
}

fn error<T: std::fmt::Debug>(result: Result<T, Fault>) -> Error {
    result.unwrap_err().error
}

#[test]
fn each_class_waits_its_delay_to_the_second_and_dies_seven_days_later() {
    for (name, value, delay) in [
        ("taker_fee", 600, 48 * HOUR),
        ("insurance_fee_max", 4_500, 72 * HOUR),
        ("open_interest_cap", 900_000_000_000, 48 * HOUR),
    ] {
        let world = World::new(0);
        let terms = world.queue(GOVERNANCE, name, value).unwrap();
        assert_eq!(terms.eta - world.now.unix, delay);
        assert_eq!(terms.expires_at - terms.eta, WEEK);
        for (after, expected) in [
            (0, Some(Error::ProposalNotReady)),
            (delay - 1, Some(Error::ProposalNotReady)),
            (delay, None),
            (delay + 1, None),
            (delay + WEEK - 1, None),
            (delay + WEEK, Some(Error::ProposalExpired)),
            (delay + WEEK + 1, Some(Error::ProposalExpired)),
        ] {
            let mut then = World::new(0);
            then.wait(after);
            let mut terms = terms;
            assert_eq!(then.execute(&mut terms).err().map(|f| f.error), expected, "{name} {after}");
            assert_eq!(terms.state, if expected.is_none() { state::EXECUTED } else { state::PENDING });
            let mut again = terms;
            let expired = again.expire(&then.roles, &then.emergency, &then.now).err().map(|f| f.error);
            assert_eq!(
                expired,
                match expected {
                    Some(Error::ProposalNotReady) => Some(Error::ProposalNotExpired),
                    None => Some(Error::ProposalClosed),
                    _ => None,
                }
            );
        }
    }
}

#[test]
fn executing_reports_old_and_new_and_counts_the_version() {
    let mut world = World::new(0);
    let parameter = id("taker_fee");
    let done = world.change("taker_fee", 600).unwrap();
    assert_eq!(done, Change { parameter, old: 500, new: 600, version: 1 });
    assert_eq!(world.market.params.taker_fee, Ratio(600));
    assert_eq!(world.market.param_changed[usize::from(parameter)], world.now.unix);
    let other: u32 = world.market.param_version.iter().sum();
    assert_eq!(other, 1, "no other version moves");
}

#[test]
fn a_proposal_executes_once() {
    let mut world = World::new(0);
    let mut terms = world.queue(GOVERNANCE, "taker_fee", 600).unwrap();
    world.wait(2 * DAY);
    world.execute(&mut terms).unwrap();
    assert_eq!(error(world.execute(&mut terms)), Error::ProposalClosed);
    // Nor with its state forged back: the version has moved.
    terms.state = state::PENDING;
    world.wait(DAY);
    assert_eq!(error(world.execute(&mut terms)), Error::VersionMoved);
}

#[test]
fn a_second_proposal_for_the_same_version_dies_with_the_first() {
    let mut world = World::new(0);
    let mut first = world.queue(GOVERNANCE, "taker_fee", 600).unwrap();
    let mut second = world.queue(COMMITTEE, "taker_fee", 400).unwrap();
    world.wait(2 * DAY);
    world.execute(&mut first).unwrap();
    world.wait(2 * DAY);
    assert_eq!(error(world.execute(&mut second)), Error::VersionMoved);
}

#[test]
fn steps_cannot_be_evaded_by_several_proposals_of_one_day() {
    let mut world = World::new(0);
    // One large step is refused …
    assert_eq!(error(world.queue(GOVERNANCE, "taker_fee", 900)), Error::ParameterStep);
    // … and so are its parts: the later ones are no steps from today's value.
    let mut first = world.queue(GOVERNANCE, "taker_fee", 700).unwrap();
    assert_eq!(error(world.queue(GOVERNANCE, "taker_fee", 900)), Error::ParameterStep);
    world.wait(2 * DAY);
    world.execute(&mut first).unwrap();
    let second = world.queue(GOVERNANCE, "taker_fee", 900).unwrap();
    // Were its ETA and version forged to the same day, the cool-down would still hold it.
    for (after, expected) in [(DAY - 1, Some(Error::ParameterCoolDown)), (DAY, None), (DAY + 1, None)] {
        let mut then = World::new(0);
        then.market = world.market;
        then.now = world.now;
        then.wait(after);
        let mut forged = ProposalTerms { eta: 0, ..second };
        assert_eq!(then.execute(&mut forged).err().map(|f| f.error), expected, "{after}");
    }
}

#[test]
fn an_old_value_that_is_not_the_current_one_is_refused() {
    let mut world = World::new(0);
    let mut terms = world.queue(GOVERNANCE, "taker_fee", 600).unwrap();
    terms.old_value = 550;
    world.wait(2 * DAY);
    let fault = world.execute(&mut terms).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::OldValueMoved, 500, 550));
}

#[test]
fn stale_approvals_fail_by_version_and_by_slot() {
    let mut world = World::new(0);
    let queue = |world: &World, version, last_slot| {
        let request = Request { signer: GOVERNANCE, version, last_slot, rationale: Key::default() };
        queue_market_parameter(&world.market, &world.context(), &request, id("taker_fee"), 600, &world.now)
    };
    let slot = world.now.slot;
    assert!(queue(&world, 0, slot).is_ok());
    assert_eq!(error(queue(&world, 0, slot - 1)), Error::ProposalTooOld);
    assert!(queue(&world, 0, slot + 216_000).is_ok());
    assert_eq!(error(queue(&world, 0, slot + 216_001)), Error::ProposalTooOld);
    assert_eq!(error(queue(&world, 1, slot)), Error::VersionMoved);
    world.change("taker_fee", 550).unwrap();
    assert_eq!(error(queue(&world, 0, world.now.slot)), Error::VersionMoved);
    assert!(queue(&world, 1, world.now.slot).is_ok());
}

#[test]
fn what_cannot_execute_is_refused_at_once() {
    let world = World::new(0);
    assert_eq!(error(world.queue(GOVERNANCE, "taker_fee", 500)), Error::ParameterUnchanged);
    assert_eq!(error(world.queue(GOVERNANCE, "taker_fee", 5_001)), Error::ParameterBounds);
    assert_eq!(error(world.queue(GOVERNANCE, "insurance_fee_max", 7_000)), Error::ParameterStep);
    assert_eq!(error(world.queue(GOVERNANCE, "maintenance_margin", 24_000)), Error::EnvelopeBroken);
    assert_eq!(error(world.queue(GOVERNANCE, "maintenance_margin", 36_000)), Error::CrossCheckBroken);
    assert_eq!(error(world.queue(THIEF, "taker_fee", 600)), Error::NotProposer);
    assert_eq!(error(world.queue(GUARDIAN, "taker_fee", 600)), Error::NotProposer);
    assert_eq!(error(world.queue(Key::default(), "taker_fee", 600)), Error::NotProposer);
    let request = world.request(GOVERNANCE, 0);
    let unknown = queue_market_parameter(&world.market, &world.context(), &request, 47, 1, &world.now);
    assert_eq!(error(unknown), Error::ParameterUnknown);
}

#[test]
fn small_changes_do_not_kill_slow_proposals_attack_b7() {
    // A committee changes something else every day; the version is per parameter, so the slow one lives.
    let mut world = World::new(0);
    let mut slow = world.queue(GOVERNANCE, "open_interest_cap", 1_200_000_000_000).unwrap();
    for (name, value) in [("taker_fee", 600), ("mending_fee", 250), ("order_fee", 25_000)] {
        let mut terms = world.queue(COMMITTEE, name, value).unwrap();
        world.wait(2 * DAY);
        world.execute(&mut terms).unwrap();
    }
    // Nor does the guardian's lower cap touch it.
    world.market.overlay.arm_cap(Quote(1), 72 * HOUR, &world.now).unwrap();
    world.execute(&mut slow).unwrap();
    assert_eq!(world.market.params.open_interest_cap, Quote(1_200_000_000_000));
    assert_eq!(world.market.overlay.effective_cap(world.market.params.open_interest_cap, &world.now), Quote(1));
}

#[test]
fn a_proposal_executes_as_its_own_kind_only() {
    let mut world = World::new(0);
    let mut terms = world.queue(GOVERNANCE, "taker_fee", 600).unwrap();
    world.wait(2 * DAY);
    assert_eq!(error(world.execute_role(&mut terms)), Error::ParameterUnknown);
    let mut copy = world.params;
    let (holds, roles) = (world.context().holds(), &world.roles);
    let mut log = world.log;
    let other = execute_exchange_parameter(&mut terms, &mut copy, &mut log, roles, &holds, &world.now);
    assert_eq!(error(other), Error::ParameterUnknown);
    assert_eq!(error(world.execute_feed(&mut terms)), Error::ParameterUnknown);
}

#[test]
fn a_delay_is_shortened_by_the_deepest_class_only() {
    let mut world = World::new(0);
    let risk = ExchangeParams::id("delay_risk").unwrap();
    let queue = |world: &World, value| {
        let request = world.request(GOVERNANCE, world.log.version[usize::from(risk)]);
        queue_exchange_parameter(&world.log, &world.context(), &request, risk, value, &world.now)
    };
    let run = |world: &mut World, terms: &mut ProposalTerms| {
        let holds = Holds { emergency: &world.emergency, exits: &world.exits };
        execute_exchange_parameter(terms, &mut world.params, &mut world.log, &world.roles, &holds, &world.now)
    };
    assert_eq!(error(queue(&world, 259_199)), Error::ParameterBounds);
    let mut longer = queue(&world, 345_600).unwrap();
    assert_eq!(longer.eta - world.now.unix, 3 * DAY);
    world.wait(3 * DAY);
    assert_eq!(
        run(&mut world, &mut longer).unwrap(),
        Change { parameter: risk, old: 259_200, new: 345_600, version: 1 }
    );
    let mut shorter = queue(&world, 259_200).unwrap();
    assert_eq!(shorter.eta - world.now.unix, 7 * DAY);
    world.wait(7 * DAY - 1);
    assert_eq!(error(run(&mut world, &mut shorter)), Error::ProposalNotReady);
    assert_eq!(world.queue(GOVERNANCE, "insurance_fee_max", 4_500).unwrap().eta - world.now.unix, 4 * DAY);
    world.wait(1);
    run(&mut world, &mut shorter).unwrap();
    // Delays out of order are refused.
    let tune = ExchangeParams::id("delay_tune").unwrap();
    let request = world.request(GOVERNANCE, 0);
    let queued = queue_exchange_parameter(&world.log, &world.context(), &request, tune, 259_201, &world.now);
    assert_eq!(error(queued), Error::ParameterStep);
}

#[test]
fn an_emergency_stops_the_clock_of_all_but_tightenings() {
    let mut world = World::new(0);
    let mut cap_up = world.queue(GOVERNANCE, "open_interest_cap", 1_200_000_000_000).unwrap();
    let mut cap_down = world.queue(GOVERNANCE, "max_position", 900_000_000_000).unwrap();
    let expiry = cap_up.expires_at;
    world.wait(DAY);
    world.emergency.arm(12 * HOUR, &world.now).unwrap();
    world.wait(2 * DAY);
    assert_eq!(error(world.execute(&mut cap_up)), Error::ProposalNotReady);
    world.wait(12 * HOUR - 1);
    assert_eq!(error(world.execute(&mut cap_up)), Error::ProposalNotReady);
    // The expiry moves along.
    let late = Now { unix: expiry + 12 * HOUR - 1, ..world.now };
    assert_eq!(error(cap_up.expire(&world.roles, &world.emergency, &late)), Error::ProposalNotExpired);
    assert_eq!(cap_up.dead_at(&world.emergency, &late).unwrap(), expiry + 12 * HOUR);
    // The tightening was ready at its own time; here it is the first to execute.
    let mut early = World { market: world.market, emergency: world.emergency, ..World::new(0) };
    early.wait(2 * DAY);
    early.execute(&mut cap_down).unwrap();
    world.wait(1);
    world.execute(&mut cap_up).unwrap();
    // One queued after the pause waits its plain delay.
    let next = world.queue(GOVERNANCE, "insurance_fee_max", 4_500).unwrap();
    assert_eq!(next.ready_at(&world.holds(), &world.now).unwrap(), world.now.unix + 3 * DAY);
}

/// A cut of the cap raises the holding fee of what is open, so it is no tightening.
#[test]
fn a_cut_of_the_open_interest_cap_is_stopped_by_an_emergency_like_a_loosening() {
    let mut world = World::new(0);
    let mut cut = world.queue(GOVERNANCE, "open_interest_cap", 900_000_000_000).unwrap();
    assert_eq!((cut.class, cut.tightening), (1, 0));
    world.wait(DAY);
    world.emergency.arm(12 * HOUR, &world.now).unwrap();
    world.wait(DAY);
    assert_eq!(error(world.execute(&mut cut)), Error::ProposalNotReady);
    world.wait(12 * HOUR);
    world.execute(&mut cut).unwrap();
}

#[test]
fn an_envelope_that_has_moved_since_is_judged_again() {
    // Each fits by itself; together they do not. Whichever comes second is refused at execution.
    let mut world = World::new(0);
    let mut insurance = world.queue(GOVERNANCE, "insurance_fee_max", 6_000).unwrap();
    let mut keeper = world.queue(GOVERNANCE, "keeper_fee_max", 6_000).unwrap();
    world.wait(3 * DAY);
    world.execute(&mut insurance).unwrap();
    let before = world.market;
    assert_eq!(error(world.execute(&mut keeper)), Error::EnvelopeBroken);
    assert_eq!(world.market, before, "nothing changed");
    assert_eq!(keeper.state, state::PENDING);
}

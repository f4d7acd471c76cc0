//! Stolen keys: the thief holds one role's key, or all of them, and tries the whole script of April 2026 (a new market to list
//! worthless things in, the oracle swapped, the withdrawal guard removed, the vault drained). What it gets is measured after
//! 24 h, 72 h and 7 days; and whoever leaves when the first proposal is announced has left before anything has changed.

use ballast::instructions::governance::{QueueParameterArgs, QueueRoleArgs};
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::governance::kind;
use ballast_engine::params::{Class, EXCHANGE_ROWS, ExchangeParams, MARKET_ROWS, MarketParams, Row};
use ballast_tests::world::fixed_key;
use ballast_tests::{Expect as _, MarketTerms, Provider, Setup, Terms, Trader, units};
use solana_keypair::Keypair;
use solana_signer::Signer as _;

use super::bank::on_bank;
use super::{BTC, ETH, whole};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// An exchange with depositors, and a thief at its gates.
struct Scene {
    setup: Setup,
    /// Leaves at once.
    alice: Trader,
    /// Has a position, and leaves when the first proposal is seen.
    bob: Trader,
    /// Provides liquidity, and files an exit within a day.
    paula: Provider,
    /// Proposals of the thief's.
    queued: Vec<u64>,
    begun: i64,
}

impl Scene {
    fn new() -> Self {
        let mut setup = on_bank(&Terms::still());
        let alice = setup.trader("alice", units(50_000));
        let bob = setup.trader("bob", units(50_000));
        setup.open(&bob, BTC, whole(100_000));
        let paula = setup.provider("paula", ETH, units(200_000));
        setup.world.advance(2 * HOUR);
        setup.tick(1);
        let begun = setup.world.now().unix;
        Self { setup, alice, bob, paula, queued: vec![], begun }
    }

    fn at(&mut self, seconds: i64) {
        let now = self.setup.world.now().unix;
        self.setup.tick((self.begun + seconds - now).max(1));
    }

    /// Every parameter, one step up and one down, by a key; how many were accepted.
    fn queue_all(&mut self, key: &Keypair) -> usize {
        let before = self.queued.len();
        for (place, row) in (0_u16..).zip(MARKET_ROWS) {
            for up in [true, false] {
                let value = step(row, self.setup.market(BTC).state.params.get(place).expect("a row"), up);
                let args = self.setup.change_args(BTC, place, value);
                self.queued.extend(self.setup.queue_as(key, BTC, args).ok());
            }
        }
        for (parameter, row) in (0_u16..).zip(EXCHANGE_ROWS) {
            let exchange = self.setup.exchange();
            let new_value = step(row, exchange.params.get(parameter).expect("a row"), true);
            let version = exchange.param_log.version[usize::from(parameter)];
            let last_slot = self.setup.last_slot();
            let args = QueueParameterArgs { parameter, new_value, version, last_slot, rationale: [6; 32] };
            let (payer, id) = (self.setup.world.payer.pubkey(), exchange.next_proposal);
            let queue = ix::queue_exchange_parameter(&payer, &key.pubkey(), &self.setup.exchange, id, args);
            if self.setup.world.send(&[queue], &[key]).is_ok() {
                self.queued.push(id);
            }
        }
        self.queued.len() - before
    }

    /// Roles, oracle, fees: what governance alone may ask for.
    fn queue_deep(&mut self) {
        let thief = fixed_key("thief").pubkey();
        self.queued.extend(self.setup.queue_oracle_feed(ETH, [66; 32]).ok());
        self.queued.extend(self.setup.queue_role(kind::GUARDIAN, thief).ok());
        self.queued.extend(self.setup.queue_oracle_program(1, fixed_key("thief's oracle").pubkey()).ok());
        let (place, mint) = (fixed_key("thief's purse").pubkey(), self.setup.mint);
        self.setup.set_tokens(place, &thief, &mint, 0);
        self.queued.extend(self.setup.queue_fee_destination(&place).ok());
    }

    /// Tries to execute all that was queued; the classes of what went through and was no tightening: those wait for no pause.
    fn execute_all(&mut self) -> Vec<u8> {
        let ids = self.queued.clone();
        ids.into_iter()
            .filter_map(|id| self.setup.execute_proposal(id).ok().map(|_| self.setup.proposal(id).terms))
            .filter(|terms| terms.tightening == 0)
            .map(|terms| terms.class)
            .collect()
    }

    /// Takes another's money: there is no instruction by which a role could.
    fn try_to_drain(&mut self, key: &Keypair) {
        let purse = fixed_key("thief's own purse").pubkey();
        let mint = self.setup.mint;
        self.setup.set_tokens(purse, &key.pubkey(), &mint, 0);
        let (exchange, account) = (self.setup.exchange, self.alice.subaccount);
        let take = ix::withdraw(&exchange, &key.pubkey(), &account, &purse, units(1), &[]);
        self.setup.world.send(&[take], &[key]).fails(Error::WrongOwner);
        assert_eq!(self.setup.world.tokens(&purse), 0);
    }

    /// Alice and Bob take out all they have, whatever is paused but the emergency.
    fn traders_leave(&mut self) {
        let all = self.setup.account(&self.alice).state.collateral.0;
        self.setup.withdraw(&self.alice.clone(), all).must();
        if self.setup.position(&self.bob, BTC) != 0 {
            self.setup.close(&self.bob.clone(), BTC);
        }
        // The principal; a profit would pass the limiter.
        let all = self.setup.account(&self.bob).state.collateral.0;
        self.setup.withdraw(&self.bob.clone(), all).must();
        assert_eq!(self.setup.account(&self.bob).state.collateral.0, 0);
    }

    fn params(&self) -> (MarketParams, ExchangeParams) {
        (self.setup.market(BTC).state.params, self.setup.exchange().params)
    }
}

/// One step from a value, within the bounds.
fn step(row: &Row, value: u64, up: bool) -> u64 {
    let largest =
        row.step.max(u64::try_from(u128::from(value) * u128::from(row.step_share) / 1_000_000).expect("fits"));
    if up { value.saturating_add(largest).min(row.max) } else { value.saturating_sub(largest).max(row.min) }
}

#[test]
fn stolen_committee_moves_tunings_by_a_step_in_48_hours_and_nothing_else_ever() {
    let mut scene = Scene::new();
    let committee = scene.setup.committee.clone();
    let before = scene.params();
    assert!(scene.queue_all(&committee) > 0);
    scene.try_to_drain(&committee);
    let protect = ProtectMarketArgs { reduce_only_seconds: HOUR, cap: 0, cap_seconds: 0 };
    let pause = ix::protect_market(&committee.pubkey(), &scene.setup.exchange, 0, protect);
    scene.setup.world.send(&[pause], &[&committee]).fails(Error::NotGuardian);
    let listing = scene.setup.new_market_args(3, &MarketTerms::DEEP);
    let create = ix::create_market(&committee.pubkey(), &committee.pubkey(), &scene.setup.exchange, listing);
    scene.setup.world.give(committee.pubkey(), 100_000_000_000);
    scene.setup.world.send(&[create], &[&committee]).fails(Error::NotGovernance);
    scene.at(DAY);
    assert_eq!((scene.execute_all().len(), scene.params()), (0, before));
    scene.traders_leave();
    scene.at(3 * DAY);
    let done = scene.execute_all();
    assert!(!done.is_empty() && done.iter().all(|class| *class == 1), "{done:?}");
    let after = scene.params();
    assert_eq!(after.1, before.1, "no parameter of the exchange");
    for (place, row) in (0_u16..).zip(MARKET_ROWS) {
        let (old, new) = (before.0.get(place).expect("a row"), after.0.get(place).expect("a row"));
        if old != new {
            row.check_step(old, new).expect("a step");
            assert_eq!(row.class(old, new).expect("changed"), Class::G1, "{}", row.name);
        }
    }
    scene.setup.audit();
}

#[test]
fn stolen_guardian_holds_up_and_changes_nothing() {
    let mut scene = Scene::new();
    let guardian = scene.setup.guardian.clone();
    let before = scene.params();
    assert_eq!(scene.queue_all(&guardian), 0);
    scene.try_to_drain(&guardian);
    let both = ProtectMarketArgs { reduce_only_seconds: 72 * HOUR, cap: 0, cap_seconds: 0 };
    scene.setup.protect(BTC, both).must();
    scene.setup.emergency(12 * HOUR).must();
    let all = scene.setup.account(&scene.alice).state.collateral.0;
    let alice = scene.alice.clone();
    scene.setup.withdraw(&alice, all).fails(Error::Paused);
    // Reductions never wait, and money waits for twelve hours, once.
    scene.setup.tick(1);
    let bob = scene.bob.clone();
    scene.setup.close(&bob, BTC);
    scene.at(12 * HOUR + 1);
    scene.setup.emergency(1).fails(Error::PauseNotArmed);
    scene.traders_leave();
    // By the seventh day what it may arm is used up.
    scene.at(7 * DAY);
    scene.setup.protect(BTC, ProtectMarketArgs { reduce_only_seconds: 24 * HOUR, cap: 0, cap_seconds: 0 }).must();
    scene
        .setup
        .protect(BTC, ProtectMarketArgs { reduce_only_seconds: 25 * HOUR, cap: 0, cap_seconds: 0 })
        .fails(Error::PauseBudget);
    assert_eq!(scene.params(), before);
    scene.setup.audit();
}

#[test]
fn stolen_governance_meets_the_whole_script_with_delays_steps_and_a_veto() {
    let mut scene = Scene::new();
    let governance = scene.setup.governance.clone();
    let before = (scene.params(), scene.setup.exchange().roles, scene.setup.exchange().oracle_programs);
    // 1. Something worthless is listed: a market with a cap of zero, whose pool no other market's money reaches.
    scene.setup.create_market(&MarketTerms::LONG_TAIL);
    assert_eq!(scene.setup.market(3).state.params.open_interest_cap.0, 0);
    // No second one on that day: the places do not run out.
    let listing = scene.setup.new_market_args(4, &MarketTerms::LONG_TAIL);
    let payer = scene.setup.world.payer.pubkey();
    let create = ix::create_market(&payer, &governance.pubkey(), &scene.setup.exchange, listing);
    scene.setup.world.send(&[create], &[&governance]).fails(Error::MarketLimit);
    // 2. to 4. Oracle, guard, roles, fees, and every parameter.
    scene.queue_deep();
    let deep = scene.queued.len();
    assert_eq!(deep, 4);
    scene.queue_all(&governance);
    scene.try_to_drain(&governance);
    // 24 h: nothing has changed. Traders have left; the provider's exit, filed on seeing the first proposal, executes.
    let paula = scene.paula.clone();
    let shares = scene.setup.world.tokens(&paula.shares);
    scene.setup.file_exit(&paula, shares).must();
    scene.at(DAY + 10);
    assert!(scene.execute_all().is_empty());
    let now = (scene.params(), scene.setup.exchange().roles, scene.setup.exchange().oracle_programs);
    assert_eq!(now, before);
    scene.setup.execute_exit(&paula).must();
    assert_eq!(scene.setup.world.tokens(&paula.tokens), units(200_000));
    scene.traders_leave();
    // 72 h: one step of each parameter, within bounds and envelope; no role, no oracle, no fees.
    scene.at(3 * DAY);
    let done = scene.execute_all();
    assert!(!done.is_empty() && done.iter().all(|class| *class <= 2), "{done:?}");
    let hourly = scene.setup.exchange().params.outflow_hourly.0;
    assert!(hourly <= before.0.1.outflow_hourly.0 + 2_500, "the guard moves by a step: {hourly}");
    let exchange = scene.setup.exchange();
    assert_eq!((exchange.roles.guardian, exchange.oracle_programs), (before.1.guardian, before.2));
    // 7 days: the oracle would change now, had the guardian slept. It has not.
    for id in scene.queued[..deep].iter().copied() {
        if scene.setup.proposal(id).terms.kind != kind::GUARDIAN {
            scene.setup.veto(id).must();
        }
    }
    scene.at(7 * DAY);
    assert!(scene.execute_all().iter().all(|class| *class <= 2));
    // 8 days: the thief's guardian sits; whatever is queued from now on waits its delay again.
    scene.at(8 * DAY);
    assert_eq!(scene.execute_all(), [4]);
    let feed = scene.setup.queue_oracle_feed(ETH, [67; 32]).expect("queued");
    let terms = scene.setup.proposal(feed).terms;
    assert!(terms.eta - scene.begun >= 15 * DAY, "the first swap that nobody can veto");
    scene.setup.audit();
}

#[test]
fn stolen_keys_all_together_take_nothing_from_who_leaves_on_the_first_day() {
    let mut scene = Scene::new();
    let (governance, committee) = (scene.setup.governance.clone(), scene.setup.committee.clone());
    let before = scene.params();
    scene.queue_deep();
    scene.queue_all(&governance);
    scene.queue_all(&committee);
    for key in [scene.setup.governance.clone(), committee, scene.setup.guardian.clone()] {
        scene.try_to_drain(&key);
    }
    let paula = scene.paula.clone();
    let shares = scene.setup.world.tokens(&paula.shares);
    scene.setup.file_exit(&paula, shares).must();
    // The stolen guardian pauses at the worst moment: when the provider's exit is ripe.
    scene.at(DAY + 10);
    scene.setup.emergency(12 * HOUR).must();
    scene.setup.execute_exit(&paula).must();
    assert_eq!(scene.setup.world.tokens(&paula.tokens), 0, "held back");
    // The pause stops the clock of the thief's own proposals: 48 h after the queue nothing that could hurt is ready.
    scene.at(36 * HOUR + 20);
    assert_eq!(scene.params(), before);
    scene.setup.execute_exit(&paula).must();
    assert_eq!(scene.setup.world.tokens(&paula.tokens), units(200_000));
    scene.traders_leave();
    assert!(scene.execute_all().is_empty());
    assert_eq!(scene.params(), before, "everybody who wanted to has left, and nothing has changed yet");
    // 72 h: tunings have moved by a step. 84 h: risk. The oracle only after seven and a half days.
    scene.at(3 * DAY);
    assert!(scene.execute_all().iter().all(|class| *class == 1));
    scene.at(7 * DAY);
    assert!(scene.execute_all().iter().all(|class| *class <= 2));
    assert_ne!(scene.setup.market(ETH).feed_id.0, [66; 32]);
    scene.at(7 * DAY + 12 * HOUR + 20);
    let done = scene.execute_all();
    assert!(done.contains(&3), "with every key and nobody to veto, the oracle is the thief's on day eight: {done:?}");
    assert_eq!(scene.setup.market(ETH).feed_id.0, [66; 32]);
    scene.setup.audit();
}

/// What a lost key costs: a guardian or a committee is replaced without it; a governance key is not.
#[test]
fn lost_guardian_and_committee_are_replaced_and_a_lost_governance_key_is_not() {
    let mut setup = on_bank(&Terms::still());
    let [guardian, committee] = ["new guardian", "new committee"].map(fixed_key);
    let first = setup.queue_role(kind::COMMITTEE, committee.pubkey()).expect("queued");
    let second = setup.queue_role(kind::GUARDIAN, guardian.pubkey()).expect("queued");
    setup.world.advance(8 * DAY - 1);
    setup.execute_proposal(first).must();
    setup.execute_proposal(second).fails(Error::ProposalNotReady);
    setup.world.advance(1);
    setup.execute_proposal(second).must();
    let roles = setup.exchange().roles;
    assert_eq!((roles.guardian.0, roles.committee.0), (guardian.pubkey().to_bytes(), committee.pubkey().to_bytes()));
    // Nobody but governance can ask for another governance: there is no back door, and so no way back.
    let heir = fixed_key("heir").pubkey();
    for key in [&guardian, &committee, &fixed_key("somebody")] {
        setup.world.give(key.pubkey(), 10_000_000_000);
        let (id, last_slot) = (setup.exchange().next_proposal, setup.last_slot());
        let args = QueueRoleArgs { kind: kind::GOVERNANCE, new_key: heir, version: 0, last_slot, rationale: [7; 32] };
        let queue = ix::queue_role(&key.pubkey(), &key.pubkey(), &setup.exchange, id, args);
        setup.world.send(&[queue], &[key]).fails(Error::NotProposer);
        let accept = ix::accept_governance(&key.pubkey(), &setup.exchange);
        setup.world.send(&[accept], &[key]).fails(Error::NotGovernance);
    }
    // Trading, liquidity and everybody's way out do not need it.
    let alice = setup.trader("alice", units(1_000));
    setup.tick(1);
    setup.open(&alice, BTC, whole(1_000));
    setup.close(&alice, BTC);
    setup.withdraw(&alice, units(500)).must();
}

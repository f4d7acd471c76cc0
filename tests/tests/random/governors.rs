//! What governance, the committee and the guardian do, and those who would like to be them.

use anchor_lang::prelude::Pubkey;
use ballast::instructions::governance::{
    BatchAsk, QueueFeeDestinationArgs, QueueInsuranceWithdrawalArgs, QueueOracleFeedArgs, QueueOracleProgramArgs,
    QueueParameterArgs, QueueRoleArgs, QueueWindDownArgs,
};
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_client::address;
use ballast_engine::governance::{SHARED_FUND, kind, state};
use ballast_engine::params::{EXCHANGE_ROWS, MARKET_ROWS, Row};
use ballast_tests::setup::feed_id;
use ballast_tests::units;
use rand::Rng as _;

use super::act::{Act, index};
use super::world::{MARKETS, OFFICERS, PEOPLE, Sim, other_feed};

impl Sim {
    /// A step of governance: something is queued, ended or protected; seldom a proposal's delay passes.
    pub(crate) fn governing(&mut self) {
        let act = match self.rng.random_range(0..20) {
            0..9 => self.queue(),
            9..14 => self.end_one(),
            14 | 15 => self.guard(),
            16 => Act::Accept { by: self.officer_at_random() },
            17 => Act::Dismiss { by: self.somebody(Role::Governance) },
            _ => return self.wait_and_execute(),
        };
        self.step(act);
    }

    fn officer_at_random(&mut self) -> usize {
        self.rng.random_range(PEOPLE..PEOPLE + OFFICERS)
    }

    /// Who holds a role, or somebody else.
    fn somebody(&mut self, role: Role) -> usize {
        let roles = self.setup.exchange().roles;
        let key = match role {
            Role::Governance => roles.governance,
            Role::Committee => roles.committee,
            Role::Guardian => roles.guardian,
        };
        let holder = self.officer(&key.0);
        let other = self.rng.random_range(0..PEOPLE + OFFICERS);
        if self.percent(95) { holder.unwrap_or(other) } else { other }
    }

    /// Who governs, or somebody else.
    pub(crate) fn governor(&mut self) -> usize {
        self.somebody(Role::Governance)
    }

    /// Who guards, or somebody else.
    pub(crate) fn guardian(&mut self) -> usize {
        self.somebody(Role::Guardian)
    }

    fn last_slot(&mut self) -> u64 {
        let slot = self.setup.world.now().slot;
        match self.rng.random_range(0..40) {
            0 => slot - 1,
            1 => slot + 300_000,
            _ => slot + self.rng.random_range(0..200_000),
        }
    }

    /// Mostly the version that it is.
    fn version(&mut self, version: u32) -> u32 {
        if self.percent(97) { version } else { version + 1 }
    }

    /// A new value: a step that may be, or too far.
    fn value(&mut self, row: &Row, old: u64) -> u64 {
        let step = row.step.max(u64::try_from(u128::from(old) * u128::from(row.step_share) / 1_000_000).expect("fits"));
        let step = match self.rng.random_range(0..20) {
            0 => 0,
            1 => step + 1,
            _ => self.rng.random_range(0..=step / 4 + 1),
        };
        if self.rng.random() { old.saturating_add(step) } else { old.saturating_sub(step) }
    }

    fn queue(&mut self) -> Act {
        let by = if self.percent(80) { self.somebody(Role::Governance) } else { self.somebody(Role::Committee) };
        let (last_slot, market) = (self.last_slot(), self.rng.random_range(0..MARKETS));
        let exchange = self.setup.exchange();
        let rationale = [u8::try_from(market).expect("small"); 32];
        match self.rng.random_range(0..21) {
            19 => {
                let from = self.any(&[0, 1, 2, SHARED_FUND]);
                let there = match from {
                    SHARED_FUND => exchange.shared_insurance,
                    market => self.setup.market(market.into()).state.pool.insurance,
                };
                let amount = self.rng.random_range(0..=there.0 / 3 + 1);
                let version = u32::try_from(exchange.insurance.withdrawals).expect("few");
                let version = self.version(version);
                let destination = self.setup.fee_destination;
                let args = QueueInsuranceWithdrawalArgs { from, amount, destination, version, last_slot, rationale };
                Act::QueueInsurance { by, args }
            }
            0..7 => {
                let parameter = index(self.rng.random_range(0..=MARKET_ROWS.len()));
                let state = self.setup.market(market).state;
                let (new_value, version) = match MARKET_ROWS.get(usize::from(parameter)) {
                    Some(row) => {
                        let version = self.version(state.param_version[usize::from(parameter)]);
                        (self.value(row, state.params.get(parameter).expect("a row")), version)
                    }
                    None => (1, 0),
                };
                let args = QueueParameterArgs { parameter, new_value, version, last_slot, rationale };
                Act::QueueMarket { by, market, args }
            }
            7..10 => {
                let market = self.percent(70).then_some(market);
                let changes = self.changes(market);
                Act::QueueBatch { by, market, changes, last_slot }
            }
            10 | 11 => self.seldom(by, market, last_slot),
            12..16 => {
                let parameter = index(self.rng.random_range(0..EXCHANGE_ROWS.len()));
                let version = self.version(exchange.param_log.version[usize::from(parameter)]);
                let old = exchange.params.get(parameter).expect("a row");
                let new_value = self.value(&EXCHANGE_ROWS[usize::from(parameter)], old);
                let args = QueueParameterArgs { parameter, new_value, version, last_slot, rationale };
                Act::QueueExchange { by, args }
            }
            16..19 => {
                let kind = self.any(&[kind::GOVERNANCE, kind::COMMITTEE, kind::COMMITTEE, kind::GUARDIAN]);
                let version = self.version(exchange.roles.version[usize::from(kind - kind::GOVERNANCE)]);
                let officer = self.officer_at_random();
                let new_key = if self.percent(95) { self.address(officer) } else { Pubkey::default() };
                Act::QueueRole { by, args: QueueRoleArgs { kind, new_key, version, last_slot, rationale } }
            }
            _ => {
                let version = u32::try_from(self.setup.market(market).feed_version).expect("few changes");
                let version = self.version(version);
                let new_feed = self.any(&[feed_id(index(market)), other_feed(market), other_feed(market)]);
                Act::QueueFeed {
                    by,
                    market,
                    args: QueueOracleFeedArgs { new_feed, program: 0, version, last_slot, rationale },
                }
            }
        }
    }

    /// Three changes of a batch, mostly of different parameters and in order.
    fn changes(&mut self, market: Option<usize>) -> [BatchAsk; 3] {
        let rows = if market.is_some() { MARKET_ROWS } else { EXCHANGE_ROWS };
        let mut places = [0, 1, 2].map(|_| self.rng.random_range(0..rows.len()));
        places.sort_unstable();
        places.map(|place| {
            let parameter = index(place);
            let (old, version) = match market {
                Some(market) => {
                    let state = self.setup.market(market).state;
                    (state.params.get(parameter), state.param_version[place])
                }
                None => {
                    let exchange = self.setup.exchange();
                    (exchange.params.get(parameter), exchange.param_log.version[place])
                }
            };
            let new_value = self.value(&rows[place], old.expect("a row"));
            BatchAsk { parameter, version: self.version(version), new_value }
        })
    }

    /// Ends of markets (mostly called off where one is being wound down), fee destinations, oracle programs.
    fn seldom(&mut self, by: usize, market: usize, last_slot: u64) -> Act {
        let (exchange, rationale) = (self.setup.exchange(), [5; 32]);
        match self.rng.random_range(0..3) {
            0 => {
                let governed = self.setup.market(market).state.governed;
                let version = self.version(u32::try_from(governed.closing_version).expect("few changes"));
                let closing = governed.closing_since == 0 && self.percent(95);
                Act::QueueEnd { by, market, args: QueueWindDownArgs { closing, version, last_slot, rationale } }
            }
            1 => {
                let person = self.person();
                let place = self.any(&[self.wallet(person), self.setup.fee_destination, self.setup.vault]);
                let version = self.version(exchange.fee_version);
                Act::QueueFees { by, place, args: QueueFeeDestinationArgs { version, last_slot, rationale } }
            }
            _ => {
                let (place, version) = (self.any(&[0, 1, 1, 1, 2]), self.version(exchange.oracle_version));
                // The first place stays the publisher's, or empty: a market whose oracle nobody can publish for is silent for good.
                let another = ballast_client::address::vault(&ballast::ID);
                let program = match place {
                    0 => self.any(&[price_feed::ID, Pubkey::default()]),
                    _ => self.any(&[price_feed::ID, Pubkey::default(), ballast::ID, another]),
                };
                let args = QueueOracleProgramArgs { place, program, version, last_slot, rationale };
                Act::QueueProgram { by, args }
            }
        }
    }

    /// What holds markets in reduce-only is vetoed or called off, so that trading goes on.
    pub(crate) fn open_up(&mut self) {
        for market in 0..MARKETS {
            let governed = self.setup.market(market).state.governed;
            if governed.feed_change != 0 {
                let by = self.somebody(Role::Guardian);
                self.step(Act::Veto { by, id: governed.feed_change - 1 });
            }
            if governed.closing_since != 0 {
                let (by, last_slot) = (self.somebody(Role::Governance), self.setup.last_slot());
                let version = u32::try_from(governed.closing_version).expect("few changes");
                let args = QueueWindDownArgs { closing: false, version, last_slot, rationale: [5; 32] };
                self.step(Act::QueueEnd { by, market, args });
                self.wait_and_execute();
            }
        }
    }

    /// Proposals that were not closed.
    fn proposals(&self) -> Vec<u64> {
        let (exchange, next) = (self.setup.exchange, self.setup.exchange().next_proposal);
        (0..next).filter(|id| self.setup.world.exists(&address::proposal(&exchange, *id))).collect()
    }

    pub(crate) fn pending(&self) -> Vec<u64> {
        self.proposals().into_iter().filter(|id| self.proposal(*id).terms.state == state::PENDING).collect()
    }

    fn end_one(&mut self) -> Act {
        let (pending, all) = (self.pending(), self.proposals());
        let id = if pending.is_empty() || self.percent(20) { self.any(&all) } else { self.any(&pending) };
        match self.rng.random_range(0..12) {
            10.. => {
                let ended: Vec<u64> = all.into_iter().filter(|id| !pending.contains(id)).collect();
                Act::CloseProposal { id: if ended.is_empty() || self.percent(10) { id } else { self.any(&ended) } }
            }
            0..2 => Act::Veto { by: self.somebody(Role::Guardian), id },
            2..7 => Act::Execute { id },
            _ => Act::Expire { id },
        }
    }

    fn guard(&mut self) -> Act {
        let by = self.somebody(Role::Guardian);
        let seconds = match self.rng.random_range(0..10) {
            0 => -1,
            1 => 10 * 86_400,
            _ => self.rng.random_range(1..7_200),
        };
        if self.percent(30) {
            return Act::Pause { by, seconds };
        }
        let market = self.rng.random_range(0..MARKETS);
        let (reduce_only_seconds, cap_seconds) = self.any(&[(seconds, 0), (0, seconds), (seconds, seconds), (0, 0)]);
        let cap = units(self.rng.random_range(0..1_000_000));
        Act::Protect { by, market, args: ProtectMarketArgs { reduce_only_seconds, cap, cap_seconds } }
    }

    /// Days pass until the first pending proposal is ripe, or dead; then all that are ripe are tried.
    pub(crate) fn wait_and_execute(&mut self) {
        let pending = self.pending();
        let Some(first) = pending.first() else { return };
        let (now, terms) = (self.setup.world.now().unix, self.proposal(*first).terms);
        let until = if self.percent(80) { terms.eta } else { terms.expires_at };
        self.setup.world.advance((until - now).max(0));
        for id in pending {
            let act = if self.percent(90) { Act::Execute { id } } else { Act::Expire { id } };
            self.step(act);
            if self.proposal(id).terms.state == state::PENDING {
                self.step(Act::Expire { id });
            }
        }
        let offered = self.setup.exchange().roles.pending_governance.0;
        if let Some(by) = self.officer(&offered) {
            self.step(Act::Accept { by });
        }
        for _ in 0..3 {
            self.tick(2);
        }
    }
}

/// A role.
#[derive(Clone, Copy)]
enum Role {
    Governance,
    Committee,
    Guardian,
}

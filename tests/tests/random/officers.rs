//! What officers do on purpose: each of governance's and the guardian's instructions once, where chance has not come across
//! it. Of the acts that could do it the first is sent that nothing stands in the way of.

use anchor_lang::prelude::Pubkey;
use ballast::instructions::governance::{
    BatchAsk, QueueFeeDestinationArgs, QueueInsuranceWithdrawalArgs, QueueOracleFeedArgs, QueueOracleProgramArgs,
    QueueParameterArgs, QueueRoleArgs, QueueWindDownArgs,
};
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_engine::governance::{SHARED_FUND, kind, state};
use ballast_engine::params::{EXCHANGE_ROWS, MARKET_ROWS, Row};
use ballast_tests::setup::feed_id;

use super::act::{Act, index};
use super::judge::judge;
use super::world::{MARKETS, OFFICERS, PEOPLE, Sim, other_feed};

const RATIONALE: [u8; 32] = [9; 32];

/// What only a step of governance or of the guardian does.
pub(crate) const GOVERNANCE: [&str; 20] = [
    "accept_governance",
    "close_proposal",
    "dismiss_committee",
    "emergency_pause",
    "execute_exchange_proposal",
    "execute_insurance_withdrawal",
    "execute_market_proposal",
    "expire_proposal",
    "protect_market",
    "queue_exchange_batch",
    "queue_exchange_parameter",
    "queue_fee_destination",
    "queue_insurance_withdrawal",
    "queue_market_batch",
    "queue_market_parameter",
    "queue_oracle_feed",
    "queue_oracle_program",
    "queue_role",
    "queue_wind_down",
    "veto_proposal",
];

/// Values a small step from the present one, either way.
fn steps(row: &Row, old: u64) -> [u64; 2] {
    let share = u64::try_from(u128::from(old) * u128::from(row.step_share) / 1_000_000).expect("fits");
    let step = (row.step.max(share) / 8).max(1);
    [old.saturating_sub(step), old.saturating_add(step)]
}

impl Sim {
    /// Brings one of [`GOVERNANCE`] about.
    pub(crate) fn govern_on_purpose(&mut self, name: &str) {
        // Past every emergency, with budgets, seats and places free again.
        self.setup.world.advance(15 * 86_400);
        self.calm();
        for id in self.pending() {
            self.step(Act::Expire { id });
        }
        match name {
            "emergency_pause" => {
                let by = self.guard_key();
                self.send_first([Act::Pause { by, seconds: 60 }]);
            }
            "protect_market" => {
                let by = self.guard_key();
                let args = ProtectMarketArgs { reduce_only_seconds: 1, cap: 0, cap_seconds: 0 };
                self.send_first((0..MARKETS).map(|market| Act::Protect { by, market, args }));
            }
            "veto_proposal" => {
                if let Some(id) = self.queue_on_purpose("queue_exchange_parameter") {
                    let by = self.guard_key();
                    self.step(Act::Veto { by, id });
                }
            }
            "expire_proposal" => {
                if let Some(id) = self.queue_on_purpose("queue_exchange_parameter") {
                    self.wait_until(self.proposal(id).terms.expires_at + 1);
                    self.step(Act::Expire { id });
                }
            }
            "close_proposal" => {
                if let Some(id) = self.queue_on_purpose("queue_exchange_parameter") {
                    self.wait_until(self.proposal(id).terms.expires_at + 1);
                    self.step(Act::Expire { id });
                    self.step(Act::CloseProposal { id });
                }
            }
            "dismiss_committee" => {
                if self.setup.exchange().roles.committee.0 == [0; 32] {
                    self.execute_on_purpose("queue_role");
                }
                if let Some(by) = self.governor_key() {
                    self.step(Act::Dismiss { by });
                }
            }
            "accept_governance" => self.roles_change(),
            "execute_market_proposal" => self.execute_on_purpose("queue_market_parameter"),
            "execute_exchange_proposal" => self.execute_on_purpose("queue_exchange_parameter"),
            "execute_insurance_withdrawal" => {
                if self.view().exchange.shared_insurance.is_zero() {
                    let by = self.person();
                    self.step(Act::InsureAll { by, amount: 10_000_000 });
                }
                if let Some(id) = self.queue_on_purpose("queue_insurance_withdrawal") {
                    self.wait_until(self.proposal(id).terms.eta);
                    // Not while a market has a claim.
                    let open = |sim: &Self| {
                        let view = sim.view();
                        (0..MARKETS).any(|m| view.state(m).insurance.pending().is_ok_and(|q| !q.is_zero()))
                    };
                    for _ in 0..2 {
                        if open(self) {
                            self.midnights();
                        }
                    }
                    self.step(Act::Execute { id });
                }
            }
            _ => drop(self.queue_on_purpose(name)),
        }
        // Nothing of it is to hold trading up.
        self.open_up();
        self.calm();
    }

    /// Sends the first that nothing stands in the way of; whether there was one.
    fn send_first(&mut self, acts: impl IntoIterator<Item = Act>) -> bool {
        let view = self.view();
        let first = acts.into_iter().find(|act| judge(self, &view, act).is_empty());
        first.is_some_and(|act| self.step(act))
    }

    fn wait_until(&mut self, unix: i64) {
        let now = self.setup.world.now().unix;
        self.setup.world.advance((unix - now).max(0));
        self.calm();
    }

    fn governor_key(&self) -> Option<usize> {
        self.officer(&self.setup.exchange().roles.governance.0)
    }

    fn guard_key(&self) -> usize {
        self.officer(&self.setup.exchange().roles.guardian.0).expect("an officer guards")
    }

    /// Queues something by that instruction; its id.
    fn queue_on_purpose(&mut self, name: &str) -> Option<u64> {
        let by = self.governor_key()?;
        let next = self.setup.exchange().next_proposal;
        let acts = self.queueable(name, by);
        self.send_first(acts).then_some(next)
    }

    fn execute_on_purpose(&mut self, queue: &str) {
        let Some(id) = self.queue_on_purpose(queue) else { return };
        self.wait_until(self.proposal(id).terms.eta);
        if self.proposal(id).terms.state == state::PENDING {
            self.step(Act::Execute { id });
        }
    }

    /// What could be queued by that instruction.
    fn queueable(&self, name: &str, by: usize) -> Vec<Act> {
        let (exchange, last_slot, rationale) = (self.setup.exchange(), self.setup.last_slot(), RATIONALE);
        let small = |version: u64| u32::try_from(version).expect("few changes");
        match name {
            "queue_market_parameter" => (0..MARKETS).flat_map(|market| self.parameters(by, Some(market))).collect(),
            "queue_exchange_parameter" => self.parameters(by, None),
            "queue_market_batch" => (0..MARKETS).filter_map(|market| self.batch(by, Some(market))).collect(),
            "queue_exchange_batch" => self.batch(by, None).into_iter().collect(),
            "queue_role" => {
                let version = exchange.roles.version[usize::from(kind::COMMITTEE - kind::GOVERNANCE)];
                let keys = (PEOPLE..PEOPLE + OFFICERS).map(|officer| self.address(officer));
                let args = |new_key| QueueRoleArgs { kind: kind::COMMITTEE, new_key, version, last_slot, rationale };
                keys.map(|new_key| Act::QueueRole { by, args: args(new_key) }).collect()
            }
            "queue_fee_destination" => {
                let args = QueueFeeDestinationArgs { version: exchange.fee_version, last_slot, rationale };
                (0..PEOPLE).map(|person| Act::QueueFees { by, place: self.wallet(person), args }).collect()
            }
            "queue_insurance_withdrawal" => {
                let (destination, version) = (self.setup.fee_destination, small(exchange.insurance.withdrawals));
                let args =
                    |from| QueueInsuranceWithdrawalArgs { from, amount: 1, destination, version, last_slot, rationale };
                [SHARED_FUND, 0, 1, 2].map(|from| Act::QueueInsurance { by, args: args(from) }).into()
            }
            "queue_oracle_feed" => {
                let feeds = |market| [feed_id(index(market)), other_feed(market)].map(|new_feed| (market, new_feed));
                let act = |(market, new_feed)| {
                    let version = small(self.setup.market(market).feed_version);
                    let args = QueueOracleFeedArgs { new_feed, program: 0, version, last_slot, rationale };
                    Act::QueueFeed { by, market, args }
                };
                (0..MARKETS).flat_map(feeds).map(act).collect()
            }
            "queue_oracle_program" => {
                let version = exchange.oracle_version;
                let programs = [Pubkey::default(), ballast::ID, price_feed::ID];
                let args = |program| QueueOracleProgramArgs { place: 1, program, version, last_slot, rationale };
                programs.map(|program| Act::QueueProgram { by, args: args(program) }).into()
            }
            "queue_wind_down" => {
                let act = |market| {
                    let governed = self.setup.market(market).state.governed;
                    let (closing, version) = (governed.closing_since == 0, small(governed.closing_version));
                    Act::QueueEnd { by, market, args: QueueWindDownArgs { closing, version, last_slot, rationale } }
                };
                (0..MARKETS).map(act).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Small changes of every parameter of a market, or of the exchange.
    fn parameters(&self, by: usize, market: Option<usize>) -> Vec<Act> {
        let asks = self.asks(market);
        let act = |ask: &BatchAsk| {
            let BatchAsk { parameter, version, new_value } = *ask;
            let last_slot = self.setup.last_slot();
            let args = QueueParameterArgs { parameter, new_value, version, last_slot, rationale: RATIONALE };
            match market {
                Some(market) => Act::QueueMarket { by, market, args },
                None => Act::QueueExchange { by, args },
            }
        };
        asks.iter().map(act).collect()
    }

    fn asks(&self, market: Option<usize>) -> Vec<BatchAsk> {
        let (rows, exchange) = (if market.is_some() { MARKET_ROWS } else { EXCHANGE_ROWS }, self.setup.exchange());
        let mut all = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let parameter = index(place);
            let (old, version) = match market.map(|market| self.setup.market(market).state) {
                Some(state) => (state.params.get(parameter), state.param_version[place]),
                None => (exchange.params.get(parameter), exchange.param_log.version[place]),
            };
            let old = old.expect("a row");
            all.extend(steps(row, old).map(|new_value| BatchAsk { parameter, version, new_value }));
        }
        all
    }

    /// Three changes that may be queued each by itself, of different parameters.
    fn batch(&self, by: usize, market: Option<usize>) -> Option<Act> {
        let view = self.view();
        let single = self.parameters(by, market);
        let may = |act: &Act| judge(self, &view, act).is_empty();
        let mut asks: Vec<BatchAsk> =
            self.asks(market).into_iter().zip(&single).filter(|(_, act)| may(act)).map(|(ask, _)| ask).collect();
        asks.dedup_by_key(|ask| ask.parameter);
        let changes: [BatchAsk; 3] = asks.get(..3)?.try_into().ok()?;
        Some(Act::QueueBatch { by, market, changes, last_slot: self.setup.last_slot() })
    }
}

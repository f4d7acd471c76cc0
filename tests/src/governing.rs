//! Proposals, from queueing to execution, and the guardian's instructions.

use std::sync::Arc;

use anchor_lang::prelude::Pubkey;
use ballast::instructions::governance::{
    BatchAsk, QueueBatchArgs, QueueFeeDestinationArgs, QueueInsuranceWithdrawalArgs, QueueOracleFeedArgs,
    QueueOracleProgramArgs, QueueParameterArgs, QueueRoleArgs, QueueWindDownArgs,
};
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast::state::Proposal;
use ballast_client::{address, instructions as ix};
use ballast_engine::governance::{SHARED_FUND, kind};
use ballast_engine::params::{ExchangeParams, MarketParams};
use ballast_engine::{Error, constants};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::setup::Setup;
use crate::world::{Expect, Outcome, Refused};

/// A proposal's number, or why it was not queued.
pub type Queued = Result<u64, Box<Refused>>;

/// The id of a market's parameter by name.
///
/// # Panics
/// If there is none.
pub fn market_parameter(name: &str) -> u16 {
    MarketParams::id(name).unwrap_or_else(|| panic!("no market parameter is called {name}"))
}

/// The id of an exchange's parameter by name.
///
/// # Panics
/// If there is none.
pub fn exchange_parameter(name: &str) -> u16 {
    ExchangeParams::id(name).unwrap_or_else(|| panic!("no exchange parameter is called {name}"))
}

impl Setup {
    /// The arguments of a change of a market's parameter as it stands, to be tampered with.
    pub fn change_args(&self, market: usize, parameter: u16, new_value: u64) -> QueueParameterArgs {
        let version = self.market(market).state.param_version[usize::from(parameter)];
        QueueParameterArgs { parameter, new_value, version, last_slot: self.last_slot(), rationale: [7; 32] }
    }

    /// A last slot well within what is accepted.
    pub fn last_slot(&self) -> u64 {
        self.world.now().slot + 1_000
    }

    /// Queues a change of a market's parameter.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_as(&mut self, proposer: &Keypair, market: usize, args: QueueParameterArgs) -> Queued {
        let (id, payer) = (self.exchange().next_proposal, self.world.payer.pubkey());
        let market = u16::try_from(market).expect("few markets");
        let queue = ix::queue_market_parameter(&payer, &proposer.pubkey(), &self.exchange, market, id, args);
        self.world.measure("queue_market_parameter", queue, &[proposer])?;
        Ok(id)
    }

    /// Governance queues a change of a market's parameter by its name.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue(&mut self, market: usize, parameter: &str, new_value: u64) -> Queued {
        let args = self.change_args(market, market_parameter(parameter), new_value);
        self.queue_as(&self.governance.clone(), market, args)
    }

    /// Governance queues a change of an exchange's parameter by its name.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_exchange(&mut self, parameter: &str, new_value: u64) -> Queued {
        let (parameter, exchange) = (exchange_parameter(parameter), self.exchange());
        let version = exchange.param_log.version[usize::from(parameter)];
        let args =
            QueueParameterArgs { parameter, new_value, version, last_slot: self.last_slot(), rationale: [7; 32] };
        let (id, payer, governance) = (exchange.next_proposal, self.world.payer.pubkey(), self.governance.clone());
        let queue = ix::queue_exchange_parameter(&payer, &governance.pubkey(), &self.exchange, id, args);
        self.world.measure("queue_exchange_parameter", queue, &[&governance])?;
        Ok(id)
    }

    /// Governance queues a new holder of a role ([`kind::GOVERNANCE`], [`kind::COMMITTEE`], [`kind::GUARDIAN`]).
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_role(&mut self, role_kind: u8, new_key: Pubkey) -> Queued {
        let exchange = self.exchange();
        let version = exchange.roles.version[usize::from(role_kind - kind::GOVERNANCE)];
        let args = QueueRoleArgs { kind: role_kind, new_key, version, last_slot: self.last_slot(), rationale: [7; 32] };
        let (id, payer, governance) = (exchange.next_proposal, self.world.payer.pubkey(), self.governance.clone());
        let queue = ix::queue_role(&payer, &governance.pubkey(), &self.exchange, id, args);
        self.world.measure("queue_role", queue, &[&governance])?;
        Ok(id)
    }

    /// Governance queues another oracle feed for a market.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_oracle_feed(&mut self, market: usize, new_feed: [u8; 32]) -> Queued {
        let version = u32::try_from(self.market(market).feed_version).expect("few changes");
        let last_slot = self.last_slot();
        let args = QueueOracleFeedArgs { new_feed, program: 0, version, last_slot, rationale: [7; 32] };
        let (id, payer) = (self.exchange().next_proposal, self.world.payer.pubkey());
        let (governance, index) = (self.governance.clone(), u16::try_from(market).expect("few markets"));
        let queue = ix::queue_oracle_feed(&payer, &governance.pubkey(), &self.exchange, index, id, args);
        self.world.measure("queue_oracle_feed", queue, &[&governance])?;
        Ok(id)
    }

    /// Governance queues a withdrawal of insurance, from a market's bucket or the shared fund.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_insurance_withdrawal(&mut self, from: Option<u16>, amount: u64, destination: Pubkey) -> Queued {
        let version = u32::try_from(self.exchange().insurance.withdrawals).expect("few");
        let from = from.unwrap_or(SHARED_FUND);
        let args = QueueInsuranceWithdrawalArgs {
            from,
            amount,
            destination,
            version,
            last_slot: self.last_slot(),
            rationale: [7; 32],
        };
        let (id, payer, governance) =
            (self.exchange().next_proposal, self.world.payer.pubkey(), self.governance.clone());
        let queue = ix::queue_insurance_withdrawal(&payer, &governance.pubkey(), &self.exchange, id, args);
        self.world.measure("queue_insurance_withdrawal", queue, &[&governance])?;
        Ok(id)
    }

    /// The instruction by which anyone executes a withdrawal of insurance.
    pub fn execute_withdrawal_ix(&self, executor: &Pubkey, id: u64) -> Instruction {
        let terms = self.proposal(id).terms;
        let from = (terms.parameter != SHARED_FUND).then_some(terms.parameter);
        let (destination, markets) = (Pubkey::new_from_array(terms.new_key.0), self.exchange().markets);
        ix::execute_insurance_withdrawal(executor, &self.exchange, id, from, &destination, markets)
    }

    /// The arguments of a batch of a market's parameters as they stand.
    pub fn batch_args(&self, market: usize, changes: &[(&str, u64)]) -> QueueBatchArgs {
        let state = &self.market(market).state;
        let ask = |&(name, new_value): &(&str, u64)| {
            let parameter = market_parameter(name);
            BatchAsk { parameter, version: state.param_version[usize::from(parameter)], new_value }
        };
        let mut changes: Vec<_> = changes.iter().map(ask).collect();
        changes.sort_by_key(|a| a.parameter);
        QueueBatchArgs { changes, last_slot: self.last_slot(), rationale: [7; 32] }
    }

    /// Queues a change of several of a market's parameters.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_batch_as(&mut self, proposer: &Keypair, market: usize, args: QueueBatchArgs) -> Queued {
        let (id, payer) = (self.exchange().next_proposal, self.world.payer.pubkey());
        let market = u16::try_from(market).expect("few markets");
        let queue = ix::queue_market_batch(&payer, &proposer.pubkey(), &self.exchange, market, id, args);
        self.world.measure("queue_market_batch", queue, &[proposer])?;
        Ok(id)
    }

    /// Governance queues a change of several of a market's parameters by their names.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_batch(&mut self, market: usize, changes: &[(&str, u64)]) -> Queued {
        let args = self.batch_args(market, changes);
        self.queue_batch_as(&self.governance.clone(), market, args)
    }

    /// Governance queues a change of several of the exchange's parameters by their names.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_exchange_batch(&mut self, changes: &[(&str, u64)]) -> Queued {
        let exchange = self.exchange();
        let ask = |&(name, new_value): &(&str, u64)| {
            let parameter = exchange_parameter(name);
            BatchAsk { parameter, version: exchange.param_log.version[usize::from(parameter)], new_value }
        };
        let mut changes: Vec<_> = changes.iter().map(ask).collect();
        changes.sort_by_key(|a| a.parameter);
        let args = QueueBatchArgs { changes, last_slot: self.last_slot(), rationale: [7; 32] };
        let (id, payer, governance) = (exchange.next_proposal, self.world.payer.pubkey(), self.governance.clone());
        let queue = ix::queue_exchange_batch(&payer, &governance.pubkey(), &self.exchange, id, args);
        self.world.measure("queue_exchange_batch", queue, &[&governance])?;
        Ok(id)
    }

    /// Governance queues the end of a market, or its being called off.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_wind_down(&mut self, market: usize, closing: bool) -> Queued {
        let version = u32::try_from(self.market(market).state.governed.closing_version).expect("few changes");
        let args = QueueWindDownArgs { closing, version, last_slot: self.last_slot(), rationale: [7; 32] };
        let (id, payer) = (self.exchange().next_proposal, self.world.payer.pubkey());
        let (governance, index) = (self.governance.clone(), u16::try_from(market).expect("few markets"));
        let queue = ix::queue_wind_down(&payer, &governance.pubkey(), &self.exchange, index, id, args);
        self.world.measure("queue_wind_down", queue, &[&governance])?;
        Ok(id)
    }

    /// Governance queues another token account for protocol fees.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_fee_destination(&mut self, destination: &Pubkey) -> Queued {
        let (exchange, last_slot) = (self.exchange(), self.last_slot());
        let args = QueueFeeDestinationArgs { version: exchange.fee_version, last_slot, rationale: [7; 32] };
        let (id, payer, governance) = (exchange.next_proposal, self.world.payer.pubkey(), self.governance.clone());
        let queue = ix::queue_fee_destination(&payer, &governance.pubkey(), &self.exchange, destination, id, args);
        self.world.measure("queue_fee_destination", queue, &[&governance])?;
        Ok(id)
    }

    /// Governance queues a change of the list of oracle programs.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn queue_oracle_program(&mut self, place: u16, program: Pubkey) -> Queued {
        let (exchange, last_slot) = (self.exchange(), self.last_slot());
        let version = exchange.oracle_version;
        let args = QueueOracleProgramArgs { place, program, version, last_slot, rationale: [7; 32] };
        let (id, payer, governance) = (exchange.next_proposal, self.world.payer.pubkey(), self.governance.clone());
        let queue = ix::queue_oracle_program(&payer, &governance.pubkey(), &self.exchange, id, args);
        self.world.measure("queue_oracle_program", queue, &[&governance])?;
        Ok(id)
    }

    /// The market that a proposal's end has to be told, if any.
    pub fn told_market(&self, id: u64) -> Option<u16> {
        let proposal = self.proposal(id);
        (proposal.terms.kind == kind::ORACLE_FEED).then_some(proposal.market_index)
    }

    /// A proposal as it is.
    pub fn proposal(&self, id: u64) -> Box<Proposal> {
        self.world.read(&address::proposal(&self.exchange, id))
    }

    /// Moves the clock to a proposal's ETA, or leaves it if that is past. Prices grow old: [`Setup::tick`] mends that.
    pub fn wait_for(&mut self, id: u64) {
        let (now, eta) = (self.world.now(), self.proposal(id).terms.eta);
        self.world.advance((eta - now.unix).max(0));
    }

    /// Anyone executes a proposal.
    pub fn execute_proposal(&mut self, id: u64) -> Outcome {
        let (proposal, payer) = (self.proposal(id), self.world.payer.pubkey());
        if proposal.terms.kind == kind::INSURANCE {
            let execute = self.execute_withdrawal_ix(&payer, id);
            return self.world.measure("execute_insurance_withdrawal", execute, &[]);
        }
        let market = Pubkey::new_from_array(proposal.market.0);
        if market == Pubkey::default() {
            let execute = ix::execute_exchange_proposal(&payer, &self.exchange, id);
            return self.world.measure("execute_exchange_proposal", execute, &[]);
        }
        let execute = ix::execute_market_proposal(&payer, &self.exchange, proposal.market_index, id);
        self.world.measure("execute_market_proposal", execute, &[])
    }

    /// The guardian vetoes a proposal.
    pub fn veto(&mut self, id: u64) -> Outcome {
        let guardian = self.guardian.clone();
        let veto = ix::veto_proposal(&guardian.pubkey(), &self.exchange, self.told_market(id), id);
        self.world.measure("veto_proposal", veto, &[&guardian])
    }

    /// Anyone ends an expired proposal.
    pub fn expire(&mut self, id: u64) -> Outcome {
        let expire = ix::expire_proposal(&self.world.payer.pubkey(), &self.exchange, self.told_market(id), id);
        self.world.measure("expire_proposal", expire, &[])
    }

    /// Anyone closes a proposal that has ended.
    pub fn close_proposal(&mut self, id: u64) -> Outcome {
        let close = self.close_proposal_ix(id);
        self.world.measure("close_proposal", close, &[])
    }

    /// The instruction for it.
    pub fn close_proposal_ix(&self, id: u64) -> Instruction {
        let proposal = self.proposal(id);
        let charter = proposal.terms.kind == kind::NEW_EXCHANGE;
        ix::close_proposal(&self.exchange, id, &ix::pubkey(&proposal.payer), charter)
    }

    /// Changes a market's parameter in one allowed step: queues, waits the delay out, executes, and posts prices again.
    ///
    /// # Panics
    /// If it is refused.
    #[track_caller]
    pub fn change(&mut self, market: usize, parameter: &str, new_value: u64) {
        let id = self.queue(market, parameter, new_value).unwrap_or_else(|refused| panic!("{refused}"));
        self.wait_for(id);
        self.execute_proposal(id).must();
        self.tick(1);
    }

    /// Moves parameters `(market, id, target)` to their targets in as many steps as the registry asks for. A change that
    /// disagrees with others as they stand waits for them.
    ///
    /// # Panics
    /// If nothing moves any more.
    pub fn raise(&mut self, targets: &[(u16, u16, u64)]) {
        let governance = Arc::clone(&self.governance);
        loop {
            let mut queued = Vec::new();
            let mut left = 0;
            for (index, id, target) in targets {
                let market = usize::from(*index);
                let value = self.market(market).state.params.get(*id).expect("a row");
                if value == *target {
                    continue;
                }
                left += 1;
                let row = MarketParams::row(*id).expect("a row");
                let step = row
                    .step
                    .max(u64::try_from(u128::from(value) * u128::from(row.step_share) / 1_000_000).expect("fits"));
                let next = value + (target.max(&value) - value).min(step) - (value - value.min(*target)).min(step);
                let of_market = self.exchange().market_pending[market];
                if queued.len() as u64 == constants::MAX_PENDING
                    || u64::from(of_market) == constants::MAX_PENDING_MARKET
                {
                    continue;
                }
                match self.queue_as(&governance, market, self.change_args(market, *id, next)) {
                    Ok(proposal) => queued.push(proposal),
                    Err(refused) if refused.error == Some(Error::CrossCheckBroken) => {}
                    Err(refused) => panic!("{}: {refused}", row.name),
                }
            }
            if left == 0 {
                return;
            }
            assert!(!queued.is_empty(), "no parameter can move");
            for proposal in queued {
                self.wait_for(proposal);
                self.execute_proposal(proposal).must();
            }
        }
    }

    /// The guardian puts a market in reduce-only for so many seconds.
    pub fn protect(&mut self, market: usize, args: ProtectMarketArgs) -> Outcome {
        let (guardian, index) = (self.guardian.clone(), u16::try_from(market).expect("few markets"));
        let protect = ix::protect_market(&guardian.pubkey(), &self.exchange, index, args);
        self.world.measure("protect_market", protect, &[&guardian])
    }

    /// The guardian pauses withdrawals and liquidity exits for so many seconds.
    pub fn emergency(&mut self, seconds: i64) -> Outcome {
        let guardian = self.guardian.clone();
        let pause = ix::emergency_pause(&guardian.pubkey(), &self.exchange, seconds);
        self.world.measure("emergency_pause", pause, &[&guardian])
    }
}

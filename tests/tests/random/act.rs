//! What actors do: one variant per instruction, with whatever a caller can choose.

use anchor_lang::prelude::Pubkey;
use ballast::instructions::governance::{
    BatchAsk, QueueBatchArgs, QueueFeeDestinationArgs, QueueInsuranceWithdrawalArgs, QueueNewExchangeArgs,
    QueueOracleFeedArgs, QueueOracleProgramArgs, QueueParameterArgs, QueueRoleArgs, QueueUpgradeArgs,
    QueueWindDownArgs,
};
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast::instructions::trader::{SetCovenantArgs, SetDelegateArgs};
use ballast_client::{address, instructions as ix};
use ballast_engine::governance::kind;
use ballast_tests::Ask;
use solana_instruction::{AccountMeta, Instruction};

use super::world::Sim;

/// How the account's other markets are passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Legs {
    /// Not at all.
    None,
    /// To read.
    Read,
    /// To write.
    Write,
}

/// An instruction. Signers (`by`) are places in the list of keys; `sub`, `order`, `id` places in their lists.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Open { by: usize, id: u16, isolated: bool },
    Close { sub: usize, by: usize },
    Deposit { sub: usize, by: usize, amount: u64 },
    Withdraw { sub: usize, by: usize, amount: u64, legs: Legs },
    Transfer { from: usize, to: usize, by: usize, amount: u64, legs: Legs },
    Place { sub: usize, by: usize, market: usize, ask: Ask },
    Cancel { order: usize, by: usize, keeper: Option<usize>, legs: Legs },
    Trigger { order: usize },
    Fill { order: usize, keeper: Option<usize>, legs: Legs },
    Reduce { sub: usize, by: usize, market: usize, size: u64, limit: u64, legs: Legs },
    ExitSilent { sub: usize, by: usize, market: usize },
    FileDeposit { by: usize, market: usize, amount: u64 },
    ExecuteDeposit { owner: usize, market: usize },
    LapseDeposit { owner: usize, market: usize },
    FileExit { by: usize, market: usize, shares: u64 },
    ExecuteExit { by: usize, owner: usize, market: usize },
    LapseExit { owner: usize, market: usize },
    InsureMarket { by: usize, market: usize, amount: u64 },
    InsureAll { by: usize, amount: u64 },
    CollectFees { market: usize },
    Update { market: usize, feed: Pubkey },
    Settle { sub: usize, market: usize, legs: Legs },
    CollectClaim { sub: usize, market: usize },
    CollectPoolClaim { debtor: usize, holder: usize },
    Flag { sub: usize, flagger: usize, legs: Legs },
    Liquidate { sub: usize, market: usize, keeper: usize, flagger: Option<usize>, legs: Legs },
    Unflag { sub: usize, legs: Legs },
    Resolve { sub: usize, legs: Legs },
    QueueMarket { by: usize, market: usize, args: QueueParameterArgs },
    QueueExchange { by: usize, args: QueueParameterArgs },
    QueueRole { by: usize, args: QueueRoleArgs },
    QueueFeed { by: usize, market: usize, args: QueueOracleFeedArgs },
    QueueBatch { by: usize, market: Option<usize>, changes: [BatchAsk; 3], last_slot: u64 },
    QueueEnd { by: usize, market: usize, args: QueueWindDownArgs },
    QueueFees { by: usize, place: Pubkey, args: QueueFeeDestinationArgs },
    QueueProgram { by: usize, args: QueueOracleProgramArgs },
    Veto { by: usize, id: u64 },
    Execute { id: u64 },
    Expire { id: u64 },
    CloseProposal { id: u64 },
    Accept { by: usize },
    Dismiss { by: usize },
    Protect { by: usize, market: usize, args: ProtectMarketArgs },
    Pause { by: usize, seconds: i64 },
    AdvanceSettlement { market: usize },
    CloseSettled { sub: usize, market: usize, legs: Legs },
    Deleverage { market: usize },
    PickUp { sub: usize, market: usize },
    RegisterInsurance { market: usize },
    PayInsurance { market: usize },
    QueueInsurance { by: usize, args: QueueInsuranceWithdrawalArgs },
    QueueNew { by: usize, args: QueueNewExchangeArgs },
    ExecuteNew { id: u64 },
    QueueUpgrade { by: usize, buffer: usize, args: QueueUpgradeArgs },
    VerifyUpgrade { buffer: usize },
    ExecuteUpgrade { buffer: usize },
    CloseUpgrade { buffer: usize },
    Bind { by: usize, args: SetCovenantArgs },
    Tighten { by: usize, of: usize, args: SetCovenantArgs },
    Loosen { by: usize, of: usize, args: SetCovenantArgs },
    Loosened { of: usize },
    Unbind { by: usize, of: usize },
    Touch { sub: usize, legs: Legs },
    Trip { of: usize },
    CloseTripped { sub: usize, market: usize, keeper: usize, legs: Legs },
    Appoint { sub: usize, by: usize, args: SetDelegateArgs },
}

impl Act {
    /// The instruction's name.
    pub(crate) fn name(&self, sim: &Sim) -> &'static str {
        match self {
            Self::Open { .. } => "open_subaccount",
            Self::Close { .. } => "close_subaccount",
            Self::Deposit { .. } => "deposit",
            Self::Withdraw { .. } => "withdraw",
            Self::Transfer { .. } => "transfer",
            Self::Place { .. } => "place_order",
            Self::Cancel { .. } => "cancel_order",
            Self::Trigger { .. } => "trigger_order",
            Self::Fill { .. } => "execute_order",
            Self::Reduce { .. } => "reduce",
            Self::ExitSilent { .. } => "exit_silent",
            Self::FileDeposit { .. } => "request_lp_deposit",
            Self::ExecuteDeposit { .. } => "execute_lp_deposit",
            Self::LapseDeposit { .. } => "lapse_lp_deposit",
            Self::FileExit { .. } => "request_lp_withdrawal",
            Self::ExecuteExit { .. } => "execute_lp_withdrawal",
            Self::LapseExit { .. } => "lapse_lp_withdrawal",
            Self::InsureMarket { .. } => "top_up_market_insurance",
            Self::InsureAll { .. } => "top_up_shared_insurance",
            Self::CollectFees { .. } => "collect_fees",
            Self::Update { .. } => "update_market",
            Self::Settle { .. } => "settle",
            Self::CollectClaim { .. } => "collect_claim",
            Self::CollectPoolClaim { .. } => "collect_pool_claim",
            Self::Flag { .. } => "flag",
            Self::Liquidate { .. } => "liquidate",
            Self::Unflag { .. } => "unflag",
            Self::Resolve { .. } => "resolve",
            Self::QueueMarket { .. } => "queue_market_parameter",
            Self::QueueExchange { .. } => "queue_exchange_parameter",
            Self::QueueRole { .. } => "queue_role",
            Self::QueueFeed { .. } => "queue_oracle_feed",
            Self::QueueBatch { market: Some(_), .. } => "queue_market_batch",
            Self::QueueBatch { market: None, .. } => "queue_exchange_batch",
            Self::QueueEnd { .. } => "queue_wind_down",
            Self::QueueFees { .. } => "queue_fee_destination",
            Self::QueueProgram { .. } => "queue_oracle_program",
            Self::Veto { .. } => "veto_proposal",
            Self::Execute { id } if sim.proposal(*id).terms.kind == kind::INSURANCE => "execute_insurance_withdrawal",
            Self::Execute { id } if sim.proposal_market(*id).is_some() => "execute_market_proposal",
            Self::Execute { .. } => "execute_exchange_proposal",
            Self::Expire { .. } => "expire_proposal",
            Self::CloseProposal { .. } => "close_proposal",
            Self::Accept { .. } => "accept_governance",
            Self::Dismiss { .. } => "dismiss_committee",
            Self::Protect { .. } => "protect_market",
            Self::Pause { .. } => "emergency_pause",
            Self::AdvanceSettlement { .. } => "advance_settlement",
            Self::CloseSettled { .. } => "close_settled",
            Self::Deleverage { .. } => "deleverage",
            Self::PickUp { .. } => "pick_up_deleveraging",
            Self::RegisterInsurance { .. } => "register_insurance_claim",
            Self::PayInsurance { .. } => "pay_insurance_claim",
            Self::QueueInsurance { .. } => "queue_insurance_withdrawal",
            Self::QueueNew { .. } => "queue_new_exchange",
            Self::ExecuteNew { .. } => "execute_new_exchange",
            Self::QueueUpgrade { .. } => "queue_upgrade",
            Self::VerifyUpgrade { .. } => "verify_upgrade",
            Self::ExecuteUpgrade { .. } => "execute_upgrade",
            Self::CloseUpgrade { .. } => "close_upgrade",
            Self::Bind { .. } => "create_covenant",
            Self::Tighten { .. } => "tighten_covenant",
            Self::Loosen { .. } => "loosen_covenant",
            Self::Loosened { .. } => "execute_loosening",
            Self::Unbind { .. } => "close_covenant",
            Self::Touch { .. } => "touch_covenant",
            Self::Trip { .. } => "trip_covenant",
            Self::CloseTripped { .. } => "close_tripped",
            Self::Appoint { .. } => "set_delegate",
        }
    }

    /// Who signs, besides whoever pays the transaction.
    pub(crate) fn signer(&self) -> Option<usize> {
        match *self {
            Self::Open { by, .. }
            | Self::Close { by, .. }
            | Self::Deposit { by, .. }
            | Self::Withdraw { by, .. }
            | Self::Transfer { by, .. }
            | Self::Place { by, .. }
            | Self::Cancel { by, .. }
            | Self::Reduce { by, .. }
            | Self::ExitSilent { by, .. }
            | Self::FileDeposit { by, .. }
            | Self::FileExit { by, .. }
            | Self::InsureMarket { by, .. }
            | Self::InsureAll { by, .. }
            | Self::QueueMarket { by, .. }
            | Self::QueueExchange { by, .. }
            | Self::QueueRole { by, .. }
            | Self::QueueFeed { by, .. }
            | Self::QueueInsurance { by, .. }
            | Self::QueueBatch { by, .. }
            | Self::QueueEnd { by, .. }
            | Self::QueueFees { by, .. }
            | Self::QueueProgram { by, .. }
            | Self::Veto { by, .. }
            | Self::Accept { by }
            | Self::Dismiss { by }
            | Self::Protect { by, .. }
            | Self::Pause { by, .. }
            | Self::QueueNew { by, .. }
            | Self::QueueUpgrade { by, .. }
            | Self::Bind { by, .. }
            | Self::Tighten { by, .. }
            | Self::Loosen { by, .. }
            | Self::Unbind { by, .. }
            | Self::Appoint { by, .. } => Some(by),
            Self::ExecuteExit { by, owner, .. } if by == owner => Some(by),
            _ => None,
        }
    }

    /// The instruction.
    pub(crate) fn build(&self, sim: &Sim) -> Instruction {
        let upgrade = || super::upgrades::build(sim, self);
        self.build_for_account(sim)
            .or_else(|| self.build_for_pool(sim))
            .or_else(upgrade)
            .or_else(|| super::covenants::build(sim, self))
            .unwrap_or_else(|| self.build_for_rules(sim))
    }

    fn build_for_account(&self, sim: &Sim) -> Option<Instruction> {
        let (exchange, key, market) = (&sim.setup.exchange, |by| sim.address(by), |m| sim.setup.market_key(m));
        let sub = |place: usize| sim.subs[place].address;
        Some(match *self {
            Self::Open { by, id, isolated } => ix::open_subaccount(exchange, &key(by), id, isolated),
            Self::Close { sub: s, by } => ix::close_subaccount(exchange, &key(by), &sub(s)),
            Self::Deposit { sub: s, by, amount } => ix::deposit(exchange, &key(by), &sub(s), &sim.wallet(by), amount),
            Self::Withdraw { sub: s, by, amount, legs } => {
                let legs = metas(sim, s, None, legs);
                ix::withdraw(exchange, &key(by), &sub(s), &sim.wallet(by), amount, &legs)
            }
            Self::Transfer { from, to, by, amount, legs } => {
                let covenant = address::covenant(exchange, &key(sim.subs[from].owner));
                ix::transfer(&key(by), &sub(from), &sub(to), &covenant, amount, &metas(sim, from, None, legs))
            }
            Self::Place { sub: s, by, market: m, ask } => {
                ix::place_order(&key(by), &market(m), &sub(s), sim.account(s).state.next_order, ask.args())
            }
            Self::Cancel { order, by, keeper, legs } => {
                let order = &sim.orders[order];
                let legs = metas(sim, order.sub, Some(order.market), legs);
                let (rent_to, keeper) = (key(order.by), keeper.map(sub));
                let (market, account) = (market(order.market), sub(order.sub));
                let covenant = address::covenant(exchange, &key(sim.subs[order.sub].owner));
                let (order, keeper, covenant) = (&order.address, keeper.as_ref(), Some(&covenant));
                ix::cancel_unfillable(&key(by), &market, &account, order, &rent_to, keeper, covenant, &legs)
            }
            Self::Trigger { order } => {
                let order = &sim.orders[order];
                ix::trigger_order(&market(order.market), &sub(order.sub), &order.address)
            }
            Self::Fill { order, keeper, legs } => {
                let order = &sim.orders[order];
                let legs = metas(sim, order.sub, Some(order.market), legs);
                let (rent_to, keeper) = (key(order.by), keeper.map(sub));
                let (market, account) = (market(order.market), sub(order.sub));
                let covenant = address::covenant(exchange, &key(sim.subs[order.sub].owner));
                ix::execute_order(&market, &account, &order.address, &rent_to, keeper.as_ref(), &covenant, &legs)
            }
            Self::Reduce { sub: s, by, market: m, size, limit, legs } => {
                ix::reduce(&key(by), &market(m), &sub(s), size, limit, &metas(sim, s, Some(m), legs))
            }
            Self::ExitSilent { sub: s, by, market: m } => {
                ix::exit_silent(&key(by), &market(m), &sub(s), &metas(sim, s, Some(m), Legs::Read))
            }
            Self::Settle { sub: s, market: m, legs } => {
                ix::settle_with(&market(m), &sub(s), &metas(sim, s, Some(m), legs))
            }
            Self::CloseSettled { sub: s, market: m, legs } => {
                ix::close_settled(&market(m), &sub(s), &metas(sim, s, Some(m), legs))
            }
            Self::PickUp { sub: s, market: m } => ix::pick_up_deleveraging(&market(m), &sub(s)),
            Self::CollectClaim { sub: s, market: m } => ix::collect_claim(&market(m), &sub(s)),
            Self::Flag { sub: s, flagger, legs } => ix::flag(&sub(s), &sub(flagger), &metas(sim, s, None, legs)),
            Self::Liquidate { sub: s, market: m, keeper, flagger, legs } => {
                let (legs, flagger) = (metas(sim, s, Some(m), legs), flagger.map(sub));
                ix::liquidate(&market(m), &sub(s), &sub(keeper), flagger.as_ref(), &legs)
            }
            Self::Unflag { sub: s, legs } => ix::unflag(&sub(s), &metas(sim, s, None, legs)),
            Self::Resolve { sub: s, legs } => ix::resolve(&sub(s), &metas(sim, s, None, legs)),
            _ => return None,
        })
    }

    fn build_for_pool(&self, sim: &Sim) -> Option<Instruction> {
        let (exchange, key, market) = (&sim.setup.exchange, |by| sim.address(by), |m| sim.setup.market_key(m));
        Some(match *self {
            Self::FileDeposit { by, market: m, amount } => {
                ix::request_lp_deposit(exchange, &market(m), &key(by), &sim.wallet(by), amount)
            }
            Self::ExecuteDeposit { owner, market: m } => {
                ix::execute_lp_deposit(&market(m), &key(owner), &sim.share_account(owner, m))
            }
            Self::LapseDeposit { owner, market: m } => {
                ix::lapse_lp_deposit(exchange, &market(m), &key(owner), &sim.wallet(owner))
            }
            Self::FileExit { by, market: m, shares } => {
                ix::request_lp_withdrawal(&market(m), &key(by), &sim.share_account(by, m), shares)
            }
            Self::ExecuteExit { by, owner, market: m } => {
                let execute = ix::execute_lp_withdrawal(exchange, &market(m), &key(owner), &sim.wallet(owner));
                if by == owner { ix::by_owner(execute, &key(owner)) } else { execute }
            }
            Self::LapseExit { owner, market: m } => {
                ix::lapse_lp_withdrawal(&market(m), &key(owner), &sim.share_account(owner, m))
            }
            Self::InsureMarket { by, market: m, amount } => {
                ix::top_up_market_insurance(exchange, &market(m), &key(by), &sim.wallet(by), amount)
            }
            Self::InsureAll { by, amount } => ix::top_up_shared_insurance(exchange, &key(by), &sim.wallet(by), amount),
            Self::CollectFees { market: m } => {
                // Where fees go may have been changed by a proposal.
                let destination = Pubkey::new_from_array(sim.setup.exchange().fee_destination.0);
                ix::collect_fees(exchange, &market(m), &destination)
            }
            Self::Update { market: m, feed } => ix::update_market(&market(m), &feed),
            Self::AdvanceSettlement { market: m } => ix::advance_settlement(&market(m)),
            Self::Deleverage { market: m } => ix::deleverage(&market(m)),
            Self::RegisterInsurance { market: m } => ix::register_insurance_claim(exchange, &market(m)),
            Self::PayInsurance { market: m } => ix::pay_insurance_claim(exchange, &market(m)),
            Self::CollectPoolClaim { debtor, holder } => ix::collect_pool_claim(&market(debtor), &market(holder)),
            _ => return None,
        })
    }

    fn build_for_rules(&self, sim: &Sim) -> Instruction {
        let (exchange, payer, key) = (&sim.setup.exchange, sim.payer(), |by| sim.address(by));
        let next = sim.setup.exchange().next_proposal;
        match *self {
            Self::QueueMarket { by, market, args } => {
                ix::queue_market_parameter(&payer, &key(by), exchange, index(market), next, args)
            }
            Self::QueueExchange { by, args } => ix::queue_exchange_parameter(&payer, &key(by), exchange, next, args),
            Self::QueueRole { by, args } => ix::queue_role(&payer, &key(by), exchange, next, args),
            Self::QueueFeed { by, market, args } => {
                ix::queue_oracle_feed(&payer, &key(by), exchange, index(market), next, args)
            }
            Self::QueueBatch { by, market, changes, last_slot } => {
                let args = QueueBatchArgs { changes: changes.to_vec(), last_slot, rationale: [3; 32] };
                match market {
                    Some(market) => ix::queue_market_batch(&payer, &key(by), exchange, index(market), next, args),
                    None => ix::queue_exchange_batch(&payer, &key(by), exchange, next, args),
                }
            }
            Self::QueueEnd { by, market, args } => {
                ix::queue_wind_down(&payer, &key(by), exchange, index(market), next, args)
            }
            Self::QueueFees { by, place, args } => {
                ix::queue_fee_destination(&payer, &key(by), exchange, &place, next, args)
            }
            Self::QueueProgram { by, args } => ix::queue_oracle_program(&payer, &key(by), exchange, next, args),
            Self::Veto { by, id } => ix::veto_proposal(&key(by), exchange, sim.setup.told_market(id), id),
            Self::QueueInsurance { by, args } => ix::queue_insurance_withdrawal(&payer, &key(by), exchange, next, args),
            Self::Execute { id } if sim.proposal(id).terms.kind == kind::INSURANCE => {
                sim.setup.execute_withdrawal_ix(&payer, id)
            }
            Self::Execute { id } => match sim.proposal_market(id) {
                Some(market) => ix::execute_market_proposal(&payer, exchange, index(market), id),
                None => ix::execute_exchange_proposal(&payer, exchange, id),
            },
            Self::CloseProposal { id } => sim.setup.close_proposal_ix(id),
            Self::Expire { id } => ix::expire_proposal(&payer, exchange, sim.setup.told_market(id), id),
            Self::Accept { by } => ix::accept_governance(&key(by), exchange),
            Self::Dismiss { by } => ix::dismiss_committee(&key(by), exchange),
            Self::Protect { by, market, args } => ix::protect_market(&key(by), exchange, index(market), args),
            Self::Pause { by, seconds } => ix::emergency_pause(&key(by), exchange, seconds),
            _ => unreachable!("the other builders know it"),
        }
    }
}

/// A market's place as the program counts it.
pub(crate) fn index(market: usize) -> u16 {
    u16::try_from(market).expect("few markets")
}

pub(crate) fn metas(sim: &Sim, sub: usize, own: Option<usize>, legs: Legs) -> Vec<AccountMeta> {
    match legs {
        Legs::None => vec![],
        Legs::Read | Legs::Write => ix::leg_metas(&sim.account(sub), own.map(index), legs == Legs::Write),
    }
}

/// The order that an account places next.
pub(crate) fn next_order(sim: &Sim, sub: usize) -> Pubkey {
    address::order(&sim.subs[sub].address, sim.account(sub).state.next_order)
}

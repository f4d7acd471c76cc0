//! Ballast: perpetual futures on Solana with the timelock, the bounds and the solvency proof in the program.
//!
//! A thin shell: each instruction checks its accounts, calls the engine, moves tokens and emits. What it decides is in
//! `ballast_engine`; what is promised is in README.md, each promise with the test that proves it.
#![allow(missing_docs, reason = "forced by Anchor's macros; everything written here is documented")]
#![allow(unexpected_cfgs, reason = "Anchor's macros test for cfgs of its own")]
#![allow(clippy::diverging_sub_expression, reason = "Anchor's entrypoint macro")]

// 128-bit arithmetic, where the compiler has none of its own.
use ballast_wide as _;

pub mod checks;
pub mod covenants;
pub mod emit;
pub mod error;
pub mod events;
pub mod fill;
#[cfg(feature = "idl-build")]
pub mod idl;
pub mod instructions;
pub mod legs;
pub mod loader;
pub mod oracle;
#[cfg(not(feature = "no-entrypoint"))]
mod security;
pub mod seeds;
pub mod state;
pub mod tokens;

use anchor_lang::prelude::*;

use instructions::governance::*;
use instructions::guardian::*;
use instructions::keeper::*;
use instructions::liquidity::*;
use instructions::trader::*;

pub use error::BallastError;

declare_id!("FQ2KRxKdTVEsmqVUcHDHjus1T9bnT7xVVsjg9T76Y2bq");

/// The instructions. Who may call is the first word of each line.
#[program]
pub mod ballast {
    use super::*;

    // Instructions are told apart one by one, in this order: the hottest stand first.

    // Keepers.

    /// Anyone: stores an oracle's price and accrues funding; a no-op for a price that is not newer.
    pub fn update_market(ctx: Context<UpdateMarket>) -> Result<()> {
        update_market::handle(ctx)
    }
    /// Anyone: fills an order. Remaining accounts: the account's other markets (writable where their profits must pay).
    pub fn execute_order<'info>(ctx: Context<'info, ExecuteOrder<'info>>) -> Result<()> {
        execute_order::handle(ctx)
    }
    /// Anyone: settles a position, its claim and its holdback. Remaining accounts: the account's other markets, where it
    /// has other positions and this one pays a loss.
    pub fn settle<'info>(ctx: Context<'info, Settle<'info>>) -> Result<()> {
        settle::handle(ctx)
    }
    /// Anyone: collects what has been paid on a subaccount's claim, at any price.
    pub fn collect_claim(ctx: Context<Settle>) -> Result<()> {
        settle::handle_collect(ctx)
    }
    /// Anyone: collects what one pool has paid on another's claim.
    pub fn collect_pool_claim(ctx: Context<CollectPoolClaim>) -> Result<()> {
        collect_pool_claim::handle(ctx)
    }
    /// Anyone: flags an account below maintenance. Remaining accounts: all its markets.
    pub fn flag<'info>(ctx: Context<'info, Flag<'info>>) -> Result<()> {
        flag::handle(ctx)
    }
    /// Anyone: liquidates what pacing allows. Remaining accounts: the account's other markets.
    pub fn liquidate<'info>(ctx: Context<'info, Liquidate<'info>>) -> Result<()> {
        liquidate::handle(ctx)
    }
    /// Anyone: clears the flag of an account that is healthy again. Remaining accounts: all its markets.
    pub fn unflag<'info>(ctx: Context<'info, Unflag<'info>>) -> Result<()> {
        unflag::handle(ctx)
    }
    /// Anyone: resolves an account below zero. Remaining accounts: all its markets, writable.
    pub fn resolve<'info>(ctx: Context<'info, Resolve<'info>>) -> Result<()> {
        resolve::handle(ctx)
    }

    /// Anyone: records that an order's stop was met, or how far its trail has moved it.
    pub fn trigger_order(ctx: Context<TriggerOrder>) -> Result<()> {
        trigger_order::handle(ctx)
    }

    /// Anyone: registers a market's claims on the shared insurance, on the day after they arose.
    pub fn register_insurance_claim(ctx: Context<RegisterInsuranceClaim>) -> Result<()> {
        register_insurance_claim::handle(ctx)
    }
    /// Anyone: pays a market what the shared insurance has released on its claims.
    pub fn pay_insurance_claim(ctx: Context<PayInsuranceClaim>) -> Result<()> {
        pay_insurance_claim::handle(ctx)
    }

    /// Anyone: deleverages the winning side of a market whose claims have stayed unpaid for long.
    pub fn deleverage(ctx: Context<Deleverage>) -> Result<()> {
        deleverage::handle(ctx)
    }
    /// Anyone: lets a position pick up its market's deleveraging.
    pub fn pick_up_deleveraging(ctx: Context<PickUpDeleveraging>) -> Result<()> {
        pick_up_deleveraging::handle(ctx)
    }

    /// Anyone: begins a market's settlement, calls it off or fixes its price, whichever is due.
    pub fn advance_settlement(ctx: Context<AdvanceSettlement>) -> Result<()> {
        advance_settlement::handle(ctx)
    }
    /// Anyone: closes what an account has in a settled market. Remaining accounts: the account's other markets, where it
    /// pays a loss (writable where their profits must pay it).
    pub fn close_settled<'info>(ctx: Context<'info, CloseSettled<'info>>) -> Result<()> {
        close_settled::handle(ctx)
    }

    /// Anyone: refreshes what a covenant knows of one of its owner's subaccounts. Remaining accounts: all its markets.
    pub fn touch_covenant<'info>(ctx: Context<'info, TouchCovenant<'info>>) -> Result<()> {
        touch_covenant::handle(ctx)
    }
    /// Anyone: trips a covenant whose loss is found at its limit a second time.
    pub fn trip_covenant(ctx: Context<TripCovenant>) -> Result<()> {
        trip_covenant::handle(ctx)
    }
    /// Anyone, for a fee: closes a position of an owner whose covenant has tripped and says so. Remaining accounts: as for
    /// `reduce`.
    pub fn close_tripped<'info>(ctx: Context<'info, CloseTripped<'info>>) -> Result<()> {
        close_tripped::handle(ctx)
    }
    /// Anyone: puts the terms that a covenant's owner asked for in force when its delay is over.
    pub fn execute_loosening(ctx: Context<ExecuteLoosening>) -> Result<()> {
        execute_loosening::handle(ctx)
    }

    // Traders.

    /// Anyone: opens a subaccount of their own.
    pub fn open_subaccount(ctx: Context<OpenSubaccount>, args: OpenSubaccountArgs) -> Result<()> {
        open_subaccount::handle(ctx, args)
    }
    /// Owner: closes an empty subaccount.
    pub fn close_subaccount(ctx: Context<CloseSubaccount>) -> Result<()> {
        close_subaccount::handle(ctx)
    }
    /// Owner: puts collateral in.
    pub fn deposit(ctx: Context<Deposit>, amount: u64) -> Result<()> {
        deposit::handle(ctx, amount)
    }
    /// Owner: takes collateral out. Remaining accounts: the account's markets.
    pub fn withdraw<'info>(ctx: Context<'info, Withdraw<'info>>, amount: u64) -> Result<()> {
        withdraw::handle(ctx, amount)
    }
    /// Owner, or a delegate for collateral: moves collateral to another of its subaccounts. Remaining accounts: the first one's markets.
    pub fn transfer<'info>(ctx: Context<'info, Transfer<'info>>, amount: u64) -> Result<()> {
        transfer::handle(ctx, amount)
    }
    /// Owner, or a delegate who may trade: places an order.
    pub fn place_order(ctx: Context<PlaceOrder>, args: PlaceOrderArgs) -> Result<()> {
        place_order::handle(ctx, args)
    }
    /// Owner, or a delegate for orders, after 10 seconds; anyone, for the fee, once it can never fill again or its account lacks what it needs: cancels
    /// an order. Remaining accounts: none, or for the last the account's other markets.
    pub fn cancel_order<'info>(ctx: Context<'info, CancelOrder<'info>>) -> Result<()> {
        cancel_order::handle(ctx)
    }
    /// Owner, or a delegate who may trade: reduces or closes a position at once. Remaining accounts: none, or the account's other markets
    /// (writable) where their profits must pay the loss.
    pub fn reduce<'info>(ctx: Context<'info, Reduce<'info>>, args: ReduceArgs) -> Result<()> {
        reduce::handle(ctx, args)
    }
    /// Owner: closes a position of a market whose oracle has been silent for an hour, at the penalised price.
    pub fn exit_silent<'info>(ctx: Context<'info, ExitSilent<'info>>) -> Result<()> {
        exit_silent::handle(ctx)
    }

    /// Owner: appoints a subaccount's delegate, or dismisses it.
    pub fn set_delegate(ctx: Context<SetDelegate>, args: SetDelegateArgs) -> Result<()> {
        set_delegate::handle(ctx, args)
    }
    /// Owner: binds itself to limits over all its subaccounts.
    pub fn create_covenant(ctx: Context<CreateCovenant>, args: SetCovenantArgs) -> Result<()> {
        create_covenant::handle(ctx, args)
    }
    /// Owner: tightens its covenant, at once.
    pub fn tighten_covenant(ctx: Context<ChangeCovenant>, args: SetCovenantArgs) -> Result<()> {
        change_covenant::handle_tighten(ctx, args)
    }
    /// Owner: asks for looser terms, which take its covenant's delay.
    pub fn loosen_covenant(ctx: Context<ChangeCovenant>, args: SetCovenantArgs) -> Result<()> {
        change_covenant::handle_loosen(ctx, args)
    }
    /// Owner: closes a covenant that limits nothing any more.
    pub fn close_covenant(ctx: Context<CloseCovenant>) -> Result<()> {
        close_covenant::handle(ctx)
    }

    // Liquidity and insurance.

    /// Anyone: files a liquidity deposit.
    pub fn request_lp_deposit(ctx: Context<RequestLpDeposit>, amount: u64) -> Result<()> {
        request_lp_deposit::handle(ctx, amount)
    }
    /// Anyone: executes a filed deposit at the first price after it.
    pub fn execute_lp_deposit(ctx: Context<ExecuteLpDeposit>) -> Result<()> {
        execute_lp_deposit::handle(ctx)
    }
    /// Anyone: gives a lapsed deposit back.
    pub fn lapse_lp_deposit(ctx: Context<LapseLpDeposit>) -> Result<()> {
        lapse_lp_deposit::handle(ctx)
    }
    /// A provider: files an exit, which locks its shares and cannot be cancelled.
    pub fn request_lp_withdrawal(ctx: Context<RequestLpWithdrawal>, shares: u64) -> Result<()> {
        request_lp_withdrawal::handle(ctx, shares)
    }
    /// Anyone: executes a ripe exit, as far as the limits allow.
    pub fn execute_lp_withdrawal(ctx: Context<ExecuteLpWithdrawal>) -> Result<()> {
        execute_lp_withdrawal::handle(ctx)
    }
    /// Anyone: gives a lapsed exit's shares back.
    pub fn lapse_lp_withdrawal(ctx: Context<LapseLpWithdrawal>) -> Result<()> {
        lapse_lp_withdrawal::handle(ctx)
    }
    /// Anyone: tops up a market's insurance.
    pub fn top_up_market_insurance(ctx: Context<TopUpMarketInsurance>, amount: u64) -> Result<()> {
        top_up_market_insurance::handle(ctx, amount)
    }
    /// Anyone: tops up the shared insurance fund.
    pub fn top_up_shared_insurance(ctx: Context<TopUpSharedInsurance>, amount: u64) -> Result<()> {
        top_up_shared_insurance::handle(ctx, amount)
    }
    /// Anyone: sends a market's protocol fees to the exchange's fee destination.
    pub fn collect_fees(ctx: Context<CollectFees>) -> Result<()> {
        collect_fees::handle(ctx)
    }

    // Governance.

    /// Upgrade authority: creates the exchange of a mint.
    pub fn initialize_exchange(ctx: Context<InitializeExchange>, args: InitializeExchangeArgs) -> Result<()> {
        initialize_exchange::handle(ctx, args)
    }
    /// Governance: creates a market, with its open-interest cap at zero.
    pub fn create_market(ctx: Context<CreateMarket>, args: CreateMarketArgs) -> Result<()> {
        create_market::handle(ctx, args)
    }
    /// Governance or committee: queues a change of a market's parameter.
    pub fn queue_market_parameter(ctx: Context<QueueMarketParameter>, args: QueueParameterArgs) -> Result<()> {
        queue_market_parameter::handle(ctx, args)
    }
    /// Governance: queues a change of an exchange's parameter.
    pub fn queue_exchange_parameter(ctx: Context<QueueExchangeProposal>, args: QueueParameterArgs) -> Result<()> {
        queue_exchange_proposal::handle_parameter(ctx, args)
    }
    /// Governance: queues a new governance key, committee or guardian.
    pub fn queue_role(ctx: Context<QueueExchangeProposal>, args: QueueRoleArgs) -> Result<()> {
        queue_exchange_proposal::handle_role(ctx, args)
    }
    /// Governance or committee: queues a change of several of a market's parameters, all or none.
    pub fn queue_market_batch(ctx: Context<QueueMarketParameter>, args: QueueBatchArgs) -> Result<()> {
        queue_market_parameter::handle_batch(ctx, args)
    }
    /// Governance: queues a change of several of an exchange's parameters, all or none.
    pub fn queue_exchange_batch(ctx: Context<QueueExchangeProposal>, args: QueueBatchArgs) -> Result<()> {
        queue_exchange_proposal::handle_batch(ctx, args)
    }
    /// Governance: queues a change of a market's oracle; the market is in reduce-only until it ends.
    pub fn queue_oracle_feed(ctx: Context<QueueOracleFeed>, args: QueueOracleFeedArgs) -> Result<()> {
        queue_oracle_feed::handle(ctx, args)
    }
    /// Governance: queues the end of a market, or calls it off.
    pub fn queue_wind_down(ctx: Context<QueueMarketParameter>, args: QueueWindDownArgs) -> Result<()> {
        queue_market_parameter::handle_wind_down(ctx, args)
    }
    /// Governance: queues another token account for protocol fees.
    pub fn queue_fee_destination(ctx: Context<QueueFeeDestination>, args: QueueFeeDestinationArgs) -> Result<()> {
        queue_fee_destination::handle(ctx, args)
    }
    /// Governance: queues a change of the list of programs that may own oracle accounts.
    pub fn queue_oracle_program(ctx: Context<QueueExchangeProposal>, args: QueueOracleProgramArgs) -> Result<()> {
        queue_exchange_proposal::handle_oracle_program(ctx, args)
    }
    /// Governance: queues a withdrawal of insurance.
    pub fn queue_insurance_withdrawal(
        ctx: Context<QueueExchangeProposal>,
        args: QueueInsuranceWithdrawalArgs,
    ) -> Result<()> {
        queue_exchange_proposal::handle_insurance(ctx, args)
    }
    /// The vetoer named in the proposal: ends it for good.
    pub fn veto_proposal(ctx: Context<VetoProposal>) -> Result<()> {
        veto_proposal::handle(ctx)
    }
    /// Anyone: executes a market's proposal when its delay is over.
    pub fn execute_market_proposal(ctx: Context<ExecuteMarketProposal>) -> Result<()> {
        execute_market_proposal::handle(ctx)
    }
    /// Anyone: executes an exchange's proposal when its delay is over.
    pub fn execute_exchange_proposal(ctx: Context<ExecuteExchangeProposal>) -> Result<()> {
        execute_exchange_proposal::handle(ctx)
    }
    /// Anyone: executes a withdrawal of insurance when its delay is over. Remaining accounts: all markets, by index.
    pub fn execute_insurance_withdrawal<'info>(ctx: Context<'info, ExecuteInsuranceWithdrawal<'info>>) -> Result<()> {
        execute_insurance_withdrawal::handle(ctx)
    }
    /// Anyone: ends a proposal whose time to execute is over.
    pub fn expire_proposal(ctx: Context<ExpireProposal>) -> Result<()> {
        expire_proposal::handle(ctx)
    }
    /// The pending governance key: takes over. Governance: takes its offer back.
    pub fn accept_governance(ctx: Context<AcceptGovernance>) -> Result<()> {
        accept_governance::handle(ctx)
    }
    /// Upgrade authority: hands itself to the exchange's timelock address, for good.
    pub fn take_upgrade_authority(ctx: Context<TakeUpgradeAuthority>) -> Result<()> {
        take_upgrade_authority::handle(ctx)
    }
    /// Governance of the exchange whose timelock holds the upgrade authority: queues an upgrade of the program.
    pub fn queue_upgrade(ctx: Context<QueueUpgrade>, args: QueueUpgradeArgs) -> Result<()> {
        queue_upgrade::handle(ctx, args)
    }
    /// Anyone: hashes the next part of an upgrade's buffer; the last part decides whether it is what was announced.
    pub fn verify_upgrade(ctx: Context<VerifyUpgrade>) -> Result<()> {
        verify_upgrade::handle(ctx)
    }
    /// Anyone: upgrades the program when the proposal's delay is over and its buffer was verified.
    pub fn execute_upgrade(ctx: Context<ExecuteUpgrade>) -> Result<()> {
        execute_upgrade::handle(ctx)
    }
    /// Governance of the exchange whose timelock holds the upgrade authority: queues the exchange of another mint.
    pub fn queue_new_exchange(ctx: Context<QueueNewExchange>, args: QueueNewExchangeArgs) -> Result<()> {
        queue_new_exchange::handle(ctx, args)
    }
    /// Anyone: creates the exchange that was queued when the proposal's delay is over.
    pub fn execute_new_exchange(ctx: Context<ExecuteNewExchange>) -> Result<()> {
        execute_new_exchange::handle(ctx)
    }
    /// Anyone: closes a proposal that has ended; its rent goes to whoever paid it.
    pub fn close_proposal(ctx: Context<CloseProposal>) -> Result<()> {
        close_proposal::handle(ctx)
    }
    /// Anyone: closes what is left of an upgrade whose proposal has ended, its buffer and its proposal included.
    pub fn close_upgrade(ctx: Context<CloseUpgrade>) -> Result<()> {
        close_upgrade::handle(ctx)
    }
    /// Governance: dismisses the committee, at once.
    pub fn dismiss_committee(ctx: Context<DismissCommittee>) -> Result<()> {
        dismiss_committee::handle(ctx)
    }

    // Guardian.

    /// Guardian: reduce-only or a lower open-interest cap for a market, for a while.
    pub fn protect_market(ctx: Context<ProtectMarket>, args: ProtectMarketArgs) -> Result<()> {
        protect_market::handle(ctx, args)
    }
    /// Guardian: pauses withdrawals and liquidity exits, 12 hours at most, once in 14 days.
    pub fn emergency_pause(ctx: Context<EmergencyPause>, args: EmergencyPauseArgs) -> Result<()> {
        emergency_pause::handle(ctx, args)
    }
}

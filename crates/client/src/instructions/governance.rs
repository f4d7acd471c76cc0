//! Instructions of the governance roles, and of whoever executes what they queued.

use anchor_lang::prelude::{AccountMeta, Pubkey, system_program};
use anchor_lang::solana_program::instruction::Instruction;
use ballast::instructions::governance::{
    CreateMarketArgs, InitializeExchangeArgs, QueueBatchArgs, QueueFeeDestinationArgs, QueueInsuranceWithdrawalArgs,
    QueueOracleFeedArgs, QueueOracleProgramArgs, QueueParameterArgs, QueueRoleArgs, QueueWindDownArgs,
};
use ballast::{accounts, instruction};

use super::build;
use crate::address::{self, INSTRUCTIONS};

/// Creates the exchange of `mint`. Signed by `payer` and the program's upgrade authority.
pub fn initialize_exchange(
    payer: &Pubkey,
    upgrade_authority: &Pubkey,
    mint: &Pubkey,
    fee_destination: &Pubkey,
    args: InitializeExchangeArgs,
) -> Instruction {
    let exchange = address::exchange(mint);
    let accounts = accounts::InitializeExchange {
        payer: *payer,
        upgrade_authority: *upgrade_authority,
        program_data: address::program_data(),
        mint: *mint,
        exchange,
        vault: address::vault(&exchange),
        fee_destination: *fee_destination,
        instructions: INSTRUCTIONS,
        token_program: anchor_spl::token::ID,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::InitializeExchange { args }, &[])
}

/// Creates the market of `args.index`, which must be the exchange's next. Signed by `payer` and governance.
pub fn create_market(payer: &Pubkey, governance: &Pubkey, exchange: &Pubkey, args: CreateMarketArgs) -> Instruction {
    let market = address::market(exchange, args.index);
    let accounts = accounts::CreateMarket {
        payer: *payer,
        governance: *governance,
        exchange: *exchange,
        market,
        lp_mint: address::lp_mint(&market),
        instructions: INSTRUCTIONS,
        token_program: anchor_spl::token::ID,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CreateMarket { args }, &[])
}

fn queue_market_accounts(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    market: u16,
    id: u64,
) -> accounts::QueueMarketParameter {
    accounts::QueueMarketParameter {
        payer: *payer,
        proposer: *proposer,
        exchange: *exchange,
        market: address::market(exchange, market),
        proposal: address::proposal(exchange, id),
        instructions: INSTRUCTIONS,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    }
}

fn queue_exchange_accounts(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    id: u64,
) -> accounts::QueueExchangeProposal {
    accounts::QueueExchangeProposal {
        payer: *payer,
        proposer: *proposer,
        exchange: *exchange,
        proposal: address::proposal(exchange, id),
        instructions: INSTRUCTIONS,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    }
}

/// Queues a change of a market's parameter as proposal `id`, which must be the exchange's next. Signed by `payer` and
/// by governance or, for class G1, the committee.
pub fn queue_market_parameter(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    market: u16,
    id: u64,
    args: QueueParameterArgs,
) -> Instruction {
    let accounts = queue_market_accounts(payer, proposer, exchange, market, id);
    build(accounts, instruction::QueueMarketParameter { args }, &[])
}

/// Queues a change of several of a market's parameters, all or none, as proposal `id`. Signed as
/// [`queue_market_parameter`].
pub fn queue_market_batch(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    market: u16,
    id: u64,
    args: QueueBatchArgs,
) -> Instruction {
    let accounts = queue_market_accounts(payer, proposer, exchange, market, id);
    build(accounts, instruction::QueueMarketBatch { args }, &[])
}

/// Queues the end of a market, or its being called off, as proposal `id`. Signed by `payer` and governance.
pub fn queue_wind_down(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    market: u16,
    id: u64,
    args: QueueWindDownArgs,
) -> Instruction {
    let accounts = queue_market_accounts(payer, proposer, exchange, market, id);
    build(accounts, instruction::QueueWindDown { args }, &[])
}

/// Queues a change of a market's oracle as proposal `id`. Signed by `payer` and governance.
pub fn queue_oracle_feed(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    market: u16,
    id: u64,
    args: QueueOracleFeedArgs,
) -> Instruction {
    let accounts = accounts::QueueOracleFeed {
        payer: *payer,
        proposer: *proposer,
        exchange: *exchange,
        market: address::market(exchange, market),
        proposal: address::proposal(exchange, id),
        instructions: INSTRUCTIONS,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::QueueOracleFeed { args }, &[])
}

/// Queues another token account for protocol fees as proposal `id`. Signed by `payer` and governance.
pub fn queue_fee_destination(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    new_destination: &Pubkey,
    id: u64,
    args: QueueFeeDestinationArgs,
) -> Instruction {
    let accounts = accounts::QueueFeeDestination {
        payer: *payer,
        proposer: *proposer,
        exchange: *exchange,
        new_destination: *new_destination,
        proposal: address::proposal(exchange, id),
        instructions: INSTRUCTIONS,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::QueueFeeDestination { args }, &[])
}

/// Queues a change of the list of programs that may own oracle accounts as proposal `id`. Signed by `payer` and governance.
pub fn queue_oracle_program(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    id: u64,
    args: QueueOracleProgramArgs,
) -> Instruction {
    let accounts = queue_exchange_accounts(payer, proposer, exchange, id);
    build(accounts, instruction::QueueOracleProgram { args }, &[])
}

/// Queues a change of several of an exchange's parameters, all or none, as proposal `id`. Signed by `payer` and
/// governance.
pub fn queue_exchange_batch(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    id: u64,
    args: QueueBatchArgs,
) -> Instruction {
    let accounts = queue_exchange_accounts(payer, proposer, exchange, id);
    build(accounts, instruction::QueueExchangeBatch { args }, &[])
}

/// Queues a change of an exchange's parameter as proposal `id`. Signed by `payer` and governance.
pub fn queue_exchange_parameter(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    id: u64,
    args: QueueParameterArgs,
) -> Instruction {
    let accounts = queue_exchange_accounts(payer, proposer, exchange, id);
    build(accounts, instruction::QueueExchangeParameter { args }, &[])
}

/// Queues a new holder of a role as proposal `id`. Signed by `payer` and governance.
pub fn queue_role(payer: &Pubkey, proposer: &Pubkey, exchange: &Pubkey, id: u64, args: QueueRoleArgs) -> Instruction {
    let accounts = queue_exchange_accounts(payer, proposer, exchange, id);
    build(accounts, instruction::QueueRole { args }, &[])
}

/// Ends a pending proposal for good. Signed by the vetoer that it names. A change of an oracle needs its market; for any
/// other proposal it may be left out.
pub fn veto_proposal(vetoer: &Pubkey, exchange: &Pubkey, market: Option<u16>, id: u64) -> Instruction {
    let accounts = accounts::VetoProposal {
        vetoer: *vetoer,
        exchange: *exchange,
        market: market.map(|index| address::market(exchange, index)),
        proposal: address::proposal(exchange, id),
        instructions: INSTRUCTIONS,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::VetoProposal {}, &[])
}

/// Executes a ripe proposal about a market. Signed by anyone.
pub fn execute_market_proposal(executor: &Pubkey, exchange: &Pubkey, market: u16, id: u64) -> Instruction {
    let accounts = accounts::ExecuteMarketProposal {
        executor: *executor,
        exchange: *exchange,
        market: address::market(exchange, market),
        proposal: address::proposal(exchange, id),
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ExecuteMarketProposal {}, &[])
}

/// Executes a ripe proposal about the exchange. Signed by anyone.
pub fn execute_exchange_proposal(executor: &Pubkey, exchange: &Pubkey, id: u64) -> Instruction {
    let accounts = accounts::ExecuteExchangeProposal {
        executor: *executor,
        exchange: *exchange,
        proposal: address::proposal(exchange, id),
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ExecuteExchangeProposal {}, &[])
}

/// Ends a proposal whose time to execute is over. Signed by anyone. The market as for [`veto_proposal`].
pub fn expire_proposal(caller: &Pubkey, exchange: &Pubkey, market: Option<u16>, id: u64) -> Instruction {
    let accounts = accounts::ExpireProposal {
        caller: *caller,
        exchange: *exchange,
        market: market.map(|index| address::market(exchange, index)),
        proposal: address::proposal(exchange, id),
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ExpireProposal {}, &[])
}

/// Closes a proposal that has ended; its rent goes to `rent_to`, who paid it. A `charter` is closed with it: that of a proposal
/// for another exchange. Anyone may, nobody signs. An upgrade's is closed by [`super::close_upgrade`].
pub fn close_proposal(exchange: &Pubkey, id: u64, rent_to: &Pubkey, charter: bool) -> Instruction {
    let proposal = address::proposal(exchange, id);
    let accounts = accounts::CloseProposal {
        exchange: *exchange,
        proposal,
        charter: charter.then(|| address::charter(&proposal)),
        rent_to: *rent_to,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CloseProposal {}, &[])
}

/// Takes governance over, signed by the key that an executed proposal offered it to; or takes that offer back, signed by
/// governance.
pub fn accept_governance(governance: &Pubkey, exchange: &Pubkey) -> Instruction {
    let accounts = accounts::AcceptGovernance {
        governance: *governance,
        exchange: *exchange,
        instructions: INSTRUCTIONS,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::AcceptGovernance {}, &[])
}

/// Dismisses the committee, at once. Signed by governance.
pub fn dismiss_committee(governance: &Pubkey, exchange: &Pubkey) -> Instruction {
    let accounts = accounts::DismissCommittee {
        governance: *governance,
        exchange: *exchange,
        instructions: INSTRUCTIONS,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::DismissCommittee {}, &[])
}

/// Queues a withdrawal of insurance as proposal `id`. Signed by `payer` and governance.
pub fn queue_insurance_withdrawal(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    id: u64,
    args: QueueInsuranceWithdrawalArgs,
) -> Instruction {
    let accounts = queue_exchange_accounts(payer, proposer, exchange, id);
    build(accounts, instruction::QueueInsuranceWithdrawal { args }, &[])
}

/// Executes a ripe withdrawal of insurance from a market's bucket (by index) or the shared fund (`None`), of an exchange
/// with so many markets. Signed by anyone.
pub fn execute_insurance_withdrawal(
    executor: &Pubkey,
    exchange: &Pubkey,
    id: u64,
    from: Option<u16>,
    destination: &Pubkey,
    markets: u16,
) -> Instruction {
    let accounts = accounts::ExecuteInsuranceWithdrawal {
        executor: *executor,
        exchange: *exchange,
        proposal: address::proposal(exchange, id),
        vault: address::vault(exchange),
        destination: *destination,
        token_program: anchor_spl::token::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    let market = |index| AccountMeta {
        pubkey: address::market(exchange, index),
        is_signer: false,
        is_writable: from == Some(index),
    };
    let markets: Vec<AccountMeta> = (0..markets).map(market).collect();
    build(accounts, instruction::ExecuteInsuranceWithdrawal {}, &markets)
}

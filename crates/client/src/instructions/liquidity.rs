//! Instructions of liquidity providers and of those who execute their tickets; insurance and fees.

use anchor_lang::prelude::{Pubkey, system_program};
use anchor_lang::solana_program::instruction::Instruction;
use ballast::{accounts, instruction};

use super::build;
use crate::address;

/// Files a liquidity deposit from `source`, a token account of the owner's. Signed by the owner.
pub fn request_lp_deposit(
    exchange: &Pubkey,
    market: &Pubkey,
    owner: &Pubkey,
    source: &Pubkey,
    amount: u64,
) -> Instruction {
    let accounts = accounts::RequestLpDeposit {
        owner: *owner,
        exchange: *exchange,
        market: *market,
        ticket: address::lp_deposit(market, owner),
        source: *source,
        vault: address::vault(exchange),
        token_program: anchor_spl::token::ID,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::RequestLpDeposit { amount }, &[])
}

/// Executes a filed deposit; the shares go to `destination`, the owner's associated share account. Nobody signs;
/// [`super::by_owner`] allows any account of its own.
pub fn execute_lp_deposit(market: &Pubkey, owner: &Pubkey, destination: &Pubkey) -> Instruction {
    let accounts = accounts::ExecuteLpDeposit {
        market: *market,
        ticket: address::lp_deposit(market, owner),
        owner: *owner,
        lp_mint: address::lp_mint(market),
        destination: *destination,
        token_program: anchor_spl::token::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ExecuteLpDeposit {}, &[])
}

/// Gives a lapsed deposit back to `destination`, the owner's associated token account. Nobody signs;
/// [`super::by_owner`] allows any account of its own.
pub fn lapse_lp_deposit(exchange: &Pubkey, market: &Pubkey, owner: &Pubkey, destination: &Pubkey) -> Instruction {
    let accounts = accounts::LapseLpDeposit {
        exchange: *exchange,
        market: *market,
        ticket: address::lp_deposit(market, owner),
        owner: *owner,
        vault: address::vault(exchange),
        destination: *destination,
        token_program: anchor_spl::token::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::LapseLpDeposit {}, &[])
}

/// Files an exit of `shares` from `source`, a share account of the owner's. Signed by the owner.
pub fn request_lp_withdrawal(market: &Pubkey, owner: &Pubkey, source: &Pubkey, shares: u64) -> Instruction {
    let accounts = accounts::RequestLpWithdrawal {
        owner: *owner,
        market: *market,
        ticket: address::lp_withdrawal(market, owner),
        lp_mint: address::lp_mint(market),
        source: *source,
        token_program: anchor_spl::token::ID,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::RequestLpWithdrawal { shares }, &[])
}

/// Executes a ripe exit into `destination`, the owner's associated token account. Nobody signs in the second half of its
/// hour; [`super::by_owner`] is for the first, and allows any account of its own.
pub fn execute_lp_withdrawal(exchange: &Pubkey, market: &Pubkey, owner: &Pubkey, destination: &Pubkey) -> Instruction {
    let accounts = accounts::ExecuteLpWithdrawal {
        exchange: *exchange,
        market: *market,
        ticket: address::lp_withdrawal(market, owner),
        owner: *owner,
        vault: address::vault(exchange),
        destination: *destination,
        token_program: anchor_spl::token::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ExecuteLpWithdrawal {}, &[])
}

/// Gives a lapsed exit's shares back to `destination`, the owner's associated share account. Nobody signs;
/// [`super::by_owner`] allows any account of its own.
pub fn lapse_lp_withdrawal(market: &Pubkey, owner: &Pubkey, destination: &Pubkey) -> Instruction {
    let accounts = accounts::LapseLpWithdrawal {
        market: *market,
        ticket: address::lp_withdrawal(market, owner),
        owner: *owner,
        lp_mint: address::lp_mint(market),
        destination: *destination,
        token_program: anchor_spl::token::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::LapseLpWithdrawal {}, &[])
}

/// Tops up a market's insurance from `source`, a token account of the payer's. Signed by the payer.
pub fn top_up_market_insurance(
    exchange: &Pubkey,
    market: &Pubkey,
    payer: &Pubkey,
    source: &Pubkey,
    amount: u64,
) -> Instruction {
    let accounts = accounts::TopUpMarketInsurance {
        payer: *payer,
        exchange: *exchange,
        market: *market,
        source: *source,
        vault: address::vault(exchange),
        token_program: anchor_spl::token::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::TopUpMarketInsurance { amount }, &[])
}

/// Tops up the shared insurance fund from `source`, a token account of the payer's. Signed by the payer.
pub fn top_up_shared_insurance(exchange: &Pubkey, payer: &Pubkey, source: &Pubkey, amount: u64) -> Instruction {
    let accounts = accounts::TopUpSharedInsurance {
        payer: *payer,
        exchange: *exchange,
        source: *source,
        vault: address::vault(exchange),
        token_program: anchor_spl::token::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::TopUpSharedInsurance { amount }, &[])
}

/// Sends a market's protocol fees to the exchange's fee destination. Nobody signs.
pub fn collect_fees(exchange: &Pubkey, market: &Pubkey, fee_destination: &Pubkey) -> Instruction {
    let accounts = accounts::CollectFees {
        exchange: *exchange,
        market: *market,
        vault: address::vault(exchange),
        fee_destination: *fee_destination,
        token_program: anchor_spl::token::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CollectFees {}, &[])
}

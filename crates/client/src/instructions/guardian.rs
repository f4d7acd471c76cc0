//! Instructions of the guardian.

use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::instruction::Instruction;
use ballast::instructions::guardian::{EmergencyPauseArgs, ProtectMarketArgs};
use ballast::{accounts, instruction};

use super::build;
use crate::address;

/// Puts a market in reduce-only or lowers its open-interest cap, for a while. Signed by the guardian.
pub fn protect_market(guardian: &Pubkey, exchange: &Pubkey, market: u16, args: ProtectMarketArgs) -> Instruction {
    let accounts = accounts::ProtectMarket {
        guardian: *guardian,
        exchange: *exchange,
        market: address::market(exchange, market),
        instructions: address::INSTRUCTIONS,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ProtectMarket { args }, &[])
}

/// Pauses withdrawals and liquidity exits for so many seconds. Signed by the guardian.
pub fn emergency_pause(guardian: &Pubkey, exchange: &Pubkey, seconds: i64) -> Instruction {
    let accounts = accounts::EmergencyPause {
        guardian: *guardian,
        exchange: *exchange,
        instructions: address::INSTRUCTIONS,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::EmergencyPause { args: EmergencyPauseArgs { seconds } }, &[])
}

//! What the root exchange decides for the program: upgrades, further exchanges.

use anchor_lang::prelude::{Pubkey, system_program};
use anchor_lang::solana_program::bpf_loader_upgradeable;
use anchor_lang::solana_program::instruction::Instruction;
pub use ballast::instructions::governance::QueueNewExchangeArgs as NewExchangeArgs;
pub use ballast::instructions::governance::QueueUpgradeArgs as UpgradeArgs;
use ballast::state::{Charter, Upgrade};
use ballast::{accounts, instruction};
use ballast_engine::constants::UPGRADE_PART;

use super::{build, pubkey};
use crate::address;
use crate::address::INSTRUCTIONS;

const RENT: Pubkey = Pubkey::from_str_const("SysvarRent111111111111111111111111111111111");
const CLOCK: Pubkey = Pubkey::from_str_const("SysvarC1ock11111111111111111111111111111111");

/// A compute-unit limit high enough for [`verify_upgrade`], of which the SHA-256 of a part takes half a unit a byte; that is more
/// than a transaction has by itself.
pub const VERIFY_COMPUTE_LIMIT: u32 = 600_000;

/// Hands the program's upgrade authority to an exchange's timelock address, for good. Signed by the authority.
pub fn take_upgrade_authority(upgrade_authority: &Pubkey, exchange: &Pubkey) -> Instruction {
    let accounts = accounts::TakeUpgradeAuthority {
        upgrade_authority: *upgrade_authority,
        exchange: *exchange,
        timelock: address::timelock(exchange),
        program_data: address::program_data(),
        loader: bpf_loader_upgradeable::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::TakeUpgradeAuthority {}, &[])
}

/// Queues an upgrade to what is in `buffer`, whose authority must be the exchange's timelock address, as proposal `id`,
/// which must be the exchange's next. `refund` gets the buffer's lamports in the end. Signed by `payer` and governance.
pub fn queue_upgrade(
    payer: &Pubkey,
    proposer: &Pubkey,
    exchange: &Pubkey,
    id: u64,
    buffer: &Pubkey,
    refund: &Pubkey,
    args: UpgradeArgs,
) -> Instruction {
    let accounts = accounts::QueueUpgrade {
        payer: *payer,
        proposer: *proposer,
        exchange: *exchange,
        proposal: address::proposal(exchange, id),
        upgrade: address::upgrade(buffer),
        buffer: *buffer,
        refund: *refund,
        timelock: address::timelock(exchange),
        program_data: address::program_data(),
        instructions: INSTRUCTIONS,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::QueueUpgrade { args }, &[])
}

/// What an upgrade's account says when it is queued.
pub fn upgrade_parts(exchange: &Pubkey, proposal: u64, buffer: &Pubkey, refund: &Pubkey) -> Upgrade {
    let key = |address: &Pubkey| ballast_engine::layout::Key(address.to_bytes());
    Upgrade {
        exchange: key(exchange),
        proposal: key(&address::proposal(exchange, proposal)),
        buffer: key(buffer),
        refund: key(refund),
        ..Upgrade::default()
    }
}

/// Hashes the next part of an upgrade's buffer: as many times as it has parts ([`upgrade_parts_left`]), and it is verified, or
/// refused. Signed by anyone. Give it [`VERIFY_COMPUTE_LIMIT`].
pub fn verify_upgrade(verifier: &Pubkey, upgrade: &Upgrade) -> Instruction {
    let exchange = pubkey(&upgrade.exchange);
    let accounts = accounts::VerifyUpgrade {
        verifier: *verifier,
        exchange,
        proposal: pubkey(&upgrade.proposal),
        upgrade: address::upgrade(&pubkey(&upgrade.buffer)),
        buffer: pubkey(&upgrade.buffer),
        timelock: address::timelock(&exchange),
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::VerifyUpgrade {}, &[])
}

/// How often [`verify_upgrade`] is still to be called for a buffer of `length` bytes.
pub fn upgrade_parts_left(upgrade: &Upgrade, length: u64) -> u64 {
    length.saturating_sub(upgrade.check.hashed).div_ceil(UPGRADE_PART)
}

/// Executes an upgrade whose delay is over and whose buffer was verified. Signed by anyone.
pub fn execute_upgrade(executor: &Pubkey, upgrade: &Upgrade) -> Instruction {
    let exchange = pubkey(&upgrade.exchange);
    let accounts = accounts::ExecuteUpgrade {
        executor: *executor,
        exchange,
        proposal: pubkey(&upgrade.proposal),
        upgrade: address::upgrade(&pubkey(&upgrade.buffer)),
        buffer: pubkey(&upgrade.buffer),
        refund: pubkey(&upgrade.refund),
        timelock: address::timelock(&exchange),
        program_data: address::program_data(),
        program_account: address::PROGRAM,
        rent: RENT,
        clock: CLOCK,
        loader: bpf_loader_upgradeable::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ExecuteUpgrade {}, &[])
}

/// Closes what is left of an upgrade whose proposal has ended, and the proposal, whose rent goes to `rent_to`, its payer. Anyone
/// may, nobody signs.
pub fn close_upgrade(upgrade: &Upgrade, rent_to: &Pubkey) -> Instruction {
    let exchange = pubkey(&upgrade.exchange);
    let accounts = accounts::CloseUpgrade {
        exchange,
        proposal: pubkey(&upgrade.proposal),
        upgrade: address::upgrade(&pubkey(&upgrade.buffer)),
        buffer: pubkey(&upgrade.buffer),
        refund: pubkey(&upgrade.refund),
        rent_to: *rent_to,
        timelock: address::timelock(&exchange),
        loader: bpf_loader_upgradeable::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::CloseUpgrade {}, &[])
}

/// Queues the exchange of another mint as proposal `id` of the root exchange, which must be its next. Signed by `payer` and
/// the root exchange's governance.
pub fn queue_new_exchange(
    payer: &Pubkey,
    proposer: &Pubkey,
    root: &Pubkey,
    id: u64,
    args: NewExchangeArgs,
) -> Instruction {
    let proposal = address::proposal(root, id);
    let accounts = accounts::QueueNewExchange {
        payer: *payer,
        proposer: *proposer,
        exchange: *root,
        proposal,
        charter: address::charter(&proposal),
        timelock: address::timelock(root),
        program_data: address::program_data(),
        instructions: INSTRUCTIONS,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::QueueNewExchange { args }, &[])
}

/// Creates the exchange that a proposal is about, once its delay is over. Signed by anyone, who pays.
pub fn execute_new_exchange(executor: &Pubkey, charter: &Charter) -> Instruction {
    let (root, proposal, mint) = (pubkey(&charter.root), pubkey(&charter.proposal), pubkey(&charter.mint));
    let exchange = address::exchange(&mint);
    let accounts = accounts::ExecuteNewExchange {
        executor: *executor,
        root,
        proposal,
        charter: address::charter(&proposal),
        program_data: address::program_data(),
        mint,
        exchange,
        vault: address::vault(&exchange),
        fee_destination: pubkey(&charter.fee_destination),
        token_program: anchor_spl::token::ID,
        system_program: system_program::ID,
        event_authority: address::event_authority(),
        program: address::PROGRAM,
    };
    build(accounts, instruction::ExecuteNewExchange {}, &[])
}

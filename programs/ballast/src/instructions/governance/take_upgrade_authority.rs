//! Hands the program's upgrade authority to an exchange's timelock address, for good: from then on the program changes by
//! that exchange's upgrade proposals alone.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use ballast_engine::Error as EngineError;

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::{BallastError, OnChain, ensure};
use crate::events::UpgradeAuthorityTaken;
use crate::loader::{Timelock, upgrade_authority_in};
use crate::seeds;
use crate::state::Exchange;

/// Accounts of `take_upgrade_authority`.
#[event_cpi]
#[derive(Accounts)]
pub struct TakeUpgradeAuthority<'info> {
    /// The program's upgrade authority.
    pub upgrade_authority: Signer<'info>,
    /// The exchange whose governance shall decide on upgrades.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// CHECK: the exchange's timelock address, by its seeds; holds nothing.
    #[account(seeds = [seeds::TIMELOCK, exchange.key().as_ref()], bump)]
    pub timelock: UncheckedAccount<'info>,
    /// CHECK: the program's own data account, by its address; names the upgrade authority.
    #[account(
        mut, seeds = [crate::ID.as_ref()], bump, seeds::program = bpf_loader_upgradeable::ID,
        owner = bpf_loader_upgradeable::ID @ BallastError::NotUpgradeAuthority,
    )]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader, by its address.
    #[account(address = bpf_loader_upgradeable::ID)]
    pub loader: UncheckedAccount<'info>,
}

impl TakeUpgradeAuthority<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            upgrade_authority,
            exchange,
            timelock: _, // by its seeds
            program_data,
            loader: _,          // by its address
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_version(exchange.load()?.version)?;
        let authority = upgrade_authority_in(&program_data.try_borrow_data()?);
        ensure(authority == Some(upgrade_authority.key()), EngineError::NotUpgradeAuthority)
    }
}

/// See the module.
pub fn handle(ctx: Context<TakeUpgradeAuthority>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let exchange = accounts.exchange.key();
    let timelock = Timelock { account: &accounts.timelock, exchange, bump: ctx.bumps.timelock };
    timelock.take_authority(&accounts.program_data, &accounts.upgrade_authority)?;
    let sequence = accounts.exchange.load_mut()?.next_sequence().on_chain()?;
    let event = UpgradeAuthorityTaken {
        exchange,
        timelock: accounts.timelock.key(),
        from: accounts.upgrade_authority.key(),
        sequence,
    };
    emit(&accounts.event_authority, &event)
}

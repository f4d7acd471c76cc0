//! Upgrades the program when the proposal's delay is over: the loader puts the announced buffer, whose digest
//! was found to be the committed one, in its place.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use ballast_engine::Error as EngineError;
use ballast_engine::governance;

use super::proposals;
use crate::checks::{check_version, is};
use crate::emit::emit;
use crate::error::{BallastError, OnChain, ensure};
use crate::legs;
use crate::loader::{self, Timelock, UpgradeAccounts};
use crate::seeds;
use crate::state::{Exchange, Proposal, Upgrade};

const RENT: Pubkey = pubkey!("SysvarRent111111111111111111111111111111111");
const CLOCK: Pubkey = pubkey!("SysvarC1ock11111111111111111111111111111111");

/// Accounts of `execute_upgrade`.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteUpgrade<'info> {
    /// Anyone; named in the event.
    pub executor: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// What it is about.
    pub upgrade: AccountLoader<'info, Upgrade>,
    /// CHECK: the buffer that it names; its owner, authority and length are checked.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: the address that it names for the buffer's lamports.
    #[account(mut)]
    pub refund: UncheckedAccount<'info>,
    /// CHECK: the exchange's timelock address, by its seeds; holds nothing.
    #[account(seeds = [seeds::TIMELOCK, exchange.key().as_ref()], bump)]
    pub timelock: UncheckedAccount<'info>,
    /// CHECK: the program's own data account, by its address; names the upgrade authority.
    #[account(
        mut, seeds = [crate::ID.as_ref()], bump, seeds::program = bpf_loader_upgradeable::ID,
        owner = bpf_loader_upgradeable::ID @ BallastError::NotTimelock,
    )]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the program's own account, by its address. Writable only because the loader is among the transaction's
    /// accounts: a program that is called is read-only without it.
    #[account(mut, address = crate::ID)]
    pub program_account: UncheckedAccount<'info>,
    /// CHECK: the rent sysvar, by its address.
    #[account(address = RENT)]
    pub rent: UncheckedAccount<'info>,
    /// CHECK: the clock sysvar, by its address.
    #[account(address = CLOCK)]
    pub clock: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader, by its address.
    #[account(address = bpf_loader_upgradeable::ID)]
    pub loader: UncheckedAccount<'info>,
}

impl ExecuteUpgrade<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            executor: _, // signs
            exchange,
            proposal,
            upgrade,
            buffer,
            refund,
            timelock,
            program_data,
            program_account: _, // by its address
            rent: _,            // by its address
            clock: _,           // by its address
            loader: _,          // by its address
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_version(exchange.load()?.version)?;
        proposals::check(&*proposal.load()?, &exchange.key(), &Pubkey::default())?;
        check_upgrade(&*upgrade.load()?, &proposal.key(), buffer.key, refund.key)?;
        loader::check_timelock(program_data, timelock.key)
    }
}

/// That an upgrade is what a proposal is about, with the buffer and the address for its lamports that it names.
pub(super) fn check_upgrade(upgrade: &Upgrade, proposal: &Pubkey, buffer: &Pubkey, refund: &Pubkey) -> Result<()> {
    check_version(upgrade.version)?;
    ensure(is(&upgrade.proposal, proposal), EngineError::WrongExchange)?;
    ensure(is(&upgrade.buffer, buffer), EngineError::BufferInvalid)?;
    ensure(is(&upgrade.refund, refund), EngineError::WrongOwner)
}

/// See the module.
pub fn handle(ctx: Context<ExecuteUpgrade>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let length = loader::length_in(&accounts.buffer, accounts.timelock.key)?;
    let room = loader::room(&accounts.program_data)?;
    let check = accounts.upgrade.load()?.check;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let mut proposal = accounts.proposal.load_mut()?;
        let mut upgrades = exchange.upgrades_so_far().on_chain()?;
        let context = exchange.governance();
        governance::execute_upgrade(&mut proposal.terms, &check, (length, room), &mut upgrades, &context, &now)
            .on_chain()?;
        exchange.upgrades = upgrades.into();
        proposals::end(&mut exchange, accounts.proposal.key(), &proposal, accounts.executor.key())?
    };
    emit(&accounts.event_authority, &event)?;
    let timelock =
        Timelock { account: &accounts.timelock, exchange: accounts.exchange.key(), bump: ctx.bumps.timelock };
    timelock.upgrade(&UpgradeAccounts {
        program_data: &accounts.program_data,
        program: &accounts.program_account,
        buffer: &accounts.buffer,
        refund: &accounts.refund,
        rent: &accounts.rent,
        clock: &accounts.clock,
    })
}

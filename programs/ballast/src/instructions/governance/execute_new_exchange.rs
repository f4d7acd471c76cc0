//! Creates the exchange of another mint when the root exchange's proposal for it is ripe.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use anchor_spl::token::{Mint, Token, TokenAccount};
use ballast_engine::Error as EngineError;
use ballast_engine::governance;

use super::initialize_exchange::{Begin, InitializeExchangeArgs, check_parts};
use super::proposals;
use crate::checks::{address_of, check_version, is};
use crate::emit::emit;
use crate::error::{BallastError, OnChain, ensure};
use crate::legs;
use crate::loader;
use crate::seeds;
use crate::state::{Charter, Exchange, Proposal};

/// Accounts of `execute_new_exchange`.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteNewExchange<'info> {
    /// Anyone; pays the rents and is named in the event.
    #[account(mut)]
    pub executor: Signer<'info>,
    /// The root exchange.
    #[account(mut)]
    pub root: AccountLoader<'info, Exchange>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// What it is about.
    pub charter: AccountLoader<'info, Charter>,
    /// CHECK: the program's own data account, by its address; names the upgrade authority.
    #[account(
        seeds = [crate::ID.as_ref()], bump, seeds::program = bpf_loader_upgradeable::ID,
        owner = bpf_loader_upgradeable::ID @ BallastError::NotTimelock,
    )]
    pub program_data: UncheckedAccount<'info>,
    /// The collateral: a classic SPL Token mint.
    pub mint: Box<Account<'info, Mint>>,
    /// The exchange.
    #[account(
        init, payer = executor, space = Exchange::SPACE,
        seeds = [seeds::EXCHANGE, mint.key().as_ref()], bump,
    )]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The vault.
    #[account(
        init, payer = executor, token::mint = mint, token::authority = exchange,
        seeds = [seeds::VAULT, exchange.key().as_ref()], bump,
    )]
    pub vault: Box<Account<'info, TokenAccount>>,
    /// Where collected protocol fees go.
    pub fee_destination: Box<Account<'info, TokenAccount>>,
    /// The token program.
    pub token_program: Program<'info, Token>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl ExecuteNewExchange<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            executor: _, // signs
            root,
            proposal,
            charter,
            program_data,
            mint,
            exchange,
            vault,
            fee_destination,
            token_program: _,   // by type
            system_program: _,  // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_version(root.load()?.version)?;
        proposals::check(&*proposal.load()?, &root.key(), &Pubkey::default())?;
        let charter = charter.load()?;
        check_version(charter.version)?;
        ensure(is(&charter.proposal, &proposal.key()), EngineError::WrongExchange)?;
        ensure(is(&charter.mint, &mint.key()), EngineError::WrongMint)?;
        ensure(is(&charter.fee_destination, &fee_destination.key()), EngineError::WrongOwner)?;
        let (timelock, _) = Pubkey::find_program_address(&[seeds::TIMELOCK, root.key().as_ref()], &crate::ID);
        loader::check_timelock(program_data, &timelock)?;
        check_parts(mint, &exchange.key(), &vault.key(), fee_destination)
    }

    fn args(&self) -> Result<InitializeExchangeArgs> {
        let charter = self.charter.load()?;
        Ok(InitializeExchangeArgs {
            governance: address_of(&charter.governance),
            committee: address_of(&charter.committee),
            guardian: address_of(&charter.guardian),
            oracle_programs: charter.oracle_programs.map(|program| address_of(&program)),
        })
    }
}

/// See the module.
pub fn handle(ctx: Context<ExecuteNewExchange>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let ended = {
        let mut root = accounts.root.load_mut()?;
        let mut proposal = accounts.proposal.load_mut()?;
        let (upgrades, context) = (root.upgrades_so_far().on_chain()?, root.governance());
        governance::execute_new_exchange(&mut proposal.terms, upgrades, &context, &now).on_chain()?;
        proposals::end(&mut root, accounts.proposal.key(), &proposal, accounts.executor.key())?
    };
    let begin = Begin {
        exchange: &accounts.exchange,
        bump: ctx.bumps.exchange,
        vault: accounts.vault.key(),
        vault_bump: ctx.bumps.vault,
        mint: &accounts.mint,
        fee_destination: accounts.fee_destination.key(),
    };
    let created = begin.fill(&accounts.args()?)?;
    emit(&accounts.event_authority, &ended)?;
    emit(&accounts.event_authority, &created)
}

//! Creates the exchange of a mint. The program's upgrade authority signs: else the first caller would own the exchange
//! of a mint that everybody wants to use.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use anchor_spl::token::{Mint, Token, TokenAccount};
use ballast_engine::governance::Roles;
use ballast_engine::layout;
use ballast_engine::units::Quote;
use ballast_engine::{Error as EngineError, envelope, presets};

use super::durable_nonce;
use crate::checks::key_of;
use crate::emit::emit;
use crate::error::{BallastError, OnChain, ensure};
use crate::events::ExchangeCreated;
use crate::legs;
use crate::loader::upgrade_authority_in;
use crate::seeds;
use crate::state::{ACCOUNT_VERSION, Exchange};

/// Arguments of `initialize_exchange`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitializeExchangeArgs {
    /// Governance: any address, usually a multisig's.
    pub governance: Pubkey,
    /// The committee; the default key for none.
    pub committee: Pubkey,
    /// The guardian.
    pub guardian: Pubkey,
    /// Programs that may own a market's oracle accounts; the default key for an empty place.
    pub oracle_programs: [Pubkey; 2],
}

/// Accounts of `initialize_exchange`.
#[event_cpi]
#[derive(Accounts)]
pub struct InitializeExchange<'info> {
    /// Pays the rents.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The program's upgrade authority.
    pub upgrade_authority: Signer<'info>,
    /// CHECK: the program's own data account, by its address; names the upgrade authority.
    #[account(
        seeds = [crate::ID.as_ref()], bump, seeds::program = bpf_loader_upgradeable::ID,
        owner = bpf_loader_upgradeable::ID @ BallastError::NotUpgradeAuthority,
    )]
    pub program_data: UncheckedAccount<'info>,
    /// The collateral: a classic SPL Token mint.
    pub mint: Box<Account<'info, Mint>>,
    /// The exchange.
    #[account(
        init, payer = payer, space = Exchange::SPACE,
        seeds = [seeds::EXCHANGE, mint.key().as_ref()], bump,
    )]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The vault.
    #[account(
        init, payer = payer, token::mint = mint, token::authority = exchange,
        seeds = [seeds::VAULT, exchange.key().as_ref()], bump,
    )]
    pub vault: Box<Account<'info, TokenAccount>>,
    /// Where collected protocol fees go.
    pub fee_destination: Box<Account<'info, TokenAccount>>,
    /// CHECK: the instructions sysvar, by its address.
    #[account(address = durable_nonce::INSTRUCTIONS)]
    pub instructions: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl InitializeExchange<'_> {
    fn validate(&self, args: &InitializeExchangeArgs) -> Result<()> {
        let Self {
            payer: _, // signs
            upgrade_authority,
            program_data,
            mint,
            exchange,
            vault,
            fee_destination,
            instructions,
            token_program: _,   // by type
            system_program: _,  // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        let authority = upgrade_authority_in(&program_data.try_borrow_data()?);
        ensure(authority == Some(upgrade_authority.key()), EngineError::NotUpgradeAuthority)?;
        check_parts(mint, &exchange.key(), &vault.key(), fee_destination)?;
        check_oracle_programs(&args.oracle_programs)
    }
}

/// The collateral, and where fees go.
pub(super) fn check_parts(
    mint: &Account<'_, Mint>,
    exchange: &Pubkey,
    vault: &Pubkey,
    fee_destination: &Account<'_, TokenAccount>,
) -> Result<()> {
    ensure(Exchange::DECIMALS.contains(&mint.decimals), EngineError::MintUnsupported)?;
    ensure(fee_destination.key() != *vault, EngineError::WrongVault)?;
    ensure(fee_destination.mint == mint.key(), EngineError::WrongMint)?;
    // What the exchange itself owns beside the vault, nobody could ever move.
    ensure(fee_destination.owner != *exchange, EngineError::WrongOwner)
}

/// At least one program, and none twice.
pub(super) fn check_oracle_programs([first, second]: &[Pubkey; 2]) -> Result<()> {
    ensure(*first != Pubkey::default() && first != second, EngineError::OracleProgramInvalid)
}

/// The roles of a new exchange.
pub(super) fn roles_of(args: &InitializeExchangeArgs) -> Result<Roles> {
    Roles::new(key_of(&args.governance), key_of(&args.committee), key_of(&args.guardian)).on_chain()
}

/// A new exchange's accounts.
pub(super) struct Begin<'a, 'info> {
    pub(super) exchange: &'a AccountLoader<'info, Exchange>,
    pub(super) bump: u8,
    pub(super) vault: Pubkey,
    pub(super) vault_bump: u8,
    pub(super) mint: &'a Account<'info, Mint>,
    pub(super) fee_destination: Pubkey,
}

impl Begin<'_, '_> {
    /// Fills a new exchange in.
    pub(super) fn fill(&self, args: &InitializeExchangeArgs) -> Result<ExchangeCreated> {
        let (mint, decimals) = (self.mint.key(), self.mint.decimals);
        let mut params = presets::new_exchange();
        // Presets are for six decimals.
        let scale = 10_u64.checked_pow(u32::from(decimals.saturating_sub(6))).ok_or(BallastError::MathOverflow)?;
        params.outflow_floor = Quote(params.outflow_floor.0.checked_mul(scale).ok_or(BallastError::MathOverflow)?);
        envelope::check_exchange(&params).on_chain()?;
        let roles = roles_of(args)?;
        let mut exchange = self.exchange.load_init()?;
        exchange.version = ACCOUNT_VERSION;
        exchange.bump = self.bump;
        exchange.vault_bump = self.vault_bump;
        exchange.quote_decimals = decimals;
        exchange.mint = key_of(&mint);
        exchange.vault = key_of(&self.vault);
        exchange.oracle_programs = args.oracle_programs.map(|p| layout::Key(p.to_bytes()));
        exchange.fee_destination = key_of(&self.fee_destination);
        exchange.roles = roles;
        exchange.params = params;
        exchange.created_at = legs::now()?.unix;
        exchange.invariant().on_chain()?;
        Ok(ExchangeCreated {
            exchange: self.exchange.key(),
            mint,
            governance: args.governance,
            guardian: args.guardian,
            committee: args.committee,
        })
    }
}

/// See the module.
pub fn handle(ctx: Context<InitializeExchange>, args: InitializeExchangeArgs) -> Result<()> {
    ctx.accounts.validate(&args)?;
    let accounts = &ctx.accounts;
    let begin = Begin {
        exchange: &accounts.exchange,
        bump: ctx.bumps.exchange,
        vault: accounts.vault.key(),
        vault_bump: ctx.bumps.vault,
        mint: &accounts.mint,
        fee_destination: accounts.fee_destination.key(),
    };
    emit(&accounts.event_authority, &begin.fill(&args)?)
}

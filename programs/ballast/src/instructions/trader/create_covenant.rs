//! Binds an owner for the first time.

use anchor_lang::prelude::*;
use ballast_engine::covenant::Limits;
use ballast_engine::units::{Quote, Ratio};

use crate::checks::{check_version, key_of};
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::CovenantChanged;
use crate::legs::now;
use crate::seeds;
use crate::state::{ACCOUNT_VERSION, Covenant, Exchange};

/// Limits as an instruction carries them. Zero is no limit in the first four.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetCovenantArgs {
    /// Notional over equity, millionths.
    pub max_leverage: u64,
    /// Notional, quote.
    pub max_notional: u64,
    /// Loss since the day began (UTC), quote.
    pub daily_loss: u64,
    /// Loss since the highest result, quote.
    pub drawdown: u64,
    /// Reduce-only for so long once tripped, seconds: an hour to 30 days.
    pub cool_down: i64,
    /// Loosening takes so long, seconds: one day to 90.
    pub loosening_delay: i64,
    /// Whether anyone may close what is open once it is tripped, for a market's order fee a position.
    pub auto_close: bool,
}

impl From<SetCovenantArgs> for Limits {
    fn from(args: SetCovenantArgs) -> Self {
        Self {
            max_leverage: Ratio(args.max_leverage),
            max_notional: Quote(args.max_notional),
            daily_loss: Quote(args.daily_loss),
            drawdown: Quote(args.drawdown),
            cool_down: args.cool_down,
            loosening_delay: args.loosening_delay,
            auto_close: args.auto_close.into(),
            reserved: 0,
        }
    }
}

impl CovenantChanged {
    /// The event of a step: limits, and when they are in force.
    pub fn of(covenant: Pubkey, account: &mut Covenant, step: u8, limits: &Limits, at: i64) -> Result<Self> {
        Ok(Self {
            covenant,
            owner: crate::checks::address_of(&account.owner),
            step,
            max_leverage: limits.max_leverage.0,
            max_notional: limits.max_notional.0,
            daily_loss: limits.daily_loss.0,
            drawdown: limits.drawdown.0,
            cool_down: limits.cool_down,
            loosening_delay: limits.loosening_delay,
            auto_close: limits.auto_close != 0,
            at,
            sequence: account.state.next_sequence().on_chain()?,
        })
    }
}

/// Accounts of `create_covenant`.
#[event_cpi]
#[derive(Accounts)]
pub struct CreateCovenant<'info> {
    /// The owner, who pays the rent.
    #[account(mut)]
    pub owner: Signer<'info>,
    /// The exchange.
    pub exchange: AccountLoader<'info, Exchange>,
    /// The covenant: one per owner.
    #[account(
        init,
        payer = owner,
        space = Covenant::SPACE,
        seeds = [seeds::COVENANT, exchange.key().as_ref(), owner.key().as_ref()],
        bump,
    )]
    pub covenant: AccountLoader<'info, Covenant>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl CreateCovenant<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            owner: _, // signs
            exchange,
            covenant: _, // made just now at its address
            system_program: _,
            event_authority: _,
            program: _,
        } = self;
        check_version(exchange.load()?.version)
    }
}

/// See the module.
pub fn handle(ctx: Context<CreateCovenant>, args: SetCovenantArgs) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    let limits = Limits::from(args);
    let event = {
        let covenant = &mut *accounts.covenant.load_init()?;
        covenant.version = ACCOUNT_VERSION;
        covenant.bump = ctx.bumps.covenant;
        covenant.exchange = key_of(&accounts.exchange.key());
        covenant.owner = key_of(accounts.owner.key);
        covenant.state.begin(&limits, &now).on_chain()?;
        CovenantChanged::of(accounts.covenant.key(), covenant, 1, &limits, now.unix)?
    };
    emit(&accounts.event_authority, &event)
}

//! Pauses withdrawals and liquidity exits (class E0): 12 hours at most, once in 14 days.

use anchor_lang::prelude::*;

use crate::checks::{check_version, key_of};
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::EmergencyPaused;
use crate::instructions::governance::durable_nonce;
use crate::legs;
use crate::state::Exchange;

/// Arguments of `emergency_pause`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmergencyPauseArgs {
    /// How long, seconds.
    pub seconds: i64,
}

/// Accounts of `emergency_pause`.
#[event_cpi]
#[derive(Accounts)]
pub struct EmergencyPause<'info> {
    /// The guardian.
    pub guardian: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// CHECK: the instructions sysvar, by its address.
    #[account(address = durable_nonce::INSTRUCTIONS)]
    pub instructions: UncheckedAccount<'info>,
}

impl EmergencyPause<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            guardian,
            exchange,
            instructions,
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        let exchange = exchange.load()?;
        check_version(exchange.version)?;
        exchange.roles.check_guardian(&key_of(guardian.key)).on_chain()
    }
}

/// See the module.
pub fn handle(ctx: Context<EmergencyPause>, args: EmergencyPauseArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;

    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        exchange.emergency.arm(args.seconds, &now).on_chain()?;
        exchange.invariant().on_chain()?;
        EmergencyPaused {
            exchange: accounts.exchange.key(),
            until: exchange.emergency.until,
            sequence: exchange.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}

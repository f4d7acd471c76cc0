//! The second step of a hand-over: the new governance key takes over, or the old one takes the offer back.

use anchor_lang::prelude::*;

use super::durable_nonce;
use crate::checks::{check_version, key_of};
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::GovernanceAccepted;
use crate::state::Exchange;

/// Accounts of `accept_governance`.
#[event_cpi]
#[derive(Accounts)]
pub struct AcceptGovernance<'info> {
    /// The key that was offered the role; or governance, which keeps it.
    pub governance: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// CHECK: the instructions sysvar, by its address.
    #[account(address = durable_nonce::INSTRUCTIONS)]
    pub instructions: UncheckedAccount<'info>,
}

impl AcceptGovernance<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            governance: _, // signs; the engine asks whether it was offered the role
            exchange,
            instructions,
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        check_version(exchange.load()?.version)
    }
}

/// See the module.
pub fn handle(ctx: Context<AcceptGovernance>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        exchange.roles.accept_governance(&key_of(accounts.governance.key)).map(|_| ()).on_chain()?;
        exchange.invariant().on_chain()?;
        GovernanceAccepted {
            exchange: accounts.exchange.key(),
            governance: accounts.governance.key(),
            sequence: exchange.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}

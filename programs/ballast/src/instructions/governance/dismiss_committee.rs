//! Dismisses the committee at once, and with it all that it has queued.

use anchor_lang::prelude::*;

use super::durable_nonce;
use crate::checks::{address_of, check_version, key_of};
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::CommitteeDismissed;
use crate::state::Exchange;

/// Accounts of `dismiss_committee`.
#[event_cpi]
#[derive(Accounts)]
pub struct DismissCommittee<'info> {
    /// Governance.
    pub governance: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// CHECK: the instructions sysvar, by its address.
    #[account(address = durable_nonce::INSTRUCTIONS)]
    pub instructions: UncheckedAccount<'info>,
}

impl DismissCommittee<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            governance: _, // signs; the engine asks whether it is
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
pub fn handle(ctx: Context<DismissCommittee>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let former = exchange.roles.dismiss_committee(&key_of(accounts.governance.key)).on_chain()?;
        exchange.invariant().on_chain()?;
        CommitteeDismissed {
            exchange: accounts.exchange.key(),
            committee: address_of(&former),
            sequence: exchange.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}

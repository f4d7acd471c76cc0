//! Hashes the next part of a proposed upgrade's buffer; with the last one the digest is compared with the committed one.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::governance::{self, state};

use super::proposals;
use crate::checks::{check_version, is};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::UpgradeHashed;
use crate::loader;
use crate::seeds;
use crate::state::{Exchange, Proposal, Upgrade};

/// Accounts of `verify_upgrade`.
#[event_cpi]
#[derive(Accounts)]
pub struct VerifyUpgrade<'info> {
    /// Anyone; named in the event if the proposal ends.
    pub verifier: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// What it is about.
    #[account(mut)]
    pub upgrade: AccountLoader<'info, Upgrade>,
    /// CHECK: the buffer that it names; its owner, authority and bytes are checked.
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: the exchange's timelock address, by its seeds; holds nothing.
    #[account(seeds = [seeds::TIMELOCK, exchange.key().as_ref()], bump)]
    pub timelock: UncheckedAccount<'info>,
}

impl VerifyUpgrade<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            verifier: _, // signs
            exchange,
            proposal,
            upgrade,
            buffer,
            timelock: _,        // by its seeds
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        check_version(exchange.load()?.version)?;
        proposals::check(&*proposal.load()?, &exchange.key(), &Pubkey::default())?;
        let upgrade = upgrade.load()?;
        check_version(upgrade.version)?;
        ensure(is(&upgrade.proposal, &proposal.key()), EngineError::WrongExchange)?;
        ensure(is(&upgrade.buffer, buffer.key), EngineError::BufferInvalid)
    }
}

/// See the module.
pub fn handle(ctx: Context<VerifyUpgrade>) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let (hashed, ended) = {
        let mut exchange = accounts.exchange.load_mut()?;
        let mut proposal = accounts.proposal.load_mut()?;
        let check = &mut accounts.upgrade.load_mut()?.check;
        let code = loader::code_in(&accounts.buffer, accounts.timelock.key)?;
        governance::verify_upgrade(&mut proposal.terms, check, &code, loader::sha256).on_chain()?;
        let hashed = UpgradeHashed {
            exchange: accounts.exchange.key(),
            proposal: accounts.proposal.key(),
            buffer: accounts.buffer.key(),
            hashed: check.hashed,
            length: proposal.terms.new_value,
            chain: check.chain.0,
            verified: check.verified != 0,
            sequence: exchange.next_sequence().on_chain()?,
        };
        let differs = proposal.terms.state == state::REFUSED;
        let by = accounts.verifier.key();
        let mut end = || proposals::end(&mut exchange, accounts.proposal.key(), &proposal, by);
        (hashed, if differs { Some(end()?) } else { None })
    };
    emit(&accounts.event_authority, &hashed)?;
    ended.map_or(Ok(()), |ended| emit(&accounts.event_authority, &ended))
}

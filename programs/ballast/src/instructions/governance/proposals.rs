//! What all instructions on proposals share.

use anchor_lang::prelude::*;
use ballast_engine::governance::{ProposalTerms, Request, check_pending};
use ballast_engine::layout;
use ballast_engine::{Error as EngineError, governance::state};

use crate::checks::{address_of, check_version, is, key_of};
use crate::error::{BallastError, OnChain, ensure};
use crate::events::{ProposalEnded, ProposalQueued};
use crate::state::{ACCOUNT_VERSION, Exchange, Proposal};

/// What a proposer signs besides the change.
pub(super) fn request(signer: &Pubkey, version: u32, last_slot: u64, rationale: [u8; 32]) -> Request {
    Request { signer: key_of(signer), version, last_slot, rationale: layout::Key(rationale) }
}

/// A proposal of this exchange, for that market (the default key: for the exchange itself).
pub(super) fn check(proposal: &Proposal, exchange: &Pubkey, market: &Pubkey) -> Result<()> {
    check_version(proposal.version)?;
    ensure(is(&proposal.exchange, exchange), EngineError::WrongExchange)?;
    ensure(is(&proposal.market, market), EngineError::WrongMarket)
}

/// Where a new proposal is written.
pub(super) struct Place<'a, 'info> {
    pub(super) proposal: &'a AccountLoader<'info, Proposal>,
    pub(super) bump: u8,
    pub(super) exchange: Pubkey,
    pub(super) market: Pubkey,
    pub(super) proposer: Pubkey,
}

/// Writes a new proposal and counts it.
pub(super) fn open(exchange: &mut Exchange, place: &Place<'_, '_>, terms: ProposalTerms) -> Result<ProposalQueued> {
    let proposer = exchange.roles.proposer(&key_of(&place.proposer)).on_chain()?;
    check_pending(proposer, exchange.pending_proposals).on_chain()?;
    let id = exchange.next_proposal;
    exchange.next_proposal = id.checked_add(1).ok_or(BallastError::MathOverflow)?;
    exchange.pending_proposals = exchange.pending_proposals.checked_add(1).ok_or(BallastError::MathOverflow)?;
    exchange.invariant().on_chain()?;

    let mut proposal = place.proposal.load_init()?;
    proposal.version = ACCOUNT_VERSION;
    proposal.bump = place.bump;
    proposal.id = id;
    proposal.exchange = key_of(&place.exchange);
    proposal.market = key_of(&place.market);
    proposal.proposer = key_of(&place.proposer);
    proposal.terms = terms;
    Ok(ProposalQueued {
        exchange: place.exchange,
        proposal: place.proposal.key(),
        id,
        market: place.market,
        kind: terms.kind,
        parameter: terms.parameter,
        old_value: terms.old_value,
        new_value: terms.new_value,
        new_key: address_of(&terms.new_key),
        version: terms.version,
        class: terms.class,
        eta: terms.eta,
        expires_at: terms.expires_at,
        rationale: terms.rationale.0,
        sequence: exchange.next_sequence().on_chain()?,
    })
}

/// Counts a proposal that has just ended.
pub(super) fn end(exchange: &mut Exchange, address: Pubkey, proposal: &Proposal, by: Pubkey) -> Result<ProposalEnded> {
    let terms = &proposal.terms;
    ensure(terms.state != state::PENDING, EngineError::InvariantBroken)?;
    exchange.pending_proposals = exchange.pending_proposals.checked_sub(1).ok_or(BallastError::InvariantBroken)?;
    exchange.invariant().on_chain()?;
    Ok(ProposalEnded {
        exchange: address_of(&proposal.exchange),
        proposal: address,
        id: proposal.id,
        state: terms.state,
        market: address_of(&proposal.market),
        kind: terms.kind,
        parameter: terms.parameter,
        old_value: terms.old_value,
        new_value: terms.new_value,
        new_key: address_of(&terms.new_key),
        by,
        sequence: exchange.next_sequence().on_chain()?,
    })
}

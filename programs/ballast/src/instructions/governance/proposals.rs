//! What all instructions on proposals share.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::governance::{Batch, ProposalTerms, Request, check_guardian_pending, check_pending};
use ballast_engine::governance::{kind, state};
use ballast_engine::layout;

use crate::checks::{address_of, check_market, check_version, is, key_of};
use crate::error::{BallastError, OnChain, ensure};
use crate::events::{BatchChanges, ProposalEnded, ProposalQueued};
use crate::state::{ACCOUNT_VERSION, Exchange, Market, Proposal};

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
    /// The market, with its index; `None` for what concerns the exchange.
    pub(super) market: Option<(Pubkey, u16)>,
    pub(super) proposer: Pubkey,
    /// Who pays its rent.
    pub(super) payer: Pubkey,
}

/// Writes a new proposal of a single change and counts it.
pub(super) fn open(exchange: &mut Exchange, place: &Place<'_, '_>, terms: ProposalTerms) -> Result<ProposalQueued> {
    open_batch(exchange, place, terms, &Batch::default())
}

/// The same for a batch.
pub(super) fn open_batch(
    exchange: &mut Exchange,
    place: &Place<'_, '_>,
    terms: ProposalTerms,
    batch: &Batch,
) -> Result<ProposalQueued> {
    let proposer = exchange.roles.proposer(&key_of(&place.proposer)).on_chain()?;
    let (market, index) = place.market.unwrap_or_default();
    let of_market = match place.market {
        Some(_) => Some(u64::from(*exchange.pending_of(index).on_chain()?)),
        None => None,
    };
    check_pending(proposer, exchange.pending_proposals, of_market).on_chain()?;
    check_guardian_pending(terms.kind, exchange.guardian_pending.into()).on_chain()?;
    if place.market.is_some() {
        let count = exchange.pending_of(index).on_chain()?;
        *count = count.checked_add(1).ok_or(BallastError::MathOverflow)?;
    }
    let id = exchange.next_proposal;
    exchange.next_proposal = id.checked_add(1).ok_or(BallastError::MathOverflow)?;
    exchange.pending_proposals = exchange.pending_proposals.checked_add(1).ok_or(BallastError::MathOverflow)?;
    if terms.kind == kind::GUARDIAN {
        exchange.guardian_pending = exchange.guardian_pending.checked_add(1).ok_or(BallastError::MathOverflow)?;
    }
    exchange.invariant().on_chain()?;

    let mut proposal = place.proposal.load_init()?;
    proposal.version = ACCOUNT_VERSION;
    proposal.bump = place.bump;
    proposal.id = id;
    proposal.exchange = key_of(&place.exchange);
    proposal.market = key_of(&market);
    proposal.market_index = index;
    proposal.proposer = key_of(&place.proposer);
    proposal.payer = key_of(&place.payer);
    proposal.terms = terms;
    proposal.batch = *batch;
    Ok(ProposalQueued {
        exchange: place.exchange,
        proposal: place.proposal.key(),
        id,
        market,
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
    if terms.kind == kind::GUARDIAN {
        exchange.guardian_pending = exchange.guardian_pending.checked_sub(1).ok_or(BallastError::InvariantBroken)?;
    }
    if proposal.market != layout::Key::default() {
        let count = exchange.pending_of(proposal.market_index).on_chain()?;
        *count = count.checked_sub(1).ok_or(BallastError::InvariantBroken)?;
    }
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

/// The changes of a batch that was queued or executed, for its event.
pub(super) fn batch_changes(
    exchange: &mut Exchange,
    (address, exchange_address): (Pubkey, Pubkey),
    (id, state): (u64, u8),
    batch: &Batch,
) -> Result<BatchChanges> {
    Ok(BatchChanges {
        exchange: exchange_address,
        proposal: address,
        id,
        state,
        count: u8::try_from(batch.count).map_err(|_| BallastError::MathOverflow)?,
        parameters: batch.changes.map(|c| c.parameter),
        old_values: batch.changes.map(|c| c.old_value),
        new_values: batch.changes.map(|c| c.new_value),
        versions: batch.changes.map(|c| c.version),
        sequence: exchange.next_sequence().on_chain()?,
    })
}

/// The same of a proposal that has just been executed.
pub(super) fn executed_batch(exchange: &mut Exchange, address: Pubkey, proposal: &Proposal) -> Result<BatchChanges> {
    let addresses = (address, address_of(&proposal.exchange));
    batch_changes(exchange, addresses, (proposal.id, proposal.terms.state), &proposal.batch)
}

/// The market that a proposal which is ended without being executed is about. A change of the oracle needs it: the market
/// waits for it no longer.
pub(super) fn check_ended_market(
    proposal: &Proposal,
    market: Option<&AccountLoader<'_, Market>>,
    exchange: &Pubkey,
) -> Result<()> {
    match market {
        Some(market) => {
            check_market(&*market.load()?, exchange)?;
            ensure(is(&proposal.market, &market.key()), EngineError::WrongMarket)
        }
        None => ensure(proposal.terms.kind != kind::ORACLE_FEED, EngineError::WrongMarket),
    }
}

/// Tells the market that a proposal has ended without being executed.
pub(super) fn release_market(id: u64, market: Option<&AccountLoader<'_, Market>>) -> Result<()> {
    let Some(market) = market else { return Ok(()) };
    let state = &mut market.load_mut()?.state;
    state.governed.end_feed_change(id);
    state.invariant().on_chain()
}

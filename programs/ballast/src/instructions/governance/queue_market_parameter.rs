//! Queues a change of a market: a parameter, several at once, or its end.

use anchor_lang::prelude::*;
use ballast_engine::constants::BATCH;
use ballast_engine::governance::{self, Asked};

use super::durable_nonce;
use super::proposals::{self, Place};
use crate::checks::{check_market, check_version};
use crate::emit::emit;
use crate::error::OnChain;
use crate::legs;
use crate::seeds;
use crate::state::{Exchange, Market, Proposal};

/// Arguments of `queue_market_parameter` and `queue_exchange_parameter`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueParameterArgs {
    /// Parameter id (docs/PARAMETERS.md).
    pub parameter: u16,
    /// New value.
    pub new_value: u64,
    /// The parameter's version that this is made for.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

/// One change of a batch.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchAsk {
    /// Parameter id (docs/PARAMETERS.md).
    pub parameter: u16,
    /// The parameter's version that this is made for.
    pub version: u32,
    /// New value.
    pub new_value: u64,
}

/// Arguments of `queue_market_batch` and `queue_exchange_batch`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct QueueBatchArgs {
    /// From two to eight changes, in the order of their ids.
    pub changes: Vec<BatchAsk>,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

/// Arguments of `queue_wind_down`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueWindDownArgs {
    /// Whether the market is to be wound down, or that called off.
    pub closing: bool,
    /// The version that this is made for: how often that was switched.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

impl QueueBatchArgs {
    /// What is asked for, as the engine wants it.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let ask = |a: &BatchAsk| Asked { parameter: a.parameter, version: a.version, new_value: a.new_value };
        // One too many is enough to be refused for.
        self.changes.iter().take(BATCH.saturating_add(1)).map(ask).collect()
    }
}

/// Accounts of `queue_market_parameter`, `queue_market_batch` and `queue_wind_down`.
#[event_cpi]
#[derive(Accounts)]
pub struct QueueMarketParameter<'info> {
    /// Pays the proposal's rent: a multisig proposes by the signature of an address that holds nothing.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Governance, or the committee for what it may change.
    pub proposer: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    pub market: AccountLoader<'info, Market>,
    /// The proposal, with the exchange's next number.
    #[account(
        init, payer = payer, space = Proposal::SPACE,
        seeds = [seeds::PROPOSAL, exchange.key().as_ref(), exchange.load()?.next_proposal.to_le_bytes().as_ref()], bump,
    )]
    pub proposal: AccountLoader<'info, Proposal>,
    /// CHECK: the instructions sysvar, by its address.
    #[account(address = durable_nonce::INSTRUCTIONS)]
    pub instructions: UncheckedAccount<'info>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl<'info> QueueMarketParameter<'info> {
    fn validate(&self) -> Result<()> {
        let Self {
            payer: _,    // signs
            proposer: _, // signs; the engine asks which role it has
            exchange,
            market,
            proposal: _, // created here
            instructions,
            system_program: _,  // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        check_version(exchange.load()?.version)?;
        check_market(&*market.load()?, &exchange.key())
    }

    fn place(&self, bump: u8, index: u16) -> Place<'_, 'info> {
        Place {
            proposal: &self.proposal,
            bump,
            exchange: self.exchange.key(),
            market: Some((self.market.key(), index)),
            proposer: self.proposer.key(),
            payer: self.payer.key(),
        }
    }
}

/// See the module.
pub fn handle(ctx: Context<QueueMarketParameter>, args: QueueParameterArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let market = accounts.market.load()?;
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let terms = governance::queue_market_parameter(
            &market.state,
            &exchange.governance(),
            &request,
            args.parameter,
            args.new_value,
            &now,
        )
        .on_chain()?;
        proposals::open(&mut exchange, &accounts.place(ctx.bumps.proposal, market.state.index), terms)?
    };
    emit(&accounts.event_authority, &event)
}

/// See the module.
pub fn handle_batch(ctx: Context<QueueMarketParameter>, args: QueueBatchArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let (queued, changes) = {
        let market = accounts.market.load()?;
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, 0, args.last_slot, args.rationale);
        let (terms, batch) =
            governance::queue_market_batch(&market.state, &exchange.governance(), &request, &args.asked(), &now)
                .on_chain()?;
        let place = accounts.place(ctx.bumps.proposal, market.state.index);
        let queued = proposals::open_batch(&mut exchange, &place, terms, &batch)?;
        let addresses = (queued.proposal, queued.exchange);
        let changes = proposals::batch_changes(&mut exchange, addresses, (queued.id, terms.state), &batch)?;
        (queued, changes)
    };
    emit(&accounts.event_authority, &queued)?;
    emit(&accounts.event_authority, &changes)
}

/// See the module.
pub fn handle_wind_down(ctx: Context<QueueMarketParameter>, args: QueueWindDownArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let market = accounts.market.load()?;
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let terms = governance::queue_wind_down(&market.state, args.closing, &exchange.governance(), &request, &now)
            .on_chain()?;
        proposals::open(&mut exchange, &accounts.place(ctx.bumps.proposal, market.state.index), terms)?
    };
    emit(&accounts.event_authority, &event)
}

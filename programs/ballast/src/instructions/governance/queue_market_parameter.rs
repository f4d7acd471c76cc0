//! Queues a change of a market: a parameter, or its oracle feed.

use anchor_lang::prelude::*;
use ballast_engine::governance;
use ballast_engine::layout;

use super::durable_nonce;
use super::proposals::{self, Place};
use crate::checks::{check_market, check_version};
use crate::emit::emit;
use crate::error::{BallastError, OnChain};
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

/// Arguments of `queue_oracle_feed`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOracleFeedArgs {
    /// New feed id.
    pub new_feed: [u8; 32],
    /// The market's feed version that this is made for.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

/// Accounts of `queue_market_parameter` and `queue_oracle_feed`.
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

    fn place(&self, bump: u8) -> Place<'_, 'info> {
        Place {
            proposal: &self.proposal,
            bump,
            exchange: self.exchange.key(),
            market: self.market.key(),
            proposer: self.proposer.key(),
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
        proposals::open(&mut exchange, &accounts.place(ctx.bumps.proposal), terms)?
    };
    emit(&accounts.event_authority, &event)
}

/// See the module.
pub fn handle_oracle_feed(ctx: Context<QueueMarketParameter>, args: QueueOracleFeedArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let market = accounts.market.load()?;
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let version = u32::try_from(market.feed_version).map_err(|_| BallastError::MathOverflow)?;
        let terms = governance::queue_oracle_feed(
            &market.feed_id,
            version,
            layout::Key(args.new_feed),
            &exchange.governance(),
            &request,
            &now,
        )
        .on_chain()?;
        proposals::open(&mut exchange, &accounts.place(ctx.bumps.proposal), terms)?
    };
    emit(&accounts.event_authority, &event)
}

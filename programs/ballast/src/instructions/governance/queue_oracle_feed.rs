//! Queues a change of a market's oracle. From then on until it ends the market is in reduce-only.

use anchor_lang::prelude::*;
use ballast_engine::governance;
use ballast_engine::layout;

use super::durable_nonce;
use super::proposals::{self, Place};
use crate::checks::{check_market, check_version};
use crate::emit::emit;
use crate::error::OnChain;
use crate::legs;
use crate::seeds;
use crate::state::{Exchange, Market, Proposal};

/// Arguments of `queue_oracle_feed`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOracleFeedArgs {
    /// New feed id.
    pub new_feed: [u8; 32],
    /// The place, in the exchange's list, of the program that owns the feed's accounts.
    pub program: u16,
    /// The market's feed version that this is made for.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

/// Accounts of `queue_oracle_feed`.
#[event_cpi]
#[derive(Accounts)]
pub struct QueueOracleFeed<'info> {
    /// Pays the proposal's rent: a multisig proposes by the signature of an address that holds nothing.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Governance.
    pub proposer: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    #[account(mut)]
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

impl QueueOracleFeed<'_> {
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
}

/// See the module.
pub fn handle(ctx: Context<QueueOracleFeed>, args: QueueOracleFeedArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let mut market = accounts.market.load_mut()?;
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let terms = governance::queue_oracle_feed(
            &market.state,
            &market.feeds(&exchange).on_chain()?,
            (layout::Key(args.new_feed), args.program),
            &exchange.governance(),
            &request,
            &now,
        )
        .on_chain()?;
        let place = Place {
            proposal: &accounts.proposal,
            bump: ctx.bumps.proposal,
            exchange: accounts.exchange.key(),
            market: Some((accounts.market.key(), market.state.index)),
            proposer: accounts.proposer.key(),
            payer: accounts.payer.key(),
        };
        let event = proposals::open(&mut exchange, &place, terms)?;
        market.state.governed.begin_feed_change(event.id, &terms).on_chain()?;
        market.state.invariant().on_chain()?;
        event
    };
    emit(&accounts.event_authority, &event)
}

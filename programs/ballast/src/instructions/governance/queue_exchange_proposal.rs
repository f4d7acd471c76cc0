//! Queues a change of the exchange: a parameter, several at once, who holds a role, which programs own oracles, or a
//! withdrawal of insurance.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::governance::{self, SHARED_FUND};

use super::durable_nonce;
use super::proposals::{self, Place};
use super::queue_market_parameter::{QueueBatchArgs, QueueParameterArgs};
use crate::checks::{check_version, is, key_of};
use crate::emit::emit;
use crate::error::{BallastError, OnChain, ensure};
use crate::legs;
use crate::seeds;
use crate::state::{Exchange, Proposal};

/// Arguments of `queue_role`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueRoleArgs {
    /// Which role: 2 governance, 3 the committee, 4 the guardian.
    pub kind: u8,
    /// Who shall have it.
    pub new_key: Pubkey,
    /// The role's version that this is made for.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

/// Arguments of `queue_insurance_withdrawal`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueInsuranceWithdrawalArgs {
    /// The market whose bucket it is from, by index; 65535 for the shared fund.
    pub from: u16,
    /// Amount.
    pub amount: u64,
    /// The token account that it goes to.
    pub destination: Pubkey,
    /// How many withdrawals there were.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

/// Arguments of `queue_oracle_program`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOracleProgramArgs {
    /// The place in the list: 0 or 1.
    pub place: u16,
    /// The program; the default key empties the place.
    pub program: Pubkey,
    /// The list's version that this is made for.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: [u8; 32],
}

/// Accounts of `queue_exchange_parameter`, `queue_exchange_batch`, `queue_role`, `queue_oracle_program` and
/// `queue_insurance_withdrawal`.
#[event_cpi]
#[derive(Accounts)]
pub struct QueueExchangeProposal<'info> {
    /// Pays the proposal's rent: a multisig proposes by the signature of an address that holds nothing.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Governance.
    pub proposer: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
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

impl<'info> QueueExchangeProposal<'info> {
    fn validate(&self) -> Result<()> {
        let Self {
            payer: _,    // signs
            proposer: _, // signs; the engine asks which role it has
            exchange,
            proposal: _, // created here
            instructions,
            system_program: _,  // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        check_version(exchange.load()?.version)
    }

    fn place(&self, bump: u8) -> Place<'_, 'info> {
        Place {
            proposal: &self.proposal,
            bump,
            exchange: self.exchange.key(),
            market: None,
            proposer: self.proposer.key(),
            payer: self.payer.key(),
        }
    }
}

/// See the module.
pub fn handle_parameter(ctx: Context<QueueExchangeProposal>, args: QueueParameterArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let terms = governance::queue_exchange_parameter(
            &exchange.param_log,
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
pub fn handle_role(ctx: Context<QueueExchangeProposal>, args: QueueRoleArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let new_key = key_of(&args.new_key);
        let terms = governance::queue_role(args.kind, new_key, &exchange.governance(), &request, &now).on_chain()?;
        proposals::open(&mut exchange, &accounts.place(ctx.bumps.proposal), terms)?
    };
    emit(&accounts.event_authority, &event)
}

/// See the module.
pub fn handle_insurance(ctx: Context<QueueExchangeProposal>, args: QueueInsuranceWithdrawalArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        ensure(args.from == SHARED_FUND || args.from < exchange.markets, EngineError::WrongMarket)?;
        // Out of the vault into itself it would belong to nobody.
        ensure(!is(&exchange.vault, &args.destination), EngineError::WrongVault)?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let version = u32::try_from(exchange.insurance.withdrawals).map_err(|_| BallastError::MathOverflow)?;
        let (destination, context) = (key_of(&args.destination), exchange.governance());
        let QueueInsuranceWithdrawalArgs { from, amount, .. } = args;
        let terms =
            governance::queue_insurance_withdrawal(from, amount, destination, version, &context, &request, &now)
                .on_chain()?;
        proposals::open(&mut exchange, &accounts.place(ctx.bumps.proposal), terms)?
    };
    emit(&accounts.event_authority, &event)
}

/// See the module.
pub fn handle_batch(ctx: Context<QueueExchangeProposal>, args: QueueBatchArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let (queued, changes) = {
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, 0, args.last_slot, args.rationale);
        let (log, context) = (&exchange.param_log, exchange.governance());
        let (terms, batch) =
            governance::queue_exchange_batch(log, &context, &request, &args.asked(), &now).on_chain()?;
        let place = accounts.place(ctx.bumps.proposal);
        let queued = proposals::open_batch(&mut exchange, &place, terms, &batch)?;
        let addresses = (queued.proposal, queued.exchange);
        let changes = proposals::batch_changes(&mut exchange, addresses, (queued.id, terms.state), &batch)?;
        (queued, changes)
    };
    emit(&accounts.event_authority, &queued)?;
    emit(&accounts.event_authority, &changes)
}

/// See the module.
pub fn handle_oracle_program(ctx: Context<QueueExchangeProposal>, args: QueueOracleProgramArgs) -> Result<()> {
    ctx.accounts.validate()?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;
    let event = {
        let mut exchange = accounts.exchange.load_mut()?;
        let request = proposals::request(accounts.proposer.key, args.version, args.last_slot, args.rationale);
        let terms = governance::queue_oracle_program(
            &exchange.oracle_programs,
            exchange.oracle_version,
            (args.place, key_of(&args.program)),
            &exchange.governance(),
            &request,
            &now,
        )
        .on_chain()?;
        proposals::open(&mut exchange, &accounts.place(ctx.bumps.proposal), terms)?
    };
    emit(&accounts.event_authority, &event)
}

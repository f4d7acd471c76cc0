//! Creates a market, closed: its open-interest cap and funding start at zero and are raised by proposals.

use anchor_lang::prelude::*;
use anchor_spl::token::{Mint, Token};
use ballast_engine::constants::{CROSS_MARKETS, MAX_MARKETS};
use ballast_engine::layout;
use ballast_engine::params::{MARKET_ROWS, MarketParams};
use ballast_engine::tier::Tier;
use ballast_engine::{Error as EngineError, Fault, Now, envelope};

use super::durable_nonce;
use crate::checks::{check_version, key_of};
use crate::emit::emit;
use crate::error::{BallastError, OnChain, ensure, refuse};
use crate::events::MarketCreated;
use crate::legs;
use crate::seeds;
use crate::state::{ACCOUNT_VERSION, Exchange, Market};

/// Decimals of liquidity shares.
pub const LP_DECIMALS: u8 = 6;
/// Most decimals of a base atom.
pub const MAX_BASE_DECIMALS: u8 = 9;

/// Arguments of `create_market`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct CreateMarketArgs {
    /// Its index: the exchange's number of markets so far.
    pub index: u16,
    /// Tier: 0 A, 1 B, 2 C.
    pub tier: u8,
    /// Decimals of a base atom.
    pub base_decimals: u8,
    /// The oracle's feed id.
    pub feed_id: [u8; 32],
    /// The program that owns the oracle's accounts: one of the exchange's.
    pub oracle_program: Pubkey,
    /// All parameters, by id (docs/PARAMETERS.md).
    pub params: Vec<u64>,
}

/// Accounts of `create_market`.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: CreateMarketArgs)]
pub struct CreateMarket<'info> {
    /// Pays the rents.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Governance.
    pub governance: Signer<'info>,
    /// The exchange.
    #[account(mut)]
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    #[account(
        init, payer = payer, space = Market::SPACE,
        seeds = [seeds::MARKET, exchange.key().as_ref(), &args.index.to_le_bytes()], bump,
    )]
    pub market: AccountLoader<'info, Market>,
    /// The mint of its liquidity shares.
    #[account(
        init, payer = payer, mint::decimals = LP_DECIMALS, mint::authority = market,
        seeds = [seeds::LP_MINT, market.key().as_ref()], bump,
    )]
    pub lp_mint: Box<Account<'info, Mint>>,
    /// CHECK: the instructions sysvar, by its address.
    #[account(address = durable_nonce::INSTRUCTIONS)]
    pub instructions: UncheckedAccount<'info>,
    /// The token program.
    pub token_program: Program<'info, Token>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl CreateMarket<'_> {
    fn validate(&self, args: &CreateMarketArgs, now: &Now) -> Result<()> {
        let Self {
            payer: _, // signs
            governance,
            exchange,
            market: _,  // created here
            lp_mint: _, // created here
            instructions,
            token_program: _,   // by type
            system_program: _,  // by type
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        let exchange = exchange.load()?;
        check_version(exchange.version)?;
        exchange.roles.check_governance(&key_of(governance.key)).on_chain()?;
        exchange.check_market_due(now).on_chain()?;
        limit(args.index == exchange.markets, EngineError::WrongMarket, exchange.markets, args.index)?;
        limit(u64::from(args.index) < MAX_MARKETS, EngineError::MarketLimit, MAX_MARKETS, args.index)?;
        // Claims of cross accounts' markets on one another are kept in a table of so many.
        let cross = Tier::from_byte(args.tier).on_chain()?.rules().cross;
        let fits = !cross || usize::from(args.index) < CROSS_MARKETS;
        limit(fits, EngineError::MarketLimit, CROSS_MARKETS, args.index)?;
        limit(
            args.base_decimals <= MAX_BASE_DECIMALS,
            EngineError::PriceScaleTooCoarse,
            MAX_BASE_DECIMALS,
            args.base_decimals,
        )?;
        ensure(args.feed_id != [0; 32], EngineError::PriceMalformed)?;
        let oracle = key_of(&args.oracle_program);
        let named = oracle != layout::Key::default() && exchange.oracle_programs.contains(&oracle);
        ensure(named, EngineError::OracleProgramInvalid)
    }
}

fn limit(holds: bool, error: EngineError, limit: impl TryInto<i64>, value: impl TryInto<i64>) -> Result<()> {
    if holds { Ok(()) } else { Err(refuse(Fault::new(error, limit, value))) }
}

/// The parameters of a list by id; a new market's caps and rates are zero (section 11, *From nothing*).
fn parameters(values: &[u64]) -> Result<MarketParams> {
    limit(values.len() == MARKET_ROWS.len(), EngineError::ParameterUnknown, MARKET_ROWS.len(), values.len())?;
    let mut params = MarketParams::default();
    for (id, value) in (0_u16..).zip(values) {
        params.set(id, *value).on_chain()?;
    }
    for zero in [params.open_interest_cap.0, params.funding_velocity, params.holding_fee.0, params.insurance_week_cap.0]
    {
        limit(zero == 0, EngineError::CrossCheckBroken, 0, zero)?;
    }
    Ok(params)
}

/// See the module.
pub fn handle(ctx: Context<CreateMarket>, args: CreateMarketArgs) -> Result<()> {
    let now = legs::now()?;
    ctx.accounts.validate(&args, &now)?;
    let accounts = &ctx.accounts;
    let params = parameters(&args.params)?;
    {
        let mut exchange = accounts.exchange.load_mut()?;
        let tier = Tier::from_byte(args.tier).on_chain()?;
        envelope::check_market(&params, tier, params.maintenance_margin, exchange.quote_decimals).on_chain()?;
        exchange.markets = exchange.markets.checked_add(1).ok_or(BallastError::MathOverflow)?;
        exchange.market_created_at = now.unix;
        exchange.invariant().on_chain()?;

        let mut market = accounts.market.load_init()?;
        market.version = ACCOUNT_VERSION;
        market.bump = ctx.bumps.market;
        market.lp_mint_bump = ctx.bumps.lp_mint;
        market.exchange = key_of(&accounts.exchange.key());
        market.feed_id = layout::Key(args.feed_id);
        market.oracle_program = key_of(&args.oracle_program);
        market.lp_mint = key_of(&accounts.lp_mint.key());
        market.state.params = params;
        market.state.begin(args.index, args.tier, args.base_decimals, exchange.quote_decimals, now.unix).on_chain()?;
        market.state.invariant().on_chain()?;
    }
    emit(
        &accounts.event_authority,
        &MarketCreated { market: accounts.market.key(), index: args.index, tier: args.tier, feed_id: args.feed_id },
    )
}

//! Puts a market in reduce-only or lowers its open-interest cap, for a while and within the guardian's budget. It ends
//! by itself, and nobody is ever kept from reducing.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::units::Quote;

use crate::checks::{check_market, check_version, key_of};
use crate::emit::emit;
use crate::error::{OnChain, ensure};
use crate::events::MarketProtected;
use crate::instructions::governance::durable_nonce;
use crate::legs;
use crate::state::{Exchange, Market};

/// Arguments of `protect_market`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectMarketArgs {
    /// Increases are refused for so long from now, seconds; 0 leaves that alone.
    pub reduce_only_seconds: i64,
    /// The lower open-interest cap.
    pub cap: u64,
    /// It holds for so long from now, seconds; 0 leaves the cap alone.
    pub cap_seconds: i64,
}

/// Accounts of `protect_market`.
#[event_cpi]
#[derive(Accounts)]
pub struct ProtectMarket<'info> {
    /// The guardian.
    pub guardian: Signer<'info>,
    /// The exchange.
    pub exchange: AccountLoader<'info, Exchange>,
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// CHECK: the instructions sysvar, by its address.
    #[account(address = durable_nonce::INSTRUCTIONS)]
    pub instructions: UncheckedAccount<'info>,
}

impl ProtectMarket<'_> {
    fn validate(&self, args: &ProtectMarketArgs) -> Result<()> {
        let Self {
            guardian,
            exchange,
            market,
            instructions,
            event_authority: _, // by its seeds
            program: _,         // by the event's own call
        } = self;
        durable_nonce::refuse(instructions)?;
        ensure(args.reduce_only_seconds != 0 || args.cap_seconds != 0, EngineError::AmountZero)?;
        check_market(&*market.load()?, &exchange.key())?;
        let exchange = exchange.load()?;
        check_version(exchange.version)?;
        exchange.roles.check_guardian(&key_of(guardian.key)).on_chain()
    }
}

/// See the module.
pub fn handle(ctx: Context<ProtectMarket>, args: ProtectMarketArgs) -> Result<()> {
    ctx.accounts.validate(&args)?;
    let accounts = &ctx.accounts;
    let now = legs::now()?;

    let event = {
        let mut market = accounts.market.load_mut()?;
        let state = &mut market.state;
        if args.reduce_only_seconds != 0 {
            state.overlay.arm_reduce_only(args.reduce_only_seconds, &now).on_chain()?;
        }
        if args.cap_seconds != 0 {
            state.overlay.arm_cap(Quote(args.cap), args.cap_seconds, &now).on_chain()?;
        }
        state.invariant().on_chain()?;
        MarketProtected {
            market: accounts.market.key(),
            reduce_only_until: state.overlay.reduce_only_until,
            cap: state.overlay.cap.0,
            cap_until: state.overlay.cap_until,
            market_sequence: state.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}

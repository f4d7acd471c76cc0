//! Places an order. It fills later, at a price that nobody could choose, by anyone's call.

use anchor_lang::prelude::*;
use ballast_engine::constants::MAX_ORDERS;
use ballast_engine::order::OrderTerms;
use ballast_engine::price::Status;
use ballast_engine::units::{Price, Quote, SignedBase};
use ballast_engine::{Error as EngineError, Fault, Now, liquidation};

use crate::checks::{check_version, key_of};
use crate::emit::emit;
use crate::error::{OnChain, ensure, refuse};
use crate::events::OrderPlaced;
use crate::fill::{base_of, check_mode};
use crate::legs::now;
use crate::seeds;
use crate::state::order::opposite;
use crate::state::{ACCOUNT_VERSION, Market, Order, Subaccount};

/// Arguments of `place_order`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug)]
pub struct PlaceOrderArgs {
    /// Signed size in base atoms: positive buys, negative sells.
    pub size: i64,
    /// The worst average price accepted; 0 for none.
    pub limit: u64,
    /// It may not fill after this, Unix seconds; 0 for never.
    pub expires_at: i64,
    /// Whether it may only reduce; its size is then capped at the position.
    pub reduce_only: bool,
}

/// Accounts of `place_order`.
#[event_cpi]
#[derive(Accounts)]
pub struct PlaceOrder<'info> {
    /// The owner, who pays the order's rent and gets it back.
    #[account(mut)]
    pub owner: Signer<'info>,
    /// The market.
    pub market: AccountLoader<'info, Market>,
    /// The subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// The order; its number is the subaccount's `next_order`.
    #[account(
        init,
        payer = owner,
        space = Order::SPACE,
        seeds = [seeds::ORDER, subaccount.key().as_ref(), &subaccount.load()?.state.next_order.to_le_bytes()],
        bump,
    )]
    pub order: AccountLoader<'info, Order>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl PlaceOrder<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            owner, // signs
            market,
            subaccount,
            order: _, // made just now at its address
            system_program: _,
            event_authority: _,
            program: _,
        } = self;
        let (market, subaccount) = (market.load()?, subaccount.load()?);
        check_version(market.version)?;
        subaccount.check_owner(owner.key)?;
        subaccount.check(&market.exchange)
    }

    /// Refuses at once what could never fill. What may have changed by then is judged again at the fill.
    fn check_terms(&self, args: &PlaceOrderArgs, now: &Now) -> Result<()> {
        let (market, subaccount) = (self.market.load()?, self.subaccount.load()?);
        let (market, account) = (&market.state, &subaccount.state);
        ensure(args.size != 0, EngineError::AmountZero)?;
        base_of(args.size.unsigned_abs())?;
        if args.expires_at != 0 && args.expires_at <= now.unix {
            return Err(refuse(Fault::new(EngineError::OrderExpired, args.expires_at, now.unix)));
        }
        if account.orders >= MAX_ORDERS {
            return Err(refuse(Fault::new(EngineError::OrderLimit, MAX_ORDERS, account.orders)));
        }
        check_mode(market, account)?;
        let reduces = opposite(account, market.index, args.size > 0).is_some();
        ensure(reduces || !args.reduce_only, EngineError::PositionNotFound)?;
        if !args.reduce_only {
            ensure(!liquidation::is_flagged(account, now), EngineError::FlaggedAccount)?;
        }
        if reduces { Ok(()) } else { market.check_open(now).on_chain() }
    }
}

/// See the module.
pub fn handle(ctx: Context<PlaceOrder>, args: PlaceOrderArgs) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let now = now()?;
    accounts.check_terms(&args, &now)?;
    let (placed_at, order_fee, good) = {
        let state = &accounts.market.load()?.state;
        state.check_not_settled().on_chain()?;
        let good = state.status(&now).on_chain()? == Status::Good;
        (state.price.placement(&now).on_chain()?, state.params.order_fee, good)
    };
    let event = {
        let account = &mut accounts.subaccount.load_mut()?.state;
        // A flagged account's collateral pays its liquidation, not orders, and while a price is bad nothing leaves an
        // account with positions: their reductions put nothing aside.
        let free = liquidation::is_flagged(account, &now) || !(good || account.is_flat());
        let fee = if free { Quote::ZERO } else { order_fee };
        if fee > account.collateral {
            return Err(refuse(Fault::new(EngineError::InsufficientCollateral, account.collateral.0, fee.0)));
        }
        account.collateral = account.collateral.less(fee).on_chain()?;
        let order = &mut *accounts.order.load_init()?;
        order.version = ACCOUNT_VERSION;
        order.bump = ctx.bumps.order;
        order.id = account.next_order;
        order.subaccount = key_of(&accounts.subaccount.key());
        order.market = key_of(&accounts.market.key());
        order.rent_to = key_of(accounts.owner.key);
        order.terms = OrderTerms {
            size: SignedBase(args.size),
            limit: Price(args.limit),
            placed_at,
            expires_at: args.expires_at,
            placed_slot: now.slot,
            fee,
            reduce_only: args.reduce_only.into(),
            ..OrderTerms::default()
        };
        account.next_order = account.next_order.checked_add(1).ok_or(EngineError::MathOverflow.into()).on_chain()?;
        account.orders = account.orders.checked_add(1).ok_or(EngineError::MathOverflow.into()).on_chain()?;
        OrderPlaced {
            order: accounts.order.key(),
            subaccount: accounts.subaccount.key(),
            market: accounts.market.key(),
            size: args.size,
            limit: args.limit,
            placed_at: order.terms.placed_at,
            fee: fee.0,
            account_sequence: account.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}

//! Places an order. It fills later, at a price that nobody could choose, by anyone's call.

use anchor_lang::prelude::*;
use ballast_engine::Now;
use ballast_engine::delegate::{ORDERS, TRADE};
use ballast_engine::order::OrderTerms;
use ballast_engine::trade::check_mode;
use ballast_engine::units::{Price, SignedBase};

use crate::checks::{check_version, key_of};
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::OrderPlaced;
use crate::legs::now;
use crate::seeds;
use crate::state::{ACCOUNT_VERSION, Market, Order, Subaccount};

/// Arguments of `place_order`. Prices are 0 where there is none; which kind has which is in the engine's `OrderTerms`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, Default)]
pub struct PlaceOrderArgs {
    /// Signed size in base atoms: positive buys, negative sells.
    pub size: i64,
    /// The worst average price accepted; 0 for none.
    pub limit: u64,
    /// It may not fill after this, Unix seconds; 0 for never.
    pub expires_at: i64,
    /// Whether it may only reduce the position that is open now; its size is then capped at what is left of it.
    pub reduce_only: bool,
    /// Kind: 0 market, 1 limit, 2 stop entry, 3 exit (stop-loss, take-profit, trailing stop, or two of these).
    pub kind: u8,
    /// A stop entry's price.
    pub trigger: u64,
    /// An exit's stop; of an entry, the stop of what it opens.
    pub stop: u64,
    /// An exit's target; of an entry, the target of what it opens.
    pub target: u64,
    /// Distance at which that stop follows the best price.
    pub trail: u64,
}

impl PlaceOrderArgs {
    /// What a delegate must be allowed to place it.
    fn permissions(&self) -> u64 {
        let (market, rests) = (self.kind == 0, self.stop != 0 || self.target != 0 || self.trail != 0);
        match (market, rests) {
            (true, false) => TRADE,
            (true, true) => TRADE | ORDERS,
            (false, _) => ORDERS,
        }
    }

    /// The terms, as far as they are the owner's to say.
    pub fn terms(&self) -> OrderTerms {
        OrderTerms {
            size: SignedBase(self.size),
            limit: Price(self.limit),
            expires_at: self.expires_at,
            kind: self.kind,
            reduce_only: self.reduce_only.into(),
            trigger: Price(self.trigger),
            stop: Price(self.stop),
            target: Price(self.target),
            trail: Price(self.trail),
            ..OrderTerms::default()
        }
    }
}

/// Accounts of `place_order`.
#[event_cpi]
#[derive(Accounts)]
pub struct PlaceOrder<'info> {
    /// The owner or a delegate who may place it; pays the order's rent and gets it back.
    #[account(mut)]
    pub trader: Signer<'info>,
    /// The market.
    pub market: AccountLoader<'info, Market>,
    /// The subaccount.
    #[account(mut)]
    pub subaccount: AccountLoader<'info, Subaccount>,
    /// The order; its number is the subaccount's `next_order`.
    #[account(
        init,
        payer = trader,
        space = Order::SPACE,
        seeds = [seeds::ORDER, subaccount.key().as_ref(), &subaccount.load()?.state.next_order.to_le_bytes()],
        bump,
    )]
    pub order: AccountLoader<'info, Order>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

impl PlaceOrder<'_> {
    /// Whether it is a delegate that places it.
    fn validate(&self, args: &PlaceOrderArgs, now: &Now) -> Result<bool> {
        let Self {
            trader, // signs
            market,
            subaccount,
            order: _, // made just now at its address
            system_program: _,
            event_authority: _,
            program: _,
        } = self;
        let (market, subaccount) = (market.load()?, subaccount.load()?);
        check_version(market.version)?;
        let delegated = subaccount.check_trader(trader.key, args.permissions(), now)?;
        subaccount.check(&market.exchange)?;
        Ok(delegated)
    }
}

/// See the module.
pub fn handle(ctx: Context<PlaceOrder>, args: PlaceOrderArgs) -> Result<()> {
    let accounts = &*ctx.accounts;
    let now = now()?;
    let delegated = accounts.validate(&args, &now)?;
    let event = {
        let market = &accounts.market.load()?.state;
        let subaccount = &mut *accounts.subaccount.load_mut()?;
        let account = &mut subaccount.state;
        check_mode(market, account).on_chain()?;
        let order = &mut *accounts.order.load_init()?;
        order.version = ACCOUNT_VERSION;
        order.bump = ctx.bumps.order;
        order.id = account.next_order;
        order.subaccount = key_of(&accounts.subaccount.key());
        order.market = key_of(&accounts.market.key());
        order.rent_to = key_of(accounts.trader.key);
        order.terms = args.terms();
        order.terms.place(market, account, &now).on_chain()?;
        if delegated {
            subaccount.delegate.spend(order.terms.fees(market).on_chain()?, &now).on_chain()?;
        }
        OrderPlaced {
            order: accounts.order.key(),
            subaccount: accounts.subaccount.key(),
            market: accounts.market.key(),
            kind: args.kind,
            size: args.size,
            reduce_only: args.reduce_only,
            limit: args.limit,
            trigger: args.trigger,
            stop: args.stop,
            target: args.target,
            trail: args.trail,
            placed_at: order.terms.placed_at,
            expires_at: args.expires_at,
            fee: order.terms.fee.0,
            account_sequence: account.next_sequence().on_chain()?,
        }
    };
    emit(&accounts.event_authority, &event)
}

//! Stores an oracle's price and accrues funding. The one instruction that reads an oracle account.

use anchor_lang::prelude::*;

use crate::checks::check_version;
use crate::emit::emit;
use crate::error::OnChain;
use crate::events::PriceUpdated;
use crate::legs::now;
use crate::oracle;
use crate::state::Market;

/// Accounts of `update_market`.
#[event_cpi]
#[derive(Accounts)]
pub struct UpdateMarket<'info> {
    /// The market.
    #[account(mut)]
    pub market: AccountLoader<'info, Market>,
    /// The oracle's account.
    /// CHECK: `oracle::read` checks owner, discriminator, verification and feed.
    pub oracle: UncheckedAccount<'info>,
}

impl UpdateMarket<'_> {
    fn validate(&self) -> Result<()> {
        let Self {
            market,
            oracle: _, // read against the market in the handler
            event_authority: _,
            program: _,
        } = self;
        check_version(market.load()?.version)
    }
}

/// See the module.
pub fn handle(ctx: Context<UpdateMarket>) -> Result<()> {
    let accounts = &*ctx.accounts;
    accounts.validate()?;
    let key = accounts.market.key();
    let market = &mut *accounts.market.load_mut()?;
    let raw = oracle::read(&accounts.oracle, &market.oracle_program, &market.feed_id)?;
    let state = &mut market.state;
    // Whoever posts first must not make a victim's bundled transaction fail: what is not newer is a no-op.
    // And so is any price of a settled market, whose own stands.
    if raw.publish_time <= state.price.last.publish_time || state.is_settled() {
        return Ok(());
    }
    let now = now()?;
    let update = raw.scaled(state.base_decimals, state.quote_decimals, &now).on_chain()?;
    let Some(status) = state.take_update(update, raw.posted_slot, &now).on_chain()? else {
        return Ok(());
    };
    // Funding for the time up to this price is charged at it; an invalid one charges nothing and skips the time.
    let accrued = state.accrue_in(status, !status.is_valid(), &now).on_chain()?;
    let event = PriceUpdated {
        market: key,
        price: state.price.last.price.0,
        conf: state.price.last.conf.0,
        publish_time: state.price.last.publish_time,
        ema5: state.price.ema5.0,
        ema60: state.price.ema60.0,
        status: status as u8,
        seconds: accrued.seconds,
        rate: accrued.rate.0,
        long_index: state.long.index.get(),
        short_index: state.short.index.get(),
        longs_owe: accrued.longs_owe.0,
        shorts_owe: accrued.shorts_owe.0,
        market_sequence: state.next_sequence().on_chain()?,
    };
    emit(&accounts.event_authority, &event)
}

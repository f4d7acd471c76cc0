//! At what price an order or an immediate reduction fills.

use super::OrderTerms;
use crate::Now;
use crate::account::AccountState;
use crate::constants::REDUCE_SPREAD;
use crate::error::{Error, Fault, Result, ensure};
use crate::market::MarketState;
use crate::price::Status;
use crate::units::{Price, Ratio, Rounding};

impl OrderTerms {
    /// The mark at which it fills: the worse for the owner of its observation and the current price (published no
    /// earlier), worsened by `max(conf, move per slot × age)`, the larger confidence of the two. A stop whose observation is
    /// gone or too old fills as an immediate reduction does ([`reduce_mark`]). The fill's premium comes on top. Refuses a
    /// stale or silent price only: whether an increase's price is good is [`check_increase`](crate::trade::check_increase)'s
    /// to test.
    ///
    /// # Errors
    /// That of a [`dead`](Self::dead) order; [`Error::OrderNotTriggered`], [`Error::OrderTooEarly`], [`Error::OrderLapsed`], [`Error::PriceStale`],
    /// [`Error::PriceSilent`], [`Error::MathOverflow`].
    pub fn mark(&self, market: &MarketState, account: &AccountState, now: &Now) -> Result<Price> {
        if let Some(error) = self.dead(market, account, now) {
            return Err(error.into());
        }
        let seen = self.ready(market, now)?;
        let buys = self.buys();
        let Some(seen) = seen else { return reduce_mark(market, buys, now) };
        market.check_present(now)?;
        // Published no earlier: it was stored no earlier, and only newer updates are stored.
        let current = current(market, buys, now)?;
        let worse = if buys { seen.price.max(current) } else { seen.price.min(current) };
        worse.moved(buys, seen.conf.max(market.price.last.conf).max(market.drift(now)?))
    }
}

/// The current price for a fill. While a jump is unconfirmed it is the worse of that and EMA5: what liquidates nobody must
/// not be paid out either.
fn current(market: &MarketState, buy: bool, now: &Now) -> Result<Price> {
    let (last, average) = (market.price.last.price, market.price.ema5);
    if market.status(now)? != Status::Jumped {
        return Ok(last);
    }
    Ok(if buy { last.max(average) } else { last.min(average) })
}

/// The mark of an immediate reduction: worsened by `max(10 bps, conf, move per slot × age)`, rounded up; `buy` closes a
/// short. An uncertain price so counts at its worse end. A stale or silent one is refused.
///
/// # Errors
/// [`Error::PriceStale`], [`Error::PriceSilent`], [`Error::MathOverflow`].
pub fn reduce_mark(market: &MarketState, buy: bool, now: &Now) -> Result<Price> {
    market.check_not_settled()?;
    market.check_present(now)?;
    let (price, last) = (current(market, buy, now)?, &market.price.last);
    let share = market.drift_share(market.age_slots(now))?.max(Ratio(REDUCE_SPREAD));
    price.moved(buy, price.portion(share, Rounding::Up)?.max(last.conf))
}

/// Whether a fill's average price is within the caller's limit (0: none).
///
/// # Errors
/// [`Error::SlippageExceeded`] with the limit and the price.
pub fn check_limit(price: Price, buy: bool, limit: Price) -> Result<()> {
    let within = limit.is_zero() || if buy { price <= limit } else { price >= limit };
    ensure(within, Fault::new(Error::SlippageExceeded, limit.0, price.0))
}

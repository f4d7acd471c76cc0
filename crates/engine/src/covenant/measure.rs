//! What one subaccount is worth to its owner's covenant.

use super::Seen;
use crate::Now;
use crate::account::Position;
use crate::constants::{CHOSEN_SECONDS, LOOK_MEMORY_SECONDS, POSITIONS};
use crate::error::{Error, Result};
use crate::margin;
use crate::market::{MarketState, Observation};
use crate::math::some;
use crate::price::Status;
use crate::units::{Quote, Rounding, SignedQuote, product_to_quote};

/// What a subaccount is worth to its owner's covenant: collateral, profits, losses and claims in full, at the last price.
/// Where that is not good, at the valid price moved in the account's favour, as in a liquidation: a bad price trips nobody.
/// Nor does it let money out, or raise a mark: hence `doubt` and `gap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Measure {
    /// Equity.
    pub equity: SignedQuote,
    /// Notional at the last valid prices, rounded up.
    pub notional: Quote,
    /// What the equity is above that at the last valid prices; zero where all are good.
    pub doubt: Quote,
    /// What the positions are worth more at the last valid prices than at the five-minute averages, where those are worse for
    /// the account: base atoms times price.
    above: u128,
    /// Open positions.
    pub positions: u64,
    /// Whether all their prices are good.
    pub good: bool,
    /// Oldest publish time of the prices it rests on, but for those older than ten seconds; the largest number where there is
    /// none.
    pub(super) oldest: i64,
    /// The same but for those older than twenty minutes.
    pub(super) told: i64,
    /// Newest publish time of the prices it rests on; 0 where it rests on none.
    pub(super) newest: i64,
    /// The prices stored in their markets.
    pub(super) prices: [Seen; POSITIONS],
}

impl Measure {
    /// Of an account without positions, claims or holdbacks.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn new(collateral: Quote) -> Result<Self> {
        Ok(Self {
            equity: collateral.signed()?,
            notional: Quote::ZERO,
            doubt: Quote::ZERO,
            above: 0,
            positions: 0,
            good: true,
            oldest: i64::MAX,
            told: i64::MAX,
            newest: 0,
            prices: [Seen::default(); POSITIONS],
        })
    }

    /// Adds what a slot in use holds in its market. Funding is owed at the market's stored index.
    ///
    /// # Errors
    /// [`Error::MathOverflow`]; [`Error::PriceMissing`] where the market never had a valid price.
    pub fn add(&mut self, market: &MarketState, position: &Position, now: &Now) -> Result<()> {
        let picked_up;
        let position = if market.is_deleveraged(position) {
            picked_up = market.effective(position)?;
            &picked_up
        } else {
            position
        };
        self.equity = self.equity.plus(margin::set_aside(market, position)?)?;
        if !position.is_open() {
            return Ok(());
        }
        let good = market.status(now)? == Status::Good;
        let rests_on = if good { &market.price.last } else { &market.price.valid };
        let price = if good { rests_on.price } else { market.favourable_price(position.size.is_long(), now)? };
        let result = margin::unrealised(position, price)?;
        self.equity = self.equity.plus(result.less(margin::funding_owed(market, position)?)?)?;
        if !good {
            let doubt = result.less(margin::unrealised(position, rests_on.price)?)?.gain();
            self.doubt = self.doubt.plus(doubt)?;
        }
        if !market.is_settled() {
            // In a settled market nothing is at risk any more, and its price is nobody's choice.
            self.notional = self.notional.plus(position.base().value(rests_on.price, Rounding::Up)?)?;
            let (average, long) = (market.price.ema5, position.size.is_long());
            let (better, worse) = if long { (rests_on.price, average) } else { (average, rests_on.price) };
            let by = u128::from(better.0.saturating_sub(worse.0));
            // Two words' product cannot leave 128 bits.
            self.above = some(self.above.checked_add(u128::from(position.base().0).wrapping_mul(by)))?;
        }
        self.good &= good;
        self.see(rests_on, now);
        let last = &market.price.last;
        let seen = Seen { market: some(u64::from(market.index).checked_add(1))?, publish_time: last.publish_time };
        let place = usize::try_from(self.positions).map_err(|_| Error::MathOverflow)?;
        *self.prices.get_mut(place).ok_or(Error::MathOverflow)? = seen;
        self.positions = some(self.positions.checked_add(1))?;
        Ok(())
    }

    /// What the equity is above the lower end of what one price can make of it: at each last valid price, or the five-minute
    /// average where that is worse for the account. Rounded up.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(super) fn gap(&self) -> Result<Quote> {
        self.doubt.plus(product_to_quote(self.above, Rounding::Up)?)
    }

    /// Notes when a price that it rests on was published.
    fn see(&mut self, price: &Observation, now: &Now) {
        self.newest = self.newest.max(price.publish_time);
        if now.unix.saturating_sub(price.publish_time) <= CHOSEN_SECONDS {
            self.oldest = self.oldest.min(price.publish_time);
        }
        if now.unix.saturating_sub(price.publish_time) <= LOOK_MEMORY_SECONDS {
            self.told = self.told.min(price.publish_time);
        }
    }
}

//! Prices (section 4): what an oracle update must be, how it is stored, what state it is in, what it may be used for.

use crate::Now;
use crate::error::{Error, Result};
use crate::market::{MarketState, Observation, PriceState};
use crate::tier::TierRules;
use crate::units::{Price, Ratio};

/// The state of a price: the first row of section 4's table that fits, top down. Ordered from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Older than an hour, or never there.
    Silent,
    /// Older than 25 slots (or 10 s), or from before the last restart.
    Stale,
    /// Confidence over the tier's limit.
    Uncertain,
    /// Off EMA5 by more than half of the maintenance margin and unconfirmed; or the averages are younger than 5 min.
    Jumped,
    /// Older than 10 slots (or 4 s), or confidence over half the limit.
    Ageing,
    /// None of these.
    Good,
}

/// An oracle update as it was read, in the oracle's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawUpdate {
    /// Price mantissa.
    pub price: i64,
    /// Confidence mantissa.
    pub conf: u64,
    /// Decimal exponent of both.
    pub exponent: i32,
    /// Publish time, Unix seconds.
    pub publish_time: i64,
    /// Publish time of the update before, Unix seconds.
    pub prev_publish_time: i64,
    /// Slot in which it was posted.
    pub posted_slot: u64,
}

impl Status {
    /// Whether it is good or ageing.
    pub fn is_valid(self) -> bool {
        self >= Self::Ageing
    }
    /// The error that tells why something needs a better price than this.
    pub fn refusal(self) -> Error {
        match self {
            Self::Silent => Error::PriceSilent,
            Self::Uncertain => Error::PriceUncertain,
            Self::Jumped => Error::PriceUnconfirmed,
            Self::Stale | Self::Ageing | Self::Good => Error::PriceStale,
        }
    }
}

impl RawUpdate {
    /// In the market's scale: price rounded down, confidence up.
    ///
    /// # Errors
    /// [`Error::PriceMalformed`] (sign, exponent outside −18..=0, ahead of the clock, posted at or before the last restart,
    /// `prev_publish_time` after `publish_time`); [`Error::PriceScaleTooCoarse`] below `PRICE_MIN` or above `PRICE_MAX`.
    pub fn scaled(&self, base_decimals: u8, quote_decimals: u8, now: &Now) -> Result<Observation> {
        let _ = (base_decimals, quote_decimals, now);
        Err(Error::MathOverflow.into())
    }
}

impl PriceState {
    /// Stores an update; `false` for one that is not newer than the stored one, which changes nothing.
    /// `band` is half of the maintenance margin. Moves averages, ring, confirmation and the valid price.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn store(
        &mut self,
        update: Observation,
        posted_slot: u64,
        band: Ratio,
        rules: &TierRules,
        now: &Now,
    ) -> Result<bool> {
        let _ = (update, posted_slot, band, rules, now);
        Err(Error::MathOverflow.into())
    }
}

impl MarketState {
    /// Half of the maintenance margin: what a price may be off EMA5 before it must be confirmed.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn band(&self) -> Result<Ratio> {
        Err(Error::MathOverflow.into())
    }
    /// The state of the stored price now.
    ///
    /// # Errors
    /// [`Error::MathOverflow`], [`Error::TierInvalid`].
    pub fn status(&self, now: &Now) -> Result<Status> {
        let _ = now;
        Err(Error::MathOverflow.into())
    }
    /// The stored price's age in slots: the worse of slots since posting and seconds since publishing at 400 ms a slot.
    pub fn age_slots(&self, now: &Now) -> u64 {
        let _ = now;
        0
    }
    /// What the price may have moved since: move per slot × age, of the price, rounded up; at most the initial margin.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn drift(&self, now: &Now) -> Result<Price> {
        let _ = now;
        Err(Error::MathOverflow.into())
    }
    /// The maintenance test's price of a direction: price ± min(conf, `conf_credit`), the trader's favourable end.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn maintenance_price(&self, long: bool) -> Result<Price> {
        let _ = long;
        Err(Error::MathOverflow.into())
    }
    /// The price for initial margin and withdrawals: min(price − conf, EMA60) for longs, max(price + conf, EMA60) for shorts.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn initial_price(&self, long: bool) -> Result<Price> {
        let _ = long;
        Err(Error::MathOverflow.into())
    }
    /// What a position that is not good counts at in a flag, liquidation or resolution: the valid price moved in the
    /// account's favour by min(initial margin, move per slot × age of the valid price).
    ///
    /// # Errors
    /// [`Error::MathOverflow`]; [`Error::PriceMissing`] where there never was a valid price.
    pub fn favourable_price(&self, long: bool, now: &Now) -> Result<Price> {
        let _ = (long, now);
        Err(Error::MathOverflow.into())
    }
    /// The penalised price of a silent market (section 4): the worst of price, EMA5 and EMA60 for closing that
    /// direction, worsened by the initial margin.
    ///
    /// # Errors
    /// [`Error::MathOverflow`]; [`Error::PriceMissing`].
    pub fn silent_exit_price(&self, long: bool) -> Result<Price> {
        let _ = long;
        Err(Error::MathOverflow.into())
    }
}

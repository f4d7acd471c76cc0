//! Prices (section 4): what an oracle update must be, how it is stored, what state it is in, what it may be used for.

mod store;

use crate::Now;
use crate::constants::{
    AGEING_SLOTS, FUTURE_TOLERANCE, GOOD_SLOTS, PRICE_MAX, PRICE_MIN, RATIO_SCALE, SILENT_SECONDS, SLOT_MS, WARM_UP,
};
use crate::error::{Error, Fault, Result, ensure};
use crate::market::{MarketState, Observation, PriceState};
use crate::math::{div_wide, short_product};
use crate::tier::TierRules;
use crate::units::{Price, Ratio, Rounding};

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

/// Powers of ten that fit 64 bits: with a larger one every price is out of range.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut i = 1;
    #[allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "checked by the compiler: it is a const"
    )]
    while i < 20 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// The product of two 64-bit numbers, which cannot leave 128 bits. To compare two fractions without dividing.
#[inline]
fn wide(a: u64, b: u64) -> u128 {
    u128::from(a).wrapping_mul(u128::from(b))
}

/// A part in millionths, and a share of a whole, to compare the two without dividing.
#[inline]
fn millionths(part: Price, whole: Price, share: Ratio) -> (u128, u128) {
    match (short_product(part.0, RATIO_SCALE), short_product(whole.0, share.0)) {
        (Some(part), Some(whole)) => (u128::from(part), u128::from(whole)),
        _ => (wide(part.0, RATIO_SCALE), wide(whole.0, share.0)),
    }
}

/// Whether a price is off an average by more than this share of the average.
#[inline]
pub(crate) fn beyond(price: Price, average: Price, share: Ratio) -> bool {
    let (distance, most) = millionths(Price(price.0.abs_diff(average.0)), average, share);
    distance > most
}

/// Age in slots: the worse of slots since posting and seconds since publishing at [`SLOT_MS`], rounded up.
#[inline]
fn age(publish_time: i64, posted_slot: u64, now: &Now) -> u64 {
    let slots = now.slot.saturating_sub(posted_slot);
    // A century at most: keeps the multiplication short.
    let seconds = u64::try_from(now.unix.saturating_sub(publish_time)).unwrap_or(0).min(u64::from(u32::MAX));
    slots.max(seconds.saturating_mul(1_000).div_ceil(SLOT_MS))
}

impl RawUpdate {
    /// In the market's scale: price rounded down, confidence up (and cut to `PRICE_MAX`, where it is hopeless anyway, so
    /// that price plus confidence stays in range).
    ///
    /// `mantissa × 10^(exponent + quote_decimals + 9 − base_decimals)`.
    ///
    /// # Errors
    /// [`Error::PriceMalformed`] (sign, exponent outside −18..=0, ahead of the clock, posted at or before the last restart
    /// or in a slot to come, `prev_publish_time` after `publish_time`, no publish time); [`Error::PriceScaleTooCoarse`]
    /// below `PRICE_MIN` or above `PRICE_MAX`.
    pub fn scaled(&self, base_decimals: u8, quote_decimals: u8, now: &Now) -> Result<Observation> {
        let price = u64::try_from(self.price).unwrap_or(0);
        let sound = price > 0
            && (-18..=0).contains(&self.exponent)
            && self.publish_time > 0
            && self.publish_time <= now.unix.saturating_add(FUTURE_TOLERANCE)
            && self.prev_publish_time <= self.publish_time
            && self.posted_slot > now.restart_slot
            && self.posted_slot <= now.slot;
        ensure(sound, Error::PriceMalformed)?;
        let shift = self
            .exponent
            .saturating_add(i32::from(quote_decimals))
            .saturating_add(9)
            .saturating_sub(i32::from(base_decimals));
        // Beyond 10^19 either way a positive 63-bit price is far out of range.
        let power = usize::try_from(shift.unsigned_abs()).ok().and_then(|places| POWERS.get(places)).copied();
        let power = power.ok_or(Fault::new(Error::PriceScaleTooCoarse, PRICE_MIN, 0))?;
        let scale = |mantissa: u64, rounding: Rounding| -> Result<u128> {
            if shift >= 0 { Ok(wide(mantissa, power)) } else { div_wide(u128::from(mantissa), power, rounding) }
        };
        let scaled = u64::try_from(scale(price, Rounding::Down)?).unwrap_or(u64::MAX);
        ensure(scaled >= PRICE_MIN, Fault::new(Error::PriceScaleTooCoarse, PRICE_MIN, scaled))?;
        ensure(scaled <= PRICE_MAX, Fault::new(Error::PriceScaleTooCoarse, PRICE_MAX, scaled))?;
        let conf = u64::try_from(scale(self.conf, Rounding::Up)?).unwrap_or(u64::MAX).min(PRICE_MAX);
        Ok(Observation {
            prev_publish_time: self.prev_publish_time,
            publish_time: self.publish_time,
            price: Price(scaled),
            conf: Price(conf),
        })
    }
}

impl PriceState {
    /// The state of the stored price now; `band` is half of the maintenance margin. Two multiplications for the
    /// confidence, two for the jump, no division wider than 64 bits.
    pub fn status(&self, band: Ratio, rules: &TierRules, now: &Now) -> Status {
        let last = &self.last;
        if last.publish_time == 0 || now.unix.saturating_sub(last.publish_time) > SILENT_SECONDS {
            return Status::Silent;
        }
        let age = age(last.publish_time, self.slot, now);
        if age > AGEING_SLOTS || self.slot <= now.restart_slot {
            return Status::Stale;
        }
        let (conf, limit) = millionths(last.conf, last.price, rules.conf_limit);
        if conf > limit {
            return Status::Uncertain;
        }
        let warming = self.ema_start == 0 || now.unix.saturating_sub(self.ema_start) < WARM_UP;
        if warming || beyond(last.price, self.ema5, band) {
            return Status::Jumped;
        }
        if age > GOOD_SLOTS || conf.saturating_add(conf) > limit {
            return Status::Ageing;
        }
        Status::Good
    }
}

impl MarketState {
    /// Stores an update ([`PriceState::take`]) and notes the first good price after a silent exit.
    ///
    /// # Errors
    /// [`Error::MathOverflow`], [`Error::TierInvalid`].
    pub fn take_update(&mut self, update: Observation, posted_slot: u64, now: &Now) -> Result<Option<Status>> {
        let (band, rules) = (self.band()?, self.rules()?);
        let status = self.price.take(update, posted_slot, band, rules, now)?;
        if self.exits_unjudged != 0 && status == Some(Status::Good) {
            self.judge_exits();
        }
        Ok(status)
    }

    /// The stored price is good, or the settlement's: what silent exits left behind is judged by it.
    pub(crate) fn judge_exits(&mut self) {
        if self.exits_unjudged != 0 {
            (self.exits_unjudged, self.resumed) = (0, self.price.last.price);
        }
    }

    /// Half of the maintenance margin, rounded down: what a price may be off EMA5 before it must be confirmed.
    ///
    /// # Errors
    /// None today; the margin in force may come to depend on the grace.
    #[inline]
    pub fn band(&self) -> Result<Ratio> {
        Ok(Ratio(self.params.maintenance_margin.0 / 2))
    }
    /// The state of the stored price now.
    ///
    /// # Errors
    /// [`Error::TierInvalid`].
    pub fn status(&self, now: &Now) -> Result<Status> {
        // The price of a settled market is fixed, and as good as it will ever be.
        if self.is_settled() {
            return Ok(Status::Good);
        }
        Ok(self.price.status(self.band()?, self.rules()?, now))
    }
    /// The stored price's age in slots: the worse of slots since posting and seconds since publishing at 400 ms a slot.
    #[inline]
    pub fn age_slots(&self, now: &Now) -> u64 {
        age(self.price.last.publish_time, self.price.slot, now)
    }
    /// Refuses a stale or silent price.
    ///
    /// # Errors
    /// [`Error::PriceStale`] with the limit and the age in slots, [`Error::PriceSilent`], [`Error::TierInvalid`].
    pub fn check_present(&self, now: &Now) -> Result<Status> {
        let status = self.status(now)?;
        let fault = Fault::new(status.refusal(), AGEING_SLOTS, self.age_slots(now));
        ensure(status > Status::Stale, fault)?;
        Ok(status)
    }
    /// What a price of this age may have moved since, as a share of it: move per slot × age, at most the initial margin.
    ///
    /// # Errors
    /// [`Error::TierInvalid`].
    pub(crate) fn drift_share(&self, age: u64) -> Result<Ratio> {
        Ok(Ratio(self.rules()?.move_per_slot.0.saturating_mul(age).min(self.params.initial_margin.0)))
    }
    /// What the price may have moved since: move per slot × age, of the price, rounded up; at most the initial margin.
    ///
    /// # Errors
    /// [`Error::MathOverflow`], [`Error::TierInvalid`].
    pub fn drift(&self, now: &Now) -> Result<Price> {
        self.price.last.price.portion(self.drift_share(self.age_slots(now))?, Rounding::Up)
    }
    /// The maintenance test's price of a direction: price ± min(conf, `conf_credit`), the trader's favourable end. The
    /// credit is rounded down.
    ///
    /// # Errors
    /// [`Error::MathOverflow`], [`Error::TierInvalid`].
    pub fn maintenance_price(&self, long: bool) -> Result<Price> {
        let last = &self.price.last;
        let most = self.rules()?.conf_credit;
        let credit = if beyond(last.price.plus(last.conf)?, last.price, most) {
            last.price.portion(most, Rounding::Down)?
        } else {
            last.conf
        };
        last.price.moved(long, credit)
    }
    /// The price for initial margin and withdrawals: min(price − conf, EMA60) for longs, max(price + conf, EMA60) for shorts.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn initial_price(&self, long: bool) -> Result<Price> {
        let last = &self.price.last;
        let end = last.price.moved(!long, last.conf)?;
        Ok(if long { end.min(self.price.ema60) } else { end.max(self.price.ema60) })
    }
    /// What a position that is not good counts at in a flag, liquidation or resolution: the valid price moved in the
    /// account's favour by min(initial margin, move per slot × age of the valid price), rounded up.
    ///
    /// # Errors
    /// [`Error::MathOverflow`]; [`Error::PriceMissing`] where there never was a valid price; [`Error::TierInvalid`].
    pub fn favourable_price(&self, long: bool, now: &Now) -> Result<Price> {
        let valid = &self.price.valid;
        ensure(valid.publish_time != 0, Error::PriceMissing)?;
        let share = self.drift_share(age(valid.publish_time, self.price.valid_slot, now))?;
        valid.price.moved(long, valid.price.portion(share, Rounding::Up)?)
    }
    /// The penalised price of a silent market (section 4): the worst of price, EMA5 and EMA60 for closing that
    /// direction, worsened by the initial margin, rounded up.
    ///
    /// # Errors
    /// [`Error::MathOverflow`]; [`Error::PriceMissing`] where there never was a price fit for the averages.
    pub fn silent_exit_price(&self, long: bool) -> Result<Price> {
        let PriceState { last, ema5, ema60, .. } = &self.price;
        ensure(!ema5.is_zero(), Error::PriceMissing)?;
        let worst = if long { last.price.min(*ema5).min(*ema60) } else { last.price.max(*ema5).max(*ema60) };
        worst.moved(!long, worst.portion(self.params.initial_margin, Rounding::Up)?)
    }
}

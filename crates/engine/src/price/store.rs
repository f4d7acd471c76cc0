//! Storing an update: the two averages, the confirmation of a jump, the ring.
//!
//! Averages. The seconds since the last sample are shared out: a new sample weighs for at most [`EMA_SAMPLE_CAP`] of
//! them, the sample before it for the rest, so that one print after a quiet spell cannot carry the average with it, and
//! a window means the same however often prices are posted. A weight of `w` seconds moves an average of window `W` by
//! `w ÷ (W + w)` of the way to the sample, which is first clamped to the average ± the tier's clamp.
//!
//! Confirmation. A price off EMA5 by more than the band waits, and moves nothing. Three of them on one side, over at
//! least [`CONFIRM_SLOTS`] slots, confirm the nearest of the three: EMA5 is set to it. So a price is good again only if
//! three publish times lay at least about as far: after a confirmed −3 %, a single −15 % is off by 12 % and waits again.
//! What is beyond the band of the new EMA5 stays in the window, so a fast fall is confirmed step by step.

use super::{Status, age, beyond};
use crate::Now;
use crate::constants::{
    AGEING_SLOTS, CONFIRM_SLOTS, CONFIRM_UPDATES, EMA_SAMPLE_CAP, EMA5_WINDOW, EMA60_WINDOW, GOOD_SLOTS, RING,
};
use crate::error::{Error, Result};
use crate::market::{Observation, PriceState};
use crate::math::{fit, mul_div, some};
use crate::tier::TierRules;
use crate::units::{Price, Ratio, Rounding};

/// A price waits for its confirmation so many slots (a minute): older ones say nothing about now.
const CONFIRM_WITHIN: u64 = 150;
const _: () = assert!(CONFIRM_UPDATES == 3, "the window has three places");

/// An average moved towards a sample, rounded towards the average as it was.
#[inline]
fn blend(average: Price, sample: Price, weight: i64, window: i64, clamp: Ratio) -> Result<Price> {
    if weight == 0 || average == sample {
        return Ok(average);
    }
    let distance = if beyond(sample, average, clamp) {
        average.portion(clamp, Rounding::Down)?.0
    } else {
        sample.0.abs_diff(average.0)
    };
    let whole = some(window.checked_add(weight))?;
    let step = Price(mul_div(distance, fit(weight)?, fit(whole)?, Rounding::Down)?);
    if sample > average { average.plus(step) } else { average.less(step) }
}

impl PriceState {
    /// Stores an update; `false` for one that is not newer than the stored one, which changes nothing. See
    /// [`take`](Self::take).
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
        Ok(self.take(update, posted_slot, band, rules, now)?.is_some())
    }

    /// Stores an update and says in what state it is; `None` for one that is not newer than the stored one, which changes
    /// nothing. `band` is half of the maintenance margin. Moves averages, ring, confirmation and the valid price. An update whose
    /// confidence is over the tier's limit moves neither averages nor confirmation.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn take(
        &mut self,
        update: Observation,
        posted_slot: u64,
        band: Ratio,
        rules: &TierRules,
        now: &Now,
    ) -> Result<Option<Status>> {
        if update.publish_time <= self.last.publish_time {
            return Ok(None);
        }
        if !beyond(update.price.plus(update.conf)?, update.price, rules.conf_limit) {
            self.sample(&update, posted_slot, band, rules, now)?;
        }
        self.push(&update)?;
        self.last = update;
        self.slot = posted_slot;
        let status = self.status(band, rules, now);
        if status.is_valid() {
            self.valid = update;
            self.valid_slot = posted_slot;
        }
        Ok(Some(status))
    }

    /// Takes an update of usable confidence into the averages, or into the confirmation window.
    fn sample(
        &mut self,
        update: &Observation,
        posted_slot: u64,
        band: Ratio,
        rules: &TierRules,
        now: &Now,
    ) -> Result<()> {
        let age = age(update.publish_time, posted_slot, now);
        if self.ema_start == 0 {
            // An old first price would shorten the warm-up.
            if age <= GOOD_SLOTS {
                (self.ema5, self.ema60, self.ema_sample) = (update.price, update.price, update.price);
                (self.ema_start, self.ema_time) = (update.publish_time, update.publish_time);
            }
            return Ok(());
        }
        let clamp = rules.ema_clamp;
        let elapsed = some(update.publish_time.checked_sub(self.ema_time))?;
        let own = elapsed.min(EMA_SAMPLE_CAP);
        let held = some(elapsed.checked_sub(own))?;
        self.ema5 = blend(self.ema5, self.ema_sample, held, EMA5_WINDOW, clamp)?;
        self.ema60 = blend(self.ema60, self.ema_sample, held, EMA60_WINDOW, clamp)?;
        self.ema_time = update.publish_time;
        if !beyond(update.price, self.ema5, band) {
            self.jump_count = 0;
            self.ema5 = blend(self.ema5, update.price, own, EMA5_WINDOW, clamp)?;
            self.ema_sample = update.price;
        } else if age <= AGEING_SLOTS && self.confirm(update.price, band, now)? {
            self.ema_sample = self.ema5;
        } else {
            return Ok(());
        }
        self.ema60 = blend(self.ema60, self.ema_sample, own, EMA60_WINDOW, clamp)?;
        Ok(())
    }

    /// Puts a price beyond the band into the window; `true` if that confirms one, which EMA5 is then set to.
    fn confirm(&mut self, price: Price, band: Ratio, now: &Now) -> Result<bool> {
        let above = u64::from(price > self.ema5);
        if self.jump_above != above {
            self.jump_above = above;
            self.jump_count = 0;
        }
        let fresh = |slot: u64| now.slot.saturating_sub(slot) <= CONFIRM_WITHIN && slot > now.restart_slot;
        let (prices, slots, count) = (self.jump_price, self.jump_slot, self.jump_count);
        // Of three that were too close together the first stays, else frequent posting would never span the slots.
        let crowded = count == CONFIRM_UPDATES && slots.first().is_some_and(|slot| fresh(*slot));
        self.jump_count = 0;
        for (place, (price, slot)) in (0..count).zip(prices.into_iter().zip(slots)) {
            if fresh(slot) && !(crowded && place == 1) {
                self.wait(price, slot)?;
            }
        }
        self.wait(price, now.slot)?;
        let [first, second, third] = self.jump_price;
        let [since, ..] = self.jump_slot;
        if self.jump_count < CONFIRM_UPDATES || now.slot.saturating_sub(since) < CONFIRM_SLOTS {
            return Ok(false);
        }
        self.ema5 = if above == 1 { first.min(second).min(third) } else { first.max(second).max(third) };
        let (prices, slots) = (self.jump_price, self.jump_slot);
        self.jump_count = 0;
        for (price, slot) in prices.into_iter().zip(slots) {
            if beyond(price, self.ema5, band) {
                self.wait(price, slot)?;
            }
        }
        Ok(true)
    }

    /// Appends a price to the confirmation window.
    fn wait(&mut self, price: Price, slot: u64) -> Result<()> {
        let place: usize = fit(self.jump_count)?;
        *self.jump_price.get_mut(place).ok_or(Error::InvariantBroken)? = price;
        *self.jump_slot.get_mut(place).ok_or(Error::InvariantBroken)? = slot;
        self.jump_count = some(self.jump_count.checked_add(1))?;
        Ok(())
    }

    /// Puts an update into the ring in place of the oldest.
    fn push(&mut self, update: &Observation) -> Result<()> {
        let place: usize = fit(self.ring_next)?;
        let seat = self.ring.get_mut(place).ok_or(Error::InvariantBroken)?;
        if seat.publish_time != 0 {
            self.ring_evicted = seat.publish_time;
        }
        *seat = *update;
        let next = some(place.checked_add(1))?;
        self.ring_next = if next == RING { 0 } else { fit(next)? };
        Ok(())
    }
}

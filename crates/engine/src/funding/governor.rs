//! What bounds the rate (section 6): the hard cap, and the governor's soft cap below it.
//!
//! The governor counts hours of funding: seconds that were charged, whenever that was. During one it only adds up the size of
//! the rate and the seconds in which the skew was above the threshold; at its end the 30-day average and the soft cap move
//! once. So the dear part runs at most once an hour, an accrual crosses at most one such end, and where the ends lie
//! depends on the time charged, not on who called when.

use super::HOUR_SECONDS;
use super::path::{ONE, Pull, decayed, half_power, short};
use crate::constants::{FUNDING_DT_CAP, HOUR, RATE_PER_RATIO, RATIO_SCALE};
use crate::error::Result;
use crate::market::MarketState;
use crate::math::{fit, some};
use crate::units::FundingRate;

/// Hours in the average's window of 30 days.
const AVERAGE_HOURS: u64 = 30 * 24;
const _: () = assert!(FUNDING_DT_CAP <= HOUR, "an accrual crosses one end of an hour at most");

/// What bounds the rate, whatever its history.
#[derive(Clone, Copy)]
struct Bounds {
    /// The hard cap: the lower of parameter and tier.
    hard: u64,
    /// The least that the soft cap may be.
    floor: u64,
}

impl MarketState {
    fn bounds(&self) -> Result<Bounds> {
        let cap = self.params.funding_cap.min(self.rules()?.funding_cap);
        Ok(Bounds { hard: short(RATE_PER_RATIO, cap.0)?, floor: short(RATE_PER_RATIO, self.params.funding_floor.0)? })
    }

    fn bound_within(&self, bounds: &Bounds) -> u64 {
        self.funding.soft_cap.0.unsigned_abs().max(bounds.floor).min(bounds.hard)
    }

    /// What bounds the size of the rate now: the lower of hard and soft cap.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow), [`Error::TierInvalid`](crate::Error::TierInvalid).
    pub fn funding_bound(&self) -> Result<FundingRate> {
        Ok(FundingRate(fit(self.bound_within(&self.bounds()?))?))
    }

    /// Moves the rate over so many seconds, an hour at most, and returns twice its integral.
    pub(super) fn run(&mut self, dt: u64) -> Result<i64> {
        let (pull, bounds) = (self.pull()?, self.bounds()?);
        let (mut rest, mut twice) = (dt, 0_i64);
        loop {
            let left = some(HOUR_SECONDS.checked_sub(u64::from(self.funding.hour_seconds)))?;
            let step = rest.min(left);
            twice = some(twice.checked_add(self.part(&pull, &bounds, step)?))?;
            if step < left {
                return Ok(twice);
            }
            // Once: then a whole hour is left, and less to go.
            self.end_hour(&bounds)?;
            rest = rest.saturating_sub(step);
        }
    }

    /// A part of an hour, during which the bound stands. It may have moved since the rate was stored.
    fn part(&mut self, pull: &Pull, bounds: &Bounds, dt: u64) -> Result<i64> {
        let cap: i64 = fit(self.bound_within(bounds))?;
        let rate = self.funding.rate.0.clamp(some(cap.checked_neg())?, cap);
        let stretch = self.stretch(pull, rate, cap, dt)?;
        let state = &mut self.funding;
        state.rate = FundingRate(stretch.after);
        state.hour_rate = some(state.hour_rate.checked_add(stretch.size_twice))?;
        let seconds: u32 = fit(dt)?;
        state.hour_seconds = some(state.hour_seconds.checked_add(seconds))?;
        if pull.heavy {
            state.hour_heavy = some(state.hour_heavy.checked_add(seconds))?;
        }
        Ok(stretch.twice)
    }

    /// The end of an hour: the average takes in its mean, rounded down, so that it reaches zero; the soft cap has doubled by
    /// the share of it above the threshold and halved by the rest, and lies between what the average allows and the hard
    /// cap. It never falls by more than the change limit, since the rate is cut to it at once.
    fn end_hour(&mut self, bounds: &Bounds) -> Result<()> {
        let state = &self.funding;
        let mean = some(state.hour_rate.checked_div(2 * HOUR_SECONDS))?;
        let old = short(state.average.0.unsigned_abs(), AVERAGE_HOURS - 1)?;
        let average = some(some(old.checked_add(mean))?.checked_div(AVERAGE_HOURS))?;
        let usual = some(short(average, self.params.funding_multiple.0)?.checked_div(RATIO_SCALE))?;
        let soft = self.bound_within(bounds);
        let heavy = u64::from(state.hour_heavy);
        let light = some(HOUR_SECONDS.checked_sub(heavy))?;
        let soft = if heavy >= light {
            powered(soft, heavy.saturating_sub(light), true)?
        } else {
            let least = soft.saturating_sub(self.params.funding_change_limit);
            powered(soft, light.saturating_sub(heavy), false)?.max(least)
        };
        let soft = soft.max(usual).max(bounds.floor).min(bounds.hard);
        let state = &mut self.funding;
        (state.average, state.soft_cap) = (FundingRate(fit(average)?), FundingRate(fit(soft)?));
        (state.hour_rate, state.hour_seconds, state.hour_heavy) = (0, 0, 0);
        Ok(())
    }

    /// Time that nobody is charged for. The rate does not outlive it in the dead zone; all else stands.
    pub(super) fn idle(&mut self, dt: u64) -> Result<()> {
        if self.pull()?.rests {
            self.funding.rate = FundingRate(decayed(self.funding.rate.0, dt, self.params.funding_half_life)?);
        }
        Ok(())
    }
}

/// A cap doubled (`up`) or halved over so many seconds of an hour, rounded down: by 2 to the power of their share of it, so
/// that it depends on the seconds in all and not on which hours they lie in.
fn powered(cap: u64, seconds: u64, up: bool) -> Result<u64> {
    let share = |seconds: u64| some(short(seconds, ONE)?.checked_div(HOUR_SECONDS));
    let missing = HOUR_SECONDS.saturating_sub(seconds);
    match (up, seconds) {
        (_, 0) => Ok(cap),
        (true, _) if missing == 0 => some(cap.checked_mul(2)),
        // Twice two to the power of what is missing.
        (true, _) => Ok(short(cap, half_power(share(missing)?))? >> 31),
        (false, _) if missing == 0 => Ok(cap >> 1),
        (false, _) => Ok(short(cap, half_power(share(seconds)?))? >> 32),
    }
}

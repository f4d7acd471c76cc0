//! The guardian (classes G0 and E0): protection that expires by itself, within a budget (P11). None of it stops a
//! reduction; only the emergency pause holds back withdrawals.

use crate::Now;
use crate::constants::{EMERGENCY_LIFE, PAUSE_BUDGET, PAUSE_LIFE, PAUSE_WINDOW};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::market::Overlay;
use crate::math::some;
use crate::units::Quote;

layout! {
    /// The emergency pause of an exchange.
    pub struct Emergency = 24 {
        /// Withdrawals and liquidity exits are refused until then, Unix seconds.
        pub until: i64,
        /// When the last one was armed, Unix seconds; 0 if none ever was.
        pub armed_at: i64,
        /// Seconds that earlier ones have lasted, the last one not counted.
        pub held: i64,
    }
}

impl Emergency {
    /// Refuses withdrawals and liquidity exits for so many seconds, at most 12 h, once in 14 days.
    ///
    /// # Errors
    /// [`Error::PauseBitsInvalid`] for no or too long a time; [`Error::PauseNotArmed`] with when it may be.
    pub fn arm(&mut self, seconds: i64, now: &Now) -> Result<()> {
        check_seconds(seconds, EMERGENCY_LIFE)?;
        if self.armed_at != 0 {
            let again = some(self.armed_at.checked_add(PAUSE_WINDOW))?;
            ensure(now.unix >= again, Fault::new(Error::PauseNotArmed, again, now.unix))?;
        }
        let held = self.held_until(now)?;
        let until = some(now.unix.checked_add(seconds))?;
        *self = Self { until, armed_at: now.unix, held };
        Ok(())
    }

    /// Ends it early. The next one may still not be armed sooner.
    pub const fn lift(&mut self, now: &Now) {
        if now.unix < self.until {
            self.until = now.unix;
        }
    }

    /// Whether withdrawals and liquidity exits are refused now.
    #[inline]
    pub const fn active(&self, now: &Now) -> bool {
        now.unix < self.until
    }

    /// Refuses what the pause holds back.
    ///
    /// # Errors
    /// [`Error::Paused`] with the emergency's bit and its expiry.
    pub fn check(&self, now: &Now) -> Result<()> {
        ensure(!self.active(now), Fault::new(Error::Paused, EMERGENCY_BIT, self.until))
    }

    /// Seconds that all emergency pauses together have lasted until now: they stop the clock of pending proposals.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn held_until(&self, now: &Now) -> Result<i64> {
        let last = some(self.until.min(now.unix).checked_sub(self.armed_at))?.max(0);
        some(self.held.checked_add(if self.armed_at == 0 { 0 } else { last }))
    }
}

/// The emergency pause's bit in [`Error::Paused`].
pub const EMERGENCY_BIT: i64 = 1;
/// The bit of a market's reduce-only in [`Error::Paused`].
pub const REDUCE_ONLY_BIT: i64 = 2;

fn check_seconds(seconds: i64, most: i64) -> Result<()> {
    ensure(seconds > 0 && seconds <= most, Fault::new(Error::PauseBitsInvalid, most, seconds))
}

impl Overlay {
    /// Puts a market in reduce-only for so many seconds, within the budget. Armed while one runs, it is prolonged to
    /// that many seconds from now; only what is added is charged.
    ///
    /// # Errors
    /// [`Error::PauseBudget`]; [`Error::PauseBitsInvalid`] for no or too long a time; [`Error::PauseNotArmed`] if the
    /// running one lasts as long anyway.
    pub fn arm_reduce_only(&mut self, seconds: i64, now: &Now) -> Result<()> {
        check_seconds(seconds, PAUSE_LIFE)?;
        let until = some(now.unix.checked_add(seconds))?;
        let from = self.reduce_only_until.max(now.unix);
        ensure(until > from, Fault::new(Error::PauseNotArmed, self.reduce_only_until, now.unix))?;
        self.charge(from, until, now)?;
        self.reduce_only_until = until;
        Ok(())
    }

    /// Lowers the open-interest cap for so many seconds, within the same budget. Armed while one runs, the cap is
    /// replaced and its time prolonged to that many seconds from now, never shortened; only what is added is charged.
    ///
    /// # Errors
    /// [`Error::PauseBudget`], [`Error::PauseBitsInvalid`].
    pub fn arm_cap(&mut self, cap: Quote, seconds: i64, now: &Now) -> Result<()> {
        check_seconds(seconds, PAUSE_LIFE)?;
        let until = some(now.unix.checked_add(seconds))?;
        let from = self.cap_until.max(now.unix);
        if until > from {
            self.charge(from, until, now)?;
            self.cap_until = until;
        }
        self.cap = cap;
        Ok(())
    }

    /// Ends both early. What was charged stays charged.
    pub const fn lift(&mut self, now: &Now) {
        if now.unix < self.reduce_only_until {
            self.reduce_only_until = now.unix;
        }
        if now.unix < self.cap_until {
            self.cap_until = now.unix;
        }
    }

    /// Whether increases are refused now.
    #[inline]
    pub const fn reduce_only(&self, now: &Now) -> bool {
        now.unix < self.reduce_only_until
    }

    /// Refuses an increase while the market is in reduce-only.
    ///
    /// # Errors
    /// [`Error::Paused`] with the bit and its expiry.
    pub fn check_increase(&self, now: &Now) -> Result<()> {
        ensure(!self.reduce_only(now), Fault::new(Error::Paused, REDUCE_ONLY_BIT, self.reduce_only_until))
    }

    /// The cap in force for increases: the parameter, or the guardian's lower one.
    #[inline]
    pub fn effective_cap(&self, parameter: Quote, now: &Now) -> Quote {
        if now.unix < self.cap_until { parameter.min(self.cap) } else { parameter }
    }

    /// Seconds of the budget that are left now.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn budget_left(&self, now: &Now) -> Result<i64> {
        let mut used = 0_i64;
        for (until, seconds) in self.charge_until.iter().zip(&self.charge_seconds) {
            if counts(*until, now)? {
                used = some(used.checked_add(*seconds))?;
            }
        }
        Ok(PAUSE_BUDGET.saturating_sub(used))
    }

    /// Charges protection from `from` to `until`. A charge counts in full until its last second is 14 days old. So no
    /// 14 days hold more than the budget: of the protections that touch them, when the last was armed, all the others
    /// still counted.
    fn charge(&mut self, from: i64, until: i64, now: &Now) -> Result<()> {
        let seconds = some(until.checked_sub(from))?;
        let left = self.budget_left(now)?;
        ensure(seconds <= left, Fault::new(Error::PauseBudget, left, seconds))?;
        let mut latest: Option<(&mut i64, &mut i64)> = None;
        for (end, sum) in self.charge_until.iter_mut().zip(self.charge_seconds.iter_mut()) {
            if !counts(*end, now)? {
                (*end, *sum) = (until, seconds);
                return Ok(());
            }
            if latest.as_ref().is_none_or(|(last, _)| *end > **last) {
                latest = Some((end, sum));
            }
        }
        // No place is free: join it to the one that is forgotten last. That errs on the guardian's cost alone.
        let (end, sum) = latest.ok_or(Error::MathOverflow)?;
        *end = (*end).max(until);
        *sum = some(sum.checked_add(seconds))?;
        Ok(())
    }
}

fn counts(until: i64, now: &Now) -> Result<bool> {
    Ok(until != 0 && some(until.checked_add(PAUSE_WINDOW))? > now.unix)
}

//! Principal (section 11): what an owner has put in by itself. Older than an hour it leaves outside the limiter. Age is
//! kept per 20-minute window in four places: an amount counts as aged 60 to 80 minutes after it came, whatever came
//! since, so that a new deposit does not make an old one young.
//!
//! What trading loses comes out of profit first, then out of principal; what is won afterwards is profit. So an owner's
//! principal is never more than the least that it had since, and what was lost lets nothing out past the limiter.

use crate::Now;
use crate::account::Principal;
use crate::constants::PRINCIPAL_AGE;
use crate::error::{Error, Result};
use crate::math::{period, place_of, some};
use crate::units::Quote;

/// Places for fresh principal.
const PLACES: i64 = 4;
/// A window's length, seconds. One window less than there are places must be the age asked for.
const WINDOW: i64 = 1_200;
const _: () = assert!(WINDOW * (PLACES - 1) == PRINCIPAL_AGE);

fn place(window: i64) -> Result<usize> {
    place_of(window, PLACES)
}

impl Principal {
    /// Ages what is old enough; returns the window that the clock is in. A clock that runs back ages nothing.
    fn roll(&mut self, now: &Now) -> Result<i64> {
        let window = period(now.unix, WINDOW)?.max(self.window);
        let passed = window.saturating_sub(self.window).min(PLACES);
        for back in 0..passed {
            let fresh = self.fresh_mut(window.saturating_sub(back))?;
            let old = core::mem::take(fresh);
            self.aged = self.aged.plus(old)?;
        }
        self.window = window;
        Ok(window)
    }

    fn fresh_mut(&mut self, window: i64) -> Result<&mut Quote> {
        self.fresh.get_mut(place(window)?).ok_or(Error::MathOverflow.into())
    }

    /// Aged and fresh principal at a moment, by the rules below.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn parts(&self, now: &Now) -> Result<(Quote, Quote)> {
        let mut rolled = *self;
        rolled.roll(now)?;
        let mut fresh = Quote::ZERO;
        for part in rolled.fresh {
            fresh = fresh.plus(part)?;
        }
        Ok((rolled.aged, fresh))
    }

    /// A deposit by the owner.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn deposit(&mut self, amount: Quote, now: &Now) -> Result<()> {
        let window = self.roll(now)?;
        let fresh = self.fresh_mut(window)?;
        *fresh = fresh.plus(amount)?;
        Ok(())
    }

    /// A withdrawal: aged principal goes first, then fresh principal, newest first, then what is beyond all principal
    /// and counts as profit; returns the part that is subject to the limiter (fresh principal and profit).
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn withdraw(&mut self, amount: Quote, now: &Now) -> Result<Quote> {
        let window = self.roll(now)?;
        let free = amount.min(self.aged);
        self.aged = self.aged.less(free)?;
        let limited = amount.less(free)?;
        let mut rest = limited;
        for back in 0..PLACES {
            if rest.is_zero() {
                break;
            }
            let fresh = self.fresh_mut(window.saturating_sub(back))?;
            let taken = rest.min(*fresh);
            *fresh = fresh.less(taken)?;
            rest = rest.less(taken)?;
        }
        Ok(limited)
    }

    /// The part of a withdrawal that is beyond all principal.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn profit_of(&self, amount: Quote, now: &Now) -> Result<Quote> {
        let (aged, fresh) = self.parts(now)?;
        Ok(amount.saturating_sub(aged.plus(fresh)?))
    }

    /// Trading has moved the account's collateral from `before` to `after`: a loss beyond what was there besides principal
    /// takes principal, the youngest first. Setting collateral aside (a holdback, an order's fee) loses none.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    #[inline]
    pub(crate) fn follow(&mut self, before: Quote, after: Quote) -> Result<()> {
        if after >= before {
            return Ok(());
        }
        let mut all = self.aged;
        for part in self.fresh {
            all = all.plus(part)?;
        }
        let lost = before.less(after)?.saturating_sub(before.saturating_sub(all));
        if lost.is_zero() { Ok(()) } else { self.lose(lost) }
    }

    fn lose(&mut self, lost: Quote) -> Result<()> {
        let (newest, mut rest) = (self.window, lost);
        for back in 0..PLACES {
            let fresh = self.fresh_mut(newest.saturating_sub(back))?;
            let taken = rest.min(*fresh);
            *fresh = fresh.less(taken)?;
            rest = rest.less(taken)?;
        }
        self.aged = self.aged.saturating_sub(rest);
        Ok(())
    }

    /// A transfer to another of the owner's subaccounts carries principal: aged first, then fresh with its age. What
    /// is beyond all principal carries none, so that the sum over an owner's subaccounts stays what it put in.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn transfer(&mut self, to: &mut Principal, amount: Quote, now: &Now) -> Result<()> {
        // Both must stand in the same window, else the ages would not match by place.
        let window = self.roll(now)?.max(to.roll(now)?);
        let at = Now { unix: some(window.checked_mul(WINDOW))?, ..*now };
        self.roll(&at)?;
        to.roll(&at)?;
        let aged = amount.min(self.aged);
        self.aged = self.aged.less(aged)?;
        to.aged = to.aged.plus(aged)?;
        let mut rest = amount.less(aged)?;
        for back in 0..PLACES {
            if rest.is_zero() {
                break;
            }
            let from = self.fresh_mut(window.saturating_sub(back))?;
            let taken = rest.min(*from);
            *from = from.less(taken)?;
            let there = to.fresh_mut(window.saturating_sub(back))?;
            *there = there.plus(taken)?;
            rest = rest.less(taken)?;
        }
        Ok(())
    }
}

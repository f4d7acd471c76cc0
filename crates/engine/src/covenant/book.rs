//! What an owner's subaccounts are worth together, without reading them all at once: the covenant keeps an entry for each,
//! which anyone refreshes, and every rule works on the sums.
//!
//! **Steps.** Accounts that hedge one another must be seen at the same prices, or whoever refreshes them could choose a
//! price for each. A step is a slot in which no price has changed between two refreshes: the mark, the day's start and a
//! trip count only sums whose entries with positions were all refreshed in one step. An entry without positions depends on no
//! price, belongs to every step, and begins none.

use super::{CovenantState, Entry, Measure};
use crate::Now;
use crate::constants::{AGEING_SLOTS, COVENANT_ACCOUNTS, COVENANT_POSITIONS, RATIO_SCALE};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout::Key;
use crate::math::some;
use crate::units::{Quote, SignedQuote};

impl Entry {
    /// Equity less what the owner has put in on balance.
    pub(super) fn result(&self) -> Result<SignedQuote> {
        self.equity.less(self.flow)
    }
    fn age(&self, now: &Now) -> u64 {
        // What was stored before a restart is void (section 4).
        if self.slot <= now.restart_slot { u64::MAX } else { now.slot.saturating_sub(self.slot) }
    }
}

impl CovenantState {
    /// The place of an enrolled subaccount.
    pub fn find(&self, subaccount: &Key) -> Option<usize> {
        self.entries.iter().position(|entry| entry.subaccount == *subaccount)
    }

    /// Refreshes an account's entry, and enrols it where it has none. `flow` is what its owner has put in on balance.
    /// Who is enrolled changes no loss: the mark and the day's start move with the result that comes in, which counts at the
    /// lower end of what one price could make of it. An account without positions takes no other's place: anyone may call.
    ///
    /// # Errors
    /// [`Error::CovenantFull`] where no place is left, or more than 16 positions would be enrolled, with the limit and the
    /// number; [`Error::MathOverflow`].
    pub fn touch(&mut self, subaccount: &Key, measure: &Measure, flow: SignedQuote, now: &Now) -> Result<()> {
        self.refresh(subaccount, measure, flow, measure.positions != 0, now)
    }

    /// The same before an increase of the account: where all places are taken it gets that of one without positions.
    ///
    /// # Errors
    /// As [`touch`](Self::touch).
    pub fn enrol(&mut self, subaccount: &Key, measure: &Measure, flow: SignedQuote, now: &Now) -> Result<()> {
        self.refresh(subaccount, measure, flow, true, now)
    }

    fn refresh(&mut self, key: &Key, measure: &Measure, flow: SignedQuote, needed: bool, now: &Now) -> Result<()> {
        self.roll(now)?;
        let found = self.find(key);
        let place = match found {
            Some(place) => place,
            None => self.free_place(needed)?,
        };
        let entry = Entry {
            subaccount: *key,
            equity: measure.equity,
            flow,
            notional: measure.notional,
            positions: measure.positions,
            good: measure.good.into(),
            slot: now.slot,
            step: self.step_for(measure, now)?,
            doubt: measure.doubt,
        };
        *self.entries.get_mut(place).ok_or(Error::MathOverflow)? = entry;
        if found.is_none() {
            self.shift(entry.result()?.less(measure.gap()?.signed()?)?)?;
        }
        let positions = self.positions()?;
        ensure(positions <= COVENANT_POSITIONS, Fault::new(Error::CovenantFull, COVENANT_POSITIONS, positions))?;
        self.note(now)
    }

    /// The step that a measure belongs to: the running one, unless its slot is over or a price has changed in it.
    fn step_for(&mut self, measure: &Measure, now: &Now) -> Result<u64> {
        if measure.positions == 0 {
            return Ok(self.step);
        }
        let seen = || measure.prices.iter().filter(|seen| seen.market != 0);
        let changed = seen()
            .any(|new| self.prices.iter().any(|old| old.market == new.market && old.publish_time != new.publish_time));
        if now.slot != self.step_slot || changed {
            self.step = some(self.step.checked_add(1))?;
            (self.step_slot, self.prices) = (now.slot, Default::default());
            (self.step_oldest, self.step_told, self.step_newest) = (i64::MAX, i64::MAX, 0);
        }
        self.step_oldest = self.step_oldest.min(measure.oldest);
        self.step_told = self.step_told.min(measure.told);
        self.step_newest = self.step_newest.max(measure.newest);
        for new in seen() {
            // A place each: no more than 16 positions are enrolled, but for one refused in the end.
            if let Some(place) = self.prices.iter().position(|old| old.market == new.market || old.market == 0) {
                *self.prices.get_mut(place).ok_or(Error::MathOverflow)? = *new;
            }
        }
        Ok(self.step)
    }

    /// A free place; or, where it is needed, that of the account without positions that has the least: it gives it up, and no
    /// loss is forgotten with it.
    fn free_place(&mut self, needed: bool) -> Result<usize> {
        if let Some(place) = self.find(&Key::default()) {
            return Ok(place);
        }
        let idle = self.entries.iter().enumerate().filter(|(_, entry)| needed && entry.positions == 0);
        let idle = idle.min_by_key(|(_, entry)| entry.equity).map(|(place, _)| place);
        let place = idle.ok_or(Fault::new(Error::CovenantFull, COVENANT_ACCOUNTS as u64, COVENANT_ACCOUNTS as u64))?;
        self.remove(place)?;
        Ok(place)
    }

    fn remove(&mut self, place: usize) -> Result<()> {
        let entry = self.entries.get_mut(place).ok_or(Error::MathOverflow)?;
        let result = core::mem::take(entry).result()?;
        self.shift(result.negated()?)
    }

    /// Moves what losses count from: a result came into the sums, or left them.
    fn shift(&mut self, by: SignedQuote) -> Result<()> {
        self.mark = self.mark.plus(by)?;
        self.day_start = self.day_start.plus(by)?;
        self.seen = self.seen.plus(by)?;
        self.last = self.last.plus(by)?;
        Ok(())
    }

    /// Sum of the entries' results.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn result(&self) -> Result<SignedQuote> {
        self.entries.iter().try_fold(SignedQuote::ZERO, |sum, entry| sum.plus(entry.result()?))
    }
    /// The same without what entries count for in doubt of their prices: at the last valid ones.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(super) fn sure_result(&self) -> Result<SignedQuote> {
        let sure = |sum: SignedQuote, entry: &Entry| sum.plus(entry.result()?)?.less(entry.doubt.signed()?);
        self.entries.iter().try_fold(SignedQuote::ZERO, sure)
    }

    /// Why an account that it does not know, with so many positions, cannot increase: it could be enrolled by anyone's touch; an
    /// old view of others may hide that there is room for it; or there is none.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn why_unknown(&self, positions: u64, now: &Now) -> Result<Error> {
        let place = self.entries.iter().any(|entry| entry.subaccount == Key::default() || entry.positions == 0);
        let fits = some(self.positions()?.checked_add(positions))? <= COVENANT_POSITIONS;
        Ok(match (place && fits, self.check_fresh(now)) {
            (true, _) => Error::CovenantNotEnrolled,
            (false, Err(fault)) => fault.error,
            (false, Ok(())) => Error::CovenantFull,
        })
    }

    /// Sum of the entries' equity.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn equity(&self) -> Result<SignedQuote> {
        self.entries.iter().try_fold(SignedQuote::ZERO, |sum, entry| sum.plus(entry.equity))
    }
    /// Sum of the entries' notional.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn notional(&self) -> Result<Quote> {
        self.entries.iter().try_fold(Quote::ZERO, |sum, entry| sum.plus(entry.notional))
    }
    pub(super) fn positions(&self) -> Result<u64> {
        self.entries.iter().try_fold(0_u64, |sum, entry| some(sum.checked_add(entry.positions)))
    }

    /// The age of the oldest entry with positions.
    pub(super) fn age(&self, now: &Now) -> u64 {
        self.entries.iter().filter(|entry| entry.positions != 0).map(|entry| entry.age(now)).max().unwrap_or(0)
    }

    pub(super) fn check_fresh(&self, now: &Now) -> Result<()> {
        let age = self.age(now);
        ensure(age <= AGEING_SLOTS, Fault::new(Error::CovenantStale, AGEING_SLOTS, age))
    }

    /// What must hold after an increase, with the account's own entry refreshed by it: not tripped; every other entry with
    /// positions seen in the last 25 slots, at good prices; the sums within the limits; no loss limit reached.
    ///
    /// # Errors
    /// [`Error::CovenantTripped`] with its end, then now; [`Error::CovenantStale`] with 25 and the age in slots;
    /// [`Error::CovenantNotional`], [`Error::CovenantLeverage`], [`Error::CovenantLoss`] with the limit and the value, in
    /// quote; [`Error::MathOverflow`].
    pub fn check_increase(&self, now: &Now) -> Result<()> {
        ensure(!self.is_tripped(now), Fault::new(Error::CovenantTripped, self.tripped_until, now.unix))?;
        self.check_fresh(now)?;
        let good = self.entries.iter().all(|entry| entry.positions == 0 || entry.good != 0);
        ensure(good, Error::CovenantStale)?;
        let (limits, notional) = (&self.limits, self.notional()?);
        let most = limits.max_notional;
        ensure(most.is_zero() || notional <= most, Fault::new(Error::CovenantNotional, most.0, notional.0))?;
        self.check_leverage(notional)?;
        let (day_loss, fallen) = self.losses()?;
        for (limit, loss) in [(limits.daily_loss, day_loss), (limits.drawdown, fallen)] {
            ensure(limit.is_zero() || loss < limit, Fault::new(Error::CovenantLoss, limit.0, loss.0))?;
        }
        Ok(())
    }

    fn check_leverage(&self, notional: Quote) -> Result<()> {
        if self.limits.max_leverage.is_zero() || notional.is_zero() {
            return Ok(());
        }
        let most = self.most_by_leverage()?;
        ensure(notional <= most, Fault::new(Error::CovenantLeverage, most.0, notional.0))
    }

    /// The notional that the leverage limit allows, rounded down; the largest amount where that leaves the range. What an entry
    /// counts for in doubt of its prices, lest it trip, lets nothing out: this is at the last valid ones.
    pub(super) fn most_by_leverage(&self) -> Result<Quote> {
        let sure = |sum: SignedQuote, entry: &Entry| sum.plus(entry.equity)?.less(entry.doubt.signed()?);
        let equity = self.entries.iter().try_fold(SignedQuote::ZERO, sure)?;
        let equity = u128::from(equity.gain().0);
        // Two words' product cannot leave 128 bits.
        let product = equity.wrapping_mul(u128::from(self.limits.max_leverage.0));
        let most = product.checked_div(u128::from(RATIO_SCALE)).unwrap_or(0);
        Ok(Quote(u64::try_from(most).unwrap_or(u64::MAX)))
    }

    /// Notes that an account was paid (or paid out, a negative amount) by its owner since its entry was refreshed. An
    /// account that is not enrolled has none.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn moved(&mut self, subaccount: &Key, amount: SignedQuote) -> Result<()> {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.subaccount == *subaccount) {
            entry.equity = entry.equity.plus(amount)?;
            entry.flow = entry.flow.plus(amount)?;
        }
        Ok(())
    }

    /// Notes that an account has no position any more, before its claims were looked at: it adds nothing to the notional.
    pub fn closed(&mut self, subaccount: &Key) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.subaccount == *subaccount) {
            entry.notional = Quote::ZERO;
        }
    }

    /// That what was taken out leaves the leverage within its limit, on the entries as they were last seen: their age never
    /// holds money back (P13), and a touch beside a price that is not good lets none out.
    ///
    /// # Errors
    /// [`Error::CovenantLeverage`] with the notional allowed and the notional, [`Error::MathOverflow`].
    pub fn check_taken_out(&self) -> Result<()> {
        self.check_leverage(self.notional()?)
    }

    /// Takes out an empty account that is being closed, with the result it had: the same address may be opened again.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn leave(&mut self, subaccount: &Key, flow: SignedQuote, now: &Now) -> Result<()> {
        let Some(place) = self.find(subaccount) else { return Ok(()) };
        self.touch(subaccount, &Measure::new(Quote::ZERO)?, flow, now)?;
        self.remove(place)
    }
}

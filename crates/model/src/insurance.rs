//! Sections 9 and 16: shared insurance by daily batches.

use crate::number::{Q, frac, gain, least, q, zero};
use crate::state::{Batch, Covered, Exchange};
use crate::{No, R, must};

/// The calendar day of a time, UTC.
fn day_of(unix: i64) -> i64 {
    unix.div_euclid(86_400)
}

impl Covered {
    /// The claim of the newest day, as it stands.
    pub fn filed(&self) -> Q {
        least(&self.beyond, &self.cap)
    }

    /// What is claimed and not paid.
    pub fn pending(&self) -> Q {
        let registered: Q = self.registered.iter().map(|(_, claimed, paid)| claimed - paid).sum();
        self.filed() + &self.due + registered
    }

    /// As it counts at a time, Unix seconds: a day that is over is closed, whether or not a deficit has come since. (Where
    /// rounding alone leaves one of an atom, it closes the day in one count and not in the other.)
    pub fn as_of(&self, unix: i64) -> Self {
        let mut covered = self.clone();
        covered.end_day(day_of(unix));
        covered
    }

    /// The newest day is over when another one has come.
    fn end_day(&mut self, today: i64) {
        if today > self.day {
            let claim = self.filed();
            self.due += &claim;
            if claim.is_positive() {
                self.days.push((self.day, claim));
            }
            (self.day, self.beyond, self.cap) = (today, zero(), zero());
        }
    }
}

impl Exchange {
    fn today(&self) -> i64 {
        day_of(self.unix)
    }

    /// What is in the fund and not awarded yet.
    fn unawarded(&self) -> Q {
        let awarded = self.batches.iter().filter_map(|b| b.fixed.as_ref().map(|(_, award)| award - &b.paid));
        &self.fund - awarded.sum::<Q>() - &self.dust
    }

    /// Fixes the factor of the batch whose window is over: two midnights after its day began. Nothing changes the fund
    /// without this, so it is the fund of that midnight.
    pub fn fix_due(&mut self) {
        let unix = self.unix;
        let due = |b: &Batch| b.open > 0 && b.fixed.is_none() && unix >= (b.day + 2) * 86_400;
        if let Some(place) = self.batches.iter().position(due) {
            let fund = self.unawarded();
            let award = least(&self.batches[place].claimed, &fund);
            self.batches[place].fixed = Some((fund, award));
        }
    }

    /// A deficit that the bucket has not paid, for the batch of its day.
    pub(crate) fn file_deficit(&mut self, market: usize, beyond: &Q) {
        if !beyond.is_positive() {
            return;
        }
        let today = self.today();
        let state = &mut self.markets[market];
        state.covered.end_day(today);
        if state.covered.beyond.is_zero() {
            // Today and seven days before it share the week's cap.
            let week = state.covered.days.iter().filter(|(day, _)| *day > today - 8);
            let claimed: Q = week.map(|(_, claim)| claim.clone()).sum();
            let left = gain(&(&state.rules.insurance_week_cap - claimed));
            state.covered.cap = least(&state.rules.insurance_day_cap, &left);
        }
        state.covered.beyond += beyond;
    }

    /// Money for a market's bucket: it pays the day's deficits before it stays there.
    pub fn insure(&mut self, market: usize, amount: &Q) {
        let today = self.today();
        let state = &mut self.markets[market];
        state.insurance += amount;
        if state.covered.day != today || !state.covered.beyond.is_positive() {
            return;
        }
        let paid = least(&state.covered.beyond, &state.insurance);
        state.covered.beyond -= &paid;
        state.insurance -= &paid;
        state.insurance_paid += &paid;
        state.deficits -= &paid;
        self.receive(market, &paid);
    }

    /// Money for the shared fund.
    pub fn top_up_shared(&mut self, amount: &Q) {
        self.fix_due();
        self.fund += amount;
    }

    /// Registers what a market has claimed on days that are over with yesterday's batch.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn register(&mut self, market: usize) -> R<()> {
        self.fix_due();
        self.touch(market);
        let today = self.today();
        let covered = &mut self.markets[market].covered;
        covered.end_day(today);
        let amount = core::mem::take(&mut covered.due);
        if amount.is_zero() {
            must(!covered.filed().is_zero(), "CoverTooEarly")?;
            return Err(No("InsuranceTooEarly"));
        }
        let day = today - 1;
        // Four batches are kept, a fifth waits for the one in its place.
        let in_place = self.batches.iter().position(|b| b.day.rem_euclid(4) == day.rem_euclid(4));
        if let Some(place) = in_place.filter(|place| self.batches[*place].day != day) {
            must(self.batches[place].open == 0, "InsuranceBatchBusy")?;
            let old = self.batches.remove(place);
            self.dust += old.fixed.map_or_else(zero, |(_, award)| award - old.paid);
        }
        if !self.batches.iter().any(|b| b.day == day) {
            self.batches.push(Batch { day, claimed: zero(), fixed: None, paid: zero(), open: 0 });
        }
        if let Some(batch) = self.batches.iter_mut().find(|b| b.day == day) {
            batch.claimed += &amount;
            batch.open += 1;
        }
        self.markets[market].covered.registered.push((day, amount, zero()));
        Ok(())
    }

    /// Pays a market what is released on its registered claims.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn pay_insurance(&mut self, market: usize) -> R<()> {
        self.fix_due();
        self.touch(market);
        let claims = core::mem::take(&mut self.markets[market].covered.registered);
        must(!claims.is_empty(), "CoverTooEarly")?;
        let (mut amount, mut closed) = (zero(), false);
        for (day, claimed, paid) in claims {
            let unix = self.unix;
            let Some(batch) = self.batches.iter_mut().find(|b| b.day == day) else { continue };
            let Some((fund, award)) = &batch.fixed else {
                self.markets[market].covered.registered.push((day, claimed, paid));
                continue;
            };
            // A quarter at once, and one more each full hour.
            let quarters = 1 + (unix - (day + 2) * 86_400).div_euclid(3_600);
            let released = least(&(fund * frac(quarters.min(4), 4)), award);
            let all = released == *award;
            let due = &claimed * released / &batch.claimed;
            amount += &due - &paid;
            batch.paid += &due - &paid;
            if all {
                batch.open -= 1;
                closed = true;
            } else {
                self.markets[market].covered.registered.push((day, claimed, due));
            }
        }
        must(closed || self.reaches(&amount, &q(1), 5), "InsuranceTooEarly")?;
        self.fund -= &amount;
        self.markets[market].deficits -= &amount;
        self.receive(market, &amount);
        Ok(())
    }
}

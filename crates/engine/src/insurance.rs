//! Shared insurance by daily batches (section 9): who is paid how much, and when.
//!
//! A deficit that a market's own bucket cannot pay becomes the market's claim in the batch of its day (midnight to
//! midnight, UTC). Filing writes the market alone. On the day after, anyone registers each market's claim with the
//! exchange: that day over, the batch's sum is known, and it gets **one factor**, `min(1, fund ÷ sum)`. What it is awarded
//! is set aside at once and released by a quarter of the fund an hour, to all its markets in the same proportion.
//!
//! Nothing here depends on who calls, or when, or in which order: a claim is a sum over the day; the factor is fixed at
//! midnight on the fund of midnight, for every instruction that changes the fund fixes what is due first
//! ([`SharedInsurance::roll`]); released is a function of the time since. A claim that nobody registers on its day is not
//! lost: it is registered with the batch of a later day, and shares that one's factor.

use crate::Now;
use crate::constants::{DAY, HOUR, INSURANCE_BATCHES, INSURANCE_DAYS, INSURANCE_RELEASE};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::market::MarketState;
use crate::math::{fit, period, place_of, some};
use crate::params::MarketParams;
use crate::units::{Quote, Ratio, Rounding};

layout! {
    /// A market's claim in a batch.
    pub struct RegisteredClaim = 24 {
        /// The batch's day, Unix time / 86400.
        pub day: i64,
        /// Claimed; zero is an empty place.
        pub amount: Quote,
        /// Paid of it so far.
        pub paid: Quote,
    }
}

layout! {
    /// A market's claims on the shared insurance fund.
    pub struct InsuranceClaims = 208 {
        /// Claimed by day, in the place `day mod 8`: today and seven days before.
        pub week: [Quote; 8],
        /// The newest day that was written, Unix time / 86400.
        pub day: i64,
        /// That day's deficits that the market's own bucket has not paid.
        pub beyond: Quote,
        /// What of them may be claimed, by the caps when the day's first one arose.
        pub cap: Quote,
        /// Claims of days before it that are not registered yet.
        pub due: Quote,
        /// Registered claims, in the place `day mod 4`.
        pub registered: [RegisteredClaim; 4],
        /// Claimed in all, of days that are over.
        pub claimed: Quote,
        /// Paid on claims since the market began.
        pub paid: Quote,
    }
}

layout! {
    /// A batch of the exchange: the claims registered in one day's window.
    pub struct InsuranceBatch = 56 {
        /// Its day, Unix time / 86400; registered on the day after.
        pub day: i64,
        /// Sum of the markets' claims.
        pub claimed: Quote,
        /// The fund when the factor was fixed, less what earlier batches had been awarded.
        pub fund: Quote,
        /// What all claims together are paid: the smaller of the two. The factor is this over `claimed`.
        pub awarded: Quote,
        /// Paid so far.
        pub paid: Quote,
        /// Markets whose claim is not fully paid; with none, the place is free.
        pub open: u64,
        /// 1 once the factor is fixed.
        pub fixed: u64,
    }
}

layout! {
    /// The exchange's side: its batches. The fund's money is kept beside it.
    pub struct SharedInsurance = 248 {
        /// Batches, in the place `day mod 4`.
        pub batches: [InsuranceBatch; 4],
        /// Paid on claims since the exchange began.
        pub paid: Quote,
        /// Withdrawals executed: a proposal for one names how many there were.
        pub withdrawals: u64,
        /// What rounding has left of the awards of batches that are gone: a few atoms. Never awarded again, so that it does
        /// not matter when a market was paid.
        pub dust: Quote,
    }
}

/// What paying a market's claims did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Payment {
    /// Moved from the fund to the market's pool.
    pub amount: Quote,
    /// Claims that this closed.
    pub closed: u64,
    /// What is still open of the market's registered claims.
    pub open: Quote,
}

impl InsuranceClaims {
    /// The newest day's claim as it stands.
    #[inline]
    pub fn filed(&self) -> Quote {
        self.beyond.min(self.cap)
    }

    /// What is claimed and not settled: the day's, what is not registered, what is registered and not fully paid.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn pending(&self) -> Result<Quote> {
        let mut sum = self.filed().plus(self.due)?;
        for claim in &self.registered {
            sum = sum.plus(claim.amount.less(claim.paid)?)?;
        }
        Ok(sum)
    }

    /// Ends the newest day if it is over: its claim becomes due, and the days since then have none.
    fn close_day(&mut self, today: i64) -> Result<()> {
        if today <= self.day {
            return Ok(());
        }
        let claim = self.filed();
        self.due = self.due.plus(claim)?;
        self.claimed = self.claimed.plus(claim)?;
        if self.day > 0 {
            *some(self.week.get_mut(place_of(self.day, INSURANCE_DAYS)?))? = claim;
        }
        let passed = some(today.checked_sub(self.day))?.min(INSURANCE_DAYS);
        for back in 0..passed {
            let day = some(today.checked_sub(back))?;
            *some(self.week.get_mut(place_of(day, INSURANCE_DAYS)?))? = Quote::ZERO;
        }
        (self.day, self.beyond, self.cap) = (today, Quote::ZERO, Quote::ZERO);
        Ok(())
    }

    /// A deficit of today that the bucket has not paid. The sum over the day is what counts, so its parts may come in any
    /// order.
    pub(crate) fn file(&mut self, beyond: Quote, params: &MarketParams, today: i64) -> Result<()> {
        if beyond.is_zero() {
            return Ok(());
        }
        self.close_day(today)?;
        if self.beyond.is_zero() {
            let mut before = Quote::ZERO;
            for claim in &self.week {
                before = before.plus(*claim)?;
            }
            self.cap = params.insurance_day_cap.min(params.insurance_week_cap.saturating_sub(before));
        }
        self.beyond = self.beyond.plus(beyond)?;
        Ok(())
    }
}

impl InsuranceBatch {
    /// When its window ends and its factor is fixed, Unix seconds: the end of the day after its own.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn fixed_at(&self) -> Result<i64> {
        some(self.day.checked_add(2).and_then(|day| day.checked_mul(DAY)))
    }

    /// What an hour releases: a quarter of the fund, rounded up so that four hours release all of it.
    fn hourly(&self) -> Result<Quote> {
        self.fund.portion(Ratio(INSURANCE_RELEASE), Rounding::Up)
    }

    /// What of the award is released by now: a quarter of the fund at once, another one each full hour since.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn released(&self, now: &Now) -> Result<Quote> {
        if self.fixed == 0 {
            return Ok(Quote::ZERO);
        }
        let since = some(now.unix.checked_sub(self.fixed_at()?))?.max(0);
        let hours: u64 = fit(some(period(since, HOUR)?.checked_add(1))?)?;
        let released = u128::from(self.hourly()?.0).saturating_mul(u128::from(hours));
        Ok(Quote(u64::try_from(released).unwrap_or(u64::MAX)).min(self.awarded))
    }

    /// What has been awarded and not paid; when all its markets are paid, what rounding left.
    fn set_aside(&self) -> Result<Quote> {
        self.awarded.less(self.paid)
    }
}

impl SharedInsurance {
    /// What is set aside of the fund for batches whose factor is fixed.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn set_aside(&self) -> Result<Quote> {
        let mut sum = self.dust;
        for batch in &self.batches {
            sum = sum.plus(batch.set_aside()?)?;
        }
        Ok(sum)
    }

    /// Fixes the factor of the batch whose window is over, if there is one, on the fund as it is. Whatever changes the fund
    /// calls this first, so the fund is that of the window's end, whoever comes when.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn roll(&mut self, fund: Quote, now: &Now) -> Result<()> {
        // Oldest first. There is one at most: a batch opens only after this has fixed the one before it.
        let mut due: Option<usize> = None;
        for (place, batch) in self.batches.iter().enumerate() {
            if batch.open > 0 && batch.fixed == 0 && now.unix >= batch.fixed_at()? {
                due = Some(place);
            }
        }
        let Some(place) = due else { return Ok(()) };
        let free = fund.less(self.set_aside()?)?;
        let batch = some(self.batches.get_mut(place))?;
        batch.fund = free;
        batch.awarded = batch.claimed.min(free);
        batch.fixed = 1;
        Ok(())
    }

    /// Frees what rounding has left of past awards, if no claim is open: it is nobody's any more, and may be withdrawn with the
    /// rest of the fund.
    pub fn free_rounding(&mut self) {
        if self.batches.iter().any(|batch| batch.open > 0) {
            return;
        }
        self.dust = Quote::ZERO;
        for batch in &mut self.batches {
            batch.awarded = batch.paid;
        }
    }

    /// Registers a market's claims of days that are over with the batch of yesterday. Returns that day and the amount.
    ///
    /// # Errors
    /// [`Error::InsuranceTooEarly`] while all the market has is today's, [`Error::CoverTooEarly`] where it has none,
    /// [`Error::InsuranceBatchBusy`] while a market of an older batch in that place has yet to be paid.
    pub fn register(&mut self, fund: Quote, market: &mut MarketState, now: &Now) -> Result<(i64, Quote)> {
        self.roll(fund, now)?;
        market.touch(now);
        let today = period(now.unix, DAY)?;
        let claims = &mut market.insurance;
        claims.close_day(today)?;
        let amount = core::mem::take(&mut claims.due);
        if amount.is_zero() {
            ensure(!claims.filed().is_zero(), Error::CoverTooEarly)?;
            let over = some(today.checked_add(1).and_then(|day| day.checked_mul(DAY)))?;
            return Err(Fault::new(Error::InsuranceTooEarly, over, now.unix));
        }
        let day = some(today.checked_sub(1))?;
        let place = place_of(day, INSURANCE_BATCHES)?;
        let batch = some(self.batches.get_mut(place))?;
        if batch.day != day {
            ensure(batch.open == 0, Fault::new(Error::InsuranceBatchBusy, batch.day, day))?;
            self.dust = self.dust.plus(batch.set_aside()?)?;
            *batch = InsuranceBatch { day, ..InsuranceBatch::default() };
        }
        batch.claimed = batch.claimed.plus(amount)?;
        batch.open = some(batch.open.checked_add(1))?;
        let claim = some(claims.registered.get_mut(place))?;
        ensure(claim.amount.is_zero(), Error::InvariantBroken)?;
        *claim = RegisteredClaim { day, amount, paid: Quote::ZERO };
        Ok((day, amount))
    }

    /// Pays a market what is released on its claims: `amount × released ÷ sum of the batch`, rounded down, less what it was
    /// paid before. When all of the award is released, the claim is closed.
    ///
    /// # Errors
    /// [`Error::CoverTooEarly`] where nothing is registered, [`Error::InsuranceTooEarly`] with the time from which there is
    /// more.
    pub fn pay(&mut self, fund: &mut Quote, market: &mut MarketState, now: &Now) -> Result<Payment> {
        self.roll(*fund, now)?;
        market.touch(now);
        let mut done = Payment::default();
        let mut next: Option<i64> = None;
        for claim in &mut market.insurance.registered {
            if claim.amount.is_zero() {
                continue;
            }
            let batch = some(self.batches.get_mut(place_of(claim.day, INSURANCE_BATCHES)?))?;
            ensure(batch.day == claim.day && batch.open > 0, Error::InvariantBroken)?;
            let released = batch.released(now)?;
            let due = claim.amount.share(released.0, batch.claimed.0, Rounding::Down)?;
            let paid = due.less(claim.paid)?;
            done.amount = done.amount.plus(paid)?;
            batch.paid = batch.paid.plus(paid)?;
            claim.paid = due;
            if batch.fixed != 0 && released == batch.awarded {
                batch.open = some(batch.open.checked_sub(1))?;
                done.closed = some(done.closed.checked_add(1))?;
                *claim = RegisteredClaim::default();
                continue;
            }
            done.open = done.open.plus(claim.amount.less(claim.paid)?)?;
            let since = some(now.unix.checked_sub(batch.fixed_at()?))?;
            let hours = if since < 0 { 0 } else { some(period(since, HOUR)?.checked_add(1))? };
            let at = some(hours.checked_mul(HOUR).and_then(|later| later.checked_add(batch.fixed_at().ok()?)))?;
            next = Some(next.map_or(at, |other| other.min(at)));
        }
        if done.amount.is_zero() && done.closed == 0 {
            let at = next.ok_or(Error::CoverTooEarly)?;
            return Err(Fault::new(Error::InsuranceTooEarly, at, now.unix));
        }
        *fund = fund.less(done.amount)?;
        self.paid = self.paid.plus(done.amount)?;
        market.insurance.paid = market.insurance.paid.plus(done.amount)?;
        market.pool.deficits = market.pool.deficits.less(done.amount)?;
        market.receive(done.amount)?;
        Ok(done)
    }

    /// What must hold after every change: no more is set aside than there is, and no batch is paid more than its award.
    ///
    /// # Errors
    /// [`Error::InvariantBroken`].
    pub fn invariant(&self, fund: Quote) -> Result<()> {
        for batch in &self.batches {
            ensure(batch.paid <= batch.awarded && batch.awarded <= batch.claimed, Error::InvariantBroken)?;
        }
        ensure(self.set_aside()? <= fund, Error::InvariantBroken)
    }
}

/// That a market has no claim open, as a withdrawal of insurance needs of every market.
///
/// # Errors
/// [`Error::InsurancePending`].
pub fn check_none_pending(market: &MarketState) -> Result<()> {
    let pending = market.insurance.pending()?;
    ensure(pending.is_zero(), Fault::new(Error::InsurancePending, 0_u64, pending.0))
}

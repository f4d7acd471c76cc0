//! What an owner's subaccounts are worth together, without reading them all at once: the covenant keeps an entry for each,
//! which anyone refreshes, and every rule works on the sums.
//!
//! **Steps.** Accounts that hedge one another must be seen at the same prices, or whoever refreshes them could choose a
//! price for each. A step is a slot in which no price has changed between two refreshes: the mark, the day's start and a
//! trip count only sums whose entries with positions were all refreshed in one step. An entry without positions depends on no
//! price and belongs to every step.

use super::{CovenantState, Entry, Seen};
use crate::Now;
use crate::account::Position;
use crate::constants::{AGEING_SLOTS, COVENANT_ACCOUNTS, COVENANT_POSITIONS, DAY, POSITIONS, RATIO_SCALE};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout::Key;
use crate::margin;
use crate::market::MarketState;
use crate::math::{period, some};
use crate::price::Status;
use crate::units::{Quote, Rounding, SignedQuote};

/// What a subaccount is worth to its owner's covenant: collateral, profits, losses and claims in full, at the last price.
/// Where that is not good, at the valid price moved in the account's favour, as in a liquidation: a bad price trips nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Measure {
    /// Equity.
    pub equity: SignedQuote,
    /// Notional at those prices, rounded up.
    pub notional: Quote,
    /// Open positions.
    pub positions: u64,
    /// Whether all their prices are good.
    pub good: bool,
    /// Their prices' publish times.
    prices: [Seen; POSITIONS],
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
            positions: 0,
            good: true,
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
        let last = &market.price.last;
        let price = if good { last.price } else { market.favourable_price(position.size.is_long(), now)? };
        let result = margin::unrealised(position, price)?.less(margin::funding_owed(market, position)?)?;
        self.equity = self.equity.plus(result)?;
        // In a settled market nothing is at risk any more.
        if !market.is_settled() {
            self.notional = self.notional.plus(position.base().value(price, Rounding::Up)?)?;
        }
        self.good &= good;
        let seen = Seen { market: some(u64::from(market.index).checked_add(1))?, publish_time: last.publish_time };
        let place = usize::try_from(self.positions).map_err(|_| Error::MathOverflow)?;
        *self.prices.get_mut(place).ok_or(Error::MathOverflow)? = seen;
        self.positions = some(self.positions.checked_add(1))?;
        Ok(())
    }
}

/// Which limit a trip was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Whether the day's loss reached its limit.
    pub daily: bool,
    /// Whether the drawdown did.
    pub drawdown: bool,
    /// Loss since the day began.
    pub day_loss: Quote,
    /// Loss since the highest result.
    pub fallen: Quote,
    /// Reduce-only until then, Unix seconds.
    pub until: i64,
}

impl Entry {
    /// Equity less what the owner has put in on balance.
    fn result(&self) -> Result<SignedQuote> {
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

    /// Begins a new day where one has begun: its loss counts from the last result that was seen, or from the day's first
    /// one if that is higher, so that nobody gains by keeping the accounts out of sight over midnight.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(super) fn roll(&mut self, now: &Now) -> Result<()> {
        let day = period(now.unix, DAY)?;
        if day > self.day {
            (self.day, self.day_start, self.day_seen) = (day, self.seen, 0);
        }
        Ok(())
    }

    /// Refreshes an account's entry, and enrols it where it has none. `flow` is what its owner has put in on balance.
    /// Who is enrolled changes no loss: the mark and the day's start move with the result that comes in.
    ///
    /// # Errors
    /// [`Error::CovenantFull`] where no place is left, or more than 16 positions would be enrolled, with the limit and the
    /// number; [`Error::MathOverflow`].
    pub fn touch(&mut self, subaccount: &Key, measure: &Measure, flow: SignedQuote, now: &Now) -> Result<()> {
        self.roll(now)?;
        let found = self.find(subaccount);
        let place = match found {
            Some(place) => place,
            None => self.free_place()?,
        };
        let entry = Entry {
            subaccount: *subaccount,
            equity: measure.equity,
            flow,
            notional: measure.notional,
            positions: measure.positions,
            good: measure.good.into(),
            slot: now.slot,
            step: self.step_for(measure, now)?,
            reserved: 0,
        };
        *self.entries.get_mut(place).ok_or(Error::MathOverflow)? = entry;
        if found.is_none() {
            self.shift(entry.result()?)?;
        }
        let positions = self.positions()?;
        ensure(positions <= COVENANT_POSITIONS, Fault::new(Error::CovenantFull, COVENANT_POSITIONS, positions))?;
        self.note()
    }

    /// The step that a measure belongs to: the running one, unless its slot is over or a price has changed in it.
    fn step_for(&mut self, measure: &Measure, now: &Now) -> Result<u64> {
        let seen = || measure.prices.iter().filter(|seen| seen.market != 0);
        let changed = seen()
            .any(|new| self.prices.iter().any(|old| old.market == new.market && old.publish_time != new.publish_time));
        if now.slot != self.step_slot || changed {
            self.step = some(self.step.checked_add(1))?;
            (self.step_slot, self.prices) = (now.slot, Default::default());
        }
        for new in seen() {
            // A place each: no more than 16 positions are enrolled, but for one refused in the end.
            if let Some(place) = self.prices.iter().position(|old| old.market == new.market || old.market == 0) {
                *self.prices.get_mut(place).ok_or(Error::MathOverflow)? = *new;
            }
        }
        Ok(self.step)
    }

    /// A free place, or that of an account without positions, which gives it up: no loss is forgotten with it.
    fn free_place(&mut self) -> Result<usize> {
        if let Some(place) = self.find(&Key::default()) {
            return Ok(place);
        }
        let idle = self.entries.iter().position(|entry| entry.positions == 0);
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
        Ok(())
    }

    /// Notes the sum of results where all entries with positions are of the running step and all prices good.
    fn note(&mut self) -> Result<()> {
        let mut open = self.entries.iter().filter(|entry| entry.positions != 0);
        if open.any(|entry| entry.step != self.step || entry.good == 0) {
            return Ok(());
        }
        let result = self.result()?;
        self.seen = result;
        self.mark = self.mark.max(result);
        if self.day_seen == 0 {
            (self.day_start, self.day_seen) = (self.day_start.max(result), 1);
        }
        Ok(())
    }

    /// Whether all entries with positions were refreshed in one step.
    fn in_step(&self) -> bool {
        let mut open = self.entries.iter().filter(|entry| entry.positions != 0);
        let first = open.next().map(|entry| entry.step);
        open.all(|entry| Some(entry.step) == first)
    }

    /// Sum of the entries' results.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn result(&self) -> Result<SignedQuote> {
        self.entries.iter().try_fold(SignedQuote::ZERO, |sum, entry| sum.plus(entry.result()?))
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

    /// Losses since the day began and since the highest result.
    pub(super) fn losses(&self) -> Result<(Quote, Quote)> {
        let result = self.result()?;
        Ok((self.day_start.less(result)?.gain(), self.mark.less(result)?.gain()))
    }

    /// The age of the oldest entry with positions.
    pub(super) fn age(&self, now: &Now) -> u64 {
        self.entries.iter().filter(|entry| entry.positions != 0).map(|entry| entry.age(now)).max().unwrap_or(0)
    }

    fn check_fresh(&self, now: &Now) -> Result<()> {
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

    /// The notional that the leverage limit allows, rounded down; the largest amount where that leaves the range.
    pub(super) fn most_by_leverage(&self) -> Result<Quote> {
        let equity = u128::from(self.equity()?.gain().0);
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
    /// holds money back (P13).
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

    /// Trips the covenant if a loss has reached its limit: reduce-only for the cool-down, for the day's loss until the day
    /// ends at least. Needs all entries with positions refreshed in one step, at most 25 slots ago. The day's loss trips
    /// once a day; the drawdown counts anew from where it tripped.
    ///
    /// # Errors
    /// [`Error::CovenantStale`] with 25 and the age in slots, or without numbers where the entries are of several steps;
    /// [`Error::CovenantNotBreached`] with the drawdown's limit and loss, or the day's where there is no such limit;
    /// [`Error::MathOverflow`].
    pub fn trip(&mut self, now: &Now) -> Result<Breach> {
        self.roll(now)?;
        self.check_fresh(now)?;
        ensure(self.in_step(), Error::CovenantStale)?;
        let limits = self.limits;
        let (day_loss, fallen) = self.losses()?;
        let reached = |limit: Quote, loss: Quote| !limit.is_zero() && loss >= limit;
        let daily = reached(limits.daily_loss, day_loss) && self.tripped_day != self.day;
        let drawdown = reached(limits.drawdown, fallen);
        if !daily && !drawdown {
            let (limit, loss) =
                if limits.drawdown.is_zero() { (limits.daily_loss, day_loss) } else { (limits.drawdown, fallen) };
            return Err(Fault::new(Error::CovenantNotBreached, limit.0, loss.0));
        }
        let mut until = some(now.unix.checked_add(limits.cool_down))?;
        if daily {
            let day_ends = some(some(self.day.checked_add(1))?.checked_mul(DAY))?;
            until = until.max(day_ends);
            self.tripped_day = self.day;
        }
        if drawdown {
            self.mark = self.result()?;
        }
        self.tripped_until = self.tripped_until.max(until);
        self.trips = some(self.trips.checked_add(1))?;
        Ok(Breach { daily, drawdown, day_loss, fallen, until: self.tripped_until })
    }
}

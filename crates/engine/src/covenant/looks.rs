//! What is made of the sums: the highest result, the day's first one, and a trip.
//!
//! **Nobody's print.** Who refreshes the entries chooses the moment, and among valid updates the price. So one look proves
//! nothing: marks rise to what two looks have both reached, twenty minutes apart at most, at prices published at different
//! times (a lower one between them hinders nothing: it may be the owner's own choice); a loss trips when it is found at its limit
//! twice, and no look in between shows less. Sums without positions rest on no price: one look is enough for
//! a mark, and for a trip two slots are.

use super::{CovenantState, Look};
use crate::Now;
use crate::constants::{DAY, FLAG_VOID_SLOTS, FLAG_WAIT_SLOTS, LOOK_MEMORY_SLOTS};
use crate::error::{Error, Fault, Result, ensure};
use crate::math::{period, some};
use crate::units::{Quote, SignedQuote};

/// `day_seen`: the day began with what was seen last, and no first result of its own is told yet.
const NOT_YET: u64 = 0;
/// `day_seen`: two looks of the day have told its first result.
const TOLD: u64 = 1;
/// `day_seen`: what was seen last is older than yesterday, and says nothing of the day.
const UNKNOWN: u64 = 2;
/// `day_seen`: told, and it may rise: to what two looks have both reached in the twenty minutes from the day's first one on.
const TELLING: u64 = 3;

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

/// The sums' look: when, and the publish times of the prices they rest on.
#[derive(Clone, Copy)]
struct Moment {
    slot: u64,
    /// The largest number where they rest on none; 0 where all are so old that nothing was seen anew.
    oldest: i64,
    /// The same, but 0 only where all are older than twenty minutes: what tells a mark or a day.
    told: i64,
    newest: i64,
}

impl Moment {
    /// Whether the sums rest on no price.
    const fn is_certain(&self) -> bool {
        self.oldest == i64::MAX
    }
    const fn look(&self) -> Look {
        Look { slot: self.slot, publish_time: self.newest }
    }
}

impl Look {
    /// Whether a look in that slot, whose oldest price is of that time, saw the sums anew: two slots later, at prices that are
    /// all newer. The refusal names what is not so.
    fn check_before(&self, slot: u64, oldest: i64) -> Result<()> {
        let ready = self.slot.saturating_add(FLAG_WAIT_SLOTS);
        ensure(slot >= ready, Fault::new(Error::CovenantTooFresh, ready, slot))?;
        ensure(oldest > self.publish_time, Fault::new(Error::CovenantTooFresh, self.publish_time, oldest))
    }
    /// Whether a loss found then counts no more: as long ago as voids a flag, or before a restart.
    const fn is_void(&self, slot: u64, now: &Now) -> bool {
        self.slot <= now.restart_slot || slot.saturating_sub(self.slot) > FLAG_VOID_SLOTS
    }
}

impl CovenantState {
    /// Begins a new day where one has begun: its loss counts from the last result that was seen, or from the day's first
    /// one if that is higher, so that nobody gains by keeping the accounts out of sight over midnight. Where nobody has
    /// looked since before yesterday the loss of many days would be one day's: then from the day's first one alone.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(super) fn roll(&mut self, now: &Now) -> Result<()> {
        let day = period(now.unix, DAY)?;
        if day > self.day {
            let recent = self.seen_day.saturating_add(1) >= day;
            (self.day, self.day_start, self.day_seen) = (day, self.seen, if recent { NOT_YET } else { UNKNOWN });
        }
        Ok(())
    }

    /// The look at the sums where all entries with positions are of the running step.
    fn moment(&self, now: &Now) -> Option<Moment> {
        let mut open = self.entries.iter().filter(|entry| entry.positions != 0).peekable();
        if open.peek().is_none() {
            return Some(Moment { slot: now.slot, oldest: i64::MAX, told: i64::MAX, newest: 0 });
        }
        let [oldest, told] = [self.step_oldest, self.step_told].map(|time| if time == i64::MAX { 0 } else { time });
        let moment = Moment { slot: self.step_slot, oldest, told, newest: self.step_newest };
        open.all(|entry| entry.step == self.step).then_some(moment)
    }

    /// Notes the sum of results where it can be seen in this slot: what is at its limit, and what it makes of mark and day. A look
    /// beside a price that is not good counts in the accounts' favour: so it forgets a loss only where that is below its limit
    /// without the favour, too.
    pub(super) fn note(&mut self, now: &Now) -> Result<()> {
        // Touched later than the others, an account without positions makes no look at them.
        let Some(moment) = self.moment(now).filter(|moment| moment.slot == now.slot) else { return Ok(()) };
        self.raise(&moment)?;
        let (_, _, reached) = self.reached(self.result()?)?;
        let (_, _, kept) = self.reached(self.sure_result()?)?;
        for ((found, reached), kept) in self.found.iter_mut().zip(reached).zip(kept) {
            if !reached {
                if !kept {
                    *found = Look::default();
                }
            } else if found.is_void(moment.slot, now) || found.slot == moment.slot {
                // All prices of one slot are one look.
                *found = moment.look();
            }
        }
        Ok(())
    }

    /// Raises the mark (where all prices are good), and tells the day's first result, to what this look and the one that is
    /// remembered have both reached. Remembered is the highest of the last twenty minutes and of the day. All prices of one slot
    /// are one look, at the lowest result; one that sees a price of the last twenty minutes again that the remembered one saw is
    /// none, or a print that has grown old would be two beside another market's newer one.
    fn raise(&mut self, moment: &Moment) -> Result<()> {
        let (result, first) = (self.sure_result()?, self.last_at.slot == 0);
        let again = !first && self.last_at.check_before(moment.slot, moment.told).is_ok();
        let (certain, today) = (moment.is_certain(), self.last_day == self.day);
        if self.day_seen == TELLING && moment.slot.saturating_sub(self.day_look) > LOOK_MEMORY_SLOTS {
            self.day_seen = TOLD;
        }
        if certain || again {
            let both = if certain { result } else { result.min(self.last) };
            if self.entries.iter().all(|entry| entry.positions == 0 || entry.good != 0) {
                self.mark = self.mark.max(both);
            }
            (self.seen, self.seen_day) = (both, self.day);
            if self.day_seen != TOLD && (certain || today) {
                self.day_start = if self.day_seen == UNKNOWN { both } else { self.day_start.max(both) };
                self.day_seen = if certain { TOLD } else { TELLING };
            }
        }
        let over = !today || moment.slot.saturating_sub(self.last_at.slot) > LOOK_MEMORY_SLOTS;
        if first || certain || (again && (over || result >= self.last)) {
            if !today || first {
                self.day_look = moment.slot;
            }
            (self.last, self.last_at, self.last_day) = (result, moment.look(), self.day);
        } else if self.last_at.slot == moment.slot {
            (self.last, self.last_at) = (self.last.min(result), moment.look());
        }
        Ok(())
    }

    /// Losses since the day began and since the highest result.
    pub(super) fn losses(&self) -> Result<(Quote, Quote)> {
        self.losses_at(self.result()?)
    }

    fn losses_at(&self, result: SignedQuote) -> Result<(Quote, Quote)> {
        let day_start = if self.day_seen == UNKNOWN { result } else { self.day_start };
        Ok((day_start.less(result)?.gain(), self.mark.less(result)?.gain()))
    }

    /// Both losses at a result, and which of them are at their limits: the day's once a day.
    fn reached(&self, result: SignedQuote) -> Result<(Quote, Quote, [bool; 2])> {
        let (day_loss, fallen) = self.losses_at(result)?;
        let at = |limit: Quote, loss: Quote| !limit.is_zero() && loss >= limit;
        let daily = at(self.limits.daily_loss, day_loss) && self.tripped_day != self.day;
        Ok((day_loss, fallen, [daily, at(self.limits.drawdown, fallen)]))
    }

    /// Trips the covenant if a loss is found at its limit again, two slots later at least and with every price newer that the
    /// sums rest on: reduce-only for the cool-down, for the day's loss until the day ends at least. Prices older than ten
    /// seconds need not be newer, as long as one is: they count in the accounts' favour, and none of them may shield. Needs all
    /// entries with positions refreshed in the running step, at most 25 slots ago. The day's loss trips once a day; the drawdown
    /// counts anew from where it tripped.
    ///
    /// # Errors
    /// [`Error::CovenantStale`] with 25 and the age in slots, or without numbers where the entries are of several steps;
    /// [`Error::CovenantNotBreached`] with the drawdown's limit and loss, or the day's where there is no such limit;
    /// [`Error::CovenantTooFresh`] with the slot from which it may and the sums' slot, or the newest publish time when it was
    /// found and the oldest now; [`Error::MathOverflow`].
    pub fn trip(&mut self, now: &Now) -> Result<Breach> {
        self.roll(now)?;
        self.check_fresh(now)?;
        let moment = self.moment(now).ok_or(Error::CovenantStale)?;
        let limits = self.limits;
        let (day_loss, fallen, reached) = self.reached(self.result()?)?;
        let [daily, drawdown] = self.found_before(reached, &moment, now)?;
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
            // What it counts for in doubt was never there. No look from before confirms a higher one.
            self.mark = self.sure_result()?;
            (self.last, self.last_at) = (self.mark, moment.look());
        }
        self.found = Default::default();
        self.tripped_at = Look { slot: now.slot, ..moment.look() };
        self.tripped_until = self.tripped_until.max(until);
        self.trips = some(self.trips.checked_add(1))?;
        Ok(Breach { daily, drawdown, day_loss, fallen, until: self.tripped_until })
    }

    /// Whether a loss was found at its limit, so lately that it trips once it is found there again.
    pub fn is_found(&self, now: &Now) -> bool {
        self.found.iter().any(|look| !look.is_void(now.slot, now))
    }

    /// Which of the losses at their limits were there before, by an earlier look.
    ///
    /// # Errors
    /// [`Error::CovenantTooFresh`] where none was that is there now.
    fn found_before(&self, reached: [bool; 2], moment: &Moment, now: &Now) -> Result<[bool; 2]> {
        let mut refused = None;
        let mut before = [false; 2];
        for ((found, reached), before) in self.found.iter().zip(reached).zip(&mut before) {
            if !reached {
                continue;
            }
            let look = if found.is_void(moment.slot, now) { moment.look() } else { *found };
            match look.check_before(moment.slot, moment.oldest) {
                Ok(()) => *before = true,
                Err(fault) => refused = Some(fault),
            }
        }
        match refused {
            Some(fault) if before == [false; 2] => Err(fault),
            _ => Ok(before),
        }
    }
}

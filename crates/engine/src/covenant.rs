//! Covenants (section 10): limits that an owner binds itself to, over all its subaccounts. They tighten at once and loosen
//! only after the delay that the owner chose (P12).
//!
//! A loss is counted as *result*, an account's equity less what its owner has put in on balance
//! ([`AccountState::flow`](crate::account::AccountState::flow)): money that moves in or out, or between two of the
//! owner's subaccounts, changes no result, so it neither trips a covenant nor hides a loss, and limits in quote cannot be
//! widened by a deposit. Liquidity shares are not equity: what is put into a pool has left the accounts.
//!
//! What the accounts are worth together is in [`book`]: one entry for each, refreshed one by one. What is made of the sums,
//! marks and trips, is in [`looks`].

pub mod book;
mod headroom;
pub mod looks;
mod measure;

pub use headroom::Headroom;
pub use looks::Breach;
pub use measure::Measure;

use crate::Now;
use crate::constants::{
    COOL_DOWN_MAX, COOL_DOWN_MIN, COVENANT_ACCOUNTS, DAY, FLAG_WAIT_SLOTS, LOOSENING_LIFE, LOOSENING_MAX, LOOSENING_MIN,
};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::layout::Key;
use crate::math::{period, some};
use crate::units::{Quote, Ratio, SignedQuote};

layout! {
    /// What an owner binds itself to. Zero is no limit in the first four.
    pub struct Limits = 64 {
        /// Notional of all positions over the owner's equity, in millionths: 3_000_000 is three times.
        pub max_leverage: Ratio,
        /// Notional of all positions.
        pub max_notional: Quote,
        /// Loss since the day began (UTC) that trips the covenant.
        pub daily_loss: Quote,
        /// Loss since the highest result that trips it.
        pub drawdown: Quote,
        /// Reduce-only for so long once it is tripped, seconds.
        pub cool_down: i64,
        /// Loosening takes so long, seconds.
        pub loosening_delay: i64,
        /// 1: once it is tripped anyone may close what is open, for a market's order fee a position.
        pub auto_close: u64,
        /// For later versions.
        pub reserved: u64,
    }
}

layout! {
    /// What one enrolled subaccount was worth when it was last seen.
    pub struct Entry = 96 {
        /// The subaccount; the default key is a free place.
        pub subaccount: Key,
        /// Equity, profits and claims in full.
        pub equity: SignedQuote,
        /// What the owner had put in on balance.
        pub flow: SignedQuote,
        /// Notional of its positions.
        pub notional: Quote,
        /// Its open positions.
        pub positions: u64,
        /// 1 if all their prices were good.
        pub good: u64,
        /// Slot in which it was seen.
        pub slot: u64,
        /// The step it was seen in: entries of one step were seen at the same prices.
        pub step: u64,
        /// What the equity is above that at the last valid prices; 0 where all prices were good.
        pub doubt: Quote,
    }
}

layout! {
    /// A market's price as the running step saw it.
    pub struct Seen = 16 {
        /// The market's index plus one; 0 is a free place.
        pub market: u64,
        /// Publish time of its price.
        pub publish_time: i64,
    }
}

layout! {
    /// When the sums of all accounts were looked at.
    pub struct Look = 16 {
        /// Slot; 0 for never.
        pub slot: u64,
        /// Newest publish time of the prices that they rested on; 0 where they rested on none.
        pub publish_time: i64,
    }
}

layout! {
    /// An owner's covenant: limits, a request to loosen them, and what the accounts were worth.
    pub struct CovenantState = 1368 {
        /// The limits in force.
        pub limits: Limits,
        /// The limits asked for.
        pub asked: Limits,
        /// When they may be put in force, Unix seconds; 0 if none are asked for.
        pub asked_at: i64,
        /// Reduce-only until then, Unix seconds.
        pub tripped_until: i64,
        /// Day of the last trip by the daily loss, Unix time / 86400.
        pub tripped_day: i64,
        /// How often it was tripped.
        pub trips: u64,
        /// The highest result that two looks have both reached, since the covenant began or was last tripped by
        /// its drawdown.
        pub mark: SignedQuote,
        /// What the last look and the remembered one have both reached.
        pub seen: SignedQuote,
        /// The day that `day_start` belongs to, Unix time / 86400.
        pub day: i64,
        /// The result that the day's loss counts from.
        pub day_start: SignedQuote,
        /// 1 once two looks of the day have told its first result; 0 while the day begins at `seen`, 2 while its beginning is
        /// not known, `seen` being older than yesterday; 3 while it may still rise, in the twenty minutes from the
        /// day's first look on.
        pub day_seen: u64,
        /// Number of the running step.
        pub step: u64,
        /// Slot of the running step.
        pub step_slot: u64,
        /// Prices of the running step.
        pub prices: [Seen; 16],
        /// The enrolled subaccounts.
        pub entries: [Entry; 8],
        /// Events so far.
        pub sequence: u64,
        /// Oldest publish time of the running step's prices, but for those older than ten seconds; the largest number where
        /// there is none.
        pub step_oldest: i64,
        /// Newest publish time of the running step's prices.
        pub step_newest: i64,
        /// The look that is remembered: the highest result of the last twenty minutes and of the day, at valid prices.
        pub last: SignedQuote,
        /// When that was.
        pub last_at: Look,
        /// The day of it, Unix time / 86400.
        pub last_day: i64,
        /// The day of `seen`, Unix time / 86400.
        pub seen_day: i64,
        /// When the day's loss was first found at its limit, then the drawdown; never where it is not.
        pub found: [Look; 2],
        /// When it was last tripped: its slot, and the prices that the trip rested on.
        pub tripped_at: Look,
        /// Oldest publish time of the running step's prices, but for those older than twenty minutes; the largest number where
        /// there is none.
        pub step_told: i64,
        /// Slot of the day's first look.
        pub day_look: u64,
    }
}
const _: () = assert!(COVENANT_ACCOUNTS == 8);

/// Whether a limit in quote or leverage, where zero is none, is no looser than another.
const fn no_looser(new: u64, old: u64) -> bool {
    old == 0 || (new != 0 && new <= old)
}

impl Limits {
    /// Whether nothing is limited.
    pub const fn is_none(&self) -> bool {
        self.max_leverage.0 == 0 && self.max_notional.0 == 0 && self.daily_loss.0 == 0 && self.drawdown.0 == 0
    }

    /// That the times are within their bounds.
    ///
    /// # Errors
    /// [`Error::CovenantInvalid`] with the bound and the value.
    pub fn check(&self) -> Result<()> {
        let within = |low: i64, value: i64, high: i64| -> Result<()> {
            ensure(value >= low, Fault::new(Error::CovenantInvalid, low, value))?;
            ensure(value <= high, Fault::new(Error::CovenantInvalid, high, value))
        };
        within(COOL_DOWN_MIN, self.cool_down, COOL_DOWN_MAX)?;
        within(LOOSENING_MIN, self.loosening_delay, LOOSENING_MAX)?;
        ensure(self.auto_close <= 1, Fault::new(Error::CovenantInvalid, 1, self.auto_close))?;
        ensure(self.reserved == 0, Fault::new(Error::CovenantInvalid, 0, self.reserved))
    }

    /// That each of them is as tight as in `old` or tighter.
    ///
    /// # Errors
    /// [`Error::CovenantLooser`] with the old value and the new one of the first that is looser.
    pub fn check_no_looser(&self, old: &Self) -> Result<()> {
        let caps = [
            (self.max_leverage.0, old.max_leverage.0),
            (self.max_notional.0, old.max_notional.0),
            (self.daily_loss.0, old.daily_loss.0),
            (self.drawdown.0, old.drawdown.0),
        ];
        for (new, old) in caps {
            ensure(no_looser(new, old), Fault::new(Error::CovenantLooser, old, new))?;
        }
        for (new, old) in [(self.cool_down, old.cool_down), (self.loosening_delay, old.loosening_delay)] {
            ensure(new >= old, Fault::new(Error::CovenantLooser, old, new))?;
        }
        ensure(self.auto_close >= old.auto_close, Fault::new(Error::CovenantLooser, old.auto_close, self.auto_close))
    }
}

impl CovenantState {
    /// Binds an owner for the first time. The state is all zeroes, changed in place: it is large for a stack frame on
    /// chain.
    ///
    /// # Errors
    /// [`Error::CovenantInvalid`] for times out of bounds, or where nothing is limited.
    pub fn begin(&mut self, limits: &Limits, now: &Now) -> Result<()> {
        limits.check()?;
        ensure(!limits.is_none(), Error::CovenantInvalid)?;
        self.limits = *limits;
        // Nothing is lost yet.
        self.day = period(now.unix, DAY)?;
        self.seen_day = self.day;
        Ok(())
    }

    /// Tightens, at once. It takes a pending request to loosen back: what was asked for before is not to undo it.
    ///
    /// # Errors
    /// [`Error::CovenantInvalid`], [`Error::CovenantLooser`].
    pub fn tighten(&mut self, limits: &Limits) -> Result<()> {
        limits.check()?;
        limits.check_no_looser(&self.limits)?;
        self.limits = *limits;
        self.withdraw_request();
        Ok(())
    }

    /// Asks for other limits, in the place of what was asked for before. They may be put in force after the delay that is
    /// in force now, and for seven days from then. Returns when.
    ///
    /// # Errors
    /// [`Error::CovenantInvalid`], [`Error::MathOverflow`].
    pub fn ask(&mut self, limits: &Limits, now: &Now) -> Result<i64> {
        limits.check()?;
        let at = some(now.unix.checked_add(self.limits.loosening_delay))?;
        (self.asked, self.asked_at) = (*limits, at);
        Ok(at)
    }

    /// Puts in force what was asked for, by anyone's call.
    ///
    /// # Errors
    /// [`Error::CovenantNoRequest`] where nothing is asked for, or it was more than seven days ago that it could have been
    /// put in force; [`Error::CovenantNotReady`] with the time from which it may, and now.
    pub fn loosen(&mut self, now: &Now) -> Result<()> {
        ensure(self.asked_at != 0, Error::CovenantNoRequest)?;
        ensure(now.unix >= self.asked_at, Fault::new(Error::CovenantNotReady, self.asked_at, now.unix))?;
        // A request that is kept for a weak moment would be no delay.
        let dead = self.asked_at.saturating_add(LOOSENING_LIFE);
        ensure(now.unix <= dead, Fault::new(Error::CovenantNoRequest, dead, now.unix))?;
        self.limits = self.asked;
        self.withdraw_request();
        Ok(())
    }

    fn withdraw_request(&mut self) {
        (self.asked, self.asked_at) = (Limits::default(), 0);
    }

    /// Whether the owner's accounts are in reduce-only.
    #[inline]
    pub const fn is_tripped(&self, now: &Now) -> bool {
        now.unix < self.tripped_until
    }

    /// That the covenant may be closed: nothing is limited any more, and no cool-down runs.
    ///
    /// # Errors
    /// [`Error::CovenantInForce`]; [`Error::CovenantTripped`] with its end, then now.
    pub fn check_close(&self, now: &Now) -> Result<()> {
        ensure(self.limits.is_none(), Error::CovenantInForce)?;
        ensure(!self.is_tripped(now), Fault::new(Error::CovenantTripped, self.tripped_until, now.unix))
    }

    /// That anyone may close what is open in the owner's accounts: tripped, and its owner wanted so.
    ///
    /// # Errors
    /// [`Error::CovenantNotTripped`].
    pub fn check_auto_close(&self, now: &Now) -> Result<()> {
        ensure(self.is_tripped(now) && self.limits.auto_close == 1, Error::CovenantNotTripped)
    }

    /// That anyone may close a position at its market's price of that publish time: as
    /// [`check_auto_close`](Self::check_auto_close), and neither in the slots of the trip nor at a price that it rested on.
    ///
    /// # Errors
    /// [`Error::CovenantNotTripped`]; [`Error::CovenantTooFresh`] with the slot from which it may and now, or with the trip's
    /// newest publish time and the price's.
    pub fn check_close_at(&self, publish_time: i64, now: &Now) -> Result<()> {
        self.check_auto_close(now)?;
        let at = &self.tripped_at;
        let ready = at.slot.saturating_add(FLAG_WAIT_SLOTS);
        ensure(now.slot >= ready, Fault::new(Error::CovenantTooFresh, ready, now.slot))?;
        let newer = publish_time > at.publish_time;
        ensure(newer, Fault::new(Error::CovenantTooFresh, at.publish_time, publish_time))
    }

    /// The next event's sequence number.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn next_sequence(&mut self) -> Result<u64> {
        self.sequence = some(self.sequence.checked_add(1))?;
        Ok(self.sequence)
    }

    /// What must hold after every change.
    ///
    /// # Errors
    /// [`Error::InvariantBroken`].
    pub fn invariant(&self) -> Result<()> {
        self.limits.check().map_err(|_| Error::InvariantBroken)?;
        for (place, entry) in self.entries.iter().enumerate() {
            let free = entry.subaccount == Key::default();
            ensure(!free || *entry == Entry::default(), Error::InvariantBroken)?;
            let twice = self.entries.iter().skip(place).skip(1).any(|e| !free && e.subaccount == entry.subaccount);
            ensure(!twice && entry.step <= self.step, Error::InvariantBroken)?;
        }
        Ok(())
    }
}

//! What stops the clocks of proposals: whatever keeps somebody from leaving who wants to (section 11).

use crate::Now;
use crate::constants::HOUR;
use crate::error::Result;
use crate::guardian::Emergency;
use crate::layout;
use crate::math::some;

layout! {
    /// How long matured exits were held back by claims or limits. Each try that is held back counts for an hour from then on;
    /// hours that overlap count once.
    pub struct ExitHolds = 16 {
        /// The last of those hours ends then, Unix seconds.
        pub until: i64,
        /// Seconds until then that were held, all together.
        pub seconds: i64,
    }
}

impl ExitHolds {
    /// Books a try that was held back now.
    ///
    /// # Errors
    /// [`MathOverflow`](crate::Error::MathOverflow).
    pub fn hold(&mut self, now: &Now) -> Result<()> {
        let until = some(now.unix.checked_add(HOUR))?;
        let added = some(until.checked_sub(self.until.max(now.unix)))?;
        if added > 0 {
            *self = Self { until, seconds: some(self.seconds.checked_add(added))? };
        }
        Ok(())
    }

    /// Seconds held until now.
    ///
    /// # Errors
    /// [`MathOverflow`](crate::Error::MathOverflow).
    pub fn held_until(&self, now: &Now) -> Result<i64> {
        let ahead = some(self.until.checked_sub(now.unix))?.max(0);
        some(self.seconds.checked_sub(ahead))
    }
}

/// What stops a proposal's clock.
#[derive(Clone, Copy, Debug)]
pub struct Holds<'a> {
    /// The exchange's emergency pause.
    pub emergency: &'a Emergency,
    /// Exits held back: of the market that the proposal is about, or of any if it is about the exchange.
    pub exits: &'a ExitHolds,
}

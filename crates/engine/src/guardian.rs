//! The guardian (class G0 and E0): protection that expires by itself, within a budget.

use crate::Now;
use crate::error::{Error, Result};
use crate::layout;
use crate::market::Overlay;
use crate::units::Quote;

layout! {
    /// The emergency pause of an exchange.
    pub struct Emergency = 24 {
        /// Withdrawals and liquidity exits are refused until then, Unix seconds.
        pub until: i64,
        /// When the last one was armed, Unix seconds.
        pub armed_at: i64,
        /// For later versions.
        pub reserved: u64,
    }
}

impl Overlay {
    /// Puts a market in reduce-only for so many seconds, within the budget.
    ///
    /// # Errors
    /// [`Error::PauseBudget`], [`Error::PauseBitsInvalid`] for no or too long a time.
    pub fn arm_reduce_only(&mut self, seconds: i64, now: &Now) -> Result<()> {
        let _ = (seconds, now);
        Err(Error::MathOverflow.into())
    }
    /// Lowers the open-interest cap for so many seconds, within the budget.
    ///
    /// # Errors
    /// [`Error::PauseBudget`], [`Error::PauseBitsInvalid`].
    pub fn arm_cap(&mut self, cap: Quote, seconds: i64, now: &Now) -> Result<()> {
        let _ = (cap, seconds, now);
        Err(Error::MathOverflow.into())
    }
    /// Whether increases are refused now.
    pub fn reduce_only(&self, now: &Now) -> bool {
        let _ = now;
        false
    }
    /// The cap in force: the parameter, or the guardian's lower one.
    pub fn effective_cap(&self, parameter: Quote, now: &Now) -> Quote {
        let _ = now;
        parameter
    }
}

//! Funding and the holding fee (section 6): the rate, the two indices, what a side owes.

use crate::Now;
use crate::error::{Error, Result};
use crate::market::{MarketState, Side};
use crate::units::{FundingRate, Rounding, SignedQuote};

/// What an accrual did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Accrual {
    /// Seconds charged.
    pub seconds: i64,
    /// The rate after.
    pub rate: FundingRate,
    /// What the longs have come to owe, net of what they receive.
    pub longs_owe: SignedQuote,
    /// What the shorts have come to owe.
    pub shorts_owe: SignedQuote,
}

impl MarketState {
    /// Charges funding and the holding fee since the last accrual at the stored price, if that is good or ageing
    /// (else the time is skipped where `skip_invalid`, i.e. an update was stored that is not valid). `dt` is capped.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn accrue(&mut self, skip_invalid: bool, now: &Now) -> Result<Accrual> {
        let _ = (skip_invalid, now);
        Err(Error::MathOverflow.into())
    }
}

impl Side {
    /// What this side's positions owe and have not settled; negative when they are owed.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn funding_owed(&self, rounding: Rounding) -> Result<SignedQuote> {
        let _ = rounding;
        Err(Error::MathOverflow.into())
    }
}

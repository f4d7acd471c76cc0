//! The outflow limiter (section 11): what may leave the vault as profit, by hour and by day, measured on the lowest
//! hourly balance of the last day, so that a deposit does not widen it.

use crate::Now;
use crate::error::{Error, Result};
use crate::layout;
use crate::params::ExchangeParams;
use crate::units::Quote;

layout! {
    /// The limiter's memory. Deposits do not write it: between two withdrawals the balance only rises, so the last
    /// closing balance bounds the hours between them from below.
    pub struct Outflow = 408 {
        /// Lowest balance by hour of the day (Unix time / 3600 mod 24).
        pub low: [Quote; 24],
        /// What left as profit in that hour.
        pub out: [Quote; 24],
        /// The hour last written, Unix time / 3600.
        pub hour: i64,
        /// The vault's balance after the last withdrawal.
        pub closing: Quote,
        /// For later versions.
        pub reserved: u64,
    }
}

impl Outflow {
    /// Books that `amount` leaves, of which `limited` is subject to the limiter, from a vault of `balance`.
    ///
    /// # Errors
    /// [`Error::OutflowLimited`] with what fits now.
    pub fn book(
        &mut self,
        amount: Quote,
        limited: Quote,
        balance: Quote,
        params: &ExchangeParams,
        now: &Now,
    ) -> Result<()> {
        let _ = (amount, limited, balance, params, now);
        Err(Error::MathOverflow.into())
    }
    /// What may leave as profit now.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn room(&self, balance: Quote, params: &ExchangeParams, now: &Now) -> Result<Quote> {
        let _ = (balance, params, now);
        Err(Error::MathOverflow.into())
    }
    /// The earliest time at which `limited` fits if nothing else leaves; `None` if it never does at this balance.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn fits_at(&self, limited: Quote, balance: Quote, params: &ExchangeParams, now: &Now) -> Result<Option<i64>> {
        let _ = (limited, balance, params, now);
        Err(Error::MathOverflow.into())
    }
}

//! Delegates (section 10): a key that may act for a subaccount until its right expires. It never withdraws, never changes
//! the covenant, never appoints another; and the order fees that it can spend have a daily budget, for a fee paid to an
//! accomplice is a withdrawal.

use crate::Now;
use crate::constants::{DAY, DELEGATE_MAX};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::layout::Key;
use crate::math::period;
use crate::units::Quote;

/// May place market orders and reduce.
pub const TRADE: u64 = 1;
/// May place orders of the other kinds, and cancel any.
pub const ORDERS: u64 = 2;
/// May move collateral between two of the owner's subaccounts whose delegate it is.
pub const COLLATERAL: u64 = 4;
/// All of these.
pub const ALL: u64 = TRADE | ORDERS | COLLATERAL;

layout! {
    /// A subaccount's delegate, if it has one.
    pub struct Delegate = 80 {
        /// Its key; the default key for none.
        pub key: Key,
        /// Its right ends then, Unix seconds.
        pub until: i64,
        /// What it may do: bits [`TRADE`], [`ORDERS`], [`COLLATERAL`].
        pub permissions: u64,
        /// Order fees that it may put aside in a day (UTC).
        pub fee_budget: Quote,
        /// The day that `fees` belongs to, Unix time / 86400.
        pub day: i64,
        /// Fees that it has put aside in that day, given back or not.
        pub fees: Quote,
        /// For later versions.
        pub reserved: u64,
    }
}

impl Delegate {
    /// Appoints a key, in the place of whoever there was; the default key appoints nobody. What was spent today stays spent.
    ///
    /// # Errors
    /// [`Error::DelegateInvalid`]: unknown permissions or none, an end that is past or more than a year ahead (limit, then
    /// value), or the owner's own key.
    pub fn appoint(
        &mut self,
        key: Key,
        owner: &Key,
        until: i64,
        permissions: u64,
        fee_budget: Quote,
        now: &Now,
    ) -> Result<()> {
        let (day, fees) = (self.day, self.fees);
        if key == Key::default() {
            *self = Self { day, fees, ..Self::default() };
            return Ok(());
        }
        let known = permissions != 0 && permissions & ALL == permissions;
        ensure(known, Fault::new(Error::DelegateInvalid, ALL, permissions))?;
        ensure(key != *owner, Error::DelegateInvalid)?;
        ensure(until > now.unix, Fault::new(Error::DelegateInvalid, now.unix, until))?;
        let latest = now.unix.saturating_add(DELEGATE_MAX);
        ensure(until <= latest, Fault::new(Error::DelegateInvalid, latest, until))?;
        *self = Self { key, until, permissions, fee_budget, day, fees, reserved: 0 };
        Ok(())
    }

    /// Whether that key is the delegate and may do all of that now.
    pub fn may(&self, key: &Key, permissions: u64, now: &Now) -> bool {
        self.key != Key::default()
            && self.key == *key
            && now.unix < self.until
            && self.permissions & permissions == permissions
    }

    /// Charges an order's fee to the day's budget. A fee that comes back is not given back to the budget: how often it may
    /// be spent is what the budget bounds.
    ///
    /// # Errors
    /// [`Error::DelegateBudget`] with the budget and what the day's fees would be; [`Error::MathOverflow`].
    pub fn spend(&mut self, fee: Quote, now: &Now) -> Result<()> {
        let day = period(now.unix, DAY)?;
        if day > self.day {
            (self.day, self.fees) = (day, Quote::ZERO);
        }
        let fees = self.fees.plus(fee)?;
        ensure(fees <= self.fee_budget, Fault::new(Error::DelegateBudget, self.fee_budget.0, fees.0))?;
        self.fees = fees;
        Ok(())
    }
}

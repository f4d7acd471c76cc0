//! Principal (section 11): what an owner has put in by itself. Older than an hour it leaves outside the limiter.

use crate::Now;
use crate::account::Principal;
use crate::error::{Error, Result};
use crate::units::Quote;

impl Principal {
    /// A deposit.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn deposit(&mut self, amount: Quote, now: &Now) -> Result<()> {
        let _ = (amount, now);
        Err(Error::MathOverflow.into())
    }
    /// A withdrawal: aged principal goes first, then what is beyond all principal counts as profit; returns the part
    /// that is subject to the limiter (fresh principal and profit).
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn withdraw(&mut self, amount: Quote, now: &Now) -> Result<Quote> {
        let _ = (amount, now);
        Err(Error::MathOverflow.into())
    }
    /// A transfer to another of the owner's subaccounts carries principal: aged first, then fresh with its age.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn transfer(&mut self, to: &mut Principal, amount: Quote, now: &Now) -> Result<()> {
        let _ = (to, amount, now);
        Err(Error::MathOverflow.into())
    }
}

//! A pool's books (section 5): equity, what can be paid on profit, claims, where a loss and a fee go.

use crate::error::{Error, Result};
use crate::market::{Claim, MarketState};
use crate::units::{Price, Quote, SignedQuote};

/// What share of profit the pool can pay in cash: `h = min(1, cash / gross)`, kept as its two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payable {
    /// Cash that is not set aside for claims.
    pub cash: Quote,
    /// `max(0, PnL of longs) + max(0, PnL of shorts)` at the mark, rounded up.
    pub gross: Quote,
}

/// What realising a result did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Realised {
    /// Cash moved to the collateral (negative: from it).
    pub cash: SignedQuote,
    /// Profit that became a claim.
    pub claimed: Quote,
    /// Loss that the collateral could not pay.
    pub unpaid: Quote,
}

impl Payable {
    /// `profit × h`, rounded down and never more than the cash.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn of(&self, profit: Quote) -> Result<Quote> {
        let _ = profit;
        Err(Error::MathOverflow.into())
    }
}

impl MarketState {
    /// Unrealised PnL of one side at a price, from the sums alone; rounded up (against the pool).
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn side_pnl(&self, long: bool, price: Price) -> Result<SignedQuote> {
        let _ = (long, price);
        Err(Error::MathOverflow.into())
    }
    /// What the pool can pay on profit at its stored price.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn payable(&self) -> Result<Payable> {
        Err(Error::MathOverflow.into())
    }
    /// Premium that the curve pays back when the skew unwinds: `skew² × price / 2K`, rounded up.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn skew_premium(&self, price: Price) -> Result<Quote> {
        let _ = price;
        Err(Error::MathOverflow.into())
    }
    /// Pool equity at a price: `cash − claims − traders' PnL − funding owed to traders − skew premium`.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn equity(&self, price: Price) -> Result<SignedQuote> {
        let _ = price;
        Err(Error::MathOverflow.into())
    }
    /// Equity for exits and limits: losses count only once they are cash.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn firm_equity(&self, price: Price) -> Result<SignedQuote> {
        let _ = price;
        Err(Error::MathOverflow.into())
    }
    /// Whether claims exceed 1 % of pool cash.
    pub fn claims_block(&self) -> bool {
        true
    }
    /// Cash arrives: shared pro rata between outstanding claims and what unrealised profit lacks (so that it does not
    /// matter who realised first), the rest is free. Cash beyond all profit pays claims too.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn receive(&mut self, amount: Quote) -> Result<()> {
        let _ = amount;
        Err(Error::MathOverflow.into())
    }
    /// Adds to a claim (collected up to now first, by the caller).
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn add_claim(&mut self, claim: &mut Claim, amount: Quote) -> Result<()> {
        let _ = (claim, amount);
        Err(Error::MathOverflow.into())
    }
    /// Pays a holder what the index has paid on its claim: lowers the claim and the set-aside cash, returns the amount
    /// (rounded down; the dust stays with the pool).
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn collect(&mut self, claim: &mut Claim) -> Result<Quote> {
        let _ = claim;
        Err(Error::MathOverflow.into())
    }
    /// What a claim is worth at face now (outstanding, not collected), and what collecting would pay.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn claim_value(&self, claim: &Claim) -> Result<(Quote, Quote)> {
        let _ = claim;
        Err(Error::MathOverflow.into())
    }
    /// Books a realised result between collateral and pool: a loss as far as the collateral goes, a profit at `payable`
    /// (taken before the position left the sums) in cash and the rest as a claim.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn realise(
        &mut self,
        collateral: &mut Quote,
        claim: &mut Claim,
        payable: &Payable,
        result: SignedQuote,
    ) -> Result<Realised> {
        let _ = (collateral, claim, payable, result);
        Err(Error::MathOverflow.into())
    }
    /// Splits a trading fee (already taken from collateral) among pool, insurance and protocol; the rest that rounding
    /// leaves goes to the pool.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn split_fee(&mut self, fee: Quote) -> Result<()> {
        let _ = fee;
        Err(Error::MathOverflow.into())
    }
    /// A deficit that no account can pay: the market's insurance pays the pool what it can; returns what it paid. The
    /// rest is the providers' (it is booked in `pool.deficits`).
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn absorb_deficit(&mut self, deficit: Quote) -> Result<Quote> {
        let _ = deficit;
        Err(Error::MathOverflow.into())
    }
}

//! Claims on a pool: an index pays them pro rata as cash arrives, holders collect, and what is owed both ways is set off.

use crate::constants::{CLAIMS_THRESHOLD, FACTOR_ONE, RATIO_SCALE};
use crate::error::{Error, Result, ensure};
use crate::market::{Claim, MarketState, Pool};
use crate::math::{mul_div, some};
use crate::units::{Quote, Rounding};

/// A payment that would bring the claim factor below this pays the rest too, where the pool has the cash: the factor
/// keeps at least six digits, and what is left then is dust but for very odd histories. Without the cash the factor
/// goes on falling, rounded up, which only makes holders wait.
const FACTOR_LEAST: u64 = 1_000_000;

impl Pool {
    /// Puts free cash aside for claims and lowers the index. Rounded up the factor never promises more than was put
    /// aside: with each claim's outstanding amount `a × F/f`, the sum of those stays at or above `claims`, and the sum
    /// of all `a` equals `claims + claims_paid`; so what can be collected never exceeds `claims_paid` (P1).
    pub(crate) fn pay_claims(&mut self, amount: Quote) -> Result<()> {
        if amount.is_zero() || self.claims.is_zero() {
            return Ok(());
        }
        let mut paid = amount.min(self.claims);
        let mut rest = self.claims.less(paid)?;
        let mut factor = mul_div(self.claim_factor, rest.0, self.claims.0, Rounding::Up)?;
        if factor < FACTOR_LEAST && !rest.is_zero() && self.free_cash()?.less(paid)? >= rest {
            paid = self.claims;
            rest = Quote::ZERO;
            factor = 0;
        }
        self.claims_paid = self.claims_paid.plus(paid)?;
        self.claims = rest;
        self.claim_factor = factor;
        self.end_epoch_if_paid()
    }

    fn end_epoch_if_paid(&mut self) -> Result<()> {
        if self.claims.is_zero() {
            self.claim_epoch = some(self.claim_epoch.checked_add(1))?;
            self.claim_factor = FACTOR_ONE;
        }
        Ok(())
    }
}

impl MarketState {
    /// Whether claims exceed 1 % of the pool's free cash.
    pub fn claims_block(&self) -> bool {
        let pool = &self.pool;
        if pool.claims.is_zero() {
            return false;
        }
        let free = pool.cash.saturating_sub(pool.claims_paid);
        // No product of these overflows 128 bits.
        u128::from(pool.claims.0).saturating_mul(u128::from(RATIO_SCALE))
            > u128::from(free.0).saturating_mul(u128::from(CLAIMS_THRESHOLD))
    }

    /// Adds to a claim (collected up to now first, by the caller).
    ///
    /// # Errors
    /// [`Error::InvariantBroken`] for a claim with something to collect, [`Error::MathOverflow`].
    pub fn add_claim(&mut self, claim: &mut Claim, amount: Quote) -> Result<()> {
        let (outstanding, collectable) = self.claim_value(claim)?;
        ensure(collectable.is_zero(), Error::InvariantBroken)?;
        *claim =
            Claim { amount: outstanding.plus(amount)?, factor: self.pool.claim_factor, epoch: self.pool.claim_epoch };
        self.pool.claims = self.pool.claims.plus(amount)?;
        Ok(())
    }

    /// Pays a holder what the index has paid on its claim: lowers the claim and the set-aside cash, returns the amount
    /// (rounded down; what rounding leaves can be collected once all claims are paid).
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn collect(&mut self, claim: &mut Claim) -> Result<Quote> {
        if claim.amount.is_zero() {
            return Ok(Quote::ZERO);
        }
        let (outstanding, collectable) = self.claim_value(claim)?;
        self.pool.claims_paid = self.pool.claims_paid.less(collectable)?;
        self.pool.cash = self.pool.cash.less(collectable)?;
        *claim = Claim { amount: outstanding, factor: self.pool.claim_factor, epoch: self.pool.claim_epoch };
        Ok(collectable)
    }

    /// What a claim is worth at face now (outstanding, not collected), and what collecting would pay.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn claim_value(&self, claim: &Claim) -> Result<(Quote, Quote)> {
        let pool = &self.pool;
        if claim.amount.is_zero() || claim.epoch != pool.claim_epoch {
            return Ok((Quote::ZERO, claim.amount));
        }
        if claim.factor == pool.claim_factor {
            return Ok((claim.amount, Quote::ZERO));
        }
        let outstanding = claim.amount.share(pool.claim_factor, claim.factor, Rounding::Up)?;
        Ok((outstanding, claim.amount.less(outstanding)?))
    }

    /// Cancels a claim (collected just now) against a debt to the same pool, at face; returns the debt that is left.
    pub(super) fn set_off(&mut self, claim: &mut Claim, debt: Quote) -> Result<Quote> {
        // Rounding may leave claims an atom above their exact sum.
        let amount = debt.min(claim.amount).min(self.pool.claims);
        if amount.is_zero() {
            return Ok(debt);
        }
        claim.amount = claim.amount.less(amount)?;
        self.pool.claims = self.pool.claims.less(amount)?;
        self.pool.end_epoch_if_paid()?;
        debt.less(amount)
    }

    /// What an account below zero has been allotted to this pool, as far as its own claim on it pays: pool and trader owe each
    /// other. Collects into the collateral what the claim has been paid; returns what was set off.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(crate) fn set_off_allotted(
        &mut self,
        collateral: &mut Quote,
        claim: &mut Claim,
        allotted: Quote,
    ) -> Result<Quote> {
        let before = self.collect(claim)?;
        let rest = self.set_off(claim, allotted)?;
        // Where that was all that the pool owes, what rounding has left of the claim was put aside and is paid.
        *collateral = collateral.plus(before)?.plus(self.collect(claim)?)?;
        self.sync_episode()?;
        allotted.less(rest)
    }
}

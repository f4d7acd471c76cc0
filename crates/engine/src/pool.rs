//! A pool's books (section 5): equity, what can be paid on profit, claims, where a loss and a fee go.
//!
//! Free cash is `cash − claims_paid`: what the index has paid on claims belongs to their holders, who have yet to
//! collect it. A side's *result* is its PnL less the funding it owes, for that is what its positions can realise.

mod claims;

use crate::Now;
use crate::constants::DAY;
use crate::error::Result;
use crate::market::{Claim, MarketState, Pool};
use crate::math::period;
use crate::trade::Notional;
use crate::units::{Price, Quote, Ratio, Rounding, SignedQuote};

/// What share of profit the pool can pay in cash: `h = min(1, cash / gross)`, kept as its two numbers. Claims are not
/// subtracted: a profit that is paid at `h` leaves `h` as it was for everyone after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payable {
    /// Cash that is not set aside for claims.
    pub cash: Quote,
    /// `max(0, result of longs) + max(0, result of shorts)` at the mark, rounded up; a result is PnL less funding owed. The
    /// larger of the stored price's and the last valid one's.
    pub gross: Quote,
}

/// What realising a result did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Realised {
    /// Cash moved to the collateral (negative: from it), with what an older claim had been paid meanwhile.
    pub cash: SignedQuote,
    /// Taken from the collateral for a loss; what an older claim had been paid came in before.
    pub paid: Quote,
    /// Profit that became a claim.
    pub claimed: Quote,
    /// Loss that neither the collateral nor the slot's own claim could pay.
    pub unpaid: Quote,
}

impl Realised {
    /// Whether the account pays the market: with its own money, or with other markets'.
    pub const fn pays(&self) -> bool {
        !self.paid.is_zero() || !self.unpaid.is_zero()
    }
}

impl Payable {
    /// For a result that is known to be no profit.
    pub const NOTHING: Self = Self { cash: Quote::ZERO, gross: Quote::ZERO };

    /// `profit × h`, rounded down and never more than the cash.
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn of(&self, profit: Quote) -> Result<Quote> {
        if self.gross <= self.cash {
            return Ok(profit.min(self.cash));
        }
        Ok(profit.share(self.cash.0, self.gross.0, Rounding::Down)?.min(self.cash))
    }
}

/// Both sides' values at a price, rounded against the pool.
#[derive(Clone, Copy)]
pub(crate) struct Values {
    /// The longs', rounded up.
    pub(crate) long: Quote,
    /// The shorts', rounded down.
    pub(crate) short: Quote,
}

impl Values {
    pub(crate) fn of(market: &MarketState, price: Price) -> Result<Self> {
        Ok(Self {
            long: market.long.open_interest.value(price, Rounding::Up)?,
            short: market.short.open_interest.value(price, Rounding::Down)?,
        })
    }
    /// One side's, rounded up; an atom more for shorts saves a division.
    pub(crate) fn side_up(&self, long: bool) -> Result<Quote> {
        if long {
            Ok(self.long)
        } else if self.short.is_zero() {
            Ok(Quote::ZERO)
        } else {
            self.short.plus(Quote(1))
        }
    }
    /// The larger side's, rounded up.
    pub(crate) fn larger(&self) -> Result<Quote> {
        Ok(self.side_up(true)?.max(self.side_up(false)?))
    }
}

impl Pool {
    /// Cash that is not set aside for claim holders.
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    #[inline]
    pub fn free_cash(&self) -> Result<Quote> {
        self.cash.less(self.claims_paid)
    }
}

impl MarketState {
    /// Unrealised PnL of one side at a price, frozen results included, from the sums alone; rounded up (against the pool).
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn side_pnl(&self, long: bool, price: Price) -> Result<SignedQuote> {
        let side = self.side(long);
        let rounding = if long { Rounding::Up } else { Rounding::Down };
        pnl_of(long, side.open_interest.value(price, rounding)?, side.entry)?.plus(self.frozen_of(long))
    }

    /// A side's PnL less the funding it owes, rounded up (against the pool).
    fn side_result(&self, long: bool, values: &Values) -> Result<SignedQuote> {
        let side = self.side(long);
        if side.open_interest.is_zero() {
            return Ok(SignedQuote::ZERO);
        }
        let value = if long { values.long } else { values.short };
        pnl_of(long, value, side.entry)?.plus(self.frozen_of(long))?.less(side.funding_owed(Rounding::Down)?)
    }

    /// Both sides' results at a price, longs first.
    pub(crate) fn results(&self, price: Price) -> Result<(SignedQuote, SignedQuote)> {
        let values = Values::of(self, price)?;
        Ok((self.side_result(true, &values)?, self.side_result(false, &values)?))
    }

    /// What all traders could realise as profit, side by side.
    fn gross(&self, values: &Values) -> Result<Quote> {
        self.side_result(true, values)?.gain().plus(self.side_result(false, values)?.gain())
    }

    /// What cash is shared by: all profit at the stored price, and where that was not valid when it was stored, at the last
    /// valid one if that is more. No single print can make a profit vanish for a moment and its cash go elsewhere.
    fn gross_to_pay(&self) -> Result<Quote> {
        let gross = |price| self.gross(&Values::of(self, price)?);
        let (last, valid) = (self.price.last.price, self.price.valid.price);
        if last == valid || valid.is_zero() { gross(last) } else { Ok(gross(last)?.max(gross(valid)?)) }
    }

    /// What the pool can pay on profit at its stored price; where that is not valid, at the last valid one if that is less.
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn payable(&self) -> Result<Payable> {
        // In a settlement nothing is paid before all positions are closed: what is won becomes a claim.
        if self.is_settled() {
            return Ok(Payable { cash: Quote::ZERO, gross: Quote(1) });
        }
        Ok(Payable { cash: self.pool.free_cash()?, gross: self.gross_to_pay()? })
    }

    /// Premium that the curve pays back when the skew unwinds: `skew² × price / 2K`, rounded up.
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn skew_premium(&self, price: Price) -> Result<Quote> {
        let skew = self.skew()?.size();
        if skew.is_zero() {
            return Ok(Quote::ZERO);
        }
        Notional::new(skew, price)?.premium(skew.0, self.params.skew_scale, Rounding::Up)
    }

    /// Free cash less claims and the skew's premium: equity before the traders' results.
    fn equity_base(&self, price: Price) -> Result<SignedQuote> {
        let owed = self.pool.claims.plus(self.skew_premium(price)?)?;
        self.pool.free_cash()?.signed()?.less(owed.signed()?)
    }

    /// Pool equity at a price: `free cash − claims − traders' PnL − funding owed to traders − skew premium`. Claims on
    /// other pools count nothing until they are paid.
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn equity(&self, price: Price) -> Result<SignedQuote> {
        let values = Values::of(self, price)?;
        let results = self.side_result(true, &values)?.plus(self.side_result(false, &values)?)?;
        self.equity_base(price)?.less(results)
    }

    /// Equity for exits and limits: losses, and funding that a side owes beyond its profit, count only once they are
    /// cash. Never above [`MarketState::equity`].
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn firm_equity(&self, price: Price) -> Result<SignedQuote> {
        self.firm_equity_at(price, &Values::of(self, price)?)
    }

    pub(crate) fn firm_equity_at(&self, price: Price, values: &Values) -> Result<SignedQuote> {
        self.equity_base(price)?.less(self.gross(values)?.signed()?)
    }

    /// Cash arrives: shared pro rata between outstanding claims and what unrealised profit lacks (so that it does not
    /// matter who realised first), the rest is free. Cash beyond all profit pays claims too; an amount of zero does
    /// only that. Profit is taken at the stored price (or the last valid one, whichever is more), after the payer's position
    /// has left the sums.
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn receive(&mut self, amount: Quote) -> Result<()> {
        let free = self.pool.free_cash()?;
        self.pool.cash = self.pool.cash.plus(amount)?;
        // In a settlement it waits for all the rest: claims are paid in one go ([`MarketState::sweep`]).
        if self.is_settled() {
            return self.sync_episode();
        }
        let claims = self.pool.claims;
        if claims.is_zero() {
            return self.sync_episode();
        }
        let gross = self.gross_to_pay()?;
        let lacking = gross.saturating_sub(free);
        let shared = amount.share(claims.0, claims.plus(lacking)?.0, Rounding::Down)?;
        let beyond = free.plus(amount)?.less(shared)?.saturating_sub(gross);
        self.pool.pay_claims(shared.plus(beyond)?)?;
        self.sync_episode()
    }

    /// Books a realised result between collateral and pool: a loss as far as the collateral and then the slot's own
    /// claim on this pool go (at face: pool and trader owe each other), a profit at `payable` (taken before the position
    /// left the sums) in cash and the rest as a claim. What the claim has been paid is collected first.
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn realise(
        &mut self,
        collateral: &mut Quote,
        claim: &mut Claim,
        payable: &Payable,
        result: SignedQuote,
    ) -> Result<Realised> {
        let collected = self.collect(claim)?;
        *collateral = collateral.plus(collected)?;
        let mut realised = Realised { cash: collected.signed()?, ..Realised::default() };
        if result.0 > 0 {
            let profit = result.gain();
            let cash = payable.of(profit)?.min(self.pool.free_cash()?);
            self.pool.cash = self.pool.cash.less(cash)?;
            *collateral = collateral.plus(cash)?;
            realised.cash = realised.cash.plus(cash.signed()?)?;
            realised.claimed = profit.less(cash)?;
            if !realised.claimed.is_zero() {
                self.add_claim(claim, realised.claimed)?;
            }
        } else if result.0 < 0 {
            let loss = result.loss();
            let cash = loss.min(*collateral);
            *collateral = collateral.less(cash)?;
            realised.cash = realised.cash.less(cash.signed()?)?;
            realised.paid = cash;
            // Before the cash comes in, which may pay claims.
            realised.unpaid = self.set_off(claim, loss.less(cash)?)?;
            self.receive(cash)?;
        }
        self.sync_episode()?;
        Ok(realised)
    }

    /// Splits a trading fee (already taken from collateral) among pool, insurance and protocol; the rest that rounding
    /// leaves goes to the pool.
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn split_fee(&mut self, fee: Quote) -> Result<()> {
        if fee.is_zero() {
            return Ok(());
        }
        let (pool_share, insurance_share) = (self.params.fee_pool_share, self.params.fee_insurance_share);
        let protocol_share = Ratio::ONE.less(pool_share)?.less(insurance_share)?;
        let insurance = fee.portion(insurance_share, Rounding::Down)?;
        let protocol = fee.portion(protocol_share, Rounding::Down)?;
        self.insure(insurance)?;
        self.pool.protocol_fees = self.pool.protocol_fees.plus(protocol)?;
        self.receive(fee.less(insurance)?.less(protocol)?)
    }

    /// A deficit that no account can pay: the market's insurance pays the pool what it can; returns what it paid. The
    /// rest becomes the market's claim on shared insurance as far as its caps go ([`crate::insurance`]); until that is
    /// paid, all of it is the providers' (it is booked in `pool.deficits`).
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn absorb_deficit(&mut self, deficit: Quote, now: &Now) -> Result<Quote> {
        self.touch(now);
        let today = period(now.unix, DAY)?;
        let paid = deficit.min(self.pool.insurance);
        let beyond = deficit.less(paid)?;
        self.pool.insurance = self.pool.insurance.less(paid)?;
        self.pool.insurance_paid = self.pool.insurance_paid.plus(paid)?;
        self.pool.deficits = self.pool.deficits.plus(beyond)?;
        self.insurance.file(beyond, &self.params, today)?;
        self.receive(paid)?;
        Ok(paid)
    }

    /// Money for the market's insurance bucket. What comes in on a day pays that day's deficits before it stays there, so
    /// that it does not matter which of the two came first.
    ///
    /// # Errors
    /// [`crate::Error::MathOverflow`].
    pub fn insure(&mut self, amount: Quote) -> Result<()> {
        self.pool.insurance = self.pool.insurance.plus(amount)?;
        if self.insurance.beyond.is_zero() || self.insurance.day != period(self.clock, DAY)? {
            return Ok(());
        }
        let paid = self.insurance.beyond.min(self.pool.insurance);
        self.insurance.beyond = self.insurance.beyond.less(paid)?;
        self.pool.insurance = self.pool.insurance.less(paid)?;
        self.pool.insurance_paid = self.pool.insurance_paid.plus(paid)?;
        self.pool.deficits = self.pool.deficits.less(paid)?;
        self.receive(paid)
    }
}

/// PnL of a size worth `value` that was entered for `entry`.
#[inline]
pub(crate) fn pnl_of(long: bool, value: Quote, entry: Quote) -> Result<SignedQuote> {
    let (value, entry) = (value.signed()?, entry.signed()?);
    if long { value.less(entry) } else { entry.less(value) }
}

//! Section 5: fills on the curve, fees, limits; and what an order or a reduction does as a whole.

use crate::margin::Purpose;
use crate::number::{Q, gain, least, q, zero};
use crate::pool::Payable;
use crate::state::{Exchange, Position};
use crate::{No, R, must};

/// How a reduction is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// Premium and fee.
    Trade,
    /// Premium.
    Liquidation,
    /// Neither.
    Plain,
    /// Neither, and a profit is forfeited.
    Silent,
}

/// A part of a position that has left it.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    premium: Q,
    fee: Q,
    /// What it has won or lost, funding included.
    pub(crate) result: Q,
    /// What could be paid on it before it left.
    pub(crate) payable: Payable,
}

/// What a reduction did.
#[derive(Clone, Debug)]
pub struct Closed {
    /// What the trader paid above the mark (negative: was paid).
    pub premium: Q,
    /// The fee it paid.
    pub fee: Q,
    /// The loss nobody has paid yet.
    pub unpaid: Q,
    /// Whether the account's own cash paid a loss.
    pub paid_in: bool,
}

impl Exchange {
    /// What moving the skew by a signed size costs: `price × (s₁² − s₀²) ÷ 2K`.
    pub fn premium(&self, market: usize, size: &Q, mark: &Q) -> Q {
        let before = self.skew(market);
        let after = &before + size;
        mark * (&after * &after - &before * &before) / (q(2) * &self.markets[market].rules.skew_scale)
    }

    /// The fee on a signed size: one rate for what mends the skew, another for the rest.
    pub fn fee(&self, market: usize, size: &Q, mark: &Q) -> Q {
        let skew = self.skew(market);
        let mends = if (&skew * size).is_negative() { least(&skew.abs(), &size.abs()) } else { zero() };
        let rules = &self.markets[market].rules;
        mark * (&mends * &rules.mending_fee + (size.abs() - &mends) * &rules.taker_fee)
    }

    fn index(&self, market: usize, long: bool) -> Q {
        let state = &self.markets[market];
        if long { state.long.index.clone() } else { state.short.index.clone() }
    }

    /// Opens or adds to a position by a signed size.
    ///
    /// # Errors
    /// Collateral that does not pay fee or funding, dust.
    pub fn increase(&mut self, account: usize, slot: usize, market: usize, size: &Q, mark: &Q) -> R<()> {
        if !self.accounts[account].slots[slot].held.is_zero() {
            self.release_holdback(account, slot);
        }
        self.take_up(account, slot);
        let (premium, fee) = (self.premium(market, size, mark), self.fee(market, size, mark));
        // A seller brings `mark × size − premium`; of dust there may be nothing left.
        let cost = if size.is_positive() { size * mark + &premium } else { -size * mark - &premium };
        must(self.at_least(&cost, &zero(), &q(2)), "SizeBelowMinimum")?;
        let old = self.accounts[account].slots[slot].clone();
        let funding = if old.is_open() { -self.owed(&old) } else { zero() };
        let payable = self.payable(market);
        let margin_version = self.markets[market].margin_version;
        let index = self.index(market, size.is_positive());
        let position = &mut self.accounts[account].slots[slot];
        position.market = market;
        position.size += size;
        position.entry += cost;
        position.index_at = index;
        position.margin_version = margin_version;
        if !old.is_open() {
            position.counted = 0;
        }
        let unpaid = self.realise(account, slot, &payable, &funding);
        must(!unpaid.is_positive() || !self.reaches(&unpaid, &zero(), 4), "InsufficientCollateral")?;
        must(self.reaches(&self.accounts[account].collateral.clone(), &fee, 4), "InsufficientCollateral")?;
        self.accounts[account].collateral -= &fee;
        self.split_fee(market, &fee);
        Ok(())
    }

    /// Takes `size` (positive) off a position; its result waits in what is returned.
    pub(crate) fn take_off(&mut self, account: usize, slot: usize, size: &Q, mark: &Q, charge: Charge) -> Taken {
        self.take_up(account, slot);
        let old = self.accounts[account].slots[slot].clone();
        let (market, long) = (old.market, old.is_long());
        let signed = if long { -size.clone() } else { size.clone() };
        let premium = match charge {
            Charge::Trade | Charge::Liquidation => self.premium(market, &signed, mark),
            Charge::Plain | Charge::Silent => zero(),
        };
        let fee = if charge == Charge::Trade { self.fee(market, &signed, mark) } else { zero() };
        let part = size / old.size.abs();
        let leaving = &old.entry * part;
        let worth = size * mark;
        let pnl = if long { worth - &leaving - &premium } else { &leaving - worth - &premium };
        let mut result = pnl - self.owed(&old);
        if charge == Charge::Silent && result.is_positive() {
            result = zero();
        }
        // What a deleveraging has frozen is realised along with any part, and was seen at a good price.
        result += &old.frozen;
        let payable = self.payable(market);
        let index = self.index(market, long);
        let position = &mut self.accounts[account].slots[slot];
        position.size += signed;
        position.entry -= leaving;
        position.index_at = if position.is_open() { index } else { zero() };
        position.frozen = zero();
        if !position.is_open() {
            position.margin_version = 0;
            self.count_settled(account, slot);
        }
        Taken { premium, fee, result, payable }
    }

    /// The same, and its result is realised.
    pub fn reduce(&mut self, account: usize, slot: usize, size: &Q, mark: &Q, charge: Charge) -> Closed {
        let Taken { premium, fee, result, payable } = self.take_off(account, slot, size, mark, charge);
        // What the slot's claim has been paid is the account's own money.
        let slots = &self.accounts[account].slots;
        let (market, purse) = (slots[slot].market, &self.accounts[account].collateral + &slots[slot].claim.paid);
        let unpaid = self.realise(account, slot, &payable, &result);
        let paid_in = result.is_negative() && purse.is_positive();
        let fee = least(&fee, &self.accounts[account].collateral);
        self.accounts[account].collateral -= &fee;
        self.split_fee(market, &fee);
        Closed { premium, fee, unpaid, paid_in }
    }

    /// The limits on an increase.
    fn check_increase(&self, account: usize, slot: usize) -> R<()> {
        let position = &self.accounts[account].slots[slot];
        let market = position.market;
        let state = &self.markets[market];
        let rules = &state.rules;
        must(state.settlement.begun_at == 0 && state.settlement.fixed_at == 0, "MarketReduceOnly")?;
        self.need_good(market)?;
        must(state.shares.is_positive(), "PoolEmpty")?;
        must(!self.claims_block(market), "PoolClaims")?;
        must(state.exits_waiting_until <= self.unix, "ExitsWaiting")?;
        let price = &state.prices.last.price;
        let value = position.size.abs() * price;
        must(self.reaches(&value, &rules.min_notional, 2), "SizeBelowMinimum")?;
        must(self.reaches(&rules.max_position, &value, 2), "PositionTooLarge")?;
        let side = self.open_interest(market, position.is_long());
        must(self.reaches(&rules.open_interest_cap, &(&side * price), 3), "OpenInterestCap")?;
        must(side <= &rules.skew_scale * &rules.liquidation_impact, "OpenInterestImpact")?;
        let larger = crate::number::most(&side, &self.open_interest(market, !position.is_long()));
        let carried = gain(&self.firm_equity(market, price));
        must(self.reaches(&carried, &(larger * price * &rules.stress_move), 16), "OpenInterestStress")
    }

    /// An order's fill at a mark: a reduction, an increase, or both.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn fill(&mut self, account: usize, market: usize, size: &Q, reduce_only: bool, mark: &Q) -> R<()> {
        let held = self.find(account, market).filter(|slot| {
            let p = &self.accounts[account].slots[*slot];
            p.is_open() && p.is_long() != size.is_positive()
        });
        let Some(slot) = held else {
            must(!reduce_only, "PositionNotFound")?;
            return self.extend(account, market, size, mark);
        };
        let whole = self.accounts[account].slots[slot].size.abs();
        if reduce_only || size.abs() <= whole {
            return self.reduce_by(account, slot, &least(&size.abs(), &whole), mark);
        }
        let rest = if size.is_positive() { size - &whole } else { size + &whole };
        self.close(account, slot, &whole, mark)?;
        self.extend(account, market, &rest, mark)
    }

    /// An increase with all that is asked of one.
    fn extend(&mut self, account: usize, market: usize, size: &Q, mark: &Q) -> R<()> {
        must(!self.is_flagged(account), "FlaggedAccount")?;
        must(self.accounts[account].isolated || self.markets[market].rules.cross, "CrossNotAllowed")?;
        let slots = &self.accounts[account].slots;
        let slot = match self.find(account, market) {
            Some(slot) => slot,
            None if self.accounts[account].isolated && slots.iter().any(|p| !p.is_free()) => {
                return Err(No("IsolatedSinglePosition"));
            }
            None => slots.iter().position(Position::is_free).ok_or(No("NoFreePosition"))?,
        };
        self.increase(account, slot, market, size, mark)?;
        self.check_increase(account, slot)?;
        self.check_initial(account, Purpose::Increase)
    }

    /// An immediate reduction.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn reduce_now(&mut self, account: usize, market: usize, size: &Q) -> R<()> {
        self.accrue(market);
        let slot = self.find(account, market).ok_or(No("PositionNotFound"))?;
        let position = &self.accounts[account].slots[slot];
        must(position.is_open(), "PositionNotFound")?;
        let mark = self.reduce_mark(market, !position.is_long())?;
        must(size.is_positive() && *size <= position.size.abs(), "SizeNotReducing")?;
        self.reduce_by(account, slot, size, &mark)
    }

    /// A reduction with all that is asked of one: the rest is no dust, and the account's shortfall is not worsened.
    fn reduce_by(&mut self, account: usize, slot: usize, size: &Q, mark: &Q) -> R<()> {
        let old = self.accounts[account].slots[slot].clone();
        let market = old.market;
        let price = self.markets[market].prices.last.price.clone();
        let ratio = self.maintenance_ratio(&old);
        let closed = self.close(account, slot, size, mark)?;
        if *size == old.size.abs() {
            return Ok(());
        }
        let least = self.markets[market].rules.min_notional.clone();
        let rest = self.accounts[account].slots[slot].size.abs() * &price;
        let was_below = !self.reaches(&(old.size.abs() * &price), &least, 2);
        must(was_below || self.reaches(&rest, &least, 2), "SizeBelowMinimum")?;
        // What the fill lacks of the maintenance price, with its fee, against the margin that it frees.
        let fair = self.maintenance_price(market, old.is_long());
        let away = if old.is_long() { fair - mark } else { mark - fair };
        let lost = gain(&(size * away + &closed.premium)) + &closed.fee;
        if !self.reaches(&(size * &price * ratio), &lost, 6) {
            must(
                self.reaches(&self.totals(account, Purpose::Maintenance)?.surplus(), &zero(), 24),
                "WorsensShortfall",
            )?;
        }
        Ok(())
    }

    fn close(&mut self, account: usize, slot: usize, size: &Q, mark: &Q) -> R<Closed> {
        let market = self.accounts[account].slots[slot].market;
        let closed = self.reduce(account, slot, size, mark, Charge::Trade);
        if closed.unpaid.is_positive() {
            let left = self.cover(account, slot, &closed.unpaid)?;
            must(!left.is_positive() || !self.reaches(&left, &zero(), 8), "LossNotCovered")?;
        } else {
            // Whether there is a loss to cover may itself be too close to call.
            let _ = self.reaches(&self.accounts[account].collateral.clone(), &zero(), 4);
        }
        self.check_solvent(account, market, closed.paid_in || closed.unpaid.is_positive())?;
        Ok(closed)
    }

    /// What pays a market out of an account below zero is for the resolution alone.
    pub(crate) fn check_solvent(&self, account: usize, market: usize, paid_in: bool) -> R<()> {
        let elsewhere = self.accounts[account].slots.iter().any(|p| p.is_open() && p.market != market);
        if !paid_in || !elsewhere {
            return Ok(());
        }
        must(self.reaches(&self.totals(account, Purpose::Maintenance)?.full_equity, &zero(), 24), "AccountBankrupt")
    }

    /// Puts collateral in.
    pub fn deposit(&mut self, account: usize, amount: &Q) {
        self.accounts[account].collateral += amount;
    }

    /// Takes collateral out.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn withdraw(&mut self, account: usize, amount: &Q) -> R<()> {
        must(amount.is_positive(), "AmountZero")?;
        must(!self.is_flagged(account), "FlaggedAccount")?;
        must(self.reaches(&self.accounts[account].collateral, amount, 0), "InsufficientCollateral")?;
        self.accounts[account].collateral -= amount;
        if self.accounts[account].slots.iter().any(Position::is_open) {
            self.check_initial(account, Purpose::Withdrawal)?;
        }
        Ok(())
    }
}

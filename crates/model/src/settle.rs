//! Sections 4 and 5: settling a position as it stands, and the exit from a silent market.

use crate::number::{gain, least, most, q, zero};
use crate::price::Status;
use crate::state::Exchange;
use crate::trade::Charge;
use crate::{No, R, must};

impl Exchange {
    /// The first good price after a silent exit is what all holdbacks are judged by.
    pub(crate) fn judge_exits(&mut self, market: usize) {
        let state = &mut self.markets[market];
        if state.unjudged {
            state.unjudged = false;
            state.resumed = state.prices.last.price.clone();
        }
    }

    /// A holdback at the first good price: the pool takes what the exit lacked against it, the rest goes back.
    pub(crate) fn release_holdback(&mut self, account: usize, slot: usize) {
        let market = self.accounts[account].slots[slot].market;
        self.judge_exits(market);
        let p = &self.accounts[account].slots[slot];
        let state = &self.markets[market];
        let good = if state.resumed.is_zero() { &state.prices.last.price } else { &state.resumed };
        let lacking = if p.held_size.is_negative() { good - &p.held_price } else { &p.held_price - good };
        let forfeited = least(&(p.held_size.abs() * gain(&lacking)), &p.held);
        let position = &mut self.accounts[account].slots[slot];
        let returned = core::mem::take(&mut position.held) - &forfeited;
        position.held_size = zero();
        position.held_price = zero();
        self.accounts[account].collateral += returned;
        self.receive(market, &forfeited);
    }

    /// A keeper's settling of an account's slot in a market.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn settle_now(&mut self, account: usize, market: usize) -> R<()> {
        self.accrue(market);
        let slot = self.find(account, market).ok_or(No("PositionNotFound"))?;
        let paid_in = self.settle(account, slot)?;
        self.check_solvent(account, market, paid_in)
    }

    /// Moves the unrealised result to cash and the entry to the mark; whether the account paid by it.
    ///
    /// # Errors
    /// A price that is not good, nothing to do.
    pub(crate) fn settle(&mut self, account: usize, slot: usize) -> R<bool> {
        let market = self.accounts[account].slots[slot].market;
        self.need_good(market)?;
        let mut done = false;
        if !self.accounts[account].slots[slot].held.is_zero() {
            self.release_holdback(account, slot);
            done = true;
        }
        self.receive(market, &zero());
        self.take_up(account, slot);
        // Less than an atom is nothing.
        let collected = self.collect(account, slot);
        done |= !collected.is_zero() && self.reaches(&collected, &q(1), 1);
        let p = self.accounts[account].slots[slot].clone();
        let mut moved = zero();
        let mut paid_in = false;
        if p.is_open() {
            let owed = self.owed(&p);
            let mut price = self.markets[market].prices.last.price.clone();
            let mut result = p.pnl(&price) - &owed;
            let _ = self.reaches(&result, &zero(), 2);
            if result.is_negative() {
                // A loss is taken at the maintenance test's price, or its credit would turn into profit.
                price = self.maintenance_price(market, p.is_long());
                result = least(&(p.pnl(&price) - &owed), &zero());
                let _ = self.reaches(&result, &zero(), 2);
            }
            moved = most(&result, &-self.accounts[account].collateral.clone());
            let _ = moved.is_negative() && self.reaches(&-moved.clone(), &zero(), 2);
        }
        if !moved.is_zero() || !p.frozen.is_zero() {
            let payable = self.payable(market);
            let value = p.size.abs() * {
                let prices = &self.markets[market].prices;
                if moved.is_positive() {
                    prices.last.price.clone()
                } else {
                    self.maintenance_price(market, p.is_long())
                }
            };
            let owed = self.owed(&p);
            let at_value = &p.frozen + if p.is_long() { &value - &p.entry } else { &p.entry - &value };
            // What collateral cannot pay, funding included, stays unrealised in the entry.
            let left = at_value - owed - &moved;
            let long = p.is_long();
            let index =
                if long { self.markets[market].long.index.clone() } else { self.markets[market].short.index.clone() };
            let position = &mut self.accounts[account].slots[slot];
            position.entry = if long { value - left } else { value + left };
            position.index_at = index;
            position.frozen = zero();
            paid_in = moved.is_negative();
            self.realise(account, slot, &payable, &moved);
            done = true;
        }
        done |= p.is_open() && self.count_settled(account, slot);
        must(done, "CoverTooEarly")?;
        Ok(paid_in)
    }

    /// The penalised exit from a silent market.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn silent_exit(&mut self, account: usize, market: usize) -> R<()> {
        let slot = self.find(account, market).ok_or(No("PositionNotFound"))?;
        must(self.status(market) == Status::Silent, "PriceNotSilent")?;
        self.touch(market);
        self.take_up(account, slot);
        let p = self.accounts[account].slots[slot].clone();
        must(p.is_open(), "PositionNotFound")?;
        let mark = self.silent_price(market, p.is_long())?;
        let closed = self.reduce(account, slot, &p.size.abs(), &mark, Charge::Silent);
        let _ = self.reaches(&self.accounts[account].collateral.clone(), &zero(), 4);
        must(!closed.unpaid.is_positive(), "LossNotCovered")?;
        let state = &mut self.accounts[account];
        let held = least(&(p.size.abs() * &mark * &self.markets[market].rules.stress_move), &state.collateral);
        state.collateral -= &held;
        if held.is_positive() {
            let position = &mut state.slots[slot];
            position.held = held;
            position.held_size = p.size;
            position.held_price = mark;
            self.markets[market].unjudged = true;
            self.markets[market].resumed = zero();
        }
        self.check_solvent(account, market, closed.paid_in)
    }
}

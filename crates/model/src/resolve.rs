//! Sections 5 and 9: an account's profits pay its losses, an account below zero is resolved.

use crate::margin::Purpose;
use crate::number::{Q, least, loss, zero};
use crate::price::Status;
use crate::state::Exchange;
use crate::trade::Charge;
use crate::{R, must};

impl Exchange {
    /// The account's slots in use, and the one given, in slot order.
    fn used(&self, account: usize, freed: usize) -> Vec<usize> {
        let slots = self.accounts[account].slots.iter().enumerate();
        slots.filter(|(slot, p)| !p.is_free() || *slot == freed).map(|(slot, _)| slot).collect()
    }

    fn pay(&mut self, account: usize, market: usize, rest: &mut Q) {
        let cash = least(rest, &self.accounts[account].collateral);
        if cash.is_positive() {
            self.receive(market, &cash);
            self.accounts[account].collateral -= &cash;
            *rest -= cash;
        }
    }

    /// Pays a loss of a slot's market from the account's profits in other markets: in their cash, slot by slot, then by
    /// assigning its claims there, at face. Returns what is left.
    ///
    /// # Errors
    /// None but a price's.
    pub fn cover(&mut self, account: usize, slot: usize, unpaid: &Q) -> R<Q> {
        let loser = self.accounts[account].slots[slot].market;
        let used = self.used(account, slot);
        let mut rest = unpaid.clone();
        for from in used.iter().copied() {
            if from != slot && self.has_profit(account, from) {
                self.accrue(self.accounts[account].slots[from].market);
                if self.has_profit(account, from) {
                    self.settle(account, from)?;
                }
            }
            // What a settled market cannot pay in time is lost, by the clock and not by who was there last.
            self.touch(self.accounts[account].slots[from].market);
            self.collect(account, from);
            self.pay(account, loser, &mut rest);
            if !rest.is_positive() {
                return Ok(zero());
            }
        }
        for from in used.into_iter().filter(|from| *from != slot) {
            self.collect(account, from);
            let amount = least(&rest, &self.accounts[account].slots[from].claim.due);
            self.assign(account, from, loser, &amount);
            rest -= amount;
        }
        Ok(rest)
    }

    /// Moves a part of a slot's claim to another pool, which takes what it has been paid on its own so far. Cash that still
    /// waits in a market without positions stays where it is until somebody collects.
    fn assign(&mut self, account: usize, slot: usize, holder: usize, amount: &Q) {
        if !amount.is_positive() {
            return;
        }
        let debtor = self.accounts[account].slots[slot].market;
        self.take_between(debtor, holder);
        self.accounts[account].slots[slot].claim.due -= amount;
        self.markets[holder].held[debtor].due += amount;
    }

    /// After a liquidation: [`Self::cover`], then holdbacks; then a deficit if that is known to be all, else what is left
    /// goes into the rest of the position.
    ///
    /// # Errors
    /// A rest that cannot carry it.
    pub fn cover_liquidation(&mut self, account: usize, slot: usize, unpaid: &Q) -> R<()> {
        let mut rest = self.cover(account, slot, unpaid)?;
        let market = self.accounts[account].slots[slot].market;
        for other in self.used(account, slot) {
            let p = &self.accounts[account].slots[other];
            if !rest.is_positive() || other == slot || p.held.is_zero() {
                continue;
            }
            if self.status(p.market) == Status::Good {
                self.release_holdback(account, other);
            } else {
                let position = &mut self.accounts[account].slots[other];
                let held = core::mem::take(&mut position.held);
                position.held_size = zero();
                position.held_price = zero();
                self.accounts[account].collateral += held;
            }
            self.pay(account, market, &mut rest);
        }
        if !rest.is_positive() {
            return Ok(());
        }
        let slots = self.accounts[account].slots.iter().enumerate();
        let open = |other: usize| self.accounts[account].slots[other].is_open();
        let known = !open(slot)
            && slots
                .filter(|(other, p)| *other != slot && p.is_open())
                .all(|(_, p)| self.status(p.market) == Status::Good);
        if known {
            self.absorb(market, &rest);
            return Ok(());
        }
        must(open(slot), "LossNotCovered")?;
        let position = &mut self.accounts[account].slots[slot];
        // At the index it stands at; the funding was settled by the fill.
        position.entry += if position.is_long() { rest } else { -rest };
        must(!self.accounts[account].slots[slot].entry.is_negative(), "LossNotCovered")
    }

    /// Resolves a flagged account below zero.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn resolve(&mut self, account: usize) -> R<()> {
        let mut slots: Vec<usize> = self.used(account, usize::MAX);
        slots.sort_by_key(|slot| self.accounts[account].slots[*slot].market);
        let (unflagged, over) = self.settlement_of(account);
        must(unflagged || self.is_flagged(account), "NotFlagged")?;
        for slot in &slots {
            let market = self.accounts[account].slots[*slot].market;
            self.accrue(market);
            self.take_up(account, *slot);
        }
        let flagged = self.flag_time(account);
        let mut newer = true;
        for p in self.accounts[account].slots.iter().filter(|p| p.is_open()) {
            let (_, charge) = self.closing_price(p.market)?;
            let seen = self.markets[p.market].prices.last.time > flagged;
            newer &= charge == Charge::Silent || self.is_settled(p.market) || seen;
        }
        let sums = self.totals(account, Purpose::Maintenance)?;
        let equity = if over { self.sure(account, false)? } else { sums.full_equity.clone() };
        must(!self.reaches(&equity, &zero(), 24), "NotBankrupt")?;
        must(unflagged || newer && Self::seen_since(&sums, flagged), "FlagTooFresh")?;

        // All positions close; what is lost is only counted.
        let lost: Vec<Q> = slots.iter().map(|slot| self.close_out(account, *slot)).collect();
        // Each market's share of all that there is, a claim at face whether it was paid or not.
        let claims = self.accounts[account].slots.iter().map(|p| &p.claim.due + &p.claim.paid);
        let there = claims.sum::<Q>() + &self.accounts[account].collateral;
        let shares = pro_rata(&there, &lost);
        self.hand_over(account, &slots, &shares);
        for ((slot, loss), share) in slots.iter().zip(&lost).zip(&shares) {
            let deficit = loss - share;
            if deficit.is_positive() {
                let market = self.accounts[account].slots[*slot].market;
                self.absorb(market, &deficit);
            }
        }
        self.accounts[account].flag = None;
        Ok(())
    }

    /// Fills the shares of the markets of these slots: each one with the slot's own claim, then all alike with cash, then with
    /// one claim after the other.
    fn hand_over(&mut self, account: usize, slots: &[usize], shares: &[Q]) {
        let mut open = shares.to_vec();
        for (slot, open) in slots.iter().zip(&mut open) {
            let market = self.accounts[account].slots[*slot].market;
            self.take_paid(account, *slot);
            let claim = &mut self.accounts[account].slots[*slot].claim.due;
            let off = least(open, claim);
            *claim -= &off;
            *open -= off;
            self.sync_episode(market);
        }
        let parts = pro_rata(&self.accounts[account].collateral, &open);
        for ((slot, open), part) in slots.iter().zip(&mut open).zip(parts).filter(|(_, part)| part.is_positive()) {
            self.receive(self.accounts[account].slots[*slot].market, &part);
            self.accounts[account].collateral -= &part;
            *open -= part;
        }
        for debtor in slots {
            let parts = pro_rata(&self.accounts[account].slots[*debtor].claim.due, &open);
            for ((slot, open), part) in slots.iter().zip(&mut open).zip(parts) {
                let holder = self.accounts[account].slots[*slot].market;
                self.assign(account, *debtor, holder, &part);
                *open -= part;
            }
        }
    }

    /// Whether an account with a position in a settled market needs no flag: none can be had, or the settlement has waited for
    /// ten days beside a price that is not good. And whether it is that.
    fn settlement_of(&self, account: usize) -> (bool, bool) {
        let open: Vec<usize> = self.accounts[account].slots.iter().filter(|p| p.is_open()).map(|p| p.market).collect();
        let settled = |market: &&usize| self.is_settled(**market);
        let waited = open.iter().filter(settled).any(|m| self.unix >= self.markets[*m].settlement.fixed_at + 864_000);
        let others: Vec<usize> = open.iter().filter(|market| !self.is_settled(**market)).copied().collect();
        let over = waited && others.iter().any(|market| self.status(*market) != Status::Good);
        let gone = others.iter().all(|market| matches!(self.closing_price(*market), Ok((_, Charge::Silent))));
        (others.len() < open.len() && (gone || over), over)
    }

    /// What an account surely has if everything closes now: a profit counts at a good price alone.
    ///
    /// # Errors
    /// A price that is waited for.
    fn sure(&self, account: usize, credit: bool) -> R<Q> {
        let state = &self.accounts[account];
        let mut sum = state.collateral.clone();
        for p in &state.slots {
            sum += &p.claim.due + &p.claim.paid + &p.held;
            if !p.is_open() {
                continue;
            }
            let (market, good) = (p.market, self.status(p.market) == Status::Good);
            let (mut price, charge) = self.closing_price(market)?;
            if good && credit {
                price = self.maintenance_price(market, p.is_long());
            }
            let mut result = p.pnl(&price) - &p.frozen - self.owed(p);
            if charge == Charge::Silent {
                result = least(&result, &zero());
            }
            result += &p.frozen;
            sum += if good { result } else { least(&result, &zero()) };
        }
        Ok(sum)
    }

    /// A loss that anyone may book is taken from an account with other positions only if what it surely has pays all of them.
    pub(crate) fn check_sure(&self, account: usize, market: usize, paid_in: bool, unpaid: &Q) -> R<()> {
        let elsewhere = self.accounts[account].slots.iter().any(|p| p.is_open() && p.market != market);
        if !(paid_in || unpaid.is_positive()) || !elsewhere {
            return Ok(());
        }
        let left = self.sure(account, true)? - unpaid;
        must(self.reaches(&left, &zero(), 24), "AccountBankrupt")
    }

    /// At what a position is closed: a price that is good but for its confidence, or where one has been missing for an hour
    /// the last valid one, which pays no profit.
    fn closing_price(&self, market: usize) -> R<(Q, Charge)> {
        let status = self.status(market);
        let prices = &self.markets[market].prices;
        if status == Status::Good || status == Status::Ageing && self.age(&prices.last) <= 10 {
            return Ok((prices.last.price.clone(), Charge::Plain));
        }
        must(status == Status::Silent || self.unix - prices.valid.time > 3_600, status.refusal())?;
        Ok((prices.valid.price.clone(), Charge::Silent))
    }

    /// Closes one slot at the mark: a profit is realised, what is lost is returned.
    fn close_out(&mut self, account: usize, slot: usize) -> Q {
        let market = self.accounts[account].slots[slot].market;
        let good = self.status(market) == Status::Good;
        if good && !self.accounts[account].slots[slot].held.is_zero() {
            self.release_holdback(account, slot);
        } else if !good {
            let position = &mut self.accounts[account].slots[slot];
            let held = core::mem::take(&mut position.held);
            position.held_size = zero();
            position.held_price = zero();
            self.accounts[account].collateral += held;
        }
        self.collect(account, slot);
        if !self.accounts[account].slots[slot].is_open() {
            return zero();
        }
        // Looked at before anything was closed.
        let Ok((mark, charge)) = self.closing_price(market) else { return zero() };
        let size = self.accounts[account].slots[slot].size.abs();
        let taken = self.take_off(account, slot, &size, &mark, charge);
        if taken.result.is_negative() {
            return loss(&taken.result);
        }
        self.realise(account, slot, &taken.payable, &taken.result)
    }
}

/// An amount in proportion to weights, no more of it than they come to.
fn pro_rata(amount: &Q, weights: &[Q]) -> Vec<Q> {
    let whole: Q = weights.iter().cloned().sum();
    if !whole.is_positive() {
        return vec![zero(); weights.len()];
    }
    let part = least(amount, &whole) / whole;
    weights.iter().map(|weight| weight * &part).collect()
}

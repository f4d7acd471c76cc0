//! Section 5: liquidity in and out.

use crate::number::{Q, frac, gain, least, most, q, zero};
use crate::state::Exchange;
use crate::{R, must};

/// What trying an exit did.
#[derive(Clone, Debug)]
pub enum Out {
    /// Shares burned and what was paid for them.
    Paid(Q, Q),
    /// Held back.
    HeldBack,
}

/// The virtual shares, and as many atoms.
const VIRTUAL: i64 = 1_000_000;

impl Exchange {
    /// The two ends between which a ticket's price may lie.
    fn ends(&self, market: usize, filed_at: i64) -> (Q, Q) {
        let prices = &self.markets[market].prices;
        let last = &prices.last;
        let mut low = least(&(&last.price - &last.conf), &prices.ema5);
        let mut high = most(&(&last.price + &last.conf), &prices.ema5);
        let first = prices.ring.iter().find(|seen| seen.time > filed_at);
        if let (Some(first), true) = (first, prices.evicted <= filed_at) {
            low = least(&low, &first.price);
            high = most(&high, &first.price);
        }
        (low, high)
    }

    /// Files a deposit.
    ///
    /// # Errors
    /// A settled market.
    pub fn file(&mut self, market: usize, amount: &Q) -> R<()> {
        must(!self.is_settled(market), "MarketSettled")?;
        self.markets[market].pending += amount;
        Ok(())
    }

    /// Executes a deposit at the equity's high end; returns the depositor's shares.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn provide(&mut self, market: usize, amount: &Q, filed_at: i64) -> R<Q> {
        must(amount.is_positive(), "AmountZero")?;
        must(!self.is_settled(market), "MarketSettled")?;
        must(self.unix <= filed_at + 3_600, "TicketLapsed")?;
        self.touch(market);
        self.need_good(market)?;
        must(self.markets[market].prices.last.time > filed_at, "TicketNotRipe")?;
        // Who came in now would share in a payment for a loss that others bore.
        must(!self.reaches(&self.markets[market].covered.pending(), &q(1), 4), "InsurancePending")?;
        let (low, high) = self.ends(market, filed_at);
        let equity = most(&self.equity(market, &low), &self.equity(market, &high));
        let old = self.markets[market].shares.clone();
        let empty = old.is_zero() && equity.is_zero();
        must(empty || self.reaches(&equity, &q(1), 16) && equity.is_positive(), "PoolInsolvent")?;
        // What the pool is owed for losses that others bore counts at face up to a hundredth of equity.
        let state = &self.markets[market];
        let mut owed: Q = state.held.iter().map(|claim| &claim.due + &claim.paid).sum();
        if state.covered.day == self.unix.div_euclid(86_400) {
            owed += &state.covered.beyond;
        }
        must(owed.is_zero() || self.reaches(&(gain(&equity) * frac(1, 100)), &owed, 24), "PoolIsOwed")?;
        must(!old.is_zero() || *amount >= self.markets[market].rules.lp_minimum, "LiquidityBelowMinimum")?;
        let minted = amount * (&old + q(VIRTUAL)) / (gain(&equity) + owed + q(VIRTUAL));
        // The first deposit locks a unit of shares for good.
        let locked = if old.is_zero() { q(VIRTUAL) } else { zero() };
        let given = &minted - locked;
        must(self.reaches(&given, &q(1), 1), "SharesZero")?;
        let pool = &mut self.markets[market];
        pool.pending -= amount;
        pool.shares += minted;
        self.receive(market, amount);
        Ok(given)
    }

    /// Executes an exit at the firm equity's low end, as far as open interest leaves room.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn redeem(&mut self, market: usize, shares: &Q, ripe_at: i64, window_start: i64) -> R<Out> {
        if self.is_settled(market) {
            self.touch(market);
            return Ok(self.exit_settled(market, shares));
        }
        must(self.unix >= ripe_at, "TicketNotRipe")?;
        must(self.unix <= window_start + 3_600, "TicketLapsed")?;
        self.touch(market);
        self.need_good(market)?;
        must(self.markets[market].prices.last.time > ripe_at, "TicketNotRipe")?;
        if self.markets[market].settlement.begun_at != 0 || self.claims_block(market) {
            return Ok(self.hold_back(market));
        }
        let (low, high) = self.ends(market, ripe_at);
        let equity = least(&self.firm_equity(market, &low), &self.firm_equity(market, &high));
        if !self.reaches(&equity, &q(1), 16) {
            return Ok(self.hold_back(market));
        }
        let all = self.markets[market].shares.clone();
        // With the virtual offset, but never more than a share's part of what is there.
        let each = if equity < all { &equity / &all } else { (&equity + q(VIRTUAL)) / (&all + q(VIRTUAL)) };
        let wanted = shares * &each;
        let larger = most(&self.open_interest(market, true), &self.open_interest(market, false));
        let reserve = larger * high * &self.markets[market].rules.stress_move;
        let leaving = least(&gain(&(equity - reserve)), &self.free_cash(market));
        if self.reaches(&leaving, &wanted, 24) {
            return Ok(self.pay_out(market, shares.clone(), wanted));
        }
        let burned = least(&(&leaving / &each), shares);
        self.hold_back(market);
        if !self.reaches(&leaving, &q(1), 24) {
            return Ok(Out::HeldBack);
        }
        Ok(self.pay_out(market, burned, leaving))
    }

    pub(crate) fn pay_out(&mut self, market: usize, shares: Q, amount: Q) -> Out {
        self.markets[market].cash -= &amount;
        self.markets[market].shares -= &shares;
        if !self.is_settled(market) {
            self.sync_episode(market);
        }
        Out::Paid(shares, amount)
    }

    /// What holds an exit back holds increases back for an hour.
    fn hold_back(&mut self, market: usize) -> Out {
        self.markets[market].exits_waiting_until = self.unix + 3_600;
        Out::HeldBack
    }
}

//! Section 9, step 5: a market's settlement. Every position closes at one price; what is won is a claim, whoever closes
//! first; when all are closed cash and then the bucket pay claims in proportion; providers get what is left.

use crate::liquidity::Out;
use crate::number::{Q, gain, least, most, q, zero};
use crate::state::Exchange;
use crate::trade::Charge;
use crate::{No, R, must};

const DAY: i64 = 86_400;

impl Exchange {
    /// Begins a settlement, calls it off or fixes its price.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn advance_settlement(&mut self, market: usize) -> R<()> {
        self.accrue(market);
        must(!self.is_settled(market), "MarketSettled")?;
        let prices = &self.markets[market].prices;
        let silent = prices.last.time != 0 && self.unix >= prices.last.time + 10 * DAY;
        if silent && prices.valid.price.is_positive() && self.is_waited_for(market) {
            let valid = prices.valid.price.clone();
            self.fix(market, valid);
            return Ok(());
        }
        self.need_good(market)?;
        // One print would be the caller's to choose.
        let average = self.markets[market].prices.ema5.clone();
        let larger = most(&self.open_interest(market, true), &self.open_interest(market, false));
        let floor = larger * &average * &self.markets[market].rules.settlement_floor;
        let enough = self.reaches(&self.equity(market, &average), &floor, 24);
        let begun_at = self.markets[market].settlement.begun_at;
        if begun_at == 0 {
            must(!enough, "SettlementNotDue")?;
            self.markets[market].settlement.begun_at = self.unix;
            return Ok(());
        }
        if enough {
            self.markets[market].settlement.begun_at = 0;
            return Ok(());
        }
        must(self.unix >= begun_at + DAY, "SettlementTooEarly")?;
        self.fix(market, average);
        Ok(())
    }

    /// Whether anybody is in the market: a position, a claim, a silent exit, a provider (a million shares are nobody's).
    fn is_waited_for(&self, market: usize) -> bool {
        let state = &self.markets[market];
        !self.is_closed(market)
            || self.claims(market).is_positive()
            || state.set_aside.is_positive()
            || state.unjudged
            || state.shares > q(1_000_000)
    }

    /// The market's price for ever: good, and without a confidence interval.
    fn fix(&mut self, market: usize, price: Q) {
        let state = &mut self.markets[market];
        state.settlement.fixed_at = self.unix;
        let prices = &mut state.prices;
        prices.last.price = price.clone();
        prices.last.conf = zero();
        prices.valid = prices.last.clone();
        (prices.ema5, prices.ema60) = (price.clone(), price);
        prices.waiting.clear();
    }

    /// All positions of a settled market are closed: free cash pays claims, and the bucket what neither cash nor what other
    /// pools owe can pay.
    pub(crate) fn pay_settled(&mut self, market: usize) {
        let owed = self.markets[market].held.iter().map(|claim| &claim.due + &claim.paid).sum::<Q>();
        let expected = if self.waits_for_pools(market) { owed } else { zero() };
        let lacking = gain(&(self.claims(market) - self.free_cash(market) - expected));
        let state = &mut self.markets[market];
        let paid = least(&lacking, &state.insurance);
        state.insurance -= &paid;
        state.insurance_paid += &paid;
        state.cash += &paid;
        let free = self.free_cash(market);
        self.pay_claims(market, &free);
        self.sync_episode(market);
    }

    /// Whether what a claim is still owed is written off: ten days after the price was fixed, all positions closed and no
    /// insurance claim open, and no other pool owing this one (or after 20 days).
    pub(crate) fn writes_off(&self, market: usize) -> bool {
        let state = &self.markets[market];
        self.is_settled(market)
            && self.patience_is_over(market)
            && self.is_closed(market)
            && !self.reaches(&state.covered.pending(), &q(1), 4)
            && !self.waits_for_pools(market)
    }

    /// Whether a settled market waits for what other pools owe it, which is for 20 days at most.
    pub(crate) fn waits_for_pools(&self, market: usize) -> bool {
        let state = &self.markets[market];
        // Rounded up, so of a claim that is owed an atom is left at least.
        state.held.iter().any(|claim| (&claim.due + &claim.paid).is_positive())
            && state.clock < state.settlement.fixed_at + 20 * DAY
    }

    /// Whether ten days have passed since the price was fixed.
    pub(crate) fn patience_is_over(&self, market: usize) -> bool {
        let state = &self.markets[market];
        state.clock >= state.settlement.fixed_at + 10 * DAY
    }

    /// Closes whatever an account has in a settled market.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn close_settled(&mut self, account: usize, market: usize) -> R<()> {
        let slot = self.find(account, market).ok_or(No("PositionNotFound"))?;
        self.take_up(account, slot);
        self.touch(market);
        must(self.is_settled(market), "MarketNotSettled")?;
        let held = !self.accounts[account].slots[slot].held.is_zero();
        if held {
            self.release_holdback(account, slot);
        }
        let p = self.accounts[account].slots[slot].clone();
        if !p.is_open() {
            let got = self.collect(account, slot);
            return must(held || !got.is_zero() && self.reaches(&got, &q(1), 1), "CoverTooEarly");
        }
        let price = self.markets[market].prices.last.price.clone();
        let closed = self.reduce(account, slot, &p.size.abs(), &price, Charge::Plain);
        self.check_sure(account, market, closed.paid_in, &closed.unpaid)?;
        if closed.unpaid.is_positive() {
            self.cover_liquidation(account, slot, &closed.unpaid)?;
        } else {
            let _ = self.reaches(&self.accounts[account].collateral.clone(), &zero(), 4);
        }
        Ok(())
    }

    /// A provider leaves a settled market: its part of what traders leave.
    pub(crate) fn exit_settled(&mut self, market: usize, shares: &Q) -> Out {
        let pending = self.reaches(&self.markets[market].covered.pending(), &q(1), 4);
        if !self.is_closed(market) || pending {
            return Out::HeldBack;
        }
        self.pay_settled(market);
        if self.reaches(&self.claims(market), &q(1), 4) || self.waits_for_pools(market) {
            return Out::HeldBack;
        }
        let amount = shares * self.free_cash(market) / &self.markets[market].shares;
        if !self.reaches(&amount, &q(1), 4) {
            return Out::HeldBack;
        }
        self.pay_out(market, shares.clone(), amount)
    }
}

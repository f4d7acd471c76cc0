//! Section 5: a pool's books, `h`, claims, fees, deficits.

use crate::number::{Q, gain, least, loss, most, q, zero};
use crate::state::{Claim, Exchange};
use crate::{No, R, must};

/// What can be paid on profit: `h = min(1, cash ÷ gross)`, as it stood before the profit left the sums.
#[derive(Clone, Debug)]
pub struct Payable {
    /// Free cash.
    pub cash: Q,
    /// Both sides' results where they are profits.
    pub gross: Q,
}

impl Payable {
    /// `profit × h`.
    pub fn of(&self, profit: &Q) -> Q {
        if self.gross <= self.cash || self.gross.is_zero() {
            return least(profit, &self.cash);
        }
        least(&(profit * &self.cash / &self.gross), &self.cash)
    }
}

impl Exchange {
    /// Cash that is not set aside for claims.
    pub fn free_cash(&self, market: usize) -> Q {
        &self.markets[market].cash - &self.markets[market].set_aside
    }

    /// Claims outstanding on a pool.
    pub fn claims(&self, market: usize) -> Q {
        let slots = self.accounts.iter().flat_map(|account| &account.slots);
        let traders: Q = slots.filter(|p| p.market == market).map(|p| p.claim.due.clone()).sum();
        traders + self.markets.iter().map(|holder| holder.held[market].due.clone()).sum::<Q>()
    }

    /// A side's PnL less the funding it owes, at a price.
    pub fn side_result(&self, market: usize, long: bool, price: &Q) -> Q {
        self.side(market, long).map(|p| p.pnl(price) - self.owed(p)).sum()
    }

    /// What all traders could realise as profit at a price, side by side.
    pub fn gross(&self, market: usize, price: &Q) -> Q {
        gain(&self.side_result(market, true, price)) + gain(&self.side_result(market, false, price))
    }

    /// What the pool can pay at its stored price; in a settlement nothing before all positions are closed.
    pub fn payable(&self, market: usize) -> Payable {
        if self.is_settled(market) {
            return Payable { cash: zero(), gross: q(1) };
        }
        Payable { cash: self.free_cash(market), gross: self.gross_to_pay(market) }
    }

    /// What cash is shared by: profit at the stored price, or at the last valid one where that is more.
    fn gross_to_pay(&self, market: usize) -> Q {
        let prices = &self.markets[market].prices;
        let gross = self.gross(market, &prices.last.price);
        if prices.valid.price.is_positive() { most(&gross, &self.gross(market, &prices.valid.price)) } else { gross }
    }

    /// What the curve pays back when the skew unwinds.
    pub fn skew_premium(&self, market: usize, price: &Q) -> Q {
        let skew = self.skew(market);
        &skew * &skew * price / (q(2) * &self.markets[market].rules.skew_scale)
    }

    /// Pool equity at a price.
    pub fn equity(&self, market: usize, price: &Q) -> Q {
        let results = self.side_result(market, true, price) + self.side_result(market, false, price);
        self.free_cash(market) - self.claims(market) - self.skew_premium(market, price) - results
    }

    /// Equity in which losses count only once they are cash.
    pub fn firm_equity(&self, market: usize, price: &Q) -> Q {
        self.free_cash(market) - self.claims(market) - self.skew_premium(market, price) - self.gross(market, price)
    }

    /// Whether claims are over 1 % of the pool's cash.
    pub fn claims_block(&self, market: usize) -> bool {
        let claims = self.claims(market);
        !claims.is_zero() && !self.reaches(&(self.free_cash(market) / q(100)), &claims, 16)
    }

    /// Sets cash aside for the claims on a pool, in proportion.
    pub(crate) fn pay_claims(&mut self, market: usize, amount: &Q) {
        let all = self.claims(market);
        let paid = least(amount, &all);
        if !paid.is_positive() {
            return;
        }
        let share = &paid / &all;
        let pay = |claim: &mut Claim| {
            let part = &claim.due * &share;
            claim.paid += &part;
            claim.due -= part;
        };
        let slots = self.accounts.iter_mut().flat_map(|account| &mut account.slots);
        slots.filter(|p| p.market == market).for_each(|p| pay(&mut p.claim));
        self.markets.iter_mut().for_each(|holder| pay(&mut holder.held[market]));
        self.markets[market].set_aside += paid;
    }

    /// Cash arrives: shared between claims K and what profit lacks, U, at K : U; what is beyond all profit pays claims too.
    pub fn receive(&mut self, market: usize, amount: &Q) {
        let free = self.free_cash(market);
        self.markets[market].cash += amount;
        let claims = self.claims(market);
        // In a settlement it waits for all the rest.
        if claims.is_zero() || self.is_settled(market) {
            return self.sync_episode(market);
        }
        let gross = self.gross_to_pay(market);
        let lacking = gain(&(&gross - &free));
        let shared = amount * &claims / (&claims + lacking);
        let beyond = gain(&(free + amount - &shared - gross));
        self.pay_claims(market, &(shared + beyond));
        self.sync_episode(market);
    }

    /// Without open interest all free cash may pay claims, at any price.
    fn sweep(&mut self, market: usize) {
        if self.is_closed(market) {
            if self.is_settled(market) { self.pay_settled(market) } else { self.receive(market, &zero()) }
        }
    }

    /// A slot's owner takes what was set aside for its claim.
    pub fn collect(&mut self, account: usize, slot: usize) -> Q {
        let market = self.accounts[account].slots[slot].market;
        if self.accounts[account].slots[slot].claim.is_none() {
            return zero();
        }
        self.sweep(market);
        self.take_paid(account, slot)
    }

    /// Anyone's call to collect a slot's claim: what was set aside, or the end of one that is written off.
    ///
    /// # Errors
    /// Nothing to collect.
    pub fn collect_now(&mut self, account: usize, market: usize) -> R<()> {
        let slot = self.find(account, market).ok_or(No("PositionNotFound"))?;
        self.take_up(account, slot);
        self.touch(market);
        let owed = self.accounts[account].slots[slot].claim.due.clone();
        let got = self.collect(account, slot);
        self.must_move(&got, &owed, market)
    }

    /// The same for one pool's claim on another.
    ///
    /// # Errors
    /// Nothing to collect.
    pub fn collect_between_now(&mut self, debtor: usize, holder: usize) -> R<()> {
        self.touch(debtor);
        let owed = self.markets[holder].held[debtor].due.clone();
        let got = self.collect_between(debtor, holder);
        self.must_move(&got, &owed, debtor)
    }

    fn must_move(&self, got: &Q, owed: &Q, debtor: usize) -> R<()> {
        let written_off = owed.is_positive() && self.writes_off(debtor);
        must(written_off || !got.is_zero() && self.reaches(got, &q(1), 1), "CoverTooEarly")
    }

    pub(crate) fn take_paid(&mut self, account: usize, slot: usize) -> Q {
        let claim = &self.accounts[account].slots[slot].claim;
        if !claim.is_none() && self.writes_off(self.accounts[account].slots[slot].market) {
            self.accounts[account].slots[slot].claim.due = zero();
        }
        let Exchange { accounts, markets, .. } = self;
        let holder = &mut accounts[account];
        let position = &mut holder.slots[slot];
        let got = core::mem::take(&mut position.claim.paid);
        let pool = &mut markets[position.market];
        pool.cash -= &got;
        pool.set_aside -= &got;
        holder.collateral += &got;
        got
    }

    /// A pool takes what was set aside for its claim on another.
    pub fn collect_between(&mut self, debtor: usize, holder: usize) -> Q {
        self.sweep(debtor);
        if !self.markets[holder].held[debtor].is_none() && self.writes_off(debtor) {
            self.markets[holder].held[debtor].due = zero();
        }
        self.take_between(debtor, holder)
    }

    /// What was set aside for a pool's claim goes to it.
    pub(crate) fn take_between(&mut self, debtor: usize, holder: usize) -> Q {
        let got = core::mem::take(&mut self.markets[holder].held[debtor].paid);
        self.markets[debtor].cash -= &got;
        self.markets[debtor].set_aside -= &got;
        self.receive(holder, &got);
        got
    }

    /// Books a result between a slot's collateral and its pool; returns the loss that neither collateral nor the slot's
    /// own claim could pay.
    pub fn realise(&mut self, account: usize, slot: usize, payable: &Payable, result: &Q) -> Q {
        let market = self.accounts[account].slots[slot].market;
        self.take_paid(account, slot);
        if result.is_positive() {
            let cash = least(&payable.of(result), &self.free_cash(market));
            self.markets[market].cash -= &cash;
            let holder = &mut self.accounts[account];
            holder.collateral += &cash;
            holder.slots[slot].claim.due += result - cash;
            self.sync_episode(market);
            return zero();
        }
        // Nothing arrives of nothing: cash beyond all profit pays claims when some does, or when somebody collects.
        if result.is_zero() {
            return zero();
        }
        let debt = loss(result);
        let holder = &mut self.accounts[account];
        let cash = least(&debt, &holder.collateral);
        holder.collateral -= &cash;
        // Pool and trader owe each other: at face, and before the cash comes in.
        let claim = &mut holder.slots[slot].claim;
        let off = least(&(&debt - &cash), &claim.due);
        claim.due -= &off;
        self.receive(market, &cash);
        self.sync_episode(market);
        debt - cash - off
    }

    /// A trading fee that was taken from collateral.
    pub fn split_fee(&mut self, market: usize, fee: &Q) {
        if fee.is_zero() {
            return;
        }
        let pool = &mut self.markets[market];
        let insurance = fee * &pool.rules.fee_insurance_share;
        let to_pool = fee * &pool.rules.fee_pool_share;
        pool.protocol += fee - &insurance - &to_pool;
        self.insure(market, &insurance);
        self.receive(market, &to_pool);
    }

    /// A deficit that nobody's money paid: the market's insurance first, then a claim on the shared one; until that is
    /// paid it is the providers'.
    pub fn absorb(&mut self, market: usize, deficit: &Q) -> Q {
        self.touch(market);
        let pool = &mut self.markets[market];
        let paid = least(deficit, &pool.insurance);
        pool.insurance -= &paid;
        pool.insurance_paid += &paid;
        let beyond = deficit - &paid;
        pool.deficits += &beyond;
        self.file_deficit(market, &beyond);
        self.receive(market, &paid);
        paid
    }
}

//! What the program's instructions do between the engine's calls, in the same order.

use ballast_engine::account::{AccountState, Position};
use ballast_engine::closing::sure_value;
use ballast_engine::deleverage::pick_up;
use ballast_engine::error::{Error, Fault, ensure};
use ballast_engine::layout::Key;
use ballast_engine::liquidation;
use ballast_engine::liquidity::{self, Exit};
use ballast_engine::margin::{self, Purpose, Totals};
use ballast_engine::market::MarketState;
use ballast_engine::order::{After, OrderTerms, reduce_mark};
use ballast_engine::pool::Realised;
use ballast_engine::price::Status;
use ballast_engine::settlement::close_settled;
use ballast_engine::trade::{self, Charge, Fill};
use ballast_engine::{Base, Price, Quote, Result, SignedBase, resolve, settle};

use super::{Filed, KEEPER, Leaving, MARKETS, Op, Waiting, World};

/// The address of an account here.
fn key(account: usize) -> Key {
    Key([account as u8 + 1; 32])
}

/// The markets of an account's slots in use, and of a slot that has just become free, in slot order.
pub(crate) fn entries<'a>(
    account: &AccountState,
    markets: &'a mut [MarketState],
    freed: Option<usize>,
) -> Vec<(usize, &'a mut MarketState)> {
    let mut all: Vec<Option<&mut MarketState>> = markets.iter_mut().map(Some).collect();
    let used = |(slot, p): &(usize, &Position)| !p.is_free() || freed == Some(*slot);
    let slots = account.positions.iter().enumerate().filter(used);
    slots.map(|(slot, p)| (slot, all[usize::from(p.market)].take().unwrap())).collect()
}

impl World {
    /// One operation.
    pub(super) fn run(&mut self, op: &Op) -> Result<()> {
        match *op {
            Op::Wait { seconds, slots } => {
                self.now.unix += seconds;
                self.now.slot += slots;
            }
            Op::Tick { seconds } => {
                self.now.unix += seconds;
                self.now.slot += seconds as u64 * 5 / 2;
                for market in 0..MARKETS {
                    let price = self.oracle_price(market);
                    self.publish(market, price, price / 10_000, 0)?;
                }
            }
            Op::Publish { market, price, conf, lag } => self.publish(market, price, conf, lag)?,
            Op::Deposit { account, amount } => {
                ensure(amount > 0, Error::AmountZero)?;
                let collateral = &mut self.accounts[account].collateral;
                *collateral = collateral.plus(Quote(amount))?;
                self.vault += u128::from(amount);
                self.put_in[account] += i128::from(amount);
            }
            Op::Withdraw { account, amount } => self.withdraw(account, amount)?,
            Op::Place { account, market, size, reduce_only } => self.place(account, market, size, reduce_only)?,
            Op::Execute { order } => self.execute(order)?,
            Op::Cancel { order } => {
                let waiting = self.orders.remove(order);
                waiting.terms.check_cancel(&self.markets[waiting.market], &self.now)?;
                self.credit(waiting.account, waiting.terms.fee)?;
            }
            Op::Reduce { account, market, size } => self.reduce_now(account, market, Base(size))?,
            Op::Settle { account, market } => {
                let slot = self.pick_up(account, market)?;
                self.markets[market].touch(&self.now);
                let _ = self.markets[market].accrue(false, &self.now)?;
                let state = &mut self.accounts[account];
                let done = settle::settle(&mut self.markets[market], state, slot, &self.now)?;
                self.check_sure(account, market, &done.realised)?;
            }
            Op::Collect { account, market } => {
                let slot = self.pick_up(account, market)?;
                let (state, trader) = (&mut self.markets[market], &mut self.accounts[account]);
                state.touch(&self.now);
                let owed = trader.position(slot)?.claim.amount;
                let got = settle::collect(state, trader, slot)?;
                // Or what is still owed was written off.
                ensure(!got.is_zero() || trader.position(slot)?.claim.amount != owed, Error::CoverTooEarly)?;
            }
            Op::CollectBetween { debtor, holder } => {
                let [debtor, holder] = self.markets.get_disjoint_mut([debtor, holder]).unwrap();
                debtor.touch(&self.now);
                let owed = holder.held;
                let got = settle::collect_between(debtor, holder)?;
                ensure(!got.is_zero() || holder.held != owed, Error::CoverTooEarly)?;
            }
            Op::Exit { account, market } => {
                let slot = self.pick_up(account, market)?;
                let state = &mut self.accounts[account];
                let fill = settle::silent_exit(&mut self.markets[market], state, slot, &self.now)?;
                self.check_solvent(account, market, fill.realised.pays())?;
            }
            Op::Flag { account } => {
                let totals = self.totals(account, Purpose::Maintenance)?;
                let (largest, _) = totals.largest.ok_or(totals.worst.refusal())?;
                let state = &mut self.accounts[account];
                let market = &self.markets[usize::from(state.position(largest)?.market)];
                liquidation::flag(state, market, &totals, key(KEEPER), &self.now)?;
            }
            Op::Unflag { account } => {
                let totals = self.totals(account, Purpose::Maintenance)?;
                liquidation::unflag(&mut self.accounts[account], &totals, &self.now)?;
            }
            Op::Liquidate { account, market } => self.liquidate(account, market)?,
            Op::Resolve { account } => {
                let state = &mut self.accounts[account];
                let mut entries = entries(state, &mut self.markets, None);
                for (slot, market) in &mut entries {
                    let _ = market.accrue(false, &self.now)?;
                    let _ = pick_up(market, state, *slot)?;
                }
                let done = resolve::resolve(state, &mut entries, &self.now)?;
                for (slot, market) in &entries {
                    self.unpaid[account][usize::from(market.index)] += done.deficits[*slot].0;
                }
            }
            Op::TopUp { market, amount } => {
                let state = &mut self.markets[market];
                state.touch(&self.now);
                state.insure(Quote(amount))?;
                self.vault += u128::from(amount);
            }
            Op::TopUpShared { amount } => {
                self.shared.roll(self.fund, &self.now)?;
                self.fund = self.fund.plus(Quote(amount))?;
                self.vault += u128::from(amount);
            }
            Op::Register { market } => {
                self.shared.register(self.fund, &mut self.markets[market], &self.now)?;
            }
            Op::PayClaim { market } => {
                let _ = self.shared.pay(&mut self.fund, &mut self.markets[market], &self.now)?;
            }
            Op::Deleverage { market } => {
                let state = &mut self.markets[market];
                let _ = state.accrue(false, &self.now)?;
                let _ = state.deleverage(&self.now)?;
            }
            Op::PickUp { account, market } => {
                self.markets[market].touch(&self.now);
                let slot = self.accounts[account].find(market as u16).ok_or(Error::CoverTooEarly)?;
                let picked = pick_up(&mut self.markets[market], &mut self.accounts[account], slot)?;
                ensure(picked.is_some(), Error::CoverTooEarly)?;
            }
            Op::Advance { market } => {
                let state = &mut self.markets[market];
                let _ = state.accrue(false, &self.now)?;
                let _ = state.advance_settlement(&self.now)?;
            }
            Op::CloseSettled { account, market } => self.close_settled(account, market)?,
            Op::File { .. } | Op::Provide { .. } | Op::Leave { .. } | Op::Redeem { .. } | Op::Lapse { .. } => {
                self.liquidity(op)?;
            }
        }
        Ok(())
    }

    fn publish(&mut self, market: usize, price: i64, conf: i64, lag: i64) -> Result<()> {
        let raw = self.raw(market, price, conf, lag);
        let state = &mut self.markets[market];
        if raw.publish_time <= state.price.last.publish_time || state.is_settled() {
            return Ok(());
        }
        let update = raw.scaled(state.base_decimals, state.quote_decimals, &self.now)?;
        if let Some(status) = state.take_update(update, raw.posted_slot, &self.now)? {
            let _ = state.accrue_in(status, !status.is_valid(), &self.now)?;
        }
        Ok(())
    }

    /// The sums of an account.
    pub(crate) fn totals(&self, account: usize, purpose: Purpose) -> Result<Totals> {
        let state = &self.accounts[account];
        let mut sums = Totals::new(state.collateral)?;
        for (slot, position) in state.slots() {
            let market = &self.markets[usize::from(position.market)];
            sums.add(slot, &margin::leg(market, position, purpose, &self.now)?)?;
        }
        Ok(sums)
    }

    pub(crate) fn slot_of(&self, account: usize, market: usize) -> Result<usize> {
        self.accounts[account].find(market as u16).ok_or(Error::PositionNotFound.into())
    }

    /// The slot of a position, which picks up a deleveraging first.
    fn pick_up(&mut self, account: usize, market: usize) -> Result<usize> {
        let slot = self.slot_of(account, market)?;
        let _ = pick_up(&mut self.markets[market], &mut self.accounts[account], slot)?;
        Ok(slot)
    }

    /// Closes whatever an account has in a settled market. Below zero with other positions it is for the resolution.
    fn close_settled(&mut self, account: usize, market: usize) -> Result<()> {
        let slot = self.pick_up(account, market)?;
        let closed = close_settled(&mut self.markets[market], &mut self.accounts[account], slot, &self.now)?;
        let Some(fill) = closed.fill else { return Ok(()) };
        let unpaid = fill.realised.unpaid;
        self.check_sure(account, market, &fill.realised)?;
        if !unpaid.is_zero() {
            let trader = &mut self.accounts[account];
            let mut entries = entries(trader, &mut self.markets, Some(slot));
            self.unpaid[account][market] +=
                resolve::cover_liquidation(trader, slot, unpaid, &mut entries, &self.now)?.deficit.0;
        }
        Ok(())
    }

    fn credit(&mut self, account: usize, amount: Quote) -> Result<()> {
        let collateral = &mut self.accounts[account].collateral;
        *collateral = collateral.plus(amount)?;
        Ok(())
    }

    fn withdraw(&mut self, account: usize, amount: u64) -> Result<()> {
        let state = &mut self.accounts[account];
        ensure(amount > 0, Error::AmountZero)?;
        ensure(!liquidation::is_flagged(state, &self.now), Error::FlaggedAccount)?;
        ensure(Quote(amount) <= state.collateral, Error::InsufficientCollateral)?;
        state.collateral = state.collateral.less(Quote(amount))?;
        if state.positions.iter().any(Position::is_open) {
            self.totals(account, Purpose::Withdrawal)?.check_initial()?;
        }
        self.vault -= u128::from(amount);
        self.put_in[account] -= i128::from(amount);
        Ok(())
    }

    fn place(&mut self, account: usize, market: usize, size: i64, reduce_only: bool) -> Result<()> {
        let (state, trader, now) = (&self.markets[market], &mut self.accounts[account], self.now);
        ensure(size != 0, Error::AmountZero)?;
        state.check_not_settled()?;
        let status = state.status(&now)?;
        let bad = status != Status::Good && !trader.is_flat();
        ensure(reduce_only || !bad, status.refusal())?;
        let free = bad || liquidation::is_flagged(trader, &now);
        let fee = if free { Quote::ZERO } else { state.params.order_fee };
        ensure(fee <= trader.collateral, Error::InsufficientCollateral)?;
        trader.collateral = trader.collateral.less(fee)?;
        let terms = OrderTerms {
            size: SignedBase(size),
            placed_at: state.price.placement(&now)?,
            placed_slot: now.slot,
            fee,
            reduce_only: reduce_only.into(),
            // Of nothing it is dead at once, and cleared away.
            generation: trader.opposite(state.index, size > 0).map_or(u64::MAX, |(_, position)| position.generation),
            ..OrderTerms::default()
        };
        self.orders.push(Waiting { account, market, terms });
        Ok(())
    }

    fn execute(&mut self, order: usize) -> Result<()> {
        let Waiting { account, market, terms } = self.orders[order];
        if terms.dead(&self.markets[market], &self.accounts[account], &self.now).is_some() {
            // What can never fill goes, and its fee with it, to whoever cancels it.
            self.orders.remove(order);
            self.credit(account, terms.exit_fee)?;
            return self.credit(KEEPER, terms.fill_fee()?);
        }
        let _ = self.markets[market].accrue(false, &self.now)?;
        if self.slot_of(account, market).is_ok() {
            self.pick_up(account, market)?;
        }
        let mark = terms.mark(&self.markets[market], &self.accounts[account], &self.now)?;
        let held = self.accounts[account].opposite(market as u16, terms.buys());
        let size = held.map_or(Ok(terms.size.size()), |(_, held)| terms.size_of(&self.markets[market], held.base()))?;
        self.fill(account, market, size.signed(terms.buys())?, terms.reduces(), mark)?;
        self.credit(KEEPER, terms.fill_fee()?)?;
        let mut next = terms;
        match next.after_fill(&self.markets[market], &self.accounts[account], size, &self.now)? {
            After::Exits => self.orders[order].terms = next,
            After::Returned(fee) => {
                self.orders.remove(order);
                self.credit(account, fee)?;
            }
            After::Done => {
                self.orders.remove(order);
            }
        }
        Ok(())
    }

    fn fill(&mut self, account: usize, market: usize, size: SignedBase, reduce_only: bool, mark: Price) -> Result<()> {
        let (buy, size) = (size.0 > 0, size.size());
        let held = self.accounts[account].find(market as u16).and_then(|slot| {
            let position = self.accounts[account].positions[slot];
            (position.is_open() && position.size.is_long() != buy).then_some((slot, position.base()))
        });
        let Some((slot, held)) = held else {
            ensure(!reduce_only, Error::PositionNotFound)?;
            return self.increase(account, market, size, buy, mark);
        };
        if reduce_only || size <= held {
            return self.reduce(account, market, slot, size.min(held), mark);
        }
        let _ = self.close(account, market, slot, held, mark)?;
        self.increase(account, market, size.less(held)?, buy, mark)
    }

    fn increase(&mut self, account: usize, market: usize, size: Base, long: bool, mark: Price) -> Result<()> {
        let (state, trader) = (&mut self.markets[market], &mut self.accounts[account]);
        ensure(!liquidation::is_flagged(trader, &self.now), Error::FlaggedAccount)?;
        trade::check_mode(state, trader)?;
        let slot = trader.find_or_free(state.index)?;
        let _ = trade::increase(state, trader, slot, size, long, mark)?;
        trade::check_increase(state, trader, slot, &self.now)?;
        self.totals(account, Purpose::Increase)?.check_initial()
    }

    fn reduce_now(&mut self, account: usize, market: usize, size: Base) -> Result<()> {
        let _ = self.markets[market].accrue(false, &self.now)?;
        let slot = self.pick_up(account, market)?;
        let position = self.accounts[account].positions[slot];
        ensure(position.is_open(), Error::PositionNotFound)?;
        let mark = reduce_mark(&self.markets[market], !position.size.is_long(), &self.now)?;
        self.reduce(account, market, slot, size, mark)
    }

    fn reduce(&mut self, account: usize, market: usize, slot: usize, size: Base, mark: Price) -> Result<()> {
        let position = self.accounts[account].positions[slot];
        let maintenance = margin::maintenance_ratio(&self.markets[market], &position, &self.now);
        let fill = self.close(account, market, slot, size, mark)?;
        if size != position.base() {
            let state = &self.markets[market];
            trade::check_rest(state, &self.accounts[account], slot, position.base())?;
            if trade::worsens(state, &fill, maintenance)? {
                let totals = self.totals(account, Purpose::Maintenance)?;
                ensure(totals.surplus()?.0 >= 0, Error::WorsensShortfall)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, account: usize, market: usize, slot: usize, size: Base, mark: Price) -> Result<Fill> {
        let (state, trader) = (&mut self.markets[market], &mut self.accounts[account]);
        let fill = trade::reduce(state, trader, slot, size, mark, Charge::Trade)?;
        let unpaid = fill.realised.unpaid;
        if !unpaid.is_zero() {
            let mut entries = entries(trader, &mut self.markets, Some(slot));
            let left = resolve::cover(trader, slot, unpaid, &mut entries, &self.now)?;
            let paid = unpaid.saturating_sub(left);
            ensure(left.is_zero(), Fault::new(Error::LossNotCovered, paid.0, unpaid.0))?;
        }
        self.check_solvent(account, market, fill.realised.pays())?;
        Ok(fill)
    }

    fn check_solvent(&self, account: usize, market: usize, pays: bool) -> Result<()> {
        let state = &self.accounts[account];
        if !pays || !state.is_open_elsewhere(market as u16) {
            return Ok(());
        }
        ensure(self.totals(account, Purpose::Maintenance)?.full_equity.0 >= 0, Error::AccountBankrupt)
    }

    /// The same where anyone may call: what is surely there pays every loss.
    fn check_sure(&self, account: usize, market: usize, realised: &Realised) -> Result<()> {
        let state = &self.accounts[account];
        if !realised.pays() || !state.is_open_elsewhere(market as u16) {
            return Ok(());
        }
        let mut sum = state.collateral.signed()?;
        for (_, position) in state.slots() {
            sum = sum.plus(sure_value(&self.markets[usize::from(position.market)], position, true, &self.now)?)?;
        }
        ensure(sum.less(realised.unpaid.signed()?)?.0 >= 0, Error::AccountBankrupt)
    }

    fn liquidate(&mut self, account: usize, market: usize) -> Result<()> {
        let now = self.now;
        let _ = self.markets[market].accrue(false, &now)?;
        let slot = self.pick_up(account, market)?;
        ensure(self.accounts[account].position(slot)?.is_open(), Error::PositionNotFound)?;
        let totals = self.totals(account, Purpose::Maintenance)?;
        let (state, trader) = (&mut self.markets[market], &mut self.accounts[account]);
        let Some(receipt) = liquidation::liquidate(state, trader, slot, &totals, &now)? else { return Ok(()) };
        let unpaid = receipt.fill.realised.unpaid;
        if !unpaid.is_zero() {
            let mut entries = entries(trader, &mut self.markets, Some(slot));
            self.unpaid[account][market] +=
                resolve::cover_liquidation(trader, slot, unpaid, &mut entries, &now)?.deficit.0;
        }
        self.credit(KEEPER, receipt.keeper_fee)
    }

    fn liquidity(&mut self, op: &Op) -> Result<()> {
        let now = self.now;
        match *op {
            Op::File { market, provider, amount } => {
                self.markets[market].check_not_settled()?;
                let pending = &mut self.markets[market].pool.pending_deposits;
                *pending = pending.plus(Quote(amount))?;
                self.vault += u128::from(amount);
                self.provided[provider] += i128::from(amount);
                let filed_at = self.markets[market].price.placement(&now)?;
                self.filed.push(Filed { market, provider, amount: Quote(amount), filed_at });
            }
            Op::Provide { ticket } => {
                let Filed { market, provider, amount, filed_at } = self.filed.remove(ticket);
                let given = liquidity::execute_deposit(&mut self.markets[market], amount, filed_at, &now)?;
                self.shares[market][provider] += given;
            }
            Op::Leave { market, provider, shares } => {
                ensure(shares > 0 && shares <= self.shares[market][provider], Error::SharesZero)?;
                self.shares[market][provider] -= shares;
                let ripe_at = now.unix + self.markets[market].params.lp_cooldown as i64;
                self.leaving.push(Leaving { market, provider, shares, ripe_at, window_start: ripe_at });
            }
            Op::Redeem { ticket } => {
                let Leaving { market, provider, shares, ripe_at, window_start } = self.leaving[ticket];
                if !self.markets[market].is_settled() {
                    liquidity::check_exit(ripe_at, window_start, true, &now)?;
                }
                match liquidity::execute_exit(&mut self.markets[market], shares, ripe_at, &now)? {
                    Exit::Paid { shares: burned, amount } => {
                        self.vault -= u128::from(amount.0);
                        self.provided[provider] -= i128::from(amount.0);
                        if burned == shares {
                            self.leaving.remove(ticket);
                        } else {
                            self.leaving[ticket].shares -= burned;
                            self.leaving[ticket].window_start = now.unix;
                        }
                    }
                    Exit::HeldBack(_) => self.leaving[ticket].window_start = now.unix,
                }
            }
            Op::Lapse { ticket, exit } => {
                if exit {
                    let Leaving { market, provider, shares, window_start, .. } = self.leaving.remove(ticket);
                    liquidity::check_lapsed(window_start, &now)?;
                    self.shares[market][provider] += shares;
                } else {
                    let Filed { market, provider, amount, filed_at } = self.filed.remove(ticket);
                    liquidity::check_lapsed(filed_at, &now)?;
                    let pending = &mut self.markets[market].pool.pending_deposits;
                    *pending = pending.less(amount)?;
                    self.vault -= u128::from(amount.0);
                    self.provided[provider] -= i128::from(amount.0);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

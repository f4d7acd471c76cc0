//! The rules of orders and fills (sections 5 and 7), written a second time on decoded accounts.

use ballast::state::{Covenant, Order, Subaccount};
use ballast_engine::account::AccountState;
use ballast_engine::closing::sure_value;
use ballast_engine::constants::{CROSS_MARKETS, MAX_ORDERS, PRICE_SCALE};
use ballast_engine::covenant::Measure;
use ballast_engine::delegate::ORDERS;
use ballast_engine::deleverage::pick_up;
use ballast_engine::error::ensure;
use ballast_engine::layout::Key;
use ballast_engine::margin::{Purpose, maintenance_ratio};
use ballast_engine::market::MarketState;
use ballast_engine::math::mul_div;
use ballast_engine::order::{cancels, check_limit, reduce_mark};
use ballast_engine::pool::Realised;
use ballast_engine::price::Status;
use ballast_engine::settlement::Closed;
use ballast_engine::trade::{self, Charge, Fill};
use ballast_engine::units::{Base, Price, Quote, Rounding};
use ballast_engine::{Error, Now, Result, liquidation, resolve};
use ballast_tests::Ask;

use super::act::{Legs, index};
use super::covenants::key_of;
use super::judge::{Reasons, measure, totals};
use super::world::{Placed, Sim, View};

/// An account that trades in a market, both to be thrown away.
pub(crate) struct Filler {
    view: View,
    pub(crate) market: Box<MarketState>,
    pub(crate) account: Box<Subaccount>,
    legs: Legs,
    /// Its owner's covenant, and its address.
    covenant: Option<(Box<Covenant>, Key)>,
}

fn may_hold(market: &MarketState, account: &AccountState) -> bool {
    account.isolated != 0 || (market.rules().expect("a tier").cross && usize::from(market.index) < CROSS_MARKETS)
}

/// What stands in the way of placing an order.
/// Returns what a delegate's budget is charged.
pub(crate) fn place(account: &AccountState, market: &MarketState, ask: &Ask, now: &Now, why: &mut Reasons) -> Quote {
    let reduces = account.opposite(market.index, ask.size > 0).is_some();
    let flagged = liquidation::is_flagged(account, now);
    why.need(ask.size != 0, Error::AmountZero);
    let has_exits = ask.stop != 0 || ask.target != 0 || ask.trail != 0;
    let together = match ask.kind {
        0 => ask.trigger == 0 && !(ask.reduce_only && has_exits),
        1 => ask.trigger == 0 && ask.limit != 0 && !(ask.reduce_only && has_exits),
        2 => ask.trigger != 0 && !ask.reduce_only,
        3 => ask.trigger == 0 && ask.reduce_only && has_exits,
        _ => false,
    };
    // What is closed or protected is a long where an exit sells, or an entry buys.
    let long = (ask.size > 0) == (ask.kind != 3);
    let ordered = ask.stop == 0 || ask.target == 0 || if long { ask.stop < ask.target } else { ask.target < ask.stop };
    why.need(together && ordered, Error::OrderTermsInvalid);
    why.run(market.check_not_settled());
    why.need(ask.expires_at == 0 || ask.expires_at > now.unix, Error::OrderExpired);
    why.need(account.orders < MAX_ORDERS, Error::OrderLimit);
    why.need(may_hold(market, account), Error::CrossNotAllowed);
    why.need(reduces || !ask.reduce_only, Error::PositionNotFound);
    why.need(ask.reduce_only || !flagged, Error::FlaggedAccount);
    why.need(reduces || !market.reduce_only(now), Error::MarketReduceOnly);
    let status = market.status(now).expect("a tier");
    let bad = status != Status::Good && !account.is_flat();
    why.need(ask.reduce_only || !bad, status.refusal());
    let fees = Quote(market.params.order_fee.0 * if ask.kind != 3 && has_exits { 2 } else { 1 });
    why.need(flagged || bad || fees <= account.collateral, Error::InsufficientCollateral);
    fees
}

/// What stands in the way of cancelling one.
pub(crate) fn cancel(sim: &Sim, view: &View, placed: &Placed, by: usize, legs: Legs, why: &mut Reasons) {
    let (order, account) = (sim.setup.world.read::<Order>(&placed.address), sim.account(placed.sub));
    let market = view.state(placed.market);
    if order.terms.dead(market, &account.state, &view.now).is_some() {
        return;
    }
    if sim.may(view, placed.sub, by, ORDERS) {
        why.run(order.terms.check_cancel(market, &view.now));
        return;
    }
    // Anyone's, once its price is there and the account lacks what it needs.
    let others = account.state.slots().any(|(_, position)| position.market != market.index);
    let tried = !(order.terms.reduces() || others && legs == Legs::None);
    let legs = if legs == Legs::Write { Legs::Read } else { legs };
    let refused = filled(sim, view, placed, legs).err().filter(|_| tried);
    match refused {
        Some(fault) if cancels(fault.error) => {}
        refused => {
            why.need(false, Error::WrongOwner);
            why.run(refused.map_or(Ok(()), Err));
        }
    }
}

/// What stands in the way of recording how far one has come.
pub(crate) fn trigger(sim: &Sim, view: &View, placed: &Placed, why: &mut Reasons) {
    let mut terms = sim.setup.world.read::<Order>(&placed.address).terms;
    let (market, account) = (view.state(placed.market), sim.account(placed.sub));
    match terms.dead(market, &account.state, &view.now) {
        Some(error) => why.need(false, error),
        None => why.run(terms.record(market, &view.now).map(|_| ())),
    }
}

/// Fills an order.
pub(crate) fn execute(sim: &Sim, view: &View, placed: &Placed, legs: Legs) -> Result<()> {
    filled(sim, view, placed, legs)
}

/// The same, whatever becomes of it.
fn filled(sim: &Sim, view: &View, placed: &Placed, legs: Legs) -> Result<()> {
    let terms = sim.setup.world.read::<Order>(&placed.address).terms;
    let mut market = Box::new(*view.state(placed.market));
    let _ = market.accrue(false, &view.now)?;
    let mut filler = Filler::new(view, market, sim.account(placed.sub), legs);
    let sub = &sim.subs[placed.sub];
    filler.covenant = sim.covenant(sub.owner).map(|covenant| (covenant, key_of(&sub.address)));
    let mark = terms.mark(&filler.market, &filler.account.state, &view.now)?;
    let mut size = terms.size.size();
    if let Some((_, held)) = filler.account.state.opposite(filler.market.index, terms.buys()) {
        size = terms.size_of(&filler.market, held.base())?;
    }
    filler.fill(size, terms.buys(), terms.reduces(), mark, terms.limit)
}

/// Reduces at once.
pub(crate) fn reduce_at_once(
    sim: &Sim,
    view: &View,
    (sub, market): (usize, usize),
    size: u64,
    limit: u64,
    legs: Legs,
) -> Result<()> {
    let mut state = Box::new(*view.state(market));
    let _ = state.accrue(false, &view.now)?;
    let mut filler = Filler::new(view, state, sim.account(sub), legs);
    let slot = filler.account.state.find(index(market)).ok_or(Error::PositionNotFound)?;
    let position = filler.account.state.positions[slot];
    ensure(position.is_open(), Error::PositionNotFound)?;
    let mark = reduce_mark(&filler.market, !position.size.is_long(), &view.now)?;
    filler.reduce(slot, Base(size), mark, Price(limit))
}

impl Filler {
    pub(crate) fn new(view: &View, mut market: Box<MarketState>, mut account: Box<Subaccount>, legs: Legs) -> Self {
        if let Some(slot) = account.state.find(market.index) {
            let _ = pick_up(&mut market, &mut account.state, slot).expect("moves no money");
        }
        Self { view: view.clone(), market, account, legs, covenant: None }
    }

    /// The account's slot in the market.
    pub(crate) fn slot(&self) -> Result<usize> {
        self.account.state.find(self.market.index).ok_or(Error::PositionNotFound.into())
    }

    fn has_others(&self) -> bool {
        self.account.state.slots().any(|(_, p)| p.market != self.market.index)
    }

    fn fill(&mut self, size: Base, buy: bool, reduce_only: bool, mark: Price, limit: Price) -> Result<()> {
        let held = self.account.state.opposite(self.market.index, buy).map(|(slot, p)| (slot, p.base()));
        let Some((slot, held)) = held else {
            ensure(!reduce_only, Error::PositionNotFound)?;
            let fill = self.increase(size, buy, mark)?;
            return self.finish(fill.price, buy, limit);
        };
        if reduce_only || size <= held {
            return self.reduce(slot, size.min(held), mark, limit);
        }
        let closed = self.close(slot, held, mark)?;
        let opened = self.increase(size.less(held)?, buy, mark)?;
        let rounding = if buy { Rounding::Up } else { Rounding::Down };
        let price = mul_div(closed.cost.plus(opened.cost)?.0, PRICE_SCALE, size.0, rounding)?;
        self.finish(Price(price), buy, limit)
    }

    pub(crate) fn reduce(&mut self, slot: usize, size: Base, mark: Price, limit: Price) -> Result<()> {
        let position = self.account.state.positions[slot];
        let held = position.base();
        let ratio = maintenance_ratio(&self.market, &position, &self.view.now);
        let fill = self.close(slot, size, mark)?;
        check_limit(fill.price, fill.buy, limit)?;
        if size == held {
            return Ok(());
        }
        let price = self.market.price.last.price;
        trade::check_rest(&self.market, &self.account.state, slot, held)?;
        let fair = self.market.maintenance_price(!fill.buy)?;
        let lost = if fill.buy {
            fill.cost.saturating_sub(size.value(fair, Rounding::Down)?)
        } else {
            size.value(fair, Rounding::Up)?.saturating_sub(fill.cost)
        };
        let freed = size.value(price, Rounding::Down)?.portion(ratio, Rounding::Down)?;
        if lost.plus(fill.fee)? <= freed {
            return Ok(());
        }
        ensure(self.legs != Legs::None || !self.has_others(), Error::WorsensShortfall)?;
        let (state, market) = (&self.account.state, Some(&*self.market));
        let sums = totals(&self.view, state, market, self.legs, Purpose::Maintenance)?;
        ensure(sums.surplus()?.0 >= 0, Error::WorsensShortfall)
    }

    fn close(&mut self, slot: usize, size: Base, mark: Price) -> Result<Fill> {
        let fill = trade::reduce(&mut self.market, &mut self.account.state, slot, size, mark, Charge::Trade)?;
        self.pay_loss(slot, fill.realised.unpaid)?;
        self.check_solvent(fill.realised.pays())?;
        Ok(fill)
    }

    fn increase(&mut self, size: Base, long: bool, mark: Price) -> Result<Fill> {
        let now = &self.view.now;
        let state = &mut self.account.state;
        ensure(!liquidation::is_flagged(state, now), Error::FlaggedAccount)?;
        ensure(may_hold(&self.market, state), Error::CrossNotAllowed)?;
        if let Some((covenant, key)) = &mut self.covenant
            && covenant.state.find(key).is_none()
        {
            let positions = state.positions.iter().filter(|position| position.is_open()).count() as u64;
            ensure(state.is_flat(), covenant.state.why_unknown(positions, now)?)?;
            covenant.state.enrol(key, &Measure::new(state.collateral)?, state.flow, now)?;
        }
        let slot = state.find_or_free(self.market.index)?;
        let fill = trade::increase(&mut self.market, state, slot, size, long, mark)?;
        trade::check_increase(&self.market, state, slot, now)?;
        Ok(fill)
    }

    fn finish(&mut self, price: Price, buy: bool, limit: Price) -> Result<()> {
        check_limit(price, buy, limit)?;
        let (state, market) = (&self.account.state, Some(&*self.market));
        totals(&self.view, state, market, self.legs, Purpose::Increase)?.check_initial()?;
        let Some((covenant, key)) = &mut self.covenant else { return Ok(()) };
        let seen = measure(&self.view, state, market, self.legs)?;
        covenant.state.touch(key, &seen, state.flow, &self.view.now)?;
        covenant.state.check_increase(&self.view.now)
    }

    /// The markets of all slots in use and of `slot`, with their slots.
    fn over_all<T>(
        &mut self,
        slot: usize,
        work: impl FnOnce(&mut AccountState, &mut [(usize, &mut MarketState)]) -> Result<T>,
    ) -> Result<T> {
        ensure(self.legs == Legs::Write || !self.has_others(), Error::LossNotCovered)?;
        let own = self.market.index;
        let mut others: Vec<(usize, Box<MarketState>)> = self
            .account
            .state
            .slots()
            .filter(|(_, p)| p.market != own)
            .map(|(slot, p)| (slot, Box::new(*self.view.state(usize::from(p.market)))))
            .collect();
        let mut markets: Vec<(usize, &mut MarketState)> =
            others.iter_mut().map(|(slot, market)| (*slot, &mut **market)).collect();
        markets.push((slot, &mut *self.market));
        markets.sort_by_key(|(slot, _)| *slot);
        let done = work(&mut self.account.state, &mut markets);
        for (_, market) in others {
            self.view.markets[usize::from(market.index)].state = *market;
        }
        done
    }

    fn pay_loss(&mut self, slot: usize, unpaid: Quote) -> Result<()> {
        if unpaid.is_zero() {
            return Ok(());
        }
        let now = self.view.now;
        let left = self.over_all(slot, |account, markets| resolve::cover(account, slot, unpaid, markets, &now))?;
        ensure(left.is_zero(), Error::LossNotCovered)
    }

    /// What a liquidation left unpaid.
    pub(crate) fn pay_liquidated_loss(&mut self, slot: usize, unpaid: Quote) -> Result<()> {
        if unpaid.is_zero() {
            return Ok(());
        }
        let now = self.view.now;
        self.over_all(slot, |account, markets| resolve::cover_liquidation(account, slot, unpaid, markets, &now))
            .map(|_| ())
    }

    /// After a closing in a settled market: an account that cannot surely pay all it owes is for the resolution; other markets'
    /// profits pay what the collateral could not.
    pub(crate) fn close_settled(&mut self, slot: usize, closed: &Closed) -> Result<()> {
        let Some(fill) = &closed.fill else { return Ok(()) };
        self.check_sure(&fill.realised)?;
        self.pay_liquidated_loss(slot, fill.realised.unpaid)
    }

    /// Of an account below zero that has other positions only the resolution pays.
    pub(crate) fn check_solvent(&self, pays: bool) -> Result<()> {
        let (state, own) = (&self.account.state, self.market.index);
        if !pays || !state.slots().any(|(_, p)| p.is_open() && p.market != own) {
            return Ok(());
        }
        let sums = totals(&self.view, state, Some(&self.market), self.legs, Purpose::Maintenance)?;
        ensure(sums.full_equity.0 >= 0, Error::AccountBankrupt)
    }

    /// The same where anyone may call: judged by what is surely there, at prices that nobody has left old.
    pub(crate) fn check_sure(&self, realised: &Realised) -> Result<()> {
        let (state, own) = (&self.account.state, self.market.index);
        if !realised.pays() || !state.slots().any(|(_, p)| p.is_open() && p.market != own) {
            return Ok(());
        }
        ensure(self.legs != Legs::None || !self.has_others(), Error::WrongMarketCount)?;
        let mut sum = state.collateral.signed()?;
        for (_, position) in state.slots() {
            let market =
                if position.market == own { &*self.market } else { self.view.state(usize::from(position.market)) };
            sum = sum.plus(sure_value(market, position, true, &self.view.now)?)?;
        }
        ensure(sum.less(realised.unpaid.signed()?)?.0 >= 0, Error::AccountBankrupt)
    }
}

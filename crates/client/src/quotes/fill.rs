//! What a fill, a reduction or a liquidation would do now: the program's steps on copies, so that the answer is the
//! chain's to the atom, refusals included. `tests/tests/quotes.rs` compares each with what the program's file does.
//!
//! An instruction accrues funding in the market that it writes, lets the position there pick up a deleveraging, and reads the
//! other markets as they are stored; so does this. An owner's covenant is another question: [`crate::covenants::check_fill`].

use ballast::state::Subaccount;
use ballast_engine::account::AccountState;
use ballast_engine::error::ensure;
use ballast_engine::liquidation::{self, Receipt};
use ballast_engine::margin::{self, Purpose, Totals};
use ballast_engine::market::MarketState;
use ballast_engine::order::{OrderTerms, check_limit, reduce_mark};
use ballast_engine::trade::{self, Charge, Fill};
use ballast_engine::{Base, Error, Fault, Now, Price, Quote, Result, SignedQuote, deleverage, resolve};

use crate::markets::Markets;

/// What a fill does.
#[derive(Clone, Debug)]
pub struct Filled {
    /// Whether it buys.
    pub buy: bool,
    /// Size.
    pub size: Base,
    /// The mark before the premium.
    pub mark: Price,
    /// The average price.
    pub price: Price,
    /// Premium paid (positive) or received.
    pub premium: SignedQuote,
    /// Trading fee.
    pub fee: Quote,
    /// Result of the closed part.
    pub pnl: SignedQuote,
    /// Funding received (positive) or paid.
    pub funding: SignedQuote,
    /// Profit that becomes a claim.
    pub claimed: Quote,
    /// Whether it opens or increases a position, after closing another one or not.
    pub increases: bool,
    /// The account after it.
    pub account: Box<AccountState>,
    /// The market after it.
    pub market: Box<MarketState>,
}

/// A liquidation's market and receipt.
#[derive(Clone, Debug)]
pub struct Liquidated {
    /// The market of the position.
    pub market: u16,
    /// What it does; `None` where it only finds the account at or above maintenance.
    pub receipt: Option<Receipt>,
}

/// The account at work, with its other markets as they are stored.
struct Desk<'a> {
    account: Box<AccountState>,
    market: Box<MarketState>,
    markets: &'a Markets,
    now: &'a Now,
    filled: Option<Fill>,
    increases: bool,
}

/// What executing an order would do now.
///
/// # Errors
/// Those of `execute_order`, with its limits and values; [`Error::WrongMarket`] for a missing market.
pub fn order(account: &Subaccount, markets: &Markets, market: u16, terms: &OrderTerms, now: &Now) -> Result<Filled> {
    let mut desk = Desk::new(account, markets, market, now)?;
    let mark = terms.mark(&desk.market, &desk.account, now)?;
    let (buy, size) = (terms.buys(), terms.size.size());
    ensure(!size.is_zero(), Error::AmountZero)?;
    let reduce_only = terms.reduces();
    let held = desk.account.opposite(market, buy).map(|(slot, position)| (slot, position.base()));
    let Some((slot, held)) = held else {
        ensure(!reduce_only, Error::PositionNotFound)?;
        desk.increase(size, buy, mark)?;
        return desk.finish(terms.limit);
    };
    let size = terms.size_of(&desk.market, held)?;
    if reduce_only || size <= held {
        desk.reduce(slot, size.min(held), mark, terms.limit)?;
        return desk.done();
    }
    let _ = desk.close(slot, held, mark)?;
    desk.increase(size.less(held)?, buy, mark)?;
    desk.finish(terms.limit)
}

/// What reducing at once by `size` would do now; `limit` is the worst average price accepted, 0 for none.
///
/// # Errors
/// Those of `reduce`; [`Error::WrongMarket`] for a missing market.
pub fn reduction(
    account: &Subaccount,
    markets: &Markets,
    market: u16,
    size: Base,
    limit: Price,
    now: &Now,
) -> Result<Filled> {
    ensure(!size.is_zero(), Error::AmountZero)?;
    let mut desk = Desk::new(account, markets, market, now)?;
    let slot = desk.account.find(market).ok_or(Error::PositionNotFound)?;
    let position = *desk.account.position(slot)?;
    ensure(position.is_open(), Error::PositionNotFound)?;
    let mark = reduce_mark(&desk.market, !position.size.is_long(), now)?;
    desk.reduce(slot, size, mark, limit)?;
    desk.done()
}

/// What liquidating a flagged account would do now, in the market where it must begin.
///
/// # Errors
/// Those of `liquidate`; [`Error::WrongMarket`] for a missing market.
pub fn liquidation(account: &Subaccount, markets: &Markets, now: &Now) -> Result<Liquidated> {
    // The market in which it begins depends on the totals, and these on the funding accrued there.
    let totals = crate::quotes::totals(account, markets, Purpose::Maintenance, now)?;
    let (slot, _) = totals.largest.ok_or(totals.worst.refusal())?;
    let index = account.state.position(slot)?.market;
    let mut desk = Desk::new(account, markets, index, now)?;
    let totals = desk.totals(Purpose::Maintenance)?;
    let receipt = liquidation::liquidate(&mut desk.market, &mut desk.account, slot, &totals, now)?;
    Ok(Liquidated { market: index, receipt })
}

impl<'a> Desk<'a> {
    fn new(account: &Subaccount, markets: &'a Markets, market: u16, now: &'a Now) -> Result<Self> {
        let mut state = Box::new(markets.get(market).ok_or(Error::WrongMarket)?.state);
        let _ = state.accrue(false, now)?;
        let mut account = Box::new(account.state);
        if let Some(slot) = account.find(market) {
            let _ = deleverage::pick_up(&mut state, &mut account, slot)?;
        }
        Ok(Self { account, market: state, markets, now, filled: None, increases: false })
    }

    fn totals(&self, purpose: Purpose) -> Result<Totals> {
        let mut totals = Totals::new(self.account.collateral)?;
        for (slot, position) in self.account.slots() {
            let market = match position.market == self.market.index {
                true => &*self.market,
                false => &self.markets.get(position.market).ok_or(Error::WrongMarket)?.state,
            };
            totals.add(slot, &margin::leg(market, position, purpose, self.now)?)?;
        }
        Ok(totals)
    }

    fn take(&mut self, fill: &Fill) -> Result<()> {
        self.filled = Some(self.filled.map_or(Ok(*fill), |first| first.and(fill))?);
        Ok(())
    }

    fn done(self) -> Result<Filled> {
        let Self { account, market, filled, increases, .. } = self;
        market.invariant()?;
        account.invariant()?;
        let fill = filled.ok_or(Error::AmountZero)?;
        Ok(Filled {
            buy: fill.buy,
            size: fill.size,
            mark: fill.mark,
            price: fill.price,
            premium: fill.premium,
            fee: fill.fee,
            pnl: fill.pnl,
            funding: fill.funding,
            claimed: fill.realised.claimed,
            increases,
            account,
            market,
        })
    }

    fn finish(self, limit: Price) -> Result<Filled> {
        let filled = self.filled.ok_or(Error::AmountZero)?;
        check_limit(filled.price, filled.buy, limit)?;
        self.totals(Purpose::Increase)?.check_initial()?;
        self.done()
    }

    fn increase(&mut self, size: Base, long: bool, mark: Price) -> Result<()> {
        ensure(!liquidation::is_flagged(&self.account, self.now), Error::FlaggedAccount)?;
        trade::check_mode(&self.market, &self.account)?;
        let slot = self.account.find_or_free(self.market.index)?;
        let fill = trade::increase(&mut self.market, &mut self.account, slot, size, long, mark)?;
        trade::check_increase(&self.market, &self.account, slot, self.now)?;
        self.increases = true;
        self.take(&fill)
    }

    /// Reduces without further checks; other markets' profits pay what the collateral cannot.
    fn close(&mut self, slot: usize, size: Base, mark: Price) -> Result<Fill> {
        let fill = trade::reduce(&mut self.market, &mut self.account, slot, size, mark, Charge::Trade)?;
        self.pay_loss(slot, fill.realised.unpaid)?;
        if fill.realised.pays() && self.account.is_open_elsewhere(self.market.index) {
            ensure(self.totals(Purpose::Maintenance)?.full_equity.0 >= 0, Error::AccountBankrupt)?;
        }
        self.take(&fill)?;
        Ok(fill)
    }

    fn pay_loss(&mut self, slot: usize, unpaid: Quote) -> Result<()> {
        if unpaid.is_zero() {
            return Ok(());
        }
        let mut states = vec![(slot, self.market.clone())];
        for (other, position) in self.account.slots().filter(|(_, p)| p.market != self.market.index) {
            states.push((other, Box::new(self.markets.get(position.market).ok_or(Error::WrongMarket)?.state)));
        }
        states.sort_by_key(|(slot, _)| *slot);
        let left = resolve::cover(&mut self.account, slot, unpaid, &mut states, self.now)?;
        if let Some((_, own)) = states.into_iter().find(|(other, _)| *other == slot) {
            self.market = own;
        }
        ensure(left.is_zero(), Fault::new(Error::LossNotCovered, unpaid.saturating_sub(left).0, unpaid.0))
    }

    fn reduce(&mut self, slot: usize, size: Base, mark: Price, limit: Price) -> Result<()> {
        let position = *self.account.position(slot)?;
        let (held, ratio) = (position.base(), margin::maintenance_ratio(&self.market, &position, self.now));
        let fill = self.close(slot, size, mark)?;
        check_limit(fill.price, fill.buy, limit)?;
        if size == held {
            return Ok(());
        }
        trade::check_rest(&self.market, &self.account, slot, held)?;
        if trade::worsens(&self.market, &fill, ratio)? {
            ensure(self.totals(Purpose::Maintenance)?.surplus()?.0 >= 0, Error::WorsensShortfall)?;
        }
        Ok(())
    }
}

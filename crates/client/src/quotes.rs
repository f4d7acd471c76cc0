//! What to expect before sending: the engine's own answers for decoded accounts, with funding accrued until now.

mod fill;

use ballast::state::Subaccount;
use ballast_engine::margin::{self, Purpose, Totals};
use ballast_engine::{Base, Error, Now, Price, Quote, Result, quotes};

use crate::markets::Markets;

pub use fill::{Filled, Liquidated, liquidation, order, reduction};

/// The totals of a margin test as the chain would find them. `markets` as stored or accrued.
///
/// # Errors
/// [`Error::WrongMarket`] for a missing market, [`Error::PriceMissing`], [`Error::MathOverflow`].
pub fn totals(subaccount: &Subaccount, markets: &Markets, purpose: Purpose, now: &Now) -> Result<Totals> {
    let account = &subaccount.state;
    let mut totals = Totals::new(account.collateral)?;
    for (slot, market) in markets.legs(account)? {
        totals.add(slot, &margin::leg(market, account.position(slot)?, purpose, now)?)?;
    }
    Ok(totals)
}

/// The price of a market at which the account reaches maintenance, all other markets standing still; `None` where no
/// price does.
///
/// # Errors
/// [`Error::PositionNotFound`], [`Error::WrongMarket`] for a missing market, [`Error::MathOverflow`].
pub fn liquidation_price(subaccount: &Subaccount, markets: &Markets, market: u16, now: &Now) -> Result<Option<Price>> {
    let account = &subaccount.state;
    let slot = account.find(market).ok_or(Error::PositionNotFound)?;
    let accrued = markets.accrued(now)?;
    quotes::liquidation_price(account, &accrued.legs(account)?, slot, now)
}

/// The largest size by which the account can open or increase in a market now, every limit and the initial margin kept.
///
/// # Errors
/// [`Error::WrongMarket`] for a missing market, [`Error::MathOverflow`].
pub fn max_increase(subaccount: &Subaccount, markets: &Markets, market: u16, long: bool, now: &Now) -> Result<Base> {
    let account = &subaccount.state;
    let accrued = markets.accrued(now)?;
    let market = markets.get(market).ok_or(Error::WrongMarket)?;
    quotes::max_increase(account, &accrued.legs(account)?, &market.state, long, now)
}

/// The largest size that can be opened or increased now and costs no more than `risk` if its stop fills at `stop`, both
/// fills' premiums and all fees included; a price that jumps over the stop costs more. Zero where none does.
///
/// # Errors
/// [`Error::OrderTermsInvalid`] for a stop that is not on the losing side of the stored price, [`Error::PriceMissing`],
/// [`Error::WrongMarket`] for a missing market, [`Error::MathOverflow`].
pub fn size_for_risk(
    subaccount: &Subaccount,
    markets: &Markets,
    market: u16,
    long: bool,
    stop: Price,
    risk: Quote,
    now: &Now,
) -> Result<Base> {
    let account = &subaccount.state;
    let accrued = markets.accrued(now)?;
    let market = markets.get(market).ok_or(Error::WrongMarket)?;
    quotes::size_for_risk(account, &accrued.legs(account)?, &market.state, long, stop, risk, now)
}

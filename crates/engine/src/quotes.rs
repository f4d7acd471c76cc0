//! What a client wants to know before it sends: the liquidation price, the largest size. The same rules as on chain.
//!
//! For clients only: each keeps copies of whole accounts on the stack, more than a frame on the chain's machine holds.

use crate::Now;
use crate::account::AccountState;
use crate::constants::{PRICE_MAX, PRICE_SCALE};
use crate::error::{Error, Fault, Result, ensure};
use crate::liquidation::is_flagged;
use crate::margin::{Purpose, Totals, leg, leg_in};
use crate::market::MarketState;
use crate::math::{mul_div, some};
use crate::price::Status;
use crate::trade::{Charge, check_increase, increase, reduce};
use crate::units::{Base, Price, Quote, Rounding};

/// The price of one market at which the account reaches maintenance, all others standing still: the last one at which it
/// is not below it, so that one atom worse it can be flagged. An account that is below it now gets the price at which it
/// no longer is. `markets` by slot in use, in slot order, and accrued. `None` where no price does.
///
/// Found by halving with the very function that the chain tests with, hence exact whatever the account holds. The price
/// is taken as good and its confidence as it is now.
///
/// # Errors
/// [`Error::PositionNotFound`], [`Error::MathOverflow`].
pub fn liquidation_price(
    account: &AccountState,
    markets: &[(usize, &MarketState)],
    slot: usize,
    now: &Now,
) -> Result<Option<Price>> {
    let position = account.position(slot)?;
    ensure(position.is_open(), Error::PositionNotFound)?;
    let others = others(account, markets, slot, Purpose::Maintenance, now)?;
    let (_, market) = markets.iter().find(|(s, _)| *s == slot).ok_or(Error::PositionNotFound)?;
    let mut moved = **market;
    let long = position.size.is_long();
    let mut healthy = |price: u64| -> Result<bool> {
        moved.price.last.price = Price(price);
        let mut totals = others;
        totals.add(slot, &leg_in(&moved, position, Purpose::Maintenance, Status::Good, now)?)?;
        Ok(totals.surplus()?.loss().is_zero())
    };
    let current = market.price.last.price.0;
    ensure(current != 0, Error::PriceMissing)?;
    let fine = healthy(current)?;
    // The other end: down to an atom, or doubling upwards.
    let mut end = if long == fine { 1 } else { current };
    while healthy(end).or_else(lost)? == fine {
        if end >= PRICE_MAX || long == fine {
            return Ok(None);
        }
        end = end.saturating_mul(2).min(PRICE_MAX);
    }
    let (mut good, mut bad) = if fine { (current, end) } else { (end, current) };
    while good.abs_diff(bad) > 1 {
        let middle = good.midpoint(bad);
        if healthy(middle).or_else(lost)? {
            good = middle;
        } else {
            bad = middle;
        }
    }
    Ok(Some(Price(good)))
}

/// What leaves the range is not health: a short's loss does so, and a long's profit beyond it is not counted on.
fn lost(fault: Fault) -> Result<bool> {
    if fault.error == Error::MathOverflow { Ok(false) } else { Err(fault) }
}

/// The largest size by which a position can be opened or increased now, all limits and initial margin kept, filled at
/// the stored price worsened by `max(conf, move per slot × age)` as an order's is. Zero where any limit forbids it,
/// the least notional included. `markets` by slot in use, in slot order; `market` is a copy of one of them or a new one.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn max_increase(
    account: &AccountState,
    markets: &[(usize, &MarketState)],
    market: &MarketState,
    long: bool,
    now: &Now,
) -> Result<Base> {
    let mut accrued = *market;
    let _ = accrued.accrue(false, now)?;
    let last = accrued.price.last;
    let Ok(slot) = account.find_or_free(market.index) else { return Ok(Base::ZERO) };
    if last.price.is_zero() || is_flagged(account, now) {
        return Ok(Base::ZERO);
    }
    let others = others(account, markets, slot, Purpose::Increase, now)?;
    let mark = last.price.moved(long, last.conf.max(accrued.drift(now)?))?;
    let trial = |size: u64| -> Result<()> {
        let (mut market, mut account) = (accrued, *account);
        let _ = increase(&mut market, &mut account, slot, Base(size), long, mark)?;
        check_increase(&market, &account, slot, now)?;
        let mut totals = others;
        totals.equity = totals.equity.plus(account.collateral.signed()?)?;
        totals.add(slot, &leg(&market, account.position(slot)?, Purpose::Increase, now)?)?;
        totals.check_initial()
    };
    let most = mul_div(market.params.max_position.0, PRICE_SCALE, last.price.0, Rounding::Up)?;
    let (mut fits, mut over) = (0, some(most.checked_add(1))?);
    while over.abs_diff(fits) > 1 {
        let middle = fits.midpoint(over);
        match trial(middle) {
            Ok(()) => fits = middle,
            // Too small is not too large.
            Err(fault) if fault.error == Error::SizeBelowMinimum => fits = middle,
            Err(_) => over = middle,
        }
    }
    Ok(if fits != 0 && trial(fits).is_ok() { Base(fits) } else { Base::ZERO })
}

/// What a position costs that is opened now with this size and whose stop then fills at `stop`: the move, both premiums, both
/// trading fees and both orders' fees. The entry is filled at the stored price worsened by `max(conf, move per slot × age)`, the
/// exit at `stop` worsened by the confidence; a price that jumps over the stop costs more, by the jump. Zero where the stop
/// brings more than that.
///
/// # Errors
/// [`Error::OrderTermsInvalid`] for a stop that is not on the losing side of the stored price, [`Error::PriceMissing`], those of
/// [`increase`], [`Error::MathOverflow`].
pub fn loss_at_stop(market: &MarketState, size: Base, long: bool, stop: Price, now: &Now) -> Result<Quote> {
    let mut market = *market;
    let _ = market.accrue(false, now)?;
    let last = market.price.last;
    ensure(!last.price.is_zero(), Error::PriceMissing)?;
    ensure(if long { stop < last.price } else { stop > last.price } && !stop.is_zero(), Error::OrderTermsInvalid)?;
    // Whose account it is does not matter: one that can pay whatever it costs.
    let mut trial = AccountState { collateral: Quote(1 << 60), ..AccountState::default() };
    let mark = last.price.moved(long, last.conf.max(market.drift(now)?))?;
    let opened = increase(&mut market, &mut trial, 0, size, long, mark)?;
    market.price.last.price = stop;
    let closed = reduce(&mut market, &mut trial, 0, size, stop.moved(!long, last.conf)?, Charge::Trade)?;
    let order_fee = market.params.order_fee;
    let fees = opened.fee.plus(closed.fee)?.plus(order_fee)?.plus(order_fee)?;
    Ok(fees.signed()?.less(closed.pnl)?.gain())
}

/// The largest size that can be opened now ([`max_increase`]) and costs no more than `risk` if its stop fills at `stop`
/// ([`loss_at_stop`]). Zero where even the least notional costs more.
///
/// # Errors
/// [`Error::OrderTermsInvalid`] for a stop that is not on the losing side of the stored price, [`Error::PriceMissing`],
/// [`Error::MathOverflow`].
pub fn size_for_risk(
    account: &AccountState,
    markets: &[(usize, &MarketState)],
    market: &MarketState,
    long: bool,
    stop: Price,
    risk: Quote,
    now: &Now,
) -> Result<Base> {
    let most = max_increase(account, markets, market, long, now)?;
    let within = |size: u64| -> Result<bool> {
        match loss_at_stop(market, Base(size), long, stop, now) {
            Ok(loss) => Ok(loss <= risk),
            // Dust that is worth less than its premium risks nothing.
            Err(fault) if fault.error == Error::SizeBelowMinimum => Ok(true),
            Err(fault) => Err(fault),
        }
    };
    let (mut fits, mut over) = (0, some(most.0.checked_add(1))?);
    while over.abs_diff(fits) > 1 {
        let middle = fits.midpoint(over);
        if within(middle)? {
            fits = middle;
        } else {
            over = middle;
        }
    }
    let held = account.find(market.index).and_then(|slot| account.positions.get(slot)).map_or(Base::ZERO, |p| p.base());
    let value = held.plus(Base(fits))?.value(market.price.last.price, Rounding::Down)?;
    Ok(if value >= market.params.min_notional { Base(fits) } else { Base::ZERO })
}

/// The totals of all slots but one. For an increase without the collateral, which the fill's fee changes.
fn others(
    account: &AccountState,
    markets: &[(usize, &MarketState)],
    slot: usize,
    purpose: Purpose,
    now: &Now,
) -> Result<Totals> {
    let collateral = if purpose == Purpose::Maintenance { account.collateral } else { Default::default() };
    let mut totals = Totals::new(collateral)?;
    for (other, market) in markets.iter().filter(|(other, _)| *other != slot) {
        totals.add(*other, &leg(market, account.position(*other)?, purpose, now)?)?;
    }
    Ok(totals)
}

//! A loss that collateral cannot pay, in an account that goes on: its other markets' profits pay it, in cash and then in
//! claims; after a liquidation or the closing in a settled market what is left may be the market's deficit.

use core::ops::DerefMut;

use super::Resolution;
use super::legs::{assign, check_markets, entry_at, pay};
use crate::Now;
use crate::account::AccountState;
use crate::error::{Error, Fault, Result, ensure};
use crate::margin::{funding_owed, unrealised};
use crate::market::MarketState;
use crate::math::some;
use crate::price::Status;
use crate::settle::{collect, release_holdback, settle};
use crate::trade::rebook;
use crate::units::Quote;

/// Pays `unpaid`, a loss booked in the market of `slot` that collateral could not pay, from the account's profits in
/// its other markets: their good-priced profitable positions are settled (cash at their `h`, the rest claims), cash
/// pays first, then claims are assigned at face. `markets` are those of the account's slots in use, in slot order, with
/// their slots; the slot that `unpaid` came from may have become free. Returns what is still unpaid.
///
/// Profits are settled in slot order, no more of them than the loss needs in cash.
///
/// # Errors
/// [`Error::MathOverflow`], [`Error::WrongMarketCount`], [`Error::WrongMarket`].
pub fn cover<M: DerefMut<Target = MarketState>>(
    account: &mut AccountState,
    slot: usize,
    unpaid: Quote,
    markets: &mut [(usize, M)],
    now: &Now,
) -> Result<Quote> {
    check_markets(account, markets, Some(slot))?;
    let loser = some(markets.iter().position(|(s, _)| *s == slot))?;
    let mut rest = unpaid;
    for index in 0..markets.len() {
        let (from, market) = entry_at(markets, index)?;
        if index != loser && has_profit(market, account, from, now)? {
            let _ = market.accrue(false, now)?;
            // Funding due until now may have turned the profit.
            if has_profit(market, account, from, now)? {
                let _ = settle(market, account, from, now)?;
            }
        }
        // What it is too late for is written off, as in a resolution.
        market.touch(now);
        collect(market, account, from)?;
        let cash = rest.min(account.collateral);
        if !cash.is_zero() {
            entry_at(markets, loser)?.1.receive(cash)?;
            pay(account, cash)?;
            rest = rest.less(cash)?;
        }
        if rest.is_zero() {
            return Ok(rest);
        }
    }
    for debtor in (0..markets.len()).filter(|index| *index != loser) {
        let amount = rest.min(claim_of(account, markets, debtor)?);
        assign(account, markets, debtor, loser, amount)?;
        rest = rest.less(amount)?;
    }
    Ok(rest)
}

/// After a liquidation, or a closing in a settled market: [`cover`], then holdbacks. What is left when the position is closed
/// whole is the market's deficit, for the account has nothing more. (It stood above zero by less than premium and confidence
/// credit: else it is resolved.)
///
/// With a rest of the position, or another one whose price is not good, that cannot be known: it may hold the profit that
/// has to pay. Then what is left goes back into the entry of the rest of this position, as in [`settle`]: that price
/// neither blocks the liquidation nor makes the market pay for it. Such a part is in none of the result's figures.
///
/// # Errors
/// [`Error::LossNotCovered`] where there is no rest of the position to carry it; those of [`cover`].
pub fn cover_liquidation<M: DerefMut<Target = MarketState>>(
    account: &mut AccountState,
    slot: usize,
    unpaid: Quote,
    markets: &mut [(usize, M)],
    now: &Now,
) -> Result<Resolution> {
    let mut done = Resolution::default();
    if unpaid.is_zero() {
        return Ok(done);
    }
    let mut rest = cover(account, slot, unpaid, markets, now)?;
    let loser = some(markets.iter().position(|(s, _)| *s == slot))?;
    // What silent exits left behind pays too, as in a resolution.
    for index in 0..markets.len() {
        let (other, market) = entry_at(markets, index)?;
        if rest.is_zero() || other == slot || account.position(other)?.held.is_zero() {
            continue;
        }
        if market.status(now)? == Status::Good {
            release_holdback(market, account, other)?;
        } else {
            let held = account.position_mut(other)?.take_held();
            account.collateral = account.collateral.plus(held)?;
        }
        let cash = rest.min(account.collateral);
        entry_at(markets, loser)?.1.receive(cash)?;
        pay(account, cash)?;
        rest = rest.less(cash)?;
    }
    if rest.is_zero() {
        return Ok(done);
    }
    // A rest of the position may hold the profit that has to pay: funding is settled for the whole of it, its result only
    // for the part that was closed.
    let mut known = !account.position(slot)?.is_open();
    for (other, market) in markets.iter().filter(|(other, _)| *other != slot) {
        known &= !account.position(*other)?.is_open() || market.status(now)? == Status::Good;
    }
    let market = entry_at(markets, loser)?.1;
    if known {
        done.insurance = market.absorb_deficit(rest, now)?;
        done.deficit = rest;
        *some(done.deficits.get_mut(slot))? = rest;
        return Ok(done);
    }
    let position = account.position_mut(slot)?;
    let (size, long) = (position.base(), position.size.is_long());
    let room = if long { Quote(u64::MAX).less(position.entry)? } else { position.entry };
    ensure(position.is_open() && rest <= room, Fault::new(Error::LossNotCovered, 0_i64, rest.0))?;
    let entry = if long { position.entry.plus(rest)? } else { position.entry.less(rest)? };
    rebook(market.side_mut(long), position, size, long, entry)?;
    Ok(done)
}

/// Whether settling a slot's position would bring a profit: at a good price, net of funding.
fn has_profit(market: &MarketState, account: &AccountState, slot: usize, now: &Now) -> Result<bool> {
    let position = &market.effective(account.position(slot)?)?;
    if !position.is_open() || market.status(now)? != Status::Good {
        return Ok(false);
    }
    let result = unrealised(position, market.price.last.price)?.less(funding_owed(market, position)?)?;
    Ok(!result.gain().is_zero())
}

/// What is outstanding of a slot's claim, after collecting what was paid on it.
fn claim_of<M: DerefMut<Target = MarketState>>(
    account: &mut AccountState,
    markets: &mut [(usize, M)],
    index: usize,
) -> Result<Quote> {
    let (slot, market) = entry_at(markets, index)?;
    collect(market, account, slot)?;
    Ok(account.position(slot)?.claim.amount)
}

//! Settling a position without changing its size (section 5), collecting claims, and the exit from a silent market
//! with its holdback (section 4).

use crate::Now;
use crate::account::AccountState;
use crate::deleverage::pick_up;
use crate::error::{Error, Fault, Result, ensure};
use crate::market::MarketState;
use crate::pool::{Realised, pnl_of};
use crate::price::Status;
use crate::trade::{Charge, Fill, payable_for, rebook, reduce};
use crate::units::{Price, Quote, Ratio, Rounding, SignedQuote};

/// What settling did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Settled {
    /// PnL moved, before funding.
    pub pnl: SignedQuote,
    /// Funding settled: positive was received.
    pub funding: SignedQuote,
    /// Where they went.
    pub realised: Realised,
    /// Collected on the slot's claim.
    pub collected: Quote,
    /// Holdback returned to the collateral.
    pub returned: Quote,
    /// Holdback taken by the pool.
    pub forfeited: Quote,
    /// Whether the position was counted as settled in an episode of claims.
    pub counted: bool,
}

/// Moves the unrealised result of a slot to cash and re-bases its entry to the mark; collects its claim; resolves its
/// holdback. Equity for maintenance does not fall: a loss is taken at the maintenance test's price, or the credit in it
/// would turn into unrealised profit, which counts for less. The market has accrued just now.
///
/// PnL and funding owed are settled as one sum, of a loss as much as the collateral pays. What it cannot pay, funding
/// included, stays unrealised in the entry, so that collateral plus PnL less funding owed is what it was to the atom;
/// it is no debt yet and not in `realised.unpaid`.
///
/// # Errors
/// The price's refusal unless it is good; [`Error::CoverTooEarly`] where there is nothing to do;
/// [`Error::PositionNotFound`], [`Error::WrongMarket`], [`Error::MathOverflow`].
pub fn settle(market: &mut MarketState, account: &mut AccountState, slot: usize, now: &Now) -> Result<Settled> {
    let status = market.status(now)?;
    ensure(status == Status::Good, status.refusal())?;
    let position = account.position(slot)?;
    ensure(position.is_free() || position.market == market.index, Error::WrongMarket)?;
    let (returned, forfeited) = release_holdback(market, account, slot)?;
    // Free cash beyond all profit pays claims, whoever settles.
    market.receive(Quote::ZERO)?;
    let collected = collect(market, account, slot)?;
    let _ = pick_up(market, account, slot)?;
    let mut settled = Settled { collected, returned, forfeited, ..Settled::default() };

    let AccountState { collateral, positions, principal, .. } = account;
    let position = positions.get_mut(slot).ok_or(Error::PositionNotFound)?;
    if position.is_open() {
        let (size, long) = (position.base(), position.size.is_long());
        let rounding = if long { Rounding::Down } else { Rounding::Up };
        let owed = market.side(long).index.owed(position.funding_entry, size)?;
        let mut value = size.value(market.price.last.price, rounding)?;
        let mut result = pnl_of(long, value, position.entry)?.plus(position.frozen)?.less(owed)?;
        let mut moved = result;
        if result.0 < 0 {
            value = size.value(market.maintenance_price(long)?, rounding)?;
            result = pnl_of(long, value, position.entry)?.plus(position.frozen)?.less(owed)?;
            moved = SignedQuote(result.0.min(0).max(collateral.signed()?.negated()?.0));
        }
        if moved.0 != 0 || position.frozen.0 != 0 {
            let left = result.less(moved)?;
            let payable = payable_for(market, moved)?;
            // The entry at which the position's PnL is what is left of the result.
            let entry = value.signed()?;
            let entry = if long { entry.less(left)? } else { entry.plus(left)? };
            ensure(entry.0 >= 0, Error::MathOverflow)?;
            market.freeze(position, long, SignedQuote::ZERO)?;
            rebook(market.side_mut(long), position, size, long, entry.gain())?;
            let before = *collateral;
            settled.realised = market.realise(collateral, &mut position.claim, &payable, moved)?;
            principal.follow(before, *collateral)?;
            settled.funding = owed.negated()?;
            settled.pnl = moved.plus(owed)?;
        }
    }
    let position = positions.get_mut(slot).ok_or(Error::PositionNotFound)?;
    settled.counted = position.is_open() && market.note_settled(position)?;
    ensure(settled != Settled::default(), Error::CoverTooEarly)?;
    Ok(settled)
}

/// Collects what the index has paid on a slot's claim; works at any price.
///
/// # Errors
/// [`Error::PositionNotFound`], [`Error::WrongMarket`], [`Error::MathOverflow`].
pub fn collect(market: &mut MarketState, account: &mut AccountState, slot: usize) -> Result<Quote> {
    let AccountState { collateral, positions, .. } = account;
    let position = positions.get_mut(slot).ok_or(Error::PositionNotFound)?;
    if position.claim.amount.is_zero() {
        return Ok(Quote::ZERO);
    }
    ensure(position.market == market.index, Error::WrongMarket)?;
    sweep_if_empty(market)?;
    let collected = market.collect(&mut position.claim)?;
    market.write_off(&mut position.claim)?;
    *collateral = collateral.plus(collected)?;
    Ok(collected)
}

/// Collects what `debtor` has paid on a claim that `holder`'s pool holds on it, into `holder`'s pool.
///
/// # Errors
/// [`Error::WrongMarket`] for a debtor whose claims no pool can hold, [`Error::MathOverflow`].
pub fn collect_between(debtor: &mut MarketState, holder: &mut MarketState) -> Result<Quote> {
    let claim = holder.held.get_mut(usize::from(debtor.index)).ok_or(Error::WrongMarket)?;
    sweep_if_empty(debtor)?;
    let collected = debtor.collect(claim)?;
    debtor.write_off(claim)?;
    holder.receive(collected)?;
    Ok(collected)
}

/// Without open interest no price is needed to know that all free cash may pay claims.
fn sweep_if_empty(market: &mut MarketState) -> Result<()> {
    market.sweep()
}

/// Resolves a slot's holdback at the first good price after the silence, whenever anybody asks; the caller knows the stored
/// one to be good. The pool takes what the silent exit lacked against it, rounded up; the rest goes back. Returns both, the
/// returned amount first.
pub(crate) fn release_holdback(
    market: &mut MarketState,
    account: &mut AccountState,
    slot: usize,
) -> Result<(Quote, Quote)> {
    let AccountState { collateral, positions, principal, .. } = account;
    let position = positions.get_mut(slot).ok_or(Error::PositionNotFound)?;
    if position.held.is_zero() {
        return Ok((Quote::ZERO, Quote::ZERO));
    }
    ensure(position.market == market.index, Error::WrongMarket)?;
    market.judge_exits();
    let good = if market.resumed.is_zero() { market.price.last.price } else { market.resumed };
    let lacking = if position.held_size.is_long() {
        position.held_price.saturating_sub(good)
    } else {
        good.saturating_sub(position.held_price)
    };
    let forfeited = position.held_size.size().value(lacking, Rounding::Up)?.min(position.held);
    let returned = position.held.less(forfeited)?;
    let whole = collateral.plus(position.take_held())?;
    *collateral = collateral.plus(returned)?;
    principal.follow(whole, *collateral)?;
    market.receive(forfeited)?;
    Ok((returned, forfeited))
}

/// Closes a whole position in a silent market at the penalised price; profit is forfeited to the pool and
/// `min(collateral, stress move × notional)` stays in the slot until the next good price, and is judged by that. After an error the state is
/// to be thrown away, as a failed transaction does.
///
/// # Errors
/// [`Error::PriceNotSilent`], [`Error::LossNotCovered`], [`Error::PositionNotFound`], [`Error::MathOverflow`].
pub fn silent_exit(market: &mut MarketState, account: &mut AccountState, slot: usize, now: &Now) -> Result<Fill> {
    ensure(market.status(now)? == Status::Silent, Error::PriceNotSilent)?;
    market.touch(now);
    let _ = pick_up(market, account, slot)?;
    let size = account.position(slot)?.size;
    ensure(size.0 != 0, Error::PositionNotFound)?;
    let mark = market.silent_exit_price(size.is_long())?;
    let before = account.collateral;
    let fill = reduce(market, account, slot, size.size(), mark, Charge::Silent)?;
    if !fill.realised.unpaid.is_zero() {
        let loss = before.plus(fill.realised.unpaid)?;
        return Err(Fault::new(Error::LossNotCovered, before.0, loss.0));
    }
    let stress: Ratio = market.params.stress_move;
    let held = size.size().value(mark, Rounding::Up)?.portion(stress, Rounding::Up)?.min(account.collateral);
    account.collateral = account.collateral.less(held)?;
    let position = account.position_mut(slot)?;
    // A position cannot be open over an older holdback: an increase resolves that first.
    ensure(position.held.is_zero(), Error::InvariantBroken)?;
    if !held.is_zero() {
        position.held = held;
        position.held_size = size;
        position.held_price = mark;
        (market.exits_unjudged, market.resumed) = (1, Price::ZERO);
    }
    Ok(fill)
}

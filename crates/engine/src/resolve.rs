//! Accounts that cannot pay (sections 5 and 9): other markets' profits pay a loss, in cash and then in claims; an account
//! below zero is resolved in one instruction. The result does not depend on who calls first.

use core::ops::DerefMut;

use crate::Now;
use crate::account::{AccountState, Flag};
use crate::constants::{GOOD_SLOTS, POSITIONS, SILENT_SECONDS};
use crate::deleverage::pick_up;
use crate::error::{Error, Fault, Result, ensure};
use crate::liquidation::is_flagged;
use crate::margin::{Purpose, Totals, funding_owed, leg, unrealised};
use crate::market::{Claim, MarketState};
use crate::math::some;
use crate::price::Status;
use crate::settle::{collect, collect_between, release_holdback, settle};
use crate::trade::{Charge, rebook, reduce};
use crate::units::{Price, Quote, Rounding, SignedBase, SignedQuote};

/// What a resolution did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Resolution {
    /// Collateral and profits paid to losing markets, in cash.
    pub paid: Quote,
    /// Claims assigned to losing markets.
    pub assigned: Quote,
    /// Losses that nobody's money paid, over all markets.
    pub deficit: Quote,
    /// What the markets' insurance paid of it.
    pub insurance: Quote,
    /// Deficit by position slot.
    pub deficits: [Quote; 8],
    /// Full equity before.
    pub equity_before: SignedQuote,
}

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

/// After a liquidation: holdbacks, then [`cover`]. What is left when the position is closed whole is the market's deficit,
/// for the account has nothing more. (It stood above zero by less than premium and confidence credit: else it is resolved.)
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
            let position = account.position_mut(other)?;
            let held = core::mem::take(&mut position.held);
            position.held_size = SignedBase::ZERO;
            position.held_price = Price::ZERO;
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
    let here = entry_at(markets, loser)?.1;
    // A settlement takes a silent market as it is, and waits for none for ever.
    let (settled, over) = (here.is_settled(), here.is_settled() && here.patience_is_over());
    for (other, market) in markets.iter().filter(|(other, _)| *other != slot) {
        let status = market.status(now)?;
        known &= !account.position(*other)?.is_open()
            || status == Status::Good
            || (settled && status == Status::Silent)
            || over;
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

/// Resolves a flagged account whose equity, profits and claims in full, is below zero: all positions are closed at price
/// without premium, profits as cash and claims, then what collateral and claims there are is split over the losing
/// markets pro rata to their losses; the rest is each market's deficit. Needs a publish time newer than the flag's and in
/// every market a good price, or one that is ageing for its confidence alone; a market that is silent, or has had no valid
/// price for as long as makes one silent, closes at its last valid price, its profit forfeited. So no price, however long
/// it stays uncertain, keeps an account below zero waiting for more than an hour.
///
/// A market's own claim is set against the loss in it first: they owe each other. Everything goes by market index, so
/// the result depends neither on the slots nor on the caller; what rounding leaves goes to the lowest indices.
///
/// # Errors
/// [`Error::NotFlagged`], [`Error::FlagTooFresh`], [`Error::NotBankrupt`], the worst price's refusal,
/// [`Error::WrongMarketCount`], [`Error::WrongMarket`].
pub fn resolve<M: DerefMut<Target = MarketState>>(
    account: &mut AccountState,
    markets: &mut [(usize, M)],
    now: &Now,
) -> Result<Resolution> {
    check_markets(account, markets, None)?;
    // Where all that is open is in settled markets no price will show more, and none can flag it.
    let (mut open, mut settled) = (false, true);
    for (slot, market) in markets.iter() {
        if account.position(*slot)?.is_open() {
            (open, settled) = (true, settled && market.is_settled());
        }
    }
    let settled = open && settled;
    ensure(is_flagged(account, now) || settled, Error::NotFlagged)?;
    let equity_before = check_bankrupt(account, markets, settled, now)?;
    let order = by_market_index(markets)?;
    let mut done = Resolution { equity_before, ..Resolution::default() };

    // Close everything with an empty purse, so that no loss is paid before all are known.
    let mut unpaid = [Quote::ZERO; POSITIONS];
    let whole = account.collateral;
    let mut pot = core::mem::take(&mut account.collateral);
    for &index in order.iter().take(markets.len()) {
        let (slot, market) = entry_at(markets, index)?;
        let loss = close(market, account, slot, &mut pot, now)?;
        *some(unpaid.get_mut(index))? = loss;
    }

    let shares = split(pot, &unpaid, &order)?;
    for (index, (loss, share)) in unpaid.iter_mut().zip(shares).enumerate() {
        if !share.is_zero() {
            entry_at(markets, index)?.1.receive(share)?;
            *loss = loss.less(share)?;
            pot = pot.less(share)?;
            done.paid = done.paid.plus(share)?;
        }
    }
    account.collateral = pot;
    account.principal.follow(whole, pot)?;

    for &debtor in order.iter().take(markets.len()) {
        let mut losers = unpaid;
        // Nothing but dust can be left of both a market's loss and the claim on it.
        *some(losers.get_mut(debtor))? = Quote::ZERO;
        let shares = split(claim_of(account, markets, debtor)?, &losers, &order)?;
        for &holder in order.iter().take(markets.len()) {
            let share = some(shares.get(holder).copied())?;
            assign(account, markets, debtor, holder, share)?;
            let loss = some(unpaid.get_mut(holder))?;
            *loss = loss.less(share)?;
            done.assigned = done.assigned.plus(share)?;
        }
    }

    for (index, deficit) in unpaid.into_iter().enumerate().filter(|(_, d)| !d.is_zero()) {
        let (slot, market) = entry_at(markets, index)?;
        done.insurance = done.insurance.plus(market.absorb_deficit(deficit, now)?)?;
        done.deficit = done.deficit.plus(deficit)?;
        *some(done.deficits.get_mut(slot))? = deficit;
    }
    account.flag = Flag::default();
    Ok(done)
}

/// Collateral pays a loss.
fn pay(account: &mut AccountState, cash: Quote) -> Result<()> {
    let before = account.collateral;
    account.collateral = before.less(cash)?;
    account.principal.follow(before, account.collateral)
}

/// One market per slot in use (and per slot that has just become free), in slot order.
fn check_markets<M: DerefMut<Target = MarketState>>(
    account: &AccountState,
    markets: &[(usize, M)],
    freed: Option<usize>,
) -> Result<()> {
    let mut given = markets.iter();
    for (slot, position) in account.positions.iter().enumerate() {
        if position.is_free() && freed != Some(slot) {
            continue;
        }
        let count = Fault::new(Error::WrongMarketCount, account.slots().count(), markets.len());
        let (given_slot, market) = given.next().ok_or(count)?;
        ensure(*given_slot == slot, count)?;
        ensure(market.index == position.market, Fault::new(Error::WrongMarket, position.market, market.index))?;
    }
    ensure(given.next().is_none(), Fault::new(Error::WrongMarketCount, account.slots().count(), markets.len()))
}

/// Accrues every market and refuses unless the account may be resolved; returns its full equity.
fn check_bankrupt<M: DerefMut<Target = MarketState>>(
    account: &AccountState,
    markets: &mut [(usize, M)],
    settled: bool,
    now: &Now,
) -> Result<SignedQuote> {
    let flagged = account.flag.publish_time;
    let (mut totals, mut newer) = (Totals::new(account.collateral)?, true);
    for (slot, market) in markets {
        let _ = market.accrue(false, now)?;
        let position = account.position(*slot)?;
        let leg = leg(market, position, Purpose::Maintenance, now)?;
        if position.is_open() {
            // The sums' own test is about good prices alone, but an ageing one strikes here too.
            let (_, charge) = closing(market, now)?;
            newer &= charge == Charge::Silent || market.is_settled() || leg.publish_time > flagged;
        }
        totals.add(*slot, &leg)?;
    }
    let equity = totals.full_equity;
    ensure(!equity.loss().is_zero(), Fault::new(Error::NotBankrupt, 0_i64, equity.0))?;
    ensure(
        settled || (newer && totals.seen_since(flagged)),
        Fault::new(Error::FlagTooFresh, flagged, totals.publish_time),
    )?;
    Ok(equity)
}

/// The price at which a resolution closes a position in a market, and whether as an ordinary fill or as one in a silent
/// market.
fn closing(market: &MarketState, now: &Now) -> Result<(Price, Charge)> {
    let status = market.status(now)?;
    // As fresh and as confirmed as a good one; only wider. An older one would be the caller's to choose.
    let wide = status == Status::Ageing && market.age_slots(now) <= GOOD_SLOTS;
    if status == Status::Good || wide {
        return Ok((market.price.last.price, Charge::Plain));
    }
    let valid = &market.price.valid;
    let gone = status == Status::Silent || now.unix.saturating_sub(valid.publish_time) > SILENT_SECONDS;
    ensure(gone, status.refusal())?;
    // An old price pays nobody: the profit is forfeited, as in an exit from a silent market.
    Ok((valid.price, Charge::Silent))
}

/// Where each market stands in the order of their indices.
fn by_market_index<M: DerefMut<Target = MarketState>>(markets: &[(usize, M)]) -> Result<[usize; POSITIONS]> {
    let mut order = [0, 1, 2, 3, 4, 5, 6, 7];
    some(order.get_mut(..markets.len()))?
        .sort_unstable_by_key(|place| markets.get(*place).map_or(u16::MAX, |(_, market)| market.index));
    Ok(order)
}

/// Closes a slot's position and moves everything it brings in cash to the pot; the collateral is empty before and
/// after. Returns the loss, net of the slot's own claim.
fn close(
    market: &mut MarketState,
    account: &mut AccountState,
    slot: usize,
    pot: &mut Quote,
    now: &Now,
) -> Result<Quote> {
    let good = market.status(now)? == Status::Good;
    if good {
        release_holdback(market, account, slot)?;
    } else {
        let position = account.position_mut(slot)?;
        *pot = pot.plus(core::mem::take(&mut position.held))?;
        position.held_size = SignedBase::ZERO;
        position.held_price = Price::ZERO;
    }
    collect(market, account, slot)?;
    *pot = pot.plus(core::mem::take(&mut account.collateral))?;
    let _ = pick_up(market, account, slot)?;
    let position = account.position(slot)?;
    if !position.is_open() {
        return Ok(Quote::ZERO);
    }
    let size = position.base();
    let (mark, charge) = closing(market, now)?;
    let fill = reduce(market, account, slot, size, mark, charge)?;
    // A market that this empties pays claims from all its cash.
    collect(market, account, slot)?;
    *pot = pot.plus(core::mem::take(&mut account.collateral))?;
    Ok(fill.realised.unpaid)
}

/// Splits an amount pro rata, at most as much as the weights; what rounding leaves goes to the first in order.
fn split(amount: Quote, weights: &[Quote; POSITIONS], order: &[usize; POSITIONS]) -> Result<[Quote; POSITIONS]> {
    let mut shares = [Quote::ZERO; POSITIONS];
    let mut whole = Quote::ZERO;
    for weight in weights {
        whole = whole.plus(*weight)?;
    }
    let amount = amount.min(whole);
    let mut rest = amount;
    if amount.is_zero() {
        return Ok(shares);
    }
    for (share, weight) in shares.iter_mut().zip(weights) {
        *share = amount.share(weight.0, whole.0, Rounding::Down)?;
        rest = rest.less(*share)?;
    }
    for place in order {
        let share = some(shares.get_mut(*place))?;
        // Fewer atoms are left than there are shares that were rounded, and those lie below their weights.
        if !rest.is_zero() && weights.get(*place).is_some_and(|weight| *share < *weight) {
            *share = share.plus(Quote(1))?;
            rest = rest.less(Quote(1))?;
        }
    }
    Ok(shares)
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

/// Moves a part of a slot's claim on its market, the debtor, to another market's pool, at face. The slot's claim was
/// just collected.
fn assign<M: DerefMut<Target = MarketState>>(
    account: &mut AccountState,
    markets: &mut [(usize, M)],
    debtor: usize,
    holder: usize,
    amount: Quote,
) -> Result<()> {
    if amount.is_zero() {
        return Ok(());
    }
    let (slot, _) = entry_at(markets, debtor)?;
    let (debtor, holder) = pair(markets, debtor, holder)?;
    collect_between(debtor, holder)?;
    let claim = &mut account.position_mut(slot)?.claim;
    let (factor, epoch) = (debtor.pool.claim_factor, debtor.pool.claim_epoch);
    ensure(claim.factor == factor && claim.epoch == epoch, Error::InvariantBroken)?;
    claim.amount = claim.amount.less(amount)?;
    let held = holder.held.get_mut(usize::from(debtor.index)).ok_or(Error::WrongMarket)?;
    *held = Claim { amount: held.amount.plus(amount)?, factor, epoch };
    Ok(())
}

/// A market with its slot.
fn entry_at<M: DerefMut<Target = MarketState>>(
    markets: &mut [(usize, M)],
    index: usize,
) -> Result<(usize, &mut MarketState)> {
    let (slot, market) = some(markets.get_mut(index))?;
    Ok((*slot, market))
}

/// Two different markets.
fn pair<M: DerefMut<Target = MarketState>>(
    markets: &mut [(usize, M)],
    one: usize,
    other: usize,
) -> Result<(&mut MarketState, &mut MarketState)> {
    let [(_, one), (_, other)] =
        markets.get_disjoint_mut([one, other]).map_err(|_| Fault::from(Error::MathOverflow))?;
    Ok((one, other))
}

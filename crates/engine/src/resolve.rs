//! Accounts that cannot pay (sections 5 and 9): other markets' profits pay a loss, in cash and then in claims; an account
//! below zero is resolved in one instruction. The result does not depend on who calls first.

mod cover;
mod legs;
mod split;

pub use cover::{cover, cover_liquidation};

use core::ops::DerefMut;

use crate::Now;
use crate::account::{AccountState, Flag};
use crate::closing::{closing, sure_value};
use crate::constants::{POSITIONS, SETTLEMENT_PATIENCE};
use crate::deleverage::pick_up;
use crate::error::{Error, Fault, Result, ensure};
use crate::liquidation::is_flagged;
use crate::margin::{Purpose, Totals, leg};
use crate::market::MarketState;
use crate::math::some;
use crate::price::Status;
use crate::settle::{collect, release_holdback};
use crate::trade::{Charge, take_off};
use crate::units::{Quote, SignedQuote};

use legs::{check_markets, entry_at};
use split::{by_market_index, hand_over};

/// What a resolution did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Resolution {
    /// Collateral and profits paid to losing markets, in cash.
    pub paid: Quote,
    /// Claims set against losses in the markets that owe them.
    pub set_off: Quote,
    /// Claims assigned to other losing markets.
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

/// Resolves a flagged account whose equity, profits and claims in full, is below zero: all positions are closed at price
/// without premium, profits as cash and claims; losses are only booked. Then each losing market is allotted a share of all
/// that there is, cash and claims at face, pro rata to its loss, and what its share lacks of the loss is its deficit. Needs
/// a publish time newer than the flag's and in every market a good price, or one that is ageing for its confidence alone; a
/// market that is silent, or has had no valid price for as long as makes one silent, closes at its last valid price, its
/// profit forfeited. So no price, however long it stays uncertain, keeps an account below zero waiting for more than an hour.
///
/// Beside a settled market no flag is needed where none can be had, and ten days after that market's price was fixed a profit
/// at a price that is not good no longer holds the account above zero: the settlement waits for it no longer.
///
/// A market that is owed a share and owes a claim itself sets one against the other, then it gets its part of the cash and
/// of the other claims. Everything goes by market index, so the result depends neither on the slots nor on the caller;
/// what rounding leaves goes to the lowest indices.
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
    let by = settlement_of(account, markets, now)?;
    ensure(is_flagged(account, now) || by.unflagged, Error::NotFlagged)?;
    let equity_before = check_bankrupt(account, markets, &by, now)?;
    let order = by_market_index(markets)?;
    let mut done = Resolution { equity_before, ..Resolution::default() };

    // No loss is paid before all are known.
    let mut unpaid = [Quote::ZERO; POSITIONS];
    for &index in order.iter().take(markets.len()) {
        let (slot, market) = entry_at(markets, index)?;
        *some(unpaid.get_mut(index))? = close(market, account, slot, now)?;
    }
    hand_over(account, markets, &order, &mut unpaid, &mut done)?;

    for (index, deficit) in unpaid.into_iter().enumerate().filter(|(_, d)| !d.is_zero()) {
        let (slot, market) = entry_at(markets, index)?;
        done.insurance = done.insurance.plus(market.absorb_deficit(deficit, now)?)?;
        done.deficit = done.deficit.plus(deficit)?;
        *some(done.deficits.get_mut(slot))? = deficit;
    }
    account.flag = Flag::default();
    Ok(done)
}

/// What a settlement has to do with a resolution.
struct Settling {
    /// No flag is needed: none can be had.
    unflagged: bool,
    /// It has waited for ten days: what has no good price brings no profit.
    over: bool,
}

/// An account with a position in a settled market needs no flag where each of its others is settled too, or has had no valid
/// price for an hour: there is no requirement to be below, and no price that will show more. Ten days after the fixing it
/// needs none beside any price that is not good, for the settlement waits no longer. (Where all are good, they can flag it.)
fn settlement_of<M: DerefMut<Target = MarketState>>(
    account: &AccountState,
    markets: &[(usize, M)],
    now: &Now,
) -> Result<Settling> {
    // The usual case costs no look at a price.
    if !markets.iter().any(|(_, market)| market.is_settled()) {
        return Ok(Settling { unflagged: false, over: false });
    }
    let (mut settled, mut waited, mut gone, mut good) = (false, false, true, true);
    for (slot, market) in markets {
        if !account.position(*slot)?.is_open() {
            continue;
        }
        if market.is_settled() {
            settled = true;
            waited |= now.unix >= market.settlement.fixed_at.saturating_add(SETTLEMENT_PATIENCE);
        } else {
            good &= market.status(now)? == Status::Good;
            gone &= matches!(closing(market, now), Ok((_, Charge::Silent)));
        }
    }
    let over = waited && !good;
    Ok(Settling { unflagged: settled && (gone || over), over })
}

/// Accrues every market and refuses unless the account may be resolved; returns its full equity, or what is surely there
/// where a settlement has waited long enough.
fn check_bankrupt<M: DerefMut<Target = MarketState>>(
    account: &AccountState,
    markets: &mut [(usize, M)],
    by: &Settling,
    now: &Now,
) -> Result<SignedQuote> {
    let flagged = account.flag.publish_time;
    let (mut totals, mut newer) = (Totals::new(account.collateral)?, true);
    let mut sure = account.collateral.signed()?;
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
        if by.over {
            sure = sure.plus(sure_value(market, position, false, now)?)?;
        }
    }
    let equity = if by.over { sure } else { totals.full_equity };
    ensure(!equity.loss().is_zero(), Fault::new(Error::NotBankrupt, 0_i64, equity.0))?;
    ensure(
        by.unflagged || (newer && totals.seen_since(flagged)),
        Fault::new(Error::FlagTooFresh, flagged, totals.publish_time),
    )?;
    Ok(equity)
}

/// Closes whatever a slot has: its holdback and what was paid on its claim come into the collateral, a profit as cash and a
/// claim. Returns the loss, which nothing has paid yet.
fn close(market: &mut MarketState, account: &mut AccountState, slot: usize, now: &Now) -> Result<Quote> {
    if market.status(now)? == Status::Good {
        release_holdback(market, account, slot)?;
    } else {
        let AccountState { collateral, positions, .. } = &mut *account;
        *collateral = collateral.plus(some(positions.get_mut(slot))?.take_held())?;
    }
    collect(market, account, slot)?;
    let _ = pick_up(market, account, slot)?;
    let position = account.position(slot)?;
    if !position.is_open() {
        return Ok(Quote::ZERO);
    }
    let size = position.base();
    let (mark, charge) = closing(market, now)?;
    let taken = take_off(market, account, slot, size, mark, charge)?;
    if taken.result.0 < 0 {
        return Ok(taken.result.loss());
    }
    let AccountState { collateral, positions, .. } = account;
    let claim = &mut some(positions.get_mut(slot))?.claim;
    let _ = market.realise(collateral, claim, &taken.payable, taken.result)?;
    Ok(Quote::ZERO)
}

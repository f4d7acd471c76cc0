//! Who gets what of an account below zero. First every losing market is allotted its share of all that there is, at face,
//! whatever form it has; only then it is handed over. So what was paid on a claim by then, and who has collected it,
//! moves no deficit.

use core::ops::DerefMut;

use super::Resolution;
use super::legs::{assign, entry_at, pay};
use crate::account::AccountState;
use crate::constants::POSITIONS;
use crate::error::Result;
use crate::market::MarketState;
use crate::math::some;
use crate::units::{Quote, Rounding};

/// What an account has when everything is closed: collateral, and its claims at face. What a claim has been paid and what
/// is outstanding always add up to its amount, so that paying and collecting it move nothing here.
///
/// # Errors
/// [`crate::Error::MathOverflow`].
pub(super) fn means(account: &AccountState) -> Result<Quote> {
    account.slots().try_fold(account.collateral, |sum, (_, position)| sum.plus(position.claim.amount))
}

/// Hands each market what it was allotted, and takes it off the losses. A market's own claim is set off first, as far as its
/// allotment goes; then cash and each claim in turn, pro rata to what the allotments still lack.
///
/// What is left of a claim after the setting off never belongs to its own debtor: that one's allotment is full then. And
/// the last of it fills the last allotment, for all of them together are no more than what there is.
///
/// # Errors
/// [`crate::Error::MathOverflow`], [`crate::Error::WrongMarket`].
pub(super) fn hand_over<M: DerefMut<Target = MarketState>>(
    account: &mut AccountState,
    markets: &mut [(usize, M)],
    order: &[usize; POSITIONS],
    losses: &mut [Quote; POSITIONS],
    done: &mut Resolution,
) -> Result<()> {
    let mut lacking = split(means(account)?, losses, order)?;
    for &index in order.iter().take(markets.len()) {
        let (slot, market) = entry_at(markets, index)?;
        let AccountState { collateral, positions, .. } = &mut *account;
        let claim = &mut some(positions.get_mut(slot))?.claim;
        let off = market.set_off_allotted(collateral, claim, *some(lacking.get(index))?)?;
        give(&mut lacking, losses, index, off)?;
        done.set_off = done.set_off.plus(off)?;
    }

    let shares = split(account.collateral, &lacking, order)?;
    for (index, share) in shares.into_iter().enumerate().filter(|(_, share)| !share.is_zero()) {
        entry_at(markets, index)?.1.receive(share)?;
        pay(account, share)?;
        give(&mut lacking, losses, index, share)?;
        done.paid = done.paid.plus(share)?;
    }

    for &debtor in order.iter().take(markets.len()) {
        let (slot, _) = entry_at(markets, debtor)?;
        let shares = split(account.position(slot)?.claim.amount, &lacking, order)?;
        for &holder in order.iter().take(markets.len()) {
            let share = *some(shares.get(holder))?;
            assign(account, markets, debtor, holder, share)?;
            give(&mut lacking, losses, holder, share)?;
            done.assigned = done.assigned.plus(share)?;
        }
    }
    Ok(())
}

/// A market has got a part of what it was allotted.
fn give(lacking: &mut [Quote; POSITIONS], losses: &mut [Quote; POSITIONS], index: usize, amount: Quote) -> Result<()> {
    for left in [lacking, losses] {
        let left = some(left.get_mut(index))?;
        *left = left.less(amount)?;
    }
    Ok(())
}

/// Where each market stands in the order of their indices.
pub(super) fn by_market_index<M: DerefMut<Target = MarketState>>(markets: &[(usize, M)]) -> Result<[usize; POSITIONS]> {
    let mut order = [0, 1, 2, 3, 4, 5, 6, 7];
    some(order.get_mut(..markets.len()))?
        .sort_unstable_by_key(|place| markets.get(*place).map_or(u16::MAX, |(_, market)| market.index));
    Ok(order)
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

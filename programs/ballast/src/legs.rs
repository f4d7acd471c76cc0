//! An account's markets, passed as remaining accounts: one per slot in use (size, claim or holdback), in slot order,
//! without the instruction's own market where it names one.

use core::cell::{Ref, RefMut};

use anchor_lang::compat::solana_sysvar::last_restart_slot::LastRestartSlot;
use anchor_lang::error::ErrorCode;
use anchor_lang::prelude::*;
use ballast_engine::account::{AccountState, Position};
use ballast_engine::closing::sure_value;
use ballast_engine::covenant::Measure;
use ballast_engine::layout::Key;
use ballast_engine::margin::{self, Purpose, Totals};
use ballast_engine::market::MarketState;
use ballast_engine::units::{Quote, SignedQuote};
use ballast_engine::{Error as EngineError, Fault, Now, liquidation};

use crate::checks::check_version;
use crate::error::{OnChain, ensure, refuse};
use crate::state::Market;

/// The chain's clock.
pub fn now() -> Result<Now> {
    let clock = Clock::get()?;
    let restart = LastRestartSlot::get()?;
    Ok(Now { unix: clock.unix_timestamp, slot: clock.slot, restart_slot: restart.last_restart_slot })
}

/// An account's market, to read: the program's, of this exchange, with this index.
pub fn view<'info>(info: &'info AccountInfo<'info>, exchange: &Key, index: u16) -> Result<Ref<'info, Market>> {
    let market = Ref::filter_map(borrow(info)?, |data| bytemuck::try_from_bytes(body(data)?).ok());
    let market: Ref<'info, Market> = market.map_err(|_| ErrorCode::AccountDiscriminatorMismatch)?;
    check(&market, exchange, index)?;
    Ok(market)
}

/// The same, to change.
pub fn change<'info>(info: &'info AccountInfo<'info>, exchange: &Key, index: u16) -> Result<RefMut<'info, Market>> {
    if !info.is_writable {
        return Err(ErrorCode::AccountNotMutable.into());
    }
    // A look first: it says which of program, kind and market is wrong.
    drop(view(info, exchange, index)?);
    let market = RefMut::filter_map(info.try_borrow_mut_data()?, |data| {
        let body = data.get_mut(Market::DISCRIMINATOR.len()..Market::SPACE)?;
        bytemuck::try_from_bytes_mut(body).ok()
    });
    Ok(market.map_err(|_| ErrorCode::AccountDidNotDeserialize)?)
}

fn borrow<'info>(info: &'info AccountInfo<'info>) -> Result<Ref<'info, &'info mut [u8]>> {
    if *info.owner != crate::ID {
        return Err(Error::from(ErrorCode::AccountOwnedByWrongProgram).with_pubkeys((*info.owner, crate::ID)));
    }
    // Borrowed already: passed twice, or one of the instruction's own accounts.
    info.try_borrow_data().map_err(|_| crate::BallastError::DuplicateMarket.into())
}

#[inline]
fn body<'a>(data: &'a &mut [u8]) -> Option<&'a [u8]> {
    let (discriminator, body) = data.split_first_chunk::<8>()?;
    if discriminator != Market::DISCRIMINATOR {
        return None;
    }
    body.get(..core::mem::size_of::<Market>())
}

#[inline]
fn check(market: &Market, exchange: &Key, index: u16) -> Result<()> {
    check_version(market.version)?;
    ensure(market.exchange == *exchange, EngineError::WrongExchange)?;
    ensure(market.state.index == index, EngineError::WrongMarket)
}

/// The slots in use, but for the instruction's own market.
fn wanted(account: &AccountState, own: Option<u16>) -> impl Iterator<Item = (usize, &Position)> {
    account.slots().filter(move |(_, p)| own != Some(p.market))
}

/// The markets of an account's slots as they were passed, without the instruction's own market, and which slots those are.
/// Taken before anything moves: a slot whose claim is collected on the way becomes free, and may even be taken by the own
/// market, while its market is among those passed.
#[derive(Clone, Copy)]
pub struct Others<'info> {
    /// The markets, in slot order.
    pub infos: &'info [AccountInfo<'info>],
    /// A bit for each slot that they belong to.
    slots: u8,
}

impl<'info> Others<'info> {
    /// Of an account as it is now.
    pub fn of(account: &AccountState, own: Option<u16>, infos: &'info [AccountInfo<'info>]) -> Self {
        let slots = wanted(account, own).fold(0_u8, |bits, (slot, _)| bits | bit(slot));
        Self { infos, slots }
    }

    /// Whether there are such slots, but none of their markets was passed.
    pub fn missing(self) -> bool {
        self.infos.is_empty() && self.slots != 0
    }

    fn has(self, slot: usize) -> bool {
        self.slots & bit(slot) != 0
    }

    fn check_count(self) -> Result<()> {
        let (count, given) = (self.slots.count_ones(), self.infos.len());
        let fault = Fault::new(EngineError::WrongMarketCount, count, given);
        if usize::try_from(count) == Ok(given) { Ok(()) } else { Err(refuse(fault)) }
    }
}

const fn bit(slot: usize) -> u8 {
    // Eight slots; a ninth would be in none.
    if slot < 8 { 1 << slot } else { 0 }
}

/// Goes over all slots in use, each with its market: `own`, the instruction's own one, or the one passed for it.
fn each(
    account: &AccountState,
    exchange: &Key,
    own: Option<&MarketState>,
    others: Others<'_>,
    mut look: impl FnMut(usize, &Position, &MarketState) -> ballast_engine::Result<()>,
) -> Result<()> {
    others.check_count()?;
    let mut rest = others.infos.iter();
    for (slot, position) in account.positions.iter().enumerate() {
        let passed = if others.has(slot) { Some(rest.next().ok_or(ErrorCode::AccountNotEnoughKeys)?) } else { None };
        if position.is_free() {
            continue;
        }
        match own {
            Some(market) if market.index == position.market => look(slot, position, market),
            _ => {
                let market = view(passed.ok_or(ErrorCode::AccountNotEnoughKeys)?, exchange, position.market)?;
                look(slot, position, &market.state)
            }
        }
        .on_chain()?;
    }
    Ok(())
}

/// The totals of a margin test over all slots in use. `own` is the instruction's own market, which `others` leave out.
pub fn totals(
    account: &AccountState,
    exchange: &Key,
    own: Option<&MarketState>,
    others: Others<'_>,
    purpose: Purpose,
    now: &Now,
) -> Result<Totals> {
    let mut sums = Totals::new(account.collateral).on_chain()?;
    each(account, exchange, own, others, |slot, position, market| {
        sums.add(slot, &margin::leg(market, position, purpose, now)?)
    })?;
    Ok(sums)
}

/// What an account surely has ([`sure_value`]), over all slots in use: the count by which a market that is not its only one
/// takes a loss from it, when not its owner but anyone calls. `own` is the instruction's own market.
pub fn sure_equity(
    account: &AccountState,
    exchange: &Key,
    own: &MarketState,
    others: Others<'_>,
    now: &Now,
) -> Result<SignedQuote> {
    let mut sum = account.collateral.signed().on_chain()?;
    each(account, exchange, Some(own), others, |_, position, market| {
        sum = sum.plus(sure_value(market, position, true, now)?)?;
        Ok(())
    })?;
    Ok(sum)
}

/// What an account is worth to its owner's covenant, over all slots in use.
pub fn measure(
    account: &AccountState,
    exchange: &Key,
    own: Option<&MarketState>,
    others: Others<'_>,
    now: &Now,
) -> Result<Measure> {
    let mut measure = Measure::new(account.collateral).on_chain()?;
    each(account, exchange, own, others, |_, position, market| measure.add(market, position, now))?;
    Ok(measure)
}

/// The market of a slot, where `markets` are those of all slots in use.
pub fn of_slot<'info>(
    account: &AccountState,
    exchange: &Key,
    markets: &'info [AccountInfo<'info>],
    slot: usize,
) -> Result<Ref<'info, Market>> {
    let position = account.position(slot).on_chain()?;
    let place = account.slots().take_while(|(s, _)| *s != slot).count();
    view(markets.get(place).ok_or(ErrorCode::AccountNotEnoughKeys)?, exchange, position.market)
}

/// The markets of all slots in use but `own`'s, to change, with their slots.
pub fn change_all<'info>(
    account: &AccountState,
    exchange: &Key,
    own: Option<u16>,
    others: &'info [AccountInfo<'info>],
) -> Result<Vec<(usize, RefMut<'info, Market>)>> {
    Others::of(account, own, others).check_count()?;
    wanted(account, own)
        .zip(others)
        .map(|((slot, position), info)| Ok((slot, change(info, exchange, position.market)?)))
        .collect()
}

/// Takes free collateral out of an account, by its owner's order: not from a flagged one, no more than there is, and no
/// more than the initial margin leaves where a position is open. Without an open position no price can hold it back (P13).
pub fn take_out<'info>(
    account: &mut AccountState,
    amount: Quote,
    exchange: &Key,
    markets: &'info [AccountInfo<'info>],
    now: &Now,
) -> Result<()> {
    ensure(!amount.is_zero(), EngineError::AmountZero)?;
    ensure(!liquidation::is_flagged(account, now), EngineError::FlaggedAccount)?;
    if amount > account.collateral {
        return Err(refuse(Fault::new(EngineError::InsufficientCollateral, account.collateral.0, amount.0)));
    }
    account.take_out(amount).on_chain()?;
    if account.positions.iter().any(Position::is_open) {
        let markets = Others::of(account, None, markets);
        totals(account, exchange, None, markets, Purpose::Withdrawal, now)?.check_initial().on_chain()?;
    }
    Ok(())
}

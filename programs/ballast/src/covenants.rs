//! The covenant of a subaccount's owner, as instructions find it at its address: there may be none.

use core::cell::{Ref, RefMut};

use anchor_lang::error::ErrorCode;
use anchor_lang::prelude::*;
use ballast_engine::account::{AccountState, Position};
use ballast_engine::covenant::{CovenantState, Measure};
use ballast_engine::layout::Key;
use ballast_engine::market::MarketState;
use ballast_engine::units::Quote;
use ballast_engine::{Error as EngineError, Now};

use crate::checks::{check_version, is};
use crate::error::{OnChain, ensure, refuse};
use crate::legs::{self, Others};
use crate::state::{Covenant, Subaccount};

/// The covenant of a subaccount's owner, to change; none where its address is empty, whatever lamports it was sent.
pub fn of<'a>(info: &'a AccountInfo<'_>, subaccount: &Subaccount) -> Result<Option<RefMut<'a, Covenant>>> {
    if !exists(info, subaccount)? {
        return Ok(None);
    }
    if !info.is_writable {
        return Err(ErrorCode::AccountNotMutable.into());
    }
    let covenant = RefMut::filter_map(info.try_borrow_mut_data()?, |data| {
        let (discriminator, body) = data.split_first_chunk_mut::<8>()?;
        if discriminator != Covenant::DISCRIMINATOR {
            return None;
        }
        bytemuck::try_from_bytes_mut(body.get_mut(..core::mem::size_of::<Covenant>())?).ok()
    });
    let covenant: RefMut<'a, Covenant> = covenant.map_err(|_| ErrorCode::AccountDiscriminatorMismatch)?;
    check_version(covenant.version)?;
    Ok(Some(covenant))
}

/// The same, to read.
pub fn view<'a>(info: &'a AccountInfo<'_>, subaccount: &Subaccount) -> Result<Option<Ref<'a, Covenant>>> {
    if !exists(info, subaccount)? {
        return Ok(None);
    }
    let covenant = Ref::filter_map(info.try_borrow_data()?, |data| {
        let (discriminator, body) = data.split_first_chunk::<8>()?;
        if discriminator != Covenant::DISCRIMINATOR {
            return None;
        }
        bytemuck::try_from_bytes(body.get(..core::mem::size_of::<Covenant>())?).ok()
    });
    let covenant: Ref<'a, Covenant> = covenant.map_err(|_| ErrorCode::AccountDiscriminatorMismatch)?;
    check_version(covenant.version)?;
    Ok(Some(covenant))
}

/// Whether there is a covenant at its address, which this must be.
fn exists(info: &AccountInfo<'_>, subaccount: &Subaccount) -> Result<bool> {
    ensure(is(&subaccount.covenant, info.key), EngineError::WrongCovenant)?;
    if *info.owner == System::id() && info.data_is_empty() {
        return Ok(false);
    }
    if *info.owner != crate::ID {
        return Err(ErrorCode::AccountOwnedByWrongProgram.into());
    }
    Ok(true)
}

/// A covenant and which of its owner's subaccounts acts.
pub struct Bound<'a> {
    /// The covenant.
    pub covenant: &'a mut CovenantState,
    /// The subaccount's address.
    pub subaccount: Key,
}

impl Bound<'_> {
    /// Before an increase: an account that the covenant has not seen yet is enrolled, with what it has before the fill. One that
    /// holds positions must be touched first, for which its markets are needed.
    pub fn enrol(&mut self, account: &AccountState, now: &Now) -> Result<()> {
        if self.covenant.find(&self.subaccount).is_some() {
            return Ok(());
        }
        if !account.is_flat() {
            // Anyone may touch it, unless there is no room for it.
            let positions = account.positions.iter().filter(|position| position.is_open()).count();
            let why = self.covenant.why_unknown(positions as u64, now).on_chain()?;
            return Err(refuse(why.into()));
        }
        let measure = Measure::new(account.collateral).on_chain()?;
        self.covenant.enrol(&self.subaccount, &measure, account.flow, now).on_chain()
    }

    /// Refreshes the account's entry.
    pub fn touch(
        &mut self,
        account: &AccountState,
        exchange: &Key,
        own: Option<&MarketState>,
        others: Others<'_>,
        now: &Now,
    ) -> Result<Measure> {
        let measure = legs::measure(account, exchange, own, others, now)?;
        self.covenant.touch(&self.subaccount, &measure, account.flow, now).on_chain()?;
        Ok(measure)
    }

    /// Refreshes the entry of an enrolled account that holds nothing but collateral, for which no market is needed; whether
    /// it is one.
    pub fn touch_flat(&mut self, account: &AccountState, now: &Now) -> Result<bool> {
        if !account.is_flat() || self.covenant.find(&self.subaccount).is_none() {
            return Ok(false);
        }
        let measure = Measure::new(account.collateral).on_chain()?;
        self.covenant.touch(&self.subaccount, &measure, account.flow, now).on_chain()?;
        Ok(true)
    }

    /// Notes that collateral was taken out; whether the account is enrolled. Without an open position no price is asked
    /// for (P13).
    pub fn taken_out<'info>(
        &mut self,
        account: &AccountState,
        amount: Quote,
        exchange: &Key,
        markets: &'info [AccountInfo<'info>],
        now: &Now,
    ) -> Result<bool> {
        if self.covenant.find(&self.subaccount).is_none() {
            return Ok(false);
        }
        if account.positions.iter().any(Position::is_open) {
            let _ = self.touch(account, exchange, None, Others::of(account, None, markets), now)?;
        } else if !self.touch_flat(account, now)? {
            let out = amount.signed().and_then(ballast_engine::SignedQuote::negated).on_chain()?;
            self.covenant.moved(&self.subaccount, out).on_chain()?;
            self.covenant.closed(&self.subaccount);
        }
        Ok(true)
    }
}

//! The markets of an exchange by index, as the engine wants them.

use std::collections::BTreeMap;

use anchor_lang::prelude::Pubkey;
use ballast::state::Market;
use ballast_engine::account::AccountState;
use ballast_engine::market::MarketState;
use ballast_engine::{Error, Now, Result};

use crate::accounts::Account;

/// An exchange's markets by index.
#[derive(Clone, Debug, Default)]
pub struct Markets(BTreeMap<u16, Box<Market>>);

impl Markets {
    /// The markets of `exchange` among accounts.
    pub fn of<'a>(exchange: &Pubkey, accounts: impl IntoIterator<Item = &'a Account>) -> Self {
        let ours = |market: &Market| market.exchange.0 == exchange.to_bytes();
        accounts
            .into_iter()
            .filter_map(|account| match account {
                Account::Market(market) if ours(market) => Some(market.clone()),
                _ => None,
            })
            .collect()
    }

    /// The market of an index.
    pub fn get(&self, index: u16) -> Option<&Market> {
        self.0.get(&index).map(|m| &**m)
    }

    /// All of them by index.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Market)> {
        self.0.iter().map(|(index, market)| (*index, &**market))
    }

    /// The same with funding accrued until now, as the chain accrues it before it judges anything.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn accrued(&self, now: &Now) -> Result<Self> {
        let mut markets = self.clone();
        for market in markets.0.values_mut() {
            let _ = market.state.accrue(false, now)?;
        }
        Ok(markets)
    }

    /// The markets of an account's slots in use, in slot order, with their slots.
    ///
    /// # Errors
    /// [`Error::WrongMarket`] where one is missing.
    pub fn legs(&self, account: &AccountState) -> Result<Vec<(usize, &MarketState)>> {
        let find = |index| self.get(index).ok_or(Error::WrongMarket);
        account.slots().map(|(slot, position)| Ok((slot, &find(position.market)?.state))).collect()
    }
}

impl FromIterator<Box<Market>> for Markets {
    fn from_iter<I: IntoIterator<Item = Box<Market>>>(markets: I) -> Self {
        Self(markets.into_iter().map(|market| (market.state.index, market)).collect())
    }
}

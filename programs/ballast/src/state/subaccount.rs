//! A subaccount.

use anchor_lang::prelude::*;
use ballast_engine::account::AccountState;
use ballast_engine::delegate::Delegate;
use ballast_engine::layout::Key;
use ballast_engine::{Error as EngineError, Now};

use crate::checks::{check_version, is, key_of};
use crate::error::ensure;
use crate::zero_copy_account;

zero_copy_account! {
    /// A subaccount: whose it is, who may trade for it, and its state.
    pub struct Subaccount = 1608, discriminator [205, 168, 49, 209, 131, 86, 56, 195], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// The owner's number for it.
        pub id: u16,
        /// For later versions.
        pub reserved_bytes: [u8; 4],
        /// The exchange.
        pub exchange: Key,
        /// The owner: alone may withdraw.
        pub owner: Key,
        /// Who else may act for it, and in what.
        pub delegate: Delegate,
        /// The address of the owner's covenant, whether there is one or not: compared, never searched for.
        pub covenant: Key,
        /// For later versions.
        pub reserved: [u64; 3],
        /// Collateral, positions, flag.
        pub state: AccountState,
    }
}

impl Subaccount {
    /// That it is readable and of this exchange.
    #[inline]
    pub fn check(&self, exchange: &Key) -> Result<()> {
        check_version(self.version)?;
        ensure(self.exchange == *exchange, EngineError::WrongExchange)
    }

    /// That it is readable and the signer's.
    #[inline]
    pub fn check_owner(&self, signer: &Pubkey) -> Result<()> {
        check_version(self.version)?;
        ensure(is(&self.owner, signer), EngineError::WrongOwner)
    }

    /// That it is readable, and the signer's or one that the signer may act for in all of that
    /// ([`ballast_engine::delegate`]). Whether it is the delegate that signs.
    #[inline]
    pub fn check_trader(&self, signer: &Pubkey, permissions: u64, now: &Now) -> Result<bool> {
        check_version(self.version)?;
        if is(&self.owner, signer) {
            return Ok(false);
        }
        ensure(self.delegate.may(&key_of(signer), permissions, now), EngineError::WrongOwner)?;
        Ok(true)
    }
}

//! An order.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::layout::Key;
use ballast_engine::order::OrderTerms;

use crate::checks::{check_version, is};
use crate::error::ensure;
use crate::zero_copy_account;

zero_copy_account! {
    /// An order with the fee put aside for whoever executes it.
    pub struct Order = 240, discriminator [134, 173, 223, 185, 77, 86, 28, 51], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 6],
        /// Number of the order in its subaccount.
        pub id: u64,
        /// The subaccount.
        pub subaccount: Key,
        /// The market.
        pub market: Key,
        /// Gets the account's rent back.
        pub rent_to: Key,
        /// Terms and fee.
        pub terms: OrderTerms,
    }
}

impl Order {
    /// That it is readable, and that these are its subaccount, its market and who gets its rent.
    pub fn check(&self, subaccount: &Pubkey, market: &Pubkey, rent_to: &Pubkey) -> Result<()> {
        self.check_of(subaccount, market)?;
        ensure(is(&self.rent_to, rent_to), EngineError::WrongOwner)
    }

    /// That it is readable, and that these are its subaccount and its market.
    pub fn check_of(&self, subaccount: &Pubkey, market: &Pubkey) -> Result<()> {
        check_version(self.version)?;
        ensure(is(&self.subaccount, subaccount), EngineError::WrongOwner)?;
        ensure(is(&self.market, market), EngineError::WrongMarket)
    }
}

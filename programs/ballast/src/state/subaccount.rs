//! A subaccount.

use ballast_engine::account::AccountState;
use ballast_engine::layout::Key;

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
        /// For later versions: a key that may trade.
        pub delegate: Key,
        /// For later versions: when the delegate's right ends, Unix seconds.
        pub delegate_until: i64,
        /// For later versions.
        pub reserved: [u64; 12],
        /// Collateral, positions, flag.
        pub state: AccountState,
    }
}

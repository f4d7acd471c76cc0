//! An owner's covenant.

use ballast_engine::covenant::CovenantState;
use ballast_engine::layout::Key;

use crate::zero_copy_account;

zero_copy_account! {
    /// What an owner has bound itself to on an exchange, over all its subaccounts there.
    pub struct Covenant = 1472, discriminator [234, 79, 45, 100, 56, 102, 216, 232], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 6],
        /// The exchange.
        pub exchange: Key,
        /// The owner.
        pub owner: Key,
        /// Limits, the request to loosen them, what the accounts are worth.
        pub state: CovenantState,
        /// For later versions.
        pub reserved: [u64; 4],
    }
}

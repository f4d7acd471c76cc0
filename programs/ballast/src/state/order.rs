//! An order.

use ballast_engine::layout::Key;
use ballast_engine::order::OrderTerms;

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

//! Liquidity tickets.

use ballast_engine::layout::Key;
use ballast_engine::units::Quote;

use crate::zero_copy_account;

zero_copy_account! {
    /// A liquidity deposit that waits for the first price after it was filed. Its money is in the vault, counted in the
    /// market's `pending_deposits`.
    pub struct LpDeposit = 128, discriminator [228, 76, 221, 138, 156, 203, 67, 139], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 6],
        /// The market.
        pub market: Key,
        /// Who filed it: gets the shares, or the money back.
        pub owner: Key,
        /// Money put aside.
        pub amount: Quote,
        /// When it counts as filed, Unix seconds: as for an order, seconds after the clock.
        pub filed_at: i64,
        /// For later versions.
        pub reserved: [u64; 5],
    }
}

zero_copy_account! {
    /// A liquidity exit that waits for its cool-down. Its shares left their owner's token account when it was filed and
    /// still count in the pool until it executes; a lapse mints them again.
    pub struct LpWithdrawal = 136, discriminator [83, 198, 4, 255, 229, 177, 137, 100], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 6],
        /// The market.
        pub market: Key,
        /// Who filed it.
        pub owner: Key,
        /// Shares locked.
        pub shares: u64,
        /// When it is ripe, Unix seconds.
        pub ripe_at: i64,
        /// Start of the hour after which it lapses: ripe_at, or the last time it was held back.
        pub window_start: i64,
        /// For later versions.
        pub reserved: [u64; 5],
    }
}

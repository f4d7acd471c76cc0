//! What an upgrade's proposal is about.

use ballast_engine::governance::UpgradeCheck;
use ballast_engine::layout::Key;

use crate::zero_copy_account;

zero_copy_account! {
    /// A buffer that is to become the program. Its digest, length, delay and state are in its proposal.
    pub struct Upgrade = 216, discriminator [15, 153, 218, 141, 155, 217, 106, 189], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 6],
        /// The exchange whose timelock address holds the program's upgrade authority.
        pub exchange: Key,
        /// The proposal.
        pub proposal: Key,
        /// The buffer.
        pub buffer: Key,
        /// Who gets the buffer's lamports, however the proposal ends.
        pub refund: Key,
        /// How far it was hashed.
        pub check: UpgradeCheck,
        /// For later versions.
        pub reserved: [u64; 4],
    }
}

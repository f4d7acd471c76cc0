//! What a further exchange is to be.

use ballast_engine::layout::Key;

use crate::zero_copy_account;

zero_copy_account! {
    /// An exchange that a proposal of the root exchange is about. Its delay and state are in the proposal.
    pub struct Charter = 328, discriminator [106, 1, 38, 161, 57, 196, 214, 195], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 6],
        /// The root exchange, whose timelock address holds the program's upgrade authority.
        pub root: Key,
        /// The proposal.
        pub proposal: Key,
        /// Collateral of the new exchange.
        pub mint: Key,
        /// Where its collected protocol fees go.
        pub fee_destination: Key,
        /// Its governance.
        pub governance: Key,
        /// Its committee; zero for none.
        pub committee: Key,
        /// Its guardian.
        pub guardian: Key,
        /// Programs that may own its markets' oracle accounts.
        pub oracle_programs: [Key; 2],
        /// For later versions.
        pub reserved: [u64; 4],
    }
}

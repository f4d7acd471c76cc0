//! An exchange: one per collateral mint.

use ballast_engine::governance::Roles;
use ballast_engine::guardian::Emergency;
use ballast_engine::layout::Key;
use ballast_engine::limiter::Outflow;
use ballast_engine::params::ExchangeParams;
use ballast_engine::units::Quote;

use crate::zero_copy_account;

zero_copy_account! {
    /// An exchange. No trade writes it, so that trades in different markets run in parallel.
    pub struct Exchange = 1656, discriminator [30, 200, 220, 149, 3, 61, 104, 50], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// Bump of the vault's address.
        pub vault_bump: u8,
        /// Decimals of the collateral.
        pub quote_decimals: u8,
        /// Markets so far; the next one's index.
        pub markets: u16,
        /// For later versions.
        pub reserved_bytes: [u8; 2],
        /// The collateral's mint.
        pub mint: Key,
        /// The vault.
        pub vault: Key,
        /// Programs that may own a market's oracle accounts; the default key is an empty place.
        pub oracle_programs: [Key; 2],
        /// Token account that collected protocol fees go to.
        pub fee_destination: Key,
        /// Who governs.
        pub roles: Roles,
        /// Parameters.
        pub params: ExchangeParams,
        /// When each parameter was last changed, Unix seconds, by id.
        pub param_changed: [i64; 16],
        /// How often each parameter was changed, by id.
        pub param_version: [u32; 16],
        /// The outflow limiter's memory.
        pub outflow: Outflow,
        /// The emergency pause.
        pub emergency: Emergency,
        /// The shared insurance fund.
        pub shared_insurance: Quote,
        /// Proposals pending.
        pub pending_proposals: u64,
        /// The next proposal's number.
        pub next_proposal: u64,
        /// Events so far.
        pub sequence: u64,
        /// For later versions.
        pub reserved: [u64; 48],
    }
}

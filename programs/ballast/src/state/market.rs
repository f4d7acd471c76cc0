//! A market.

use ballast_engine::governance::Feeds;
use ballast_engine::layout::Key;
use ballast_engine::market::MarketState;
use ballast_engine::{Error, Result};

use super::Exchange;
use crate::zero_copy_account;

zero_copy_account! {
    /// A market: whose it is, where its price comes from, and its state.
    pub struct Market = 4096, discriminator [219, 190, 213, 55, 0, 227, 198, 154], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// Bump of the liquidity mint's address.
        pub lp_mint_bump: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 5],
        /// The exchange.
        pub exchange: Key,
        /// The oracle's feed id.
        pub feed_id: Key,
        /// The program that owns the oracle's accounts.
        pub oracle_program: Key,
        /// The liquidity mint.
        pub lp_mint: Key,
        /// How often the feed was changed by a proposal.
        pub feed_version: u64,
        /// For later versions.
        pub reserved: [u64; 7],
        /// Prices, sides, pool, funding, parameters.
        pub state: MarketState,
    }
}

impl Market {
    /// The market's oracle as it is, and what the exchange offers.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn feeds<'a>(&'a self, exchange: &'a Exchange) -> Result<Feeds<'a>> {
        Ok(Feeds {
            feed: &self.feed_id,
            program: &self.oracle_program,
            version: u32::try_from(self.feed_version).map_err(|_| Error::MathOverflow)?,
            programs: &exchange.oracle_programs,
            programs_version: exchange.oracle_version,
        })
    }
}

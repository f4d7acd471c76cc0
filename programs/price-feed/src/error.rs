//! What can be wrong with a post.

use anchor_lang::prelude::*;

/// The program's own errors.
#[error_code]
#[derive(PartialEq, Eq)]
pub enum PriceFeedError {
    /// The signer did not create this feed.
    #[msg("Only the feed's publisher may post to it")]
    NotThePublisher,
    /// The publish time is not after the stored one.
    #[msg("The publish time is not newer than the stored one")]
    NotNewer,
    /// The publish time is further ahead of the cluster's clock than tolerated.
    #[msg("The publish time is ahead of the clock")]
    FromTheFuture,
    /// The price is zero or negative.
    #[msg("The price is not positive; post_raw can publish such a price")]
    PriceNotPositive,
}

//! A price publisher for clusters without Pyth: accounts in the exact layout of the Pyth receiver's `PriceUpdateV2`,
//! written by whoever created them. It lets a local exchange and its tests set any price, good or bad.
//!
//! It is no oracle. Anyone can create a feed for any id and say anything in it, so an exchange that trusts this program
//! trusts every publisher there is: never name it on a cluster where money is worth something.

// Anchor's macros write public items and modules without documentation, and compare cfgs that they do not declare.
#![allow(missing_docs, reason = "forced by Anchor's macros; everything written here is documented")]
#![allow(unexpected_cfgs, reason = "forced by Anchor's macros")]

use anchor_lang::prelude::*;
use ballast_wide as _;

mod ema;
pub mod error;
pub mod instructions;
pub mod state;

use instructions::*;
pub use state::{FEED_SEED, PriceFeedMessage, PriceUpdateV2, VerificationLevel};

declare_id!("FnE7rB151373n5eo4YLWUiLEYR4w1wcNjV7gva91Es7B");

/// This program's address, the public key of [`PROGRAM_KEY_SEED`].
pub const PROGRAM_ID: Pubkey = ID;

/// The ed25519 seed of the program's key. It is public on purpose: a local cluster's loader wants the key's signature to
/// deploy, and nothing of worth depends on it.
pub const PROGRAM_KEY_SEED: [u8; 32] = *b"ballast local price-feed program";

/// The program's entry points.
#[program]
pub mod price_feed {
    use super::*;

    /// Creates the signer's own feed for `feed_id`, with no price in it yet.
    pub fn create_feed(ctx: Context<CreateFeed>, feed_id: [u8; 32]) -> Result<()> {
        instructions::create_feed::handler(ctx, feed_id)
    }

    /// Publishes a price as Pyth would: newer than the one before, positive and fully verified.
    pub fn post(ctx: Context<Post>, price: i64, conf: u64, exponent: i32, publish_time: i64) -> Result<()> {
        instructions::post::handler(ctx, price, conf, exponent, publish_time)
    }

    /// Publishes any message as it stands, to show readers what they must refuse.
    pub fn post_raw(ctx: Context<Post>, update: RawUpdate) -> Result<()> {
        instructions::post_raw::handler(ctx, update)
    }
}

//! The Pyth receiver's account, field by field. `tests/layout.rs` holds it to Pyth's own definition.

use anchor_lang::prelude::*;

/// First seed of a feed's address; the publisher and the feed id follow.
pub const FEED_SEED: &[u8] = b"feed";

/// How far the guardians' signatures on a price were checked.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationLevel {
    /// Only so many signatures were.
    Partial {
        /// How many.
        num_signatures: u8,
    },
    /// As many as it takes.
    Full,
}

/// A price with its confidence and moving averages.
#[derive(AnchorSerialize, AnchorDeserialize, InitSpace, Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceFeedMessage {
    /// What is priced.
    pub feed_id: [u8; 32],
    /// Price, in units of ten to the `exponent`.
    pub price: i64,
    /// Half of the confidence interval, in the same units.
    pub conf: u64,
    /// Decimal exponent of every price here.
    pub exponent: i32,
    /// Unix time of the price, in seconds.
    pub publish_time: i64,
    /// Unix time of the price before it.
    pub prev_publish_time: i64,
    /// Moving average of the price.
    pub ema_price: i64,
    /// Moving average of the confidence.
    pub ema_conf: u64,
}

/// A feed and its latest price.
///
/// The account has room for the longest form: `Full` takes one byte less than `Partial`, so the last byte is then unused,
/// as in Pyth's.
#[account]
#[derive(InitSpace, Copy, Debug, PartialEq, Eq)]
pub struct PriceUpdateV2 {
    /// The only key that may post.
    pub write_authority: Pubkey,
    /// How far the price was verified.
    pub verification_level: VerificationLevel,
    /// The price.
    pub price_message: PriceFeedMessage,
    /// The slot it was posted in.
    pub posted_slot: u64,
}

impl PriceUpdateV2 {
    /// Size of an account in bytes, with the discriminator.
    pub const LEN: usize = Self::DISCRIMINATOR.len() + Self::INIT_SPACE;
}

const _: () = assert!(PriceUpdateV2::LEN == 134);

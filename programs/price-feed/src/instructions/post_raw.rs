//! Publishing anything at all.

use anchor_lang::prelude::*;

use crate::instructions::post::Post;
use crate::state::{PriceFeedMessage, VerificationLevel};

/// Everything in a feed but its publisher, unchecked.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawUpdate {
    /// The message, stored as it is, its feed id included.
    pub message: PriceFeedMessage,
    /// How far the price claims to be verified.
    pub verification_level: VerificationLevel,
    /// The slot it claims to be posted in; none for the current one.
    pub posted_slot: Option<u64>,
}

/// Stores `update`.
pub(crate) fn handler(ctx: Context<Post>, update: RawUpdate) -> Result<()> {
    let slot = match update.posted_slot {
        Some(slot) => slot,
        None => Clock::get()?.slot,
    };
    let feed = &mut ctx.accounts.feed;
    feed.price_message = update.message;
    feed.verification_level = update.verification_level;
    feed.posted_slot = slot;
    Ok(())
}

//! Creating a feed.

use anchor_lang::prelude::*;

use crate::state::{FEED_SEED, PriceFeedMessage, PriceUpdateV2, VerificationLevel};

/// Accounts of `create_feed`.
#[derive(Accounts)]
#[instruction(feed_id: [u8; 32])]
pub struct CreateFeed<'info> {
    /// Pays for the feed and alone may post to it.
    #[account(mut)]
    pub publisher: Signer<'info>,
    /// The new feed.
    #[account(
        init,
        payer = publisher,
        space = PriceUpdateV2::LEN,
        seeds = [FEED_SEED, publisher.key().as_ref(), feed_id.as_ref()],
        bump,
    )]
    pub feed: Account<'info, PriceUpdateV2>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

/// Stores an unverified zero price of time zero, which no reader takes for a price.
pub(crate) fn handler(ctx: Context<CreateFeed>, feed_id: [u8; 32]) -> Result<()> {
    *ctx.accounts.feed = PriceUpdateV2 {
        write_authority: ctx.accounts.publisher.key(),
        verification_level: VerificationLevel::Partial { num_signatures: 0 },
        price_message: PriceFeedMessage {
            feed_id,
            price: 0,
            conf: 0,
            exponent: 0,
            publish_time: 0,
            prev_publish_time: 0,
            ema_price: 0,
            ema_conf: 0,
        },
        posted_slot: 0,
    };
    Ok(())
}

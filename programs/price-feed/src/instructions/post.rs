//! Publishing a price.

use anchor_lang::prelude::*;

use crate::ema;
use crate::error::PriceFeedError;
use crate::state::{PriceFeedMessage, PriceUpdateV2, VerificationLevel};

/// How far ahead of the cluster's clock a publish time may be, in seconds. That clock follows the validators' votes and
/// lags the wall clock by a little.
pub const FUTURE_TOLERANCE: i64 = 5;

/// Accounts of `post` and `post_raw`.
#[derive(Accounts)]
pub struct Post<'info> {
    /// The feed's creator.
    pub publisher: Signer<'info>,
    /// The feed.
    #[account(mut, constraint = feed.write_authority == publisher.key() @ PriceFeedError::NotThePublisher)]
    pub feed: Account<'info, PriceUpdateV2>,
}

/// Stores the price, verified in full, and moves the averages on.
pub(crate) fn handler(ctx: Context<Post>, price: i64, conf: u64, exponent: i32, publish_time: i64) -> Result<()> {
    let clock = Clock::get()?;
    let feed = &mut ctx.accounts.feed;
    feed.price_message = next(&feed.price_message, price, conf, exponent, publish_time, clock.unix_timestamp)?;
    feed.verification_level = VerificationLevel::Full;
    feed.posted_slot = clock.slot;
    Ok(())
}

/// The message that follows `last` at the clock's `now`.
fn next(
    last: &PriceFeedMessage,
    price: i64,
    conf: u64,
    exponent: i32,
    publish_time: i64,
    now: i64,
) -> Result<PriceFeedMessage> {
    require_gt!(price, 0, PriceFeedError::PriceNotPositive);
    require_gt!(publish_time, last.publish_time, PriceFeedError::NotNewer);
    require_gte!(now.saturating_add(FUTURE_TOLERANCE), publish_time, PriceFeedError::FromTheFuture);
    // Averages of another scale, or of no price at all, say nothing about this one.
    let starts_anew = last.price <= 0 || last.ema_price <= 0 || last.exponent != exponent;
    let (ema_price, ema_conf) = if starts_anew {
        (price, conf)
    } else {
        let elapsed = publish_time.saturating_sub(last.publish_time);
        let ema_price = ema::advance(last.ema_price.into(), price.into(), elapsed);
        let ema_conf = ema::advance(last.ema_conf.into(), conf.into(), elapsed);
        // An average lies between its two values, so neither conversion can fail.
        (i64::try_from(ema_price).unwrap_or(price), u64::try_from(ema_conf).unwrap_or(conf))
    };
    Ok(PriceFeedMessage {
        feed_id: last.feed_id,
        price,
        conf,
        exponent,
        publish_time,
        prev_publish_time: last.publish_time,
        ema_price,
        ema_conf,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn empty() -> PriceFeedMessage {
        PriceFeedMessage {
            feed_id: [7; 32],
            price: 0,
            conf: 0,
            exponent: 0,
            publish_time: 0,
            prev_publish_time: 0,
            ema_price: 0,
            ema_conf: 0,
        }
    }

    #[test]
    fn the_first_price_starts_the_averages() {
        let first = next(&empty(), 100, 2, -8, NOW, NOW).unwrap();
        assert_eq!((first.ema_price, first.ema_conf, first.prev_publish_time), (100, 2, 0));
        assert_eq!(first.feed_id, [7; 32]);
    }

    #[test]
    fn later_prices_move_them() {
        let first = next(&empty(), 100, 2, -8, NOW - 5_921, NOW).unwrap();
        let second = next(&first, 200, 4, -8, NOW, NOW).unwrap();
        assert_eq!((second.ema_price, second.ema_conf, second.prev_publish_time), (150, 3, NOW - 5_921));
        let rescaled = next(&second, 20, 4, -7, NOW + 1, NOW).unwrap();
        assert_eq!(rescaled.ema_price, 20);
    }

    #[test]
    fn what_no_feed_would_say_is_refused() {
        let first = next(&empty(), 100, 2, -8, NOW, NOW).unwrap();
        let refused = |price, time| next(&first, price, 1, -8, time, NOW).unwrap_err();
        assert_eq!(refused(100, NOW), PriceFeedError::NotNewer.into());
        assert_eq!(refused(100, NOW - 1), PriceFeedError::NotNewer.into());
        assert_eq!(refused(100, NOW + FUTURE_TOLERANCE + 1), PriceFeedError::FromTheFuture.into());
        assert_eq!(refused(0, NOW + 1), PriceFeedError::PriceNotPositive.into());
        assert_eq!(refused(-1, NOW + 1), PriceFeedError::PriceNotPositive.into());
        assert!(next(&first, 100, 1, -8, NOW + FUTURE_TOLERANCE, NOW).is_ok());
    }
}

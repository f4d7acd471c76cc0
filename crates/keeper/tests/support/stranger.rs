//! Somebody with an oracle account of his own for a market's feed, which he fills with something else as he likes.

use anchor_lang::prelude::Pubkey;
use ballast_client::address;
use ballast_client::instructions::oracle;
use ballast_localnet::Sender;
use price_feed::instructions::RawUpdate;
use price_feed::{PriceFeedMessage, VerificationLevel};
use solana_keypair::Keypair;
use solana_signer::Signer;

/// See the module.
pub(crate) struct Stranger {
    key: Keypair,
}

impl Stranger {
    pub(crate) fn new() -> Self {
        Self { key: Keypair::new() }
    }

    pub(crate) fn address(&self) -> Pubkey {
        self.key.pubkey()
    }

    /// Opens an account for a feed; its address.
    pub(crate) async fn open(&self, sender: &Sender, feed_id: [u8; 32]) -> Pubkey {
        let create = oracle::create_feed(&self.address(), feed_id);
        sender.send(&[create], &self.key, &[]).await.unwrap();
        address::price_feed(&self.address(), &feed_id)
    }

    /// Fills it with a price of a feed, published then; whether the chain took it.
    pub(crate) async fn fill(
        &self,
        sender: &Sender,
        account: &Pubkey,
        feed_id: [u8; 32],
        price: i64,
        time: i64,
    ) -> bool {
        let message = PriceFeedMessage {
            feed_id,
            price,
            conf: price.unsigned_abs() / 10_000,
            exponent: -8,
            publish_time: time,
            prev_publish_time: time - 1,
            ema_price: price,
            ema_conf: price.unsigned_abs() / 10_000,
        };
        let update = RawUpdate { message, verification_level: VerificationLevel::Full, posted_slot: None };
        let post = oracle::post_raw(&self.address(), account, update);
        sender.send(&[post], &self.key, &[]).await.is_ok()
    }
}

//! Posting prices and moving time.

use ballast_client::{address, instructions as ix};
use ballast_engine::constants::PLACEMENT_LAG;
use ballast_engine::price::Status;
use solana_signer::Signer;

use crate::setup::{Setup, feed_id};
use crate::world::{Expect, Outcome, Sent};

/// Exponent of all prices that the harness posts.
pub const EXPONENT: i32 = -8;

/// So many dollars as a price of exponent -8.
pub const fn usd(dollars: i64) -> i64 {
    dollars * 100_000_000
}

/// What was last published for a market, exponent -8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Price.
    pub price: i64,
    /// Confidence.
    pub conf: u64,
}

impl Posted {
    /// A price with a confidence of one basis point.
    pub fn tight(price: i64) -> Self {
        Self { price, conf: u64::try_from(price).expect("a positive price") / 10_000 }
    }
}

impl Setup {
    /// The address of a market's oracle account.
    pub fn feed(&self, market: usize) -> anchor_lang::prelude::Pubkey {
        let index = u16::try_from(market).expect("few markets");
        address::price_feed(&self.publisher.pubkey(), &feed_id(index))
    }

    /// Publishes a market's price, stamped now, without the market taking it.
    pub fn publish(&mut self, market: usize, posted: Posted) -> Outcome {
        let (publisher, feed, now) = (self.publisher.clone(), self.feed(market), self.world.now().unix);
        let post = ix::oracle::post(&publisher.pubkey(), &feed, posted.price, posted.conf, EXPONENT, now);
        self.posted[market] = posted;
        self.world.send(&[post], &[&publisher])
    }

    /// Lets a market take what its oracle account holds.
    pub fn update(&mut self, market: usize) -> Outcome {
        let update = ix::update_market(&self.market_key(market), &self.feed(market));
        self.world.measure("update_market", update, &[])
    }

    /// Publishes a price and lets the market take it, at the present moment: the clock must have moved since the last.
    pub fn post_as(&mut self, market: usize, posted: Posted) -> Sent {
        self.publish(market, posted).must();
        self.update(market).must()
    }

    /// The same with a confidence of one basis point.
    pub fn post(&mut self, market: usize, price: i64) -> Sent {
        self.post_as(market, Posted::tight(price))
    }

    /// Posts every market's last price again.
    pub fn post_all(&mut self) {
        for market in 0..self.posted.len() {
            self.post_as(market, self.posted[market]);
        }
    }

    /// Moves the clock and posts every market's last price again: all prices are good but for what they were before.
    pub fn tick(&mut self, seconds: i64) {
        self.world.advance(seconds);
        self.post_all();
    }

    /// Time until what was just placed can fill or execute, and all prices posted again.
    pub fn later(&mut self) {
        self.tick(PLACEMENT_LAG + 1);
    }

    /// Moves a market to a price however far away, confirmed as a real move would be: three posts, two seconds apart.
    /// All other markets stay where they are.
    ///
    /// # Panics
    /// If the price is not good in the end.
    #[track_caller]
    pub fn move_to(&mut self, market: usize, price: i64) {
        self.posted[market] = Posted::tight(price);
        for _ in 0..3 {
            self.tick(2);
        }
        assert_eq!(self.status(market), Status::Good);
    }

    /// Moves a market by so many basis points. See [`Setup::move_to`].
    #[track_caller]
    pub fn move_by(&mut self, market: usize, bps: i64) {
        let price = self.posted[market].price;
        self.move_to(market, price + price / 10_000 * bps);
    }

    /// The state of a market's price.
    pub fn status(&self, market: usize) -> Status {
        self.market(market).state.status(&self.world.now()).expect("a tier")
    }
}

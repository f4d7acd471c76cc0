//! Instructions of the local price feed.

use anchor_lang::prelude::{Pubkey, system_program};
use anchor_lang::solana_program::instruction::Instruction;
use anchor_lang::{InstructionData, ToAccountMetas};
pub use price_feed::instructions::RawUpdate;
use price_feed::{accounts, instruction};

use crate::address;

fn build(accounts: impl ToAccountMetas, data: impl InstructionData) -> Instruction {
    Instruction { program_id: price_feed::ID, accounts: accounts.to_account_metas(None), data: data.data() }
}

/// Creates the publisher's feed of an id. Signed by the publisher, who pays its rent.
pub fn create_feed(publisher: &Pubkey, feed_id: [u8; 32]) -> Instruction {
    let accounts = accounts::CreateFeed {
        publisher: *publisher,
        feed: address::price_feed(publisher, &feed_id),
        system_program: system_program::ID,
    };
    build(accounts, instruction::CreateFeed { feed_id })
}

/// Publishes a price, `price × 10^exponent`. Signed by the publisher.
pub fn post(publisher: &Pubkey, feed: &Pubkey, price: i64, conf: u64, exponent: i32, publish_time: i64) -> Instruction {
    let accounts = accounts::Post { publisher: *publisher, feed: *feed };
    build(accounts, instruction::Post { price, conf, exponent, publish_time })
}

/// Publishes any message as it stands. Signed by the publisher.
pub fn post_raw(publisher: &Pubkey, feed: &Pubkey, update: RawUpdate) -> Instruction {
    build(accounts::Post { publisher: *publisher, feed: *feed }, instruction::PostRaw { update })
}

//! Finding the oracle account whose price a market should store.

use anchor_lang::AccountDeserialize;
use anchor_lang::prelude::Pubkey;
use anyhow::{Result, bail};
use ballast::state::Market;
use price_feed::{PriceFeedMessage, PriceUpdateV2, VerificationLevel};
use solana_rpc_client_api::filter::{Memcmp, RpcFilterType};

use crate::chain::Chain;

/// Where the feed id stands in an account of Pyth's layout that is fully verified.
const FEED_ID: usize = 41;

/// The account of the market's oracle program with the market's feed and the newest price, with that price.
pub(crate) async fn newest(chain: &Chain, market: &Market) -> Result<(Pubkey, PriceFeedMessage)> {
    let program = Pubkey::new_from_array(market.oracle_program.0);
    let filter = RpcFilterType::Memcmp(Memcmp::new_raw_bytes(FEED_ID, market.feed_id.0.to_vec()));
    let accounts = chain.owned(&program, vec![filter]).await?;
    let updates = accounts.into_iter().filter_map(|(key, account)| {
        let update = PriceUpdateV2::try_deserialize(&mut account.data.as_slice()).ok()?;
        (update.verification_level == VerificationLevel::Full).then_some((key, update.price_message))
    });
    match updates.max_by_key(|(_, message)| message.publish_time) {
        Some(newest) => Ok(newest),
        None => bail!(
            "no account of oracle program {program} has a price of market {}'s feed; have one posted first",
            market.state.index
        ),
    }
}

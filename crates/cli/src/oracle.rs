//! Finding the oracle account whose price a market should store.

use anchor_lang::prelude::Pubkey;
use anyhow::{Result, bail};
use ballast::state::Market;
use ballast_client::rpc::{FEED_ID_OFFSET, Filter, oracle_message};
use price_feed::PriceFeedMessage;

use crate::chain::Chain;

/// The account of the market's oracle program with the market's feed and the newest price, with that price.
pub(crate) async fn newest(chain: &Chain, market: &Market) -> Result<(Pubkey, PriceFeedMessage)> {
    let program = Pubkey::new_from_array(market.oracle_program.0);
    let filter = Filter { offset: FEED_ID_OFFSET, bytes: market.feed_id.0.to_vec() };
    let accounts = chain.owned(&program, &[filter]).await?;
    let updates = accounts
        .into_iter()
        .filter_map(|(key, account)| oracle_message(&account.data).map(|(message, _)| (key, message)));
    match updates.max_by_key(|(_, message)| message.publish_time) {
        Some(newest) => Ok(newest),
        None => bail!(
            "no account of oracle program {program} has a price of market {}'s feed; have one posted first",
            market.state.index
        ),
    }
}

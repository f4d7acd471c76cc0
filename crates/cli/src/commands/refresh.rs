//! Prices to store in front of what needs them.

use anyhow::Result;
use ballast::state::{Market, Subaccount};
use ballast_client::{address, instructions};
use solana_instruction::Instruction;

use crate::chain::{Chain, ExchangeAccount};
use crate::oracle;

/// Instructions that store the oracle's newest prices in the markets of an account (and one more) where those are newer
/// than what is stored.
pub(crate) async fn of_account(
    chain: &Chain,
    exchange: &ExchangeAccount,
    account: &Subaccount,
    more: Option<u16>,
) -> Result<Vec<Instruction>> {
    let mut indices: Vec<u16> = account.state.slots().map(|(_, position)| position.market).chain(more).collect();
    indices.sort_unstable();
    indices.dedup();
    newest_prices(chain, exchange, &indices).await
}

/// The same for markets by index.
pub(crate) async fn newest_prices(
    chain: &Chain,
    exchange: &ExchangeAccount,
    indices: &[u16],
) -> Result<Vec<Instruction>> {
    let mut batch = Vec::new();
    for index in indices {
        let key = address::market(&exchange.address, *index);
        let market = chain.read::<Market>(&key).await?;
        let (oracle, message) = oracle::newest(chain, &market).await?;
        if message.publish_time > market.state.price.last.publish_time {
            batch.push(instructions::update_market(&key, &oracle));
        }
    }
    Ok(batch)
}

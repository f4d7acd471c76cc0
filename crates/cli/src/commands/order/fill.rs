//! Filling an order as soon as a price allows it: `ballast trade --wait`, `ballast fill`, `ballast order execute`.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ballast::state::{Market, Order, Subaccount};
use ballast_client::events::Event;
use ballast_client::{address, instructions};
use ballast_engine::Error;
use serde::Serialize;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;

use crate::amount::{self, Scale, quote};
use crate::chain::{self, Chain, ExchangeAccount};
use crate::commands::{covenant, refresh};
use crate::oracle;

/// Between two looks at the oracle.
const LOOK: Duration = Duration::from_millis(400);
/// Refusals of a fill that pass with the next price.
const PASSING: &[Error] = &[Error::OrderTooEarly, Error::PriceStale, Error::PriceUnconfirmed];

/// A fill.
#[derive(Serialize)]
pub(crate) struct Filled {
    order: String,
    size: i64,
    price: u64,
    premium: i64,
    fee: u64,
    pnl: i64,
    funding: i64,
    position: i64,
    signature: String,
}

/// In words.
pub(crate) fn text(fill: &Filled, scale: Scale) -> String {
    let mut text = format!(
        "{} filled at {}; fee {}, premium {}; position now {}",
        amount::size(fill.size, scale.base),
        scale.show_price(fill.price),
        quote(fill.fee, scale.quote),
        quote(fill.premium, scale.quote),
        amount::size(fill.position, scale.base),
    );
    if fill.pnl != 0 || fill.funding != 0 {
        text += &format!("; result {}, funding {}", quote(fill.pnl, scale.quote), quote(fill.funding, scale.quote));
    }
    text
}

/// What goes in front of a fill, tried or real: newer prices; and where a covenant binds the owner, all accounts are shown to it,
/// for it must have seen them just now.
pub(super) async fn front(
    chain: &Chain,
    exchange: &ExchangeAccount,
    account: &Subaccount,
    market: u16,
) -> Result<Vec<Instruction>> {
    let mut batch = refresh::of_account(chain, exchange, account, Some(market)).await?;
    let seen = covenant::seen(chain, exchange, account).await?;
    batch.extend(seen.into_iter().filter(|step| !batch.contains(step)).collect::<Vec<_>>());
    Ok(batch)
}

/// What is needed to fill a subaccount's orders in a market.
pub(crate) struct Fill<'a> {
    pub(crate) chain: &'a Chain,
    pub(crate) exchange: &'a ExchangeAccount,
    /// Who signs and pays: anyone may.
    pub(crate) signer: &'a Keypair,
    pub(crate) market: u16,
    pub(crate) subaccount: Pubkey,
}

impl Fill<'_> {
    /// Waits for a price published after the placing, stores it and fills the order in one transaction. Its rent goes to
    /// whoever placed it.
    pub(crate) async fn wait(
        &self,
        order: &Pubkey,
        rent_to: &Pubkey,
        placed_at: i64,
        patience: Duration,
    ) -> Result<Filled> {
        let begun = Instant::now();
        let key = address::market(&self.exchange.address, self.market);
        let mut last = anyhow::anyhow!("no price was published after it");
        while begun.elapsed() < patience {
            tokio::time::sleep(LOOK).await;
            let market = self.chain.read::<Market>(&key).await?;
            let (_, message) = oracle::newest(self.chain, &market).await?;
            if message.publish_time.max(market.state.price.last.publish_time) <= placed_at {
                continue;
            }
            let account = self.chain.read::<Subaccount>(&self.subaccount).await?;
            let mut batch = front(self.chain, self.exchange, &account, self.market).await?;
            let legs = instructions::leg_metas(&account, Some(self.market), true);
            let covenant = instructions::pubkey(&account.covenant);
            batch.push(instructions::execute_order(&key, &self.subaccount, order, rent_to, None, &covenant, &legs));
            match self.chain.sender.send(&batch, self.signer, &[]).await {
                Ok(sent) => {
                    for event in chain::events(&sent) {
                        if let Event::Traded(t) = event {
                            return Ok(Filled {
                                order: order.to_string(),
                                size: t.size,
                                price: t.price,
                                premium: t.premium,
                                fee: t.fee,
                                pnl: t.pnl,
                                funding: t.funding,
                                position: t.position,
                                signature: sent.signature.to_string(),
                            });
                        }
                    }
                    bail!("the order is filled, but its event cannot be read; see `ballast account show`");
                }
                Err(error) if chain::reason(&error).is_some_and(|reason| PASSING.contains(&reason)) => {
                    last = self.chain.refusal("fill", &error);
                }
                Err(_) if self.chain.find::<Order>(order).await?.is_none() => {
                    bail!("somebody else filled it first; see `ballast account show`")
                }
                Err(error) => return Err(self.chain.refusal("the fill was refused", &error)),
            }
        }
        bail!("{patience:?} have passed: {last:#}")
    }
}

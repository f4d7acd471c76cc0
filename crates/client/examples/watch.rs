//! An account's health and the events of a transaction, over RPC.
//!
//! ```text
//! cargo build --workspace --example watch && target/debug/examples/watch http://127.0.0.1:8899 OWNER [SIGNATURE]
//! ```

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail};
use ballast_client::Rpc;
use ballast_client::view::AccountView;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, owner, rest @ ..] = args.as_slice() else { bail!("give the node's address and an owner's") };
    let owner = owner.parse().ok().context("the owner is no address")?;
    for line in run(url, &owner, rest.first().map(String::as_str)).await? {
        println!("{line}");
    }
    Ok(())
}

/// A line for each subaccount, and for each event of the transaction.
pub async fn run(url: &str, owner: &Pubkey, signature: Option<&str>) -> Result<Vec<String>> {
    let rpc = Rpc::new(url);
    let exchange = rpc.exchange(None).await?;
    let (markets, now) = (rpc.markets(&exchange).await?, rpc.now().await?.value);
    let mut lines = Vec::new();
    for (key, account) in rpc.subaccounts(&exchange.address, owner).await? {
        let view = AccountView::of(&account, &markets, &now).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        // In the collateral's smallest unit, as the chain keeps them; none where a market has no price.
        let told = |value: Option<i128>| value.map_or("unknown".to_owned(), |value| value.to_string());
        let (equity, maintenance) = (told(view.equity.map(Into::into)), told(view.maintenance.map(Into::into)));
        lines.push(format!("{key}: collateral {}, equity {equity}, maintenance {maintenance}", view.collateral));
    }
    if let Some(signature) = signature {
        let signature = signature.parse().ok().context("no signature")?;
        let landed = rpc.landed(&signature).await?.context("the node does not know that transaction")?;
        for event in landed.events {
            let fields: Vec<String> =
                event.fields().into_iter().map(|(name, value)| format!("{name} {value}")).collect();
            lines.push(format!("{}: {}", event.name(), fields.join(", ")));
        }
    }
    Ok(lines)
}

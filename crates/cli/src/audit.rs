//! Reads every account of the program and every vault token from chain, and adds them up.

use anyhow::{Context, Result};
use ballast_client::address;
use ballast_client::audit::{Audit, audit_exchange};

use crate::chain::{Chain, ExchangeAccount};
use crate::tokens;

/// The audit of an exchange, from the chain alone.
pub(crate) async fn run(chain: &Chain, exchange: &ExchangeAccount) -> Result<Audit> {
    let accounts = chain.owned(&address::PROGRAM, Vec::new()).await?;
    let mut accounts: Vec<_> = accounts.into_iter().map(|(key, account)| (key, account.data)).collect();
    for index in 0..exchange.state.markets {
        let mint = address::lp_mint(&address::market(&exchange.address, index));
        let account = chain.account(&mint).await?.with_context(|| format!("liquidity mint {mint} is missing"))?;
        accounts.push((mint, account.data));
    }
    let vault = exchange.vault();
    let account = chain.account(&vault).await?.with_context(|| format!("vault {vault} is missing"))?;
    let amount = tokens::amount(&account.data).with_context(|| format!("vault {vault} is no token account"))?;
    Ok(audit_exchange(&exchange.address, accounts, amount))
}

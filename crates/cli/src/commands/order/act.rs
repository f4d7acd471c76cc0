//! `ballast order trigger`, `execute` and `cancel`.

use anyhow::{Context, Result};
use ballast::state::{Market, Order};
use ballast_client::{address, instructions};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::Which;
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::commands::{funds, trade};
use crate::{config, output};

/// What to do with an order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Trigger,
    Execute,
    Cancel,
}

#[derive(Serialize)]
struct Done {
    order: String,
    signature: String,
}

pub(super) async fn run(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    which: Which,
    what: What,
) -> Result<()> {
    let signer = config::keypair(global)?;
    let owner = which.whose.owner.unwrap_or_else(|| signer.pubkey());
    let (key, account) = funds::subaccount(chain, exchange, &owner, which.whose.account).await?;
    let address = address::order(&key, which.order);
    let hint = || format!("order {} is filled or cancelled already, or never was", which.order);
    let order = chain.find::<Order>(&address).await?.with_context(hint)?;
    let market = Pubkey::new_from_array(order.market.0);
    let rent_to = Pubkey::new_from_array(order.rent_to.0);
    let index = chain.read::<Market>(&market).await?.state.index;
    let mut batch = trade::refresh(chain, exchange, &account, Some(index)).await?;
    let reduces = account.state.opposite(index, order.terms.buys()).is_some();
    let (verb, told) = match what {
        What::Trigger => {
            batch.push(instructions::trigger_order(&market, &key, &address));
            ("trigger", "recorded")
        }
        What::Execute => {
            let legs = instructions::leg_metas(&account, Some(index), reduces);
            batch.push(instructions::execute_order(
                &market,
                &key,
                &address,
                &rent_to,
                None,
                &instructions::pubkey(&account.covenant),
                &legs,
            ));
            ("execute", "filled")
        }
        What::Cancel => {
            // Another's that its account cannot fill: the program fills it for trial, on all its markets.
            let legs = instructions::leg_metas(&account, Some(index), false);
            let (by, legs) = (signer.pubkey(), if owner == signer.pubkey() { [].as_slice() } else { legs.as_slice() });
            batch.push(instructions::cancel_unfillable(&by, &market, &key, &address, &rent_to, None, legs));
            ("cancel", "cancelled; what was put aside for it is back")
        }
    };
    let sent = chain.send(verb, &batch, &signer, &[]).await?;
    let done = Done { order: address.to_string(), signature: sent.signature.to_string() };
    output::show(global.json, &done, |_| format!("order {} {told}", which.order))
}

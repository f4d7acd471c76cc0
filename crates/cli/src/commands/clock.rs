//! `ballast clock`: time travel on a local validator.

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use solana_rpc_client_api::request::RpcRequest;
use solana_signer::Signer;

use crate::amount::{self, moment};
use crate::args::Global;
use crate::chain::Chain;
use crate::{keys, output};

/// The local validator's own call that moves its clock; no cluster has it.
const TRAVEL: &str = "surfnet_timeTravel";
/// The furthest at once: averages and funding are brought up to date over the whole of it.
const FURTHEST: i64 = 90 * 86_400;

/// Options of `ballast clock`.
#[derive(Args)]
pub(crate) struct Options {
    /// How far: +90s, +15m, +3h or +2d; without it the clock is only shown
    #[arg(value_parser = distance)]
    by: Option<i64>,
}

#[derive(Serialize)]
struct Shown {
    unix: i64,
    slot: u64,
}

/// So many seconds, from a number with its unit.
fn distance(text: &str) -> Result<i64, String> {
    match amount::seconds(text.strip_prefix('+').unwrap_or(text))? {
        seconds if seconds > FURTHEST => Err("at most 90 days at once".to_owned()),
        seconds => Ok(seconds),
    }
}

/// Shows the clock, or moves it: for the local exchange alone.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let chain = Chain::open(global)?;
    let mut now = chain.now().await?;
    if let Some(by) = options.by {
        let local = keys::local(keys::MINT).pubkey();
        let local = chain.exchange(Some(local)).await;
        local.context("only the clock of `ballast localnet` can be moved")?;
        let millis = now.unix.checked_add(by).and_then(|unix| unix.checked_mul(1_000)).context("that is too far")?;
        let call = RpcRequest::Custom { method: TRAVEL };
        let moved = chain.rpc().send::<serde_json::Value>(call, json!([{ "absoluteTimestamp": millis }])).await;
        if let Err(error) = moved {
            bail!("this validator's clock cannot be moved ({error}); that of `ballast localnet` can");
        }
        let before = now.unix;
        now = chain.now().await?;
        ensure!(now.unix >= before + by, "the validator's clock stayed at {}", moment(now.unix));
    }
    let shown = Shown { unix: now.unix, slot: now.slot };
    output::show(global.json, &shown, |shown| format!("{} ({}), slot {}", moment(shown.unix), shown.unix, shown.slot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_forward_and_have_a_unit() {
        assert_eq!(distance("+3d"), Ok(259_200));
        assert_eq!(distance("90s"), Ok(90));
        assert_eq!(distance("+90d"), Ok(FURTHEST));
        for bad in ["", "+", "3", "-3d", "+0h", "+91d", "+99999999999d", "d", "3ü"] {
            assert!(distance(bad).is_err(), "{bad}");
        }
    }
}

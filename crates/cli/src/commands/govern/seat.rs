//! What holders of a role do at once: the guardian's pauses, governance accepted, the committee dismissed.

use anyhow::{Result, ensure};
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast::state::Market;
use ballast_client::{address, instructions};
use clap::Subcommand;
use serde::Serialize;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::amount::{self, moment, quote};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output;

/// What can be done.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Guardian: hold withdrawals and liquidity exits back, at most 12 hours, once in 14 days
    Pause {
        /// For how long: 90m, 12h
        #[arg(value_parser = amount::seconds)]
        time: i64,
    },
    /// Guardian: refuse increases in a market, or lower its cap, for at most 72 hours; 96 in any 14 days
    Protect {
        /// Index of the market
        #[arg(long, short)]
        market: u16,
        /// Refuse increases for so long: 90m, 12h, 3d
        #[arg(long, value_name = "TIME", value_parser = amount::seconds)]
        reduce_only: Option<i64>,
        /// A lower open-interest cap, in whole units of the collateral
        #[arg(long, value_name = "AMOUNT", requires = "cap_for")]
        cap: Option<String>,
        /// It holds for so long
        #[arg(long, value_name = "TIME", value_parser = amount::seconds, requires = "cap")]
        cap_for: Option<i64>,
    },
    /// Take governance over, as the key that it was offered to; or take the offer back, as governance
    Accept,
    /// Governance: dismiss the committee, at once; what it has queued is dead
    Dismiss,
}

#[derive(Serialize)]
struct Done {
    what: String,
    signature: String,
}

/// Runs it.
pub(super) async fn run(
    global: &Global,
    chain: &Chain,
    exchange: &ExchangeAccount,
    signer: &Keypair,
    command: Command,
) -> Result<()> {
    let (at, key, decimals) = (&exchange.address, signer.pubkey(), exchange.state.quote_decimals);
    let (what, instruction) = match &command {
        Command::Pause { time } => ("pause", instructions::emergency_pause(&key, at, *time)),
        Command::Protect { market, reduce_only, cap, cap_for } => {
            ensure!(
                reduce_only.is_some() || cap.is_some(),
                "say what to do: --reduce-only TIME, or --cap AMOUNT --cap-for TIME"
            );
            let args = ProtectMarketArgs {
                reduce_only_seconds: reduce_only.unwrap_or_default(),
                cap: cap.as_ref().map_or(Ok(0), |cap| amount::parse(cap, decimals))?,
                cap_seconds: cap_for.unwrap_or_default(),
            };
            ensure!(*market < exchange.state.markets, crate::commands::market::missing(*market, exchange));
            ("protect", instructions::protect_market(&key, at, *market, args))
        }
        Command::Accept => ("accept governance", instructions::accept_governance(&key, at)),
        Command::Dismiss => ("dismiss the committee", instructions::dismiss_committee(&key, at)),
    };
    let sent = chain.send(what, &[instruction], signer, &[]).await?;
    let now = chain.exchange(global.mint).await?;
    let what = match command {
        Command::Pause { .. } => {
            format!("withdrawals and liquidity exits are held back until {}", moment(now.state.emergency.until))
        }
        Command::Protect { market, reduce_only, cap, .. } => {
            let overlay = chain.read::<Market>(&address::market(at, market)).await?.state.overlay;
            let increases = reduce_only.map(|_| format!("no increases until {}", moment(overlay.reduce_only_until)));
            let lower =
                cap.map(|_| format!("cap {} until {}", quote(overlay.cap.0, decimals), moment(overlay.cap_until)));
            format!("market {market}: {}", [increases, lower].into_iter().flatten().collect::<Vec<_>>().join(", "))
        }
        Command::Accept if now.state.roles.governance.0 == exchange.state.roles.governance.0 => {
            "the offer of governance is taken back".to_owned()
        }
        Command::Accept => format!("{key} governs; what was queued before is dead"),
        Command::Dismiss => "the committee is dismissed".to_owned(),
    };
    output::show(global.json, &Done { what, signature: sent.signature.to_string() }, |done| done.what.clone())
}

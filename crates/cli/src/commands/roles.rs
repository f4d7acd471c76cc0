//! `ballast roles`.

use anyhow::Result;
use ballast_engine::layout::Key;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::args::Global;
use crate::chain::Chain;
use crate::output::{self, table};

#[derive(Serialize)]
struct Shown {
    exchange: String,
    governance: String,
    /// Who may accept governance.
    offered_to: Option<String>,
    committee: Option<String>,
    guardian: String,
    emergency_until: i64,
    pending_proposals: u64,
}

/// Runs it.
pub(crate) async fn run(global: &Global) -> Result<()> {
    let chain = Chain::open(global)?;
    let exchange = chain.exchange(global.mint).await?;
    let (state, roles) = (&exchange.state, &exchange.state.roles);
    let key = |key: &Key| Pubkey::new_from_array(key.0).to_string();
    let seat = |seat: &Key| (*seat != Key::default()).then(|| key(seat));
    let shown = Shown {
        exchange: exchange.address.to_string(),
        governance: key(&roles.governance),
        offered_to: seat(&roles.pending_governance),
        committee: seat(&roles.committee),
        guardian: key(&roles.guardian),
        emergency_until: state.emergency.until,
        pending_proposals: state.pending_proposals,
    };
    let now = chain.now().await?;
    output::show(global.json, &shown, |shown| {
        let nobody = || "nobody".to_owned();
        let emergency = match shown.emergency_until - now.unix {
            left if left > 0 => format!("withdrawals are held back for {left} s more"),
            _ => "none".to_owned(),
        };
        let rows = [
            ("governance", shown.governance.clone(), "queues every change; see `ballast govern list`"),
            ("offered to", shown.offered_to.clone().unwrap_or_else(nobody), "may accept governance"),
            ("committee", shown.committee.clone().unwrap_or_else(nobody), "queues G1 tunings"),
            ("guardian", shown.guardian.clone(), "vetoes, protects a market for days, holds exits back for hours"),
            ("emergency", emergency, "at most 12 hours, once in 14 days"),
            ("pending proposals", shown.pending_proposals.to_string(), ""),
        ];
        let rows = rows.map(|(what, who, may)| vec![what.to_owned(), who, may.to_owned()]);
        table(&["role", "held by", "may"], &[], rows)
    })
}

//! `ballast govern explain`: one proposal in words.

use core::mem::offset_of;

use anyhow::Result;
use ballast::state::Proposal;
use ballast_engine::params::{EXCHANGE_ROWS, MARKET_ROWS};

use super::effect::Crowd;
use super::list::{Line, line, rivals, rivals_text};
use super::{read, upgrade};
use crate::amount::{moment, span};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output;

/// Runs it.
pub(super) async fn run(global: &Global, chain: &Chain, exchange: &ExchangeAccount, id: u64) -> Result<()> {
    let proposal = read(chain, exchange, id).await?;
    let now = chain.now().await?;
    let crowd = Crowd::read(chain, exchange, now).await?;
    let mut line = line(&proposal, exchange, &crowd, &now)?;
    let all = chain.all::<Proposal>(offset_of!(Proposal, exchange), exchange.address.as_ref()).await?;
    line.rivals = rivals(&proposal, &all);
    line.upgrade = upgrade::of_proposal(chain, exchange, &proposal).await?;
    output::show(global.json, &line, |line| text(line, now.unix))
}

fn text(line: &Line, now: i64) -> String {
    let mut lines = vec![format!("proposal {}: {} ({})", line.id, line.what, line.state)];
    for change in &line.changes {
        lines.push(format!("{}: {} -> {}", change.name, change.old, change.new));
        let row = MARKET_ROWS.iter().chain(EXCHANGE_ROWS).find(|row| row.name == change.name);
        lines.extend(row.map(|row| format!("  {}", row.doc)));
    }
    lines.extend(line.new_key.as_ref().map(|key| format!("new: {key}")));
    lines.extend(line.upgrade.as_ref().map(upgrade::explained));
    lines.push(format!("queued by {} ({}) at {}", line.role, line.proposer, moment(line.queued_at)));
    let class = match line.class {
        "G1" => "tune: 48 hours at least",
        "G2" => "risk: 72 hours at least",
        "G3" => "deep: 7 days at least",
        _ => "the guardian's replacement: longer than anything else",
    };
    lines.push(format!("class {} ({class})", line.class));
    if line.state == "pending" {
        let when = match (line.ready, line.ready_at - now) {
            (true, _) => "may be executed now, by anyone".to_owned(),
            (false, left) => format!("may be executed from {} on, in {}, by anyone", moment(line.ready_at), span(left)),
        };
        lines.push(format!("{when}; dead at {}", moment(line.dead_at)));
        if line.held > 0 {
            lines
                .push(format!("its clock stood still for {}: somebody who wanted to leave could not", span(line.held)));
        }
        if line.tightening {
            lines.push("a tightening: no pause stops its clock".to_owned());
        }
        lines.push(match &line.vetoer {
            Some(vetoer) => format!("may be vetoed by {vetoer}, for good"),
            None => "nobody may veto it: it replaces the guardian".to_owned(),
        });
    }
    if let Some(effect) = line.effect {
        lines.push(format!(
            "at this moment's prices, once its grace is over, {} of {} accounts with a position would be below maintenance",
            effect.below_maintenance, effect.accounts
        ));
    }
    lines.extend(rivals_text(line.id, &line.rivals));
    lines.push(format!("rationale {}", line.rationale.as_deref().unwrap_or("none given")));
    lines.join("\n")
}

//! `ballast govern list`.

use core::mem::offset_of;

use anchor_lang::prelude::Pubkey;
use anyhow::{Result, bail};
use ballast::state::{Exchange, Proposal};
use ballast_client::pending::{self, ChangeView};
use ballast_engine::Now;
use ballast_engine::governance::{Holds, ProposalTerms, SHARED_FUND, kind, state};
use ballast_engine::params::{EXCHANGE_ROWS, MARKET_ROWS, Row, Unit};
use serde::Serialize;

use super::effect::{Crowd, Effect};
use super::upgrade::Upgrading;
use super::value;
use crate::amount::{Scale, moment, span};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output::{self, hex, table};

/// One change of a proposal.
#[derive(Serialize)]
pub(super) struct ChangeLine {
    /// What changes.
    pub(super) name: String,
    /// Before and after, as stored.
    pub(super) old_value: u64,
    pub(super) new_value: u64,
    /// The same for people.
    pub(super) old: String,
    pub(super) new: String,
}

/// A proposal, as the chain has it and for people.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) id: u64,
    pub(super) state: &'static str,
    pub(super) class: &'static str,
    pub(super) what: String,
    pub(super) changes: Vec<ChangeLine>,
    pub(super) new_key: Option<String>,
    pub(super) proposer: String,
    pub(super) role: &'static str,
    pub(super) queued_at: i64,
    /// When it may be executed as things stand, and by how much that is later than when it was queued it seemed.
    pub(super) ready_at: i64,
    pub(super) held: i64,
    pub(super) dead_at: i64,
    pub(super) vetoer: Option<String>,
    pub(super) tightening: bool,
    pub(super) ready: bool,
    /// Other pending proposals for one of its parameters: the first that executes is the end of the others.
    pub(super) rivals: Vec<u64>,
    /// Nothing where none was given.
    pub(super) rationale: Option<String>,
    pub(super) effect: Option<Effect>,
    /// What an upgrade is about; filled in for one proposal alone, for it reads a whole buffer.
    pub(super) upgrade: Option<Upgrading>,
}

/// A proposal's line.
pub(super) fn line(proposal: &Proposal, exchange: &ExchangeAccount, crowd: &Crowd, now: &Now) -> Result<Line> {
    let terms = &proposal.terms;
    let of_market = proposal.market.0 != [0; 32];
    let market = crowd.market(proposal.market_index).filter(|_| of_market);
    let base = market.map_or(0, |market| market.state.base_decimals);
    let scale = Scale { base, quote: exchange.state.quote_decimals };
    let exits = market.map_or(exchange.state.exit_holds, |m| m.state.governed.exit_holds);
    let holds = Holds { emergency: &exchange.state.emergency, exits: &exits };
    let time = |at: ballast_engine::Result<i64>| at.map_err(|fault| anyhow::anyhow!("{fault:?}"));
    let (ready_at, dead_at) = (time(terms.ready_at(&holds, now))?, time(terms.dead_at(holds.emergency, now))?);
    // What has ended waits for nothing.
    let pending = terms.state == state::PENDING;
    let ready_at = if pending { ready_at } else { terms.eta };
    let key = |bytes: [u8; 32]| (bytes != [0; 32]).then(|| Pubkey::new_from_array(bytes).to_string());
    let powerless = is_powerless(terms, &exchange.state);
    Ok(Line {
        id: proposal.id,
        state: state_of(terms, powerless, dead_at, now.unix),
        class: class(terms.class),
        what: what(proposal)?,
        changes: changes(proposal, scale),
        // An upgrade's is no key but a digest.
        new_key: key(terms.new_key.0).filter(|_| terms.kind != kind::UPGRADE),
        proposer: Pubkey::new_from_array(proposal.proposer.0).to_string(),
        role: if terms.proposer == 0 { "governance" } else { "committee" },
        queued_at: terms.queued_at,
        ready_at,
        held: ready_at - terms.eta,
        dead_at,
        vetoer: key(terms.vetoer.0),
        tightening: terms.tightening != 0,
        ready: pending && !powerless && now.unix >= ready_at && now.unix < dead_at,
        rivals: vec![],
        rationale: (terms.rationale.0 != [0; 32]).then(|| hex(&terms.rationale.0)),
        effect: if pending { crowd.effect(proposal) } else { None },
        upgrade: None,
    })
}

fn changes(proposal: &Proposal, scale: Scale) -> Vec<ChangeLine> {
    let show =
        |unit: Option<Unit>, value: u64| unit.map_or_else(|| value.to_string(), |u| value::show(u, value, scale));
    let lines = pending::changes(proposal).into_iter().map(|ChangeView { name, unit, old, new }| ChangeLine {
        name: name.to_owned(),
        old_value: old,
        new_value: new,
        old: show(unit, old),
        new: show(unit, new),
    });
    lines.collect()
}

/// What has become of a proposal, or will of one that waits. `powerless` is one whose proposer's role has passed on.
pub(super) fn state_of(terms: &ProposalTerms, powerless: bool, dead_at: i64, now: i64) -> &'static str {
    match terms.state {
        state::PENDING if powerless => "dead with its proposer, not closed",
        state::PENDING if now >= dead_at => "expired, not closed",
        state::PENDING => "pending",
        state::EXECUTED => "executed",
        state::VETOED => "vetoed",
        state::REFUSED => "refused: its buffer holds something else",
        _ => "expired",
    }
}

/// Whether the role that proposed it has passed on since.
pub(super) fn is_powerless(terms: &ProposalTerms, exchange: &Exchange) -> bool {
    exchange.roles.epoch.get(usize::from(terms.proposer)) != Some(&terms.epoch)
}

/// One that was just queued, in a few words.
pub(crate) fn summary(proposal: &Proposal, scale: Scale) -> Result<String> {
    let changes = changes(proposal, scale);
    let changes: Vec<_> = changes.iter().map(|c| format!("{} {} -> {}", c.name, c.old, c.new)).collect();
    let text = if changes.is_empty() { String::new() } else { format!(": {}", changes.join(", ")) };
    let market = if proposal.market.0 == [0; 32] { "".to_owned() } else { format!("market {}", proposal.market_index) };
    let what = if changes.is_empty() { what(proposal)? } else { market };
    Ok(format!("{what}{text}").trim_start_matches(": ").to_owned())
}

/// A class's name.
pub(super) fn class(class: u8) -> &'static str {
    ["?", "G1", "G2", "G3", "guardian"].get(usize::from(class)).copied().unwrap_or("?")
}

fn what(proposal: &Proposal) -> Result<String> {
    let (terms, market) = (&proposal.terms, proposal.market_index);
    let named = |rows: &[Row]| rows.get(usize::from(terms.parameter)).map_or("?", |row| row.name);
    Ok(match terms.kind {
        kind::MARKET_PARAMETER => format!("market {market}: {}", named(MARKET_ROWS)),
        kind::MARKET_BATCH => format!("market {market}: {} parameters", proposal.batch.count),
        kind::EXCHANGE_PARAMETER => named(EXCHANGE_ROWS).to_owned(),
        kind::EXCHANGE_BATCH => format!("{} parameters", proposal.batch.count),
        kind::INSURANCE if terms.parameter == SHARED_FUND => format!("{} of the shared insurance out", terms.new_value),
        kind::INSURANCE => format!("{} of market {}'s insurance out", terms.new_value, terms.parameter),
        kind::GOVERNANCE => "new governance".to_owned(),
        kind::COMMITTEE => "new committee".to_owned(),
        kind::GUARDIAN => "new guardian".to_owned(),
        kind::UPGRADE => {
            format!("upgrade of the program to {} bytes, digest {}", terms.new_value, hex(&terms.new_key.0))
        }
        kind::NEW_EXCHANGE => "exchange of another mint".to_owned(),
        kind::ORACLE_FEED => format!("market {market}: oracle"),
        kind::WIND_DOWN if terms.new_value == 0 => format!("market {market}: opened again"),
        kind::WIND_DOWN => format!("market {market}: wound down"),
        kind::FEE_DESTINATION => "fee destination".to_owned(),
        kind::ORACLE_PROGRAM => format!("oracle program {}", terms.parameter),
        other => bail!("proposal {} is of kind {other}, which this version does not know; update it", proposal.id),
    })
}

/// The pending proposals among `all` that change a parameter which this one changes too.
pub(super) fn rivals(proposal: &Proposal, all: &[(Pubkey, Box<Proposal>)]) -> Vec<u64> {
    if proposal.terms.state != state::PENDING {
        return vec![];
    }
    let touched = |p: &Proposal| -> Vec<u16> {
        match p.terms.kind {
            kind::MARKET_PARAMETER | kind::EXCHANGE_PARAMETER => vec![p.terms.parameter],
            kind::MARKET_BATCH | kind::EXCHANGE_BATCH => p.batch.changes().iter().map(|c| c.parameter).collect(),
            _ => vec![],
        }
    };
    let mine = touched(proposal);
    let others = all.iter().filter(|(_, other)| {
        other.id != proposal.id
            && other.terms.state == state::PENDING
            && other.market.0 == proposal.market.0
            && touched(other).iter().any(|parameter| mine.contains(parameter))
    });
    let mut ids: Vec<u64> = others.map(|(_, other)| other.id).collect();
    ids.sort_unstable();
    ids
}

/// Rivals in words.
pub(super) fn rivals_text(id: u64, rivals: &[u64]) -> Option<String> {
    let ids: Vec<_> = rivals.iter().map(u64::to_string).collect();
    (!ids.is_empty()).then(|| {
        format!("proposal {id} and {} change the same parameter: once one executes, the others cannot", ids.join(", "))
    })
}

/// What an effect says, in a few words.
pub(super) fn effect_text(effect: Option<Effect>) -> String {
    effect.map_or("-".to_owned(), |e| format!("{} of {}", e.below_maintenance, e.accounts))
}

/// Runs it.
pub(super) async fn run(global: &Global, chain: &Chain, exchange: &ExchangeAccount, all: bool) -> Result<()> {
    let at = offset_of!(Proposal, exchange);
    let mut proposals = chain.all::<Proposal>(at, exchange.address.as_ref()).await?;
    proposals.sort_by_key(|(_, proposal)| proposal.id);
    proposals.retain(|(_, proposal)| all || proposal.terms.state == state::PENDING);
    let now = chain.now().await?;
    let crowd = Crowd::read(chain, exchange, now).await?;
    let told = |proposal: &Proposal| -> Result<Line> {
        Ok(Line { rivals: rivals(proposal, &proposals), ..line(proposal, exchange, &crowd, &now)? })
    };
    let lines: Vec<Line> = proposals.iter().map(|(_, proposal)| told(proposal)).collect::<Result<_>>()?;
    output::show(global.json, &lines, |lines| {
        if lines.is_empty() {
            return "no proposal is pending; `--all` lists those that have ended".to_owned();
        }
        let rows = lines.iter().map(|l| {
            let change = match (&l.new_key, l.changes.as_slice()) {
                (_, []) => l.new_key.clone().unwrap_or_default(),
                (_, [one]) => format!("{} -> {}", one.old, one.new),
                (_, many) => {
                    many.iter().map(|c| format!("{}: {} -> {}", c.name, c.old, c.new)).collect::<Vec<_>>().join("\n")
                }
            };
            let when = match (l.ready, l.state) {
                (true, _) => "now".to_owned(),
                (false, "pending") => format!("in {}", span(l.ready_at - now.unix)),
                _ => "-".to_owned(),
            };
            vec![
                l.id.to_string(),
                l.state.to_owned(),
                l.class.to_owned(),
                l.role.to_owned(),
                l.what.clone(),
                change,
                when,
                moment(l.dead_at),
                effect_text(l.effect),
                l.rationale.as_deref().map_or("-".to_owned(), |hash| hash.chars().take(8).collect()),
            ]
        });
        let header = [
            "id",
            "state",
            "class",
            "by",
            "what",
            "change",
            "may be executed",
            "dead",
            "below maintenance",
            "rationale",
        ];
        let notes = lines.iter().filter(|l| l.rivals.first().is_some_and(|first| *first > l.id));
        let notes: Vec<_> = notes.filter_map(|l| rivals_text(l.id, &l.rivals)).collect();
        format!("{}\n{}", table(&header, &[0], rows), notes.join("\n"))
    })
}

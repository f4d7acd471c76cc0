//! Governance's changes that wait and touch an account: what whoever holds positions should know of in time.

use anchor_lang::prelude::Pubkey;
use ballast::state::{Exchange, Proposal, Subaccount};
use ballast_engine::governance::{Holds, SHARED_FUND, kind, state};
use ballast_engine::margin::Purpose;
use ballast_engine::params::{EXCHANGE_ROWS, MARKET_ROWS, MarketParams, Row, Unit};
use ballast_engine::{Now, Ratio, Result};
use serde::Serialize;

use crate::markets::Markets;
use crate::quotes;

/// A parameter before and after, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeView {
    /// Its name; `?` for one that this version does not know.
    pub name: &'static str,
    /// What it counts.
    #[serde(skip)]
    pub unit: Option<Unit>,
    /// In force now.
    pub old: u64,
    /// Proposed.
    pub new: u64,
}

/// A proposal that may still be executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PendingView {
    /// Its number.
    pub id: u64,
    /// Its market; none for what concerns the whole exchange.
    pub market: Option<u16>,
    /// `parameters`, `oracle`, `wind down`, `insurance`, `upgrade` or `oracle program`.
    pub what: &'static str,
    /// The parameters that it changes.
    pub changes: Vec<ChangeView>,
    /// May be executed from then on, as things stand, Unix seconds.
    pub from: i64,
    /// Whether the account would be below maintenance by its margin at the prices of now, once no grace keeps the old one;
    /// none where the maintenance margin stays, or a price is missing.
    pub below_maintenance: Option<bool>,
}

/// The proposals that wait and touch an account: those on markets in which it has a slot in use or an order (`ordered`), and of
/// the exchange its parameters, its oracle programs, and the program itself. `markets` are accrued.
///
/// # Errors
/// [`ballast_engine::Error::MathOverflow`].
pub fn of<'a>(
    account: &Subaccount,
    ordered: &[u16],
    proposals: impl IntoIterator<Item = (&'a Pubkey, &'a Proposal)>,
    exchange: &Exchange,
    markets: &Markets,
    now: &Now,
) -> Result<Vec<PendingView>> {
    let mut found = Vec::new();
    for (_, proposal) in proposals {
        let terms = &proposal.terms;
        let market = match terms.kind {
            kind::INSURANCE => Some(terms.parameter).filter(|market| *market != SHARED_FUND),
            _ => Some(proposal.market_index).filter(|_| proposal.market.0 != [0; 32]),
        };
        let exits = market.and_then(|index| markets.get(index)).map(|market| &market.state.governed.exit_holds);
        let holds = Holds { emergency: &exchange.emergency, exits: exits.unwrap_or(&exchange.exit_holds) };
        let powerless = exchange.roles.epoch.get(usize::from(terms.proposer)) != Some(&terms.epoch);
        if terms.state != state::PENDING || powerless || now.unix >= terms.dead_at(holds.emergency, now)? {
            continue;
        }
        let what = match terms.kind {
            kind::MARKET_PARAMETER | kind::MARKET_BATCH | kind::EXCHANGE_PARAMETER | kind::EXCHANGE_BATCH => {
                "parameters"
            }
            kind::ORACLE_FEED => "oracle",
            kind::WIND_DOWN => "wind down",
            kind::INSURANCE => "insurance",
            kind::UPGRADE => "upgrade",
            kind::ORACLE_PROGRAM => "oracle program",
            _ => continue,
        };
        let held = |index| account.state.find(index).is_some() || ordered.contains(&index);
        if market.is_some_and(|index| !held(index)) {
            continue;
        }
        found.push(PendingView {
            id: proposal.id,
            market,
            what,
            changes: changes(proposal),
            from: terms.ready_at(&holds, now)?,
            below_maintenance: margin_after(proposal).and_then(|margin| {
                let changed = with_margin(markets, proposal.market_index, margin);
                let totals = quotes::totals(account, &changed, Purpose::Maintenance, now).ok()?;
                Some(totals.surplus().ok()?.0 < 0)
            }),
        });
    }
    found.sort_by_key(|view| view.id);
    Ok(found)
}

/// The parameters that a proposal changes.
pub fn changes(proposal: &Proposal) -> Vec<ChangeView> {
    let terms = &proposal.terms;
    let view = |rows: &'static [Row], id: u16, old, new| {
        let row = rows.get(usize::from(id));
        ChangeView { name: row.map_or("?", |row| row.name), unit: row.map(|row| row.unit), old, new }
    };
    let one = |rows| vec![view(rows, terms.parameter, terms.old_value, terms.new_value)];
    let batch = |rows| -> Vec<ChangeView> {
        proposal.batch.changes().iter().map(|c| view(rows, c.parameter, c.old_value, c.new_value)).collect()
    };
    match terms.kind {
        kind::MARKET_PARAMETER => one(MARKET_ROWS),
        kind::EXCHANGE_PARAMETER => one(EXCHANGE_ROWS),
        kind::MARKET_BATCH => batch(MARKET_ROWS),
        kind::EXCHANGE_BATCH => batch(EXCHANGE_ROWS),
        _ => vec![],
    }
}

/// The maintenance margin that a proposal would put in force; none where it leaves it alone.
pub fn margin_after(proposal: &Proposal) -> Option<Ratio> {
    let margin = MarketParams::id("maintenance_margin")?;
    let terms = &proposal.terms;
    let new = match terms.kind {
        kind::MARKET_PARAMETER if terms.parameter == margin => terms.new_value,
        kind::MARKET_BATCH => proposal.batch.changes().iter().find(|change| change.parameter == margin)?.new_value,
        _ => return None,
    };
    Some(Ratio(new))
}

/// The markets as they would be with another maintenance margin in one, no grace from it.
pub fn with_margin(markets: &Markets, index: u16, margin: Ratio) -> Markets {
    let changed = markets.iter().map(|(at, market)| {
        let mut market = Box::new(*market);
        if at == index {
            market.state.params.maintenance_margin = margin;
            market.state.grace_until = 0;
        }
        market
    });
    changed.collect()
}

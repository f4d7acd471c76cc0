//! Every field of the exchange and of a market is a row of the registry, changes by a proposal of its own kind, or is named
//! here as state with the reason: a field that nobody has thought about fails.

use ballast::state::{Exchange, Market};
use ballast_engine::layout::{FieldDef, Layout, TypeRef};
use ballast_engine::market::{Governed, MarketState};
use ballast_engine::params::{EXCHANGE_ROWS, ExchangeParams, MARKET_ROWS, MarketParams, Row};

/// What changes by a proposal, and by which kind.
const GOVERNED: &[(&str, &str)] = &[
    ("Exchange.oracle_programs", "kind 8, class G3"),
    ("Exchange.fee_destination", "kind 7, class G3"),
    ("Exchange.roles", "kinds 2, 3 and 4; a dismissal of the committee is at once"),
    ("Market.feed_id", "kind 5, class G3"),
    ("Market.oracle_program", "kind 5, class G3"),
    ("MarketState.governed", "kind 6, class G2; the rest is the state of a change of the oracle"),
];

/// What is fixed when the account is created: to change it would make it another exchange or market.
const FIXED: &[&str] = &[
    "Exchange.version",
    "Exchange.bump",
    "Exchange.vault_bump",
    "Exchange.quote_decimals",
    "Exchange.mint",
    "Exchange.vault",
    "Exchange.created_at",
    "Market.version",
    "Market.bump",
    "Market.lp_mint_bump",
    "Market.exchange",
    "Market.lp_mint",
    "MarketState.index",
    "MarketState.tier",
    "MarketState.base_decimals",
    "MarketState.quote_decimals",
];

/// What moves by use: no rule reads it as a setting.
const STATE: &[(&str, &str)] = &[
    ("Exchange.markets", "counts markets"),
    ("Exchange.market_created_at", "when the last market was made"),
    ("Exchange.param_log", "times and versions of the parameters"),
    ("Exchange.outflow", "the limiter's memory"),
    ("Exchange.emergency", "the guardian's pause, which expires"),
    ("Exchange.shared_insurance", "money; it leaves by kind 10, class G3"),
    ("Exchange.insurance", "batches of claims and a count of withdrawals"),
    ("Exchange.pending_proposals", "counts proposals"),
    ("Exchange.next_proposal", "counts proposals"),
    ("Exchange.sequence", "counts events"),
    ("Exchange.upgrades", "counts upgrades"),
    ("Exchange.guardian_pending", "counts pending replacements of the guardian"),
    ("Exchange.fee_version", "counts changes"),
    ("Exchange.oracle_version", "counts changes"),
    ("Exchange.exit_holds", "time that exits were held back"),
    ("Exchange.market_pending", "counts proposals"),
    ("Market.feed_version", "counts changes"),
    ("MarketState.param_changed", "times of the parameters' changes"),
    ("MarketState.param_version", "versions of the parameters"),
    ("MarketState.clock", "the time of the last touch"),
    ("MarketState.insurance", "claims on the shared fund"),
    ("MarketState.price", "prices"),
    ("MarketState.long", "sums"),
    ("MarketState.short", "sums"),
    ("MarketState.funding", "rate and time"),
    ("MarketState.pool", "money and shares"),
    ("MarketState.throttle", "pacing"),
    ("MarketState.overlay", "the guardian's protection, which expires"),
    ("MarketState.held", "claims on other pools"),
    ("MarketState.episode", "since when claims are over their threshold"),
    ("MarketState.frozen", "sums"),
    ("MarketState.deleveraging", "the last deleveraging, which positions pick up"),
    ("MarketState.settlement", "when it began, its price, what is left of it"),
    ("MarketState.old_maintenance", "the margin before a raise, while its grace runs"),
    ("MarketState.grace_until", "the end of the grace"),
    ("MarketState.old_initial", "the initial margin before a raise, while profit counts by it"),
    ("MarketState.credit_until", "the end of that"),
    ("MarketState.exits_unjudged", "whether a silent exit waits for a good price"),
    ("MarketState.resumed", "that price"),
    ("MarketState.sequence", "counts events"),
];

fn fields<T: Layout>() -> &'static [FieldDef] {
    match T::TYPE {
        TypeRef::Struct(def) => def.fields,
        _ => panic!("a struct"),
    }
}

/// Whether one of the lists, or the registry, knows a field.
fn known(name: &str) -> bool {
    GOVERNED.iter().chain(STATE).any(|(n, why)| *n == name && !why.is_empty()) || FIXED.contains(&name)
}

fn is_row(field: &FieldDef, rows: &[Row], parameters: TypeRef) -> bool {
    field.name == "params" && field.ty == parameters && !rows.is_empty()
}

#[test]
fn every_field_is_a_row_a_kind_of_proposal_or_named_as_state() {
    let mut unknown = Vec::new();
    let mut seen = Vec::new();
    let mut walk = |account: &str, fields: &'static [FieldDef], rows: &[Row], parameters: TypeRef| {
        for field in fields.iter().filter(|f| !f.name.starts_with("reserved")) {
            let name = format!("{account}.{}", field.name);
            // The rows are made from the struct itself: a field of it without one cannot be.
            let inner = account == "Market" && field.name == "state";
            if !inner && !is_row(field, rows, parameters) && !known(&name) {
                unknown.push(name.clone());
            }
            seen.push(name);
        }
    };
    walk("Exchange", Exchange::DEF.fields, EXCHANGE_ROWS, ExchangeParams::TYPE);
    walk("Market", Market::DEF.fields, MARKET_ROWS, MarketParams::TYPE);
    walk("MarketState", fields::<MarketState>(), MARKET_ROWS, MarketParams::TYPE);
    assert!(unknown.is_empty(), "nobody has said what governs these: {unknown:?}");
    let listed = GOVERNED.iter().chain(STATE).map(|(n, _)| *n).chain(FIXED.iter().copied());
    let idle: Vec<_> = listed.filter(|name| !seen.iter().any(|s| s == name)).collect();
    assert!(idle.is_empty(), "listed, and no such field: {idle:?}");
}

#[test]
fn every_field_of_the_parameter_sets_has_a_row() {
    for (fields, rows) in [(fields::<MarketParams>(), MARKET_ROWS), (fields::<ExchangeParams>(), EXCHANGE_ROWS)] {
        let names: Vec<_> = fields.iter().map(|f| f.name).filter(|n| *n != "reserved").collect();
        assert_eq!(names, rows.iter().map(|r| r.name).collect::<Vec<_>>());
    }
    assert!(!fields::<Governed>().is_empty());
}

//! The steps and parameter sets of `migrations/`, read strictly: a key that is not known is an error.

mod run;

use anyhow::{Context, Result, bail, ensure};
use ballast_engine::params::MARKET_ROWS;
use serde::Deserialize;
use toml::Table;

pub(crate) use run::{Money, Setup, duration, provider, run, wallets};

/// The format of step files that this version reads.
const FORMAT: u32 = 1;

/// The local steps, in order. Built in, so that the command needs no checkout.
const LOCAL: &[(&str, &str)] = &[
    ("001-exchange", include_str!("../../../../migrations/local/001-exchange.toml")),
    ("002-btc", include_str!("../../../../migrations/local/002-btc.toml")),
    ("003-eth", include_str!("../../../../migrations/local/003-eth.toml")),
    ("004-money", include_str!("../../../../migrations/local/004-money.toml")),
    ("005-open", include_str!("../../../../migrations/local/005-open.toml")),
    ("006-widen", include_str!("../../../../migrations/local/006-widen.toml")),
];

/// Parameter sets by name.
const SETS: &[(&str, &str)] = &[
    ("btc-v1", include_str!("../../../../migrations/sets/btc-v1.toml")),
    ("eth-v1", include_str!("../../../../migrations/sets/eth-v1.toml")),
];

/// A step file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    purpose: String,
    exchange: Option<ExchangeStep>,
    market: Option<MarketStep>,
    funding: Option<FundingStep>,
    #[serde(default)]
    parameter: Vec<ParameterStep>,
}

/// Creates the exchange.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExchangeStep {
    /// Decimals of the local collateral.
    pub(crate) decimals: u8,
    /// Local key of governance.
    pub(crate) governance: String,
    /// Local key of the committee.
    pub(crate) committee: String,
    /// Local key of the guardian.
    pub(crate) guardian: String,
    /// Names of the oracle programs.
    pub(crate) oracle_programs: Vec<String>,
}

/// Creates a market.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarketStep {
    /// What it is called.
    pub(crate) symbol: String,
    /// Its index.
    pub(crate) index: u16,
    /// A, B or C.
    pub(crate) tier: String,
    /// Decimals of a base atom.
    pub(crate) base_decimals: u8,
    /// Its parameter set.
    pub(crate) set: String,
}

/// Insurance and liquidity.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FundingStep {
    /// The shared fund, whole units.
    pub(crate) shared_insurance: u64,
    /// By market.
    pub(crate) market: Vec<MarketFunding>,
}

/// A market's money.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarketFunding {
    /// Which.
    pub(crate) index: u16,
    /// Its insurance, whole units.
    pub(crate) insurance: u64,
    /// First deposits, one per provider, whole units.
    pub(crate) liquidity: Vec<u64>,
}

/// Changes a parameter by proposal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParameterStep {
    /// The market.
    pub(crate) market: u16,
    /// The parameter's name.
    pub(crate) name: String,
    /// Its new value.
    pub(crate) value: u64,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// See [`ExchangeStep`].
    Exchange(ExchangeStep),
    /// See [`MarketStep`].
    Market(MarketStep),
    /// See [`FundingStep`].
    Funding(FundingStep),
    /// See [`ParameterStep`].
    Parameters(Vec<ParameterStep>),
}

/// A step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Its file's name.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) purpose: String,
    /// What it does.
    pub(crate) work: Work,
}

/// The local steps.
pub(crate) fn local() -> Result<Vec<Step>> {
    LOCAL.iter().map(|(name, text)| step(name, text).with_context(|| format!("migrations/local/{name}"))).collect()
}

fn step(name: &'static str, text: &str) -> Result<Step> {
    let file: File = toml::from_str(text)?;
    ensure!(file.format == FORMAT, "format {}; this version reads format {FORMAT}", file.format);
    let mut work: Vec<Work> = Vec::new();
    work.extend(file.exchange.map(Work::Exchange));
    work.extend(file.market.map(Work::Market));
    work.extend(file.funding.map(Work::Funding));
    if !file.parameter.is_empty() {
        work.push(Work::Parameters(file.parameter));
    }
    let count = work.len();
    match (work.pop(), count) {
        (Some(work), 1) => Ok(Step { name, purpose: file.purpose, work }),
        _ => bail!("{count} kinds of work; a step has one"),
    }
}

/// A market's parameters by id, from a set that names every one of them.
pub(crate) fn parameter_set(name: &str) -> Result<Vec<u64>> {
    let (_, text) =
        SETS.iter().find(|(n, _)| *n == name).with_context(|| format!("no set {name} in migrations/sets"))?;
    let mut table: Table = toml::from_str(text).with_context(|| format!("migrations/sets/{name}"))?;
    let mut values = Vec::new();
    for row in MARKET_ROWS {
        let value = table.remove(row.name).and_then(|v| v.as_integer()).and_then(|v| u64::try_from(v).ok());
        values.push(value.with_context(|| format!("migrations/sets/{name} lacks {}", row.name))?);
    }
    match table.keys().next() {
        Some(key) => bail!("migrations/sets/{name}: there is no parameter {key}"),
        None => Ok(values),
    }
}

/// Tier byte of its letter.
fn tier(letter: &str) -> Result<u8> {
    match letter {
        "A" => Ok(0),
        "B" => Ok(1),
        "C" => Ok(2),
        _ => bail!("tier {letter:?} is none of A, B and C"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballast_engine::envelope::check_market;
    use ballast_engine::params::MarketParams;
    use ballast_engine::tier::Tier;

    #[test]
    fn every_step_is_in_the_list_in_the_order_of_its_number() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/local");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        assert_eq!(files, LOCAL.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        local().unwrap();
    }

    #[test]
    fn every_markets_set_passes_the_programs_own_checks() {
        for step in local().unwrap() {
            let Work::Market(market) = step.work else { continue };
            let mut params = MarketParams::default();
            for (id, value) in (0..).zip(parameter_set(&market.set).unwrap()) {
                params.set(id, value).unwrap();
            }
            let tier = Tier::from_byte(tier(&market.tier).unwrap()).unwrap();
            check_market(&params, tier, params.maintenance_margin, 6).unwrap();
            assert_eq!(params.open_interest_cap.0, 0, "a new market's cap");
        }
    }

    #[test]
    fn every_change_is_within_its_step() {
        let mut sets = std::collections::BTreeMap::new();
        for step in local().unwrap() {
            match step.work {
                Work::Market(market) => drop(sets.insert(market.index, parameter_set(&market.set).unwrap())),
                Work::Parameters(changes) => {
                    for change in changes {
                        let id = usize::from(MarketParams::id(&change.name).unwrap());
                        let values = sets.get_mut(&change.market).unwrap();
                        MARKET_ROWS[id].check_step(values[id], change.value).unwrap();
                        values[id] = change.value;
                    }
                }
                Work::Exchange(_) | Work::Funding(_) => {}
            }
        }
    }

    #[test]
    fn a_misspelt_step_is_refused() {
        assert!(step("x", "format = 1\npurpose = ''\n[exchang]\n").is_err());
        assert!(step("x", "format = 2\npurpose = ''\n").is_err());
        assert!(step("x", "format = 1\npurpose = ''\n").is_err());
    }
}

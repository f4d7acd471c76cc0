//! The compute table: every instruction on the SBPF file under LiteSVM, against docs/compute.json. With
//! `BALLAST_WRITE_COMPUTE=1` (`make compute`) it writes that file and docs/COMPUTE.md instead.

mod accounts;
mod covenants;
mod fills;
mod keepers;
mod pools;
mod proposals;
mod table;

use std::collections::BTreeSet;
use std::path::PathBuf;

use ballast_tests::{Outcome, Sent};
use table::{Figures, Table};

/// What section 15 of docs/DESIGN.md asks for, compute units.
const TARGETS: [(&str, u64); 10] = [
    ("deposit", 8_000),
    ("withdraw", 10_000),
    ("update_market", 6_000),
    ("execute_order_1", 14_000),
    ("execute_order_8", 30_000),
    ("flag_1", 7_000),
    ("flag_8", 22_000),
    ("liquidate_1", 16_000),
    ("liquidate_8", 32_000),
    ("execute_proposal", 10_000),
];

/// What instructions used, by name; names that depend on the number of positions end with it.
#[derive(Default)]
struct Units(std::collections::BTreeMap<String, Vec<u64>>);

impl Units {
    /// Records what a transaction of one instruction used.
    ///
    /// # Panics
    /// If it was refused.
    #[track_caller]
    fn add(&mut self, name: &str, outcome: Outcome) -> Sent {
        let sent = outcome.unwrap_or_else(|refused| panic!("{name}: {refused}"));
        self.0.entry(name.to_owned()).or_default().push(sent.units);
        sent
    }
}

/// Runs all cases. Keys, addresses and prices are the same in every run.
fn measure() -> Table {
    let mut units = Units::default();
    accounts::run(&mut units);
    covenants::run(&mut units);
    fills::run(&mut units);
    keepers::run(&mut units);
    pools::run(&mut units);
    proposals::run(&mut units);
    Table(units.0.into_iter().map(|(name, units)| (name, Figures::of(units))).collect())
}

fn docs(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).join(file)
}

#[test]
fn compute_units_are_those_of_the_table() {
    let measured = measure();
    assert_every_instruction_is_there(&measured);
    if std::env::var_os("BALLAST_WRITE_COMPUTE").is_some() {
        std::fs::write(docs("compute.json"), measured.json()).expect("docs/compute.json");
        std::fs::write(docs("COMPUTE.md"), measured.document(&TARGETS)).expect("docs/COMPUTE.md");
        return;
    }
    let json = std::fs::read_to_string(docs("compute.json")).expect("docs/compute.json; run `make compute`");
    let committed = Table::parse(&json);
    let document = std::fs::read_to_string(docs("COMPUTE.md")).expect("docs/COMPUTE.md; run `make compute`");
    assert_eq!(
        document,
        committed.document(&TARGETS),
        "docs/COMPUTE.md is not docs/compute.json's; run `make compute`"
    );
    let missed: Vec<String> = TARGETS
        .iter()
        .filter(|(name, target)| measured.0[*name].max > *target)
        .map(|(name, target)| format!("{name} takes up to {} CU, {target} are wanted", measured.0[*name].max))
        .collect();
    for miss in &missed {
        println!("target not met: {miss}");
    }
    let far = |(name, target): &(&str, u64)| measured.0[*name].max * 100 > target * 105;
    assert!(!TARGETS.iter().any(far), "a target is missed by more than 5 %:\n{}", missed.join("\n"));
    let regressions = measured.regressions(&committed);
    assert!(
        regressions.is_empty(),
        "worse than docs/compute.json (meant so? `make compute` writes it again):\n{}",
        regressions.join("\n")
    );
}

/// The table leaves out no instruction of the IDL, and has none that the IDL does not know.
fn assert_every_instruction_is_there(measured: &Table) {
    let idl: serde_json::Value = serde_json::from_str(include_str!("../../idl/ballast.json")).expect("the IDL");
    let wanted: BTreeSet<String> = idl["instructions"]
        .as_array()
        .expect("instructions")
        .iter()
        .map(|i| i["name"].as_str().expect("a name").replace("execute_market_proposal", "execute_proposal"))
        .map(|name| name.replace("execute_exchange_proposal", "execute_proposal"))
        .chain(["execute_batch".to_owned()])
        .collect();
    let found: BTreeSet<String> =
        measured.0.keys().map(|name| name.trim_end_matches(['_', '1', '8']).replace("_under_covenant", "")).collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_regression_a_missing_and_an_unknown_instruction_are_noticed() {
    let table = |figures: &[(&str, [u64; 3])]| {
        let figure = |[min, median, max]: [u64; 3]| Figures { min, median, max };
        Table(figures.iter().map(|(name, f)| ((*name).to_owned(), figure(*f))).collect())
    };
    let committed = table(&[("deposit", [100, 200, 300]), ("settle", [100, 100, 100])]);
    assert_eq!(table(&[("deposit", [105, 210, 315]), ("settle", [1, 1, 1])]).regressions(&committed), [""; 0]);
    assert_eq!(table(&[("deposit", [100, 200, 316]), ("settle", [1, 1, 1])]).regressions(&committed).len(), 1);
    assert_eq!(table(&[("deposit", [100, 200, 300])]).regressions(&committed), ["settle: not measured"]);
    let more = table(&[("deposit", [100, 200, 300]), ("settle", [1, 1, 1]), ("flag_1", [1, 1, 1])]);
    assert_eq!(more.regressions(&committed), ["flag_1: not in the table"]);
    assert_eq!(Table::parse(&committed.json()), committed);
    assert_eq!(Figures::of(vec![5, 1, 9, 7]), Figures { min: 1, median: 5, max: 9 });
}

//! The table: figures, the file that machines read and the one that people read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Compute units of one instruction over its cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// The least.
    pub(crate) min: u64,
    /// The middle one; of an even number the lower of the two.
    pub(crate) median: u64,
    /// The most.
    pub(crate) max: u64,
}

impl Figures {
    /// Of what was measured.
    pub(crate) fn of(mut units: Vec<u64>) -> Self {
        units.sort_unstable();
        Self { min: units[0], median: units[(units.len() - 1) / 2], max: units[units.len() - 1] }
    }
}

/// Figures by instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table(pub(crate) BTreeMap<String, Figures>);

impl Table {
    /// From the machine-readable file.
    pub(crate) fn parse(json: &str) -> Self {
        Self(serde_json::from_str(json).expect("docs/compute.json"))
    }

    /// The machine-readable file.
    pub(crate) fn json(&self) -> String {
        let rows = self
            .0
            .iter()
            .map(|(name, figures)| format!("  \"{name}\": {}", serde_json::to_string(figures).expect("numbers")));
        format!("{{\n{}\n}}\n", rows.collect::<Vec<_>>().join(",\n"))
    }

    /// What is worse than a committed table by more than 5 %, or in one of the two alone.
    pub(crate) fn regressions(&self, committed: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, old) in &committed.0 {
            let Some(new) = self.0.get(name) else {
                found.push(format!("{name}: not measured"));
                continue;
            };
            let pairs = [("min", old.min, new.min), ("median", old.median, new.median), ("max", old.max, new.max)];
            for (figure, old, new) in pairs {
                if new * 100 > old * 105 {
                    found.push(format!("{name}: {figure} {new} CU, was {old}"));
                }
            }
        }
        let unknown = self.0.keys().filter(|name| !committed.0.contains_key(*name));
        found.extend(unknown.map(|name| format!("{name}: not in the table")));
        found
    }

    /// The document for people.
    pub(crate) fn document(&self, targets: &[(&str, u64)]) -> String {
        let mut text = String::from(HEAD).replace("LITESVM", &locked("litesvm"));
        text.push_str("| instruction | target | min | median | max |\n| --- | ---: | ---: | ---: | ---: |\n");
        for (name, target) in targets {
            let Some(Figures { min, median, max }) = self.0.get(*name) else { continue };
            let missed = if max > target { " (not met)" } else { "" };
            writeln!(text, "| `{name}` | {target}{missed} | {min} | {median} | {max} |").expect("a string");
        }
        text.push_str("\n## The others\n\n| instruction | min | median | max |\n| --- | ---: | ---: | ---: |\n");
        for (name, Figures { min, median, max }) in &self.0 {
            if targets.iter().all(|(target, _)| target != name) {
                writeln!(text, "| `{name}` | {min} | {median} | {max} |").expect("a string");
            }
        }
        text
    }
}

/// A crate's version in the lock file.
fn locked(name: &str) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let line = format!("name = \"{name}\"\nversion = \"");
    let rest = lock.split(&line).nth(1).expect("in the lock file");
    rest.split('"').next().expect("a version").to_owned()
}

const HEAD: &str = "\
# Compute units

Written by a test; `make compute` measures again and writes this file and [compute.json](compute.json). `make test`
measures too and fails where a figure is more than 5 % above the one here, or an instruction is missing.

Each figure is one instruction in a transaction of its own, its calls of other programs and its event included, on the
SBPF v3 file under LiteSVM LITESVM. Cases differ in state and amounts (tests/tests/compute/); keys are fixed, so that the
search for an address takes the same number of tries in every run: `max` is over the cases with these keys, and with others each
further try of the search costs an instruction that opens an account 1,500. Tokens move by the classic token program in its p-token
release, which LiteSVM brings and clusters run: 76 units for a transfer, where the release before it took 4,700.

A number at the end of a name is the number of positions. `execute_proposal` is both `execute_market_proposal` and
`execute_exchange_proposal` for a single change, `execute_batch` the same for two to eight; `withdraw` is of accounts without a
position. What ends in `_under_covenant` is of an owner who has one; everything else is of owners without. `execute_upgrade` is for
a program of the price feed's size. `verify_upgrade` is of whole parts, 1 MiB, and of shorter last ones: their SHA-256, half a unit
a byte, is most of it. `update_market` leaves out the no-op for a
price that is not newer.

## Against the targets

The targets are those of [DESIGN.md](DESIGN.md), section 15. They are for every case, the dearest too: `make test` fails
where one is missed by more than 5 %.

";

//! A long random sequence of everything that anybody can do, sensible or not, by ten traders and providers, keepers, the
//! oracle, the guardian and governance, in three markets. After every instruction the books add up (P1, P3) and every
//! invariant holds; for every refusal the test knows the reason from the state before it, and nothing goes through that
//! has one. `BALLAST_SEED` repeats a run, `BALLAST_STEPS` sets its length in instructions.

mod act;
mod choose;
mod covenants;
mod endings;
mod exits;
mod extremes;
mod fill;
mod governors;
mod judge;
mod officers;
mod rules;
mod scenes;
mod upgrades;
mod world;

use std::collections::BTreeSet;

use world::Sim;

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, and is {value}")))
}

#[test]
fn p1_p3_hold_through_any_sequence_and_every_refusal_has_its_reason() {
    let seed = variable("BALLAST_SEED").unwrap_or_else(rand::random);
    let steps = variable("BALLAST_STEPS").unwrap_or(10_000);
    println!("BALLAST_SEED={seed} BALLAST_STEPS={steps}");
    let mut sim = Sim::new(seed);
    sim.begin();
    while sim.sent < steps / 5 * 3 {
        sim.anything();
    }
    // A short run need not come across everything; a long one has little left to be looked for.
    let wanted = if steps >= 10_000 { instructions() } else { BTreeSet::new() };
    // Those come at the end of a market, or of the run.
    let last = ["close_subaccount", "advance_settlement", "close_settled"];
    for name in wanted.iter().filter(|name| !last.contains(&name.as_str())) {
        sim.look_for(name);
    }
    // One market ends, by want of equity or by silence; the others go on.
    sim.a_market_ends();
    let rest = sim.sent + steps / 5 * 2;
    while sim.sent < rest {
        sim.anything();
    }
    sim.everybody_leaves();
    report(&sim);
    for name in wanted {
        assert!(sim.done.contains_key(name.as_str()), "{}: {name} never went through", sim.place());
    }
}

/// All instructions of the program.
fn instructions() -> BTreeSet<String> {
    let idl: serde_json::Value = serde_json::from_str(include_str!("../../../idl/ballast.json")).expect("the IDL");
    let list = idl["instructions"].as_array().expect("instructions");
    list.iter().map(|i| i["name"].as_str().expect("a name").to_owned()).collect()
}

fn report(sim: &Sim) {
    let refused: u64 = sim.refused.values().sum();
    println!("{} instructions: {} went through, {refused} were refused", sim.sent, sim.sent - refused);
    for name in instructions() {
        let reasons: Vec<String> = sim
            .refused
            .iter()
            .filter(|((instruction, _), _)| *instruction == name)
            .map(|((_, reason), count)| format!("{reason} {count}"))
            .collect();
        println!("{name}: {}; {}", sim.done.get(name.as_str()).unwrap_or(&0), reasons.join(", "));
    }
}

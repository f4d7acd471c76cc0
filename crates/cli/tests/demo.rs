//! `ballast demo`: what a scenario reports, as a machine reads it.
#![allow(missing_docs, reason = "a test")]

use std::process::Command;

use serde_json::Value;

const BALLAST: &str = env!("CARGO_BIN_EXE_ballast");

fn demo(args: &[&str]) -> std::process::Output {
    Command::new(BALLAST).arg("demo").args(args).env_remove("BALLAST_SEED").output().expect("the command runs")
}

#[track_caller]
fn number(value: &Value, path: &str) -> u64 {
    let found = path.split('/').fold(value, |value, name| &value[name]);
    found.as_u64().unwrap_or_else(|| panic!("{path} is {found}"))
}

#[test]
fn the_discipline_scenario_fills_trips_closes_and_refuses_as_the_rules_say() {
    let output = demo(&["--scenario", "discipline", "--short", "--minutes", "14", "--json"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(&text).expect("a report");
    assert_eq!(report["scenario"], "discipline");
    assert_eq!(number(&report, "transactions/failed_unexpectedly"), 0, "{}", report["failures"]);
    assert_eq!(
        (report["audit"]["difference"].as_i64(), &report["audit"]["mismatches"]),
        (Some(0), &Value::from([0; 0]))
    );

    let part = &report["discipline"];
    let orders = &part["orders"];
    for kind in ["market", "limit", "stop_entry", "stop_loss", "trailing_stop", "take_profit"] {
        assert!(number(orders, &format!("filled/{kind}")) > 0, "{kind}: {orders}");
    }
    assert_eq!((number(orders, "filled_twice"), number(orders, "unexplained")), (0, 0), "{orders}");
    assert!(number(orders, "activated") <= number(orders, "brackets"));
    // What a covenant forbids is cleared away by the keeper as what has died is.
    for (reason, times) in [
        ("OrderExpired", 1),
        ("PositionNotFound", 1),
        ("CovenantTripped", 3),
        ("CovenantLeverage", 3),
        ("CovenantNotional", 1),
    ] {
        assert!(number(orders, &format!("cleared/{reason}")) >= times, "{reason}: {orders}");
    }
    // Every order has exactly one end: a fill of its last part, a cancelling, or it waits.
    let filled = |kinds: &[&str]| kinds.iter().map(|kind| number(orders, &format!("filled/{kind}"))).sum::<u64>();
    let entries = filled(&["market", "limit", "stop_entry"]) - number(orders, "activated");
    let exits = filled(&["stop_loss", "trailing_stop", "take_profit"]);
    let cleared: u64 = orders["cleared"].as_object().expect("by reason").values().filter_map(Value::as_u64).sum();
    let ended = entries + exits + cleared + number(orders, "cancelled_by_owner") + number(orders, "open");
    assert_eq!(ended, number(orders, "placed"), "{orders}");

    let stops = number(part, "slippage/stops");
    assert!(stops > 0 && stops + 3 == filled(&["stop_loss", "trailing_stop"]), "three stops are the acts': {part}");
    let covenants = &part["covenants"];
    assert!(number(covenants, "trips") >= 2 && number(covenants, "closed") >= 1, "{covenants}");
    assert_eq!(covenants["faults"], Value::from([0; 0]));
    for pair in part["pairs"].as_array().expect("pairs") {
        let trip = &pair["trip"];
        if !trip.is_null() {
            let [limit, before, lost, gap, cost] =
                ["limit", "before", "lost", "gap", "cost"].map(|name| number(trip, name));
            assert!(before < limit && lost <= limit + gap + cost, "{pair}");
        }
    }
    let refused = &part["refused"];
    for (reason, times) in [
        ("CovenantTripped", 3),
        ("CovenantLeverage", 3),
        ("CovenantNotional", 1),
        ("CovenantLooser", 1),
        ("CovenantNotReady", 2),
        ("CovenantInForce", 1),
        ("CovenantNotTripped", 1),
        ("DelegateBudget", 1),
        ("OrderLocked", 1),
        ("WrongOwner", 5),
    ] {
        assert_eq!(number(refused, reason), times, "{reason}: {refused}");
    }
    for job in ["orders", "covenants"] {
        assert!(number(part, &format!("keeper_fees/{job}")) > 0, "{part}");
    }
    let told: Vec<_> =
        part["story"].as_array().expect("a story").iter().filter_map(|line| line["step"].as_str()).collect();
    let acts = ["take-profit", "bracket", "expiry", "trailing", "stop-loss", "in and out", "daily loss", "reduce-only"];
    assert!(
        acts.iter().chain(&["drawdown", "delegate", "tighter", "looser"]).all(|act| told.contains(act)),
        "{told:?}"
    );
}

#[test]
fn options_that_do_not_go_together_are_refused_before_anything_starts() {
    for args in [
        &["--scenario", "governance", "--short"][..],
        &["--scenario", "bankruptcy", "--minutes", "20"],
        &["--scenario", "discipline", "--validator", "agave"],
    ] {
        let output = demo(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

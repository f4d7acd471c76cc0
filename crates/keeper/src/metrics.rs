//! Counters, gauges and latencies in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

use crate::lock;

/// Upper ends of the latency buckets, milliseconds.
const BUCKETS: [u64; 12] = [50, 100, 200, 400, 800, 1_200, 1_600, 2_400, 4_000, 8_000, 16_000, 60_000];

/// What each name means, and whether it only grows.
const HELP: &[(&str, &str, &str)] = &[
    ("ballast_keeper_accounts", "gauge", "Subaccounts known."),
    ("ballast_keeper_accounts_near", "gauge", "Accounts whose surplus is within a tenth of their requirement."),
    ("ballast_keeper_accounts_unhealthy", "gauge", "Accounts below maintenance."),
    ("ballast_keeper_accounts_unknown", "gauge", "Accounts that could not be judged."),
    ("ballast_keeper_actions_total", "counter", "Actions by job and what became of them."),
    (
        "ballast_keeper_doubtful_updates_total",
        "counter",
        "Accounts that a socket told of with a slot that they cannot have, and that were read again.",
    ),
    (
        "ballast_keeper_failed_lamports_left",
        "gauge",
        "Left of this hour's budget for what lands and fails though it was to earn something.",
    ),
    ("ballast_keeper_fees_lamports_total", "counter", "Fees paid, lamports."),
    ("ballast_keeper_in_flight", "gauge", "Transactions under way."),
    (
        "ballast_keeper_latency_seconds",
        "histogram",
        "From the price or the state that called for it to its confirmation.",
    ),
    ("ballast_keeper_missed_updates_total", "counter", "Accounts that a reconciliation had to mend."),
    ("ballast_keeper_oracles_refused_total", "counter", "Times an oracle's account was no oracle's any more."),
    ("ballast_keeper_price_age_seconds", "gauge", "Age of each market's stored price."),
    ("ballast_keeper_reconciliations_total", "counter", "Whole readings of the exchange."),
    ("ballast_keeper_rewards_total", "counter", "Rewards earned, collateral's smallest unit."),
    ("ballast_keeper_rollbacks_total", "counter", "Times the chain stood at an earlier slot than before."),
    ("ballast_keeper_rpc_faults_total", "counter", "Requests that a node did not answer."),
    ("ballast_keeper_scan_seconds", "gauge", "Time that judging all accounts took last."),
    ("ballast_keeper_slot", "gauge", "Newest slot seen."),
    ("ballast_keeper_socket_lost_total", "counter", "Times the websocket was lost."),
    ("ballast_keeper_socket_up", "gauge", "Whether the websocket is up."),
    (
        "ballast_keeper_unpaid_lamports_left",
        "gauge",
        "Left of this hour's budget for what nobody pays for, by what for.",
    ),
];

type Key = (&'static str, String);

#[derive(Default)]
struct Histogram {
    counts: [u64; BUCKETS.len()],
    count: u64,
    millis: u64,
}

/// The figures. All are integers; times are kept in milliseconds or microseconds.
#[derive(Default)]
pub struct Metrics {
    counters: Mutex<BTreeMap<Key, u64>>,
    gauges: Mutex<BTreeMap<Key, i64>>,
    micros: Mutex<BTreeMap<Key, u64>>,
    histograms: Mutex<BTreeMap<Key, Histogram>>,
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    pairs.join(",")
}

impl Metrics {
    /// Adds to a counter.
    pub fn add(&self, name: &'static str, pairs: &[(&str, &str)], by: u64) {
        let mut counters = lock(&self.counters);
        let counter = counters.entry((name, labels(pairs))).or_default();
        *counter = counter.saturating_add(by);
    }

    /// A counter.
    pub fn count(&self, name: &'static str, pairs: &[(&str, &str)]) -> u64 {
        lock(&self.counters).get(&(name, labels(pairs))).copied().unwrap_or(0)
    }

    /// Sets a gauge.
    pub fn set(&self, name: &'static str, pairs: &[(&str, &str)], value: i64) {
        lock(&self.gauges).insert((name, labels(pairs)), value);
    }

    /// Sets a gauge of time.
    pub fn set_time(&self, name: &'static str, time: Duration) {
        lock(&self.micros).insert((name, String::new()), u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Takes a latency.
    pub fn observe(&self, name: &'static str, pairs: &[(&str, &str)], time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut histograms = lock(&self.histograms);
        let histogram = histograms.entry((name, labels(pairs))).or_default();
        histogram.count += 1;
        histogram.millis = histogram.millis.saturating_add(millis);
        for (bucket, end) in histogram.counts.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(millis <= end);
        }
    }

    /// All of them as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, kind, help) in HELP {
            let mut lines = String::new();
            let line = |lines: &mut String, suffix: &str, labels: &str, value: &dyn std::fmt::Display| {
                let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
                // Writing to a string does not fail.
                let _ = writeln!(lines, "{name}{suffix}{labels} {value}");
            };
            for ((_, labels), value) in lock(&self.counters).iter().filter(|((n, _), _)| n == name) {
                line(&mut lines, "", labels, value);
            }
            for ((_, labels), value) in lock(&self.gauges).iter().filter(|((n, _), _)| n == name) {
                line(&mut lines, "", labels, value);
            }
            for ((_, labels), value) in lock(&self.micros).iter().filter(|((n, _), _)| n == name) {
                line(&mut lines, "", labels, &format!("{}.{:06}", value / 1_000_000, value % 1_000_000));
            }
            for ((_, labels), histogram) in lock(&self.histograms).iter().filter(|((n, _), _)| n == name) {
                let and = if labels.is_empty() { "" } else { "," };
                for (count, end) in histogram.counts.iter().zip(BUCKETS) {
                    let end = format!("{labels}{and}le=\"{}.{:03}\"", end / 1_000, end % 1_000);
                    line(&mut lines, "_bucket", &end, count);
                }
                line(&mut lines, "_bucket", &format!("{labels}{and}le=\"+Inf\""), &histogram.count);
                let sum = format!("{}.{:03}", histogram.millis / 1_000, histogram.millis % 1_000);
                line(&mut lines, "_sum", labels, &sum);
                line(&mut lines, "_count", labels, &histogram.count);
            }
            if !lines.is_empty() {
                let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        metrics.add("ballast_keeper_actions_total", &[("job", "flag"), ("outcome", "done")], 2);
        metrics.add("ballast_keeper_actions_total", &[("job", "flag"), ("outcome", "done")], 1);
        metrics.set("ballast_keeper_accounts", &[], 500);
        metrics.set_time("ballast_keeper_scan_seconds", Duration::from_micros(1_234));
        metrics.observe("ballast_keeper_latency_seconds", &[("job", "flag")], Duration::from_millis(300));
        let text = metrics.text();
        for line in [
            "# TYPE ballast_keeper_actions_total counter",
            "ballast_keeper_actions_total{job=\"flag\",outcome=\"done\"} 3",
            "ballast_keeper_accounts 500",
            "ballast_keeper_scan_seconds 0.001234",
            "ballast_keeper_latency_seconds_bucket{job=\"flag\",le=\"0.200\"} 0",
            "ballast_keeper_latency_seconds_bucket{job=\"flag\",le=\"0.400\"} 1",
            "ballast_keeper_latency_seconds_bucket{job=\"flag\",le=\"+Inf\"} 1",
            "ballast_keeper_latency_seconds_sum{job=\"flag\"} 0.300",
            "ballast_keeper_latency_seconds_count{job=\"flag\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert_eq!(metrics.count("ballast_keeper_actions_total", &[("job", "flag"), ("outcome", "done")]), 3);
    }
}

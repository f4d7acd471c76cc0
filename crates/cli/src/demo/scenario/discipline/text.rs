//! The report for people.

use super::super::super::common::Account;
use super::super::super::scene::{money, told};
use super::orders::Spread;
use super::report::{PairPart, Report};
use crate::amount::{quote, show};
use crate::output::table;

/// A bar's length for one percent of a trader's money.
const BAR: f64 = 1.0;
/// The longest bar.
const LONGEST: f64 = 40.0;
/// What the columns of the pairs say.
const LEGEND: &str = "\
aim: notional over money that the plan opens with. A price before: lost at the last price within the limit; at the trip: at
the second look, which trips; in the end: once all was closed. Beyond: in the end, more than the limit, in hundredths of a
percent of what was closed; gap: what prices took of that from the one before to the close. Result: of the whole run";

/// All of it.
pub(super) fn write(report: &Report) -> String {
    let parts =
        [head(report), told(&report.discipline.story), orders(report), pairs(report), chart(report), closing(report)];
    parts.into_iter().map(|part| part.trim_end().to_owned()).collect::<Vec<_>>().join("\n\n")
}

fn head(report: &Report) -> String {
    let (common, prices) = (&report.common, &report.discipline.prices);
    let plain = |price: f64| show((price * 100.0).round() as i128, 2, 2);
    format!(
        "SCENARIO discipline, {:.0} s of real time\nprices    {}, {} minutes, {} posts, {} to {}, at most {:.2} bps from one to the next",
        common.seconds,
        prices.source,
        prices.minutes,
        prices.prints,
        plain(prices.low),
        plain(prices.high),
        prices.widest_bps
    )
}

fn orders(report: &Report) -> String {
    let (o, s) = (&report.discipline.orders, &report.discipline.slippage);
    let f = &o.filled;
    let cleared: Vec<_> = o.cleared.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    let spread = |name: &str, spread: &Spread| {
        let number = |value: f64| format!("{value:.2}");
        vec![name.to_owned(), number(spread.median), number(spread.p95), number(spread.worst)]
    };
    let header = ["bps beyond", "median", "95 of 100", "worst"];
    let rows = [spread("the stop's price", &s.from_stop), spread("the price that met it", &s.from_trigger)];
    format!(
        "ORDERS\n{} placed, {} of them brackets ({} became their exits); filled: {} market, {} limit, {} stop entries, \
         {} stops, {} trailing stops, {} targets\n{} cancelled by their owners; cleared away by the keeper: {}; {} recorded \
         before the ring forgot; {} wait; {} filled twice\n{} of those stops are the crowd's; where they filled, premium included\n{}",
        o.placed,
        o.brackets,
        o.activated,
        f.market,
        f.limit,
        f.stop_entry,
        f.stop_loss,
        f.trailing_stop,
        f.take_profit,
        o.cancelled_by_owner,
        cleared.join(", "),
        o.recorded,
        o.open,
        o.filled_twice,
        s.stops,
        table(&header, &[1, 2, 3], rows)
    )
}

fn pairs(report: &Report) -> String {
    let d = report.common.decimals;
    let amount = |value: u64| quote(value, d);
    let row = |pair: &PairPart| {
        let mut cells =
            vec![pair.pair.to_string(), pair.plan.to_owned(), amount(pair.stake), format!("{}x", pair.leverage)];
        match &pair.trip {
            Some(trip) => cells.extend([
                trip.by.to_owned(),
                amount(trip.limit),
                amount(trip.before),
                amount(trip.at_trip),
                amount(trip.lost),
                format!("{:.1}", trip.beyond_bps()),
                format!("{:.1}", trip.gap_bps()),
            ]),
            None => {
                let limit = if pair.drawdown == 0 { pair.daily_loss } else { pair.daily_loss.min(pair.drawdown) };
                cells.extend(["not tripped".to_owned(), amount(limit)]);
                cells.extend([String::new(), String::new(), String::new(), String::new(), String::new()]);
            }
        }
        cells.extend([quote(pair.bound.result, d), quote(pair.free.result, d)]);
        cells
    };
    let header = [
        "pair",
        "plan",
        "money",
        "aim",
        "tripped by",
        "limit",
        "a price before",
        "at the trip",
        "in the end",
        "beyond, bps",
        "gap, bps",
        "result",
        "the free twin's",
    ];
    let c = &report.discipline.covenants;
    format!(
        "COVENANTS\n{} trips, {} positions closed by the keeper; {} of {} in the crowd tripped; beyond the limit at most {:.2} bps \
         of the position; prices took at most {:.2} of it from the look before to the close\ntogether those under a covenant \
         made {}, their free twins {}; the worst of them {:.1} % and {:.1} % of its money\n{}\n{LEGEND}",
        c.trips,
        c.closed,
        c.tripped,
        report.discipline.pairs.len(),
        c.worst_beyond_bps,
        c.worst_gap_bps,
        quote(c.bound_result, d),
        quote(c.free_result, d),
        c.bound_worst,
        c.free_worst,
        table(&header, &[0, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12], report.discipline.pairs.iter().map(row))
    )
}

/// What each lost, a mark for one percent of its money.
fn chart(report: &Report) -> String {
    let mut text =
        String::from("LOST, one # for one percent of the money: with the covenant, and the same hand without\n");
    let bar = |percent: f64| {
        if percent >= 0.0 {
            return format!("made {percent:.1} %");
        }
        let length = (-percent / BAR).clamp(0.0, LONGEST).round() as usize;
        format!("{} {:.1} %", "#".repeat(length), -percent).trim_start().to_owned()
    };
    for pair in &report.discipline.pairs {
        let end = if pair.free.liquidations > 0 { ", liquidated" } else { "" };
        text += &format!("{:>4}  {:<20} {}\n", pair.pair, pair.plan, bar(pair.bound.percent));
        text += &format!("{:<26} {}{end}\n", "", bar(pair.free.percent));
    }
    text
}

fn closing(report: &Report) -> String {
    let part = &report.discipline;
    let refused: Vec<_> = part.refused.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    let fees: Vec<_> = part.keeper_fees.iter().map(|(job, fee)| format!("{job} {}", money(*fee))).collect();
    format!(
        "REFUSED, as it must be: {}\nKEEPER earned {}\n{}\n{}",
        refused.join(", "),
        fees.join(", "),
        report.common.brief(),
        report.common.closing(report.verdict())
    )
}

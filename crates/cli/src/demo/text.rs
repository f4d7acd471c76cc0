//! The report for people.

use super::common::Account;
use super::report::Report;
use crate::amount::{self, grouped, quote, rate};
use crate::output::table;

/// All of it.
pub(crate) fn write(report: &Report) -> String {
    let parts = [
        head(report),
        liquidations(report),
        traders(report),
        markets(report),
        governance(report),
        keeper(report),
        transactions(report),
        units(report),
        audit(report),
        left_out(report),
        verdict(report),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn head(report: &Report) -> String {
    let p = &report.prices;
    let (program, validator) = (&report.common.program, report.validator.kind);
    format!(
        "Ballast on {validator}: {} of real time\n\
         program   {} bytes, SBPF v{}\n\
         prices    {}, {} minutes, {} posts, {} to {}",
        time(report.common.seconds),
        grouped(program.so_bytes.into()),
        program.sbpf_version,
        p.source,
        grouped(p.minutes as u128),
        grouped(p.posts.into()),
        plain(p.low),
        plain(p.high),
    )
}

fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    format!("{} min {:02} s", whole / 60, whole % 60)
}

fn plain(price: f64) -> String {
    amount::show((price * 100.0).round() as i128, 2, 2)
}

fn liquidations(report: &Report) -> String {
    let (l, d) = (&report.liquidations, report.common.decimals);
    let mut text = format!(
        "LIQUIDATIONS\n{} accounts flagged ({} flags, {} cleared by recovery); {} liquidated in {} steps, {} of them \
         partial\n{} closed, {} to keepers, {} to insurance; {} accounts below zero, deficit {}",
        l.flagged_accounts,
        l.flags,
        l.unflagged,
        l.accounts,
        l.count,
        l.partial,
        quote(l.notional, d),
        quote(l.keeper_fees, d),
        quote(l.insurance_fees, d),
        l.resolved,
        quote(l.deficits, d),
    );
    if let Some(hiccup) = &report.hiccup {
        text += &format!(
            "\nA single wrong print ({} for {}): {} accounts flagged, {} liquidated",
            plain(hiccup.print),
            plain(hiccup.before),
            hiccup.flags,
            hiccup.liquidations
        );
    }
    let rows = report.traders.iter().filter(|t| t.liquidations > 0).map(|t| {
        vec![
            t.name.clone(),
            t.mode.to_owned(),
            format!("{}x", t.leverage),
            t.markets.join(" "),
            quote(t.deposited, d),
            t.liquidations.to_string(),
            quote(t.liquidated_notional, d),
            quote(t.liquidation_fees, d),
            quote(t.equity, d),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        let header = ["who", "mode", "aim", "markets", "put in", "steps", "closed", "fees", "left to them"];
        text += "\n";
        text += &table(&header, &[4, 5, 6, 7, 8], rows);
    }
    text
}

fn traders(report: &Report) -> String {
    let d = report.common.decimals;
    let result = |t: &super::parts::TraderPart| t.equity + t.withdrawn as i64 - t.deposited as i64;
    let all: i64 = report.traders.iter().map(result).sum();
    let (cross, isolated): (Vec<_>, Vec<_>) = report.traders.iter().partition(|t| t.mode == "cross");
    let won = report.traders.iter().filter(|t| result(t) > 0).count();
    let f = &report.funding;
    format!(
        "TRADERS\n{} traders ({} cross, {} isolated), {won} ahead; together {}; keepers earned {}\n\
         Funding and holding fees: {} accruals charged, {} paid, {} received, {} to the pools",
        report.traders.len(),
        cross.len(),
        isolated.len(),
        quote(all, d),
        quote(report.common.keeper.collateral, d),
        grouped(f.accruals.into()),
        quote(f.paid_by_traders, d),
        quote(f.received_by_traders, d),
        quote(f.pool_net, d),
    )
}

fn markets(report: &Report) -> String {
    let d = report.common.decimals;
    let rows = report.markets.iter().map(|m| {
        vec![
            m.symbol.clone(),
            m.fills.to_string(),
            quote(m.volume, d),
            quote(m.fees, d),
            m.positions.to_string(),
            rate(m.funding_rate),
            quote(m.liquidity, d),
            quote(m.pool_equity, d),
            quote(m.pool_pnl, d),
            quote(m.insurance, d),
            quote(m.deficits, d),
        ]
    });
    let header = [
        "market",
        "fills",
        "volume",
        "fees",
        "open",
        "funding",
        "LPs put in",
        "pool equity",
        "pool PnL",
        "insurance",
        "deficits",
    ];
    let exit = report
        .liquidity_exit
        .map_or(String::new(), |amount| format!("\nA provider left after the cool-down with {}", quote(amount, d)));
    format!("MARKETS\n{}{exit}", table(&header, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], rows))
}

fn governance(report: &Report) -> String {
    let (g, p) = (&report.governance, &report.pause);
    let rows = [
        ("changes queued and executed to open the markets", g.opening),
        ("changes queued", g.queued),
        ("executed after the delay", g.executed),
        ("fills that then paid the changed fee", g.new_fee_paid),
        ("vetoed by the guardian", g.vetoed),
        ("refused: before the delay was over", g.early_refused),
        ("refused: outside the hard bounds", g.bounds_refused),
        ("refused: larger than the largest step", g.step_refused),
        ("refused: breaks the solvency envelope", g.envelope_refused),
        ("refused: not the proposer's to change", g.right_refused),
        ("refused: execution of what was vetoed", g.vetoed_refused),
        ("pauses armed by the guardian", p.armed),
        ("refused: increases during the pause", p.increases_refused),
        ("accepted: reductions during the pause", p.reductions_accepted),
        ("accepted: increases once it had expired", p.increases_after),
    ];
    let rows = rows.map(|(what, count)| vec![what.to_owned(), count.to_string()]);
    format!("GOVERNANCE\n{}", table(&["what", "how often"], &[1], rows))
}

fn keeper(report: &Report) -> String {
    let number = |n: u64| grouped(n.into());
    let rows = report.common.keeper.jobs.iter().map(|line| {
        vec![
            line.job.clone(),
            number(line.done),
            number(line.raced),
            number(line.refused),
            number(line.lost),
            number(line.unprofitable),
            number(line.fees),
            quote(line.rewards, report.common.decimals),
            number(line.median_millis),
        ]
    });
    let header = ["job", "done", "too late", "refused", "lost", "not worth it", "lamports", "earned", "median ms"];
    format!("KEEPER (ballast-keeper, a process of its own)\n{}", table(&header, &[1, 2, 3, 4, 5, 6, 7, 8], rows))
}

fn transactions(report: &Report) -> String {
    let t = &report.common.transactions;
    let mut text = format!(
        "TRANSACTIONS\n{} sent: {} confirmed, {} refused as expected, {} failed unexpectedly; {} events, {} missing",
        grouped(t.sent.into()),
        grouped(t.confirmed.into()),
        grouped(t.refused_as_expected.into()),
        t.failed_unexpectedly,
        grouped(report.events.seen.into()),
        report.events.missing,
    );
    let why = |tested| if tested { "the rule was tested" } else { "the chain had moved on" };
    let rows: Vec<_> = report
        .common
        .refusals
        .iter()
        .map(|r| vec![r.what.clone(), r.reason.to_owned(), why(r.tested).to_owned(), r.count.to_string()])
        .collect();
    if !rows.is_empty() {
        text += "\n";
        text += &table(&["refused", "reason", "why it was sent", "times"], &[3], rows);
    }
    text
}

fn units(report: &Report) -> String {
    let rows = report.compute_units.iter().map(|(name, u)| {
        let number = |n: u64| grouped(n.into());
        vec![name.clone(), u.count.to_string(), number(u.min), number(u.median), number(u.max)]
    });
    let header = ["instruction", "run", "least", "median", "most"];
    format!("COMPUTE UNITS\n{}", table(&header, &[1, 2, 3, 4], rows))
}

fn audit(report: &Report) -> String {
    format!("AUDIT\n{}", crate::commands::audit::text(&report.common.audit, report.common.decimals))
}

fn left_out(report: &Report) -> String {
    if report.left_out.is_empty() {
        return String::new();
    }
    let lines: Vec<_> = report.left_out.iter().map(|what| format!("- {what}")).collect();
    format!("LEFT OUT ON THIS VALIDATOR\n{}", lines.join("\n"))
}

fn verdict(report: &Report) -> String {
    report.common.closing(report.verdict())
}

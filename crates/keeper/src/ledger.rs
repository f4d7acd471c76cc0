//! The keeper's own books: a SQLite file with a row for every transaction, and what it earned and cost.
//!
//! A row is written before its transaction is sent, so that one that was under way when the keeper ended is not
//! forgotten: the next start asks the chain what became of it.

use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::config::SOL;
use crate::serve::{present, present_millis};

/// The layout of the file that this version reads and writes.
const LAYOUT: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE actions (
        id INTEGER PRIMARY KEY,
        signature TEXT UNIQUE,            -- NULL where nothing was sent
        unix INTEGER NOT NULL,            -- when, seconds by this machine's clock
        job TEXT NOT NULL,
        subject TEXT NOT NULL,            -- the account acted upon
        outcome TEXT NOT NULL,            -- sent, done, raced, refused, lost, unprofitable, dry
        reason TEXT NOT NULL DEFAULT '',
        slot INTEGER NOT NULL DEFAULT 0,
        units INTEGER NOT NULL DEFAULT 0,
        unit_price INTEGER NOT NULL DEFAULT 0, -- micro-lamports per compute unit
        fee INTEGER NOT NULL DEFAULT 0,        -- lamports
        reward INTEGER NOT NULL DEFAULT 0,     -- collateral's smallest unit
        millis INTEGER NOT NULL DEFAULT 0,     -- from what called for it to its confirmation
        ended INTEGER NOT NULL DEFAULT 0       -- when the outcome was known, Unix milliseconds
    );
    CREATE INDEX actions_unix ON actions (unix);
    PRAGMA user_version = 1;
";

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The transaction's signature; empty where nothing was sent.
    pub signature: String,
    /// The job.
    pub job: &'static str,
    /// The account acted upon.
    pub subject: String,
    /// What became of it.
    pub outcome: &'static str,
    /// Why.
    pub reason: String,
    /// Its slot.
    pub slot: u64,
    /// Compute units.
    pub units: u64,
    /// Micro-lamports per unit.
    pub unit_price: u64,
    /// The fee, lamports.
    pub fee: u64,
    /// What it earned, in the collateral's smallest unit.
    pub reward: u64,
    /// From what called for it to its confirmation, milliseconds.
    pub millis: u64,
}

enum Order {
    Write(Box<Row>),
    Flush(mpsc::Sender<()>),
}

/// Writes rows on a thread of its own.
pub struct Ledger {
    orders: mpsc::Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn open(path: &Path) -> Result<Connection> {
    let hint = || format!("the ledger {} cannot be opened; give another ledger.path", path.display());
    let file = Connection::open(path).with_context(hint)?;
    file.busy_timeout(std::time::Duration::from_secs(5))?;
    let _: String = file.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).with_context(hint)?;
    match file.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).with_context(hint)? {
        0 => file.execute_batch(SCHEMA).with_context(hint)?,
        LAYOUT => {}
        other => bail!("the ledger {} has layout {other}; this version reads {LAYOUT}", path.display()),
    }
    Ok(file)
}

impl Ledger {
    /// The ledger in a file, made if it is not there.
    ///
    /// # Errors
    /// If it cannot be opened or is of another version.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = open(path)?;
        let (orders, received) = mpsc::channel();
        let run = move || {
            while let Ok(order) = received.recv() {
                // Whatever else waits goes into the same transaction.
                let mut batch = vec![order];
                batch.extend(received.try_iter());
                let mut waiting = Vec::new();
                let written = file.transaction().and_then(|transaction| {
                    for order in batch {
                        match order {
                            Order::Write(row) => write(&transaction, &row)?,
                            Order::Flush(done) => waiting.push(done),
                        }
                    }
                    transaction.commit()
                });
                if let Err(error) = written {
                    tracing::error!(%error, "the ledger was not written");
                }
                for done in waiting {
                    let _ = done.send(());
                }
            }
        };
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(run).context("no thread")?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// Writes a row, or what became of one that was sent.
    pub fn write(&self, row: Row) {
        // It ends only with this.
        let _ = self.orders.send(Order::Write(Box::new(row)));
    }

    /// Waits until everything is written.
    pub fn flush(&self) {
        let (done, written) = mpsc::channel();
        if self.orders.send(Order::Flush(done)).is_ok() {
            let _ = written.recv();
        }
    }

    /// Signatures of transactions that were sent and of which nothing more is known.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn unfinished(path: &Path) -> Result<Vec<(String, String, String)>> {
        let file = open(path)?;
        let mut query = file.prepare("SELECT signature, job, subject FROM actions WHERE outcome = 'sent'")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel();
        self.orders = closed;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(file: &Connection, row: &Row) -> rusqlite::Result<()> {
    let signature = (!row.signature.is_empty()).then_some(&row.signature);
    file.execute(
        "INSERT INTO actions (signature, unix, job, subject, outcome, reason, slot, units, unit_price, fee, reward, millis,
            ended)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (signature) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,
            slot = excluded.slot, units = excluded.units, fee = excluded.fee, reward = excluded.reward,
            millis = excluded.millis, ended = excluded.ended",
        params![
            signature,
            number(present()),
            row.job,
            row.subject,
            row.outcome,
            row.reason,
            number(row.slot),
            number(row.units),
            number(row.unit_price),
            number(row.fee),
            number(row.reward),
            number(row.millis),
            number(present_millis())
        ],
    )?;
    Ok(())
}

/// A job's part of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The job.
    pub job: String,
    /// Transactions that did what they were sent for.
    pub done: u64,
    /// Those that came too late: somebody else did it.
    pub raced: u64,
    /// Those refused for another reason.
    pub refused: u64,
    /// Those that never landed.
    pub lost: u64,
    /// What was left because it would have cost more than it earns.
    pub unprofitable: u64,
    /// Fees, lamports.
    pub fees: u64,
    /// Rewards, the collateral's smallest unit.
    pub rewards: u64,
    /// Median time to confirmation, milliseconds.
    pub median_millis: u64,
    /// The time that 99 of 100 stay below, milliseconds.
    pub p99_millis: u64,
}

/// What was done and earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// From when on, Unix seconds; 0 for all.
    pub since: u64,
    /// By job.
    pub jobs: Vec<Line>,
    /// All fees, lamports.
    pub fees: u64,
    /// All rewards, the collateral's smallest unit.
    pub rewards: u64,
    /// Fees at the configured price of a SOL, the collateral's smallest unit, rounded up.
    pub cost: u64,
    /// Rewards less that.
    pub profit: i64,
}

/// Reads a ledger; it may be in use. A SOL is worth `sol_price` whole units of a collateral with so many decimals.
///
/// # Errors
/// If there is none or it cannot be read.
pub fn report(path: &Path, since: u64, sol_price: u64, decimals: u32) -> Result<Report> {
    if !path.exists() {
        bail!("there is no ledger at {}; give --ledger or --config", path.display());
    }
    let file = open(path)?;
    let mut query = file.prepare(
        "SELECT job, sum(outcome = 'done'), sum(outcome = 'raced'), sum(outcome = 'refused'), sum(outcome = 'lost'),
            sum(outcome = 'unprofitable'), sum(fee), sum(reward)
         FROM actions WHERE unix >= ?1 GROUP BY job ORDER BY job",
    )?;
    let whole =
        |row: &rusqlite::Row<'_>, at: usize| Ok::<u64, rusqlite::Error>(row.get::<_, i64>(at)?.max(0).unsigned_abs());
    let lines = query.query_map([number(since)], |row| {
        Ok(Line {
            job: row.get(0)?,
            done: whole(row, 1)?,
            raced: whole(row, 2)?,
            refused: whole(row, 3)?,
            lost: whole(row, 4)?,
            unprofitable: whole(row, 5)?,
            fees: whole(row, 6)?,
            rewards: whole(row, 7)?,
            median_millis: 0,
            p99_millis: 0,
        })
    })?;
    let mut jobs = lines.collect::<rusqlite::Result<Vec<_>>>()?;
    for line in &mut jobs {
        let quantile = |percent: u64| -> rusqlite::Result<u64> {
            let place = line.done.saturating_sub(1) * percent / 100;
            let found: Option<i64> = file
                .query_row(
                    "SELECT millis FROM actions WHERE unix >= ?1 AND job = ?2 AND outcome = 'done'
                     ORDER BY millis LIMIT 1 OFFSET ?3",
                    params![number(since), line.job, number(place)],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(found.unwrap_or(0).max(0).unsigned_abs())
        };
        (line.median_millis, line.p99_millis) = (quantile(50)?, quantile(99)?);
    }
    let (fees, rewards) = jobs.iter().fold((0, 0), |(fees, rewards), line| (fees + line.fees, rewards + line.rewards));
    let unit = u128::from(sol_price) * 10_u128.pow(decimals);
    let cost = u64::try_from((u128::from(fees) * unit).div_ceil(SOL)).unwrap_or(u64::MAX);
    let profit = i64::try_from(i128::from(rewards) - i128::from(cost)).unwrap_or(i64::MIN);
    Ok(Report { since, jobs, fees, rewards, cost, profit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_updated_by_its_signature_and_the_report_adds_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        assert!(report(&path, 0, 150, 6).is_err(), "there is none yet");
        let ledger = Ledger::open(&path).unwrap();
        let row = |signature: &str, outcome, reward, millis| Row {
            signature: signature.to_owned(),
            job: "liquidate",
            subject: "a".to_owned(),
            outcome,
            fee: 5_000,
            reward,
            millis,
            ..Row::default()
        };
        ledger.write(row("s1", "sent", 0, 0));
        ledger.write(row("s2", "sent", 0, 0));
        ledger.flush();
        assert_eq!(Ledger::unfinished(&path).unwrap().len(), 2);
        ledger.write(row("s1", "done", 70_000, 400));
        ledger.write(row("s2", "done", 30_000, 900));
        ledger.write(Row { fee: 0, ..row("", "raced", 0, 0) });
        ledger.write(Row { fee: 0, ..row("", "raced", 0, 0) });
        drop(ledger);
        let report = report(&path, 0, 150, 6).unwrap();
        assert_eq!(report.jobs.len(), 1);
        let line = &report.jobs[0];
        assert_eq!((line.done, line.raced, line.fees, line.rewards), (2, 2, 10_000, 100_000));
        assert_eq!((line.median_millis, line.p99_millis), (400, 400));
        // 10,000 lamports at 150 a SOL are 0.0015.
        assert_eq!((report.cost, report.profit), (1_500, 98_500));
        assert!(super::report(&path, u64::MAX >> 1, 150, 6).unwrap().jobs.is_empty());
        assert!(Ledger::unfinished(&path).unwrap().is_empty());
    }

    #[test]
    fn another_layout_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 9").unwrap();
        assert!(Ledger::open(&path).is_err());
    }
}

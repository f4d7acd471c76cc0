//! Recorded minutes: `unix,open,high,low,close,volume`.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{MINUTE, Minute, Prices};

const COLUMNS: [&str; 6] = ["unix", "open", "high", "low", "close", "volume"];

/// Reads at most `limit` minutes, the first `skip` left out.
pub(crate) fn read(path: &Path, skip: usize, limit: usize) -> Result<Prices> {
    let columns = COLUMNS.join(",");
    let mut reader = csv::Reader::from_path(path)
        .with_context(|| format!("{} cannot be read; give a CSV file with the columns {columns}", path.display()))?;
    let header = reader.headers().with_context(|| format!("{} has no header line", path.display()))?;
    ensure!(
        header.iter().map(str::trim).eq(COLUMNS),
        "{} has the columns {:?}; they must be {columns}",
        path.display(),
        header.iter().collect::<Vec<_>>()
    );
    let mut minutes: Vec<Minute> = Vec::new();
    for (row, record) in reader.records().enumerate().skip(skip).take(limit) {
        let line = row + 2;
        let record = record.with_context(|| format!("{}, line {line}", path.display()))?;
        let minute = parse(&record).with_context(|| format!("{}, line {line}", path.display()))?;
        if let Some(last) = minutes.last() {
            ensure!(
                minute.unix > last.unix,
                "{}, line {line}: {} is not after {}; sort the file by its first column",
                path.display(),
                minute.unix,
                last.unix
            );
        }
        minutes.push(minute);
    }
    ensure!(minutes.len() >= 2, "{} has no two minutes after the first {skip}; use another file", path.display());
    Ok(Prices { source: path.display().to_string(), minutes })
}

fn parse(record: &csv::StringRecord) -> Result<Minute> {
    let field = |at: usize| record.get(at).unwrap_or_default().trim();
    let price = |at: usize| -> Result<f64> {
        let value: f64 = field(at).parse().with_context(|| format!("{} {:?} is no number", COLUMNS[at], field(at)))?;
        ensure!(value.is_finite() && value > 0.0, "{} {value} is not a positive price", COLUMNS[at]);
        Ok(value)
    };
    let unix: i64 = field(0).parse().with_context(|| format!("unix {:?} is no time in seconds", field(0)))?;
    ensure!(unix > MINUTE, "unix {unix} is no time in seconds");
    let minute = Minute { unix, open: price(1)?, high: price(2)?, low: price(3)?, close: price(4)?, hiccup: None };
    let inside = |p: f64| p >= minute.low && p <= minute.high;
    ensure!(inside(minute.open) && inside(minute.close), "open or close lies outside low and high");
    Ok(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> (std::path::PathBuf, u32) {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ballast-prices-{}-{number}.csv", std::process::id()));
        std::fs::write(&path, text).unwrap();
        (path, number)
    }

    #[test]
    fn a_good_file_is_read_and_a_bad_one_says_where() {
        let head = "unix,open,high,low,close,volume\n";
        let (path, _) = write(&format!("{head}120,10,11,9,10.5,1\n180,10.5,12,10,11,1\n300,11,11,11,11,0\n"));
        let prices = read(&path, 0, 100).unwrap();
        assert_eq!(prices.minutes.len(), 3);
        assert_eq!(prices.minutes[1].high, 12.0);
        assert_eq!(read(&path, 1, 2).unwrap().minutes[0].unix, 180);
        for (bad, where_) in [
            ("120,10,11,9,10.5,1\n120,10,11,9,10,1\n", "line 3"),
            ("120,10,9,11,10,1\n180,1,1,1,1,1\n", "line 2"),
            ("120,0,11,9,10,1\n180,1,1,1,1,1\n", "line 2"),
            ("120,x,11,9,10,1\n180,1,1,1,1,1\n", "line 2"),
            ("120,10,11,9,10,1\n", "two minutes"),
        ] {
            let (path, _) = write(&format!("{head}{bad}"));
            let error = format!("{:#}", read(&path, 0, 100).unwrap_err());
            assert!(error.contains(where_), "{error}");
            std::fs::remove_file(path).unwrap();
        }
        std::fs::remove_file(path).unwrap();
        let (path, _) = write("time,price\n1,2\n");
        assert!(format!("{:#}", read(&path, 0, 9).unwrap_err()).contains("columns"));
        std::fs::remove_file(path).unwrap();
    }
}

//! The prices of a crash, as shares of the first: recorded minutes where `BALLAST_PRICES` names a file, else made up from a
//! seed.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Minutes of the recorded crash that are used.
const WINDOW: usize = 8;

/// One share for each of so many seconds, falling by about `depth`, and where it is from.
pub(crate) fn crash(seconds: usize, depth: f64, seed: u64) -> (Vec<f64>, String) {
    match std::env::var("BALLAST_PRICES") {
        Ok(path) => (recorded(&path, seconds, depth), path),
        Err(_) => (made_up(seconds, depth, seed), format!("made up, seed {seed}")),
    }
}

fn made_up(seconds: usize, depth: f64, seed: u64) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut path = Vec::with_capacity(seconds);
    for second in 0..seconds {
        let way = second as f64 / seconds.max(1) as f64;
        path.push(1.0 - depth * way + random.random_range(-0.0004..0.0004));
    }
    path
}

/// The steepest minutes of a file (`unix,open,high,low,close,volume`), stretched or squeezed to the time and depth wanted:
/// its shape, at the speed that the test can afford.
fn recorded(path: &str, seconds: usize, depth: f64) -> Vec<f64> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let rows: Vec<[f64; 2]> = text
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<f64> = line.split(',').map(|field| field.trim().parse().expect("a number")).collect();
            [fields[1], fields[4]]
        })
        .collect();
    let fall = |from: usize| rows[from + WINDOW - 1][1] / rows[from][0];
    let from = (0..rows.len() - WINDOW).min_by(|a, b| fall(*a).total_cmp(&fall(*b))).expect("enough minutes");
    let mut corners = vec![1.0];
    let (first, whole) = (rows[from][0], 1.0 - fall(from));
    corners.extend(rows[from..from + WINDOW].iter().map(|row| 1.0 - (1.0 - row[1] / first) * depth / whole));
    (0..seconds)
        .map(|second| {
            let place = second as f64 / seconds as f64 * WINDOW as f64;
            let leg = place as usize;
            corners[leg] + (corners[leg + 1] - corners[leg]) * (place - leg as f64)
        })
        .collect()
}

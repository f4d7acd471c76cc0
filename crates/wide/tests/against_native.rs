//! The routines against the native operators of the host: all pairs of edge values, then random pairs.

use ballast_wide::{div, mul, rem, udivmod};

const RANDOM_PAIRS: u32 = 2_000_000;

/// Zero, one, and both sides of every power of two where a path of the division begins or ends.
fn edges() -> Vec<u128> {
    let mut values = vec![0, 1, 2, 3, 10, 1_000_000, 1_000_000_000_000, 1_000_000_000_000_000_000];
    for power in [16, 31, 32, 33, 48, 62, 63, 64, 65, 95, 96, 97, 126, 127] {
        let value = 1u128 << power;
        values.extend([value - 1, value, value + 1, value.wrapping_neg(), value.wrapping_neg() - 1]);
    }
    // Digits that make the estimate of algorithm D two too large.
    values.extend([
        0x8000_0000_ffff_ffff,
        0x7fff_ffff_8000_0000_0000_0000_0000_0000,
        0x8000_0000_0000_0000_ffff_ffff_ffff_ffff,
        0x8000_0000_0000_fffe_0000_0000,
        u64::MAX as u128 - 0xffff_ffff,
        u128::MAX - u64::MAX as u128,
        u128::MAX - 1,
        u128::MAX,
    ]);
    values
}

#[track_caller]
fn check(a: u128, b: u128) {
    assert_eq!(mul(a, b), a.wrapping_mul(b), "{a:#x} * {b:#x}");
    if b == 0 {
        return;
    }
    assert_eq!(udivmod(a, b), (a / b, a % b), "{a:#x} / {b:#x}");
    let (x, y) = (a as i128, b as i128);
    assert_eq!(div(x, y), x.wrapping_div(y), "{x} / {y}");
    assert_eq!(rem(x, y), x.wrapping_rem(y), "{x} % {y}");
}

#[test]
fn edge_values_in_all_pairs() {
    let values = edges();
    for &a in &values {
        for &b in &values {
            check(a, b);
        }
    }
}

#[test]
fn signed_edge_values_in_all_pairs() {
    let values = [0, 1, -1, 2, -2, i64::MIN as i128, i64::MAX as i128, i128::MIN, i128::MIN + 1, i128::MAX];
    for a in values {
        for b in values {
            check(a as u128, b as u128);
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A value of 1 to 128 bits, sometimes with long runs of ones or zeros, where carries and corrections live.
    fn value(&mut self) -> u128 {
        let choice = self.word();
        let mut value = u128::from(self.word()) << 64 | u128::from(self.word());
        if choice & 1 == 0 {
            value |= u128::from(self.word()) << 32 | u128::from(self.word()) << 64;
        } else if choice & 2 == 0 {
            value &= !(u128::from(u32::MAX) << ((choice >> 16) % 97));
        }
        value >> ((choice >> 8) % 128)
    }
}

#[test]
fn random_pairs() {
    let seed = match std::env::var("BALLAST_SEED") {
        Ok(text) => text.parse().expect("BALLAST_SEED is a whole number"),
        Err(_) => std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64),
    };
    println!("BALLAST_SEED={seed}");
    let mut random = Random(seed);
    for _ in 0..RANDOM_PAIRS {
        let (a, b) = (random.value(), random.value());
        check(a, b);
        // A dividend just around a multiple of the divisor is where a wrong digit shows.
        check(a.wrapping_mul(b), b);
        check(a.wrapping_mul(b).wrapping_sub(1), b);
    }
}

#[test]
#[should_panic(expected = "divide by zero")]
fn zero_divisor_never_yields_a_number() {
    let zero = std::hint::black_box(0);
    let _ = udivmod(u128::MAX, zero);
}

//! Amounts as people write them, and as the chain keeps them.

use anyhow::{Context, Result, bail, ensure};
use ballast_engine::constants::{PRICE_SCALE, RATE_SCALE};

/// A decimal number in units of `10^-decimals`, exactly.
pub(crate) fn parse(text: &str, decimals: u8) -> Result<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    ensure!(
        !(whole.is_empty() && part.is_empty()) && digits(whole) && digits(part),
        "{text:?} is no positive decimal number; write it like 12.5"
    );
    let places = usize::from(decimals);
    let part = part.trim_end_matches('0');
    if part.len() > places {
        bail!("{text} has more than {places} decimals; round it");
    }
    let all = format!("{whole}{part:0<places$}");
    all.parse().ok().with_context(|| format!("{text} is too large; use a smaller number"))
}

/// An integer with thousands apart.
pub(crate) fn grouped(value: u128) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A signed amount in units of `10^-decimals`, rounded to so many shown places.
pub(crate) fn show(value: impl Into<i128>, decimals: u8, places: u8) -> String {
    let value: i128 = value.into();
    let cut = 10_u128.pow(u32::from(decimals.saturating_sub(places)));
    let places = usize::from(places.min(decimals));
    let rounded = (value.unsigned_abs() + cut / 2) / cut;
    let one = 10_u128.pow(places as u32);
    let sign = if value < 0 && rounded > 0 { "-" } else { "" };
    match places {
        0 => format!("{sign}{}", grouped(rounded)),
        _ => format!("{sign}{}.{:0places$}", grouped(rounded / one), rounded % one),
    }
}

/// A quote amount with two places.
pub(crate) fn quote(value: impl Into<i128>, decimals: u8) -> String {
    show(value, decimals, 2)
}

/// A size with its decimals, trailing zeros off.
pub(crate) fn size(value: i64, decimals: u8) -> String {
    let text = show(value, decimals, decimals);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A market's decimals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Of a base atom.
    pub(crate) base: u8,
    /// Of a quote atom.
    pub(crate) quote: u8,
}

impl Scale {
    /// A stored price per whole unit.
    pub(crate) fn price_to(self, price: u64) -> f64 {
        let factor = 10_f64.powi(i32::from(self.quote) - i32::from(self.base)) * PRICE_SCALE as f64;
        price as f64 / factor
    }

    /// A decimal price as the chain keeps it, exactly.
    pub(crate) fn parse_price(self, text: &str) -> Result<u64> {
        let places = i16::from(self.quote) + 9 - i16::from(self.base);
        let places = u8::try_from(places).context("this market's prices cannot be written in decimals")?;
        parse(text, places)
    }

    /// A stored price for people.
    pub(crate) fn show_price(self, price: u64) -> String {
        let value = self.price_to(price);
        let places = if value >= 100.0 { 2 } else { 6 };
        let scaled = (value * 10_f64.powi(places)).round() as i128;
        show(scaled, places as u8, places as u8)
    }
}

/// A funding rate per hour in percent.
pub(crate) fn rate(rate: i64) -> String {
    format!("{:+.5} %/h", rate as f64 * 100.0 / RATE_SCALE as f64)
}

/// A share in millionths, in percent without idle digits.
pub(crate) fn percent(millionths: u64) -> String {
    let text = format!("{}.{:04}", millionths / 10_000, millionths % 10_000);
    let short = text.trim_end_matches('0');
    format!("{}{} %", short, if short.ends_with('.') { "0" } else { "" })
}

/// A moment as people write it, in UTC.
pub(crate) fn moment(unix: i64) -> String {
    let (days, second) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    // Civil date of a day number, with years that begin in March so that the leap day comes last (Hinnant, chrono-compatible
    // low-level date algorithms).
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year_of_era + era * 400 + next;
    let (hour, minute, second) = (second / 3_600, second % 3_600 / 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// A time as people write it, in seconds: a whole number with its unit, as `90s`, `15m`, `12h` or `3d`. Never nothing.
pub(crate) fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no time; write it like 90s, 15m, 12h or 3d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = number.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
    Some(i64::from(number) * unit).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

/// So many seconds in words: days, hours, minutes.
pub(crate) fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds % 86_400 / 3_600, seconds % 3_600 / 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        assert_eq!(parse("12.5", 6).unwrap(), 12_500_000);
        assert_eq!(parse("0.000001", 6).unwrap(), 1);
        assert_eq!(parse("1.5000000000", 6).unwrap(), 1_500_000);
        assert_eq!(parse(".5", 1).unwrap(), 5);
        assert_eq!(parse("18446744073709.551615", 6).unwrap(), u64::MAX);
        for bad in ["", ".", "-1", "1e3", "1,5", "0.0000001", "18446744073709.551616", "1.2.3"] {
            assert!(parse(bad, 6).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_are_shown_rounded_with_their_sign() {
        assert_eq!(show(1_234_567_890_i64, 6, 2), "1,234.57");
        assert_eq!(show(-1_i64, 6, 2), "0.00");
        assert_eq!(show(-5_000_i64, 6, 2), "-0.01");
        assert_eq!(show(999_999_i64, 6, 0), "1");
        assert_eq!(size(-150_000_000, 8), "-1.5");
        assert_eq!(size(0, 8), "0");
        assert_eq!(size(1_200, 0), "1,200");
    }

    #[test]
    fn moments_and_shares_are_shown_as_people_write_them() {
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(moment(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(moment(1_700_000_000), "2023-11-14 22:13:20 UTC");
        assert_eq!(moment(1_767_225_599), "2025-12-31 23:59:59 UTC");
        assert_eq!(
            (percent(30_000), percent(35_500), percent(1)),
            ("3.0 %".into(), "3.55 %".into(), "0.0001 %".into())
        );
        let spans = [59, 60, 3_660, 90_000].map(span);
        assert_eq!(spans, ["59 s", "1 min", "1 h 1 min", "1 d 1 h"]);
    }

    #[test]
    fn times_are_whole_numbers_with_a_unit() {
        for (text, wanted) in [("90s", 90), ("15m", 900), ("6h", 21_600), ("2d", 172_800)] {
            assert_eq!(seconds(text), Ok(wanted));
        }
        for bad in ["", "6", "h", "6x", "-1h", "-1h1", "+1h", "0d", "1.5h", "3ü", "9999999999999999999d"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prices_go_to_the_chains_scale_and_back() {
        let scale = Scale { base: 8, quote: 6 };
        assert_eq!(scale.parse_price("23144.78").unwrap(), 231_447_800_000);
        assert_eq!(scale.show_price(231_447_800_000), "23,144.78");
    }
}

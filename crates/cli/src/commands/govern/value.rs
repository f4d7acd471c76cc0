//! A parameter's value as people write and read it, by its unit.

use ballast_engine::params::Unit;

use crate::amount::{self, Scale};

/// Marks whole units of the collateral or of the asset.
const WHOLE: char = 'u';

/// For people: amounts in whole units, the rest as everywhere.
pub(super) fn show(unit: Unit, value: u64, scale: Scale) -> String {
    match unit {
        Unit::Quote => amount::size(i64::try_from(value).unwrap_or(i64::MAX), scale.quote),
        Unit::Base => amount::size(i64::try_from(value).unwrap_or(i64::MAX), scale.base),
        _ => unit.show(value).to_string(),
    }
}

/// As it is stored, from an integer in the parameter's own unit or from what a person writes: `0.06%`, `12h`, `1000000u`.
pub(super) fn parse(text: &str, unit: Unit, scale: Scale) -> Result<u64, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| format!("{text:?} is too large"));
    }
    let told = |result: anyhow::Result<u64>| result.map_err(|error| format!("{error:#}"));
    let number = |end: char| text.strip_suffix(end).map(str::trim_end);
    match unit {
        // A percent is 10^4 millionths, and 10^10 of the finer unit.
        Unit::Ratio | Unit::RatioPerHour => match number('%') {
            Some(percent) => told(amount::parse(percent, 4)),
            None => Err(format!("{text:?}: write millionths, 600, or a percentage, 0.06%")),
        },
        Unit::RatePerHour => match number('%') {
            Some(percent) => told(amount::parse(percent, 10)),
            None => Err(format!("{text:?}: write an integer in units of 10^-12, or a percentage")),
        },
        Unit::Quote | Unit::Base => match number(WHOLE) {
            Some(whole) => told(amount::parse(whole, if unit == Unit::Quote { scale.quote } else { scale.base })),
            None => Err(format!("{text:?}: write an integer in the smallest unit, or whole units, 1000u")),
        },
        Unit::Seconds => {
            let seconds = amount::seconds(text).ok().and_then(|seconds| u64::try_from(seconds).ok());
            seconds.ok_or_else(|| format!("{text:?}: write seconds, or 90s, 15m, 12h, 3d"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_shown_in_their_unit() {
        let scale = Scale { base: 8, quote: 6 };
        for (text, unit, value) in [
            ("600", Unit::Ratio, 600),
            ("0.06%", Unit::Ratio, 600),
            ("5 %", Unit::Ratio, 50_000),
            ("0.5%", Unit::RatePerHour, 5_000_000_000),
            ("1000000u", Unit::Quote, 1_000_000_000_000),
            ("0.5u", Unit::Base, 50_000_000),
            ("12h", Unit::Seconds, 43_200),
            ("90", Unit::Seconds, 90),
        ] {
            assert_eq!(parse(text, unit, scale), Ok(value), "{text}");
        }
        for (text, unit) in
            [("0.06", Unit::Ratio), ("0.00001%", Unit::Ratio), ("-1", Unit::Quote), ("1.5h", Unit::Seconds)]
        {
            assert!(parse(text, unit, scale).is_err(), "{text}");
        }
        assert_eq!(show(Unit::Quote, 1_000_000_000_000, scale), "1,000,000");
        assert_eq!(show(Unit::Quote, 1_500_000, scale), "1.5");
        assert_eq!(show(Unit::Base, 50_000_000, scale), "0.5");
        assert_eq!(show(Unit::Ratio, 600, scale), "0.0600 %");
    }
}

//! A refusal's two numbers, as the program logs them, in the unit that its message speaks of.

use ballast_engine::constants::DAY;
use ballast_engine::{Error, Fault};

use crate::amount::{self, Scale};

/// What numbers are shown by. What is not known stays an integer in the smallest unit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Units {
    /// Decimals of the collateral.
    pub(crate) quote: Option<u8>,
    /// The decimals of the market at hand.
    pub(crate) scale: Option<Scale>,
}

/// No time that a chain's clock shows is before it.
const YEAR: i64 = 365 * DAY;

/// What a refusal's numbers are.
enum Kind {
    Quote,
    Price,
    Base,
    /// Unix seconds; zero is no time at all.
    Time,
    Seconds,
    /// Millionths.
    Share,
    Number,
}

fn kind(error: Error) -> Kind {
    match error {
        Error::SizeBelowMinimum
        | Error::PositionTooLarge
        | Error::OpenInterestCap
        | Error::OpenInterestStress
        | Error::InsufficientCollateral
        | Error::InitialMargin
        | Error::LossNotCovered
        | Error::PoolClaims
        | Error::PoolReserve
        | Error::LiquidityBelowMinimum
        | Error::AccountHealthy
        | Error::StillUnhealthy
        | Error::PacingExhausted
        | Error::CapacityExhausted
        | Error::NotBankrupt
        | Error::OutflowLimited
        | Error::InsurancePending
        | Error::PoolIsOwed
        | Error::SettlementNotDue
        | Error::CovenantLeverage
        | Error::CovenantNotional
        | Error::CovenantLoss
        | Error::CovenantNotBreached
        | Error::DelegateBudget => Kind::Quote,
        Error::SlippageExceeded | Error::OrderNotTriggered => Kind::Price,
        Error::SizeNotReducing | Error::DeleverageNotNeeded | Error::SkewTooLarge => Kind::Base,
        Error::OrderLocked
        | Error::ExitsWaiting
        | Error::TicketNotRipe
        | Error::TicketLapsed
        | Error::TicketNotLapsed
        | Error::ExitOwnerAlone
        | Error::MarketReduceOnly
        | Error::ParameterCoolDown
        | Error::ProposalNotReady
        | Error::ProposalExpired
        | Error::ProposalNotExpired
        | Error::PauseNotArmed
        | Error::InsuranceTooEarly
        | Error::DeleverageTooEarly
        | Error::SettlementTooEarly
        | Error::CovenantNotReady
        | Error::CovenantNoRequest
        | Error::OrderExpired
        | Error::DelegateInvalid
        | Error::CovenantTripped => Kind::Time,
        Error::PauseBudget => Kind::Seconds,
        Error::EnvelopeBroken => Kind::Share,
        // Two slots or two times, a parameter's own unit, counts, versions, places.
        _ => Kind::Number,
    }
}

fn show(error: Error, value: i64, units: Units) -> String {
    let share = |value: i64| u64::try_from(value).map_or_else(|_| value.to_string(), amount::percent);
    match (kind(error), units) {
        (Kind::Quote, Units { quote: Some(decimals), .. }) => amount::show(value, decimals, decimals),
        (Kind::Price, Units { scale: Some(scale), .. }) => {
            u64::try_from(value).map_or_else(|_| value.to_string(), |price| scale.show_price(price))
        }
        (Kind::Base, Units { scale: Some(scale), .. }) => amount::size(value, scale.base),
        // A delegate's permissions are not allowed for another reason than its end: small numbers, no times.
        (Kind::Time, _) if value > YEAR => amount::moment(value),
        (Kind::Seconds, _) => amount::span(value),
        (Kind::Share, _) => share(value),
        _ => value.to_string(),
    }
}

/// "limit 5, value 7" out of the logs of a refusal; nothing where it has no numbers.
pub(crate) fn limits(error: Error, logs: &[String], units: Units) -> Option<String> {
    let head = format!("Program log: {}: limit ", error.name());
    let (limit, value) = logs.iter().find_map(|line| line.strip_prefix(&head))?.split_once(", value ")?;
    let (limit, value) = (limit.parse().ok()?, value.parse().ok()?);
    Some(numbers(&Fault { error, limit, value }, units))
}

fn numbers(fault: &Fault, units: Units) -> String {
    format!("limit {}, value {}", show(fault.error, fault.limit, units), show(fault.error, fault.value, units))
}

/// A fault of the engine here, as one of the program's would be told.
pub(crate) fn told(fault: &Fault, units: Units) -> String {
    let text = format!("{}: {}", fault.error.name(), fault.error.message());
    match (fault.limit, fault.value) {
        (0, 0) => text,
        _ => format!("{text} [{}]", numbers(fault, units)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_the_unit_that_the_message_speaks_of() {
        let units = Units { quote: Some(6), scale: Some(Scale { base: 8, quote: 6 }) };
        let told = |error: Error, limit: i64, value: i64, units| {
            let logs =
                ["Program x invoke".to_owned(), format!("Program log: {}: limit {limit}, value {value}", error.name())];
            limits(error, &logs, units).unwrap()
        };
        assert_eq!(
            told(Error::InsufficientCollateral, 6_639_426_668, 864_456_120, units),
            "limit 6,639.426668, value 864.456120"
        );
        assert_eq!(told(Error::InsufficientCollateral, 5, 7, Units::default()), "limit 5, value 7");
        // 10 and 23,461.66 of a market of 8 decimals: quote atoms per base atom, exponent -9.
        assert_eq!(
            told(Error::SlippageExceeded, 100_000_000, 234_616_598_580, units),
            "limit 10.000000, value 23,461.66"
        );
        assert_eq!(
            told(Error::TicketNotRipe, 1_795_824_640, 1_795_652_220, units),
            "limit 2026-11-28 00:10:40 UTC, value 2026-11-26 00:17:00 UTC"
        );
        assert_eq!(
            told(Error::OrderExpired, 1_795_652_220, 1_795_652_220, units),
            "limit 2026-11-26 00:17:00 UTC, value 2026-11-26 00:17:00 UTC"
        );
        assert_eq!(told(Error::DelegateInvalid, 7, 9, units), "limit 7, value 9");
        assert_eq!(
            told(Error::OrderNotTriggered, 234_616_598_580, 234_616_598_580, units),
            "limit 23,461.66, value 23,461.66"
        );
        assert_eq!(told(Error::EnvelopeBroken, 10_000, 12_500, units), "limit 1.0 %, value 1.25 %");
        assert_eq!(told(Error::WrongMarketCount, 2, 1, units), "limit 2, value 1");
        assert_eq!(limits(Error::PoolEmpty, &[], units), None);
    }
}

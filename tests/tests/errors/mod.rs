//! Every reason for a refusal is reached by a transaction, with its code, its message and its numbers in the log.

mod accounts;
mod covenants;
mod governance;
mod keepers;
mod liquidity;
mod prices;
mod trading;
mod upgrades;

use std::collections::BTreeMap;

use ballast::state::Market;
use ballast_client::errors;
use ballast_client::events::Event;
use ballast_engine::Error;
use ballast_tests::{Outcome, Sent, Setup, Terms, Trader, units};

/// How an error is reached.
enum How {
    /// By a transaction that it refuses.
    Refused(fn() -> Outcome),
    /// By a transaction that goes through and names it as the reason in an event.
    Event(fn() -> Sent),
}

type Row = (Error, How);

fn rows() -> Vec<Row> {
    [
        trading::rows(),
        prices::rows(),
        liquidity::rows(),
        keepers::rows(),
        governance::rows(),
        accounts::rows(),
        covenants::rows(),
        upgrades::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An exchange without funding.
fn still() -> Setup {
    Setup::with(&Terms::still())
}

/// With a trader who holds so many units and a long in market 0 of that notional.
fn long(collateral: u64, notional: u64) -> (Setup, Trader) {
    let mut setup = still();
    let trader = setup.trader("trader", units(collateral));
    setup.open(&trader, 0, i64::try_from(units(notional)).expect("fits"));
    (setup, trader)
}

/// Changes a market's bytes: for limits that would take long to come near, and for states that only a fault could leave.
fn patch(setup: &mut Setup, market: usize, change: impl FnOnce(&mut Market)) {
    let mut state = setup.market(market);
    change(&mut state);
    setup.world.write(&setup.market_key(market), &*state);
}

/// The numbers of `Name: limit L, value V` in the logs.
fn numbers(error: Error, logs: &[String]) -> Option<(i64, i64)> {
    logs.iter().find_map(|line| {
        let (_, rest) = line.split_once(&format!("{}: limit ", error.name()))?;
        let (limit, value) = rest.split_once(", value ")?;
        Some((limit.parse().ok()?, value.parse().ok()?))
    })
}

#[test]
fn every_error_has_one_row() {
    let mut count = BTreeMap::new();
    for (error, _) in rows() {
        *count.entry(error).or_insert(0) += 1;
    }
    let missing: Vec<_> = Error::ALL.iter().filter(|e| !count.contains_key(e)).collect();
    assert!(missing.is_empty(), "nobody says how these are reached: {missing:?}");
    let twice: Vec<_> = count.iter().filter(|(_, n)| **n != 1).collect();
    assert!(twice.is_empty(), "more than one row: {twice:?}");
}

/// What is wrong with how an error was reached, if anything.
fn judge(error: Error, how: &How) -> Option<String> {
    let refused = match how {
        How::Event(reach) => {
            let sent = reach();
            let code = errors::code(error);
            let named = sent.events.iter().any(|e| matches!(e, Event::LiquidityHeldBack(held) if held.reason == code));
            return (!named).then(|| format!("no event names it: {:?}", sent.events));
        }
        How::Refused(reach) => match reach() {
            Ok(_) => return Some("went through".into()),
            Err(refused) => refused,
        },
    };
    if refused.error != Some(error) || refused.code != Some(errors::code(error)) {
        return Some(refused.to_string());
    }
    if !refused.logs.iter().any(|l| l.contains(error.message())) {
        return Some("its message is not in the log".into());
    }
    let promised = error.message().contains("(limit");
    (promised && numbers(error, &refused.logs).is_none()).then(|| format!("its numbers are not in the log: {refused}"))
}

#[test]
fn every_error_is_reached_with_its_code_its_message_and_its_numbers() {
    let mut wrong = Vec::new();
    for (error, how) in rows() {
        let judged = std::panic::catch_unwind(|| judge(error, &how));
        let what = judged.unwrap_or_else(|_| Some("could not be set up".into()));
        wrong.extend(what.map(|what| format!("{}: {what}", error.name())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The limit and the value that a few of them log, to the atom.
const NUMBERS: &[(Error, (i64, i64))] = &[
    (Error::InsufficientCollateral, (1_000_000_000, 1_000_000_001)),
    (Error::OrderLimit, (16, 16)),
    (Error::ProposalLimit, (16, 16)),
    (Error::MarketLimit, (16, 16)),
    (Error::WrongMarketCount, (2, 1)),
    (Error::ParameterBounds, (5_000, 5_001)),
    (Error::ParameterStep, (200, 201)),
    (Error::BatchInvalid, (8, 1)),
    (Error::PauseBudget, (24 * 3_600, 72 * 3_600)),
    (Error::PriceStale, (25, 30)),
];

#[test]
fn the_log_names_the_limit_first_and_then_the_value() {
    for (error, expected) in NUMBERS {
        for (_, how) in rows().iter().filter(|(e, _)| e == error) {
            let How::Refused(reach) = how else { continue };
            let refused = reach().expect_err("refused");
            assert_eq!(numbers(*error, &refused.logs), Some(*expected), "{refused}");
        }
    }
}

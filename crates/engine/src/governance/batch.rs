//! Several parameters that must agree move together: each is bound to its version and held to its bounds, its step and
//! its cool-down; the class is the strictest among them; the envelope is judged on the result alone.

use super::execute::{Parameters, apply_exchange, apply_market};
use super::queue::lowest_after;
use super::{Context, Holds, ParameterLog, ProposalTerms, Request, Roles, class_byte, delay, kind, state};
use crate::Now;
use crate::constants::BATCH;
use crate::envelope::{check_exchange, check_market};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::market::MarketState;
use crate::params::ExchangeParams;
use crate::tier::Tier;

layout! {
    /// One change of a batch.
    pub struct BatchChange = 24 {
        /// Value when it was queued.
        pub old_value: u64,
        /// New value.
        pub new_value: u64,
        /// Version of the parameter that it was made for.
        pub version: u32,
        /// Parameter id.
        pub parameter: u16,
        /// For later versions.
        pub reserved_bytes: [u8; 2],
    }
}

layout! {
    /// The changes of a batch, in the order of their ids; a proposal of another kind has none.
    pub struct Batch = 200 {
        /// How many there are.
        pub count: u64,
        /// The changes.
        pub changes: [BatchChange; 8],
    }
}
const _: () = assert!(BATCH == 8);

/// One change that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Parameter id.
    pub parameter: u16,
    /// The version that it is made for.
    pub version: u32,
    /// New value.
    pub new_value: u64,
}

impl Batch {
    /// The changes in use.
    pub fn changes(&self) -> &[BatchChange] {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX).min(BATCH);
        self.changes.get(..count).unwrap_or_default()
    }

    /// From two to eight changes, in the order of their ids: so none is there twice.
    fn collect(asked: &[Asked], current: &Parameters<'_>) -> Result<Self> {
        let fits = (2..=BATCH).contains(&asked.len());
        ensure(fits, Fault::new(Error::BatchInvalid, BATCH, asked.len()))?;
        let mut batch = Self::default();
        let mut last = None;
        for (place, ask) in batch.changes.iter_mut().zip(asked) {
            ensure(last < Some(ask.parameter), Fault::new(Error::BatchInvalid, BATCH, asked.len()))?;
            last = Some(ask.parameter);
            let (parameter, version, new_value) = (ask.parameter, ask.version, ask.new_value);
            let old_value = current.value(parameter)?;
            *place = BatchChange { old_value, new_value, version, parameter, ..BatchChange::default() };
        }
        batch.count = u64::try_from(asked.len()).map_err(|_| Error::MathOverflow)?;
        Ok(batch)
    }
}

/// Checks and fills in a batch of a market's parameters. The request's own version is not looked at: each change has its
/// own.
///
/// # Errors
/// As [`queue_market_parameter`](super::queue_market_parameter) for each change and for the result;
/// [`Error::BatchInvalid`].
pub fn queue_market_batch(
    market: &MarketState,
    context: &Context<'_>,
    request: &Request,
    asked: &[Asked],
    now: &Now,
) -> Result<(ProposalTerms, Batch)> {
    let current = Parameters::of_market(market);
    let batch = Batch::collect(asked, &current)?;
    let holds = context.holds_of(market);
    let terms = queue(kind::MARKET_BATCH, &batch, &current, context, &holds, request, now)?;
    let mut next = market.params;
    for change in batch.changes() {
        next.set(change.parameter, change.new_value)?;
    }
    let lowest = lowest_after(market, &next, terms.eta);
    check_market(&next, Tier::from_byte(market.tier)?, lowest, market.quote_decimals)?;
    Ok((terms, batch))
}

/// The same for the exchange's parameters.
///
/// # Errors
/// As [`queue_market_batch`].
pub fn queue_exchange_batch(
    log: &ParameterLog,
    context: &Context<'_>,
    request: &Request,
    asked: &[Asked],
    now: &Now,
) -> Result<(ProposalTerms, Batch)> {
    let current = Parameters::of_exchange(context.params, log);
    let batch = Batch::collect(asked, &current)?;
    let terms = queue(kind::EXCHANGE_BATCH, &batch, &current, context, &context.holds(), request, now)?;
    let mut next = *context.params;
    for change in batch.changes() {
        next.set(change.parameter, change.new_value)?;
    }
    check_exchange(&next)?;
    Ok((terms, batch))
}

fn queue(
    kind: u8,
    batch: &Batch,
    current: &Parameters<'_>,
    context: &Context<'_>,
    holds: &Holds<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    let judged = current.judge(batch.changes(), None)?;
    let wait = delay(judged.class, context.params);
    let terms = request.terms(context, holds, (kind, class_byte(judged.class), wait), now)?;
    Ok(ProposalTerms { tightening: judged.tightening.into(), version: 0, ..terms })
}

/// Executes a batch of a market's parameters, all or none, under the rules of
/// [`execute_market_parameter`](super::execute_market_parameter).
///
/// # Errors
/// Each check's own. Nothing is changed on an error.
pub fn execute_market_batch(
    terms: &mut ProposalTerms,
    batch: &Batch,
    market: &mut MarketState,
    context: &Context<'_>,
    now: &Now,
) -> Result<()> {
    terms.check_kind(kind::MARKET_BATCH)?;
    terms.check_executable(context.roles, &context.holds_of(market), now)?;
    let judged = Parameters::of_market(market).judge(batch.changes(), Some(now))?;
    terms.check_class(judged.class)?;
    apply_market(market, batch.changes(), context, now)?;
    terms.state = state::EXECUTED;
    Ok(())
}

/// The same for the exchange's parameters.
///
/// # Errors
/// Each check's own. Nothing is changed on an error.
pub fn execute_exchange_batch(
    terms: &mut ProposalTerms,
    batch: &Batch,
    (params, log): (&mut ExchangeParams, &mut ParameterLog),
    roles: &Roles,
    holds: &Holds<'_>,
    now: &Now,
) -> Result<()> {
    terms.check_kind(kind::EXCHANGE_BATCH)?;
    terms.check_executable(roles, holds, now)?;
    let judged = Parameters::of_exchange(params, log).judge(batch.changes(), Some(now))?;
    terms.check_class(judged.class)?;
    apply_exchange(params, log, batch.changes(), now)?;
    terms.state = state::EXECUTED;
    Ok(())
}

/// A single change as a batch of one.
pub(super) fn single(terms: &ProposalTerms) -> [BatchChange; 1] {
    [BatchChange {
        old_value: terms.old_value,
        new_value: terms.new_value,
        version: terms.version,
        parameter: terms.parameter,
        ..BatchChange::default()
    }]
}

/// What a row's name stands for in a set, for the rules that ask.
pub(super) fn touches(changes: &[BatchChange], place: usize) -> bool {
    changes.iter().any(|c| usize::from(c.parameter) == place)
}

//! What executing stores. Anyone may; everything is judged again on the state of the moment.

use super::batch::{BatchChange, single, touches};
use super::queue::{check_change, lowest_after};
use super::{
    Context, Holds, ParameterLog, ProposalTerms, Roles, class_byte, entry, kind, place_at, record, role, roles, state,
};
use crate::Now;
use crate::constants::PARAM_COOL_DOWN;
use crate::envelope::{check_exchange, check_market};
use crate::error::{Error, Fault, Result, ensure};
use crate::guardian::Emergency;
use crate::layout::Key;
use crate::market::MarketState;
use crate::math::{fit, some};
use crate::params::{Class, EXCHANGE_ROWS, ExchangeParams, MARKET_ROWS, MarketParams, Row};
use crate::tier::Tier;
use crate::units::{Base, Quote, Rounding};

const INITIAL: usize = place_at(core::mem::offset_of!(MarketParams, initial_margin));
/// The row of the maintenance margin.
pub(crate) const MAINTENANCE: usize = place_at(core::mem::offset_of!(MarketParams, maintenance_margin));
const CAP: usize = place_at(core::mem::offset_of!(MarketParams, open_interest_cap));
const SKEW_SCALE: usize = place_at(core::mem::offset_of!(MarketParams, skew_scale));
const IMPACT: usize = place_at(core::mem::offset_of!(MarketParams, liquidation_impact));
/// The skew scale changes while the skew is within one part in so many of its limit.
const SKEW_PARTS: u64 = 100;

/// A parameter that has changed, for the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub parameter: u16,
    /// Before.
    pub old: u64,
    /// After.
    pub new: u64,
    /// Its version now.
    pub version: u32,
}

/// A role or feed that has changed, for the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleChange {
    /// The proposal's kind.
    pub kind: u8,
    /// Before.
    pub old: Key,
    /// After; for governance the key that may now accept.
    pub new: Key,
    /// Its version now.
    pub version: u32,
}

/// Parameters as they stand, with their versions and the times of their last changes, by id.
pub(super) struct Parameters<'a> {
    rows: &'static [Row],
    values: &'a [u64],
    versions: &'a [u32],
    changed: &'a [i64],
    of_market: bool,
}

/// What changes together are.
pub(super) struct Judged {
    /// The strictest class among them.
    pub(super) class: Class,
    /// Whether all of them are tightenings: a direction that waits less than its opposite is one, but for a cut of the cap on
    /// open interest, for it raises the holding fee of what is open.
    pub(super) tightening: bool,
}

impl<'a> Parameters<'a> {
    pub(super) fn of_market(market: &'a MarketState) -> Self {
        Self {
            rows: MARKET_ROWS,
            values: bytemuck::cast_slice(core::slice::from_ref(&market.params)),
            versions: &market.param_version,
            changed: &market.param_changed,
            of_market: true,
        }
    }

    pub(super) fn of_exchange(params: &'a ExchangeParams, log: &'a ParameterLog) -> Self {
        Self {
            rows: EXCHANGE_ROWS,
            values: bytemuck::cast_slice(core::slice::from_ref(params)),
            versions: &log.version,
            changed: &log.changed,
            of_market: false,
        }
    }

    fn row(&self, id: u16) -> Result<&'static Row> {
        self.rows.get(usize::from(id)).ok_or(Error::ParameterUnknown.into())
    }

    pub(super) fn value(&self, id: u16) -> Result<u64> {
        self.row(id)?;
        entry(self.values, id)
    }

    /// Whether changes agree with what there is: version, old value, bounds, step; the cool-down only when they are
    /// executed, at `now`.
    pub(super) fn judge(&self, changes: &[BatchChange], now: Option<&Now>) -> Result<Judged> {
        let mut judged = Judged { class: Class::G1, tightening: true };
        for change in changes {
            let (id, old, new) = (change.parameter, change.old_value, change.new_value);
            let row = self.row(id)?;
            let version: u32 = entry(self.versions, id)?;
            ensure(change.version == version, Fault::new(Error::VersionMoved, version, change.version))?;
            let value = self.value(id)?;
            ensure(old == value, Fault::new(Error::OldValueMoved, value, old))?;
            let class = check_change(row, old, new)?;
            if let Some(now) = now {
                check_cool_down(entry(self.changed, id)?, now)?;
            }
            judged.class = judged.class.max(class);
            let dearer = self.of_market && usize::from(id) == CAP;
            judged.tightening &= class < row.class(new, old)? && !dearer;
        }
        Ok(judged)
    }
}

fn check_cool_down(changed: i64, now: &Now) -> Result<()> {
    if changed == 0 {
        return Ok(());
    }
    let again = some(changed.checked_add(PARAM_COOL_DOWN))?;
    ensure(now.unix >= again, Fault::new(Error::ParameterCoolDown, again, now.unix))
}

impl ProposalTerms {
    pub(super) fn check_kind(&self, kind: u8) -> Result<()> {
        ensure(self.kind == kind, Error::ParameterUnknown)
    }

    pub(super) fn check_version(&self, current: u32) -> Result<()> {
        ensure(self.version == current, Fault::new(Error::VersionMoved, current, self.version))
    }

    /// The program may have been upgraded in between: what waited for another class than today's is void.
    pub(super) fn check_class(&self, class: Class) -> Result<()> {
        ensure(class_byte(class) == self.class, Fault::new(Error::VersionMoved, class_byte(class), self.class))
    }

    /// The version that a single change has now.
    fn changed(&self, versions: &[u32]) -> Result<Change> {
        let (parameter, old, new) = (self.parameter, self.old_value, self.new_value);
        Ok(Change { parameter, old, new, version: entry(versions, parameter)? })
    }
}

/// Executes a proposal for a market's parameter. Checked: state, time, proposer, version, old value, bounds, step,
/// class, cool-down, the envelope and every cross-check on the resulting set with the lowest maintenance margin in
/// force. Besides, a raise of the maintenance margin starts the grace, and none may be running (P10); one of the initial
/// margin starts a grace for what profit counts for in the maintenance test; the skew scale
/// changes only near balance; and neither it nor the impact may fall below what open interest needs, else a fill's
/// premium could exceed the impact that the envelope counts on.
///
/// Nothing is changed on an error.
///
/// # Errors
/// Each check's own, and [`Error::ParameterCoolDown`] while a grace runs, [`Error::SkewTooLarge`],
/// [`Error::OpenInterestImpact`].
pub fn execute_market_parameter(
    terms: &mut ProposalTerms,
    market: &mut MarketState,
    context: &Context<'_>,
    now: &Now,
) -> Result<Change> {
    terms.check_kind(kind::MARKET_PARAMETER)?;
    terms.check_executable(context.roles, &context.holds_of(market), now)?;
    let change = single(terms);
    terms.check_class(Parameters::of_market(market).judge(&change, Some(now))?.class)?;
    apply_market(market, &change, context, now)?;
    terms.state = state::EXECUTED;
    terms.changed(&market.param_version)
}

/// Stores changes of a market's parameters that were judged one by one, if the result may be.
pub(super) fn apply_market(
    market: &mut MarketState,
    changes: &[BatchChange],
    context: &Context<'_>,
    now: &Now,
) -> Result<()> {
    let mut next = market.params;
    for change in changes {
        next.set(change.parameter, change.new_value)?;
    }
    let lowest = lowest_after(market, &next, now.unix);
    check_market(&next, Tier::from_byte(market.tier)?, lowest, market.quote_decimals)?;
    let (old, new) = (market.params.maintenance_margin.0, next.maintenance_margin.0);
    let margin = touches(changes, MAINTENANCE);
    let in_grace = now.unix < market.grace_until;
    ensure(!(margin && new > old && in_grace), Fault::new(Error::ParameterCoolDown, market.grace_until, now.unix))?;
    if touches(changes, SKEW_SCALE) {
        check_balance(market, &next)?;
    }
    if touches(changes, SKEW_SCALE) || touches(changes, IMPACT) {
        check_impact(market, &next)?;
    }
    let grace_until = some(now.unix.checked_add(fit::<u64, i64>(context.params.grace)?))?;
    let mut versions = market.param_version;
    let mut changed = market.param_changed;
    for change in changes {
        record(&mut changed, &mut versions, change.parameter, now)?;
    }

    let (old_initial, new_initial) = (market.params.initial_margin.0, next.initial_margin.0);
    market.param_version = versions;
    market.param_changed = changed;
    market.params = next;
    if touches(changes, INITIAL) && new_initial > old_initial {
        // A raise after a raise: what stood before the first goes on counting.
        let running = now.unix < market.credit_until;
        market.old_initial = if running { market.old_initial.min(old_initial) } else { old_initial };
        market.credit_until = grace_until;
    }
    if margin && new > old {
        market.old_maintenance = old;
        market.grace_until = grace_until;
    } else if margin && new <= market.old_maintenance {
        // Back at or below where the grace began: nothing is left to be graced.
        market.old_maintenance = 0;
        market.grace_until = 0;
    }
    Ok(())
}

/// The largest skew that the impact limit lets stand.
fn impact_limit(params: &MarketParams) -> Result<u64> {
    Ok(Quote(params.skew_scale.0).portion(params.liquidation_impact, Rounding::Down)?.0)
}

/// The premium owed back when the skew unwinds hangs on the skew scale: it changes near balance only.
fn check_balance(market: &MarketState, next: &MarketParams) -> Result<()> {
    let limit = impact_limit(&market.params)?.min(impact_limit(next)?);
    let Base(skew) = market.skew()?.size();
    let near = some(limit.checked_div(SKEW_PARTS))?;
    ensure(skew <= near, Fault::new(Error::SkewTooLarge, near, skew))
}

fn check_impact(market: &MarketState, next: &MarketParams) -> Result<()> {
    let limit = impact_limit(next)?;
    let Base(larger) = market.long.open_interest.max(market.short.open_interest);
    ensure(larger <= limit, Fault::new(Error::OpenInterestImpact, limit, larger))
}

/// Executes a proposal for an exchange's parameter. Nothing is changed on an error.
///
/// # Errors
/// Each check's own.
pub fn execute_exchange_parameter(
    terms: &mut ProposalTerms,
    params: &mut ExchangeParams,
    log: &mut ParameterLog,
    roles: &Roles,
    holds: &Holds<'_>,
    now: &Now,
) -> Result<Change> {
    terms.check_kind(kind::EXCHANGE_PARAMETER)?;
    terms.check_executable(roles, holds, now)?;
    let change = single(terms);
    terms.check_class(Parameters::of_exchange(params, log).judge(&change, Some(now))?.class)?;
    apply_exchange(params, log, &change, now)?;
    terms.state = state::EXECUTED;
    terms.changed(&log.version)
}

/// Stores changes of an exchange's parameters that were judged one by one, if the result may be.
pub(super) fn apply_exchange(
    params: &mut ExchangeParams,
    log: &mut ParameterLog,
    changes: &[BatchChange],
    now: &Now,
) -> Result<()> {
    let (mut next, mut noted) = (*params, *log);
    for change in changes {
        next.set(change.parameter, change.new_value)?;
        record(&mut noted.changed, &mut noted.version, change.parameter, now)?;
    }
    check_exchange(&next)?;
    *params = next;
    *log = noted;
    Ok(())
}

/// Executes a proposal for a role: a new committee or guardian takes its seat, a new governance key may then accept
/// ([`Roles::accept_governance`]). Nothing is changed on an error.
///
/// # Errors
/// Each check's own; [`Error::RoleKeyInvalid`] if the key has taken another role since.
pub fn execute_role(
    terms: &mut ProposalTerms,
    roles: &mut Roles,
    emergency: &Emergency,
    now: &Now,
) -> Result<RoleChange> {
    let place = roles::of_kind(terms.kind)?;
    // Exits that are held back do not count for a role.
    let exits = super::ExitHolds::default();
    terms.check_executable(roles, &Holds { emergency, exits: &exits }, now)?;
    roles.check_version(place, terms.version)?;
    let new = terms.new_key;
    roles.check_key(&new)?;
    let version = roles.bump_version(place)?;
    let seat = match terms.kind {
        kind::GOVERNANCE => &mut roles.pending_governance,
        kind::COMMITTEE => &mut roles.committee,
        _ => &mut roles.guardian,
    };
    let old = core::mem::replace(seat, new);
    if place == role::COMMITTEE {
        roles.end_epoch(role::COMMITTEE)?;
    }
    terms.state = state::EXECUTED;
    Ok(RoleChange { kind: terms.kind, old, new, version })
}

/// Executes a proposal for a withdrawal of insurance: takes the amount out of `fund`, the shared one or a market's bucket.
/// The caller has seen that no market has a claim open ([`crate::insurance::check_none_pending`]).
///
/// # Errors
/// Each check's own; [`Error::InsufficientCollateral`] for more than there is.
pub fn execute_insurance_withdrawal(
    terms: &mut ProposalTerms,
    fund: &mut Quote,
    withdrawals: &mut u64,
    roles: &Roles,
    holds: &Holds<'_>,
    now: &Now,
) -> Result<Quote> {
    terms.check_kind(kind::INSURANCE)?;
    terms.check_executable(roles, holds, now)?;
    terms.check_version(fit(*withdrawals)?)?;
    let amount = Quote(terms.new_value);
    ensure(amount <= *fund, Fault::new(Error::InsufficientCollateral, fund.0, amount.0))?;
    *fund = fund.less(amount)?;
    *withdrawals = some(withdrawals.checked_add(1))?;
    terms.state = state::EXECUTED;
    Ok(amount)
}

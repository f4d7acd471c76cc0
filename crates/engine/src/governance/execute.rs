//! What executing stores. Anyone may; everything is judged again on the state of the moment.

use super::queue::{check_change, lowest_after};
use super::{
    Context, ParameterLog, ProposalTerms, Roles, class_byte, entry, kind, place_at, record, role, roles, state,
};
use crate::Now;
use crate::constants::PARAM_COOL_DOWN;
use crate::envelope::{check_exchange, check_market};
use crate::error::{Error, Fault, Result, ensure};
use crate::guardian::Emergency;
use crate::layout::Key;
use crate::market::MarketState;
use crate::math::{fit, some};
use crate::params::{ExchangeParams, MarketParams, Row};
use crate::tier::Tier;
use crate::units::{Base, Quote, Rounding};

const MAINTENANCE: usize = place_at(core::mem::offset_of!(MarketParams, maintenance_margin));
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

/// What a parameter's proposal must still agree with.
struct Current<'a> {
    row: &'a Row,
    value: u64,
    version: u32,
    changed: i64,
}

impl ProposalTerms {
    pub(super) fn check_kind(&self, kind: u8) -> Result<()> {
        ensure(self.kind == kind, Error::ParameterUnknown)
    }

    pub(super) fn check_version(&self, current: u32) -> Result<()> {
        ensure(self.version == current, Fault::new(Error::VersionMoved, current, self.version))
    }

    fn check_parameter(&self, current: &Current<'_>, now: &Now) -> Result<()> {
        self.check_version(current.version)?;
        ensure(self.old_value == current.value, Fault::new(Error::OldValueMoved, current.value, self.old_value))?;
        let class = check_change(current.row, self.old_value, self.new_value)?;
        // The program may have been upgraded in between: what waited for another class than today's is void.
        ensure(class_byte(class) == self.class, Fault::new(Error::VersionMoved, class_byte(class), self.class))?;
        if current.changed != 0 {
            let again = some(current.changed.checked_add(PARAM_COOL_DOWN))?;
            ensure(now.unix >= again, Fault::new(Error::ParameterCoolDown, again, now.unix))?;
        }
        Ok(())
    }
}

/// Executes a proposal for a market's parameter. Checked: state, time, proposer, version, old value, bounds, step,
/// class, cool-down, the envelope and every cross-check on the resulting set with the lowest maintenance margin in
/// force. Besides, a raise of the maintenance margin starts the grace, and none may be running (P10); the skew scale
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
    terms.check_executable(context.roles, context.emergency, now)?;
    let (id, old, new) = (terms.parameter, terms.old_value, terms.new_value);
    let current = Current {
        row: MarketParams::row(id)?,
        value: market.params.get(id)?,
        version: entry(&market.param_version, id)?,
        changed: entry(&market.param_changed, id)?,
    };
    terms.check_parameter(&current, now)?;
    let mut next = market.params;
    next.set(id, new)?;
    let lowest = lowest_after(market, &next, now.unix);
    check_market(&next, Tier::from_byte(market.tier)?, lowest, market.quote_decimals)?;
    let in_grace = now.unix < market.grace_until;
    let place = usize::from(id);
    let margin = place == MAINTENANCE;
    ensure(!(margin && new > old && in_grace), Fault::new(Error::ParameterCoolDown, market.grace_until, now.unix))?;
    if place == SKEW_SCALE {
        check_balance(market, &next)?;
    }
    if place == SKEW_SCALE || place == IMPACT {
        check_impact(market, &next)?;
    }
    let grace_until = some(now.unix.checked_add(fit::<u64, i64>(context.params.grace)?))?;

    let version = record(&mut market.param_changed, &mut market.param_version, id, now)?;
    market.params.set(id, new)?;
    if margin && new > old {
        market.old_maintenance = old;
        market.grace_until = grace_until;
    } else if margin && new <= market.old_maintenance {
        // Back at or below where the grace began: nothing is left to be graced.
        market.old_maintenance = 0;
        market.grace_until = 0;
    }
    terms.state = state::EXECUTED;
    Ok(Change { parameter: id, old, new, version })
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
    emergency: &Emergency,
    now: &Now,
) -> Result<Change> {
    terms.check_kind(kind::EXCHANGE_PARAMETER)?;
    terms.check_executable(roles, emergency, now)?;
    let (id, old, new) = (terms.parameter, terms.old_value, terms.new_value);
    let current = Current {
        row: ExchangeParams::row(id)?,
        value: params.get(id)?,
        version: entry(&log.version, id)?,
        changed: entry(&log.changed, id)?,
    };
    terms.check_parameter(&current, now)?;
    let mut next = *params;
    next.set(id, new)?;
    check_exchange(&next)?;
    let version = record(&mut log.changed, &mut log.version, id, now)?;
    *params = next;
    terms.state = state::EXECUTED;
    Ok(Change { parameter: id, old, new, version })
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
    terms.check_executable(roles, emergency, now)?;
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

/// Executes a proposal for a market's oracle feed, `feed` and `version` being the market's. The caller makes the
/// market's averages begin anew, so that the new feed's first prices are unconfirmed.
///
/// # Errors
/// Each check's own.
pub fn execute_oracle_feed(
    terms: &mut ProposalTerms,
    feed: &mut Key,
    version: &mut u32,
    context: &Context<'_>,
    now: &Now,
) -> Result<RoleChange> {
    terms.check_kind(kind::ORACLE_FEED)?;
    terms.check_executable(context.roles, context.emergency, now)?;
    terms.check_version(*version)?;
    *version = some(version.checked_add(1))?;
    let new = terms.new_key;
    let old = core::mem::replace(feed, new);
    terms.state = state::EXECUTED;
    Ok(RoleChange { kind: terms.kind, old, new, version: *version })
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
    emergency: &Emergency,
    now: &Now,
) -> Result<Quote> {
    terms.check_kind(kind::INSURANCE)?;
    terms.check_executable(roles, emergency, now)?;
    terms.check_version(fit(*withdrawals)?)?;
    let amount = Quote(terms.new_value);
    ensure(amount <= *fund, Fault::new(Error::InsufficientCollateral, fund.0, amount.0))?;
    *fund = fund.less(amount)?;
    *withdrawals = some(withdrawals.checked_add(1))?;
    terms.state = state::EXECUTED;
    Ok(amount)
}

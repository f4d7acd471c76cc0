//! What may be queued.

use super::batch::BatchChange;
use super::execute::Parameters;
use super::{
    Context, Holds, ParameterLog, ProposalTerms, Proposer, class, class_byte, delay, guardian_delay, kind,
    lowest_maintenance, roles, state,
};
use crate::Now;
use crate::constants::{PROPOSAL_LIFE, PROPOSAL_SLOTS_AHEAD};
use crate::envelope::{check_exchange, check_market};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout::Key;
use crate::market::MarketState;
use crate::math::some;
use crate::params::{Class, MarketParams, Row};
use crate::tier::Tier;
use crate::units::Ratio;

/// What whoever proposes signs, besides the change itself.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Who signs.
    pub signer: Key,
    /// The version that the change is made for: an approval collected before another change fails.
    pub version: u32,
    /// The last slot in which it may be queued, at most a day ahead: an approval collected long ago fails.
    pub last_slot: u64,
    /// Hash of the rationale.
    pub rationale: Key,
}

impl Request {
    fn check_slot(&self, now: &Now) -> Result<()> {
        ensure(now.slot <= self.last_slot, Fault::new(Error::ProposalTooOld, now.slot, self.last_slot))?;
        let furthest = some(now.slot.checked_add(PROPOSAL_SLOTS_AHEAD))?;
        ensure(self.last_slot <= furthest, Fault::new(Error::ProposalTooOld, furthest, self.last_slot))
    }

    pub(super) fn check_version(&self, current: u32) -> Result<()> {
        ensure(self.version == current, Fault::new(Error::VersionMoved, current, self.version))
    }

    /// The terms that every kind has: who, when, until when, whose veto.
    pub(super) fn terms(
        &self,
        context: &Context<'_>,
        holds: &Holds<'_>,
        (kind, class, wait): (u8, u8, i64),
        now: &Now,
    ) -> Result<ProposalTerms> {
        self.check_slot(now)?;
        let proposer = context.roles.proposer(&self.signer)?;
        ensure(proposer == Proposer::Governance || class == class::TUNE, Error::NotProposer)?;
        let eta = some(now.unix.checked_add(wait))?;
        // The guardian cannot veto its own replacement; anything else keeps the guardian of this moment.
        let vetoer = if kind == super::kind::GUARDIAN { Key::default() } else { context.roles.guardian };
        Ok(ProposalTerms {
            version: self.version,
            kind,
            state: state::PENDING,
            queued_at: now.unix,
            eta,
            expires_at: some(eta.checked_add(PROPOSAL_LIFE))?,
            vetoer,
            rationale: self.rationale,
            class,
            proposer: proposer.byte(),
            epoch: context.roles.epoch_of(proposer.byte())?,
            held_before: holds.emergency.held_until(now)?,
            exits_before: holds.exits.held_until(now)?,
            ..ProposalTerms::default()
        })
    }

    fn parameter_terms(
        &self,
        context: &Context<'_>,
        holds: &Holds<'_>,
        current: &Parameters<'_>,
        (kind, parameter, new_value): (u8, u16, u64),
        now: &Now,
    ) -> Result<ProposalTerms> {
        let old_value = current.value(parameter)?;
        let change = BatchChange { old_value, new_value, version: self.version, parameter, ..BatchChange::default() };
        let judged = current.judge(&[change], None)?;
        let wait = delay(judged.class, context.params);
        let terms = self.terms(context, holds, (kind, class_byte(judged.class), wait), now)?;
        Ok(ProposalTerms { parameter, old_value, new_value, tightening: judged.tightening.into(), ..terms })
    }
}

/// Bounds, step and class of a change.
pub(super) fn check_change(row: &Row, old: u64, new: u64) -> Result<Class> {
    let class = row.class(old, new)?;
    row.check_bounds(new)?;
    row.check_step(old, new)?;
    Ok(class)
}

/// The lowest maintenance margin in force once a parameter is changed.
pub(super) fn lowest_after(market: &MarketState, next: &MarketParams, unix: i64) -> Ratio {
    lowest_maintenance(market, unix).min(next.maintenance_margin)
}

/// Checks and fills in a proposal for a market's parameter: version, last slot, bounds, step, class, proposer's right;
/// the envelope is judged too, as of the ETA, so that what cannot execute is refused at once.
///
/// # Errors
/// Each check's own: [`Error::ParameterUnknown`], [`Error::VersionMoved`], [`Error::ParameterUnchanged`],
/// [`Error::ParameterBounds`], [`Error::ParameterStep`], [`Error::ProposalTooOld`], [`Error::NotProposer`],
/// [`Error::EnvelopeBroken`], [`Error::CrossCheckBroken`].
pub fn queue_market_parameter(
    market: &MarketState,
    context: &Context<'_>,
    request: &Request,
    parameter: u16,
    new_value: u64,
    now: &Now,
) -> Result<ProposalTerms> {
    let holds = context.holds_of(market);
    let current = Parameters::of_market(market);
    let change = (kind::MARKET_PARAMETER, parameter, new_value);
    let terms = request.parameter_terms(context, &holds, &current, change, now)?;
    let mut next = market.params;
    next.set(parameter, new_value)?;
    // As of the ETA: a grace that is over by then binds no more. The value being replaced counts too, for a raise of
    // the maintenance margin leaves the old one in force.
    let lowest = lowest_after(market, &next, terms.eta);
    check_market(&next, Tier::from_byte(market.tier)?, lowest, market.quote_decimals)?;
    Ok(terms)
}

/// The same for an exchange's parameter.
///
/// # Errors
/// As [`queue_market_parameter`].
pub fn queue_exchange_parameter(
    log: &ParameterLog,
    context: &Context<'_>,
    request: &Request,
    parameter: u16,
    new_value: u64,
    now: &Now,
) -> Result<ProposalTerms> {
    let current = Parameters::of_exchange(context.params, log);
    let change = (kind::EXCHANGE_PARAMETER, parameter, new_value);
    let terms = request.parameter_terms(context, &context.holds(), &current, change, now)?;
    let mut next = *context.params;
    next.set(parameter, new_value)?;
    check_exchange(&next)?;
    Ok(terms)
}

/// Checks and fills in a proposal for a role ([`kind::GOVERNANCE`], [`kind::COMMITTEE`], [`kind::GUARDIAN`]): class G2,
/// the guardian's replacement longer than anything else. Only governance may.
///
/// # Errors
/// [`Error::ParameterUnknown`] for another kind, [`Error::NotProposer`], [`Error::RoleKeyInvalid`],
/// [`Error::VersionMoved`], [`Error::ProposalTooOld`].
pub fn queue_role(
    role_kind: u8,
    new_key: Key,
    context: &Context<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    context.roles.check_version(roles::of_kind(role_kind)?, request.version)?;
    context.roles.check_key(&new_key)?;
    let (class, wait) = if role_kind == kind::GUARDIAN {
        (class::GUARDIAN, guardian_delay(context.params)?)
    } else {
        (class::RISK, delay(Class::G2, context.params))
    };
    let terms = request.terms(context, &context.holds(), (role_kind, class, wait), now)?;
    Ok(ProposalTerms { new_key, ..terms })
}

/// Checks and fills in a proposal for a withdrawal of insurance, class G3, from a market's bucket or the shared fund
/// ([`super::SHARED_FUND`]) to a token account. `version` is how many withdrawals there were. Only governance may.
///
/// # Errors
/// [`Error::AmountZero`], [`Error::RoleKeyInvalid`] for the default key, [`Error::VersionMoved`], [`Error::NotProposer`],
/// [`Error::ProposalTooOld`].
pub fn queue_insurance_withdrawal(
    from: u16,
    amount: u64,
    destination: Key,
    version: u32,
    context: &Context<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    request.check_version(version)?;
    ensure(amount > 0, Error::AmountZero)?;
    ensure(destination != Key::default(), Error::RoleKeyInvalid)?;
    let wait = delay(Class::G3, context.params);
    let terms = request.terms(context, &context.holds(), (kind::INSURANCE, class::DEEP, wait), now)?;
    Ok(ProposalTerms { parameter: from, new_value: amount, new_key: destination, ..terms })
}

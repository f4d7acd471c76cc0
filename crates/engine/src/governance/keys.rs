//! Addresses that the exchange names, class G3: where protocol fees go, which programs may own oracle accounts.

use super::{Context, Holds, ProposalTerms, Request, RoleChange, Roles, class, delay, kind, state};
use crate::Now;
use crate::error::{Error, Result, ensure};
use crate::layout::Key;
use crate::math::some;
use crate::params::Class;

/// Checks and fills in a proposal for where protocol fees go; that it is a token account is the caller's part. Only
/// governance may.
///
/// # Errors
/// [`Error::ParameterUnchanged`], [`Error::RoleKeyInvalid`] for the default key, [`Error::VersionMoved`],
/// [`Error::NotProposer`], [`Error::ProposalTooOld`].
pub fn queue_fee_destination(
    current: &Key,
    version: u32,
    new: Key,
    context: &Context<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    ensure(new != Key::default(), Error::RoleKeyInvalid)?;
    queue_key(current, version, (kind::FEE_DESTINATION, 0, new), context, request, now)
}

/// Checks and fills in a proposal for a place of the list of programs that may own oracle accounts; the default key
/// empties the place. Markets keep the program they have. Only governance may.
///
/// # Errors
/// As [`queue_fee_destination`]; [`Error::ParameterUnknown`] for another place; [`Error::OracleProgramInvalid`] for a list
/// that would be empty or name a program twice.
pub fn queue_oracle_program(
    programs: &[Key; 2],
    version: u32,
    (place, new): (u16, Key),
    context: &Context<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    let current = programs.get(usize::from(place)).ok_or(Error::ParameterUnknown)?;
    check_programs(programs, place, &new)?;
    queue_key(current, version, (kind::ORACLE_PROGRAM, place, new), context, request, now)
}

fn queue_key(
    current: &Key,
    version: u32,
    (kind, place, new): (u8, u16, Key),
    context: &Context<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    request.check_version(version)?;
    ensure(new != *current, Error::ParameterUnchanged)?;
    let wait = delay(Class::G3, context.params);
    let terms = request.terms(context, &context.holds(), (kind, class::DEEP, wait), now)?;
    Ok(ProposalTerms { new_key: new, parameter: place, ..terms })
}

/// At least one program, and none twice.
fn check_programs(programs: &[Key; 2], place: u16, new: &Key) -> Result<()> {
    let others = (0_u16..).zip(programs).filter(|(p, _)| *p != place).map(|(_, program)| program);
    let mut left = *new != Key::default();
    for other in others {
        ensure(*other == Key::default() || other != new, Error::OracleProgramInvalid)?;
        left |= *other != Key::default();
    }
    ensure(left, Error::OracleProgramInvalid)
}

/// Executes a proposal for where protocol fees go. Nothing is changed on an error.
///
/// # Errors
/// Each check's own.
pub fn execute_fee_destination(
    terms: &mut ProposalTerms,
    destination: &mut Key,
    version: &mut u32,
    roles: &Roles,
    holds: &Holds<'_>,
    now: &Now,
) -> Result<RoleChange> {
    terms.check_kind(kind::FEE_DESTINATION)?;
    set_key(terms, destination, version, roles, holds, now)
}

/// Executes a proposal for a program that may own oracle accounts. Nothing is changed on an error.
///
/// # Errors
/// Each check's own.
pub fn execute_oracle_program(
    terms: &mut ProposalTerms,
    programs: &mut [Key; 2],
    version: &mut u32,
    roles: &Roles,
    holds: &Holds<'_>,
    now: &Now,
) -> Result<RoleChange> {
    terms.check_kind(kind::ORACLE_PROGRAM)?;
    check_programs(programs, terms.parameter, &terms.new_key)?;
    let place = programs.get_mut(usize::from(terms.parameter)).ok_or(Error::ParameterUnknown)?;
    set_key(terms, place, version, roles, holds, now)
}

fn set_key(
    terms: &mut ProposalTerms,
    place: &mut Key,
    version: &mut u32,
    roles: &Roles,
    holds: &Holds<'_>,
    now: &Now,
) -> Result<RoleChange> {
    terms.check_executable(roles, holds, now)?;
    terms.check_version(*version)?;
    *version = some(version.checked_add(1))?;
    let new = terms.new_key;
    let old = core::mem::replace(place, new);
    terms.state = state::EXECUTED;
    Ok(RoleChange { kind: terms.kind, old, new, version: *version })
}

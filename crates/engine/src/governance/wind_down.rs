//! A market's end (section 11): reduce-only for good. Everybody may reduce and leave at any time; what is still open
//! after a notice of 30 days may be settled by anyone.

use super::{Context, ProposalTerms, Request, class, delay, kind, state};
use crate::Now;
use crate::error::{Error, Result, ensure};
use crate::market::MarketState;
use crate::math::{fit, some};
use crate::params::Class;

/// Checks and fills in a proposal to wind a market down, or to call that off: class G2. Only governance may.
///
/// # Errors
/// [`Error::ParameterUnchanged`], [`Error::VersionMoved`], [`Error::NotProposer`], [`Error::ProposalTooOld`].
pub fn queue_wind_down(
    market: &MarketState,
    closing: bool,
    context: &Context<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    let current = market.governed.closing_since != 0;
    request.check_version(fit::<u64, u32>(market.governed.closing_version)?)?;
    ensure(closing != current, Error::ParameterUnchanged)?;
    let wait = delay(Class::G2, context.params);
    let holds = context.holds_of(market);
    let terms = request.terms(context, &holds, (kind::WIND_DOWN, class::RISK, wait), now)?;
    Ok(ProposalTerms { old_value: current.into(), new_value: closing.into(), ..terms })
}

/// Executes it. Nothing is changed on an error. Returns the version now.
///
/// # Errors
/// Each check's own.
pub fn execute_wind_down(
    terms: &mut ProposalTerms,
    market: &mut MarketState,
    context: &Context<'_>,
    now: &Now,
) -> Result<u32> {
    terms.check_kind(kind::WIND_DOWN)?;
    terms.check_executable(context.roles, &context.holds_of(market), now)?;
    let version = fit::<u64, u32>(market.governed.closing_version)?;
    terms.check_version(version)?;
    let version = some(version.checked_add(1))?;
    market.governed.closing_version = version.into();
    market.governed.closing_since = if terms.new_value == 0 { 0 } else { now.unix };
    terms.state = state::EXECUTED;
    Ok(version)
}

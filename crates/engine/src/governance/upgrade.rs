//! What the root exchange decides for the program: upgrades, and further exchanges (class G3). New code waits like any other change, and nothing but what was announced
//! can land.
//!
//! What is announced is a buffer of the upgradeable loader whose authority is already the exchange's timelock address,
//! so that nobody can write it any more; its SHA-256 is committed and computed again at execution.

use super::{Context, ProposalTerms, Request, class, delay, kind, state};
use crate::Now;
use crate::constants::UPGRADE_LENGTH_MAX;
use crate::error::{Error, Fault, Result, ensure};
use crate::layout::Key;
use crate::math::some;
use crate::params::Class;

/// New code as it lies in its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// SHA-256 of the bytes behind the buffer's header: that of the program's file.
    pub hash: Key,
    /// How many they are.
    pub length: u64,
}

impl Code {
    /// Whether it can become the program: not empty, no longer than what is hashed in one transaction, and no longer
    /// than the program's data account has room for.
    ///
    /// # Errors
    /// [`Error::UpgradeLength`], [`Error::ProgramDataTooSmall`].
    pub fn check(&self, room: u64) -> Result<()> {
        let fits = self.length > 0 && self.length <= UPGRADE_LENGTH_MAX;
        ensure(fits, Fault::new(Error::UpgradeLength, UPGRADE_LENGTH_MAX, self.length))?;
        ensure(self.length <= room, Fault::new(Error::ProgramDataTooSmall, room, self.length))
    }
}

/// Checks and fills in a proposal to upgrade the program, class G3. `code` is what the buffer holds, `committed` the hash
/// that the proposer signed, `room` what the program's data account has room for, `upgrades` how often the exchange has
/// upgraded the program: the version that the proposal is made for. Only governance may.
///
/// # Errors
/// [`Error::VersionMoved`], [`Error::UpgradeHash`], [`Error::UpgradeLength`], [`Error::ProgramDataTooSmall`],
/// [`Error::ProposalTooOld`], [`Error::NotProposer`].
pub fn queue_upgrade(
    code: &Code,
    committed: Key,
    room: u64,
    upgrades: u32,
    context: &Context<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    request.check_version(upgrades)?;
    ensure(code.hash == committed, Error::UpgradeHash)?;
    code.check(room)?;
    let wait = delay(Class::G3, context.params);
    let terms = request.terms(context, &context.holds(), (kind::UPGRADE, class::DEEP, wait), now)?;
    Ok(ProposalTerms { new_key: code.hash, new_value: code.length, ..terms })
}

/// Lets a proposal to upgrade the program go ahead: its time has come, no other upgrade came between, and the buffer
/// still holds what was announced. The caller makes the loader do it, which can fail only on what this checks, or on code
/// that the loader does not take.
///
/// Nothing is changed on an error.
///
/// # Errors
/// [`Error::ParameterUnknown`] for another kind, [`Error::ProposalClosed`], [`Error::VersionMoved`],
/// [`Error::ProposalNotReady`], [`Error::ProposalExpired`], [`Error::UpgradeHash`], [`Error::UpgradeLength`],
/// [`Error::ProgramDataTooSmall`].
pub fn execute_upgrade(
    terms: &mut ProposalTerms,
    code: &Code,
    room: u64,
    upgrades: &mut u32,
    context: &Context<'_>,
    now: &Now,
) -> Result<()> {
    terms.check_kind(kind::UPGRADE)?;
    terms.check_executable(context.roles, &context.holds(), now)?;
    terms.check_version(*upgrades)?;
    ensure(code.hash == terms.new_key && code.length == terms.new_value, Error::UpgradeHash)?;
    code.check(room)?;
    *upgrades = some(upgrades.checked_add(1))?;
    terms.state = state::EXECUTED;
    Ok(())
}

/// What is left of an upgrade's buffer goes back once its proposal has ended, one way or another.
///
/// # Errors
/// [`Error::ProposalPending`].
pub fn check_ended(terms: &ProposalTerms) -> Result<()> {
    ensure(terms.state != state::PENDING, Error::ProposalPending)
}

/// Checks and fills in a proposal for the exchange of another mint, class G3: once nobody can sign as the program's upgrade
/// authority, the root exchange decides that too (else the first caller would own the exchange of a mint that everybody
/// wants to use). `upgrades` is how often it has upgraded the program. Only governance may.
///
/// # Errors
/// [`Error::VersionMoved`], [`Error::ProposalTooOld`], [`Error::NotProposer`].
pub fn queue_new_exchange(
    mint: Key,
    upgrades: u32,
    context: &Context<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    request.check_version(upgrades)?;
    let wait = delay(Class::G3, context.params);
    let terms = request.terms(context, &context.holds(), (kind::NEW_EXCHANGE, class::DEEP, wait), now)?;
    Ok(ProposalTerms { new_key: mint, ..terms })
}

/// Lets a proposal for another exchange go ahead.
///
/// Nothing is changed on an error.
///
/// # Errors
/// [`Error::ParameterUnknown`] for another kind, [`Error::ProposalClosed`], [`Error::VersionMoved`],
/// [`Error::ProposalNotReady`], [`Error::ProposalExpired`].
pub fn execute_new_exchange(terms: &mut ProposalTerms, upgrades: u32, context: &Context<'_>, now: &Now) -> Result<()> {
    terms.check_kind(kind::NEW_EXCHANGE)?;
    terms.check_executable(context.roles, &context.holds(), now)?;
    terms.check_version(upgrades)?;
    terms.state = state::EXECUTED;
    Ok(())
}

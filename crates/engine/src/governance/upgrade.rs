//! What the root exchange decides for the program: upgrades, and further exchanges (class G3). New code waits like any other change, and nothing but what was announced
//! can land.
//!
//! What is announced is a buffer of the upgradeable loader whose authority is already the exchange's timelock address,
//! so that nobody can write it any more, by the digest of what it holds. No transaction can hash a whole program, so the
//! digest is a chain over its parts ([`digest`]): anybody has them hashed one after the other while the proposal waits, and only a
//! buffer that was hashed to its end and has the committed digest is ever put in the program's place.

use super::{Context, ProposalTerms, Request, class, delay, kind, state};
use crate::constants::{UPGRADE_LENGTH_MAX, UPGRADE_PART};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout::Key;
use crate::math::some;
use crate::params::Class;
use crate::{Now, layout};

/// SHA-256 of pieces, one after the other. The program calls the runtime for it, others a library.
pub type Hasher = fn(&[&[u8]]) -> Key;

layout! {
    /// How far the buffer of an upgrade was hashed.
    pub struct UpgradeCheck = 48 {
        /// The chain over what was hashed; once that is all, the digest.
        pub chain: Key,
        /// Bytes hashed.
        pub hashed: u64,
        /// 1 once all are, and the digest is the committed one.
        pub verified: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 7],
    }
}

/// The digest that an upgrade is committed by: over parts of [`UPGRADE_PART`] bytes, the last one shorter, `h ← SHA-256(h ‖ part)`
/// from 32 zero bytes on, and in the end `SHA-256(h ‖ length)`, the length in eight bytes, little endian.
pub fn digest(code: &[u8], hash: Hasher) -> Key {
    let size = usize::try_from(UPGRADE_PART).unwrap_or(usize::MAX);
    let chain = code.chunks(size).fold(Key::default(), |chain, part| hash(&[&chain.0, part]));
    sealed(&chain, u64::try_from(code.len()).unwrap_or(u64::MAX), hash)
}

/// The end of the chain: the length, so that no code's digest is another one's chain.
fn sealed(chain: &Key, length: u64, hash: Hasher) -> Key {
    hash(&[&chain.0, &length.to_le_bytes()])
}

/// That so many bytes can become the program: not none, no more than an account may have, and no more than the program's data
/// account has room for.
///
/// # Errors
/// [`Error::UpgradeLength`], [`Error::ProgramDataTooSmall`].
fn check_length(length: u64, room: u64) -> Result<()> {
    let fits = length > 0 && length <= UPGRADE_LENGTH_MAX;
    ensure(fits, Fault::new(Error::UpgradeLength, UPGRADE_LENGTH_MAX, length))?;
    ensure(length <= room, Fault::new(Error::ProgramDataTooSmall, room, length))
}

/// Checks and fills in a proposal to upgrade the program, class G3. `length` is how much the buffer holds, `committed` the
/// [`digest`] that the proposer signed, which is compared later ([`verify_upgrade`]), `room` what the program's data account has
/// room for, `upgrades` how often the exchange has upgraded the program: the version that the proposal is made for. Only
/// governance may.
///
/// # Errors
/// [`Error::VersionMoved`], [`Error::UpgradeLength`], [`Error::ProgramDataTooSmall`], [`Error::ProposalTooOld`],
/// [`Error::NotProposer`].
pub fn queue_upgrade(
    length: u64,
    committed: Key,
    room: u64,
    upgrades: u32,
    context: &Context<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    request.check_version(upgrades)?;
    check_length(length, room)?;
    let wait = delay(Class::G3, context.params);
    let terms = request.terms(context, &context.holds(), (kind::UPGRADE, class::DEEP, wait), now)?;
    Ok(ProposalTerms { new_key: committed, new_value: length, ..terms })
}

/// Hashes the next part of a pending upgrade's buffer, by anyone's call. With the last one the digest is compared: if it is the
/// committed one the upgrade is verified; if not, the proposal ends here as [`state::REFUSED`], for it could never be executed
/// and would hold up a place of the queue.
///
/// Nothing is changed on an error.
///
/// # Errors
/// [`Error::ParameterUnknown`] for another kind, [`Error::ProposalClosed`], [`Error::UpgradeVerified`] when nothing is left,
/// [`Error::UpgradeHash`] for a buffer of another length.
pub fn verify_upgrade(terms: &mut ProposalTerms, check: &mut UpgradeCheck, code: &[u8], hash: Hasher) -> Result<()> {
    terms.check_kind(kind::UPGRADE)?;
    terms.check_pending_state()?;
    ensure(check.verified == 0, Error::UpgradeVerified)?;
    let length = u64::try_from(code.len()).map_err(|_| Error::MathOverflow)?;
    ensure(length == terms.new_value, Fault::new(Error::UpgradeHash, terms.new_value, length))?;
    let end = some(check.hashed.checked_add(UPGRADE_PART))?.min(length);
    let place = |at: u64| usize::try_from(at).map_err(|_| Error::MathOverflow);
    let part = code.get(place(check.hashed)?..place(end)?).ok_or(Error::MathOverflow)?;
    check.chain = hash(&[&check.chain.0, part]);
    check.hashed = end;
    if end == length {
        check.chain = sealed(&check.chain, length, hash);
        if check.chain == terms.new_key {
            check.verified = 1;
        } else {
            terms.state = state::REFUSED;
        }
    }
    Ok(())
}

/// Lets a proposal to upgrade the program go ahead: its time has come, no other upgrade came between, and the buffer,
/// `length` bytes, was found to hold what was announced. The caller makes the loader do it, which can fail only on what this
/// checks, or on code that the loader does not take.
///
/// Nothing is changed on an error.
///
/// # Errors
/// [`Error::ParameterUnknown`] for another kind, [`Error::ProposalClosed`], [`Error::VersionMoved`],
/// [`Error::ProposalNotReady`], [`Error::ProposalExpired`], [`Error::UpgradeNotVerified`], [`Error::UpgradeHash`],
/// [`Error::UpgradeLength`], [`Error::ProgramDataTooSmall`].
pub fn execute_upgrade(
    terms: &mut ProposalTerms,
    check: &UpgradeCheck,
    (length, room): (u64, u64),
    upgrades: &mut u32,
    context: &Context<'_>,
    now: &Now,
) -> Result<()> {
    terms.check_kind(kind::UPGRADE)?;
    terms.check_executable(context.roles, &context.holds(), now)?;
    terms.check_version(*upgrades)?;
    let verified = check.verified == 1 && check.chain == terms.new_key;
    ensure(verified, Fault::new(Error::UpgradeNotVerified, terms.new_value, check.hashed))?;
    ensure(length == terms.new_value, Fault::new(Error::UpgradeHash, terms.new_value, length))?;
    check_length(length, room)?;
    *upgrades = some(upgrades.checked_add(1))?;
    terms.state = state::EXECUTED;
    Ok(())
}

/// What is left of an upgrade, its buffer and its proposal, goes back once the proposal has ended, one way or another.
///
/// # Errors
/// [`Error::ProposalPending`].
pub fn check_ended(terms: &ProposalTerms) -> Result<()> {
    ensure(terms.state != state::PENDING, Error::ProposalPending)
}

/// The same for any other proposal: an upgrade's is closed with its buffer, which it must outlive.
///
/// # Errors
/// [`Error::ParameterUnknown`] for an upgrade, [`Error::ProposalPending`].
pub fn check_closable(terms: &ProposalTerms) -> Result<()> {
    ensure(terms.kind != kind::UPGRADE, Error::ParameterUnknown)?;
    check_ended(terms)
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

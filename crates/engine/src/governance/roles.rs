//! Who may do what: governance, the committee, the guardian.

use super::{Proposer, kind};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::layout::Key;
use crate::math::some;

/// Places of the roles in [`Roles::version`], and of the first two in [`Roles::epoch`].
pub mod role {
    /// Governance.
    pub const GOVERNANCE: usize = 0;
    /// The committee.
    pub const COMMITTEE: usize = 1;
    /// The guardian.
    pub const GUARDIAN: usize = 2;
}

layout! {
    /// An exchange's roles. No key is in two of them; only the committee's seat may be empty (zero).
    pub struct Roles = 160 {
        /// Governance: any address, usually a multisig's.
        pub governance: Key,
        /// The governance key that may accept; zero if none.
        pub pending_governance: Key,
        /// The committee; zero if there is none.
        pub committee: Key,
        /// The guardian.
        pub guardian: Key,
        /// How often governance was handed over (offered), the committee and the guardian were appointed: a proposal
        /// names the version that it was made for.
        pub version: [u32; 3],
        /// How often the power of governance and of the committee has changed hands: what a former holder has queued
        /// is dead.
        pub epoch: [u32; 2],
        /// For later versions.
        pub reserved_bytes: [u8; 4],
        /// For later versions.
        pub reserved: u64,
    }
}

impl Roles {
    /// A new exchange's roles. The committee may be left empty (zero), the guardian may not: its seat is never empty.
    ///
    /// # Errors
    /// [`Error::RoleKeyInvalid`].
    pub fn new(governance: Key, committee: Key, guardian: Key) -> Result<Self> {
        let mut roles = Self::default();
        roles.check_key(&governance)?;
        roles.governance = governance;
        roles.check_key(&guardian)?;
        roles.guardian = guardian;
        if committee != Key::default() {
            roles.check_key(&committee)?;
            roles.committee = committee;
        }
        Ok(roles)
    }

    /// Whether a key may take a role: not the default key, and no role's yet, an offered one's included.
    ///
    /// # Errors
    /// [`Error::RoleKeyInvalid`].
    pub fn check_key(&self, key: &Key) -> Result<()> {
        let taken = [&self.governance, &self.pending_governance, &self.committee, &self.guardian];
        ensure(*key != Key::default() && !taken.contains(&key), Error::RoleKeyInvalid)
    }

    /// Who a signer is, among those who may propose.
    ///
    /// # Errors
    /// [`Error::NotProposer`].
    pub fn proposer(&self, signer: &Key) -> Result<Proposer> {
        if holds(&self.governance, signer) {
            return Ok(Proposer::Governance);
        }
        ensure(holds(&self.committee, signer), Error::NotProposer)?;
        Ok(Proposer::Committee)
    }

    /// Whether a signer is governance.
    ///
    /// # Errors
    /// [`Error::NotGovernance`].
    pub fn check_governance(&self, signer: &Key) -> Result<()> {
        ensure(holds(&self.governance, signer), Error::NotGovernance)
    }

    /// Whether a signer is the guardian.
    ///
    /// # Errors
    /// [`Error::NotGuardian`].
    pub fn check_guardian(&self, signer: &Key) -> Result<()> {
        ensure(holds(&self.guardian, signer), Error::NotGuardian)
    }

    /// Governance dismisses the committee, at once, and with it all that it has queued. Returns the former key.
    ///
    /// # Errors
    /// [`Error::NotGovernance`]; [`Error::RoleKeyInvalid`] if there is none.
    pub fn dismiss_committee(&mut self, signer: &Key) -> Result<Key> {
        self.check_governance(signer)?;
        ensure(self.committee != Key::default(), Error::RoleKeyInvalid)?;
        let former = self.committee;
        self.end_epoch(role::COMMITTEE)?;
        self.committee = Key::default();
        Ok(former)
    }

    /// The second step of a hand-over: the new governance key accepts. What the old one has queued is dead. Or governance
    /// signs itself: it keeps the seat and the offer is gone, at once, for whoever was offered it by mistake could take it
    /// for as long as the next offer waits; nothing that is queued dies of that. Returns the former key.
    ///
    /// # Errors
    /// [`Error::NotGovernance`] for anybody but the key that was offered it and the one that offered it; for both while
    /// nothing is offered.
    pub fn accept_governance(&mut self, signer: &Key) -> Result<Key> {
        if self.pending_governance != Key::default() && holds(&self.governance, signer) {
            self.pending_governance = Key::default();
            return Ok(self.governance);
        }
        ensure(holds(&self.pending_governance, signer), Error::NotGovernance)?;
        let former = self.governance;
        self.end_epoch(role::GOVERNANCE)?;
        // The offer is used up: one that is still queued was made by the former holder.
        self.bump_version(role::GOVERNANCE)?;
        self.governance = self.pending_governance;
        self.pending_governance = Key::default();
        Ok(former)
    }

    /// The epoch of a proposer, by its stored byte.
    pub(super) fn epoch_of(&self, proposer: u8) -> Result<u32> {
        self.epoch.get(usize::from(proposer)).copied().ok_or(Error::NotProposer.into())
    }

    pub(super) fn end_epoch(&mut self, role: usize) -> Result<()> {
        let epoch = self.epoch.get_mut(role).ok_or(Error::NotProposer)?;
        *epoch = some(epoch.checked_add(1))?;
        Ok(())
    }

    pub(super) fn bump_version(&mut self, role: usize) -> Result<u32> {
        let version = self.version.get_mut(role).ok_or(Error::ParameterUnknown)?;
        *version = some(version.checked_add(1))?;
        Ok(*version)
    }

    /// Whether a version given for a role is the current one.
    pub(super) fn check_version(&self, role: usize, given: u32) -> Result<()> {
        let current = self.version.get(role).copied().ok_or(Error::ParameterUnknown)?;
        ensure(current == given, Fault::new(Error::VersionMoved, current, given))
    }
}

/// The role that a kind of proposal fills.
pub(super) fn of_kind(proposal: u8) -> Result<usize> {
    match proposal {
        kind::GOVERNANCE => Ok(role::GOVERNANCE),
        kind::COMMITTEE => Ok(role::COMMITTEE),
        kind::GUARDIAN => Ok(role::GUARDIAN),
        _ => Err(Error::ParameterUnknown.into()),
    }
}

/// Whether a signer is a role's holder; an empty seat has none, whoever signs.
fn holds(seat: &Key, signer: &Key) -> bool {
    *seat != Key::default() && seat == signer
}

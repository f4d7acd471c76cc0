//! Proposals (section 11): what may be queued, when it may be executed, and what storing it does.
//!
//! A proposal is judged twice in full: when it is queued, so that what cannot execute is refused at once, and when it
//! is executed, on the state of that moment. It names the version of what it changes, and dies when that moves.

mod batch;
mod execute;
mod holds;
mod keys;
mod oracle;
mod queue;
mod roles;
mod upgrade;
mod wind_down;

pub use batch::{
    Asked, Batch, BatchChange, execute_exchange_batch, execute_market_batch, queue_exchange_batch, queue_market_batch,
};
pub(crate) use execute::MAINTENANCE;
pub use execute::{
    Change, RoleChange, execute_exchange_parameter, execute_insurance_withdrawal, execute_market_parameter,
    execute_role,
};
pub use holds::{ExitHolds, Holds};
pub use keys::{execute_fee_destination, execute_oracle_program, queue_fee_destination, queue_oracle_program};
pub use oracle::{Feeds, NewFeed, execute_oracle_feed, queue_oracle_feed};
pub use queue::{Request, queue_exchange_parameter, queue_insurance_withdrawal, queue_market_parameter, queue_role};
pub use roles::{Roles, role};
pub use upgrade::{
    Hasher, UpgradeCheck, check_ended, digest, execute_new_exchange, execute_upgrade, queue_new_exchange,
    queue_upgrade, verify_upgrade,
};
pub use wind_down::{execute_wind_down, queue_wind_down};

use crate::Now;
use crate::constants::{DAY, EXIT_HOLD_MAX, GUARDIAN_DELAY, MAX_PENDING, MAX_PENDING_MARKET};
use crate::error::{Error, Fault, Result, ensure};
use crate::guardian::Emergency;
use crate::layout;
use crate::layout::Key;
use crate::market::MarketState;
use crate::math::some;
use crate::params::{Class, ExchangeParams};
use crate::units::Ratio;

/// Kinds of proposals, as stored.
pub mod kind {
    /// A market's parameter.
    pub const MARKET_PARAMETER: u8 = 0;
    /// An exchange's parameter.
    pub const EXCHANGE_PARAMETER: u8 = 1;
    /// A new governance key, which must accept after the delay.
    pub const GOVERNANCE: u8 = 2;
    /// A new committee.
    pub const COMMITTEE: u8 = 3;
    /// A new guardian (dismissal and appointment in one, 8 days).
    pub const GUARDIAN: u8 = 4;
    /// A market's oracle: its feed, and which of the exchange's programs owns it.
    pub const ORACLE_FEED: u8 = 5;
    /// Winding a market down, or calling that off.
    pub const WIND_DOWN: u8 = 6;
    /// Where protocol fees go.
    pub const FEE_DESTINATION: u8 = 7;
    /// A program that may own oracle accounts.
    pub const ORACLE_PROGRAM: u8 = 8;
    /// Several parameters of a market at once.
    pub const MARKET_BATCH: u8 = 9;
    /// A withdrawal of insurance.
    pub const INSURANCE: u8 = 10;
    /// Another program in place of this one.
    pub const UPGRADE: u8 = 11;
    /// A further exchange, once the program's upgrade authority is a timelock's.
    pub const NEW_EXCHANGE: u8 = 12;
    /// Several parameters of the exchange at once.
    pub const EXCHANGE_BATCH: u8 = 13;
}

/// States of a proposal, as stored.
pub mod state {
    /// Waiting.
    pub const PENDING: u8 = 0;
    /// Executed.
    pub const EXECUTED: u8 = 1;
    /// Vetoed.
    pub const VETOED: u8 = 2;
    /// Expired.
    pub const EXPIRED: u8 = 3;
    /// An upgrade whose buffer does not hold what was committed.
    pub const REFUSED: u8 = 4;
}

/// Classes of a proposal, as stored.
pub mod class {
    /// Tune.
    pub const TUNE: u8 = 1;
    /// Risk.
    pub const RISK: u8 = 2;
    /// Deep.
    pub const DEEP: u8 = 3;
    /// The guardian's replacement.
    pub const GUARDIAN: u8 = 4;
}

/// In place of a market's index in a withdrawal of insurance: the shared fund.
pub const SHARED_FUND: u16 = u16::MAX;

/// Pending proposals beyond which the committee may add none: it cannot fill the queue and so keep governance from
/// replacing anybody.
pub const COMMITTEE_PENDING: u64 = MAX_PENDING / 2;
/// The same per market.
pub const COMMITTEE_PENDING_MARKET: u64 = MAX_PENDING_MARKET / 2;

/// Who proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposer {
    /// The governance key.
    Governance,
    /// The committee.
    Committee,
}

impl Proposer {
    /// The stored byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Governance => 0,
            Self::Committee => 1,
        }
    }
}

/// What the exchange says about whoever proposes and executes.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Its parameters: the delays, the grace.
    pub params: &'a ExchangeParams,
    /// Its roles.
    pub roles: &'a Roles,
    /// Its emergency pause, which stops the proposals' clocks.
    pub emergency: &'a Emergency,
    /// Matured exits held back in any market, which stop the clocks of what concerns the whole exchange.
    pub exits: &'a ExitHolds,
}

impl<'a> Context<'a> {
    /// What stops the clock of a proposal for the exchange.
    pub const fn holds(&self) -> Holds<'a> {
        Holds { emergency: self.emergency, exits: self.exits }
    }

    /// What stops the clock of a proposal for a market: its own exits alone, for it can hurt nobody else.
    pub const fn holds_of<'b>(&self, market: &'b MarketState) -> Holds<'b>
    where
        'a: 'b,
    {
        Holds { emergency: self.emergency, exits: &market.governed.exit_holds }
    }
}

layout! {
    /// Versions and times of an exchange's parameters, by id, as a market has them in its own account.
    pub struct ParameterLog = 192 {
        /// When each was last changed, Unix seconds.
        pub changed: [i64; 16],
        /// How often each was changed: a proposal names the version that it was made for.
        pub version: [u32; 16],
    }
}

layout! {
    /// A proposal's contents and life.
    pub struct ProposalTerms = 168 {
        /// Old value of a parameter; 0 for other kinds.
        pub old_value: u64,
        /// New value of a parameter; the amount of a withdrawal; the length of an upgrade; 0 for other kinds.
        pub new_value: u64,
        /// New key, feed id, digest of an upgrade or mint of an exchange for other kinds; where a withdrawal goes.
        pub new_key: Key,
        /// Version of the parameter (or role, feed, program) that it was made for.
        pub version: u32,
        /// Parameter id; for a withdrawal the market's index, [`SHARED_FUND`] for the shared fund.
        pub parameter: u16,
        /// Kind.
        pub kind: u8,
        /// State.
        pub state: u8,
        /// When it was queued, Unix seconds.
        pub queued_at: i64,
        /// When it may be executed, Unix seconds; what has held matured exits back since then moves it.
        pub eta: i64,
        /// When it is dead, Unix seconds; emergency pauses since then move it.
        pub expires_at: i64,
        /// Who may veto it: the guardian when it was queued; nobody (zero) for the guardian's own replacement.
        pub vetoer: Key,
        /// Hash of its rationale.
        pub rationale: Key,
        /// Class: 1 G1, 2 G2, 3 G3, 4 the guardian's 8 days.
        pub class: u8,
        /// Who queued it: 0 governance, 1 the committee.
        pub proposer: u8,
        /// 1 if it is a tightening, whose clock no pause stops.
        pub tightening: u8,
        /// For later versions.
        pub reserved_byte: u8,
        /// The proposer's epoch: it dies with the power of whoever queued it.
        pub epoch: u32,
        /// Seconds that emergency pauses had lasted when it was queued.
        pub held_before: i64,
        /// Seconds that matured exits had been held back when it was queued.
        pub exits_before: i64,
    }
}

/// The delay of a class, seconds.
pub fn delay(class: Class, exchange: &ExchangeParams) -> i64 {
    let seconds = match class {
        Class::G1 => exchange.delay_tune,
        Class::G2 => exchange.delay_risk,
        Class::G3 => exchange.delay_deep,
    };
    // A number beyond i64 cannot be stored (hard bounds); the longest wait is the safe answer to one.
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// The delay of the guardian's replacement, seconds: 8 days, and a day more than the longest class in any case.
///
/// # Errors
/// [`Error::MathOverflow`].
pub fn guardian_delay(exchange: &ExchangeParams) -> Result<i64> {
    Ok(GUARDIAN_DELAY.max(some(delay(Class::G3, exchange).checked_add(DAY))?))
}

/// The lowest maintenance margin that any position may be held to at a time: during a grace the older one, if lower.
#[inline]
pub fn lowest_maintenance(market: &MarketState, unix: i64) -> Ratio {
    let current = market.params.maintenance_margin;
    if unix < market.grace_until { current.min(Ratio(market.old_maintenance)) } else { current }
}

/// Whether one more proposal may be queued when so many are pending on the exchange and, for a market's, of that market.
///
/// # Errors
/// [`Error::ProposalLimit`].
pub fn check_pending(proposer: Proposer, pending: u64, of_market: Option<u64>) -> Result<()> {
    let (all, each) = match proposer {
        Proposer::Governance => (MAX_PENDING, MAX_PENDING_MARKET),
        Proposer::Committee => (COMMITTEE_PENDING, COMMITTEE_PENDING_MARKET),
    };
    ensure(pending < all, Fault::new(Error::ProposalLimit, all, pending))?;
    let of_market = of_market.unwrap_or(0);
    ensure(of_market < each, Fault::new(Error::ProposalLimit, each, of_market))
}

impl ProposalTerms {
    /// Seconds by which emergency pauses have moved it.
    fn held(&self, emergency: &Emergency, now: &Now) -> Result<i64> {
        if self.tightening != 0 {
            return Ok(0);
        }
        some(emergency.held_until(now)?.checked_sub(self.held_before))
    }

    /// Seconds by which matured exits that were held back have moved it. Not without end, or one provider whose exit
    /// does not fit could stop governance; and a role's holder by itself takes nothing from anybody.
    fn exits_held(&self, exits: &ExitHolds, now: &Now) -> Result<i64> {
        if self.tightening != 0 || roles::of_kind(self.kind).is_ok() {
            return Ok(0);
        }
        let held = some(exits.held_until(now)?.checked_sub(self.exits_before))?;
        Ok(held.clamp(0, EXIT_HOLD_MAX))
    }

    /// From when on it may be executed, as things stand: its ETA and what pauses and exits held back have added.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn ready_at(&self, holds: &Holds<'_>, now: &Now) -> Result<i64> {
        let held = some(self.held(holds.emergency, now)?.checked_add(self.exits_held(holds.exits, now)?))?;
        some(self.eta.checked_add(held))
    }

    /// From when on it is dead, as things stand. Exits held back do not move that: they add at most four days, and the
    /// seven that a proposal lives after its ETA are more. Nothing moves it for a change of the oracle, for which
    /// increases wait.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn dead_at(&self, emergency: &Emergency, now: &Now) -> Result<i64> {
        if self.kind == kind::ORACLE_FEED {
            return Ok(self.expires_at);
        }
        some(self.expires_at.checked_add(self.held(emergency, now)?))
    }

    fn check_pending_state(&self) -> Result<()> {
        ensure(self.state == state::PENDING, Fault::new(Error::ProposalClosed, self.state, self.state))
    }

    /// Whether its time has come: pending, its proposer still in power, not before its ETA, before its expiry.
    ///
    /// # Errors
    /// [`Error::ProposalClosed`], [`Error::VersionMoved`] for a proposer no longer in power,
    /// [`Error::ProposalNotReady`], [`Error::ProposalExpired`].
    pub fn check_executable(&self, roles: &Roles, holds: &Holds<'_>, now: &Now) -> Result<()> {
        self.check_pending_state()?;
        let epoch = roles.epoch_of(self.proposer)?;
        ensure(epoch == self.epoch, Fault::new(Error::VersionMoved, epoch, self.epoch))?;
        let ready = self.ready_at(holds, now)?;
        ensure(now.unix >= ready, Fault::new(Error::ProposalNotReady, ready, now.unix))?;
        let dead = self.dead_at(holds.emergency, now)?;
        ensure(now.unix < dead, Fault::new(Error::ProposalExpired, dead, now.unix))
    }

    /// Kills it for good. A veto is the stored vetoer's alone, needs no budget and has no expiry.
    ///
    /// # Errors
    /// [`Error::ProposalClosed`], [`Error::NotVetoer`].
    pub fn veto(&mut self, signer: &Key) -> Result<()> {
        self.check_pending_state()?;
        ensure(self.vetoer != Key::default() && self.vetoer == *signer, Error::NotVetoer)?;
        self.state = state::VETOED;
        Ok(())
    }

    /// Closes it after its expiry, or at once if its proposer is no longer in power; by anyone. (What a thief left in the
    /// queue must not hold up the places of who comes after.)
    ///
    /// # Errors
    /// [`Error::ProposalClosed`], [`Error::ProposalNotExpired`].
    pub fn expire(&mut self, roles: &Roles, emergency: &Emergency, now: &Now) -> Result<()> {
        self.check_pending_state()?;
        if roles.epoch_of(self.proposer)? == self.epoch {
            let dead = self.dead_at(emergency, now)?;
            ensure(now.unix >= dead, Fault::new(Error::ProposalNotExpired, dead, now.unix))?;
        }
        self.state = state::EXPIRED;
        Ok(())
    }
}

const fn class_byte(class: Class) -> u8 {
    match class {
        Class::G1 => class::TUNE,
        Class::G2 => class::RISK,
        Class::G3 => class::DEEP,
    }
}

/// The entry of a table by parameter id.
fn entry<T: Copy>(table: &[T], id: u16) -> Result<T> {
    table.get(usize::from(id)).copied().ok_or(Error::ParameterUnknown.into())
}

/// Counts a change in the tables by parameter id; returns the new version.
fn record(changed: &mut [i64], versions: &mut [u32], id: u16, now: &Now) -> Result<u32> {
    let version = versions.get_mut(usize::from(id)).ok_or(Error::ParameterUnknown)?;
    *version = some(version.checked_add(1))?;
    *changed.get_mut(usize::from(id)).ok_or(Error::ParameterUnknown)? = now.unix;
    Ok(*version)
}

/// The place of a field in a parameter set, which is its id, by its offset.
const fn place_at(offset: usize) -> usize {
    match offset.checked_div(size_of::<u64>()) {
        Some(place) => place,
        None => usize::MAX,
    }
}

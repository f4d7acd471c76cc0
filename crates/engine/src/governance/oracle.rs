//! A change of a market's oracle, class G3: its feed, and which of the exchange's programs owns the accounts.
//!
//! From the moment it is queued until it is executed, vetoed or dead, the market is in reduce-only: nobody opens a position
//! under a price that is about to be replaced. So that this cannot be used to hold a market down, it ends by itself, a
//! veto ends it at once, only one change is pending at a time, and only two are queued in 30 days.

use super::{Context, ProposalTerms, Request, class, delay, kind, state};
use crate::Now;
use crate::constants::{FEED_LIFE, FEED_WINDOW};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout::Key;
use crate::market::{Governed, MarketState};
use crate::math::some;
use crate::params::Class;

/// A market's oracle as it is, and what the exchange offers.
#[derive(Clone, Copy, Debug)]
pub struct Feeds<'a> {
    /// The market's feed.
    pub feed: &'a Key,
    /// The program that owns the market's oracle accounts.
    pub program: &'a Key,
    /// How often the market's oracle was changed.
    pub version: u32,
    /// The programs that the exchange names.
    pub programs: &'a [Key; 2],
    /// How often that list was changed: a proposal names a place of it.
    pub programs_version: u32,
}

impl Feeds<'_> {
    fn named(&self, place: u16) -> Result<Key> {
        let program = self.programs.get(usize::from(place)).copied().unwrap_or_default();
        ensure(program != Key::default(), Error::OracleProgramInvalid)?;
        Ok(program)
    }
}

/// A market's oracle after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewFeed {
    /// Its feed.
    pub feed: Key,
    /// The program that owns its accounts.
    pub program: Key,
    /// Its version.
    pub version: u32,
}

/// Checks and fills in a proposal for a market's oracle: the feed, and the place in the exchange's list of the program that
/// owns it. Only governance may. The caller tells the market ([`Governed::begin_feed_change`]).
///
/// # Errors
/// [`Error::NotProposer`], [`Error::ParameterUnchanged`], [`Error::RoleKeyInvalid`] for a zero feed,
/// [`Error::OracleProgramInvalid`] for an empty place, [`Error::VersionMoved`], [`Error::ProposalTooOld`],
/// [`Error::ProposalLimit`] while one is pending, [`Error::ParameterCoolDown`] with when the next may be queued.
pub fn queue_oracle_feed(
    market: &MarketState,
    feeds: &Feeds<'_>,
    (new_feed, place): (Key, u16),
    context: &Context<'_>,
    request: &Request,
    now: &Now,
) -> Result<ProposalTerms> {
    request.check_version(feeds.version)?;
    let program = feeds.named(place)?;
    ensure(new_feed != *feeds.feed || program != *feeds.program, Error::ParameterUnchanged)?;
    ensure(new_feed != Key::default(), Error::RoleKeyInvalid)?;
    market.governed.check_feed_change(now)?;
    let wait = delay(Class::G3, context.params);
    let terms = request.terms(context, &context.holds_of(market), (kind::ORACLE_FEED, class::DEEP, wait), now)?;
    let expires_at = some(terms.eta.checked_add(FEED_LIFE))?;
    Ok(ProposalTerms {
        new_key: new_feed,
        parameter: place,
        old_value: feeds.programs_version.into(),
        expires_at,
        ..terms
    })
}

/// Executes a proposal for a market's oracle; the caller stores what it returns. The averages begin anew, so that the new
/// feed's first prices are unconfirmed; the last valid price stays, or accounts that hold other markets too could do
/// nothing until the first one.
///
/// # Errors
/// Each check's own. Nothing is changed on an error.
pub fn execute_oracle_feed(
    terms: &mut ProposalTerms,
    market: &mut MarketState,
    feeds: &Feeds<'_>,
    context: &Context<'_>,
    now: &Now,
) -> Result<NewFeed> {
    terms.check_kind(kind::ORACLE_FEED)?;
    terms.check_executable(context.roles, &context.holds_of(market), now)?;
    terms.check_version(feeds.version)?;
    let listed = u64::from(feeds.programs_version);
    ensure(terms.old_value == listed, Fault::new(Error::VersionMoved, listed, terms.old_value))?;
    let program = feeds.named(terms.parameter)?;
    let version = some(feeds.version.checked_add(1))?;
    market.price.ema_start = 0;
    market.price.jump_count = 0;
    market.governed.feed_change = 0;
    market.governed.feed_change_until = 0;
    terms.state = state::EXECUTED;
    Ok(NewFeed { feed: terms.new_key, program, version })
}

impl Governed {
    fn check_feed_change(&self, now: &Now) -> Result<()> {
        let pending = self.feed_change != 0 && now.unix < self.feed_change_until;
        ensure(!pending, Fault::new(Error::ProposalLimit, 1, 1))?;
        let [older, _] = self.feed_queued;
        let again = if older == 0 { 0 } else { some(older.checked_add(FEED_WINDOW))? };
        ensure(now.unix >= again, Fault::new(Error::ParameterCoolDown, again, now.unix))
    }

    /// A change of the oracle was queued as that proposal: increases wait until it ends, at the latest until it is dead.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn begin_feed_change(&mut self, proposal: u64, terms: &ProposalTerms) -> Result<()> {
        let [_, newer] = self.feed_queued;
        self.feed_change = some(proposal.checked_add(1))?;
        self.feed_change_until = terms.expires_at;
        self.feed_queued = [newer, terms.queued_at];
        Ok(())
    }

    /// That proposal has ended without being executed: increases need not wait for it any longer.
    pub const fn end_feed_change(&mut self, proposal: u64) {
        if self.feed_change == proposal.saturating_add(1) {
            self.feed_change = 0;
            self.feed_change_until = 0;
        }
    }
}

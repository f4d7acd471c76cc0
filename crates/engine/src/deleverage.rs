//! Episodes of unpaid claims, and deleveraging the winning side when one lasts (section 9, step 4).
//!
//! Deleveraging closes the same share of every position of a side at one price, through an index: the market's sums change
//! at once, a position picks its part up when it is touched next. A pick-up moves no money. A position of `b` that came at
//! entry `e` keeps `b × kept ÷ of`, stands at the deleveraging price as if it had just been settled, and what it had won or
//! lost by then, funding included, is its *frozen* result, which the next settling or reduction realises with the rest. So
//! nobody's order matters, nothing can fail, and no holder need come.
//!
//! Until all have picked it up, the sums of those that have not are kept as they were (`open_interest`, `entry`,
//! `funding_entry`), and the side's sums are those of the others plus what the index makes of these: exact at every moment
//! (P3). The next deleveraging waits for the last pick-up, which anyone can do.

use crate::Now;
use crate::account::{AccountState, Position};
use crate::constants::{DELEVERAGE_AFTER, DELEVERAGE_SETTLED_AFTER};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::market::MarketState;
use crate::math::{mul_div, mul_signed, some};
use crate::price::Status;
use crate::trade::Notional;
use crate::units::{Base, FundingIndex, I128, Price, Quote, Rounding, SignedQuote, index_to_quote};

layout! {
    /// A time in which claims exceed their threshold.
    pub struct Episode = 48 {
        /// Episodes so far.
        pub number: u64,
        /// When this one opened, Unix seconds; 0 for none.
        pub since: i64,
        /// Positions open then.
        pub positions: u64,
        /// Positions settled or closed since, each counted once.
        pub settled: u64,
        /// When they were as many, Unix seconds; 0 before.
        pub complete_at: i64,
        /// The most that claims have come to since the market began.
        pub peak: Quote,
    }
}

layout! {
    /// The last deleveraging, and the positions that have yet to pick it up.
    pub struct Deleveraging = 96 {
        /// How many there were.
        pub round: u64,
        /// 1 if it was the longs'.
        pub long: u64,
        /// What the side kept …
        pub kept: Base,
        /// … of this.
        pub of: Base,
        /// The price.
        pub price: Price,
        /// The side's funding index then.
        pub index: FundingIndex,
        /// Open interest of the positions that have not picked it up, as it was before.
        pub open_interest: Base,
        /// Their entry notionals, as they were.
        pub entry: Quote,
        /// Their base times funding entry index, as it was.
        pub funding_entry: I128,
        /// How many they are.
        pub positions: u64,
    }
}

/// What a deleveraging did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Deleveraged {
    /// Which side.
    pub long: bool,
    /// Its open interest before.
    pub before: Base,
    /// What it kept.
    pub kept: Base,
    /// The price.
    pub price: Price,
    /// Pool equity then: `kept × price × stress move` is the most that it carries.
    pub equity: SignedQuote,
}

/// What a pick-up did to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct PickedUp {
    /// Size before.
    pub before: Base,
    /// Size after.
    pub after: Base,
    /// Its result up to the deleveraging, to be realised with the next settling or reduction.
    pub frozen: SignedQuote,
}

/// Sums of positions: open interest, entry, funding entry and frozen result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Open interest.
    pub open_interest: Base,
    /// Entry notionals.
    pub entry: Quote,
    /// Base times funding entry index.
    pub funding_entry: i128,
    /// Frozen results.
    pub frozen: SignedQuote,
}

impl Episode {
    /// From when on the winning side may be deleveraged, if claims are still over their threshold: 48 h after it opened, or
    /// 24 h after as many positions have been settled or closed in it as were open; whichever is first.
    pub fn deleverage_at(&self) -> Option<i64> {
        if self.since == 0 {
            return None;
        }
        let latest = self.since.saturating_add(DELEVERAGE_AFTER);
        let settled = self.complete_at.saturating_add(DELEVERAGE_SETTLED_AFTER);
        Some(if self.complete_at == 0 { latest } else { latest.min(settled) })
    }
}

impl Deleveraging {
    /// What sums of positions that have not picked it up come to. Rounded against the pool: what their holders get is never
    /// more. Each of them keeps an atom at least, so that none vanishes.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn applied(&self, raw: &Sums, positions: u64) -> Result<Sums> {
        if positions == 0 {
            return Ok(Sums::default());
        }
        let kept = Base(mul_div(raw.open_interest.0, self.kept.0, self.of.0, Rounding::Down)?.max(positions));
        let owed = some(mul_signed(self.index.get(), raw.open_interest.0)?.checked_sub(raw.funding_entry))?;
        let owed = index_to_quote(owed, Rounding::Down)?;
        let (up, down) = if self.long == 1 { (Rounding::Up, Rounding::Down) } else { (Rounding::Down, Rounding::Up) };
        let value = raw.open_interest.value(self.price, up)?.signed()?;
        let entry = raw.entry.signed()?;
        let pnl = if self.long == 1 { value.less(entry)? } else { entry.less(value)? };
        Ok(Sums {
            open_interest: kept,
            entry: kept.value(self.price, down)?,
            funding_entry: mul_signed(self.index.get(), kept.0)?,
            frozen: pnl.less(owed)?,
        })
    }

    fn raw(&self) -> Sums {
        Sums {
            open_interest: self.open_interest,
            entry: self.entry,
            funding_entry: self.funding_entry.get(),
            frozen: SignedQuote::ZERO,
        }
    }
}

impl MarketState {
    /// Opens an episode when claims pass their threshold, ends it when they no longer do. Whatever changes claims or cash
    /// calls this.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(crate) fn sync_episode(&mut self) -> Result<()> {
        if self.pool.claims.is_zero() && self.episode.since == 0 {
            return Ok(());
        }
        self.episode.peak = self.episode.peak.max(self.pool.claims);
        if !self.claims_block() {
            self.episode.since = 0;
        } else if self.episode.since == 0 {
            self.begin_episode()?;
        }
        Ok(())
    }

    fn begin_episode(&mut self) -> Result<()> {
        let positions = some(self.long.positions.checked_add(self.short.positions))?;
        self.episode = Episode {
            number: some(self.episode.number.checked_add(1))?,
            since: self.clock.max(1),
            positions,
            settled: 0,
            complete_at: 0,
            peak: self.episode.peak,
        };
        Ok(())
    }

    /// Counts a position that was settled or closed, once an episode. Whether it was counted now.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(crate) fn note_settled(&mut self, position: &mut Position) -> Result<bool> {
        let episode = &mut self.episode;
        if episode.since == 0 || position.episode == episode.number {
            return Ok(false);
        }
        position.episode = episode.number;
        episode.settled = some(episode.settled.checked_add(1))?;
        if episode.complete_at == 0 && episode.settled >= episode.positions {
            episode.complete_at = self.clock;
        }
        Ok(true)
    }

    /// Whether a position has yet to pick up the last deleveraging.
    #[inline]
    pub const fn is_deleveraged(&self, position: &Position) -> bool {
        let last = &self.deleveraging;
        last.positions != 0
            && position.is_open()
            && position.size.is_long() == (last.long == 1)
            && position.round != last.round
    }

    /// The frozen results of a side.
    #[inline]
    pub const fn frozen_of(&self, long: bool) -> SignedQuote {
        let [longs, shorts] = self.frozen;
        if long { longs } else { shorts }
    }

    fn set_frozen_of(&mut self, long: bool, amount: SignedQuote) {
        let [longs, shorts] = &mut self.frozen;
        *(if long { longs } else { shorts }) = amount;
    }

    /// Replaces a position's frozen result, in the side's sum too.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub(crate) fn freeze(&mut self, position: &mut Position, long: bool, amount: SignedQuote) -> Result<()> {
        if position.frozen == amount {
            return Ok(());
        }
        self.set_frozen_of(long, self.frozen_of(long).less(position.frozen)?.plus(amount)?);
        position.frozen = amount;
        Ok(())
    }

    /// A position as it stands, deleveraging included. Rounded against its holder.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn effective(&self, position: &Position) -> Result<Position> {
        if !self.is_deleveraged(position) {
            return Ok(*position);
        }
        let last = &self.deleveraging;
        let (base, long) = (position.base(), last.long == 1);
        let kept = Base(mul_div(base.0, last.kept.0, last.of.0, Rounding::Down)?.max(1));
        let owed = last.index.owed(position.funding_entry, base)?;
        let (up, down) = if long { (Rounding::Up, Rounding::Down) } else { (Rounding::Down, Rounding::Up) };
        let (value, entry) = (base.value(last.price, down)?.signed()?, position.entry.signed()?);
        let pnl = if long { value.less(entry)? } else { entry.less(value)? };
        Ok(Position {
            size: kept.signed(long)?,
            entry: kept.value(last.price, up)?,
            funding_entry: last.index,
            frozen: position.frozen.plus(pnl)?.less(owed)?,
            round: last.round,
            ..*position
        })
    }

    /// Deleverages the winning side to the size that the pool can carry: the largest open interest `T` with
    /// `T × price × stress move ≤ pool equity`, the premium of the skew that is then left counted, and an atom of equity less
    /// for what re-basing rounds. Not past it, and nothing where the side is no larger.
    ///
    /// # Errors
    /// The price's refusal unless it is good; [`Error::DeleverageTooEarly`] with the time, 0 where no episode is open;
    /// [`Error::DeleverageUnfinished`] while somebody has not picked the last one up; [`Error::DeleverageNotNeeded`];
    /// [`Error::PoolInsolvent`] for a pool that carries nothing: it is to be settled.
    pub fn deleverage(&mut self, now: &Now) -> Result<Deleveraged> {
        self.touch(now);
        self.check_not_settled()?;
        let status = self.status(now)?;
        ensure(status == Status::Good, status.refusal())?;
        // Free cash beyond all profit pays claims first.
        self.receive(Quote::ZERO)?;
        let at = self.episode.deleverage_at().unwrap_or(0);
        ensure(at != 0 && now.unix >= at, Fault::new(Error::DeleverageTooEarly, at, now.unix))?;
        let waiting = self.deleveraging.positions;
        ensure(waiting == 0, Fault::new(Error::DeleverageUnfinished, 0_u64, waiting))?;
        let price = self.price.last.price;
        let (long_result, short_result) = self.results(price)?;
        // The side that stands better. All of a side may have been settled: what it won is claims by then.
        let long = match long_result.0.cmp(&short_result.0) {
            core::cmp::Ordering::Greater => true,
            core::cmp::Ordering::Less => false,
            core::cmp::Ordering::Equal => self.long.open_interest >= self.short.open_interest,
        };
        let before = self.side(long).open_interest;
        let equity = self.equity(price)?;
        let kept = self.carried(long, price)?;
        ensure(kept < before, Fault::new(Error::DeleverageNotNeeded, kept.0, before.0))?;
        ensure(!kept.is_zero(), Fault::new(Error::PoolInsolvent, 0_u64, 0_u64))?;

        let side = self.side(long);
        let last = Deleveraging {
            round: some(self.deleveraging.round.checked_add(1))?,
            long: u64::from(long),
            kept,
            of: before,
            price,
            index: side.index,
            open_interest: before,
            entry: side.entry,
            funding_entry: side.funding_entry,
            positions: side.positions,
        };
        let new = last.applied(&last.raw(), last.positions)?;
        let frozen = self.frozen_of(long).plus(new.frozen)?;
        self.set_frozen_of(long, frozen);
        let side = self.side_mut(long);
        side.open_interest = new.open_interest;
        side.entry = new.entry;
        side.funding_entry = I128::new(new.funding_entry);
        self.deleveraging = last;
        // If claims stay over their threshold, the clock starts anew.
        self.begin_episode()?;
        Ok(Deleveraged { long, before, kept, price, equity })
    }

    /// The largest open interest of a side that pool equity carries, other things equal; found by halving.
    fn carried(&self, long: bool, price: Price) -> Result<Base> {
        let (mut fits, mut over) = (0, some(self.side(long).open_interest.0.checked_add(1))?);
        while over.abs_diff(fits) > 1 {
            let middle = fits.midpoint(over);
            if self.carries(long, Base(middle), price)? {
                fits = middle;
            } else {
                over = middle;
            }
        }
        Ok(Base(fits))
    }

    /// Whether pool equity carries that open interest of a side, other things equal.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn carries(&self, long: bool, size: Base, price: Price) -> Result<bool> {
        let other = self.side(!long).open_interest;
        let skew = size.0.abs_diff(other.0);
        let premium = Notional::new(Base(skew), price)?.premium(skew, self.params.skew_scale, Rounding::Up)?;
        let equity = self.equity(price)?.plus(self.skew_premium(price)?.signed()?)?.less(premium.signed()?)?;
        let needed = size.value(price, Rounding::Up)?.portion(self.params.stress_move, Rounding::Up)?;
        Ok(i128::from(equity.0) > i128::from(needed.0))
    }
}

/// Lets a slot's position pick up the last deleveraging, if it has not. Whatever changes a position does this first; anyone
/// can for anybody, at any price.
///
/// # Errors
/// [`Error::PositionNotFound`], [`Error::MathOverflow`].
pub fn pick_up(market: &mut MarketState, account: &mut AccountState, slot: usize) -> Result<Option<PickedUp>> {
    let position = account.position_mut(slot)?;
    if position.market != market.index || !market.is_deleveraged(position) {
        return Ok(None);
    }
    let new = market.effective(position)?;
    let long = position.size.is_long();
    let (base, entry) = (position.base(), position.entry);
    let weighted = mul_signed(position.funding_entry.get(), base.0)?;
    let last = market.deleveraging;
    let before = last.applied(&last.raw(), last.positions)?;
    let rest = Deleveraging {
        open_interest: last.open_interest.less(base)?,
        entry: last.entry.less(entry)?,
        funding_entry: I128::new(some(last.funding_entry.get().checked_sub(weighted))?),
        positions: some(last.positions.checked_sub(1))?,
        ..last
    };
    let after = rest.applied(&rest.raw(), rest.positions)?;
    // A side's sums: those who have picked it up, and what the index makes of the others.
    let own = mul_signed(new.funding_entry.get(), new.base().0)?;
    let frozen = new.frozen.less(position.frozen)?;
    let frozen_sum = market.frozen_of(long).plus(frozen)?.plus(after.frozen)?.less(before.frozen)?;
    let side = market.side_mut(long);
    side.open_interest = side.open_interest.plus(new.base())?.plus(after.open_interest)?.less(before.open_interest)?;
    side.entry = side.entry.plus(new.entry)?.plus(after.entry)?.less(before.entry)?;
    let moved = some(own.checked_add(after.funding_entry).and_then(|sum| sum.checked_sub(before.funding_entry)))?;
    side.funding_entry = I128::new(some(side.funding_entry.get().checked_add(moved))?);
    market.set_frozen_of(long, frozen_sum);
    market.deleveraging = rest;
    *position = new;
    Ok(Some(PickedUp { before: base, after: new.base(), frozen }))
}

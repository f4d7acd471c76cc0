//! Orders and the later-price rule (sections 5 and 10): an increase fills at a price that nobody could choose.
//!
//! | kind | waits for | then |
//! | --- | --- | --- |
//! | market | nothing | fills by the first price after its placing, or lapses 30 s after that was published |
//! | limit | a price at its limit or better | fills within the limit; waits again if nobody filled it in 30 s |
//! | stop entry | a price at its trigger or beyond | the same, within its worst price where it has one |
//! | exit | a price at its stop, which a trail moves, or at its target | the target as a limit; the stop stays met |
//!
//! A bracket is an entry that has its exits with it: buy 2 at a limit of $97, stop $92, target $110. A price of $96.50 meets
//! the limit, a later one of $96.80 fills it: 2 are long, and the order is now an exit of 2. A price of $91.90 meets its stop,
//! the next one, $91.70, is what it sells by, and the target is gone with it.
//!
//! An order waits for its condition, then for a price published after that, then fills. What the condition is, is its
//! [`Kind`]; whether it has been seen is read from the market's ring and may be recorded (`follow`); at
//! what price it fills is in `mark`. Here: the terms, placing, dying, cancelling, and a bracket's turn from
//! entry to exits.

mod follow;
mod mark;

pub use follow::{Lookup, Progress, Stage};
pub use mark::{check_limit, reduce_mark};

use crate::Now;
use crate::account::AccountState;
use crate::constants::{MAX_ORDERS, ORDER_LIFE, ORDER_LOCK, PRICE_MAX};
use crate::error::{Error, Fault, Result, ensure};
use crate::layout;
use crate::liquidation::is_flagged;
use crate::market::MarketState;
use crate::math::{fit, some};
use crate::price::Status;
use crate::units::{Base, Price, Quote, Rounding, SignedBase};

layout! {
    /// An order's terms.
    ///
    /// A bracket is one order. Until its entry fills, `stop`, `target` and `trail` are what its exits will be; then it *is*
    /// its exits: reduce-only, bound to the position that the entry opened or increased, and whichever of stop and target is
    /// met first fills and ends both. So no sibling can be left over, and the rent is paid once.
    pub struct OrderTerms = 128 {
        /// Signed size: positive buys, negative sells.
        pub size: SignedBase,
        /// The worst average price accepted; 0 for none. A limit order also waits for it.
        pub limit: Price,
        /// When it counts as placed, Unix seconds: see [`PriceState::placement`](crate::market::PriceState::placement).
        pub placed_at: i64,
        /// It may not fill after this, Unix seconds; 0 for never. Of a bracket the entry's.
        pub expires_at: i64,
        /// Slot in which it was placed.
        pub placed_slot: u64,
        /// Fees put aside for whoever executes it, `exit_fee` included.
        pub fee: Quote,
        /// Kind: 0 market, 1 limit, 2 stop entry, 3 exit.
        pub kind: u8,
        /// 1 if it may only reduce, and then only the position it is bound to.
        pub reduce_only: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 6],
        /// A stop entry's price: it buys at or above it, sells at or below it; 0 for other kinds.
        pub trigger: Price,
        /// Only observations published after this can meet its condition, Unix seconds.
        pub since: i64,
        /// Publish time of the observation that met an exit's stop, where that was recorded; 0 before.
        pub triggered_at: i64,
        /// An exit's stop: a long is closed at or below it, a short at or above it; 0 for none. A trail moves it.
        pub stop: Price,
        /// An exit's target: a long is closed at or above it, a short at or below it; 0 for none.
        pub target: Price,
        /// Distance at which the stop follows the best price; 0 if it stands.
        pub trail: Price,
        /// Number of the position that a reduce-only order is bound to; 0 for other orders.
        pub generation: u64,
        /// The part of `fee` that is for the exits of a bracket whose entry has not filled.
        pub exit_fee: Quote,
        /// For later versions.
        pub reserved: u64,
    }
}

/// What an order waits for before it looks for its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nothing.
    Market = 0,
    /// A price at its limit or better.
    Limit = 1,
    /// A price at its trigger or beyond, to open or increase a position that way.
    Stop = 2,
    /// A price at its stop or its target, to close a position: stop-loss, take-profit, trailing stop, or two of these.
    Exit = 3,
}

impl Kind {
    /// From its byte.
    ///
    /// # Errors
    /// [`Error::OrderTermsInvalid`].
    pub const fn from_byte(byte: u8) -> core::result::Result<Self, Error> {
        match byte {
            0 => Ok(Self::Market),
            1 => Ok(Self::Limit),
            2 => Ok(Self::Stop),
            3 => Ok(Self::Exit),
            _ => Err(Error::OrderTermsInvalid),
        }
    }
}

/// What came of an entry's fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The order is done.
    Done,
    /// The order is done; its exits have nothing to protect, and what was put aside for them goes back to the account.
    Returned(Quote),
    /// The order has become its exits.
    Exits,
}

impl OrderTerms {
    /// Whether it buys.
    #[inline]
    pub const fn buys(&self) -> bool {
        self.size.0 > 0
    }
    /// Whether it may only reduce.
    #[inline]
    pub const fn reduces(&self) -> bool {
        self.reduce_only != 0
    }
    /// Whether it is an entry that becomes exits.
    #[inline]
    pub fn is_bracket(&self) -> bool {
        self.kind != Kind::Exit as u8 && self.has_exits()
    }
    fn has_exits(&self) -> bool {
        !(self.stop.is_zero() && self.target.is_zero() && self.trail.is_zero())
    }

    /// That the terms go together: a size; the prices that the kind needs and no others; an exit reduces; a reduction has no
    /// exits; stop and target on their own sides.
    ///
    /// # Errors
    /// [`Error::AmountZero`], [`Error::MathOverflow`], [`Error::OrderTermsInvalid`].
    pub fn check(&self) -> Result<()> {
        ensure(self.size.0 != 0, Error::AmountZero)?;
        let _: i64 = fit(self.size.size().0)?;
        let kind = Kind::from_byte(self.kind)?;
        ensure(kind != Kind::Limit || !self.limit.is_zero(), Error::OrderTermsInvalid)?;
        ensure((kind == Kind::Stop) != self.trigger.is_zero(), Error::OrderTermsInvalid)?;
        let consistent = match kind {
            Kind::Exit => self.reduces() && self.has_exits(),
            // One that stops out of a position is an exit.
            Kind::Stop => !self.reduces(),
            Kind::Market | Kind::Limit => !(self.reduces() && self.has_exits()),
        };
        ensure(consistent, Error::OrderTermsInvalid)?;
        let prices = [self.trigger, self.stop, self.target, self.trail];
        ensure(prices.iter().all(|price| price.0 <= PRICE_MAX), Error::OrderTermsInvalid)?;
        // The exits of a buy sell, an exit that sells closes a long.
        let long = self.buys() == (kind != Kind::Exit);
        let ordered = if long { self.stop < self.target } else { self.target < self.stop };
        ensure(self.stop.is_zero() || self.target.is_zero() || ordered, Error::OrderTermsInvalid)
    }

    /// Places an order with these terms: takes the fees out of the account's collateral and fills in the rest. Refuses at
    /// once what could never fill; what may have changed by then is judged again at the fill.
    ///
    /// A flagged account's collateral pays its liquidation, not orders, and while a price is bad nothing leaves an account
    /// with positions: what only reduces puts nothing aside then, and what may open is refused, for nobody would be paid to
    /// clear it away.
    ///
    /// # Errors
    /// Those of [`check`](Self::check); [`Error::MarketSettled`]; [`Error::OrderExpired`] and [`Error::OrderLimit`] with limit
    /// and value; [`Error::PositionNotFound`] for a reduction of nothing; [`Error::FlaggedAccount`],
    /// [`Error::MarketReduceOnly`] and a bad price's refusal for one that may open; [`Error::InsufficientCollateral`] for the fees.
    pub fn place(&mut self, market: &MarketState, account: &mut AccountState, now: &Now) -> Result<()> {
        self.check()?;
        market.check_not_settled()?;
        let lives = self.expires_at == 0 || self.expires_at > now.unix;
        ensure(lives, Fault::new(Error::OrderExpired, self.expires_at, now.unix))?;
        ensure(account.orders < MAX_ORDERS, Fault::new(Error::OrderLimit, MAX_ORDERS, account.orders))?;
        let flagged = is_flagged(account, now);
        let reduced = account.opposite(market.index, self.buys());
        self.generation = 0;
        if self.reduces() {
            let (_, position) = reduced.ok_or(Error::PositionNotFound)?;
            self.generation = position.generation;
        } else {
            ensure(!flagged, Error::FlaggedAccount)?;
            if reduced.is_none() {
                market.check_open(now)?;
            }
        }
        let status = market.status(now)?;
        let bad = status != Status::Good && !account.is_flat();
        ensure(self.reduces() || !bad, status.refusal())?;
        (self.fee, self.exit_fee) = (Quote::ZERO, Quote::ZERO);
        if !(flagged || bad) {
            self.exit_fee = if self.is_bracket() { market.params.order_fee } else { Quote::ZERO };
            self.fee = self.fees(market)?;
        }
        let fault = Fault::new(Error::InsufficientCollateral, account.collateral.0, self.fee.0);
        ensure(self.fee <= account.collateral, fault)?;
        account.collateral = account.collateral.less(self.fee)?;
        account.orders = some(account.orders.checked_add(1))?;
        account.next_order = some(account.next_order.checked_add(1))?;
        self.placed_at = market.price.placement(now)?;
        self.placed_slot = now.slot;
        self.since = self.placed_at;
        self.triggered_at = 0;
        Ok(())
    }

    /// Whether it may be cancelled by its owner now: not in the first 10 seconds since it counts as placed, nor in the first
    /// 10 seconds after its condition was seen: whoever knows the next price before it is stored could take it or leave it.
    ///
    /// # Errors
    /// [`Error::OrderLocked`] with the time of its end and now.
    pub fn check_cancel(&self, market: &MarketState, now: &Now) -> Result<()> {
        let (progress, _) = self.follow(market, now)?;
        let unlocks = self.placed_at.max(progress.triggered_at).saturating_add(ORDER_LOCK);
        ensure(now.unix >= unlocks, Fault::new(Error::OrderLocked, unlocks, now.unix))
    }

    /// Whether it can never fill again, and why: its market is settled; it has expired; it is of another position than the
    /// account has (which was closed, or closed and opened anew); it could open and was placed before the last restart; or it
    /// is a market order whose observation has left the ring or was published more than [`ORDER_LIFE`] ago.
    ///
    /// Orders that only reduce outlive a restart: what they close at is stored after it.
    pub fn dead(&self, market: &MarketState, account: &AccountState, now: &Now) -> Option<Error> {
        if market.is_settled() {
            return Some(Error::MarketSettled);
        }
        if self.expires_at != 0 && now.unix > self.expires_at {
            return Some(Error::OrderExpired);
        }
        if self.reduces() {
            let held = account.opposite(market.index, self.buys());
            if held.is_none_or(|(_, position)| position.generation != self.generation) {
                return Some(Error::PositionNotFound);
            }
        } else if self.placed_slot <= now.restart_slot {
            return Some(Error::OrderLapsed);
        }
        if self.kind != Kind::Market as u8 {
            return None;
        }
        match market.price.first_after(self.placed_at) {
            // An order that its owner keeps unfillable until the outside market jumps is an option; so it lives briefly
            // once it can fill.
            Lookup::Found(seen) => self.is_late(&seen, now).then_some(Error::OrderLapsed),
            Lookup::Lapsed => Some(Error::OrderLapsed),
            Lookup::NotYet => None,
        }
    }

    /// Whether an observation is too old to be filled by.
    fn is_late(&self, seen: &crate::market::Observation, now: &Now) -> bool {
        now.unix > seen.publish_time.saturating_add(ORDER_LIFE)
    }

    /// The size that it asks for of a position of `held`: an exit that would leave less than the minimum notional closes the
    /// whole, or a stop could be refused for its rest.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn size_of(&self, market: &MarketState, held: Base) -> Result<Base> {
        let size = self.size.size();
        if self.kind != Kind::Exit as u8 || size >= held {
            return Ok(size);
        }
        let rest = held.less(size)?.value(market.price.last.price, Rounding::Down)?;
        Ok(if rest < market.params.min_notional { held } else { size })
    }

    /// What becomes of the order after its fill of `filled`; `account` is as the fill left it. A bracket's exits protect what
    /// the fill added to a position of its own direction, from the next price on that nobody knows yet: stop, target and trail
    /// become the order's own, of the account's position as it is numbered now. They expire with the position only.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn after_fill(
        &mut self,
        market: &MarketState,
        account: &AccountState,
        filled: Base,
        now: &Now,
    ) -> Result<After> {
        if !self.is_bracket() {
            return Ok(After::Done);
        }
        let position = account.opposite(market.index, !self.buys());
        let Some((_, position)) = position else {
            self.fee = Quote::ZERO;
            return Ok(After::Returned(core::mem::take(&mut self.exit_fee)));
        };
        let since = market.price.placement(now)?;
        *self = Self {
            size: filled.min(position.base()).signed(!self.buys())?,
            placed_at: since,
            placed_slot: now.slot,
            fee: self.exit_fee,
            kind: Kind::Exit as u8,
            reduce_only: 1,
            since,
            stop: self.stop,
            target: self.target,
            trail: self.trail,
            generation: position.generation,
            ..Self::default()
        };
        Ok(After::Exits)
    }

    /// What it costs at the market's order fee: one, and another one for a bracket's exits. A delegate's budget is charged
    /// with it even where nothing is put aside, or places would be for nothing.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn fees(&self, market: &MarketState) -> Result<Quote> {
        let each = market.params.order_fee;
        if self.is_bracket() { each.plus(each) } else { Ok(each) }
    }

    /// What the keeper that fills it earns: not what is put aside for a bracket's exits.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn fill_fee(&self) -> Result<Quote> {
        self.fee.less(self.exit_fee)
    }
}

/// Whether an order that may open is cancelled where its fill fails for this reason, once its price is there: the account
/// lacks what it needs, or its owner's covenant forbids it. Kept open it would be an option: its owner brings the margin, or
/// moves what the covenant counts, when the outside market has moved. What is the market's or passes with the next price (a
/// limit, a cap, a pause, a price that is not good) keeps it, and so does what anyone can mend at once (a covenant's old view).
pub const fn cancels(reason: Error) -> bool {
    matches!(
        reason,
        Error::InitialMargin
            | Error::InsufficientCollateral
            | Error::SizeBelowMinimum
            | Error::PositionTooLarge
            | Error::NoFreePosition
            | Error::IsolatedSinglePosition
            | Error::CrossNotAllowed
            | Error::LossNotCovered
            | Error::CovenantTripped
            | Error::CovenantFull
            | Error::CovenantNotional
            | Error::CovenantLeverage
            | Error::CovenantLoss
    )
}

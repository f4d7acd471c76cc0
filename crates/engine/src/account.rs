//! The state of a subaccount: collateral, positions, the liquidation flag, principal.

use crate::constants::POSITIONS;
use crate::error::{Error, Result, ensure};
use crate::layout;
use crate::layout::Key;
use crate::market::Claim;
use crate::math::some;
use crate::units::{Base, FundingIndex, Price, Quote, SignedBase, SignedQuote};

layout! {
    /// A position, or what is left of one. A slot is free when it has neither size nor claim nor holdback.
    pub struct Position = 144 {
        /// Signed size.
        pub size: SignedBase,
        /// What the position cost (long) or brought (short), with the fill's premium.
        pub entry: Quote,
        /// The side's funding index at the last touch.
        pub funding_entry: FundingIndex,
        /// Version of the market's maintenance margin when it was opened or last increased.
        pub margin_version: u64,
        /// Claim on the market's pool.
        pub claim: Claim,
        /// Collateral that a silent exit left behind.
        pub held: Quote,
        /// Signed size that the silent exit closed.
        pub held_size: SignedBase,
        /// The price it closed at.
        pub held_price: Price,
        /// The number that the account gave the position when it was opened: reduce-only orders are bound to it.
        pub generation: u64,
        /// The market's index.
        pub market: u16,
        /// For later versions.
        pub reserved_bytes: [u8; 6],
        /// Result up to the last deleveraging, funding included; realised with the next settling or reduction.
        pub frozen: SignedQuote,
        /// The last deleveraging that it has picked up.
        pub round: u64,
        /// The last episode in which it was settled or closed.
        pub episode: u64,
        /// For later versions.
        pub reserved: [u64; 2],
    }
}

layout! {
    /// A liquidation flag (section 8); void when `slot` is zero.
    pub struct Flag = 112 {
        /// Slot of the flag.
        pub slot: u64,
        /// Unix time of the flag.
        pub unix: i64,
        /// The newest publish time among the account's markets at the flag; a liquidation needs a newer one.
        pub publish_time: i64,
        /// Notional to close.
        pub need: Quote,
        /// Notional closed since the flag, in all markets.
        pub closed: Quote,
        /// Slot of the last liquidation under it.
        pub last_slot: u64,
        /// 1 once the first need was used up and the ramp stands at its end.
        pub full: u64,
        /// 1 once the fee's floor was paid.
        pub floor_paid: u64,
        /// The flagger's subaccount, which shares in the fee.
        pub flagger: Key,
        /// For later versions.
        pub reserved: [u64; 2],
    }
}

layout! {
    /// What the owner has put in, for the outflow limiter (section 11).
    pub struct Principal = 56 {
        /// Principal older than an hour.
        pub aged: Quote,
        /// Younger principal by 20-minute window, in the place `window mod 4`.
        pub fresh: [Quote; 4],
        /// The newest window that was written, Unix time / 1200.
        pub window: i64,
        /// For later versions.
        pub reserved: u64,
    }
}

layout! {
    /// A subaccount's money and risk.
    pub struct AccountState = 1400 {
        /// Collateral, free and used. Never negative.
        pub collateral: Quote,
        /// Positions.
        pub positions: [Position; 8],
        /// Liquidation flag.
        pub flag: Flag,
        /// Principal.
        pub principal: Principal,
        /// Open orders.
        pub orders: u64,
        /// Number of the next order.
        pub next_order: u64,
        /// Events so far.
        pub sequence: u64,
        /// 0 cross, 1 isolated.
        pub isolated: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 7],
        /// Positions opened so far.
        pub opened: u64,
        /// What came in less what went out otherwise than by trading: deposits, withdrawals, transfers, keepers' rewards.
        /// Equity less this is what trading has made, whatever was moved.
        pub flow: SignedQuote,
        /// For later versions.
        pub reserved: [u64; 3],
    }
}
const _: () = assert!(POSITIONS == 8);

impl Position {
    /// Takes what a silent exit left behind; nothing of it stays.
    pub(crate) fn take_held(&mut self) -> Quote {
        (self.held_size, self.held_price) = (SignedBase::ZERO, Price::ZERO);
        core::mem::take(&mut self.held)
    }

    /// Whether the slot holds nothing.
    #[inline]
    pub const fn is_free(&self) -> bool {
        self.size.0 == 0 && self.claim.amount.0 == 0 && self.held.0 == 0
    }
    /// Whether there is a size.
    #[inline]
    pub const fn is_open(&self) -> bool {
        self.size.0 != 0
    }
    /// The size without its sign.
    #[inline]
    pub const fn base(&self) -> Base {
        self.size.size()
    }
}

impl AccountState {
    /// The slot of a market, if the account has one there.
    #[inline]
    pub fn find(&self, market: u16) -> Option<usize> {
        self.positions.iter().position(|p| !p.is_free() && p.market == market)
    }

    /// The slot of a market, or a free one for it.
    ///
    /// # Errors
    /// [`Error::NoFreePosition`]; [`Error::IsolatedSinglePosition`] where an isolated account has another market.
    pub fn find_or_free(&self, market: u16) -> Result<usize> {
        if let Some(slot) = self.find(market) {
            return Ok(slot);
        }
        if self.isolated != 0 {
            ensure(self.positions.iter().all(Position::is_free), Error::IsolatedSinglePosition)?;
        }
        self.positions.iter().position(Position::is_free).ok_or(Error::NoFreePosition.into())
    }

    /// The position in a slot.
    ///
    /// # Errors
    /// [`Error::PositionNotFound`] beyond the last slot.
    #[inline]
    pub fn position(&self, slot: usize) -> Result<&Position> {
        self.positions.get(slot).ok_or(Error::PositionNotFound.into())
    }

    /// The position in a slot.
    ///
    /// # Errors
    /// [`Error::PositionNotFound`] beyond the last slot.
    #[inline]
    pub fn position_mut(&mut self, slot: usize) -> Result<&mut Position> {
        self.positions.get_mut(slot).ok_or(Error::PositionNotFound.into())
    }

    /// Whether it has an open position in another market than this one.
    pub fn is_open_elsewhere(&self, market: u16) -> bool {
        self.slots().any(|(_, position)| position.is_open() && position.market != market)
    }

    /// The open position that an order of this direction would reduce, with its slot.
    #[inline]
    pub fn opposite(&self, market: u16, buy: bool) -> Option<(usize, &Position)> {
        let slot = self.find(market)?;
        let position = self.positions.get(slot)?;
        (position.is_open() && position.size.is_long() != buy).then_some((slot, position))
    }

    /// The slots in use, in order: the order in which a caller passes their markets.
    pub fn slots(&self) -> impl Iterator<Item = (usize, &Position)> {
        self.positions.iter().enumerate().filter(|(_, p)| !p.is_free())
    }

    /// Whether the account holds nothing but collateral.
    pub fn is_flat(&self) -> bool {
        self.positions.iter().all(Position::is_free)
    }

    /// Adds collateral that trading did not make: a deposit, a transfer, a keeper's reward.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn put_in(&mut self, amount: Quote) -> Result<()> {
        self.collateral = self.collateral.plus(amount)?;
        self.flow = self.flow.plus(amount.signed()?)?;
        Ok(())
    }

    /// Takes collateral out that trading did not lose: a withdrawal, a transfer.
    ///
    /// # Errors
    /// [`Error::MathOverflow`], also for more than there is.
    pub fn take_out(&mut self, amount: Quote) -> Result<()> {
        self.collateral = self.collateral.less(amount)?;
        self.flow = self.flow.less(amount.signed()?)?;
        Ok(())
    }

    /// The next event's sequence number.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn next_sequence(&mut self) -> Result<u64> {
        self.sequence = some(self.sequence.checked_add(1))?;
        Ok(self.sequence)
    }

    /// What must hold after every change.
    ///
    /// # Errors
    /// [`Error::InvariantBroken`].
    pub fn invariant(&self) -> Result<()> {
        let mut used = 0_usize;
        for (slot, position) in self.positions.iter().enumerate() {
            if position.is_free() {
                continue;
            }
            used = some(used.checked_add(1))?;
            let closed = position.entry.0 == 0 && position.frozen.0 == 0;
            ensure(position.is_open() || closed, Error::InvariantBroken)?;
            let twice = self.positions.iter().skip(slot).skip(1).any(|p| !p.is_free() && p.market == position.market);
            ensure(!twice, Error::InvariantBroken)?;
        }
        ensure(self.isolated == 0 || used <= 1, Error::InvariantBroken)
    }
}

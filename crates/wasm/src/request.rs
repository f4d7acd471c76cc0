//! What a caller asks: a header of eight-byte words, then accounts as the chain has them, discriminator and all.
//!
//! | word | meaning |
//! | --- | --- |
//! | 0 | Unix time, signed |
//! | 1 | slot |
//! | 2 | slot of the last restart |
//! | 3 | index of the market that is asked about |
//! | 4 | 1 for long, 0 for short |
//! | 5 | how many markets follow |
//! | 6 | a price that is asked about |
//! | 7 | a size or an amount that is asked about |
//!
//! Then the subaccount, then the markets in any order: those of its slots in use, and the one asked about. What is asked of a
//! covenant or of a proposal has its own form; see [`crate::covenant`] and [`crate::pending`].

use ballast_engine::account::AccountState;
use ballast_engine::constants::POSITIONS;
use ballast_engine::covenant::CovenantState;
use ballast_engine::layout::Key;
use ballast_engine::market::MarketState;
use ballast_engine::{Now, Price};
use bytemuck::AnyBitPattern;

/// Words of the header.
pub const HEADER: usize = 8;
/// The most markets in a request: one for each slot, and one more.
pub const MARKETS: usize = POSITIONS + 1;
/// The layout version that this module reads.
pub const VERSION: u8 = 1;
/// Bytes before a subaccount's state: discriminator, addresses, what the engine does not read.
pub const SUBACCOUNT_HEAD: usize = 216;
/// Bytes before a market's state.
pub const MARKET_HEAD: usize = 208;
/// Bytes of a subaccount.
pub const SUBACCOUNT: usize = SUBACCOUNT_HEAD + size_of::<AccountState>();
/// Bytes of a market.
pub const MARKET: usize = MARKET_HEAD + size_of::<MarketState>();
/// Bytes before a covenant's state.
pub const COVENANT_HEAD: usize = 80;
/// Bytes behind it, for later versions.
pub const COVENANT_TAIL: usize = 32;
/// Bytes of a covenant.
pub const COVENANT: usize = COVENANT_HEAD + size_of::<CovenantState>() + COVENANT_TAIL;
/// Bytes of an address.
pub const ADDRESS: usize = size_of::<Key>();
/// Words of the largest request: a covenant, and a subaccount of its owner with its address and its markets.
pub const WORDS: usize = HEADER + (COVENANT + ADDRESS + SUBACCOUNT + MARKETS * MARKET) / size_of::<u64>();

/// The first eight bytes of a subaccount.
pub const SUBACCOUNT_KIND: [u8; 8] = [205, 168, 49, 209, 131, 86, 56, 195];
/// The first eight bytes of a market.
pub const MARKET_KIND: [u8; 8] = [219, 190, 213, 55, 0, 227, 198, 154];

/// The first eight bytes of a covenant.
pub const COVENANT_KIND: [u8; 8] = [234, 79, 45, 100, 56, 102, 216, 232];

/// Why a request cannot be read; the number is the answer's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Unreadable {
    /// The subaccount is another kind of account, or of another layout version.
    Subaccount = -1,
    /// A market is.
    Market = -2,
    /// More markets than a request holds, or an index that no market has.
    Header = -3,
    /// The covenant is another kind of account, or of another layout version.
    Covenant = -4,
}

/// The header's words.
pub type Header = [u64; HEADER];

/// The clock in a header.
pub const fn now(header: &Header) -> Now {
    let [unix, slot, restart_slot, ..] = *header;
    Now { unix: unix.cast_signed(), slot, restart_slot }
}

/// A request as it was read. Copies: what follows accrues funding in them.
pub struct Request {
    /// The clock.
    pub now: Now,
    /// The market that is asked about.
    pub market: u16,
    /// Which way.
    pub long: bool,
    /// The price that is asked about.
    pub price: Price,
    /// The size or amount that is asked about.
    pub amount: u64,
    /// The subaccount.
    pub account: AccountState,
    markets: [MarketState; MARKETS],
    count: usize,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(words: &[u64]) -> Result<Self, Unreadable> {
        let (header, rest) = words.split_first_chunk().ok_or(Unreadable::Header)?;
        Self::behind(header, rest)
    }

    /// Reads one whose accounts do not follow its header at once.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn behind(header: &Header, rest: &[u64]) -> Result<Self, Unreadable> {
        let [_, _, _, market, long, count, price, amount] = *header;
        let count = usize::try_from(count).ok().filter(|count| *count <= MARKETS).ok_or(Unreadable::Header)?;
        let bytes: &[u8] = bytemuck::cast_slice(rest);
        let (account, mut bytes) = take(bytes, SUBACCOUNT_KIND, SUBACCOUNT_HEAD).ok_or(Unreadable::Subaccount)?;
        let mut markets = [MarketState::default(); MARKETS];
        for market in markets.iter_mut().take(count) {
            (*market, bytes) = take(bytes, MARKET_KIND, MARKET_HEAD).ok_or(Unreadable::Market)?;
        }
        Ok(Self {
            now: now(header),
            market: u16::try_from(market).map_err(|_| Unreadable::Header)?,
            long: long != 0,
            price: Price(price),
            amount,
            account,
            markets,
            count,
        })
    }

    /// The markets.
    pub fn markets(&self) -> &[MarketState] {
        self.markets.get(..self.count).unwrap_or_default()
    }

    /// The markets, to accrue funding in them.
    pub fn markets_mut(&mut self) -> &mut [MarketState] {
        self.markets.get_mut(..self.count).unwrap_or_default()
    }
}

/// The state of the account that the bytes begin with, and the bytes behind it.
pub fn take<T: AnyBitPattern>(bytes: &[u8], kind: [u8; 8], head: usize) -> Option<(T, &[u8])> {
    let (account, rest) = bytes.split_at_checked(head.checked_add(size_of::<T>())?)?;
    let (found, body) = account.split_first_chunk::<8>()?;
    if *found != kind || body.first() != Some(&VERSION) {
        return None;
    }
    Some((bytemuck::try_pod_read_unaligned(account.get(head..)?).ok()?, rest))
}

//! Units as types: a product that means nothing does not compile. Scales are in [`crate::constants`].

use crate::constants::{INDEX_SCALE, PRICE_SCALE, RATIO_SCALE};
use crate::error::Result;
use crate::layout::{Layout, TypeRef};
use crate::math::{div_scale, div_wide, fit, mul_div, mul_signed, some};

/// Which way a division rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Towards zero for unsigned numbers, towards minus infinity for signed ones.
    Down,
    /// Away from zero for unsigned numbers, towards plus infinity for signed ones.
    Up,
}

impl Rounding {
    /// The other way.
    pub const fn flip(self) -> Self {
        match self {
            Self::Down => Self::Up,
            Self::Up => Self::Down,
        }
    }
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident($inner:ty) => $layout:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable,
        )]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The sum.
            ///
            /// # Errors
            /// [`Error::MathOverflow`](crate::Error::MathOverflow).
            #[inline]
            pub fn plus(self, other: Self) -> Result<Self> {
                Ok(Self(some(self.0.checked_add(other.0))?))
            }
            /// The difference.
            ///
            /// # Errors
            /// [`Error::MathOverflow`](crate::Error::MathOverflow), for unsigned units also below zero.
            #[inline]
            pub fn less(self, other: Self) -> Result<Self> {
                Ok(Self(some(self.0.checked_sub(other.0))?))
            }
            /// The difference, or the least value where that leaves the range.
            #[inline]
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
            /// Whether it is nothing.
            #[inline]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
        }

        impl Layout for $name {
            const TYPE: TypeRef = TypeRef::$layout;
        }
    };
}

unit!(
    /// An amount of the collateral, in its mint's smallest unit.
    Quote(u64) => U64
);
unit!(
    /// A signed amount of the collateral: PnL, equity, funding. Positive is the account's.
    SignedQuote(i64) => I64
);
unit!(
    /// A size in base atoms, 10^-base_decimals of one unit of the asset.
    Base(u64) => U64
);
unit!(
    /// A signed size: positive long, negative short.
    SignedBase(i64) => I64
);
unit!(
    /// Quote atoms per base atom, exponent -9.
    Price(u64) => U64
);
unit!(
    /// A share, in millionths.
    Ratio(u64) => U64
);
unit!(
    /// A funding rate per hour, exponent -12; positive when longs pay.
    FundingRate(i64) => I64
);

impl Quote {
    /// As a signed amount.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow) beyond `i64`.
    #[inline]
    pub fn signed(self) -> Result<SignedQuote> {
        Ok(SignedQuote(fit(self.0)?))
    }
    /// This share of it.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow).
    #[inline]
    pub fn portion(self, ratio: Ratio, rounding: Rounding) -> Result<Self> {
        Ok(Self(mul_div(self.0, ratio.0, RATIO_SCALE, rounding)?))
    }
    /// `self × part ÷ whole`; nothing of nothing.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow), also for a zero `whole` with a non-zero `part`.
    #[inline]
    pub fn share(self, part: u64, whole: u64, rounding: Rounding) -> Result<Self> {
        if part == 0 {
            return Ok(Self(0));
        }
        Ok(Self(mul_div(self.0, part, whole, rounding)?))
    }
}

impl SignedQuote {
    /// The positive part.
    #[inline]
    pub const fn gain(self) -> Quote {
        Quote(if self.0 > 0 { self.0.unsigned_abs() } else { 0 })
    }
    /// The negative part, as a positive amount.
    #[inline]
    pub const fn loss(self) -> Quote {
        Quote(if self.0 < 0 { self.0.unsigned_abs() } else { 0 })
    }
    /// The opposite.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow).
    #[inline]
    pub fn negated(self) -> Result<Self> {
        Ok(Self(some(self.0.checked_neg())?))
    }
}

impl Base {
    /// What it is worth at a price.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow).
    #[inline]
    pub fn value(self, price: Price, rounding: Rounding) -> Result<Quote> {
        // The product of two words cannot leave 128 bits.
        product_to_quote(u128::from(self.0).wrapping_mul(u128::from(price.0)), rounding)
    }
    /// As a signed size of a side.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow) beyond `i64`.
    #[inline]
    pub fn signed(self, long: bool) -> Result<SignedBase> {
        let size: i64 = fit(self.0)?;
        Ok(SignedBase(if long { size } else { some(size.checked_neg())? }))
    }
}

impl SignedBase {
    /// The size without its sign.
    #[inline]
    pub const fn size(self) -> Base {
        Base(self.0.unsigned_abs())
    }
    /// Whether it is long; a zero size counts as long.
    #[inline]
    pub const fn is_long(self) -> bool {
        self.0 >= 0
    }
}

impl Price {
    /// This share of the price.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow).
    #[inline]
    pub fn portion(self, ratio: Ratio, rounding: Rounding) -> Result<Self> {
        Ok(Self(mul_div(self.0, ratio.0, RATIO_SCALE, rounding)?))
    }
    /// The price worsened by a distance for a buyer (`up`) or a seller; at least one atom.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow).
    #[inline]
    pub fn moved(self, up: bool, by: Price) -> Result<Self> {
        if up { self.plus(by) } else { Ok(Self(self.0.saturating_sub(by.0).max(1))) }
    }
}

impl Ratio {
    /// All of it.
    pub const ONE: Self = Self(RATIO_SCALE);
    /// The product of two shares.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow).
    #[inline]
    pub fn times(self, other: Self, rounding: Rounding) -> Result<Self> {
        Ok(Self(mul_div(self.0, other.0, RATIO_SCALE, rounding)?))
    }
    /// `part ÷ whole` as a share.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow), also for a zero `whole`.
    #[inline]
    pub fn of(part: u64, whole: u64, rounding: Rounding) -> Result<Self> {
        Ok(Self(mul_div(part, RATIO_SCALE, whole, rounding)?))
    }
}

/// A wide signed integer that is 8-aligned, as account data are.
#[derive(Clone, Copy, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct I128([u64; 2]);

impl I128 {
    /// The number.
    #[inline]
    #[allow(clippy::cast_possible_wrap, reason = "the two halves are its two's complement")]
    pub const fn get(self) -> i128 {
        (((self.0[1] as u128) << 64) | self.0[0] as u128) as i128
    }
    /// From a number.
    #[inline]
    #[allow(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "the two halves are its two's complement"
    )]
    pub const fn new(value: i128) -> Self {
        Self([value as u128 as u64, ((value as u128) >> 64) as u64])
    }
}

impl core::fmt::Debug for I128 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.get().fmt(f)
    }
}

impl Layout for I128 {
    const TYPE: TypeRef = TypeRef::I128;
}

/// What one base atom of a side has had to pay since the market began, quote atoms, exponent -15; it falls when the
/// side receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct FundingIndex(pub I128);

impl FundingIndex {
    /// The number.
    #[inline]
    pub const fn get(self) -> i128 {
        self.0.get()
    }
    /// From a number.
    #[inline]
    pub const fn new(value: i128) -> Self {
        Self(I128::new(value))
    }
    /// What a size owes that entered at `entry`: rounded up, so that payers round up and receivers down.
    ///
    /// # Errors
    /// [`Error::MathOverflow`](crate::Error::MathOverflow).
    #[inline]
    pub fn owed(self, entry: Self, size: Base) -> Result<SignedQuote> {
        if self == entry {
            return Ok(SignedQuote::ZERO);
        }
        let delta = some(self.get().checked_sub(entry.get()))?;
        index_to_quote(mul_signed(delta, size.0)?, Rounding::Up)
    }
}

impl Layout for FundingIndex {
    const TYPE: TypeRef = TypeRef::I128;
}

/// What the scales have beside powers of two.
const PRICE_ODD: u64 = 1_953_125;
const RATIO_ODD: u64 = 15_625;
const _: () = assert!(PRICE_SCALE == PRICE_ODD << 9 && RATIO_SCALE == RATIO_ODD << 6);
const _: () = assert!(INDEX_SCALE == PRICE_SCALE * RATIO_SCALE);

/// Index times size to quote. In one division where that is a short one, else in two, of which the roundings the same way
/// are one by the product.
///
/// # Errors
/// [`Error::MathOverflow`](crate::Error::MathOverflow).
#[inline]
pub fn index_to_quote(product: i128, rounding: Rounding) -> Result<SignedQuote> {
    let positive = product >= 0;
    let (size, rounding) = (product.unsigned_abs(), if positive { rounding } else { rounding.flip() });
    let quote: i64 = if size >> (64 + 15) == 0 {
        fit(div_scale::<15>(size, PRICE_ODD * RATIO_ODD, rounding)?)?
    } else {
        fit(div_wide(div_scale::<15>(size, PRICE_ODD, rounding)?, RATIO_ODD, rounding)?)?
    };
    Ok(SignedQuote(if positive { quote } else { some(quote.checked_neg())? }))
}

/// The value of a signed size times a price, in quote, rounded as asked.
///
/// # Errors
/// [`Error::MathOverflow`](crate::Error::MathOverflow).
#[inline]
pub fn product_to_quote(product: u128, rounding: Rounding) -> Result<Quote> {
    Ok(Quote(fit(div_scale::<9>(product, PRICE_ODD, rounding)?)?))
}

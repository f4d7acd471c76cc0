//! Exact numbers: fractions of big integers, cancelled only where they grow long (a greatest common divisor at every step
//! costs more than all the rest).

use core::cmp::Ordering;
use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

use num_bigint::{BigInt, Sign};
use num_traits::{One, ToPrimitive, Zero};

/// Denominators longer than this many bits are cancelled.
const LONG: u64 = 1_024;

/// A rational number; its denominator is positive.
#[derive(Clone)]
pub struct Q {
    n: BigInt,
    d: BigInt,
}

impl Q {
    /// A fraction. A zero denominator makes zero, which no caller wants to see but which cannot happen in the rules.
    fn of(n: BigInt, d: BigInt) -> Self {
        let (n, d) = if d.sign() == Sign::Minus { (-n, -d) } else { (n, d) };
        if n.is_zero() || d.is_zero() {
            return Self { n: BigInt::zero(), d: BigInt::one() };
        }
        if d.bits() <= LONG {
            return Self { n, d };
        }
        let (mut a, mut b) = (n.clone(), d.clone());
        while !b.is_zero() {
            let rest = &a % &b;
            a = core::mem::replace(&mut b, rest);
        }
        let common = if a.sign() == Sign::Minus { -a } else { a };
        Self { n: n / &common, d: d / common }
    }
    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.n.is_zero()
    }
    /// Whether it is above nothing.
    pub fn is_positive(&self) -> bool {
        self.n.sign() == Sign::Plus
    }
    /// Whether it is below nothing.
    pub fn is_negative(&self) -> bool {
        self.n.sign() == Sign::Minus
    }
    /// Without its sign.
    pub fn abs(&self) -> Self {
        if self.is_negative() { -self } else { self.clone() }
    }
    /// The whole number at or below it.
    pub fn floor(&self) -> BigInt {
        let whole = &self.n / &self.d;
        if self.is_negative() && &whole * &self.d != self.n { whole - 1 } else { whole }
    }
    /// About, for people.
    pub fn about(&self) -> f64 {
        let scaled = (&self.n * BigInt::from(1_000_000_000_000_000_000_u64)) / &self.d;
        scaled.to_f64().unwrap_or(f64::NAN) / 1e18
    }
    /// To the nearest multiple of 2⁻⁷² below: keeps the digits of long histories in bounds, far below any rounding.
    pub fn grid(&self) -> Self {
        if self.d.bits() <= 73 {
            return self.clone();
        }
        Self { n: (&self.n << 72_u32) / &self.d, d: BigInt::one() << 72_u32 }
    }
}

impl Default for Q {
    fn default() -> Self {
        zero()
    }
}

impl fmt::Debug for Q {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.about())
    }
}

impl PartialEq for Q {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Q {}
impl PartialOrd for Q {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Q {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.d == other.d {
            return self.n.cmp(&other.n);
        }
        (&self.n * &other.d).cmp(&(&other.n * &self.d))
    }
}

fn sum(a: &Q, b: &Q) -> Q {
    if a.n.is_zero() {
        return b.clone();
    }
    if b.n.is_zero() {
        return a.clone();
    }
    if a.d == b.d {
        return Q::of(&a.n + &b.n, a.d.clone());
    }
    Q::of(&a.n * &b.d + &b.n * &a.d, &a.d * &b.d)
}
fn product(a: &Q, b: &Q) -> Q {
    Q::of(&a.n * &b.n, &a.d * &b.d)
}
fn quotient(a: &Q, b: &Q) -> Q {
    Q::of(&a.n * &b.d, &a.d * &b.n)
}

macro_rules! operator {
    ($trait:ident $name:ident, |$a:ident, $b:ident| $body:expr) => {
        impl $trait<&Q> for &Q {
            type Output = Q;
            fn $name(self, other: &Q) -> Q {
                let ($a, $b) = (self, other);
                $body
            }
        }
        impl $trait<Q> for Q {
            type Output = Q;
            fn $name(self, other: Q) -> Q {
                (&self).$name(&other)
            }
        }
        impl $trait<&Q> for Q {
            type Output = Q;
            fn $name(self, other: &Q) -> Q {
                (&self).$name(other)
            }
        }
        impl $trait<Q> for &Q {
            type Output = Q;
            fn $name(self, other: Q) -> Q {
                self.$name(&other)
            }
        }
    };
}
operator!(Add add, |a, b| sum(a, b));
operator!(Sub sub, |a, b| sum(a, &-b));
operator!(Mul mul, |a, b| product(a, b));
operator!(Div div, |a, b| quotient(a, b));

impl Neg for &Q {
    type Output = Q;
    fn neg(self) -> Q {
        Q { n: -&self.n, d: self.d.clone() }
    }
}
impl Neg for Q {
    type Output = Q;
    fn neg(self) -> Q {
        Q { n: -self.n, d: self.d }
    }
}
impl AddAssign<&Self> for Q {
    fn add_assign(&mut self, other: &Self) {
        *self = sum(self, other);
    }
}
impl AddAssign for Q {
    fn add_assign(&mut self, other: Self) {
        *self += &other;
    }
}
impl SubAssign<&Self> for Q {
    fn sub_assign(&mut self, other: &Self) {
        *self = sum(self, &-other);
    }
}
impl SubAssign for Q {
    fn sub_assign(&mut self, other: Self) {
        *self -= &other;
    }
}
impl Sum for Q {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(zero(), |a, b| a + b)
    }
}

/// A whole number.
pub fn q(n: impl Into<BigInt>) -> Q {
    Q { n: n.into(), d: BigInt::one() }
}

/// A fraction.
pub fn frac(n: impl Into<BigInt>, d: impl Into<BigInt>) -> Q {
    Q::of(n.into(), d.into())
}

/// Nothing.
pub fn zero() -> Q {
    q(0)
}

/// The positive part.
pub fn gain(x: &Q) -> Q {
    if x.is_positive() { x.clone() } else { zero() }
}

/// The negative part, as a positive number.
pub fn loss(x: &Q) -> Q {
    if x.is_negative() { -x } else { zero() }
}

/// The smaller.
pub fn least(a: &Q, b: &Q) -> Q {
    if a < b { a.clone() } else { b.clone() }
}

/// The larger.
pub fn most(a: &Q, b: &Q) -> Q {
    if a > b { a.clone() } else { b.clone() }
}

/// The natural logarithm of two, to thirty-six digits.
pub fn ln_2() -> Q {
    frac(693_147_180_559_945_309_417_232_121_458_176_568_i128, 1_000_000_000_000_000_000_000_000_000_000_000_000_i128)
}

/// `2^-x` for `0 ≤ x`, to twenty digits: the whole part by halving, the rest by the exponential's series.
pub fn half_to(x: &Q) -> Q {
    let whole = x.floor();
    let rest = (x - q(whole.clone())).grid();
    let step = -(rest * ln_2()).grid();
    let (mut sum, mut term) = (q(1), q(1));
    for n in 1..26 {
        term = (term * &step / q(n)).grid();
        sum += &term;
    }
    let halvings = whole.to_u32().unwrap_or(u32::MAX).min(4_096);
    (sum / q(BigInt::one() << halvings)).grid()
}

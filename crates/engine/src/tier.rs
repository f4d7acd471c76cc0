//! What a market's tier fixes for ever. These are not parameters: were *move per slot* one, the envelope's proof would
//! be vacuous (section 7).

use crate::error::{Error, Result};
use crate::units::Ratio;

/// A market's risk tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The deepest assets (BTC, ETH, SOL).
    A,
    /// Large assets.
    B,
    /// The long tail; isolated subaccounts only.
    C,
}

/// A tier's constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierRules {
    /// The largest move per slot that the envelope allows for.
    pub move_per_slot: Ratio,
    /// Confidence above this share of the price makes it uncertain.
    pub conf_limit: Ratio,
    /// What the maintenance test gives the trader, at most.
    pub conf_credit: Ratio,
    /// A sample is clamped to the average plus or minus this before it is taken in.
    pub ema_clamp: Ratio,
    /// The hard cap of the funding rate, per hour.
    pub funding_cap: Ratio,
    /// Whether cross subaccounts may hold it.
    pub cross: bool,
}

const A: TierRules = TierRules {
    move_per_slot: Ratio(300),
    conf_limit: Ratio(10_000),
    conf_credit: Ratio(1_000),
    ema_clamp: Ratio(100_000),
    funding_cap: Ratio(1_250),
    cross: true,
};
const B: TierRules = TierRules {
    move_per_slot: Ratio(500),
    conf_limit: Ratio(20_000),
    conf_credit: Ratio(2_000),
    ema_clamp: Ratio(200_000),
    funding_cap: Ratio(2_080),
    cross: true,
};
const C: TierRules = TierRules {
    move_per_slot: Ratio(1_000),
    conf_limit: Ratio(40_000),
    conf_credit: Ratio(4_000),
    ema_clamp: Ratio(500_000),
    funding_cap: Ratio(4_170),
    cross: false,
};

impl Tier {
    /// The tier of a stored byte.
    ///
    /// # Errors
    /// [`Error::TierInvalid`] for anything but 0, 1 and 2.
    pub fn from_byte(byte: u8) -> Result<Self> {
        match byte {
            0 => Ok(Self::A),
            1 => Ok(Self::B),
            2 => Ok(Self::C),
            _ => Err(Error::TierInvalid.into()),
        }
    }

    /// The tier's constants.
    pub const fn rules(self) -> &'static TierRules {
        match self {
            Self::A => &A,
            Self::B => &B,
            Self::C => &C,
        }
    }
}

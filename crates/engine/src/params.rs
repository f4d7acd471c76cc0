//! The registry: every parameter of market and exchange is one row here, with its unit, hard bounds, largest step, the
//! class of each direction and what it means. The stored structs, their accessors, docs/PARAMETERS.md and the command
//! line's tables are all made from these rows. What parameters must agree with is in [`crate::envelope`].

use crate::error::{Error, Fault, Result, ensure};
use crate::units::{Base, Quote, Ratio};

/// How long a change waits (section 11). The delays themselves are exchange parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Tune: 48 h at least, committee or governance.
    G1,
    /// Risk: 72 h at least, governance.
    G2,
    /// Deep: 7 days at least, governance.
    G3,
}

/// What a parameter's number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Millionths.
    Ratio,
    /// Millionths per hour.
    RatioPerHour,
    /// Funding rate gained per hour at full skew, exponent -12 per hour.
    RatePerHour,
    /// The collateral's smallest unit.
    Quote,
    /// Base atoms of the market.
    Base,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// What tables call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ratio => "share",
            Self::RatioPerHour => "share per hour",
            Self::RatePerHour => "funding rate per hour",
            Self::Quote => "collateral, smallest unit",
            Self::Base => "base atoms",
            Self::Seconds => "seconds",
        }
    }

    /// A value of this unit, for people.
    pub const fn show(self, value: u64) -> Shown {
        Shown { unit: self, value }
    }
}

/// A parameter's value for people: shares in percent with all their digits, the rest as integers with their unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its unit.
    pub unit: Unit,
    /// Its number.
    pub value: u64,
}

impl core::fmt::Display for Shown {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let whole = |per_percent: u64| self.value.checked_div(per_percent).unwrap_or(0);
        let part = |per_percent: u64| self.value.checked_rem(per_percent).unwrap_or(0);
        match self.unit {
            // Millionths: 10^4 to the percent.
            Unit::Ratio => write!(f, "{}.{:04} %", whole(10_000), part(10_000)),
            Unit::RatioPerHour => write!(f, "{}.{:04} %/h", whole(10_000), part(10_000)),
            // Exponent -12: 10^10 to the percent.
            Unit::RatePerHour => write!(f, "{}.{:010} %/h per hour", whole(10_000_000_000), part(10_000_000_000)),
            Unit::Quote | Unit::Base => write!(f, "{}", self.value),
            Unit::Seconds => write!(f, "{} s", self.value),
        }
    }
}

/// A row of the registry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The field's name.
    pub name: &'static str,
    /// What the number means.
    pub unit: Unit,
    /// Hard minimum.
    pub min: u64,
    /// Hard maximum.
    pub max: u64,
    /// A change may always be this large …
    pub step: u64,
    /// … or this share of the old value, in millionths, whichever is larger.
    pub step_share: u64,
    /// Class of a raise.
    pub up: Class,
    /// Class of a cut.
    pub down: Class,
    /// Meaning.
    pub doc: &'static str,
}

impl Row {
    /// The class of a change.
    ///
    /// # Errors
    /// [`Error::ParameterUnchanged`].
    pub fn class(&self, old: u64, new: u64) -> Result<Class> {
        ensure(old != new, Error::ParameterUnchanged)?;
        Ok(if new > old { self.up } else { self.down })
    }

    /// Whether a value lies within the hard bounds.
    ///
    /// # Errors
    /// [`Error::ParameterBounds`].
    pub fn check_bounds(&self, value: u64) -> Result<()> {
        ensure(value >= self.min, Fault::new(Error::ParameterBounds, self.min, value))?;
        ensure(value <= self.max, Fault::new(Error::ParameterBounds, self.max, value))
    }

    /// Whether a change is no larger than the largest step.
    ///
    /// # Errors
    /// [`Error::ParameterStep`], [`Error::MathOverflow`].
    pub fn check_step(&self, old: u64, new: u64) -> Result<()> {
        let largest = self.step.max(Quote(old).portion(Ratio(self.step_share), crate::Rounding::Down)?.0);
        ensure(old.abs_diff(new) <= largest, Fault::new(Error::ParameterStep, largest, old.abs_diff(new)))
    }
}

macro_rules! registry {
    (
        $(#[doc = $doc:literal])* $set:ident / $rows:ident / $places:literal;
        $( $field:ident : $ty:ident, $unit:ident, $min:literal ..= $max:literal, step $step:literal or $share:literal, up $up:ident, down $down:ident, $text:literal; )*
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        pub struct $set {
            $( #[doc = $text] pub $field: $ty, )*
            /// For later versions.
            pub reserved: [u64; $places - $rows.len()],
        }
        const _: () = assert!(core::mem::size_of::<$set>() == 8 * $places);

        /// The rows, in the order of their ids.
        pub const $rows: &[Row] = &[$( Row {
            name: stringify!($field), unit: Unit::$unit, min: $min, max: $max, step: $step, step_share: $share,
            up: Class::$up, down: Class::$down, doc: $text,
        } ),*];

        impl $set {
            /// The row of an id.
            ///
            /// # Errors
            /// [`Error::ParameterUnknown`].
            pub fn row(id: u16) -> Result<&'static Row> {
                $rows.get(usize::from(id)).ok_or(Error::ParameterUnknown.into())
            }
            /// The value of an id.
            ///
            /// # Errors
            /// [`Error::ParameterUnknown`].
            pub fn get(&self, id: u16) -> Result<u64> {
                Self::row(id)?;
                let values: &[u64] = bytemuck::cast_slice(core::slice::from_ref(self));
                values.get(usize::from(id)).copied().ok_or(Error::ParameterUnknown.into())
            }
            /// Stores a value; the rules for that are the caller's ([`crate::governance`]).
            ///
            /// # Errors
            /// [`Error::ParameterUnknown`].
            pub fn set(&mut self, id: u16, value: u64) -> Result<()> {
                Self::row(id)?;
                let values: &mut [u64] = bytemuck::cast_slice_mut(core::slice::from_mut(self));
                *values.get_mut(usize::from(id)).ok_or(Error::ParameterUnknown)? = value;
                Ok(())
            }
            /// The id of a field's name.
            pub fn id(name: &str) -> Option<u16> {
                $rows.iter().position(|r| r.name == name).and_then(|i| u16::try_from(i).ok())
            }
            /// Whether every value lies within its hard bounds.
            ///
            /// # Errors
            /// [`Error::ParameterBounds`].
            pub fn check_bounds(&self) -> Result<()> {
                for (id, row) in $rows.iter().enumerate() {
                    row.check_bounds(self.get(u16::try_from(id).map_err(|_| Error::ParameterUnknown)?)?)?;
                }
                Ok(())
            }
        }
        impl Default for $set {
            fn default() -> Self {
                bytemuck::Zeroable::zeroed()
            }
        }
        impl $crate::layout::Layout for $set {
            const TYPE: $crate::layout::TypeRef = $crate::layout::TypeRef::Struct(&$crate::layout::StructDef {
                name: stringify!($set),
                docs: &[$($doc),*],
                fields: &[
                    $( $crate::layout::FieldDef {
                        name: stringify!($field), docs: &[$text], ty: <$ty as $crate::layout::Layout>::TYPE,
                    }, )*
                    $crate::layout::FieldDef {
                        name: "reserved", docs: &["For later versions."],
                        ty: <[u64; $places - $rows.len()] as $crate::layout::Layout>::TYPE,
                    },
                ],
            });
        }
    };
}

/// A plain number of seconds.
type Seconds = u64;
/// A plain number whose unit the row names.
type Number = u64;

registry! {
    /// A market's parameters.
    MarketParams / MARKET_ROWS / 48;
    initial_margin: Ratio, Ratio, 10_000..=1_000_000, step 10_000 or 200_000, up G1, down G1, "Initial margin of the smallest position, as a share of notional.";
    maintenance_margin: Ratio, Ratio, 5_000..=500_000, step 5_000 or 200_000, up G2, down G2, "Maintenance margin, as a share of notional.";
    liquidation_buffer: Ratio, Ratio, 2_000..=50_000, step 2_500 or 200_000, up G2, down G2, "A liquidation aims at maintenance plus this share of notional.";
    size_margin: Ratio, Ratio, 0..=1_000_000, step 10_000 or 200_000, up G1, down G1, "Added to initial margin at the largest position, and in proportion below it.";
    oi_margin_start: Ratio, Ratio, 0..=1_000_000, step 100_000 or 200_000, up G1, down G1, "Share of the open-interest cap at which initial margin for increases begins to rise.";
    oi_margin_full: Ratio, Ratio, 1_000_000..=10_000_000, step 200_000 or 200_000, up G1, down G1, "Share of the cap at which initial margin for increases would be all of notional.";
    profit_credit: Ratio, Ratio, 0..=900_000, step 100_000 or 200_000, up G2, down G1, "Share of unrealised profit that counts for increases.";
    skew_scale: Base, Base, 1_000..=1_000_000_000_000_000, step 0 or 100_000, up G2, down G2, "K: a fill's premium is price times average skew over this.";
    funding_skew_scale: Base, Base, 1_000..=1_000_000_000_000_000, step 0 or 200_000, up G1, down G1, "K': the skew at which funding moves at full velocity.";
    funding_velocity: Number, RatePerHour, 0..=10_000_000_000, step 100_000_000 or 200_000, up G1, down G1, "How much the hourly funding rate changes in an hour at full skew.";
    funding_cap: Ratio, RatioPerHour, 0..=4_170, step 250 or 200_000, up G1, down G1, "Hard cap of the funding rate per hour; also bounded by the tier.";
    funding_dead_zone: Ratio, Ratio, 0..=200_000, step 10_000 or 200_000, up G1, down G1, "Share of K' around zero skew in which the rate decays.";
    funding_half_life: Seconds, Seconds, 600..=604_800, step 3_600 or 500_000, up G1, down G1, "Half-life of that decay.";
    holding_fee: Ratio, RatioPerHour, 0..=500, step 50 or 200_000, up G1, down G1, "What open interest pays the pool per hour when it fills the cap; falls with the square of its share.";
    open_interest_cap: Quote, Quote, 0..=1_000_000_000_000_000, step 1_000_000_000_000 or 500_000, up G2, down G1, "Cap of each side's open interest, as notional.";
    max_position: Quote, Quote, 1_000_000..=1_000_000_000_000_000, step 100_000_000_000 or 500_000, up G2, down G1, "Largest notional per subaccount.";
    min_notional: Quote, Quote, 1_000_000..=1_000_000_000_000, step 10_000_000 or 500_000, up G1, down G1, "Least notional of a position.";
    taker_fee: Ratio, Ratio, 0..=5_000, step 200 or 200_000, up G1, down G1, "Fee on size that worsens the skew.";
    mending_fee: Ratio, Ratio, 0..=5_000, step 200 or 200_000, up G1, down G1, "Fee on size that mends the skew.";
    fee_pool_share: Ratio, Ratio, 0..=1_000_000, step 100_000 or 0, up G2, down G2, "Share of trading fees that goes to the pool.";
    fee_insurance_share: Ratio, Ratio, 0..=1_000_000, step 100_000 or 0, up G2, down G2, "Share of trading fees that goes to the market's insurance; the rest is the protocol's.";
    keeper_fee_min: Ratio, Ratio, 100..=20_000, step 500 or 200_000, up G1, down G1, "A liquidation keeper's fee at the flag.";
    keeper_fee_max: Ratio, Ratio, 100..=20_000, step 500 or 200_000, up G2, down G2, "A liquidation keeper's fee when the ramp ends.";
    keeper_fee_floor: Quote, Quote, 0..=100_000_000, step 250_000 or 200_000, up G1, down G1, "Least total keeper's fee per flag; insurance adds what the account lacks.";
    keeper_floor_hourly: Quote, Quote, 0..=1_000_000_000, step 10_000_000 or 500_000, up G2, down G1, "What insurance adds to keepers' fees per hour at most.";
    insurance_fee_max: Ratio, Ratio, 0..=20_000, step 500 or 200_000, up G2, down G2, "Most that a liquidation pays to insurance.";
    liquidation_impact: Ratio, Ratio, 100..=50_000, step 500 or 200_000, up G2, down G2, "No fill's premium exceeds this share of the price: open interest is held to it times K.";
    liquidation_capacity: Quote, Quote, 1_000_000..=1_000_000_000_000_000, step 1_000_000_000_000 or 500_000, up G2, down G2, "Notional that may be liquidated in this market per slot.";
    stress_move: Ratio, Ratio, 20_000..=1_000_000, step 20_000 or 200_000, up G2, down G2, "The move of one side alone that the pool must be able to pay; binds increases and liquidity exits.";
    lp_cooldown: Seconds, Seconds, 3_600..=86_400, step 21_600 or 500_000, up G2, down G2, "How long a liquidity exit waits. At most a day: with the day to file it, out before the shortest delay is over.";
    lp_minimum: Quote, Quote, 1_000_000..=1_000_000_000_000, step 100_000_000 or 500_000, up G1, down G1, "Least first liquidity deposit.";
    order_fee: Quote, Quote, 0..=10_000_000, step 50_000 or 200_000, up G1, down G1, "Flat fee put aside per order for whoever executes it.";
    insurance_day_cap: Quote, Quote, 0..=1_000_000_000_000_000, step 100_000_000_000 or 500_000, up G2, down G2, "Most that this market's deficits of one day claim from shared insurance.";
    insurance_week_cap: Quote, Quote, 0..=1_000_000_000_000_000, step 100_000_000_000 or 500_000, up G2, down G2, "Most that they claim in seven days; a new market starts at zero.";
    funding_threshold: Ratio, Ratio, 10_000..=1_000_000, step 50_000 or 200_000, up G1, down G1, "Share of K' above which the skew doubles funding's soft cap every hour; below it the cap halves.";
    funding_floor: Ratio, RatioPerHour, 10..=4_170, step 50 or 200_000, up G1, down G1, "The soft cap of the funding rate is never below this.";
    funding_multiple: Ratio, Ratio, 1_000_000..=10_000_000, step 250_000 or 200_000, up G1, down G1, "Nor below this many times the rate's 30-day average size.";
    funding_change_limit: Number, RatePerHour, 10_000_000..=10_000_000_000, step 100_000_000 or 200_000, up G1, down G1, "How much the funding rate may change in an hour: bounds velocity and decay, and what a falling soft cap takes off it.";
    settlement_floor: Ratio, Ratio, 0..=200_000, step 5_000 or 200_000, up G3, down G3, "Pool equity below this share of the larger side's value lets anyone begin the market's settlement.";
}

registry! {
    /// An exchange's parameters.
    ExchangeParams / EXCHANGE_ROWS / 16;
    delay_tune: Seconds, Seconds, 172_800..=2_592_000, step 86_400 or 200_000, up G2, down G3, "Delay of class G1.";
    delay_risk: Seconds, Seconds, 259_200..=2_592_000, step 86_400 or 200_000, up G2, down G3, "Delay of class G2; at least the longest lp_cooldown plus 24 h.";
    delay_deep: Seconds, Seconds, 604_800..=5_184_000, step 86_400 or 200_000, up G2, down G3, "Delay of class G3.";
    grace: Seconds, Seconds, 259_200..=2_592_000, step 86_400 or 200_000, up G2, down G3, "Grace for open positions after a raise of maintenance margin.";
    outflow_hourly: Ratio, Ratio, 2_500..=100_000, step 2_500 or 200_000, up G2, down G2, "Share of the vault that may leave as profit per hour.";
    outflow_daily: Ratio, Ratio, 25_000..=500_000, step 25_000 or 200_000, up G2, down G2, "Share of the vault that may leave as profit per day.";
    outflow_floor: Quote, Quote, 0..=1_000_000_000_000, step 1_000_000_000 or 500_000, up G2, down G2, "What may always leave as profit per hour; ten times it per day.";
}

impl MarketParams {
    /// Keeper's and insurance's fees together at their most.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn liquidation_fees(&self) -> Result<Ratio> {
        self.keeper_fee_max.plus(self.insurance_fee_max)
    }
}

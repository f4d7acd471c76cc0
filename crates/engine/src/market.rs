//! The state of a market: its price, its two sides, its pool, its funding. Everything here is changed by the rules in
//! the other modules only, and [`MarketState::invariant`] holds after each of them.

use crate::Now;
use crate::constants::{CROSS_MARKETS, FACTOR_ONE, RING, WIND_DOWN_NOTICE};
use crate::deleverage::{Deleveraging, Episode};
use crate::error::{Error, Fault, Result, ensure};
use crate::governance::ExitHolds;
use crate::insurance::InsuranceClaims;
use crate::layout;
use crate::math::some;
use crate::params::MarketParams;
use crate::settlement::Settlement;
use crate::tier::{Tier, TierRules};
use crate::units::{Base, FundingIndex, FundingRate, I128, Price, Quote, SignedBase, SignedQuote};

layout! {
    /// One oracle update as it was stored.
    pub struct Observation = 32 {
        /// Publish time of the update before it, by the oracle's own word, Unix seconds.
        pub prev_publish_time: i64,
        /// Publish time, Unix seconds.
        pub publish_time: i64,
        /// Price.
        pub price: Price,
        /// Confidence interval, as a price distance.
        pub conf: Price,
    }
}

layout! {
    /// A market's price set (section 4).
    pub struct PriceState = 1224 {
        /// The last update; zero before the first.
        pub last: Observation,
        /// Slot in which the last update was posted.
        pub slot: u64,
        /// The last update that was stored while good or ageing; zero before the first.
        pub valid: Observation,
        /// Slot in which the last valid update was posted.
        pub valid_slot: u64,
        /// Moving average over 5 minutes.
        pub ema5: Price,
        /// Moving average over 60 minutes.
        pub ema60: Price,
        /// The last sample that the averages took; what stood since then has this price.
        pub ema_sample: Price,
        /// Time up to which the averages are integrated, Unix seconds.
        pub ema_time: i64,
        /// Time of the first sample; the averages are unconfirmed for 5 minutes from it.
        pub ema_start: i64,
        /// Prices beyond the band that wait for confirmation, oldest first.
        pub jump_price: [Price; 3],
        /// Slots at which those were stored.
        pub jump_slot: [u64; 3],
        /// How many of them there are.
        pub jump_count: u64,
        /// 1 if they lie above the band, 0 below it.
        pub jump_above: u64,
        /// Publish time of the last observation that left the ring; 0 if none has.
        pub ring_evicted: i64,
        /// Where the next observation goes.
        pub ring_next: u64,
        /// The last observations, one per publish second; a publish time of zero is an empty place.
        pub ring: [Observation; 32],
    }
}
const _: () = assert!(RING == 32);

layout! {
    /// One side of a market: sums over its positions (P3).
    pub struct Side = 56 {
        /// Open interest.
        pub open_interest: Base,
        /// Sum of the positions' entry notionals.
        pub entry: Quote,
        /// Sum of base times funding entry index.
        pub funding_entry: I128,
        /// What one base atom of this side has had to pay since the market began.
        pub index: FundingIndex,
        /// Open positions of this side.
        pub positions: u64,
    }
}

layout! {
    /// Funding (section 6).
    pub struct FundingState = 64 {
        /// The rate now.
        pub rate: FundingRate,
        /// Time of the last accrual, Unix seconds.
        pub updated_at: i64,
        /// The 30-day average of the rate's size, as of the end of the last hour of funding.
        pub average: FundingRate,
        /// The governor's soft cap, as of then; zero before the first, when its floor holds.
        pub soft_cap: FundingRate,
        /// Twice the integral of the rate's size over the running hour, rate times seconds.
        pub hour_rate: u64,
        /// Seconds of the running hour: those charged, up to 3600.
        pub hour_seconds: u32,
        /// Those of them in which the skew was above the threshold.
        pub hour_heavy: u32,
        /// For later versions.
        pub reserved: [u64; 2],
    }
}

layout! {
    /// A claim on a market's pool: profit that was realised while the pool's cash did not reach. Held by a position
    /// slot, or by another market's pool to which it was assigned in payment of a loss.
    pub struct Claim = 24 {
        /// Face amount when it was last touched.
        pub amount: Quote,
        /// The pool's claim factor then.
        pub factor: u64,
        /// The pool's claim epoch then.
        pub epoch: u64,
    }
}

layout! {
    /// A pool's books (section 5). Cash belongs to the pool but for what is set aside for claim holders.
    pub struct Pool = 104 {
        /// Cash, including `claims_paid`.
        pub cash: Quote,
        /// Outstanding claims of traders and other pools, exactly summed.
        pub claims: Quote,
        /// Cash already paid on claims by the index and not yet collected by their holders.
        pub claims_paid: Quote,
        /// What is left of a claim of one made at the start of this epoch, exponent -18.
        pub claim_factor: u64,
        /// Counts how often all claims were paid in full; claims of earlier epochs are paid.
        pub claim_epoch: u64,
        /// The market's insurance bucket.
        pub insurance: Quote,
        /// Protocol fees, not yet collected.
        pub protocol_fees: Quote,
        /// Liquidity shares outstanding.
        pub shares: u64,
        /// Liquidity that filed deposits have put aside in their tickets.
        pub pending_deposits: Quote,
        /// Increases wait until then, Unix seconds: a matured exit was tried and held back.
        pub exits_waiting_until: i64,
        /// Losses that fell on the pool's providers since the market began: deficits less what insurance has paid of them.
        pub deficits: Quote,
        /// What the market's insurance has paid of deficits since the market began.
        pub insurance_paid: Quote,
        /// For later versions.
        pub reserved: u64,
    }
}

layout! {
    /// Pacing of liquidations (section 8).
    pub struct Throttle = 40 {
        /// Slot that `used` belongs to.
        pub slot: u64,
        /// Notional liquidated in that slot.
        pub used: Quote,
        /// Hour that `floor_paid` belongs to, Unix time / 3600.
        pub floor_hour: i64,
        /// What insurance has added to keepers' fees in that hour.
        pub floor_paid: Quote,
        /// For later versions.
        pub reserved: u64,
    }
}

layout! {
    /// What the guardian has put over a market; it expires by itself.
    pub struct Overlay = 96 {
        /// Increases are refused until then, Unix seconds.
        pub reduce_only_until: i64,
        /// The guardian's lower open-interest cap.
        pub cap: Quote,
        /// That cap holds until then, Unix seconds.
        pub cap_until: i64,
        /// Ends of the protections charged to the budget, Unix seconds; 0 is an empty place.
        pub charge_until: [i64; 4],
        /// Seconds charged for them.
        pub charge_seconds: [i64; 4],
        /// For later versions.
        pub reserved: u64,
    }
}

layout! {
    /// What governance has put over a market, besides its parameters.
    pub struct Governed = 72 {
        /// Number of the pending change of the oracle plus one; 0 if there is none.
        pub feed_change: u64,
        /// Increases are refused until then for that change, Unix seconds: it is dead then.
        pub feed_change_until: i64,
        /// When the last two changes of the oracle were queued, the older first, Unix seconds.
        pub feed_queued: [i64; 2],
        /// Since when the market is being wound down, Unix seconds; 0 if it is not.
        pub closing_since: i64,
        /// How often the winding-down was begun or called off.
        pub closing_version: u64,
        /// How long matured exits were held back.
        pub exit_holds: ExitHolds,
        /// For later versions.
        pub reserved: u64,
    }
}

layout! {
    /// A market.
    pub struct MarketState = 3896 {
        /// Parameters; governed by [`crate::params`].
        pub params: MarketParams,
        /// When each parameter was last changed, Unix seconds, by id.
        pub param_changed: [i64; 48],
        /// How often each parameter was changed, by id: a proposal names the version that it was made for.
        pub param_version: [u32; 48],
        /// Price set.
        pub price: PriceState,
        /// The longs.
        pub long: Side,
        /// The shorts.
        pub short: Side,
        /// Funding.
        pub funding: FundingState,
        /// The pool's books.
        pub pool: Pool,
        /// Liquidation pacing.
        pub throttle: Throttle,
        /// The guardian's overlay.
        pub overlay: Overlay,
        /// Claims on other pools, by market index.
        pub held: [Claim; 16],
        /// Maintenance margin before the last raise, in force for older positions until `grace_until`.
        pub old_maintenance: u64,
        /// End of the grace, Unix seconds.
        pub grace_until: i64,
        /// Events so far.
        pub sequence: u64,
        /// This market's index on its exchange.
        pub index: u16,
        /// Tier: 0 A, 1 B, 2 C.
        pub tier: u8,
        /// Decimals of a base atom.
        pub base_decimals: u8,
        /// Decimals of the collateral.
        pub quote_decimals: u8,
        /// For later versions.
        pub reserved_bytes: [u8; 3],
        /// The clock at the last touch, Unix seconds: what happens in between belongs to that moment.
        pub clock: i64,
        /// Claims on the shared insurance fund.
        pub insurance: InsuranceClaims,
        /// The episode of claims over their threshold.
        pub episode: Episode,
        /// Sums of the positions' frozen results, longs and shorts.
        pub frozen: [SignedQuote; 2],
        /// The last deleveraging.
        pub deleveraging: Deleveraging,
        /// The settlement.
        pub settlement: Settlement,
        /// 1 while a silent exit waits for the first good price.
        pub exits_unjudged: u64,
        /// The first good price after the last silent exit, which all holdbacks are judged by; zero before.
        pub resumed: Price,
        /// Initial margin before the last raise, for what profit counts for until `credit_until`, millionths.
        pub old_initial: u64,
        /// End of that grace, Unix seconds.
        pub credit_until: i64,
        /// For later versions.
        pub reserved: [u64; 47],
        /// What governance has put over it, besides its parameters.
        pub governed: Governed,
    }
}
const _: () = assert!(CROSS_MARKETS == 16);

impl MarketState {
    /// A new market: caps and rates as its parameters say, no price, no liquidity.
    ///
    /// # Errors
    /// [`Error::TierInvalid`].
    pub fn new(
        index: u16,
        tier: u8,
        base_decimals: u8,
        quote_decimals: u8,
        params: MarketParams,
        unix: i64,
    ) -> Result<Self> {
        let mut market = Self { params, ..Self::default() };
        market.begin(index, tier, base_decimals, quote_decimals, unix)?;
        Ok(market)
    }

    /// Makes a market of zeroes and its parameters, in place: by value it is larger than a stack frame on chain.
    ///
    /// # Errors
    /// [`Error::TierInvalid`].
    pub fn begin(&mut self, index: u16, tier: u8, base_decimals: u8, quote_decimals: u8, unix: i64) -> Result<()> {
        Tier::from_byte(tier)?;
        (self.index, self.tier) = (index, tier);
        (self.base_decimals, self.quote_decimals) = (base_decimals, quote_decimals);
        self.pool.claim_factor = FACTOR_ONE;
        self.funding.updated_at = unix;
        Ok(())
    }

    /// The tier's constants.
    ///
    /// # Errors
    /// [`Error::TierInvalid`].
    #[inline]
    pub fn rules(&self) -> Result<&'static TierRules> {
        Ok(Tier::from_byte(self.tier)?.rules())
    }

    /// Longs less shorts.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    #[inline]
    pub fn skew(&self) -> Result<SignedBase> {
        self.long.open_interest.signed(true)?.plus(self.short.open_interest.signed(false)?)
    }

    /// Notes the clock; every instruction does before it changes anything.
    #[inline]
    pub fn touch(&mut self, now: &crate::Now) {
        self.clock = self.clock.max(now.unix);
    }

    /// The side of that direction.
    #[inline]
    pub const fn side(&self, long: bool) -> &Side {
        if long { &self.long } else { &self.short }
    }

    /// The side of that direction.
    #[inline]
    pub const fn side_mut(&mut self, long: bool) -> &mut Side {
        if long { &mut self.long } else { &mut self.short }
    }

    /// The next event's sequence number.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn next_sequence(&mut self) -> Result<u64> {
        self.sequence = some(self.sequence.checked_add(1))?;
        Ok(self.sequence)
    }

    /// Whether increases are refused now: by the guardian, for a pending change of the oracle, while a settlement is begun, or
    /// for good.
    #[inline]
    pub const fn reduce_only(&self, now: &Now) -> bool {
        self.overlay.reduce_only(now)
            || now.unix < self.governed.feed_change_until
            || self.governed.closing_since != 0
            || self.settlement.begun_at != 0
            || self.is_settled()
    }

    /// Refuses an increase while the market is in reduce-only.
    ///
    /// # Errors
    /// [`Error::MarketReduceOnly`] with its end; 0 for a market that is being wound down or settled.
    #[inline]
    pub fn check_open(&self, now: &Now) -> Result<()> {
        let for_good = self.governed.closing_since != 0 || self.settlement.begun_at != 0 || self.is_settled();
        let until = if for_good { 0 } else { self.overlay.reduce_only_until.max(self.governed.feed_change_until) };
        ensure(!self.reduce_only(now), Fault::new(Error::MarketReduceOnly, until, now.unix))
    }

    /// Whether the market has been wound down for so long that what is still open may be settled by anyone.
    pub const fn notice_over(&self, now: &Now) -> bool {
        let since = self.governed.closing_since;
        since != 0 && now.unix.saturating_sub(since) >= WIND_DOWN_NOTICE
    }

    /// What must hold after every change.
    ///
    /// # Errors
    /// [`Error::InvariantBroken`].
    pub fn invariant(&self) -> Result<()> {
        ensure(self.pool.claims_paid <= self.pool.cash, Error::InvariantBroken)?;
        ensure(self.pool.claim_factor <= FACTOR_ONE && self.pool.claim_factor > 0, Error::InvariantBroken)?;
        for side in [&self.long, &self.short] {
            ensure((side.open_interest.0 == 0) == (side.positions == 0), Error::InvariantBroken)?;
            if side.positions == 0 {
                ensure(side.entry.0 == 0 && side.funding_entry.get() == 0, Error::InvariantBroken)?;
            }
        }
        let waiting = self.deleveraging.positions;
        let all = self.side(self.deleveraging.long == 1).positions;
        ensure(waiting <= all && (waiting == 0) == self.deleveraging.open_interest.is_zero(), Error::InvariantBroken)?;
        for (long, side) in [(true, &self.long), (false, &self.short)] {
            ensure(side.positions != 0 || self.frozen_of(long).is_zero(), Error::InvariantBroken)?;
        }
        Ok(())
    }
}

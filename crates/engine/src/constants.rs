//! Scales and fixed rules. What governance may change is in [`crate::params`] instead.

/// `Price`: quote atoms per base atom, times this (exponent -9).
pub const PRICE_SCALE: u64 = 1_000_000_000;
/// `Ratio`: millionths (exponent -6). One basis point is 100.
pub const RATIO_SCALE: u64 = 1_000_000;
/// `FundingRate`: per hour, exponent -12. One basis point an hour is 100_000_000.
pub const RATE_SCALE: u64 = 1_000_000_000_000;
/// Millionths to a funding rate.
pub const RATE_PER_RATIO: u64 = RATE_SCALE / RATIO_SCALE;
/// `FundingIndex`: quote atoms per base atom, exponent -15 (a price times a millionth).
pub const INDEX_SCALE: u64 = PRICE_SCALE * RATIO_SCALE;
/// Claim factors and similar shares of one (exponent -18).
pub const FACTOR_ONE: u64 = 1_000_000_000_000_000_000;

/// A slot is taken to last so many milliseconds; the limit in seconds that follows applies too (section 4).
pub const SLOT_MS: u64 = 400;
/// Seconds in an hour.
pub const HOUR: i64 = 3_600;
/// Seconds in a day.
pub const DAY: i64 = 86_400;

/// A price no older than this, in slots, is good.
pub const GOOD_SLOTS: u64 = 10;
/// A price no older than this, in slots, is ageing; beyond, stale.
pub const AGEING_SLOTS: u64 = 25;
/// A price older than this, in seconds, is silent.
pub const SILENT_SECONDS: i64 = HOUR;
/// A publish time may be ahead of the chain's clock by this much, seconds.
pub const FUTURE_TOLERANCE: i64 = 2;
/// What is placed counts as placed so much after the chain's clock, seconds: a clock that lags by no more than a publish
/// time may be ahead of it shows nobody the price that his order will fill by.
pub const PLACEMENT_LAG: i64 = FUTURE_TOLERANCE;
/// Confirmation of a jump: distinct publish times needed.
pub const CONFIRM_UPDATES: u64 = 3;
/// Confirmation of a jump: slots they must span.
pub const CONFIRM_SLOTS: u64 = 5;
/// A new market's averages count as unconfirmed for so long, seconds.
pub const WARM_UP: i64 = 300;
/// Windows of the two moving averages, seconds.
pub const EMA5_WINDOW: i64 = 300;
/// The slower average's window, seconds.
pub const EMA60_WINDOW: i64 = 3_600;
/// A new sample's own weight in an average is capped at so many seconds.
pub const EMA_SAMPLE_CAP: i64 = 5;
/// Observations kept per market.
pub const RING: usize = 32;
/// The least price that keeps four significant digits, in `Price` atoms.
pub const PRICE_MIN: u64 = 10_000;
/// The greatest price accepted, so that worst-case sums stay in range.
pub const PRICE_MAX: u64 = 1 << 58;

/// Positions per subaccount.
pub const POSITIONS: usize = 8;
/// Open orders per subaccount.
pub const MAX_ORDERS: u64 = 16;
/// Markets that cross accounts may use (their claims on one another are kept in a table of this length).
pub const CROSS_MARKETS: usize = 16;
/// Markets per exchange.
pub const MAX_MARKETS: u64 = 256;

/// An order cannot be cancelled for so long, seconds.
pub const ORDER_LOCK: i64 = 10;
/// A market order lapses so long after the observation that it fills by was published, seconds.
pub const ORDER_LIFE: i64 = 30;
/// An immediate reduction is worsened by at least this, millionths (10 bps).
pub const REDUCE_SPREAD: u64 = 1_000;
/// A funding accrual charges at most so many seconds.
pub const FUNDING_DT_CAP: i64 = HOUR;

/// Unpaid claims above this share of pool cash stop increases and liquidity exits, millionths (1 %).
pub const CLAIMS_THRESHOLD: u64 = 10_000;
/// Claims that stay above it for so long let the winning side be deleveraged, seconds (48 h) …
pub const DELEVERAGE_AFTER: i64 = 48 * HOUR;
/// … or so long after as many positions have been settled or closed as were open, seconds (24 h).
pub const DELEVERAGE_SETTLED_AFTER: i64 = 24 * HOUR;
/// From the beginning of a settlement to its price, seconds (24 h): it is called off if equity recovers meanwhile.
pub const SETTLEMENT_WAIT: i64 = 24 * HOUR;
/// A market whose oracle has been silent for so long is settled at its last valid price, seconds (10 days).
pub const SETTLEMENT_SILENCE: i64 = 10 * DAY;
/// So long after a settlement's price was fixed nothing is waited for any more, seconds (10 days): what claims are still
/// owed is written off.
pub const SETTLEMENT_PATIENCE: i64 = 10 * DAY;
/// So long after it a settled market no longer waits for what other pools owe it, seconds (20 days): twice as long, so that
/// a debtor settled on the same day has paid or written off before.
pub const SETTLEMENT_POOLS_PATIENCE: i64 = 20 * DAY;
/// Virtual shares and virtual quote added when pricing liquidity (against share inflation).
pub const LP_VIRTUAL: u64 = 1_000_000;
/// Shared insurance releases what it pays on a batch by this share of the fund an hour, millionths (25 %).
pub const INSURANCE_RELEASE: u64 = 250_000;
/// Batches of insurance claims that an exchange keeps: the one being registered, the one being paid and two that somebody
/// has yet to collect.
pub const INSURANCE_BATCHES: i64 = 4;
/// Days that the weekly cap on a market's insurance claims looks at: today and seven before, so that no seven times 24
/// hours hold more than the cap.
pub const INSURANCE_DAYS: i64 = 8;
/// A ripe liquidity ticket lapses after so long, seconds.
pub const TICKET_LAPSE: i64 = HOUR;

/// For so long after it can execute, or was last held back, a liquidity exit is its owner's alone to execute, seconds.
pub const EXIT_OWNER_ALONE: i64 = HOUR / 2;

/// Slots between flag and liquidation.
pub const FLAG_WAIT_SLOTS: u64 = 2;
/// A price that has stood for longer is nobody's choice in a covenant's two looks: [`AGEING_SLOTS`] in seconds.
pub const CHOSEN_SECONDS: i64 = 10;
const _: () = assert!(AGEING_SLOTS * SLOT_MS == 10_000, "the same time in slots and in seconds");
/// A look at a covenant's accounts is remembered for so many slots, as one that a second may confirm.
pub const LOOK_MEMORY_SLOTS: u64 = 3_000;
/// The same in seconds: a price older than this need not be newer for two looks to tell a mark or a day.
pub const LOOK_MEMORY_SECONDS: i64 = 1_200;
const _: () = assert!(LOOK_MEMORY_SLOTS * SLOT_MS == 1_200_000, "the same time in slots and in seconds");
/// A flag without a liquidation is void after so many slots.
pub const FLAG_VOID_SLOTS: u64 = 150;
/// Slots over which a liquidation may reach its full need.
pub const RAMP_SLOTS: u64 = 25;
/// Share of the need that may be liquidated at once, millionths (20 %).
pub const RAMP_START: u64 = 200_000;
/// Slots over which the keeper's fee rises from its least to its most.
pub const KEEPER_RAMP_SLOTS: u64 = 25;
/// The flagger's share of the keeper's fee, millionths (10 %).
pub const FLAGGER_SHARE: u64 = 100_000;
/// The insurance fee takes at most this share of what the account has left, millionths (95 %).
pub const INSURANCE_FEE_SHARE: u64 = 950_000;
/// Below this notional in whole units of the collateral ($50) pacing falls away.
pub const DUST_UNITS: u64 = 50;
/// Without pacing, the second price may be at most so old, seconds.
pub const URGENT_PRICE_AGE: i64 = 2;

/// Slots between good prices that the envelope assumes.
pub const ENVELOPE_PRICE_SLOTS: u64 = 10;
/// Slots that the envelope allows for confirmation.
pub const ENVELOPE_CONFIRM_SLOTS: u64 = 20;
/// Slots that the envelope allows for the second publish time.
pub const ENVELOPE_SECOND_SLOTS: u64 = 10;

/// A proposal expires so long after its ETA, seconds (7 days).
pub const PROPOSAL_LIFE: i64 = 7 * DAY;
/// A proposal's last slot may lie at most so far ahead, slots (24 h).
pub const PROPOSAL_SLOTS_AHEAD: u64 = 216_000;
/// One change per parameter per so many seconds.
pub const PARAM_COOL_DOWN: i64 = DAY;
/// Proposals pending at once, per exchange.
pub const MAX_PENDING: u64 = 32;
/// Proposals pending at once, per market.
pub const MAX_PENDING_MARKET: u64 = 16;
/// Replacements of the guardian that may be pending at once.
pub const MAX_PENDING_GUARDIAN: u64 = 1;
/// Changes in a batch at most.
pub const BATCH: usize = 8;
/// A change of the oracle expires so long after its ETA, seconds (5 days): increases wait for it.
pub const FEED_LIFE: i64 = 5 * DAY;
/// Two changes of a market's oracle may be queued in so long, seconds (30 days), executed or not.
pub const FEED_WINDOW: i64 = 30 * DAY;
/// Matured exits that are held back stop a proposal's clock for at most so long, seconds (4 days).
pub const EXIT_HOLD_MAX: i64 = 4 * DAY;
/// A market that is being wound down may be settled after so long, seconds (30 days).
pub const WIND_DOWN_NOTICE: i64 = 30 * DAY;
/// Replacing the guardian takes so long, seconds (8 days: longer than anything else).
pub const GUARDIAN_DELAY: i64 = 8 * DAY;
/// The longest program that an upgrade may bring, bytes: an account has 10 MiB at most, and the loader keeps 45 bytes of a
/// program's data account for itself.
pub const UPGRADE_LENGTH_MAX: u64 = 10 * 1_048_576 - 45;
/// What is hashed of an upgrade in one transaction, bytes: SHA-256 takes half a compute unit a byte, of the 1.4 million that a
/// transaction may use.
pub const UPGRADE_PART: u64 = 1_048_576;
/// A protective pause lasts at most so long, seconds (72 h).
pub const PAUSE_LIFE: i64 = 72 * HOUR;
/// Protective pauses last at most so long in a window of 14 days, seconds (96 h).
pub const PAUSE_BUDGET: i64 = 96 * HOUR;
/// The window of both pause budgets, seconds (14 days).
pub const PAUSE_WINDOW: i64 = 14 * DAY;
/// An emergency pause lasts at most so long, seconds (12 h).
pub const EMERGENCY_LIFE: i64 = 12 * HOUR;

/// Subaccounts that a covenant enrols at most.
pub const COVENANT_ACCOUNTS: usize = 8;
/// Open positions that a covenant enrols at most.
pub const COVENANT_POSITIONS: u64 = 16;
/// A covenant's cool-down is at least so long, seconds (1 h) …
pub const COOL_DOWN_MIN: i64 = HOUR;
/// … and at most so long, seconds (30 days).
pub const COOL_DOWN_MAX: i64 = 30 * DAY;
/// Loosening a covenant takes at least so long, seconds (24 h) …
pub const LOOSENING_MIN: i64 = DAY;
/// … and at most so long, seconds (90 days).
pub const LOOSENING_MAX: i64 = 90 * DAY;
/// A request to loosen a covenant is dead so long after it could have been put in force, seconds (7 days).
pub const LOOSENING_LIFE: i64 = 7 * DAY;
/// A delegate's right lasts at most so long, seconds (a year).
pub const DELEGATE_MAX: i64 = 365 * DAY;

/// Principal is free of the outflow limiter after so long, seconds.
pub const PRINCIPAL_AGE: i64 = HOUR;

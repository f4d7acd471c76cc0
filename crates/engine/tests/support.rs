//! What the tests share: a market that is ready to trade, accounts, a clock, and money in whole units.
#![allow(dead_code, reason = "each test module uses its own part")]

use ballast_engine::account::AccountState;
use ballast_engine::constants::{FACTOR_ONE, PRICE_SCALE};
use ballast_engine::deleverage::Sums;
use ballast_engine::market::{MarketState, Observation};
use ballast_engine::params::MarketParams;
use ballast_engine::{Base, Now, Price, Quote, Ratio, SignedQuote};

/// A clock at a round moment.
pub(crate) const NOW: Now = Now { unix: 1_700_000_000, slot: 1_000_000, restart_slot: 0 };

/// The price of [`market`]: $100.
pub(crate) const PRICE: Price = price(100);

/// So many whole units of the collateral (6 decimals).
pub(crate) const fn dollars(amount: u64) -> Quote {
    Quote(amount * 1_000_000)
}

/// So many whole units of the asset (6 decimals).
pub(crate) const fn units(amount: u64) -> Base {
    Base(amount * 1_000_000)
}

/// A price in whole dollars: with 6 and 6 decimals a quote atom per base atom.
pub(crate) const fn price(dollars: u64) -> Price {
    Price(dollars * PRICE_SCALE)
}

/// Tier A's parameters: 5 % and 3 %, K of 50M units ($5B at $100), impact 20 bps (so 100k units or $10M of open
/// interest a side), stress 20 %.
pub(crate) fn params() -> MarketParams {
    MarketParams {
        initial_margin: Ratio(50_000),
        maintenance_margin: Ratio(30_000),
        liquidation_buffer: Ratio(15_000),
        size_margin: Ratio(50_000),
        oi_margin_start: Ratio(800_000),
        oi_margin_full: Ratio(5_000_000),
        profit_credit: Ratio(500_000),
        skew_scale: units(50_000_000),
        funding_skew_scale: units(100_000),
        funding_velocity: 1_000_000_000,
        funding_cap: Ratio(1_250),
        funding_dead_zone: Ratio(20_000),
        funding_half_life: 28_800,
        holding_fee: Ratio(10),
        open_interest_cap: dollars(10_000_000),
        max_position: dollars(2_000_000),
        min_notional: dollars(50),
        taker_fee: Ratio(500),
        mending_fee: Ratio(200),
        fee_pool_share: Ratio(600_000),
        fee_insurance_share: Ratio(200_000),
        keeper_fee_min: Ratio(1_000),
        keeper_fee_max: Ratio(5_000),
        keeper_fee_floor: Quote(250_000),
        keeper_floor_hourly: dollars(100),
        insurance_fee_max: Ratio(5_000),
        liquidation_impact: Ratio(2_000),
        liquidation_capacity: dollars(1_000_000),
        stress_move: Ratio(200_000),
        lp_cooldown: 86_400,
        lp_minimum: dollars(1_000),
        order_fee: Quote(100_000),
        funding_threshold: Ratio(250_000),
        funding_floor: Ratio(100),
        funding_multiple: Ratio(2_000_000),
        funding_change_limit: 2_000_000_000,
        ..MarketParams::default()
    }
}

/// A tier A market, index 0, good price of $100 with 1 bp of confidence at [`NOW`], $10M of liquidity in as many shares.
pub(crate) fn market() -> MarketState {
    market_at(0, PRICE)
}

/// The same with another index and price.
pub(crate) fn market_at(index: u16, price: Price) -> MarketState {
    let mut market = MarketState::new(index, 0, 6, 6, params(), NOW.unix).unwrap();
    assert_eq!(market.pool.claim_factor, FACTOR_ONE);
    market.pool.cash = dollars(10_000_000);
    market.pool.shares = dollars(10_000_000).0;
    set_price_at(&mut market, price, &NOW);
    market
}

/// A good price at [`NOW`]: price set, averages and the ring's only observation.
pub(crate) fn set_price(market: &mut MarketState, price: Price) {
    set_price_at(market, price, &NOW);
}

/// The same without confidence, for round numbers.
pub(crate) fn sharp_price(market: &mut MarketState, price: Price) {
    set_price(market, price);
    market.price.last.conf = Price(0);
}

/// A good price at a moment; the averages stand at it, confirmed long since.
pub(crate) fn set_price_at(market: &mut MarketState, price: Price, now: &Now) {
    let observation =
        Observation { prev_publish_time: now.unix - 1, publish_time: now.unix, price, conf: Price(price.0 / 10_000) };
    let state = &mut market.price;
    state.last = observation;
    state.slot = now.slot;
    state.valid = observation;
    state.valid_slot = now.slot;
    state.ema5 = price;
    state.ema60 = price;
    state.ema_sample = price;
    state.ema_time = now.unix;
    state.ema_start = now.unix - 7_200;
    state.jump_count = 0;
    state.ring = Default::default();
    state.ring[0] = observation;
    state.ring_next = 1;
    market.funding.updated_at = now.unix;
    market.clock = now.unix;
}

/// A cross account with so much collateral.
pub(crate) fn account(collateral: Quote) -> AccountState {
    AccountState { collateral, ..AccountState::default() }
}

/// A moment later.
pub(crate) fn later(now: &Now, seconds: i64) -> Now {
    Now { unix: now.unix + seconds, slot: now.slot + seconds as u64 * 5 / 2, ..*now }
}

/// All tokens of these markets and accounts (P1): collateral, holdbacks, pool cash, insurance, fees, filed deposits.
pub(crate) fn tokens(markets: &[&MarketState], accounts: &[AccountState]) -> u128 {
    let of_market = |m: &&MarketState| {
        let pool = &m.pool;
        [pool.cash, pool.insurance, pool.protocol_fees, pool.pending_deposits]
            .iter()
            .map(|q| u128::from(q.0))
            .sum::<u128>()
    };
    let of_account =
        |a: &AccountState| u128::from(a.collateral.0) + a.positions.iter().map(|p| u128::from(p.held.0)).sum::<u128>();
    markets.iter().map(of_market).sum::<u128>() + accounts.iter().map(of_account).sum::<u128>()
}

/// A market's sums are those of its positions (P3), and what claim holders can collect has been put aside for them.
pub(crate) fn assert_sums(market: &MarketState, accounts: &[AccountState]) {
    market.invariant().unwrap();
    for long in [true, false] {
        // Those who have yet to pick up a deleveraging, and the others.
        let (mut waiting, mut sums) = (Sums::default(), Sums::default());
        let (mut late, mut count) = (0, 0);
        for position in accounts.iter().flat_map(|a| &a.positions) {
            if position.is_open() && position.market == market.index && position.size.is_long() == long {
                let part = if market.is_deleveraged(position) { &mut waiting } else { &mut sums };
                part.open_interest.0 += position.base().0;
                part.entry.0 += position.entry.0;
                part.funding_entry += i128::from(position.base().0) * position.funding_entry.get();
                part.frozen.0 += position.frozen.0;
                late += u64::from(market.is_deleveraged(position));
                count += 1;
            }
        }
        let last = &market.deleveraging;
        if last.positions != 0 && (last.long == 1) == long {
            let kept = (last.open_interest, last.entry, last.funding_entry.get(), last.positions);
            assert_eq!(kept, (waiting.open_interest, waiting.entry, waiting.funding_entry, late), "those to come");
            let more = last.applied(&Sums { frozen: SignedQuote::ZERO, ..waiting }, late).unwrap();
            sums.open_interest.0 += more.open_interest.0;
            sums.entry.0 += more.entry.0;
            sums.funding_entry += more.funding_entry;
            sums.frozen.0 += more.frozen.0 + waiting.frozen.0;
        }
        let side = market.side(long);
        let found = Sums {
            open_interest: side.open_interest,
            entry: side.entry,
            funding_entry: side.funding_entry.get(),
            frozen: market.frozen_of(long),
        };
        assert_eq!((found, side.positions), (sums, count), "sums of a side (long: {long})");
    }
    let (mut face, mut outstanding, mut collectable) = (0, 0, 0);
    for position in accounts.iter().flat_map(|a| &a.positions).filter(|p| !p.is_free() && p.market == market.index) {
        let value = market.claim_value(&position.claim).unwrap();
        face += position.claim.amount.0;
        outstanding += value.0.0;
        collectable += value.1.0;
    }
    assert_eq!(face, market.pool.claims.0 + market.pool.claims_paid.0, "claims and what was paid on them");
    assert!(collectable <= market.pool.claims_paid.0, "promised more than was put aside");
    assert!(outstanding >= market.pool.claims.0);
}

//! A market with a long and a short and any parameters within their hard bounds; bytes are waits, prices and sizes. Over
//! any accruals the sides together never receive more than they pay but for the pool's own skew, each position's share is
//! rounded for the pool, and the rate stays within its cap.
#![no_main]

#[path = "../../crates/engine/tests/world/mod.rs"]
#[allow(clippy::all, unused)]
mod world;

use ballast_engine::error::Error;
use ballast_engine::params::{MARKET_ROWS, MarketParams};
use ballast_engine::units::Rounding;
use ballast_engine::{Base, Price};
use libfuzzer_sys::fuzz_target;
use world::{Bytes, World};

const FUNDING: [&str; 7] = [
    "funding_skew_scale",
    "funding_velocity",
    "funding_cap",
    "funding_dead_zone",
    "funding_half_life",
    "holding_fee",
    "open_interest_cap",
];

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes::new(data);
    let mut world = World::new();
    let mut now = world.now;
    let mut market = world.markets.swap_remove(0);
    for name in FUNDING {
        let id = MarketParams::id(name).unwrap();
        let row = &MARKET_ROWS[usize::from(id)];
        let span = row.max - row.min;
        let value = row.min + ((span >> (bytes.byte() % 50)).saturating_sub(bytes.pair())).min(span);
        market.params.set(id, value).unwrap();
    }
    let mut sizes = [0_u64, 0];
    while !bytes.is_empty() {
        match bytes.byte() % 4 {
            0 => {
                // A side's only position changes its size at the side's index.
                let long = bytes.byte() % 2 == 0;
                let size = bytes.pair() << (bytes.byte() % 30);
                let side = market.side_mut(long);
                side.open_interest = Base(size);
                side.positions = u64::from(size != 0);
                side.funding_entry = ballast_engine::units::I128::new(side.index.get() * i128::from(size));
                sizes[usize::from(!long)] = size;
            }
            1 => {
                let price = Price((10_000 + bytes.pair()) << (bytes.byte() % 30));
                market.price.last.price = price;
                (market.price.ema5, market.price.ema60) = (price, price);
            }
            _ => {
                now.unix += i64::from(bytes.byte()) * [0, 1, 30, 3_600][usize::from(bytes.byte() % 4)];
                now.slot += 100;
                market.price.last.publish_time = now.unix;
                market.price.last.conf = Price(0);
                market.price.slot = now.slot;
                let before = (market.long.index, market.short.index);
                let accrued = match market.accrue(false, &now) {
                    Ok(accrued) => accrued,
                    Err(fault) => {
                        // Sizes and prices beyond what any cap lets stand may leave the range, and nothing else.
                        assert_eq!(fault.error, Error::MathOverflow);
                        assert!(market.params.open_interest_cap.0 == 0 || sizes.iter().any(|s| *s > 1 << 40));
                        return;
                    }
                };
                let cap =
                    i128::from(market.params.funding_cap.0.min(market.rules().unwrap().funding_cap.0)) * 1_000_000;
                assert!(i128::from(market.funding.rate.0).abs() <= cap, "the rate is over its cap");
                assert!(accrued.seconds <= 3_600);
                // What a side owes by its sums is what its position owes, and that is rounded up.
                for (long, was) in [(true, before.0), (false, before.1)] {
                    let side = market.side(long);
                    if side.open_interest.0 == 0 {
                        assert_eq!(side.index, was, "a side without open interest stands still");
                    }
                    let (Ok(down), Ok(up)) = (side.funding_owed(Rounding::Down), side.funding_owed(Rounding::Up))
                    else {
                        return;
                    };
                    assert!(up.0 - down.0 <= 1 && up.0 >= down.0);
                }
                // Equal sides: what one receives the other has paid, and the holding fee on top.
                if sizes[0] == sizes[1] {
                    let net = i128::from(accrued.longs_owe.0) + i128::from(accrued.shorts_owe.0);
                    assert!(net >= 0, "matched sides paid {net}");
                }
            }
        }
    }
});

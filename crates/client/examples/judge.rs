//! Judges 50,000 accounts with the engine, as the keeper does on every price. Build it with `--release`.

use std::time::{Duration, Instant};

use ballast::state::Subaccount;
use ballast_client::health::{Marks, Oracles, scan};
use ballast_engine::market::MarketState;
use ballast_engine::presets;
use ballast_engine::tier::Tier;
use ballast_engine::units::{FundingIndex, Price, Quote, SignedBase};
use ballast_engine::{Now, Rounding};

const ACCOUNTS: usize = 50_000;
const MARKETS: u16 = 8;
const ROUNDS: u32 = 50;
/// The limit that is promised.
const LIMIT: Duration = Duration::from_millis(100);

struct Held(Subaccount);

impl AsRef<Subaccount> for Held {
    fn as_ref(&self) -> &Subaccount {
        &self.0
    }
}

/// A market at a good price, with both sides open and a pool that can pay.
fn market(index: u16, now: &Now) -> MarketState {
    let params = presets::tuned(Tier::A, 6_000_000_000_000, Quote(10_000_000_000_000));
    let mut market = MarketState::new(index, 0, 8, 6, params, now.unix).expect("a market");
    let price = &mut market.price;
    price.last.price = Price(60_000_000_000_000 / (u64::from(index) + 1));
    price.last.conf = Price(price.last.price.0 / 10_000);
    price.last.publish_time = now.unix;
    (price.slot, price.valid, price.valid_slot) = (now.slot, price.last, now.slot);
    (price.ema5, price.ema60, price.ema_start) = (price.last.price, price.last.price, now.unix - 10_000);
    market.pool.cash = Quote(5_000_000_000_000);
    market.funding.rate.0 = 1_000_000;
    market
}

fn main() {
    let now = Now { unix: 1_700_000_000, slot: 1_000_000, restart_slot: 0 };
    let mut markets: Vec<MarketState> = (0..MARKETS).map(|index| market(index, &now)).collect();
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let (mut accounts, mut positions) = (Vec::with_capacity(ACCOUNTS), 0);
    for number in 0..ACCOUNTS {
        let mut account = Subaccount::default();
        // Every tenth holds four positions, every hundredth eight, the rest one.
        let count = if number % 100 == 0 {
            8
        } else if number % 10 == 0 {
            4
        } else {
            1
        };
        let first = next(u64::from(MARKETS)) as u16;
        let mut notional = 0;
        for place in 0..count {
            let market = &mut markets[usize::from((first + place as u16) % MARKETS)];
            let long = next(2) == 0;
            let size = 100_000 + next(10_000_000);
            let price = Price(market.price.last.price.0 / 100 * (95 + next(10)));
            let entry = ballast_engine::Base(size).value(price, Rounding::Down).expect("in range");
            let position = &mut account.state.positions[place];
            position.size = SignedBase(if long { size as i64 } else { -(size as i64) });
            (position.entry, position.market, position.funding_entry) = (entry, market.index, FundingIndex::default());
            let side = market.side_mut(long);
            side.open_interest.0 += size;
            side.entry.0 += entry.0;
            side.positions += 1;
            notional += entry.0;
            positions += 1;
        }
        account.state.collateral = Quote(notional / (4 + next(20)));
        accounts.push(Held(account));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut times = Vec::new();
    let mut found = (0, 0);
    for round in 0..ROUNDS {
        let begun = Instant::now();
        for market in &mut markets {
            // Another price each time.
            market.price.last.price.0 += u64::from(round % 3);
        }
        let marks = Marks::new(&markets, &Oracles::new(), &now).expect("marks");
        let scan = scan(&accounts, &marks, &now, threads);
        times.push(begun.elapsed());
        found = (scan.judged, scan.sick.len());
        assert_eq!((scan.judged, scan.unknown), (ACCOUNTS, 0));
    }
    times.sort_unstable();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{} accounts with {positions} positions in {MARKETS} markets, {} below maintenance: median {median:?}, worst {worst:?} \
         of {ROUNDS}, {threads} threads",
        found.0, found.1
    );
    assert!(median < LIMIT, "not under {LIMIT:?}; was it built with --release?");
}

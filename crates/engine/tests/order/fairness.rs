//! No keeper, and no owner, can pick among prices: what an order fills by follows from what was stored, and whoever stores
//! each price when it is published and fills what can be filled leaves nobody else a choice.
//!
//! What is left to a keeper is what every other keeper, the owner included, does not do: while nobody at all stores a price
//! that was published, or fills what can be filled, one who holds several updates chooses among these; never beyond the
//! order's limit.

use ballast_engine::account::AccountState;
use ballast_engine::constants::{REDUCE_SPREAD, RING};
use ballast_engine::market::{MarketState, Observation};
use ballast_engine::order::{OrderTerms, Progress, Stage, check_limit};
use ballast_engine::{Now, Price, Ratio, Rounding, SignedBase};
use proptest::prelude::*;

use super::kinds::{exit_sell, holder, limit_buy, mirrored, stop_buy};
use super::{Path, store};
use crate::price::slots;
use crate::support::{NOW, PRICE, later, market};

/// Terms of every kind, near the price: distances in basis points.
fn terms(kind: u8, mirror: bool, distances: [u64; 4], limited: bool) -> OrderTerms {
    let [first, second, third, fourth] = distances.map(|bps| Price(PRICE.0 / 10_000 * (bps + 1)));
    let (above, below) = (PRICE.plus(first).unwrap(), PRICE.less(first).unwrap());
    let terms = match kind {
        0 => OrderTerms { limit: below, ..limit_buy() },
        1 => OrderTerms { trigger: above, limit: Price(above.0 + second.0), ..stop_buy() },
        2 => OrderTerms { stop: below, target: Price(PRICE.0 + second.0), ..exit_sell() },
        3 => OrderTerms { stop: Price(0), target: Price(PRICE.0 + fourth.0), trail: third, ..exit_sell() },
        _ => OrderTerms { stop: below, target: Price(0), limit: Price(below.0 - third.0), ..exit_sell() },
    };
    let limit = if kind == 0 || limited { terms.limit } else { Price(0) };
    let terms = OrderTerms { limit, ..terms };
    if mirror { mirrored(terms) } else { terms }
}

fn any_terms() -> impl Strategy<Value = OrderTerms> {
    (0u8..5, any::<bool>(), prop::array::uniform4(0u64..150), any::<bool>())
        .prop_map(|(kind, mirror, distances, limited)| terms(kind, mirror, distances, limited))
}

/// What the oracle publishes, one a second from [`NOW`] on, in steps of basis points.
fn published(steps: &[(i64, u64)]) -> Vec<Observation> {
    let mut bps = 10_000;
    let mut all = Vec::new();
    for (second, (step, conf)) in (1..).zip(steps) {
        bps += step;
        let price = Price(PRICE.0 / 10_000 * bps as u64);
        let publish_time = NOW.unix + second;
        all.push(Observation { prev_publish_time: publish_time - 1, publish_time, price, conf: Price(*conf) });
    }
    all
}

fn any_path(length: usize) -> impl Strategy<Value = Vec<(i64, u64)>> {
    prop::collection::vec((-60i64..=60, 0u64..50_000_000), length)
}

fn put(market: &mut MarketState, seen: Observation, now: &Now) {
    // An older one than what is stored changes nothing.
    let _ = store(market, seen, now, now);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn recording_changes_nothing_whoever_does_it_and_when(
        terms in any_terms(), path in any_path(RING - 1), stored in prop::collection::vec(any::<bool>(), RING - 1),
        recorded in prop::collection::vec(any::<bool>(), 2 * RING),
    ) {
        let mut market = market();
        let mut written = terms;
        let published = published(&path);
        for (second, record) in (1..).zip(recorded) {
            let now = later(&NOW, second);
            if let Some(seen) = published.get(second as usize - 1).filter(|_| stored[second as usize - 1]) {
                put(&mut market, *seen, &now);
            }
            if record {
                let _ = written.record(&market, &now);
            }
            let of = |terms: &OrderTerms| {
                let (Progress { stop, triggered_at, fired, .. }, stage) = terms.follow(&market, &now).unwrap();
                (stop, triggered_at, fired, stage)
            };
            prop_assert_eq!(of(&terms), of(&written), "at {}", second);
        }
    }

    #[test]
    fn a_keeper_that_holds_many_valid_updates_gains_nothing_on_one_who_does_his_work(
        terms in any_terms(), path in any_path(50), plan in prop::collection::vec(0u8..=255, 200),
    ) {
        let alone = race(terms, &path, &[]);
        let raced = race(terms, &path, &plan);
        prop_assert_eq!(alone, raced);
    }

    #[test]
    fn alone_a_keeper_chooses_among_what_was_published_after_the_condition_and_within_the_limit(
        terms in any_terms(), path in any_path(50), plan in prop::collection::vec(0u8..=255, 400),
    ) {
        let published = published(&path);
        let (mut market, mut terms) = (market(), terms);
        let holder = of_position(&mut market, &terms);
        let mut plan = plan.into_iter();
        for second in 1..50 {
            let now = later(&NOW, second);
            for _ in 0..3 {
                match plan.next().unwrap_or(0) {
                    // Any of the last eight that were published.
                    byte @ 0..160 => {
                        let back = i64::from(byte % 8).min(second - 1);
                        put(&mut market, published[(second - 1 - back) as usize], &now);
                    }
                    160..200 => { let _ = terms.record(&market, &now); }
                    _ => {}
                }
                let Ok(mark) = terms.mark(&market, &holder, &now) else { continue };
                let (progress, stage) = terms.follow(&market, &now).unwrap();
                prop_assert!(progress.triggered_at > terms.placed_at);
                let met = published.iter().find(|seen| seen.publish_time == progress.triggered_at).unwrap();
                prop_assert!(meets(&terms, progress, met), "{:?} by {:?}", progress, met);
                if let Stage::Ready(seen) = stage {
                    prop_assert!(seen.publish_time > progress.triggered_at);
                    prop_assert!(check_limit(worse_end(&seen, terms.buys()), terms.buys(), terms.limit).is_ok());
                }
                // No worse than the worst that was published since, worsened for confidence and age as every fill is.
                let since = published.iter().filter(|seen| {
                    seen.publish_time > progress.triggered_at && seen.publish_time <= now.unix
                });
                let conf = since.clone().map(|seen| seen.conf.0).max().unwrap();
                // A late stop pays what an immediate reduction does, ten basis points at least, of the average where that is worse.
                let drift = market.rules().unwrap().move_per_slot.0 * market.age_slots(&now);
                let spread = Ratio(if stage == Stage::Late { drift.max(REDUCE_SPREAD) } else { 0 });
                let spread = market.price.last.price.max(market.price.ema5).portion(spread, Rounding::Up).unwrap();
                let distance = Price(conf.max(market.drift(&now).unwrap().0)).max(spread);
                let average = market.price.ema5.0;
                let prices = since.map(|seen| seen.price.0).chain([average]);
                let (least, most) = (prices.clone().min().unwrap(), prices.max().unwrap());
                prop_assert!(mark >= Price(least).less(distance).unwrap() && mark <= Price(most).plus(distance).unwrap());
            }
        }
    }

    #[test]
    fn an_owner_who_posts_and_fills_as_he_likes_gains_nothing_on_the_true_price(
        terms in any_terms(), steps in prop::collection::vec(-1_000i64..=1_000, 75),
        posts in prop::collection::vec(prop::option::of(0i64..8), 7..60), fill_at in 1u64..70, record in any::<bool>(),
    ) {
        // Near enough to be met on the way.
        let near = |level: Price| if level.is_zero() { level } else { Price((PRICE.0 * 7 + level.0) / 8) };
        let mut terms = OrderTerms {
            limit: Price(0), trigger: near(terms.trigger), stop: near(terms.stop), target: near(terms.target),
            trail: Price(terms.trail.0 / 8), kind: if terms.kind == 1 { 0 } else { terms.kind }, ..terms
        };
        let path = Path::new(&steps);
        let mut market = market();
        let holder = of_position(&mut market, &terms);
        for slot in 1..path.prices.len() as u64 - 3 {
            let now = slots(slot);
            let over = slots(slot + 1).unix > now.unix;
            if let Some(late) = posts[slot as usize % posts.len()] && (over || late > 0) && now.unix - late > NOW.unix {
                store(&mut market, path.published(now.unix - late), &now, &now);
            }
            if record {
                let _ = terms.record(&market, &now);
            }
            if slot < fill_at {
                continue;
            }
            if let Ok(mark) = terms.mark(&market, &holder, &now) {
                let (mark, truth) = (mark.0 as i64, path.prices[slot as usize] as i64);
                let gain = if terms.buys() { truth - mark } else { mark - truth };
                prop_assert!(gain <= 0, "{} at slot {}", gain, slot);
                break;
            }
        }
    }
}

fn of_position(market: &mut MarketState, terms: &OrderTerms) -> AccountState {
    holder(market, !terms.buys())
}

fn worse_end(seen: &Observation, buys: bool) -> Price {
    seen.price.moved(buys, seen.conf).unwrap()
}

/// Whether a price meets what is said to be met; a trail has moved the stop no further than the best price allows.
fn meets(terms: &OrderTerms, progress: Progress, seen: &Observation) -> bool {
    let sign = if terms.buys() { 1 } else { -1 };
    let at_least = |level: Price| (seen.price.0 as i64 - level.0 as i64) * sign >= 0;
    let at_most = |level: Price| (seen.price.0 as i64 - level.0 as i64) * sign <= 0;
    match (terms.kind, progress.fired) {
        (1, 1) => at_most(terms.limit),
        (2, 1) => at_least(terms.trigger),
        (3, 2) => at_least(progress.stop),
        (3, 3) => at_most(terms.target),
        _ => false,
    }
}

/// An honest keeper stores each update in the second in which it is published, records stops and fills whenever that is possible. Before
/// it, in every second, another one acts by its plan: stores any update that was published so far, records, fills. When
/// and at what price the order fills.
fn race(terms: OrderTerms, path: &[(i64, u64)], plan: &[u8]) -> Option<(i64, Price)> {
    let published = published(path);
    let (mut market, mut terms) = (market(), terms);
    let holder = of_position(&mut market, &terms);
    let mut plan = plan.iter();
    for second in 1..path.len() as i64 {
        let now = later(&NOW, second);
        let fill = |market: &MarketState, terms: &OrderTerms| {
            let mark = terms.mark(market, &holder, &now).ok()?;
            check_limit(mark, terms.buys(), terms.limit).is_ok().then_some((second, mark))
        };
        for _ in 0..4 {
            match plan.next() {
                Some(byte @ 0..=127) => {
                    let back = i64::from(byte % 8).min(second - 1);
                    put(&mut market, published[(second - 1 - back) as usize], &now);
                }
                Some(128..=180) => {
                    let _ = terms.record(&market, &now);
                }
                Some(_) => {
                    if let Some(done) = fill(&market, &terms) {
                        return Some(done);
                    }
                }
                None => break,
            }
        }
        if let Some(done) = fill(&market, &terms) {
            return Some(done);
        }
        put(&mut market, published[second as usize - 1], &now);
        let _ = terms.record(&market, &now);
        if let Some(done) = fill(&market, &terms) {
            return Some(done);
        }
    }
    None
}

#[test]
fn one_wick_stops_nobody_out_at_its_own_price() {
    // The price touches the stop for one print and is back in the next: the order fills there, not at the wick.
    let mut market = market();
    let holder = holder(&mut market, true);
    let terms = OrderTerms { size: SignedBase(-10_000_000), ..exit_sell() };
    super::kinds::posts(&mut market, &[100, 94]);
    let now = super::kinds::posts(&mut market, &[100]);
    assert!(terms.mark(&market, &holder, &now).unwrap() > Price(PRICE.0 - PRICE.0 / 500));
}

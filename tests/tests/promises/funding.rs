//! Section 6 on the chain: the governor over days, and that funding does not depend on who calls when.

use ballast_engine::market::FundingState;
use ballast_tests::{Setup, Terms, Trader, units};

use super::bank::on_bank;
use super::{BTC, whole};

const HOUR: i64 = 3_600;
/// A basis point an hour.
const BP: i64 = 100_000_000;
const HARD: i64 = 1_250_000_000;

fn funding(setup: &Setup) -> FundingState {
    setup.market(BTC).state.funding
}

fn bound(setup: &Setup) -> i64 {
    setup.market(BTC).state.funding_bound().expect("a tier").0
}

/// So many longs of a million each, which is 5 % of K' a head; the threshold is at 25 %.
fn longs(setup: &mut Setup, names: &[&str]) -> Vec<Trader> {
    let crowd: Vec<_> = names.iter().map(|name| setup.trader(name, units(300_000))).collect();
    for trader in &crowd {
        setup.open(trader, BTC, whole(1_000_000));
    }
    crowd
}

/// The present price again, after so many seconds.
fn pass(setup: &mut Setup, seconds: i64) {
    setup.world.advance(seconds);
    setup.post(BTC, setup.posted[BTC].price);
}

#[test]
fn the_governor_over_five_days() {
    let mut setup = on_bank(&Terms::standard());
    let mut crowd = longs(&mut setup, &["a", "b", "c", "d"]);
    // A skew of 20 %, below the threshold: 0.2 bps more every hour, and no more than 1 though it lasts a day and a half.
    for hour in 1..=36 {
        pass(&mut setup, HOUR);
        assert_eq!(bound(&setup), BP, "hour {hour}");
        assert!(funding(&setup).rate.0 <= BP);
    }
    assert_eq!(funding(&setup).rate.0, BP);
    setup.audit();

    // At 30 % the soft cap doubles by the hour up to the hard cap, but for the minutes that the running hour was old.
    crowd.extend(longs(&mut setup, &["e", "f"]));
    let ramp: Vec<i64> = (0..5)
        .map(|_| {
            pass(&mut setup, HOUR);
            bound(&setup)
        })
        .collect();
    for (hour, (bound, least)) in ramp.iter().zip([170, 340, 680, 1_250, 1_250]).enumerate() {
        let most = ((2 * BP) << hour).min(HARD);
        assert!((least * BP / 100..=most).contains(bound), "hour {hour}: {bound}");
    }
    // The rate has its own pace: 0.3 bps an hour.
    assert!((2 * BP..3 * BP).contains(&funding(&setup).rate.0));
    assert!(funding(&setup).average.0 > 0);
    setup.audit();

    // Everybody leaves. The rate halves every 8 hours; the cap comes down by 2 bps an hour at most.
    for trader in &crowd {
        setup.close(trader, BTC);
    }
    let high = bound(&setup);
    pass(&mut setup, HOUR);
    assert_eq!(bound(&setup), high - 2 * BP);
    for _ in 1..24 {
        pass(&mut setup, HOUR);
    }
    assert_eq!(bound(&setup), BP);
    // Cut to 1 bp with the cap in the seventh hour, then 17 hours of a half-life of 8.
    let left = funding(&setup).rate.0;
    assert!((22 * BP / 100..23 * BP / 100).contains(&left), "{left}");
    // A day and a half without a price: charged to nobody, and what is left of the rate goes all the same.
    let before = funding(&setup);
    pass(&mut setup, 36 * HOUR);
    let after = funding(&setup);
    assert!(after.rate.0 < left / 16 && after.rate.0 > left / 32, "4.5 half-lives");
    assert_eq!(after.hour_seconds, before.hour_seconds, "one hour for the governor");
    setup.audit();
}

#[test]
fn who_calls_when_moves_no_funding() {
    let mut start = on_bank(&Terms::standard());
    let crowd = longs(&mut start, &["a", "b", "c", "d", "e", "f"]);
    start.open(&crowd[0], BTC, -whole(200_000));
    pass(&mut start, 100);
    let (rate, hour) = (funding(&start).rate.0, funding(&start).hour_seconds);
    assert!(hour > 0 && rate > 0);
    // Four hours: a price an hour, a price every seven minutes and the rest, or one every 20 s with a settlement after each.
    let mut outcomes = vec![];
    for every in [HOUR, 420, 20] {
        let mut setup = start.clone();
        let mut left = 4 * HOUR;
        while left > 0 {
            let step = left.min(every);
            pass(&mut setup, step);
            left -= step;
            if every == 20 {
                let _ = setup.settle(&crowd[1], BTC);
            }
        }
        let state = setup.market(BTC).state;
        outcomes.push((every, state.funding, state.long.index.get(), state.short.index.get()));
        setup.audit();
    }
    let (_, one, long, short) = outcomes[0];
    assert!(one.rate.0 > rate + BP / 2);
    for (every, other, other_long, other_short) in &outcomes[1..] {
        // 3 units of 10⁻¹² for each call, and the index that much over the time: a hundred-millionth of what was paid.
        let calls = 4 * HOUR / every + 4;
        assert!((one.rate.0 - other.rate.0).abs() <= 3 * calls, "every {every} s");
        assert!((one.average.0 - other.average.0).abs() <= calls, "every {every} s");
        assert_eq!(
            (one.soft_cap, one.hour_seconds, one.hour_heavy),
            (other.soft_cap, other.hour_seconds, other.hour_heavy)
        );
        for (index, other) in [(long, *other_long), (short, *other_short)] {
            let apart = (index - other).abs();
            assert!(apart * 100_000 <= long.abs(), "every {every} s: {apart} of {long}");
        }
    }
}

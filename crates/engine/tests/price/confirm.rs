//! P5: no single print, and no two, are good; a real crash is confirmed.

use ballast_engine::market::Observation;
use ballast_engine::price::Status;
use ballast_engine::{Now, Price};
use proptest::prelude::*;

use super::{off, post, slots};
use crate::support::{NOW, PRICE, later, market, set_price};

proptest! {
    #[test]
    fn p5_a_hiccup_of_one_or_two_prints_is_never_good(
        bps in 151i64..=1_000, down: bool, quiet in 1i64..=600, twice: bool,
    ) {
        let mut market = market();
        let hiccup = off(PRICE, if down { -bps } else { bps });
        let mut now = later(&NOW, quiet);
        let average = market.price.ema5;
        for _ in 0..1 + u8::from(twice) {
            prop_assert_eq!(post(&mut market, hiccup, &now), Status::Jumped);
            // Nor does it become good by waiting.
            prop_assert!(market.status(&later(&now, 3)).unwrap() < Status::Ageing);
            now = later(&now, 4);
        }
        prop_assert_eq!(market.price.ema5, average, "it moves no average");
        prop_assert_eq!(market.price.valid.price, PRICE);
        prop_assert_eq!(post(&mut market, PRICE, &now), Status::Good);
        prop_assert_eq!(market.price.jump_count, 0);
    }

    #[test]
    fn p5_no_two_prints_in_a_row_are_ever_good(
        wild in prop::collection::vec((prop::bool::ANY, 310i64..9_000, prop::bool::ANY, 1i64..90), 1..60),
    ) {
        let mut market = market();
        let mut now = NOW;
        let mut row = 0;
        for (is_wild, bps, down, seconds) in wild {
            now = later(&now, seconds);
            row = if is_wild && row < 2 { row + 1 } else { 0 };
            let print = if row > 0 { off(PRICE, if down { -bps } else { bps }) } else { PRICE };
            let status = post(&mut market, print, &now);
            prop_assert_eq!(status == Status::Good, row == 0, "{:?}", print);
        }
    }
}

#[test]
fn a_hiccup_of_8_percent_after_ten_quiet_minutes_liquidates_nobody() {
    // Were the average moved first, 0.67 of the way, the gap would shrink to 2.7 %.
    for bps in [-1_000, -800, -500, 500, 800, 1_000] {
        let mut market = market();
        assert_eq!(post(&mut market, off(PRICE, bps), &later(&NOW, 600)), Status::Jumped);
        assert_eq!(market.price.ema5, PRICE);
        assert_eq!(post(&mut market, PRICE, &later(&NOW, 601)), Status::Good);
    }
}

#[test]
fn a_real_crash_is_confirmed_at_the_third_publish_time_over_five_slots() {
    let mut market = market();
    assert_eq!(post(&mut market, off(PRICE, -1_000), &slots(3)), Status::Jumped);
    assert_eq!(post(&mut market, off(PRICE, -1_020), &slots(5)), Status::Jumped);
    assert_eq!(post(&mut market, off(PRICE, -1_010), &slots(8)), Status::Good);
    assert_eq!(market.price.ema5, off(PRICE, -1_000), "the nearest of the three");
    assert_eq!(market.price.valid.price, off(PRICE, -1_010));
}

#[test]
fn three_prints_within_four_slots_confirm_nothing_and_the_next_ones_do() {
    let crash = off(PRICE, -500);
    let mut market = market();
    let step = |i: u64| Now { unix: NOW.unix + 1 + i as i64, slot: NOW.slot + i * 2, ..NOW };
    let states: Vec<_> = (0..4).map(|i| post(&mut market, crash, &step(i))).collect();
    assert_eq!(states, [Status::Jumped, Status::Jumped, Status::Jumped, Status::Good], "spans 0, 2, 4, 6 slots");

    // However fast they come: the first stays in the window until five slots have passed.
    set_price(&mut market, PRICE);
    let step = |i: u64| Now { unix: NOW.unix + 1 + i as i64, slot: NOW.slot + i, ..NOW };
    let states: Vec<_> = (0..6).map(|i| post(&mut market, crash, &step(i))).collect();
    assert_eq!(states.iter().position(|s| *s == Status::Good), Some(5));
}

#[test]
fn after_a_confirmed_fall_of_3_percent_a_single_print_of_minus_15_is_jumped() {
    let mut market = market();
    for (i, bps) in [-300, -310, -305].into_iter().enumerate() {
        post(&mut market, off(PRICE, bps), &slots(3 + 5 * i as u64));
    }
    assert_eq!(market.status(&slots(13)).unwrap(), Status::Good);
    assert_eq!(post(&mut market, off(PRICE, -1_500), &slots(15)), Status::Jumped);
    assert_eq!(post(&mut market, off(PRICE, -1_500), &slots(20)), Status::Jumped);
    assert_eq!(post(&mut market, off(PRICE, -305), &slots(25)), Status::Good);
    // Nor by being the third of a window that two lesser ones opened.
    let mut market = crate::support::market();
    post(&mut market, off(PRICE, -300), &slots(3));
    post(&mut market, off(PRICE, -310), &slots(8));
    assert_eq!(post(&mut market, off(PRICE, -1_500), &slots(13)), Status::Jumped);
    assert_eq!(market.price.ema5, off(PRICE, -300));
    assert_eq!(post(&mut market, off(PRICE, -310), &slots(18)), Status::Good);
}

#[test]
fn a_price_inside_the_band_or_on_the_other_side_starts_anew() {
    for middle in [PRICE, off(PRICE, 500)] {
        let mut market = market();
        post(&mut market, off(PRICE, -500), &slots(3));
        post(&mut market, off(PRICE, -500), &slots(8));
        post(&mut market, middle, &slots(13));
        assert_eq!(post(&mut market, off(PRICE, -500), &slots(18)), Status::Jumped);
        assert_eq!(post(&mut market, off(PRICE, -500), &slots(23)), Status::Jumped);
        assert_eq!(post(&mut market, off(PRICE, -500), &slots(28)), Status::Good);
    }
}

#[test]
fn prints_of_another_minute_or_before_a_restart_confirm_nothing() {
    let crash = off(PRICE, -500);
    let third = |gap: u64, restart_slot: u64| {
        let mut market = market();
        post(&mut market, crash, &slots(5));
        post(&mut market, crash, &slots(10));
        post(&mut market, crash, &Now { restart_slot, ..slots(gap) })
    };
    assert_eq!(third(155, 0), Status::Good, "150 slots");
    assert_eq!(third(156, 0), Status::Jumped);
    assert_eq!(third(20, NOW.slot + 4), Status::Good);
    assert_eq!(third(20, NOW.slot + 5), Status::Jumped);
}

#[test]
fn old_prints_of_a_hiccup_cannot_be_saved_up_to_confirm_it() {
    // Nobody posted during a hiccup; its prints are posted one by one a minute later.
    let mut market = market();
    let (band, rules) = (market.band().unwrap(), market.rules().unwrap());
    for i in 0..6 {
        let now = slots(160 + 5 * i);
        let publish_time = NOW.unix + 5 + i as i64;
        let old = Observation { prev_publish_time: 0, publish_time, price: off(PRICE, -800), conf: Price(0) };
        assert!(market.price.store(old, now.slot, band, rules, &now).unwrap());
        assert_eq!(market.status(&now).unwrap(), Status::Stale);
    }
    assert_eq!(market.price.ema5, PRICE);
    assert_eq!(post(&mut market, off(PRICE, -800), &slots(195)), Status::Jumped);
    assert_eq!(post(&mut market, PRICE, &slots(200)), Status::Good);
}

/// The longest stretch of slots without a good price while it moves by `bps_per_minute`, posted every `every` seconds.
fn frozen(bps_per_minute: i64, every: i64, minutes: i64) -> u64 {
    let mut market = market();
    let (mut longest, mut last_good) = (0, NOW.slot);
    let mut moved = PRICE;
    let mut seconds = every;
    while seconds <= minutes * 60 {
        moved = Price((i128::from(moved.0) * i128::from(600_000 + bps_per_minute * every) / 600_000) as u64);
        let now = later(&NOW, seconds);
        if post(&mut market, moved, &now) == Status::Good {
            longest = longest.max(now.slot - last_good);
            last_good = now.slot;
        }
        seconds += every;
    }
    longest.max(later(&NOW, minutes * 60).slot - last_good)
}

#[test]
fn a_steady_crash_at_the_envelopes_speed_is_never_frozen_beyond_what_the_envelope_allows() {
    // From the last good price: up to 10 slots between posts, and 20 for confirmation.
    for bps_per_minute in [-450, 450, -300, -900] {
        assert!(frozen(bps_per_minute, 4, 10) <= 30, "4 s: {}", frozen(bps_per_minute, 4, 10));
        assert!(frozen(bps_per_minute, 1, 10) <= 10, "1 s: {}", frozen(bps_per_minute, 1, 10));
    }
    // The guard is there at all: with one post every 4 s a crash does wait for its confirmation.
    assert!(frozen(-450, 4, 10) > 10);
}

#[test]
fn a_fast_fall_is_confirmed_step_by_step() {
    // 2 % a print, more than the band: each further print confirms the one two before it, and the stop is good at once.
    let mut market = market();
    for i in 1..=6u64 {
        let status = post(&mut market, off(PRICE, -200 * i as i64), &slots(5 * i));
        assert_eq!(status, Status::Jumped);
        let confirmed = if i < 3 { PRICE } else { off(PRICE, -200 * (i as i64 - 2)) };
        assert_eq!(market.price.ema5, confirmed);
    }
    assert_eq!(post(&mut market, off(PRICE, -1_200), &slots(35)), Status::Jumped);
    assert_eq!(post(&mut market, off(PRICE, -1_200), &slots(40)), Status::Good);
}

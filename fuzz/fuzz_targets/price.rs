//! Bytes are oracle updates, sound and unsound, in any order: nothing but a malformed or too coarse one is refused, the
//! averages stay among the prices seen, what is stored is never older, and a price that is good was preceded by others near it.
#![no_main]

use ballast_engine::error::Error;
use ballast_engine::market::PriceState;
use ballast_engine::order::Lookup;
use ballast_engine::price::{RawUpdate, Status};
use ballast_engine::tier::Tier;
use ballast_engine::{Now, Ratio};
use libfuzzer_sys::fuzz_target;

fn take<const N: usize>(data: &mut &[u8]) -> [u8; N] {
    let (head, rest) = data.split_at(N.min(data.len()));
    *data = rest;
    let mut out = [0; N];
    out[..head.len()].copy_from_slice(head);
    out
}

fuzz_target!(|data: &[u8]| {
    let mut data = data;
    let [tier, base, quote, margin] = take::<4>(&mut data);
    let Ok(tier) = Tier::from_byte(tier % 4) else { return };
    let rules = tier.rules();
    let band = Ratio(5_000 + u64::from(margin) * 1_000);
    let mut state = PriceState::default();
    let mut now = Now { unix: 1_700_000_000, slot: 1_000_000, restart_slot: 0 };
    let mut near = 100_000_000_i64;
    let (mut low, mut high) = (u64::MAX, 0);
    let mut last_good: Option<i64> = None;
    while !data.is_empty() {
        let [kind, seconds, slots] = take::<3>(&mut data);
        now.unix += i64::from(seconds % 64) * if kind & 0x80 != 0 { 100 } else { 1 };
        now.slot += u64::from(slots % 64);
        if kind & 0x7f == 0x7f {
            now.restart_slot = now.slot;
            continue;
        }
        let raw = if kind & 1 == 0 {
            // Near the one before.
            let [by, conf, lag] = take::<3>(&mut data);
            near = near.saturating_add(near / 1_000 * i64::from(by as i8)).clamp(1_000_000, 1 << 50);
            RawUpdate {
                price: near,
                conf: near.unsigned_abs() / 10_000 * u64::from(conf),
                exponent: -8,
                publish_time: now.unix - i64::from(lag % 40),
                prev_publish_time: now.unix - 50,
                posted_slot: now.slot - u64::from(lag / 40),
            }
        } else {
            RawUpdate {
                price: i64::from_le_bytes(take(&mut data)),
                conf: u64::from_le_bytes(take(&mut data)),
                exponent: i32::from(i8::from_le_bytes(take(&mut data))),
                publish_time: now.unix.wrapping_add(i64::from(i16::from_le_bytes(take(&mut data)))),
                prev_publish_time: i64::from_le_bytes(take(&mut data)),
                posted_slot: u64::from_le_bytes(take(&mut data)),
            }
        };
        let update = match raw.scaled(base % 20, quote % 20, &now) {
            Ok(update) => update,
            Err(fault) => {
                assert!(matches!(fault.error, Error::PriceMalformed | Error::PriceScaleTooCoarse), "{fault:?}");
                continue;
            }
        };
        let before = state;
        let stored = match state.take(update, raw.posted_slot, band, rules, &now) {
            Ok(stored) => stored,
            Err(fault) => panic!("storing a sound update: {fault:?}"),
        };
        let Some(status) = stored else {
            assert_eq!(state, before, "an older update changed something");
            continue;
        };
        assert!(state.last.publish_time > before.last.publish_time);
        (low, high) = (low.min(update.price.0), high.max(update.price.0));
        if state.ema_start != 0 {
            for average in [state.ema5.0, state.ema60.0] {
                assert!((low..=high).contains(&average), "an average left the prices");
            }
        }
        assert!(state.jump_count <= 3 && state.ring_next < 32);
        assert_eq!(status, state.status(band, rules, &now));
        if status == Status::Good {
            assert!(now.unix - state.ema_start >= 300, "good before the warm-up was over");
            assert!(
                update.conf.0.saturating_mul(2) <= update.price.0 / 1_000_000 * rules.conf_limit.0 + rules.conf_limit.0
            );
            last_good = Some(update.publish_time);
        }
        if let Some(time) = last_good {
            assert!(state.valid.publish_time >= time);
        }
        // The first observation after any placement is published after it.
        for back in [0, 1, 5, 100] {
            if let Lookup::Found(seen) = state.first_after(update.publish_time - back) {
                assert!(seen.publish_time > update.publish_time - back);
            }
        }
    }
});

//! Malformed instruction data: an error, never a panic or an abort, and nothing changes.

use std::collections::BTreeSet;

use anchor_lang::prelude::AccountMeta;
use ballast_client::address;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::case::{Case, orderly, reason, snapshot};
use super::cases;

/// Fails unless these data are refused for one of the reasons.
#[track_caller]
fn refused(case: &Case, data: &[u8], what: &str, reasons: &[&str]) {
    let title = format!("{}, {what}", case.title());
    match case.send(&case.instruction.accounts, data, &[]).1 {
        Ok(_) => panic!("{title}: went through"),
        Err(refused) => {
            orderly(&title, &refused);
            let reason = reason(&refused);
            assert!(reasons.contains(&reason.as_str()), "{title}: {reason}");
        }
    }
}

#[test]
fn missing_and_truncated_data_is_refused() {
    for case in cases::all() {
        let data = &case.instruction.data;
        for length in 0..data.len() {
            let reasons: &[&str] =
                if length < 8 { &["InstructionFallbackNotFound"] } else { &["InstructionDidNotDeserialize"] };
            refused(&case, &data[..length], &format!("{length} bytes"), reasons);
        }
    }
}

#[test]
fn unknown_instruction_is_refused() {
    for case in cases::all() {
        for bit in 0..64 {
            let mut data = case.instruction.data.clone();
            data[bit / 8] ^= 1 << (bit % 8);
            refused(&case, &data, &format!("bit {bit}"), &["InstructionFallbackNotFound"]);
        }
    }
}

#[test]
fn bytes_behind_the_arguments_change_nothing() {
    for case in cases::all() {
        let (plain, outcome) = case.base();
        outcome.unwrap_or_else(|refused| panic!("{}: {refused}", case.title()));
        let longer = [&case.instruction.data[..], &[0xff; 9]].concat();
        let (long, outcome) = case.send(&case.instruction.accounts, &longer, &[]);
        outcome.unwrap_or_else(|refused| panic!("{}: {refused}", case.title()));
        assert!(snapshot(&plain) == snapshot(&long), "{}: bytes that nobody reads made a difference", case.title());
    }
}

/// (whose accounts, which instruction they serve too): the same accounts by design, for the same signer.
fn shared() -> BTreeSet<(&'static str, &'static str)> {
    const MARKET: [&str; 3] = ["queue_market_parameter", "queue_market_batch", "queue_wind_down"];
    const EXCHANGE: [&str; 5] = [
        "queue_exchange_parameter",
        "queue_exchange_batch",
        "queue_role",
        "queue_oracle_program",
        "queue_insurance_withdrawal",
    ];
    let pairs = |group: &[&'static str]| -> Vec<_> {
        group.iter().flat_map(|a| group.iter().filter(move |b| a != *b).map(move |b| (*a, *b))).collect()
    };
    // A change of the oracle writes the market, the others only read it.
    let oracle = MARKET.map(|other| ("queue_oracle_feed", other));
    let all = [
        pairs(&MARKET),
        pairs(&EXCHANGE),
        pairs(&["tighten_covenant", "loosen_covenant"]),
        vec![("close_covenant", "tighten_covenant"), ("close_covenant", "loosen_covenant")],
        oracle.to_vec(),
        vec![("pick_up_deleveraging", "settle"), ("close_settled", "settle")],
    ];
    all.into_iter().flatten().collect()
}

#[test]
fn one_instructions_accounts_do_not_serve_another() {
    let cases = cases::all();
    let mut served = BTreeSet::new();
    for case in &cases {
        for other in cases.iter().filter(|o| o.name != case.name) {
            match case.send(&case.instruction.accounts, &other.instruction.data, &[]).1 {
                Ok(_) => drop(served.insert((case.name, other.name))),
                Err(refused) => orderly(&format!("{} with the accounts of {}", other.name, case.title()), &refused),
            }
        }
    }
    assert_eq!(served, shared());
}

#[test]
fn random_data_never_panics_and_never_breaks_the_books() {
    let cases = cases::all();
    let sound: Vec<bool> = cases.iter().map(|c| c.setup.books().is_clean()).collect();
    for seed in 0..1_000_u64 {
        let mut dice = StdRng::seed_from_u64(seed);
        let place = dice.random_range(0..cases.len());
        let case = &cases[place];
        let real = case.instruction.data.len();
        let mut data = case.instruction.data.clone();
        match dice.random_range(0..4) {
            // Any bytes at all.
            0 => data = (0..dice.random_range(0..300)).map(|_| dice.random()).collect(),
            // A real instruction with any arguments.
            1 => data.iter_mut().skip(8).for_each(|b| *b = dice.random()),
            // Its arguments at their extremes.
            2 => {
                let extreme = [0, 0xff, 0x7f, 0x80][dice.random_range(0..4)];
                data.iter_mut().skip(8).for_each(|b| *b = extreme);
            }
            // A few bytes changed, and the length.
            _ => {
                for _ in 0..3 {
                    let at = dice.random_range(0..real);
                    data[at] = dice.random();
                }
                data.resize(dice.random_range(0..real + 20), dice.random());
            }
        }
        let title = format!("seed {seed}, {}, data {data:?}", case.title());
        let (world, outcome) = case.send(&case.instruction.accounts, &data, &[]);
        match outcome {
            Err(refused) => orderly(&title, &refused),
            Ok(_) if sound[place] => {
                let mut setup = case.setup.clone();
                setup.world = world;
                assert!(setup.books().is_clean(), "{title}: {:#?}", setup.books());
            }
            Ok(_) => {}
        }
    }
}

/// The program emits events by calling itself: nobody else may, or indexers would believe anything.
#[test]
fn nobody_else_can_emit_an_event() {
    let case = &cases::all()[0];
    let data = [anchor_lang::event::EVENT_IX_TAG_LE, &[7; 40]].concat();
    let signer = super::case::stranger();
    let signer = solana_signer::Signer::pubkey(&*signer);
    for (authority, signs) in [(address::event_authority(), false), (signer, true), (signer, false)] {
        let metas = [AccountMeta { pubkey: authority, is_signer: signs, is_writable: false }];
        let refused = case.send(&metas, &data, &[]).1.expect_err("an event from outside");
        orderly("an event from outside", &refused);
        let reason = reason(&refused);
        assert!(
            ["ConstraintSigner", "ConstraintSeeds", "AccountNotSigner", "ConstraintAddress"].contains(&reason.as_str()),
            "{reason}"
        );
    }
}

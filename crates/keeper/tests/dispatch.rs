//! The dispatcher against nodes that misbehave: what is sent once stays one, whatever they answer; nothing costs more than it
//! earns; 'somebody else did it' is no fault.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ballast_client::errors;
use ballast_engine::Error;
use ballast_keeper::config::FeeConfig;
use ballast_keeper::dispatch::{Dispatcher, Done, Outcome, Parts};
use ballast_keeper::fees::{Need, Purse};
use ballast_keeper::jobs::Action;
use ballast_keeper::ledger::Ledger;
use ballast_keeper::metrics::Metrics;
use ballast_keeper::nodes::Nodes;
use rusqlite::Connection;
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;

use crate::support::fake::{Fake, Say, at};

const HASHES: [&str; 2] = ["11111111111111111111111111111112", "11111111111111111111111111111113"];

fn dispatcher(urls: &[&str], folder: &Path, fees: FeeConfig) -> (Dispatcher, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
    let parts = Parts {
        nodes: Arc::new(Nodes::new(&urls, 20, metrics.clone())),
        payer: Keypair::new(),
        purse: Purse::new(fees, 6),
        percentile: 75,
        reward: Pubkey::new_from_array([9; 32]),
        tables: Vec::new(),
        ledger: Ledger::open(&folder.join("ledger.sqlite")).unwrap(),
        metrics: metrics.clone(),
        in_flight: 4,
        confirm: Duration::from_millis(20),
        dry: false,
    };
    (Dispatcher::new(parts), metrics)
}

/// A liquidation that earns so much.
fn action(reward: u64) -> Action {
    Action {
        job: "flag",
        subject: Pubkey::new_from_array([3; 32]),
        version: 1,
        instructions: vec![Instruction { program_id: ballast::ID, accounts: Vec::new(), data: vec![1] }],
        race: &[Error::AlreadyFlagged],
        may_vanish: true,
        reward,
        own_flag: false,
        need: Need::Safety,
        rank: 0,
    }
}

async fn perform(dispatcher: &Dispatcher, reward: u64) -> Done {
    perform_this(dispatcher, action(reward)).await
}

async fn perform_this(dispatcher: &Dispatcher, action: Action) -> Done {
    let done = tokio::time::timeout(Duration::from_secs(60), dispatcher.perform(action, Instant::now())).await;
    dispatcher.ledger().flush();
    done.expect("it ends")
}

fn outcomes(folder: &Path) -> Vec<(Option<String>, String)> {
    let file = Connection::open(folder.join("ledger.sqlite")).unwrap();
    let mut query = file.prepare("SELECT signature, outcome FROM actions ORDER BY id").unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// What a healthy node says; statuses and submissions are the test's.
fn usual(method: &str, blockhash: usize, height: u64) -> Say {
    match method {
        "getLatestBlockhash" => {
            at(100, json!({ "blockhash": HASHES[blockhash], "lastValidBlockHeight": 50 + 100 * blockhash }))
        }
        "simulateTransaction" => {
            at(100, json!({ "err": null, "logs": [], "unitsConsumed": 20_000, "innerInstructions": [] }))
        }
        "getRecentPrioritizationFees" => Say::Result(json!([])),
        "getBlockHeight" => Say::Result(json!(height)),
        "getTransaction" => Say::Result(Value::Null),
        "getVersion" => Say::Result(json!({ "solana-core": "4.2.2", "feature-set": 1 })),
        _ => Say::Error(-32_601, "no such method"),
    }
}

fn confirmed(slot: u64) -> Value {
    json!([{ "slot": slot, "confirmations": 1, "err": null, "status": { "Ok": null }, "confirmationStatus": "confirmed" }])
}

/// Signatures of transactions submitted.
fn signature(params: &Value) -> String {
    use base64::Engine;
    let bytes = base64::prelude::BASE64_STANDARD.decode(params[0].as_str().unwrap()).unwrap();
    let bytes: [u8; 64] = bytes[1..65].try_into().unwrap();
    solana_signature::Signature::from(bytes).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_blockhash_makes_for_another_signature_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let sent: Arc<Mutex<Vec<String>>> = Arc::default();
    let (seen, hashes) = (sent.clone(), AtomicUsize::new(0));
    let node = Fake::new(move |method, params| {
        let mut seen = seen.lock().unwrap();
        let signatures: BTreeSet<&String> = seen.iter().collect();
        match method {
            "sendTransaction" => {
                seen.push(signature(params));
                Say::Result(json!(signature(params)))
            }
            // The first one never lands. The second one does.
            "getSignatureStatuses" if signatures.len() > 1 => at(130, confirmed(120)),
            "getSignatureStatuses" => at(100, json!([null])),
            "getLatestBlockhash" => usual(method, hashes.fetch_add(1, Ordering::Relaxed).min(1), 0),
            // Not over at first: the same one is handed over again.
            _ => usual(method, 0, if seen.len() < 3 { 49 } else { 51 }),
        }
    })
    .await;
    let (dispatcher, _) = dispatcher(&[&node.url], folder.path(), FeeConfig::default());
    let done = perform(&dispatcher, 50_000).await;
    assert_eq!(done.outcome, Outcome::Done, "{done:?}");
    let sent = sent.lock().unwrap().clone();
    assert!(sent.len() >= 4, "{sent:?}");
    assert_eq!((&sent[0], &sent[1]), (&sent[1], &sent[2]), "the same one while it may land");
    assert_ne!(sent[0], sent[sent.len() - 1]);
    let rows = outcomes(folder.path());
    let words: Vec<&str> = rows.iter().map(|(_, outcome)| outcome.as_str()).collect();
    assert_eq!(words, ["lost", "done"], "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_without_an_answer_is_not_signed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let sent: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let seen = sent.clone();
    let node = Fake::new(move |method, params| match method {
        "sendTransaction" => {
            seen.lock().unwrap().insert(signature(params));
            // It arrived, and the answer is lost.
            Say::Nothing
        }
        "getSignatureStatuses" if seen.lock().unwrap().is_empty() => at(100, json!([null])),
        "getSignatureStatuses" => at(101, confirmed(101)),
        _ => usual(method, 0, 40),
    })
    .await;
    let (dispatcher, _) = dispatcher(&[&node.url], folder.path(), FeeConfig::default());
    let done = perform(&dispatcher, 50_000).await;
    assert_eq!((done.outcome, done.slot), (Outcome::Done, 101));
    assert_eq!(sent.lock().unwrap().len(), 1, "one signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_too_many_requests_is_left_for_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let limited = Fake::new(|_, _| Say::Limited).await;
    let node = Fake::new(|method, params| match method {
        "sendTransaction" => Say::Result(json!(signature(params))),
        "getSignatureStatuses" => at(101, confirmed(101)),
        _ => usual(method, 0, 40),
    })
    .await;
    let (dispatcher, metrics) = dispatcher(&[&limited.url, &node.url], folder.path(), FeeConfig::default());
    let done = perform(&dispatcher, 50_000).await;
    assert_eq!(done.outcome, Outcome::Done, "{done:?}");
    assert_eq!(node.count("sendTransaction"), 1);
    let faults = metrics.count("ballast_keeper_rpc_faults_total", &[("kind", "limited")]);
    assert!(faults > 0, "{}", metrics.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_is_told_from_a_fault_before_anything_is_sent() {
    for (error, word) in [(Error::AlreadyFlagged, "raced"), (Error::InvariantBroken, "refused")] {
        let folder = tempfile::tempdir().unwrap();
        let code = errors::code(error);
        let log = format!("Program {} failed: custom program error: {code:#x}", ballast::ID);
        let node = Fake::new(move |method, _| match method {
            "simulateTransaction" => {
                let err = json!({ "InstructionError": [2, { "Custom": code }] });
                at(100, json!({ "err": err, "logs": [log], "unitsConsumed": 900 }))
            }
            _ => usual(method, 0, 40),
        })
        .await;
        let (dispatcher, metrics) = dispatcher(&[&node.url], folder.path(), FeeConfig::default());
        let done = perform(&dispatcher, 50_000).await;
        assert_eq!(done.outcome.word(), word, "{done:?}");
        assert_eq!((node.count("sendTransaction"), done.fee), (0, 0), "it costs nothing");
        assert_eq!(outcomes(folder.path()), [(None, word.to_owned())]);
        assert_eq!(metrics.count("ballast_keeper_actions_total", &[("job", "flag"), ("outcome", word)]), 1);
    }
}

/// The fee of what is sent: the base fee, and the price per unit times the limit.
fn fee(params: &Value) -> u64 {
    use base64::Engine;
    let bytes = base64::prelude::BASE64_STANDARD.decode(params[0].as_str().unwrap()).unwrap();
    let number = |tag: u8, width: usize| {
        // A compute budget instruction's data: its length, the tag, the number.
        let head = [u8::try_from(width + 1).unwrap(), tag];
        let place = bytes.windows(2).position(|pair| pair == head).unwrap();
        let mut le = [0; 8];
        le[..width].copy_from_slice(&bytes[place + 2..place + 2 + width]);
        u64::from_le_bytes(le)
    };
    let (limit, price) = (number(2, 4), number(3, 8));
    5_000 + (u128::from(limit) * u128::from(price)).div_ceil(1_000_000) as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn however_dear_the_others_make_it_a_fee_never_exceeds_its_part_of_the_reward() {
    // Half of a reward at 150 a SOL, lamports; below the base fee nothing is sent.
    for (reward, worth) in [(50_000_u64, 166_666_u64), (1_499, 4_996), (1_510, 5_033)] {
        let folder = tempfile::tempdir().unwrap();
        let paid = Arc::new(Mutex::new(None));
        let seen = paid.clone();
        let node = Fake::new(move |method, params| match method {
            "getRecentPrioritizationFees" => {
                Say::Result(json!([{ "slot": 1, "prioritizationFee": 900_000_000_000_u64 }]))
            }
            "sendTransaction" => {
                *seen.lock().unwrap() = Some(fee(params));
                Say::Result(json!(signature(params)))
            }
            "getSignatureStatuses" => at(101, confirmed(101)),
            _ => usual(method, 0, 40),
        })
        .await;
        let fees = FeeConfig { most_per_unit: u64::MAX, ..FeeConfig::default() };
        let (dispatcher, _) = dispatcher(&[&node.url], folder.path(), fees);
        let done = perform(&dispatcher, reward).await;
        let paid = *paid.lock().unwrap();
        if worth < 5_000 {
            assert_eq!((done.outcome, paid), (Outcome::Unprofitable, None));
        } else {
            assert_eq!(done.outcome, Outcome::Done);
            assert!(paid.is_some_and(|paid| paid <= worth && paid > 5_000), "{paid:?} of {worth}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_land_is_given_up_as_lost_and_nothing_is_left_open() {
    let folder = tempfile::tempdir().unwrap();
    let node = Fake::new(|method, _| match method {
        "sendTransaction" => Say::Error(-32_002, "Transaction simulation failed: Blockhash not found"),
        _ => usual(method, 0, 40),
    })
    .await;
    let (dispatcher, _) = dispatcher(&[&node.url], folder.path(), FeeConfig::default());
    let done = perform(&dispatcher, 50_000).await;
    assert_eq!(done.outcome.word(), "lost", "{done:?}");
    assert!(Ledger::unfinished(&folder.path().join("ledger.sqlite")).unwrap().is_empty());
}

/// An inner instruction that says that the keeper was paid so much.
fn paid(fee: u64) -> Value {
    use anchor_lang::Event;
    let event = ballast::events::OrderCancelled {
        order: Pubkey::default(),
        subaccount: Pubkey::default(),
        reason: 0,
        fee_to_keeper: fee,
        account_sequence: 1,
    };
    let data = [ballast_client::events::TAG, &event.data()].concat();
    let data = bs58::encode(data).into_string();
    json!([{ "index": 2, "instructions": [{ "programIdIndex": 1, "accounts": [], "data": data, "stackHeight": 2 }] }])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_promises_more_than_the_engine_makes_no_fee_higher() {
    let folder = tempfile::tempdir().unwrap();
    let sent = Arc::new(Mutex::new(None));
    let seen = sent.clone();
    let node = Fake::new(move |method, params| match method {
        "simulateTransaction" => at(
            100,
            json!({ "err": null, "logs": [], "unitsConsumed": 20_000, "innerInstructions": paid(1_000_000_000) }),
        ),
        "getRecentPrioritizationFees" => Say::Result(json!([{ "slot": 1, "prioritizationFee": 900_000_000_000_u64 }])),
        "sendTransaction" => {
            *seen.lock().unwrap() = Some(fee(params));
            Say::Result(json!(signature(params)))
        }
        "getSignatureStatuses" => at(101, confirmed(101)),
        _ => usual(method, 0, 40),
    })
    .await;
    let fees = FeeConfig { most_per_unit: u64::MAX, ..FeeConfig::default() };
    let (dispatcher, _) = dispatcher(&[&node.url], folder.path(), fees);
    // Half of 0.05 at 150 a SOL: what the engine says it earns.
    let done = perform_this(&dispatcher, Action { job: "orders", ..action(50_000) }).await;
    assert_eq!(done.outcome, Outcome::Done, "{done:?}");
    let fee = sent.lock().unwrap().unwrap();
    assert!(fee > 5_000 && fee <= 166_666, "{fee}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lands_and_fails_is_paid_from_a_budget() {
    let folder = tempfile::tempdir().unwrap();
    let node = Fake::new(move |method, params| match method {
        "sendTransaction" => Say::Result(json!(signature(params))),
        "getSignatureStatuses" => {
            let err = json!({ "InstructionError": [2, { "Custom": 1 }] });
            let status = json!({ "Err": err });
            at(101, json!([{ "slot": 101, "confirmations": 1, "err": err, "status": status, "confirmationStatus": "confirmed" }]))
        }
        _ => usual(method, 0, 40),
    })
    .await;
    let fees = FeeConfig { failed_hourly: 12_000, reserve_percent: 25, ..FeeConfig::default() };
    let (dispatcher, _) = dispatcher(&[&node.url], folder.path(), fees);
    for _ in 0..2 {
        assert_eq!(perform(&dispatcher, 50_000).await.outcome.word(), "refused");
    }
    assert_eq!((node.count("sendTransaction"), dispatcher.purse().failing_left(Need::Safety)), (2, 2_000));
    assert_eq!(perform(&dispatcher, 50_000).await.outcome, Outcome::Unprofitable, "used up for this hour");
    assert_eq!(node.count("sendTransaction"), 2);
}

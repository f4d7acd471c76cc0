//! A confirmed slot that goes back: what was heard of on a fork that is gone is put right from the socket's news alone, without
//! reading everything again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anchor_lang::prelude::Pubkey;
use ballast::state::Subaccount;
use ballast_client::accounts::encode;
use ballast_client::decode;
use ballast_keeper::config::Config;
use ballast_keeper::keeper::Keeper;
use ballast_keeper::metrics::Metrics;
use ballast_tests::{Setup, Terms, units};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use solana_keypair::Keypair;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;

use crate::support::fake::{Fake, Say, at};

/// What the node holds.
struct Chain {
    slot: u64,
    unix: i64,
    accounts: BTreeMap<Pubkey, (Pubkey, u64, Vec<u8>)>,
}

impl Chain {
    fn of(setup: &Setup) -> Self {
        let mut accounts = BTreeMap::new();
        for program in [ballast::ID, price_feed::ID] {
            for (key, account) in setup.world.svm.get_program_accounts(&program) {
                accounts.insert(key, (account.owner, account.lamports, account.data));
            }
        }
        let now = setup.world.now();
        Self { slot: now.slot, unix: now.unix, accounts }
    }

    fn show(&self, key: &Pubkey) -> Value {
        let clock = solana_sysvar_clock(self.slot, self.unix);
        let (owner, lamports, data) = match self.accounts.get(key) {
            Some((owner, lamports, data)) => (*owner, *lamports, data),
            None if key.to_string() == "SysvarC1ock11111111111111111111111111111111" => (Pubkey::default(), 1, &clock),
            None => return Value::Null,
        };
        json!({
            "lamports": lamports, "owner": owner.to_string(), "data": [BASE64_STANDARD.encode(data), "base64"],
            "executable": false, "rentEpoch": 0, "space": data.len()
        })
    }

    fn answer(&self, method: &str, params: &Value) -> Say {
        let key = |value: &Value| value.as_str().unwrap().parse::<Pubkey>().unwrap();
        match method {
            "getMultipleAccounts" => {
                let keys = params[0].as_array().unwrap().iter().map(|value| self.show(&key(value)));
                at(self.slot, Value::Array(keys.collect()))
            }
            "getProgramAccounts" => {
                let program = key(&params[0]);
                let filters = params[1]["filters"].as_array().cloned().unwrap_or_default();
                let passes = |data: &[u8]| {
                    filters.iter().all(|filter| {
                        let filter = &filter["memcmp"];
                        let from = usize::try_from(filter["offset"].as_u64().unwrap()).unwrap();
                        let bytes = bs58::decode(filter["bytes"].as_str().unwrap()).into_vec().unwrap();
                        data.get(from..from + bytes.len()) == Some(&bytes[..])
                    })
                };
                let own = self.accounts.iter().filter(|(_, (owner, _, data))| *owner == program && passes(data));
                let found = own.map(|(key, _)| json!({ "pubkey": key.to_string(), "account": self.show(key) }));
                at(self.slot, Value::Array(found.collect()))
            }
            "getLatestBlockhash" => at(
                self.slot,
                json!({ "blockhash": "11111111111111111111111111111112", "lastValidBlockHeight": self.slot + 100 }),
            ),
            "simulateTransaction" => at(self.slot, json!({ "err": null, "logs": [], "unitsConsumed": 9_000 })),
            "getRecentPrioritizationFees" => Say::Result(json!([])),
            _ => Say::Error(-32_601, "no such method"),
        }
    }
}

/// The clock's bytes.
fn solana_sysvar_clock(slot: u64, unix: i64) -> Vec<u8> {
    [slot.to_le_bytes(), [0; 8], [0; 8], [0; 8], unix.to_le_bytes()].concat()
}

/// A socket that confirms every subscription and then passes on what it is given.
async fn socket(news: broadcast::Sender<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut news = news.subscribe();
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                loop {
                    tokio::select! {
                        heard = socket.next() => {
                            let Some(Ok(Message::Text(text))) = heard else { return };
                            let request: Value = serde_json::from_str(&text).unwrap();
                            let reply = json!({ "jsonrpc": "2.0", "result": request["id"], "id": request["id"] });
                            socket.send(Message::text(reply.to_string())).await.unwrap();
                        }
                        said = news.recv() => socket.send(Message::text(said.unwrap())).await.unwrap(),
                    }
                }
            });
        }
    });
    url
}

fn slot_news(slot: u64) -> String {
    let result = json!({ "slot": slot, "parent": slot - 1, "root": slot - 32 });
    json!({ "jsonrpc": "2.0", "method": "slotNotification", "params": { "result": result, "subscription": 1 } })
        .to_string()
}

async fn until(metrics: &Metrics, line: &str) {
    for _ in 0..200 {
        if metrics.text().lines().any(|known| known == line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not {line:?} within ten seconds:\n{}", metrics.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_a_fork_that_is_gone_is_put_right_by_what_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (setup, alice) = tokio::task::block_in_place(|| {
        let mut setup = Setup::with(&Terms::still());
        let alice = setup.trader("alice", units(10_000));
        setup.open(&alice, 0, i64::try_from(units(50_000)).unwrap());
        setup.tick(1);
        (setup, alice.subaccount)
    });
    let chain = Arc::new(Mutex::new(Chain::of(&setup)));
    let first = chain.lock().unwrap().slot;
    let shared = chain.clone();
    let node = Fake::new(move |method, params| shared.lock().unwrap().answer(method, params)).await;
    let (news, _) = broadcast::channel(64);
    let mut config = Config::default();
    config.chain.rpc = vec![node.url.clone()];
    config.chain.websocket = vec![socket(news.clone()).await];
    config.chain.collateral = Some(setup.mint.to_string());
    config.ledger.path = folder.path().join("ledger.sqlite");
    (config.timing.reconcile_seconds, config.timing.poll_seconds, config.timing.silence_seconds) = (3_600, 3_600, 60);
    let keeper = Keeper::start(config, Keypair::new(), true).await.unwrap();
    let metrics = keeper.metrics();

    let healthy = chain.lock().unwrap().accounts[&alice].clone();
    let account_news = |slot: u64, data: &[u8]| {
        let account = json!({
            "lamports": healthy.1, "owner": healthy.0.to_string(), "data": [BASE64_STANDARD.encode(data), "base64"],
            "executable": false, "rentEpoch": 0, "space": data.len()
        });
        let value = json!({ "pubkey": alice.to_string(), "account": account });
        let result = json!({ "context": { "slot": slot }, "value": value });
        json!({ "jsonrpc": "2.0", "method": "programNotification", "params": { "result": result, "subscription": 2 } })
            .to_string()
    };
    let play = async {
        until(&metrics, "ballast_keeper_socket_up 1").await;
        until(&metrics, "ballast_keeper_accounts_unhealthy 0").await;
        // Five slots on, on a fork: alice has taken nearly everything out.
        let mut poor = decode::<Subaccount>(&healthy.2).unwrap();
        (poor.state.collateral.0, poor.state.sequence) = (units(1), poor.state.sequence + 1);
        news.send(slot_news(first + 5)).unwrap();
        news.send(account_news(first + 5, &encode(&*poor))).unwrap();
        until(&metrics, "ballast_keeper_accounts_unhealthy 1").await;
        // The fork is gone: the chain stands four slots on, and she never did. Nothing tells of it but a slot that went back.
        chain.lock().unwrap().slot = first + 4;
        news.send(slot_news(first + 4)).unwrap();
        news.send(account_news(first + 4, &healthy.2)).unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let reads = node.count("getProgramAccounts");
        chain.lock().unwrap().slot = first + 6;
        news.send(slot_news(first + 6)).unwrap();
        until(&metrics, "ballast_keeper_accounts_unhealthy 0").await;
        assert_eq!(node.count("getProgramAccounts"), reads, "without reading everything again");
    };
    tokio::select! {
        ended = keeper.run(std::future::pending()) => panic!("{ended:?}"),
        () = play => {}
    }
}

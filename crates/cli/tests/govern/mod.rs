//! `ballast govern`: every subcommand, on a validator whose clock is moved.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer as _;

use super::Net;

const GOVERNANCE: [&str; 2] = ["--local-role", "governance"];
const COMMITTEE: [&str; 2] = ["--local-role", "committee"];
const GUARDIAN: [&str; 2] = ["--local-role", "guardian"];
const UPGRADE: [&str; 2] = ["--local-role", "upgrade"];

fn with<'a>(args: &[&'a str], role: [&'a str; 2]) -> Vec<&'a str> {
    [&["govern"], args, &role].concat()
}

fn deployed(file: &str) -> PathBuf {
    let dir = std::env::var("BALLAST_SBF_DIR").map(PathBuf::from);
    dir.unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/deploy")).join(file)
}

impl Net {
    /// The validator's own answer.
    fn rpc(&self, method: &str, params: Value) -> Value {
        let place = self.url.trim_start_matches("http://");
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let mut stream = TcpStream::connect(place).expect("the validator answers");
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {place}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let value: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{method}: {e}: {body}"));
        assert!(value["error"].is_null(), "{method}: {value}");
        value["result"].clone()
    }

    /// Moves the validator's clock.
    fn travel(&self, unix: i64) {
        self.rpc("surfnet_timeTravel", json!([{ "absoluteTimestamp": unix * 1_000 }]));
    }

    /// A line of `govern list --all`.
    fn proposal(&self, id: u64) -> Value {
        let all = self.json(&["govern", "list", "--all"]);
        let found = all.as_array().expect("a list").iter().find(|line| line["id"] == id);
        found.unwrap_or_else(|| panic!("no proposal {id} in {all}")).clone()
    }

    #[track_caller]
    fn queued(&self, args: &[&str], role: [&str; 2]) -> u64 {
        self.json(&with(args, role))["id"].as_u64().expect("a number")
    }

    fn ripe(&self, id: u64) {
        self.travel(self.proposal(id)["ready_at"].as_i64().expect("a time") + 1);
    }

    fn parameter(&self, name: &str) -> u64 {
        self.json(&["market", "show", "0"])["parameters"][name].as_u64().expect("a number")
    }

    fn next_proposal(&self) -> u64 {
        let all = self.json(&["govern", "list", "--all"]);
        all.as_array().expect("a list").iter().map(|line| line["id"].as_u64().expect("a number") + 1).max().unwrap_or(0)
    }

    /// The wallet's address.
    fn address(&self) -> String {
        let bytes: Vec<u8> = serde_json::from_slice(&std::fs::read(self.wallet()).expect("a wallet")).expect("bytes");
        Keypair::try_from(&bytes[..]).expect("a key").pubkey().to_string()
    }

    /// Another mint, and a token account of it: copies of the collateral's.
    fn second_mint(&self) -> (String, String) {
        let account = |key: &str| {
            let found = self.rpc("getAccountInfo", json!([key, { "encoding": "base64" }]));
            let data = found["value"]["data"][0].as_str().expect("data").to_owned();
            (
                base64::Engine::decode(&base64::prelude::BASE64_STANDARD, data).expect("base64"),
                found["value"]["owner"].clone(),
            )
        };
        let put = |key: &str, data: &[u8], owner: &Value| {
            let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            self.rpc("surfnet_setAccount", json!([key, { "lamports": 10_000_000, "data": hex, "owner": owner }]));
        };
        let (mint, fees) = (Keypair::new().pubkey(), Keypair::new().pubkey());
        let (data, owner) = account(self.ready["collateral"].as_str().expect("an address"));
        put(&mint.to_string(), &data, &owner);
        let (mut data, owner) = account(self.ready["vault"].as_str().expect("an address"));
        data[..32].copy_from_slice(&mint.to_bytes());
        data[32..64].copy_from_slice(&Keypair::new().pubkey().to_bytes());
        data[64..72].fill(0);
        put(&fees.to_string(), &data, &owner);
        (mint.to_string(), fees.to_string())
    }
}

#[test]
fn every_command_of_govern_works_on_a_local_validator() {
    let net = Net::start();
    let wallet = net.wallet().display().to_string();
    net.says(&["faucet", "100", "--new-wallet", &wallet]);
    prints(&net);
    changes(&net);
    ends(&net);
    upgrades(&net);
    guards(&net);
    seats(&net);
    assert_eq!(net.json(&["audit"])["difference"], 0);
    charters(&net);
}

/// `--dry-run` prints every kind and sends none.
fn prints(net: &Net) {
    let key = Keypair::new().pubkey().to_string();
    let feed = "0a".repeat(32);
    let next = net.next_proposal();
    let asks: [&[&str]; 9] = [
        &["queue", "taker_fee", "510", "--market", "0"],
        &["batch", "taker_fee=510", "mending_fee=210", "--market", "0"],
        &["propose", "parameter", "outflow_hourly", "11000"],
        &["propose", "role", "committee", &key],
        &["propose", "oracle", &feed, "--market", "1"],
        &["propose", "wind-down", "--market", "1"],
        &["propose", "fee-destination", &key],
        &["propose", "oracle-program", "1", &key],
        &["propose", "insurance", "5", &key, "--market", "0"],
    ];
    for ask in asks {
        let dry = net.json(&[&["govern"], ask, &["--dry-run"]].concat());
        assert_eq!(dry["proposer"], net.ready["governance"], "{ask:?}");
        assert_eq!(dry["proposal"], next, "{ask:?}");
        let bytes = |name: &str| dry[name].as_str().expect("text").to_owned();
        let base64 = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, bytes("message_base64"));
        assert_eq!(base64.expect("base64"), bs58::decode(bytes("message_base58")).into_vec().expect("base58"));
        let text = net.says(&[&["govern"], ask, &["--dry-run", "--proposer", &key]].concat());
        assert!(text.contains("nothing was sent") && text.contains(&key), "{text}");
    }
    assert_eq!(net.next_proposal(), next);
    net.refused(&["govern", "queue", "taker_fees", "1", "--market", "0", "--dry-run"], &["no parameter", "taker_fee"]);
    net.refused(&["govern", "queue", "taker_fee", "1", "--dry-run"], &["--market"]);
}

/// Queued, explained, executed by anybody, and its rent given back.
fn changes(net: &Net) {
    let (taker, mending) = (net.parameter("taker_fee") + 10, net.parameter("mending_fee") + 10);
    let pairs = [format!("taker_fee={taker}"), format!("mending_fee={mending}")];
    let rationale = "ab".repeat(32);
    let id = net.queued(&["batch", &pairs[0], &pairs[1], "--market", "0", "--rationale", &rationale], COMMITTEE);
    let number = id.to_string();
    let explained = net.json(&["govern", "explain", &number]);
    assert_eq!((explained["class"].as_str(), explained["role"].as_str()), (Some("G1"), Some("committee")));
    assert_eq!(
        (&explained["changes"][0]["new_value"], &explained["rationale"]),
        (&taker.into(), &rationale.clone().into())
    );
    let text = net.says(&["govern", "explain", &number]);
    for word in ["tune: 48 hours", "taker_fee", "mending_fee", "may be vetoed by", &rationale] {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
    net.refused(&with(&["execute", &number], GOVERNANCE), &["ProposalNotReady"]);
    net.refused(&with(&["close", &number], GOVERNANCE), &["ProposalPending"]);
    net.refused(&with(&["queue", "maintenance_margin", "31000", "--market", "0"], COMMITTEE), &["NotProposer"]);
    net.ripe(id);
    assert_eq!(net.proposal(id)["ready"], true);
    // By anybody: the wallet has no role.
    net.says(&["govern", "execute", &number]);
    assert_eq!((net.parameter("taker_fee"), net.parameter("mending_fee")), (taker, mending));
    assert_eq!(net.proposal(id)["state"], "executed");
    assert!(net.says(&["govern", "close", &number]).contains("its rent went to"));
    net.refused(&["govern", "explain", &number], &["there is no proposal"]);
    net.refused(&["govern", "close", &number], &["there is no proposal"]);
}

/// Vetoed, expired.
fn ends(net: &Net) {
    let id = net.queued(&["propose", "parameter", "outflow_daily", "99000"], GOVERNANCE);
    let number = id.to_string();
    net.refused(&with(&["veto", &number], COMMITTEE), &["as its vetoer"]);
    net.says(&with(&["veto", &number], GUARDIAN));
    net.refused(&["govern", "execute", &number], &["ProposalClosed"]);
    let oracle = net.queued(&["propose", "oracle", &"0b".repeat(32), "--market", "1"], GOVERNANCE);
    // Its market is told, by either end.
    net.says(&with(&["veto", &oracle.to_string()], GUARDIAN));
    let id =
        net.queued(&["queue", "taker_fee", &(net.parameter("taker_fee") + 5).to_string(), "--market", "0"], GOVERNANCE);
    let number = id.to_string();
    net.refused(&["govern", "expire", &number], &["ProposalNotExpired"]);
    net.travel(net.proposal(id)["dead_at"].as_i64().expect("a time") + 1);
    assert!(net.says(&["govern", "list"]).contains("expired, not closed"));
    net.refused(&["govern", "execute", &number], &["ProposalExpired"]);
    net.says(&["govern", "expire", &number]);
    assert_eq!(net.proposal(id)["state"], "expired");
}

/// The program's own timelock, as far as the delay.
fn upgrades(net: &Net) {
    let file = deployed("price_feed.so").display().to_string();
    let other = deployed("ballast.so").display().to_string();
    let status = net.json(&["govern", "upgrade", "status"]);
    assert_eq!((&status["timelock_is_in_charge"], &status["upgrades"]), (&false.into(), &0.into()));
    let hashes = net.json(&["govern", "upgrade", "hash", &other]);
    assert_eq!(status["program"], hashes, "the program is not its file");
    net.refused(&with(&["upgrade", "hand-over"], UPGRADE), &["--for-good"]);
    net.refused(&with(&["upgrade", "hand-over", "--for-good"], GOVERNANCE), &["NotUpgradeAuthority"]);
    net.says(&with(&["upgrade", "hand-over", "--for-good"], UPGRADE));
    assert!(net.says(&["govern", "upgrade", "status"]).contains("this exchange's proposals alone"));

    let written = net.json(&with(&["upgrade", "write", &file], GOVERNANCE));
    let buffer = written["buffer"].as_str().expect("an address").to_owned();
    net.refused(&with(&["upgrade", "propose", &buffer, "--file", &other], GOVERNANCE), &["does not hold the file"]);
    let dry = net.json(&["govern", "upgrade", "propose", &buffer, "--file", &file, "--dry-run"]);
    assert_eq!(dry["proposer"], net.ready["governance"]);
    net.refused(&["govern", "upgrade", "verify", &buffer], &["no upgrade is proposed"]);
    let proposed = net.json(&with(&["upgrade", "propose", &buffer, "--file", &file], GOVERNANCE));
    assert!(proposed["what"].as_str().is_some_and(|what| what.contains("its buffer is verified")), "{proposed}");
    let line = &net.json(&["govern", "upgrade", "status"])["proposed"][0];
    assert_eq!((&line["digest"], &line["there"]["sha256"]), (&written["digest"], &written["sha256"]), "{line}");
    assert_eq!((&line["verified"], &line["matches"]), (&true.into(), &true.into()));
    let (id, number) = (line["proposal"].as_u64().expect("a number"), line["proposal"].to_string());
    let text = net.says(&["govern", "explain", &number]);
    for name in ["digest", "sha256"] {
        assert!(text.contains(written[name].as_str().expect("text")), "{text}");
    }
    assert!(text.contains("verified on chain"), "{text}");
    net.says(&["govern", "upgrade", "verify", &buffer]);
    net.refused(&["govern", "upgrade", "execute", &buffer], &["ProposalNotReady"]);
    net.refused(&["govern", "execute", &number], &["upgrade execute"]);
    net.refused(&["govern", "upgrade", "close", &buffer], &["ProposalPending"]);
    net.says(&with(&["veto", &number], GUARDIAN));
    net.refused(&["govern", "close", &number], &["upgrade close"]);
    net.says(&["govern", "upgrade", "close", &buffer]);
    net.refused(&["govern", "upgrade", "close", &buffer], &["no upgrade is proposed"]);
    assert!(net.json(&["govern", "list", "--all"]).as_array().expect("a list").iter().all(|line| line["id"] != id));
    net.says(&["govern", "upgrade", "extend", "10240"]);
    assert!(net.json(&["govern", "upgrade", "status"])["room"].as_u64() > hashes["length"].as_u64());
}

/// What the guardian does at once, and how long it lasts.
fn guards(net: &Net) {
    let cap = net.parameter("open_interest_cap") / 1_000_000 - 1;
    net.refused(&with(&["pause", "12h"], GOVERNANCE), &["NotGuardian"]);
    net.refused(&with(&["pause", "13h"], GUARDIAN), &["PauseBitsInvalid"]);
    net.refused(&with(&["protect", "--market", "0"], GUARDIAN), &["--reduce-only"]);
    net.refused(&with(&["protect", "--market", "9", "--reduce-only", "1h"], GUARDIAN), &["there is no market 9"]);
    let both = ["protect", "--market", "0", "--reduce-only", "90m", "--cap", &cap.to_string(), "--cap-for", "3d"];
    let done = net.says(&with(&both, GUARDIAN));
    assert!(done.contains("no increases until") && done.contains("cap "), "{done}");
    net.refused(&with(&["protect", "--market", "0", "--reduce-only", "4d"], GUARDIAN), &["Pause"]);
    assert!(net.says(&with(&["pause", "12h"], GUARDIAN)).contains("held back until"));
    let until = net.json(&["roles"])["emergency_until"].as_i64().expect("a time");
    net.refused(&with(&["pause", "1h"], GUARDIAN), &["PauseNotArmed"]);
    net.travel(until + 1);
}

/// The committee dismissed and appointed, governance offered, taken back, and accepted by the wallet.
fn seats(net: &Net) {
    net.refused(&with(&["dismiss"], GUARDIAN), &["NotGovernance"]);
    net.says(&with(&["dismiss"], GOVERNANCE));
    assert!(net.json(&["roles"])["committee"].is_null());
    let committee = Keypair::new().pubkey().to_string();
    let id = net.queued(&["propose", "role", "committee", &committee], GOVERNANCE);
    net.ripe(id);
    net.says(&["govern", "execute", &id.to_string()]);
    assert_eq!(net.json(&["roles"])["committee"], committee);

    let wallet = net.address();
    for accepts in [false, true] {
        let id = net.queued(&["propose", "role", "governance", &wallet], GOVERNANCE);
        net.refused(&["govern", "accept"], &["NotGovernance"]);
        net.ripe(id);
        net.says(&["govern", "execute", &id.to_string()]);
        assert_eq!(net.json(&["roles"])["offered_to"], wallet);
        if accepts {
            assert!(net.says(&["govern", "accept"]).contains("governs"));
        } else {
            assert!(net.says(&with(&["accept"], GOVERNANCE)).contains("taken back"));
        }
    }
    let roles = net.json(&["roles"]);
    assert_eq!((&roles["governance"], &roles["offered_to"]), (&wallet.clone().into(), &Value::Null));
    net.refused(&with(&["queue", "taker_fee", "600", "--market", "0"], GOVERNANCE), &["neither governance"]);
}

/// The exchange of another mint, from the proposal to its existence.
fn charters(net: &Net) {
    let (mint, fees) = net.second_mint();
    let [governance, guardian] = [(); 2].map(|()| Keypair::new().pubkey().to_string());
    let program = price_feed::ID.to_string();
    let ask: Vec<&str> = vec![
        "exchange",
        "propose",
        &mint,
        "--fees",
        &fees,
        "--governance",
        &governance,
        "--guardian",
        &guardian,
        "--oracle-program",
        &program,
    ];
    let dry = net.json(&[&["govern"], &ask[..], &["--dry-run"]].concat());
    assert_eq!(dry["proposer"], net.address());
    net.refused(&with(&ask, GOVERNANCE), &["neither governance"]);
    // The wallet governs by now.
    let id = net.json(&[&["govern"], &ask[..]].concat())["proposal"].as_u64().expect("a number");
    let number = id.to_string();
    assert!(net.says(&["govern", "explain", &number]).contains("exchange of another mint"));
    net.refused(&["govern", "exchange", "create", &number], &["ProposalNotReady"]);
    net.refused(&["govern", "execute", &number], &["exchange create"]);
    net.ripe(id);
    let made = net.json(&["govern", "exchange", "create", &number]);
    let mint_of = ["--mint", net.ready["collateral"].as_str().expect("an address")];
    net.refused(&[&["govern", "exchange", "create", &number], &mint_of[..]].concat(), &["has ended"]);
    let roles = net.json(&["roles", "--mint", &mint]);
    assert_eq!((&roles["exchange"], &roles["governance"]), (&made["exchange"], &governance.clone().into()));
    // There are two exchanges now: which one is meant has to be said.
    net.refused(&["roles"], &["there are 2 exchanges", "--mint"]);
    net.says(&[&["govern", "close", &number], &mint_of[..]].concat());
}

//! The command line as a newcomer types it: `ballast localnet` in one process, every other command in its own.
#![allow(missing_docs, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const BALLAST: &str = env!("CARGO_BIN_EXE_ballast");

struct Net {
    child: Child,
    url: String,
    ready: Value,
    dir: tempfile::TempDir,
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free, and the one after it, which the websocket takes.
fn port() -> u16 {
    loop {
        let first = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = first.local_addr().expect("an address").port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

impl Net {
    fn start() -> Self {
        let port = port();
        let mut child = Command::new(BALLAST)
            .args(["localnet", "--json", "--port", &port.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut text = String::new();
        // What it says when it is ready is one JSON object.
        for line in lines.by_ref() {
            let line = line.expect("text");
            text += &line;
            if line == "}" {
                break;
            }
        }
        let ready = serde_json::from_str(&text).unwrap_or_else(|e| panic!("not ready ({e}): {text}"));
        // Nothing more is expected; but a full pipe must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        let dir = tempfile::tempdir().expect("a folder");
        Self { child, url: format!("http://127.0.0.1:{port}"), ready, dir }
    }

    fn wallet(&self) -> PathBuf {
        self.dir.path().join("wallet.json")
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(BALLAST);
        command.args(args).arg("--url").arg(&self.url).env_remove("BALLAST_MINT");
        if self.wallet().exists() {
            command.arg("--keypair").arg(self.wallet());
        }
        command.output().expect("the command runs")
    }

    /// What a command says to a person.
    #[track_caller]
    fn says(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// What it says to a machine.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let text = self.says(&[args, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}: {text}"))
    }

    /// Why it was refused: for the right reason, in words that say what to do.
    #[track_caller]
    fn refused(&self, args: &[&str], wanted: &[&str]) {
        let output = self.run(args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {text}");
        for wanted in wanted {
            assert!(text.contains(wanted), "{args:?}: {wanted:?} is not in {text}");
        }
        let json = self.run(&[args, &["--json"]].concat()).stderr;
        let json: Value = serde_json::from_slice(&json).expect("an error is JSON too");
        assert!(json["error"].as_str().is_some_and(|error| error.contains(wanted[0])), "{json}");
    }
}

#[test]
fn every_command_of_the_readme_works_on_a_local_validator() {
    let net = Net::start();
    let wallet = net.wallet().display().to_string();
    net.says(&["faucet", "10000", "--new-wallet", &wallet]);
    trades(&net);
    provides_liquidity(&net);
    insures(&net);
    governs(&net);
    // All that was done, and every token is accounted for.
    let audit = net.json(&["audit"]);
    assert_eq!(audit["difference"], 0, "{audit}");
}

fn trades(net: &Net) {
    net.refused(&["deposit", "1000"], &["no subaccount 0", "ballast account open"]);
    net.says(&["account", "open"]);
    net.refused(&["account", "open"], &["open already", "--id"]);
    net.says(&["deposit", "1000"]);
    let filled = net.json(&["trade", "--market", "0", "buy", "0.05", "--wait"]);
    assert!(filled["fill"]["price"].as_u64().is_some_and(|price| price > 0), "{filled}");
    let accounts = net.json(&["account", "show"]);
    assert_eq!(accounts[0]["positions"][0]["size"], filled["fill"]["position"], "{accounts}");
    assert!(accounts[0]["positions"][0]["liquidation_price"].as_u64().is_some(), "{accounts}");
    assert!(net.says(&["account", "show"]).contains("liquidation at"));
    assert!(net.says(&["market", "list"]).contains("insurance"));
    assert!(net.says(&["market", "show", "0"]).contains("maintenance_margin"));
    net.refused(&["deposit", "1000000"], &["deposit less", "ballast faucet"]);
    net.refused(&["trade", "--market", "7", "buy", "1"], &["there is no market 7"]);
    net.refused(&["withdraw", "999999"], &["InsufficientCollateral", "lower the amount"]);
}

fn provides_liquidity(net: &Net) {
    net.refused(&["liquidity", "execute", "--market", "0"], &["no ticket", "liquidity status"]);
    let filed = net.json(&["liquidity", "deposit", "500", "--market", "0", "--wait"]);
    let shares = filed["executed"]["shares"].as_u64().expect("executed");
    assert!(shares > 0 && filed["executed"]["amount"] == 500_000_000, "{filed}");
    let status = net.json(&["liquidity", "status"]);
    assert_eq!(status[0]["shares"], shares, "{status}");
    assert!(status[0]["worth"].as_u64().is_some_and(|worth| worth > 490_000_000 && worth <= 500_000_000), "{status}");
    // Without --wait it stays filed until anyone executes it.
    net.says(&["liquidity", "deposit", "100", "--market", "1"]);
    assert!(net.json(&["liquidity", "status"])[1]["deposit"]["amount"] == 100_000_000);
    net.refused(&["liquidity", "deposit", "100", "--market", "1"], &["waits in market 1 already", "execute"]);
    let executed = (0..40).find(|_| {
        std::thread::sleep(std::time::Duration::from_millis(500));
        net.run(&["liquidity", "execute", "--market", "1"]).status.success()
    });
    assert!(executed.is_some());
    net.refused(&["liquidity", "exit", "501", "--market", "0"], &["shares of market 0", "liquidity status"]);
    assert!(net.says(&["liquidity", "exit", "all", "--market", "0"]).contains("liquidity execute --market 0"));
    let status = net.json(&["liquidity", "status"]);
    assert_eq!((&status[0]["shares"], &status[0]["exit"]["amount"]), (&0.into(), &shares.into()), "{status}");
    assert_eq!(status[0]["exit"]["state"], "waits");
    assert!(net.says(&["liquidity", "status"]).contains(", in "));
    net.refused(&["liquidity", "execute", "--market", "0"], &["TicketNotRipe", "wait"]);
}

fn insures(net: &Net) {
    let before = net.json(&["market", "show", "1"])["pool"]["insurance"].as_u64().expect("a number");
    let given = net.json(&["insurance", "20", "--market", "1"]);
    assert!(given["insurance"].as_u64().is_some_and(|after| after >= before + 20_000_000), "{given}");
    let shared = net.json(&["insurance", "5"]);
    assert!(shared["insurance"].as_u64().is_some_and(|after| after >= 5_000_000), "{shared}");
    net.refused(&["insurance", "1", "--market", "9"], &["there is no market 9"]);
    net.refused(&["insurance", "1000000"], &["give less"]);
}

fn governs(net: &Net) {
    let roles = net.json(&["roles"]);
    for role in ["governance", "committee", "guardian"] {
        assert_eq!(roles[role], net.ready[role], "{roles}");
    }
    assert!(net.says(&["roles"]).contains("vetoes"));
    assert!(net.says(&["govern", "list"]).contains("no proposal is pending"));
    let fee = net.json(&["market", "show", "0"])["parameters"]["taker_fee"].as_u64().expect("a number");
    let (fee, governance) = ((fee + 10).to_string(), ["--local-role", "governance"]);
    let queued = net.json(&[&["govern", "queue", "taker_fee", &fee, "--market", "0"][..], &governance].concat());
    let id = queued["id"].as_u64().expect("a number").to_string();
    assert!(net.says(&["govern", "list"]).contains("taker_fee"));
    net.refused(&[&["govern", "execute", &id][..], &governance].concat(), &["ProposalNotReady"]);
    net.says(&["govern", "veto", &id, "--local-role", "guardian"]);
    assert!(net.says(&["govern", "list", "--all"]).contains("vetoed"));
}

//! The command line as a newcomer types it: `ballast localnet` in one process, every other command in its own.
#![allow(missing_docs, reason = "a test")]

mod govern;
mod orders;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use solana_pubkey::Pubkey;

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

    /// The wallet's key.
    fn owner(&self) -> String {
        use solana_signer::Signer;
        solana_keypair::read_keypair_file(self.wallet()).expect("a key").pubkey().to_string()
    }

    fn exchange(&self) -> Pubkey {
        self.ready["exchange"].as_str().and_then(|key| key.parse().ok()).expect("an exchange")
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(BALLAST);
        command.args(args).arg("--url").arg(&self.url).env_remove("BALLAST_MINT");
        if self.wallet().exists() && !args.contains(&"--keypair") {
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
    pays_nothing_without_sol(&net);
    net.says(&["faucet", "10000", "--new-wallet", &wallet]);
    orders::lamports_are_no_account(&net);
    trades(&net);
    orders::wait_for_prices(&net);
    binds(&net);
    orders::act_for_another(&net);
    provides_liquidity(&net);
    insures(&net);
    governs(&net);
    waits(&net);
    leaves(&net);
    // All that was done, and every token is accounted for.
    let audit = net.json(&["audit"]);
    assert_eq!(audit["difference"], 0, "{audit}");
}

/// What cannot work says so at once, and leaves nothing behind.
fn pays_nothing_without_sol(net: &Net) {
    let begun = std::time::Instant::now();
    let wallet = net.wallet().display().to_string();
    let nowhere = Command::new(BALLAST)
        .args(["faucet", "--url", "http://127.0.0.1:1", "--new-wallet", &wallet])
        .output()
        .expect("it runs");
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("does not answer"));
    assert!(!net.wallet().exists(), "a wallet was written for nothing");
    let poor = net.dir.path().join("poor.json");
    solana_keypair::write_keypair_file(&solana_keypair::Keypair::new(), &poor).expect("written");
    net.refused(&["account", "open", "--keypair", &poor.display().to_string()], &["has no SOL", "ballast faucet"]);
    let (port, taken) = (net.url.rsplit(':').next().expect("a port"), "cannot be used");
    net.refused(&["localnet", "--port", port], &[taken, "--port"]);
    assert_eq!(net.run(&["govern", "list", "--local-role", "wizard"]).status.code(), Some(2));
    assert!(begun.elapsed().as_secs() < 30, "it waited for what cannot come");
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
    net.refused(&["withdraw", "999999"], &["InsufficientCollateral", "lower the amount", "999,999.000000"]);
    // What cannot fill is not placed.
    net.refused(&["trade", "--market", "0", "buy", "5"], &["InitialMargin", "nothing was sent", "--anyway"]);
    let placed = net.json(&["trade", "--market", "0", "buy", "5", "--anyway"]);
    assert!(placed.get("fill").is_none(), "{placed}");
    assert_eq!(net.json(&["account", "show"])[0]["open_orders"][0]["size"], 500_000_000);
    assert!(net.says(&["account", "show"]).contains("put aside"), "a table of orders");
    net.refused(&["fill", "1"], &["InitialMargin"]);
    // A reduction that asks for more than there is says what was filled.
    net.says(&["trade", "--market", "0", "buy", "0.01"]);
    assert!(net.says(&["fill", "2"]).contains("0.01 filled"));
    let sold = net.json(&["trade", "--market", "0", "sell", "5", "--reduce-only", "--wait"]);
    assert_eq!((&sold["fill"]["size"], &sold["fill"]["position"]), (&(-6_000_000).into(), &0.into()), "{sold}");
    // What is filled already is told again.
    let again = net.json(&["fill", "2"]);
    assert_eq!((&again["size"], &again["by_another"]), (&1_000_000.into(), &true.into()), "{again}");
    assert!(net.says(&["fill", "2"]).starts_with("filled already: 0.01 filled"));
    net.refused(&["fill", "999"], &["never was"]);
    net.says(&["trade", "--market", "0", "buy", "0.05", "--wait"]);
    assert!(net.says(&["account", "settle", "--market", "0"]).contains("settled"));
    goes_at_once(net);
    orders::another_is_quicker(net);
    let left = net.says(&["withdraw", "100"]);
    assert!(left.contains("margin used") && left.contains(", liquidation "), "{left}");
    net.says(&["deposit", "100"]);
}

/// Out without waiting for a price, and without turning around.
fn goes_at_once(net: &Net) {
    net.refused(&["reduce", "--market", "1"], &["no position in market 1"]);
    net.refused(&["reduce", "0.01", "--market", "0", "--worst", "100000"], &["SlippageExceeded"]);
    let reduced = net.json(&["reduce", "0.02", "--market", "0"]);
    assert_eq!((&reduced["size"], &reduced["position"]), (&(-2_000_000).into(), &3_000_000.into()), "{reduced}");
    let price = net.json(&["market", "show", "0"])["price"].as_u64().expect("a price");
    assert!(reduced["mark"].as_u64().expect("a price") <= price * 999 / 1_000, "{reduced} {price}");
    assert!(net.says(&["reduce", "--market", "0"]).contains("position now 0"));
    net.refused(&["trade", "sell", "all", "--market", "0"], &["--reduce-only"]);
    net.refused(&["trade", "sell", "all", "--market", "0", "--reduce-only"], &["no position that this would reduce"]);
    net.says(&["trade", "--market", "0", "buy", "0.05", "--wait"]);
}

fn binds(net: &Net) {
    for what in ["show", "execute", "trip", "close"] {
        net.refused(&["covenant", what], &["has no covenant here", "ballast covenant set"]);
    }
    net.refused(&["covenant", "set", "--cool-down", "5"], &["is no time", "12h or 3d"]);
    net.says(&["covenant", "set", "--max-leverage", "8", "--daily-loss", "10%", "--drawdown", "500"]);
    let shown = net.json(&["covenant", "show"]);
    assert_eq!(shown["limits"]["max_leverage"], 8_000_000, "{shown}");
    assert_eq!(shown["limits"]["drawdown"], 500_000_000, "{shown}");
    assert_eq!(shown["positions"], 1, "enrolled with it: {shown}");
    let a_tenth = shown["limits"]["daily_loss"].as_u64().expect("an amount");
    assert!((80_000_000..120_000_000).contains(&a_tenth), "of about a thousand: {shown}");
    net.refused(&["covenant", "set", "--max-leverage", "9"], &["would loosen the covenant", "8.00 times → 9.00 times"]);
    net.refused(&["covenant", "set"], &["nothing to change"]);
    net.refused(&["covenant", "loosen"], &["nothing to change"]);
    assert!(net.says(&["covenant", "set", "--max-leverage", "7"]).contains("bound: leverage 7.00 times"));
    assert!(net.says(&["account", "show"]).contains("covenant: leverage 7.00 times"));
    // What it forbids is foreseen.
    let price = net.json(&["market", "show", "0"])["price"].as_f64().expect("a price") / 1e7;
    let much = format!("{:.4}", 8_000.0 / price);
    net.refused(&["trade", "buy", &much, "--market", "0"], &["CovenantLeverage", "nothing was sent"]);
    net.refused(&["order", "place", "buy", &much, "--market", "0"], &["CovenantLeverage", "nothing was sent"]);
    net.says(&["covenant", "touch"]);
    net.refused(&["covenant", "trip"], &["CovenantNotBreached"]);
    net.refused(&["covenant", "execute"], &["CovenantNoRequest"]);
    assert!(net.says(&["covenant", "loosen", "--none"]).contains("asked for: no limits"));
    net.refused(&["covenant", "execute"], &["CovenantNotReady"]);
    net.refused(&["covenant", "close"], &["CovenantInForce"]);

    let desk = "11111111111111111111111111111112";
    net.refused(&["delegate", "set", desk], &["say what it may do"]);
    net.says(&["delegate", "set", desk, "--trade", "--orders", "--fees", "2.5", "--days", "7"]);
    let shown = net.json(&["account", "show"]);
    assert_eq!(shown[0]["delegate"]["key"], desk, "{shown}");
    assert_eq!(shown[0]["delegate"]["fees_left"], 2_500_000, "{shown}");
    net.says(&["delegate", "revoke"]);
    assert!(net.json(&["account", "show"])[0]["delegate"].is_null());
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
    let (governance, guardian) = (["--local-role", "governance"], ["--local-role", "guardian"]);
    let queue = |value: &str, by: &[&str]| {
        net.run(&[&["govern", "queue", "taker_fee", value, "--market", "0", "--json"], by].concat())
    };
    net.refused(&["govern", "queue", "taker_fee", "600", "--market", "0"], &["neither governance nor the committee"]);
    net.refused(&["govern", "queue", "taker_fee", "0.06", "--market", "0", "--local-role", "governance"], &["0.06%"]);
    let first = queue("0.06%", &governance);
    let second = queue("610", &["--local-role", "committee"]);
    let id = |output: &Output| -> String {
        let queued: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        queued["id"].as_u64().expect("a number").to_string()
    };
    let (first, second) = (id(&first), id(&second));
    let list = net.says(&["govern", "list"]);
    assert!(list.contains("0.0500 % -> 0.0600 %") && list.contains("the others cannot"), "{list}");
    assert!(net.says(&["govern", "explain", &first]).contains("none given"));
    // Whoever holds a position there is told of it.
    let account = net.json(&["account", "show"]);
    let pending = account[0]["pending"].as_array().expect("a list");
    assert_eq!(pending.len(), 2, "{account}");
    assert_eq!(
        (pending[0]["id"].to_string(), &pending[0]["changes"][0]["new"]),
        (first.clone(), &600.into()),
        "{account}"
    );
    let told = net.says(&["account", "show"]);
    assert!(told.contains("taker_fee 0.0500 % -> 0.0600 %") && told.contains("% used"), "{told}");
    net.refused(&[&["govern", "execute", &first][..], &governance].concat(), &["ProposalNotReady", " UTC"]);
    net.refused(&[&["govern", "veto", &second][..], &governance].concat(), &["as its vetoer"]);
    net.says(&[&["govern", "veto", &second][..], &guardian].concat());
    assert!(net.says(&["govern", "list", "--all"]).contains("vetoed"));
    // What a multisig is to sign is tried first.
    let dry = ["--market", "0", "--dry-run"];
    let asked = net.json(&[&["govern", "propose", "parameter", "open_interest_cap", "2100000u"][..], &dry].concat());
    let what = asked["foreseen"]["what"].as_str().expect("foreseen");
    assert!(what.contains("open_interest_cap 2,000,000 -> 2,100,000"), "{asked}");
    assert_eq!(asked["foreseen"]["class"], "G2");
    net.refused(&[&["govern", "propose", "parameter", "taker_fee", "5000"][..], &dry].concat(), &["ParameterStep"]);
    // The file's own hash, and no buffer that nobody could propose.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/deploy/ballast.so");
    let (status, hashed) = (net.json(&["govern", "upgrade", "status"]), net.json(&["govern", "upgrade", "hash", file]));
    assert_eq!(status["program"], hashed);
    net.refused(&["govern", "upgrade", "write", file], &["the timelock does not hold"]);
}

/// What takes days, by the local validator's clock.
fn waits(net: &Net) {
    let list = net.json(&["govern", "list"]);
    let id = list[0]["id"].as_u64().expect("one is pending").to_string();
    let before = net.json(&["clock"])["unix"].as_i64().expect("a time");
    net.says(&["clock", "+24h"]);
    let after = net.json(&["clock"])["unix"].as_i64().expect("a time");
    assert!((86_400..86_430).contains(&(after - before)), "{before} {after}");
    // The exit of a day ago, in its half hour.
    let paid = (0..40).find(|_| {
        std::thread::sleep(std::time::Duration::from_millis(500));
        net.run(&["liquidity", "execute", "--market", "0"]).status.success()
    });
    assert!(paid.is_some());
    net.says(&["clock", "+24h"]);
    net.says(&["govern", "execute", &id]);
    assert_eq!(net.json(&["market", "show", "0"])["parameters"]["taker_fee"], 600);
    net.says(&["market", "collect-fees", "0"]);
    // Until the oracle has said something after that day, the market is silent.
    let silent = |text: &[u8]| String::from_utf8_lossy(text).contains("PriceSilent");
    while silent(&net.run(&["market", "settle", "0"]).stderr) {
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    net.refused(&["market", "settle", "0"], &["SettlementNotDue"]);
    net.refused(&["market", "deleverage", "0"], &["DeleverageTooEarly"]);
    net.refused(&["account", "exit-silent", "--market", "0"], &["PriceNotSilent"]);
}

/// All of it comes back.
fn leaves(net: &Net) {
    net.says(&["trade", "--market", "0", "sell", "all", "--reduce-only", "--wait"]);
    net.says(&["cancel", "1"]);
    net.refused(&["fill", "1"], &["not filled but cancelled", "OrderLapsed"]);
    net.says(&["withdraw", "all"]);
    assert_eq!(net.json(&["account", "show"])[0]["collateral"], 0);
    net.says(&["account", "close"]);
}

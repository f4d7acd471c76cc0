//! Orders of every kind, what is foreseen of them, and a delegate that acts for an owner.

use std::time::Duration;

use ballast_client::address;
use serde_json::Value;
use solana_pubkey::Pubkey;

use super::Net;

/// A market's price in whole units; both have eight decimals against the collateral's six.
fn price(net: &Net, market: &str) -> f64 {
    net.json(&["market", "show", market])["price"].as_f64().expect("a price") / 1e7
}

/// A share of a price, as one types it.
fn at(price: f64, share: f64) -> String {
    format!("{:.2}", price * share)
}

fn number(order: &Value) -> String {
    order["number"].as_u64().unwrap_or_else(|| panic!("{order}")).to_string()
}

fn is(line: &Value, number: &str) -> bool {
    line["id"].as_u64() == number.parse().ok()
}

/// The line of an order in the list.
#[track_caller]
fn listed(net: &Net, number: &str) -> Value {
    let list = net.json(&["order", "list"]);
    let mut lines = list.as_array().expect("a list").iter();
    lines.find(|line| is(line, number)).unwrap_or_else(|| panic!("no {number} in {list}")).clone()
}

/// The owner of the wallet, and the address of one of its subaccounts.
fn of_wallet(net: &Net, id: u16) -> (Pubkey, Pubkey) {
    let owner: Pubkey = net.owner().parse().expect("a key");
    (owner, address::subaccount(&net.exchange(), &owner, id))
}

/// Whoever knows an address that nothing was made at yet can send lamports there. Nothing is told or refused otherwise for it.
pub(crate) fn lamports_are_no_account(net: &Net) {
    let (owner, account) = of_wallet(net, 0);
    let covenant = address::covenant(&net.exchange(), &owner);
    for address in [account, covenant] {
        net.says(&["faucet", "1", "--to", &address.to_string()]);
    }
    net.refused(&["deposit", "1"], &["no subaccount 0", "ballast account open"]);
    net.refused(&["covenant", "show"], &["has no covenant here", "ballast covenant set"]);
}

/// Orders that wait for a price. The account holds 0.05 of market 0.
pub(crate) fn wait_for_prices(net: &Net) {
    let now = price(net, "0");
    let place = |side: &str, size: &str, terms: &[&str]| {
        net.json(&[&["order", "place", side, size, "--market", "0"][..], terms].concat())
    };
    let refused = |side: &str, size: &str, terms: &[&str], wanted: &[&str]| {
        net.refused(&[&["order", "place", side, size, "--market", "0"][..], terms].concat(), wanted);
    };
    // The size for a risk.
    let sized = ["order", "size", "buy", "--market", "0", "--risk", "10", "--stop"];
    let told = net.json(&[&sized[..], &[&at(now, 0.9)]].concat());
    let (size, loss) = (told["size"].as_u64().expect("a size"), told["loss_at_stop"].as_u64().expect("a loss"));
    assert!(size > 0 && loss <= 10_000_000 && loss > 9_000_000, "{told}");
    assert!(net.says(&[&sized[..], &[&at(now, 0.9)]].concat()).contains("if its stop fills at"));
    net.refused(&[&sized[..], &[&at(now, 1.1)]].concat(), &["no size can be told", "a long's stop lies below"]);
    net.refused(&["order", "size", "buy", "--market", "0", "--risk", "0.01", "--stop", &at(now, 0.5)], &["no size"]);

    // A bracket far away.
    let (low, stop, target) = (at(now, 0.5), at(now, 0.4), at(now, 1.5));
    let bracket = number(&place("buy", "0.02", &["--limit", &low, "--stop", &stop, "--target", &target]));
    let line = listed(net, &bracket);
    assert_eq!(
        (&line["kind"], &line["bracket"], &line["state"], &line["size"]),
        (&"limit".into(), &true.into(), &"waiting".into(), &2_000_000.into()),
        "{line}"
    );
    assert!(net.says(&["order", "list"]).contains("limit, bracket"));
    assert!(net.says(&["account", "show"]).contains("waits for its price"), "the same table");
    net.refused(&["order", "execute", &bracket], &["OrderNotTriggered"]);
    net.refused(&["order", "trigger", &bracket], &["OrderNotTriggered"]);
    net.refused(&["order", "cancel", &bracket], &["OrderLocked", " UTC"]);

    // A stop entry that expires, an exit with a trail.
    let entry = number(&place("buy", "0.01", &["--trigger", &at(now, 1.5), "--expires", "3600"]));
    let line = listed(net, &entry);
    assert_eq!(line["kind"], "stop entry", "{line}");
    let left = line["expires_at"].as_i64().expect("a time") - line["placed_at"].as_i64().expect("a time");
    assert!((3_590..=3_600).contains(&left), "{line}");
    let exit = number(&place("sell", "0.05", &["--exit", "--stop", &stop, "--trail", &at(now, 0.7)]));
    assert_eq!(
        (listed(net, &exit)["kind"].clone(), listed(net, &exit)["reduce_only"].clone()),
        ("exit".into(), true.into())
    );
    refused("sell", "0.05", &["--exit", "--stop", &target, "--target", &low], &["do not go together"]);
    net.refused(&["order", "place", "sell", "1", "--market", "7", "--exit", "--stop", "1"], &["there is no market 7"]);

    // What would be refused is not placed: at once, or once the price that is there counts.
    refused("buy", "5", &[], &["InitialMargin", "nothing was sent", "--anyway"]);
    refused("buy", "5", &["--limit", &at(now, 1.2)], &["InitialMargin", "nothing was sent"]);
    refused("sell", "0.0499999", &["--reduce-only"], &["SizeBelowMinimum", "nothing was sent"]);
    let none = ["order", "place", "sell", "0.1", "--market", "1", "--exit", "--stop", "1"];
    net.refused(&none, &["PositionNotFound", "nothing was sent"]);

    // At its own price neither what waits: it would be cleared away then.
    refused("buy", "5", &["--limit", &at(now, 0.95)], &["InitialMargin", "at its own price", "--anyway"]);
    // What would be met at once.
    refused("buy", "0.01", &["--limit", &at(now, 0.9), "--stop", &at(now, 0.95)], &["lies below its own entry"]);
    refused("sell", "0.01", &["--exit", "--stop", &at(now, 1.2)], &["met at once", "nothing was sent", "--anyway"]);
    refused("buy", "0.01", &["--expires", "0"], &["--expires 0"]);
    refused("buy", "0.01", &["--limit", "0"], &["--limit 0 is no price"]);
    refused("buy", "-1", &[], &["no positive decimal number"]);
    let documented = as_documented(net);

    // A market order with exits: they wait under its number once it is filled.
    let entry_now = number(&place("buy", "0.01", &["--stop", &stop, "--target", &target]));
    let filled = net.json(&["order", "execute", &entry_now]);
    assert_eq!((&filled["size"], &filled["position"]), (&1_000_000.into(), &6_000_000.into()), "{filled}");
    assert_eq!(listed(net, &entry_now)["kind"], "exit");
    // A limit that the price is at or beyond fills at the next one.
    let limit = number(&place("sell", "0.01", &["--limit", &at(now, 0.8), "--reduce-only"]));
    let filled = net.json(&["fill", &limit]);
    assert_eq!((&filled["size"], &filled["position"]), (&(-1_000_000).into(), &5_000_000.into()), "{filled}");
    assert_eq!(net.json(&["order", "execute", &limit])["size"], filled["size"]);

    // All of them can be taken back, by either name of the command, and what was put aside with them.
    std::thread::sleep(Duration::from_secs(13));
    let aside = net.json(&["account", "show"])[0]["collateral"].as_u64().expect("an amount");
    let mut back = 0;
    for (place, order) in [&bracket, &entry, &exit, &entry_now].into_iter().enumerate() {
        let name: &[&str] = if place % 2 == 0 { &["order", "cancel"] } else { &["cancel"] };
        back += net.json(&[name, &[order]].concat())["fee_back"].as_u64().expect("an amount");
    }
    assert!(back > 0);
    for order in &documented {
        back += net.json(&["cancel", order])["fee_back"].as_u64().expect("an amount");
    }
    net.refused(&["fill", &documented[0]], &["not filled but cancelled", "by its owner"]);
    let account = net.json(&["account", "show"]);
    assert_eq!(account[0]["collateral"].as_u64(), Some(aside + back), "{account}");
}

/// Every order that the README and docs/TRADING.md show, as they show it, at the local validator's prices; their numbers.
fn as_documented(net: &Net) -> Vec<String> {
    let pages = [include_str!("../../../../README.md"), include_str!("../../../../docs/TRADING.md")];
    let mut placed = Vec::new();
    for line in pages.iter().flat_map(|page| page.lines()) {
        // A line of a block, with its comment, or the last column of a table.
        let command = line.rsplit_once("| `").map_or(line, |(_, command)| command.trim_end_matches(['`', ' ', '|']));
        let command = command.split('#').next().unwrap_or(command);
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["ballast", "order", "place", ..] => placed.push(number(&net.json(&words[1..]))),
            ["ballast", "order", "size", ..] => assert!(net.json(&words[1..])["size"].is_u64()),
            _ => {}
        }
    }
    assert_eq!(placed.len(), 8, "one of the README, seven of docs/TRADING.md");
    placed
}

/// Beside a keeper somebody else may fill an order first, or clear it away: either is told as what it is.
pub(crate) fn another_is_quicker(net: &Net) {
    let other = net.dir.path().join("other.json").display().to_string();
    net.says(&["faucet", "1", "--new-wallet", &other]);
    let owner = net.owner();
    let by_other = |what: &str, order: &str| net.run(&[what, order, "--owner", &owner, "--keypair", &other, "--json"]);
    let next = || net.json(&["account", "show"])[0]["open_orders"].as_array().map_or(0, Vec::len);
    let alone = next();
    for (side, size) in [("buy", "0.01"), ("sell", "0.01")] {
        let ours = std::thread::scope(|scope| {
            let ours = scope.spawn(|| net.json(&["trade", side, size, "--market", "0", "--wait"]));
            while next() == alone && !ours.is_finished() {}
            let list = net.json(&["order", "list"]);
            let order = list.as_array().and_then(|lines| lines.last()).map(|line| line["id"].to_string());
            let theirs = by_other("fill", &order.expect("it waits for three seconds"));
            let ours = ours.join().expect("it is filled, whoever does it");
            let text = String::from_utf8_lossy(&theirs.stderr).into_owned();
            assert!(theirs.status.success(), "{text}");
            let theirs: Value = serde_json::from_slice(&theirs.stdout).expect("JSON");
            assert_eq!(theirs["signature"], ours["fill"]["signature"], "one fill: {theirs} {ours}");
            assert_ne!(theirs["by_another"], ours["fill"]["by_another"], "{theirs} {ours}");
            ours
        });
        let position = &net.json(&["account", "show"])[0]["positions"][0]["size"];
        assert_eq!(&ours["fill"]["position"], position);
    }
    // Cleared away by another, for it cannot fill.
    let order = number(&net.json(&["trade", "buy", "5", "--market", "0", "--anyway"]));
    let cleared = (0..60).find(|_| {
        std::thread::sleep(Duration::from_millis(250));
        by_other("cancel", &order).status.success()
    });
    assert!(cleared.is_some());
    net.refused(&["fill", &order], &["not filled but cancelled", "because it could not fill"]);
}

/// Another key acts for the wallet's subaccount, within what it may.
pub(crate) fn act_for_another(net: &Net) {
    let desk = net.dir.path().join("desk.json").display().to_string();
    let key = net.json(&["faucet", "1", "--new-wallet", &desk])["owner"].as_str().expect("a key").to_owned();
    let owner = net.owner();
    let by_desk = |args: &[&str]| -> Vec<String> {
        [args, &["--owner", &owner, "--keypair", &desk]].concat().iter().map(|arg| (*arg).to_owned()).collect()
    };
    fn refs(args: &[String]) -> Vec<&str> {
        args.iter().map(String::as_str).collect()
    }
    let says = |args: &[&str]| net.says(&refs(&by_desk(args)));
    let json = |args: &[&str]| net.json(&refs(&by_desk(args)));
    let refused = |args: &[&str], wanted: &[&str]| net.refused(&refs(&by_desk(args)), wanted);

    refused(&["trade", "buy", "0.01", "--market", "0"], &["neither the owner", "ballast delegate set"]);
    net.says(&["account", "open", "--id", "1"]);
    for account in ["0", "1"] {
        net.says(&["delegate", "set", &key, "--trade", "--orders", "--fees", "2.5", "--account", account]);
    }
    let before = net.json(&["account", "show"])[0]["positions"][0]["size"].as_i64().expect("a size");
    let filled = json(&["trade", "buy", "0.01", "--market", "0", "--wait"]);
    assert_eq!(filled["fill"]["position"], before + 1_000_000, "{filled}");
    // An order that the delegate has paid the rent of: its owner, and anybody else, can fill it.
    let placed = number(&json(&["trade", "sell", "0.01", "--market", "0", "--reduce-only"]));
    let filled = net.json(&["fill", &placed]);
    assert_eq!(filled["position"], before, "{filled}");

    // Orders that wait are listed, sized and taken back for the owner.
    let now = price(net, "0");
    let waits = number(&json(&["order", "place", "buy", "0.01", "--market", "0", "--limit", &at(now, 0.97)]));
    // At half the price its covenant would be in the way.
    let forbidden = ["order", "place", "buy", "0.01", "--market", "0", "--limit", &at(now, 0.5)];
    refused(&forbidden, &["CovenantLoss", "at its own price", "--anyway"]);
    let list = json(&["order", "list"]);
    assert!(list.as_array().is_some_and(|lines| lines.iter().any(|line| is(line, &waits))), "{list}");
    assert!(json(&["order", "size", "buy", "--market", "0", "--risk", "10", "--stop", &at(now, 0.9)])["size"].is_u64());
    let shown = net.json(&["account", "show", "--id", "0"]);
    let left = shown[0]["delegate"]["fees_left"].as_u64().expect("an amount");
    assert!(left < 2_500_000, "its orders' fees count: {shown}");
    std::thread::sleep(Duration::from_secs(13));
    says(&["cancel", &waits]);

    // Money between the owner's accounts, once it may; never out.
    let moves = ["transfer", "10", "--from", "0", "--to", "1"];
    refused(&moves, &["--collateral is missing"]);
    for account in ["0", "1"] {
        net.says(&["delegate", "set", &key, "--collateral", "--account", account]);
    }
    assert_eq!(json(&moves)["to_collateral"], 10_000_000);
    refused(&["transfer", "10", "--from", "0", "--to", "0"], &["are the same"]);
    refused(&["transfer", "999999", "--from", "0", "--to", "1"], &["InsufficientCollateral"]);
    assert_eq!(json(&["transfer", "all", "--from", "1", "--to", "0"])["from_collateral"], 0);
    refused(&["trade", "buy", "0.01", "--market", "0"], &["--trade is missing"]);
    net.refused(&["withdraw", "1", "--keypair", &desk], &["has no subaccount 0"]);
    for account in ["0", "1"] {
        net.says(&["delegate", "revoke", "--account", account]);
    }
    refused(&moves, &["neither the owner"]);
    // Without a delegate the owner's own.
    assert_eq!(net.json(&moves)["to_collateral"], 10_000_000);
    assert!(
        net.says(&["transfer", "10", "--from", "1", "--to", "0"]).contains("10.000000 moved; subaccount 1 holds 0")
    );
    net.says(&["account", "close", "--id", "1"]);
}

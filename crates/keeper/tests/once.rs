//! The shortest way: a price falls, one call of `ballast-keeper run --once` liquidates, the report says so.

use std::sync::Arc;
use std::time::Duration;

use ballast::state::Subaccount;
use ballast_client::quotes;
use ballast_engine::margin::Purpose;
use serde_json::Value;

use crate::chaos::paid;
use crate::support::keepers::Keeper;
use crate::support::stage::{Stage, crowd};

fn config(port: u16) -> String {
    format!(
        "[chain]\nrpc = [\"http://127.0.0.1:{port}\"]\nkeypair = \"key.json\"\n[ledger]\npath = \"keeper.sqlite\"\n\
         [serve]\nlisten = \"127.0.0.1:0\"\n[fees]\nunpaid_hourly = 1_000_000_000\n"
    )
}

/// Accounts below maintenance, by the engine on what the chain says.
pub(crate) async fn below(stage: &Stage) -> Vec<anchor_lang::prelude::Pubkey> {
    let (markets, now) = (stage.rpc.markets(&stage.exchange).await.unwrap(), stage.rpc.now().await.unwrap().value);
    let markets = markets.accrued(&now).unwrap();
    let all = stage.rpc.all::<Subaccount>(0, &[]).await.unwrap();
    let is_below = |account: &Subaccount| {
        quotes::totals(account, &markets, Purpose::Maintenance, &now).is_ok_and(|t| t.surplus().unwrap().0 < 0)
    };
    all.into_iter().filter(|(_, account)| is_below(account)).map(|(key, _)| key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn once_liquidates_whoever_is_below_maintenance() {
    let folder = tempfile::tempdir().unwrap();
    let (setup, traders) = crowd(30, 7);
    let mut keeper = Keeper::new(folder.path(), "a", "");
    let stage = Stage::start(&setup, traders, &[keeper.address()]).await;
    let url = stage.net.rpc_url();
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    keeper.configure(&config(port));

    let stage = Arc::new(stage);
    // A task of its own: calling the keeper blocks this one.
    let posting = tokio::spawn({
        let stage = stage.clone();
        async move {
            for share in (0..).map(|step: u32| 1.0 - 0.0125 * f64::from(step.min(5))) {
                stage.publish(share).await;
                tokio::time::sleep(Duration::from_millis(1_000)).await;
            }
        }
    });
    // Nobody stores prices yet, so nothing is known on chain of the fall.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let call = |args: &[&str], log: &str| tokio::task::block_in_place(|| keeper.call("run", args, log));
    let dry = call(&["--once", "--dry-run"], "info");
    let said = String::from_utf8_lossy(&dry.stdout).into_owned();
    let would: u64 = said.split(' ').next().unwrap().parse().unwrap();
    assert!(would > 0, "{said}{}", String::from_utf8_lossy(&dry.stderr));
    let reward = stage.subaccount(&keeper.address());
    assert!(stage.rpc.account(&reward).await.unwrap().is_none(), "a dry run sends nothing");

    // Everything there is to log, to see that the key is not in it.
    let real = call(&["--once", "--patience", "90", "--json-logs"], "trace");
    let (said, logged) = (String::from_utf8_lossy(&real.stdout), String::from_utf8_lossy(&real.stderr));
    let tail =
        || logged.lines().filter(|line| line.contains("ballast_keeper")).rev().take(60).collect::<Vec<_>>().join("\n");
    assert!(real.status.success(), "{said}\n{}", tail());
    assert!(said.contains(" 0 refused, ") && said.contains("; 0 accounts below maintenance"), "{said}\n{}", tail());
    let secret = keeper.key.to_base58_string();
    let bytes = format!("{:?}", keeper.key.to_bytes());
    assert!(logged.len() > 10_000 && !logged.contains(&secret));
    assert!(!logged.contains(bytes.trim_matches(['[', ']'])));

    let earned = stage.rpc.read::<Subaccount>(&reward).await.unwrap().state.collateral.0;
    assert!(earned > 0, "it was paid nothing: {said}\n{}", tail());
    assert!(below(&stage).await.is_empty());
    let audit = stage.audit().await;
    assert_eq!(audit.difference, 0);

    let report = tokio::task::block_in_place(|| keeper.call("report", &["--json"], "off"));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["rewards"], earned, "{report}");
    assert!(report["profit"].as_i64().unwrap() > 0, "{report}");
    let done = |job: &str| {
        let line = report["jobs"].as_array().unwrap().iter().find(|line| line["job"] == job);
        line.map_or(0, |line| line["done"].as_u64().unwrap())
    };
    assert!(done("flag") > 0 && done("liquidate") >= done("flag"), "{report}");
    posting.abort();
}

/// Two keepers that know nothing of each other do everything once: what both hold is what both were paid.
#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_are_paid_once() {
    let folder = tempfile::tempdir().unwrap();
    let (setup, traders) = tokio::task::block_in_place(|| crowd(30, 7));
    let mut keepers = [Keeper::new(folder.path(), "a", ""), Keeper::new(folder.path(), "b", "")];
    let stage = Stage::start(&setup, traders, &[keepers[0].address(), keepers[1].address()]).await;
    let port: u16 = stage.net.rpc_url().rsplit(':').next().unwrap().parse().unwrap();
    keepers.iter_mut().for_each(|keeper| keeper.configure(&config(port)));
    let stage = Arc::new(stage);
    let posting = tokio::spawn({
        let stage = stage.clone();
        async move {
            for share in (0..).map(|step: u32| 1.0 - 0.0125 * f64::from(step.min(5))) {
                stage.publish(share).await;
                tokio::time::sleep(Duration::from_millis(1_000)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(8)).await;
    let said: Vec<String> = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let run = |keeper: &Keeper| keeper.call("run", &["--once", "--patience", "90"], "warn");
            let runs: Vec<_> = keepers.iter().map(|keeper| scope.spawn(move || run(keeper))).collect();
            runs.into_iter().map(|run| String::from_utf8_lossy(&run.join().unwrap().stdout).into_owned()).collect()
        })
    });
    let (mut held, mut booked) = (0, 0);
    for (keeper, said) in keepers.iter().zip(&said) {
        assert!(said.contains(" 0 refused, ") && said.contains("; 0 accounts below maintenance"), "{said}");
        let report = tokio::task::block_in_place(|| keeper.call("report", &["--json"], "off"));
        let report: Value = serde_json::from_slice(&report.stdout).unwrap();
        let account = stage.rpc.read::<Subaccount>(&stage.subaccount(&keeper.address())).await.unwrap();
        held += account.state.collateral.0;
        booked += report["rewards"].as_u64().unwrap();
    }
    // To the atom, by the receipts on chain. A flagger's share of the other's liquidation is in nobody's ledger.
    let (fees, [flags, liquidations, _]) = paid(&stage, &[&keepers[0], &keepers[1]]).await;
    assert_eq!(held, fees, "{said:?}");
    assert!(booked <= held && booked > 0 && flags > 0 && liquidations >= flags, "{said:?}");
    assert!(below(&stage).await.is_empty());
    stage.audit().await;
    posting.abort();
}

#[test]
fn check_says_of_how_many_markets_the_budget_keeps_the_prices() {
    let folder = tempfile::tempdir().unwrap();
    for (config, says) in
        [("", "prices of 8 markets"), ("[fees]\nunpaid_hourly = 100_000_000\n", "prices of 40 markets")]
    {
        let output = Keeper::new(folder.path(), "a", config).call("check", &[], "off");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains(says), "{said}");
    }
}

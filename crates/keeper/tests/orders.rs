//! Orders on a validator: a keeper as a process fills stops once they are met, and clears away what never fills.

use std::sync::Arc;
use std::time::Duration;

use anchor_lang::prelude::Pubkey;
use ballast::state::{Order, Subaccount};
use ballast_client::{address, instructions};
use ballast_tests::{Ask, Trader, units};
use serde_json::Value;

use crate::support::keepers::Keeper;
use crate::support::stage::{Stage, crowd};

fn config(port: u16) -> String {
    format!(
        "[chain]\nrpc = [\"http://127.0.0.1:{port}\"]\nkeypair = \"key.json\"\n[ledger]\npath = \"keeper.sqlite\"\n\
         [serve]\nlisten = \"127.0.0.1:0\"\n[fees]\nunpaid_hourly = 1_000_000_000\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn once_fills_the_stops_that_are_met_and_clears_away_what_cannot_fill() {
    let folder = tempfile::tempdir().unwrap();
    let (setup, traders) = tokio::task::block_in_place(|| crowd(10, 3));
    let price = setup.market(0).state.price.last.price.0;
    let long = |trader: &&Trader| setup.position(trader, 0) > 0;
    let longs: Vec<Trader> = traders.iter().filter(long).cloned().collect();
    assert!(longs.len() >= 3, "{}", longs.len());
    let mut keeper = Keeper::new(folder.path(), "a", "");
    let stage = Arc::new(Stage::start(&setup, traders, &[keeper.address()]).await);
    let port: u16 = stage.net.rpc_url().rsplit(':').next().unwrap().parse().unwrap();
    keeper.configure(&config(port));
    // On the validator, for an order knows the slot that it was placed in. A stop 1 % below for everybody who is long, which is
    // reached, one at half the price, which is not, and one order that is too large for its account.
    let place = async |trader: &Trader, market: u16, ask: Ask| -> Pubkey {
        let number = stage.rpc.read::<Subaccount>(&trader.subaccount).await.unwrap().state.next_order;
        let feed = stage.feeds[usize::from(market)];
        let market = address::market(&stage.exchange.address, market);
        let place = instructions::place_order(&trader.address(), &market, &trader.subaccount, number, ask.args());
        // Who has a position opens at a good price only.
        let batch = [instructions::update_market(&market, &feed), place];
        stage.sender.send(&batch, &trader.key, &[]).await.unwrap();
        address::order(&trader.subaccount, number)
    };
    stage.publish(1.0).await;
    let (mut met, mut far) = (Vec::new(), Vec::new());
    for trader in &longs {
        let exit = Ask { size: -setup.position(trader, 0), reduce_only: true, kind: 3, ..Ask::default() };
        met.push(place(trader, 0, Ask { stop: price / 100 * 99, ..exit }).await);
        far.push(place(trader, 0, Ask { stop: price / 2, ..exit }).await);
    }
    let size = setup.size_for(1, units(500_000).cast_signed());
    stage.publish(1.0).await;
    let dead = [place(&longs[0], 1, Ask { size, ..Ask::default() }).await];
    let posting = tokio::spawn({
        let stage = stage.clone();
        async move {
            for share in (0..).map(|step: u32| 1.0 - 0.004 * f64::from(step.min(5))) {
                stage.publish(share).await;
                tokio::time::sleep(Duration::from_millis(1_000)).await;
            }
        }
    });
    let waits = async |orders: &[_]| {
        let found = stage.rpc.accounts(orders).await.unwrap().value;
        found.iter().flatten().filter(|account| !account.data.is_empty()).count()
    };
    let mut said = String::new();
    for _ in 0..8 {
        let jobs = ["--once", "--jobs", "prices,orders", "--patience", "60"];
        let done = tokio::task::block_in_place(|| keeper.call("run", &jobs, "warn"));
        said += &format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        if waits(&met).await + waits(&dead).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    posting.abort();
    assert_eq!((waits(&met).await, waits(&dead).await), (0, 0), "{said}");
    assert!(!said.contains(" 1 refused"), "{said}");
    for trader in &longs {
        let account = stage.rpc.read::<Subaccount>(&trader.subaccount).await.unwrap();
        assert!(account.state.find(0).is_none_or(|slot| account.state.positions[slot].size.0 == 0), "out at its stop");
    }
    // The other stop of each is an orphan then, and cleared away too, by and by.
    let orphans = stage.rpc.all::<Order>(0, &[]).await.unwrap().len();
    assert_eq!(orphans, waits(&far).await, "{said}");
    let audit = stage.audit().await;
    assert_eq!(audit.difference, 0);
    let report = tokio::task::block_in_place(|| keeper.call("report", &["--json"], "off"));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let done = report["jobs"].as_array().unwrap().iter().find(|line| line["job"] == "orders");
    let done = done.map_or(0, |line| line["done"].as_u64().unwrap());
    assert!(usize::try_from(done).unwrap() > longs.len(), "{report}");
    let reward = stage.subaccount(&keeper.address());
    let earned = stage.rpc.read::<Subaccount>(&reward).await.unwrap().state.collateral.0;
    assert!(earned > 0 && report["rewards"] == earned, "{report}");
}

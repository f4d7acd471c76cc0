//! The client's examples, run against the local validator.

use std::sync::Arc;
use std::time::Duration;

use crate::support::stage::{Stage, crowd};

#[path = "../../client/examples/trade.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program of its own")]
mod trade;
#[path = "../../client/examples/watch.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program of its own")]
mod watch;

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_examples_run() {
    let (setup, traders) = crowd(3, 5);
    let stage = Arc::new(Stage::start(&setup, traders, &[]).await);
    let posting = tokio::spawn({
        let stage = stage.clone();
        async move {
            loop {
                stage.publish(1.0).await;
                tokio::time::sleep(Duration::from_millis(1_000)).await;
            }
        }
    });
    let owner = stage.traders[0].key.clone();
    let url = stage.net.rpc_url();
    let (bought, sold) = trade::run(&url, &owner).await.unwrap();
    assert!(bought > sold && sold > 0, "fees and spread: bought at {bought}, sold at {sold}");
    let lines = watch::run(&url, &stage.traders[0].address(), None).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains(", equity ") && !lines[0].contains("None"), "{lines:?}");
    stage.audit().await;
    posting.abort();
}

/// A table made by the keeper's command shortens what goes through it, and the chain takes it.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_lookup_table_is_made_and_used() {
    use ballast_client::instructions::update_market;
    use ballast_client::{address, rpc};
    use ballast_keeper::table;

    let (setup, traders) = crowd(1, 5);
    let stage = Stage::start(&setup, traders, &[]).await;
    let payer = stage.traders[0].key.clone();
    tokio::time::sleep(Duration::from_millis(900)).await;
    let key = table::make(&stage.rpc, &stage.exchange, &payer, None).await.unwrap();
    let again = table::make(&stage.rpc, &stage.exchange, &payer, Some(key)).await.unwrap();
    assert_eq!(key, again, "nothing was missing");
    let found = stage.rpc.table(&key).await.unwrap();
    assert_eq!(found.addresses, rpc::tables::shared(&stage.exchange.address, 2, &stage.feeds));
    tokio::time::sleep(Duration::from_millis(900)).await;
    stage.publish(1.001).await;
    let market = address::market(&stage.exchange.address, 0);
    let update = update_market(&market, &stage.feeds[0]);
    let (_, landed) = stage.rpc.send(&[update], &payer, &[], &[found]).await.unwrap();
    assert_eq!(landed.events.len(), 1, "{landed:?}");
}

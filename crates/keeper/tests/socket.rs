//! What a keeper hears over its websocket keeps it going: while it reads nothing as a whole, prices are stored as they come,
//! through cut sockets and a node that says that there were too many requests.

use std::time::Duration;

use ballast::state::Market;
use ballast_client::address;

use crate::support::keepers::Keeper;
use crate::support::proxy::{Mode, Proxy};
use crate::support::stage::{Stage, crowd};

/// A stored price may be so old, seconds: it is renewed from four slots on, and a validator here shares its machine.
const AGE: i64 = 6;

/// Publishes for so many seconds; the greatest age of a stored price, looked at every second.
async fn publish(stage: &Stage, seconds: u64) -> i64 {
    let mut oldest = 0;
    for _ in 0..seconds {
        let published = stage.publish(1.0).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        for index in 0..2 {
            let market = address::market(&stage.exchange.address, index);
            let stored = stage.rpc.read::<Market>(&market).await.unwrap().state.price.last.publish_time;
            oldest = oldest.max(published - stored);
        }
    }
    oldest
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_stored_as_they_are_heard_of_through_cuts_and_limits() {
    let folder = tempfile::tempdir().unwrap();
    let (setup, traders) = tokio::task::block_in_place(|| crowd(2, 11));
    let mut keeper = Keeper::new(folder.path(), "a", "");
    let stage = Stage::start(&setup, traders, &[keeper.address()]).await;
    let port: u16 = stage.net.rpc_url().rsplit(':').next().unwrap().parse().unwrap();
    let [http, other, socket] = [Proxy::to(port).await, Proxy::to(port).await, Proxy::to(port + 1).await];
    keeper.configure(&format!(
        "[chain]\nrpc = [\"http://127.0.0.1:{}\", \"http://127.0.0.1:{}\"]\n\
         websocket = [\"ws://127.0.0.1:{ws}\", \"ws://127.0.0.1:{ws}\"]\nkeypair = \"key.json\"\n\
         [ledger]\npath = \"keeper.sqlite\"\n[serve]\nlisten = \"127.0.0.1:0\"\n[fees]\nunpaid_hourly = 1_000_000_000\n\
         [timing]\nreconcile_seconds = 3600\npoll_seconds = 3600\nsilence_seconds = 3\n",
        http.port,
        other.port,
        ws = socket.port
    ));
    keeper.start();
    let _ = publish(&stage, 5).await;
    let oldest = publish(&stage, 18).await;
    assert!(oldest <= AGE, "{oldest} s old by the socket alone");
    socket.cut();
    let _ = publish(&stage, 2).await;
    let oldest = publish(&stage, 6).await;
    assert!(oldest <= AGE, "{oldest} s old after the socket was cut");
    http.set(Mode::Limited);
    let oldest = publish(&stage, 8).await;
    assert!(oldest <= AGE, "{oldest} s old while a node said that there were too many requests");
    keeper.stop().await;
    stage.audit().await;
}

//! Oracle accounts of strangers: posted, then filled with something else. Whoever is below maintenance is flagged all the same.

use std::time::Duration;

use anchor_lang::prelude::Pubkey;
use ballast_client::health::{Marks, Oracles};
use ballast_client::instructions as ix;
use ballast_client::rpc::oracle_message;
use ballast_engine::price::RawUpdate;
use ballast_tests::{Expect, Setup, Terms, Trader, units};
use solana_signer::Signer;

use crate::support::keepers::Keeper;
use crate::support::stage::Stage;
use crate::support::stranger::Stranger;

/// One who is long in both markets and will be below maintenance when one of them falls by a hundredth.
fn long_in_two() -> (Setup, Trader) {
    let mut setup = Setup::with(&Terms::cross(2));
    let alice = setup.trader("alice", units(5_000));
    for market in 0..2 {
        setup.open(&alice, market, units(40_000).cast_signed());
    }
    while setup.surplus(&alice) > units(200).cast_signed() {
        setup.move_by(0, -20);
        setup.move_by(1, -20);
    }
    assert!(setup.surplus(&alice) > 0);
    for _ in 0..10 {
        setup.tick(30);
    }
    (setup, alice)
}

/// A chain with the two markets, a keeper that only liquidates, and a stranger with a feed of the first market's.
struct Scene {
    _folder: tempfile::TempDir,
    stage: Stage,
    keeper: Keeper,
    stranger: Stranger,
    /// The stranger's account.
    strange: Pubkey,
    feed_id: [u8; 32],
    alice: Pubkey,
    base: [i64; 2],
}

impl Scene {
    async fn set(clock_millis: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (setup, alice) = tokio::task::block_in_place(long_in_two);
        let stranger = Stranger::new();
        let mut keeper = Keeper::new(folder.path(), "a", "");
        let wallets = [keeper.address(), stranger.address()];
        let stage = Stage::start(&setup, vec![alice.clone()], &wallets).await;
        let port: u16 = stage.net.rpc_url().rsplit(':').next().unwrap().parse().unwrap();
        keeper.configure(&format!(
            "[chain]\nrpc = [\"http://127.0.0.1:{port}\"]\nkeypair = \"key.json\"\n[ledger]\npath = \"keeper.sqlite\"\n\
             [serve]\nlisten = \"127.0.0.1:0\"\n[timing]\nreconcile_seconds = 3600\npoll_seconds = 3600\n\
             clock_millis = {clock_millis}\n[jobs]\nprices = false\norders = false\nunflag = false\n[log]\nfilter = \"ballast_keeper=debug\"\n"
        ));
        let feed_id = setup.market(0).feed_id.0;
        let strange = stranger.open(&stage.sender, feed_id).await;
        Self {
            base: [stage.start[0], stage.start[1]],
            alice: alice.subaccount,
            _folder: folder,
            stage,
            keeper,
            stranger,
            strange,
            feed_id,
        }
    }

    async fn clock(&self) -> i64 {
        self.stage.net.clock().await.unwrap().unix
    }

    /// The stranger posts the first market's price as it is, and fills the account with another feed once it was heard of.
    async fn post_and_overwrite(&self, time: i64) {
        let (stranger, sender) = (&self.stranger, &self.stage.sender);
        assert!(stranger.fill(sender, &self.strange, self.feed_id, self.base[0], time).await);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(stranger.fill(sender, &self.strange, [99; 32], 1, time).await);
        tokio::time::sleep(Duration::from_millis(900)).await;
    }

    /// The publisher posts a market's price, so many hundredths of percent off what it was.
    async fn post(&self, market: usize, bps: i64, time: i64) {
        let (publisher, price) = (self.stage.publisher.pubkey(), self.base[market] * (10_000 + bps) / 10_000);
        let conf = price.unsigned_abs() / 10_000;
        let post = ix::oracle::post(&publisher, &self.stage.feeds[market], price, conf, -8, time);
        self.stage.sender.send(&[post], &self.stage.publisher, &[]).await.unwrap();
    }

    /// Whether the account is flagged within so many seconds.
    async fn flagged_within(&self, seconds: u64) -> bool {
        for _ in 0..seconds * 5 {
            let account = self.stage.rpc.read::<ballast::state::Subaccount>(&self.alice).await.unwrap();
            if account.state.flag.slot != 0 {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        false
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.keeper.log()).unwrap_or_default();
        log.lines().rev().collect::<Vec<_>>().join("\n")
    }
}

/// The account's price is put in front of a flag for another market's sake, and refused: that is the oracle's fault alone, and
/// the market's other account is used.
#[tokio::test(flavor = "multi_thread")]
async fn an_oracle_that_is_refused_holds_nobody_back() {
    // The clock is read once: nothing but the refusal can tell.
    let mut scene = Scene::set(3_600_000).await;
    scene.keeper.start();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let time = scene.clock().await + 1;
    scene.post(0, 0, time - 1).await;
    scene.post(1, 0, time - 1).await;
    scene.post_and_overwrite(time).await;
    assert!(!scene.flagged_within(1).await, "nobody is below maintenance yet");
    scene.post(1, -100, scene.clock().await).await;
    assert!(scene.flagged_within(15).await, "{}", scene.log());
    assert!(scene.log().contains("is not one any more"), "{}", scene.log());
    scene.keeper.stop().await;
    scene.stage.audit().await;
}

/// The account's price, no longer there, is newer than the fall: nobody would seem below maintenance.
#[tokio::test(flavor = "multi_thread")]
async fn an_oracle_that_is_overwritten_hides_no_fall() {
    let mut scene = Scene::set(1_000).await;
    scene.keeper.start();
    tokio::time::sleep(Duration::from_secs(4)).await;
    scene.post(1, 0, scene.clock().await).await;
    let time = scene.clock().await + 2;
    scene.post_and_overwrite(time).await;
    scene.post(0, -100, time - 1).await;
    assert!(scene.flagged_within(15).await, "{}", scene.log());
    scene.keeper.stop().await;
    scene.stage.audit().await;
}

/// Of two accounts with prices of one time the one that stands first is taken, and the next newest where that is none.
#[test]
fn of_two_prices_of_one_time_the_first_is_taken() {
    let mut setup = Setup::with(&Terms::still());
    setup.world.advance(3);
    setup.publish(0, setup.posted[0]).must();
    let (message, posted_slot) = oracle_message(&setup.world.svm.get_account(&setup.feed(0)).unwrap().data).unwrap();
    let raw = RawUpdate {
        price: message.price,
        conf: message.conf,
        exponent: message.exponent,
        publish_time: message.publish_time,
        prev_publish_time: message.prev_publish_time,
        posted_slot,
    };
    let [first, second, older] = [9, 1, 5].map(|n| Pubkey::new_from_array([n; 32]));
    let of = |all: &[(Pubkey, RawUpdate)]| {
        let (markets, now) = (setup.markets(), setup.world.now());
        let oracles = Oracles::from([(0, all.to_vec())]);
        Marks::new(markets.iter().map(|(_, market)| &market.state), &oracles, &now).unwrap().get(0).unwrap().fresh
    };
    let before = RawUpdate { publish_time: raw.publish_time - 1, ..raw };
    assert_eq!(of(&[(older, before), (first, raw), (second, raw)]), Some(first));
    assert_eq!(of(&[(older, before), (second, raw), (first, raw)]), Some(second));
    assert_eq!(of(&[(older, before)]), Some(older));
    let unfit = RawUpdate { price: -1, ..raw };
    assert_eq!(of(&[(first, unfit), (older, before)]), Some(older), "what the market would refuse is passed over");
}

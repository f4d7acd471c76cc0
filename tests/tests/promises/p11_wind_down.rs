//! A market's end traps nobody: announced three days before, reduce-only then, and everybody may leave at any time.

use ballast_engine::Error;
use ballast_tests::{Expect as _, Terms, units};

use super::bank::on_bank;
use super::{BTC, ETH, whole};

const DAY: i64 = 86_400;

#[test]
fn p11_a_market_that_is_wound_down_lets_everybody_out() {
    let mut setup = on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, BTC, whole(50_000));
    setup.open(&alice, ETH, whole(1_000));
    let end = setup.queue_wind_down(BTC, true).expect("queued");
    setup.tick(1);
    let size = setup.size_for(BTC, whole(1_000));
    setup.trade(&alice, BTC, size).must();
    let left = setup.proposal(end).terms.eta - setup.world.now().unix;
    assert!(left > 3 * DAY - 60);
    setup.world.advance(left - 1);
    setup.execute_proposal(end).fails(Error::ProposalNotReady);
    setup.tick(1);
    setup.execute_proposal(end).must();
    setup.trade(&alice, BTC, size).fails(Error::MarketReduceOnly);
    // Out, half at once and half by order; the other market goes on.
    let half = setup.position(&alice, BTC).unsigned_abs() / 2;
    setup.reduce(&alice, BTC, half, false).must();
    setup.close(&alice, BTC);
    setup.open(&alice, ETH, whole(1_000));
    setup.withdraw(&alice, units(100)).must();
    let paula = setup.providers[BTC].clone();
    let shares = setup.world.tokens(&paula.shares);
    setup.file_exit(&paula, shares).must();
    setup.world.advance(DAY);
    setup.tick(1);
    setup.execute_exit(&paula).must();
    setup.audit();
    assert!(setup.world.tokens(&paula.tokens) > units(2_900_000));
    // And back, the same way.
    let open = setup.queue_wind_down(BTC, false).expect("queued");
    setup.wait_for(open);
    setup.tick(1);
    setup.execute_proposal(open).must();
    assert_eq!(setup.market(BTC).state.governed.closing_since, 0);
    setup.audit();
}

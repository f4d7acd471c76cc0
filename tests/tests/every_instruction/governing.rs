//! What governance, the guardian and the timelock do.

use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_client::instructions as ix;
use ballast_engine::governance::{kind, state};
use ballast_engine::{Error, constants};
use ballast_tests::upgrading::{BUFFER_LAMPORTS, SMALL};
use ballast_tests::world::{fixed_key, program_bytes};
use ballast_tests::{Expect, Setup, Terms, event, units};
use solana_signer::Signer;

use super::{BTC, ETH, GOVERNANCE, TAIL, UPGRADES, assert_sent};

#[test]
fn governance_and_guardian_do_what_they_may() {
    let mut setup = Setup::with(&Terms::still());
    let payer = setup.world.payer.pubkey();
    let newcomer = setup.trader("newcomer", 0).key;

    let role = setup.queue_role(kind::GOVERNANCE, newcomer.pubkey()).expect("queued");
    let delay = setup.queue_exchange("outflow_floor", units(10_500)).expect("queued");
    let feed = setup.queue_oracle_feed(TAIL, [9; 32]).expect("queued");
    let cap = setup.queue(TAIL, "open_interest_cap", units(900_000)).expect("queued");
    let dead = setup.queue(ETH, "taker_fee", 800).expect("queued");
    let vetoed = setup.queue(ETH, "mending_fee", 400).expect("queued");
    let batch = setup.queue_batch(ETH, &[("maintenance_margin", 55_000), ("initial_margin", 110_000)]).expect("queued");
    let limits = setup.queue_exchange_batch(&[("outflow_hourly", 12_000), ("outflow_daily", 110_000)]).expect("queued");
    let (treasury, mint) = (fixed_key("new fees").pubkey(), setup.mint);
    setup.set_tokens(treasury, &newcomer.pubkey(), &mint, 0);
    let fees = setup.queue_fee_destination(&treasury).expect("queued");
    let program = setup.queue_oracle_program(1, fixed_key("an oracle").pubkey()).expect("queued");
    let end = setup.queue_wind_down(BTC, true).expect("queued");
    assert_eq!(setup.exchange().pending_proposals, 11);
    assert_eq!(&setup.exchange().market_pending[..3], &[1, 3, 2]);
    setup.audit();
    setup.veto(vetoed).must();
    setup.audit();

    let reduce_only = ProtectMarketArgs { reduce_only_seconds: 3_600, cap: units(1), cap_seconds: 7_200 };
    setup.protect(BTC, reduce_only).must();
    let alice = setup.trader("alice", units(10_000));
    let size = setup.size_for(BTC, 1_000_000_000);
    setup.place(&alice, BTC, size).expect_err("reduce-only");
    setup.emergency(constants::EMERGENCY_LIFE).must();
    setup.withdraw(&alice, 1).fails(Error::Paused);
    setup.audit();

    // The emergency pause stops the clock of everything but a tightening, which a cut of this cap is not: it raises the
    // holding fee of what is open.
    for ids in [&[cap][..], &[delay, role, batch, limits, end], &[feed, fees, program]] {
        setup.wait_for(ids[0]);
        setup.world.advance(constants::EMERGENCY_LIFE - 1);
        for id in ids {
            setup.execute_proposal(*id).fails(Error::ProposalNotReady);
        }
        setup.world.advance(1);
        for id in ids {
            setup.execute_proposal(*id).must();
            setup.audit();
        }
    }
    assert_eq!(setup.market(TAIL).state.params.open_interest_cap.0, units(900_000));
    assert_eq!(setup.exchange().params.outflow_floor.0, units(10_500));
    assert_eq!(setup.market(TAIL).feed_id.0, [9; 32]);
    assert_eq!(setup.market(ETH).state.params.maintenance_margin.0, 55_000);
    assert_eq!(setup.exchange().params.outflow_daily.0, 110_000);
    assert_eq!(setup.exchange().fee_destination.0, treasury.to_bytes());
    assert!(setup.market(BTC).state.governed.closing_since > 0);

    let accept = ix::accept_governance(&newcomer.pubkey(), &setup.exchange);
    setup.world.measure("accept_governance", accept, &[&newcomer]).must();
    assert_eq!(setup.exchange().roles.governance.0, newcomer.pubkey().to_bytes());
    let dismiss = ix::dismiss_committee(&newcomer.pubkey(), &setup.exchange);
    setup.world.measure("dismiss_committee", dismiss, &[&newcomer]).must();
    assert_eq!(setup.exchange().roles.committee.0, [0; 32]);

    setup.world.advance(constants::PROPOSAL_LIFE + constants::EMERGENCY_LIFE);
    let expired = event!(setup.expire(dead).must(), ProposalEnded);
    assert_eq!((expired.state, expired.by), (state::EXPIRED, payer));
    let closed = event!(setup.close_proposal(dead).must(), ProposalRentReturned);
    assert_eq!((closed.id, closed.to), (dead, payer));
    setup.audit();
    assert_eq!(setup.exchange().pending_proposals, 0);
    assert_sent(&setup, GOVERNANCE);
}

#[test]
fn the_program_is_upgraded_and_what_was_vetoed_gives_its_buffer_back() {
    let mut setup = Setup::with(&Terms::still());
    setup.take_upgrade_authority().must();
    let code = program_bytes(SMALL);
    let (good, bad) = (setup.buffer("good", &code), setup.buffer("bad", &code));
    let id = setup.queue_upgrade(&good).expect("queued");
    let vetoed = setup.queue_upgrade(&bad).expect("queued");
    setup.audit();
    setup.veto(vetoed).must();
    let closed = event!(setup.close_upgrade(&bad).must(), UpgradeClosed);
    assert_eq!((closed.buffer, closed.lamports), (bad, BUFFER_LAMPORTS));
    setup.audit();
    let args = setup.new_exchange_args("second mint");
    let another = setup.queue_new_exchange(args).expect("queued");
    let hashed = event!(setup.verify_upgrade(&good).must(), UpgradeHashed);
    assert!(hashed.verified && hashed.hashed == code.len() as u64);
    setup.audit();
    setup.wait_for(another);
    let created = event!(setup.execute_new_exchange(another).must(), ExchangeCreated);
    assert_eq!((created.mint, created.governance), (args.mint, args.exchange.governance));
    setup.audit();
    let ended = event!(setup.execute_upgrade(&good).must(), ProposalEnded);
    assert_eq!((ended.id, ended.state), (id, state::EXECUTED));
    setup.audit();
    assert_sent(&setup, UPGRADES);
}

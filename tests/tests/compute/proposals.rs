//! Exchanges, markets, proposals, roles, the guardian.

use ballast::instructions::governance::InitializeExchangeArgs;
use ballast::instructions::guardian::ProtectMarketArgs;
use ballast_client::instructions as ix;
use ballast_engine::governance::kind;
use ballast_tests::governing::market_parameter;
use ballast_tests::upgrading::SMALL;
use ballast_tests::world::{fixed_key, program_bytes};
use ballast_tests::{Expect as _, MarketTerms, Setup, units};
use solana_signer::Signer as _;

use super::Units;

pub(crate) fn run(all: &mut Units) {
    creation(all);
    changes(all);
    roles(all);
    guardian(all);
    upgrades(all);
}

fn creation(all: &mut Units) {
    let mut setup = Setup::bare();
    for (index, terms) in (0..).zip([MarketTerms::DEEP, MarketTerms::LARGE, MarketTerms::LONG_TAIL]) {
        let args = setup.new_market_args(index, &terms);
        let (payer, governance) = (setup.world.payer.pubkey(), setup.governance.clone());
        let create = ix::create_market(&payer, &governance.pubkey(), &setup.exchange, args);
        all.add("create_market", setup.world.send(&[create], &[&governance]));
    }
    for name in ["second mint", "third mint"] {
        let mint = fixed_key(name).pubkey();
        let account = setup.world.svm.get_account(&setup.mint).expect("the mint");
        setup.world.set_account(mint, account);
        let fees = fixed_key(&format!("{name}'s fees")).pubkey();
        setup.set_tokens(fees, &fixed_key("treasury").pubkey(), &mint, 0);
        let args = InitializeExchangeArgs {
            governance: setup.governance.pubkey(),
            committee: setup.committee.pubkey(),
            guardian: setup.guardian.pubkey(),
            oracle_programs: [price_feed::ID, anchor_lang::prelude::Pubkey::default()],
        };
        let authority = setup.world.upgrade_authority.insecure_clone();
        let payer = setup.world.payer.pubkey();
        let create = ix::initialize_exchange(&payer, &authority.pubkey(), &mint, &fees, args);
        all.add("initialize_exchange", setup.world.send(&[create], &[&authority]));
    }
}

fn changes(all: &mut Units) {
    let mut setup = Setup::new();
    let fee = |setup: &Setup, market: usize| setup.market(market).state.params.taker_fee.0;
    let [first, second] = [0, 2].map(|market| {
        let new = fee(&setup, market) - 50;
        setup.queue(market, "taker_fee", new).expect("queued")
    });
    let margin = setup.market(1).state.params.maintenance_margin.0;
    let third = setup.queue(1, "maintenance_margin", margin - 1_000).expect("queued");
    let limiter = setup.exchange().params.outflow_hourly.0;
    let fourth = setup.queue_exchange("outflow_hourly", limiter - 1_000).expect("queued");
    let fifth = setup.queue_oracle_feed(1, [9; 32]).expect("queued");
    let sixth = setup.queue_wind_down(2, true).expect("queued");
    let limits = [("outflow_daily", 90_000), ("outflow_floor", units(9_500))];
    let seventh = setup.queue_exchange_batch(&limits).expect("queued");
    let place = setup.fee_destination;
    let account = setup.world.svm.get_account(&place).expect("fees");
    let other = fixed_key("other fees").pubkey();
    setup.world.set_account(other, account);
    let eighth = setup.queue_fee_destination(&other).expect("queued");
    let ninth = setup.queue_oracle_program(1, fixed_key("oracle").pubkey()).expect("queued");
    for id in [first, second, third, fourth, fifth, sixth, seventh, eighth, ninth] {
        setup.wait_for(id);
        let executed = setup.execute_proposal(id);
        all.add("execute_proposal", executed);
    }
    // The dearest: eight parameters at once.
    let names = ["initial_margin", "size_margin", "mending_fee", "keeper_fee_floor", "order_fee", "lp_minimum"];
    let mut changes = vec![("insurance_fee_max", 9_000), ("stress_move", 210_000)];
    let params = setup.market(1).state.params;
    changes.extend(names.map(|name| (name, params.get(market_parameter(name)).expect("a row") + 1)));
    let eight = setup.queue_batch(1, &changes).expect("queued");
    setup.wait_for(eight);
    all.add("execute_batch", setup.execute_proposal(eight));
    let two = setup.queue_batch(0, &[("taker_fee", 400), ("order_fee", 21_000)]).expect("queued");
    setup.wait_for(two);
    all.add("execute_batch", setup.execute_proposal(two));
    // Two more for the end that nobody wants.
    let vetoed = setup.queue(0, "mending_fee", 100).expect("queued");
    all.add("veto_proposal", setup.veto(vetoed));
    let expired = setup.queue_exchange("outflow_floor", units(9_000)).expect("queued");
    setup.wait_for(expired);
    setup.world.advance(8 * 86_400);
    all.add("expire_proposal", setup.expire(expired));
    all.add("close_proposal", setup.close_proposal(vetoed));
    all.add("close_proposal", setup.close_proposal(expired));
    // Insurance: of a bucket, and of the shared fund.
    let (rich, tokens) = setup.fund("rich", units(100));
    let top_up = ix::top_up_shared_insurance(&setup.exchange, &rich.pubkey(), &tokens, units(100));
    setup.world.send(&[top_up], &[&rich]).must();
    for from in [Some(0), None] {
        let id = setup.queue_insurance_withdrawal(from, units(50), setup.fee_destination).expect("queued");
        setup.wait_for(id);
        let executed = setup.execute_proposal(id);
        all.add("execute_insurance_withdrawal", executed);
    }
    for name in [
        "queue_market_parameter",
        "queue_exchange_parameter",
        "queue_oracle_feed",
        "queue_market_batch",
        "queue_exchange_batch",
        "queue_wind_down",
        "queue_fee_destination",
        "queue_oracle_program",
        "queue_insurance_withdrawal",
    ] {
        let units = setup.world.units.remove(name).expect("recorded");
        all.0.entry(name.to_owned()).or_default().extend(units);
    }
    setup.audit();
}

fn roles(all: &mut Units) {
    let mut setup = Setup::new();
    let next = fixed_key("next governance");
    let roles = [
        (kind::GOVERNANCE, next.pubkey()),
        (kind::COMMITTEE, fixed_key("next committee").pubkey()),
        (kind::GUARDIAN, fixed_key("next guardian").pubkey()),
    ];
    let queued = roles.map(|(kind, key)| setup.queue_role(kind, key).expect("queued"));
    for id in queued {
        setup.wait_for(id);
        let executed = setup.execute_proposal(id);
        all.add("execute_proposal", executed);
    }
    let units = setup.world.units.remove("queue_role").expect("recorded");
    all.0.entry("queue_role".to_owned()).or_default().extend(units);
    let accept = ix::accept_governance(&next.pubkey(), &setup.exchange);
    all.add("accept_governance", setup.world.send(&[accept], &[&next]));
    let dismiss = ix::dismiss_committee(&next.pubkey(), &setup.exchange);
    all.add("dismiss_committee", setup.world.send(&[dismiss], &[&next]));
    setup.audit();
}

fn guardian(all: &mut Units) {
    let mut setup = Setup::new();
    let both = ProtectMarketArgs { reduce_only_seconds: 3_600, cap: units(100_000), cap_seconds: 3_600 };
    let longer = ProtectMarketArgs { reduce_only_seconds: 7_200, cap: 0, cap_seconds: 0 };
    for args in [both, longer] {
        let (guardian, exchange) = (setup.guardian.clone(), setup.exchange);
        let protect = ix::protect_market(&guardian.pubkey(), &exchange, 0, args);
        all.add("protect_market", setup.world.send(&[protect], &[&guardian]));
    }
    all.add("emergency_pause", setup.emergency(3_600));
    setup.world.advance(15 * 86_400);
    all.add("emergency_pause", setup.emergency(43_200));
    setup.audit();
}

/// With buffers of the price feed's size, and one whose first part is a whole one: half a unit a byte is the hash.
fn upgrades(all: &mut Units) {
    let mut setup = Setup::new();
    let code = program_bytes(SMALL);
    all.add("take_upgrade_authority", setup.take_upgrade_authority());
    let buffers = ["first", "second", "third"].map(|name| setup.buffer(name, &code));
    let ids = buffers.map(|buffer| setup.queue_upgrade(&buffer).expect("queued"));
    let units = setup.world.units.remove("queue_upgrade").expect("recorded");
    all.0.entry("queue_upgrade".to_owned()).or_default().extend(units);
    setup.veto(ids[0]).must();
    all.add("close_upgrade", setup.close_upgrade(&buffers[0]));
    for name in ["second mint", "third mint"] {
        let args = setup.new_exchange_args(name);
        let id = setup.queue_new_exchange(args).expect("queued");
        let mut ripe = setup.clone();
        ripe.wait_for(id);
        all.add("execute_new_exchange", ripe.execute_new_exchange(id));
        all.add("close_proposal", ripe.close_proposal(id));
    }
    let units = setup.world.units.remove("queue_new_exchange").expect("recorded");
    all.0.entry("queue_new_exchange".to_owned()).or_default().extend(units);
    let mut long = setup.clone();
    let large = long.buffer("large", &vec![1; 1_500_000]);
    long.queue_upgrade(&large).expect("queued");
    long.verify_upgrade(&large).must();
    setup.verify_upgrade(&buffers[1]).must();
    setup.verify_upgrade(&buffers[2]).must();
    for setup in [&mut setup, &mut long] {
        let units = setup.world.units.remove("verify_upgrade").expect("recorded");
        all.0.entry("verify_upgrade".to_owned()).or_default().extend(units);
    }
    setup.wait_for(ids[1]);
    let mut other = setup.clone();
    all.add("execute_upgrade", setup.execute_upgrade(&buffers[1]));
    all.add("execute_upgrade", other.execute_upgrade(&buffers[2]));
}

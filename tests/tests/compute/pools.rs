//! Liquidity, insurance, fees, and claims on a pool that could not pay at once.

use ballast_client::instructions as ix;
use ballast_tests::{Expect as _, MarketTerms, Setup, Terms, units, usd};
use solana_signer::Signer as _;

use super::Units;

pub(crate) fn run(all: &mut Units) {
    liquidity(all);
    lapses(all);
    money_in_and_out(all);
    claims(all);
    insurance(all);
    deleveraging(all);
    settlement(all);
}

/// Takes the units that the harness recorded under an instruction's own name since the last time.
fn take(setup: &mut Setup, all: &mut Units, name: &str) {
    let units = setup.world.units.remove(name).unwrap_or_else(|| panic!("{name} was not recorded"));
    all.0.entry(name.to_owned()).or_default().extend(units);
}

fn liquidity(all: &mut Units) {
    let mut setup = Setup::new();
    let trader = setup.trader("alice", units(50_000));
    for (market, amount) in [(0, 40_000), (1, 50_000), (2, 1_234)] {
        let provider = setup.provider_account(&format!("new provider {market}"), market, units(amount));
        setup.file_deposit(&provider, units(amount)).must();
        setup.later();
        if market == 1 {
            // With open interest, and out in two parts.
            setup.open(&trader, 1, units(30_000).cast_signed());
        }
        setup.execute_deposit(&provider).must();
        let shares = setup.world.tokens(&provider.shares);
        setup.file_exit(&provider, shares).must();
        setup.tick(24 * 3_600);
        setup.tick(300);
        setup.execute_exit(&provider).must();
    }
    for name in ["request_lp_deposit", "execute_lp_deposit", "request_lp_withdrawal", "execute_lp_withdrawal"] {
        take(&mut setup, all, name);
    }
    setup.audit();
}

fn lapses(all: &mut Units) {
    let mut setup = Setup::new();
    for market in [0, 2] {
        let provider = setup.providers[market].clone();
        let amount = units(5_000);
        setup.provider_account(&format!("provider {market}"), market, amount);
        setup.file_deposit(&provider, amount).must();
        setup.file_exit(&provider, amount).must();
        setup.world.advance(26 * 3_600);
        setup.lapse_deposit(&provider).must();
        setup.lapse_exit(&provider).must();
    }
    for name in ["lapse_lp_deposit", "lapse_lp_withdrawal"] {
        take(&mut setup, all, name);
    }
    setup.audit();
}

fn money_in_and_out(all: &mut Units) {
    let mut setup = Setup::new();
    let (rich, tokens) = setup.fund("rich", units(100_000));
    for amount in [1, units(10), units(20_000)] {
        let (exchange, market, payer) = (setup.exchange, setup.market_key(1), rich.pubkey());
        let top_up = ix::top_up_market_insurance(&exchange, &market, &payer, &tokens, amount);
        all.add("top_up_market_insurance", setup.world.send(&[top_up], &[&rich]));
        let top_up = ix::top_up_shared_insurance(&exchange, &payer, &tokens, amount);
        all.add("top_up_shared_insurance", setup.world.send(&[top_up], &[&rich]));
    }
    let alice = setup.trader("alice", units(50_000));
    for market in [0, 1] {
        setup.open(&alice, market, units(30_000).cast_signed());
        all.add("collect_fees", setup.collect_fees(market));
    }
    setup.audit();
}

/// A market with little cash, whose longs win more than it has.
fn claims(all: &mut Units) {
    let thin = MarketTerms { liquidity: units(20_000), cap: units(1_000_000), price: usd(100), ..MarketTerms::DEEP };
    let deep = MarketTerms { price: usd(50), base_decimals: 6, cap: units(1_000_000), ..MarketTerms::DEEP };
    let mut setup = Setup::with(&Terms { markets: vec![thin, deep], funding: true });
    let winner = setup.trader("winner", units(30_000));
    let mixed = setup.trader("mixed", units(30_000));
    let losers = ["loser", "other loser"].map(|name| setup.trader(name, units(100_000)));
    for loser in &losers {
        setup.open(loser, 0, -units(90_000).cast_signed());
    }
    setup.open(&winner, 0, units(40_000).cast_signed());
    setup.open(&mixed, 0, units(140_000).cast_signed());
    setup.open(&mixed, 1, units(250_000).cast_signed());
    setup.move_by(0, 3_000);
    setup.move_by(1, -2_500);
    all.add("settle", setup.settle(&winner, 0));
    // Its loss in the second market takes its claim on the first one there.
    let whole = setup.position(&mixed, 1);
    all.add("reduce", setup.reduce(&mixed, 1, whole.unsigned_abs(), true));
    assert!(!setup.market(1).state.held[0].amount.is_zero(), "the second pool holds a claim on the first");
    // Cash comes in, in two parts.
    for loser in &losers {
        all.add("settle", setup.settle(loser, 0));
        all.add("collect_claim", setup.collect_claim(&winner, 0));
        all.add("collect_pool_claim", setup.collect_pool_claim(0, 1));
        setup.audit();
    }
    let whole = setup.position(&mixed, 0);
    all.add("reduce", setup.reduce(&mixed, 0, whole.unsigned_abs(), false));
    setup.audit();
}

/// Deficits of two markets that shared insurance pays in two parts.
fn insurance(all: &mut Units) {
    let mut terms = Terms::cross(2);
    for market in &mut terms.markets {
        market.insurance = units(100);
    }
    let mut setup = Setup::with(&terms);
    let (rich, tokens) = setup.fund("rich", units(100_000));
    let top_up = ix::top_up_shared_insurance(&setup.exchange, &rich.pubkey(), &tokens, units(10_000));
    setup.world.send(&[top_up], &[&rich]).must();
    for market in [0, 1] {
        let trader = setup.trader(&format!("long {market}"), units(10_000));
        setup.open(&trader, market, units(100_000).cast_signed());
        for _ in 0..2 {
            setup.move_by(market, -800);
        }
        setup.flag(&trader).must();
        setup.tick(2);
        setup.resolve(&trader).must();
    }
    setup.midnight(0, 0);
    for market in [0, 1] {
        all.add("register_insurance_claim", setup.register_insurance(market));
    }
    setup.midnight(0, 0);
    for hours in [0, 4] {
        setup.world.advance(hours * 3_600);
        for market in [0, 1] {
            all.add("pay_insurance_claim", setup.pay_insurance(market));
        }
        setup.audit();
    }
}

/// A winning side is reduced, and its positions pick it up.
fn deleveraging(all: &mut Units) {
    let (mut setup, traders) = Setup::after_an_episode();
    all.add("deleverage", setup.deleverage(0));
    for trader in &traders[..2] {
        all.add("pick_up_deleveraging", setup.pick_up(trader, 0));
        setup.audit();
    }
}

/// A market is settled, its positions closed.
fn settlement(all: &mut Units) {
    let (mut setup, traders) = Setup::settled();
    take(&mut setup, all, "advance_settlement");
    for trader in &traders {
        all.add("close_settled", setup.close_settled(trader, 0));
        setup.audit();
    }
}

//! Keepers' instructions: nobody but the transaction's payer signs.

use ballast_client::instructions as ix;
use ballast_engine::market::Claim;
use ballast_engine::units::Quote;
use ballast_tests::prices::Posted;
use ballast_tests::{Expect, Setup, Terms, Trader, units};
use solana_instruction::Instruction;

use super::super::case::Case;
use super::trader::two_positions;

pub(super) fn cases() -> Vec<Case> {
    [prices_and_fills(), claims(), liquidations(), insurance(), deleveragings(), settlements()].concat()
}

fn case(name: &'static str, setup: &Setup, instruction: Instruction) -> Case {
    Case::new(name, setup.clone(), instruction, &[])
}

fn prices_and_fills() -> Vec<Case> {
    let (mut setup, trader) = two_positions();
    let size = setup.size_for(0, 1_000_000_000);
    let order = setup.place(&trader, 0, size).expect("placed");
    setup.later();
    let fill = case("execute_order", &setup, setup.execute_ix(&trader, 0, &order, false));
    let price = setup.posted[0].price;
    setup.move_to(0, price + price / 100);
    let settle = case("settle", &setup, ix::settle(&setup.market_key(0), &trader.subaccount));
    setup.world.advance(1);
    setup.publish(0, Posted::tight(price)).must();
    let update = case("update_market", &setup, ix::update_market(&setup.market_key(0), &setup.feed(0)));
    vec![fill, settle, update]
}

/// Claims that the pool of market 0 has paid in full: as they stand after a deficit that was made good.
fn claims() -> Vec<Case> {
    const PAID: Quote = Quote(7_000_000);
    let (mut setup, trader) = two_positions();
    let (debtor, holder) = (setup.market_key(0), setup.market_key(1));
    let claim = Claim { amount: PAID, factor: 1, epoch: 0 };
    let mut market = setup.market(0);
    let pool = &mut market.state.pool;
    pool.claim_epoch += 1;
    pool.claims_paid = Quote(2 * PAID.0);
    setup.world.write(&debtor, &*market);
    let mut account = setup.account(&trader);
    account.state.positions[0].claim = claim;
    setup.world.write(&trader.subaccount, &*account);
    let mut market = setup.market(1);
    market.state.held[0] = claim;
    setup.world.write(&holder, &*market);
    let collect = ix::collect_claim(&debtor, &trader.subaccount);
    let between = ix::collect_pool_claim(&debtor, &holder);
    vec![case("collect_claim", &setup, collect), case("collect_pool_claim", &setup, between)]
}

/// A trader who is below maintenance once market 0 has fallen by 2 %.
fn strained() -> (Setup, Trader) {
    let mut setup = Setup::with(&Terms::still());
    let trader = setup.trader("trader", units(1_500));
    setup.open(&trader, 0, 15_000_000_000);
    setup.open(&trader, 1, -5_000_000_000);
    setup.move_by(0, -600);
    (setup, trader)
}

fn liquidations() -> Vec<Case> {
    let (mut setup, trader) = strained();
    let second = setup.trader("second keeper", 0);
    let legs = ix::leg_metas(&setup.account(&trader), None, false);
    let flag = case("flag", &setup, ix::flag(&trader.subaccount, &setup.keeper.subaccount, &legs));
    setup.flag(&trader).must();
    let mut healthy = setup.clone();
    healthy.move_by(0, 600);
    let unflag = case("unflag", &healthy, ix::unflag(&trader.subaccount, &legs));
    setup.tick(2);
    let (market, flagger) = (setup.market_key(0), setup.keeper.subaccount);
    let others = ix::leg_metas(&setup.account(&trader), Some(0), false);
    let liquidate = ix::liquidate(&market, &trader.subaccount, &second.subaccount, Some(&flagger), &others);
    let liquidate = case("liquidate", &setup, liquidate);
    setup.move_by(0, -900);
    let legs = ix::leg_metas(&setup.account(&trader), None, true);
    let resolve = case("resolve", &setup, ix::resolve(&trader.subaccount, &legs));
    vec![flag, unflag, liquidate, resolve]
}

/// A deficit that only shared insurance can pay: registered on the next day, paid on the one after.
fn insurance() -> Vec<Case> {
    let mut setup = Setup::with(&Terms::still());
    let (rich, tokens) = setup.fund("rich", units(10_000));
    let by = solana_signer::Signer::pubkey(&*rich);
    setup.world.send(&[ix::top_up_shared_insurance(&setup.exchange, &by, &tokens, units(10_000))], &[&rich]).must();
    let market = setup.market_key(0);
    let mut state = setup.market(0);
    let now = setup.world.now();
    state.state.pool.insurance = Quote(0);
    let _ = state.state.absorb_deficit(Quote(units(3_000)), &now).expect("filed");
    // The bucket's tokens are gone too.
    state.state.pool.cash = Quote(state.state.pool.cash.0 + units(10_000));
    setup.world.write(&market, &*state);
    setup.midnight(0, 5);
    let register = case("register_insurance_claim", &setup, ix::register_insurance_claim(&setup.exchange, &market));
    setup.register_insurance(0).must();
    setup.midnight(0, 5);
    let pay = case("pay_insurance_claim", &setup, ix::pay_insurance_claim(&setup.exchange, &market));
    vec![register, pay]
}

fn deleveragings() -> Vec<Case> {
    let (mut setup, [_, bob, _]) = Setup::after_an_episode();
    let market = setup.market_key(0);
    let deleverage = case("deleverage", &setup, ix::deleverage(&market));
    setup.deleverage(0).must();
    vec![deleverage, case("pick_up_deleveraging", &setup, ix::pick_up_deleveraging(&market, &bob.subaccount))]
}

fn settlements() -> Vec<Case> {
    let (setup, _) = Setup::below_floor();
    let market = setup.market_key(0);
    let begin = case("advance_settlement", &setup, ix::advance_settlement(&market));
    // Carol's loss is more than she has: a position elsewhere pays the rest.
    let (mut setup, [_, _, carol]) = Setup::settled();
    setup.open(&carol, 1, units(5_000).cast_signed());
    setup.move_by(1, 2_000);
    let mut account = setup.account(&carol);
    let gone = account.state.collateral.0 - units(44_600);
    account.state.collateral = Quote(units(44_600));
    setup.world.write(&carol.subaccount, &*account);
    // The tokens stay in the vault: as fees.
    let mut other = setup.market(1);
    other.state.pool.protocol_fees.0 += gone;
    setup.world.write(&setup.market_key(1), &*other);
    let legs = ix::leg_metas(&setup.account(&carol), Some(0), true);
    vec![begin, case("close_settled", &setup, ix::close_settled(&market, &carol.subaccount, &legs))]
}

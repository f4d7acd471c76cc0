//! Covenants and delegates: their own instructions, and what the others cost under a covenant.

use ballast::instructions::trader::{SetCovenantArgs, SetDelegateArgs};
use ballast_engine::constants::DAY;
use ballast_tests::binding::{NO_LIMITS, TERMS};
use ballast_tests::{Expect as _, Setup, Terms, Trader, units};

use super::Units;

pub(crate) fn run(all: &mut Units) {
    let wide = SetCovenantArgs { max_notional: units(1_000_000), ..TERMS };
    one(all, wide);
    eight(all, wide);
    let mut setup = Setup::new();
    let (alice, desk) = (setup.trader("alice", units(1_000)), setup.trader("desk", 0));
    let until = setup.world.now().unix + DAY;
    for delegate in [desk.address(), Default::default()] {
        let args = SetDelegateArgs { delegate, until, permissions: 7, fee_budget: units(10) };
        all.add("set_delegate", setup.appoint(&alice, args));
    }
}

fn one(all: &mut Units, wide: SetCovenantArgs) {
    let mut setup = Setup::new();
    let alice = setup.trader("alice", units(100_000));
    all.add("create_covenant", setup.bind(&alice, wide));
    for notional in [50_000, -30_000, -60_000] {
        filled(&mut setup, all, "execute_order_under_covenant_1", &alice, 0, units(1) as i64 * notional);
    }
    // Seven more accounts, seen in the same slots.
    let others: Vec<Trader> = (2..9).map(|id| setup.trader_with("alice", id, true, units(1_000))).collect();
    for other in &others {
        let size = setup.size_for(0, units(500).cast_signed());
        let order = setup.place(other, 0, size).expect("placed");
        setup.later();
        for seen in [&alice].into_iter().chain(&others) {
            setup.touch(seen).must();
        }
        all.add("execute_order_under_covenant_1", setup.execute(other, 0, &order));
    }
    all.add("touch_covenant_1", setup.touch(&alice));
    setup.tick(1);
    all.add("touch_covenant_1", setup.touch(&alice));
    all.add("withdraw_under_covenant_1", setup.withdraw(&alice, units(100)));
    let ninth = setup.trader_with("alice", 9, false, 0);
    all.add("transfer_under_covenant_1", setup.transfer(&alice, &ninth, units(100)));
    let back = setup.transfer(&ninth, &alice, units(100));
    all.add("transfer_under_covenant_1", back);
    all.add("close_subaccount", setup.close_subaccount(&ninth));

    setup.move_by(0, 200);
    for seen in [&alice].into_iter().chain(&others) {
        all.add("touch_covenant_1", setup.touch(seen));
    }
    setup.tick(1);
    for seen in [&alice].into_iter().chain(&others) {
        all.add("touch_covenant_1", setup.touch(seen));
    }
    all.add("trip_covenant", setup.trip(&alice));
    setup.tick(1);
    all.add("close_tripped_1", setup.close_tripped(&alice, 0));
    all.add("tighten_covenant", setup.tighten(&alice, SetCovenantArgs { daily_loss: units(100), ..wide }));
    all.add("loosen_covenant", setup.loosen(&alice, NO_LIMITS));
    setup.world.advance(TERMS.loosening_delay);
    all.add("execute_loosening", setup.execute_loosening(&alice));
    all.add("close_covenant", setup.close_covenant(&alice));
    setup.audit();
}

fn eight(all: &mut Units, wide: SetCovenantArgs) {
    let mut setup = Setup::with(&Terms { funding: true, ..Terms::cross(8) });
    let other = setup.trader("other side", units(500_000));
    let trader = setup.trader("wide", units(100_000));
    setup.bind(&trader, wide).must();
    for market in 0..8 {
        setup.open(&other, market, -2 * units(20_000).cast_signed());
        let name = if market == 7 { Some("execute_order_under_covenant_8") } else { None };
        let notional = units(20_000).cast_signed();
        match name {
            Some(name) => filled(&mut setup, all, name, &trader, market, notional),
            None => {
                setup.open(&trader, market, notional);
            }
        }
    }
    all.add("touch_covenant_8", setup.touch(&trader));
    setup.tick(1);
    all.add("touch_covenant_8", setup.touch(&trader));
    all.add("withdraw_under_covenant_8", setup.withdraw(&trader, units(100)));
    setup.move_by(3, -400);
    setup.touch(&trader).must();
    all.add("trip_covenant", setup.find_again(&trader));
    setup.tick(1);
    all.add("close_tripped_8", setup.close_tripped(&trader, 3));
    setup.audit();
}

fn filled(setup: &mut Setup, all: &mut Units, name: &str, trader: &Trader, market: usize, notional: i64) {
    let order = setup.place(trader, market, setup.size_for(market, notional)).expect("placed");
    setup.later();
    all.add(name, setup.execute(trader, market, &order));
}

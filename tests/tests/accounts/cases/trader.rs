//! Traders' instructions. The trader holds positions in markets 0 and 1 where its other markets matter.

use ballast::instructions::trader::{PlaceOrderArgs, SetCovenantArgs, SetDelegateArgs};
use ballast_client::instructions as ix;
use ballast_engine::constants::{DAY, HOUR, ORDER_LIFE, ORDER_LOCK, PLACEMENT_LAG};
use ballast_tests::binding::{NO_LIMITS, TERMS};
use ballast_tests::{Ask, Expect as _, Setup, Terms, Trader, units};

use super::super::case::{Case, sponsor};

/// A trader with a long in market 0 and a short in market 1.
pub(super) fn two_positions() -> (Setup, Trader) {
    let mut setup = Setup::with(&Terms::still());
    let trader = setup.trader("trader", units(10_000));
    setup.open(&trader, 0, 10_000_000_000);
    setup.open(&trader, 1, -5_000_000_000);
    (setup, trader)
}

pub(super) fn cases() -> Vec<Case> {
    [accounts(), money(), orders(), exits(), bound(), delegated()].concat()
}

/// A trader under a covenant, enrolled, with positions in markets 0 and 1.
pub(super) fn under_covenant() -> (Setup, Trader) {
    let mut setup = Setup::with(&Terms::still());
    let trader = setup.bound("trader", units(10_000));
    setup.open(&trader, 0, 10_000_000_000);
    setup.open(&trader, 1, -5_000_000_000);
    (setup, trader)
}

fn bound() -> Vec<Case> {
    let mut fresh = Setup::with(&Terms::still());
    let newcomer = fresh.trader("newcomer", 0);
    let create = ix::create_covenant(&fresh.exchange, &newcomer.address(), TERMS);
    let create = Case::new("create_covenant", fresh, create, &[&newcomer.key]);
    let (mut setup, trader) = under_covenant();
    let (exchange, owner, covenant) = (setup.exchange, trader.address(), setup.covenant_key(&trader));
    let tighten = ix::tighten_covenant(&exchange, &owner, SetCovenantArgs { daily_loss: units(100), ..TERMS });
    let loosen = ix::loosen_covenant(&exchange, &owner, NO_LIMITS);
    let account = setup.account(&trader);
    let legs = ix::leg_metas(&account, None, false);
    let touch = ix::touch_covenant(&covenant, &trader.subaccount, &legs);
    let withdraw = ix::withdraw(&exchange, &owner, &trader.subaccount, &trader.tokens, units(5), &legs);
    let other = setup.trader_with("trader", 2, false, 0);
    let transfer = ix::transfer(&owner, &trader.subaccount, &other.subaccount, &covenant, units(5), &legs);
    let close = ix::close_subaccount(&exchange, &owner, &other.subaccount);
    let size = setup.size_for(0, 1_000_000_000);
    let mut at_fill = setup.clone();
    let order = at_fill.place(&trader, 0, size).expect("placed");
    at_fill.later();
    let fill = at_fill.execute_ix(&trader, 0, &order, false);
    let mut cases: Vec<Case> = [
        ("tighten_covenant", tighten),
        ("loosen_covenant", loosen),
        ("touch_covenant", touch),
        ("withdraw", withdraw),
        ("transfer", transfer),
        ("close_subaccount", close),
    ]
    .map(|(name, instruction)| Case::new(name, setup.clone(), instruction, &[&trader.key]).variant("under a covenant"))
    .to_vec();
    cases.push(create);
    cases.push(Case::new("execute_order", at_fill, fill, &[]).variant("under a covenant"));

    let mut falling = setup.clone();
    falling.move_by(0, -600);
    for _ in 0..2 {
        falling.tick(1);
        falling.touch(&trader).must();
    }
    cases.push(Case::new("trip_covenant", falling.clone(), ix::trip_covenant(&covenant), &[]));
    falling.trip(&trader).must();
    falling.tick(1);
    let legs = ix::leg_metas(&falling.account(&trader), Some(0), false);
    let (market, keeper) = (falling.market_key(0), falling.keeper.subaccount);
    let close = ix::close_tripped(&market, &trader.subaccount, &keeper, &covenant, &legs);
    cases.push(Case::new("close_tripped", falling, close, &[]));

    setup.loosen(&trader, NO_LIMITS).must();
    setup.world.advance(TERMS.loosening_delay);
    cases.push(Case::new("execute_loosening", setup.clone(), ix::execute_loosening(&covenant), &[]));
    setup.execute_loosening(&trader).must();
    let close = ix::close_covenant(&exchange, &owner);
    cases.push(Case::new("close_covenant", setup, close, &[&trader.key]));
    cases
}

/// What a delegate signs.
fn delegated() -> Vec<Case> {
    let (mut setup, trader) = two_positions();
    let desk = setup.trader("desk", 0);
    let until = setup.world.now().unix + DAY;
    let args = SetDelegateArgs { delegate: desk.address(), until, permissions: 7, fee_budget: units(10) };
    let set = ix::set_delegate(&trader.address(), &trader.subaccount, args);
    let set = Case::new("set_delegate", setup.clone(), set, &[&trader.key]);
    setup.appoint_for(&trader, desk.address(), 1, units(10));
    let other = setup.trader_with("trader", 2, false, 0);
    setup.appoint_for(&other, desk.address(), 1, 0);
    let (key, account) = (desk.address(), setup.account(&trader));
    let legs = ix::leg_metas(&account, None, false);
    let covenant = ix::pubkey(&account.covenant);
    let transfer = ix::transfer(&key, &trader.subaccount, &other.subaccount, &covenant, units(5), &legs);
    let market = setup.market_key(0);
    let legs = ix::leg_metas(&account, Some(0), false);
    let reduce = ix::reduce(&key, &market, &trader.subaccount, account.state.positions[0].base().0 / 2, 0, &legs);
    let size = setup.size_for(0, 1_000_000_000);
    let args = PlaceOrderArgs { size, ..PlaceOrderArgs::default() };
    let place = ix::place_order(&key, &market, &trader.subaccount, account.state.next_order, args);
    let mut cases: Vec<Case> = [("transfer", transfer), ("reduce", reduce), ("place_order", place)]
        .map(|(name, instruction)| Case::new(name, setup.clone(), instruction, &[&desk.key]).variant("by a delegate"))
        .to_vec();
    cases.push(set);
    cases
}

fn accounts() -> Vec<Case> {
    let mut setup = Setup::with(&Terms::still());
    let trader = setup.trader("trader", 0);
    let open = ix::open_subaccount(&setup.exchange, &trader.address(), 4, false);
    let close = ix::close_subaccount(&setup.exchange, &trader.address(), &trader.subaccount);
    [("open_subaccount", open), ("close_subaccount", close)]
        .map(|(name, instruction)| Case::new(name, setup.clone(), instruction, &[&trader.key]))
        .to_vec()
}

fn money() -> Vec<Case> {
    let (mut setup, trader) = two_positions();
    let other = setup.trader_with("trader", 2, false, 0);
    let (owner, account) = (trader.address(), setup.account(&trader));
    let legs = ix::leg_metas(&account, None, false);
    let (exchange, from, tokens) = (setup.exchange, trader.subaccount, trader.tokens);
    let deposit = ix::deposit(&exchange, &owner, &from, &tokens, units(5));
    let withdraw = ix::withdraw(&exchange, &owner, &from, &tokens, units(5), &legs);
    let transfer = ix::transfer(&owner, &from, &other.subaccount, &ix::pubkey(&account.covenant), units(5), &legs);
    [("deposit", deposit), ("withdraw", withdraw), ("transfer", transfer)]
        .map(|(name, instruction)| Case::new(name, setup.clone(), instruction, &[&trader.key]))
        .to_vec()
}

fn orders() -> Vec<Case> {
    let (mut setup, trader) = two_positions();
    let size = setup.size_for(0, 1_000_000_000);
    let args = PlaceOrderArgs { size, ..PlaceOrderArgs::default() };
    let id = setup.account(&trader).state.next_order;
    let market = setup.market_key(0);
    let place = ix::place_order(&trader.address(), &market, &trader.subaccount, id, args);
    let place = Case::new("place_order", setup.clone(), place, &[&trader.key]);

    let order = setup.place(&trader, 0, size).expect("placed");
    setup.tick(PLACEMENT_LAG + ORDER_LOCK);
    let owner = trader.address();
    let cancel = ix::cancel_order(&owner, &market, &trader.subaccount, &order, &owner, None);
    let cancel = Case::new("cancel_order", setup.clone(), cancel, &[&trader.key]).variant("by its owner");

    setup.tick(ORDER_LIFE + 1);
    let anyone = sponsor(&mut setup);
    let keeper = setup.keeper.subaccount;
    let by = solana_signer::Signer::pubkey(&*anyone);
    let dead = ix::cancel_order(&by, &market, &trader.subaccount, &order, &owner, Some(&keeper));
    let dead = Case::new("cancel_order", setup.clone(), dead, &[&anyone]).variant("dead");

    // More than its margin allows.
    let more = setup.size_for(0, units(400_000).cast_signed());
    let order = setup.place(&trader, 0, more).expect("placed");
    setup.later();
    let legs = ix::leg_metas(&setup.account(&trader), Some(0), false);
    let covenant = ix::pubkey(&setup.account(&trader).covenant);
    let (account, keeper, covenant) = (trader.subaccount, Some(&keeper), Some(&covenant));
    let unfillable = ix::cancel_unfillable(&by, &market, &account, &order, &owner, keeper, covenant, &legs);
    let unfillable = Case::new("cancel_order", setup, unfillable, &[&anyone]).variant("unfillable");
    vec![place, cancel, dead, unfillable, trigger()]
}

fn trigger() -> Case {
    let (mut setup, trader) = two_positions();
    let price = setup.market(0).state.price.last.price.0;
    let size = -setup.position(&trader, 0);
    let trail = Ask { size, reduce_only: true, kind: 3, trail: price / 100, ..Ask::default() };
    let order = setup.place(&trader, 0, trail).expect("placed");
    setup.later();
    let trigger = ix::trigger_order(&setup.market_key(0), &trader.subaccount, &order);
    Case::new("trigger_order", setup, trigger, &[])
}

fn exits() -> Vec<Case> {
    let (mut setup, trader) = two_positions();
    let half = setup.position(&trader, 0).unsigned_abs() / 2;
    let (owner, market) = (trader.address(), setup.market_key(0));
    let legs = ix::leg_metas(&setup.account(&trader), Some(0), false);
    let reduce = ix::reduce(&owner, &market, &trader.subaccount, half, 0, &legs);
    let reduce = Case::new("reduce", setup.clone(), reduce, &[&trader.key]);
    setup.world.advance(HOUR + 60);
    let exit = ix::exit_silent(&owner, &market, &trader.subaccount, &legs);
    vec![reduce, paid_by_others(), Case::new("exit_silent", setup, exit, &[&trader.key])]
}

/// A loss that the collateral cannot pay: the other market's profit does, and that market must be passed, writable.
fn paid_by_others() -> Case {
    let mut setup = Setup::with(&Terms::still());
    let trader = setup.trader("trader", units(1_600));
    setup.open(&trader, 0, 10_000_000_000);
    setup.open(&trader, 1, -10_000_000_000);
    setup.move_by(1, -1_500);
    setup.move_by(0, -1_800);
    let (owner, market) = (trader.address(), setup.market_key(0));
    let size = setup.position(&trader, 0).unsigned_abs();
    let legs = ix::leg_metas(&setup.account(&trader), Some(0), true);
    let reduce = ix::reduce(&owner, &market, &trader.subaccount, size, 0, &legs);
    Case::new("reduce", setup, reduce, &[&trader.key]).variant("paid by another market's profit")
}

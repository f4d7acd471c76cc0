//! Settlement of a market: when it begins and ends, that every order of closings gives the same, that everybody gets out.

use ballast_engine::account::AccountState;
use ballast_engine::constants::{DAY, HOUR, WIND_DOWN_NOTICE};
use ballast_engine::liquidity::{Exit, LOCKED_SHARES, execute_deposit, execute_exit};
use ballast_engine::margin::{Purpose, leg};
use ballast_engine::market::{MarketState, Observation};
use ballast_engine::order::{OrderTerms, reduce_mark};
use ballast_engine::price::Status;
use ballast_engine::resolve::{cover_liquidation, resolve};
use ballast_engine::settle::collect;
use ballast_engine::settlement::{Step, close_settled};
use ballast_engine::trade::{check_increase, increase};
use ballast_engine::{Error, Fault, Now, Price, Quote};

use crate::support::{
    NOW, account, assert_sums, dollars, later, market, market_at, price, set_price_at, tokens, units,
};
use crate::world::{Op, UNIT, World};

const WHEN: Now = Now { unix: NOW.unix + 25 * HOUR, slot: NOW.slot + 225_000, restart_slot: 0 };

/// Longs of 2,000 and 700 units, a short of 2,400 that can pay, one of 100 that cannot; a pool of $30,000, a bucket of $400.
/// At $112 the pool stands below a floor of 10 %.
fn below() -> (MarketState, Vec<AccountState>) {
    let mut market = market();
    market.pool.cash = dollars(30_000);
    market.pool.shares = dollars(30_000).0;
    market.params.settlement_floor.0 = 100_000;
    let sizes = [(2_000, true, 60_000), (700, true, 30_000), (2_400, false, 40_000), (100, false, 600)];
    let mut accounts = Vec::new();
    for (size, long, collateral) in sizes {
        let mut account = account(dollars(collateral));
        let _ = increase(&mut market, &mut account, 0, units(size), long, price(100)).unwrap();
        accounts.push(account);
    }
    market.pool.insurance = dollars(400);
    // The providers have lost most of it elsewhere.
    market.pool.cash = dollars(1_000);
    set_price_at(&mut market, price(112), &NOW);
    (market, accounts)
}

/// The same with the price fixed.
fn settled() -> (MarketState, Vec<AccountState>) {
    let (mut market, accounts) = below();
    assert_eq!(market.advance_settlement(&NOW).unwrap(), Step::Begun);
    set_price_at(&mut market, price(112), &WHEN);
    assert_eq!(market.advance_settlement(&WHEN).unwrap(), Step::Fixed(price(112)));
    (market, accounts)
}

/// Closes a slot; what nobody pays is the market's deficit.
fn close(market: &mut MarketState, account: &mut AccountState, now: &Now) -> Result<(), Fault> {
    let closed = close_settled(market, account, 0, now)?;
    let unpaid = closed.fill.map_or(Quote::ZERO, |fill| fill.realised.unpaid);
    let _ = cover_liquidation(account, 0, unpaid, &mut [(0, &mut *market)], now)?;
    Ok(())
}

#[test]
fn it_begins_below_the_floor_and_is_called_off_when_equity_is_back() {
    let (mut market, _) = below();
    market.pool.cash = dollars(9_000);
    let mut well = market;
    well.pool.cash = dollars(40_000);
    let refused = well.advance_settlement(&NOW).unwrap_err();
    assert_eq!((refused.error, refused.limit), (Error::SettlementNotDue, 2_700 * 112 * 1_000_000 / 10));
    assert_eq!(market.advance_settlement(&NOW).unwrap(), Step::Begun);
    // Reduce-only; no provider leaves; whoever brings money calls it off.
    let mut trader = account(dollars(100_000));
    let _ = increase(&mut market, &mut trader, 0, units(10), true, price(112)).unwrap();
    assert_eq!(check_increase(&market, &trader, 0, &NOW).unwrap_err().error, Error::MarketReduceOnly);
    let exit = execute_exit(&mut { market }, 10, NOW.unix - 5, &NOW).unwrap();
    assert_eq!(exit, Exit::HeldBack(Error::MarketSettled));
    market.pool.pending_deposits = dollars(60_000);
    let _ = execute_deposit(&mut market, dollars(60_000), NOW.unix - 1, &NOW).unwrap();
    assert_eq!(market.advance_settlement(&NOW).unwrap(), Step::CalledOff);
    assert_eq!(market.settlement.begun_at, 0);
}

#[test]
fn the_price_is_fixed_24_hours_later_to_the_second() {
    let (mut start, _) = below();
    let _ = start.advance_settlement(&NOW).unwrap();
    for (second, done) in [(-1, false), (0, true), (1, true)] {
        let (mut market, now) = (start, later(&NOW, DAY + second));
        set_price_at(&mut market, price(113), &now);
        match market.advance_settlement(&now) {
            Ok(step) => assert!(done && step == Step::Fixed(price(113)) && market.settlement.fixed_at == now.unix),
            Err(early) => {
                assert_eq!((early.error, early.limit), (Error::SettlementTooEarly, NOW.unix + DAY));
                assert!(!done);
            }
        }
    }
    // It needs a good price.
    let mut market = start;
    assert_eq!(market.advance_settlement(&later(&NOW, DAY)).unwrap_err().error, Error::PriceSilent);
}

#[test]
fn whoever_fixes_the_price_cannot_choose_the_print_it_is_fixed_at() {
    let (mut start, _) = below();
    let _ = start.advance_settlement(&NOW).unwrap();
    let due = later(&NOW, DAY);
    set_price_at(&mut start, price(112), &due);
    // The caller posts the one print that suits him, as far off as a good price may be (1.5 %), and calls.
    let now = later(&due, 4);
    let mut fixed = Vec::new();
    for print in [price(112), Price(113_600_000_000), Price(110_400_000_000)] {
        let mut market = start;
        let (band, rules) = (market.band().unwrap(), market.rules().unwrap());
        let update = Observation { publish_time: now.unix, price: print, ..market.price.last };
        assert!(market.price.store(update, now.slot, band, rules, &now).unwrap());
        assert_eq!(market.status(&now).unwrap(), Status::Good);
        let Step::Fixed(at) = market.advance_settlement(&now).unwrap() else { panic!("not fixed") };
        assert_eq!(market.settlement.price, at);
        assert!(at.0.abs_diff(price(112).0) <= print.0.abs_diff(price(112).0) * 5 / 305, "{at:?} by {print:?}");
        fixed.push(at);
    }
    assert!(fixed[1] > fixed[0] && fixed[2] < fixed[0], "{fixed:?}");
}

#[test]
fn ten_days_of_silence_settle_at_the_last_valid_price_to_the_second() {
    let (start, _) = below();
    for (second, done) in [(-1, false), (0, true), (1, true)] {
        let (mut market, now) = (start, later(&NOW, 10 * DAY + second));
        // The last price was no valid one.
        market.price.last.price = price(300);
        let step = market.advance_settlement(&now);
        assert_eq!(step.is_ok(), done, "{second}");
        if done {
            assert_eq!(step.unwrap(), Step::Fixed(price(112)));
            assert_eq!(market.status(&now).unwrap(), Status::Good);
        } else {
            assert_eq!(step.unwrap_err().error, Error::PriceSilent);
        }
    }
}

/// A market that is being prepared, or rests, is nobody's to end.
#[test]
fn an_idle_market_is_not_settled_for_its_silence() {
    let now = later(&NOW, 10 * DAY);
    let idle = || {
        let mut market = market_at(0, price(100));
        (market.pool.shares, market.pool.cash) = (LOCKED_SHARES, Quote(0));
        market
    };
    assert_eq!(idle().advance_settlement(&now).unwrap_err().error, Error::PriceSilent);
    // Whoever is in it gets out: a provider, a claim, what a silent exit left behind.
    let waits: [fn(&mut MarketState); 4] = [
        |market| market.pool.shares = LOCKED_SHARES + 1,
        |market| market.pool.claims = Quote(1),
        |market| (market.pool.cash, market.pool.claims_paid) = (Quote(1), Quote(1)),
        |market| market.exits_unjudged = 1,
    ];
    for wait in waits {
        let mut market = idle();
        wait(&mut market);
        assert_eq!(market.advance_settlement(&now).unwrap(), Step::Fixed(price(100)));
    }
}

#[test]
fn a_settled_market_trades_no_more_charges_nothing_and_its_price_stands() {
    let (mut market, accounts) = settled();
    let now = later(&WHEN, 40 * DAY);
    assert_eq!(market.status(&now).unwrap(), Status::Good);
    let index = market.long.index;
    assert_eq!(market.accrue(false, &now).unwrap().seconds, 0);
    assert_eq!(market.long.index, index);
    assert_eq!(reduce_mark(&market, true, &now).unwrap_err().error, Error::MarketSettled);
    assert_eq!(OrderTerms::default().dead(&market, &accounts[0], &now), Some(Error::MarketSettled));
    assert_eq!(market.advance_settlement(&now).unwrap_err().error, Error::MarketSettled);
    assert_eq!(market.deleverage(&now).unwrap_err().error, Error::MarketSettled);
    assert_eq!(execute_deposit(&mut market, dollars(5), WHEN.unix - 1, &WHEN).unwrap_err().error, Error::MarketSettled);
    // In margin tests a loss counts in full, a profit not at all, and neither needs margin.
    let winner = leg(&market, &accounts[0].positions[0], Purpose::Maintenance, &now).unwrap();
    let loser = leg(&market, &accounts[2].positions[0], Purpose::Withdrawal, &now).unwrap();
    assert!(winner.equity.is_zero() && winner.full_equity.0 > 0 && winner.requirement.is_zero());
    assert!(loser.equity.0 < 0 && loser.requirement.is_zero() && loser.status == Status::Good);
}

/// All orders of four.
fn orders() -> Vec<[usize; 4]> {
    let mut all = Vec::new();
    for a in 0..4 {
        for b in (0..4).filter(|b| *b != a) {
            for c in (0..4).filter(|c| *c != a && *c != b) {
                all.push([a, b, c, 6 - a - b - c]);
            }
        }
    }
    all
}

#[test]
fn every_order_of_closings_gives_everybody_the_same() {
    let (start, accounts) = settled();
    let held = tokens(&[&start], &accounts);
    let mut ends = Vec::new();
    for order in orders() {
        let (mut market, mut accounts) = (start, accounts.clone());
        for (place, number) in order.into_iter().enumerate() {
            close(&mut market, &mut accounts[number], &WHEN).unwrap();
            assert_sums(&market, &accounts);
            assert_eq!(tokens(&[&market], &accounts), held);
            if place < 3 {
                assert_eq!(market.pool.claims_paid, Quote::ZERO, "no claim is paid while a position is open");
            }
        }
        assert!(market.is_closed());
        for account in &mut accounts {
            let _ = collect(&mut market, account, 0).unwrap();
        }
        assert_eq!(tokens(&[&market], &accounts), held);
        let shares = [0, 1, 2, 3].map(|i: usize| (accounts[i].collateral, accounts[i].positions[0].claim));
        ends.push((market.pool, shares));
    }
    for end in &ends {
        assert_eq!(*end, ends[0], "to the atom");
    }
    let (pool, shares) = &ends[0];
    // The winners share what there is by one factor; the bucket has paid too; nothing is left for the providers.
    let owed = [0, 1].map(|i: usize| shares[i].1.amount.0 as f64);
    let won = |i: usize| [2_000.0, 700.0][i] * 12.0 * 1e6;
    assert!(owed[0] > 0.0 && (owed[0] / won(0) - owed[1] / won(1)).abs() < 1e-3, "{owed:?}");
    assert_eq!((pool.insurance, pool.free_cash().unwrap()), (Quote::ZERO, Quote::ZERO));
}

#[test]
fn providers_get_what_traders_leave_and_only_then() {
    // A richer pool: claims are paid in full.
    let (mut market, mut accounts) = settled();
    market.pool.cash = dollars(20_000);
    let all = market.pool.shares;
    let out = |market: &mut MarketState, shares| execute_exit(market, shares, NOW.unix + 90 * DAY, &WHEN).unwrap();
    assert_eq!(out(&mut market, all / 4), Exit::HeldBack(Error::MarketSettled), "positions are open");
    for account in &mut accounts {
        close(&mut market, account, &WHEN).unwrap();
    }
    for account in &mut accounts {
        let _ = collect(&mut market, account, 0).unwrap();
        assert!(account.is_flat());
    }
    let left = market.pool.free_cash().unwrap();
    assert!(left > dollars(10_000));
    let Exit::Paid { shares, amount } = out(&mut market, all / 4) else { panic!("not paid") };
    assert_eq!((shares, amount.0), (all / 4, left.0 / 4), "no cool-down, no reserve");
    let Exit::Paid { amount, .. } = out(&mut market, all - all / 4) else { panic!("not paid") };
    assert_eq!(amount.0, left.0 - left.0 / 4);
    assert_eq!((market.pool.shares, market.pool.free_cash().unwrap()), (0, Quote::ZERO));
}

#[test]
fn what_is_still_owed_is_written_off_after_ten_days_so_that_every_account_gets_out() {
    let (mut market, mut accounts) = settled();
    for account in &mut accounts {
        close(&mut market, account, &WHEN).unwrap();
    }
    let before = market.pool;
    for (second, over) in [(-1, false), (0, true), (1, true)] {
        let (mut market, mut account) = (market, accounts[0]);
        market.touch(&later(&WHEN, 10 * DAY + second));
        let _ = collect(&mut market, &mut account, 0).unwrap();
        assert_eq!(account.is_flat(), over, "{second}");
    }
    market.touch(&later(&WHEN, 10 * DAY));
    for account in &mut accounts {
        let _ = collect(&mut market, account, 0).unwrap();
        assert!(account.is_flat());
    }
    assert!(before.claims > Quote::ZERO && market.pool.claims.is_zero());
    assert_sums(&market, &accounts);
    // Whoever comes late gets what his factor says, written off or not: nothing of one goes to another.
    let late = before.claims_paid.0 - market.pool.claims_paid.0;
    assert!(late <= before.claims_paid.0 && market.pool.claims_paid.0 < 4);
}

#[test]
fn a_cross_accounts_other_market_pays_and_is_waited_for_ten_days() {
    let (mut here, mut accounts) = settled();
    let mut there = market_at(1, price(50));
    set_price_at(&mut there, price(50), &WHEN);
    // The second short of 100 gets a winning position elsewhere.
    let mut hedged = accounts.remove(3);
    let _ = increase(&mut there, &mut hedged, 1, units(600), true, price(48)).unwrap();
    let held = tokens(&[&here, &there], &[accounts.clone(), vec![hedged]].concat());
    let run = |here: &mut MarketState, there: &mut MarketState, account: &mut AccountState, now: &Now| {
        let closed = close_settled(here, account, 0, now)?;
        let unpaid = closed.fill.unwrap().realised.unpaid;
        assert!(!unpaid.is_zero());
        cover_liquidation(account, 0, unpaid, &mut [(0, &mut *here), (1, &mut *there)], now)
    };
    // Its price is stale: the loss here waits.
    let stale = later(&WHEN, 60);
    let waits = run(&mut { here }, &mut { there }, &mut { hedged }, &stale).unwrap_err();
    assert_eq!(waits.error, Error::LossNotCovered);
    // Silent, it counts as the resolution counts it: its profit does not pay.
    let silent = later(&WHEN, 2 * HOUR);
    assert!(!run(&mut { here }, &mut { there }, &mut { hedged }, &silent).unwrap().deficit.is_zero());
    // Uncertain, it is waited for, but not for ever.
    for (second, over) in [(-1, false), (0, true), (1, true)] {
        let now = later(&WHEN, 10 * DAY + second);
        let mut there = there;
        set_price_at(&mut there, price(50), &now);
        there.price.last.conf = price(10);
        assert_eq!(run(&mut { here }, &mut there, &mut { hedged }, &now).is_ok(), over, "{second}");
    }
    let done = run(&mut here, &mut there, &mut hedged, &WHEN).unwrap();
    assert!(done.deficit.is_zero(), "the other market's profit pays: {done:?}");
    assert_eq!(tokens(&[&here, &there], &[accounts, vec![hedged]].concat()), held);
}

#[test]
fn an_account_below_zero_in_two_settled_markets_is_resolved_without_a_flag() {
    let (mut one, accounts) = settled();
    let mut two = market_at(1, price(100));
    let mut account = accounts[3];
    account.collateral = dollars(500);
    let _ = increase(&mut two, &mut account, 1, units(60), false, price(100)).unwrap();
    two.params.settlement_floor.0 = 200_000;
    two.pool.cash = Quote(0);
    set_price_at(&mut two, price(110), &WHEN);
    let mut early = two;
    assert_eq!(early.advance_settlement(&WHEN).unwrap(), Step::Begun);
    let end = later(&WHEN, DAY);
    set_price_at(&mut early, price(110), &end);
    let _ = early.advance_settlement(&end).unwrap();
    let mut two = early;
    let mut markets = [(0, &mut one), (1, &mut two)];
    let done = resolve(&mut account, &mut markets, &end).unwrap();
    assert!(account.is_flat() && account.collateral.is_zero());
    // Pro rata to the losses, 1,200 and 600, less fees.
    assert!(done.deficits[0] > done.deficits[1] && !done.deficits[1].is_zero(), "{done:?}");
}

#[test]
fn a_market_that_is_wound_down_is_settled_when_its_notice_is_over() {
    let (mut start, _) = below();
    start.pool.cash = dollars(500_000);
    start.governed.closing_since = NOW.unix;
    for (second, done) in [(-1, false), (0, true), (1, true)] {
        let (mut market, now) = (start, later(&NOW, WIND_DOWN_NOTICE + second));
        set_price_at(&mut market, price(111), &now);
        let step = market.advance_settlement(&now);
        assert_eq!(step.ok(), done.then_some(Step::Fixed(price(111))), "{second}");
    }
}

#[test]
fn which_settled_market_an_account_below_zero_pays_is_nobodys_choice() {
    let mut world = World::new();
    let account = 2;
    for market in 0..2 {
        let size = world.size_for(market, 80_000 * UNIT).0 as i64;
        world.must(&Op::Place { account, market, size, reduce_only: false });
        world.must(&Op::Tick { seconds: 3 });
        world.must(&Op::Execute { order: 0 });
    }
    for market in 0..2 {
        let price = world.oracle_price(market) / 100 * 70;
        for _ in 0..3 {
            world.must(&Op::Wait { seconds: 1, slots: 3 });
            world.must(&Op::Publish { market, price, conf: price / 10_000, lag: 0 });
        }
    }
    world.must(&Op::Wait { seconds: 10 * DAY, slots: 2_160_000 });
    for market in 0..2 {
        world.must(&Op::Advance { market });
    }
    // Its collateral would pay either loss, but not both.
    for market in 0..2 {
        let refused = world.apply(&Op::CloseSettled { account, market }).unwrap_err();
        assert_eq!(refused.error, Error::AccountBankrupt, "{market}");
    }
    world.must(&Op::Resolve { account });
    world.check();
    let deficits = [0, 1].map(|m: usize| world.markets[m].pool.deficits.0 + world.markets[m].pool.insurance_paid.0);
    assert!(deficits[0].abs_diff(deficits[1]) < deficits[0] / 50 && deficits[0] > 10_000 * UNIT, "{deficits:?}");
}

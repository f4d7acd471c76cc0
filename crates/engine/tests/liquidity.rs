//! Liquidity in and out, and the attacks on the price of a share.

use ballast_engine::Now;
use ballast_engine::constants::{DAY, EXIT_OWNER_ALONE};
use ballast_engine::error::{Error, Fault};
use ballast_engine::liquidity::{Exit, LOCKED_SHARES, check_exit, check_lapsed, execute_deposit, execute_exit};
use ballast_engine::market::{Claim, MarketState, Observation};
use ballast_engine::settle::{collect_between, settle};
use ballast_engine::trade::{Charge, check_increase, increase, reduce};
use ballast_engine::units::{Base, Price, Quote, Ratio};
use proptest::prelude::*;

use crate::support::{NOW, PRICE, account, dollars, later, market, market_at, price, set_price_at, sharp_price, units};

/// No fees, no confidence.
fn plain() -> MarketState {
    let mut market = market();
    (market.params.taker_fee, market.params.mending_fee) = (Ratio(0), Ratio(0));
    market.price.last.conf = Price(0);
    market
}

/// Files and executes a deposit at the stored price.
fn deposit(market: &mut MarketState, amount: Quote) -> Result<u64, Fault> {
    let pending = market.pool.pending_deposits;
    market.pool.pending_deposits = pending.plus(amount).unwrap();
    let done = execute_deposit(market, amount, NOW.unix - 1, &NOW);
    assert_eq!(market.pool.pending_deposits == pending, done.is_ok());
    if done.is_err() {
        market.pool.pending_deposits = pending;
    }
    done
}

fn exit(market: &mut MarketState, shares: u64) -> Exit {
    execute_exit(market, shares, NOW.unix - 1, &NOW).unwrap()
}

fn paid(exit: Exit) -> (u64, u64) {
    match exit {
        Exit::Paid { shares, amount } => (shares, amount.0),
        Exit::HeldBack(why) => panic!("held back: {why:?}"),
    }
}

fn empty() -> MarketState {
    let mut market = plain();
    (market.pool.cash, market.pool.shares) = (Quote::ZERO, 0);
    market
}

#[test]
fn the_first_deposit_leaves_a_share_unit_to_nobody() {
    let mut market = empty();
    let fault = deposit(&mut market, dollars(999)).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::LiquidityBelowMinimum, 1_000_000_000, 999_000_000));
    assert_eq!(deposit(&mut market, dollars(1_000)).unwrap(), 1_000_000_000 - LOCKED_SHARES);
    assert_eq!((market.pool.shares, market.pool.cash), (1_000_000_000, dollars(1_000)));
    // The minimum is the first one's only; a dollar is a share.
    assert_eq!(deposit(&mut market, dollars(1)).unwrap(), 1_000_000);
    // The first provider leaves, the locked shares stay: nobody is first again.
    assert_eq!(paid(exit(&mut market, 999_000_000)).1, 999_000_000);
    assert_eq!(paid(exit(&mut market, 1_000_000)).1, 1_000_000);
    assert_eq!((market.pool.shares, market.pool.cash), (LOCKED_SHARES, dollars(1)));
}

#[test]
fn inflating_the_first_share_costs_more_than_it_takes() {
    // The attacker is first with the minimum, leaves but for one share, makes the pool rich by $1M (fees, deliberate
    // losses; tokens sent to the vault would not even count), and waits for a victim's $1M.
    let mut market = empty();
    market.params.lp_minimum = dollars(2);
    let mine = deposit(&mut market, dollars(2)).unwrap();
    assert_eq!(paid(exit(&mut market, mine - 1)).1, mine - 1);
    market.receive(dollars(1_000_000)).unwrap();
    let victim = deposit(&mut market, dollars(1_000_000)).unwrap();
    let (_, attacker) = paid(exit(&mut market, 1));
    assert!(attacker < 1_000_000, "a share took {attacker}");
    // What the victim loses is a share's rounding at most: less than one part in a million.
    let (_, back) = paid(exit(&mut market, victim));
    assert!(back > dollars(999_998).0 && back <= dollars(1_000_000).0, "{back}");
}

#[test]
fn tokens_sent_to_the_vault_change_no_share() {
    // There is no input by which they could: two deposits on the same books get the same.
    let (mut one, mut two) = (plain(), plain());
    assert_eq!(deposit(&mut one, dollars(77)).unwrap(), deposit(&mut two, dollars(77)).unwrap());
}

#[test]
fn skewing_the_book_does_not_make_shares_dearer() {
    // B5.1: K = $100M, pool $20M, attacker holds half. Buy $10M, exit, sell: the premium of $500k must not be shared.
    let mut market = plain();
    market.params.skew_scale = units(1_000_000);
    (market.pool.cash, market.pool.shares) = (dollars(20_000_000), dollars(20_000_000).0);
    let mut honest = market;
    let mut attacker = account(dollars(2_000_000));
    let _ = increase(&mut market, &mut attacker, 0, units(100_000), true, PRICE).unwrap();
    let (_, skewed) = paid(exit(&mut market, dollars(10_000_000).0));
    let _ = reduce(&mut market, &mut attacker, 0, units(100_000), PRICE, Charge::Trade).unwrap();
    let (_, plainly) = paid(exit(&mut honest, dollars(10_000_000).0));
    assert!(skewed <= plainly && attacker.collateral <= dollars(2_000_000));
    // Nor cheaper on the way in.
    let (mut market, mut honest) = (honest, honest);
    let _ = increase(&mut market, &mut attacker, 0, units(10_000), true, PRICE).unwrap();
    assert!(deposit(&mut market, dollars(1_000)).unwrap() <= deposit(&mut honest, dollars(1_000)).unwrap());
}

#[test]
fn a_loss_that_is_not_cash_yet_pays_no_provider() {
    // B5.3: $10M long at 20x, gap -10 %: the book says +$1M, the traders have $500k.
    let mut market = plain();
    let mut trader = account(dollars(500_000));
    let _ = increase(&mut market, &mut trader, 0, units(100_000), true, PRICE).unwrap();
    sharp_price(&mut market, price(90));
    assert!(market.equity(price(90)).unwrap().0 > 10_990_000_000_000);
    let (shares, amount) = paid(exit(&mut market, dollars(1_000_000).0));
    assert_eq!(shares, dollars(1_000_000).0);
    assert!(amount <= dollars(1_000_000).0, "{amount}");
    // Once it is cash it counts.
    let _ = settle(&mut market, &mut trader, 0, &NOW).unwrap();
    let (_, amount) = paid(exit(&mut market, dollars(1_000_000).0));
    assert!(amount > dollars(1_040_000).0, "{amount}");
    // A deposit meanwhile pays for the loss in full, for it may come in.
    assert!(deposit(&mut market, dollars(1_000)).unwrap() < dollars(960).0);
}

#[test]
fn liquidity_cannot_leave_what_either_side_alone_needs() {
    // Balanced $5M a side: 20 % of one side alone is $1M, and $2,500 of premium that is owed back.
    let mut market = plain();
    let (mut one, mut other) = (account(dollars(500_000)), account(dollars(500_000)));
    let _ = increase(&mut market, &mut one, 0, units(50_000), true, PRICE).unwrap();
    let _ = increase(&mut market, &mut other, 0, units(50_000), false, PRICE).unwrap();
    let all = dollars(10_000_000).0 - LOCKED_SHARES;
    let (shares, amount) = paid(exit(&mut market, all));
    assert!(amount <= dollars(9_000_000).0 && amount > dollars(8_997_000).0, "{amount}");
    // The rest waits, and increases with it.
    assert_eq!(market.pool.exits_waiting_until, NOW.unix + 3_600);
    assert_eq!(check_increase(&market, &one, 0, &NOW).unwrap_err().error, Error::ExitsWaiting);
    assert_eq!(exit(&mut market, all - shares), Exit::HeldBack(Error::PoolReserve));
    // The longs leave alone: the shorts' side still needs it, but for the premium that the longs paid in cash.
    let _ = reduce(&mut market, &mut one, 0, units(50_000), PRICE, Charge::Trade).unwrap();
    assert!(matches!(
        exit(&mut market, all - shares),
        Exit::HeldBack(_) | Exit::Paid { amount: Quote(0..=5_000_000_000), .. }
    ));
    // When both are gone so may it.
    let _ = reduce(&mut market, &mut other, 0, units(50_000), PRICE, Charge::Trade).unwrap();
    let (last, _) = paid(exit(&mut market, dollars(900_000).0));
    assert_eq!(last, dollars(900_000).0);
}

#[test]
fn shares_are_dear_on_the_way_in_and_cheap_on_the_way_out() {
    // Skew long $1M: the pool is short, so its high end is a low price.
    let mut market = plain();
    let mut trader = account(dollars(500_000));
    let _ = increase(&mut market, &mut trader, 0, units(10_000), true, PRICE).unwrap();
    let quote = |change: fn(&mut MarketState)| {
        let (mut into, mut out) = (market, market);
        change(&mut into);
        change(&mut out);
        (deposit(&mut into, dollars(1_000)).unwrap(), paid(exit(&mut out, dollars(1_000).0)).1)
    };
    let (flat_in, flat_out) = quote(|_| ());
    for change in [
        (|m| m.price.last.conf = Price(500_000_000)) as fn(&mut MarketState),
        |m| (m.price.ema5, m.price.ring[0].price) = (price(99), price(101)),
        |m| (m.price.ema5, m.price.ring[0].price) = (price(101), price(99)),
    ] {
        let (shares, amount) = quote(change);
        // Half a dollar of confidence, or a dollar of difference, on 10,000 units: half a thousandth of $10M, or one.
        let least = if market.price.ema5 == PRICE { 450_000 } else { 900_000 };
        assert!(flat_in - shares > least && flat_in - shares < 1_100_000, "{flat_in} {shares}");
        assert!(flat_out - amount > least && flat_out - amount < 1_100_000, "{flat_out} {amount}");
    }
}

#[test]
fn a_ticket_executes_at_a_price_published_after_it_was_filed() {
    let mut market = plain();
    market.pool.pending_deposits = dollars(10);
    // B5.2: the depositor cannot use a price that was there when it filed.
    let mut tried = market;
    let fault = execute_deposit(&mut tried, dollars(10), NOW.unix, &NOW).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::TicketNotRipe, NOW.unix + 1, NOW.unix));
    // Filed two prices ago, at 99, 105 since then: it pays for the dearer of both. The book is short 10,000 units.
    let mut trader = account(dollars(500_000));
    let _ = increase(&mut market, &mut trader, 0, units(10_000), true, PRICE).unwrap();
    let mut one = market;
    let earlier = Observation { publish_time: NOW.unix - 5, price: price(95), ..market.price.last };
    market.price.ring[1] = market.price.ring[0];
    market.price.ring[0] = Observation { prev_publish_time: NOW.unix - 6, ..earlier };
    market.price.ring[1].prev_publish_time = NOW.unix - 5;
    market.price.ring_next = 2;
    let plainly = execute_deposit(&mut one, dollars(10), NOW.unix - 1, &NOW).unwrap();
    let dearer = execute_deposit(&mut market, dollars(10), NOW.unix - 6, &NOW).unwrap();
    assert!(dearer < plainly, "{dearer} {plainly}");
    // Exits too, and an hour later both lapse.
    let fault = execute_exit(&mut market, 1, NOW.unix, &NOW).unwrap_err();
    assert_eq!(fault.error, Error::TicketNotRipe);
    let fault = check_exit(NOW.unix + 9, NOW.unix + 9, true, &NOW).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::TicketNotRipe, NOW.unix + 9, NOW.unix));
    let late = Now { unix: NOW.unix + 3_601, ..NOW };
    set_price_at(&mut market, PRICE, &late);
    assert_eq!(execute_deposit(&mut market, dollars(1), NOW.unix, &late).unwrap_err().error, Error::TicketLapsed);
    assert_eq!(check_exit(NOW.unix, NOW.unix, true, &late).unwrap_err().error, Error::TicketLapsed);
    check_exit(NOW.unix, NOW.unix + 1, true, &late).unwrap();
    let _ = execute_exit(&mut market, 1_000, NOW.unix, &late).unwrap();
    check_lapsed(NOW.unix, &late).unwrap();
    let fault = check_lapsed(NOW.unix + 1, &late).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::TicketNotLapsed, late.unix, late.unix));
}

#[test]
fn tickets_need_a_good_price() {
    let mut market = plain();
    let late = later(&NOW, 8);
    assert_eq!(execute_deposit(&mut market, dollars(1), NOW.unix - 1, &late).unwrap_err().error, Error::PriceStale);
    assert_eq!(execute_exit(&mut market, 1, NOW.unix - 1, &late).unwrap_err().error, Error::PriceStale);
}

#[test]
fn claims_are_paid_by_liquidity_that_comes_in_and_hold_back_what_would_leave() {
    let mut market = plain();
    market.pool.cash = dollars(1_000_000);
    market.pool.shares = dollars(1_000_000).0;
    let mut claim = Claim::default();
    market.add_claim(&mut claim, dollars(500_000)).unwrap();
    let before = market.pool.cash;
    assert_eq!(exit(&mut market, 1_000_000), Exit::HeldBack(Error::PoolClaims));
    assert_eq!(market.pool.exits_waiting_until, NOW.unix + 3_600);
    assert_eq!(market.pool.cash, before);
    // Equity is $500k on a million shares: two shares a dollar.
    let shares = deposit(&mut market, dollars(1_000)).unwrap();
    assert!(shares.abs_diff(dollars(2_000).0) < 10_000, "{shares}");
    assert_eq!(market.pool.claims, Quote::ZERO);
    assert_eq!(market.claim_value(&claim).unwrap().1, dollars(500_000));
}

#[test]
fn nobody_chooses_the_moment_of_anothers_exit_for_half_an_hour() {
    let at = |seconds: i64| Now { unix: NOW.unix + seconds, ..NOW };
    for seconds in [0, EXIT_OWNER_ALONE - 1] {
        check_exit(NOW.unix, NOW.unix, true, &at(seconds)).unwrap();
        let fault = check_exit(NOW.unix, NOW.unix, false, &at(seconds)).unwrap_err();
        let alone = NOW.unix + EXIT_OWNER_ALONE;
        assert_eq!((fault.error, fault.limit, fault.value), (Error::ExitOwnerAlone, alone, NOW.unix + seconds));
    }
    // Then anyone, so that it depends on no one key; held back, its owner has the first half of another hour.
    for seconds in [EXIT_OWNER_ALONE, 3_600] {
        check_exit(NOW.unix, NOW.unix, false, &at(seconds)).unwrap();
        let held_back = check_exit(NOW.unix, NOW.unix + seconds, false, &at(seconds)).unwrap_err();
        assert_eq!(held_back.error, Error::ExitOwnerAlone);
    }
    let early = check_exit(NOW.unix + 1, NOW.unix + 1, false, &NOW).unwrap_err();
    assert_eq!(early.error, Error::TicketNotRipe, "the first reason");
}

#[test]
fn an_insolvent_pool_takes_no_liquidity_and_pays_none() {
    let mut market = plain();
    market.pool.cash = Quote::ZERO;
    assert_eq!(deposit(&mut market, dollars(1_000)).unwrap_err().error, Error::PoolInsolvent);
    assert_eq!(exit(&mut market, 1_000), Exit::HeldBack(Error::PoolReserve));
    let mut market = empty();
    market.add_claim(&mut Claim::default(), dollars(1)).unwrap();
    assert_eq!(deposit(&mut market, dollars(1_000)).unwrap_err().error, Error::PoolInsolvent);
}

#[test]
fn amounts_too_small_for_a_share_are_refused() {
    let mut market = plain();
    market.pool.cash = dollars(100_000_000);
    assert_eq!(deposit(&mut market, Quote(5)).unwrap_err().error, Error::SharesZero);
    let none = execute_deposit(&mut market, Quote(0), NOW.unix - 1, &NOW).unwrap_err();
    assert_eq!(none.error, Error::AmountZero);
    let none = execute_exit(&mut market, 0, NOW.unix - 1, &NOW).unwrap_err();
    assert_eq!(none.error, Error::SharesZero);
    let all = market.pool.shares;
    let more = execute_exit(&mut market, all + 1, NOW.unix - 1, &NOW).unwrap_err();
    assert_eq!(more.error, Error::InvariantBroken);
}

proptest! {
    /// Neither a deposit nor an exit, whole or in part, lowers the worth of the shares that stay.
    #[test]
    fn who_comes_or_goes_takes_nothing_from_who_stays(
        cash in 1_000_000..1_000_000_000_000_000u64,
        shares in LOCKED_SHARES..1_000_000_000_000_000u64,
        amount in 1..1_000_000_000_000u64,
        skew in 0..90_000_000_000u64,
        steps in prop::collection::vec((any::<bool>(), 1..1_000_000u64), 1..6),
    ) {
        let mut market = plain();
        (market.pool.cash, market.pool.shares) = (Quote(cash), shares);
        let mut trader = account(dollars(100_000_000));
        if skew > 0 {
            let _ = increase(&mut market, &mut trader, 0, Base(skew), true, PRICE).unwrap();
        }
        for (into, share) in steps {
            let before = (market.firm_equity(PRICE).unwrap().0, market.pool.shares);
            if before.0 <= 0 {
                break;
            }
            if into {
                let _ = deposit(&mut market, Quote(amount));
            } else {
                let part = (u128::from(market.pool.shares) * u128::from(share) / 1_000_000) as u64;
                if part > 0 {
                    let _ = exit(&mut market, part);
                }
            }
            let after = (market.firm_equity(PRICE).unwrap().0, market.pool.shares);
            let value = |(equity, shares): (i64, u64)| {
                let (equity, shares) = (equity as u128, u128::from(shares));
                if equity < shares { (equity, shares) } else { (equity + 1_000_000, shares + 1_000_000) }
            };
            prop_assert!(after.0 >= 0);
            let ((e0, s0), (e1, s1)) = (value(before), value(after));
            if s1 > 0 {
                prop_assert!(e1 * s0 >= e0 * s1, "{before:?} {after:?}");
            }
        }
    }

    /// In and out at once never gains.
    #[test]
    fn liquidity_in_and_out_never_profits(
        cash in 1_000_000..1_000_000_000_000_000u64,
        shares in LOCKED_SHARES..1_000_000_000_000_000u64,
        amount in 1..1_000_000_000_000u64,
    ) {
        let mut market = plain();
        (market.pool.cash, market.pool.shares) = (Quote(cash), shares);
        if let Ok(mine) = deposit(&mut market, Quote(amount)) {
            let (_, back) = paid(exit(&mut market, mine));
            prop_assert!(back <= amount);
        }
    }
}

#[test]
fn a_newcomer_does_not_share_in_what_other_pools_owe() {
    // $1M and $500k on another pool, for a loss that its providers bore; the other pool has paid, nobody has collected.
    let (mut here, mut debtor) = (plain(), market_at(1, price(100)));
    here.pool.cash = dollars(1_000_000);
    here.pool.shares = dollars(1_500_000).0;
    debtor.pool.cash = Quote::ZERO;
    let claim = |debtor: &MarketState, amount| {
        let (factor, epoch) = (debtor.pool.claim_factor, debtor.pool.claim_epoch);
        Claim { amount, factor, epoch }
    };
    debtor.pool.claims = dollars(500_000);
    here.held[1] = claim(&debtor, dollars(500_000));
    debtor.receive(dollars(500_000)).unwrap();
    let refused = deposit(&mut here, dollars(9_000_000)).unwrap_err();
    assert_eq!((refused.error, refused.limit), (Error::PoolIsOwed, dollars(10_000).0 as i64));
    assert_eq!(refused.value, dollars(500_000).0 as i64);
    let mut collected = here;
    let _ = collect_between(&mut debtor, &mut collected).unwrap();
    let shares = deposit(&mut collected, dollars(9_000_000)).unwrap();
    let (_, amount) = paid(exit(&mut collected, shares));
    assert!(amount <= dollars(9_000_000).0 && amount > dollars(8_999_999).0);
    // Dust holds nobody up: a hundredth of equity counts at face, so the newcomer pays for it in full.
    here.held[1].amount = dollars(10_000);
    let shares = deposit(&mut here, dollars(9_000_000)).unwrap();
    here.held[1] = Claim::default();
    here.receive(dollars(10_000)).unwrap();
    let (_, amount) = paid(exit(&mut here, shares));
    assert!(amount <= dollars(9_000_000).0 && amount > dollars(8_999_999).0, "{amount}");
}

#[test]
fn a_newcomer_does_not_share_in_what_the_bucket_pays_of_todays_deficits() {
    // No cap on shared insurance, so no claim there; the bucket's next money pays the deficit of today.
    let mut market = plain();
    market.pool.cash = dollars(1_000_000);
    market.pool.shares = dollars(1_500_000).0;
    let _ = market.absorb_deficit(dollars(500_000), &NOW).unwrap();
    assert!(market.insurance.pending().unwrap().is_zero());
    assert_eq!(deposit(&mut market.clone(), dollars(9_000_000)).unwrap_err().error, Error::PoolIsOwed);
    // Paid, or on the next day, it is nobody's to share in any more.
    let mut insured = market;
    insured.insure(dollars(500_000)).unwrap();
    assert!(deposit(&mut insured, dollars(9_000_000)).is_ok());
    let tomorrow = later(&NOW, DAY);
    set_price_at(&mut market, PRICE, &tomorrow);
    market.pool.pending_deposits = dollars(9_000_000);
    let shares = execute_deposit(&mut market, dollars(9_000_000), tomorrow.unix - 1, &tomorrow).unwrap();
    market.insure(dollars(500_000)).unwrap();
    let Exit::Paid { amount, .. } = execute_exit(&mut market, shares, tomorrow.unix - 1, &tomorrow).unwrap() else {
        panic!("held back")
    };
    assert!(amount <= dollars(9_000_000));
}

//! Shared insurance by daily batches: caps, registration, one factor, release, and that nobody's order matters.

use ballast_engine::constants::{DAY, HOUR};
use ballast_engine::insurance::{Payment, SharedInsurance, check_none_pending};
use ballast_engine::liquidity::execute_deposit;
use ballast_engine::market::MarketState;
use ballast_engine::{Error, Now, Quote};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::support::{NOW, dollars, market_at, price, set_price_at};

/// Midnight of the day of [`NOW`].
const TODAY: i64 = NOW.unix / DAY * DAY;

fn at(unix: i64) -> Now {
    Now { unix, slot: NOW.slot + (unix - TODAY) as u64 * 5 / 2, restart_slot: 0 }
}

/// A market that may claim so much a day and a week.
fn market(index: u16, day: Quote, week: Quote) -> MarketState {
    let mut market = market_at(index, price(100));
    (market.params.insurance_day_cap, market.params.insurance_week_cap) = (day, week);
    market
}

fn wide(index: u16) -> MarketState {
    market(index, dollars(1_000_000), dollars(2_000_000))
}

/// Registers markets on the day after.
fn register(shared: &mut SharedInsurance, fund: Quote, markets: &mut [MarketState]) {
    for market in markets {
        shared.register(fund, market, &at(TODAY + DAY + 10)).unwrap();
    }
}

#[test]
fn what_the_bucket_cannot_pay_is_claimed_up_to_the_caps() {
    let mut market = market(0, dollars(100), dollars(150));
    market.pool.insurance = dollars(30);
    let now = at(TODAY + 5);
    assert_eq!(market.absorb_deficit(dollars(50), &now).unwrap(), dollars(30));
    assert_eq!(market.insurance.filed(), dollars(20));
    let _ = market.absorb_deficit(dollars(200), &now).unwrap();
    assert_eq!(market.insurance.filed(), dollars(100), "the day's cap");
    assert_eq!(market.pool.deficits, dollars(220), "until it is paid all of it is the providers'");
    // A day later the week's cap leaves 50.
    let _ = market.absorb_deficit(dollars(80), &at(TODAY + DAY)).unwrap();
    assert_eq!((market.insurance.due, market.insurance.filed()), (dollars(100), dollars(50)));
    assert_eq!(market.insurance.pending().unwrap(), dollars(150));
    // A market whose cap is zero claims nothing.
    let mut fresh = market_at(1, price(100));
    let _ = fresh.absorb_deficit(dollars(80), &now).unwrap();
    assert!(fresh.insurance.pending().unwrap().is_zero());
}

#[test]
fn no_seven_days_hold_more_than_the_weekly_cap() {
    let mut random = StdRng::seed_from_u64(7);
    let mut market = market(0, dollars(60), dollars(100));
    let mut claims: Vec<(i64, Quote)> = Vec::new();
    let mut now = TODAY;
    for _ in 0..400 {
        now += random.random_range(1..30) * HOUR;
        let before = (market.insurance.claimed, market.insurance.filed(), market.insurance.day);
        let _ = market.absorb_deficit(Quote(random.random_range(1..80_000_000)), &at(now)).unwrap();
        let same_day = market.insurance.day == before.2;
        let filed = market.insurance.filed().0 - if same_day { before.1.0 } else { 0 };
        claims.push((now, Quote(filed)));
        let week: u64 = claims.iter().filter(|(at, _)| now - at < 7 * DAY).map(|(_, q)| q.0).sum();
        assert!(week <= dollars(100).0, "{week} within seven days");
    }
    assert!(claims.iter().map(|(_, q)| q.0).sum::<u64>() > dollars(1_000).0, "and it opens again");
}

#[test]
fn what_comes_in_on_the_day_pays_its_deficits_whichever_came_first() {
    let amounts = [dollars(40), dollars(25), dollars(70)];
    let mut ends = Vec::new();
    for order in permutations(5) {
        let mut market = wide(0);
        market.pool.insurance = dollars(10);
        let now = at(TODAY + 100);
        market.touch(&now);
        for step in order {
            match step {
                0..3 => _ = market.absorb_deficit(amounts[step], &now).unwrap(),
                3 => market.insure(dollars(15)).unwrap(),
                _ => market.insure(dollars(90)).unwrap(),
            }
        }
        let pool = market.pool;
        ends.push((pool.cash, pool.insurance, pool.insurance_paid, pool.deficits, market.insurance.filed()));
    }
    assert!(ends.iter().all(|end| *end == ends[0]));
    assert_eq!(ends[0].4, dollars(20), "135 of deficits, 115 in the bucket");
    // What comes in on another day stays: the claim of a day that is over is what it is.
    let mut market = wide(0);
    let _ = market.absorb_deficit(dollars(40), &at(TODAY + DAY - 1)).unwrap();
    market.touch(&at(TODAY + DAY));
    market.insure(dollars(15)).unwrap();
    assert_eq!((market.insurance.filed(), market.pool.insurance), (dollars(40), dollars(15)));
}

#[test]
fn one_factor_for_all_markets_of_a_batch() {
    let (mut shared, mut fund) = (SharedInsurance::default(), dollars(100));
    let mut markets = [wide(0), wide(1), wide(2)];
    for (market, deficit) in markets.iter_mut().zip([100, 50, 250]) {
        let _ = market.absorb_deficit(dollars(deficit), &at(TODAY + 7)).unwrap();
    }
    register(&mut shared, fund, &mut markets);
    let end = at(TODAY + 2 * DAY + 4 * HOUR);
    let cash = markets.map(|m| m.pool.cash.0);
    for market in &mut markets {
        let done = shared.pay(&mut fund, market, &end).unwrap();
        assert_eq!((done.closed, done.open), (1, Quote::ZERO));
        check_none_pending(market).unwrap();
    }
    let got = [0, 1, 2].map(|i: usize| markets[i].pool.cash.0 - cash[i]);
    assert_eq!(got, [dollars(25).0, Quote(12_500_000).0, Quote(62_500_000).0], "a quarter each");
    assert_eq!(fund, Quote::ZERO);
    assert_eq!(markets[2].pool.deficits, dollars(250).less(Quote(62_500_000)).unwrap());
    assert!(shared.batches.iter().all(|batch| batch.open == 0));
}

#[test]
fn what_rounding_leaves_of_awards_is_free_once_no_claim_is_open() {
    let (mut shared, mut fund) = (SharedInsurance::default(), Quote(20_000_000));
    let mut markets = [wide(0), wide(1), wide(2)];
    for market in &mut markets {
        let _ = market.absorb_deficit(dollars(10), &at(TODAY + 7)).unwrap();
    }
    register(&mut shared, fund, &mut markets);
    for (place, market) in markets.iter_mut().enumerate() {
        // While a claim is open nothing is freed.
        let mut early = shared;
        early.free_rounding();
        assert_eq!(early.set_aside().unwrap(), shared.set_aside().unwrap(), "{place}");
        let _ = shared.pay(&mut fund, market, &at(TODAY + 2 * DAY + 4 * HOUR)).unwrap();
    }
    // Three times 6.666666 of 20: two atoms.
    assert_eq!((fund, shared.set_aside().unwrap()), (Quote(2), Quote(2)));
    // A withdrawal takes them too.
    assert!(shared.invariant(Quote::ZERO).is_err());
    shared.free_rounding();
    shared.invariant(Quote::ZERO).unwrap();
    assert!(shared.batches.iter().all(|batch| batch.paid == batch.awarded));
}

#[test]
fn every_deadline_to_the_second() {
    let (mut shared, mut fund) = (SharedInsurance::default(), dollars(1_000));
    let mut m = wide(0);
    let _ = m.absorb_deficit(dollars(800), &at(TODAY + DAY - 1)).unwrap();
    // Registered once its day is over.
    let error = shared.register(fund, &mut { m }, &at(TODAY + DAY - 1)).unwrap_err();
    assert_eq!((error.error, error.limit, error.value), (Error::InsuranceTooEarly, TODAY + DAY, TODAY + DAY - 1));
    for second in [0, 1, DAY - 1] {
        let day = shared.clone().register(fund, &mut { m }, &at(TODAY + DAY + second)).unwrap().0;
        assert_eq!(day, TODAY / DAY);
    }
    // Late, it is in the next batch.
    assert_eq!(shared.clone().register(fund, &mut { m }, &at(TODAY + 2 * DAY)).unwrap().0, TODAY / DAY + 1);
    shared.register(fund, &mut m, &at(TODAY + DAY)).unwrap();

    // Nothing before the factor, then a quarter of the fund at once and one an hour.
    let fixed = TODAY + 2 * DAY;
    let early = shared.pay(&mut fund, &mut m, &at(fixed - 1)).unwrap_err();
    assert_eq!((early.error, early.limit), (Error::InsuranceTooEarly, fixed));
    let paid = |from: &SharedInsurance, unix| {
        let mut market = m;
        from.clone().pay(&mut { fund }, &mut market, &at(unix)).map(|done| done.amount)
    };
    for (hour, quarters) in [(0, 250), (1, 500), (2, 750), (3, 800), (9, 800)] {
        let hour = fixed + hour * HOUR;
        let before = if hour == fixed { None } else { paid(&shared, hour - 1).ok() };
        assert_eq!(before.map_or(0, |q| q.0), dollars((hour - fixed) as u64 / 3_600 * 250).0.min(dollars(800).0));
        for second in [0, 1] {
            assert_eq!(paid(&shared, hour + second).unwrap(), dollars(quarters));
        }
    }
    let first = shared.pay(&mut fund, &mut m, &at(fixed)).unwrap();
    assert_eq!(first, Payment { amount: dollars(250), closed: 0, open: dollars(550) });
    let again = shared.pay(&mut fund, &mut m, &at(fixed + HOUR - 1)).unwrap_err();
    assert_eq!((again.error, again.limit), (Error::InsuranceTooEarly, fixed + HOUR));
    assert_eq!(shared.pay(&mut fund, &mut m, &at(fixed + 30 * DAY)).unwrap().amount, dollars(550), "it does not lapse");
    assert_eq!(shared.pay(&mut fund, &mut m, &at(fixed + 30 * DAY)).unwrap_err().error, Error::CoverTooEarly);
    assert_eq!(shared.register(fund, &mut m, &at(fixed + 30 * DAY)).unwrap_err().error, Error::CoverTooEarly);
}

#[test]
fn an_empty_fund_closes_its_claims_with_nothing() {
    let (mut shared, mut fund) = (SharedInsurance::default(), Quote::ZERO);
    let mut m = wide(0);
    let _ = m.absorb_deficit(dollars(8), &at(TODAY)).unwrap();
    shared.register(fund, &mut m, &at(TODAY + DAY)).unwrap();
    let done = shared.pay(&mut fund, &mut m, &at(TODAY + 2 * DAY)).unwrap();
    assert_eq!(done, Payment { amount: Quote::ZERO, closed: 1, open: Quote::ZERO });
    assert_eq!(m.pool.deficits, dollars(8));
}

#[test]
fn no_liquidity_comes_in_while_a_claim_is_pending_and_equity_does_not_count_it() {
    let mut m = wide(0);
    let _ = m.absorb_deficit(dollars(8), &at(TODAY + 50)).unwrap();
    let equity = m.equity(price(100)).unwrap();
    assert_eq!(equity, dollars(10_000_000).signed().unwrap(), "a claim adds nothing before it is paid");
    m.pool.pending_deposits = dollars(20);
    let now = at(TODAY + 60);
    set_price_at(&mut m, price(100), &now);
    let refused = execute_deposit(&mut m, dollars(20), now.unix - 1, &now).unwrap_err();
    assert_eq!((refused.error, refused.value), (Error::InsurancePending, dollars(8).0 as i64));
    assert_eq!(check_none_pending(&m).unwrap_err().error, Error::InsurancePending);
}

/// All orders of so many things.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for shorter in permutations(count - 1) {
        for place in 0..=shorter.len() {
            let mut order = shorter.clone();
            order.insert(place, count - 1);
            all.push(order);
        }
    }
    all
}

/// A keeper's step on the exchange.
#[derive(Clone, Copy, Debug)]
enum Step {
    Deficit(usize, u64),
    Register(usize),
    TopUp(u64),
    Pay(usize),
}

/// Plays a history of days: each day's steps in an order, then checks that nothing was made or lost.
fn play(days: &[(i64, Vec<Step>)]) -> (Vec<MarketState>, SharedInsurance, Quote) {
    let mut markets: Vec<MarketState> = (0..4).map(|i| market(i, dollars(300), dollars(700))).collect();
    let (mut shared, mut fund) = (SharedInsurance::default(), dollars(250));
    let mut put_in = fund.0;
    for (unix, steps) in days {
        let now = at(*unix);
        for step in steps {
            match *step {
                Step::Deficit(m, amount) => _ = markets[m].absorb_deficit(Quote(amount), &now).unwrap(),
                Step::Register(m) => {
                    let mut next = markets[m];
                    match shared.clone().register(fund, &mut next, &now) {
                        // Who finds the place taken pays the older batch's markets first; anybody can.
                        Err(busy) if busy.error == Error::InsuranceBatchBusy => {
                            for market in &mut markets {
                                let _ = shared.pay(&mut fund, market, &now);
                            }
                        }
                        _ => {}
                    }
                    let done = shared.register(fund, &mut markets[m], &now);
                    assert!(!matches!(done, Err(busy) if busy.error == Error::InsuranceBatchBusy));
                }
                Step::TopUp(amount) => {
                    shared.roll(fund, &now).unwrap();
                    fund = fund.plus(Quote(amount)).unwrap();
                    put_in += amount;
                }
                Step::Pay(m) => _ = shared.pay(&mut fund, &mut markets[m], &now),
            }
            shared.invariant(fund).unwrap();
        }
    }
    let cash: u64 = markets.iter().map(|m| m.pool.cash.0 - dollars(10_000_000).0).sum();
    assert_eq!(put_in, fund.0 + cash, "every token is in the fund or in a pool");
    assert_eq!(shared.paid.0, cash);
    assert_eq!(shared.paid.0, markets.iter().map(|m| m.insurance.paid.0).sum::<u64>());
    (markets, shared, fund)
}

#[test]
fn any_order_of_keepers_gives_the_same_split_of_every_deficit() {
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        // Moments; at each of them all that happens may happen in any order.
        let mut days: Vec<(i64, Vec<Step>)> = Vec::new();
        for day in 0..9 {
            let mut crash = Vec::new();
            for _ in 0..random.random_range(0..6) {
                crash.push(Step::Deficit(random.random_range(0..4), random.random_range(1..200_000_000)));
            }
            days.push((TODAY + day * DAY + 100, crash));
            let mut keepers: Vec<Step> = (0..4).flat_map(|m| [Step::Register(m), Step::Pay(m)]).collect();
            if random.random_bool(0.3) {
                keepers.push(Step::TopUp(random.random_range(1..100_000_000)));
            }
            days.push((TODAY + day * DAY + 5 * HOUR, keepers));
        }
        days.push((TODAY + 12 * DAY, (0..4).map(Step::Register).collect()));
        days.push((TODAY + 14 * DAY, (0..4).map(Step::Pay).collect()));
        let expected = play(&days);
        for _ in 0..20 {
            let mut shuffled = days.clone();
            for (_, steps) in &mut shuffled {
                steps.shuffle(&mut random);
            }
            // Registering twice, paying more often or not at all on a day changes nothing either.
            for (unix, steps) in &mut shuffled {
                if *unix < TODAY + 9 * DAY && random.random_bool(0.3) {
                    steps.retain(|step| !matches!(step, Step::Pay(_)) || *unix % (4 * DAY) == 0);
                }
            }
            let got = play(&shuffled);
            for (one, other) in expected.0.iter().zip(&got.0) {
                assert_eq!((one.pool, one.insurance), (other.pool, other.insurance), "seed {seed}");
            }
            assert_eq!((expected.2, expected.1.paid), (got.2, got.1.paid), "seed {seed}");
        }
    }
}

#[test]
fn a_batch_waits_until_the_one_in_its_place_is_paid() {
    let (mut shared, mut fund) = (SharedInsurance::default(), dollars(100));
    let (mut slow, mut quick) = (wide(0), wide(1));
    let _ = slow.absorb_deficit(dollars(8), &at(TODAY)).unwrap();
    shared.register(fund, &mut slow, &at(TODAY + DAY)).unwrap();
    let _ = quick.absorb_deficit(dollars(8), &at(TODAY + 4 * DAY)).unwrap();
    let busy = shared.register(fund, &mut { quick }, &at(TODAY + 5 * DAY)).unwrap_err();
    assert_eq!((busy.error, busy.limit), (Error::InsuranceBatchBusy, TODAY / DAY));
    let _ = shared.pay(&mut fund, &mut slow, &at(TODAY + 5 * DAY)).unwrap();
    shared.register(fund, &mut quick, &at(TODAY + 5 * DAY)).unwrap();
}

//! How a resolution splits what there is over the losing markets, and that no order of calls moves an atom of it.

use ballast_engine::account::AccountState;
use ballast_engine::market::MarketState;
use ballast_engine::settle::{collect, settle};
use ballast_engine::trade::{Charge, reduce};
use ballast_engine::{Base, Price, Quote, SignedQuote};
use proptest::prelude::*;

use super::{assert_claims, flag_and_refresh, resolve_it, see, supply};
use crate::margin::open;
use crate::support::{NOW, account, dollars, market_at, price, set_price, units};

/// Attack B1's second half: collateral 1,000, A -900, B -900: neither is paid first.
#[test]
fn losing_markets_share_what_there_is_pro_rata() {
    for swapped in [false, true] {
        let mut markets = vec![market_at(0, price(100)), market_at(1, price(100))];
        let mut me = account(Quote::ZERO);
        for i in if swapped { [1, 0] } else { [0, 1] } {
            open(&mut markets[i], &mut me, units(10), true);
        }
        // The premium of 10 units is a hundredth of a cent.
        for market in &mut markets {
            set_price(market, price(10));
        }
        me.collateral = Quote(1_000_000_001);
        let cash = [markets[0].pool.cash.0, markets[1].pool.cash.0];
        for market in &mut markets {
            market.pool.insurance = Quote::ZERO;
        }
        let now = flag_and_refresh(&mut me, &mut markets);
        let done = resolve_it(&mut me, &mut markets, &now).unwrap();
        // The odd atom goes to the lower index, in whichever slot it is.
        let got = [markets[0].pool.cash.0 - cash[0], markets[1].pool.cash.0 - cash[1]];
        assert_eq!(got, [500_000_001, 500_000_000]);
        assert_eq!(done.paid, Quote(1_000_000_001));
        let each = done.deficits[0].0.abs_diff(done.deficits[1].0);
        assert!(each == 1 && done.deficit.0 / 1_000 == 800_000, "{done:?}");
    }
}

/// What each pool has at face: free cash less what it owes, what others owe it, paid or not, and its bucket. Paying,
/// collecting and assigning a claim move nothing of it.
fn at_face(markets: &[MarketState]) -> Vec<i64> {
    let worth = |market: &MarketState| {
        let held = markets.iter().map(|debtor| market.held[usize::from(debtor.index)].amount.0).sum::<u64>();
        let pool = &market.pool;
        pool.free_cash().unwrap().0 as i64 - pool.claims.0 as i64 + (held + pool.insurance.0) as i64
    };
    markets.iter().map(worth).collect()
}

/// Losses of $100 and $300 in two markets, $100 of collateral, and a claim of $60 on the first, whose pool has nothing.
/// Then $45 come into that pool: before the resolution or after it, with the claim collected or not.
#[test]
fn what_a_claim_was_paid_by_then_moves_no_deficit() {
    let mut markets = vec![market_at(0, price(100)), market_at(1, price(100))];
    let mut me = account(Quote::ZERO);
    for (market, size) in markets.iter_mut().zip([units(10), units(30)]) {
        open(market, &mut me, size, true);
    }
    let mut claim = me.positions[0].claim;
    markets[0].add_claim(&mut claim, dollars(60)).unwrap();
    me.positions[0].claim = claim;
    for market in &mut markets {
        set_price(market, price(90));
        market.pool.cash = Quote::ZERO;
    }
    me.collateral = dollars(100);
    let now = flag_and_refresh(&mut me, &mut markets);
    let comes_in = |markets: &mut [MarketState]| markets[0].receive(dollars(45)).unwrap();
    let ends = ["resolve, pay", "pay, resolve", "pay, collect, resolve"].map(|calls| {
        let (mut markets, mut me, mut deficits) = (markets.clone(), me, None);
        for call in calls.split(", ") {
            match call {
                "pay" => comes_in(&mut markets),
                "collect" => assert_eq!(collect(&mut markets[0], &mut me, 0).unwrap(), dollars(45)),
                _ => deficits = Some(resolve_it(&mut me, &mut markets, &now).unwrap().deficits),
            }
        }
        assert!(me.is_flat() && me.collateral.is_zero());
        assert_claims(&markets, &[me]);
        (deficits.unwrap(), at_face(&markets))
    });
    // $160 go 1 : 3, for the premiums are below a cent: $60 and $180 are missing.
    assert_eq!([ends[0].0[0], ends[0].0[1]].map(|deficit| deficit.0 / 100_000), [600, 1_800]);
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
}

#[test]
fn an_own_claim_is_set_against_the_loss_and_others_are_assigned_pro_rata() {
    let mut markets: Vec<MarketState> = (0..3).map(|i| market_at(i, price(100))).collect();
    let mut me = account(Quote::ZERO);
    // A claim of $300 on market 2, where the account holds nothing any more, and one of $50 on market 0.
    open(&mut markets[2], &mut me, units(30), true);
    set_price(&mut markets[2], price(110));
    markets[2].pool.cash = Quote::ZERO;
    let fill = reduce(&mut markets[2], &mut me, 0, units(30), price(110), Charge::Plain).unwrap();
    let claimed = fill.realised.claimed.0;
    open(&mut markets[0], &mut me, units(10), true);
    open(&mut markets[1], &mut me, units(20), true);
    let own = dollars(50);
    let mut claim = me.positions[1].claim;
    markets[0].add_claim(&mut claim, own).unwrap();
    me.positions[1].claim = claim;
    for market in &mut markets[..2] {
        set_price(market, price(50));
    }
    me.collateral = dollars(100);
    let now = flag_and_refresh(&mut me, &mut markets);
    let books = supply(&markets, &[me]);
    let slots = me.positions.map(|position| position.market);
    let me_slot = |market| slots.iter().position(|of| *of == market).unwrap();
    let done = resolve_it(&mut me, &mut markets, &now).unwrap();
    // Losses of about $500 and $1,000; of $450 the first is allotted $150, $50 of them against its own claim. For the other
    // $100 and $300 there are $100 of cash and $300 of claims on the third market.
    let (first, second) = (markets[0].held[2].amount.0, markets[1].held[2].amount.0);
    assert_eq!(first + second, claimed);
    assert!((first as i64 - claimed as i64 / 4).abs() < 200, "{first}");
    assert_eq!((done.paid, done.set_off, done.assigned.0), (dollars(100), own, claimed));
    assert_eq!(markets[0].pool.claims, Quote::ZERO, "the market's own claim is gone");
    let deficits = [0, 1].map(|market| done.deficits[me_slot(market)].0);
    assert!(deficits[0].abs_diff(350_000_000) < 1_000 && deficits[1].abs_diff(700_000_000) < 1_000, "{done:?}");
    assert!(me.is_flat());
    assert_eq!(supply(&markets, &[me]), books);
    assert_claims(&markets, &[me]);
}

/// A claim of $90 on a market whose loss is $100, a loss of $300 in another, nothing else: the first is allotted less than
/// its own claim.
#[test]
fn what_an_own_claim_is_beyond_its_allotment_goes_to_the_others() {
    let mut markets = vec![market_at(0, price(100)), market_at(1, price(100))];
    let mut me = account(Quote::ZERO);
    for (market, size) in markets.iter_mut().zip([units(10), units(30)]) {
        open(market, &mut me, size, true);
    }
    let mut claim = me.positions[0].claim;
    markets[0].add_claim(&mut claim, dollars(90)).unwrap();
    me.positions[0].claim = claim;
    for market in &mut markets {
        set_price(market, price(90));
    }
    me.collateral = Quote::ZERO;
    let now = flag_and_refresh(&mut me, &mut markets);
    let books = supply(&markets, &[me]);
    let done = resolve_it(&mut me, &mut markets, &now).unwrap();
    // A quarter and three quarters of $90: the first market's claims go down by what it was allotted, the second holds the rest.
    assert_eq!((done.paid, done.set_off.plus(done.assigned).unwrap()), (Quote::ZERO, dollars(90)));
    assert!(done.set_off.0.abs_diff(22_500_000) < 200 && markets[1].held[0].amount == done.assigned, "{done:?}");
    let pool = &markets[0].pool;
    assert_eq!(pool.claims.plus(pool.claims_paid).unwrap(), done.assigned);
    assert!(done.deficits[0].0.abs_diff(77_500_000) < 1_000 && done.deficits[1].0.abs_diff(232_500_000) < 4_000);
    assert!(me.is_flat());
    assert_eq!(supply(&markets, &[me]), books);
    assert_claims(&markets, &[me]);
}

#[derive(Clone, Debug)]
struct Leg {
    size: u64,
    long: bool,
    change: i64,
    claim: u64,
    cash: u64,
    insurance: u64,
}

fn legs() -> impl Strategy<Value = Vec<Leg>> {
    let leg = (
        1_000_000_u64..5_000_000_000,
        any::<bool>(),
        -30_000_i64..30_000,
        0_u64..2_000_000_000,
        0_u64..200_000_000_000,
    )
        .prop_flat_map(|(size, long, change, claim, cash)| {
            (Just((size, long, change, claim, cash)), 0_u64..20_000_000_000)
        })
        .prop_map(|((size, long, change, claim, cash), insurance)| Leg {
            size,
            long,
            change,
            claim,
            cash,
            insurance,
        });
    prop::collection::vec(leg, 2..=5)
}

/// The account with its positions opened in this order, and the markets after the move.
fn scene(legs: &[Leg], order: &[usize], collateral: u64) -> (Vec<MarketState>, AccountState) {
    let mut markets: Vec<MarketState> = (0..legs.len()).map(|i| market_at(i as u16, price(100))).collect();
    let mut me = account(Quote::ZERO);
    for &i in order {
        let leg = &legs[i];
        let slot = open(&mut markets[i], &mut me, Base(leg.size), leg.long);
        if leg.claim > 1_000_000_000 {
            let mut claim = me.positions[slot].claim;
            markets[i].add_claim(&mut claim, Quote(leg.claim)).unwrap();
            me.positions[slot].claim = claim;
        }
    }
    for (market, leg) in markets.iter_mut().zip(legs) {
        market.pool.cash = Quote(leg.cash);
        market.pool.insurance = Quote(leg.insurance);
        set_price(market, Price((100_000_000_000 + leg.change * 1_000_000) as u64));
    }
    me.collateral = Quote(collateral);
    (markets, me)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// P7: neither the order in which positions were opened, nor who settled profits and collected claims first, nor whether
    /// cash came into a pool before or after moves an atom of a deficit, or of what a pool has at face.
    #[test]
    fn a_resolution_depends_on_no_order(
        legs in legs(), shuffle in any::<prop::sample::Index>(), early in any::<u16>(), collateral in 0_u64..20_000_000_000,
        comes in 0_u64..30_000_000_000,
    ) {
        let straight: Vec<usize> = (0..legs.len()).collect();
        let mut turned = straight.clone();
        turned.rotate_left(shuffle.index(legs.len()));
        if early & 1 == 1 {
            turned.reverse();
        }
        let (mut one, mut me) = scene(&legs, &straight, collateral);
        let (mut two, mut other) = scene(&legs, &turned, collateral);
        if see(&me, &one, &NOW).full_equity >= SignedQuote::ZERO {
            return Ok(());
        }
        let before = supply(&one, &[me]);
        let equity = see(&me, &one, &NOW).full_equity;
        let now = flag_and_refresh(&mut me, &mut one);
        flag_and_refresh(&mut other, &mut two);
        // In the other order keepers settle some of the profits, cash comes into some of the pools and some of the claims are
        // collected, all before the resolution.
        let paid_early = |i: usize| early >> (i + 6) & 1 == 1;
        let mut touched = false;
        for &i in &turned {
            let slot = other.find(i as u16).unwrap();
            let mine = &other.positions[slot];
            let gains = ballast_engine::margin::unrealised(mine, two[i].price.last.price).unwrap().0 > 0;
            if gains && early >> (i + 1) & 1 == 1 {
                touched |= settle(&mut two[i], &mut other, slot, &now).is_ok();
            }
            if paid_early(i) {
                two[i].receive(Quote(comes)).unwrap();
                touched = true;
            }
            if early >> (i + 11) & 1 == 1 {
                let _ = collect(&mut two[i], &mut other, slot).unwrap();
                touched = true;
            }
        }
        let done = resolve_it(&mut me, &mut one, &now).unwrap();
        prop_assert_eq!(supply(&one, &[me]), before);
        let also = resolve_it(&mut other, &mut two, &now).unwrap();
        if !touched {
            prop_assert_eq!((done.paid, done.set_off, done.assigned), (also.paid, also.set_off, also.assigned));
            prop_assert!(one == two);
        }
        for (i, market) in one.iter_mut().enumerate().filter(|(i, _)| paid_early(*i)) {
            prop_assert_eq!(market.index, i as u16);
            market.receive(Quote(comes)).unwrap();
        }
        let booked = |markets: &[MarketState]| -> Vec<[Quote; 3]> {
            markets.iter().map(|m| [m.pool.deficits, m.pool.insurance_paid, m.pool.insurance]).collect()
        };
        prop_assert_eq!(booked(&one), booked(&two));
        prop_assert_eq!(at_face(&one), at_face(&two));
        prop_assert_eq!((done.deficit, done.insurance), (also.deficit, also.insurance));
        prop_assert!(other.is_flat() && other.collateral.is_zero());
        assert_claims(&two, &[other]);

        prop_assert_eq!(done.equity_before, equity);
        prop_assert!(me.is_flat() && me.collateral.is_zero() && me.flag.slot == 0);
        assert_claims(&one, &[me]);
        // The deficit is what equity lacked, but for the credit of the maintenance price, up to a basis point here.
        let credit: u64 = legs.iter().map(|l| l.size / 50 + 1).sum();
        let lacked = equity.0.unsigned_abs();
        prop_assert!(done.deficit.0 + 8 >= lacked && done.deficit.0 <= lacked + credit + 8, "{:?} {}", done, lacked);
        for market in &one {
            prop_assert!(market.long.positions + market.short.positions == 0);
        }
    }

    /// No loser is paid a larger share of its loss than another, but for the atoms of rounding.
    #[test]
    fn every_losing_market_gets_the_same_share(sizes in prop::collection::vec(1_000_000_u64..5_000_000_000, 2..=8), collateral in 0_u64..50_000_000_000) {
        let legs: Vec<Leg> = sizes.iter()
            .map(|size| Leg { size: *size, long: true, change: -20_000, claim: 0, cash: dollars(1_000_000).0, insurance: 0 })
            .collect();
        let order: Vec<usize> = (0..legs.len()).collect();
        let (mut markets, mut me) = scene(&legs, &order, collateral);
        if see(&me, &markets, &NOW).full_equity >= SignedQuote::ZERO {
            return Ok(());
        }
        let losses: Vec<u128> = me.positions.iter().zip(&markets)
            .map(|(p, m)| (-ballast_engine::margin::unrealised(p, m.price.last.price).unwrap().0) as u128)
            .collect();
        let now = flag_and_refresh(&mut me, &mut markets);
        let done = resolve_it(&mut me, &mut markets, &now).unwrap();
        let whole: u128 = losses.iter().sum();
        for (loss, market) in losses.iter().zip(&markets) {
            let paid = u128::from(market.pool.cash.0 - dollars(1_000_000).0);
            let share = u128::from(collateral) * loss / whole;
            prop_assert!(paid == share || paid == share + 1, "{} {}", paid, share);
        }
        prop_assert_eq!(u128::from(done.deficit.0), whole - u128::from(collateral));
    }
}

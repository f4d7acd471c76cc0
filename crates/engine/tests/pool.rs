//! The pool's books: equity, cash before profit, claims.

use ballast_engine::account::AccountState;
use ballast_engine::error::Error;
use ballast_engine::market::{Claim, MarketState};
use ballast_engine::pool::Payable;
use ballast_engine::price::Status;
use ballast_engine::settle::{collect, settle};
use ballast_engine::trade::{Charge, increase, reduce};
use ballast_engine::units::{Base, FundingIndex, Price, Quote, Ratio, SignedQuote};
use proptest::prelude::*;

use crate::support::{NOW, PRICE, account, assert_sums, dollars, market, price, sharp_price, tokens, units};

/// No fees and a flat curve, so that amounts are round.
fn plain_market(liquidity: Quote) -> MarketState {
    let mut market = market();
    (market.params.taker_fee, market.params.mending_fee) = (Ratio(0), Ratio(0));
    market.params.skew_scale = Base(1_000_000_000_000_000);
    market.pool.cash = liquidity;
    market
}

fn open(market: &mut MarketState, collateral: Quote, size: Base, long: bool) -> AccountState {
    let mut trader = account(collateral);
    let mark = market.price.last.price;
    let _ = increase(market, &mut trader, 0, size, long, mark).unwrap();
    trader
}

#[test]
fn profit_is_paid_when_losers_settle_though_liquidity_is_short() {
    // B2: $10M a side, balanced, LP cash $1M; +20 %: longs +$2M, shorts -$2M.
    let mut market = plain_market(dollars(1_000_000));
    let mut longs = [0; 2].map(|_| open(&mut market, dollars(1_000_000), units(50_000), true));
    let mut shorts = [0; 2].map(|_| open(&mut market, dollars(1_700_000), units(50_000), false));
    let paid_in = longs[0].collateral.0;
    sharp_price(&mut market, price(120));
    // Less the $500 of premium that the longs' entries hold.
    assert_eq!(market.payable().unwrap().gross.0 / 1_000_000, 1_999_500);
    // The first long closes: half in cash (h = 1/2), half as a claim; the second finds the same h.
    for long in &mut longs {
        let fill = reduce(&mut market, long, 0, units(50_000), price(120), Charge::Plain).unwrap();
        assert!(fill.pnl.0.abs_diff(1_000_000_000_000) < 3_000_000_000);
        assert!(fill.realised.cash.0.abs_diff(500_000_000_000) < 3_000_000_000, "{:?}", fill.realised);
        assert_eq!(fill.realised.cash.0 + i64::try_from(fill.realised.claimed.0).unwrap(), fill.pnl.0);
    }
    assert!(market.claims_block());
    // The shorts' losses arrive and all claims are paid.
    for short in &mut shorts {
        let _ = settle(&mut market, short, 0, &NOW).unwrap();
    }
    assert_eq!(market.pool.claims, Quote::ZERO);
    assert!(!market.claims_block());
    for long in &mut longs {
        let _ = collect(&mut market, long, 0).unwrap();
        assert!(long.is_flat());
        assert!((long.collateral.0 - paid_in).abs_diff(1_000_000_000_000) < 3_000_000_000);
    }
    assert_eq!(market.pool.claims_paid, Quote::ZERO);
    assert!(market.pool.cash >= dollars(999_000));
}

#[test]
fn winners_beside_losers_on_one_side_wait_but_are_not_left_out() {
    // B2's third fault: winners +150, losers -50 on the same side, cash 100: the net sum says h = 1.
    let mut market = plain_market(dollars(100));
    let mut losers = open(&mut market, dollars(100), units(1), true);
    sharp_price(&mut market, price(40));
    let mut winners = [dollars(200); 3].map(|c| open(&mut market, c, units(1), true));
    sharp_price(&mut market, price(90));
    // Winners +50 each, the loser -10; then the loser at -50 by a smaller entry of its own.
    losers.positions[0].entry = Quote(losers.positions[0].entry.0 + 40_000_000);
    market.long.entry = Quote(market.long.entry.0 + 40_000_000);
    assert_eq!(market.payable().unwrap(), Payable { cash: dollars(100), gross: Quote(99_999_996) });
    let mut cash = Vec::new();
    for winner in &mut winners {
        cash.push(settle(&mut market, winner, 0, &NOW).unwrap().realised);
    }
    assert_eq!((cash[0].claimed, cash[1].claimed), (Quote::ZERO, Quote::ZERO));
    assert!(cash[2].claimed >= Quote(49_999_990));
    let _ = settle(&mut market, &mut losers, 0, &NOW).unwrap();
    assert_eq!(market.pool.claims, Quote::ZERO);
    assert!(collect(&mut market, &mut winners[2], 0).unwrap() >= Quote(49_999_990));
}

#[test]
fn payable_is_the_least_of_profit_share_and_cash() {
    let of = |cash, gross, profit| Payable { cash: Quote(cash), gross: Quote(gross) }.of(Quote(profit)).unwrap().0;
    assert_eq!(of(100, 200, 50), 25);
    assert_eq!(of(100, 300, 50), 16);
    assert_eq!(of(100, 100, 50), 50);
    assert_eq!(of(100, 50, 70), 70);
    assert_eq!(of(100, 50, 170), 100);
    assert_eq!(of(0, 0, 7), 0);
    assert_eq!(of(0, 7, 7), 0);
    assert_eq!(of(1, u64::MAX, u64::MAX), 1);
}

#[test]
fn equity_subtracts_the_premium_that_the_curve_pays_back() {
    // B5.1: K = $100M, pool $20M; a skew of $10M makes the book look $500k richer than it is.
    let mut market = market();
    (market.params.taker_fee, market.params.mending_fee) = (Ratio(0), Ratio(0));
    market.params.skew_scale = units(1_000_000);
    market.pool.cash = dollars(20_000_000);
    let trader = open(&mut market, dollars(1_000_000), units(100_000), true);
    assert_eq!(market.side_pnl(true, PRICE).unwrap(), SignedQuote(-500_000_000_000));
    assert_eq!(market.equity(PRICE).unwrap(), dollars(20_000_000).signed().unwrap());
    // For limits the premium is owed back and not yet cash.
    assert_eq!(market.firm_equity(PRICE).unwrap(), dollars(19_500_000).signed().unwrap());
    assert_sums(&market, &[trader]);
}

#[test]
fn equity_counts_claims_funding_and_money_set_aside() {
    let mut market = plain_market(dollars(1_000));
    market.params.skew_scale = Base(1_000_000_000_000_000);
    let _holders = [open(&mut market, dollars(100), units(1), true), open(&mut market, dollars(100), units(1), false)];
    // The premium's atom aside.
    market.long.entry = dollars(100);
    assert_eq!(market.equity(PRICE).unwrap().0, 1_000_000_000);
    // Longs owe $3, shorts are owed $1: the pool is due $2; firmly it only owes $1.
    market.long.index = FundingIndex::new(3_000_000_000_000_000);
    market.short.index = FundingIndex::new(-1_000_000_000_000_000);
    assert_eq!(market.equity(PRICE).unwrap().0, 1_002_000_000);
    assert_eq!(market.firm_equity(PRICE).unwrap().0, 999_000_000);
    assert_eq!(market.payable().unwrap().gross, dollars(1));
    market.pool.claims = dollars(10);
    market.pool.claims_paid = dollars(7);
    assert_eq!(market.equity(PRICE).unwrap().0, 985_000_000);
    // Shorts +$10, longs -$10: firmly the loss counts nothing.
    assert_eq!(market.firm_equity(price(90)).unwrap().0, 972_000_000);
    assert_eq!(market.equity(price(90)).unwrap().0, 985_000_000);
    assert_eq!(market.side_pnl(false, price(90)).unwrap().0, 10_000_000);
    assert_eq!(market.side_pnl(true, Price(90_000_000_001)).unwrap().0, -9_999_999);
}

#[test]
fn claims_over_one_percent_of_cash_block() {
    let mut market = market();
    market.pool.cash = Quote(1_000_100);
    market.pool.claims_paid = Quote(100);
    market.pool.claims = Quote(10_000);
    assert!(!market.claims_block());
    market.pool.claims = Quote(10_001);
    assert!(market.claims_block());
    market.pool.cash = Quote(100);
    market.pool.claims = Quote(1);
    assert!(market.claims_block());
    market.pool.claims = Quote(0);
    assert!(!market.claims_block());
}

#[test]
fn arriving_cash_is_shared_between_claims_and_profit_that_lacks_it() {
    let mut market = plain_market(dollars(0));
    let _winner = open(&mut market, dollars(100), units(3), true);
    sharp_price(&mut market, price(110));
    let mut claim = Claim::default();
    market.add_claim(&mut claim, dollars(10)).unwrap();
    // $30 of unrealised profit and $10 of claims share $8: a quarter is the claims'.
    market.receive(dollars(8)).unwrap();
    let pool = market.pool;
    assert_eq!((pool.cash.0, pool.claims.0, pool.claims_paid.0), (8_000_000, 8_000_000, 2_000_000));
    // $34 more fill the profit's $30, and what is beyond pays the claims in full.
    market.receive(dollars(34)).unwrap();
    let pool = market.pool;
    assert_eq!((pool.cash.0, pool.claims.0, pool.claims_paid.0), (42_000_000, 0, 10_000_000));
    assert_eq!(market.collect(&mut claim).unwrap(), dollars(10));
    assert_eq!(market.collect(&mut claim).unwrap(), Quote::ZERO);
    assert_eq!((market.pool.cash, market.pool.claims_paid), (dollars(32), Quote::ZERO));
}

#[test]
fn what_a_claim_was_paid_is_collected_before_it_grows() {
    let mut market = plain_market(dollars(0));
    let mut claim = Claim::default();
    let mut rest = Claim::default();
    market.add_claim(&mut claim, dollars(10)).unwrap();
    market.add_claim(&mut rest, dollars(10)).unwrap();
    market.receive(dollars(5)).unwrap();
    assert_eq!(market.claim_value(&claim).unwrap(), (Quote(7_500_000), Quote(2_500_000)));
    assert_eq!(market.add_claim(&mut claim, dollars(1)).unwrap_err().error, Error::InvariantBroken);
    assert_eq!(market.collect(&mut claim).unwrap(), Quote(2_500_000));
    market.add_claim(&mut claim, dollars(1)).unwrap();
    assert_eq!(market.claim_value(&claim).unwrap(), (Quote(8_500_000), Quote::ZERO));
    assert_eq!(market.pool.claims, dollars(16));
}

#[test]
fn a_claim_on_the_pool_pays_a_loss_to_it_at_face() {
    let mut market = plain_market(dollars(0));
    let (mut mine, mut other) = (Claim::default(), Claim::default());
    market.add_claim(&mut mine, dollars(10)).unwrap();
    market.add_claim(&mut other, dollars(30)).unwrap();
    let mut collateral = dollars(4);
    let realised = market.realise(&mut collateral, &mut mine, &Payable::NOTHING, SignedQuote(-9_000_000)).unwrap();
    assert_eq!((realised.unpaid, collateral, realised.cash.0), (Quote::ZERO, Quote::ZERO, -4_000_000));
    // $5 of the claim are gone, $35 were left, and the $4 of cash paid those.
    assert_eq!((market.pool.claims, market.pool.claims_paid), (dollars(31), dollars(4)));
    let realised = market.realise(&mut collateral, &mut mine, &Payable::NOTHING, SignedQuote(-9_000_000)).unwrap();
    // 4/7 of a dollar came in on the claim; the rest of the claim, $4.43, cancels as much.
    assert_eq!(realised.unpaid.0, 9_000_000 - 571_428 - 4_428_572);
    assert!(mine.amount.is_zero());
    assert!(market.claim_value(&other).unwrap().1 <= market.pool.claims_paid);
}

#[test]
fn the_last_claim_cancelled_ends_the_epoch() {
    let mut market = plain_market(dollars(0));
    let mut mine = Claim::default();
    market.add_claim(&mut mine, dollars(10)).unwrap();
    market.receive(dollars(4)).unwrap();
    let epoch = market.pool.claim_epoch;
    let mut collateral = Quote::ZERO;
    let realised = market.realise(&mut collateral, &mut mine, &Payable::NOTHING, SignedQuote(-11_000_000)).unwrap();
    assert_eq!((realised.unpaid, market.pool.claims), (dollars(1), Quote::ZERO));
    assert_eq!(market.pool.claim_epoch, epoch + 1);
    market.invariant().unwrap();
}

#[test]
fn dust_of_claims_is_paid_with_the_rest_so_that_the_factor_keeps_its_digits() {
    // A profit of one atom beside claims of $10M: pro rata an atom of each would be left.
    let claimed = Quote(10_000_000_000_000);
    let mut market = plain_market(Quote::ZERO);
    let _winner = open(&mut market, dollars(1), Base(1), true);
    market.long.entry = Quote(99);
    let mut claim = Claim::default();
    market.add_claim(&mut claim, claimed).unwrap();
    market.receive(claimed).unwrap();
    assert_eq!((market.pool.claims, market.pool.claim_epoch), (Quote(0), 1));
    assert_eq!(market.collect(&mut claim).unwrap(), claimed);

    // Without cash for the last atom holders wait.
    let mut market = plain_market(Quote::ZERO);
    let mut claim = Claim::default();
    market.add_claim(&mut claim, claimed).unwrap();
    market.receive(Quote(claimed.0 - 1)).unwrap();
    assert_eq!((market.pool.claims, market.pool.claim_epoch), (Quote(1), 0));
    assert_eq!(market.claim_value(&claim).unwrap().0, Quote(1));
    // The factor has five digits left now; a claim of $1bn that is paid a third is promised no more than was put aside.
    let mut late = Claim::default();
    market.add_claim(&mut late, Quote(1_000_000_000_000_000)).unwrap();
    market.receive(Quote(333_333_333_333_333)).unwrap();
    let values = [&claim, &late].map(|c| market.claim_value(c).unwrap());
    assert!(values[0].1.0 + values[1].1.0 <= market.pool.claims_paid.0, "{values:?}");
    assert!(values[1].1.0 > 333_329_000_000_000);
    market.receive(market.pool.claims).unwrap();
    assert_eq!(market.collect(&mut claim).unwrap(), claimed);
    assert_eq!(market.collect(&mut late).unwrap(), Quote(1_000_000_000_000_000));
    assert_eq!((market.pool.cash, market.pool.claims_paid), (Quote::ZERO, Quote::ZERO));
}

#[test]
fn insurance_pays_a_deficit_first_and_the_rest_is_the_providers() {
    let mut market = market();
    market.pool.insurance = dollars(30);
    let cash = market.pool.cash.0;
    assert_eq!(market.absorb_deficit(dollars(20), &NOW).unwrap(), dollars(20));
    assert_eq!(market.absorb_deficit(dollars(20), &NOW).unwrap(), dollars(10));
    let pool = market.pool;
    assert_eq!((pool.insurance, pool.deficits, pool.insurance_paid), (Quote::ZERO, dollars(10), dollars(30)));
    assert_eq!(pool.cash.0 - cash, 30_000_000);
}

#[test]
fn fee_shares_leave_the_rounding_to_the_pool() {
    let mut market = market();
    market.pool.cash = Quote::ZERO;
    market.split_fee(Quote(9)).unwrap();
    let pool = market.pool;
    assert_eq!((pool.cash.0, pool.insurance.0, pool.protocol_fees.0), (7, 1, 1));
}

/// Who gets what of a pool that lacks cash.
fn shares_of_winners(sizes: &[u64], arrivals: &[u64], order: &[usize], liquidity: u64) -> Vec<u64> {
    let mut market = plain_market(Quote(liquidity));
    let mut winners: Vec<_> =
        sizes.iter().map(|size| open(&mut market, dollars(1_000_000), Base(*size), true)).collect();
    let start: Vec<_> = winners.iter().map(|w| w.collateral.0).collect();
    sharp_price(&mut market, price(130));
    let mut arrived = arrivals.iter();
    for event in order {
        if let Some(winner) = winners.get_mut(*event) {
            let _ = settle(&mut market, winner, 0, &NOW).unwrap();
        } else {
            market.receive(Quote(*arrived.next().unwrap())).unwrap();
        }
    }
    for winner in &mut winners {
        let _ = collect(&mut market, winner, 0).unwrap();
    }
    assert_sums(&market, &winners);
    winners.iter().zip(start).map(|(w, start)| w.collateral.0 - start).collect()
}

proptest! {
    /// Neither the order in which winners realise nor that in which cash arrives between them matters.
    #[test]
    fn who_realises_first_does_not_matter(
        sizes in prop::collection::vec(1_000..1_000_000_000u64, 2..5),
        arrivals in prop::collection::vec(1..20_000_000_000u64, 0..4),
        liquidity in 0..20_000_000_000u64,
        seeds in prop::collection::vec(any::<u64>(), 8),
        others in prop::collection::vec(any::<u64>(), 8),
    ) {
        let events = sizes.len() + arrivals.len();
        let order = |seeds: &[u64]| {
            let mut order: Vec<usize> = (0..events).collect();
            order.sort_by_key(|i| seeds[*i]);
            order
        };
        let one = shares_of_winners(&sizes, &arrivals, &order(&seeds), liquidity);
        let two = shares_of_winners(&sizes, &arrivals, &order(&others), liquidity);
        // Each settlement and each arrival rounds once.
        let rounding = events as u64;
        for (a, b) in one.iter().zip(&two) {
            prop_assert!(a.abs_diff(*b) <= rounding, "{one:?} {two:?}");
        }
    }

    /// P1: holders can never collect more than was put aside, and once all claims are paid they have all of it.
    #[test]
    fn the_claims_index_never_promises_more_than_it_has(
        steps in prop::collection::vec((0..4usize, 0..3u8, 1..1_000_000_000_000u64), 1..80),
    ) {
        let mut market = plain_market(Quote::ZERO);
        let mut claims = [Claim::default(); 4];
        let (mut added, mut collected) = ([0; 4], [0; 4]);
        for (who, what, amount) in steps {
            let claim = &mut claims[who];
            match what {
                0 => {
                    collected[who] += market.collect(claim).unwrap().0;
                    market.add_claim(claim, Quote(amount)).unwrap();
                    added[who] += amount;
                }
                1 => market.receive(Quote(amount.min(market.pool.claims.0))).unwrap(),
                _ => collected[who] += market.collect(claim).unwrap().0,
            }
            let values = claims.map(|c| market.claim_value(&c).unwrap());
            prop_assert!(values.iter().map(|v| v.1.0).sum::<u64>() <= market.pool.claims_paid.0);
            prop_assert!(values.iter().map(|v| v.0.0).sum::<u64>() >= market.pool.claims.0);
            market.invariant().unwrap();
        }
        market.receive(market.pool.claims).unwrap();
        for who in 0..4 {
            collected[who] += market.collect(&mut claims[who]).unwrap().0;
        }
        prop_assert_eq!(collected, added);
        prop_assert_eq!((market.pool.claims_paid, market.pool.cash), (Quote::ZERO, Quote::ZERO));
    }
}

#[test]
fn tokens_are_conserved_while_claims_come_and_go() {
    let mut market = plain_market(dollars(10));
    let mut traders =
        [open(&mut market, dollars(500), units(10), true), open(&mut market, dollars(500), units(10), false)];
    let before = tokens(&[&market], &traders);
    for (at, who) in [(120, 0), (120, 1), (90, 1), (110, 0), (110, 1), (100, 0)] {
        sharp_price(&mut market, price(at));
        let _ = settle(&mut market, &mut traders[who], 0, &NOW).unwrap();
        assert_eq!(tokens(&[&market], &traders), before);
        assert_sums(&market, &traders);
    }
}

/// A long and a short that have both won $100k (entries apart), and $100k of cash.
fn two_winners() -> (MarketState, AccountState, AccountState) {
    let mut market = plain_market(dollars(10_000_000));
    sharp_price(&mut market, price(90));
    let long = open(&mut market, dollars(1_000_000), units(10_000), true);
    sharp_price(&mut market, price(110));
    let short = open(&mut market, dollars(1_000_000), units(10_000), false);
    sharp_price(&mut market, price(100));
    market.pool.cash = dollars(100_000);
    (market, long, short)
}

/// A print that is off by 10 % and gone a second later.
fn spike(market: &mut MarketState) {
    market.price.last.price = price(110);
    assert_eq!(market.status(&NOW).unwrap(), Status::Jumped);
}

#[test]
fn an_unconfirmed_print_lets_no_winner_out_at_more_than_h() {
    let paid = |spiked: bool| {
        let (mut market, mut long, _short) = two_winners();
        let _ = reduce(&mut market, &mut long, 0, units(9_000), price(90), Charge::Plain).unwrap();
        market.pool.cash = dollars(50_000);
        if spiked {
            spike(&mut market);
        }
        reduce(&mut market, &mut long, 0, units(1_000), price(100), Charge::Plain).unwrap().realised
    };
    let (calm, spiked) = (paid(false), paid(true));
    assert_eq!(calm.cash, spiked.cash, "the short's profit does not vanish for a moment");
    assert!(calm.claimed > dollars(5_000) && spiked.claimed == calm.claimed);
}

#[test]
fn an_unconfirmed_print_sweeps_no_cash_to_the_claims() {
    let left = |spiked: bool| {
        let (mut market, mut long, _short) = two_winners();
        let _ = reduce(&mut market, &mut long, 0, units(9_990), price(100), Charge::Plain).unwrap();
        (market.pool.cash, market.pool.claims, market.pool.claims_paid) =
            (dollars(100_000), dollars(100_000), Quote(0));
        if spiked {
            spike(&mut market);
        }
        market.receive(dollars(1)).unwrap();
        market.pool.claims
    };
    // Half of the dollar in either case, or less.
    assert!(left(true) >= left(false) && left(true) > dollars(99_999), "{:?} {:?}", left(true), left(false));
}

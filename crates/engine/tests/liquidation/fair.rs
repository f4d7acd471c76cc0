//! P5 and P6 over random accounts and calls.

use ballast_engine::account::AccountState;
use ballast_engine::error::Error;
use ballast_engine::layout::Key;
use ballast_engine::liquidation::{flag, is_flagged, liquidate};
use ballast_engine::market::MarketState;
use ballast_engine::resolve::cover_liquidation;
use ballast_engine::{FundingIndex, Now, Price, Quote, SignedQuote};
use proptest::prelude::*;

use super::{FLAGGER, flag_it, long_at, maintenance, refresh, slots, strike};
use crate::margin::open;
use crate::resolve::assert_claims;
use crate::support::{NOW, account, assert_sums, dollars, market_at, price, set_price, tokens};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// P5 and P6: a healthy account is left alone; another ends no less healthy than it was, pays no more than the stated
    /// fees and the premium within its bound, and no token is lost or made.
    #[test]
    fn a_liquidation_is_fair(
        sizes in prop::array::uniform2(1_000_000_u64..20_000_000_000), longs in prop::array::uniform2(any::<bool>()),
        others in prop::array::uniform4(0_u64..90_000_000_000), moves in prop::array::uniform2(-60_000_i64..60_000),
        conf in 0_u64..20_000, health in 10_000_i64..1_200_000, elapsed in 3_u64..120, index in -1_000_i64..1_000,
        floor in 0_u64..3_000_000, flagger: bool, poor in prop::option::of(0_u64..3_000_000), funds in 0_u64..5_000_000,
    ) {
        let mut markets = [market_at(0, price(100)), market_at(1, price(100))];
        let mut me = account(dollars(0));
        let mut crowd = vec![];
        for i in 0..2 {
            let market = &mut markets[i];
            market.params.keeper_fee_floor = Quote(floor);
            market.pool.insurance = Quote(funds);
            // In a poor pool the account is alone on its side: what others on it lose would change h by itself.
            for (long, size) in [(true, others[i * 2]), (false, others[i * 2 + 1])] {
                if size > 1_000_000 && (poor.is_none() || long != longs[i]) {
                    let mut other = account(dollars(0));
                    market.price.last.price = Price(99_000_000_000 + size);
                    open(market, &mut other, ballast_engine::Base(size), long);
                    crowd.push(other);
                }
            }
            market.price.last.price = price(100);
            open(market, &mut me, ballast_engine::Base(sizes[i]), longs[i]);
            market.side_mut(longs[i]).index = FundingIndex::new(i128::from(index) * 1_000_000_000_000);
            let at = 100_000_000_000 + moves[i] * 100_000;
            set_price(market, Price(at as u64));
            market.price.last.conf = Price((at as u64).saturating_mul(conf) / 4_000_000);
            if let Some(share) = poor {
                let gross = market.payable().unwrap().gross;
                market.pool.cash = Quote(gross.0 / 1_000_000 * share.min(1_000_000));
            }
        }
        let view = |markets: &[MarketState; 2], me: &AccountState, now: &Now| {
            maintenance(me, &[&markets[0], &markets[1]], now)
        };
        let bare = view(&markets, &me, &NOW);
        let cash = i128::from(bare.requirement.0) * i128::from(health) / 1_000_000 - i128::from(bare.equity.0);
        me.collateral = Quote(cash.max(0) as u64);
        let got = view(&markets, &me, &NOW);
        let slot = got.largest.unwrap().0;
        let key = if flagger { FLAGGER } else { Key::default() };
        let flagged = flag(&mut me, &markets[slot], &got, key, &NOW);
        if got.equity.0 >= got.requirement.0 as i64 {
            prop_assert_eq!(flagged.unwrap_err().error, Error::AccountHealthy);
            prop_assert!(!is_flagged(&me, &NOW));
            return Ok(());
        }
        flagged.unwrap();
        prop_assert!(me.flag.need <= got.notional);
        let mut now = slots(&NOW, elapsed);
        for _ in 0..30 {
            for market in &mut markets {
                let conf = market.price.last.conf;
                refresh(market, &now);
                market.price.last.conf = conf;
            }
            let before = view(&markets, &me, &now);
            let mut everybody = crowd.clone();
            everybody.push(me);
            let supply = tokens(&[&markets[0], &markets[1]], &everybody);
            let before_cash = me.collateral;
            let Some((slot, _)) = before.largest else { break };
            let market = &mut markets[slot];
            let receipt = match liquidate(market, &mut me, slot, &before, &now) {
                Ok(Some(receipt)) => receipt,
                Ok(None) => {
                    prop_assert!(before.equity.0 >= before.requirement.0 as i64);
                    break;
                }
                Err(fault) => {
                    let known = [Error::AccountBankrupt, Error::NotFlagged, Error::PacingExhausted];
                    prop_assert!(known.contains(&fault.error), "{:?}", fault);
                    prop_assert!(fault.error != Error::AccountBankrupt || before.full_equity.0 < 0);
                    break;
                }
            };
            prop_assert!(before.equity.0 < before.requirement.0 as i64);
            let cost = receipt.notional.0;
            // Of a fee without a flagger a tenth stays with insurance: what was paid is what the collateral lacks.
            let held = before_cash.0.checked_add_signed(receipt.fill.realised.cash.0).unwrap();
            let mine = held - me.collateral.0 - receipt.insurance_fee.0;
            let gross = mine + receipt.from_insurance.0;
            prop_assert_eq!(receipt.keeper_fee.0, if flagger { gross } else { gross - gross / 10 });
            let rate = 1_000 + 4_000 * (now.slot - NOW.slot).min(25) / 25;
            prop_assert!(mine <= (cost * rate / 1_000_000).max(floor));
            prop_assert!(receipt.insurance_fee.0 <= cost * 5_000 / 1_000_000);
            prop_assert!(receipt.fill.premium.0 <= (cost * 2_000 / 1_000_000) as i64 + 1, "{:?}", receipt);
            let unpaid = receipt.fill.realised.unpaid;
            let mut entries: Vec<(usize, &mut MarketState)> = markets.iter_mut().enumerate().collect();
            entries.retain(|(i, _)| *i == slot || !me.positions[*i].is_free());
            let done = cover_liquidation(&mut me, slot, unpaid, &mut entries, &now).unwrap();
            // A solvent account's loss is covered, but for the part of premium and credit that it cannot pay.
            let credit = (cost * 1_000 / 1_000_000) as i64 + 1;
            let credits = (before.notional.0 * 1_000 / 1_000_000) as i64 + 2;
            let lacking = (receipt.fill.premium.0 + credits - before.full_equity.0).max(0) + 8;
            prop_assert!(done.deficit.0 as i64 <= lacking, "{} {}", done.deficit.0, lacking);
            prop_assert!(done.deficit.is_zero() || receipt.keeper_fee <= receipt.from_insurance);

            let after = view(&markets, &me, &now);
            prop_assert!(after.surplus().unwrap() >= before.surplus().unwrap(), "{:?} {:?} {:?}", before, after, receipt);
            // Fees never bring it below zero; premium and credit may, and then it is resolved.
            prop_assert!(after.full_equity.0 >= -lacking);
            let taken = before.full_equity.0 - after.full_equity.0;
            let stated = mine as i64 + receipt.insurance_fee.0 as i64 + receipt.fill.premium.0 + credit;
            prop_assert!(taken <= stated + 8, "{} {}", taken, stated);
            everybody.pop();
            everybody.push(me);
            prop_assert_eq!(tokens(&[&markets[0], &markets[1]], &everybody) + u128::from(receipt.keeper_fee.0), supply);
            assert_claims(&markets, &everybody);
            if markets.iter().flat_map(|m| &m.held).all(|claim| claim.amount.is_zero()) {
                for market in &markets {
                    assert_sums(market, &everybody);
                }
            }
            now = slots(&now, 5);
        }
    }

    /// Pacing, over any sequence of calls: what is closed in paced calls never passes the ramp by more than what is
    /// closed for being a sliver.
    #[test]
    fn paced_calls_stay_under_the_ramp(health in 670_000_u64..990_000, steps in prop::collection::vec(0_u64..6, 1..30)) {
        let (mut market, mut me) = long_at(9_700, health);
        flag_it(&mut me, &market, &NOW).unwrap();
        let need = me.flag.need.0;
        let (mut now, mut closed) = (slots(&NOW, 3), 0);
        for step in steps {
            now = slots(&now, step);
            refresh(&mut market, &now);
            let elapsed = now.slot - NOW.slot;
            if let Ok(Some(got)) = strike(&mut market, &mut me, &now) {
                prop_assert!(!got.urgent);
                closed += got.notional.0;
                prop_assert!(closed <= need * (200_000 + 800_000 * elapsed.min(25) / 25) / 1_000_000 + 100);
            }
            if !is_flagged(&me, &now) {
                break;
            }
        }
        // Signed amounts keep the sums honest.
        prop_assert!(maintenance(&me, &[&market], &now).equity > SignedQuote::ZERO);
    }
}

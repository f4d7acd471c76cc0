//! Tickets and pools.

use ballast_engine::Error;
use ballast_engine::constants::{DAY, DELEVERAGE_AFTER, EXIT_OWNER_ALONE, HOUR, PLACEMENT_LAG, TICKET_LAPSE};
use ballast_engine::units::Quote;
use ballast_tests::{Expect, MarketTerms, Provider, Setup, Terms, units};

use solana_signer::Signer as _;

use super::How::{Event, Refused};
use super::{Row, long, patch, still};

fn filed(amount: u64) -> (Setup, Provider) {
    let mut setup = still();
    let provider = setup.provider_account("giver", 0, amount);
    setup.file_deposit(&provider, amount).must();
    (setup, provider)
}

/// A market that has never had liquidity, with a price that is good.
fn empty_market() -> (Setup, usize) {
    let mut setup = Setup::with(&Terms::still());
    let market = setup.posted.len();
    setup.create_market(&MarketTerms::DEEP);
    setup.terms.markets.push(MarketTerms::DEEP);
    setup.tick(1);
    setup.tick(301);
    setup.tick(1);
    (setup, market)
}

/// As a deficit of 1,000 leaves market 0 whose bucket is empty.
fn claim(setup: &mut Setup) {
    let now = setup.world.now();
    patch(setup, 0, |m| {
        m.state.pool.insurance = Quote(0);
        let _ = m.state.absorb_deficit(Quote(units(1_000)), &now).expect("filed");
    });
}

/// Nearly all liquidity asks to leave a market with open interest, and cannot.
fn held_back() -> Setup {
    let (mut setup, _) = long(900_000, 900_000);
    let provider = setup.providers[0].clone();
    let shares = setup.world.tokens(&provider.shares);
    setup.file_exit(&provider, shares).must();
    setup.tick(DAY + 1);
    setup.tick(1);
    setup.execute_exit(&provider).must();
    setup
}

/// An exit that has just become ripe.
fn leaving() -> (Setup, Provider) {
    let mut setup = still();
    let provider = setup.provider("leaver", 0, units(1_000));
    let shares = setup.world.tokens(&provider.shares);
    setup.file_exit(&provider, shares).must();
    setup.tick(DAY + 1);
    setup.tick(1);
    (setup, provider)
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        (
            Error::PoolEmpty,
            Refused(|| {
                let (mut setup, market) = empty_market();
                let trader = setup.trader("trader", units(10_000));
                let size = setup.size_for(market, 1_000_000_000);
                setup.trade(&trader, market, size)
            }),
        ),
        // As a deficit leaves it: claims, and less cash than the profits of traders.
        (
            Error::PoolClaims,
            Refused(|| {
                let (mut setup, trader) = long(900_000, 900_000);
                setup.move_by(0, 1_000);
                patch(&mut setup, 0, |m| {
                    m.state.pool.cash = Quote(units(50_000));
                    m.state.pool.claims = Quote(units(1_000));
                });
                let size = setup.size_for(0, 1_000_000_000);
                setup.trade(&trader, 0, size)
            }),
        ),
        // A refusal would undo that increases wait for it.
        (
            Error::PoolReserve,
            Event(|| {
                let mut setup = held_back();
                setup.tick(1);
                let provider = setup.providers[0].clone();
                setup.execute_exit(&provider).must()
            }),
        ),
        (
            Error::ExitsWaiting,
            Refused(|| {
                let mut setup = held_back();
                let trader = setup.trader("second", units(10_000));
                let size = setup.size_for(0, 1_000_000_000);
                setup.trade(&trader, 0, size)
            }),
        ),
        (
            Error::TicketNotRipe,
            Refused(|| {
                let (mut setup, provider) = filed(units(500));
                setup.execute_deposit(&provider)
            }),
        ),
        (
            Error::TicketLapsed,
            Refused(|| {
                let (mut setup, provider) = filed(units(500));
                setup.tick(PLACEMENT_LAG + TICKET_LAPSE + 1);
                setup.execute_deposit(&provider)
            }),
        ),
        (
            Error::ExitOwnerAlone,
            Refused(|| {
                let (mut setup, provider) = leaving();
                setup.execute_exit_of(&provider)
            }),
        ),
        (
            Error::DestinationNotAssociated,
            Refused(|| {
                let (mut setup, mut provider) = leaving();
                setup.tick(EXIT_OWNER_ALONE);
                let other = ballast_tests::world::fixed_key("other tokens").pubkey();
                setup.set_tokens(other, &provider.key.pubkey(), &setup.mint.clone(), 0);
                provider.tokens = other;
                setup.execute_exit_of(&provider)
            }),
        ),
        (
            Error::TicketNotLapsed,
            Refused(|| {
                let (mut setup, provider) = filed(units(500));
                setup.lapse_deposit(&provider)
            }),
        ),
        (
            Error::LiquidityBelowMinimum,
            Refused(|| {
                let (mut setup, market) = empty_market();
                let provider = setup.provider_account("giver", market, units(999));
                setup.file_deposit(&provider, units(999)).must();
                setup.later();
                setup.execute_deposit(&provider)
            }),
        ),
        // A share is worth more than an atom once the pool has earned a fee.
        (
            Error::SharesZero,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                setup.close(&trader, 0);
                let provider = setup.provider_account("giver", 0, 1);
                setup.file_deposit(&provider, 1).must();
                setup.later();
                setup.execute_deposit(&provider)
            }),
        ),
        // As a deficit beyond the whole pool leaves it.
        (
            Error::PoolInsolvent,
            Refused(|| {
                let (mut setup, provider) = filed(units(500));
                patch(&mut setup, 0, |m| m.state.pool.claims.0 = 2 * m.state.pool.cash.0);
                setup.later();
                setup.execute_deposit(&provider)
            }),
        ),
        (
            Error::InsurancePending,
            Refused(|| {
                let (mut setup, provider) = filed(units(500));
                claim(&mut setup);
                setup.later();
                setup.execute_deposit(&provider)
            }),
        ),
        (
            Error::PoolIsOwed,
            Refused(|| {
                let (mut setup, provider) = filed(units(500));
                let (cash, day) = (setup.market(0).state.pool.cash, setup.world.now().unix / 86_400);
                patch(&mut setup, 0, |m| (m.state.insurance.day, m.state.insurance.beyond) = (day, cash));
                setup.later();
                setup.execute_deposit(&provider)
            }),
        ),
        (
            Error::InsuranceTooEarly,
            Refused(|| {
                let mut setup = still();
                claim(&mut setup);
                setup.register_insurance(0)
            }),
        ),
        // Four days later the place is wanted again, and the market of the first batch was not paid.
        (
            Error::InsuranceBatchBusy,
            Refused(|| {
                let mut setup = still();
                claim(&mut setup);
                setup.midnight(0, 0);
                setup.register_insurance(0).must();
                setup.midnight(2, 0);
                claim(&mut setup);
                setup.midnight(0, 0);
                setup.register_insurance(0)
            }),
        ),
        (Error::SettlementNotDue, Refused(|| Setup::in_episode().0.advance_settlement(0))),
        (
            Error::SettlementTooEarly,
            Refused(|| {
                let (mut setup, _) = Setup::below_floor();
                setup.advance_settlement(0).must();
                setup.advance_settlement(0)
            }),
        ),
        (
            Error::MarketSettled,
            Refused(|| {
                let (mut setup, [alice, ..]) = Setup::settled();
                setup.reduce(&alice, 0, 1_000, false)
            }),
        ),
        (
            Error::MarketNotSettled,
            Refused(|| {
                let (mut setup, [alice, ..]) = Setup::in_episode();
                setup.close_settled(&alice, 0)
            }),
        ),
        (Error::DeleverageTooEarly, Refused(|| Setup::in_episode().0.deleverage(0))),
        (
            Error::DeleverageUnfinished,
            Refused(|| {
                let (mut setup, _) = Setup::after_an_episode();
                setup.deleverage(0).must();
                setup.world.advance(DELEVERAGE_AFTER);
                setup.tick(1);
                setup.deleverage(0)
            }),
        ),
        (
            Error::DeleverageNotNeeded,
            Refused(|| {
                let (mut setup, _) = Setup::after_an_episode();
                patch(&mut setup, 0, |m| m.state.params.stress_move.0 = 20_000);
                setup.deleverage(0)
            }),
        ),
        (
            Error::Paused,
            Refused(|| {
                let mut setup = still();
                let trader = setup.trader("trader", units(10));
                setup.emergency(HOUR).must();
                setup.withdraw(&trader, 1)
            }),
        ),
    ]
}

//! The README's promises, each shown on the SBPF file under a real Agave bank that runs in step with LiteSVM: every
//! transaction of these tests has the same outcome, compute units and accounts on both. `permutations` alone, which copies the
//! exchange for each order of calls, runs under LiteSVM.

mod attacks;
mod bank;
mod funding;
mod governance;
mod multisig;
mod outflow;
mod p01_conservation;
mod p02_named_debits;
mod p03_aggregates;
mod p04_authority;
mod p04_orders;
mod p05_healthy_accounts;
mod p06_liquidations;
mod p07_shortfalls;
mod p08_envelope;
mod p09_batches;
mod p09_nonces;
mod p09_proposal_rent;
mod p09_timelock;
mod p09_upgrades;
mod p10_grace;
mod p11_oracle;
mod p11_pauses;
mod p11_wind_down;
mod p12_covenants;
mod p13_bad_oracle;
mod p14_exits;
mod permutations;
mod runtimes;
mod stolen_keys;

use ballast_tests::{Expect as _, Setup, Terms, Trader, units};

/// The first market of the standard exchange: tier A.
const BTC: usize = 0;
/// The second: tier B.
const ETH: usize = 1;
/// The third: tier C, isolated only.
const TAIL: usize = 2;

/// So many whole units, signed.
fn whole(units: i64) -> i64 {
    units * 1_000_000
}

/// The standard exchange without funding on a bank, and a long of ten times its 10,000 units of collateral in bitcoin.
fn levered() -> (Setup, Trader) {
    let mut setup = bank::on_bank(&Terms::still());
    let alice = setup.trader("alice", units(10_000));
    setup.open(&alice, BTC, whole(100_000));
    (setup, alice)
}

/// Its equity in cash and claims and PnL in full, at the price.
fn equity(setup: &Setup, trader: &Trader) -> i64 {
    setup.totals(trader, ballast_engine::margin::Purpose::Maintenance).full_equity.0
}

/// Liquidates until the flag is gone, a call every two seconds.
fn liquidate_until_healthy(setup: &mut Setup, trader: &Trader) {
    for _ in 0..20 {
        if setup.account(trader).state.flag.slot == 0 {
            return;
        }
        setup.tick(2);
        setup.liquidate(trader).must();
        setup.audit();
    }
    panic!("still flagged");
}

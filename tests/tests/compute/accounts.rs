//! Subaccounts: open, deposit, withdraw, transfer, close.

use ballast_client::{address, instructions as ix};
use ballast_tests::{Expect as _, Setup, Trader, units};

use super::Units;

pub(crate) fn run(all: &mut Units) {
    let mut setup = Setup::new();
    let traders = [("alice", 0, false), ("alice", 7, true), ("bob", 65_535, false)];
    let [alice, second, bob] = traders.map(|(name, id, isolated)| open(&mut setup, all, name, id, isolated));
    deposit_and_withdraw(&mut setup, all, &alice);
    setup.deposit(&bob, units(50_000)).must();
    setup.world.advance(2 * 3_600);
    // A vault that has grown for a day.
    setup.world.advance(25 * 3_600);
    all.add("withdraw", setup.withdraw(&bob, units(50_000)));
    setup.tick(1);

    all.add("transfer", setup.transfer(&alice, &second, units(20)));
    all.add("transfer", setup.transfer(&second, &alice, units(10)));
    setup.open(&alice, 0, units(10_000).cast_signed());
    all.add("transfer", setup.transfer(&alice, &second, units(30)));
    let amount = setup.account(&second).state.collateral.0;
    setup.transfer(&second, &alice, amount).must();
    all.add("close_subaccount", setup.close_subaccount(&second));
    all.add("close_subaccount", setup.close_subaccount(&bob));
    setup.audit();
}

fn deposit_and_withdraw(setup: &mut Setup, all: &mut Units, alice: &Trader) {
    all.add("deposit", setup.deposit(alice, 1));
    all.add("deposit", setup.deposit(alice, units(30_000)));
    setup.world.advance(1_300);
    all.add("deposit", setup.deposit(alice, units(30_000)));
    setup.world.advance(7_200);
    all.add("deposit", setup.deposit(alice, 123_456_789));
    // Fresh principal, which the limiter lets go as far as its floor; then aged principal.
    all.add("withdraw", setup.withdraw(alice, units(20_000)));
    all.add("withdraw", setup.withdraw(alice, units(1)));
    setup.deposit(alice, units(40_000)).must();
    all.add("withdraw", setup.withdraw(alice, units(40_500)));
    setup.world.advance(3_600);
    all.add("withdraw", setup.withdraw(alice, units(9_000)));
}

fn open(setup: &mut Setup, all: &mut Units, name: &str, id: u16, isolated: bool) -> Trader {
    let (key, tokens) = setup.fund(name, units(1_000_000));
    let trader = Trader { tokens, subaccount: address::subaccount(&setup.exchange, &address_of(&key), id), key };
    let open = ix::open_subaccount(&setup.exchange, &trader.address(), id, isolated);
    all.add("open_subaccount", setup.world.send(&[open], &[&trader.key]));
    trader
}

fn address_of(key: &solana_keypair::Keypair) -> anchor_lang::prelude::Pubkey {
    solana_signer::Signer::pubkey(key)
}

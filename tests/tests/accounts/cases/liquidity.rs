//! Liquidity providers' instructions, insurance and fees.

use ballast_client::instructions as ix;
use ballast_engine::constants::{DAY, EXIT_OWNER_ALONE, TICKET_LAPSE};
use ballast_tests::{Expect, Provider, Setup, Terms, units};
use solana_instruction::Instruction;

use super::super::case::{Case, sponsor};

fn begin() -> (Setup, Provider) {
    let mut setup = Setup::with(&Terms::still());
    let provider = setup.provider_account("giver", 0, units(1_000));
    (setup, provider)
}

pub(super) fn cases() -> Vec<Case> {
    [entries(), leaving(), gifts()].concat()
}

/// Tickets are executed and lapsed by anyone: only the transaction's payer signs.
fn unsigned(name: &'static str, setup: &Setup, instruction: Instruction) -> Case {
    Case::new(name, setup.clone(), instruction, &[])
}

fn entries() -> Vec<Case> {
    let (mut setup, provider) = begin();
    let (exchange, market, owner) =
        (setup.exchange, setup.market_key(0), solana_signer::Signer::pubkey(&*provider.key));
    let file = ix::request_lp_deposit(&exchange, &market, &owner, &provider.tokens, units(500));
    let file = Case::new("request_lp_deposit", setup.clone(), file, &[&provider.key]);
    setup.file_deposit(&provider, units(500)).must();
    setup.later();
    let execute = unsigned("execute_lp_deposit", &setup, ix::execute_lp_deposit(&market, &owner, &provider.shares));
    setup.tick(TICKET_LAPSE + 1);
    let lapse = ix::lapse_lp_deposit(&exchange, &market, &owner, &provider.tokens);
    vec![file, execute, unsigned("lapse_lp_deposit", &setup, lapse)]
}

fn leaving() -> Vec<Case> {
    let (mut setup, _) = begin();
    let provider = setup.provider("leaver", 0, units(1_000));
    let (market, owner) = (setup.market_key(0), solana_signer::Signer::pubkey(&*provider.key));
    let shares = setup.world.tokens(&provider.shares) / 2;
    let file = ix::request_lp_withdrawal(&market, &owner, &provider.shares, shares);
    let file = Case::new("request_lp_withdrawal", setup.clone(), file, &[&provider.key]);
    setup.file_exit(&provider, shares).must();
    setup.tick(DAY + 1);
    setup.tick(2);
    let execute = setup.execute_exit_ix(&provider);
    let own = ix::by_owner(execute.clone(), &owner);
    let own = Case::new("execute_lp_withdrawal", setup.clone(), own, &[&provider.key]).variant("its owner, at once");
    setup.tick(EXIT_OWNER_ALONE);
    let execute = unsigned("execute_lp_withdrawal", &setup, execute);
    setup.tick(TICKET_LAPSE + 1);
    let lapse = unsigned("lapse_lp_withdrawal", &setup, ix::lapse_lp_withdrawal(&market, &owner, &provider.shares));
    vec![file, own, execute, lapse]
}

fn gifts() -> Vec<Case> {
    let (mut setup, _) = begin();
    let payer = sponsor(&mut setup);
    let (_, tokens) = setup.fund("sponsor", units(100));
    let trader = setup.trader("trader", units(10_000));
    setup.open(&trader, 0, 10_000_000_000);
    let (exchange, market, by) = (setup.exchange, setup.market_key(0), solana_signer::Signer::pubkey(&*payer));
    let into_market = ix::top_up_market_insurance(&exchange, &market, &by, &tokens, units(10));
    let shared = ix::top_up_shared_insurance(&exchange, &by, &tokens, units(10));
    let fees = ix::collect_fees(&exchange, &market, &setup.fee_destination);
    vec![
        Case::new("top_up_market_insurance", setup.clone(), into_market, &[&payer]),
        Case::new("top_up_shared_insurance", setup.clone(), shared, &[&payer]),
        unsigned("collect_fees", &setup, fees),
    ]
}

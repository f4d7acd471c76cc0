//! What a request is read as; that the answers are the native client's is tested from where they are used, in `clients/ts`.

use std::mem::offset_of;

use anchor_lang::Discriminator;
use ballast::state::{ACCOUNT_VERSION, Covenant, Market, Subaccount};
use ballast_client::accounts::encode;
use ballast_engine::market::MarketState;
use ballast_engine::{Error, Quote};
use ballast_wasm::covenant::{headroom, touch};
use ballast_wasm::pending;
use ballast_wasm::quote::{ANSWER, health, liquidation_price};
use ballast_wasm::request::{self, Unreadable};

fn market(index: u16) -> Market {
    let state = MarketState { index, ..MarketState::default() };
    Market { version: ACCOUNT_VERSION, state, ..Market::default() }
}

fn words(count: u64, asked: u64, accounts: &[Vec<u8>]) -> Vec<u64> {
    let header = [1_700_000_000, 5, 0, asked, 0, count, 0, 0];
    let mut bytes: Vec<u8> = header.iter().flat_map(|w: &u64| w.to_le_bytes()).collect();
    bytes.extend(accounts.concat());
    bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect()
}

fn subaccount(version: u8) -> Vec<u8> {
    let mut account = Subaccount { version, ..Subaccount::default() };
    account.state.collateral = Quote(77);
    encode(&account)
}

#[test]
fn accounts_are_laid_out_as_the_program_lays_them_out() {
    let head = Subaccount::DISCRIMINATOR.len();
    assert_eq!(Subaccount::DISCRIMINATOR, request::SUBACCOUNT_KIND);
    assert_eq!(Market::DISCRIMINATOR, request::MARKET_KIND);
    assert_eq!(request::SUBACCOUNT_HEAD, head + offset_of!(Subaccount, state));
    assert_eq!(request::MARKET_HEAD, head + offset_of!(Market, state));
    assert_eq!(Covenant::DISCRIMINATOR, request::COVENANT_KIND);
    assert_eq!(request::COVENANT_HEAD, head + offset_of!(Covenant, state));
    assert_eq!(request::SUBACCOUNT, Subaccount::SPACE);
    assert_eq!(request::MARKET, Market::SPACE);
    assert_eq!(request::COVENANT, Covenant::SPACE);
    let versions = [offset_of!(Subaccount, version), offset_of!(Market, version), offset_of!(Covenant, version)];
    assert_eq!(versions, [0; 3]);
    assert_eq!(request::VERSION, ACCOUNT_VERSION);
}

#[test]
fn a_request_is_read_whole_or_not_at_all() {
    let fine = words(1, 0, &[subaccount(ACCOUNT_VERSION), encode(&market(0))]);
    assert!(request::Request::read(&fine).is_ok());
    let refusal = |words: &[u64]| request::Request::read(words).err();
    assert_eq!(refusal(&fine[..request::HEADER - 1]), Some(Unreadable::Header));
    assert_eq!(refusal(&fine[..fine.len() - 1]), Some(Unreadable::Market));
    assert_eq!(refusal(&words(10, 0, &[subaccount(1)])), Some(Unreadable::Header));
    assert_eq!(refusal(&words(1, 1 << 16, &[subaccount(1), encode(&market(0))])), Some(Unreadable::Header));
    assert_eq!(refusal(&words(0, 0, &[subaccount(ACCOUNT_VERSION + 1)])), Some(Unreadable::Subaccount));
    assert_eq!(refusal(&words(0, 0, &[encode(&market(0))])), Some(Unreadable::Subaccount));
    assert_eq!(refusal(&words(1, 0, &[subaccount(1), subaccount(1), vec![0; 4_000]])), Some(Unreadable::Market));
}

#[test]
fn an_account_without_positions_is_its_collateral() {
    let mut answer = [u64::MAX; ANSWER];
    assert_eq!(health(&words(0, 0, &[subaccount(1)]), &mut answer), 0);
    for record in [0, 7] {
        assert_eq!(answer[record..record + 7], [0, 77, 77, 0, 0, 0, 5]);
    }
    assert_eq!(answer[14], 0);
    let none = words(1, 0, &[subaccount(1), encode(&market(0))]);
    assert_eq!(liquidation_price(&none, &mut answer), Error::PositionNotFound as i32 + 1);
}

fn covenant(version: u8) -> Vec<u8> {
    let mut covenant = Covenant { version, ..Covenant::default() };
    covenant.state.limits.daily_loss = Quote(50);
    encode(&covenant)
}

#[test]
fn an_account_that_holds_nothing_and_is_not_enrolled_changes_no_covenant() {
    let (mut answer, bound) = ([u64::MAX; ANSWER], covenant(ACCOUNT_VERSION));
    assert_eq!(touch(&words(0, 0, &[bound.clone(), vec![9; 32], subaccount(1)]), &mut answer), 0);
    assert_eq!(bytemuck::cast_slice::<u64, u8>(&answer), bound);
    assert_eq!(headroom(&words(0, 0, &[bound]), &mut answer), 0);
    assert_eq!(answer[..13], [0, 0, 0, 0, 0, 1, 50, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn what_is_asked_of_a_covenant_or_a_proposal_is_read_whole_or_not_at_all() {
    let mut answer = [0; ANSWER];
    let fine = [covenant(ACCOUNT_VERSION), vec![9; 32], subaccount(1)];
    let mut refusal = |ask: fn(&[u64], &mut [u64; ANSWER]) -> i32, words: &[u64]| ask(words, &mut answer);
    let whole = words(0, 0, &fine);
    assert_eq!(refusal(touch, &whole[..whole.len() - 1]), Unreadable::Subaccount as i32);
    assert_eq!(refusal(touch, &whole[..request::HEADER - 1]), Unreadable::Header as i32);
    let newer = words(0, 0, &[covenant(ACCOUNT_VERSION + 1), vec![9; 32], subaccount(1)]);
    for ask in [touch, headroom] {
        assert_eq!(refusal(ask, &newer), Unreadable::Covenant as i32);
        assert_eq!(refusal(ask, &words(0, 0, &[subaccount(1)])), Unreadable::Covenant as i32);
    }
    let proposal = words(0, 0, &[vec![0; pending::WORDS * 8]]);
    assert_eq!(refusal(pending::times, &proposal), 0);
    assert_eq!(refusal(pending::times, &proposal[..proposal.len() - 1]), Unreadable::Header as i32);
}

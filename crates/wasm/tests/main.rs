//! What a request is read as; that the answers are the native client's is tested from where they are used, in `clients/ts`.

use std::mem::offset_of;

use anchor_lang::Discriminator;
use ballast::state::{ACCOUNT_VERSION, Market, Subaccount};
use ballast_client::accounts::encode;
use ballast_engine::market::MarketState;
use ballast_engine::{Error, Quote};
use ballast_wasm::quote::{ANSWER, health, liquidation_price};
use ballast_wasm::request::{self, Unreadable};

fn market(index: u16) -> Market {
    let state = MarketState { index, ..MarketState::default() };
    Market { version: ACCOUNT_VERSION, state, ..Market::default() }
}

fn words(count: u64, asked: u64, accounts: &[Vec<u8>]) -> Vec<u64> {
    let mut bytes: Vec<u8> =
        [1_700_000_000, 5, 0, asked, 0, count].iter().flat_map(|w: &u64| w.to_le_bytes()).collect();
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
    assert_eq!(request::SUBACCOUNT, Subaccount::SPACE);
    assert_eq!(request::MARKET, Market::SPACE);
    assert_eq!((offset_of!(Subaccount, version), offset_of!(Market, version)), (0, 0));
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

use super::*;
use ballast::state::ACCOUNT_VERSION;
use ballast_client::accounts::encode;
use ballast_engine::layout::Key;

fn exchange() -> Pubkey {
    Pubkey::new_from_array([1; 32])
}

fn data(bytes: Vec<u8>) -> AccountData {
    AccountData { lamports: 1, owner: ballast::ID, data: bytes }
}

fn account(sequence: u64) -> AccountData {
    let mut account = Subaccount { version: ACCOUNT_VERSION, exchange: Key([1; 32]), ..Subaccount::default() };
    account.state.sequence = sequence;
    data(encode(&account))
}

fn order() -> AccountData {
    data(encode(&Order { version: ACCOUNT_VERSION, ..Order::default() }))
}

fn key(n: u8) -> Pubkey {
    Pubkey::new_from_array([n; 32])
}

#[test]
fn an_older_answer_changes_nothing() {
    let mut book = Book::new(exchange());
    assert!(book.apply(key(5), 10, &account(3)).any);
    assert!(!book.apply(key(5), 9, &account(9)).any);
    assert!(!book.apply(key(5), 10, &account(2)).any, "the same slot, fewer events");
    assert!(book.apply(key(5), 10, &account(4)).any);
    assert_eq!(book.account(&key(5)).unwrap().account.state.sequence, 4);
    let foreign = Subaccount { version: ACCOUNT_VERSION, exchange: Key([2; 32]), ..Subaccount::default() };
    assert!(!book.apply(key(6), 10, &data(encode(&foreign))).any, "another exchange's");
}

#[test]
fn what_is_gone_is_not_brought_back_by_a_late_answer() {
    let mut book = Book::new(exchange());
    for n in 5..9 {
        book.apply(key(n), 10, &account(1));
    }
    book.apply(key(20), 10, &order());
    assert!(book.remove(&key(5), 12) && book.remove(&key(20), 12));
    assert!(!book.apply(key(5), 11, &account(2)).any && !book.apply(key(20), 12, &order()).any);
    assert_eq!((book.accounts().len(), book.orders().count()), (3, 0));
    for n in 6..9 {
        assert_eq!(book.account(&key(n)).unwrap().key, key(n), "the places are right after a removal");
    }
    assert!(book.apply(key(5), 13, &account(1)).any, "opened again");
    assert!(!book.remove(&key(5), 12), "a late answer from before");
}

#[test]
fn a_whole_answer_mends_what_was_missed() {
    let mut book = Book::new(exchange());
    for n in 5..9 {
        book.apply(key(n), 10, &account(1));
    }
    book.apply(key(8), 30, &account(7));
    // As of slot 20: 5 has moved on, 6 is as it was, 7 is gone, 8 was older than what is known.
    let found = [(key(5), account(2)), (key(6), account(1)), (key(8), account(6))];
    assert_eq!(book.reconcile(20, &found), 2);
    assert_eq!(book.account(&key(5)).unwrap().account.state.sequence, 2);
    assert!(book.account(&key(7)).is_none());
    assert_eq!(book.account(&key(8)).unwrap().account.state.sequence, 7);
    assert_eq!(book.reconcile(20, &found), 0);
    book.clear();
    assert!(book.accounts().is_empty() && book.exchange() == exchange());
    assert!(book.apply(key(8), 3, &account(1)).any, "the chain began anew");
}

#[test]
fn news_with_an_older_slot_is_told_from_what_is_late() {
    let mut book = Book::new(exchange());
    book.apply(key(5), 10, &account(3));
    let late = book.apply(key(5), 9, &account(9));
    assert!(!late.any && late.late, "more events than are known, by an older slot: it must be read again");
    assert!(book.apply(key(5), 9, &account(2)).late, "fewer events: late, or what is known was on a fork");
    assert!(!book.apply(key(5), 9, &account(3)).late, "nothing new");
    book.apply(key(20), 10, &order());
    assert!(!book.apply(key(20), 8, &order()).late, "the same");
    let other = data(encode(&Order { version: ACCOUNT_VERSION, id: 4, ..Order::default() }));
    assert!(book.apply(key(20), 8, &other).late, "without a count of events: whatever differs");
    assert!(book.apply(key(5), 8, &AccountData { lamports: 0, owner: ballast::ID, data: Vec::new() }).late);
    book.remove(&key(5), 12);
    assert!(book.apply(key(5), 11, &account(4)).late, "gone, or there again?");
}

#[test]
fn tickets_are_kept_and_go() {
    use ballast::state::{LpDeposit, LpWithdrawal};
    let mut book = Book::new(exchange());
    book.apply(key(6), 10, &data(encode(&LpDeposit { version: ACCOUNT_VERSION, ..LpDeposit::default() })));
    book.apply(key(7), 10, &data(encode(&LpWithdrawal { version: ACCOUNT_VERSION, ..LpWithdrawal::default() })));
    assert_eq!((book.tickets().count(), book.seen(&key(7))), (2, Some(10)));
    assert!(book.remove(&key(6), 11));
    assert_eq!(book.reconcile(12, &[]), 1, "the other one is not there any more");
    assert_eq!(book.tickets().count(), 0);
}

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

/// A market that takes its price from this feed.
fn market(index: u16, feed: u8) -> AccountData {
    let mut market = Market { version: ACCOUNT_VERSION, exchange: Key([1; 32]), ..Market::default() };
    (market.oracle_program, market.feed_id) = (Key(price_feed::ID.to_bytes()), Key([feed; 32]));
    market.state.index = index;
    data(encode(&market))
}

fn oracle(feed: u8, publish_time: i64) -> AccountData {
    use anchor_lang::AccountSerialize;
    use price_feed::{PriceFeedMessage, PriceUpdateV2, VerificationLevel};
    let update = PriceUpdateV2 {
        write_authority: Pubkey::default(),
        verification_level: VerificationLevel::Full,
        price_message: PriceFeedMessage {
            feed_id: [feed; 32],
            price: 100,
            conf: 1,
            exponent: -2,
            publish_time,
            prev_publish_time: publish_time - 1,
            ema_price: 100,
            ema_conf: 1,
        },
        posted_slot: 1,
    };
    let mut bytes = Vec::new();
    update.try_serialize(&mut bytes).unwrap();
    // An update that is verified in full leaves the last byte unused.
    bytes.resize(134, 0);
    AccountData { lamports: 1, owner: price_feed::ID, data: bytes }
}

/// Accounts of the first market's feed with their publish times, in the order of ties.
fn held(book: &Book) -> Vec<(Pubkey, i64)> {
    book.oracles()[&0].iter().map(|(key, raw)| (*key, raw.publish_time)).collect()
}

fn with_market() -> Book {
    let mut book = Book::new(exchange());
    book.apply(key(100), 1, &market(0, 7));
    book
}

#[test]
fn an_oracle_that_is_gone_is_believed_no_longer() {
    let closed = AccountData { lamports: 0, owner: Pubkey::default(), data: Vec::new() };
    let foreign = AccountData { owner: key(66), ..oracle(7, 10) };
    // Closed, filled with another feed, given to another program: each leaves the older price of the other account.
    for instead in [closed, oracle(8, 11), foreign] {
        let mut book = with_market();
        book.apply_oracle(key(1), 5, &oracle(7, 10));
        book.apply_oracle(key(2), 5, &oracle(7, 9));
        assert_eq!(held(&book), [(key(1), 10), (key(2), 9)]);
        assert!(book.apply_oracle(key(1), 6, &instead).price);
        assert_eq!(held(&book), [(key(2), 9)]);
        assert!(book.apply_oracle(key(1), 5, &oracle(7, 10)).late, "from before it was gone");
        assert_eq!(held(&book), [(key(2), 9)]);
        book.apply_oracle(key(1), 7, &oracle(7, 12));
        assert_eq!(held(&book), [(key(2), 9), (key(1), 12)], "there again");
    }
    // A reading that finds nothing, and one of everything in which it is missing.
    let mut book = with_market();
    for n in 1..4 {
        book.apply_oracle(key(n), 5, &oracle(7, 10));
    }
    book.apply_oracle(key(4), 9, &oracle(7, 10));
    assert!(book.remove(&key(1), 6));
    assert!(!book.remove(&key(2), 4), "read before it was heard of");
    book.reconcile_oracles(8, &[(key(2), oracle(7, 10))]);
    assert_eq!(held(&book), [(key(2), 10), (key(4), 10)], "the last was heard of later than that was read");
    book.reconcile_oracles(9, &[]);
    assert!(held(&book).is_empty());
    // A market with another feed takes nothing from accounts of the old one.
    book.apply_oracle(key(5), 10, &oracle(7, 10));
    book.apply(key(100), 11, &market(0, 8));
    assert!(held(&book).is_empty());
}

#[test]
fn a_known_oracle_comes_first_and_no_number_of_others_crowds_it_out() {
    use ballast_client::address::sponsored_oracle;
    assert_eq!(
        // Pyth's SOL/USD.
        sponsored_oracle(&hex("ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d")).to_string(),
        "7UVimffxr9ow1uXYxsr4LHAcV58mLzhmwaeKvJ1pjLiE"
    );
    let (sponsored, named) = (sponsored_oracle(&[7; 32]), key(200));
    let mut book = with_market();
    book.vouch(vec![named]);
    for n in 1..=60 {
        book.apply_oracle(key(n), 5, &oracle(7, 100 + i64::from(n)));
    }
    book.apply_oracle(sponsored, 5, &oracle(7, 50));
    book.apply_oracle(named, 5, &oracle(7, 60));
    for n in 61..=90 {
        book.apply_oracle(key(n), 5, &oracle(7, 100 + i64::from(n)));
    }
    let held = held(&book);
    assert_eq!((held.len(), held[0], held[1]), (32, (sponsored, 50), (named, 60)));
    assert!(held[2..].iter().all(|(_, time)| *time > 160), "of the others the newest: {held:?}");
    assert!(book.may_be_gone(&key(90), 5) && !book.may_be_gone(&key(90), 4) && !book.may_be_gone(&named, 9));
    let but = book.oracles_but(|key| *key == named);
    assert!(but[&0].iter().all(|(key, _)| *key != named) && but[&0].len() == 31);
    book.clear();
    book.apply(key(100), 1, &market(0, 7));
    book.apply_oracle(key(1), 5, &oracle(7, 9));
    book.apply_oracle(named, 5, &oracle(7, 9));
    assert_eq!(book.oracles()[&0][0].0, named, "still known after the chain began anew");
}

fn hex(text: &str) -> [u8; 32] {
    core::array::from_fn(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap())
}

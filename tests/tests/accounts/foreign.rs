//! Accounts that look right: of another exchange, another market, another owner, another program; and broken ones. All
//! but the broken ones are what honest use of a second exchange, market or subaccount would have made: only the
//! identity differs, everything else is a copy, so that nothing but the check of the identity can refuse them.

use std::collections::BTreeMap;

use anchor_lang::Discriminator;
use anchor_lang::prelude::Pubkey;
use anchor_lang::solana_program::program_pack::Pack;
use anchor_spl::token::spl_token::state::{Account as TokenAccount, AccountState, Mint};
use ballast::state::{
    ACCOUNT_VERSION, Charter, Covenant, Exchange, LpDeposit, LpWithdrawal, Market, Order, Proposal, Subaccount, Upgrade,
};
use ballast_client::{accounts, address};
use ballast_engine::layout::Key;
use ballast_tests::World;
use ballast_tests::world::fixed_key;
use solana_account::Account;
use solana_signer::Signer;

use super::case::{Case, stranger};

/// An account to put in place of another: what it is, its address, and its bytes where they must be put there.
pub(super) type Other = (&'static str, Pubkey, Option<Account>);

/// A market index that no test uses, small enough for cross accounts.
const UNUSED_MARKET: u16 = 9;

/// Token-2022, which is not the token program.
pub(super) const TOKEN_2022: Pubkey = Pubkey::from_str_const("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");

/// The mint of the other exchange.
pub(super) fn mint() -> Pubkey {
    fixed_key("foreign mint").pubkey()
}

/// The other exchange.
pub(super) fn exchange() -> Pubkey {
    address::exchange(&mint())
}

fn key(address: Pubkey) -> Key {
    Key(address.to_bytes())
}

/// Some address by its name.
pub(super) fn somewhere(name: &str) -> Pubkey {
    fixed_key(name).pubkey()
}

pub(super) fn put_mint(world: &mut World, at: Pubkey, program: Pubkey) {
    let state = Mint { decimals: 6, is_initialized: true, supply: u64::MAX / 2, ..Mint::default() };
    let mut data = vec![0; Mint::LEN];
    state.pack_into_slice(&mut data);
    world.set_account(at, Account { lamports: 10_000_000, data, owner: program, ..Account::default() });
}

fn patched<T: Discriminator + bytemuck::Pod>(account: &Account, change: impl FnOnce(&mut T)) -> Account {
    let mut value = accounts::decode::<T>(&account.data).expect("of this kind");
    change(&mut value);
    Account { data: accounts::encode(&*value), ..account.clone() }
}

/// The other exchange's twin of an account, at the address that it would have there.
pub(super) fn foreign(case: &Case, at: &Pubkey) -> Option<(Pubkey, Account)> {
    let account = case.account(at);
    let there = key(exchange());
    let data = &account.data;
    let found = if data.starts_with(Exchange::DISCRIMINATOR) {
        let twin = patched::<Exchange>(&account, |e| {
            e.mint = key(mint());
            e.vault = key(address::vault(&exchange()));
        });
        (exchange(), twin)
    } else if data.starts_with(Market::DISCRIMINATOR) {
        let index = accounts::decode::<Market>(data).expect("a market").state.index;
        let address = address::market(&exchange(), index);
        (
            address,
            patched::<Market>(&account, |m| {
                m.exchange = there;
                m.lp_mint = key(address::lp_mint(&address));
            }),
        )
    } else if data.starts_with(Subaccount::DISCRIMINATOR) {
        let old = accounts::decode::<Subaccount>(data).expect("a subaccount");
        let owner = Pubkey::new_from_array(old.owner.0);
        let address = address::subaccount(&exchange(), &owner, old.id);
        let covenant = key(address::covenant(&exchange(), &owner));
        let twin = patched::<Subaccount>(&account, |s| (s.exchange, s.covenant) = (there, covenant));
        (address, twin)
    } else if data.starts_with(Covenant::DISCRIMINATOR) {
        let owner = Pubkey::new_from_array(accounts::decode::<Covenant>(data).expect("a covenant").owner.0);
        let address = address::covenant(&exchange(), &owner);
        (address, patched::<Covenant>(&account, |c| c.exchange = there))
    } else if data.starts_with(Proposal::DISCRIMINATOR) {
        let id = accounts::decode::<Proposal>(data).expect("a proposal").id;
        (address::proposal(&exchange(), id), patched::<Proposal>(&account, |p| p.exchange = there))
    } else if data.starts_with(Upgrade::DISCRIMINATOR) {
        let proposal = case.account(&case.address("proposal").expect("a proposal"));
        let id = accounts::decode::<Proposal>(&proposal.data).expect("a proposal").id;
        let twin = patched::<Upgrade>(&account, |u| {
            u.exchange = there;
            u.proposal = key(address::proposal(&exchange(), id));
        });
        (somewhere("foreign upgrade"), twin)
    } else if data.starts_with(Charter::DISCRIMINATOR) {
        let proposal = case.account(&case.address("proposal").expect("a proposal"));
        let id = accounts::decode::<Proposal>(&proposal.data).expect("a proposal").id;
        let twin = patched::<Charter>(&account, |c| {
            c.root = there;
            c.proposal = key(address::proposal(&exchange(), id));
        });
        (somewhere("foreign charter"), twin)
    } else {
        return None;
    };
    Some(found)
}

/// A stranger's covenant on the case's exchange, as an account's bytes.
pub(super) fn covenant_of(case: &Case) -> Vec<u8> {
    let covenant = Covenant {
        version: ACCOUNT_VERSION,
        exchange: key(case.setup.exchange),
        owner: key(stranger().pubkey()),
        ..Covenant::default()
    };
    accounts::encode(&covenant)
}

/// Of the same exchange, but of another market, owner or number.
pub(super) fn siblings(case: &Case, at: &Pubkey) -> Vec<Other> {
    let account = case.account(at);
    let data = &account.data;
    let (own, other) = (case.setup.exchange, stranger().pubkey());
    let market = address::market(&own, UNUSED_MARKET);
    if data.starts_with(Market::DISCRIMINATOR) {
        let twin = patched::<Market>(&account, |m| {
            m.state.index = UNUSED_MARKET;
            m.lp_mint = key(address::lp_mint(&market));
            m.feed_id = Key([0xAA; 32]);
        });
        return vec![("another market", market, Some(twin))];
    }
    if data.starts_with(Subaccount::DISCRIMINATOR) {
        let old = accounts::decode::<Subaccount>(data).expect("a subaccount");
        let covenant = key(address::covenant(&own, &other));
        let theirs = patched::<Subaccount>(&account, |s| (s.owner, s.covenant) = (key(other), covenant));
        let owner = Pubkey::new_from_array(old.owner.0);
        let id = old.id + 77;
        return vec![
            ("a stranger's", address::subaccount(&own, &other, old.id), Some(theirs)),
            (
                "the owner's other",
                address::subaccount(&own, &owner, id),
                Some(patched::<Subaccount>(&account, |s| s.id = id)),
            ),
        ];
    }
    if data.starts_with(Covenant::DISCRIMINATOR) {
        let theirs = patched::<Covenant>(&account, |c| c.owner = key(other));
        return vec![("a stranger's", address::covenant(&own, &other), Some(theirs))];
    }
    if data.starts_with(Order::DISCRIMINATOR) {
        let subaccount = address::subaccount(&own, &other, 0);
        return vec![
            (
                "a stranger's",
                address::order(&subaccount, 1),
                Some(patched::<Order>(&account, |o| o.subaccount = key(subaccount))),
            ),
            ("of another market", somewhere("order"), Some(patched::<Order>(&account, |o| o.market = key(market)))),
            ("of another payer", somewhere("order"), Some(patched::<Order>(&account, |o| o.rent_to = key(other)))),
        ];
    }
    if data.starts_with(LpDeposit::DISCRIMINATOR) {
        let owner = Pubkey::new_from_array(accounts::decode::<LpDeposit>(data).expect("a ticket").owner.0);
        let here = case.address("market").expect("a market");
        return vec![
            (
                "a stranger's",
                address::lp_deposit(&here, &other),
                Some(patched::<LpDeposit>(&account, |t| t.owner = key(other))),
            ),
            (
                "of another market",
                address::lp_deposit(&market, &owner),
                Some(patched::<LpDeposit>(&account, |t| t.market = key(market))),
            ),
        ];
    }
    if data.starts_with(LpWithdrawal::DISCRIMINATOR) {
        let owner = Pubkey::new_from_array(accounts::decode::<LpWithdrawal>(data).expect("a ticket").owner.0);
        let here = case.address("market").expect("a market");
        return vec![
            (
                "a stranger's",
                address::lp_withdrawal(&here, &other),
                Some(patched::<LpWithdrawal>(&account, |t| t.owner = key(other))),
            ),
            (
                "of another market",
                address::lp_withdrawal(&market, &owner),
                Some(patched::<LpWithdrawal>(&account, |t| t.market = key(market))),
            ),
        ];
    }
    if data.starts_with(Proposal::DISCRIMINATOR) {
        return vec![(
            "for another market",
            somewhere("proposal"),
            Some(patched::<Proposal>(&account, |p| p.market = key(market))),
        )];
    }
    if data.starts_with(Charter::DISCRIMINATOR) {
        return vec![
            ("for another mint", somewhere("charter"), Some(patched::<Charter>(&account, |c| c.mint = key(mint())))),
            (
                "for others' fees",
                somewhere("charter"),
                Some(patched::<Charter>(&account, |c| c.fee_destination = key(other))),
            ),
        ];
    }
    if data.starts_with(Upgrade::DISCRIMINATOR) {
        return vec![
            ("of another buffer", somewhere("upgrade"), Some(patched::<Upgrade>(&account, |u| u.buffer = key(other)))),
            (
                "for another's refund",
                somewhere("upgrade"),
                Some(patched::<Upgrade>(&account, |u| u.refund = key(other))),
            ),
        ];
    }
    vec![]
}

/// An exchange whose roles are others': only where the instruction asks for a role.
pub(super) fn of_other_roles(case: &Case, at: &Pubkey) -> Vec<Other> {
    let account = case.account(at);
    let asks = case.declared().iter().any(|d| matches!(d.name.as_str(), "governance" | "guardian" | "proposer"));
    if !asks || !account.data.starts_with(Exchange::DISCRIMINATOR) {
        return vec![];
    }
    let others = patched::<Exchange>(&account, |e| {
        let names = ["other governance", "other heir", "other committee", "other guardian"];
        let [governance, heir, committee, guardian] = names.map(|name| key(somewhere(name)));
        (e.roles.governance, e.roles.pending_governance) = (governance, heir);
        (e.roles.committee, e.roles.guardian) = (committee, guardian);
    });
    vec![("of other roles", *at, Some(others))]
}

/// An account of Ballast's with its bytes broken, where it is.
pub(super) fn broken(case: &Case, at: &Pubkey) -> Vec<Other> {
    let good = case.account(at);
    let with = |change: &dyn Fn(&mut Account)| {
        let mut account = good.clone();
        account.lamports += 1_000_000_000;
        change(&mut account);
        Some(account)
    };
    let copy = Account { owner: price_feed::ID, ..good.clone() };
    vec![
        ("a copy of another program's", somewhere("copy"), Some(copy)),
        ("now another program's", *at, with(&|a| a.owner = price_feed::ID)),
        ("now nobody's", *at, with(&|a| *a = Account { lamports: a.lamports, ..Account::default() })),
        ("another discriminator", *at, with(&|a| a.data[0] ^= 1)),
        ("zeroed", *at, with(&|a| a.data.fill(0))),
        ("emptied", *at, with(&|a| a.data.clear())),
        ("cut to its discriminator", *at, with(&|a| a.data.truncate(8))),
        ("a byte short", *at, with(&|a| a.data.truncate(a.data.len() - 1))),
        ("eight bytes long", *at, with(&|a| a.data.extend([0; 8]))),
        ("another version", *at, with(&|a| a.data[8] = 2)),
    ]
}

/// One account of Ballast's of every other kind.
pub(super) fn other_kinds(case: &Case, at: &Pubkey) -> Vec<Other> {
    let own = case.account(at).data.first_chunk::<8>().copied();
    let kinds: BTreeMap<Option<[u8; 8]>, Pubkey> = case
        .setup
        .world
        .svm
        .get_program_accounts(&ballast::ID)
        .into_iter()
        .map(|(key, account)| (account.data.first_chunk().copied(), key))
        .collect();
    kinds.into_iter().filter(|(kind, _)| *kind != own).map(|(_, key)| ("of another kind", key, None)).collect()
}

/// A token account's state with a change.
pub(super) fn tokens_with(account: &Account, change: impl FnOnce(&mut TokenAccount)) -> Account {
    let mut state = TokenAccount::unpack_from_slice(&account.data).expect("a token account");
    change(&mut state);
    let mut data = vec![0; TokenAccount::LEN];
    state.pack_into_slice(&mut data);
    Account { data, ..account.clone() }
}

/// Token accounts in place of a token account.
pub(super) fn tokens(case: &Case, at: &Pubkey) -> Vec<Other> {
    let good = case.account(at);
    let place = somewhere("tokens");
    let twin = |change: &dyn Fn(&mut TokenAccount)| Some(tokens_with(&good, change));
    let bytes = |change: &dyn Fn(&mut Account)| {
        let mut account = good.clone();
        change(&mut account);
        Some(account)
    };
    vec![
        ("of another mint", place, twin(&|t| t.mint = mint())),
        ("a stranger's", place, twin(&|t| t.owner = stranger().pubkey())),
        ("the exchange's", place, twin(&|t| t.owner = case.address("exchange").unwrap_or(case.setup.exchange))),
        ("the same owner's other", place, twin(&|_| {})),
        ("not initialised", *at, twin(&|t| t.state = AccountState::Uninitialized)),
        ("frozen", *at, twin(&|t| t.state = AccountState::Frozen)),
        ("a copy of another program's", place, bytes(&|a| a.owner = price_feed::ID)),
        ("a copy of Token-2022's", place, bytes(&|a| a.owner = TOKEN_2022)),
        ("a copy of Ballast's", place, bytes(&|a| a.owner = ballast::ID)),
        ("a byte short", *at, bytes(&|a| a.data.truncate(164))),
        ("a byte long", *at, bytes(&|a| a.data.push(0))),
        ("emptied", *at, bytes(&|a| a.data.clear())),
        ("a mint", case.setup.mint, None),
    ]
}

/// Mints in place of a mint.
pub(super) fn mints(case: &Case, at: &Pubkey) -> Vec<Other> {
    let good = case.account(at);
    let bytes = |change: &dyn Fn(&mut Account)| {
        let mut account = good.clone();
        change(&mut account);
        Some(account)
    };
    vec![
        ("another mint", mint(), bytes(&|_| {})),
        ("the collateral's", case.setup.mint, None),
        ("another market's", address::lp_mint(&case.setup.market_key(1)), None),
        ("now another program's", *at, bytes(&|a| a.owner = price_feed::ID)),
        ("now Token-2022's", *at, bytes(&|a| a.owner = TOKEN_2022)),
        ("a byte short", *at, bytes(&|a| a.data.truncate(81))),
        ("emptied", *at, bytes(&|a| a.data.clear())),
    ]
}

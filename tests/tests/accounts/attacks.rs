//! Which substitutions each account of each instruction gets.

use anchor_lang::Discriminator;
use anchor_lang::prelude::{AccountMeta, Pubkey, system_program};
use ballast::state::{Exchange, Market};
use ballast_client::address;
use solana_account::Account;
use solana_signer::Signer;

use super::case::{Attack, Case, Declared, stranger};
use super::foreign::{self, Other, TOKEN_2022, somewhere};

/// What an account is, which says what may be put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Signs.
    Signer,
    /// An account of Ballast's.
    State,
    /// Created by the instruction at an address that follows from its seeds.
    New,
    /// An address that gets lamports.
    Wallet,
    /// The covenant address of an owner who has none.
    NoCovenant,
    Vault,
    Tokens,
    Mint,
    Program,
    EventAuthority,
    Oracle,
    ProgramData,
    Sysvar,
    Timelock,
    Buffer,
}

/// The kind of an account by its name.
///
/// # Panics
/// For a name that nobody has thought about: a new account needs its attacks.
fn kind(case: &Case, declared: &Declared, at: &Pubkey) -> Kind {
    if declared.signer {
        return Kind::Signer;
    }
    match declared.name.as_str() {
        "exchange" | "market" | "subaccount" | "order" | "ticket" | "proposal" | "upgrade" | "charter" | "lp_mint"
        | "vault"
            if case.account(at) == Account::default() =>
        {
            Kind::New
        }
        "covenant" if case.account(at) == Account::default() && case.name != "create_covenant" => Kind::NoCovenant,
        "covenant" if case.account(at) == Account::default() => Kind::New,
        "exchange" | "market" | "subaccount" | "order" | "ticket" | "proposal" | "upgrade" | "charter" | "root"
        | "covenant" | "debtor" | "holder" | "from" | "to" | "keeper" | "flagger" => Kind::State,
        "owner" | "rent_to" | "refund" => Kind::Wallet,
        "vault" => Kind::Vault,
        "owner_tokens" | "source" | "destination" | "fee_destination" | "new_destination" => Kind::Tokens,
        "mint" | "lp_mint" => Kind::Mint,
        "token_program" | "system_program" | "program" | "program_account" | "loader" => Kind::Program,
        "event_authority" => Kind::EventAuthority,
        "oracle" => Kind::Oracle,
        "program_data" => Kind::ProgramData,
        "instructions" | "rent" | "clock" => Kind::Sysvar,
        "timelock" => Kind::Timelock,
        "buffer" => Kind::Buffer,
        name => panic!("{}: nobody has written attacks on the account {name}", case.title()),
    }
}

/// All substitutions of one account each.
pub(super) fn all(case: &Case) -> Vec<Attack> {
    let declared = case.declared();
    let metas = &case.instruction.accounts;
    let mut attacks = Vec::new();
    for (place, declared) in declared.iter().enumerate() {
        let at = metas[place].pubkey;
        // The program's own address says that an optional account is not there.
        let absent = declared.optional && at == ballast::ID;
        let kind = if absent { Kind::Program } else { kind(case, declared, &at) };
        attacks.extend(one_place(case, place, &declared.name, kind));
    }
    for (leg, place) in (declared.len()..metas.len()).enumerate() {
        attacks.extend(one_place(case, place, &format!("leg {leg}"), Kind::State));
    }
    attacks.extend(legs(case));
    attacks
}

fn one_place(case: &Case, place: usize, name: &str, kind: Kind) -> Vec<Attack> {
    let metas = &case.instruction.accounts;
    let here = &metas[place];
    let attack = |label: &str, metas: Vec<AccountMeta>, put| Attack {
        account: name.to_owned(),
        label: label.to_owned(),
        metas,
        put,
    };
    let with = |meta: AccountMeta| {
        let mut metas = metas.clone();
        metas[place] = meta;
        metas
    };
    let mut attacks = Vec::new();
    for (label, address, account) in others(case, &here.pubkey, name, kind) {
        let put = account.map(|account| (address, account)).into_iter().collect();
        // Only a key can sign.
        let is_signer = here.is_signer && kind == Kind::Signer;
        attacks.push(attack(label, with(AccountMeta { pubkey: address, is_signer, ..here.clone() }), put));
    }
    // Every other account of the same instruction in its place.
    for (other, meta) in metas.iter().enumerate().filter(|(_, m)| m.pubkey != here.pubkey) {
        let named = case.declared().get(other).map_or("a leg", |d| &d.name);
        let twice = AccountMeta { is_writable: here.is_writable, ..meta.clone() };
        attacks.push(attack(&format!("{named} again"), with(twice), vec![]));
    }
    if here.is_writable {
        attacks.push(attack("read-only", with(AccountMeta { is_writable: false, ..here.clone() }), vec![]));
    }
    if here.is_signer {
        attacks.push(attack("unsigned", with(AccountMeta { is_signer: false, ..here.clone() }), vec![]));
        attacks.push(attack("a stranger", with(AccountMeta { pubkey: stranger().pubkey(), ..here.clone() }), vec![]));
    }
    if kind != Kind::Signer {
        attacks.push(attack(
            "nobody",
            with(AccountMeta { pubkey: somewhere("nobody at all"), is_signer: false, ..here.clone() }),
            vec![],
        ));
    }
    attacks.push(attack("left out", metas[..place].to_vec(), vec![]));
    attacks
}

fn others(case: &Case, at: &Pubkey, name: &str, kind: Kind) -> Vec<Other> {
    let account = case.account(at);
    match kind {
        Kind::Signer => vec![],
        Kind::State => {
            let foreign =
                foreign::foreign(case, at).map(|(address, twin)| ("of another exchange", address, Some(twin)));
            let others = [foreign::siblings, foreign::of_other_roles, foreign::other_kinds, foreign::broken];
            foreign.into_iter().chain(others.into_iter().flat_map(|make| make(case, at))).collect()
        }
        Kind::New => {
            let taken =
                Account { lamports: 1_000_000_000, data: vec![1; 64], owner: ballast::ID, ..Account::default() };
            let used = Account { owner: price_feed::ID, ..taken.clone() };
            vec![
                ("another address", somewhere("elsewhere"), None),
                ("already there", *at, Some(taken)),
                ("another program's", *at, Some(used)),
            ]
        }
        Kind::NoCovenant => {
            let (data, owner) = (foreign::covenant_of(case), ballast::ID);
            let theirs = Account { lamports: 1_000_000_000, data, owner, ..Account::default() };
            vec![
                ("a stranger's", somewhere("elsewhere"), Some(theirs)),
                ("another address", somewhere("elsewhere"), None),
                ("a program", price_feed::ID, None),
            ]
        }
        Kind::Wallet => vec![("a stranger", stranger().pubkey(), None), ("a program", price_feed::ID, None)],
        Kind::Vault => {
            let twin = foreign::tokens_with(&account, |t| t.mint = foreign::mint());
            let mut list = foreign::tokens(case, at);
            list.push(("of another exchange", address::vault(&foreign::exchange()), Some(twin)));
            list.push(("now another program's", *at, Some(Account { owner: price_feed::ID, ..account })));
            list
        }
        Kind::Tokens => foreign::tokens(case, at),
        Kind::Mint => foreign::mints(case, at),
        Kind::Program => vec![
            ("Token-2022", TOKEN_2022, None),
            ("another program", price_feed::ID, None),
            ("the system program for it", system_program::ID, None),
            (
                "not executable",
                somewhere("no program"),
                Some(Account { lamports: 1_000_000_000, ..Account::default() }),
            ),
        ]
        .into_iter()
        .filter(|(_, other, _)| other != at)
        .collect(),
        Kind::EventAuthority => vec![("a signer for it", stranger().pubkey(), None)],
        Kind::Oracle => oracles(at, &account),
        Kind::ProgramData => program_data(at, &account),
        Kind::Timelock => vec![
            ("of another exchange", address::timelock(&foreign::exchange()), None),
            ("a signer for it", stranger().pubkey(), None),
        ],
        Kind::Buffer => buffers(at, &account),
        Kind::Sysvar => {
            let forged = Account { lamports: 1_000_000_000, data: vec![0; 200], ..Account::default() };
            vec![
                ("forged", somewhere("sysvar"), Some(forged)),
                ("the clock", Pubkey::from_str_const("SysvarC1ock11111111111111111111111111111111"), None),
            ]
        }
    }
    .into_iter()
    .filter(|(label, address, put)| {
        !(name == "program" && *label == "not executable") && (put.is_some() || address != at)
    })
    .collect()
}

fn oracles(at: &Pubkey, good: &Account) -> Vec<Other> {
    let with = |change: &dyn Fn(&mut Account)| {
        let mut account = good.clone();
        change(&mut account);
        Some(account)
    };
    vec![
        ("of another feed", somewhere("feed"), with(&|a| a.data[41] ^= 1)),
        ("a copy of another program's", somewhere("feed"), with(&|a| a.owner = ballast::ID)),
        ("a copy of nobody's", somewhere("feed"), with(&|a| a.owner = system_program::ID)),
        ("partly verified", *at, with(&|a| a.data[40] = 0)),
        ("another discriminator", *at, with(&|a| a.data[0] ^= 1)),
        ("a byte short", *at, with(&|a| a.data.truncate(133))),
        ("emptied", *at, with(&|a| a.data.clear())),
        ("a price of zero", *at, with(&|a| a.data[73..81].fill(0))),
        ("a negative price", *at, with(&|a| a.data[80] |= 0x80)),
        ("an absurd exponent", *at, with(&|a| a.data[89..93].copy_from_slice(&i32::MAX.to_le_bytes()))),
        ("from the future", *at, with(&|a| a.data[93..101].copy_from_slice(&i64::MAX.to_le_bytes()))),
        ("an endless confidence", *at, with(&|a| a.data[81..89].fill(0xff))),
    ]
}

fn program_data(at: &Pubkey, good: &Account) -> Vec<Other> {
    let with = |change: &dyn Fn(&mut Account)| {
        let mut account = Account { data: good.data[..64].to_vec(), ..good.clone() };
        change(&mut account);
        Some(account)
    };
    let (other, _) = Pubkey::find_program_address(
        &[price_feed::ID.as_ref()],
        &anchor_lang::solana_program::bpf_loader_upgradeable::ID,
    );
    vec![
        ("a copy of another program's", somewhere("data"), with(&|a| a.owner = price_feed::ID)),
        ("a copy", somewhere("data"), with(&|_| {})),
        ("another program's data", other, None),
        ("of no authority", *at, with(&|a| a.data[12] = 0)),
        ("of another authority", *at, with(&|a| a.data[13] ^= 1)),
        ("a buffer's", *at, with(&|a| a.data[0] = 1)),
        ("emptied", *at, with(&|a| a.data.clear())),
    ]
}

fn buffers(at: &Pubkey, good: &Account) -> Vec<Other> {
    let with = |change: &dyn Fn(&mut Account)| {
        let mut account = good.clone();
        change(&mut account);
        Some(account)
    };
    vec![
        ("a copy", somewhere("other buffer"), with(&|_| {})),
        ("a copy of another program's", somewhere("other buffer"), with(&|a| a.owner = price_feed::ID)),
        ("another program's bytes", *at, with(&|a| a.owner = price_feed::ID)),
        ("of no authority", *at, with(&|a| a.data[4] = 0)),
        ("of another authority", *at, with(&|a| a.data[5] ^= 1)),
        ("a program's data", *at, with(&|a| a.data[0] = 3)),
        ("cut to its header", *at, with(&|a| a.data.truncate(37))),
        ("with another byte", *at, with(&|a| a.data[100] ^= 1)),
        ("with a byte more", *at, with(&|a| a.data.push(0))),
        ("emptied", *at, with(&|a| a.data.clear())),
    ]
}

/// Markets behind the declared accounts: too many, in another order, twice, the instruction's own among them.
fn legs(case: &Case) -> Vec<Attack> {
    let metas = &case.instruction.accounts;
    let (fixed, legs) = metas.split_at(case.declared().len());
    let Some(first) = legs.first() else { return vec![] };
    let attack = |label: &str, legs: Vec<AccountMeta>| Attack {
        account: "legs".into(),
        label: label.into(),
        metas: [fixed, &legs].concat(),
        put: vec![],
    };
    let mut attacks = vec![
        attack("one more", [legs, &legs[legs.len() - 1..]].concat()),
        attack("one less", legs[1..].to_vec()),
        attack("an exchange for one", {
            let mut legs = legs.to_vec();
            legs[0].pubkey = case.setup.exchange;
            legs
        }),
        attack("the first one everywhere, and a stranger's", {
            let mut legs = vec![first.clone(); legs.len()];
            legs[0].pubkey = stranger().pubkey();
            legs
        }),
    ];
    if legs.len() > 1 {
        attacks.push(attack("in another order", legs.iter().rev().cloned().collect()));
        attacks.push(attack("the first one twice", vec![first.clone(); legs.len()]));
    }
    attacks
}

/// Every mixture of two exchanges: some of the accounts that belong to one, not all, are the other's twins.
pub(super) fn mixtures(case: &Case) -> Vec<Attack> {
    let metas = &case.instruction.accounts;
    let twins: Vec<(usize, Pubkey, Account)> = metas
        .iter()
        .enumerate()
        .filter_map(|(place, meta)| {
            let named = case.declared().get(place).map(|d| d.name.as_str());
            let account = case.account(&meta.pubkey);
            if named == Some("vault") && account != Account::default() {
                let twin = foreign::tokens_with(&account, |t| t.mint = foreign::mint());
                return Some((place, address::vault(&foreign::exchange()), twin));
            }
            let ours = [Exchange::DISCRIMINATOR, Market::DISCRIMINATOR].iter().any(|d| account.data.starts_with(d));
            let bound = ours
                || matches!(
                    named,
                    Some(
                        "subaccount"
                            | "proposal"
                            | "upgrade"
                            | "charter"
                            | "from"
                            | "to"
                            | "keeper"
                            | "flagger"
                            | "covenant"
                    )
                );
            let (address, twin) = bound.then(|| foreign::foreign(case, &meta.pubkey)).flatten()?;
            Some((place, address, twin))
        })
        .collect();
    // The whole set is an honest instruction of the other exchange, and no concern of this test.
    (1..(1_u32 << twins.len()) - 1)
        .map(|subset| {
            let chosen = || twins.iter().enumerate().filter(move |(bit, _)| subset >> bit & 1 == 1).map(|(_, t)| t);
            let mut metas = metas.clone();
            for (place, address, _) in chosen() {
                metas[*place].pubkey = *address;
            }
            let label = chosen().map(|(place, ..)| place.to_string()).collect::<Vec<_>>().join(" ");
            let put = chosen().map(|(_, address, twin)| (*address, twin.clone())).collect();
            Attack { account: "mixture".into(), label, metas, put }
        })
        .collect()
}

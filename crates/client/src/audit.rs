//! Proves the books from the accounts alone: that every token in the vault belongs to exactly one class (P1), and that
//! every sum a market, subaccount or exchange keeps is the sum of what it stands for (P3).

use std::collections::BTreeMap;

use anchor_lang::prelude::Pubkey;
use ballast::state::{Exchange, Market};
use ballast_engine::account::Position;
use ballast_engine::deleverage::{Deleveraging, Sums};
use ballast_engine::governance::state;
use ballast_engine::liquidity::LOCKED_SHARES;
use ballast_engine::market::{Claim, MarketState};
use ballast_engine::math::fit;
use ballast_engine::units::{Base, Quote, SignedQuote};
use serde::Serialize;

use crate::accounts::Account;
use crate::address;

/// A sum that is not what it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mismatch {
    /// The account that keeps it.
    pub account: String,
    /// Which sum.
    pub what: String,
    /// What the accounts add up to.
    pub expected: i128,
    /// What is kept.
    pub found: i128,
}

/// The books of an exchange. Amounts in the collateral's smallest unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Audit {
    /// Tokens in the vault.
    pub vault: u64,
    /// Collateral of subaccounts, what silent exits left behind included.
    pub trader_collateral: u128,
    /// Cash of pools, what is set aside for claims included.
    pub pool_cash: u128,
    /// Markets' insurance.
    pub market_insurance: u128,
    /// The shared insurance fund.
    pub shared_insurance: u128,
    /// Protocol fees, not yet collected.
    pub fees: u128,
    /// Fees put aside for orders.
    pub order_fees: u128,
    /// Liquidity deposits that wait.
    pub lp_deposits: u128,
    /// Vault less all of these.
    pub difference: i128,
    /// Markets looked at.
    pub markets: u64,
    /// Subaccounts looked at.
    pub subaccounts: u64,
    /// Open positions looked at.
    pub positions: u64,
    /// Everything that does not add up, the difference included.
    pub mismatches: Vec<Mismatch>,
}

impl Audit {
    /// Whether everything adds up.
    pub fn is_clean(&self) -> bool {
        self.mismatches.is_empty()
    }

    fn expect(&mut self, account: &impl ToString, what: &str, expected: impl Into<i128>, found: impl Into<i128>) {
        let (expected, found) = (expected.into(), found.into());
        if expected != found {
            self.report(account, what, expected, found);
        }
    }

    fn report(&mut self, account: &impl ToString, what: &str, expected: i128, found: i128) {
        self.mismatches.push(Mismatch { account: account.to_string(), what: what.to_owned(), expected, found });
    }
}

/// One side's sums.
#[derive(Clone, Copy, Default)]
struct SideSums {
    open_interest: i128,
    entry: i128,
    funding_entry: i128,
    frozen: i128,
    positions: i128,
}

impl SideSums {
    fn add(&mut self, position: &Position) {
        let base = i128::from(position.base().0);
        self.open_interest += base;
        self.entry += i128::from(position.entry.0);
        self.funding_entry += base * position.funding_entry.get();
        self.frozen += i128::from(position.frozen.0);
        self.positions += 1;
    }

    /// With those of positions that have yet to pick up a deleveraging, as it leaves them.
    fn with(mut self, waiting: &Self, last: &Deleveraging) -> ballast_engine::Result<Self> {
        let raw = Sums {
            open_interest: Base(fit(waiting.open_interest)?),
            entry: Quote(fit(waiting.entry)?),
            funding_entry: waiting.funding_entry,
            frozen: SignedQuote::ZERO,
        };
        let made = last.applied(&raw, fit(waiting.positions)?)?;
        self.open_interest += i128::from(made.open_interest.0);
        self.entry += i128::from(made.entry.0);
        self.funding_entry += made.funding_entry;
        self.frozen += i128::from(made.frozen.0) + waiting.frozen;
        self.positions += waiting.positions;
        Ok(self)
    }
}

/// What a market's own sums must agree with.
#[derive(Default)]
struct MarketSums {
    long: SideSums,
    short: SideSums,
    /// Positions that have yet to pick up a deleveraging, as they are.
    waiting: SideSums,
    claims: i128,
    collectable: i128,
    pending_deposits: i128,
    locked_shares: i128,
}

impl MarketSums {
    fn add_position(&mut self, market: &MarketState, position: &Position) -> bool {
        if !position.is_open() {
            return false;
        }
        let long = position.size.is_long();
        let side = if long { &mut self.long } else { &mut self.short };
        if market.is_deleveraged(position) {
            self.waiting.add(position)
        } else {
            side.add(position)
        }
        true
    }

    fn add_claim(&mut self, debtor: &MarketState, claim: &Claim) -> ballast_engine::Result<()> {
        self.claims += i128::from(claim.amount.0);
        self.collectable += i128::from(debtor.claim_value(claim)?.1.0);
        Ok(())
    }
}

/// The accounts of one exchange.
#[derive(Default)]
struct Books {
    exchange: Option<Box<Exchange>>,
    markets: BTreeMap<Pubkey, Box<Market>>,
    by_index: BTreeMap<u16, Pubkey>,
    sums: BTreeMap<Pubkey, MarketSums>,
    /// Supply of liquidity mints, where their accounts were given.
    supply: BTreeMap<Pubkey, u64>,
}

/// Audits the only exchange among the program's accounts. See [`audit_exchange`].
pub fn audit(accounts: impl IntoIterator<Item = (Pubkey, Vec<u8>)>, vault_amount: u64) -> Audit {
    let accounts: Vec<_> = accounts.into_iter().collect();
    let exchanges: Vec<Pubkey> = accounts
        .iter()
        .filter(|(_, data)| matches!(Account::decode(data), Ok(Account::Exchange(_))))
        .map(|(address, _)| *address)
        .collect();
    match exchanges[..] {
        [exchange] => audit_exchange(&exchange, accounts, vault_amount),
        _ => {
            let mut audit = Audit { vault: vault_amount, ..Audit::default() };
            audit.report(&address::PROGRAM, "exchanges", 1, exchanges.len() as i128);
            audit
        }
    }
}

/// Audits an exchange from all accounts of the program and the amount in its vault. Accounts of other exchanges are left
/// out; the accounts of liquidity mints may be among those given, their supply is then checked too.
pub fn audit_exchange(
    exchange: &Pubkey,
    accounts: impl IntoIterator<Item = (Pubkey, Vec<u8>)>,
    vault_amount: u64,
) -> Audit {
    let mut audit = Audit { vault: vault_amount, ..Audit::default() };
    let mut books = Books::default();
    let mut rest = Vec::new();
    for (address, data) in accounts {
        match Account::decode(&data) {
            Ok(Account::Exchange(found)) if address == *exchange => books.exchange = Some(found),
            Ok(Account::Market(market)) if market.exchange.0 == exchange.to_bytes() => {
                books.by_index.insert(market.state.index, address);
                books.sums.insert(address, MarketSums::default());
                books.markets.insert(address, market);
            }
            Ok(account) => rest.push((address, account)),
            Err(error) => match mint_supply(&data) {
                Some(supply) => {
                    books.supply.insert(address, supply);
                }
                None => audit.report(&address, &format!("readable: {error}"), 1, 0),
            },
        }
    }
    if books.exchange.is_none() {
        audit.report(exchange, "exchanges", 1, 0);
    }
    books.add_accounts(exchange, &rest, &mut audit);
    books.add_pool_claims(&mut audit);
    books.check_markets(&mut audit);
    let classes = [
        audit.trader_collateral,
        audit.pool_cash,
        audit.market_insurance,
        audit.shared_insurance,
        audit.fees,
        audit.order_fees,
        audit.lp_deposits,
    ];
    let owned = classes.iter().sum::<u128>() as i128;
    audit.difference = i128::from(vault_amount) - owned;
    audit.expect(&address::vault(exchange), "vault", owned, vault_amount);
    audit
}

/// The supply in a classic mint's bytes.
fn mint_supply(data: &[u8]) -> Option<u64> {
    const MINT_LENGTH: usize = 82;
    if data.len() != MINT_LENGTH {
        return None;
    }
    Some(u64::from_le_bytes(*data.get(36..)?.first_chunk()?))
}

impl Books {
    fn add_accounts(&mut self, exchange: &Pubkey, accounts: &[(Pubkey, Account)], audit: &mut Audit) {
        let mut orders: BTreeMap<[u8; 32], i128> = BTreeMap::new();
        let mut pending = 0_i128;
        for (address, account) in accounts {
            match account {
                Account::Order(order) if self.markets.contains_key(&Pubkey::new_from_array(order.market.0)) => {
                    *orders.entry(order.subaccount.0).or_default() += 1;
                    audit.order_fees += u128::from(order.terms.fee.0);
                }
                Account::LpDeposit(ticket) => {
                    if let Some(sums) = self.sums.get_mut(&Pubkey::new_from_array(ticket.market.0)) {
                        sums.pending_deposits += i128::from(ticket.amount.0);
                        audit.lp_deposits += u128::from(ticket.amount.0);
                    }
                }
                Account::LpWithdrawal(ticket) => {
                    if let Some(sums) = self.sums.get_mut(&Pubkey::new_from_array(ticket.market.0)) {
                        sums.locked_shares += i128::from(ticket.shares);
                    }
                }
                Account::Proposal(proposal) if proposal.exchange.0 == exchange.to_bytes() => {
                    pending += i128::from(proposal.terms.state == state::PENDING);
                }
                Account::Subaccount(subaccount) if subaccount.exchange.0 == exchange.to_bytes() => {
                    self.add_subaccount(address, &subaccount.state, audit);
                }
                _ => {}
            }
        }
        for (address, account) in accounts {
            if let Account::Subaccount(subaccount) = account
                && subaccount.exchange.0 == exchange.to_bytes()
            {
                let count = orders.remove(&address.to_bytes()).unwrap_or_default();
                audit.expect(address, "orders", count, subaccount.state.orders);
            }
        }
        for (subaccount, count) in orders {
            audit.report(&Pubkey::new_from_array(subaccount), "orders of a missing subaccount", 0, count);
        }
        if let Some(found) = &self.exchange {
            audit.shared_insurance += u128::from(found.shared_insurance.0);
            audit.expect(exchange, "pending_proposals", pending, found.pending_proposals);
            audit.expect(exchange, "markets", self.markets.len() as i128, found.markets);
            self.check_insurance(exchange, found, audit);
        }
    }

    /// Every batch's sums are those of its markets' claims, and what was paid has arrived.
    fn check_insurance(&self, exchange: &Pubkey, found: &Exchange, audit: &mut Audit) {
        let claims = || self.markets.values().map(|market| &market.state.insurance);
        for batch in &found.insurance.batches {
            let open: Vec<_> = claims()
                .flat_map(|claims| &claims.registered)
                .filter(|claim| !claim.amount.is_zero() && claim.day == batch.day)
                .collect();
            audit.expect(exchange, "insurance batch's open claims", open.len() as i128, batch.open);
            let amount: i128 = open.iter().map(|claim| i128::from(claim.amount.0)).sum();
            let paid: i128 = open.iter().map(|claim| i128::from(claim.paid.0)).sum();
            if amount > i128::from(batch.claimed.0) || paid > i128::from(batch.paid.0) {
                audit.report(exchange, "insurance batch", amount, batch.claimed.0.into());
            }
            // Until the first is closed, all are there.
            if open.len() as u64 == batch.open && batch.fixed == 0 {
                audit.expect(exchange, "insurance batch's sum", amount, batch.claimed.0);
            }
        }
        let registered: usize = claims().flat_map(|c| &c.registered).filter(|claim| !claim.amount.is_zero()).count();
        let open: u64 = found.insurance.batches.iter().map(|batch| batch.open).sum();
        audit.expect(exchange, "insurance claims registered", registered as i128, open);
        let paid: i128 = claims().map(|claims| i128::from(claims.paid.0)).sum();
        audit.expect(exchange, "insurance paid", paid, found.insurance.paid.0);
        if let Err(fault) = found.invariant() {
            audit.report(exchange, fault.error.name(), 0, 1);
        }
    }

    fn add_subaccount(&mut self, address: &Pubkey, account: &ballast_engine::account::AccountState, audit: &mut Audit) {
        audit.subaccounts += 1;
        audit.trader_collateral += u128::from(account.collateral.0);
        if let Err(fault) = account.invariant() {
            audit.report(address, fault.error.name(), 0, 1);
        }
        for (slot, position) in account.slots() {
            audit.trader_collateral += u128::from(position.held.0);
            let market = self.by_index.get(&position.market);
            let known = market.and_then(|key| Some((self.markets.get(key)?, self.sums.get_mut(key)?)));
            let Some((market, sums)) = known else {
                audit.report(address, &format!("market of slot {slot}"), position.market.into(), -1);
                continue;
            };
            audit.positions += u64::from(sums.add_position(&market.state, position));
            if sums.add_claim(&market.state, &position.claim).is_err() {
                audit.report(address, &format!("claim of slot {slot}"), 0, position.claim.amount.0.into());
            }
        }
    }

    /// Claims that pools hold on one another.
    fn add_pool_claims(&mut self, audit: &mut Audit) {
        for (holder, market) in &self.markets {
            for (index, claim) in (0_u16..).zip(&market.state.held) {
                if claim.amount.is_zero() {
                    continue;
                }
                let debtor = self.by_index.get(&index);
                let known = debtor.and_then(|key| Some((self.markets.get(key)?, self.sums.get_mut(key)?)));
                let added = known.is_some_and(|(debtor, sums)| sums.add_claim(&debtor.state, claim).is_ok());
                if !added {
                    audit.report(holder, &format!("claim on market {index}"), 0, claim.amount.0.into());
                }
            }
        }
    }

    fn check_markets(&self, audit: &mut Audit) {
        for (address, market) in &self.markets {
            audit.markets += 1;
            let (state, pool) = (&market.state, &market.state.pool);
            let Some(sums) = self.sums.get(address) else { continue };
            audit.pool_cash += u128::from(pool.cash.0);
            audit.market_insurance += u128::from(pool.insurance.0);
            audit.fees += u128::from(pool.protocol_fees.0);
            if let Err(fault) = state.invariant() {
                audit.report(address, fault.error.name(), 0, 1);
            }
            let last = &state.deleveraging;
            let waiting = &sums.waiting;
            audit.expect(address, "deleveraging.positions", waiting.positions, last.positions);
            if last.positions != 0 {
                audit.expect(address, "deleveraging.open_interest", waiting.open_interest, last.open_interest.0);
                audit.expect(address, "deleveraging.entry", waiting.entry, last.entry.0);
                audit.expect(address, "deleveraging.funding_entry", waiting.funding_entry, last.funding_entry.get());
            }
            for (name, long, expected) in [("long", true, sums.long), ("short", false, sums.short)] {
                let side = state.side(long);
                let waits = last.positions != 0 && (last.long == 1) == long;
                let expected = if waits { expected.with(waiting, last).unwrap_or(expected) } else { expected };
                let what = |field: &str| format!("{name}.{field}");
                audit.expect(address, &what("open_interest"), expected.open_interest, side.open_interest.0);
                audit.expect(address, &what("entry"), expected.entry, side.entry.0);
                audit.expect(address, &what("funding_entry"), expected.funding_entry, side.funding_entry.get());
                audit.expect(address, &what("positions"), expected.positions, side.positions);
                audit.expect(address, &what("frozen"), expected.frozen, state.frozen_of(long).0);
            }
            // What holders can claim in all is outstanding or set aside, to the atom; by rounding, a little of what is
            // set aside may still stand as outstanding in the holders' sums, never the other way round.
            audit.expect(address, "claims", sums.claims, i128::from(pool.claims.0) + i128::from(pool.claims_paid.0));
            if sums.collectable > i128::from(pool.claims_paid.0) {
                audit.report(address, "claims_paid", sums.collectable, pool.claims_paid.0.into());
            }
            audit.expect(address, "pending_deposits", sums.pending_deposits, pool.pending_deposits.0);
            if let Some(supply) = self.supply.get(&Pubkey::new_from_array(market.lp_mint.0)) {
                let locked = if pool.shares == 0 { 0 } else { LOCKED_SHARES };
                let shares = i128::from(*supply) + sums.locked_shares + i128::from(locked);
                audit.expect(address, "shares", shares, pool.shares);
            }
        }
    }
}

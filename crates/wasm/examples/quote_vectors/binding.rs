//! What binds an account from outside: a covenant over several accounts of one owner, and proposals that wait.

use anchor_lang::prelude::Pubkey;
use ballast::state::{ACCOUNT_VERSION, Covenant, Exchange, Market, Order, Proposal, Subaccount};
use ballast_client::accounts::encode;
use ballast_client::covenants::{self, CovenantView};
use ballast_client::{Markets, pending};
use ballast_engine::account::AccountState;
use ballast_engine::covenant::{Limits, Look};
use ballast_engine::governance::{ExitHolds, SHARED_FUND, kind, state};
use ballast_engine::guardian::Emergency;
use ballast_engine::layout::Key;
use ballast_engine::market::MarketState;
use ballast_engine::params::{EXCHANGE_ROWS, MARKET_ROWS, MarketParams};
use ballast_engine::{Now, Quote, Ratio, SignedQuote};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use serde_json::{Value, json};

use super::{Draw, EXCHANGE, NOW, text};

/// A subaccount at its address.
pub(super) type Owned = (Pubkey, Box<Subaccount>);

impl Draw {
    /// A subaccount around a state, at an address of its own.
    pub(super) fn owned(&mut self, owner: [u8; 32], state: AccountState) -> Owned {
        let mut account = Box::new(Subaccount { version: ACCOUNT_VERSION, state, ..Subaccount::default() });
        (account.id, account.owner.0, account.exchange.0) = (self.0.random(), owner, EXCHANGE);
        // What its owner has put in, about: the rest is its result.
        let put = account.state.collateral.0.min(1 << 60) as f64 * self.0.random_range(0.5..1.5);
        account.state.flow = SignedQuote(put as i64);
        (Pubkey::new_from_array(self.0.random()), account)
    }

    fn limit(&mut self, around: u64) -> u64 {
        if self.one_in(3) { 0 } else { self.scale((around / 10).max(1), around.saturating_mul(20).max(2)) }
    }

    fn limits(&mut self, equity: u64) -> Limits {
        Limits {
            max_leverage: Ratio(self.limit(2_000_000)),
            max_notional: Quote(self.limit(equity)),
            daily_loss: Quote(self.limit(equity / 10)),
            drawdown: Quote(self.limit(equity / 5)),
            cool_down: self.0.random_range(3_600..2_592_000),
            loosening_delay: self.0.random_range(86_400..7_776_000),
            auto_close: self.0.random_range(0..=1),
            reserved: 0,
        }
    }

    /// A covenant that has seen some of the accounts, at the markets as they were.
    fn covenant(&mut self, accounts: &[Owned], young: &[MarketState]) -> Box<Covenant> {
        let mut covenant = Box::new(Covenant { version: ACCOUNT_VERSION, ..Covenant::default() });
        covenant.exchange.0 = EXCHANGE;
        let equity = accounts.iter().fold(0_u64, |sum, (_, a)| sum.saturating_add(a.state.collateral.0)).min(1 << 50);
        let began = Now { unix: NOW.unix - self.0.random_range(0..200_000), ..NOW };
        let bound = &mut covenant.state;
        let limits = self.limits(equity);
        let _ = bound.begin(&limits, &began);
        bound.limits = limits;
        let find = |index| young.iter().find(|market| market.index == index);
        for (address, account) in accounts {
            let Ok(measure) = covenants::measure(account, find, &NOW) else { continue };
            let mut after = *bound;
            if !self.one_in(3) && after.touch(&Key(address.to_bytes()), &measure, account.state.flow, &NOW).is_ok() {
                *bound = after;
            }
        }
        if self.one_in(3) {
            bound.mark.0 = bound.mark.0.saturating_add(self.limit(equity / 5) as i64);
            bound.day_start.0 = bound.day_start.0.saturating_add(self.limit(equity / 10) as i64);
            // Found before, at older prices: what is at its limit now trips.
            bound.found = [Look { slot: NOW.slot.saturating_sub(10), publish_time: 1 }; 2];
        }
        if self.one_in(4) {
            (bound.tripped_until, bound.trips) = (NOW.unix + self.0.random_range(-10..100_000), 1);
        }
        if self.one_in(3) {
            (bound.asked, bound.asked_at) = (self.limits(equity), NOW.unix + self.0.random_range(-10..100_000));
        }
        covenant
    }

    /// The owner's covenant and all its accounts, and what the native client says of them.
    pub(super) fn bound(&mut self, accounts: &mut [Owned], young: &[MarketState], markets: &[Box<Market>]) -> Value {
        let covenant = self.covenant(accounts, young);
        accounts.sort_by_key(|(_, account)| account.id);
        // The markets that the accounts are in: what cannot be counted elsewhere is no reason to refuse.
        let held = |index| accounts.iter().any(|(_, a)| a.state.slots().any(|(_, p)| p.market == index));
        let markets: Markets = markets.iter().filter(|market| held(market.state.index)).cloned().collect();
        let accrued = markets.accrued(&NOW);
        let list = accounts.iter().map(|(address, account)| (address, &**account));
        let view = match &accrued {
            Ok(accrued) => CovenantView::of(&covenant, list, accrued, &NOW),
            Err(fault) => Err(*fault),
        };
        json!({
            "account": STANDARD.encode(encode(&*covenant)),
            "subaccounts": accounts
                .iter()
                .map(|(address, account)| json!([address.to_string(), STANDARD.encode(encode(&**account))]))
                .collect::<Vec<_>>(),
            "view": match view {
                Ok(view) => text(json!(view)),
                Err(fault) => json!({ "error": fault.error.name() }),
            },
        })
    }

    /// An exchange with proposals, orders, and which of the proposals the native client says touch the account.
    pub(super) fn waiting(&mut self, account: &Subaccount, markets: &[Box<Market>]) -> Value {
        let mut exchange = Box::new(Exchange { version: ACCOUNT_VERSION, ..Exchange::default() });
        exchange.roles.epoch = [self.0.random_range(0..2), self.0.random_range(0..2)];
        if self.one_in(2) {
            let armed_at = NOW.unix - self.0.random_range(0..50_000);
            let until = armed_at + self.0.random_range(1..43_200);
            exchange.emergency = Emergency { until, armed_at, held: self.0.random_range(0..100_000) };
        }
        exchange.exit_holds = self.holds();
        let ordered: Vec<u16> = markets.iter().map(|market| market.state.index).filter(|_| self.one_in(4)).collect();
        let orders = ordered.iter().map(|index| {
            let mut order = Order { version: ACCOUNT_VERSION, ..Order::default() };
            // Where the reader says that the market is.
            order.market.0 = [*index as u8 + 1; 32];
            STANDARD.encode(encode(&order))
        });
        let orders: Vec<String> = orders.collect();
        let proposals: Vec<Box<Proposal>> = (0..self.0.random_range(0..16)).map(|_| self.proposal(markets)).collect();
        let address = Pubkey::default();
        let list = proposals.iter().map(|proposal| (&address, &**proposal));
        let all: Markets = markets.iter().cloned().collect();
        let view =
            all.accrued(&NOW).and_then(|accrued| pending::of(account, &ordered, list, &exchange, &accrued, &NOW));
        json!({
            "exchange": STANDARD.encode(encode(&*exchange)),
            "orders": orders,
            "proposals": proposals.iter().map(|p| STANDARD.encode(encode(&**p))).collect::<Vec<_>>(),
            "view": match view {
                Ok(view) => text(json!(view)),
                Err(fault) => json!({ "error": fault.error.name() }),
            },
        })
    }

    /// Matured exits that were held back.
    pub(super) fn holds(&mut self) -> ExitHolds {
        if self.one_in(2) {
            return ExitHolds::default();
        }
        let until = NOW.unix + self.0.random_range(-5_000..3_600);
        ExitHolds { until, seconds: self.0.random_range(3_600..500_000) }
    }

    fn proposal(&mut self, markets: &[Box<Market>]) -> Box<Proposal> {
        let mut proposal = Box::new(Proposal { version: ACCOUNT_VERSION, ..Proposal::default() });
        (proposal.id, proposal.exchange.0) = (self.0.random(), EXCHANGE);
        if !self.one_in(4) {
            proposal.market_index = self.0.random_range(0..markets.len()) as u16;
            proposal.market.0 = self.0.random();
        }
        let any = self.0.random_range(0..=kind::EXCHANGE_BATCH);
        let kind = if self.one_in(2) { kind::MARKET_PARAMETER } else { any };
        let of_market = matches!(kind, kind::MARKET_PARAMETER | kind::MARKET_BATCH);
        if of_market && proposal.market.0 == [0; 32] {
            proposal.market.0 = [1; 32];
        }
        let rows = if of_market { MARKET_ROWS } else { EXCHANGE_ROWS };
        proposal.batch.count = self.0.random_range(2..=8);
        for change in &mut proposal.batch.changes {
            change.parameter = self.0.random_range(0..rows.len()) as u16;
            (change.old_value, change.new_value) = (self.0.random(), self.0.random_range(0..1_000_000));
        }
        let terms = &mut proposal.terms;
        terms.kind = kind;
        terms.state = if self.one_in(4) { self.0.random_range(0..=state::REFUSED) } else { state::PENDING };
        terms.parameter = match kind {
            kind::INSURANCE if self.one_in(2) => SHARED_FUND,
            kind::INSURANCE => self.0.random_range(0..markets.len()) as u16,
            kind::MARKET_PARAMETER if !self.one_in(4) => MarketParams::id("maintenance_margin").unwrap_or_default(),
            _ => self.0.random_range(0..rows.len()) as u16,
        };
        (terms.old_value, terms.new_value) = (self.0.random(), self.scale(10_000, 1_000_000));
        terms.proposer = self.0.random_range(0..2);
        terms.epoch = self.0.random_range(0..2);
        terms.tightening = u8::from(self.one_in(4));
        terms.eta = NOW.unix + self.0.random_range(-700_000..700_000);
        terms.expires_at = terms.eta + 604_800;
        terms.held_before = self.0.random_range(0..100_000);
        terms.exits_before = self.0.random_range(0..100_000);
        proposal
    }
}

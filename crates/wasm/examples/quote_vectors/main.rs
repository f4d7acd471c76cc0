//! Random accounts with what the native client says of them, for the tests of whoever quotes without it.
//!
//! `quote_vectors FILE [CASES]` writes JSON; `BALLAST_SEED` repeats a run. All numbers are text: JSON's readers lose bits.

mod binding;

use std::path::PathBuf;

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result};
use ballast::state::{ACCOUNT_VERSION, Market, Subaccount};
use ballast_client::accounts::encode;
use ballast_client::view::{AccountView, MarketView};
use ballast_client::{Markets, address, quotes};
use ballast_engine::account::AccountState;
use ballast_engine::constants::FACTOR_ONE;
use ballast_engine::market::{Claim, MarketState, Observation};
use ballast_engine::tier::Tier;
use ballast_engine::{
    Base, FundingIndex, FundingRate, Now, Price, Quote, SignedBase, SignedQuote, margin, presets, trade,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytemuck::Zeroable;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const NOW: Now = Now { unix: 1_700_000_000, slot: 1_000_000, restart_slot: 10 };
/// One case in so many has numbers that no rule could have left there.
const WILD: u32 = 6;
const POSITIONS: usize = 8;
/// Every account's exchange.
const EXCHANGE: [u8; 32] = [7; 32];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().context("name the file to write")?);
    let cases = arguments.next().map_or(Ok(300), |text| text.parse()).context("CASES is a whole number")?;
    let seed = match std::env::var("BALLAST_SEED") {
        Ok(text) => text.parse().context("BALLAST_SEED is a whole number")?,
        Err(_) => rand::random(),
    };
    println!("BALLAST_SEED={seed}");
    let mut draw = Draw(StdRng::seed_from_u64(seed));
    let addresses = draw.addresses();
    let cases: Vec<Value> = (0..cases).map(|_| draw.case()).collect();
    let all = json!({ "seed": seed.to_string(), "addresses": addresses, "cases": cases });
    std::fs::write(&path, serde_json::to_string(&all)?).with_context(|| path.display().to_string())
}

struct Draw(StdRng);

impl Draw {
    fn one_in(&mut self, n: u32) -> bool {
        self.0.random_ratio(1, n)
    }

    /// Every order of magnitude is as likely.
    fn scale(&mut self, from: u64, to: u64) -> u64 {
        let (low, high) = ((from as f64).ln(), (to as f64).ln());
        (self.0.random_range(low..high).exp() as u64).clamp(from, to)
    }

    /// The program's addresses, each with its name and its seeds.
    fn addresses(&mut self) -> Value {
        let mut key = || Pubkey::new_from_array(self.0.random());
        let (mint, exchange, owner, market, subaccount) = (key(), key(), key(), key(), key());
        let (id, long): (u16, u64) = (self.0.random(), self.0.random());
        let text = |key: Pubkey| key.to_string();
        json!([
            ["exchange", { "mint": text(mint) }, text(address::exchange(&mint))],
            ["vault", { "exchange": text(exchange) }, text(address::vault(&exchange))],
            ["market", { "exchange": text(exchange), "index": id }, text(address::market(&exchange, id))],
            ["lpMint", { "market": text(market) }, text(address::lp_mint(&market))],
            [
                "subaccount",
                { "exchange": text(exchange), "owner": text(owner), "id": id },
                text(address::subaccount(&exchange, &owner, id)),
            ],
            [
                "order",
                { "subaccount": text(subaccount), "id": long.to_string() },
                text(address::order(&subaccount, long)),
            ],
            [
                "lpDeposit",
                { "market": text(market), "owner": text(owner) },
                text(address::lp_deposit(&market, &owner)),
            ],
            [
                "lpWithdrawal",
                { "market": text(market), "owner": text(owner) },
                text(address::lp_withdrawal(&market, &owner)),
            ],
            [
                "proposal",
                { "exchange": text(exchange), "id": long.to_string() },
                text(address::proposal(&exchange, long)),
            ],
        ])
    }

    fn case(&mut self) -> Value {
        let count = self.0.random_range(1..=POSITIONS + 1);
        // Every other case has good prices only: else hardly an account with several positions could increase.
        let fresh = self.one_in(2);
        let mut markets: Vec<MarketState> = (0..count).map(|index| self.market(index as u16)).collect();
        let rich = AccountState { collateral: Quote(u64::MAX >> 8), ..AccountState::default() };
        let mut account = rich;
        // The owner's other accounts, now and then more than a covenant has places for; the markets before time goes by.
        let others = if self.one_in(12) { 10 } else { self.0.random_range(0..4) };
        let (mut siblings, mut young) = (vec![rich; others], vec![]);
        for market in &mut markets {
            let mut crowd = rich;
            for _ in 0..self.0.random_range(0..3) {
                self.open(market, &mut crowd);
            }
            // One market at least without a position, where all slots could be in use.
            if account.slots().count() + 1 < count.max(2) && !self.one_in(4) {
                self.open(market, &mut account);
            }
            for sibling in &mut siblings {
                if self.one_in(3) {
                    self.open(market, sibling);
                }
            }
            young.push(*market);
            self.age(market, fresh);
        }
        for account in siblings.iter_mut().chain([&mut account]) {
            self.fund(account, &markets);
        }
        if self.one_in(WILD) {
            self.spoil(&mut account, &mut markets);
        }
        let owner = self.0.random();
        let own = self.owned(owner, account);
        let markets: Vec<Box<Market>> = markets.into_iter().map(|state| self.wrap(state)).collect();
        let mut all: Vec<_> = siblings.into_iter().map(|account| self.owned(owner, account)).collect();
        all.push(own.clone());
        let mut record = record(&own.1, &markets);
        record["sizing"] = self.sizing(&own.1, &markets);
        record["covenant"] = self.bound(&mut all, &young, &markets);
        record["pending"] = self.waiting(&own.1, &markets);
        record
    }

    /// For each market a stop, mostly on the losing side, and a risk: the largest size for them, and what a size costs there.
    fn sizing(&mut self, subaccount: &Subaccount, markets: &[Box<Market>]) -> Value {
        let one = |draw: &mut Self, market: &Market| {
            let (index, price) = (market.state.index, market.state.price.last.price);
            let (long, wrong) = (draw.0.random(), draw.one_in(10));
            let far = price.0.min(1 << 60) as f64 * draw.0.random_range(0.001..0.2);
            let stop = Price(if long == wrong { price.0.saturating_add(far as u64) } else { price.0 - far as u64 });
            let risk = Quote(draw.scale(1_000, 100_000_000_000));
            let list = about(subaccount, markets, Some(index));
            let size = quotes::size_for_risk(subaccount, &list, index, long, stop, risk, &NOW);
            // The size that was found, or any other.
            let asked = match size {
                Ok(size) if !size.is_zero() && !draw.one_in(4) => size,
                _ => Base(draw.scale(1, 1_000_000_000_000)),
            };
            let loss = ballast_engine::quotes::loss_at_stop(&market.state, asked, long, stop, &NOW);
            json!({
                "long": long,
                "stop": stop.0.to_string(),
                "risk": risk.0.to_string(),
                "size": answer(size.map(|size| Some(size.0))),
                "asked": asked.0.to_string(),
                "loss": answer(loss.map(|loss| Some(loss.0))),
            })
        };
        markets.iter().map(|market| one(self, market)).collect()
    }

    fn wrap(&mut self, state: MarketState) -> Box<Market> {
        let mut market: Box<Market> = bytemuck::allocation::zeroed_box();
        market.version = ACCOUNT_VERSION;
        market.exchange.0 = EXCHANGE;
        market.feed_id.0 = self.0.random();
        market.feed_version = self.0.random();
        market.state = state;
        market.state.governed.exit_holds = self.holds();
        market
    }

    fn market(&mut self, index: u16) -> MarketState {
        let tier = self.0.random_range(0..3);
        let price = Price(self.scale(1_000_000, 1_000_000_000_000_000));
        // A skew scale worth ten million to ten billion.
        let scale = u128::from(self.scale(10_000_000_000_000, 10_000_000_000_000_000)) * 1_000_000_000;
        let params = presets::tuned(
            Tier::from_byte(tier).unwrap_or(Tier::A),
            (scale / u128::from(price.0)).min(u128::from(u64::MAX >> 8)) as u64,
            Quote(self.scale(100_000_000_000, 100_000_000_000_000)),
        );
        let mut market =
            MarketState::new(index, tier, 6, 6, params, NOW.unix - 10_000).unwrap_or_else(|_| MarketState::zeroed());
        market.pool.cash = Quote(self.scale(1_000_000_000_000, 1_000_000_000_000_000));
        market.pool.shares = market.pool.cash.0;
        let print = Observation {
            prev_publish_time: NOW.unix - 1,
            publish_time: NOW.unix,
            price,
            conf: Price(price.0 / self.scale(100, 100_000)),
        };
        let state = &mut market.price;
        (state.last, state.valid) = (print, print);
        (state.slot, state.valid_slot) = (NOW.slot, NOW.slot);
        (state.ema5, state.ema60, state.ema_sample) = (price, price, price);
        (state.ema_time, state.ema_start) = (NOW.unix, NOW.unix - 7_200);
        market.long.index = FundingIndex::new(i128::from(self.0.random::<i64>()) * i128::from(self.0.random::<u16>()));
        market.short.index = FundingIndex::new(-market.long.index.get());
        market.funding.rate = FundingRate(self.0.random_range(-1_000_000_000..1_000_000_000));
        market
    }

    fn open(&mut self, market: &mut MarketState, account: &mut AccountState) {
        let Ok(slot) = account.find_or_free(market.index) else { return };
        let long = self.0.random();
        let size = u128::from(self.scale(60_000_000, 500_000_000_000)) * 1_000_000_000;
        let size = Base((size / u128::from(market.price.last.price.0)).min(u128::from(u64::MAX >> 8)) as u64);
        // What the rules refuse stays unopened.
        let (mut after, mut owner) = (*market, *account);
        if trade::increase(&mut after, &mut owner, slot, size, long, market.price.last.price).is_ok() {
            (*market, *account) = (after, owner);
        }
    }

    /// Time goes by: the price moves, ages, gets uncertain; funding runs; claims and caps appear.
    fn age(&mut self, market: &mut MarketState, fresh: bool) {
        let price = &mut market.price;
        let moved = |draw: &mut Self, price: Price, percent: f64| {
            Price((price.0 as f64 * (1.0 + draw.0.random_range(-percent..percent) / 100.0)) as u64)
        };
        price.last.price = moved(self, price.last.price, 12.0);
        price.ema5 = moved(self, price.last.price, 1.5);
        price.ema60 = moved(self, price.last.price, 6.0);
        price.last.publish_time -= self.0.random_range(0..4);
        price.slot -= self.0.random_range(0..10);
        price.valid = price.last;
        if !fresh && self.one_in(3) {
            // Not good: old, uncertain or jumped, with an older valid price behind it.
            price.valid.price = moved(self, price.last.price, 5.0);
            price.valid.publish_time -= self.0.random_range(0..5_000);
            price.valid_slot -= self.0.random_range(0..5_000);
            match self.0.random_range(0..4) {
                0 => price.last.conf = Price(price.last.price.0 / 20),
                1 => price.ema5 = moved(self, price.last.price, 20.0),
                2 => price.last.publish_time -= self.0.random_range(4..7_000),
                _ => price.ema_start = NOW.unix - 100,
            }
        }
        market.funding.updated_at = NOW.unix - self.scale(1, 200_000) as i64;
        if !fresh && self.one_in(4) {
            market.pool.claims = Quote(self.scale(1, 1_000_000_000_000));
            market.pool.claims_paid = Quote(self.0.random_range(0..=market.pool.cash.0));
            market.pool.claim_factor = self.0.random_range(1..=FACTOR_ONE);
            market.pool.claim_epoch = self.0.random_range(0..3);
        }
        if self.one_in(10) {
            market.overlay.reduce_only_until = NOW.unix + self.0.random_range(-10..10);
        }
        if self.one_in(5) {
            market.old_maintenance = market.params.maintenance_margin.0 / 2;
            market.grace_until = NOW.unix + self.0.random_range(-10..10);
        }
    }

    /// Collateral somewhere around what the account needs; a flag, claims and holdbacks now and then.
    fn fund(&mut self, account: &mut AccountState, markets: &[MarketState]) {
        for position in &mut account.positions {
            if position.size.0 != 0 && self.one_in(5) {
                position.margin_version = self.0.random_range(1..3);
            }
            if position.size.0 != 0 && self.one_in(5) {
                position.claim = Claim {
                    amount: Quote(self.scale(1, 1_000_000_000)),
                    factor: FACTOR_ONE,
                    epoch: self.0.random_range(0..2),
                };
                position.held = Quote(self.scale(1, 1_000_000_000));
                if self.one_in(3) {
                    // Nothing but what is owed is left of it.
                    (position.size, position.entry) = (SignedBase(0), Quote(0));
                }
            }
        }
        account.collateral = Quote(0);
        let mut needed = 1_000_000_i128;
        for (_, position) in account.slots() {
            let Some(market) = markets.iter().find(|m| m.index == position.market) else { continue };
            if let Ok(leg) = margin::leg(market, position, margin::Purpose::Maintenance, &NOW) {
                needed += i128::from(leg.requirement.0) - i128::from(leg.equity.0);
            }
        }
        let share = self.0.random_range(0.5..12.0);
        account.collateral = Quote((needed.max(0) as f64 * share) as u64);
        if self.one_in(8) {
            account.flag.slot = NOW.slot - self.0.random_range(0..100);
        }
        account.isolated = u8::from(account.slots().count() == 1 && self.one_in(3));
    }

    /// Numbers at the ends of their range: the answer is a refusal, the same one.
    fn spoil(&mut self, account: &mut AccountState, markets: &mut [MarketState]) {
        let extreme = |draw: &mut Self| match draw.0.random_range(0..5) {
            0 => 0,
            1 => u64::MAX,
            2 => i64::MAX as u64,
            3 => i64::MIN as u64,
            _ => draw.0.random(),
        };
        // Index, tier and decimals say which market it is, and stay.
        let fixed = std::mem::offset_of!(MarketState, index) / size_of::<u64>();
        for market in markets {
            let words: &mut [u64] = bytemuck::cast_slice_mut(bytemuck::bytes_of_mut(market));
            for _ in 0..self.0.random_range(0..4) {
                let at = self.0.random_range(0..fixed);
                words[at] = extreme(self);
            }
        }
        let position = &mut account.positions[self.0.random_range(0..POSITIONS)];
        if position.is_open() {
            match self.0.random_range(0..4) {
                0 => position.size.0 = extreme(self).cast_signed(),
                1 => position.entry.0 = extreme(self),
                2 => position.funding_entry = FundingIndex::new(self.0.random()),
                _ => position.claim.amount.0 = extreme(self),
            }
        } else {
            account.collateral.0 = extreme(self);
        }
    }
}

/// The markets that a question is about: what cannot be counted elsewhere is no reason to refuse.
fn about(subaccount: &Subaccount, markets: &[Box<Market>], asked: Option<u16>) -> Markets {
    let wanted = |index| asked == Some(index) || subaccount.state.slots().any(|(_, p)| p.market == index);
    markets.iter().filter(|market| wanted(market.state.index)).cloned().collect()
}

fn record(subaccount: &Subaccount, markets: &[Box<Market>]) -> Value {
    let account = &subaccount.state;
    let list = about(subaccount, markets, None);
    let liquidation: Vec<Value> = account
        .slots()
        .map(|(_, p)| answer(quotes::liquidation_price(subaccount, &list, p.market, &NOW).map(|p| p.map(|p| p.0))))
        .collect();
    let largest = |long| -> Vec<Value> {
        let largest = |index| {
            let size = quotes::max_increase(subaccount, &about(subaccount, markets, Some(index)), index, long, &NOW);
            answer(size.map(|size| Some(size.0)))
        };
        markets.iter().map(|market| largest(market.state.index)).collect()
    };
    let views: Vec<Value> = markets
        .iter()
        .map(|market| match MarketView::of(market, &NOW) {
            Ok(view) => text(json!(view)),
            Err(fault) => json!({ "error": fault.error.name() }),
        })
        .collect();
    let side = |side: &ballast_engine::market::Side| {
        json!([side.index.get().to_string(), side.funding_entry.get().to_string()])
    };
    json!({
        "now": { "unix": NOW.unix.to_string(), "slot": NOW.slot.to_string(), "restartSlot": NOW.restart_slot.to_string() },
        "subaccount": STANDARD.encode(encode(subaccount)),
        "markets": markets.iter().map(|market| STANDARD.encode(encode(&**market))).collect::<Vec<_>>(),
        "account": match AccountView::of(subaccount, &list, &NOW) {
            Ok(view) => text(json!(view)),
            Err(fault) => json!({ "error": fault.error.name() }),
        },
        "views": views,
        "wide": markets.iter().map(|m| json!([side(&m.state.long), side(&m.state.short)])).collect::<Vec<_>>(),
        "fundingEntries": account.positions.iter().map(|p| p.funding_entry.get().to_string()).collect::<Vec<_>>(),
        "withdrawable": withdrawable(subaccount, &list).map(|quote| quote.0.to_string()),
        "liquidation": liquidation,
        "long": largest(true),
        "short": largest(false),
    })
}

/// What margin lets go, by the program's own order of things; `None` where the test cannot be made.
fn withdrawable(subaccount: &Subaccount, markets: &Markets) -> Option<Quote> {
    let accrued = markets.accrued(&NOW).ok()?;
    let totals = quotes::totals(subaccount, &accrued, margin::Purpose::Withdrawal, &NOW).ok()?;
    let collateral = subaccount.state.collateral;
    if ballast_engine::liquidation::is_flagged(&subaccount.state, &NOW) {
        return Some(Quote::ZERO);
    }
    let good = totals.worst == ballast_engine::price::Status::Good;
    let surplus: SignedQuote = totals.surplus().ok()?;
    Some(if good { surplus.gain().min(collateral) } else { Quote::ZERO })
}

fn answer(result: ballast_engine::Result<Option<u64>>) -> Value {
    match result {
        Ok(Some(number)) => json!(number.to_string()),
        Ok(None) => Value::Null,
        Err(fault) => json!({ "error": fault.error.name() }),
    }
}

/// The same with its numbers as text.
fn text(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.to_string()),
        Value::Array(list) => list.into_iter().map(text).collect(),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, text(value))).collect()),
        other => other,
    }
}

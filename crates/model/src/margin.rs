//! Section 7: what an account's positions count for.

use crate::number::{Q, frac, gain, least, loss, most, q, zero};
use crate::pool::Payable;
use crate::price::Status;
use crate::state::{Exchange, Position};
use crate::{R, must};

/// What a test is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "section 7's three")]
pub enum Purpose {
    Maintenance,
    Increase,
    Withdrawal,
}

/// An account's sums.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are section 7's and 8's")]
pub struct Totals {
    pub equity: Q,
    pub full_equity: Q,
    pub notional: Q,
    pub requirement: Q,
    pub buffer: Q,
    pub worst: Status,
    /// Newest and oldest publish time, the oldest among good prices.
    pub newest: i64,
    pub oldest: i64,
    /// The slot of the largest requirement with a good price, and that requirement.
    pub largest: Option<(usize, Q)>,
}

impl Totals {
    /// Equity less requirement.
    pub fn surplus(&self) -> Q {
        &self.equity - &self.requirement
    }
    /// What equity lacks of requirement and buffer.
    pub fn shortage(&self) -> Q {
        gain(&(&self.requirement + &self.buffer - &self.equity))
    }
}

impl Exchange {
    /// The maintenance margin a position is held to.
    pub fn maintenance_ratio(&self, p: &Position) -> Q {
        let market = &self.markets[p.market];
        let current = &market.rules.maintenance_margin;
        if self.unix < market.grace_until && p.margin_version != market.margin_version {
            return least(current, &market.old_maintenance);
        }
        current.clone()
    }

    /// The initial margin ratio at a notional.
    fn initial_ratio(&self, market: usize, notional: &Q, increase: bool) -> Q {
        let rules = &self.markets[market].rules;
        let mut ratio = &rules.initial_margin + &rules.size_margin * least(&(notional / &rules.max_position), &q(1));
        if increase {
            let larger = most(&self.open_interest(market, true), &self.open_interest(market, false));
            let filled = larger * &self.markets[market].prices.last.price;
            let low = &rules.open_interest_cap * &rules.oi_margin_start;
            let high = &rules.open_interest_cap * &rules.oi_margin_full;
            let share = if filled <= low {
                zero()
            } else if filled >= high {
                q(1)
            } else {
                (filled - &low) / (high - &low)
            };
            ratio += (q(1) - &rules.initial_margin) * share;
        }
        least(&ratio, &q(1))
    }

    /// An account's sums for a purpose.
    ///
    /// # Errors
    /// A position that never had a valid price.
    pub fn totals(&self, account: usize, purpose: Purpose) -> R<Totals> {
        let state = &self.accounts[account];
        let mut sums = Totals {
            equity: state.collateral.clone(),
            full_equity: state.collateral.clone(),
            notional: zero(),
            requirement: zero(),
            buffer: zero(),
            worst: Status::Good,
            newest: 0,
            oldest: i64::MAX,
            largest: None,
        };
        for (slot, p) in state.slots.iter().enumerate() {
            sums.full_equity += &p.claim.due + &p.claim.paid + &p.held;
            if !p.is_open() {
                continue;
            }
            let (market, long) = (p.market, p.is_long());
            let status = self.status(market);
            let prices = &self.markets[market].prices;
            let rules = &self.markets[market].rules;
            let good = status == Status::Good;
            let (mark, priced) = match purpose {
                Purpose::Maintenance if good => (prices.last.price.clone(), self.maintenance_price(market, long)),
                Purpose::Maintenance => (prices.valid.price.clone(), self.favourable_price(market, long)?),
                _ => (most(&prices.last.price, &prices.ema60), self.initial_price(market, long)),
            };
            // In a settled market nothing can be lost any more: it asks for no margin, and has no say in which prices are new.
            let settled = self.is_settled(market);
            let notional = if settled { zero() } else { p.size.abs() * mark };
            let ratio = match purpose {
                Purpose::Maintenance => self.maintenance_ratio(p),
                Purpose::Increase => self.initial_ratio(market, &notional, true),
                Purpose::Withdrawal => self.initial_ratio(market, &notional, false),
            };
            let requirement = &notional * ratio;
            if purpose == Purpose::Maintenance {
                sums.buffer += &notional * &rules.liquidation_buffer;
            }
            let (pnl, owed) = (p.pnl(&priced), self.owed(p));
            // What the pool has yet to pay counts at its credit, what the account has yet to pay in full.
            let asset = gain(&pnl) + loss(&owed);
            let debt = loss(&pnl) + gain(&owed);
            let share = match purpose {
                // After a raise, while its grace runs, the initial margin before it.
                Purpose::Maintenance if self.unix < self.markets[market].credit_until => {
                    q(1) - least(&rules.initial_margin, &self.markets[market].old_initial)
                }
                Purpose::Maintenance => q(1) - &rules.initial_margin,
                Purpose::Increase => rules.profit_credit.clone(),
                Purpose::Withdrawal => zero(),
            };
            let payable = || match purpose {
                Purpose::Maintenance if !good => {
                    Payable { cash: self.free_cash(market), gross: self.gross(market, &prices.valid.price) }
                }
                _ => self.payable(market),
            };
            let credited = if share.is_zero() || asset.is_zero() { zero() } else { payable().of(&asset) * share };
            sums.equity += credited - &debt;
            sums.full_equity += asset - debt;
            sums.worst = sums.worst.min(status);
            if !settled {
                sums.newest = sums.newest.max(prices.last.time);
            }
            if good && !settled {
                sums.oldest = sums.oldest.min(prices.last.time);
                let largest = sums.largest.as_ref().map_or_else(zero, |(_, most)| most.clone());
                if !self.at_least(&largest, &requirement, &q(2)) {
                    sums.largest = Some((slot, requirement.clone()));
                }
            }
            sums.notional += notional;
            sums.requirement += requirement;
        }
        Ok(sums)
    }

    /// Equity must reach initial margin, every price must be good.
    pub(crate) fn check_initial(&self, account: usize, purpose: Purpose) -> R<()> {
        let sums = self.totals(account, purpose)?;
        must(sums.worst == Status::Good, sums.worst.refusal())?;
        // The ratio's three terms are each rounded up to a millionth.
        let off = q(24) + &sums.notional * frac(3, 1_000_000);
        must(self.at_least(&sums.equity, &sums.requirement, &off), "InitialMargin")
    }

    /// Whether every good price that the sums rest on was published after that time.
    pub(crate) fn seen_since(sums: &Totals, time: i64) -> bool {
        sums.newest > time && sums.oldest > time
    }

    /// Whether settling a position would bring a profit.
    pub(crate) fn has_profit(&self, account: usize, slot: usize) -> bool {
        let p = &self.accounts[account].slots[slot];
        if !p.is_open() || self.status(p.market) != Status::Good {
            return false;
        }
        let result = p.pnl(&self.markets[p.market].prices.last.price) - self.owed(p);
        // A profit of less than an atom is none.
        self.reaches(&result, &q(1), 2) && result.is_positive()
    }
}

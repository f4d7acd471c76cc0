//! What a covenant counts as lost is what trading has lost, to the atom: over random sequences of trades, money in and out
//! and across, accounts closed and opened again, midnights, and accounts beyond the eighth.

use ballast_engine::account::AccountState;
use ballast_engine::constants::{DAY, HOUR};
use ballast_engine::covenant::CovenantState;
use ballast_engine::market::MarketState;
use ballast_engine::{Now, Quote};

use super::{NOON, bound, cash, close, hold, key, later, limits, measure, reprice, sharp, touch};
use crate::support::{dollars, price};
use crate::world::{Dice, runs, seed};

/// An owner, its accounts, and what a bookkeeper who sees everything would say.
struct Owner {
    covenant: CovenantState,
    accounts: Vec<AccountState>,
    markets: [MarketState; 2],
    now: Now,
    /// What trading has made in accounts that were closed.
    closed: i64,
    /// The look that is remembered: its moment, and the result; the highest of twenty minutes and of the day.
    last: Option<(Now, i64)>,
    /// The highest result that two looks have reached.
    mark: i64,
    /// What the last look and the remembered one have reached, and the day of it.
    seen: (i64, i64),
    day: i64,
    /// None where nobody has looked since before yesterday.
    day_start: Option<i64>,
    /// Whether the day's first result is told, and whether it may rise no more.
    day_seen: bool,
    day_told: bool,
    /// Slot of the day's first look.
    day_look: u64,
}

impl Owner {
    fn new() -> Self {
        let accounts = vec![cash(5_000), cash(5_000), cash(0)];
        let markets = [sharp(0, 100, &NOON), sharp(1, 100, &NOON)];
        let mut owner = Self {
            covenant: bound(&limits()),
            accounts,
            markets,
            now: NOON,
            closed: 0,
            last: None,
            mark: 0,
            seen: (0, NOON.unix / DAY),
            day: NOON.unix / DAY,
            day_start: Some(0),
            day_seen: false,
            day_told: false,
            day_look: NOON.slot,
        };
        owner.show();
        owner
    }

    /// What trading has made so far, at the prices now.
    fn result(&self) -> i64 {
        let each = self.accounts.iter().map(|a| measure(a, &self.markets, &self.now).equity.0 - a.flow.0);
        self.closed + each.sum::<i64>()
    }

    /// All accounts are refreshed in one slot.
    fn show(&mut self) {
        self.fresh();
        for (number, account) in self.accounts.iter().enumerate() {
            // Those without positions need no look.
            if !account.is_flat() {
                touch(&mut self.covenant, number as u8 + 1, account, &self.markets, &self.now);
            }
        }
        // Of a day without positions nothing has been seen yet.
        if self.accounts.iter().all(AccountState::is_flat) {
            let known = |number: usize| self.covenant.find(&key(number as u8 + 1)).is_some();
            let number = (0..self.accounts.len()).find(|number| known(*number)).unwrap_or(0);
            touch(&mut self.covenant, number as u8 + 1, &self.accounts[number], &self.markets, &self.now);
        }
        self.look();
    }

    /// All was seen. What rests on prices has been reached once a later look at newer prices has seen it too.
    fn look(&mut self) {
        let (result, certain) = (self.result(), self.accounts.iter().all(AccountState::is_flat));
        let anew = |then: &Now| self.now.slot >= then.slot + 2 && self.now.unix > then.unix;
        let reached = match &self.last {
            _ if certain => Some((result, self.day)),
            Some((then, last)) if anew(then) => Some((result.min(*last), then.unix / DAY)),
            // One slot is one look.
            Some((then, last)) if then.slot == self.now.slot => {
                self.last = Some((*then, result.min(*last)));
                return;
            }
            Some(_) => return,
            None => None,
        };
        self.day_told |= self.day_seen && self.now.slot - self.day_look > 3_000;
        if let Some((reached, from)) = reached {
            (self.mark, self.seen) = (self.mark.max(reached), (reached, self.day));
            if !self.day_told && from == self.day {
                self.day_start = Some(self.day_start.map_or(reached, |start| start.max(reached)));
                (self.day_seen, self.day_told) = (true, certain);
            }
        }
        let forgotten = |(then, last): &(Now, i64)| {
            then.unix / DAY != self.day || self.now.slot - then.slot > 3_000 || result >= *last
        };
        if certain || self.last.as_ref().is_none_or(forgotten) {
            if self.last.is_none_or(|(then, _)| then.unix / DAY != self.day) {
                self.day_look = self.now.slot;
            }
            self.last = Some((self.now, result));
        }
    }

    fn fresh(&mut self) {
        if self.now.unix / DAY > self.day {
            (self.day, self.day_seen, self.day_told) = (self.now.unix / DAY, false, false);
            self.day_start = (self.seen.1 + 1 >= self.day).then_some(self.seen.0);
        }
        for market in &mut self.markets {
            let last = market.price.last.price;
            reprice(market, last, &self.now);
        }
    }

    fn step(&mut self, dice: &mut Dice) {
        let place = dice.below(self.accounts.len() as u64) as usize;
        let number = place as u8 + 1;
        match dice.below(8) {
            // A move of prices, and time.
            0 | 1 => {
                self.now = later(&self.now, 20 + dice.below(4) as i64 * HOUR);
                for index in 0..2 {
                    let to = 80 + dice.below(40);
                    reprice(&mut self.markets[index], price(to), &self.now);
                }
                self.fresh();
            }
            // A trade: what is held is closed, something else put on; the covenant sees it as an increase does.
            2 | 3 => {
                let others = self.covenant.entries.iter().filter(|entry| entry.positions != 0).count();
                if others == 8 && self.covenant.find(&key(number)).is_none() {
                    return;
                }
                self.fresh();
                let (slot, market) = (0, dice.below(2) as usize);
                // Enrolled first, as the program does.
                let (account, flow) = (self.accounts[place], self.accounts[place].flow);
                let seen = measure(&account, &self.markets, &self.now);
                self.covenant.enrol(&key(number), &seen, flow, &self.now).unwrap();
                self.note();
                let account = &mut self.accounts[place];
                if let Some(held) = account.positions.first().filter(|p| p.is_open()).map(|p| p.market) {
                    close(account, slot, &self.markets[usize::from(held)]);
                }
                let worth = account.collateral.0 / 2;
                let size = (worth / 100) as i64 * if dice.below(2) == 0 { 1 } else { -1 };
                if size != 0 {
                    // A fee.
                    account.collateral.0 -= account.collateral.0.min(1_000);
                    hold(account, slot, &self.markets[market], size);
                }
                let account = self.accounts[place];
                touch(&mut self.covenant, number, &account, &self.markets, &self.now);
                self.note();
            }
            4 => self.accounts[place].put_in(dollars(dice.below(2_000))).unwrap(),
            5 => {
                let account = &mut self.accounts[place];
                let amount = Quote(dice.below(account.collateral.0 / 2 + 1));
                account.take_out(amount).unwrap();
                self.covenant.moved(&key(number), amount.signed().unwrap().negated().unwrap()).unwrap();
            }
            // Across.
            6 => {
                let other = dice.below(self.accounts.len() as u64) as usize;
                let amount = Quote(dice.below(self.accounts[place].collateral.0 / 2 + 1));
                self.accounts[place].take_out(amount).unwrap();
                self.accounts[other].put_in(amount).unwrap();
                let signed = amount.signed().unwrap();
                self.covenant.moved(&key(number), signed.negated().unwrap()).unwrap();
                self.covenant.moved(&key(other as u8 + 1), signed).unwrap();
            }
            // Closed, emptied, and the same address opened again; or one account more, up to twelve.
            _ => {
                self.fresh();
                let account = &mut self.accounts[place];
                if let Some(held) = account.positions.first().filter(|p| p.is_open()).map(|p| p.market) {
                    close(account, 0, &self.markets[usize::from(held)]);
                }
                let rest = account.collateral;
                account.take_out(rest).unwrap();
                self.closed -= account.flow.0;
                self.covenant.leave(&key(number), account.flow, &self.now).unwrap();
                self.accounts[place] = cash(0);
                self.accounts[place].put_in(rest).unwrap();
                self.note();
                if self.accounts.len() < 12 && dice.below(3) == 0 {
                    self.accounts.push(cash(dice.below(1_000)));
                }
            }
        }
    }

    /// A touch of one account shows all where no other has positions that were seen earlier, or elsewhere.
    fn note(&mut self) {
        let (covenant, now) = (&self.covenant, self.now.slot);
        let mut open = covenant.entries.iter().filter(|entry| entry.positions != 0);
        if open.all(|entry| entry.slot == now && entry.step == covenant.step) {
            self.look();
        }
    }
}

#[test]
fn losses_are_what_trading_lost_whatever_was_moved() {
    let mut dice = Dice::new(seed());
    let (mut shown, mut lost) = (0_u64, 0);
    for _ in 0..runs("BALLAST_SEQUENCES", 2_000) / 10 {
        let mut owner = Owner::new();
        for _ in 0..60 {
            owner.step(&mut dice);
            if dice.below(3) != 0 {
                continue;
            }
            owner.show();
            shown += 1;
            lost += u64::from(owner.mark > owner.result());
            let headroom = owner.covenant.headroom(&owner.now).unwrap();
            let result = owner.result();
            assert_eq!(headroom.fallen.0 as i64, (owner.mark - result).max(0), "drawdown");
            let day_loss = owner.day_start.map_or(0, |start| (start - result).max(0));
            assert_eq!(headroom.day_loss.0 as i64, day_loss, "the day's loss");
        }
    }
    println!("{shown} looks, {lost} at a loss");
    assert!(lost > shown / 4, "the sequences lose enough to mean something");
}

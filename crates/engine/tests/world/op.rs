//! Operations, and how bytes become one that makes sense where the world stands: a fuzzer's bytes or a generator's.

use ballast_engine::Price;
use ballast_engine::margin::Purpose;

use super::{ACCOUNTS, KEEPER, MARKETS, PROVIDERS, UNIT, World};

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Time passes, no price is posted.
    Wait {
        seconds: i64,
        slots: u64,
    },
    /// Time passes, and every market's price is posted as it was, at one basis point of confidence.
    Tick {
        seconds: i64,
    },
    /// A price is posted, in the oracle's scale (−8), published so many seconds ago.
    Publish {
        market: usize,
        price: i64,
        conf: i64,
        lag: i64,
    },
    Deposit {
        account: usize,
        amount: u64,
    },
    Withdraw {
        account: usize,
        amount: u64,
    },
    Place {
        account: usize,
        market: usize,
        size: i64,
        reduce_only: bool,
    },
    Execute {
        order: usize,
    },
    Cancel {
        order: usize,
    },
    Reduce {
        account: usize,
        market: usize,
        size: u64,
    },
    Settle {
        account: usize,
        market: usize,
    },
    Collect {
        account: usize,
        market: usize,
    },
    CollectBetween {
        debtor: usize,
        holder: usize,
    },
    Exit {
        account: usize,
        market: usize,
    },
    Flag {
        account: usize,
    },
    Unflag {
        account: usize,
    },
    Liquidate {
        account: usize,
        market: usize,
    },
    Resolve {
        account: usize,
    },
    TopUp {
        market: usize,
        amount: u64,
    },
    TopUpShared {
        amount: u64,
    },
    Register {
        market: usize,
    },
    PayClaim {
        market: usize,
    },
    File {
        market: usize,
        provider: usize,
        amount: u64,
    },
    Provide {
        ticket: usize,
    },
    Leave {
        market: usize,
        provider: usize,
        shares: u64,
    },
    Redeem {
        ticket: usize,
    },
    Lapse {
        ticket: usize,
        exit: bool,
    },
    Deleverage {
        market: usize,
    },
    PickUp {
        account: usize,
        market: usize,
    },
    /// Begins a settlement, calls it off or fixes its price.
    Advance {
        market: usize,
    },
    CloseSettled {
        account: usize,
        market: usize,
    },
}

/// Bytes, one after the other; zeroes when there are no more.
pub(crate) struct Bytes<'a> {
    data: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { data }
    }
    pub(crate) const fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
    /// A seed made of what is left, which stays there (FNV-1a, Fowler, Noll and Vo).
    pub(crate) fn sum(&self) -> u64 {
        self.data.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
    }
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.data.split_first() else { return 0 };
        self.data = rest;
        *first
    }
    /// Below so many.
    pub(crate) fn below(&mut self, many: usize) -> usize {
        if many == 0 { 0 } else { usize::from(self.byte()) % many }
    }
    pub(crate) fn pair(&mut self) -> u64 {
        u64::from(self.byte()) << 8 | u64::from(self.byte())
    }
    /// From one atom to some 2³⁹ ($550,000), as likely small as large, with all digits.
    fn amount(&mut self) -> u64 {
        let (digits, places) = (self.pair() | 1, self.byte() % 24);
        (digits << places) + u64::from(self.byte())
    }
}

/// The moves that a published price makes, in hundredths of a percent.
const MOVES: [i64; 16] = [0, 1, -1, 5, -5, 20, -20, 80, -80, 140, -140, 250, -250, 700, -900, 1_600];
/// The moves that are confirmed, in hundredths of a percent.
const LEAPS: [i64; 16] = [20, -20, 60, -60, 140, -140, 250, -250, 500, -500, 900, -900, 1_600, -1_500, 3_000, -2_500];
/// Its confidence, in ten-thousandths of a percent.
const CONFIDENCE: [i64; 8] = [0, 100, 100, 100, 1_000, 4_000, 9_000, 30_000];

impl Op {
    /// The next operation of these bytes.
    pub(crate) fn read(bytes: &mut Bytes<'_>, world: &World) -> Self {
        let kind = bytes.byte();
        match kind {
            0..=7 => Self::Wait {
                seconds: [0, 1, 2, 4, 11, 40, 3_700, 86_500][bytes.below(8)],
                slots: bytes.below(30) as u64,
            },
            8..=47 => Self::Tick { seconds: [1, 1, 1, 2, 2, 3, 60, 3_600][bytes.below(8)] },
            84 => Self::Deleverage { market: bytes.below(MARKETS) },
            85 => {
                let (account, market) = Self::a_position(bytes, world);
                Self::PickUp { account, market }
            }
            86 => Self::Advance { market: bytes.below(MARKETS) },
            87 => {
                let (account, market) = Self::a_position(bytes, world);
                Self::CloseSettled { account, market }
            }
            48..=83 => {
                let market = bytes.below(MARKETS);
                let old = world.oracle_price(market);
                let by = MOVES[bytes.below(MOVES.len())];
                let price = (old + old / 10_000 * by + i64::from(bytes.byte() % 7)).clamp(100_000, 10_i64.pow(15));
                let conf = price / 1_000_000 * CONFIDENCE[bytes.below(CONFIDENCE.len())];
                Self::Publish { market, price, conf, lag: [0, 0, 0, 0, 0, 1, 3, 9][bytes.below(8)] }
            }
            88..=92 => Self::Deposit { account: bytes.below(ACCOUNTS), amount: bytes.amount() },
            93..=98 => {
                let account = bytes.below(ACCOUNTS);
                let all = world.accounts[account].collateral.0;
                let amount = if kind < 95 { all } else { bytes.amount().min(all) };
                Self::Withdraw { account, amount }
            }
            99..=133 => {
                let account = bytes.below(KEEPER);
                let cross = world.accounts[account].isolated == 0;
                // The isolated account trades where it is, the others now and then where they may not.
                let odd = bytes.byte();
                let market = if cross {
                    usize::from(odd % 32) * 2 / 31
                } else {
                    world.accounts[account].slots().next().map_or(2, |(_, p)| usize::from(p.market))
                };
                // From $50 to some $3M, or up to twenty times the collateral.
                let (odd, much) = (bytes.pair(), bytes.byte());
                let collateral = u128::from(world.accounts[account].collateral.0);
                let notional = match much {
                    0..64 => (50 * UNIT + odd) << (much % 17),
                    _ => (collateral * u128::from(much - 63) / 10 + u128::from(odd)).min(980_000_000_000) as u64,
                };
                let size = world.size_for(market, notional).0.clamp(1, 1 << 60) as i64;
                Self::Place {
                    account,
                    market,
                    size: if kind.is_multiple_of(2) { size } else { -size },
                    reduce_only: kind == 133,
                }
            }
            134..=160 => Self::Execute { order: bytes.below(world.orders.len()) },
            161..=163 => Self::Cancel { order: bytes.below(world.orders.len()) },
            164..=178 => {
                let (account, market) = Self::a_position(bytes, world);
                let held = world.accounts[account].find(market as u16);
                let held = held.map_or(0, |slot| world.accounts[account].positions[slot].base().0);
                let size = (u128::from(held) * u128::from(bytes.pair() + 1) / 40_000).min(u128::from(held)) as u64;
                Self::Reduce { account, market, size }
            }
            179..=196 => {
                let (account, market) = Self::a_position(bytes, world);
                Self::Settle { account, market }
            }
            197..=199 => {
                let (account, market) = Self::a_position(bytes, world);
                Self::Collect { account, market }
            }
            200..=201 => {
                let debtor = bytes.below(MARKETS);
                Self::CollectBetween { debtor, holder: (debtor + 1 + bytes.below(MARKETS - 1)) % MARKETS }
            }
            202..=203 => {
                let (account, market) = Self::a_position(bytes, world);
                Self::Exit { account, market }
            }
            204..=211 => Self::Flag { account: bytes.below(KEEPER) },
            212..=213 => Self::Unflag { account: bytes.below(KEEPER) },
            214..=225 => {
                let (account, market) = Self::a_position(bytes, world);
                Self::Liquidate { account, market }
            }
            226..=231 => Self::Resolve { account: bytes.below(KEEPER) },
            232 => Self::Register { market: bytes.below(MARKETS) },
            233 => Self::PayClaim { market: bytes.below(MARKETS) },
            234 => Self::TopUp { market: bytes.below(MARKETS), amount: bytes.amount() },
            235 => Self::TopUpShared { amount: bytes.amount() },
            236..=239 => {
                let (market, provider) = (bytes.below(MARKETS), bytes.below(PROVIDERS));
                Self::File { market, provider, amount: bytes.amount() }
            }
            240..=244 => Self::Provide { ticket: bytes.below(world.filed.len()) },
            245..=248 => {
                let (market, provider) = (bytes.below(MARKETS), bytes.below(PROVIDERS));
                let all = world.shares[market][provider];
                let shares = (u128::from(all) * u128::from(bytes.pair() + 1) / 65_536) as u64;
                Self::Leave { market, provider, shares }
            }
            249..=253 => Self::Redeem { ticket: bytes.below(world.leaving.len()) },
            254..=255 => {
                let exit = kind == 255;
                Self::Lapse { ticket: bytes.below(if exit { world.leaving.len() } else { world.filed.len() }), exit }
            }
        }
    }

    /// The next few operations of these bytes: a single one, or those that only make sense together.
    pub(crate) fn script(bytes: &mut Bytes<'_>, world: &World) -> Vec<Self> {
        let kind = bytes.byte();
        match kind {
            // A trade: placed, and filled at the next price.
            0..48 => {
                let first = Self::read(&mut Bytes { data: &[&[99 + kind % 34], bytes.data].concat() }, world);
                let mut script = vec![first, Self::Tick { seconds: 3 }, Self::Execute { order: world.orders.len() }];
                if let (Self::Place { account, .. }, true) = (first, kind > 36) {
                    // As close to the initial margin as a withdrawal gets it.
                    let all = world.accounts[account].collateral.0;
                    script.extend((1..8).map(|part| Self::Withdraw { account, amount: all >> part }));
                }
                script
            }
            // A real move, with its confirmation.
            48..72 => {
                let (market, by) = (bytes.below(MARKETS), LEAPS[bytes.below(LEAPS.len())]);
                let old = world.oracle_price(market);
                let price = (old + old / 10_000 * by + i64::from(bytes.byte() % 7)).clamp(100_000, 10_i64.pow(15));
                let post = Self::Publish { market, price, conf: price / 10_000, lag: 0 };
                let wait = Self::Wait { seconds: 1, slots: 3 };
                vec![wait, post, wait, post, wait, post, Self::Tick { seconds: 1 }]
            }
            // A keeper comes for an account.
            72..104 => {
                let account = bytes.below(KEEPER);
                let largest = world.totals(account, Purpose::Maintenance).ok().and_then(|sums| sums.largest);
                let Some((slot, _)) = largest else { return vec![Self::Resolve { account }] };
                let market = usize::from(world.accounts[account].positions[slot].market);
                let wait = Self::Tick { seconds: 1 + i64::from(kind % 4) };
                vec![Self::Flag { account }, wait, Self::Liquidate { account, market }, Self::Resolve { account }]
            }
            // A provider leaves.
            104..108 => {
                let leave = Self::read(&mut Bytes { data: &[&[245], bytes.data].concat() }, world);
                let wait = Self::Wait { seconds: 86_400, slots: 216_000 };
                let tick = Self::Tick { seconds: 1 };
                vec![leave, wait, tick, tick, Self::Redeem { ticket: world.leaving.len() }]
            }
            // A silence, and whoever takes the exit.
            108..110 => {
                let (account, market) = Self::a_position(bytes, world);
                vec![Self::Wait { seconds: 3_700, slots: 9_250 }, Self::Exit { account, market }]
            }
            // Everybody in a market is settled, from some account on.
            110..134 => {
                let (market, first) = (bytes.below(MARKETS), bytes.below(ACCOUNTS));
                (0..ACCOUNTS).map(|i| Self::Settle { account: (first + i) % ACCOUNTS, market }).collect()
            }
            // A keeper comes for everybody.
            134..166 => {
                let weak = |account: &usize| {
                    let sums = world.totals(*account, Purpose::Maintenance);
                    sums.is_ok_and(|sums| sums.surplus().is_ok_and(|surplus| surplus.0 < 0))
                };
                let weak: Vec<usize> = (0..KEEPER).filter(weak).collect();
                let mut script: Vec<Self> = weak.iter().map(|account| Self::Flag { account: *account }).collect();
                script.push(Self::Tick { seconds: 1 + i64::from(kind % 4) });
                for account in weak {
                    let open = world.accounts[account].slots().map(|(_, p)| usize::from(p.market));
                    script.extend(open.map(|market| Self::Liquidate { account, market }));
                    script.push(Self::Resolve { account });
                }
                script
            }
            // A claim on shared insurance takes its course: its day ends, it is registered, the next day ends, it is paid.
            166..172 => {
                let hour = Self::Wait { seconds: 3_600 * (1 + i64::from(bytes.byte() % 3)), slots: 9_000 };
                let day = Self::Wait { seconds: 86_400, slots: 216_000 };
                let all = || 0..MARKETS;
                let mut script = vec![day];
                script.extend(all().map(|market| Self::Register { market }));
                script.push(day);
                script.extend(all().map(|market| Self::PayClaim { market }));
                script.push(hour);
                script.extend(all().rev().map(|market| Self::PayClaim { market }));
                script
            }
            // A market goes up and comes down, and everybody is settled each time: claims, and losses against them.
            172..184 => {
                let (market, first) = (bytes.below(MARKETS), bytes.below(ACCOUNTS));
                let at = world.oracle_price(market).clamp(100_000, 10_i64.pow(14));
                let wait = Self::Wait { seconds: 1, slots: 3 };
                let mut script = Vec::new();
                for part in [[130, 96], [76, 104]][usize::from(kind % 2)] {
                    let price = at / 100 * part;
                    let post = Self::Publish { market, price, conf: price / 10_000, lag: 0 };
                    script.extend([wait, post, wait, post, wait, post, Self::Tick { seconds: 1 }]);
                    script.extend((0..ACCOUNTS).map(|i| Self::Settle { account: (first + i) % ACCOUNTS, market }));
                }
                script.extend((0..KEEPER).map(|account| Self::Flag { account }));
                script.push(Self::Tick { seconds: 2 });
                script.extend((0..KEEPER).map(|account| Self::Resolve { account }));
                script
            }
            // Claims that stay: winners are settled, losers are not, and two days pass.
            184..192 => Self::long_episode(bytes, world, kind),
            // A pool below its floor for a day, or an oracle silent for ten.
            192..196 => Self::end_of_a_market(bytes, world, kind),
            _ => vec![Self::read(bytes, world)],
        }
    }

    /// A real move of a market, with its confirmation.
    fn leap(world: &World, market: usize, percent: i64) -> Vec<Self> {
        let wait = Self::Wait { seconds: 1, slots: 3 };
        let at = world.oracle_price(market).clamp(100_000, 10_i64.pow(14));
        let price = at / 100 * percent;
        let post = Self::Publish { market, price, conf: price / 10_000, lag: 0 };
        vec![wait, post, wait, post, wait, post, Self::Tick { seconds: 1 }]
    }

    /// Everybody in a market, from some account on: winners at a price that is so many percent of the present one, or losers.
    fn everybody(world: &World, market: usize, first: usize, won: impl Fn(bool) -> bool) -> Vec<usize> {
        let all = (0..ACCOUNTS).map(|i| (first + i) % ACCOUNTS);
        let holds = |account: &usize| {
            let held = world.accounts[*account].find(market as u16);
            held.is_some_and(|slot| won(world.accounts[*account].positions[slot].size.is_long()))
        };
        all.filter(holds).collect()
    }

    fn long_episode(bytes: &mut Bytes<'_>, world: &World, kind: u8) -> Vec<Self> {
        let (market, first) = (bytes.below(MARKETS), bytes.below(ACCOUNTS));
        let state = &world.markets[market];
        // The way of the larger side, mostly, and as far as its profit is more than there is cash.
        let up = (state.long.open_interest >= state.short.open_interest) != bytes.byte().is_multiple_of(8);
        let moves = if up { [115, 130, 200, 400] } else { [87, 75, 50, 25] };
        let cash = state.pool.free_cash().unwrap_or_default().0;
        let short_of_cash = |percent: &i64| {
            let price = Price(state.price.last.price.0 / 100 * percent.unsigned_abs());
            state.side_pnl(up, price).is_ok_and(|pnl| pnl.gain().0 / 100 * 97 > cash)
        };
        let percent = moves.into_iter().find(short_of_cash).unwrap_or(moves[usize::from(kind % 4)]);
        let mut script = Self::leap(world, market, percent);
        let winners = Self::everybody(world, market, first, |long| long == up);
        script.extend(winners.iter().map(|account| Self::Settle { account: *account, market }));
        let all = Self::everybody(world, market, first, |_| true);
        if kind < 188 {
            script.extend(all.iter().map(|account| Self::Settle { account: *account, market }));
        }
        script.push(Self::Wait { seconds: 172_800, slots: 432_000 });
        script.extend([Self::Tick { seconds: 1 }; 3]);
        script.push(Self::Deleverage { market });
        // Some are touched by others' acts first, or wait for the next ones.
        let some = bytes.below(ACCOUNTS + 1);
        script.extend(all.iter().take(some).map(|account| Self::PickUp { account: *account, market }));
        script.extend(all.iter().rev().take(2).map(|account| Self::Settle { account: *account, market }));
        script
    }

    fn end_of_a_market(bytes: &mut Bytes<'_>, world: &World, kind: u8) -> Vec<Self> {
        let (market, first) = (bytes.below(MARKETS), bytes.below(ACCOUNTS));
        let mut script = Vec::new();
        if kind == 195 {
            // Silence comes seldom: all markets fall silent with this one.
            if !bytes.byte().is_multiple_of(4) {
                return vec![Self::Advance { market }];
            }
            script.extend([Self::Wait { seconds: 864_001, slots: 2_160_000 }, Self::Advance { market }]);
        } else {
            script.extend(Self::leap(world, market, [150, 65][usize::from(kind % 2)]));
            script.push(Self::Advance { market });
            script.extend((0..KEEPER).map(|account| Self::Flag { account }));
            script.push(Self::Tick { seconds: 2 });
            script.extend((0..KEEPER).map(|account| Self::Resolve { account }));
            script.extend([Self::Advance { market }, Self::Wait { seconds: 86_400, slots: 216_000 }]);
            script.extend([Self::Tick { seconds: 1 }; 3]);
            script.push(Self::Advance { market });
        }
        let late = bytes.byte();
        let all = || (0..ACCOUNTS).map(|i| (first + i) % ACCOUNTS);
        script.extend(all().map(|account| Self::CloseSettled { account, market }));
        script.push(Self::Tick { seconds: 2 });
        script.extend(all().map(|account| Self::Resolve { account }));
        script.extend(all().rev().map(|account| Self::CloseSettled { account, market }));
        if late.is_multiple_of(2) {
            script.push(Self::Wait { seconds: 864_000, slots: 2_160_000 });
            script.extend([Self::Tick { seconds: 1 }; 3]);
        }
        script.extend(all().map(|account| Self::Collect { account, market }));
        script.extend(
            (0..MARKETS)
                .filter(|holder| *holder != market)
                .map(|holder| Self::CollectBetween { debtor: market, holder }),
        );
        script.extend((0..world.leaving.len()).rev().map(|ticket| Self::Redeem { ticket }));
        script
    }

    /// Somebody's slot, or where there is none anything.
    fn a_position(bytes: &mut Bytes<'_>, world: &World) -> (usize, usize) {
        let slots = || {
            let all = world.accounts.iter().enumerate();
            all.flat_map(|(account, state)| state.slots().map(move |(_, p)| (account, usize::from(p.market))))
        };
        let count = slots().count();
        slots().nth(bytes.below(count)).unwrap_or((bytes.below(KEEPER), bytes.below(MARKETS)))
    }

    /// Whether it can be tried at all: names a ticket or order that is there.
    pub(crate) fn is_possible(&self, world: &World) -> bool {
        match *self {
            Self::Execute { order } | Self::Cancel { order } => order < world.orders.len(),
            Self::Provide { ticket } | Self::Lapse { ticket, exit: false } => ticket < world.filed.len(),
            Self::Redeem { ticket } | Self::Lapse { ticket, exit: true } => ticket < world.leaving.len(),
            _ => true,
        }
    }
}

//! What must hold after every operation, and which refusals each may give.

use ballast_engine::Fault;
use ballast_engine::deleverage::Sums;
use ballast_engine::error::Error;
use ballast_engine::liquidity::LOCKED_SHARES;

use super::{KEEPER, MARKETS, Op, World};

impl World {
    /// P1, P3, the books of claims and shares, and every state's own invariant.
    pub(crate) fn check(&self) {
        self.shared.invariant(self.fund).unwrap();
        let mut tokens = u128::from(self.fund.0);
        for market in &self.markets {
            market.invariant().unwrap();
            let pool = &market.pool;
            for class in [pool.cash, pool.insurance, pool.protocol_fees, pool.pending_deposits] {
                tokens += u128::from(class.0);
            }
        }
        for account in &self.accounts {
            account.invariant().unwrap();
            tokens += u128::from(account.collateral.0);
            tokens += account.positions.iter().map(|p| u128::from(p.held.0)).sum::<u128>();
        }
        tokens += self.orders.iter().map(|order| u128::from(order.terms.fee.0)).sum::<u128>();
        assert_eq!(tokens, self.vault, "P1: the vault holds the named classes");
        for index in 0..self.markets.len() {
            self.check_sums(index);
            self.check_claims(index);
            self.check_shares(index);
        }
    }

    /// P3: a side's sums are those of its positions; of those that have yet to pick a deleveraging up, what its record makes
    /// of their sums.
    fn check_sums(&self, index: usize) {
        let market = &self.markets[index];
        let last = &market.deleveraging;
        for long in [true, false] {
            let (mut sums, mut raw) = (Sums::default(), Sums::default());
            let (mut count, mut late) = (0, 0);
            for position in self.accounts.iter().flat_map(|a| &a.positions) {
                if position.is_open() && usize::from(position.market) == index && position.size.is_long() == long {
                    let waits = market.is_deleveraged(position);
                    let part = if waits { &mut raw } else { &mut sums };
                    part.open_interest.0 += position.base().0;
                    part.entry.0 += position.entry.0;
                    part.funding_entry += i128::from(position.base().0) * position.funding_entry.get();
                    // What was frozen before stays frozen.
                    sums.frozen.0 += position.frozen.0;
                    (count, late) = (count + 1, late + u64::from(waits));
                }
            }
            if late > 0 {
                let kept = (last.open_interest, last.entry, last.funding_entry.get(), last.positions);
                assert_eq!(kept, (raw.open_interest, raw.entry, raw.funding_entry, late), "P3: to come in {index}");
                let more = last.applied(&raw, late).unwrap();
                sums.open_interest.0 += more.open_interest.0;
                sums.entry.0 += more.entry.0;
                sums.funding_entry += more.funding_entry;
                sums.frozen.0 += more.frozen.0;
            } else {
                assert!(last.positions == 0 || (last.long == 1) != long, "P3: nobody is to come in {index}");
            }
            let side = market.side(long);
            let found = Sums {
                open_interest: side.open_interest,
                entry: side.entry,
                funding_entry: side.funding_entry.get(),
                frozen: market.frozen_of(long),
            };
            assert_eq!((found, side.positions), (sums, count), "P3: market {index}, long {long}");
        }
    }

    /// Every claim is in the pool's books, and no more is promised than was put aside.
    fn check_claims(&self, index: usize) {
        let market = &self.markets[index];
        let slots = self.accounts.iter().flat_map(|a| &a.positions);
        let slots = slots.filter(|p| !p.is_free() && usize::from(p.market) == index).map(|p| &p.claim);
        let (mut face, mut outstanding, mut collectable) = (0, 0, 0);
        for claim in slots.chain(self.markets.iter().map(|m| &m.held[index])) {
            let value = market.claim_value(claim).unwrap();
            face += u128::from(claim.amount.0);
            outstanding += u128::from(value.0.0);
            collectable += u128::from(value.1.0);
        }
        let pool = &market.pool;
        assert_eq!(face, u128::from(pool.claims.0) + u128::from(pool.claims_paid.0), "claims on market {index}");
        assert!(collectable <= u128::from(pool.claims_paid.0), "market {index} promises more than it put aside");
        assert!(outstanding >= u128::from(pool.claims.0), "market {index} owes more than its holders have");
    }

    /// Shares are the providers', or wait in tickets, or are locked for good.
    fn check_shares(&self, index: usize) {
        let held: u64 = self.shares[index].iter().sum();
        let waiting: u64 = self.leaving.iter().filter(|t| t.market == index).map(|t| t.shares).sum();
        let all = self.markets[index].pool.shares;
        assert_eq!(held + waiting + if all == 0 { 0 } else { LOCKED_SHARES }, all, "shares of market {index}");
    }
}

/// The refusals that an operation may give. Any other is a fault of the engine or of its caller; that numbers leave their
/// range or books do not add up is never among them.
pub(crate) fn allowed(op: &Op) -> &'static [Error] {
    use Error::*;
    match op {
        Op::Wait { .. } | Op::Tick { .. } | Op::Deposit { .. } | Op::TopUp { .. } | Op::TopUpShared { .. } => &[],
        Op::File { .. } => &[MarketSettled],
        Op::Publish { .. } => &[PriceMalformed, PriceScaleTooCoarse],
        Op::Withdraw { .. } => &[
            AmountZero,
            FlaggedAccount,
            InsufficientCollateral,
            InitialMargin,
            PriceStale,
            PriceUncertain,
            PriceUnconfirmed,
            PriceSilent,
        ],
        Op::Place { .. } => {
            &[InsufficientCollateral, MarketSettled, PriceStale, PriceUncertain, PriceUnconfirmed, PriceSilent]
        }
        Op::Execute { .. } => &[
            OrderTooEarly,
            PriceStale,
            PriceUncertain,
            PriceUnconfirmed,
            PriceSilent,
            PositionNotFound,
            FlaggedAccount,
            CrossNotAllowed,
            NoFreePosition,
            IsolatedSinglePosition,
            InsufficientCollateral,
            SizeBelowMinimum,
            PoolEmpty,
            PoolClaims,
            MarketReduceOnly,
            ExitsWaiting,
            PositionTooLarge,
            OpenInterestCap,
            OpenInterestImpact,
            OpenInterestStress,
            InitialMargin,
            LossNotCovered,
            AccountBankrupt,
            WorsensShortfall,
        ],
        Op::Cancel { .. } => &[OrderLocked],
        Op::Reduce { .. } => &[
            PositionNotFound,
            MarketSettled,
            SizeNotReducing,
            PriceStale,
            PriceSilent,
            SizeBelowMinimum,
            LossNotCovered,
            AccountBankrupt,
            WorsensShortfall,
        ],
        Op::Settle { .. } => &[
            PositionNotFound,
            CoverTooEarly,
            PriceStale,
            PriceUncertain,
            PriceUnconfirmed,
            PriceSilent,
            AccountBankrupt,
        ],
        Op::Collect { .. } => &[PositionNotFound, CoverTooEarly],
        Op::CollectBetween { .. } => &[CoverTooEarly],
        Op::Exit { .. } => &[PositionNotFound, PriceNotSilent, LossNotCovered, AccountBankrupt],
        Op::Flag { .. } => &[PriceStale, PriceUncertain, PriceUnconfirmed, PriceSilent, AccountHealthy, AlreadyFlagged],
        Op::Unflag { .. } => &[NotFlagged, StillUnhealthy],
        Op::Liquidate { .. } => &[
            PositionNotFound,
            NotFlagged,
            NotLargestPosition,
            AccountBankrupt,
            FlagTooFresh,
            PacingExhausted,
            CapacityExhausted,
            PriceStale,
            PriceUncertain,
            PriceUnconfirmed,
            PriceSilent,
            LossNotCovered,
        ],
        Op::Resolve { .. } => &[NotFlagged, NotBankrupt, FlagTooFresh, PriceStale, PriceUncertain, PriceUnconfirmed],
        Op::Provide { .. } => &[
            AmountZero,
            TicketNotRipe,
            TicketLapsed,
            PriceStale,
            PriceUncertain,
            PriceUnconfirmed,
            PriceSilent,
            PoolInsolvent,
            MarketSettled,
            InsurancePending,
            PoolIsOwed,
            LiquidityBelowMinimum,
            SharesZero,
        ],
        Op::Register { .. } => &[CoverTooEarly, InsuranceTooEarly, InsuranceBatchBusy],
        Op::PayClaim { .. } => &[CoverTooEarly, InsuranceTooEarly],
        Op::Leave { .. } => &[SharesZero],
        Op::Redeem { .. } => {
            &[TicketNotRipe, TicketLapsed, PriceStale, PriceUncertain, PriceUnconfirmed, PriceSilent, SharesZero]
        }
        Op::Lapse { .. } => &[TicketNotLapsed],
        Op::Deleverage { .. } => &[
            PriceStale,
            PriceUncertain,
            PriceUnconfirmed,
            PriceSilent,
            MarketSettled,
            DeleverageTooEarly,
            DeleverageUnfinished,
            DeleverageNotNeeded,
            PoolInsolvent,
        ],
        Op::PickUp { .. } => &[CoverTooEarly],
        Op::Advance { .. } => &[
            PriceStale,
            PriceUncertain,
            PriceUnconfirmed,
            PriceSilent,
            MarketSettled,
            SettlementNotDue,
            SettlementTooEarly,
        ],
        Op::CloseSettled { .. } => &[
            MarketNotSettled,
            PositionNotFound,
            CoverTooEarly,
            AccountBankrupt,
            LossNotCovered,
            PriceStale,
            PriceUncertain,
            PriceUnconfirmed,
        ],
    }
}

/// The account that an operation is about, and whether it may reach that account's other markets.
fn subject(op: &Op, world: &World) -> (Option<usize>, bool) {
    match *op {
        Op::Deposit { account, .. }
        | Op::Withdraw { account, .. }
        | Op::Place { account, .. }
        | Op::Settle { account, .. }
        | Op::Collect { account, .. }
        | Op::PickUp { account, .. }
        | Op::Exit { account, .. }
        | Op::Flag { account }
        | Op::Unflag { account } => (Some(account), false),
        Op::Reduce { account, .. }
        | Op::Liquidate { account, .. }
        | Op::Resolve { account }
        | Op::CloseSettled { account, .. } => (Some(account), true),
        Op::Execute { order } => (Some(world.orders[order].account), true),
        Op::Cancel { order } => (Some(world.orders[order].account), false),
        _ => (None, false),
    }
}

/// Nobody pays for what he has no part in: an operation touches its own account, that one's markets at most, and the keeper.
fn check_untouched(op: &Op, before: &World, after: &World) {
    let (own, reaches) = subject(op, before);
    for account in (0..KEEPER).filter(|account| Some(*account) != own) {
        assert!(before.accounts[account] == after.accounts[account], "{op:?} has touched account {account}");
    }
    let Some(own) = own else { return };
    let named = |market: usize| match *op {
        Op::Place { market: m, .. }
        | Op::Settle { market: m, .. }
        | Op::Collect { market: m, .. }
        | Op::PickUp { market: m, .. }
        | Op::Exit { market: m, .. }
        | Op::Reduce { market: m, .. }
        | Op::Liquidate { market: m, .. }
        | Op::CloseSettled { market: m, .. } => m == market,
        Op::Execute { order } => before.orders[order].market == market,
        _ => false,
    };
    for market in (0..MARKETS).filter(|market| !named(*market)) {
        let holds = before.accounts[own].find(market as u16).is_some();
        let same = before.markets[market] == after.markets[market];
        assert!(same || (reaches && holds), "{op:?} has touched market {market}");
    }
}

/// Does an operation and checks everything; whether it went through.
pub(crate) fn step(world: &mut World, op: &Op) -> bool {
    let before = world.clone();
    let done = world.apply(op);
    check_untouched(op, &before, world);
    world.check();
    if let Err(Fault { error, limit, value }) = done {
        assert!(allowed(op).contains(&error), "{op:?} was refused: {} ({limit}, {value})", error.name());
    }
    done.is_ok()
}

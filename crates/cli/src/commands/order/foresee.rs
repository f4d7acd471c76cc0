//! What is wrong with an order, found before anything is sent: a stop or a target that is met already, and what a fill would be
//! refused for. An answer of this moment: the order's own price comes later.

use anyhow::{Result, bail};
use ballast::instructions::trader::PlaceOrderArgs;
use ballast::state::{Covenant, Subaccount};
use ballast_client::{Markets, covenants, instructions, quotes};
use ballast_engine::market::PriceState;
use ballast_engine::order::{Kind, OrderTerms, cancels};
use ballast_engine::{Error, Fault, Now, Price};
use solana_pubkey::Pubkey;

use crate::amount::Scale;
use crate::chain::{Chain, ExchangeAccount};

/// Refusals of a fill that no price within an order's life is likely to change.
const LASTING: &[Error] = &[
    Error::SizeBelowMinimum,
    Error::PositionTooLarge,
    Error::OpenInterestCap,
    Error::OpenInterestStress,
    Error::OpenInterestImpact,
    Error::NoFreePosition,
    Error::PositionNotFound,
    Error::InsufficientCollateral,
    Error::InitialMargin,
    Error::WorsensShortfall,
    Error::LossNotCovered,
    Error::PoolEmpty,
    Error::FlaggedAccount,
    Error::MarketReduceOnly,
    Error::MarketSettled,
    Error::CrossNotAllowed,
    Error::IsolatedSinglePosition,
    Error::CovenantTripped,
    Error::CovenantFull,
    Error::CovenantLeverage,
    Error::CovenantNotional,
    Error::CovenantLoss,
];

/// Whose order it would be, and where.
pub(super) struct Foreseen<'a> {
    pub(super) chain: &'a Chain,
    pub(super) exchange: &'a ExchangeAccount,
    pub(super) markets: &'a Markets,
    pub(super) market: u16,
    pub(super) key: &'a Pubkey,
    pub(super) account: &'a Subaccount,
}

impl Foreseen<'_> {
    /// Refuses an order whose exits are met at once, and what the chain would not place or a fill would be refused for as
    /// things stand. What waits for another price than the last one is tried at its own.
    pub(super) async fn check(&self, args: &PlaceOrderArgs) -> Result<()> {
        if let Some(market) = self.markets.get(self.market) {
            let scale = Scale { base: market.state.base_decimals, quote: self.exchange.state.quote_decimals };
            if let Some(wrong) = misplaced(&args.terms(), market.state.price.last.price, scale) {
                bail!("nothing was sent: {wrong}; `--anyway` places it all the same");
            }
        }
        let now = self.chain.now().await?;
        let tried = match self.fill(args, &now) {
            Ok(Some(tried)) => tried,
            Ok(None) => return Ok(()),
            Err((fault, waits)) => return self.judge(&fault, waits),
        };
        let Tried { filled, account, markets, waits } = tried;
        let Some(covenant) = self.chain.find::<Covenant>(&instructions::pubkey(&account.covenant)).await? else {
            return Ok(());
        };
        let owner = instructions::pubkey(&account.owner);
        let accounts = self.chain.subaccounts(self.exchange, &owner).await?;
        let accounts = accounts.iter().map(|(key, account)| (key, &**account));
        covenants::check_fill(&covenant, accounts, self.key, &filled, &markets, &now)
            .or_else(|fault| self.judge(&fault, waits))
    }

    /// The fill, as if the order had been placed just before the last price, and where it waits for another as if that were the
    /// last one; none of an exit, which is there to be filled whatever comes. A fault comes with whether the order waits.
    fn fill(&self, args: &PlaceOrderArgs, now: &Now) -> std::result::Result<Option<Tried>, (Fault, bool)> {
        let of_now = |fault: Fault| (fault, false);
        let market = &self.markets.get(self.market).ok_or((Error::WrongMarket.into(), false))?.state;
        let (mut account, mut terms) = (Box::new(*self.account), args.terms());
        terms.place(market, &mut account.state, now).map_err(of_now)?;
        let last = market.price.last;
        let kind = Kind::from_byte(terms.kind).map_err(|error| of_now(error.into()))?;
        let own = match kind {
            Kind::Market => None,
            Kind::Limit => beyond(last.price, terms.limit, !terms.buys()).then_some(terms.limit),
            Kind::Stop => beyond(last.price, terms.trigger, terms.buys()).then_some(terms.trigger),
            Kind::Exit => return Ok(None),
        };
        let mut markets = self.markets.clone();
        if let Some(price) = own {
            markets = markets
                .iter()
                .map(|(index, market)| {
                    let mut market = Box::new(*market);
                    if index == self.market {
                        stand_at(&mut market.state.price, price);
                    }
                    market
                })
                .collect();
            // Its limit is met there, and what the confidence adds to that is not known yet.
            terms.limit = Price(0);
        }
        let placed_at = last.publish_time.saturating_sub(1);
        // Its condition is met; so it fills as a market order does.
        let kind = Kind::Market as u8;
        let terms = OrderTerms { kind, placed_at, placed_slot: now.slot.saturating_sub(1), ..terms };
        let waits = own.is_some();
        let filled = quotes::order(&account, &markets, self.market, &terms, now).map_err(|fault| (fault, waits))?;
        Ok(Some(Tried { filled, account, markets, waits }))
    }

    /// Refuses for what no price is likely to change; of an order that waits, for what it would be cleared away for.
    fn judge(&self, fault: &Fault, waits: bool) -> Result<()> {
        if !waits && LASTING.contains(&fault.error) {
            bail!(
                "nothing was sent, for the fill would be refused: {}; `--anyway` places it all the same",
                self.chain.fault(fault)
            )
        }
        if waits && cancels(fault.error) {
            bail!(
                "nothing was sent, for at its own price the fill would be refused as things stand, and the order cleared away \
                 for its fee: {}; `--anyway` places it all the same",
                self.chain.fault(fault)
            )
        }
        Ok(())
    }
}

/// A fill that was tried, and upon what.
struct Tried {
    filled: quotes::Filled,
    account: Box<Subaccount>,
    markets: Markets,
    /// Whether the order waits for another price than the last one.
    waits: bool,
}

/// Whether a price has yet to rise to a level, or to fall to it.
fn beyond(price: Price, level: Price, rises: bool) -> bool {
    if rises { price < level } else { price > level }
}

/// Everything that a price set knows is this price.
fn stand_at(prices: &mut PriceState, price: Price) {
    (prices.ema5, prices.ema60, prices.ema_sample) = (price, price, price);
    prices.jump_count = 0;
    for seen in prices.ring.iter_mut().chain([&mut prices.last, &mut prices.valid]) {
        seen.price = price;
    }
}

/// What is wrong with an order's own prices beside one another and beside the last one, in words.
fn misplaced(terms: &OrderTerms, last: Price, scale: Scale) -> Option<String> {
    let (kind, show) = (Kind::from_byte(terms.kind).ok()?, |price: Price| scale.show_price(price.0));
    let buys = terms.buys();
    // An exit that sells closes a long, an entry that buys opens one.
    let long = buys == (kind != Kind::Exit);
    let (side, below, above) = if long { ("long", "below", "above") } else { ("short", "above", "below") };
    if kind == Kind::Stop && !beyond(last, terms.trigger, buys) {
        return Some(format!(
            "the price, {}, is at or beyond the trigger {} already: it would open at the next price",
            show(last),
            show(terms.trigger)
        ));
    }
    // A limit beyond the price fills at the price, an entry at a breakout not before it.
    let (entry, what) = match kind {
        Kind::Limit if beyond(last, terms.limit, !buys) => (terms.limit, "its own entry"),
        Kind::Stop => (terms.trigger, "its own entry"),
        _ => (last, "the price"),
    };
    let (stop, target) = (terms.stop, terms.target);
    if !stop.is_zero() && !beyond(entry, stop, !long) {
        return Some(format!(
            "a {side}'s stop lies {below} {what}, {}: at {} it is met at once, and the next price closes the position",
            show(entry),
            show(stop)
        ));
    }
    if !target.is_zero() && !beyond(entry, target, long) {
        return Some(format!(
            "a {side}'s target lies {above} {what}, {}: at {} it is met at once, and the next price closes the position",
            show(entry),
            show(target)
        ));
    }
    if long && terms.trail >= entry {
        return Some(format!("a stop that trails by {} is never met: {what} is {}", show(terms.trail), show(entry)));
    }
    // Once its stop is met, an exit's worst price is what it may still fill at.
    let worst = terms.limit;
    if kind == Kind::Exit && !stop.is_zero() && !worst.is_zero() && beyond(stop, worst, long) {
        return Some(format!("at the stop {} it cannot fill, for its worst price is {}", show(stop), show(worst)));
    }
    None
}

#[cfg(test)]
mod tests {
    use ballast_engine::units::SignedBase;

    use super::*;

    const SCALE: Scale = Scale { base: 8, quote: 6 };

    fn at(price: u64) -> Price {
        Price(price * 10_000_000)
    }

    fn order(kind: Kind, size: i64) -> OrderTerms {
        OrderTerms { kind: kind as u8, size: SignedBase(size), ..OrderTerms::default() }
    }

    #[test]
    fn exits_that_are_met_at_once_are_told() {
        let told = |terms: OrderTerms| misplaced(&terms, at(23_500), SCALE).unwrap_or_default();
        let (limit, stop, exit) = (order(Kind::Limit, 5), order(Kind::Stop, 5), order(Kind::Exit, -5));
        // What is meant to be placed.
        let bracket = OrderTerms { limit: at(22_000), stop: at(21_500), target: at(25_000), ..limit };
        assert_eq!(told(bracket), "");
        let entry = OrderTerms { trigger: at(25_000), stop: at(24_000), target: at(26_000), ..stop };
        assert_eq!(told(entry), "");
        assert_eq!(told(OrderTerms { stop: at(22_500), target: at(25_000), trail: at(500), ..exit }), "");
        // A limit beyond the price is a market order: its exits lie around the price.
        let now = OrderTerms { limit: at(60_000), stop: at(22_500), target: at(25_000), ..limit };
        assert_eq!(told(now), "");
        assert!(told(OrderTerms { stop: at(58_000), ..now }).contains("a long's stop lies below the price, 23,500.00"));
        assert!(told(OrderTerms { stop: at(22_000), ..bracket }).contains("a long's stop lies below its own entry"));
        assert!(
            told(OrderTerms { target: at(21_900), ..bracket }).contains("a long's target lies above its own entry")
        );
        assert!(told(OrderTerms { stop: at(25_000), ..entry }).contains("below its own entry, 25,000.00"));
        assert!(told(OrderTerms { trigger: at(23_500), ..stop }).contains("beyond the trigger 23,500.00 already"));
        assert!(told(OrderTerms { stop: at(30_000), ..exit }).contains("at 30,000.00 it is met at once"));
        assert!(told(OrderTerms { target: at(23_000), ..exit }).contains("target lies above the price"));
        assert!(told(OrderTerms { trail: at(50_000), ..exit }).contains("never met"));
        assert!(
            told(OrderTerms { stop: at(20_000), limit: at(21_000), ..exit }).contains("its worst price is 21,000.00")
        );
        assert_eq!(told(OrderTerms { stop: at(20_000), limit: at(19_000), ..exit }), "");
        // The other way round.
        let short =
            OrderTerms { size: SignedBase(-5), limit: at(25_000), stop: at(26_000), target: at(22_000), ..limit };
        assert_eq!(told(short), "");
        assert!(told(OrderTerms { stop: at(24_000), ..short }).contains("a short's stop lies above its own entry"));
        let cover = OrderTerms { size: SignedBase(5), ..exit };
        assert_eq!(told(OrderTerms { stop: at(24_000), target: at(22_000), trail: at(50_000), ..cover }), "");
        assert!(told(OrderTerms { stop: at(23_000), ..cover }).contains("a short's stop lies above the price"));
        assert!(told(OrderTerms { trigger: at(30_000), ..order(Kind::Stop, -5) }).contains("already"));
    }
}

//! The acts on orders and on delegates.

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, ensure};
use ballast::instructions::trader::{PlaceOrderArgs, SetDelegateArgs};
use ballast_client::instructions;
use ballast_engine::Error;
use ballast_engine::constants::{HOUR, ORDER_LOCK};
use ballast_engine::delegate::{ORDERS, TRADE};
use ballast_engine::order::Kind;
use solana_signer::Signer;

use super::super::super::scene::{UNIT, money};
use super::orders::Book;
use super::play::{BEAT, Play};
use crate::desk::Expect;
use crate::tokens;

/// What everybody of the acts brings, whole units.
pub(super) const STAKE: u64 = 10_000;
/// Notional of the acts' orders, whole units.
const NOTIONAL: f64 = 20_000.0;

/// Everybody of the acts on orders and delegates.
pub(super) const PEOPLE: [&str; 8] = ["ann", "ben", "cat", "dan", "fay", "gus", "lee", "mia"];

impl Play {
    /// Every kind of order over one way of the price: down a little, up, down.
    pub(super) async fn orders(&mut self) -> Result<()> {
        let ann = self.person("ann", STAKE).await?;
        let ben = self.person("ben", STAKE).await?;
        let cat = self.person("cat", STAKE).await?;
        let dan = self.person("dan", STAKE).await?;
        let fay = self.person("fay", STAKE).await?;
        let gus = self.person("gus", STAKE).await?;
        let begin = self.scene.price;
        let at = |share: f64| Self::stored(begin * share);
        let buys = PlaceOrderArgs { size: self.scene.size(NOTIONAL), ..PlaceOrderArgs::default() };
        let limit = PlaceOrderArgs { kind: Kind::Limit as u8, limit: at(0.995), ..buys };
        let bracket = self.place(&ann, PlaceOrderArgs { stop: at(0.98), target: at(1.01), ..limit }).await?;
        let stopped = self.place(&ben, PlaceOrderArgs { stop: at(0.98), target: at(1.06), ..limit }).await?;
        let breakout = PlaceOrderArgs { kind: Kind::Stop as u8, trigger: at(1.005), trail: at(0.01), ..buys };
        let breakout = self.place(&cat, breakout).await?;
        let short = PlaceOrderArgs { size: -buys.size, target: at(0.996), ..buys };
        let short = self.place(&dan, short).await?;
        let _ = self.open(&fay, NOTIONAL).await?;
        let exit = PlaceOrderArgs { size: -buys.size, kind: Kind::Exit as u8, reduce_only: true, ..buys };
        let stop = self.place(&fay, PlaceOrderArgs { stop: at(0.985), ..exit }).await?;

        // One that expires, and one that its owner takes back.
        let far = PlaceOrderArgs { limit: at(0.9), ..limit };
        let dies = self.place(&gus, PlaceOrderArgs { expires_at: self.now.unix + 60, ..far }).await?;
        let fees = self.scene.account(&gus).await?.state.collateral.0;
        let taken_back = self.place(&gus, far).await?;
        let cancel = |order| {
            let owner = gus.key.pubkey();
            instructions::cancel_order(&owner, &self.scene.market_key(), &gus.subaccount, order, &owner, None)
        };
        self.scene.refused_as(&gus.key, "cancel at once", cancel(&taken_back), Error::OrderLocked).await;
        self.scene.venue.wait(ORDER_LOCK + BEAT).await?;
        let events = self.scene.send_as(&gus.key, "cancel order", &[cancel(&taken_back)]).await?;
        ensure!(self.scene.account(&gus).await?.state.collateral.0 == fees, "the fee of a cancelled order comes back");
        self.did(events);

        self.walk(begin * 0.9935).await?;
        let have = |book: &Book, orders: [(&Pubkey, usize); 3]| {
            orders.into_iter().all(|(order, count)| book.fills(order).len() >= count)
        };
        let first = [(&bracket, 1), (&stopped, 1), (&short, 2)];
        self.until("the entries and dan's target fill", |book| have(book, first)).await?;
        for (person, order) in [(&ann, &bracket), (&ben, &stopped)] {
            let account = self.scene.account(person).await?;
            ensure!(!account.state.is_flat() && account.state.orders == 1, "{}'s entry has filled", person.name);
            ensure!(!self.book.is_gone(order), "and has become its exits");
        }
        let filled = self.book.fills(&short).get(1).copied().context("dan's target has filled")?;
        ensure!(filled.is_target(), "by its target");
        let (entry, target) = (self.book.fills(&short)[0].price, filled.price);
        self.tell(
            "take-profit",
            format!(
                "dan sells at {} with a target, which is met and fills at {}",
                Self::shown(entry),
                Self::shown(target)
            ),
        );
        self.walk(begin * 1.013).await?;
        self.until("ann's target fills", |book| have(book, [(&bracket, 2); 3])).await?;
        let account = self.scene.account(&ann).await?;
        ensure!(account.state.is_flat() && account.state.orders == 0, "ann is out, and no stop is left over");
        let fills = self.book.fills(&bracket).to_vec();
        ensure!(fills.len() == 2 && fills[1].is_target(), "an entry and a target");
        self.tell(
            "bracket",
            format!(
                "ann's limit entry at {} fills at {}, its target at {} fills at {}; the stop is gone with it",
                Self::shown(at(0.995)),
                Self::shown(fills[0].price),
                Self::shown(fills[1].level),
                Self::shown(fills[1].price)
            ),
        );
        let low = self.book.stop(&breakout, &self.market.state, &self.now).context("cat's stop")?;
        self.walk(begin * 1.03).await?;
        self.until("what has expired is cleared away", |book| book.is_gone(&dies)).await?;
        let high = self.book.stop(&breakout, &self.market.state, &self.now).context("cat's stop")?;
        ensure!(
            high > low && high == self.market.state.price.last.price.0 - at(0.01),
            "the stop has followed: {low}, {high}"
        );
        let order_fee = self.market.state.params.order_fee.0;
        self.tell(
            "expiry",
            format!(
                "gus's limit order dies after a minute; the keeper clears it away for its fee of {}",
                money(order_fee)
            ),
        );
        self.walk(begin * 0.978).await?;
        let last = [(&breakout, 2), (&stop, 1), (&stopped, 2)];
        self.until("all stops fill", |book| have(book, last)).await?;
        let trailed = self.book.fills(&breakout).to_vec();
        ensure!(trailed.len() == 2 && trailed[1].is_stop() && trailed[1].level == high, "the stop that followed");
        self.tell(
            "trailing",
            format!(
                "cat buys the breakout at {}; the stop follows from {} to {} and fills at {}",
                Self::shown(trailed[0].price),
                Self::shown(low),
                Self::shown(high),
                Self::shown(trailed[1].price)
            ),
        );
        let (own, other) = (self.book.fills(&stop).to_vec(), self.book.fills(&stopped).to_vec());
        ensure!(own.len() == 1 && own[0].is_stop() && other.len() == 2 && other[1].is_stop(), "both stops have filled");
        for person in [&ben, &cat, &dan, &fay] {
            let account = self.scene.account(person).await?;
            ensure!(account.state.is_flat() && account.state.orders == 0, "{} is out", person.name);
        }
        self.tell(
            "stop-loss",
            format!(
                "fay's stop at {} fills at {}, ben's of the other bracket at {} at {}; the target is gone with it",
                Self::shown(own[0].level),
                Self::shown(own[0].price),
                Self::shown(other[1].level),
                Self::shown(other[1].price)
            ),
        );
        self.walk(begin).await
    }

    /// A delegate does what it may, is refused the rest, and is nobody once its right is over.
    pub(super) async fn delegates(&mut self) -> Result<()> {
        let (lee, mia) = (self.person("lee", STAKE).await?, self.person("mia", 100).await?);
        let (market, order_fee) = (self.scene.market_key(), self.market.state.params.order_fee.0);
        let right = SetDelegateArgs {
            delegate: mia.key.pubkey(),
            until: self.now.unix + HOUR,
            permissions: (TRADE | ORDERS) as u8,
            fee_budget: 3 * order_fee,
        };
        let appoint = instructions::set_delegate(&lee.key.pubkey(), &lee.subaccount, right);
        let _ = self.scene.send_as(&lee.key, "appoint a delegate", &[appoint]).await?;
        let size = self.scene.size(NOTIONAL);
        let stop = Self::stored(self.scene.price * 0.97);
        let order = self.place_as(&mia.key, &lee, PlaceOrderArgs { size, stop, ..Default::default() }).await?;
        self.settle(&order).await?;
        ensure!(!self.scene.account(&lee).await?.state.is_flat(), "mia's order for lee has filled");
        let reduce = |size| instructions::reduce(&mia.key.pubkey(), &market, &lee.subaccount, size, 0, &[]);
        let half = size.unsigned_abs() / 2;
        let _ = self.act(&mia.key, "reduce as a delegate", reduce(half)).await?;

        let (exchange, own) = (&self.scene.venue.exchange, mia.key.pubkey());
        let purse = tokens::associated(&own, &self.scene.venue.mint);
        let legs = instructions::leg_metas(&*self.scene.account(&lee).await?, None, false);
        let withdraw = instructions::withdraw(exchange, &own, &lee.subaccount, &purse, UNIT, &legs);
        let transfer = instructions::transfer(
            &own,
            &lee.subaccount,
            &mia.subaccount,
            &ballast_client::address::covenant(exchange, &lee.key.pubkey()),
            UNIT,
            &legs,
        );
        let longer = SetDelegateArgs { until: right.until + HOUR, ..right };
        let longer = instructions::set_delegate(&own, &lee.subaccount, longer);
        for (what, instruction) in [
            ("withdraw as a delegate", withdraw),
            ("move collateral as a delegate", transfer),
            ("prolong the own right", longer),
        ] {
            self.scene.refused_as(&mia.key, what, instruction, Error::WrongOwner).await;
        }
        // Two fees went for the bracket; of three one is left.
        let small = PlaceOrderArgs { size: size / 10, ..Default::default() };
        let order = self.place_as(&mia.key, &lee, small).await?;
        self.settle(&order).await?;
        let place = self.scene.order(&mia.key, &lee, small).await?;
        let reasons = [Error::DelegateBudget];
        let (price, expect) = (self.scene.price, Expect::Refused(&reasons));
        let venue = &mut self.scene.venue;
        venue.wait(BEAT).await?;
        let _ = venue.at_prices(&[price], "order beyond the delegate's budget", place, &mia.key, expect).await?;

        self.sleep(right.until - self.now.unix).await?;
        let place = self.scene.order(&mia.key, &lee, small).await?;
        self.scene.refused_as(&mia.key, "order after the delegate's right", place, Error::WrongOwner).await;
        self.scene.refused_as(&mia.key, "reduce after the delegate's right", reduce(half), Error::WrongOwner).await;
        self.tell(
            "delegate",
            "mia trades for lee: a bracket, a reduction, another order. Withdrawing, moving collateral and prolonging her own \
             right are refused, an order beyond her budget of fees, and all of it after an hour"
                .to_owned(),
        );
        Ok(())
    }

    /// Tells a step.
    pub(super) fn tell(&mut self, step: &'static str, text: String) {
        self.scene.tell(step, text);
    }
}

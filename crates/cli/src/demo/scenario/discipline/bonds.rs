//! The acts on covenants: what trips, what is refused then, what takes its time, and what escapes.

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, bail, ensure};
use ballast::instructions::trader::SetCovenantArgs;
use ballast_client::events::Event;
use ballast_client::{address, instructions};
use ballast_engine::Error;
use ballast_engine::constants::{DAY, HOUR};
use solana_signer::Signer;

use super::super::super::scene::{Person, UNIT, money};
use super::acts::STAKE;
use super::play::{BEAT, Play};
use crate::amount::span;
use crate::keys;

/// Everybody of the acts on covenants.
pub(super) const PEOPLE: [&str; 4] = ["ivy", "ivy's other wallet", "jon", "kim"];

/// Nothing but the times.
const NONE: SetCovenantArgs = SetCovenantArgs {
    max_leverage: 0,
    max_notional: 0,
    daily_loss: 0,
    drawdown: 0,
    cool_down: 24 * HOUR,
    loosening_delay: 2 * DAY,
    auto_close: false,
};
/// A fall's step, a share of the price.
const STEP: f64 = 0.0005;
/// Prices within which one is good: a rise may have to be confirmed first.
const SHOWN: usize = 8;
/// Steps within which a loss must have come to its limit.
const STEPS: usize = 60;
/// Prices at its limit within which it must have tripped: the first look and the second are two where nothing is late.
const LOOKS: usize = 40;

impl Play {
    async fn bind(&mut self, person: &Person, limits: SetCovenantArgs) -> Result<()> {
        let create = instructions::create_covenant(&self.scene.venue.exchange, &person.key.pubkey(), limits);
        let events = self.scene.send_as(&person.key, "bind oneself", &[create]).await?;
        self.did(events);
        Ok(())
    }

    /// The price falls until a loss is at its limit, and a step more, and stands there until the covenant has tripped; the day's
    /// loss and the drawdown at the last price at which nothing was at its limit.
    async fn fall(&mut self, person: &Person) -> Result<(u64, u64)> {
        let own = [person.subaccount];
        let (mut within, mut looks) = (None, 0);
        for _ in 0..STEPS + LOOKS {
            // It counts from none: where the machine is slow the keeper may act at any moment, between two views too.
            let view = self.covenant(person, &own).await?;
            if view.trips > 0 {
                return within.with_context(|| format!("{} was never within the limit", person.name));
            }
            let (Some(day_loss), Some(drawdown)) = (view.day_loss, view.drawdown) else {
                bail!("{}'s losses cannot be measured", person.name)
            };
            match view.day_left != Some(0) && view.drawdown_left != Some(0) {
                true => within = Some((day_loss, drawdown)),
                false => looks += 1,
            }
            ensure!(looks <= LOOKS, "{}'s covenant does not trip: {view:?}", person.name);
            let step = if looks > 1 { 0.0 } else { STEP };
            self.print(BEAT, self.scene.price * (1.0 - step)).await?;
        }
        bail!("{}'s loss does not come to its limit", person.name)
    }

    /// A day's loss trips; money that moves does neither; the keeper closes; a second account is no way out, a second
    /// wallet is.
    pub(super) async fn daily_loss(&mut self) -> Result<Person> {
        let ivy = self.person("ivy", STAKE).await?;
        let limit = 200 * UNIT;
        let limits = SetCovenantArgs { daily_loss: limit, max_notional: 40_000 * UNIT, auto_close: true, ..NONE };
        self.bind(&ivy, limits).await?;
        let _ = self.open(&ivy, 30_000.0).await?;
        self.refused_fill(&ivy, &ivy.subaccount, 15_000.0, Error::CovenantNotional).await?;
        self.walk(self.scene.price * 0.9965).await?;
        let own = [ivy.subaccount];
        let lost = self.covenant(&ivy, &own).await?;
        self.pay_in(&ivy, 5_000).await?;
        let paid_in = self.covenant(&ivy, &own).await?;
        self.pay_out(&ivy, 4_000).await?;
        let paid_out = self.covenant(&ivy, &own).await?;
        ensure!(lost.day_loss.is_some_and(|loss| loss > 0), "ivy has lost something");
        for view in [&paid_in, &paid_out] {
            ensure!((view.day_loss, view.drawdown) == (lost.day_loss, lost.drawdown), "money that moves is no result");
            ensure!(!view.would_trip, "and trips nothing");
        }
        self.tell(
            "in and out",
            format!(
                "ivy has lost {} of the {} she allows herself a day; 5000 paid in and 4000 taken out change that by nothing",
                money(lost.day_loss.unwrap_or(0)),
                money(limit)
            ),
        );
        let (before, _) = self.fall(&ivy).await?;
        // Closed at a later price than the trip's.
        ensure!(self.until_flat(&ivy).await?, "the keeper has closed ivy's position");
        let after = self.covenant(&ivy, &own).await?.day_loss.unwrap_or(0);
        ensure!(before < limit && after >= limit, "{before} before, {after} after");
        self.tell(
            "daily loss",
            format!(
                "{} were lost; a price finds her past her limit, a newer one trips her, at one newer still the keeper closes for its \
                 fee, and {} are lost in the end",
                money(before),
                money(after)
            ),
        );
        self.refused_fill(&ivy, &ivy.subaccount, 5_000.0, Error::CovenantTripped).await?;
        let second = self.second_account(&ivy, 1_000).await?;
        self.refused_fill(&ivy, &second, 2_000.0, Error::CovenantTripped).await?;
        let other = self.person("ivy's other wallet", 1_000).await?;
        let _ = self.open(&other, 2_000.0).await?;
        self.tell(
            "reduce-only",
            "her next increase is refused, and so is one from her second account; from a second wallet it fills: a covenant binds \
             a wallet, not a person"
                .to_owned(),
        );
        Ok(ivy)
    }

    async fn second_account(&mut self, person: &Person, amount: u64) -> Result<Pubkey> {
        let (exchange, owner) = (self.scene.venue.exchange, person.key.pubkey());
        let second = address::subaccount(&exchange, &owner, 1);
        let covenant = address::covenant(&exchange, &owner);
        let batch = [
            instructions::open_subaccount(&exchange, &owner, 1, false),
            instructions::transfer(&owner, &person.subaccount, &second, &covenant, amount * UNIT, &[]),
        ];
        let events = self.scene.send_as(&person.key, "open a second account", &batch).await?;
        self.did(events);
        Ok(second)
    }

    /// Shows a person's account to its covenant: the highest result is the highest that anybody has shown. The keeper looks in
    /// every ten minutes, anyone may at once.
    async fn show(&mut self, person: &Person) -> Result<()> {
        let covenant = address::covenant(&self.scene.venue.exchange, &person.key.pubkey());
        let legs = instructions::leg_metas(&*self.scene.account(person).await?, None, false);
        let touch = instructions::touch_covenant(&covenant, &person.subaccount, &legs);
        let anyone = keys::local(keys::ANYONE);
        for _ in 0..SHOWN {
            let events = self.act(&anyone, "show the account", touch.clone()).await?;
            let good = |event: &Event| matches!(event, Event::CovenantTouched(touched) if touched.good);
            if events.iter().any(good) {
                return Ok(());
            }
        }
        bail!("{}'s account is not seen at a good price", person.name)
    }

    /// A drawdown counts from the highest result; without the automatic close the owner reduces as it likes.
    pub(super) async fn drawdown(&mut self) -> Result<()> {
        let jon = self.person("jon", STAKE).await?;
        let limit = 150 * UNIT;
        self.bind(&jon, SetCovenantArgs { drawdown: limit, ..NONE }).await?;
        let _ = self.open(&jon, 30_000.0).await?;
        let begin = self.scene.price;
        self.walk(begin * 1.01).await?;
        // The highest result is what two looks have both seen.
        for _ in 0..2 {
            self.show(&jon).await?;
        }
        let (_, before) = self.fall(&jon).await?;
        let view = self.covenant(&jon, &[jon.subaccount]).await?;
        let equity = view.equity.unwrap_or(0);
        ensure!(before < limit, "within the limit a price before");
        ensure!(view.notional.is_some_and(|notional| notional > 0), "jon's position is still open");
        self.refused_fill(&jon, &jon.subaccount, 5_000.0, Error::CovenantTripped).await?;
        let account = self.scene.account(&jon).await?;
        let size = account.state.slots().map(|(_, position)| position.base().0).sum::<u64>();
        let market = self.scene.market_key();
        let covenant = address::covenant(&self.scene.venue.exchange, &jon.key.pubkey());
        let to = &self.scene.keeper.subaccount;
        let close = instructions::close_tripped(&market, &jon.subaccount, to, &covenant, &[]);
        self.scene.refused("close what nobody asked to have closed", close, Error::CovenantNotTripped).await;
        let reduce = instructions::reduce(&jon.key.pubkey(), &market, &jon.subaccount, size, 0, &[]);
        let _ = self.act(&jon.key, "reduce", reduce).await?;
        let ahead = u64::try_from(equity).unwrap_or(0).saturating_sub(STAKE * UNIT);
        ensure!(ahead > 0, "jon is ahead all the same");
        self.tell(
            "drawdown",
            format!(
                "jon's limit of {} counts from his highest result that was shown: {} one price before; it trips while he is {} ahead. He did not ask \
                 for an automatic close, keeps his position, cannot add to it, and closes it himself",
                money(limit),
                money(before),
                money(ahead)
            ),
        );
        self.walk(begin).await
    }

    /// Tighter at once, looser after the delay; `tripped` may trade again then.
    pub(super) async fn changes(&mut self, tripped: &Person) -> Result<()> {
        let kim = self.person("kim", STAKE).await?;
        let (exchange, owner) = (self.scene.venue.exchange, kim.key.pubkey());
        let covenant = address::covenant(&exchange, &owner);
        let limits = SetCovenantArgs { max_leverage: 2_000_000, ..NONE };
        self.bind(&kim, limits).await?;
        self.refused_fill(&kim, &kim.subaccount, 21_000.0, Error::CovenantLeverage).await?;
        let _ = self.open(&kim, 15_000.0).await?;
        let tighter = SetCovenantArgs { max_leverage: 1_600_000, ..limits };
        let tighten = instructions::tighten_covenant(&exchange, &owner, tighter);
        let events = self.scene.send_as(&kim.key, "tighten", &[tighten]).await?;
        self.did(events);
        self.refused_fill(&kim, &kim.subaccount, 3_000.0, Error::CovenantLeverage).await?;
        let looser = SetCovenantArgs { max_leverage: 5_000_000, ..limits };
        let at_once = instructions::tighten_covenant(&exchange, &owner, looser);
        self.scene.refused_as(&kim.key, "loosen at once", at_once, Error::CovenantLooser).await;
        let close = instructions::close_covenant(&exchange, &owner);
        self.scene.refused_as(&kim.key, "close a covenant in force", close, Error::CovenantInForce).await;
        let ask = instructions::loosen_covenant(&exchange, &owner, looser);
        let events = self.scene.send_as(&kim.key, "ask for looser terms", &[ask]).await?;
        self.did(events);
        let early = || instructions::execute_loosening(&covenant);
        self.scene.refused("loosen before the delay", early(), Error::CovenantNotReady).await;
        self.refused_fill(&kim, &kim.subaccount, 3_000.0, Error::CovenantLeverage).await?;
        let ready = self.covenant(&kim, &[kim.subaccount]).await?.asked.map_or(0, |(_, at)| at);
        // The clock runs on a little while transactions are under way.
        self.sleep(ready - self.now.unix - 120).await?;
        self.scene.refused("loosen a minute early", early(), Error::CovenantNotReady).await;
        self.sleep(120).await?;
        let in_force = self.covenant(&kim, &[kim.subaccount]).await?.limits.max_leverage;
        ensure!(in_force == looser.max_leverage, "the keeper has put in force what was asked for");
        let _ = self.open(&kim, 3_000.0).await?;
        let _ = self.open(tripped, 5_000.0).await?;
        self.tell(
            "tighter",
            "kim's twofold leverage becomes 1.6fold at once: an increase within the one and beyond the other is refused".into(),
        );
        self.tell(
            "looser",
            format!(
                "fivefold is asked for, and refused until {} are over; then the keeper puts it in force, and the increase fills. \
                 {}'s cool-down is over too",
                span(limits.loosening_delay),
                tripped.name
            ),
        );
        Ok(())
    }
}

//! The three acts. People trade and prices move; all else the keeper finds to do by itself, or is refused to whoever comes
//! too early.

use anyhow::{Context, Result, ensure};
use ballast_client::events::Event;
use ballast_client::instructions;
use ballast_engine::Error;
use ballast_engine::constants::{DELEVERAGE_AFTER, HOUR, SETTLEMENT_PATIENCE, SETTLEMENT_WAIT};

use super::{PRICE, Scene, money};

/// Hours in which shared insurance is released.
const RELEASE: usize = 5;
/// Prices within which the keeper settles what was left unsettled.
const SETTLED_WITHIN: usize = 5;

impl Scene {
    /// Deficits: the bucket, then shared insurance by its daily batch; providers bear the rest.
    pub(super) async fn deficits(&mut self) -> Result<()> {
        let [alice, bob, carol] =
            [self.person("alice", 8_000).await?, self.person("bob", 5_000).await?, self.person("carol", 60_000).await?];
        self.open(&carol, -120_000.0).await?;
        self.open(&alice, 70_000.0).await?;
        self.open(&bob, 50_000.0).await?;
        self.fill(&[&carol, &alice, &bob]).await?;
        let _ = self.seen().await?;
        self.post(PRICE * 0.8).await?;
        self.post(self.price).await?;
        let mut deficits = 0;
        for event in self.seen().await? {
            if let Event::Resolved(resolved) = event {
                deficits += resolved.deficit;
            }
        }
        let market = self.market().await?;
        let claim = market.state.insurance.pending().map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
        let bucket = market.state.pool.insurance_paid.0;
        self.tell(
            "1 bucket",
            format!(
                "BTC falls 20 % at once: alice and bob owe {} more than they had; the market's insurance pays {}",
                money(deficits),
                money(bucket)
            ),
        );
        let register = instructions::register_insurance_claim(&self.venue.exchange, &self.market_key());
        self.refused("register too early", register, Error::InsuranceTooEarly).await;
        // The keeper registers after the first midnight, and pays as it is released after the second.
        self.midnight().await?;
        self.midnight().await?;
        for _ in 0..RELEASE {
            self.wait(HOUR).await?;
        }
        let mut paid = 0;
        for event in self.seen().await? {
            if let Event::InsuranceClaimPaid(payment) = event {
                paid += payment.amount;
            }
        }
        self.tell(
            "2 shared",
            format!(
                "of the day's claim of {}, shared insurance pays {} two midnights later",
                money(claim.0),
                money(paid)
            ),
        );
        let lost = self.market().await?.state.pool.deficits.0;
        self.tell("3 providers", format!("what is left falls on the providers: {}", money(lost)));
        // The winner goes with all she has won.
        self.close(&[&carol]).await
    }

    /// Claims: an episode, deleveraging, and a keeper who settles the worst losses until claims are gone.
    pub(super) async fn episode(&mut self) -> Result<()> {
        let [dave, erin, frank] = [
            self.person("dave", 30_000).await?,
            self.person("erin", 30_000).await?,
            self.person("frank", 80_000).await?,
        ];
        self.open(&frank, -150_000.0).await?;
        self.open(&dave, 75_000.0).await?;
        self.open(&erin, 75_000.0).await?;
        self.fill(&[&frank, &dave, &erin]).await?;
        self.post(self.price * 1.45).await?;
        let settle = instructions::settle(&self.market_key(), &dave.subaccount);
        let (mut pnl, mut claimed) = (0, 0);
        for event in self.send("settle", settle).await? {
            if let Event::PositionSettled(settled) = event {
                (pnl, claimed) = (settled.pnl, settled.claimed);
            }
        }
        self.tell(
            "4 claims",
            format!(
                "BTC rises 45 % and the loser's loss is no cash yet: of dave's {} the pool owes {} as a claim",
                money(pnl.unsigned_abs()),
                money(claimed)
            ),
        );
        let deleverage = instructions::deleverage(&self.market_key());
        self.refused("deleverage too early", deleverage, Error::DeleverageTooEarly).await;
        let _ = self.seen().await?;
        self.wait(DELEVERAGE_AFTER).await?;
        let (mut kept, mut picked) = (None, 0);
        for event in self.seen().await? {
            match event {
                Event::Deleveraged(d) => kept = Some(d.kept as f64 / d.before as f64 * 100.0),
                Event::PositionDeleveraged(_) => picked += 1,
                _ => {}
            }
        }
        let kept = kept.context("the keeper has not deleveraged")?;
        self.tell(
            "4 episode",
            format!(
                "two days later nobody has settled him: the longs are reduced to {kept:.2} % of their size, all alike; \
                 {picked} positions pick it up"
            ),
        );
        // A keeper that settles looks for the worst losses first, and pays the claims with them.
        self.keeper.restart(&self.venue).await?;
        for _ in 0..SETTLED_WITHIN {
            self.post(self.price).await?;
        }
        let (mut first, mut collected) = (None, 0);
        for event in self.seen().await? {
            if let Event::PositionSettled(settled) = event {
                first = first.or((settled.pnl < 0).then_some(settled.subaccount));
                collected += if settled.subaccount == dave.subaccount { settled.collected } else { 0 };
            }
        }
        ensure!(first == Some(frank.subaccount), "the worst loss is frank's");
        self.tell(
            "4 claims",
            format!("frank's loss is settled: the pool has the cash, and dave collects {}", money(collected)),
        );
        self.close(&[&dave, &erin, &frank]).await
    }

    /// Settlement: the pool is below its floor; one price, one factor, everybody out.
    pub(super) async fn settlement(&mut self) -> Result<()> {
        let [grace, heidi] = [self.person("grace", 40_000).await?, self.person("heidi", 40_000).await?];
        self.open(&grace, 80_000.0).await?;
        self.open(&heidi, 30_000.0).await?;
        self.fill(&[&grace, &heidi]).await?;
        let _ = self.seen().await?;
        self.post(self.price * 1.35).await?;
        let advance = instructions::advance_settlement(&self.market_key());
        self.refused("fix the price too early", advance, Error::SettlementTooEarly).await;
        self.wait(SETTLEMENT_WAIT).await?;
        // The keeper has fixed the price, closes everybody, and then collects their claims.
        self.wait(HOUR).await?;
        let people = [&grace, &heidi];
        let (mut owed, mut got) = ([0; 2], [0; 2]);
        for event in self.seen().await? {
            let Event::PositionSettled(settled) = event else { continue };
            for (place, person) in people.iter().enumerate() {
                if settled.subaccount == person.subaccount {
                    owed[place] += settled.claimed;
                    got[place] += settled.collected;
                }
            }
        }
        let share = |place: usize| got[place] as f64 / (owed[place] as f64).max(1.0) * 100.0;
        let shares = format!("{} {:.2} % and {} {:.2} %", grace.name, share(0), heidi.name, share(1));
        self.tell(
            "5 settlement",
            format!(
                "two longs alone win {} from a pool that has less; a day below its floor it is settled: claims get {}, {shares}",
                money(owed.iter().sum()),
                money(got.iter().sum()),
            ),
        );
        self.wait(SETTLEMENT_PATIENCE).await?;
        for person in people {
            let account = self.account(person).await?;
            ensure!(account.state.is_flat(), "{} is out of the settled market", person.name);
        }
        self.tell("5 settlement", "ten days later what is still owed is written off, and every account is free".into());
        Ok(())
    }
}

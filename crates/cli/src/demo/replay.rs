//! Lets the exchange live through the minutes: posts prices, waits for the keeper, lets traders act.

use anyhow::Result;
use ballast_client::quotes;
use ballast_engine::margin::Purpose;
use ballast_engine::price::Status;
use ballast_localnet::Kind;
use indicatif::{ProgressBar, ProgressStyle};

use super::governance::Story;
use super::stage::{Snapshot, Stage};
use crate::amount;
use crate::prices::{MINUTE, Minute, Prices};

/// A minute that moves by more than this is posted finely, as a publisher would.
const LIVELY: f64 = 0.005;
/// An account nearer to its maintenance than a minute's move and this, as a share of notional, makes for fine posting.
const NEAR: f64 = 0.0015;

/// Posts in a lively minute: ten slots between them are what the solvency proof assumes.
const FINE: usize = 15;
/// In real time a post takes about a second, in which a tier-A price may move by 2.5 slots' worth in that proof.
const REAL_TIME_MOVE: f64 = 0.00075;

/// How fast prices are posted.
pub(crate) struct Pace {
    /// Whether the validator keeps real time: a minute of prices then takes as long as it takes to post.
    real_time: bool,
    /// Whether progress is told in lines where there is no terminal for a bar.
    lines: bool,
}

impl Pace {
    /// The pace on a validator.
    pub(crate) fn of(kind: Kind, lines: bool) -> Self {
        Self { real_time: kind == Kind::Agave, lines }
    }

    /// How many times prices are posted in a minute.
    fn steps(&self, snapshot: &Snapshot, minute: &Minute) -> usize {
        match self.real_time {
            true => ((minute.way() / REAL_TIME_MOVE).ceil() as usize).clamp(2, 60),
            false if is_fine(snapshot, minute) => FINE,
            false => 1,
        }
    }
}

/// The single wrong print, and what it did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hiccup {
    /// The price before.
    pub(crate) before: f64,
    /// The print.
    pub(crate) print: f64,
    /// Accounts flagged while it stood.
    pub(crate) flags: u64,
    /// Liquidations while it stood.
    pub(crate) liquidations: u64,
}

/// A bar of so many minutes.
pub(crate) fn progress(minutes: usize, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(minutes as u64);
    let style = ProgressStyle::with_template("{elapsed_precise} [{bar:32}] {pos}/{len} minutes  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar.enable_steady_tick(std::time::Duration::from_millis(250));
    bar
}

/// All minutes.
pub(crate) async fn run(
    stage: &mut Stage,
    story: &mut Story,
    prices: &Prices,
    pace: &Pace,
    bar: &ProgressBar,
) -> Result<()> {
    let mut snapshot = stage.snapshot().await?;
    for (number, minute) in prices.minutes.iter().enumerate() {
        let steps = pace.steps(&snapshot, minute);
        for (step, price) in (1..).zip(minute.path(steps)) {
            let wrong = minute.hiccup.filter(|_| step == steps / 2);
            if !pace.real_time {
                stage.venue.wait_until(minute.unix + MINUTE * step as i64 / steps as i64).await?;
            }
            match wrong {
                Some(print) => hiccup(stage, story, price, print).await?,
                None => {
                    stage.post(price).await?;
                    snapshot = stage.snapshot().await?;
                }
            }
        }
        stage.look().await?;
        story.at(stage, number).await?;
        let snapshot = stage.snapshot().await?;
        stage.act(&snapshot).await?;
        let message = message(stage, &snapshot, minute.close);
        bar.set_position(number as u64 + 1);
        // Where there is no terminal to draw on, a line for every tenth of the way.
        let tenth = |done: usize| done * 10 / prices.minutes.len();
        if bar.is_hidden() && pace.lines && tenth(number + 1) > tenth(number) {
            eprintln!("{}/{} minutes  {message}", number + 1, prices.minutes.len());
        }
        bar.set_message(message);
    }
    Ok(())
}

/// One print of one market's feed is wrong; the other market's is right.
async fn hiccup(stage: &mut Stage, story: &mut Story, price: f64, print: f64) -> Result<()> {
    let count = |stage: &Stage| {
        let tally = stage.venue.desk.tally();
        let of = |name: &str| tally.events.iter().filter(|e| e.name() == name).count() as u64;
        (of("Flagged"), of("Liquidated") + of("Resolved"))
    };
    stage.look().await?;
    let before = count(stage);
    stage.post_wrong(print).await?;
    stage.look().await?;
    let after = count(stage);
    story.hiccup = Some(Hiccup { before: price, print, flags: after.0 - before.0, liquidations: after.1 - before.1 });
    Ok(())
}

/// Whether a minute needs prices posted finely: it moves a lot, a price waits for its confirmation, or somebody is near
/// liquidation.
fn is_fine(snapshot: &Snapshot, minute: &Minute) -> bool {
    if minute.hiccup.is_some() || minute.range() > LIVELY {
        return true;
    }
    let unconfirmed = |market: &ballast::state::Market| {
        market.state.status(&snapshot.now).is_ok_and(|status| status == Status::Jumped)
    };
    if snapshot.markets.iter().any(|(_, market)| unconfirmed(market)) {
        return true;
    }
    // The second market moves a little more than the first.
    let reach = minute.range() * 1.5 + NEAR;
    snapshot.accounts.iter().any(|account| {
        let Ok(totals) = quotes::totals(account, &snapshot.markets, Purpose::Maintenance, &snapshot.now) else {
            return false;
        };
        let surplus = totals.surplus().map_or(0, |surplus| surplus.0);
        totals.notional.0 > 0 && (surplus as f64) < totals.notional.0 as f64 * reach
    })
}

fn message(stage: &Stage, snapshot: &Snapshot, price: f64) -> String {
    let open: u64 = snapshot.markets.iter().map(|(_, m)| m.state.long.positions + m.state.short.positions).sum();
    let tally = stage.venue.desk.tally();
    let liquidations = tally.units.get("liquidate").map_or(0, Vec::len);
    format!(
        "{} {}, {open} positions, {liquidations} liquidations, {} transactions",
        stage.venue.listings.first().map_or("", |l| &l.symbol),
        amount::show((price * 100.0) as i128, 2, 2),
        amount::grouped(tally.counts.sent.into()),
    )
}

//! An exchange for a validator whose clock cannot be moved: opened on surfpool, where the 72 hours that each raise of a
//! new market's cap takes can pass, and loaded from there, account by account, into the validator's first slot.

use std::time::{SystemTime, UNIX_EPOCH};

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result};
use ballast_client::address;
use ballast_localnet::Kind;
use indicatif::ProgressBar;
use solana_account::Account;

use crate::migrate::{self, Setup, Step};
use crate::tokens;
use crate::venue::{Start, Venue};

/// A venue on Agave's validator with the exchange open.
pub(crate) async fn venue(
    steps: &[Step],
    prices: &[f64],
    wallets: Vec<Pubkey>,
    bar: &ProgressBar,
) -> Result<(Venue, Setup)> {
    let present = SystemTime::now().duration_since(UNIX_EPOCH).context("the system's clock is before 1970")?;
    let present = i64::try_from(present.as_secs()).context("the system's clock is off")?;
    let start = Start {
        kind: Kind::Surfpool,
        unix: Some(present - migrate::duration(steps)),
        port: None,
        accounts: Vec::new(),
        wallets: migrate::wallets(steps),
    };
    let mut opened = Venue::start(start).await?;
    let report = |step: &Step| bar.set_message(format!("on surfpool first: {}: {}", step.name, step.purpose));
    let setup = migrate::run(&mut opened, steps, prices, report).await?;
    // So that the averages have no gap; the hours themselves are the same in both chains' clocks.
    opened.wait_until(present).await?;
    opened.tick(prices).await?;
    let accounts = dump(&opened).await?;

    bar.set_message("starting Agave's validator");
    let start = Start { kind: Kind::Agave, unix: None, port: None, accounts, wallets };
    let mut venue = Venue::start(start).await?;
    venue.continue_from(&opened);
    opened.net.stop().await?;
    Ok((venue, setup))
}

/// The exchange's accounts, its price feeds, its mints and their token accounts.
async fn dump(venue: &Venue) -> Result<Vec<(Pubkey, Account)>> {
    let chain = &venue.desk.chain;
    let mut accounts = chain.owned(&address::PROGRAM, Vec::new()).await?;
    accounts.extend(chain.owned(&price_feed::ID, Vec::new()).await?);
    accounts.extend(chain.owned(&tokens::PROGRAM, Vec::new()).await?);
    Ok(accounts)
}

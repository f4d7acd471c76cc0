//! An exchange for a validator that keeps real time: opened on a surfpool of its own, where the 72 hours that each raise
//! of a new market's cap takes can pass, and loaded from there, account by account, into the validator's first slot.

use std::time::{SystemTime, UNIX_EPOCH};

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result};
use ballast_client::address;
use ballast_client::rpc::AccountData;
use ballast_localnet::Kind;
use solana_account::Account;

use crate::migrate::{self, Setup, Step};
use crate::tokens;
use crate::venue::{Start, Venue};

/// What to start, once the exchange is open.
pub(crate) struct Wanted {
    /// Which validator.
    pub(crate) kind: Kind,
    /// The port of the RPC; `None` for any free one.
    pub(crate) port: Option<u16>,
    /// Wallets to have, beside the local roles.
    pub(crate) wallets: Vec<Pubkey>,
}

/// A venue in real time with the exchange open; `report` hears of each step.
pub(crate) async fn venue(
    steps: &[Step],
    prices: &[f64],
    wanted: Wanted,
    report: impl Fn(&Step),
) -> Result<(Venue, Setup)> {
    let present = present()?;
    let start = Start {
        kind: Kind::Surfpool,
        unix: Some(present - migrate::duration(steps)),
        port: None,
        accounts: Vec::new(),
        wallets: migrate::wallets(steps),
        real_time: false,
    };
    let mut opened = Venue::start(start).await?;
    let setup = migrate::run(&mut opened, steps, prices, report).await?;
    // So that the averages have no gap; the hours themselves are the same in both chains' clocks.
    opened.wait_until(present).await?;
    opened.tick(prices).await?;
    let accounts = dump(&opened).await?;
    let Wanted { kind, port, wallets } = wanted;
    let mut venue = Venue::start(Start { kind, unix: None, port, accounts, wallets, real_time: true }).await?;
    venue.continue_from(&opened);
    opened.net.stop().await?;
    Ok((venue, setup))
}

/// The real time, Unix seconds.
pub(crate) fn present() -> Result<i64> {
    let present = SystemTime::now().duration_since(UNIX_EPOCH).context("the system's clock is before 1970")?;
    i64::try_from(present.as_secs()).context("the system's clock is off")
}

/// The exchange's accounts, its price feeds, its mints and their token accounts.
async fn dump(venue: &Venue) -> Result<Vec<(Pubkey, Account)>> {
    let chain = &venue.desk.chain;
    let mut accounts = chain.owned(&address::PROGRAM, &[]).await?;
    accounts.extend(chain.owned(&price_feed::ID, &[]).await?);
    accounts.extend(chain.owned(&tokens::PROGRAM, &[]).await?);
    let whole = |AccountData { lamports, owner, data }| Account {
        lamports,
        owner,
        data,
        executable: false,
        // Exempt from rent, as all of these are.
        rent_epoch: u64::MAX,
    };
    Ok(accounts.into_iter().map(|(key, account)| (key, whole(account))).collect())
}

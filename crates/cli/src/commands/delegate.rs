//! `ballast delegate`.

use anyhow::{Result, ensure};
use ballast::instructions::trader::SetDelegateArgs;
use ballast::state::Subaccount;
use ballast_client::instructions;
use ballast_engine::Now;
use ballast_engine::constants::DAY;
use ballast_engine::delegate::{COLLATERAL, ORDERS, TRADE};
use clap::{Args, Subcommand};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::funds;
use crate::amount::{self, moment};
use crate::args::Global;
use crate::chain::Chain;
use crate::{config, output};

/// Options of `ballast delegate`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Let another key act for a subaccount, in the place of whoever may now; it can never withdraw
    Set {
        /// The key
        #[arg(value_name = "ADDRESS", value_parser = address)]
        key: Pubkey,
        /// For so many days, 365 at most
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        days: u16,
        /// May place market orders and reduce
        #[arg(long)]
        trade: bool,
        /// May place other orders, and cancel any
        #[arg(long)]
        orders: bool,
        /// May move collateral between two of your subaccounts whose delegate it is
        #[arg(long)]
        collateral: bool,
        /// Order fees that it may put aside in a day, in whole units of the collateral
        #[arg(long, value_name = "AMOUNT", default_value = "1")]
        fees: String,
        /// Number of the subaccount
        #[arg(long, value_name = "ID", default_value_t = 0)]
        account: u16,
    },
    /// Take the right back, at once
    Revoke {
        /// Number of the subaccount
        #[arg(long, value_name = "ID", default_value_t = 0)]
        account: u16,
    },
}

#[derive(Serialize)]
struct Done {
    subaccount: String,
    delegate: Option<String>,
    until: i64,
    signature: String,
}

/// That whoever signs may do this for a subaccount: what the chain calls no owner, in words that say what to do.
///
/// # Errors
/// For a key that is neither the owner nor a delegate who may do it now.
pub(super) fn check(account: &Subaccount, signer: &Pubkey, wants: u64, now: &Now) -> Result<()> {
    let (id, delegate) = (account.id, &account.delegate);
    if account.owner.0 == signer.to_bytes() {
        return Ok(());
    }
    ensure!(
        delegate.key.0 == signer.to_bytes(),
        "{signer} is neither the owner of subaccount {id} nor its delegate; its owner may change that: `ballast delegate set \
         {signer}`"
    );
    ensure!(
        now.unix < delegate.until,
        "your right for subaccount {id} ended {}; its owner prolongs it with `ballast delegate set {signer}`",
        moment(delegate.until)
    );
    let names = [(TRADE, "--trade"), (ORDERS, "--orders"), (COLLATERAL, "--collateral")];
    let all = |bits: u64| -> String {
        let names: Vec<_> = names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
        names.join(" ")
    };
    let missing = wants & !delegate.permissions;
    ensure!(
        missing == 0,
        "your right for subaccount {id} is {}: {} is missing; its owner gives it with `ballast delegate set {signer}`",
        all(delegate.permissions),
        all(missing)
    );
    Ok(())
}

fn address(text: &str) -> Result<Pubkey, String> {
    text.parse().map_err(|_| format!("{text} is no address: a key in base 58, of 32 to 44 characters"))
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let (chain, owner) = (Chain::open(global)?, config::keypair(global)?);
    let exchange = chain.exchange(global.mint).await?;
    let (id, args) = match options.command {
        Command::Revoke { account } => {
            (account, SetDelegateArgs { delegate: Pubkey::default(), until: 0, permissions: 0, fee_budget: 0 })
        }
        Command::Set { key, days, trade, orders, collateral, fees, account } => {
            let bits = [(trade, TRADE), (orders, ORDERS), (collateral, COLLATERAL)];
            let permissions: u64 = bits.iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum();
            ensure!(permissions != 0, "say what it may do: --trade, --orders, --collateral");
            let args = SetDelegateArgs {
                delegate: key,
                until: chain.now().await?.unix + i64::from(days) * DAY,
                permissions: u8::try_from(permissions)?,
                fee_budget: amount::parse(&fees, exchange.state.quote_decimals)?,
            };
            (account, args)
        }
    };
    let (key, _) = funds::subaccount(&chain, &exchange, &owner.pubkey(), id).await?;
    let set = instructions::set_delegate(&owner.pubkey(), &key, args);
    let sent = chain.send("delegate", &[set], &owner, &[]).await?;
    let named = (args.delegate != Pubkey::default()).then(|| args.delegate.to_string());
    let done =
        Done { subaccount: key.to_string(), delegate: named, until: args.until, signature: sent.signature.to_string() };
    output::show(global.json, &done, |done| match &done.delegate {
        Some(key) => format!("{key} may act for subaccount {id} until {}; it cannot withdraw", moment(done.until)),
        None => format!("nobody but you may act for subaccount {id}"),
    })
}

//! Reading the exchange from a chain, and sending to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anchor_lang::Discriminator;
use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, anyhow, bail};
use ballast::state::{Exchange, Subaccount};
use ballast_client::events::Event;
use ballast_client::rpc::{AccountData, Fault, Filter, Rpc};
use ballast_client::{Audit, Markets, address, errors};
use ballast_engine::Now;
use ballast_localnet::{SendError, Sender, Sent};
use bytemuck::Pod;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_signer::Signer;

pub(crate) use ballast_client::rpc::ExchangeAccount;

use crate::amount::Scale;
use crate::args::Global;
use crate::config;
use crate::refusal::{Units, limits, told};

/// How long a node has to answer: a local validator may have work of its own.
const PATIENCE: Duration = Duration::from_secs(30);

/// A chain with the program on it.
#[derive(Clone)]
pub(crate) struct Chain {
    /// Sends transactions.
    pub(crate) sender: Sender,
    /// Reads accounts.
    reader: Rpc,
    /// Its address.
    pub(crate) url: String,
    /// What a refusal's numbers are shown by, as far as it is known yet.
    units: Arc<Mutex<Units>>,
}

impl Chain {
    /// The chain at an address. Nothing is sent yet.
    pub(crate) fn at(url: String) -> Self {
        Self { sender: Sender::new(&url), reader: Rpc::with_patience(&url, PATIENCE), url, units: Arc::default() }
    }

    /// The chain that the options name.
    pub(crate) fn open(global: &Global) -> Result<Self> {
        Ok(Self::at(config::url(global)?))
    }

    fn units(&self) -> std::sync::MutexGuard<'_, Units> {
        // Two plain values: no panic leaves them half written.
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a refusal's prices and sizes by this market's decimals from now on.
    pub(crate) fn speak_of(&self, scale: Scale) {
        self.units().scale = Some(scale);
    }

    /// The client underneath.
    pub(crate) fn rpc(&self) -> &RpcClient {
        self.sender.rpc()
    }

    /// A node's failure in words that say what to do.
    fn failure(&self, fault: Fault) -> anyhow::Error {
        match fault {
            Fault::Unreachable { detail, .. } => anyhow!(
                "{} does not answer: {detail}; start one with `ballast localnet`, or give another --url",
                self.url
            ),
            other => anyhow!("{other}"),
        }
    }

    /// Accounts by address, `None` where there is none.
    pub(crate) async fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<AccountData>>> {
        Ok(self.reader.accounts(addresses).await.map_err(|fault| self.failure(fault))?.value)
    }

    /// The account at an address.
    pub(crate) async fn account(&self, address: &Pubkey) -> Result<Option<AccountData>> {
        self.reader.account(address).await.map_err(|fault| self.failure(fault))
    }

    /// The program's account at an address.
    pub(crate) async fn read<T: Discriminator + Pod>(&self, address: &Pubkey) -> Result<Box<T>> {
        self.reader.read(address).await.map_err(|fault| self.failure(fault))
    }

    /// The same, `None` where there is no account of the program's yet.
    pub(crate) async fn find<T: Discriminator + Pod>(&self, address: &Pubkey) -> Result<Option<Box<T>>> {
        self.reader.find(address).await.map_err(|fault| self.failure(fault))
    }

    /// All accounts of a program that pass the filters.
    pub(crate) async fn owned(&self, program: &Pubkey, filters: &[Filter]) -> Result<Vec<(Pubkey, AccountData)>> {
        Ok(self.reader.owned(program, filters).await.map_err(|fault| self.failure(fault))?.value)
    }

    /// All accounts of a kind, with a filter on bytes behind the discriminator.
    pub(crate) async fn all<T: Discriminator + Pod>(&self, at: usize, bytes: &[u8]) -> Result<Vec<(Pubkey, Box<T>)>> {
        self.reader.all(at, bytes).await.map_err(|fault| self.failure(fault))
    }

    /// An owner's subaccounts, by number.
    pub(crate) async fn subaccounts(
        &self,
        exchange: &ExchangeAccount,
        owner: &Pubkey,
    ) -> Result<Vec<(Pubkey, Box<Subaccount>)>> {
        self.reader.subaccounts(&exchange.address, owner).await.map_err(|fault| self.failure(fault))
    }

    /// The exchange of a mint, or the chain's only one.
    pub(crate) async fn exchange(&self, mint: Option<Pubkey>) -> Result<ExchangeAccount> {
        let exchange = self.find_exchange(mint).await?;
        self.units().quote = Some(exchange.state.quote_decimals);
        Ok(exchange)
    }

    async fn find_exchange(&self, mint: Option<Pubkey>) -> Result<ExchangeAccount> {
        if let Some(mint) = mint {
            let address = address::exchange(&mint);
            let state = self.find(&address).await?;
            let state = state.with_context(|| format!("{mint} has no exchange on {}; check --mint", self.url))?;
            return Ok(ExchangeAccount { address, state });
        }
        let mut all = self.all::<Exchange>(0, &[]).await?;
        match (all.pop(), all.is_empty()) {
            (Some((address, state)), true) => Ok(ExchangeAccount { address, state }),
            (None, _) => bail!(
                "there is no exchange on {}; `ballast localnet` starts a validator with one, or give another --url",
                self.url
            ),
            (Some(last), false) => {
                all.push(last);
                let mints: Vec<_> = all.iter().map(|(_, e)| Pubkey::new_from_array(e.mint.0).to_string()).collect();
                bail!("there are {} exchanges; name one's collateral with --mint: {}", mints.len(), mints.join(", "))
            }
        }
    }

    /// An exchange's markets.
    pub(crate) async fn markets(&self, exchange: &ExchangeAccount) -> Result<Markets> {
        self.reader.markets(exchange).await.map_err(|fault| self.failure(fault))
    }

    /// Every account of an exchange and its vault's tokens, added up, from the chain alone.
    pub(crate) async fn audit(&self, exchange: &ExchangeAccount) -> Result<Audit> {
        self.reader.audit(exchange).await.map_err(|fault| self.failure(fault))
    }

    /// The clock as the program sees it.
    pub(crate) async fn now(&self) -> Result<Now> {
        Ok(self.reader.now().await.map_err(|fault| self.failure(fault))?.value)
    }

    /// That a key can pay for a transaction: a validator drops one that its payer has nothing for, without a word.
    pub(crate) async fn check_payer(&self, payer: &Keypair) -> Result<()> {
        let key = payer.pubkey();
        if self.account(&key).await?.is_none_or(|account| account.lamports == 0) {
            bail!(
                "{key} signs and pays, but has no SOL; on a local validator `ballast faucet --to {key}` gives it some"
            );
        }
        Ok(())
    }

    /// Sends, and says in words why it was refused.
    pub(crate) async fn send(
        &self,
        what: &str,
        instructions: &[Instruction],
        payer: &Keypair,
        signers: &[&Keypair],
    ) -> Result<Sent> {
        self.check_payer(payer).await?;
        self.send_on(what, instructions, payer, signers).await
    }

    /// The same for one of many transactions of a payer that has been checked.
    pub(crate) async fn send_on(
        &self,
        what: &str,
        instructions: &[Instruction],
        payer: &Keypair,
        signers: &[&Keypair],
    ) -> Result<Sent> {
        self.sender.send(instructions, payer, signers).await.map_err(|error| self.refusal(what, &error))
    }

    /// A refusal in words that say what to do, its numbers in whole units.
    pub(crate) fn refusal(&self, what: &str, error: &SendError) -> anyhow::Error {
        refusal_in(what, error, *self.units())
    }

    /// What the engine here refuses, in the same words.
    pub(crate) fn fault(&self, fault: &ballast_engine::Fault) -> String {
        told(fault, *self.units())
    }
}

/// Ballast's events of a transaction.
pub(crate) fn events(sent: &Sent) -> impl Iterator<Item = Event> + '_ {
    let ours = sent.details.inner.iter().filter(|inner| inner.program == address::PROGRAM);
    ours.filter_map(|inner| Event::decode(&inner.data))
}

/// Ballast's own reason in a failure, if it was Ballast that refused.
pub(crate) fn reason(error: &SendError) -> Option<ballast_engine::Error> {
    // Other programs number their errors too: the reason is ours only if the last program that failed was ours.
    let failed = error.logs.iter().rev().find(|line| line.contains(" failed: "))?;
    failed.contains(&address::PROGRAM.to_string()).then(|| errors::from_code(error.code?)).flatten()
}

/// A refusal in words that say what to do.
pub(crate) fn refusal(what: &str, error: &SendError) -> anyhow::Error {
    refusal_in(what, error, Units::default())
}

fn refusal_in(what: &str, error: &SendError, units: Units) -> anyhow::Error {
    let Some(reason) = reason(error) else {
        let last = error.logs.iter().rev().find(|l| l.contains("Error") || l.contains("failed"));
        let detail = last.map(|line| format!(" ({line})")).unwrap_or_default();
        return anyhow!("{what}: {error}{detail}");
    };
    let limits = limits(reason, &error.logs, units).map(|text| format!(" [{text}]")).unwrap_or_default();
    anyhow!("{what}: {}: {}{limits}", reason.name(), reason.message())
}

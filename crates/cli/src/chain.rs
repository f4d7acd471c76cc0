//! Reading the exchange from a chain, and sending to it.

use std::sync::{Arc, Mutex, PoisonError};

use anchor_lang::Discriminator;
use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, anyhow, bail};
use ballast::state::{Exchange, Market};
use ballast_client::{Markets, address, decode, errors};
use ballast_engine::Now;
use ballast_localnet::{SendError, Sender, Sent};
use bytemuck::Pod;
use solana_account::Account;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::config::{RpcAccountInfoConfig, RpcProgramAccountsConfig, UiAccountEncoding};
use solana_rpc_client_api::filter::{Memcmp, RpcFilterType};
use solana_sdk_ids::sysvar;
use solana_signer::Signer;

use crate::amount::Scale;
use crate::args::Global;
use crate::config;
use crate::refusal::{Units, limits, told};

/// The most that one getMultipleAccounts takes.
const BATCH: usize = 100;

/// A chain with the program on it.
#[derive(Clone)]
pub(crate) struct Chain {
    /// Sends transactions.
    pub(crate) sender: Sender,
    /// Its address.
    pub(crate) url: String,
    /// What a refusal's numbers are shown by, as far as it is known yet.
    units: Arc<Mutex<Units>>,
}

/// An exchange as it was read.
pub(crate) struct ExchangeAccount {
    /// Its address.
    pub(crate) address: Pubkey,
    /// Its contents.
    pub(crate) state: Box<Exchange>,
}

impl ExchangeAccount {
    /// Its collateral.
    pub(crate) fn mint(&self) -> Pubkey {
        Pubkey::new_from_array(self.state.mint.0)
    }
    /// Its vault.
    pub(crate) fn vault(&self) -> Pubkey {
        Pubkey::new_from_array(self.state.vault.0)
    }
}

impl Chain {
    /// The chain at an address. Nothing is sent yet.
    pub(crate) fn at(url: String) -> Self {
        Self { sender: Sender::new(&url), url, units: Arc::default() }
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

    fn unreachable(&self, error: impl std::fmt::Display) -> anyhow::Error {
        anyhow!("{} does not answer: {error}; start one with `ballast localnet`, or give another --url", self.url)
    }

    /// Accounts by address, `None` where there is none.
    pub(crate) async fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>> {
        let mut accounts = Vec::with_capacity(addresses.len());
        for batch in addresses.chunks(BATCH) {
            let config = RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                commitment: Some(CommitmentConfig::confirmed()),
                ..RpcAccountInfoConfig::default()
            };
            let answer = self.rpc().get_multiple_ui_accounts_with_config(batch, config).await;
            let found = answer.map_err(|error| self.unreachable(error))?.value;
            for account in found {
                accounts.push(account.map(|ui| ui.to_account().context("an account cannot be decoded")).transpose()?);
            }
        }
        Ok(accounts)
    }

    /// The account at an address.
    pub(crate) async fn account(&self, address: &Pubkey) -> Result<Option<Account>> {
        Ok(self.accounts(&[*address]).await?.pop().flatten())
    }

    /// The program's account at an address.
    pub(crate) async fn read<T: Discriminator + Pod>(&self, address: &Pubkey) -> Result<Box<T>> {
        self.find(address).await?.with_context(|| format!("there is no account at {address}; check the address"))
    }

    /// The same, `None` where there is no account.
    pub(crate) async fn find<T: Discriminator + Pod>(&self, address: &Pubkey) -> Result<Option<Box<T>>> {
        let Some(account) = self.account(address).await? else { return Ok(None) };
        if account.owner != address::PROGRAM {
            bail!("{address} does not belong to Ballast; check the address");
        }
        Ok(Some(decode(&account.data).with_context(|| format!("{address}"))?))
    }

    /// All accounts of a program that pass the filters.
    pub(crate) async fn owned(&self, program: &Pubkey, filters: Vec<RpcFilterType>) -> Result<Vec<(Pubkey, Account)>> {
        let config = RpcProgramAccountsConfig {
            filters: (!filters.is_empty()).then_some(filters),
            account_config: RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                commitment: Some(CommitmentConfig::confirmed()),
                ..RpcAccountInfoConfig::default()
            },
            ..RpcProgramAccountsConfig::default()
        };
        let answer = self.rpc().get_program_ui_accounts_with_config(program, config).await;
        let mut accounts = Vec::new();
        for (address, account) in answer.map_err(|error| self.unreachable(error))? {
            let account = account.to_account().with_context(|| format!("{address} cannot be decoded"))?;
            accounts.push((address, account));
        }
        Ok(accounts)
    }

    /// All accounts of a kind, with a filter on bytes behind the discriminator.
    pub(crate) async fn all<T: Discriminator + Pod>(&self, at: usize, bytes: &[u8]) -> Result<Vec<(Pubkey, Box<T>)>> {
        let kind = RpcFilterType::Memcmp(Memcmp::new_raw_bytes(0, T::DISCRIMINATOR.to_vec()));
        let mut filters = vec![kind];
        if !bytes.is_empty() {
            filters.push(RpcFilterType::Memcmp(Memcmp::new_raw_bytes(at + T::DISCRIMINATOR.len(), bytes.to_vec())));
        }
        let accounts = self.owned(&address::PROGRAM, filters).await?;
        accounts
            .into_iter()
            .map(|(address, account)| Ok((address, decode(&account.data).with_context(|| format!("{address}"))?)))
            .collect()
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
        let addresses: Vec<_> =
            (0..exchange.state.markets).map(|index| address::market(&exchange.address, index)).collect();
        let mut markets = Vec::new();
        for account in self.accounts(&addresses).await?.into_iter().flatten() {
            markets.push(decode::<Market>(&account.data)?);
        }
        Ok(markets.into_iter().collect())
    }

    /// The clock as the program sees it.
    pub(crate) async fn now(&self) -> Result<Now> {
        let accounts = self.accounts(&[sysvar::clock::ID, sysvar::last_restart_slot::ID]).await?;
        let word = |account: usize, at: usize| -> Option<[u8; 8]> {
            accounts.get(account)?.as_ref()?.data.get(at..)?.first_chunk().copied()
        };
        // slot, epoch_start_timestamp, epoch, leader_schedule_epoch, unix_timestamp
        let (Some(slot), Some(unix)) = (word(0, 0), word(0, 32)) else {
            bail!("{} has no clock; is it a Solana validator?", self.url)
        };
        Ok(Now {
            slot: u64::from_le_bytes(slot),
            unix: i64::from_le_bytes(unix),
            restart_slot: word(1, 0).map_or(0, u64::from_le_bytes),
        })
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

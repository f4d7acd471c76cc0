//! Reading accounts.

use core::mem::offset_of;

use anchor_lang::prelude::{Pubkey, system_program};
use anchor_lang::{AccountDeserialize, Discriminator};
use ballast::state::{Exchange, Market, Subaccount};
use ballast_engine::Now;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytemuck::Pod;
use price_feed::{PriceFeedMessage, PriceUpdateV2, VerificationLevel};
use serde::Deserialize;
use serde_json::{Value, json};
use solana_rpc_client_api::request::RpcRequest;
use solana_sdk_ids::sysvar;

use super::{At, Fault, Result, Rpc};
use crate::audit::{Audit, audit_exchange};
use crate::instructions::pubkey;
use crate::{Markets, address, decode};

/// The most that one getMultipleAccounts takes.
const BATCH: usize = 100;
/// Where the feed id stands in an account of Pyth's layout that is fully verified.
pub const FEED_ID_OFFSET: usize = 41;

/// An account's bytes and owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountData {
    /// Its lamports; 0 if there is none.
    pub lamports: u64,
    /// The program that owns it.
    pub owner: Pubkey,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// An account with its address, as nodes send it.
#[derive(Debug, Deserialize)]
pub struct Keyed {
    pubkey: String,
    account: Encoded,
}

#[derive(Debug, Deserialize)]
struct Encoded {
    lamports: u64,
    owner: String,
    data: (String, String),
}

/// Bytes that an account must have at a place.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The place.
    pub offset: usize,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// An exchange as it was read.
#[derive(Clone, Debug)]
pub struct ExchangeAccount {
    /// Its address.
    pub address: Pubkey,
    /// Its contents.
    pub state: Box<Exchange>,
}

/// An oracle's account with the price in it.
#[derive(Clone, Debug)]
pub struct OracleAccount {
    /// Its address.
    pub address: Pubkey,
    /// Its price.
    pub message: PriceFeedMessage,
    /// The slot it was posted in.
    pub posted_slot: u64,
}

impl ExchangeAccount {
    /// Its collateral.
    pub fn mint(&self) -> Pubkey {
        pubkey(&self.state.mint)
    }
    /// Its vault.
    pub fn vault(&self) -> Pubkey {
        pubkey(&self.state.vault)
    }
}

impl Filter {
    /// Accounts of a kind.
    pub fn kind<T: Discriminator>() -> Self {
        Self { offset: 0, bytes: T::DISCRIMINATOR.to_vec() }
    }

    /// As a node wants it.
    pub fn json(&self) -> Value {
        json!({ "memcmp": { "offset": self.offset, "bytes": bs58::encode(&self.bytes).into_string(), "encoding": "base58" } })
    }
}

impl Keyed {
    /// The address and the account.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for what is no account.
    pub fn decode(self) -> Result<(Pubkey, AccountData)> {
        Ok((key(&self.pubkey)?, self.account.decode()?))
    }
}

impl Encoded {
    fn decode(self) -> Result<AccountData> {
        let data = BASE64_STANDARD.decode(self.data.0.as_bytes());
        let data = data.map_err(|error| Fault::Invalid(format!("an account's bytes are no base64: {error}")))?;
        Ok(AccountData { lamports: self.lamports, owner: key(&self.owner)?, data })
    }
}

fn key(text: &str) -> Result<Pubkey> {
    text.parse().map_err(|_| Fault::Invalid(format!("{text} is no address")))
}

/// The price in an oracle's account; `None` where it is not fully verified or something else.
pub fn oracle_message(data: &[u8]) -> Option<(PriceFeedMessage, u64)> {
    let update = PriceUpdateV2::try_deserialize(&mut &*data).ok()?;
    (update.verification_level == VerificationLevel::Full).then_some((update.price_message, update.posted_slot))
}

impl Rpc {
    /// Accounts by address, `None` where there is none. The slot is the oldest of the answers'.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn accounts(&self, addresses: &[Pubkey]) -> Result<At<Vec<Option<AccountData>>>> {
        let mut all = At { slot: u64::MAX, value: Vec::with_capacity(addresses.len()) };
        for batch in addresses.chunks(BATCH) {
            let keys: Vec<String> = batch.iter().map(Pubkey::to_string).collect();
            let params = json!([keys, { "encoding": "base64", "commitment": "confirmed" }]);
            let found: At<Vec<Option<Encoded>>> = self.ask_at(RpcRequest::GetMultipleAccounts, params).await?;
            all.slot = all.slot.min(found.slot);
            for account in found.value {
                all.value.push(account.map(Encoded::decode).transpose()?);
            }
        }
        if all.value.len() != addresses.len() {
            return Err(Fault::Invalid(format!("{} left accounts out of its answer", self.url())));
        }
        Ok(all)
    }

    /// The account at an address.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn account(&self, address: &Pubkey) -> Result<Option<AccountData>> {
        Ok(self.accounts(&[*address]).await?.value.pop().flatten())
    }

    /// All accounts of a program that pass the filters, with the slot of the answer.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn owned(&self, program: &Pubkey, filters: &[Filter]) -> Result<At<Vec<(Pubkey, AccountData)>>> {
        let filters: Vec<Value> = filters.iter().map(Filter::json).collect();
        let mut config = json!({ "encoding": "base64", "commitment": "confirmed", "withContext": true });
        if !filters.is_empty() {
            config["filters"] = Value::Array(filters);
        }
        let params = json!([program.to_string(), config]);
        let found: At<Vec<Keyed>> = self.ask_at(RpcRequest::GetProgramAccounts, params).await?;
        let value = found.value.into_iter().map(Keyed::decode).collect::<Result<_>>()?;
        Ok(At { slot: found.slot, value })
    }

    /// The program's account at an address.
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault`].
    pub async fn read<T: Discriminator + Pod>(&self, address: &Pubkey) -> Result<Box<T>> {
        self.find(address).await?.ok_or_else(|| Fault::Missing(address.to_string()))
    }

    /// The same, `None` where there is no account: also where somebody has only sent lamports to its address.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for an account of another kind, [`Fault`].
    pub async fn find<T: Discriminator + Pod>(&self, address: &Pubkey) -> Result<Option<Box<T>>> {
        let Some(account) = self.account(address).await? else { return Ok(None) };
        if account.owner == system_program::ID && account.data.is_empty() {
            return Ok(None);
        }
        if account.owner != address::PROGRAM {
            return Err(Fault::Invalid(format!("{address} does not belong to Ballast; check the address")));
        }
        decode(&account.data).map(Some).map_err(|error| Fault::Invalid(format!("{address}: {error}")))
    }

    /// All accounts of a kind, with a filter on bytes behind the discriminator.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn all<T: Discriminator + Pod>(&self, at: usize, bytes: &[u8]) -> Result<Vec<(Pubkey, Box<T>)>> {
        let mut filters = vec![Filter::kind::<T>()];
        if !bytes.is_empty() {
            filters.push(Filter { offset: at + T::DISCRIMINATOR.len(), bytes: bytes.to_vec() });
        }
        let found = self.owned(&address::PROGRAM, &filters).await?.value;
        let decoded = |(key, account): (Pubkey, AccountData)| match decode(&account.data) {
            Ok(value) => Ok((key, value)),
            Err(error) => Err(Fault::Invalid(format!("{key}: {error}"))),
        };
        found.into_iter().map(decoded).collect()
    }

    /// The exchange of a mint, or the chain's only one.
    ///
    /// # Errors
    /// [`Fault::Missing`] where there is none, [`Fault::Invalid`] where a mint must be named, [`Fault`].
    pub async fn exchange(&self, mint: Option<Pubkey>) -> Result<ExchangeAccount> {
        if let Some(mint) = mint {
            let address = address::exchange(&mint);
            return Ok(ExchangeAccount { address, state: self.read(&address).await? });
        }
        let mut all = self.all::<Exchange>(0, &[]).await?;
        match (all.pop(), all.len()) {
            (Some((address, state)), 0) => Ok(ExchangeAccount { address, state }),
            (None, _) => Err(Fault::Invalid(format!("there is no exchange on {}", self.url()))),
            (Some(_), others) => {
                Err(Fault::Invalid(format!("there are {} exchanges; name one's collateral", others + 1)))
            }
        }
    }

    /// An exchange's markets.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn markets(&self, exchange: &ExchangeAccount) -> Result<Markets> {
        let address = |index| address::market(&exchange.address, index);
        let addresses: Vec<_> = (0..exchange.state.markets).map(address).collect();
        let mut markets = Vec::new();
        for account in self.accounts(&addresses).await?.value.into_iter().flatten() {
            let market = decode::<Market>(&account.data);
            markets.push(market.map_err(|error| Fault::Invalid(format!("a market: {error}")))?);
        }
        Ok(markets.into_iter().collect())
    }

    /// An owner's subaccounts on an exchange.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn subaccounts(&self, exchange: &Pubkey, owner: &Pubkey) -> Result<Vec<(Pubkey, Box<Subaccount>)>> {
        let mut found = self.all::<Subaccount>(offset_of!(Subaccount, owner), owner.as_ref()).await?;
        found.retain(|(_, account)| account.exchange.0 == exchange.to_bytes());
        found.sort_by_key(|(_, account)| account.id);
        Ok(found)
    }

    /// The clock as the program sees it.
    ///
    /// # Errors
    /// [`Fault::Invalid`] where there is none, [`Fault`].
    pub async fn now(&self) -> Result<At<Now>> {
        let found = self.accounts(&[sysvar::clock::ID, sysvar::last_restart_slot::ID]).await?;
        let word = |account: usize, at: usize| -> Option<[u8; 8]> {
            found.value.get(account)?.as_ref()?.data.get(at..)?.first_chunk().copied()
        };
        // slot, epoch_start_timestamp, epoch, leader_schedule_epoch, unix_timestamp
        let (Some(slot), Some(unix)) = (word(0, 0), word(0, 32)) else {
            return Err(Fault::Invalid(format!("{} has no clock; is it a Solana validator?", self.url())));
        };
        let now = Now {
            slot: u64::from_le_bytes(slot),
            unix: i64::from_le_bytes(unix),
            restart_slot: word(1, 0).map_or(0, u64::from_le_bytes),
        };
        Ok(At { slot: found.slot, value: now })
    }

    /// The accounts of a market's oracle program that hold its feed, the newest price last; of equally new ones the
    /// sponsored account's.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn oracles(&self, market: &Market) -> Result<Vec<OracleAccount>> {
        let filter = Filter { offset: FEED_ID_OFFSET, bytes: market.feed_id.0.to_vec() };
        let found = self.owned(&pubkey(&market.oracle_program), &[filter]).await?.value;
        let mut oracles: Vec<_> = found
            .into_iter()
            .filter_map(|(address, account)| {
                let (message, posted_slot) = oracle_message(&account.data)?;
                Some(OracleAccount { address, message, posted_slot })
            })
            .collect();
        let sponsored = address::sponsored_oracle(&market.feed_id.0);
        oracles.sort_by_key(|oracle| (oracle.message.publish_time, oracle.address == sponsored));
        Ok(oracles)
    }

    /// Every account of an exchange and its vault's tokens, added up.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn audit(&self, exchange: &ExchangeAccount) -> Result<Audit> {
        let found = self.owned(&address::PROGRAM, &[]).await?.value;
        let mut accounts: Vec<_> = found.into_iter().map(|(key, account)| (key, account.data)).collect();
        for index in 0..exchange.state.markets {
            let mint = address::lp_mint(&address::market(&exchange.address, index));
            let account = self.account(&mint).await?.ok_or_else(|| Fault::Missing(mint.to_string()))?;
            accounts.push((mint, account.data));
        }
        let vault = exchange.vault();
        let account = self.account(&vault).await?.ok_or_else(|| Fault::Missing(vault.to_string()))?;
        let amount = account.data.get(64..).and_then(|rest| rest.first_chunk()).map(|bytes| u64::from_le_bytes(*bytes));
        let amount = amount.ok_or_else(|| Fault::Invalid(format!("vault {vault} is no token account")))?;
        Ok(audit_exchange(&exchange.address, accounts, amount))
    }
}

//! An asynchronous client of one node: reads the exchange, simulates, sends, follows what became of a transaction.
//!
//! Everything is at confirmed commitment. Each answer that has one carries the slot it was true in, so that a caller with
//! several nodes can tell one that lags behind. What can go wrong is a [`Fault`], by what can be done about it.

mod fault;
mod read;
mod send;
pub mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::request::RpcRequest;

pub use fault::{Fault, Refusal, Result};
pub use read::{AccountData, ExchangeAccount, FEED_ID_OFFSET, Filter, Keyed, OracleAccount, oracle_message};
pub use send::{Blockhash, Fees, Landed, PACKET, Simulated, Standing, sign, size, unit_limit, unit_price};

/// How long a node has to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node. Cheap to clone.
#[derive(Clone)]
pub struct Rpc {
    client: Arc<RpcClient>,
    url: String,
}

/// An answer with the slot it was true in.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The slot.
    pub slot: u64,
    /// The answer.
    pub value: T,
}

#[derive(Deserialize)]
struct Context {
    slot: u64,
}

#[derive(Deserialize)]
struct Contexted<T> {
    context: Context,
    value: T,
}

impl Rpc {
    /// The node at an address. Nothing is sent yet.
    pub fn new(url: impl Into<String>) -> Self {
        Self::with_patience(url, PATIENCE)
    }

    /// The same with another limit on the time it has to answer.
    pub fn with_patience(url: impl Into<String>, patience: Duration) -> Self {
        let url = url.into();
        let client = RpcClient::new_with_timeout_and_commitment(url.clone(), patience, CommitmentConfig::confirmed());
        Self { client: Arc::new(client), url }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The client underneath, for what this one does not do.
    pub fn inner(&self) -> &RpcClient {
        &self.client
    }

    async fn ask<T: DeserializeOwned>(&self, request: RpcRequest, params: Value) -> Result<T> {
        self.client.send(request, params).await.map_err(|error| Fault::of(&self.url, &error))
    }

    async fn ask_at<T: DeserializeOwned>(&self, request: RpcRequest, params: Value) -> Result<At<T>> {
        let Contexted { context, value } = self.ask(request, params).await?;
        Ok(At { slot: context.slot, value })
    }

    /// The newest confirmed slot.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn slot(&self) -> Result<u64> {
        self.client.get_slot().await.map_err(|error| Fault::of(&self.url, &error))
    }
}

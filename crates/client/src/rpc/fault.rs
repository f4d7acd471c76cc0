//! What can go wrong, by what can be done about it.

use ballast_engine::Error;
use solana_rpc_client_api::client_error::{Error as ClientError, ErrorKind};
use solana_rpc_client_api::request::{RpcError, RpcResponseErrorData};
use solana_transaction_error::TransactionError;

use crate::{address, errors};

/// The result of asking a node.
pub type Result<T> = std::result::Result<T, Fault>;

/// JSON-RPC codes by which nodes say that they lag behind or are not healthy.
const UNHEALTHY: [i64; 2] = [-32_005, -32_016];

/// JSON-RPC codes of a node's internal error, and those that it gives to its own troubles.
const INTERNAL: i64 = -32_603;
const SERVER: std::ops::RangeInclusive<i64> = -32_099..=-32_000;

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// No answer, or not one that makes sense: another node may have one, and so may this one later.
    #[error("{url} does not answer: {detail}")]
    Unreachable {
        /// The node.
        url: String,
        /// What happened.
        detail: String,
    },
    /// Too many requests: ask later.
    #[error("{url} answers no more requests for now")]
    Limited {
        /// The node.
        url: String,
    },
    /// The node lags behind: ask another one.
    #[error("{url} lags behind: {detail}")]
    Behind {
        /// The node.
        url: String,
        /// What it says.
        detail: String,
    },
    /// The chain refused the transaction.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The transaction's blockhash is too old or not known yet: sign anew.
    #[error("the blockhash is too old, or not known there yet")]
    Blockhash,
    /// There is no such account.
    #[error("there is no account at {0}; check the address")]
    Missing(String),
    /// What was read or asked for makes no sense; trying again does not help.
    #[error("{0}")]
    Invalid(String),
}

/// Why the chain refused a transaction.
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    /// Ballast's reason, if it was Ballast that refused.
    pub reason: Option<Error>,
    /// The custom error code, whoever's.
    pub code: Option<u32>,
    /// Which instruction failed, counted with those that set the compute budget.
    pub instruction: Option<u8>,
    /// The runtime's error.
    pub error: Option<TransactionError>,
    /// Compute units used.
    pub units: u64,
    /// The logs, as far as known.
    pub logs: Vec<String>,
}

impl Fault {
    /// Whether the same request may succeed later or elsewhere.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Limited { .. } | Self::Behind { .. } | Self::Blockhash)
    }

    /// Ballast's reason, if it was Ballast that refused.
    pub fn reason(&self) -> Option<Error> {
        match self {
            Self::Refused(refusal) => refusal.reason,
            _ => None,
        }
    }

    pub(crate) fn of(url: &str, error: &ClientError) -> Self {
        let url = url.to_owned();
        match error.kind() {
            ErrorKind::RpcError(RpcError::RpcResponseError { code, message, data }) => {
                if let RpcResponseErrorData::SendTransactionPreflightFailure(result) = data
                    && let Some(cause) = result.err.clone()
                {
                    return Self::refused(
                        cause.into(),
                        result.logs.clone().unwrap_or_default(),
                        result.units_consumed.unwrap_or_default(),
                    );
                }
                if message.to_lowercase().replace(' ', "").contains("blockhashnotfound") {
                    return Self::Blockhash;
                }
                if UNHEALTHY.contains(code) {
                    return Self::Behind { url, detail: message.clone() };
                }
                // Of the node's own making, not of the request's.
                if *code == INTERNAL || SERVER.contains(code) {
                    return Self::Unreachable { url, detail: message.clone() };
                }
                Self::Invalid(format!("{url}: {message}"))
            }
            ErrorKind::TransactionError(cause) => Self::refused(cause.clone(), Vec::new(), 0),
            ErrorKind::Reqwest(error) if error.status().is_some_and(|status| status.as_u16() == 429) => {
                Self::Limited { url }
            }
            ErrorKind::SigningError(error) => Self::Invalid(error.to_string()),
            other => Self::Unreachable { url, detail: other.to_string() },
        }
    }

    /// A transaction's error as a fault.
    pub fn refused(error: TransactionError, logs: Vec<String>, units: u64) -> Self {
        use solana_instruction::error::InstructionError;
        if error == TransactionError::BlockhashNotFound {
            return Self::Blockhash;
        }
        let (instruction, code) = match &error {
            TransactionError::InstructionError(index, InstructionError::Custom(code)) => (Some(*index), Some(*code)),
            TransactionError::InstructionError(index, _) => (Some(*index), None),
            _ => (None, None),
        };
        // Other programs number their errors too: the reason is ours only if the last program that failed was ours.
        let failed = logs.iter().rev().find(|line| line.contains(" failed: "));
        let ours = failed.is_some_and(|line| line.contains(&address::PROGRAM.to_string()));
        let reason = code.filter(|_| ours).and_then(errors::from_code);
        Self::Refused(Box::new(Refusal { reason, code, instruction, error: Some(error), units, logs }))
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(reason) = self.reason else {
            match &self.error {
                Some(error) => write!(f, "refused: {error}")?,
                None => write!(f, "refused")?,
            }
            let said = self.logs.iter().rev().find(|line| line.contains("Error") || line.contains(" failed: "));
            return said.map_or(Ok(()), |line| write!(f, " ({line})"));
        };
        write!(f, "{}: {}", reason.name(), reason.message())?;
        // "Name: limit 5, value 7", as the program logs it.
        let limits = self.logs.iter().find(|line| line.contains(reason.name()) && line.contains("limit"));
        let numbers = limits.and_then(|line| line.split_once("limit "));
        numbers.map_or(Ok(()), |(_, numbers)| write!(f, " [limit {numbers}]"))
    }
}

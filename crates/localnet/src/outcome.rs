//! What became of a transaction, read from either validator's answers.

use solana_instruction::error::InstructionError;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::client_error::{Error as ClientError, ErrorKind};
use solana_rpc_client_api::request::{RpcError, RpcResponseErrorData};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::option_serializer::OptionSerializer;
use solana_transaction_status_client_types::{UiInstruction, UiTransactionStatusMeta};

/// What a confirmed transaction did.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its signature.
    pub signature: Signature,
    /// The slot it landed in.
    pub slot: u64,
    /// The rest; empty when [`crate::SendOptions::details`] is off.
    pub details: Details,
}

/// What a transaction's metadata says.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// Compute units consumed, the compute budget instruction's 150 included.
    pub units: u64,
    /// The fee paid, in lamports.
    pub fee: u64,
    /// The program logs.
    pub logs: Vec<String>,
    /// Instructions that programs invoked, in order.
    pub inner: Vec<Inner>,
}

/// An instruction invoked by a program.
#[derive(Debug, Clone)]
pub struct Inner {
    /// Which of the caller's instructions it belongs to.
    pub instruction: usize,
    /// The program invoked.
    pub program: Pubkey,
    /// Its accounts.
    pub accounts: Vec<Pubkey>,
    /// Its data. An Anchor CPI event is here, behind its 8-byte tag.
    pub data: Vec<u8>,
}

/// Why a transaction did not succeed. Boxed, as it is larger than what success returns.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct SendError(pub Box<Failure>);

impl std::ops::Deref for SendError {
    type Target = Failure;
    fn deref(&self) -> &Failure {
        &self.0
    }
}

/// The parts of a [`SendError`].
#[derive(Debug, Clone, Default)]
pub struct Failure {
    /// The program's own error code.
    pub code: Option<u32>,
    /// Which of the caller's instructions failed.
    pub instruction: Option<usize>,
    /// The runtime's error.
    pub error: Option<TransactionError>,
    /// The signature, if the transaction landed and failed on chain.
    pub signature: Option<Signature>,
    /// Compute units, if the transaction landed.
    pub units: Option<u64>,
    /// The program logs, as far as known.
    pub logs: Vec<String>,
    /// In words.
    pub message: String,
}

/// What a refused submission means.
pub(crate) enum Trouble {
    /// Its blockhash is too old, or not yet known there: sign anew.
    Expired(SendError),
    /// It may have arrived all the same: only the very same transaction may be sent again.
    Unanswered(SendError),
    Fatal(SendError),
}

pub(crate) fn classify(error: &ClientError) -> Result<(), Trouble> {
    if let ErrorKind::RpcError(RpcError::RpcResponseError { message, data, .. }) = error.kind() {
        if let RpcResponseErrorData::SendTransactionPreflightFailure(result) = data
            && let Some(cause) = result.err.clone()
        {
            let cause: TransactionError = cause.into();
            return match cause {
                TransactionError::AlreadyProcessed => Ok(()),
                TransactionError::BlockhashNotFound => Err(Trouble::Expired(from_transaction_error(cause, Vec::new()))),
                _ => Err(Trouble::Fatal(from_transaction_error(cause, result.logs.clone().unwrap_or_default()))),
            };
        }
        if message.contains("already been processed") {
            return Ok(());
        }
        let described = failure(format!("the validator refused the transaction: {message}"));
        return Err(match message.contains("lockhash not found") || message.contains("lockhashNotFound") {
            true => Trouble::Expired(described),
            false => Trouble::Fatal(described),
        });
    }
    Err(Trouble::Unanswered(failure(format!("not sent: {error}; check that the validator runs"))))
}

pub(crate) fn from_transaction_error(error: TransactionError, logs: Vec<String>) -> SendError {
    let (instruction, code) = match &error {
        TransactionError::InstructionError(index, InstructionError::Custom(code)) => {
            (Some(usize::from(*index)), Some(*code))
        }
        TransactionError::InstructionError(index, _) => (Some(usize::from(*index)), None),
        _ => (None, None),
    };
    let message = error.to_string();
    SendError(Box::new(Failure { code, instruction, error: Some(error), logs, message, ..Failure::default() }))
}

/// Counts in the caller's instructions, and says in words what failed.
pub(crate) fn renumber(mut error: SendError, added: usize) -> SendError {
    let failed = &mut *error.0;
    failed.instruction = failed.instruction.map(|index| index.saturating_sub(added));
    let last = failed.logs.iter().rev().find(|line| line.starts_with("Program log: "));
    if let (Some(cause), Some(index)) = (&failed.error, failed.instruction) {
        failed.message = match cause {
            TransactionError::InstructionError(_, inner) => format!("instruction {index}: {inner}"),
            other => other.to_string(),
        };
        if let Some(line) = last {
            failed.message += &format!(" ({})", line.trim_start_matches("Program log: "));
        }
    }
    error
}

pub(crate) fn parse(meta: UiTransactionStatusMeta, transaction: &VersionedTransaction, added: usize) -> Details {
    let mut keys = transaction.message.static_account_keys().to_vec();
    if let OptionSerializer::Some(loaded) = &meta.loaded_addresses {
        keys.extend(loaded.writable.iter().chain(&loaded.readonly).filter_map(|key| key.parse::<Pubkey>().ok()));
    }
    let key = |index: u8| keys.get(usize::from(index)).copied().unwrap_or_default();
    let mut inner = Vec::new();
    for outer in Option::from(meta.inner_instructions).unwrap_or_else(Vec::new) {
        for instruction in outer.instructions {
            // Base64 answers are never parsed ones.
            let UiInstruction::Compiled(instruction) = instruction else { continue };
            inner.push(Inner {
                instruction: usize::from(outer.index).saturating_sub(added),
                program: key(instruction.program_id_index),
                accounts: instruction.accounts.iter().map(|index| key(*index)).collect(),
                data: bs58::decode(instruction.data).into_vec().unwrap_or_default(),
            });
        }
    }
    Details {
        units: Option::from(meta.compute_units_consumed).unwrap_or_default(),
        fee: meta.fee,
        logs: Option::from(meta.log_messages).unwrap_or_default(),
        inner,
    }
}

pub(crate) fn failure(message: impl Into<String>) -> SendError {
    SendError(Box::new(Failure { message: message.into(), ..Failure::default() }))
}

//! Submits transactions and waits for them, with the same code on either validator.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_instruction::error::InstructionError;
use solana_keypair::Keypair;
use solana_message::{AddressLookupTableAccount, VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::client_error::{Error as ClientError, ErrorKind};
use solana_rpc_client_api::config::{RpcSendTransactionConfig, RpcTransactionConfig};
use solana_rpc_client_api::request::{RpcError, RpcResponseErrorData};
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::option_serializer::OptionSerializer;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, TransactionStatus, UiInstruction, UiTransactionEncoding,
    UiTransactionStatusMeta,
};
use tokio::sync::{Mutex, mpsc, oneshot};

/// A blockhash is used for this long. Shorter than any validator's 150 blocks, long enough not to count.
const BLOCKHASH_AGE: Duration = Duration::from_millis(200);
/// Between two looks at the pending signatures.
const POLL: Duration = Duration::from_millis(2);
/// The most that one getSignatureStatuses takes.
const POLL_BATCH: usize = 256;
/// A transaction not seen for this long is submitted again, in case the validator dropped it.
const RESUBMIT: Duration = Duration::from_secs(2);
/// After this the blockhash counts as expired and the transaction is signed anew.
const EXPIRY: Duration = Duration::from_secs(75);
/// How often a transaction is signed anew, or a refused connection tried again.
const ATTEMPTS: u32 = 5;
const MAX_UNITS: u32 = 1_400_000;
/// Unit limits are lowered by a running number below this, which keeps equal transactions apart.
const SALT: u32 = 10_000;

/// What a confirmed transaction did.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its signature.
    pub signature: Signature,
    /// The slot it landed in.
    pub slot: u64,
    /// The rest; empty when [`SendOptions::details`] is off.
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

/// How to send.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// Simulate before sending, so that what would fail is not sent. Off by default: a failure then lands, pays its
    /// fee, and shows its logs and units like any other transaction.
    pub preflight: bool,
    /// Fetch units, logs and inner instructions: one more request.
    pub details: bool,
    /// The compute unit limit. Reduced by up to 10,000, see [`Sender`]. Ignored if the instructions set their own.
    pub unit_limit: u32,
    /// Address lookup tables to compress accounts with.
    pub tables: Vec<AddressLookupTableAccount>,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { preflight: false, details: true, unit_limit: MAX_UNITS, tables: Vec::new() }
    }
}

/// Sends transactions, any number at a time. Cheap to clone.
///
/// All in flight share one cached blockhash and one poll of signature statuses. Since two equal transactions under
/// one blockhash would be the same transaction, each gets a compute unit limit that differs from the last one's,
/// unless its instructions set a limit themselves; such callers must keep their transactions apart.
#[derive(Clone)]
pub struct Sender {
    rpc: Arc<RpcClient>,
    blockhash: Arc<Mutex<Option<(Hash, Instant)>>>,
    salt: Arc<AtomicU32>,
    watch: mpsc::UnboundedSender<Watched>,
}

type Watched = (Signature, oneshot::Sender<TransactionStatus>);

impl Sender {
    /// A sender to the RPC at `url`, at confirmed commitment. Must be called on a tokio runtime.
    pub fn new(url: &str) -> Self {
        Self::with_client(Arc::new(RpcClient::new_with_commitment(url.to_owned(), CommitmentConfig::confirmed())))
    }

    /// A sender over an existing client.
    pub fn with_client(rpc: Arc<RpcClient>) -> Self {
        let (watch, watched) = mpsc::unbounded_channel();
        tokio::spawn(poll(rpc.clone(), watched));
        Self { rpc, blockhash: Arc::default(), salt: Arc::default(), watch }
    }

    /// The client underneath.
    pub fn rpc(&self) -> &RpcClient {
        &self.rpc
    }

    /// Sends and waits until confirmed. `signers` are those beside the payer.
    pub async fn send(
        &self,
        instructions: &[Instruction],
        payer: &Keypair,
        signers: &[&Keypair],
    ) -> Result<Sent, SendError> {
        self.send_with(instructions, payer, signers, &SendOptions::default()).await
    }

    /// [`Sender::send`] with options.
    pub async fn send_with(
        &self,
        instructions: &[Instruction],
        payer: &Keypair,
        signers: &[&Keypair],
        options: &SendOptions,
    ) -> Result<Sent, SendError> {
        let limited = instructions.iter().any(|ix| ix.program_id == solana_sdk_ids::compute_budget::ID);
        // The caller counts its own instructions, not the one put before them.
        let added = usize::from(!limited);
        let mut last = failure("the transaction was not sent; call it a defect");
        for attempt in 0..ATTEMPTS {
            let blockhash = self.blockhash(attempt > 0).await?;
            let mut all = Vec::with_capacity(instructions.len() + 1);
            if !limited {
                let salt = self.salt.fetch_add(1, Ordering::Relaxed) % SALT;
                all.push(unit_limit(options.unit_limit.min(MAX_UNITS).saturating_sub(salt).max(1)));
            }
            all.extend_from_slice(instructions);
            let transaction = sign(&all, payer, signers, &options.tables, blockhash)?;
            match self.submit_and_wait(&transaction, options.preflight).await {
                Ok(status) => return self.finish(&transaction, status, added, options.details).await,
                Err(Trouble::Fatal(error)) => return Err(renumber(error, added)),
                Err(Trouble::Again(error)) => {
                    tracing::debug!(%error, attempt, "sending again");
                    last = error;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        Err(last)
    }

    async fn blockhash(&self, fresh: bool) -> Result<Hash, SendError> {
        let mut cached = self.blockhash.lock().await;
        match *cached {
            Some((hash, at)) if !fresh && at.elapsed() < BLOCKHASH_AGE => Ok(hash),
            _ => {
                let hash = self.rpc.get_latest_blockhash().await.map_err(|error| {
                    failure(format!("no blockhash: {error}; check that the validator runs at {}", self.rpc.url()))
                })?;
                *cached = Some((hash, Instant::now()));
                Ok(hash)
            }
        }
    }

    async fn submit_and_wait(
        &self,
        transaction: &VersionedTransaction,
        preflight: bool,
    ) -> Result<TransactionStatus, Trouble> {
        let (sender, mut landed) = oneshot::channel();
        let begun = Instant::now();
        self.submit(transaction, preflight).await?;
        let _ = self.watch.send((transaction.signatures[0], sender));
        while begun.elapsed() < EXPIRY {
            match tokio::time::timeout(RESUBMIT, &mut landed).await {
                Ok(Ok(status)) => return Ok(status),
                Ok(Err(_)) => return Err(Trouble::Fatal(failure("the sender's runtime has ended; make a new Sender"))),
                Err(_) => self.submit(transaction, false).await?,
            }
        }
        Err(Trouble::Again(failure(format!(
            "{} was not confirmed within {EXPIRY:?}; check that the validator makes blocks",
            transaction.signatures[0]
        ))))
    }

    async fn submit(&self, transaction: &VersionedTransaction, preflight: bool) -> Result<(), Trouble> {
        let config = RpcSendTransactionConfig {
            skip_preflight: !preflight,
            preflight_commitment: Some(CommitmentLevel::Processed),
            encoding: Some(UiTransactionEncoding::Base64),
            max_retries: None,
            min_context_slot: None,
        };
        match self.rpc.send_transaction_with_config(transaction, config).await {
            Ok(_) => Ok(()),
            Err(error) => classify(&error),
        }
    }

    async fn finish(
        &self,
        transaction: &VersionedTransaction,
        status: TransactionStatus,
        added: usize,
        wanted: bool,
    ) -> Result<Sent, SendError> {
        let signature = transaction.signatures[0];
        let failed = status.err.clone();
        let details = match wanted || failed.is_some() {
            true => self.details(transaction, added).await?,
            false => Details::default(),
        };
        let Some(error) = failed else {
            return Ok(Sent { signature, slot: status.slot, details });
        };
        let mut failed = from_transaction_error(error, details.logs);
        failed.0.signature = Some(signature);
        failed.0.units = Some(details.units);
        Err(renumber(failed, added))
    }

    async fn details(&self, transaction: &VersionedTransaction, added: usize) -> Result<Details, SendError> {
        let signature = transaction.signatures[0];
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(0),
        };
        let begun = Instant::now();
        loop {
            // Agave confirms a transaction a moment before its metadata can be read.
            match self.rpc.get_transaction_with_config(&signature, config).await {
                Ok(EncodedConfirmedTransactionWithStatusMeta { transaction: encoded, .. }) => {
                    return Ok(encoded.meta.map(|meta| parse(meta, transaction, added)).unwrap_or_default());
                }
                Err(_) if begun.elapsed() < Duration::from_secs(10) => tokio::time::sleep(POLL * 5).await,
                Err(error) => {
                    return Err(failure(format!(
                        "{signature} is confirmed, but its metadata cannot be read: {error}; \
                         check that the validator keeps transaction history"
                    )));
                }
            }
        }
    }
}

/// Sends one transaction without keeping a [`Sender`]. For more than a few, keep one: it saves two requests each.
pub async fn send(
    url: &str,
    instructions: &[Instruction],
    payer: &Keypair,
    signers: &[&Keypair],
) -> Result<Sent, SendError> {
    Sender::new(url).send(instructions, payer, signers).await
}

enum Trouble {
    Again(SendError),
    Fatal(SendError),
}

/// Asks for all pending signatures at once. Ends when the last [`Sender`] is gone.
async fn poll(rpc: Arc<RpcClient>, mut watched: mpsc::UnboundedReceiver<Watched>) {
    let mut pending: HashMap<Signature, oneshot::Sender<TransactionStatus>> = HashMap::new();
    loop {
        if pending.is_empty() {
            match watched.recv().await {
                Some((signature, reply)) => drop(pending.insert(signature, reply)),
                None => return,
            }
        }
        while let Ok((signature, reply)) = watched.try_recv() {
            pending.insert(signature, reply);
        }
        pending.retain(|_, reply| !reply.is_closed());
        let signatures: Vec<_> = pending.keys().copied().collect();
        for batch in signatures.chunks(POLL_BATCH) {
            match rpc.get_signature_statuses(batch).await {
                Ok(response) => {
                    for (signature, status) in batch.iter().zip(response.value) {
                        let Some(status) = status else { continue };
                        if status.satisfies_commitment(CommitmentConfig::confirmed())
                            && let Some(reply) = pending.remove(signature)
                        {
                            let _ = reply.send(status);
                        }
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "statuses not read; asking again");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

fn sign(
    instructions: &[Instruction],
    payer: &Keypair,
    signers: &[&Keypair],
    tables: &[AddressLookupTableAccount],
    blockhash: Hash,
) -> Result<VersionedTransaction, SendError> {
    let message = v0::Message::try_compile(&payer.pubkey(), instructions, tables, blockhash)
        .map_err(|error| failure(format!("the instructions do not fit one message: {error}; use fewer accounts")))?;
    let mut keys = vec![payer];
    keys.extend(signers.iter().filter(|signer| signer.pubkey() != payer.pubkey()));
    VersionedTransaction::try_new(VersionedMessage::V0(message), &keys)
        .map_err(|error| failure(format!("not signed: {error}; pass exactly the signers the instructions name")))
}

fn unit_limit(units: u32) -> Instruction {
    let mut data = vec![2];
    data.extend_from_slice(&units.to_le_bytes());
    Instruction { program_id: solana_sdk_ids::compute_budget::ID, accounts: Vec::new(), data }
}

fn classify(error: &ClientError) -> Result<(), Trouble> {
    if let ErrorKind::RpcError(RpcError::RpcResponseError { message, data, .. }) = error.kind() {
        if let RpcResponseErrorData::SendTransactionPreflightFailure(result) = data
            && let Some(cause) = result.err.clone()
        {
            let cause: TransactionError = cause.into();
            return match cause {
                TransactionError::AlreadyProcessed => Ok(()),
                TransactionError::BlockhashNotFound => Err(Trouble::Again(from_transaction_error(cause, Vec::new()))),
                _ => Err(Trouble::Fatal(from_transaction_error(cause, result.logs.clone().unwrap_or_default()))),
            };
        }
        if message.contains("already been processed") {
            return Ok(());
        }
        let described = failure(format!("the validator refused the transaction: {message}"));
        return Err(match message.contains("lockhash not found") || message.contains("lockhashNotFound") {
            true => Trouble::Again(described),
            false => Trouble::Fatal(described),
        });
    }
    Err(Trouble::Again(failure(format!("not sent: {error}; check that the validator runs"))))
}

fn from_transaction_error(error: TransactionError, logs: Vec<String>) -> SendError {
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
fn renumber(mut error: SendError, added: usize) -> SendError {
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

fn parse(meta: UiTransactionStatusMeta, transaction: &VersionedTransaction, added: usize) -> Details {
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

fn failure(message: impl Into<String>) -> SendError {
    SendError(Box::new(Failure { message: message.into(), ..Failure::default() }))
}

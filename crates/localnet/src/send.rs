//! Submits transactions and waits for them, with the same code on either validator.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{AddressLookupTableAccount, VersionedMessage, v0};
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::config::{RpcSendTransactionConfig, RpcTransactionConfig};
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, TransactionStatus, UiTransactionEncoding,
};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::outcome::{Details, SendError, Sent, Trouble, classify, failure, from_transaction_error, parse, renumber};

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
/// Before the next of them.
const PAUSE: Duration = Duration::from_millis(100);
const MAX_UNITS: u32 = 1_400_000;
/// Unit limits are lowered by a running number below this, which keeps equal transactions apart.
const SALT: u32 = 10_000;

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
        let (mut last, begun) = (failure("not sent"), Instant::now());
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
                Err(Trouble::Expired(error)) => {
                    tracing::debug!(%error, attempt, "signing anew");
                    last = error;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Trouble::Unanswered(error) | Trouble::Fatal(error)) => return Err(renumber(error, added)),
            }
        }
        last.0.message += &format!("; tried {ATTEMPTS} times, {} s in all", begun.elapsed().as_secs());
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
        let mut tries = 0;
        loop {
            match self.submit(transaction, preflight).await {
                Ok(()) => break,
                Err(Trouble::Unanswered(error)) if tries < ATTEMPTS => {
                    tracing::debug!(%error, tries, "submitting again");
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                // An earlier try may have landed, so it must not be signed anew before it has expired for certain.
                Err(Trouble::Expired(_)) if tries > 0 => break,
                Err(trouble) => return Err(trouble),
            }
        }
        let _ = self.watch.send((transaction.signatures[0], sender));
        while begun.elapsed() < EXPIRY {
            match tokio::time::timeout(RESUBMIT, &mut landed).await {
                Ok(Ok(status)) => return Ok(status),
                Ok(Err(_)) => return Err(Trouble::Fatal(failure("the sender's runtime has ended; make a new Sender"))),
                // Refusals count for nothing here: the first one was accepted.
                Err(_) => drop(self.submit(transaction, false).await),
            }
        }
        Err(Trouble::Expired(failure(format!(
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

    /// What a confirmed transaction did, whoever sent it, with its own instructions as far as their data goes.
    ///
    /// # Errors
    /// If its record cannot be read; the inner error is the transaction's own.
    pub async fn look_up(
        &self,
        signature: &Signature,
    ) -> Result<(Vec<Instruction>, Result<Sent, SendError>), SendError> {
        let found = self.record(signature).await?;
        let transaction = found.transaction.transaction.decode();
        let transaction = transaction.ok_or_else(|| failure(format!("{signature} cannot be decoded")))?;
        let message = &transaction.message;
        let keys = message.static_account_keys();
        let instructions = message.instructions().iter().map(|compiled| Instruction {
            program_id: keys.get(usize::from(compiled.program_id_index)).copied().unwrap_or_default(),
            accounts: Vec::new(),
            data: compiled.data.clone(),
        });
        let instructions = instructions.collect();
        let Some(meta) = found.transaction.meta else {
            return Err(failure(format!("{signature} has no metadata")));
        };
        let error = meta.err.clone();
        let details = parse(meta, &transaction, 0);
        let result = match error {
            None => Ok(Sent { signature: *signature, slot: found.slot, details }),
            Some(error) => Err(from_transaction_error(error.into(), details.logs)),
        };
        Ok((instructions, result))
    }

    async fn details(&self, transaction: &VersionedTransaction, added: usize) -> Result<Details, SendError> {
        let found = self.record(&transaction.signatures[0]).await?;
        Ok(found.transaction.meta.map(|meta| parse(meta, transaction, added)).unwrap_or_default())
    }

    async fn record(&self, signature: &Signature) -> Result<EncodedConfirmedTransactionWithStatusMeta, SendError> {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(0),
        };
        let begun = Instant::now();
        loop {
            // Agave confirms a transaction a moment before its metadata can be read.
            match self.rpc.get_transaction_with_config(signature, config).await {
                Ok(found) => return Ok(found),
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

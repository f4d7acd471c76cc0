//! Simulating, signing, sending, and what became of it.

use anchor_lang::prelude::Pubkey;
use serde::Deserialize;
use serde_json::json;
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{AddressLookupTableAccount, VersionedMessage, v0};
use solana_rpc_client_api::config::{RpcSendTransactionConfig, RpcSimulateTransactionConfig, RpcTransactionConfig};
use solana_rpc_client_api::request::RpcRequest;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::option_serializer::OptionSerializer;
use solana_transaction_status_client_types::{
    UiInnerInstructions, UiInstruction, UiParsedInstruction, UiTransactionEncoding,
};

use super::{Fault, Result, Rpc};
use crate::events::Event;

/// The most bytes that a transaction may have.
pub const PACKET: usize = 1_232;
/// The most that one getSignatureStatuses takes.
const STATUSES: usize = 256;

/// A recent blockhash, and how long it is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blockhash {
    /// The hash.
    pub hash: Hash,
    /// A transaction with it can land up to this block height.
    pub last_height: u64,
    /// The slot it was read in.
    pub slot: u64,
}

/// What a transaction would do.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// The slot it was tried in.
    pub slot: u64,
    /// Compute units.
    pub units: u64,
    /// Ballast's events.
    pub events: Vec<Event>,
}

/// What a transaction did that is on the chain.
#[derive(Clone, Debug)]
pub struct Landed {
    /// Its slot.
    pub slot: u64,
    /// Compute units.
    pub units: u64,
    /// The fee paid, lamports.
    pub fee: u64,
    /// Ballast's events; none if it failed.
    pub events: Vec<Event>,
    /// Why it failed, if it did: it paid its fee all the same.
    pub failed: Option<Fault>,
}

/// What a node knows of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Unknown,
    /// In a block that is not confirmed yet.
    Processed,
    /// Confirmed, with the error if it failed.
    Confirmed {
        /// Its slot.
        slot: u64,
        /// Why it failed, if it did.
        error: Option<TransactionError>,
    },
}

/// Recent priority fees over some accounts, micro-lamports per compute unit, lowest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fees(pub Vec<u64>);

impl Fees {
    /// The one below which so many percent of them lie; 0 where there are none.
    pub fn percentile(&self, percent: u8) -> u64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * usize::from(percent.min(100)) / 100).copied().unwrap_or(0)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecentFee {
    prioritization_fee: u64,
}

/// A compute budget instruction: at most so many units.
pub fn unit_limit(units: u32) -> Instruction {
    budget([&[2][..], &units.to_le_bytes()].concat())
}

/// A compute budget instruction: so many micro-lamports per unit on top of the base fee.
pub fn unit_price(micro_lamports: u64) -> Instruction {
    budget([&[3][..], &micro_lamports.to_le_bytes()].concat())
}

fn budget(data: Vec<u8>) -> Instruction {
    Instruction { program_id: solana_sdk_ids::compute_budget::ID, accounts: Vec::new(), data }
}

/// Bytes of a transaction that the payer alone signs; [`PACKET`] at most can be sent. `None` for instructions that do not fit
/// one message at all.
pub fn size(instructions: &[Instruction], payer: &Pubkey, tables: &[AddressLookupTableAccount]) -> Option<usize> {
    let message = v0::Message::try_compile(payer, instructions, tables, Hash::default()).ok()?;
    // One signature, and how many there are.
    Some(VersionedMessage::V0(message).serialize().len() + 65)
}

/// A signed version 0 transaction. `signers` are those beside the payer.
///
/// # Errors
/// [`Fault::Invalid`] where the instructions do not fit one message or a signer is missing.
pub fn sign(
    instructions: &[Instruction],
    payer: &Keypair,
    signers: &[&Keypair],
    tables: &[AddressLookupTableAccount],
    blockhash: Hash,
) -> Result<VersionedTransaction> {
    let message = v0::Message::try_compile(&payer.pubkey(), instructions, tables, blockhash)
        .map_err(|error| Fault::Invalid(format!("the instructions do not fit one message: {error}")))?;
    let mut keys = vec![payer];
    keys.extend(signers.iter().filter(|signer| signer.pubkey() != payer.pubkey()));
    VersionedTransaction::try_new(VersionedMessage::V0(message), &keys)
        .map_err(|error| Fault::Invalid(format!("not signed: {error}")))
}

impl Rpc {
    /// A recent blockhash.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn blockhash(&self) -> Result<Blockhash> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Latest {
            blockhash: String,
            last_valid_block_height: u64,
        }
        let params = json!([{ "commitment": "confirmed" }]);
        let latest = self.ask_at::<Latest>(RpcRequest::GetLatestBlockhash, params).await?;
        let hash = latest.value.blockhash.parse();
        let hash = hash.map_err(|_| Fault::Invalid(format!("{} sent no blockhash", self.url())))?;
        Ok(Blockhash { hash, last_height: latest.value.last_valid_block_height, slot: latest.slot })
    }

    /// The height of the newest confirmed block.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn block_height(&self) -> Result<u64> {
        self.ask(RpcRequest::GetBlockHeight, json!([{ "commitment": "confirmed" }])).await
    }

    /// Tries a transaction on the newest state, whatever its blockhash and signatures.
    ///
    /// # Errors
    /// [`Fault::Refused`] if it would fail, [`Fault`].
    pub async fn simulate(&self, transaction: &VersionedTransaction) -> Result<Simulated> {
        let config = RpcSimulateTransactionConfig {
            sig_verify: false,
            replace_recent_blockhash: true,
            commitment: Some(CommitmentConfig::processed()),
            encoding: Some(UiTransactionEncoding::Base64),
            inner_instructions: true,
            ..RpcSimulateTransactionConfig::default()
        };
        let answer = self.inner().simulate_transaction_with_config(transaction, config).await;
        let answer = answer.map_err(|error| Fault::of(self.url(), &error))?;
        let (slot, result) = (answer.context.slot, answer.value);
        let units = result.units_consumed.unwrap_or_default();
        if let Some(error) = result.err {
            return Err(Fault::refused(error.into(), result.logs.unwrap_or_default(), units));
        }
        Ok(Simulated { slot, units, events: events(&result.inner_instructions.unwrap_or_default()) })
    }

    /// What instructions would do now, without anybody's signature: for what others are to sign.
    ///
    /// # Errors
    /// As [`Rpc::simulate`].
    pub async fn simulate_unsigned(&self, instructions: &[Instruction], payer: &Pubkey) -> Result<Simulated> {
        let message = v0::Message::try_compile(payer, instructions, &[], Hash::default())
            .map_err(|error| Fault::Invalid(error.to_string()))?;
        let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
        self.simulate(&VersionedTransaction { signatures, message: VersionedMessage::V0(message) }).await
    }

    /// Hands a transaction to the node, without a preflight. Handing the same one over twice does no harm.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn submit(&self, transaction: &VersionedTransaction) -> Result<()> {
        let config = RpcSendTransactionConfig {
            skip_preflight: true,
            preflight_commitment: Some(CommitmentLevel::Processed),
            encoding: Some(UiTransactionEncoding::Base64),
            max_retries: Some(0),
            min_context_slot: None,
        };
        match self.inner().send_transaction_with_config(transaction, config).await {
            Ok(_) => Ok(()),
            Err(error) if error.to_string().contains("already been processed") => Ok(()),
            Err(error) => match Fault::of(self.url(), &error) {
                Fault::Refused(refusal) if refusal.error == Some(TransactionError::AlreadyProcessed) => Ok(()),
                fault => Err(fault),
            },
        }
    }

    /// What the node knows of signatures, in their order.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn standings(&self, signatures: &[Signature]) -> Result<Vec<Standing>> {
        let mut all = Vec::with_capacity(signatures.len());
        for batch in signatures.chunks(STATUSES) {
            let answer = self.inner().get_signature_statuses(batch).await;
            let answer = answer.map_err(|error| Fault::of(self.url(), &error))?.value;
            for status in answer {
                all.push(match status {
                    None => Standing::Unknown,
                    Some(status) if status.satisfies_commitment(CommitmentConfig::confirmed()) => {
                        Standing::Confirmed { slot: status.slot, error: status.err }
                    }
                    Some(_) => Standing::Processed,
                });
            }
        }
        Ok(all)
    }

    /// What a confirmed transaction did: fee, units, Ballast's events; `None` where the node does not know it (yet).
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn landed(&self, signature: &Signature) -> Result<Option<Landed>> {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(0),
        };
        let found = match self.inner().get_transaction_with_config(signature, config).await {
            Ok(found) => found,
            Err(error) => {
                let fault = Fault::of(self.url(), &error);
                // Nodes answer null for what they do not know, which is no transaction to the client underneath.
                let unknown = matches!(error.kind(), solana_rpc_client_api::client_error::ErrorKind::SerdeJson(_));
                return if unknown { Ok(None) } else { Err(fault) };
            }
        };
        let Some(meta) = found.transaction.meta else { return Ok(None) };
        let units = Option::from(meta.compute_units_consumed).unwrap_or_default();
        let logs: Vec<String> = Option::from(meta.log_messages).unwrap_or_default();
        let failed = meta.err.map(|error| Fault::refused(error.into(), logs, units));
        let inner = match meta.inner_instructions {
            OptionSerializer::Some(inner) => inner,
            _ => Vec::new(),
        };
        let events = if failed.is_none() { events(&inner) } else { Vec::new() };
        Ok(Some(Landed { slot: found.slot, units, fee: meta.fee, events, failed }))
    }

    /// Recent priority fees of transactions that wrote any of these accounts.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn recent_fees(&self, writable: &[Pubkey]) -> Result<Fees> {
        let keys: Vec<String> = writable.iter().map(Pubkey::to_string).collect();
        let recent: Vec<RecentFee> = self.ask(RpcRequest::GetRecentPrioritizationFees, json!([keys])).await?;
        let mut fees: Vec<u64> = recent.into_iter().map(|fee| fee.prioritization_fee).collect();
        fees.sort_unstable();
        Ok(Fees(fees))
    }

    /// Simulates, signs with a limit from the simulation, sends, and waits until confirmed; signed anew when its
    /// blockhash expires. For tools and examples: a keeper wants more say in fees and in what happens meanwhile.
    ///
    /// # Errors
    /// [`Fault::Refused`] also for a transaction that landed and failed; [`Fault`].
    pub async fn send(
        &self,
        instructions: &[Instruction],
        payer: &Keypair,
        signers: &[&Keypair],
        tables: &[AddressLookupTableAccount],
    ) -> Result<(Signature, Landed)> {
        use std::time::Duration;
        for _ in 0..3 {
            let blockhash = self.blockhash().await?;
            let all = |units: u32| [&[unit_limit(units)], instructions].concat();
            let trial = sign(&all(1_400_000), payer, signers, tables, blockhash.hash)?;
            let units = self.simulate(&trial).await?.units;
            let limit = u32::try_from(units + units / 5 + 1_000).unwrap_or(1_400_000).min(1_400_000);
            let transaction = sign(&all(limit), payer, signers, tables, blockhash.hash)?;
            let signature = transaction.signatures[0];
            let mut looks = 0_u32;
            loop {
                if looks.is_multiple_of(20) {
                    match self.submit(&transaction).await {
                        // An earlier try may have landed.
                        Err(Fault::Blockhash) if looks > 0 => {}
                        other => other?,
                    }
                }
                looks += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
                let standing = self.standings(&[signature]).await?.pop().unwrap_or(Standing::Unknown);
                if matches!(standing, Standing::Confirmed { .. })
                    && let Some(landed) = self.landed(&signature).await?
                {
                    return match landed.failed {
                        Some(fault) => Err(fault),
                        None => Ok((signature, landed)),
                    };
                }
                if standing == Standing::Unknown
                    && looks.is_multiple_of(20)
                    && self.block_height().await? > blockhash.last_height
                    && self.standings(&[signature]).await? == [Standing::Unknown]
                {
                    break;
                }
            }
        }
        Err(Fault::Blockhash)
    }
}

/// Ballast's events among inner instructions, in order.
fn events(inner: &[UiInnerInstructions]) -> Vec<Event> {
    // A record has them compiled, a simulation parsed: of a program that the node does not know, the data as it is.
    let data = inner.iter().flat_map(|outer| &outer.instructions).filter_map(|instruction| match instruction {
        UiInstruction::Compiled(compiled) => Some(&compiled.data),
        UiInstruction::Parsed(UiParsedInstruction::PartiallyDecoded(partly)) => Some(&partly.data),
        UiInstruction::Parsed(UiParsedInstruction::Parsed(_)) => None,
    });
    data.filter_map(|data| Event::decode(&bs58::decode(data).into_vec().ok()?)).collect()
}

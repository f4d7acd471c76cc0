//! A chain in the process: programs, clock, transactions, and what they cost.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anchor_lang::compat::solana_sysvar::last_restart_slot::LastRestartSlot;
use anchor_lang::prelude::{Clock, Pubkey};
use ballast_client::{errors, events::Event};
use ballast_engine::{Error, Now};
use litesvm::LiteSVM;
use litesvm::types::TransactionMetadata;
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage};
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;

use crate::bank::Twin;

/// What a transaction that went through did.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Compute units of the whole transaction.
    pub units: u64,
    /// Its logs.
    pub logs: Vec<String>,
    /// Ballast's events.
    pub events: Vec<Event>,
}

/// Why a transaction was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Ballast's reason, if it was Ballast that refused.
    pub error: Option<Error>,
    /// The custom error code, if there is one.
    pub code: Option<u32>,
    /// The runtime's words.
    pub message: String,
    /// Logs.
    pub logs: Vec<String>,
}

/// A chain in the process.
pub struct World {
    /// The machine.
    pub svm: LiteSVM,
    /// Pays for everything.
    pub payer: Keypair,
    /// May upgrade the program, hence create exchanges.
    pub upgrade_authority: Keypair,
    /// Compute units by instruction, where a test recorded them.
    pub units: BTreeMap<String, Vec<u64>>,
    /// Another runtime that runs in step with it.
    pub twin: Option<Box<dyn Twin>>,
}

impl Clone for World {
    fn clone(&self) -> Self {
        Self {
            svm: self.svm.clone(),
            payer: self.payer.insecure_clone(),
            upgrade_authority: self.upgrade_authority.insecure_clone(),
            units: self.units.clone(),
            twin: self.twin.as_ref().map(|twin| twin.fork(&self.svm)),
        }
    }
}

/// What became of a transaction.
pub type Outcome = Result<Sent, Box<Refused>>;

/// What a test expects of an [`Outcome`].
pub trait Expect {
    /// What it did.
    ///
    /// # Panics
    /// With the logs, if it was refused.
    fn must(self) -> Sent;
    /// Why it was refused, which must be for this reason of Ballast's.
    ///
    /// # Panics
    /// With the logs, if it went through or was refused for another reason.
    fn fails(self, error: Error) -> Box<Refused>;
}

impl Expect for Outcome {
    #[track_caller]
    fn must(self) -> Sent {
        match self {
            Ok(sent) => sent,
            Err(refused) => panic!("refused: {refused}"),
        }
    }
    #[track_caller]
    fn fails(self, error: Error) -> Box<Refused> {
        match self {
            Ok(sent) => panic!("{} expected, but it went through:\n{}", error.name(), sent.logs.join("\n")),
            Err(refused) if refused.error == Some(error) => refused,
            Err(refused) => panic!("{} expected, but: {refused}", error.name()),
        }
    }
}

/// The one event of a kind in what a transaction did: `event!(sent, Traded).fee`.
#[macro_export]
macro_rules! event {
    ($sent:expr, $kind:ident) => {{
        let sent: $crate::Sent = $sent;
        let mut found: Vec<_> = Vec::new();
        for event in &sent.events {
            if let ballast_client::events::Event::$kind(event) = event {
                found.push(event.clone());
            }
        }
        assert_eq!(found.len(), 1, "one {} among {:?}", stringify!($kind), sent.events);
        found.remove(0)
    }};
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.error.map_or("not by Ballast", Error::name);
        write!(f, "{name}, {}\n{}", self.message, self.logs.join("\n"))
    }
}

/// When every world begins, Unix seconds.
pub const START: i64 = 1_700_000_000;

/// A key pair that is the same in every run, so that addresses and compute units are too.
pub fn fixed_key(name: &str) -> Keypair {
    let mut seed = [0_u8; 32];
    for (place, byte) in seed.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    Keypair::new_from_array(seed)
}

/// The folder of the programs' files: `BALLAST_SBF_DIR`, or `target/deploy`.
pub fn program_dir() -> PathBuf {
    std::env::var_os("BALLAST_SBF_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/deploy")), PathBuf::from)
}

/// A program's file.
///
/// # Panics
/// If it was not built.
pub fn program_bytes(name: &str) -> Vec<u8> {
    let path = program_dir().join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; run scripts/build-program first", path.display()))
}

/// The bytes of a ProgramData account with its upgrade authority set.
pub fn with_authority(mut data: Vec<u8>, authority: &Pubkey) -> Vec<u8> {
    data[12] = 1;
    data[13..45].copy_from_slice(authority.as_ref());
    data
}

impl World {
    /// A chain with both programs loaded.
    ///
    /// # Panics
    /// If the programs were not built or cannot be loaded.
    pub fn new() -> Self {
        let mut svm = LiteSVM::new().with_log_bytes_limit(None).with_transaction_history(0);
        let payer = fixed_key("payer");
        let upgrade_authority = fixed_key("upgrade authority");
        svm.add_program(ballast::ID, &program_bytes("ballast.so")).expect("ballast.so loads");
        svm.add_program(price_feed::ID, &program_bytes("price_feed.so")).expect("price_feed.so loads");
        let address = ballast_client::address::program_data();
        let mut data = svm.get_account(&address).expect("program data");
        data.data = with_authority(data.data, &upgrade_authority.pubkey());
        svm.set_account(address, data).expect("program data with its authority");
        let mut world = Self { svm, payer, upgrade_authority, units: BTreeMap::new(), twin: None };
        let slot = world.now().slot;
        world.set_clock(START, slot);
        for key in [world.payer.pubkey(), world.upgrade_authority.pubkey()] {
            world.give(key, 1_000_000_000_000_000);
        }
        world
    }

    /// The clock as the program sees it.
    pub fn now(&self) -> Now {
        let clock = self.svm.get_sysvar::<Clock>();
        let restart = self.svm.get_sysvar::<LastRestartSlot>().last_restart_slot;
        Now { unix: clock.unix_timestamp, slot: clock.slot, restart_slot: restart }
    }

    /// Sets the clock.
    pub fn set_clock(&mut self, unix: i64, slot: u64) {
        let mut clock = self.svm.get_sysvar::<Clock>();
        clock.unix_timestamp = unix;
        clock.slot = slot;
        self.svm.set_sysvar(&clock);
        if let Some(twin) = &mut self.twin {
            twin.set_clock(&clock);
        }
    }

    /// Moves the clock by seconds, slots with it at 400 ms each.
    pub fn advance(&mut self, seconds: i64) {
        let now = self.now();
        let slots = u64::try_from(seconds).expect("time goes forward") * 5 / 2;
        self.set_clock(now.unix + seconds, now.slot + slots);
    }

    /// Moves the clock by slots, and seconds with it, rounded down.
    pub fn advance_slots(&mut self, slots: u64) {
        let now = self.now();
        self.set_clock(now.unix + i64::try_from(slots * 2 / 5).expect("small"), now.slot + slots);
    }

    /// Says that the cluster restarted at a slot.
    pub fn set_restart_slot(&mut self, slot: u64) {
        self.svm.set_sysvar(&LastRestartSlot { last_restart_slot: slot });
        if let Some(twin) = &mut self.twin {
            twin.set_restart_slot(slot);
        }
    }

    /// Sends instructions in one transaction, paid by the payer.
    ///
    /// # Errors
    /// [`Refused`] with the reason.
    pub fn send(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> Outcome {
        // A fresh blockhash each time: the same instruction may be sent twice.
        self.svm.expire_blockhash();
        let message =
            Message::new_with_blockhash(instructions, Some(&self.payer.pubkey()), &self.svm.latest_blockhash());
        let mut keys: Vec<&Keypair> = vec![&self.payer];
        for key in signers {
            if keys.iter().all(|k| k.pubkey() != key.pubkey()) {
                keys.push(key);
            }
        }
        let transaction = VersionedTransaction::try_new(VersionedMessage::Legacy(message), &keys)
            .map_err(|e| Box::new(Refused { error: None, code: None, message: e.to_string(), logs: vec![] }))?;
        let outcome = match self.svm.send_transaction(transaction) {
            Ok(meta) => Ok(sent(&meta)),
            Err(failed) => Err(Box::new(refused(failed.err, failed.meta.logs))),
        };
        self.in_step(outcome, instructions, signers)
    }

    /// Sends one instruction and records its compute units under a name.
    ///
    /// # Errors
    /// [`Refused`] with the reason.
    pub fn measure(&mut self, name: &str, instruction: Instruction, signers: &[&Keypair]) -> Outcome {
        let sent = self.send(&[instruction], signers)?;
        self.record(name, sent.units);
        Ok(sent)
    }

    /// Records compute units under a name.
    pub fn record(&mut self, name: &str, units: u64) {
        self.units.entry(name.to_owned()).or_default().push(units);
    }

    /// Decodes an account.
    ///
    /// # Panics
    /// If it does not exist or is another kind of account.
    pub fn read<T: anchor_lang::Discriminator + bytemuck::Pod>(&self, address: &Pubkey) -> Box<T> {
        let account = self.svm.get_account(address).unwrap_or_else(|| panic!("{address} does not exist"));
        ballast_client::decode(&account.data).unwrap_or_else(|e| panic!("{address}: {e}"))
    }

    /// Overwrites an account's bytes: for states that only a fault or an older version could have left.
    ///
    /// # Panics
    /// If the account does not exist.
    pub fn write<T: anchor_lang::Discriminator + bytemuck::Pod>(&mut self, address: &Pubkey, value: &T) {
        let mut account = self.svm.get_account(address).expect("exists");
        account.data = ballast_client::accounts::encode(value);
        self.set_account(*address, account);
    }

    /// Puts an account there.
    pub fn set_account(&mut self, address: Pubkey, account: Account) {
        if let Some(twin) = &mut self.twin {
            twin.set_account(&address, &account);
        }
        self.svm.set_account(address, account).expect("set");
    }

    /// Gives an address so many lamports, in place of what it had.
    pub fn give(&mut self, address: Pubkey, lamports: u64) {
        let account = self.svm.get_account(&address).unwrap_or_default();
        self.set_account(address, Account { lamports, ..account });
    }

    /// Tokens in a token account.
    pub fn tokens(&self, address: &Pubkey) -> u64 {
        let account = self.svm.get_account(address);
        account.and_then(|a| Some(u64::from_le_bytes(*a.data.get(64..)?.first_chunk()?))).unwrap_or(0)
    }

    /// Whether there is an account.
    pub fn exists(&self, address: &Pubkey) -> bool {
        self.svm.get_account(address).is_some_and(|a| a.lamports > 0)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

fn sent(meta: &TransactionMetadata) -> Sent {
    let events =
        meta.inner_instructions.iter().flatten().filter_map(|inner| Event::decode(&inner.instruction.data)).collect();
    Sent { units: meta.compute_units_consumed, logs: meta.logs.clone(), events }
}

/// Reads a refusal: Ballast's reason, if it was Ballast that refused.
pub fn refused(error: impl std::fmt::Debug, logs: Vec<String>) -> Refused {
    let message = format!("{error:?}");
    let code =
        message.split("Custom(").nth(1).and_then(|rest| rest.split(')').next()).and_then(|digits| digits.parse().ok());
    // Other programs number their errors too: the reason is ours only if the last program that failed was ours.
    let ours =
        logs.iter().rev().find(|l| l.contains(" failed: ")).is_some_and(|l| l.contains(&ballast::ID.to_string()));
    let error = code.filter(|_| ours).and_then(errors::from_code);
    Refused { error, code, message, logs }
}

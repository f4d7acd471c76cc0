//! A real Agave bank in step with the harness's LiteSVM.

use std::sync::LazyLock;
use std::time::Duration;

use anchor_lang::compat::solana_sysvar::last_restart_slot::LastRestartSlot;
use anchor_lang::prelude::{Clock, Pubkey};
use ballast_tests::bank::Twin;
use ballast_tests::world::refused;
use ballast_tests::{Outcome, Refused, Sent, Setup, Terms};
use litesvm::LiteSVM;
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage};
use solana_program_test::tokio::runtime::{Builder, Runtime};
use solana_program_test::tokio::time::sleep;
use solana_program_test::{ProgramTest, ProgramTestContext};
use solana_signer::Signer as _;
use solana_transaction::versioned::VersionedTransaction;

/// All banks of the process share it.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"));

pub(crate) struct Bank {
    context: ProgramTestContext,
}

impl Bank {
    /// A bank with a machine's programs, clock and accounts. What the cluster itself brings (token program, system
    /// accounts) is the bank's own.
    pub(crate) fn of(svm: &LiteSVM) -> Self {
        let mut test = ProgramTest::default();
        test.prefer_bpf(true);
        let code = [ballast::ID, price_feed::ID, test_multisig::ID];
        let programs = code.map(|program| program_data(&program));
        let kept =
            [ballast::ID, price_feed::ID, test_multisig::ID, anchor_spl::token::ID, anchor_lang::system_program::ID];
        for (address, account) in &svm.accounts_db().inner {
            let mut account = Account::from(account.clone());
            if programs.contains(address) {
                // Deployed before the bank began: else it is not visible yet.
                account.data[4..12].fill(0);
            }
            let empty_system = account.owner == anchor_lang::system_program::ID && account.lamports == 0;
            let buffer = account.owner == LOADER && account.data.starts_with(&[1, 0, 0, 0]);
            if code.contains(address)
                || buffer
                || programs.contains(address)
                || (kept.contains(&account.owner) && !account.executable && !empty_system)
            {
                test.add_account(*address, account);
            }
        }
        let mut bank = Self { context: RUNTIME.block_on(test.start_with_context()) };
        bank.set_clock(&svm.get_sysvar::<Clock>());
        bank.set_restart_slot(svm.get_sysvar::<LastRestartSlot>().last_restart_slot);
        bank
    }

    /// A blockhash that no transaction has used: the same instruction may be sent twice.
    async fn fresh_blockhash(context: &mut ProgramTestContext) {
        loop {
            let latest = context.banks_client.get_latest_blockhash().await.expect("a blockhash");
            if latest != context.last_blockhash {
                context.last_blockhash = latest;
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// A standard exchange on a bank; see [`ballast_tests::Setup`].
pub(crate) fn on_bank(terms: &Terms) -> Setup {
    let mut setup = Setup::with(terms);
    setup.world.twin = Some(Box::new(Bank::of(&setup.world.svm)));
    setup
}

/// The upgradeable loader.
const LOADER: Pubkey = Pubkey::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");

fn program_data(program: &Pubkey) -> Pubkey {
    Pubkey::find_program_address(&[program.as_ref()], &LOADER).0
}

impl Twin for Bank {
    fn fork(&self, svm: &LiteSVM) -> Box<dyn Twin> {
        Box::new(Self::of(svm))
    }

    fn send(&mut self, instructions: &[Instruction], payer: &Keypair, signers: &[&Keypair]) -> Outcome {
        let context = &mut self.context;
        RUNTIME.block_on(async {
            Self::fresh_blockhash(context).await;
            let message = Message::new_with_blockhash(instructions, Some(&payer.pubkey()), &context.last_blockhash);
            let mut keys = vec![payer];
            for key in signers {
                if keys.iter().all(|k| k.pubkey() != key.pubkey()) {
                    keys.push(key);
                }
            }
            let transaction = VersionedTransaction::try_new(VersionedMessage::Legacy(message), &keys)
                .map_err(|e| Box::new(Refused { error: None, code: None, message: e.to_string(), logs: vec![] }))?;
            let done =
                context.banks_client.process_transaction_with_metadata(transaction).await.expect("the bank answers");
            let (units, logs) = done.metadata.map_or((0, vec![]), |m| (m.compute_units_consumed, m.log_messages));
            match done.result {
                Ok(()) => Ok(Sent { units, logs, events: vec![] }),
                Err(error) => Err(Box::new(refused(error, logs))),
            }
        })
    }

    fn account(&mut self, address: &Pubkey) -> Option<Account> {
        RUNTIME.block_on(self.context.banks_client.get_account(*address)).expect("the bank answers")
    }

    fn set_account(&mut self, address: &Pubkey, account: &Account) {
        self.context.set_account(address, &account.clone().into());
    }

    fn set_clock(&mut self, clock: &Clock) {
        self.context.set_sysvar(clock);
    }

    fn set_restart_slot(&mut self, slot: u64) {
        self.context.set_sysvar(&LastRestartSlot { last_restart_slot: slot });
    }

    fn slot(&mut self) -> u64 {
        RUNTIME.block_on(self.context.banks_client.get_root_slot()).expect("the bank answers").max(1)
    }
}

//! The program upgrades itself through its timelock on real validators.
//!
//! The week that an upgrade waits cannot pass there: the exchange and a proposal that is ripe are in the first ledger, as
//! the harness made them by real instructions, with their times moved. From there on all is the validator's: its loader,
//! its cache of programs, its rule for which accounts of a transaction are writable.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use ballast_client::{address, instructions as ix, loader};
use ballast_localnet::{Config, Kind, Localnet, ProgramFile, Sender};
use ballast_tests::upgrading::{LOGGED, SMALL, digest_of, next_program};
use ballast_tests::world::{fixed_key, program_bytes, program_dir};
use ballast_tests::{Expect as _, Setup};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{SOL, agave_is_asked_for};

const DAY: i64 = 86_400;
/// Offset of the code in a program's data account.
const HEADER: usize = 45;

/// A validator with an exchange whose timelock is in charge of the program, a ripe proposal to upgrade it, and who pays.
struct Stage {
    net: Localnet,
    sender: Sender,
    setup: Setup,
    ripe: Pubkey,
    payer: Keypair,
}

async fn stage(kind: Kind) -> Result<Stage> {
    let (setup, ripe) = tokio::task::spawn_blocking(ripe).await?;
    let payer = Keypair::new();
    let program = |id, file: &str, authority| ProgramFile {
        id,
        path: program_dir().join(file),
        upgrade_authority: Some(authority),
    };
    let kept = [ripe, setup.exchange, setup.mint, setup.vault, address::proposal(&setup.exchange, 0)];
    let account = |key: Pubkey| -> Result<(Pubkey, Account)> {
        Ok((key, setup.world.svm.get_account(&key).with_context(|| format!("the harness has no {key}"))?))
    };
    let mut accounts = kept.map(account).into_iter().collect::<Result<Vec<_>>>()?;
    accounts.push(account(address::upgrade(&ripe))?);
    let config = Config {
        kind,
        programs: vec![
            program(address::PROGRAM, "ballast.so", setup.timelock()),
            program(price_feed::ID, SMALL, payer.pubkey()),
        ],
        accounts,
        fund: vec![(payer.pubkey(), 1_000 * SOL), (setup.governance.pubkey(), SOL), (setup.guardian.pubkey(), SOL)],
        ..Config::default()
    };
    let net = Localnet::start(config).await?;
    let sender = Sender::new(&net.rpc_url());
    Ok(Stage { net, sender, setup, ripe, payer })
}

/// The exchange, and the buffer of a proposal whose delay ended a day ago.
fn ripe() -> (Setup, Pubkey) {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()).expect("fits");
    let mut setup = Setup::bare();
    setup.take_upgrade_authority().must();
    let buffer = setup.buffer("buffer", &next_program());
    let id = setup.queue_upgrade(&buffer).expect("queued");
    let mut proposal = setup.proposal(id);
    let terms = &mut proposal.terms;
    let moved = now - DAY - terms.eta;
    for time in [&mut terms.queued_at, &mut terms.eta, &mut terms.expires_at] {
        *time += moved;
    }
    setup.world.write(&address::proposal(&setup.exchange, id), &*proposal);
    (setup, buffer)
}

impl Stage {
    /// The program's code and who may upgrade it.
    async fn deployed(&self) -> Result<(Vec<u8>, Option<Pubkey>)> {
        let data = self.sender.rpc().get_account_data(&address::program_data()).await?;
        Ok((data[HEADER..].to_vec(), loader::upgrade_authority_in(&data)))
    }

    /// Whether a call of the program logs a word: it is refused for its accounts, after it has said its name.
    async fn says(&self, word: &str) -> bool {
        let update = ix::update_market(&self.payer.pubkey(), &self.payer.pubkey());
        let refused = self.sender.send(&[update], &self.payer, &[]).await.expect_err("no market");
        refused.logs.iter().any(|line| line.contains(word))
    }

    async fn sends(&self, instruction: Instruction, signers: &[&Keypair]) -> Result<()> {
        self.sender.send(&[instruction], &self.payer, signers).await?;
        Ok(())
    }
}

async fn the_program_upgrades_itself(kind: Kind) -> Result<()> {
    let stage = stage(kind).await?;
    let (code, timelock) = (next_program(), stage.setup.timelock());
    assert!(stage.says(LOGGED.0).await && !stage.says(LOGGED.1).await);
    let old = program_bytes("ballast.so");
    assert!(stage.deployed().await? == (old, Some(timelock)));

    let upgrade = stage.setup.upgrade(&stage.ripe);
    let execute = ix::execute_upgrade(&stage.payer.pubkey(), &upgrade);
    for _ in 0..ix::upgrade_parts_left(&upgrade, code.len() as u64) {
        let refused = stage.sender.send(std::slice::from_ref(&execute), &stage.payer, &[]).await.expect_err("not yet");
        assert!(refused.logs.iter().any(|line| line.contains("UpgradeNotVerified")), "{:?}", refused.logs);
        let verify = ix::verify_upgrade(&stage.payer.pubkey(), &upgrade);
        let sent = stage.sender.send(&[verify], &stage.payer, &[]).await?;
        println!("verify_upgrade on {kind:?}: {} compute units", sent.details.units);
    }
    let sent = stage.sender.send(&[execute], &stage.payer, &[]).await?;
    println!("execute_upgrade of {} bytes on {kind:?}: {} compute units", code.len(), sent.details.units);
    assert!(stage.deployed().await? == (code, Some(timelock)), "another program was deployed");
    // Visible from the next slot on.
    let mut new = false;
    for _ in 0..20 {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        new = stage.says(LOGGED.1).await;
        if new {
            break;
        }
    }
    assert!(new, "the new program does not run");
    // The new program is the timelock's, too: it closes what is left of the upgrade.
    stage.sends(ix::close_upgrade(&stage.setup.upgrade(&stage.ripe), &stage.setup.world.payer.pubkey()), &[]).await?;
    assert!(stage.sender.rpc().get_account(&stage.ripe).await.is_err(), "the buffer is still there");
    stage.net.stop().await
}

async fn a_buffer_written_through_the_loader_is_queued_and_nobodys_any_more(kind: Kind) -> Result<()> {
    let stage = stage(kind).await?;
    let (code, timelock, exchange) = (program_bytes(SMALL), stage.setup.timelock(), stage.setup.exchange);
    let (payer, buffer, governance) = (&stage.payer, Keypair::new(), &stage.setup.governance);
    let rent = stage.sender.rpc().get_minimum_balance_for_rent_exemption(loader::buffer_space(&code)).await?;
    let create = loader::create_buffer(&payer.pubkey(), &buffer.pubkey(), rent, &code);
    stage.sender.send(&create, payer, &[&buffer]).await?;
    for writes in loader::writes(&payer.pubkey(), &buffer.pubkey(), &code).chunks(32) {
        let sent = writes.iter().map(|write| stage.sends(write.clone(), &[]));
        for sent in futures(sent).await {
            sent?;
        }
    }
    stage.sends(loader::give_buffer(&payer.pubkey(), &buffer.pubkey(), &timelock), &[]).await?;
    let args = ballast_client::instructions::UpgradeArgs {
        digest: digest_of(&code),
        version: 0,
        last_slot: stage.net.clock().await?.slot + 1_000,
        rationale: [7; 32],
    };
    let refund = fixed_key("refund").pubkey();
    let queue = ix::queue_upgrade(&payer.pubkey(), &governance.pubkey(), &exchange, 1, &buffer.pubkey(), &refund, args);
    let sent = stage.sender.send(&[queue], payer, &[governance]).await?;
    println!("queue_upgrade of {} bytes on {kind:?}: {} compute units", code.len(), sent.details.units);

    // Its writer can do nothing with it any more.
    let write = loader::writes(&payer.pubkey(), &buffer.pubkey(), b"evil").remove(0);
    let take = loader::give_buffer(&payer.pubkey(), &buffer.pubkey(), &payer.pubkey());
    for attempt in [write, take] {
        let refused = stage.sender.send(&[attempt], payer, &[]).await.expect_err("the timelock's");
        assert!(refused.logs.iter().any(|line| line.contains("Incorrect buffer authority")), "{:?}", refused.logs);
    }
    let execute = ix::execute_upgrade(&payer.pubkey(), &ix::upgrade_parts(&exchange, 1, &buffer.pubkey(), &refund));
    let refused = stage.sender.send(&[execute], payer, &[]).await.expect_err("seven days");
    assert!(refused.logs.iter().any(|line| line.contains("ProposalNotReady")), "{:?}", refused.logs);
    let veto = ix::veto_proposal(&stage.setup.guardian.pubkey(), &exchange, None, 1);
    stage.sends(veto, &[&stage.setup.guardian]).await?;
    stage
        .sends(ix::close_upgrade(&ix::upgrade_parts(&exchange, 1, &buffer.pubkey(), &refund), &payer.pubkey()), &[])
        .await?;
    assert!(stage.sender.rpc().get_balance(&refund).await? >= rent);
    stage.net.stop().await
}

/// All at once.
async fn futures<F: Future>(list: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = list.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, place) in pending.iter_mut().zip(done.iter_mut()) {
            if place.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *place = Some(output);
            }
        }
        if done.iter().all(Option::is_some) {
            return std::task::Poll::Ready(done.iter_mut().map(|place| place.take().expect("done")).collect());
        }
        std::task::Poll::Pending
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_upgrades_itself_on_surfpool() -> Result<()> {
    the_program_upgrades_itself(Kind::Surfpool).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buffer_is_queued_on_surfpool() -> Result<()> {
    a_buffer_written_through_the_loader_is_queued_and_nobodys_any_more(Kind::Surfpool).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_upgrades_itself_on_agave() -> Result<()> {
    if !agave_is_asked_for() {
        return Ok(());
    }
    the_program_upgrades_itself(Kind::Agave).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buffer_is_queued_on_agave() -> Result<()> {
    if !agave_is_asked_for() {
        return Ok(());
    }
    a_buffer_written_through_the_loader_is_queued_and_nobodys_any_more(Kind::Agave).await
}

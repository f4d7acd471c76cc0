//! Upgrades of the program.

use ballast_engine::Error;
use ballast_engine::constants::UPGRADE_LENGTH_MAX;
use ballast_tests::governing::Queued;
use ballast_tests::upgrading::SMALL;
use ballast_tests::world::{fixed_key, program_bytes};
use ballast_tests::{Expect as _, Outcome, Sent, Setup};
use solana_signer::Signer;

use super::How::Refused;
use super::{Row, still};

fn outcome(queued: Queued) -> Outcome {
    queued.map(|_| Sent { units: 0, logs: vec![], events: vec![] })
}

/// An exchange whose timelock is in charge of the program.
fn in_charge() -> Setup {
    let mut setup = still();
    setup.take_upgrade_authority().must();
    setup
}

/// Queues a buffer with that code.
fn queue(code: &[u8]) -> Outcome {
    let mut setup = in_charge();
    let buffer = setup.buffer("buffer", code);
    outcome(setup.queue_upgrade(&buffer))
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        (
            Error::NotTimelock,
            Refused(|| {
                let mut setup = still();
                let buffer = setup.buffer("buffer", &program_bytes(SMALL));
                outcome(setup.queue_upgrade(&buffer))
            }),
        ),
        (
            Error::BufferInvalid,
            Refused(|| {
                let mut setup = in_charge();
                let buffer = setup.write_buffer("buffer", &program_bytes(SMALL), &fixed_key("developer").pubkey());
                outcome(setup.queue_upgrade(&buffer))
            }),
        ),
        (
            Error::UpgradeHash,
            Refused(|| {
                let mut setup = in_charge();
                let buffer = setup.buffer("buffer", &program_bytes(SMALL));
                setup.queue_upgrade(&buffer).expect("queued");
                // The loader lets nobody do that; a fault of its might.
                let mut account = setup.world.svm.get_account(&buffer).expect("a buffer");
                account.data.push(0);
                setup.world.set_account(buffer, account);
                setup.verify_part(&buffer)
            }),
        ),
        (
            Error::UpgradeNotVerified,
            Refused(|| {
                let mut setup = in_charge();
                let buffer = setup.buffer("buffer", &program_bytes(SMALL));
                let id = setup.queue_upgrade(&buffer).expect("queued");
                setup.wait_for(id);
                setup.execute_upgrade(&buffer)
            }),
        ),
        (
            Error::UpgradeVerified,
            Refused(|| {
                let mut setup = in_charge();
                let buffer = setup.buffer("buffer", &program_bytes(SMALL));
                setup.queue_upgrade(&buffer).expect("queued");
                setup.verify_upgrade(&buffer).must();
                setup.verify_part(&buffer)
            }),
        ),
        (Error::UpgradeLength, Refused(|| queue(&vec![1; usize::try_from(UPGRADE_LENGTH_MAX).expect("fits") + 1]))),
        (Error::ProgramDataTooSmall, Refused(|| queue(&vec![1; program_bytes("ballast.so").len() + 1]))),
        (
            Error::ProposalPending,
            Refused(|| {
                let mut setup = in_charge();
                let buffer = setup.buffer("buffer", &program_bytes(SMALL));
                setup.queue_upgrade(&buffer).expect("queued");
                setup.close_upgrade(&buffer)
            }),
        ),
    ]
}

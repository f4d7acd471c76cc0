//! Keys of the local exchange. Their seeds are public: anyone can sign for a local exchange, and on no cluster where
//! money is worth something may one of them hold a role.

use clap::ValueEnum;
use solana_keypair::Keypair;

/// A role on the local exchange that a person may sign for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LocalRole {
    /// Proposes everything
    Governance,
    /// Proposes tunings
    Committee,
    /// Protects and vetoes
    Guardian,
    /// Holds the program's upgrade authority until it is handed over
    Upgrade,
}

impl LocalRole {
    /// Its key.
    pub(crate) fn key(self) -> Keypair {
        local(match self {
            Self::Governance => GOVERNANCE,
            Self::Committee => COMMITTEE,
            Self::Guardian => GUARDIAN,
            Self::Upgrade => UPGRADE,
        })
    }
}

/// The local key of a name, the same in every run.
pub(crate) fn local(name: &str) -> Keypair {
    let mut seed = [b' '; 32];
    for (place, byte) in seed.iter_mut().zip(b"ballast local ".iter().copied().chain(name.bytes())) {
        *place = byte;
    }
    Keypair::new_from_array(seed)
}

/// Upgrade authority of the program.
pub(crate) const UPGRADE: &str = "upgrade";
/// Governance.
pub(crate) const GOVERNANCE: &str = "governance";
/// Committee.
pub(crate) const COMMITTEE: &str = "committee";
/// Guardian.
pub(crate) const GUARDIAN: &str = "guardian";
/// The collateral's mint, and who may mint it.
pub(crate) const MINT: &str = "mint";
/// Mints test collateral.
pub(crate) const FAUCET: &str = "faucet";
/// Posts prices.
pub(crate) const PUBLISHER: &str = "publisher";
/// Provides liquidity.
pub(crate) const PROVIDER: &str = "provider";
/// Runs the keeper.
pub(crate) const KEEPER: &str = "keeper";
/// Nobody in particular: sends what anyone may.
pub(crate) const ANYONE: &str = "anyone";

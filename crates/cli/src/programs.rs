//! The program files.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use ballast_client::address;
use ballast_localnet::ProgramFile;
use serde::Serialize;
use solana_pubkey::Pubkey;

/// Variable that names the folder of the program files.
const VARIABLE: &str = "BALLAST_SBF_DIR";
/// Offset of `e_flags` in a 64-bit ELF header; for SBPF it is the version.
const E_FLAGS: usize = 48;

/// What the report says about the program.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProgramInfo {
    /// Size of the file.
    pub(crate) so_bytes: u64,
    /// SBPF version.
    pub(crate) sbpf_version: u32,
    /// The file.
    pub(crate) path: String,
}

fn file(name: &str) -> PathBuf {
    let dir = std::env::var_os(VARIABLE)
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/deploy")), PathBuf::from);
    dir.join(name)
}

/// Both programs, the exchange's to be upgraded by `authority`.
pub(crate) fn files(authority: &Pubkey) -> Vec<ProgramFile> {
    let program = |id, name| ProgramFile { id, path: file(name), upgrade_authority: Some(*authority) };
    vec![program(address::PROGRAM, "ballast.so"), program(price_feed::ID, "price_feed.so")]
}

/// The exchange's program file.
pub(crate) fn code() -> Result<Vec<u8>> {
    let path = file("ballast.so");
    std::fs::read(&path).with_context(|| {
        format!(
            "no program file at {}; build it with scripts/build-program, or name its folder in {VARIABLE}",
            path.display()
        )
    })
}

/// What is in the exchange's program file.
pub(crate) fn info() -> Result<ProgramInfo> {
    let (path, bytes) = (file("ballast.so"), code()?);
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    let flags = bytes.get(E_FLAGS..).and_then(|rest| rest.first_chunk());
    ensure!(bytes.starts_with(b"\x7fELF"), "{} is no ELF file; build it again", path.display());
    let flags = flags.with_context(|| format!("{} is cut off; build it again", path.display()))?;
    Ok(ProgramInfo {
        so_bytes: bytes.len() as u64,
        sbpf_version: u32::from_le_bytes(*flags),
        path: path.display().to_string(),
    })
}

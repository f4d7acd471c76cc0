//! A program's file: its hashes, and where it ends in the account that holds it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ballast_client::loader;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::output::hex;

/// A program's file or a buffer's contents, by its hashes.
#[derive(Serialize)]
pub(in crate::commands::govern) struct Hashes {
    /// What an upgrade is proposed by: the chain over parts.
    pub(super) digest: String,
    /// That of a file, as `sha256sum` prints it.
    pub(super) sha256: String,
    length: usize,
}

impl Hashes {
    pub(super) fn of(code: &[u8]) -> Self {
        let sha256: [u8; 32] = Sha256::digest(code).into();
        Self { digest: hex(&loader::digest(code)), sha256: hex(&sha256), length: code.len() }
    }

    pub(super) fn text(&self) -> String {
        format!("digest {}\nsha256 {}\n{} bytes", self.digest, self.sha256, self.length)
    }
}

/// What a program's file holds.
pub(super) fn code_of(file: &Path) -> Result<Vec<u8>> {
    let code = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    ensure!(code.starts_with(b"\x7fELF"), "{} is no program's file", file.display());
    Ok(code)
}

/// Where a program's file ends in the account that holds it. The file is as long as its ELF header says: its last bytes may be
/// zeros like those that fill the account. Without such a header, after the last byte that is none.
pub(super) fn end_of(code: &[u8]) -> usize {
    let field = |at: usize, bytes: usize| -> Option<usize> {
        let mut word = [0; 8];
        word.get_mut(..bytes)?.copy_from_slice(code.get(at..at.checked_add(bytes)?)?);
        usize::try_from(u64::from_le_bytes(word)).ok()
    };
    // ELF64. The table of sections: its offset at 40, the size and number of its rows at 58. That of segments: at 32 and 54;
    // in a row the segment's offset at 8, its length at 32.
    let sections = || field(40, 8)?.checked_add(field(58, 2)?.checked_mul(field(60, 2)?)?);
    let segment = |row: usize| {
        let at = field(32, 8)?.checked_add(row.checked_mul(field(54, 2)?)?)?;
        field(at.checked_add(8)?, 8)?.checked_add(field(at.checked_add(32)?, 8)?)
    };
    let segments = (0..field(56, 2).unwrap_or(0)).filter_map(segment);
    let told = segments.chain(sections()).max().unwrap_or(0);
    let filled = code.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if code.starts_with(b"\x7fELF") && told >= filled && told <= code.len() { told } else { filled }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_ends_in_zeros_is_told_from_the_zeros_behind_it() {
        // One segment from 64 on, of 40 bytes, the last four of them zero; no table of sections.
        let mut file = vec![0; 120];
        file[..4].copy_from_slice(b"\x7fELF");
        file[32] = 120 - 56; // its table, at the end of the header
        file[54] = 56;
        file[56] = 1;
        file[64 + 8] = 64;
        file[64 + 32] = 56;
        file[115] = 1;
        let room = [file.clone(), vec![0; 500]].concat();
        assert_eq!(end_of(&file), 120);
        assert_eq!(end_of(&room), 120);
        // Headers that make no sense do not cut anything off.
        let mut wrong = room.clone();
        wrong[64 + 32] = 10;
        assert_eq!(end_of(&wrong), 116);
        wrong[64 + 36] = 255;
        assert_eq!(end_of(&wrong), 116);
        assert_eq!(end_of(&[1, 0, 2, 0, 0]), 3);
        assert_eq!(end_of(&[]), 0);
    }
}

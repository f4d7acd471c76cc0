//! The README's promises, each shown on the SBPF file under a real Agave bank. P12 (covenants) is not in this version.

mod bank;
mod runtimes;

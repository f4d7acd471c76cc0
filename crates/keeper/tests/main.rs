//! The keeper against a local validator: `surfpool` embedded, the SBPF files, keepers as processes of their own.

mod chaos;
mod covenants;
mod dispatch;
mod examples;
mod fork;
mod jobs;
mod load;
mod once;
mod oracles;
mod orders;
mod soak;
mod socket;
mod support;

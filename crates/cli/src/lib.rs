//! The ballast command: localnet, demo, trade, govern, audit.

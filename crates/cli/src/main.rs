//! The ballast command.
fn main() {}

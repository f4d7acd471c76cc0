//! Addresses, instructions, account views and quotes for Ballast.

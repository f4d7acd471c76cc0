//! Local stand-in for the Pyth receiver, same account layout.

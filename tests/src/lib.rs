//! Ballast under a real bank, under LiteSVM, and on local validators.

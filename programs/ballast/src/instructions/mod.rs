//! One instruction per file: arguments, accounts, `validate()`, handler; the folder is who calls it.

pub mod governance;
pub mod guardian;
pub mod keeper;
pub mod liquidity;
pub mod trader;

//! The program's errors: the engine's list, as Anchor numbers it.

use anchor_lang::prelude::*;
use ballast_engine::{Error as EngineError, Fault, for_each_error};

macro_rules! declare {
    ($($name:ident $message:literal),* $(,)?) => {
        /// Why an instruction was refused, and what to do.
        #[error_code]
        #[derive(PartialEq, Eq)]
        pub enum BallastError {
            $( #[msg($message)] $name ),*
        }

        impl From<EngineError> for BallastError {
            fn from(error: EngineError) -> Self {
                match error { $(EngineError::$name => Self::$name),* }
            }
        }
    };
}
for_each_error!(declare);

/// Turns an engine's fault into the program's error and logs the limit and the value that broke it.
pub fn refuse(fault: Fault) -> Error {
    if fault.limit != 0 || fault.value != 0 {
        msg!("{}: limit {}, value {}", fault.error.name(), fault.limit, fault.value);
    }
    BallastError::from(fault.error).into()
}

/// `result.on_chain()?` in handlers.
pub trait OnChain<T> {
    /// The value, or the program's error with its limit in the log.
    fn on_chain(self) -> Result<T>;
}

impl<T> OnChain<T> for ballast_engine::Result<T> {
    #[inline]
    fn on_chain(self) -> Result<T> {
        self.map_err(refuse)
    }
}

/// `Ok` if the condition holds, else the error.
#[inline]
pub fn ensure(condition: bool, error: EngineError) -> Result<()> {
    if condition { Ok(()) } else { Err(BallastError::from(error).into()) }
}

//! Error codes to what they mean.

use ballast_engine::Error;

/// Anchor numbers a program's own errors from here.
pub const FIRST: u32 = 6_000;

/// The engine's error of a custom error code; `None` for Anchor's, the token program's and others' codes.
pub fn from_code(code: u32) -> Option<Error> {
    Error::ALL.get(usize::try_from(code.checked_sub(FIRST)?).ok()?).copied()
}

/// The custom error code of an engine's error.
pub const fn code(error: Error) -> u32 {
    FIRST + error as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_programs() {
        for error in Error::ALL {
            assert_eq!(code(*error), u32::from(ballast::BallastError::from(*error)));
            assert_eq!(from_code(code(*error)), Some(*error));
        }
        assert_eq!(from_code(FIRST - 1), None);
        assert_eq!(from_code(FIRST + Error::ALL.len() as u32), None);
    }
}

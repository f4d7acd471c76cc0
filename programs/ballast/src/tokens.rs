//! A user's token account, checked from its bytes: cheaper than parsing it whole, and the token program checks the rest
//! when it moves the tokens.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::layout::Key;

use crate::error::ensure;

/// Length of a classic token account.
const LENGTH: usize = 165;
/// Where its mint and its owner are.
const MINT: usize = 0;
const OWNER: usize = 32;

/// That an account is a classic token account of that mint and owner.
pub fn check(info: &AccountInfo<'_>, mint: &Key, owner: &Pubkey) -> Result<()> {
    ensure(*info.owner == anchor_spl::token::ID, EngineError::WrongMint)?;
    let data = info.try_borrow_data()?;
    ensure(data.len() == LENGTH, EngineError::WrongMint)?;
    ensure(key(&data, MINT) == Some(&mint.0), EngineError::WrongMint)?;
    ensure(key(&data, OWNER) == Some(owner.as_array()), EngineError::WrongOwner)
}

/// That an account is a classic token account of that mint, whoever owns it.
pub fn check_mint(info: &AccountInfo<'_>, mint: &Key) -> Result<()> {
    ensure(*info.owner == anchor_spl::token::ID, EngineError::WrongMint)?;
    let data = info.try_borrow_data()?;
    ensure(data.len() == LENGTH && key(&data, MINT) == Some(&mint.0), EngineError::WrongMint)
}

fn key(data: &[u8], at: usize) -> Option<&[u8; 32]> {
    data.get(at..)?.first_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BallastError;

    #[test]
    fn only_the_owners_account_of_the_mint_passes() {
        let (mint, owner) = (Key([1; 32]), Pubkey::new_from_array([2; 32]));
        let check_bytes = |data: &mut [u8], program: Pubkey| {
            let (key, mut lamports) = (Pubkey::new_unique(), 1);
            check(&AccountInfo::new(&key, false, true, &mut lamports, data, &program, false), &mint, &owner)
        };
        let token = |mint: u8, owner: u8, length: usize| {
            let mut data = vec![mint; 32];
            data.extend([owner; 32]);
            data.resize(length, 0);
            data
        };
        let program = anchor_spl::token::ID;
        assert!(check_bytes(&mut token(1, 2, LENGTH), program).is_ok());
        assert_eq!(check_bytes(&mut token(1, 3, LENGTH), program), Err(BallastError::WrongOwner.into()));
        assert_eq!(check_bytes(&mut token(3, 2, LENGTH), program), Err(BallastError::WrongMint.into()));
        assert_eq!(check_bytes(&mut token(1, 2, LENGTH - 1), program), Err(BallastError::WrongMint.into()));
        assert_eq!(check_bytes(&mut token(1, 2, LENGTH + 5), program), Err(BallastError::WrongMint.into()));
        assert_eq!(check_bytes(&mut token(1, 2, LENGTH), crate::ID), Err(BallastError::WrongMint.into()));
    }
}

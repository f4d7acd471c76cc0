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

/// That an account is where an owner's money or shares may go: one of the owner's; and unless it signs, its associated
/// one, which it knows of whatever program it is.
pub fn check_destination(info: &AccountInfo<'_>, mint: &Key, owner: &AccountInfo<'_>) -> Result<()> {
    check(info, mint, owner.key)?;
    ensure(owner.is_signer || *info.key == associated(owner.key, mint), EngineError::DestinationNotAssociated)
}

/// The associated token account of an owner and a classic mint.
fn associated(owner: &Pubkey, mint: &Key) -> Pubkey {
    let seeds = [owner.as_ref(), anchor_spl::token::ID.as_ref(), &mint.0];
    Pubkey::find_program_address(&seeds, &anchor_spl::associated_token::ID).0
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

    #[test]
    fn without_the_owners_signature_only_its_associated_account_is_a_destination() {
        let (mint, owner) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        let known = anchor_spl::associated_token::get_associated_token_address(&owner, &mint);
        let check = |at: &Pubkey, signs: bool| {
            let (program, nobody) = (anchor_spl::token::ID, Pubkey::default());
            let mut data = [mint.to_bytes(), owner.to_bytes()].concat();
            data.resize(LENGTH, 0);
            let (mut some, mut none, mut empty) = (1, 1, []);
            let owner = AccountInfo::new(&owner, signs, true, &mut none, &mut empty, &nobody, false);
            let info = AccountInfo::new(at, false, true, &mut some, &mut data, &program, false);
            check_destination(&info, &Key(mint.to_bytes()), &owner)
        };
        let other = Pubkey::new_from_array([3; 32]);
        assert!(check(&known, false).is_ok() && check(&known, true).is_ok() && check(&other, true).is_ok());
        assert_eq!(check(&other, false), Err(BallastError::DestinationNotAssociated.into()));
    }
}

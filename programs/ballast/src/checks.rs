//! Checks of accounts and moves of tokens that instructions share.

use anchor_lang::prelude::*;
use anchor_spl::token::{self, Token};
use ballast_engine::Error as EngineError;
use ballast_engine::layout;
use ballast_engine::units::Quote;

use crate::error::ensure;
use crate::seeds;
use crate::state::{ACCOUNT_VERSION, Exchange, Market};

/// Whether a stored key is that address.
#[inline]
pub fn is(key: &layout::Key, address: &Pubkey) -> bool {
    key.0 == address.to_bytes()
}

/// An address as it is stored.
#[inline]
pub fn key_of(address: &Pubkey) -> layout::Key {
    layout::Key(address.to_bytes())
}

/// A stored key as an address.
#[inline]
pub fn address_of(key: &layout::Key) -> Pubkey {
    Pubkey::new_from_array(key.0)
}

/// A layout version that this program reads.
#[inline]
pub fn check_version(version: u8) -> Result<()> {
    ensure(version == ACCOUNT_VERSION, EngineError::AccountVersion)
}

/// A market of this exchange.
#[inline]
pub fn check_market(market: &Market, exchange: &Pubkey) -> Result<()> {
    check_version(market.version)?;
    ensure(is(&market.exchange, exchange), EngineError::WrongExchange)
}

/// What a token account holds, read from its bytes: an exchange's vault needs no parsing beyond that, its address is known.
pub fn balance(account: &AccountInfo<'_>) -> Result<Quote> {
    let data = account.try_borrow_data()?;
    let bytes = data.get(64..72).and_then(|b| b.try_into().ok()).ok_or(ProgramError::InvalidAccountData)?;
    Ok(Quote(u64::from_le_bytes(bytes)))
}

/// Moves tokens into the vault, by their owner's signature.
pub fn pay_in<'info>(
    token_program: &Program<'info, Token>,
    from: &AccountInfo<'info>,
    vault: &AccountInfo<'info>,
    owner: &AccountInfo<'info>,
    amount: u64,
) -> Result<()> {
    let accounts = token::Transfer { from: from.clone(), to: vault.clone(), authority: owner.clone() };
    token::transfer(CpiContext::new(token_program.key(), accounts), amount)
}

/// Moves tokens out of the vault, by the exchange's signature. The exchange must not be borrowed.
pub fn pay_out<'info>(
    token_program: &Program<'info, Token>,
    exchange: &AccountLoader<'info, Exchange>,
    vault: &AccountInfo<'info>,
    to: &AccountInfo<'info>,
    amount: u64,
) -> Result<()> {
    let (mint, bump) = {
        let exchange = exchange.load()?;
        (exchange.mint, exchange.bump)
    };
    let signer: &[&[u8]] = &[seeds::EXCHANGE, &mint.0, &[bump]];
    let accounts = token::Transfer { from: vault.clone(), to: to.clone(), authority: exchange.to_account_info() };
    token::transfer(CpiContext::new_with_signer(token_program.key(), accounts, &[signer]), amount)
}

/// Mints liquidity shares, by the market's signature. The market must not be borrowed.
pub fn mint_shares<'info>(
    token_program: &Program<'info, Token>,
    market: &AccountLoader<'info, Market>,
    lp_mint: &AccountInfo<'info>,
    to: &AccountInfo<'info>,
    shares: u64,
) -> Result<()> {
    let (exchange, index, bump) = {
        let market = market.load()?;
        (market.exchange, market.state.index, market.bump)
    };
    let signer: &[&[u8]] = &[seeds::MARKET, &exchange.0, &index.to_le_bytes(), &[bump]];
    let accounts = token::MintTo { mint: lp_mint.clone(), to: to.clone(), authority: market.to_account_info() };
    token::mint_to(CpiContext::new_with_signer(token_program.key(), accounts, &[signer]), shares)
}

//! An exchange: one per collateral mint.

use ballast_engine::constants::{DAY, MAX_MARKETS, MAX_PENDING};
use ballast_engine::error::ensure;
use ballast_engine::governance::{Context, ExitHolds, ParameterLog, Roles};
use ballast_engine::guardian::Emergency;
use ballast_engine::insurance::SharedInsurance;
use ballast_engine::layout::Key;
use ballast_engine::limiter::Outflow;
use ballast_engine::params::ExchangeParams;
use ballast_engine::units::Quote;
use ballast_engine::{Error, Fault, Now, Result};

use crate::zero_copy_account;

zero_copy_account! {
    /// An exchange. No trade writes it, so that trades in different markets run in parallel.
    pub struct Exchange = 1776, discriminator [30, 200, 220, 149, 3, 61, 104, 50], {
        /// Layout version.
        pub version: u8,
        /// Bump of this address.
        pub bump: u8,
        /// Bump of the vault's address.
        pub vault_bump: u8,
        /// Decimals of the collateral.
        pub quote_decimals: u8,
        /// Markets so far; the next one's index.
        pub markets: u16,
        /// For later versions.
        pub reserved_bytes: [u8; 2],
        /// The collateral's mint.
        pub mint: Key,
        /// The vault.
        pub vault: Key,
        /// Programs that may own a market's oracle accounts; the default key is an empty place.
        pub oracle_programs: [Key; 2],
        /// Token account that collected protocol fees go to.
        pub fee_destination: Key,
        /// Who governs.
        pub roles: Roles,
        /// Parameters.
        pub params: ExchangeParams,
        /// Their versions and when each was last changed.
        pub param_log: ParameterLog,
        /// The outflow limiter's memory.
        pub outflow: Outflow,
        /// The emergency pause.
        pub emergency: Emergency,
        /// The shared insurance fund.
        pub shared_insurance: Quote,
        /// Proposals pending.
        pub pending_proposals: u64,
        /// The next proposal's number.
        pub next_proposal: u64,
        /// Events so far.
        pub sequence: u64,
        /// The shared fund's batches of insurance claims.
        pub insurance: SharedInsurance,
        /// When it was made, Unix seconds.
        pub created_at: i64,
        /// When its last market was created, Unix seconds.
        pub market_created_at: i64,
        /// For later versions.
        pub reserved: [u64; 14],
        /// How often this exchange's timelock has upgraded the program: an upgrade's proposal names it.
        pub upgrades: u64,
        /// How often the fee destination was changed by a proposal.
        pub fee_version: u32,
        /// How often the list of oracle programs was changed by a proposal.
        pub oracle_version: u32,
        /// How long matured liquidity exits were held back, in any market.
        pub exit_holds: ExitHolds,
        /// Proposals pending by market, by index.
        pub market_pending: [u8; 256],
    }
}

const _: () = assert!(MAX_MARKETS == 256);

impl Exchange {
    /// Collateral decimals that are supported.
    pub const DECIMALS: core::ops::RangeInclusive<u8> = 6..=9;

    /// The next event's sequence number.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn next_sequence(&mut self) -> Result<u64> {
        self.sequence = self.sequence.checked_add(1).ok_or(Error::MathOverflow)?;
        Ok(self.sequence)
    }

    /// Whether a market may be created now: one a day at most, but on the exchange's first day, when it is set up and nobody
    /// is on it. There are 256 places, 16 of them cross, and no market ever gives its place back.
    ///
    /// # Errors
    /// [`Error::MarketLimit`] with when the next one may come.
    pub fn check_market_due(&self, now: &Now) -> Result<()> {
        let due = self.market_created_at.saturating_add(DAY);
        let first_day = now.unix < self.created_at.saturating_add(DAY);
        ensure(first_day || now.unix >= due, Fault::new(Error::MarketLimit, due, now.unix))
    }

    /// How often this exchange's timelock has upgraded the program, as a proposal names it.
    ///
    /// # Errors
    /// [`Error::MathOverflow`].
    pub fn upgrades_so_far(&self) -> Result<u32> {
        u32::try_from(self.upgrades).map_err(|_| Error::MathOverflow.into())
    }

    /// What the rules of proposals need to know of it.
    pub const fn governance(&self) -> Context<'_> {
        Context { params: &self.params, roles: &self.roles, emergency: &self.emergency, exits: &self.exit_holds }
    }

    /// Proposals pending of a market.
    ///
    /// # Errors
    /// [`Error::MarketLimit`] for an index that no market has.
    pub fn pending_of(&mut self, market: u16) -> Result<&mut u8> {
        self.market_pending.get_mut(usize::from(market)).ok_or(Error::MarketLimit.into())
    }

    /// Tells the limiter that `amount` leaves a vault of `balance` outside its limits (liquidity exits have their
    /// cool-down, filed deposits and fees are no profit): the hours to come are still measured on what is left.
    ///
    /// # Errors
    /// [`Error::MathOverflow`] if more than the balance leaves.
    pub fn book_unlimited(&mut self, amount: Quote, balance: Quote, now: &Now) -> Result<()> {
        self.outflow.book(amount, Quote::ZERO, balance, &self.params, now)
    }

    /// What must hold after every change.
    ///
    /// # Errors
    /// [`Error::InvariantBroken`].
    pub fn invariant(&self) -> Result<()> {
        let unset = Key::default();
        ensure(Self::DECIMALS.contains(&self.quote_decimals), Error::InvariantBroken)?;
        ensure(self.mint != unset && self.vault != unset, Error::InvariantBroken)?;
        ensure(self.fee_destination != unset && self.fee_destination != self.vault, Error::InvariantBroken)?;
        ensure(self.roles.governance != unset && self.roles.guardian != unset, Error::InvariantBroken)?;
        ensure(self.oracle_programs.iter().any(|p| *p != unset), Error::InvariantBroken)?;
        ensure(self.pending_proposals <= MAX_PENDING, Error::InvariantBroken)?;
        ensure(self.pending_proposals <= self.next_proposal, Error::InvariantBroken)?;
        self.insurance.invariant(self.shared_insurance)
    }
}

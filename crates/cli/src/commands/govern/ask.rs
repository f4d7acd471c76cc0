//! What can be asked for, and the instruction that asks.

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result};
use ballast::instructions::governance::{
    BatchAsk, QueueBatchArgs, QueueFeeDestinationArgs, QueueInsuranceWithdrawalArgs, QueueOracleFeedArgs,
    QueueOracleProgramArgs, QueueParameterArgs, QueueRoleArgs, QueueWindDownArgs,
};
use ballast::state::Market;
use ballast_client::{address, instructions};
use ballast_engine::governance::{SHARED_FUND, kind, role};
use ballast_engine::params::{EXCHANGE_ROWS, ExchangeParams, MARKET_ROWS, MarketParams, Row};
use clap::{Subcommand, ValueEnum};
use solana_instruction::Instruction;

use super::value;
use crate::amount::{self, Scale};
use crate::chain::{Chain, ExchangeAccount};

/// A hash as an argument.
pub(super) type Hash = [u8; 32];

/// 32 bytes from 64 hexadecimal digits.
pub(super) fn hash(text: &str) -> Result<Hash, String> {
    let wrong = || "write 64 hexadecimal digits".to_owned();
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (byte, place) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[place..place + 2], 16).map_err(|_| wrong())?;
    }
    Ok(hash)
}

/// A name and a value.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A proposal that is to be queued.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Ask {
    /// A parameter
    Parameter {
        /// Its name (docs/PARAMETERS.md)
        parameter: String,
        /// Its new value: an integer as stored, or with its unit (0.06%, 12h, 1000u for whole units)
        value: String,
        /// Index of the market; without it, a parameter of the exchange
        #[arg(long, short)]
        market: Option<u16>,
    },
    /// Several parameters that must agree: all or none
    Batch {
        /// From two to eight changes, each NAME=VALUE
        #[arg(required = true, value_parser = pair, value_name = "NAME=VALUE")]
        changes: Vec<(String, String)>,
        /// Index of the market; without it, parameters of the exchange
        #[arg(long, short)]
        market: Option<u16>,
    },
    /// Who holds a role
    Role {
        /// The role
        role: Role,
        /// The key that shall have it
        key: Pubkey,
    },
    /// A market's oracle; until it ends the market is in reduce-only
    Oracle {
        /// Index of the market
        #[arg(long, short)]
        market: u16,
        /// The new feed id, 64 hexadecimal digits
        #[arg(value_parser = hash)]
        feed: Hash,
        /// Place, in the exchange's list, of the program that owns the feed's accounts
        #[arg(long, default_value_t = 0)]
        program: u16,
    },
    /// A market's end: reduce-only for good, and after 30 days what is still open may be settled
    WindDown {
        /// Index of the market
        #[arg(long, short)]
        market: u16,
        /// Call it off instead
        #[arg(long)]
        reopen: bool,
    },
    /// Where collected protocol fees go
    FeeDestination {
        /// A token account of the collateral
        account: Pubkey,
    },
    /// Insurance, out of a market's or the shared fund: while no market has a claim on it
    Insurance {
        /// How much, in whole units of the collateral
        amount: String,
        /// The token account that it goes to
        destination: Pubkey,
        /// Index of the market; without it, out of the shared fund
        #[arg(long, short)]
        market: Option<u16>,
    },
    /// A program that may own oracle accounts
    OracleProgram {
        /// The place in the list, 0 or 1
        place: u16,
        /// The program; the system program's address empties the place
        program: Pubkey,
    },
}

/// A role that can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// Proposes everything
    Governance,
    /// Tunes
    Committee,
    /// Protects and vetoes
    Guardian,
}

fn unknown(name: &str, rows: &[Row]) -> String {
    let names: Vec<_> = rows.iter().map(|row| row.name).collect();
    format!("there is no parameter {name:?}; there are {}", names.join(", "))
}

fn id_of(name: &str, market: bool) -> Result<u16> {
    if market {
        return MarketParams::id(name).with_context(|| unknown(name, MARKET_ROWS));
    }
    let found = ExchangeParams::id(name).with_context(|| unknown(name, EXCHANGE_ROWS));
    found.context("a market's parameter needs --market")
}

/// A parameter's value as it is stored.
async fn stored(
    chain: &Chain,
    exchange: &ExchangeAccount,
    market: Option<u16>,
    parameter: u16,
    text: &str,
) -> Result<u64> {
    let rows = if market.is_some() { MARKET_ROWS } else { EXCHANGE_ROWS };
    let row = rows.get(usize::from(parameter)).context("no such parameter")?;
    let base = match market {
        Some(index) => chain.read::<Market>(&address::market(&exchange.address, index)).await?.state.base_decimals,
        None => 0,
    };
    let scale = Scale { base, quote: exchange.state.quote_decimals };
    value::parse(text, row.unit, scale).map_err(|error| anyhow::anyhow!("{}: {error}", row.name))
}

impl Ask {
    /// The instruction that queues it as the exchange's next proposal, made for the versions of this moment.
    pub(super) async fn build(
        &self,
        chain: &Chain,
        exchange: &ExchangeAccount,
        proposer: &Pubkey,
        last_slot: u64,
        rationale: Hash,
    ) -> Result<Instruction> {
        let (at, state) = (&exchange.address, &exchange.state);
        let (key, id) = (proposer, state.next_proposal);
        let read = async |index: u16| chain.read::<Market>(&address::market(at, index)).await;
        let narrow = |version: u64| u32::try_from(version).context("the version is out of range");
        Ok(match self {
            Self::Parameter { parameter: name, value, market } => {
                let parameter = id_of(name, market.is_some())?;
                let new_value = stored(chain, exchange, *market, parameter, value).await?;
                let args = |version| QueueParameterArgs { parameter, new_value, version, last_slot, rationale };
                let place = usize::from(parameter);
                match *market {
                    Some(index) => {
                        let version = read(index).await?.state.param_version[place];
                        instructions::queue_market_parameter(key, key, at, index, id, args(version))
                    }
                    None => {
                        let version = state.param_log.version[place];
                        instructions::queue_exchange_parameter(key, key, at, id, args(version))
                    }
                }
            }
            Self::Batch { changes, market } => {
                let versions: Vec<u32> = match *market {
                    Some(index) => read(index).await?.state.param_version.to_vec(),
                    None => state.param_log.version.to_vec(),
                };
                let mut asked = Vec::new();
                for (name, value) in changes {
                    let parameter = id_of(name, market.is_some())?;
                    let new_value = stored(chain, exchange, *market, parameter, value).await?;
                    let version = versions.get(usize::from(parameter)).copied().unwrap_or_default();
                    asked.push(BatchAsk { parameter, version, new_value });
                }
                asked.sort_by_key(|ask| ask.parameter);
                let args = QueueBatchArgs { changes: asked, last_slot, rationale };
                match *market {
                    Some(index) => instructions::queue_market_batch(key, key, at, index, id, args),
                    None => instructions::queue_exchange_batch(key, key, at, id, args),
                }
            }
            Self::Role { role: which, key: new_key } => {
                let (kind, place) = match which {
                    Role::Governance => (kind::GOVERNANCE, role::GOVERNANCE),
                    Role::Committee => (kind::COMMITTEE, role::COMMITTEE),
                    Role::Guardian => (kind::GUARDIAN, role::GUARDIAN),
                };
                let version = state.roles.version[place];
                let args = QueueRoleArgs { kind, new_key: *new_key, version, last_slot, rationale };
                instructions::queue_role(key, key, at, id, args)
            }
            Self::Oracle { market, feed, program } => {
                let version = narrow(read(*market).await?.feed_version)?;
                let args = QueueOracleFeedArgs { new_feed: *feed, program: *program, version, last_slot, rationale };
                instructions::queue_oracle_feed(key, key, at, *market, id, args)
            }
            Self::WindDown { market, reopen } => {
                let version = narrow(read(*market).await?.state.governed.closing_version)?;
                let args = QueueWindDownArgs { closing: !reopen, version, last_slot, rationale };
                instructions::queue_wind_down(key, key, at, *market, id, args)
            }
            Self::FeeDestination { account } => {
                let args = QueueFeeDestinationArgs { version: state.fee_version, last_slot, rationale };
                instructions::queue_fee_destination(key, key, at, account, id, args)
            }
            Self::Insurance { amount, destination, market } => {
                let args = QueueInsuranceWithdrawalArgs {
                    from: market.unwrap_or(SHARED_FUND),
                    amount: amount::parse(amount, state.quote_decimals)?,
                    destination: *destination,
                    version: narrow(state.insurance.withdrawals)?,
                    last_slot,
                    rationale,
                };
                instructions::queue_insurance_withdrawal(key, key, at, id, args)
            }
            Self::OracleProgram { place, program } => {
                let version = state.oracle_version;
                let args = QueueOracleProgramArgs { place: *place, program: *program, version, last_slot, rationale };
                instructions::queue_oracle_program(key, key, at, id, args)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_where_they_belong() {
        assert_eq!(id_of("taker_fee", true).unwrap(), MarketParams::id("taker_fee").unwrap());
        assert_eq!(id_of("grace", false).unwrap(), ExchangeParams::id("grace").unwrap());
        assert!(format!("{:#}", id_of("taker_fee", false).unwrap_err()).contains("--market"));
        assert!(id_of("taker_fees", true).is_err());
        assert_eq!(pair("taker_fee=600").unwrap(), ("taker_fee".to_owned(), "600".to_owned()));
        assert!(pair("taker_fee").is_err());
        assert_eq!(hash(&"0a".repeat(32)).unwrap(), [10; 32]);
        assert!(hash("0a").is_err() && hash(&"0g".repeat(32)).is_err());
    }
}

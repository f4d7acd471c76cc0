//! A proposal for a multisig: its instruction, and the message of a transaction that holds it alone.

use anchor_lang::prelude::Pubkey;
use anyhow::{Result, bail};
use ballast::state::Market;
use ballast_client::address;
use ballast_client::events::Event;
use ballast_client::rpc::Rpc;
use ballast_engine::governance::kind;
use ballast_engine::params::{EXCHANGE_ROWS, MARKET_ROWS};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use solana_instruction::Instruction;
use solana_message::Message;

use super::list::class;
use super::value;
use crate::amount::{Scale, moment};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::output;

/// One account of the instruction.
#[derive(Serialize)]
struct Account {
    address: String,
    signer: bool,
    writable: bool,
}

/// What would become of it as things stand.
#[derive(Serialize)]
pub(super) struct Foreseen {
    what: String,
    class: &'static str,
    /// The earliest moment at which it could be executed, were it queued now.
    eta: i64,
}

/// What a multisig imports.
#[derive(Serialize)]
struct DryRun {
    proposal: u64,
    /// Nothing where it could not be tried.
    foreseen: Option<Foreseen>,
    proposer: String,
    last_slot: u64,
    program: String,
    accounts: Vec<Account>,
    data_base58: String,
    data_base64: String,
    message_base58: String,
    message_base64: String,
}

/// The message of a transaction with this instruction alone, paid by `payer`. Its blockhash is left zero: whoever imports it
/// puts its own.
fn message(instruction: &Instruction, payer: &Pubkey) -> Vec<u8> {
    Message::new(std::slice::from_ref(instruction), Some(payer)).serialize()
}

/// Has the node try it, nobody's signature needed: so that none is collected for what is sure to be refused. Nothing where the
/// node cannot try, as with a proposer that has no SOL yet.
///
/// # Errors
/// The program's reason.
pub(super) async fn foresee(
    chain: &Chain,
    exchange: &ExchangeAccount,
    instruction: &Instruction,
    payer: &Pubkey,
) -> Result<Option<Foreseen>> {
    let simulated = match Rpc::new(chain.url.clone()).simulate_unsigned(std::slice::from_ref(instruction), payer).await
    {
        Ok(simulated) => simulated,
        Err(fault) if fault.reason().is_some() => bail!("nothing is printed, for it would be refused: {fault}"),
        Err(fault) => {
            tracing::debug!(%fault, "not simulated");
            return Ok(None);
        }
    };
    let queued =
        simulated.events.into_iter().find_map(|e| if let Event::ProposalQueued(e) = e { Some(e) } else { None });
    let Some(queued) = queued else { return Ok(None) };
    let rows = match queued.kind {
        kind::MARKET_PARAMETER => MARKET_ROWS,
        kind::EXCHANGE_PARAMETER => EXCHANGE_ROWS,
        _ => &[],
    };
    let mut what = format!("proposal {}", queued.id);
    if queued.market != Pubkey::default() {
        let index = (0..exchange.state.markets).find(|i| address::market(&exchange.address, *i) == queued.market);
        what += &format!(", market {}", index.map_or("?".to_owned(), |index| index.to_string()));
    }
    if let Some(row) = rows.get(usize::from(queued.parameter)) {
        let base = match queued.market == Pubkey::default() {
            true => 0,
            false => chain.read::<Market>(&queued.market).await?.state.base_decimals,
        };
        let scale = Scale { base, quote: exchange.state.quote_decimals };
        let show = |value| value::show(row.unit, value, scale);
        what += &format!(": {} {} -> {}", row.name, show(queued.old_value), show(queued.new_value));
    }
    Ok(Some(Foreseen { what, class: class(queued.class), eta: queued.eta }))
}

/// Prints it.
pub(super) fn show(
    global: &Global,
    (proposal, proposer, last_slot): (u64, &Pubkey, u64),
    foreseen: Option<Foreseen>,
    instruction: &Instruction,
) -> Result<()> {
    let message = message(instruction, proposer);
    let accounts = instruction.accounts.iter();
    let dry = DryRun {
        proposal,
        foreseen,
        proposer: proposer.to_string(),
        last_slot,
        program: instruction.program_id.to_string(),
        accounts: accounts
            .map(|m| Account { address: m.pubkey.to_string(), signer: m.is_signer, writable: m.is_writable })
            .collect(),
        data_base58: bs58::encode(&instruction.data).into_string(),
        data_base64: BASE64_STANDARD.encode(&instruction.data),
        message_base58: bs58::encode(&message).into_string(),
        message_base64: BASE64_STANDARD.encode(&message),
    };
    output::show(global.json, &dry, |dry| {
        let mut text = match &dry.foreseen {
            Some(f) => format!(
                "{}; class {}; tried on the node: it would be queued, and executed at {} at the earliest\n",
                f.what,
                f.class,
                moment(f.eta)
            ),
            None => "NOT tried: the node cannot, so it may be refused (does the proposer have SOL?)\n".to_owned(),
        };
        text += &format!(
            "nothing was sent; proposal {} by {}, good until slot {} and while no other proposal is queued first\nprogram {}\n",
            dry.proposal, dry.proposer, dry.last_slot, dry.program
        );
        for account in &dry.accounts {
            let flags = match (account.signer, account.writable) {
                (true, true) => "signer, writable",
                (true, false) => "signer",
                (false, true) => "writable",
                (false, false) => "",
            };
            text += format!("  {} {flags}", account.address).trim_end();
            text.push('\n');
        }
        text += &format!("instruction data, base58\n{}\n", dry.data_base58);
        text += &format!("instruction data, base64\n{}\n", dry.data_base64);
        text += &format!("transaction message, base58\n{}\n", dry.message_base58);
        text + &format!("transaction message, base64\n{}", dry.message_base64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use solana_instruction::AccountMeta;

    #[test]
    fn a_message_holds_the_instruction_and_its_signer() {
        let (payer, account, program) = (Pubkey::new_unique(), Pubkey::new_unique(), Pubkey::new_unique());
        let metas = vec![AccountMeta::new_readonly(payer, true), AccountMeta::new(account, false)];
        let instruction = Instruction { program_id: program, accounts: metas, data: vec![1, 2, 3] };
        let bytes = message(&instruction, &payer);
        // One signature, none of it read-only, one read-only account (the program); three keys, the payer's first.
        assert_eq!(bytes[..4], [1, 0, 1, 3]);
        assert_eq!(bytes[4..36], payer.to_bytes());
        assert_eq!(bytes[36..68], account.to_bytes());
        assert_eq!(bytes[68..100], program.to_bytes());
        // A blockhash of zeroes, one instruction of the third key, its accounts, its data.
        assert_eq!(bytes[100..132], [0; 32]);
        assert_eq!(bytes[132..], [1, 2, 2, 0, 1, 3, 1, 2, 3]);
    }
}

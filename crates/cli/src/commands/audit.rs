//! `ballast audit`.

use anyhow::Result;
use ballast_client::audit::Audit;

use crate::amount::{grouped, quote};
use crate::args::Global;
use crate::chain::Chain;
use crate::output::{self, Unsound, table};

/// Reads everything from chain and proves P1 and P3; fails if anything is off.
pub(crate) async fn run(global: &Global) -> Result<()> {
    let chain = Chain::open(global)?;
    let exchange = chain.exchange(global.mint).await?;
    let result = chain.audit(&exchange).await?;
    output::show(global.json, &result, |result| text(result, exchange.state.quote_decimals))?;
    if result.is_clean() {
        return Ok(());
    }
    let count = result.mismatches.len();
    Err(Unsound(format!("{count} sums do not add up; run it again, and report it if they still do not")).into())
}

/// The audit for people.
pub(crate) fn text(audit: &Audit, decimals: u8) -> String {
    let amount = |value: u128| quote(i128::try_from(value).unwrap_or(i128::MAX), decimals);
    let rows = [
        ("traders' collateral", amount(audit.trader_collateral)),
        ("pools' cash", amount(audit.pool_cash)),
        ("markets' insurance", amount(audit.market_insurance)),
        ("shared insurance", amount(audit.shared_insurance)),
        ("fees to collect", amount(audit.fees)),
        ("fees put aside for orders", amount(audit.order_fees)),
        ("liquidity that waits", amount(audit.lp_deposits)),
        ("in the vault", amount(audit.vault.into())),
        ("difference", audit.difference.to_string()),
    ];
    let rows = rows.map(|(what, amount)| vec![what.to_owned(), amount]);
    let mut text = table(&["whose", "amount"], &[1], rows);
    let looked = format!(
        "\n{} markets, {} subaccounts and {} positions read from chain: ",
        audit.markets,
        grouped(audit.subaccounts.into()),
        grouped(audit.positions.into())
    );
    text += &looked;
    if audit.is_clean() {
        return text + "every sum agrees";
    }
    text += &format!("{} sums are off", audit.mismatches.len());
    let rows = audit
        .mismatches
        .iter()
        .map(|m| vec![m.account.clone(), m.what.clone(), m.expected.to_string(), m.found.to_string()]);
    text += "\n";
    text += &table(&["account", "sum", "should be", "is"], &[2, 3], rows);
    text
}

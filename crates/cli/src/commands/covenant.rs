//! `ballast covenant`.

use anchor_lang::prelude::Pubkey;
use anyhow::{Context, Result, ensure};
use ballast::instructions::trader::SetCovenantArgs;
use ballast::state::{Covenant, Subaccount};
use ballast_client::covenants::{CovenantView, LimitsView};
use ballast_client::{address, instructions};
use ballast_engine::constants::{DAY, HOUR};
use clap::{Args, Subcommand};
use serde::Serialize;
use solana_instruction::Instruction;
use solana_signer::Signer;

use crate::amount::{self, moment, quote, span};
use crate::args::Global;
use crate::chain::{Chain, ExchangeAccount};
use crate::{config, output};

/// Options of `ballast covenant`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bind yourself, or tighten what binds you: at once, and all your subaccounts are enrolled
    Set(Terms),
    /// An owner's covenant, and what is left of its limits
    Show(Whose),
    /// Ask for looser terms: they may be put in force after the covenant's delay, for seven days
    Loosen(Terms),
    /// Put in force what was asked for; anyone may
    Execute(Whose),
    /// Show an owner's accounts to its covenant; anyone may
    Touch(Whose),
    /// Trip an owner's covenant if a loss is found at its limit a second time, at newer prices; anyone may
    Trip(Whose),
    /// Close a covenant that limits nothing any more; its rent comes back
    Close,
}

#[derive(Args)]
struct Whose {
    /// The owner [default: the owner of --keypair]
    #[arg(value_name = "ADDRESS")]
    owner: Option<Pubkey>,
}

/// What is left out stays as it is; in a new covenant it is no limit.
#[derive(Args)]
struct Terms {
    /// Notional of all positions over your equity, such as 3 or 2.5; 0 for no limit
    #[arg(long, value_name = "TIMES")]
    max_leverage: Option<String>,
    /// Notional of all positions, in whole units of the collateral; 0 for no limit
    #[arg(long, value_name = "AMOUNT")]
    max_notional: Option<String>,
    /// Loss of a day (UTC): an amount, or a share of your equity now such as 5%; 0 for no limit
    #[arg(long, value_name = "AMOUNT_OR_SHARE")]
    daily_loss: Option<String>,
    /// Loss since your highest result: an amount, or a share of your equity now such as 10%; 0 for no limit
    #[arg(long, value_name = "AMOUNT_OR_SHARE")]
    drawdown: Option<String>,
    /// Reduce-only for so long once it is tripped, such as 6h or 2d: an hour to 30 days [default: 24h]
    #[arg(long, value_name = "TIME")]
    cool_down: Option<String>,
    /// Loosening takes so long, such as 48h or 7d: one day to 90 [default: 48h]
    #[arg(long, value_name = "TIME")]
    delay: Option<String>,
    /// Whether anyone may close what is open once it is tripped, for a market's order fee a position [default: false]
    #[arg(long, value_name = "BOOL")]
    auto_close: Option<bool>,
    /// No limits at all, and the shortest times
    #[arg(long, conflicts_with_all = ["max_leverage", "max_notional", "daily_loss", "drawdown"])]
    none: bool,
}

#[derive(Serialize)]
struct Done {
    covenant: String,
    signature: String,
    /// When what was asked for may be put in force, Unix seconds.
    at: Option<i64>,
}

/// An owner's covenant address and its subaccounts.
struct Owned {
    covenant: Pubkey,
    accounts: Vec<(Pubkey, Box<Subaccount>)>,
}

/// Runs it.
pub(crate) async fn run(global: &Global, options: Options) -> Result<()> {
    let chain = Chain::open(global)?;
    let exchange = chain.exchange(global.mint).await?;
    let done = |signature: String, covenant: Pubkey, at, what: &str| {
        let what = what.to_owned();
        let done = Done { covenant: covenant.to_string(), signature, at };
        output::show(global.json, &done, |_| what)
    };
    match options.command {
        Command::Set(terms) => {
            let key = config::keypair(global)?;
            let owned = owned(&chain, &exchange, &key.pubkey()).await?;
            let old = chain.find::<Covenant>(&owned.covenant).await?;
            let args = terms.args(&chain, &exchange, &owned, old.as_deref()).await?;
            if let Some(old) = &old {
                let (then, now) = (LimitsView::from(&old.state.limits), args_view(&args));
                let looser = looser(&then, &now, exchange.state.quote_decimals);
                ensure!(
                    looser.is_empty(),
                    "this would loosen the covenant: {}; ask for it with `ballast covenant loosen`, it takes {}",
                    looser.join(", "),
                    span(then.loosening_delay)
                );
                ensure!(then != now || old.state.asked_at != 0, "nothing to change: these are the terms in force");
            }
            let asked = old.as_ref().is_some_and(|old| old.state.asked_at != 0);
            let set = match old {
                None => instructions::create_covenant(&exchange.address, &key.pubkey(), args),
                Some(_) => instructions::tighten_covenant(&exchange.address, &key.pubkey(), args),
            };
            let mut batch = touches(&chain, &exchange, &owned).await?;
            batch.insert(0, set);
            let sent = chain.send("covenant", &batch, &key, &[]).await?;
            let mut told = format!(
                "bound: {}\nit tightens at once and loosens after its delay; another wallet of yours is not bound by it",
                terms_of(&args_view(&args), exchange.state.quote_decimals)
            );
            if asked {
                told += "\nwhat you had asked for, looser terms, is taken back";
            }
            done(sent.signature.to_string(), owned.covenant, None, &told)
        }
        Command::Loosen(terms) => {
            let key = config::keypair(global)?;
            let owned = owned(&chain, &exchange, &key.pubkey()).await?;
            let old = read(&chain, &owned.covenant, &key.pubkey()).await?;
            let args = terms.args(&chain, &exchange, &owned, Some(&old)).await?;
            let (then, now) = (LimitsView::from(&old.state.limits), args_view(&args));
            ensure!(then != now, "nothing to change: these are the terms in force");
            let ask = instructions::loosen_covenant(&exchange.address, &key.pubkey(), args);
            let sent = chain.send("loosen", &[ask], &key, &[]).await?;
            let at = chain.read::<Covenant>(&owned.covenant).await?.state.asked_at;
            let mut told = format!(
                "asked for: {}\nfrom {} on anyone may put it in force: `ballast covenant execute`",
                terms_of(&now, exchange.state.quote_decimals),
                moment(at)
            );
            if old.state.asked_at != 0 {
                told += "\nwhat you had asked for before is taken back";
            }
            done(sent.signature.to_string(), owned.covenant, Some(at), &told)
        }
        Command::Close => {
            let key = config::keypair(global)?;
            read(&chain, &address::covenant(&exchange.address, &key.pubkey()), &key.pubkey()).await?;
            let close = instructions::close_covenant(&exchange.address, &key.pubkey());
            let sent = chain.send("close", &[close], &key, &[]).await?;
            let covenant = address::covenant(&exchange.address, &key.pubkey());
            done(sent.signature.to_string(), covenant, None, "closed: nothing binds you any more")
        }
        Command::Show(whose) => show(global, &chain, &exchange, &whose.of(global)?).await,
        Command::Execute(whose) => {
            let (key, owner) = (config::keypair(global)?, whose.of(global)?);
            let covenant = address::covenant(&exchange.address, &owner);
            read(&chain, &covenant, &owner).await?;
            let sent = chain.send("execute", &[instructions::execute_loosening(&covenant)], &key, &[]).await?;
            done(sent.signature.to_string(), covenant, None, "in force")
        }
        Command::Touch(whose) => {
            let (key, owner) = (config::keypair(global)?, whose.of(global)?);
            let owned = owned(&chain, &exchange, &owner).await?;
            let batch = touches(&chain, &exchange, &owned).await?;
            ensure!(!batch.is_empty(), "{owner} has no positions: there is nothing to look at");
            let sent = chain.send("touch", &batch, &key, &[]).await?;
            done(sent.signature.to_string(), owned.covenant, None, "all accounts with positions are seen")
        }
        Command::Trip(whose) => {
            let (key, owner) = (config::keypair(global)?, whose.of(global)?);
            let owned = owned(&chain, &exchange, &owner).await?;
            let state = read(&chain, &owned.covenant, &owner).await?.state;
            ensure!(
                !state.is_tripped(&chain.now().await?),
                "already tripped: {owner} can only reduce until {}",
                moment(state.tripped_until)
            );
            let mut batch = touches(&chain, &exchange, &owned).await?;
            let found = async || -> Result<bool> {
                Ok(read(&chain, &owned.covenant, &owner).await?.state.is_found(&chain.now().await?))
            };
            if !batch.is_empty() && !found().await? {
                // A trip that is refused would leave no trace of what was found.
                let sent = chain.send("touch", &batch, &key, &[]).await?;
                if found().await? {
                    let told = "a loss is found at its limit: found there again, two slots later at least and at newer prices, \
                                it trips: `ballast covenant trip` once more";
                    return done(sent.signature.to_string(), owned.covenant, None, told);
                }
                batch.clear();
            }
            batch.push(instructions::trip_covenant(&owned.covenant));
            let sent = chain.send("trip", &batch, &key, &[]).await?;
            let until = chain.read::<Covenant>(&owned.covenant).await?.state.tripped_until;
            let told = format!("tripped: {owner} can only reduce until {}", moment(until));
            done(sent.signature.to_string(), owned.covenant, Some(until), &told)
        }
    }
}

impl Whose {
    fn of(&self, global: &Global) -> Result<Pubkey> {
        match self.owner {
            Some(owner) => Ok(owner),
            None => Ok(config::keypair(global)?.pubkey()),
        }
    }
}

impl Terms {
    async fn args(
        &self,
        chain: &Chain,
        exchange: &ExchangeAccount,
        owned: &Owned,
        old: Option<&Covenant>,
    ) -> Result<SetCovenantArgs> {
        let decimals = exchange.state.quote_decimals;
        let old = old.filter(|_| !self.none).map(|covenant| LimitsView::from(&covenant.state.limits));
        let amount = |text: &Option<String>, old: Option<u64>| match text {
            Some(text) => amount::parse(text, decimals),
            None => Ok(old.unwrap_or(0)),
        };
        let time = |text: &Option<String>, old: Option<i64>, default: i64| match text {
            Some(text) => amount::seconds(text).map_err(anyhow::Error::msg),
            None => Ok(old.unwrap_or(default)),
        };
        let (cool_down, delay) = if self.none { (HOUR, DAY) } else { (DAY, 2 * DAY) };
        Ok(SetCovenantArgs {
            max_leverage: match &self.max_leverage {
                Some(text) => amount::parse(text, 6)?,
                None => old.map_or(0, |old| old.max_leverage),
            },
            max_notional: amount(&self.max_notional, old.map(|old| old.max_notional))?,
            daily_loss: match share(&self.daily_loss)? {
                Some(share) => of_equity(chain, exchange, owned, share).await?,
                None => amount(&self.daily_loss, old.map(|old| old.daily_loss))?,
            },
            drawdown: match share(&self.drawdown)? {
                Some(share) => of_equity(chain, exchange, owned, share).await?,
                None => amount(&self.drawdown, old.map(|old| old.drawdown))?,
            },
            cool_down: time(&self.cool_down, old.map(|old| old.cool_down), cool_down)?,
            loosening_delay: time(&self.delay, old.map(|old| old.loosening_delay), delay)?,
            auto_close: self.auto_close.unwrap_or(old.is_some_and(|old| old.auto_close)),
        })
    }
}

/// A share such as `5%`, in millionths; none for an amount.
fn share(text: &Option<String>) -> Result<Option<u64>> {
    text.as_deref().and_then(|text| text.strip_suffix('%')).map(|text| amount::parse(text.trim(), 4)).transpose()
}

/// That share of what all of the owner's accounts are worth now.
async fn of_equity(chain: &Chain, exchange: &ExchangeAccount, owned: &Owned, share: u64) -> Result<u64> {
    let now = chain.now().await?;
    let markets = chain.markets(exchange).await?.accrued(&now).map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
    let mut equity = 0_i128;
    for (_, account) in &owned.accounts {
        let find = |index| markets.get(index).map(|market| &market.state);
        let measure = ballast_client::covenants::measure(account, find, &now);
        equity += i128::from(measure.map_err(|fault| anyhow::anyhow!("{fault:?}"))?.equity.0);
    }
    let part = equity * i128::from(share) / 1_000_000;
    ensure!(part > 0, "your accounts are worth nothing: name an amount, not a share");
    Ok(u64::try_from(part)?)
}

async fn read(chain: &Chain, covenant: &Pubkey, owner: &Pubkey) -> Result<Box<Covenant>> {
    let hint = || format!("{owner} has no covenant here; `ballast covenant set` makes one");
    chain.find(covenant).await?.with_context(hint)
}

async fn owned(chain: &Chain, exchange: &ExchangeAccount, owner: &Pubkey) -> Result<Owned> {
    let accounts = chain.subaccounts(exchange, owner).await?;
    Ok(Owned { covenant: address::covenant(&exchange.address, owner), accounts })
}

/// What shows an account's owner's accounts to its covenant, where it has one.
pub(super) async fn seen(chain: &Chain, exchange: &ExchangeAccount, account: &Subaccount) -> Result<Vec<Instruction>> {
    if chain.find::<Covenant>(&instructions::pubkey(&account.covenant)).await?.is_none() {
        return Ok(vec![]);
    }
    let owned = owned(chain, exchange, &instructions::pubkey(&account.owner)).await?;
    touches(chain, exchange, &owned).await
}

/// Shows all accounts that hold anything to the covenant, their markets refreshed in front.
async fn touches(chain: &Chain, exchange: &ExchangeAccount, owned: &Owned) -> Result<Vec<Instruction>> {
    let held: Vec<_> = owned.accounts.iter().filter(|(_, account)| !account.state.is_flat()).collect();
    let mut indices: Vec<u16> =
        held.iter().flat_map(|(_, account)| account.state.slots().map(|(_, position)| position.market)).collect();
    indices.sort_unstable();
    indices.dedup();
    let mut batch = super::refresh::newest_prices(chain, exchange, &indices).await?;
    batch.extend(held.iter().map(|(key, account)| {
        instructions::touch_covenant(&owned.covenant, key, &instructions::leg_metas(account, None, false))
    }));
    Ok(batch)
}

async fn show(global: &Global, chain: &Chain, exchange: &ExchangeAccount, owner: &Pubkey) -> Result<()> {
    let owned = owned(chain, exchange, owner).await?;
    let view = view(chain, exchange, owner, &owned.accounts).await?;
    let view = view.with_context(|| format!("{owner} has no covenant here; `ballast covenant set` makes one"))?;
    output::show(global.json, &view, |view| text(view, exchange.state.quote_decimals))
}

/// An owner's covenant with what is left of its limits; none where there is none.
pub(super) async fn view(
    chain: &Chain,
    exchange: &ExchangeAccount,
    owner: &Pubkey,
    accounts: &[(Pubkey, Box<Subaccount>)],
) -> Result<Option<CovenantView>> {
    let key = address::covenant(&exchange.address, owner);
    let Some(covenant) = chain.find::<Covenant>(&key).await? else { return Ok(None) };
    let now = chain.now().await?;
    let fault = |fault| anyhow::anyhow!("the covenant cannot be read: {fault:?}");
    let markets = chain.markets(exchange).await?.accrued(&now).map_err(fault)?;
    let accounts = accounts.iter().map(|(key, account)| (key, &**account));
    Ok(Some(CovenantView::of(&covenant, accounts, &markets, &now).map_err(fault)?))
}

/// A covenant in words.
pub(super) fn text(view: &CovenantView, decimals: u8) -> String {
    let mut text = format!("covenant: {}", terms_of(&view.limits, decimals));
    let left = |what: &str, left: Option<u64>| left.map(|left| format!("{} {what}", quote(left, decimals)));
    let room: Vec<String> = [
        left("of loss today", view.day_left),
        left("of loss from here", view.drawdown_left),
        left("of notional", view.notional_left),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !room.is_empty() {
        text += &format!("\nleft: {}", room.join(", "));
    }
    if view.tripped_until != 0 {
        text += &format!("\nTRIPPED: reduce-only until {}", moment(view.tripped_until));
    } else if view.would_trip {
        text += "\na loss has reached its limit: anyone may trip it";
    } else if view.day_left == Some(0) || view.drawdown_left == Some(0) {
        text += "\na loss has reached its limit: no increase; found so again at newer prices, anyone may trip it";
    }
    if let Some((asked, at)) = &view.asked {
        text += &format!("\nasked for, from {} on: {}", moment(*at), terms_of(asked, decimals));
    }
    text
}

/// Terms as they would be in force.
fn args_view(args: &SetCovenantArgs) -> LimitsView {
    LimitsView {
        max_leverage: args.max_leverage,
        max_notional: args.max_notional,
        daily_loss: args.daily_loss,
        drawdown: args.drawdown,
        cool_down: args.cool_down,
        loosening_delay: args.loosening_delay,
        auto_close: args.auto_close,
    }
}

/// Which of the new terms are looser than the old ones, in words.
fn looser(old: &LimitsView, new: &LimitsView, decimals: u8) -> Vec<String> {
    let amount = |value: u64| if value == 0 { "none".to_owned() } else { quote(value, decimals) };
    let times =
        |value: u64| if value == 0 { "none".to_owned() } else { format!("{} times", amount::show(value, 6, 2)) };
    let limits = [
        ("leverage", old.max_leverage, new.max_leverage, times(old.max_leverage), times(new.max_leverage)),
        ("notional", old.max_notional, new.max_notional, amount(old.max_notional), amount(new.max_notional)),
        ("loss of a day", old.daily_loss, new.daily_loss, amount(old.daily_loss), amount(new.daily_loss)),
        ("drawdown", old.drawdown, new.drawdown, amount(old.drawdown), amount(new.drawdown)),
    ];
    let limits = limits.into_iter().filter(|(_, old, new, ..)| *old != 0 && (*new == 0 || new > old));
    let mut words: Vec<String> = limits.map(|(what, _, _, old, new)| format!("{what} {old} → {new}")).collect();
    for (what, old, new) in
        [("cool-down", old.cool_down, new.cool_down), ("delay", old.loosening_delay, new.loosening_delay)]
    {
        if new < old {
            words.push(format!("{what} {} → {}", span(old), span(new)));
        }
    }
    if old.auto_close && !new.auto_close {
        words.push("nobody may close what is open any more".to_owned());
    }
    words
}

fn terms_of(limits: &LimitsView, decimals: u8) -> String {
    let some = |what: &str, limit: u64, shown: String| (limit != 0).then(|| format!("{what} {shown}"));
    let all = [
        some("leverage", limits.max_leverage, format!("{} times", amount::show(limits.max_leverage, 6, 2))),
        some("notional", limits.max_notional, quote(limits.max_notional, decimals)),
        some("loss of a day", limits.daily_loss, quote(limits.daily_loss, decimals)),
        some("drawdown", limits.drawdown, quote(limits.drawdown, decimals)),
    ];
    let mut words: Vec<String> = all.into_iter().flatten().collect();
    if words.is_empty() {
        words.push("no limits".to_owned());
    }
    words.push(format!("cool-down {}", span(limits.cool_down)));
    words.push(format!("loosens after {}", span(limits.loosening_delay)));
    if limits.auto_close {
        words.push("anyone may close what is open once it is tripped".to_owned());
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not known is not said: no answer is not the answer that there is none.
    #[tokio::test]
    async fn a_node_that_does_not_answer_is_not_an_owner_without_a_covenant() {
        let chain = Chain::at("http://127.0.0.1:1".to_owned());
        let exchange = ExchangeAccount { address: Pubkey::default(), state: bytemuck::zeroed_box() };
        let view = view(&chain, &exchange, &Pubkey::default(), &[]).await;
        let error = view.expect_err("nobody answers there");
        assert!(error.to_string().contains("does not answer"), "{error}");
    }

    #[test]
    fn what_is_looser_is_told_in_whole_units() {
        let old = LimitsView {
            max_leverage: 3_000_000,
            max_notional: 0,
            daily_loss: 105_000_000,
            drawdown: 500_000_000,
            cool_down: 86_400,
            loosening_delay: 172_800,
            auto_close: true,
        };
        assert!(looser(&old, &old, 6).is_empty());
        let tighter = LimitsView { max_leverage: 2_000_000, max_notional: 5, cool_down: 90_000, ..old };
        assert!(looser(&old, &tighter, 6).is_empty());
        let new = LimitsView { max_leverage: 5_000_000, drawdown: 0, cool_down: 3_600, auto_close: false, ..old };
        let told = looser(&old, &new, 6).join(", ");
        assert!(told.starts_with("leverage 3.00 times → 5.00 times, drawdown 500.00 → none, cool-down "), "{told}");
        assert!(told.ends_with("nobody may close what is open any more"), "{told}");
    }

    #[test]
    fn shares_are_told_from_amounts() {
        assert_eq!(share(&Some("5%".into())).unwrap(), Some(50_000));
        assert_eq!(share(&Some("12.5 %".into())).unwrap(), Some(125_000));
        assert_eq!(share(&Some("500".into())).unwrap(), None);
        assert_eq!(share(&None).unwrap(), None);
    }
}

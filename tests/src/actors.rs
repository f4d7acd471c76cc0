//! Who acts: traders with a subaccount, providers of liquidity. Keys follow from names, so that addresses and compute
//! units are the same in every run.

use std::sync::Arc;

use anchor_lang::prelude::Pubkey;
use ballast_client::{address, instructions as ix};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::setup::Setup;
use crate::units;
use crate::world::{Expect, Outcome, fixed_key};

/// A key with a token account and a subaccount.
#[derive(Clone, Debug)]
pub struct Trader {
    /// Its key.
    pub key: Arc<Keypair>,
    /// Its token account.
    pub tokens: Pubkey,
    /// Its subaccount.
    pub subaccount: Pubkey,
}

/// A key that provides liquidity to one market.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its key.
    pub key: Arc<Keypair>,
    /// The market.
    pub market: usize,
    /// Its token account.
    pub tokens: Pubkey,
    /// Its account of shares.
    pub shares: Pubkey,
}

impl Trader {
    /// A place to be filled.
    pub(crate) fn nobody() -> Self {
        Self { key: Arc::new(fixed_key("nobody")), tokens: Pubkey::default(), subaccount: Pubkey::default() }
    }

    /// Its address.
    pub fn address(&self) -> Pubkey {
        self.key.pubkey()
    }
}

impl Setup {
    /// A key with lamports and so many tokens more, and its token account.
    pub fn fund(&mut self, name: &str, amount: u64) -> (Arc<Keypair>, Pubkey) {
        let key = Arc::new(fixed_key(name));
        let tokens = address::tokens(&key.pubkey(), &self.mint);
        if !self.world.exists(&key.pubkey()) {
            self.world.give(key.pubkey(), 100_000_000_000);
        }
        let amount = self.world.tokens(&tokens) + amount;
        self.set_tokens(tokens, &key.pubkey(), &self.mint.clone(), amount);
        (key, tokens)
    }

    /// A trader with a cross subaccount (its number 0) that holds so much collateral, and a million tokens besides.
    pub fn trader(&mut self, name: &str, collateral: u64) -> Trader {
        self.trader_with(name, 0, false, collateral)
    }

    /// A trader with an isolated subaccount (its number 1) that holds so much collateral.
    pub fn isolated(&mut self, name: &str, collateral: u64) -> Trader {
        self.trader_with(name, 1, true, collateral)
    }

    /// A trader's subaccount of any number and mode.
    pub fn trader_with(&mut self, name: &str, id: u16, isolated: bool, collateral: u64) -> Trader {
        let (key, tokens) = self.fund(name, collateral + units(1_000_000));
        let open = ix::open_subaccount(&self.exchange, &key.pubkey(), id, isolated);
        self.world.measure("open_subaccount", open, &[&key]).must();
        let subaccount = address::subaccount(&self.exchange, &key.pubkey(), id);
        let trader = Trader { key, tokens, subaccount };
        if collateral > 0 {
            self.deposit(&trader, collateral).must();
        }
        trader
    }

    /// Puts collateral in.
    pub fn deposit(&mut self, trader: &Trader, amount: u64) -> Outcome {
        let deposit = ix::deposit(&self.exchange, &trader.address(), &trader.subaccount, &trader.tokens, amount);
        self.world.measure("deposit", deposit, &[&trader.key])
    }

    /// Takes collateral out.
    pub fn withdraw(&mut self, trader: &Trader, amount: u64) -> Outcome {
        let account = self.account(trader);
        let legs = ix::leg_metas(&account, None, false);
        let (owner, subaccount) = (trader.address(), trader.subaccount);
        let withdraw = ix::withdraw(&self.exchange, &owner, &subaccount, &trader.tokens, amount, &legs);
        self.world.measure(&named("withdraw", account.state.slots().count()), withdraw, &[&trader.key])
    }

    /// Moves collateral to another subaccount of the same owner.
    pub fn transfer(&mut self, from: &Trader, to: &Trader, amount: u64) -> Outcome {
        let account = self.account(from);
        let (legs, covenant) = (ix::leg_metas(&account, None, false), ix::pubkey(&account.covenant));
        let transfer = ix::transfer(&from.address(), &from.subaccount, &to.subaccount, &covenant, amount, &legs);
        self.world.measure("transfer", transfer, &[&from.key])
    }

    /// Closes an empty subaccount.
    pub fn close_subaccount(&mut self, trader: &Trader) -> Outcome {
        let close = ix::close_subaccount(&self.exchange, &trader.address(), &trader.subaccount);
        self.world.measure("close_subaccount", close, &[&trader.key])
    }

    /// A provider with an empty account of shares and so many tokens.
    pub fn provider_account(&mut self, name: &str, market: usize, amount: u64) -> Provider {
        let (key, tokens) = self.fund(name, amount);
        let mint = address::lp_mint(&self.market_key(market));
        let shares = address::tokens(&key.pubkey(), &mint);
        if !self.world.exists(&shares) {
            self.set_tokens(shares, &key.pubkey(), &mint, 0);
        }
        Provider { key, market, tokens, shares }
    }

    /// A provider whose deposit was filed and executed.
    pub fn provider(&mut self, name: &str, market: usize, amount: u64) -> Provider {
        let provider = self.provider_account(name, market, amount);
        self.file_deposit(&provider, amount).must();
        self.later();
        self.execute_deposit(&provider).must();
        provider
    }

    /// Files a liquidity deposit.
    pub fn file_deposit(&mut self, provider: &Provider, amount: u64) -> Outcome {
        let (market, owner) = (self.market_key(provider.market), provider.key.pubkey());
        let file = ix::request_lp_deposit(&self.exchange, &market, &owner, &provider.tokens, amount);
        self.world.measure("request_lp_deposit", file, &[&provider.key])
    }

    /// Executes a filed liquidity deposit.
    pub fn execute_deposit(&mut self, provider: &Provider) -> Outcome {
        let (market, owner) = (self.market_key(provider.market), provider.key.pubkey());
        let execute = ix::execute_lp_deposit(&market, &owner, &provider.shares);
        self.world.measure("execute_lp_deposit", execute, &[])
    }

    /// Gives a lapsed liquidity deposit back.
    pub fn lapse_deposit(&mut self, provider: &Provider) -> Outcome {
        let (market, owner) = (self.market_key(provider.market), provider.key.pubkey());
        let lapse = ix::lapse_lp_deposit(&self.exchange, &market, &owner, &provider.tokens);
        self.world.measure("lapse_lp_deposit", lapse, &[])
    }

    /// Files a liquidity exit of so many shares.
    pub fn file_exit(&mut self, provider: &Provider, shares: u64) -> Outcome {
        let (market, owner) = (self.market_key(provider.market), provider.key.pubkey());
        let file = ix::request_lp_withdrawal(&market, &owner, &provider.shares, shares);
        self.world.measure("request_lp_withdrawal", file, &[&provider.key])
    }

    /// The instruction by which anyone executes a ripe liquidity exit.
    pub fn execute_exit_ix(&self, provider: &Provider) -> Instruction {
        let (market, owner) = (self.market_key(provider.market), provider.key.pubkey());
        ix::execute_lp_withdrawal(&self.exchange, &market, &owner, &provider.tokens)
    }

    /// Its owner executes a ripe liquidity exit.
    pub fn execute_exit(&mut self, provider: &Provider) -> Outcome {
        let execute = ix::by_owner(self.execute_exit_ix(provider), &provider.key.pubkey());
        self.world.measure("execute_lp_withdrawal", execute, &[&provider.key])
    }

    /// Somebody else does.
    pub fn execute_exit_of(&mut self, provider: &Provider) -> Outcome {
        let execute = self.execute_exit_ix(provider);
        self.world.measure("execute_lp_withdrawal", execute, &[])
    }

    /// Gives a lapsed liquidity exit's shares back.
    pub fn lapse_exit(&mut self, provider: &Provider) -> Outcome {
        let (market, owner) = (self.market_key(provider.market), provider.key.pubkey());
        let lapse = ix::lapse_lp_withdrawal(&market, &owner, &provider.shares);
        self.world.measure("lapse_lp_withdrawal", lapse, &[])
    }

    /// Sends a market's protocol fees to the fee destination.
    pub fn collect_fees(&mut self, market: usize) -> Outcome {
        let collect = ix::collect_fees(&self.exchange, &self.market_key(market), &self.fee_destination);
        self.world.measure("collect_fees", collect, &[])
    }
}

/// An instruction's name in the record of compute units, with the number of positions.
pub(crate) fn named(instruction: &str, positions: usize) -> String {
    let plural = if positions == 1 { "" } else { "s" };
    format!("{instruction}, {positions} position{plural}")
}

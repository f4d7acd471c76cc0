//! The engine's property, attack and worked-example tests, one binary.
#![allow(missing_docs, reason = "tests document themselves by name")]

mod collusion;
mod covenant;
mod delegate;
mod deleverage;
mod envelope;
mod extremes;
mod funding;
mod governance;
mod governor;
mod guardian;
mod insurance;
mod limiter;
mod liquidation;
mod liquidity;
mod margin;
mod order;
mod params;
mod pool;
mod price;
mod principal;
mod quotes;
mod resolve;
mod sequences;
mod settle;
mod settlement;
mod strategies;
mod support;
mod trade;
mod upgrade;
mod waterfall;
mod world;

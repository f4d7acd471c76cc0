//! Every quantity of both, side by side.

use ballast_engine::margin::Purpose as EnginePurpose;
use ballast_model::margin::Purpose;
use ballast_model::number::q;
use ballast_model::{Exchange, Q};

use crate::bridge::{index, price};
use crate::world::{MARKETS, World};

/// What kind of number a quantity is: its roundings are of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Atoms of the collateral, as they are stored.
    Money,
    /// Atoms of the collateral in a sum that is rounded when it is asked for.
    Derived,
    /// What a liquidation has to close, and has closed.
    Need,
    /// Base atoms.
    Size,
    /// A price (−9).
    Price,
    /// A funding index (−15).
    Index,
    /// A funding rate (−12).
    Rate,
    /// Liquidity shares.
    Shares,
    /// Atoms in a sum over an account, which the margin test rounds against it.
    Margin,
    /// What must be the same to the digit.
    Exact,
}

/// A quantity of both.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) engine: Q,
    pub(crate) model: Q,
}

/// By how much the engine's sum of a market's claims is below its holders' claims: its index's factor is rounded up at each
/// payment, which only makes holders wait for what has been set aside. A step must not be blamed for the ones before it.
pub(crate) fn late_claims(world: &World, model: &Exchange) -> [Q; MARKETS] {
    core::array::from_fn(|of| model.claims(of) - q(world.markets[of].pool.claims.0))
}

/// The engine's state in the model's terms (`engine`) against the model's own. Sums over an account, which cost most, for
/// one account only if one is named; `late` is what [`late_claims`] found before.
pub(crate) fn fields(
    world: &World,
    engine: &Exchange,
    model: &Exchange,
    only: Option<usize>,
    late: &[Q; MARKETS],
) -> Vec<Field> {
    let mut all = Vec::new();
    let mut push = |name: String, kind, engine: Q, model: Q| all.push(Field { name, kind, engine, model });
    for (a, (e, m)) in engine.accounts.iter().zip(&model.accounts).enumerate() {
        push(format!("account {a} collateral"), Kind::Money, e.collateral.clone(), m.collateral.clone());
        let flags = (e.flag.is_some(), m.flag.is_some());
        push(format!("account {a} flagged"), Kind::Exact, q(i32::from(flags.0)), q(i32::from(flags.1)));
        if let (Some(e), Some(m)) = (&e.flag, &m.flag) {
            push(format!("account {a} flag's need"), Kind::Need, e.need.clone(), m.need.clone());
            push(format!("account {a} flag's closed"), Kind::Need, e.closed.clone(), m.closed.clone());
            push(format!("account {a} flag's slot"), Kind::Exact, q(e.slot), q(m.slot));
            push(format!("account {a} flag's time"), Kind::Exact, q(e.time), q(m.time));
            push(format!("account {a} flag's last slot"), Kind::Exact, q(e.last_slot), q(m.last_slot));
            push(format!("account {a} flag's ramp"), Kind::Exact, q(i32::from(e.full)), q(i32::from(m.full)));
        }
        for (s, (e, m)) in e.slots.iter().zip(&m.slots).enumerate() {
            let name = |what: &str| format!("account {a} slot {s} {what}");
            if !e.is_free() || !m.is_free() {
                push(name("market"), Kind::Exact, q(e.market), q(m.market));
            }
            push(name("size"), Kind::Size, e.size.clone(), m.size.clone());
            push(name("entry"), Kind::Money, e.entry.clone(), m.entry.clone());
            push(name("index"), Kind::Index, e.index_at.clone(), m.index_at.clone());
            push(name("claim"), Kind::Money, e.claim.due.clone(), m.claim.due.clone());
            push(name("paid on the claim"), Kind::Money, e.claim.paid.clone(), m.claim.paid.clone());
            push(name("holdback"), Kind::Money, e.held.clone(), m.held.clone());
            push(name("holdback's size"), Kind::Size, e.held_size.clone(), m.held_size.clone());
            push(name("frozen"), Kind::Money, e.frozen.clone(), m.frozen.clone());
            push(name("waits"), Kind::Exact, q(i32::from(e.waits)), q(i32::from(m.waits)));
            if e.is_open() {
                push(name("counted in"), Kind::Exact, q(e.counted), q(m.counted));
            }
            push(name("holdback's price"), Kind::Price, e.held_price.clone(), m.held_price.clone());
        }
    }
    for (of, late) in late.iter().enumerate() {
        let (e, m, state) = (&engine.markets[of], &model.markets[of], &world.markets[of]);
        let name = |what: &str| format!("market {of} {what}");
        let covered = [e, m].map(|market| market.covered.as_of(model.unix));
        let money = [
            ("cash", &e.cash, &m.cash),
            ("set aside", &e.set_aside, &m.set_aside),
            ("insurance", &e.insurance, &m.insurance),
            ("protocol fees", &e.protocol, &m.protocol),
            ("filed deposits", &e.pending, &m.pending),
            ("deficits", &e.deficits, &m.deficits),
            ("insurance paid", &e.insurance_paid, &m.insurance_paid),
            ("floors paid", &e.floor_paid, &m.floor_paid),
            ("day's deficits", &covered[0].beyond, &covered[1].beyond),
            ("insurance claim due", &covered[0].due, &covered[1].due),
        ];
        for (what, e, m) in money {
            push(name(what), Kind::Money, e.clone(), m.clone());
        }
        push(name("capacity used"), Kind::Need, e.throttle_used.clone(), m.throttle_used.clone());
        push(name("shares"), Kind::Shares, e.shares.clone(), m.shares.clone());
        push(name("rate"), Kind::Rate, e.rate.clone(), m.rate.clone());
        let (g, h) = (&e.governor, &m.governor);
        push(name("soft cap"), Kind::Rate, g.soft_cap.clone(), h.soft_cap.clone());
        push(name("average rate"), Kind::Rate, g.average.clone(), h.average.clone());
        push(name("hour's mean rate"), Kind::Rate, &g.area / q(3_600), &h.area / q(3_600));
        push(name("hour's seconds"), Kind::Exact, q(g.seconds), q(h.seconds));
        push(name("hour's heavy seconds"), Kind::Exact, q(g.heavy), q(h.heavy));
        push(name("long index"), Kind::Index, e.long.index.clone(), m.long.index.clone());
        push(name("short index"), Kind::Index, e.short.index.clone(), m.short.index.clone());
        push(name("price"), Kind::Exact, e.prices.last.price.clone(), m.prices.last.price.clone());
        push(name("confidence"), Kind::Price, e.prices.last.conf.clone(), m.prices.last.conf.clone());
        push(name("valid price"), Kind::Exact, e.prices.valid.price.clone(), m.prices.valid.price.clone());
        push(name("exits judged at"), Kind::Exact, e.resumed.clone(), m.resumed.clone());
        push(name("exits unjudged"), Kind::Exact, q(i32::from(e.unjudged)), q(i32::from(m.unjudged)));
        push(name("EMA5"), Kind::Price, e.prices.ema5.clone(), m.prices.ema5.clone());
        push(name("EMA60"), Kind::Price, e.prices.ema60.clone(), m.prices.ema60.clone());
        push(name("sample"), Kind::Price, e.prices.sample.clone(), m.prices.sample.clone());
        push(name("the most of claims"), Kind::Derived, e.peak.clone(), m.peak.clone());
        let (a, b) = (&e.episode, &m.episode);
        let exact = [
            ("clock", q(e.clock), q(m.clock)),
            ("episode", q(a.number), q(b.number)),
            ("episode since", q(a.since), q(b.since)),
            ("episode's positions", q(a.positions), q(b.positions)),
            ("episode's settled", q(a.settled), q(b.settled)),
            ("episode complete", q(a.complete_at), q(b.complete_at)),
            ("settlement begun", q(e.settlement.begun_at), q(m.settlement.begun_at)),
            ("settlement fixed", q(e.settlement.fixed_at), q(m.settlement.fixed_at)),
            ("to pick up", q(state.deleveraging.positions), q(model.waiting(of))),
            ("waiting prices", q(e.prices.waiting.len()), q(m.prices.waiting.len())),
            ("status", q(engine.status(of) as u8), q(model.status(of) as u8)),
            ("accrued at", q(e.accrued_at), q(m.accrued_at)),
            ("exits waiting", q(e.exits_waiting_until), q(m.exits_waiting_until)),
            ("evicted", q(e.prices.evicted), q(m.prices.evicted)),
        ];
        for (what, e, m) in exact {
            push(name(what), Kind::Exact, e, m);
        }
        for (debtor, (e, m)) in e.held.iter().zip(&m.held).enumerate() {
            push(name(&format!("claim on {debtor}")), Kind::Money, e.due.clone(), m.due.clone());
            push(name(&format!("paid on the claim on {debtor}")), Kind::Money, e.paid.clone(), m.paid.clone());
        }
        // What the engine keeps as sums, the model sums up each time.
        for long in [true, false] {
            let side = state.side(long);
            push(name("open interest"), Kind::Size, q(side.open_interest.0), model.open_interest(of, long));
            push(name("entry"), Kind::Money, q(side.entry.0), model.entry(of, long));
            push(name("index of the sums"), Kind::Index, index(side.index.get()), {
                if long { m.long.index.clone() } else { m.short.index.clone() }
            });
        }
        push(name("insurance pending"), Kind::Derived, q(state.insurance.pending().unwrap().0), m.covered.pending());
        push(name("claims"), Kind::Derived, q(state.pool.claims.0) + late, model.claims(of));
        let mark = state.price.last.price;
        push(name("equity"), Kind::Derived, q(state.equity(mark).unwrap().0) - late, model.equity(of, &price(mark)));
        push(
            name("firm equity"),
            Kind::Derived,
            q(state.firm_equity(mark).unwrap().0) - late,
            model.firm_equity(of, &price(mark)),
        );
    }
    push("the fund".to_owned(), Kind::Money, engine.fund.clone(), model.fund.clone());
    for batch in &engine.batches {
        let ours = model.batches.iter().find(|b| b.day == batch.day).unwrap();
        let name = |what: &str| format!("batch {} {what}", batch.day);
        push(name("claimed"), Kind::Money, batch.claimed.clone(), ours.claimed.clone());
        push(name("paid"), Kind::Money, batch.paid.clone(), ours.paid.clone());
        push(name("open"), Kind::Exact, q(batch.open), q(ours.open));
        let awards = [batch, ours].map(|b| b.fixed.as_ref().map_or_else(|| q(-1), |(_, award)| award.clone()));
        push(name("award"), Kind::Money, awards[0].clone(), awards[1].clone());
    }
    let holds = |a: &usize| engine.accounts[*a].slots.iter().any(|p| !p.is_free());
    for a in (0..engine.accounts.len()).filter(holds).filter(|a| only.is_none_or(|only| only == *a)) {
        let pairs = [
            (EnginePurpose::Maintenance, Purpose::Maintenance),
            (EnginePurpose::Increase, Purpose::Increase),
            (EnginePurpose::Withdrawal, Purpose::Withdrawal),
        ];
        for (theirs, ours) in pairs {
            let (Ok(e), Ok(m)) = (world.totals(a, theirs), model.totals(a, ours)) else { continue };
            let name = |what: &str| format!("account {a} {what} for {theirs:?}");
            push(name("equity"), Kind::Margin, q(e.equity.0), m.equity.clone());
            push(name("full equity"), Kind::Margin, q(e.full_equity.0), m.full_equity.clone());
            push(name("notional"), Kind::Margin, q(e.notional.0), m.notional.clone());
            if theirs == EnginePurpose::Maintenance {
                push(name("requirement"), Kind::Margin, q(e.requirement.0), m.requirement.clone());
                push(name("buffer"), Kind::Margin, q(e.buffer.0), m.buffer.clone());
            }
        }
    }
    all
}

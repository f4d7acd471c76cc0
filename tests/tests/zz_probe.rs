#![allow(missing_docs)]
use ballast_client::{address, instructions as ix};
use ballast_engine::governance::kind;
use ballast_tests::*;
use solana_keypair::Keypair;
use solana_signer::Signer;

fn show(name: &str, o: Outcome) {
    match o {
        Ok(s) => println!("{name}: ok {:?}", s.events.iter().map(|e| format!("{e:?}").chars().take(200).collect::<String>()).collect::<Vec<_>>()),
        Err(e) => println!("{name}: refused {:?} {} {:?}", e.error, e.message, e.logs.iter().filter(|l| l.contains("limit")).collect::<Vec<_>>()),
    }
}

#[test]
fn probe() {
    let mut s = Setup::new();
    let p = s.provider("lp2", 0, units(100_000));
    println!("shares {}", s.market(0).state.pool.shares);
    let tok = s.world.tokens(&p.shares);
    s.file_exit(&p, tok / 2).must();
    println!("locked: shares {} tokens {}", s.market(0).state.pool.shares, s.world.tokens(&p.shares));
    show("early", s.execute_exit(&p));
    show("second ticket", s.file_exit(&p, 5));
    s.world.advance(86_401);
    show("lapse early", s.lapse_exit(&p));
    s.tick(1);
    show("pause", s.emergency(3_600));
    show("exec paused", s.execute_exit(&p));
    println!("waiting until {} now {}", s.market(0).state.pool.exits_waiting_until, s.world.now().unix);
    s.world.advance(1_800);
    s.tick(1);
    show("paused again", s.execute_exit(&p));
    s.world.advance(1_801);
    s.tick(1);
    let before = s.world.tokens(&p.tokens);
    show("exec", s.execute_exit(&p));
    println!("got {} shares {}", s.world.tokens(&p.tokens) - before, s.market(0).state.pool.shares);
    s.audit();
    s.file_exit(&p, tok / 4).must();
    s.world.advance(86_400 + 3_602);
    s.tick(1);
    show("exec lapsed", s.execute_exit(&p));
    show("lapse", s.lapse_exit(&p));
    println!("tokens {} of {}", s.world.tokens(&p.shares), tok);
    show("file dep", s.file_deposit(&p, units(10)));
    s.world.advance(3_602);
    s.tick(1);
    show("exec lapsed", s.execute_deposit(&p));
    show("lapse", s.lapse_deposit(&p));
    s.audit();
    show("collect none", s.collect_fees(0));
    let (k, t) = s.fund("rich", units(50));
    let top = ix::top_up_shared_insurance(&s.exchange, &k.pubkey(), &t, units(7));
    show("shared", s.world.measure("x", top, &[&k]));
    let top = ix::top_up_shared_insurance(&s.exchange, &k.pubkey(), &t, 0);
    show("shared 0", s.world.measure("x", top, &[&k]));
    s.audit();
    // governance
    let new = Keypair::new();
    let id = s.queue_role(kind::GOVERNANCE, new.pubkey()).unwrap();
    show("early exec", s.execute_proposal(id));
    s.wait_for(id);
    show("exec", s.execute_proposal(id));
    show("again", s.execute_proposal(id));
    let old_id = s.queue(0, "taker_fee", 600).unwrap();
    s.world.give(new.pubkey(), 1_000_000_000);
    let acc = ix::accept_governance(&new.pubkey(), &s.exchange);
    show("accept", s.world.measure("x", acc, &[&new]));
    s.wait_for(old_id);
    show("old gov's", s.execute_proposal(old_id));
    show("veto", s.veto(old_id));
    show("veto again", s.veto(old_id));
    s.governance = std::sync::Arc::new(new);
    let dis = ix::dismiss_committee(&s.governance.pubkey(), &s.exchange);
    let g = s.governance.clone();
    show("dismiss", s.world.measure("x", dis, &[&g]));
    let id = s.queue(0, "taker_fee", 600).unwrap();
    let f = s.queue_oracle_feed(1, [9; 32]).unwrap();
    show("expire early", s.expire(id));
    s.wait_for(f);
    show("feed", s.execute_proposal(f));
    println!("feed {:?} v {}", s.market(1).feed_id.0[0], s.market(1).feed_version);
    s.world.advance(8 * 86_400);
    show("late", s.execute_proposal(id));
    show("expire", s.expire(id));
    println!("pending {} next {}", s.exchange().pending_proposals, s.exchange().next_proposal);
    // durable nonce
    let args = s.change_args(0, 17, 600);
    let idn = s.exchange().next_proposal;
    let q = ix::queue_market_parameter(&s.world.payer.pubkey(), &g.pubkey(), &s.exchange, 0, idn, args);
    let nonce = Keypair::new();
    let _ = (q, nonce, address::proposal(&s.exchange, 0));
    for (k, v) in &s.world.units {
        println!("{k} {v:?}");
    }
}

//! The registry covers what is stored, and its rows are sound.

use ballast_engine::error::Error;
use ballast_engine::layout::{FieldDef, Layout, TypeRef};
use ballast_engine::params::{Class, EXCHANGE_ROWS, ExchangeParams, MARKET_ROWS, MarketParams, Row, Unit};
use ballast_engine::presets::{new_exchange, new_market};
use ballast_engine::tier::Tier;

fn fields<T: Layout>() -> &'static [FieldDef] {
    match T::TYPE {
        TypeRef::Struct(def) => def.fields,
        _ => panic!("a struct"),
    }
}

fn shortest(class: Class) -> u64 {
    let place = match class {
        Class::G1 => "delay_tune",
        Class::G2 => "delay_risk",
        Class::G3 => "delay_deep",
    };
    EXCHANGE_ROWS.iter().find(|r| r.name == place).unwrap().min
}

fn market(name: &str) -> &'static Row {
    MARKET_ROWS.iter().find(|r| r.name == name).unwrap()
}

#[test]
fn every_stored_parameter_has_a_row_and_every_row_a_field() {
    for (stored, rows) in [(fields::<MarketParams>(), MARKET_ROWS), (fields::<ExchangeParams>(), EXCHANGE_ROWS)] {
        let names: Vec<_> = stored.iter().map(|f| f.name).filter(|n| *n != "reserved").collect();
        assert_eq!(names, rows.iter().map(|r| r.name).collect::<Vec<_>>());
        for field in stored.iter().filter(|f| f.name != "reserved") {
            assert_eq!(field.ty, TypeRef::U64, "{}: an id is a place of eight bytes", field.name);
        }
        assert!(rows.iter().all(|r| r.doc.len() > 10 && r.doc.ends_with('.')));
    }
    assert_eq!(size_of::<MarketParams>(), 48 * 8);
}

#[test]
fn an_id_reads_and_writes_its_own_field_alone() {
    let mut params = MarketParams::default();
    for id in 0..u16::try_from(MARKET_ROWS.len()).unwrap() {
        params.set(id, u64::from(id) + 1).unwrap();
    }
    assert_eq!(params.initial_margin.0, 1);
    let last = MARKET_ROWS.last().unwrap().name;
    assert_eq!(params.get(MarketParams::id(last).unwrap()).unwrap(), MARKET_ROWS.len() as u64);
    assert_eq!(params.get(MarketParams::id("order_fee").unwrap()).unwrap(), params.order_fee.0);
    assert_eq!(params.order_fee.0, u64::from(MarketParams::id("order_fee").unwrap()) + 1);
    assert!(params.reserved.iter().all(|r| *r == 0));
    let beyond = u16::try_from(MARKET_ROWS.len()).unwrap();
    assert_eq!(params.set(beyond, 1).unwrap_err().error, Error::ParameterUnknown);
    assert_eq!(params.get(u16::MAX).unwrap_err().error, Error::ParameterUnknown);
}

#[test]
fn presets_lie_within_the_hard_bounds() {
    for tier in [Tier::A, Tier::B, Tier::C] {
        new_market(tier, 1_000_000_000).check_bounds().unwrap();
    }
    new_exchange().check_bounds().unwrap();
    assert!(MARKET_ROWS.iter().chain(EXCHANGE_ROWS).all(|r| r.min < r.max));
}

#[test]
fn from_any_value_a_step_leads_on_and_no_step_crosses_the_range() {
    for row in MARKET_ROWS.iter().chain(EXCHANGE_ROWS) {
        for value in [row.min, row.max] {
            let next = if value == row.min { value + 1 } else { value - 1 };
            row.check_step(value, next).unwrap();
        }
        assert_eq!(row.check_step(row.min, row.max).unwrap_err().error, Error::ParameterStep, "{}", row.name);
    }
}

#[test]
fn a_step_is_the_fixed_one_or_the_share_whichever_is_larger() {
    let row = market("maintenance_margin");
    // At 3 % a fifth is 0.6 %, more than the fixed 0.5 %; at 1 % the fixed one counts.
    row.check_step(30_000, 36_000).unwrap();
    let fault = row.check_step(30_000, 36_001).unwrap_err();
    assert_eq!((fault.error, fault.limit, fault.value), (Error::ParameterStep, 6_000, 6_001));
    row.check_step(10_000, 15_000).unwrap();
    row.check_step(10_000, 15_001).unwrap_err();
    row.check_step(30_000, 24_000).unwrap();
    row.check_step(30_000, 23_999).unwrap_err();
}

#[test]
fn an_exit_filed_within_a_day_is_ripe_before_anything_takes_effect() {
    let cooldown = market("lp_cooldown").max;
    for row in MARKET_ROWS.iter().chain(EXCHANGE_ROWS) {
        for class in [row.up, row.down] {
            assert!(shortest(class) >= cooldown + 86_400, "{}", row.name);
        }
    }
}

#[test]
fn what_can_take_from_providers_or_insurance_waits_a_day_longer_than_that() {
    let harmful = [
        ("maintenance_margin", false),
        ("profit_credit", true),
        ("skew_scale", true),
        ("skew_scale", false),
        ("open_interest_cap", true),
        ("max_position", true),
        ("fee_pool_share", false),
        ("fee_insurance_share", false),
        ("keeper_floor_hourly", true),
        ("liquidation_impact", true),
        ("liquidation_capacity", false),
        ("stress_move", true),
        ("stress_move", false),
        ("lp_cooldown", true),
    ];
    for (name, up) in harmful {
        let row = market(name);
        let class = if up { row.up } else { row.down };
        assert!(shortest(class) >= market("lp_cooldown").max + 2 * 86_400, "{name}");
    }
}

#[test]
fn a_delay_gets_shorter_by_the_deepest_class_only() {
    for name in ["delay_tune", "delay_risk", "delay_deep", "grace"] {
        assert_eq!(EXCHANGE_ROWS.iter().find(|r| r.name == name).unwrap().down, Class::G3);
    }
    // And the longest can itself not fall below a week, nor any below its class's table entry.
    assert_eq!([Class::G1, Class::G2, Class::G3].map(shortest), [48, 72, 168].map(|h| h * 3_600));
}

#[test]
fn the_committee_reaches_what_the_class_table_gives_it() {
    // Class G1's list: trading fees, funding velocity and caps, keeper rewards, initial margin.
    for name in ["taker_fee", "mending_fee", "funding_velocity", "funding_cap", "keeper_fee_min", "initial_margin"] {
        assert_eq!((market(name).up, market(name).down), (Class::G1, Class::G1), "{name}");
    }
    // Class G2's: maintenance up, liquidation fees, caps up.
    for name in ["maintenance_margin", "keeper_fee_max", "insurance_fee_max", "open_interest_cap", "max_position"] {
        assert_eq!(market(name).up, Class::G2, "{name}");
    }
    assert!(EXCHANGE_ROWS.iter().all(|r| r.up > Class::G1 && r.down > Class::G1));
}

#[test]
fn values_are_shown_with_all_their_digits() {
    assert_eq!(Unit::Ratio.show(12_345).to_string(), "1.2345 %");
    assert_eq!(Unit::RatioPerHour.show(1_250).to_string(), "0.1250 %/h");
    assert_eq!(Unit::RatePerHour.show(100_000_000).to_string(), "0.0100000000 %/h per hour");
    assert_eq!(Unit::Seconds.show(60).to_string(), "60 s");
    assert_eq!(Unit::Quote.show(7).to_string(), "7");
}

//! All runtimes charge alike. The validators' part is in `crates/localnet/tests/units.rs`.

use ballast_tests::bank::send_fixed;
use ballast_tests::{Setup, Terms};

use super::bank::on_bank;

#[test]
fn litesvm_and_a_real_bank_agree_on_the_compute_units_of_one_fixed_transaction() {
    let litesvm = send_fixed(&mut Setup::bare()).units;
    let mut setup = on_bank(&Terms { markets: vec![], funding: false });
    let bank = send_fixed(&mut setup).units;
    assert!(litesvm > 0);
    assert_eq!(litesvm, bank);
    setup.audit();
}

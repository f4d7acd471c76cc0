//! The thin path through everything.

use ballast_tests::Setup;

#[test]
fn setup_stands() {
    let setup = Setup::new();
    let audit = setup.audit();
    println!("{audit:?}");
}

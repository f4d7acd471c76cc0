//! What a price may be, and what may be done at it.

use ballast_client::instructions as ix;
use ballast_engine::Error;
use ballast_engine::constants::HOUR;
use ballast_engine::units::Price;
use ballast_tests::Expect;
use ballast_tests::prices::Posted;

use super::How::Refused;
use super::{Row, long, patch, still};

pub(super) fn rows() -> Vec<Row> {
    vec![
        (
            Error::PriceMalformed,
            Refused(|| {
                let mut setup = still();
                let update = ix::update_market(&setup.market_key(0), &setup.feed(1));
                setup.world.send(&[update], &[])
            }),
        ),
        (
            Error::PriceScaleTooCoarse,
            Refused(|| {
                let mut setup = still();
                setup.world.advance(1);
                setup.publish(0, Posted { price: 1, conf: 0 }).must();
                setup.update(0)
            }),
        ),
        (
            Error::PriceStale,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                setup.world.advance(12);
                setup.reduce(&trader, 0, 1, false)
            }),
        ),
        (
            Error::PriceUncertain,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                let price = setup.posted[0].price;
                setup.posted[0] = Posted { price, conf: u64::try_from(price / 50).expect("positive") };
                let size = setup.size_for(0, 1_000_000_000);
                setup.trade(&trader, 0, size)
            }),
        ),
        (
            Error::PriceUnconfirmed,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                let price = setup.posted[0].price;
                setup.posted[0] = Posted::tight(price + price / 20);
                let size = setup.size_for(0, 1_000_000_000);
                setup.trade(&trader, 0, size)
            }),
        ),
        (
            Error::PriceSilent,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                setup.world.advance(HOUR + 60);
                setup.reduce(&trader, 0, 1, false)
            }),
        ),
        (
            Error::PriceNotSilent,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                setup.exit_silent(&trader, 0)
            }),
        ),
        // A state that only a fault could leave: who holds a position had a price to open it at.
        (
            Error::PriceMissing,
            Refused(|| {
                let (mut setup, trader) = long(10_000, 10_000);
                setup.world.advance(HOUR + 60);
                patch(&mut setup, 0, |m| m.state.price.ema5 = Price(0));
                setup.exit_silent(&trader, 0)
            }),
        ),
    ]
}

//! The oracle's account: Pyth's `PriceUpdateV2`, read field by field. Nothing is deserialised and nothing allocated.

use anchor_lang::prelude::*;
use ballast_engine::Error as EngineError;
use ballast_engine::layout::Key;
use ballast_engine::price::RawUpdate;

use crate::BallastError;

/// First eight bytes of SHA-256 of `account:PriceUpdateV2`; a test recomputes them.
const DISCRIMINATOR: [u8; 8] = [34, 241, 35, 99, 157, 126, 244, 205];
/// Length of the account. A fully verified update leaves its last byte unused, as `Partial` takes one more.
const LENGTH: usize = 134;
/// `VerificationLevel::Full`. `Partial` would move all that follows by a byte; it is refused anyway.
const FULL: u8 = 1;

/// Offsets behind discriminator and write authority.
mod at {
    pub(super) const VERIFICATION: usize = 40;
    pub(super) const FEED_ID: usize = 41;
    pub(super) const PRICE: usize = 73;
    pub(super) const CONF: usize = 81;
    pub(super) const EXPONENT: usize = 89;
    pub(super) const PUBLISH_TIME: usize = 93;
    pub(super) const PREV_PUBLISH_TIME: usize = 101;
    pub(super) const POSTED_SLOT: usize = 125;
}

/// The update in an account of that program, if it is a fully verified one of that feed; else `PriceMalformed`. What the
/// numbers must be is the engine's part.
pub fn read(info: &AccountInfo<'_>, program: &Key, feed: &Key) -> Result<RawUpdate> {
    let malformed = || Error::from(BallastError::from(EngineError::PriceMalformed));
    if info.owner.as_array() != &program.0 {
        return Err(malformed());
    }
    decode(&info.try_borrow_data()?, feed).ok_or_else(malformed)
}

fn decode(data: &[u8], feed: &Key) -> Option<RawUpdate> {
    let data = data.get(..LENGTH)?;
    let sound = bytes::<8>(data, 0)? == DISCRIMINATOR
        && *data.get(at::VERIFICATION)? == FULL
        && bytes::<32>(data, at::FEED_ID)? == feed.0;
    if !sound {
        return None;
    }
    Some(RawUpdate {
        price: i64::from_le_bytes(bytes(data, at::PRICE)?),
        conf: u64::from_le_bytes(bytes(data, at::CONF)?),
        exponent: i32::from_le_bytes(bytes(data, at::EXPONENT)?),
        publish_time: i64::from_le_bytes(bytes(data, at::PUBLISH_TIME)?),
        prev_publish_time: i64::from_le_bytes(bytes(data, at::PREV_PUBLISH_TIME)?),
        posted_slot: u64::from_le_bytes(bytes(data, at::POSTED_SLOT)?),
    })
}

#[inline(always)]
fn bytes<const N: usize>(data: &[u8], from: usize) -> Option<[u8; N]> {
    data.get(from..)?.first_chunk::<N>().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update() -> Vec<u8> {
        let mut data = DISCRIMINATOR.to_vec();
        data.extend([9; 32]);
        data.push(FULL);
        data.extend([7; 32]);
        data.extend(6_500_000_000_000_i64.to_le_bytes());
        data.extend(1_234_u64.to_le_bytes());
        data.extend((-8_i32).to_le_bytes());
        data.extend(1_800_000_002_i64.to_le_bytes());
        data.extend(1_800_000_001_i64.to_le_bytes());
        data.extend(1_i64.to_le_bytes());
        data.extend(2_u64.to_le_bytes());
        data.extend(77_u64.to_le_bytes());
        data.push(0);
        data
    }

    #[test]
    fn a_full_update_of_the_feed_is_read() {
        let data = update();
        assert_eq!(data.len(), LENGTH);
        let raw = decode(&data, &Key([7; 32])).unwrap();
        assert_eq!(
            raw,
            RawUpdate {
                price: 6_500_000_000_000,
                conf: 1_234,
                exponent: -8,
                publish_time: 1_800_000_002,
                prev_publish_time: 1_800_000_001,
                posted_slot: 77,
            }
        );
    }

    #[test]
    fn what_is_not_one_is_refused() {
        let feed = Key([7; 32]);
        assert_eq!(decode(&update(), &Key([8; 32])), None, "another feed");
        for (place, name) in [(0, "discriminator"), (7, "discriminator"), (40, "verification"), (72, "feed")] {
            let mut data = update();
            data[place] ^= 1;
            assert_eq!(decode(&data, &feed), None, "{name}");
        }
        let data = update();
        for length in 0..LENGTH {
            assert_eq!(decode(&data[..length], &feed), None, "{length} bytes");
        }
        let mut partial = update();
        partial[40] = 0;
        partial.insert(41, 13);
        assert_eq!(decode(&partial, &feed), None, "partly verified");
    }

    #[test]
    fn the_account_must_belong_to_the_named_program() {
        let (key, owner, mut lamports, mut data) = (Pubkey::new_unique(), Pubkey::new_unique(), 1, update());
        let info = AccountInfo::new(&key, false, false, &mut lamports, &mut data, &owner, false);
        assert!(read(&info, &Key(owner.to_bytes()), &Key([7; 32])).is_ok());
        assert!(read(&info, &Key([1; 32]), &Key([7; 32])).is_err());
    }
}

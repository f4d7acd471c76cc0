//! The account and the address against their originals.

use anchor_lang::prelude::Pubkey;
use anchor_lang::{AccountDeserialize, AccountSerialize, Discriminator};
use price_feed::{ID, PROGRAM_KEY_SEED, PriceFeedMessage, PriceUpdateV2, VerificationLevel};
use pyth_solana_receiver_sdk::price_update as pyth;
use solana_signer::Signer as _;

fn message() -> PriceFeedMessage {
    PriceFeedMessage {
        feed_id: std::array::from_fn(|index| index as u8 + 1),
        price: -0x0102_0304_0506_0708,
        conf: 0x1112_1314_1516_1718,
        exponent: -8,
        publish_time: 0x2122_2324_2526_2728,
        prev_publish_time: 0x3132_3334_3536_3738,
        ema_price: -0x4142_4344_4546_4748,
        ema_conf: 0xf152_5354_5556_5758,
    }
}

fn theirs(ours: &PriceUpdateV2) -> pyth::PriceUpdateV2 {
    let message = &ours.price_message;
    pyth::PriceUpdateV2 {
        write_authority: ours.write_authority,
        verification_level: match ours.verification_level {
            VerificationLevel::Partial { num_signatures } => pyth::VerificationLevel::Partial { num_signatures },
            VerificationLevel::Full => pyth::VerificationLevel::Full,
        },
        price_message: pyth::PriceFeedMessage {
            feed_id: message.feed_id,
            price: message.price,
            conf: message.conf,
            exponent: message.exponent,
            publish_time: message.publish_time,
            prev_publish_time: message.prev_publish_time,
            ema_price: message.ema_price,
            ema_conf: message.ema_conf,
        },
        posted_slot: ours.posted_slot,
    }
}

fn bytes(account: &impl AccountSerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    account.try_serialize(&mut bytes).unwrap();
    bytes
}

#[test]
fn accounts_are_byte_for_byte_those_of_pyth() {
    assert_eq!(PriceUpdateV2::DISCRIMINATOR, pyth::PriceUpdateV2::DISCRIMINATOR);
    assert_eq!(PriceUpdateV2::LEN, pyth::PriceUpdateV2::LEN);
    for (verification_level, size) in
        [(VerificationLevel::Full, 133), (VerificationLevel::Partial { num_signatures: 13 }, 134)]
    {
        let ours = PriceUpdateV2 {
            write_authority: Pubkey::new_from_array([9; 32]),
            verification_level,
            price_message: message(),
            posted_slot: 0x6162_6364_6566_6768,
        };
        let ours_bytes = bytes(&ours);
        assert_eq!(ours_bytes.len(), size);
        assert_eq!(ours_bytes, bytes(&theirs(&ours)));

        let mut account = ours_bytes.clone();
        account.resize(PriceUpdateV2::LEN, 0);
        let read = pyth::PriceUpdateV2::try_deserialize(&mut account.as_slice()).unwrap();
        assert_eq!(bytes(&read), ours_bytes);
        assert_eq!(PriceUpdateV2::try_deserialize(&mut bytes(&read).as_slice()).unwrap(), ours);
    }
}

#[test]
fn the_address_is_the_key_of_the_published_seed() {
    let key = solana_keypair::Keypair::new_from_array(PROGRAM_KEY_SEED);
    assert_eq!(key.pubkey().to_bytes(), ID.to_bytes());
}

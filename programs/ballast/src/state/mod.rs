//! One account per file. Every account is zero-copy: its bytes are declared once, with [`zero_copy_account!`].

pub mod charter;
pub mod covenant;
pub mod exchange;
pub mod liquidity;
pub mod market;
pub mod order;
pub mod proposal;
pub mod subaccount;
pub mod upgrade;

pub use charter::Charter;
pub use covenant::Covenant;
pub use exchange::Exchange;
pub use liquidity::{LpDeposit, LpWithdrawal};
pub use market::Market;
pub use order::Order;
pub use proposal::Proposal;
pub use subaccount::Subaccount;
pub use upgrade::Upgrade;

/// Version of all account layouts; an account with another one is refused.
pub const ACCOUNT_VERSION: u8 = 1;

/// Declares an account with [`ballast_engine::layout!`] and makes it Anchor's: owner, discriminator (Anchor's own rule,
/// the first eight bytes of SHA-256 of `account:Name`; a test recomputes them), IDL.
#[macro_export]
macro_rules! zero_copy_account {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident = $size:literal, discriminator $disc:expr, { $($body:tt)* }
    ) => {
        ballast_engine::layout! {
            $(#[doc = $doc])*
            pub struct $name = $size { $($body)* }
        }
        impl $name {
            /// Bytes of the account, discriminator included.
            pub const SPACE: usize = 8 + core::mem::size_of::<$name>();
        }
        impl anchor_lang::Discriminator for $name {
            const DISCRIMINATOR: &'static [u8] = &$disc;
        }
        impl anchor_lang::Owner for $name {
            fn owner() -> anchor_lang::prelude::Pubkey {
                $crate::ID
            }
        }
        impl anchor_lang::ZeroCopy for $name {}
        impl anchor_lang::AccountDeserialize for $name {
            fn try_deserialize(buf: &mut &[u8]) -> anchor_lang::Result<Self> {
                let body = buf.strip_prefix(<Self as anchor_lang::Discriminator>::DISCRIMINATOR).ok_or(
                    anchor_lang::error::ErrorCode::AccountDiscriminatorMismatch,
                )?;
                Self::try_deserialize_unchecked(&mut { body })
            }
            fn try_deserialize_unchecked(buf: &mut &[u8]) -> anchor_lang::Result<Self> {
                bytemuck::try_pod_read_unaligned(buf.get(..core::mem::size_of::<Self>()).unwrap_or_default())
                    .map_err(|_| anchor_lang::error::ErrorCode::AccountDidNotDeserialize.into())
            }
        }
        #[cfg(feature = "idl-build")]
        impl anchor_lang::IdlBuild for $name {
            fn create_type() -> Option<anchor_lang::idl::types::IdlTypeDef> {
                Some($crate::idl::definition(&Self::DEF))
            }
            fn insert_types(
                types: &mut std::collections::BTreeMap<String, anchor_lang::idl::types::IdlTypeDef>,
            ) {
                $crate::idl::insert_fields(&Self::DEF, types);
            }
        }
    };
}

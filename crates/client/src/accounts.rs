//! Account bytes to values. Zero-copy accounts are plain bytes behind a discriminator; whole ones only.

use anchor_lang::Discriminator;
use ballast::state::{
    ACCOUNT_VERSION, Charter, Covenant, Exchange, LpDeposit, LpWithdrawal, Market, Order, Proposal, Subaccount, Upgrade,
};
use bytemuck::Pod;

/// Why bytes are not an account of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAnAccount {
    /// Another kind of account.
    Kind,
    /// Too short or too long for its kind.
    Length,
    /// A layout version that this client does not read.
    Version(u8),
}

impl std::fmt::Display for NotAnAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind => write!(f, "not an account of this kind"),
            Self::Length => write!(f, "the account is too short or too long"),
            Self::Version(version) => write!(f, "layout version {version}; this client reads {ACCOUNT_VERSION}"),
        }
    }
}

impl std::error::Error for NotAnAccount {}

/// The account of a kind in its bytes. Its version is not looked at.
///
/// # Errors
/// [`NotAnAccount::Kind`], [`NotAnAccount::Length`].
pub fn decode<T: Discriminator + Pod>(data: &[u8]) -> Result<Box<T>, NotAnAccount> {
    let body = data.strip_prefix(T::DISCRIMINATOR).ok_or(NotAnAccount::Kind)?;
    let mut value = bytemuck::allocation::zeroed_box::<T>();
    let bytes = bytemuck::bytes_of_mut(&mut *value);
    if body.len() != bytes.len() {
        return Err(NotAnAccount::Length);
    }
    bytes.copy_from_slice(body);
    Ok(value)
}

/// An account's bytes.
pub fn encode<T: Discriminator + Pod>(value: &T) -> Vec<u8> {
    [T::DISCRIMINATOR, bytemuck::bytes_of(value)].concat()
}

macro_rules! kinds {
    ($($name:ident),*) => {
        /// Any account of the program.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Account {
            $( #[doc = concat!("See [`", stringify!($name), "`].")] $name(Box<$name>) ),*
        }

        impl Account {
            /// The account in its bytes.
            ///
            /// # Errors
            /// [`NotAnAccount`].
            pub fn decode(data: &[u8]) -> Result<Self, NotAnAccount> {
                $( if data.starts_with($name::DISCRIMINATOR) {
                    let account = decode::<$name>(data)?;
                    return match account.version {
                        ACCOUNT_VERSION => Ok(Self::$name(account)),
                        version => Err(NotAnAccount::Version(version)),
                    };
                } )*
                Err(NotAnAccount::Kind)
            }

            /// The name of its kind.
            pub const fn kind(&self) -> &'static str {
                match self { $( Self::$name(_) => stringify!($name) ),* }
            }
        }
    };
}
kinds!(Exchange, Market, Subaccount, Covenant, Order, LpDeposit, LpWithdrawal, Proposal, Upgrade, Charter);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_back_and_nothing_else_passes() {
        let order = Order { version: ACCOUNT_VERSION, id: 7, ..Order::default() };
        let data = encode(&order);
        assert_eq!(Account::decode(&data), Ok(Account::Order(Box::new(order))));
        assert_eq!(decode::<Proposal>(&data), Err(NotAnAccount::Kind));
        assert_eq!(Account::decode(&data[..data.len() - 1]), Err(NotAnAccount::Length));
        assert_eq!(Account::decode(&[&data[..], &[0]].concat()), Err(NotAnAccount::Length));
        assert_eq!(Account::decode(&data[..7]), Err(NotAnAccount::Kind));
        let newer = encode(&Order { version: ACCOUNT_VERSION + 1, ..order });
        assert_eq!(Account::decode(&newer), Err(NotAnAccount::Version(ACCOUNT_VERSION + 1)));
    }
}

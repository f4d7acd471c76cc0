//! Typed events from a transaction's inner instructions: the program emits them by calling itself.

use anchor_lang::{AnchorDeserialize, Discriminator};
use ballast::events as program;

/// First bytes of an event's inner instruction.
pub const TAG: &[u8] = anchor_lang::event::EVENT_IX_TAG_LE;

macro_rules! declare {
    ($( $(#[doc = $doc:literal])* $name:ident { $( $field:ident : $ty:ty = $fdoc:literal ),* $(,)? } )*) => {
        /// Any event of the program.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event { $( $(#[doc = $doc])* $name(program::$name) ),* }

        impl Event {
            /// Its name.
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$name(_) => stringify!($name) ),* }
            }
            /// The event in an inner instruction's data; `None` if it is something else.
            pub fn decode(data: &[u8]) -> Option<Self> {
                let body = data.strip_prefix(TAG)?;
                $( if let Some(mut fields) = body.strip_prefix(program::$name::DISCRIMINATOR) {
                    return program::$name::deserialize(&mut fields).ok().map(Self::$name);
                } )*
                None
            }
            /// Its fields as name and value, for logs and JSON.
            pub fn fields(&self) -> Vec<(&'static str, String)> {
                match self { $( Self::$name(e) => vec![$( (stringify!($field), format!("{:?}", e.$field)) ),*] ),* }
            }
        }
    };
}
ballast::for_each_event!(declare);

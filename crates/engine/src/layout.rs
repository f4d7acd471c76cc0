//! Declares account structs once: their bytes (`repr(C)`, no padding) and a description of them, from which the IDL
//! and the parameter tables are made. Without it every field would be written twice, here and for the IDL.

/// What a field's bytes are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TypeRef {
    /// One byte.
    U8,
    /// Two bytes, little endian (as all below).
    U16,
    /// Four bytes.
    U32,
    /// Eight bytes.
    U64,
    /// Eight bytes, two's complement.
    I64,
    /// Sixteen bytes, two's complement, 8-aligned.
    I128,
    /// An account's address, 32 bytes.
    Key,
    /// So many of the same.
    Array(&'static TypeRef, usize),
    /// A struct declared by [`layout!`](crate::layout!).
    Struct(&'static StructDef),
}

/// A struct declared by [`layout!`](crate::layout!).
#[derive(Debug, PartialEq)]
pub struct StructDef {
    /// Its name.
    pub name: &'static str,
    /// Its doc comment, a line each.
    pub docs: &'static [&'static str],
    /// Its fields in the order of their bytes.
    pub fields: &'static [FieldDef],
}

/// A field of a [`StructDef`].
#[derive(Debug, PartialEq)]
pub struct FieldDef {
    /// Its name.
    pub name: &'static str,
    /// Its doc comment, a line each.
    pub docs: &'static [&'static str],
    /// What its bytes are.
    pub ty: TypeRef,
}

/// A type whose bytes are described.
pub trait Layout {
    /// The description.
    const TYPE: TypeRef;
}

macro_rules! primitive {
    ($($t:ty => $r:ident),*) => { $(impl Layout for $t { const TYPE: TypeRef = TypeRef::$r; })* };
}
primitive!(u8 => U8, u16 => U16, u32 => U32, u64 => U64, i64 => I64);

impl<T: Layout, const N: usize> Layout for [T; N] {
    const TYPE: TypeRef = TypeRef::Array(&T::TYPE, N);
}

/// An account's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Key(pub [u8; 32]);

impl Layout for Key {
    const TYPE: TypeRef = TypeRef::Key;
}

/// Declares a `repr(C)` struct without padding, its description, and a compile-time check of its size.
///
/// `layout! { /// Docs. pub struct Name = SIZE { /// Docs. pub field: Type, … } }`
#[macro_export]
macro_rules! layout {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident = $size:literal {
            $( $(#[doc = $fdoc:literal])* pub $field:ident : $ty:ty ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        pub struct $name {
            $( $(#[doc = $fdoc])* pub $field: $ty ),*
        }
        const _: () = assert!(core::mem::size_of::<$name>() == $size, "size changed: old accounts would be misread");
        impl $name {
            /// The description of these bytes.
            pub const DEF: $crate::layout::StructDef = $crate::layout::StructDef {
                name: stringify!($name),
                docs: &[$($doc),*],
                fields: &[$($crate::layout::FieldDef {
                    name: stringify!($field),
                    docs: &[$($fdoc),*],
                    ty: <$ty as $crate::layout::Layout>::TYPE,
                }),*],
            };
        }
        impl $crate::layout::Layout for $name {
            const TYPE: $crate::layout::TypeRef = $crate::layout::TypeRef::Struct(&$name::DEF);
        }
        impl Default for $name {
            fn default() -> Self {
                bytemuck::Zeroable::zeroed()
            }
        }
    };
}

//! The IDL of zero-copy accounts, made from the layouts that the engine declares.

use std::collections::BTreeMap;

use anchor_lang::idl::types::{
    IdlArrayLen, IdlDefinedFields, IdlField, IdlRepr, IdlReprModifier, IdlSerialization, IdlType, IdlTypeDef,
    IdlTypeDefTy,
};
use ballast_engine::layout::{StructDef, TypeRef};

/// A struct's definition.
pub fn definition(def: &StructDef) -> IdlTypeDef {
    let docs = |lines: &[&str]| lines.iter().map(|l| l.trim().to_owned()).collect();
    IdlTypeDef {
        name: def.name.into(),
        docs: docs(def.docs),
        serialization: IdlSerialization::Bytemuck,
        repr: Some(IdlRepr::C(IdlReprModifier { packed: false, align: None })),
        generics: vec![],
        ty: IdlTypeDefTy::Struct {
            fields: Some(IdlDefinedFields::Named(
                def.fields
                    .iter()
                    .map(|f| IdlField { name: f.name.into(), docs: docs(f.docs), ty: field_type(&f.ty) })
                    .collect(),
            )),
        },
    }
}

/// Adds the structs that a struct's fields name.
pub fn insert_fields(def: &StructDef, types: &mut BTreeMap<String, IdlTypeDef>) {
    for field in def.fields {
        insert_type(&field.ty, types);
    }
}

fn insert_type(ty: &TypeRef, types: &mut BTreeMap<String, IdlTypeDef>) {
    match ty {
        TypeRef::Array(inner, _) => insert_type(inner, types),
        TypeRef::Struct(def) => {
            types.insert(def.name.into(), definition(def));
            insert_fields(def, types);
        }
        TypeRef::I128 => {
            types.insert(WIDE.into(), wide());
        }
        _ => {}
    }
}

/// The name of a wide signed integer. Not the IDL's own `i128`: a client in Rust would align that to 16 bytes and
/// misread all that follows.
const WIDE: &str = "I128";

fn wide() -> IdlTypeDef {
    let field = |name: &str, doc: &str, ty| IdlField { name: name.into(), docs: vec![doc.into()], ty };
    let fields = vec![field("low", "Low 64 bits.", IdlType::U64), field("high", "High 64 bits.", IdlType::I64)];
    IdlTypeDef {
        name: WIDE.into(),
        docs: vec!["A signed number of 128 bits, aligned to 8 bytes: `high × 2⁶⁴ + low`.".into()],
        serialization: IdlSerialization::Bytemuck,
        repr: Some(IdlRepr::C(IdlReprModifier { packed: false, align: None })),
        generics: vec![],
        ty: IdlTypeDefTy::Struct { fields: Some(IdlDefinedFields::Named(fields)) },
    }
}

fn field_type(ty: &TypeRef) -> IdlType {
    match ty {
        TypeRef::U8 => IdlType::U8,
        TypeRef::U16 => IdlType::U16,
        TypeRef::U32 => IdlType::U32,
        TypeRef::U64 => IdlType::U64,
        TypeRef::I64 => IdlType::I64,
        TypeRef::I128 => IdlType::Defined { name: WIDE.into(), generics: vec![] },
        TypeRef::Key => IdlType::Pubkey,
        TypeRef::Array(inner, length) => IdlType::Array(Box::new(field_type(inner)), IdlArrayLen::Value(*length)),
        TypeRef::Struct(def) => IdlType::Defined { name: def.name.into(), generics: vec![] },
    }
}

//! The tables, one file each, and all of them for the documentation.

pub mod configurations;
pub mod findings;
pub mod key_changes;
pub mod key_use;
pub mod keys;
pub mod objects;
pub mod rejects;
pub mod usage;

use super::schema::{Description, describe};

/// All tables, in the order of the documentation.
#[must_use]
pub fn all() -> [Description; 8] {
    [
        describe::<findings::Findings>(),
        describe::<usage::Usage>(),
        describe::<key_changes::KeyChanges>(),
        describe::<configurations::Configurations>(),
        describe::<keys::Keys>(),
        describe::<key_use::KeyUses>(),
        describe::<objects::Objects>(),
        describe::<rejects::Rejects>(),
    ]
}

/// A column in one line: name, type, meaning, value. A `Symbol` is text whose value is a pair: the arena
/// that it stands in, and where.
macro_rules! columns {
    ($row:ident; $($name:ident: $kind:ident = $value:expr, $doc:literal;)*) => {
        &[$(
            $crate::lake::schema::Column {
                name: stringify!($name),
                kind: columns!(@type $kind),
                doc: $doc,
                value: |$row| columns!(@cell $kind $value),
            },
        )*]
    };
    (@type Symbol) => { $crate::lake::schema::Type::Text };
    (@type $kind:ident) => { $crate::lake::schema::Type::$kind };
    (@cell Symbol $value:expr) => {{
        let (strings, symbol) = $value;
        $crate::lake::schema::Cell::Symbol(strings, symbol)
    }};
    (@cell $kind:ident $value:expr) => { $crate::lake::schema::Cell::$kind($value) };
}
use columns;

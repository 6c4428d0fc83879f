//! An object that cannot be read whole.

use std::fmt;

use super::object::Kind;

/// An object whose spec this version of podrole cannot read whole, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unreadable {
    /// The object's kind.
    pub kind: Kind,
    /// The object's name.
    pub name: String,
    /// What is wrong, without the values of fields.
    pub error: String,
}

impl Unreadable {
    /// Names the field that is not known, or what is wrong with one that is. The parser's own text
    /// ends with a list of all known fields, which is of no help here.
    pub(super) fn new(kind: Kind, name: &str, error: impl fmt::Display) -> Self {
        let error = error.to_string();
        let error = error.split(", expected").next().unwrap_or_default();
        // It quotes texts, which may be anything.
        let error = error.split('"').next().unwrap_or_default().trim_end();
        let error = error.chars().filter(|c| !c.is_control()).take(120).collect();
        Self { kind, name: name.to_owned(), error }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, error } = self;
        write!(
            f,
            "this version of podrole cannot read {kind} {name} ({error}), so what it grants is not \
             known; correct the object, or upgrade podrole"
        )
    }
}

impl std::error::Error for Unreadable {}

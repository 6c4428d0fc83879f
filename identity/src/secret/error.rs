//! Why the value of a Secret's annotation cannot be used.

use std::fmt;

/// The placeholders that item keys and paths may contain.
pub(super) const PLACEHOLDERS: [&str; 3] =
    ["{pod.name}", "{pod.namespace}", "{serviceaccount.name}"];

/// Why a value is not a request for Secrets. Its author sees it in an admission warning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretAnnotationError {
    /// It is not JSON of the right form. The text is the parser's.
    #[error("{0}")]
    Json(String),
    #[error("set mountPath or env")]
    Empty,
    #[error("set mountPath too, because subPath needs it")]
    SubPathAlone,
    #[error("a Secret's name is 1 to 253 of a-z 0-9 - .")]
    SecretName,
    #[error("the mount path must start with a slash")]
    MountPathNotAbsolute,
    #[error("the mount path must not contain .. as a part")]
    MountPathParent,
    #[error("the mount path must not be the root")]
    MountPathRoot,
    #[error("{0} must be a path that does not start with a slash")]
    NotRelative(PathField),
    #[error("{0} must not contain .. as a part or start with it")]
    Parent(PathField),
    #[error("{0} has a placeholder other than {known}", known = PLACEHOLDERS.join(", "))]
    Placeholder(PathField),
    #[error("{0} has a colon or is too long")]
    NotAPath(PathField),
    #[error("an item's key is 1 to 253 of A-Z a-z 0-9 - _ .")]
    ItemKey,
    #[error("env must be a prefix of variable names, like DB_")]
    EnvPrefix,
}

/// A field that holds a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathField {
    Mount,
    Sub,
    Item,
}

impl fmt::Display for PathField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mount => "the mount path",
            Self::Sub => "subPath",
            Self::Item => "an item's path",
        })
    }
}

impl From<serde_json::Error> for SecretAnnotationError {
    fn from(error: serde_json::Error) -> Self {
        // Without line and column: an annotation is one line.
        let text = error.to_string();
        Self::Json(text.split(" at line ").next().unwrap_or_default().to_owned())
    }
}

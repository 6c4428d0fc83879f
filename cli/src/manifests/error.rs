//! What is wrong in a file, and where.

use std::fmt;

use podrole_identity::ServiceAccountError;
use serde_json::Value;

use super::SourceFile;
use crate::yaml::SyntaxError;

/// What is wrong in a file: `web.yaml:12: Deployment shop/web: ...`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{error}", self.place(), self.object())]
pub(crate) struct ManifestError {
    pub(crate) file: String,
    pub(crate) line: usize,
    /// Kind, namespace and name; `None` if they are not known.
    object: Option<String>,
    error: ContentError,
}

/// What is wrong with a document or an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContentError {
    /// Of a file or a folder; the error has no line.
    #[error("no manifests in {source_name}{hint}")]
    NoManifests { source_name: String, hint: &'static str },
    #[error("{0}")]
    Syntax(String),
    #[error("it has no `kind`; is it a Kubernetes manifest?")]
    NoKind,
    #[error("the key {key} is also in line {first}; only this one counts")]
    Duplicate { key: String, first: usize },
    #[error(
        "the additions cannot be written into its document without changing something else; \
         write it without anchors, aliases and tags"
    )]
    NotWritable,
    #[error("it is also at {before}; only this one counts")]
    Repeated { before: String },
    #[error("ServiceAccount {name}: {error}")]
    ServiceAccountName { name: String, error: ServiceAccountError },
    #[error("{field} is not a map")]
    NotAMap { field: String },
    #[error("{field}: {what}")]
    Field { field: String, what: String },
}

impl ManifestError {
    pub(crate) fn new(file: &str, line: usize, error: ContentError) -> Self {
        Self { file: file.to_owned(), line, object: None, error }
    }

    pub(super) fn syntax(file: &str, error: SyntaxError) -> Self {
        Self::new(file, error.line, ContentError::Syntax(error.reason))
    }

    /// The same of an object, which is shown by kind, namespace and name.
    pub(crate) fn of(self, object: &dyn fmt::Display) -> Self {
        Self { object: Some(object.to_string()), ..self }
    }

    pub(super) fn no_manifests(source: &SourceFile) -> Self {
        let hint = source.empty.unwrap_or_default();
        let error = ContentError::NoManifests { source_name: source.file.clone(), hint };
        Self::new(&source.file, 0, error)
    }

    fn place(&self) -> String {
        match self.error {
            ContentError::NoManifests { .. } => String::new(),
            _ => format!("{}:{}: ", self.file, self.line),
        }
    }

    fn object(&self) -> String {
        self.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default()
    }
}

/// Says what the value is, and how it becomes a string.
pub(crate) fn not_a_string(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("{number} is a number; put it in quotes"),
        Value::Bool(truth) => format!("{truth} is a boolean; put it in quotes"),
        Value::Null => "it has no value".to_owned(),
        Value::Array(_) => "it is a list, not a string".to_owned(),
        Value::Object(_) => "it is a map, not a string".to_owned(),
        Value::String(text) => format!("{text:?} is a string"),
    }
}

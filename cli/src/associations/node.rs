//! A value of an input, with its place.

use std::sync::Arc;

use serde_json::Value;

use super::place::{InputError, Place};
use crate::{manifests::not_a_string, yaml::Document};

/// A value of a document. Clones are cheap.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    source: &'a Arc<str>,
    /// `None` if the places of this source have no lines.
    document: Option<&'a Document>,
    pointer: String,
    pub(super) value: &'a Value,
}

impl<'a> Node<'a> {
    /// The whole of a document.
    pub(super) fn root(source: &'a Arc<str>, document: &'a Document, has_lines: bool) -> Self {
        let value = &document.value;
        Self { source, document: has_lines.then_some(document), pointer: String::new(), value }
    }

    /// The field of this name, unless it has no value.
    pub(super) fn child(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        let key = key.replace('~', "~0").replace('/', "~1");
        Some(Self { pointer: format!("{}/{key}", self.pointer), value, ..self.clone() })
    }

    /// What these names lead to, one after the other.
    pub(super) fn at(&self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self.clone(), |node, key| node.child(key))
    }

    /// The items of a list; none of another value.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> + use<'a> {
        let items = self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        let list = self.clone();
        items.iter().enumerate().map(move |(index, value)| Self {
            pointer: format!("{}/{index}", list.pointer),
            value,
            ..list.clone()
        })
    }

    pub(super) fn place(&self) -> Place {
        let line = self.document.map(|document| document.tree.line(&self.pointer));
        Place { source: Arc::clone(self.source), line }
    }

    pub(super) fn error(&self, what: impl Into<String>) -> InputError {
        InputError::new(&self.place(), what)
    }

    /// The text of a field; `None` if it is empty or has no value, as Go and templates write an unset
    /// one.
    ///
    /// # Errors
    /// If it is not a text.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, InputError> {
        Ok(self.text_or_empty(key)?.filter(|text| !text.is_empty()))
    }

    /// The same, with an empty text as it is.
    pub(super) fn text_or_empty(&self, key: &str) -> Result<Option<String>, InputError> {
        let Some(child) = self.child(key) else { return Ok(None) };
        match child.value {
            Value::String(text) => Ok(Some(text.clone())),
            other => Err(child.error(format!("{key}: {}", not_a_string(other)))),
        }
    }

    /// The truth value of a field.
    ///
    /// # Errors
    /// If it is another value.
    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, InputError> {
        let Some(child) = self.child(key) else { return Ok(None) };
        let error = || child.error(format!("{key}: write true or false, without quotes"));
        child.value.as_bool().map(Some).ok_or_else(error)
    }

    /// The whole number of a field.
    ///
    /// # Errors
    /// If it is another value.
    pub(super) fn number(&self, key: &str) -> Result<Option<u32>, InputError> {
        let Some(child) = self.child(key) else { return Ok(None) };
        let number = child.value.as_u64().and_then(|number| u32::try_from(number).ok());
        let error = || child.error(format!("{key}: write a whole number, without quotes"));
        number.map(Some).ok_or_else(error)
    }
}

//! What the API server allows in a Secret's volume and mount. Placeholders like `{pod.name}` are
//! checked as if they were replaced.

use serde::Deserialize;

use super::error::{PLACEHOLDERS, PathField, SecretAnnotationError};

/// File permissions: a number as in Kubernetes, or octal digits in quotes.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "RawMode")]
pub(super) struct Mode(u16);

#[derive(Deserialize)]
#[serde(untagged)]
enum RawMode {
    Number(u16),
    Octal(String),
}

impl TryFrom<RawMode> for Mode {
    type Error = &'static str;

    fn try_from(raw: RawMode) -> Result<Self, Self::Error> {
        let bits = match raw {
            RawMode::Number(bits) => Some(bits),
            RawMode::Octal(text) => u16::from_str_radix(&text, 8).ok(),
        };
        let legal = bits.filter(|bits| *bits <= 0o777);
        legal.map(Self).ok_or("write the mode as octal digits in quotes, like \"0440\"")
    }
}

impl Mode {
    pub(super) fn bits(self) -> u16 {
        self.0
    }
}

/// Replaces each placeholder by a letter. Their values consist of letters, digits, `-` and `.`, so
/// this is as legal as any value.
fn filled(text: &str) -> String {
    PLACEHOLDERS.iter().fold(text.to_owned(), |text, placeholder| text.replace(placeholder, "x"))
}

pub(super) fn secret_name(name: &str) -> Result<(), SecretAnnotationError> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let part = |part: &str| {
        let edges = !part.starts_with('-') && !part.ends_with('-');
        !part.is_empty() && edges && part.bytes().all(legal)
    };
    let is_name = name.len() <= 253 && name.split('.').all(part);
    is_name.then_some(()).ok_or(SecretAnnotationError::SecretName)
}

pub(super) fn mount_path(path: &str) -> Result<(), SecretAnnotationError> {
    let path = filled(path);
    if !path.starts_with('/') {
        return Err(SecretAnnotationError::MountPathNotAbsolute);
    }
    if path.split('/').any(|part| part == "..") {
        return Err(SecretAnnotationError::MountPathParent);
    }
    if path.split('/').all(|part| part.is_empty() || part == ".") {
        return Err(SecretAnnotationError::MountPathRoot);
    }
    plain(&path, PathField::Mount)
}

/// Checks a relative path that must not leave its directory.
pub(super) fn below(field: PathField, path: &str) -> Result<(), SecretAnnotationError> {
    let path = filled(path);
    if path.is_empty() || path.starts_with('/') {
        return Err(SecretAnnotationError::NotRelative(field));
    }
    // The kubelet uses names that start with `..` itself.
    if path.starts_with("..") || path.split('/').any(|part| part == "..") {
        return Err(SecretAnnotationError::Parent(field));
    }
    plain(&path, field)
}

fn plain(path: &str, field: PathField) -> Result<(), SecretAnnotationError> {
    if path.contains(['{', '}']) {
        return Err(SecretAnnotationError::Placeholder(field));
    }
    let legal = path.len() <= 4096 && !path.chars().any(|c| c == ':' || c.is_control());
    legal.then_some(()).ok_or(SecretAnnotationError::NotAPath(field))
}

pub(super) fn item_key(key: &str) -> Result<(), SecretAnnotationError> {
    let key = filled(key);
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_key = (1..=253).contains(&key.len()) && key.bytes().all(legal);
    let is_key = is_key && key != "." && !key.starts_with("..");
    is_key.then_some(()).ok_or(SecretAnnotationError::ItemKey)
}

pub(super) fn env_prefix(prefix: &str) -> Result<(), SecretAnnotationError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let digit = prefix.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    let is_prefix = prefix.len() <= 253 && prefix.bytes().all(legal) && !digit;
    is_prefix.then_some(()).ok_or(SecretAnnotationError::EnvPrefix)
}

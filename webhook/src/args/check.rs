//! Rejects values at the start that the API server would reject in every pod.

use podrole_certs::PathSegment;

pub(super) fn absolute(text: &str) -> Result<String, &'static str> {
    let legal = text.starts_with('/') && text.len() > 1 && !text.contains(':');
    legal.then(|| text.to_owned()).ok_or("set an absolute path without a colon")
}

pub(super) fn name(text: &str) -> Result<String, &'static str> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| *byte != b'-');
    let bytes = text.as_bytes();
    let whole = bytes.len() <= 63 && bytes.iter().all(|byte| legal(*byte));
    let named = whole && edge(bytes.first()) && edge(bytes.last());
    named.then(|| text.to_owned()).ok_or("a volume's name is 1 to 63 of a-z 0-9 -")
}

pub(super) fn file(text: &str) -> Result<String, &'static str> {
    let legal = !text.is_empty() && !text.contains('/') && !text.contains("..");
    legal.then(|| text.to_owned()).ok_or("set a file name without a slash")
}

pub(super) fn segment(text: &str) -> Result<String, &'static str> {
    PathSegment::is_usable(text)
        .then(|| text.to_owned())
        .ok_or("set 16 or more of A-Z a-z 0-9 - . _ ~")
}

pub(super) fn http_url(text: &str) -> Result<String, &'static str> {
    let legal = text.starts_with("http://") || text.starts_with("https://");
    legal.then(|| text.to_owned()).ok_or("set a URL that starts with http:// or https://")
}

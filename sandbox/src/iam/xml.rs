//! IAM's responses in XML.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::error::IamError;

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const MESSAGE_LENGTH: usize = 1000;
/// RFC 3986: characters that are not encoded in a returned policy document.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The result element of a response. `None` if the operation has no result.
pub(super) struct ResultXml(Option<String>);

/// A list in IAM's XML: `<member>` for each item.
#[derive(Serialize)]
pub(super) struct Members<T> {
    member: Vec<T>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorXml {
    r#type: &'static str,
    code: &'static str,
    message: String,
}

impl<T> Members<T> {
    pub(super) fn of(items: impl IntoIterator<Item = T>) -> Self {
        Self { member: items.into_iter().collect() }
    }
}

impl ResultXml {
    /// The response of an operation without a result.
    pub(super) fn empty() -> Self {
        Self(None)
    }

    /// An operation's result.
    pub(super) fn of<T: Serialize>(operation: &str, result: &T) -> Self {
        // Serializing our own types, whose names are valid in XML, does not fail.
        Self(quick_xml::se::to_string_with_root(&format!("{operation}Result"), result).ok())
    }

    pub(super) fn write(&self, operation: &str, request_id: &str) -> String {
        let result = self.0.as_deref().unwrap_or_default();
        format!(
            "<{operation}Response xmlns=\"{NAMESPACE}\">{result}<ResponseMetadata><RequestId>\
             {request_id}</RequestId></ResponseMetadata></{operation}Response>\n"
        )
    }
}

/// An error response.
pub(super) fn error(error: &IamError, request_id: &str) -> String {
    let (code, status) = error.code();
    let message = error.to_string();
    let legal = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    let error = ErrorXml {
        r#type: if status < 500 { "Sender" } else { "Receiver" },
        code,
        message: message.chars().filter(legal).take(MESSAGE_LENGTH).collect(),
    };
    let error = quick_xml::se::to_string_with_root("Error", &error).unwrap_or_default();
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">{error}<RequestId>{request_id}</RequestId>\
         </ErrorResponse>\n"
    )
}

/// A policy document as IAM returns it: percent-encoded.
pub(super) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, ENCODED).to_string()
}

/// A time in whole seconds.
pub(super) fn time(at: Timestamp) -> String {
    format!("{at:.0}")
}
